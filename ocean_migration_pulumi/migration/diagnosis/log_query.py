"""What the cluster's log may be asked for (from when to when, which severity, how many lines), and its order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import LogEntry
from ocean_migration_pulumi.common.text import shorten_value
from ocean_migration_pulumi.common.times import parse_time, sort_key
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers

SEVERITIES: Final = ("ALL", "INFO", "DEBUG", "WARN", "ERROR")
"""What the log can be asked for."""

MAX_LINES: Final = 1000
"""How many lines one question returns at most."""

CLOCKS: Final = timedelta(minutes=10)
"""How far this machine's clock may be behind the service's without a loss of the newest lines."""


def parse_moment(name: str, value: Any, now: datetime) -> datetime:
    """Read a time, or a span before now."""
    given = input_readers.read_text(name, value)
    found = parse_time(given)
    if found is not None:
        return found
    try:
        return now - timedelta(seconds=input_readers.read_duration(name, given) or 0.0)
    except (InputError, OverflowError):
        allowed = 'a span before now such as "24h", or a time such as "2024-05-01T12:00:00Z"'
        raise input_readers.input_error(name, value, allowed) from None


def sort_oldest_first(log: Sequence[LogEntry]) -> list[LogEntry]:
    """Return lines in their order: the service gives the newest first, and many at one time."""
    return sorted(reversed(log), key=lambda line: sort_key(line.created_at))


def log_span_of_options(since: Any, until: Any, now: datetime) -> tuple[datetime, datetime]:
    """Read from when to when the log is asked for; ``until`` None means now.

    Raises InputError.
    """
    start = parse_moment("since", since, now)
    end = now + CLOCKS if until is None else parse_moment("until", until, now)
    if end < start:
        raise InputError("until", f"{shorten_value(until)} is before since ({shorten_value(since)})")
    return start, end
