"""Reading loosely typed JSON."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models import decode


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("a", "a"),
        ("", ""),
        (7, "7"),
        (1.5, "1.5"),
        (None, ""),
        (True, ""),
        ([], ""),
        (float("nan"), ""),
        (10**999, ""),
    ],
    ids=repr,
)
def test_text(value: Any, read: str) -> None:
    """Numbers become text, what is no scalar becomes nothing."""
    assert decode.text(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1, 1.0),
        ("1.5", 1.5),
        (" 2 ", 2.0),
        (True, None),
        ("x", None),
        ("nan", None),
        (10**999, None),
        (None, None),
        ([], None),
    ],
    ids=repr,
)
def test_number(value: Any, read: float | None) -> None:
    """Only finite numbers are numbers."""
    assert decode.number(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (False, False), ("true", True), (" False ", False), ("yes", None), (1, None), (None, None)],
    ids=repr,
)
def test_flag(value: Any, read: bool | None) -> None:
    """A flag is true or false, also as text, and nothing else."""
    assert decode.flag(value) is read
