"""Reads the loosely typed JSON of the service: a field of an unexpected type counts as absent."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.errors import ResponseError

_LARGEST = float(2**63)


def wrong(what: str) -> ResponseError:
    """Return the error for a response that cannot be used."""
    return ResponseError(f"unexpected shape: {what}")


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return an object; raise ResponseError when the value is not one."""
    if not isinstance(value, dict):
        raise wrong(f"{what} is not an object")
    return value


def part(data: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a nested object, empty when it is absent."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def items(data: dict[str, Any], key: str) -> list[Any]:
    """Return a nested list, empty when it is absent."""
    value = data.get(key)
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return a string, or a number as one; anything else is empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or number(value) is None:
        return ""
    return repr(value)


def word(value: Any) -> str:
    """Return a string of which the service has a list; empty when it cannot be printed."""
    found = text(value)
    return found if found.isprintable() else ""


def count(value: Any) -> int | None:
    """Return a whole number from 0 on, which the API reference shows both as 6 and as "6"; None for anything else."""
    found = number(value)
    if found is None or found < 0 or found != int(found):
        return None
    return value if isinstance(value, int) else int(found)


def number(value: Any) -> float | None:
    """Return a number, also one in a string; None when it is anything else, or too large to calculate with."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    # NaN fails this comparison, too.
    return found if abs(found) <= _LARGEST else None


def flag(value: Any) -> bool | None:
    """Return a boolean, also one in a string; None when it is anything else."""
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
    """Return an id or a state; raise ResponseError when it is absent or cannot be printed."""
    if not isinstance(value, str) or not value:
        raise wrong(f"{what} is missing")
    if not value.isprintable():
        raise wrong(f"{what} has characters that cannot be printed")
    return value
