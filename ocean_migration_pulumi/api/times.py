"""The times of the service, in the forms that its API reference shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE | re.ASCII,
)
_EPOCH_MILLISECONDS = re.compile(r"\d{12,14}", re.ASCII)


def parse_time(text: str | None) -> datetime | None:
    """Return a time of the service in UTC; None when there is none or it cannot be read.

    The API reference shows unpadded days (``2021-10-1T05:51:06.000Z``) and offsets with and without a colon; a time
    without an offset is UTC, and a plain number is milliseconds since 1970.
    """
    text = (text or "").strip()
    try:
        if _EPOCH_MILLISECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        match = _TIME.fullmatch(text)
        if match is None:
            return None
        *parts, fraction, offset = match.groups(default="")
        year, month, day, hour, minute, second = (int(part or 0) for part in parts)
        time = datetime(
            year, month, day, hour, minute, second, int((fraction + "000000")[:6]), tzinfo=_time_zone(offset)
        )
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time_zone(offset: str) -> timezone:
    if offset in {"", "Z", "z"}:
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
