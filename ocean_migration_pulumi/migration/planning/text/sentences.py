"""Sentences of fragments: templates and sources write them without a capital or a full stop."""

from __future__ import annotations

from collections.abc import Iterable


def capitalize(text: str) -> str:
    """Return a fragment with a capital at its start; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def join_sentences(fragments: Iterable[str]) -> str:
    """Return the fragments that are not empty as sentences, without a full stop at the end."""
    return ". ".join(capitalize(fragment.rstrip(".")) for fragment in fragments if fragment)
