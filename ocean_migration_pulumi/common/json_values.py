"""Reads JSON that others wrote: a value of another type counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_map(value: Any) -> Mapping[str, Any]:
    """Return an object; an empty one for any other value."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """Return a list; an empty one for any other value."""
    return value if isinstance(value, list) else []


def as_maps(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; no objects for any other value."""
    return [each for each in as_list(value) if isinstance(each, Mapping)]


def as_text(value: Any) -> str:
    """Return a string; an empty one for any other value."""
    return value if isinstance(value, str) else ""
