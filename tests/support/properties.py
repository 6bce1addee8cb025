"""How many examples property tests try, by the profile that the variable HYPOTHESIS_PROFILE names."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

_EXAMPLES: Final = {"suite": 40, "deep": 200, "thorough": 2_000}
"""suite: enough to find what breaks while working on it; deep: in all tests; thorough: by hand, for what is rare."""


def load_profile() -> None:
    """Let property tests try as many examples as the profile says, each without a time limit of its own."""
    for name, examples in _EXAMPLES.items():
        settings.register_profile(name, max_examples=examples, deadline=None)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def documents() -> settings:
    """Return the settings for examples that are whole documents: 10 in the suite, in general a quarter."""
    return settings(max_examples=settings().max_examples // 4, suppress_health_check=list(HealthCheck))
