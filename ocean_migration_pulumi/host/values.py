"""Values that are unknown during a preview."""

from __future__ import annotations

from typing import Any

# The wire format's own constant; the SDK has it too, but under a name that is not public.
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def unknown() -> Any:
    """Return what stands for "known only after the update" in the inputs that ``check`` returns."""
    return _UNKNOWN


def is_unknown(value: object) -> bool:
    """Tell whether ``value`` itself is not known yet."""
    from pulumi.output import Unknown

    return isinstance(value, Unknown) or (isinstance(value, str) and value == _UNKNOWN)


def contains_unknown(value: object) -> bool:
    """Tell whether ``value``, or anything inside its lists and dicts, is not known yet."""
    if isinstance(value, dict):
        return any(contains_unknown(part) for part in value.values())
    if isinstance(value, (list, tuple, set)):
        return any(contains_unknown(part) for part in value)
    return is_unknown(value)
