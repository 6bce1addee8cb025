"""Times in every form that the service may write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ocean_migration_pulumi.common.times import format_elapsed, format_time, parse_time, sort_key

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", MOMENT),
        ("2026-1-2 3:4:5", MOMENT),
        (" 2026-01-02t03:04:05 z ", MOMENT),
        ("2026-01-02T04:04:05+0100", MOMENT),
        ("2026-01-01T21:34:05-05:30", MOMENT),
        ("2026-01-02T03:04:05.25Z", MOMENT + timedelta(seconds=0.25)),
        ("2026-01-02T03:04:05,123456789Z", MOMENT + timedelta(microseconds=123456)),
    ],
)
def test_time_of_the_service(text: str, expected: datetime) -> None:
    """Unpadded numbers, and no time zone or one in any form."""
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "yesterday",
        "2026-01-02",
        "2026-13-02T03:04:05Z",
        "2026-02-30T03:04:05Z",
        "2026-01-02T03:04:05+2400",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_what_is_not_a_time(text: str | None) -> None:
    """Nor is one at an end of the calendar, with which nothing can be calculated."""
    assert parse_time(text) is None
    assert sort_key(text) < sort_key("1970-01-01T00:00:00Z")


def test_time_is_written_as_the_service_does() -> None:
    """In UTC, with milliseconds."""
    there = timezone(timedelta(hours=2))
    assert format_time(MOMENT.astimezone(there) + timedelta(microseconds=7890)) == "2026-01-02T03:04:05.007Z"
    assert parse_time(format_time(MOMENT)) == MOMENT


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0s"), (0.4, "0s"), (59.4, "59s"), (59.6, "1m00s"), (370, "6m10s"), (3599.6, "1h00m"), (3900, "1h05m")],
)
def test_duration(seconds: float, expected: str) -> None:
    """Rounded before it is split into units."""
    assert format_elapsed(seconds) == expected
