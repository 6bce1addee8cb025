"""Reading the loosely typed JSON of the service: a field that is not what it should be is no field."""

from __future__ import annotations

import math
from typing import Any

from ocean_migration_pulumi.errors import ResponseError


def wrong(what: str) -> ResponseError:
    """Return the error for an answer that nothing can work with."""
    return ResponseError(f"unexpected shape: {what}")


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return an object; raise ResponseError when it is none."""
    if not isinstance(value, dict):
        raise wrong(f"{what} is not an object")
    return value


def part(data: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an object inside of an object, empty when there is none."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def items(data: dict[str, Any], key: str) -> list[Any]:
    """Return a list inside of an object, empty when there is none."""
    value = data.get(key)
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return text as it is, a number as text, and anything else as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or number(value) is None:
        return ""
    return repr(value)


def count(value: Any) -> int | None:
    """Return a whole number, which the API reference shows both as 6 and as "6"."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    found = number(value)
    return None if found is None else int(found)


def number(value: Any) -> float | None:
    """Return a finite number, also one written as text; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def flag(value: Any) -> bool | None:
    """Return a boolean, also one written as text; None when it is none."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().casefold())
    return value if isinstance(value, bool) else None


def ids(value: Any) -> tuple[str, ...]:
    """Return ids that the API reference types as one string but describes as a list."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    if not isinstance(value, list):
        return ()
    named = (identity(item) or item.get("name") if isinstance(item, dict) else item for item in value)
    return tuple(found for found in map(text, named) if found)


def identity(data: dict[str, Any]) -> Any:
    """Return the id, which the API reference writes `Id` in lists and status but `id` elsewhere."""
    return data.get("Id") or data.get("id")


def required(value: Any, what: str) -> str:
    """Return text that is not empty; raise ResponseError when there is none."""
    if not isinstance(value, str) or not value:
        raise wrong(f"{what} is missing")
    return value
