"""Queries of a cluster's log: period, severities, limits and order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationStatus
from ocean_migration_pulumi.common.text import shorten_value
from ocean_migration_pulumi.common.times import parse_time, sort_key
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.spec import input_readers

SEVERITIES: Final = ("ALL", "INFO", "DEBUG", "WARN", "ERROR")
"""Severities that a query can ask for."""

MAX_LINES: Final = 1000
"""Maximum number of lines of one response."""

CLOCK_SKEW: Final = timedelta(minutes=10)
"""How far this machine's clock may be behind Spot's without losing the newest lines."""

_LOG_DELAY: Final = timedelta(minutes=10)
_DEFAULT_PERIOD: Final = timedelta(hours=24)


def read_log_period(since: Any, until: Any, now: datetime) -> tuple[datetime, datetime]:
    """Read the inputs ``since`` and ``until``.

    Args:
        since: Begin: a time, or an age such as ``"24h"``.
        until: End, in the same formats. None means now.
        now: The current time.

    Raises:
        InputError: One of them is not allowed.

    """
    start = _read_time_or_age("since", since, now)
    end = now + CLOCK_SKEW if until is None else _read_time_or_age("until", until, now)
    if end < start:
        raise InputError("until", f"{shorten_value(until)} is before the start ({shorten_value(since)})")
    return start, end


def find_log_period(
    status: MigrationStatus, now: datetime, *, created_at: str | None = None
) -> tuple[datetime, datetime]:
    """Return the period in which the log can have lines of a migration, by Spot's clock.

    Args:
        status: Status of the migration.
        now: The current time, by Spot's clock.
        created_at: Creation of the migration if the status has none. None means 24 hours ago.

    """
    since = parse_time(status.created_at) or parse_time(created_at) or now - _DEFAULT_PERIOD
    # The line that names a failure's reason may come later than the failure.
    return since, (parse_time(status.ended_at) or now) + _LOG_DELAY


def read_migration_log(
    api: OceanApi, ocean_id: str, status: MigrationStatus, now: datetime, *, created_at: str | None = None
) -> list[LogEntry]:
    """Read the log in the period of ``find_log_period``, the oldest line first; raise an error of the API."""
    since, until = find_log_period(status, now, created_at=created_at)
    return sort_oldest_first(api.get_log(ocean_id, since=since, until=until))


def sort_oldest_first(log: Sequence[LogEntry]) -> list[LogEntry]:
    """Sort lines by time; Spot returns the newest first, also of those with the same time."""
    return sorted(reversed(log), key=lambda line: sort_key(line.created_at))


def _read_time_or_age(name: str, value: Any, now: datetime) -> datetime:
    text = input_readers.read_text(name, value)
    time = parse_time(text)
    if time is not None:
        return time
    try:
        return now - timedelta(seconds=input_readers.read_duration(name, text) or 0.0)
    except (InputError, OverflowError):
        allowed = 'an age such as "24h", or a time such as "2024-05-01T12:00:00Z"'
        raise input_readers.input_error(name, value, allowed) from None
