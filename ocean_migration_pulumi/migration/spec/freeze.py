"""Freeze windows: when no migration may start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.input_readers import InputType, input_error, read_text, read_texts
from ocean_migration_pulumi.migration.spec.options import unknown_field

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME: Final = r"([01]\d|2[0-3]):([0-5]\d)"
_WEEKLY: Final = re.compile(rf"({'|'.join(_DAYS)}) {_TIME} ?- ?({'|'.join(_DAYS)}) {_TIME}", re.IGNORECASE)
_WEEK: Final = 7 * 24 * 60
_MINUTE: Final = timedelta(minutes=1)
_ZONE: Final = "Europe/Berlin"
_OF_THE_MACHINE: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside the zones, which differ between machines."""
_FIELDS: Final = ("not_before", "not_after", "weekly", "time_zone")


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """A window of every week, in minutes since Monday 00:00, local time; it may go over the end of the week."""

    start: int
    """Its first minute."""
    end: int
    """The first minute after it."""

    def remaining(self, local: datetime) -> timedelta | None:
        """Return how long the window goes on by the local clock; None outside of it."""
        minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
        length, since = (self.end - self.start) % _WEEK, (minute - self.start) % _WEEK
        if since >= length:
            return None
        return timedelta(minutes=length - since, seconds=-local.second, microseconds=-local.microsecond)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """When no migration may start. Resuming and stopping are always allowed."""

    not_before: datetime | None = None
    """No migration starts before this time; None sets no limit."""
    not_after: datetime | None = None
    """No migration starts after this time; None sets no limit."""
    weekly: tuple[WeeklyWindow, ...] = ()
    """Windows of every week in which no migration starts."""
    time_zone: tzinfo = UTC
    """Time zone of the weekly windows."""

    def next_start(self, now: datetime) -> datetime | None:
        """Return when a migration may start: now, or a later time; None when it never may again."""
        start = now if self.not_before is None else max(now, self.not_before)
        # Each window is left at most three times: behind the end of one, another may be open, and an hour that the
        # clock repeats opens one again.
        for _ in range(3 * len(self.weekly)):
            window = next((each for each in self.weekly if self._remaining(each, start)), None)
            if window is None:
                break
            start = self._end_of(window, start)
        is_open = not any(self._remaining(window, start) for window in self.weekly)
        return start if is_open and (self.not_after is None or start <= self.not_after) else None

    def _remaining(self, window: WeeklyWindow, moment: datetime) -> timedelta | None:
        return window.remaining(moment.astimezone(self.time_zone))

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self.time_zone).utcoffset() or timedelta()

    def _end_of(self, window: WeeklyWindow, moment: datetime) -> datetime:
        """Return when a window ends that is open, in UTC: the clock may go forward or back before."""
        end = moment + (self._remaining(window, moment) or timedelta())
        end -= self._offset(end) - self._offset(moment)
        while rest := self._remaining(window, end):
            end += rest
        while end - _MINUTE > moment and not self._remaining(window, end - _MINUTE):
            end -= _MINUTE
        return end

    def describe(self, moment: datetime) -> str:
        """Return a time as messages show it, in the time zone of the windows."""
        return moment.astimezone(self.time_zone).strftime("%a %Y-%m-%d %H:%M %Z")


def read_freeze(name: str, value: Any) -> Freeze:
    """Read freeze windows from a map of their fields."""
    if not isinstance(value, Mapping):
        raise input_error(name, value, f"a map with {', '.join(_FIELDS)}")
    for key in value:
        if key not in _FIELDS:
            raise unknown_field(name, key, _FIELDS)
    given = {key: item for key, item in value.items() if item is not None}
    zone = _read_zone(f"{name}.time_zone", given["time_zone"]) if "time_zone" in given else UTC
    not_before = _read_moment(f"{name}.not_before", given.get("not_before"), zone)
    not_after = _read_moment(f"{name}.not_after", given.get("not_after"), zone)
    if not_before is not None and not_after is not None and not_after <= not_before:
        raise InputError(f"{name}.not_after", "must be later than not_before", predicate=True)
    windows = read_texts(f"{name}.weekly", given.get("weekly", ()))
    weekly = tuple(_read_weekly(f"{name}.weekly[{index}]", text) for index, text in enumerate(windows))
    return Freeze(not_before=not_before, not_after=not_after, weekly=weekly, time_zone=zone)


def _read_zone(name: str, value: Any) -> tzinfo:
    zone = read_text(name, value)
    try:
        if zone not in _OF_THE_MACHINE:
            return ZoneInfo(zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        pass
    zones = sorted(available_timezones())
    if not zones:
        # Small container images have no zones, not even UTC.
        raise InputError(
            name, "cannot be read: this machine has no time zones; run `pip install tzdata`", predicate=True
        )
    # Abbreviations such as EST are zones, too, but hardly what was meant.
    known = {each.rpartition("/")[2].lower(): each for each in zones if "/" in each}
    nearest = get_close_matches(zone.rpartition("/")[2].lower(), known, n=1, cutoff=0.8)
    raise input_error(name, value, f"an IANA time zone such as {known[nearest[0]] if nearest else _ZONE}")


def _read_moment(name: str, value: Any, zone: tzinfo) -> datetime | None:
    if value is None:
        return None
    text = read_text(name, value)
    try:
        moment = datetime.fromisoformat(text)
        found = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    # A local time of the first and the last year may be in no year.
    if found is None or found.year in {MINYEAR, MAXYEAR}:
        raise input_error(name, value, 'a time such as "2026-12-18T18:00" or "2026-12-18T17:00:00Z"')
    return found


def _read_weekly(name: str, text: str) -> WeeklyWindow:
    match = _WEEKLY.fullmatch(text)
    if match is None:
        raise input_error(name, text, 'a window such as "Fri 16:00 - Mon 08:00"')
    start, end = (
        (_DAYS.index(match[group].capitalize()) * 24 + int(match[group + 1])) * 60 + int(match[group + 2])
        for group in (1, 4)
    )
    if start == end:
        raise InputError(name, "must not end when it starts", predicate=True)
    return WeeklyWindow(start, end)


def report_freeze(freeze: Freeze, now: datetime, severity: Severity) -> Diagnostic | None:
    """Return the diagnostic of an open freeze window; None when a migration may start."""
    start = freeze.next_start(now)
    if start == now:
        return None
    until = None if start is None else freeze.describe(start)
    return Diagnostic(code=Code.STARTS_FROZEN, severity=severity, fields={"until": until})


FREEZE: Final = InputType(read_freeze, "Mapping[str, Any]", "map", absent=Freeze())
"""The type of the input ``freeze``."""
