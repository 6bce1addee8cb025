"""Which URLs lead to this machine."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.common.loopback import is_loopback


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080", True),
        ("http://LOCALHOST", True),
        ("http://localhost.example", False),
        ("http://128.0.0.1", False),
        ("http://[::2]", False),
        ("https://api.spotinst.io", False),
        ("http://127.0.0.1.example", False),
        ("", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    """By the address, or the one name that every machine has."""
    assert is_loopback(url) is expected
