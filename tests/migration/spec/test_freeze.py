"""Freeze windows: when a migration may start, across weeks, zones and clock changes."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.diagnostic import Severity
from ocean_migration_pulumi.migration.spec.freeze import Freeze, read_freeze, report_freeze

BERLIN = "Europe/Berlin"
NIGHT = {"weekly": ["Sun 01:00 - Sun 02:30"], "time_zone": BERLIN}
WEEKEND = {"weekly": ["Fri 16:00 - Mon 08:00"], "time_zone": BERLIN}


def at(text: str, zone: str = BERLIN) -> datetime:
    """Return a local time as UTC; one with an offset is what it says."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


@pytest.mark.parametrize(
    ("given", "now", "start"),
    [
        ({}, "2026-12-05T12:00", "2026-12-05T12:00"),
        (WEEKEND, "2026-12-04T15:59:59", "2026-12-04T15:59:59"),
        (WEEKEND, "2026-12-04T16:00", "2026-12-07T08:00"),
        (WEEKEND, "2026-12-06T23:59:30", "2026-12-07T08:00"),
        (WEEKEND, "2026-12-07T08:00", "2026-12-07T08:00"),
        # The clock goes back in the night of 25 October, and forward on 29 March: 08:00 is 08:00.
        (WEEKEND, "2026-10-24T12:00", "2026-10-26T08:00"),
        (WEEKEND, "2026-03-28T12:00", "2026-03-30T08:00"),
        # In the hour that the clock leaves out a window ends with the hour; in the one that it repeats it ends twice.
        (NIGHT, "2026-03-29T01:10", "2026-03-29T03:00"),
        (NIGHT, "2026-10-25T02:10", "2026-10-25T02:30"),
        (NIGHT, "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),
        ({"weekly": ["Mon 00:00 - Sun 23:59"], "time_zone": BERLIN}, "2026-03-25T12:00", "2026-03-29T23:59"),
        (
            {"weekly": ["Fri 16:00 - Mon 08:00", "mon 08:00-mon 12:00"], "time_zone": BERLIN},
            "2026-12-05T00:00",
            "2026-12-07T12:00",
        ),
        ({"not_before": "2026-12-08T09:00", "time_zone": BERLIN}, "2026-12-05T12:00", "2026-12-08T09:00"),
        ({**WEEKEND, "not_before": "2026-12-05T09:00"}, "2026-12-01T12:00", "2026-12-07T08:00"),
        ({"not_after": "2026-12-18T17:00:00Z"}, "2026-12-18T18:00", "2026-12-18T18:00"),
        ({"not_after": "2026-12-18T17:00:00Z"}, "2026-12-18T18:00:01", None),
        ({**WEEKEND, "not_after": "2026-12-06T00:00"}, "2026-12-05T00:00", None),
        (
            {"weekly": ["Mon 00:00 - Thu 00:00", "Thu 00:00 - Mon 00:00"]},
            "2026-12-05T00:00",
            None,
        ),
    ],
    ids=repr,
)
def test_next_start(given: dict[str, Any], now: str, start: str | None) -> None:
    """Now, or the end of all windows; never, when that is too late."""
    found = read_freeze("freeze", given).next_start(at(now))
    assert found == (None if start is None else at(start))


def test_open_window_is_reported_in_its_time_zone() -> None:
    """With the time of the next start."""
    freeze = read_freeze("freeze", WEEKEND)
    found = report_freeze(freeze, at("2026-12-05T12:00"), Severity.INFO)
    assert found is not None
    assert found.fields == {"until": "Mon 2026-12-07 08:00 CET"}
    assert report_freeze(Freeze(), at("2026-12-05T12:00"), Severity.INFO) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Fri", "freeze must be a map with not_before, not_after, weekly, time_zone, not 'Fri'"),
        ({"notBefore": "x"}, "freeze.notBefore: unknown field; did you mean `not_before`?"),
        ({"time_zone": "Berlin"}, "freeze.time_zone must be an IANA time zone such as Europe/Berlin, not 'Berlin'"),
        (
            {"time_zone": "localtime"},
            "freeze.time_zone must be an IANA time zone such as Europe/Berlin, not 'localtime'",
        ),
        (
            {"not_before": "0001-01-01T00:00+14:00"},
            'freeze.not_before must be a time such as "2026-12-18T18:00" or "2026-12-18T17:00:00Z", '
            "not '0001-01-01T00:00+14:00'",
        ),
        (
            {"not_after": "9999-12-31T23:59Z", "time_zone": BERLIN},
            'freeze.not_after must be a time such as "2026-12-18T18:00" or "2026-12-18T17:00:00Z", '
            "not '9999-12-31T23:59Z'",
        ),
        ({"time_zone": "../x"}, "freeze.time_zone must be an IANA time zone such as Europe/Berlin, not '../x'"),
        ({"time_zone": "US/Pacfic"}, "freeze.time_zone must be an IANA time zone such as US/Pacific, not 'US/Pacfic'"),
        (
            {"not_after": "soon"},
            'freeze.not_after must be a time such as "2026-12-18T18:00" or "2026-12-18T17:00:00Z", not \'soon\'',
        ),
        (
            {"not_before": "2026-12-18", "not_after": "2026-12-18"},
            "freeze.not_after must be later than not_before",
        ),
        ({"weekly": "Fri 16:00 - Mon 08:00"}, "freeze.weekly must be a list of strings, not 'Fri 16:00 - Mon 08:00'"),
        (
            {"weekly": ["Fri 24:00 - Mon 08:00"]},
            "freeze.weekly[0] must be a window such as \"Fri 16:00 - Mon 08:00\", not 'Fri 24:00 - Mon 08:00'",
        ),
        ({"weekly": ["Fri 16:00 - Fri 16:00"]}, "freeze.weekly[0] must not end when it starts"),
    ],
    ids=repr,
)
def test_bad_windows_are_refused_by_field(given: Any, message: str) -> None:
    """In one line."""
    with pytest.raises(InputError) as caught:
        read_freeze("freeze", given)
    assert str(caught.value) == message


@pytest.mark.skipif(find_spec("tzdata") is not None, reason="the package tzdata has time zones")
def test_machine_without_time_zones_is_named() -> None:
    """Not the zone, which is right; not even UTC can be read."""
    ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=[])
    try:
        for zone in (BERLIN, "UTC"):
            with pytest.raises(InputError) as caught:
                read_freeze("freeze", {"time_zone": zone})
            assert str(caught.value) == (
                "freeze.time_zone cannot be read: this machine has no time zones; run `pip install tzdata`"
            )
    finally:
        zoneinfo.reset_tzpath()
