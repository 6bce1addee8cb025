"""Fixtures of the decision code."""

from __future__ import annotations

from hypothesis import settings

# The machine that runs the tests may be busy: a time limit of single examples says nothing.
settings.register_profile("steady", deadline=None, max_examples=60)
settings.load_profile("steady")
