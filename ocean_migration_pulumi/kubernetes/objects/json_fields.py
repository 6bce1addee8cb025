"""Reading the JSON of one Kubernetes object: what is absent is empty, what is of another type makes it unusable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class UnexpectedFormError(Exception):
    """An object that is not of the form that the Kubernetes API reference promises."""


def mapping(value: Any) -> dict[str, Any]:
    """Return an object, empty for null; raise UnexpectedFormError when it is none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnexpectedFormError
    return value


def part(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return an object inside of an object, empty when there is none."""
    found: Any = data
    for key in keys:
        found = mapping(found).get(key)
    return mapping(found)


def objects(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty when there is none."""
    found = data.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise UnexpectedFormError
    return [mapping(item) for item in found]


def text(data: Mapping[str, Any], key: str, default: str = "") -> str:
    """Return a text; ``default`` when it is absent or empty."""
    found = data.get(key)
    if found is None:
        return default
    if not isinstance(found, str):
        raise UnexpectedFormError
    return found or default


def required(data: Mapping[str, Any], key: str) -> str:
    """Return a text that is not empty."""
    found = text(data, key)
    if not found:
        raise UnexpectedFormError
    return found


def whole(data: Mapping[str, Any], key: str, default: int = 0) -> int:
    """Return a whole number."""
    found = data.get(key)
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, int):
        raise UnexpectedFormError
    return found


def flag(data: Mapping[str, Any], key: str) -> bool:
    """Return a boolean; what is absent is False."""
    found = data.get(key)
    if found is None:
        return False
    if not isinstance(found, bool):
        raise UnexpectedFormError
    return found


def texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts."""
    found = data.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise UnexpectedFormError
    return tuple(found)


def pairs(data: Mapping[str, Any], key: str) -> dict[str, str]:
    """Return a mapping of texts, such as labels."""
    found = part(data, key)
    if not all(isinstance(value, str) for value in found.values()):
        raise UnexpectedFormError
    return found
