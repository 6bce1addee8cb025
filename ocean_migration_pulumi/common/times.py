"""Times in the formats of the service, and durations as messages show them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_STAMP: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_YEARS: Final = (1970, 9000)


def parse_time(text: str | None) -> datetime | None:
    """Return a time of the service; None when the text is not a time, or one outside of the years 1970 to 9000.

    The API reference has unpadded days, and ``Z``, ``+0000`` or no time zone, which means UTC.
    """
    match = _STAMP.fullmatch((text or "").strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    if not _YEARS[0] <= year <= _YEARS[1]:
        return None
    zone = match[8] or "Z"
    offset = UTC
    if zone.upper() != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        if minutes >= 24 * 60:
            return None
        offset = timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
    try:
        return datetime(
            year, month, day, hour, minute, second, int((match[7] or "0")[:6].ljust(6, "0")), offset
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def sort_key(text: str | None) -> float:
    """Return a time of the service as a number to sort by; what is not a time comes first."""
    moment = parse_time(text)
    return moment.timestamp() if moment else float("-inf")


def format_time(moment: datetime) -> str:
    """Return a time as the service writes it: UTC, milliseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_elapsed(seconds: float) -> str:
    """Return a duration as messages show it: ``45s``, ``6m10s``, ``1h05m``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
