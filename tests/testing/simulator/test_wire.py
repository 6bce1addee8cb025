"""Time formats and envelopes."""

from __future__ import annotations

import calendar

import pytest

from ocean_migration_pulumi.testing.simulator.spot_api import wire


@pytest.mark.parametrize(
    ("style", "written"),
    [
        ("padded", "2021-10-01T05:51:06.250Z"),
        ("unpadded", "2021-10-1T05:51:06.250Z"),
        ("offset", "2021-10-01T05:51:06.250+0000"),
    ],
)
def test_time_formats(style: str, written: str) -> None:
    """The formats that Spot documents."""
    moment = calendar.timegm((2021, 10, 1, 5, 51, 6)) + 0.25
    assert wire.format_time(moment, style) == written


def test_an_error_without_a_code_has_no_errors() -> None:
    """Like the service's response to a rejected token."""
    answer = wire.build_envelope({}, 401, error=wire.WireError("Unauthorized", status=401))
    assert answer["response"] == {"status": {"code": 401, "message": "Unauthorized"}}


def test_an_empty_code_is_kept() -> None:
    """Like the service's response to a missing permission."""
    answer = wire.build_envelope({}, 400, error=wire.WireError("An unknown error occurred", code=""))
    assert answer["response"]["errors"] == [{"code": "", "message": "An unknown error occurred"}]
