"""Property values: secrets, unknowns, ignored paths and conversion."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.testing.offline.state.values import (
    UNKNOWN,
    annotate_secrets,
    contains_secret,
    contains_unknown,
    find_changed_keys,
    from_struct,
    make_secret,
    redact,
    restore_ignored,
    reveal,
    to_struct,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON))
def test_values_survive_the_protocol(properties: dict[str, Any]) -> None:
    """Every value arrives as it was sent."""
    assert from_struct(to_struct(properties)) == properties


@given(st.dictionaries(st.text(), JSON))
def test_a_secret_is_revealed_and_redacted(properties: dict[str, Any]) -> None:
    """A secret can be revealed, and a redacted one shows nothing of its value."""
    wrapped = {"key": make_secret(properties)}
    assert reveal(wrapped) == {"key": properties}
    assert redact(wrapped) == {"key": "[secret]"}
    assert make_secret(wrapped["key"]) is wrapped["key"]


def test_nested_secrets_and_unknowns_are_found() -> None:
    """However deep they are."""
    assert contains_secret({"a": [{"b": make_secret(1)}]})
    assert not contains_secret({"a": [1, "x", None]})
    assert contains_unknown({"a": [{"b": UNKNOWN}]})
    assert not contains_unknown({"a": [1, "x", None]})
    assert redact([UNKNOWN, make_secret("x"), 1]) == ["[unknown]", "[secret]", 1]


def test_secrets_are_kept_by_key() -> None:
    """An output is secret when the input with its key is, at each level of objects."""
    outputs = {"a": 1, "b": {"c": 2, "d": 3}, "e": [4], "f": 5}
    annotate_secrets(
        outputs, {"a": make_secret(0), "b": {"c": make_secret(0), "d": 0}, "e": [make_secret(0)], "g": make_secret(0)}
    )
    assert outputs == {"a": make_secret(1), "b": {"c": make_secret(2), "d": 3}, "e": make_secret([4]), "f": 5}
    annotate_secrets(None, {"a": make_secret(0)})
    annotate_secrets(outputs, None)


def test_changed_keys() -> None:
    """A key that only became secret is not changed."""
    assert find_changed_keys({"a": 1, "b": 2, "c": 3}, {"a": make_secret(1), "b": 3, "d": 4}) == ["b", "c", "d"]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("a", {"a": 1, "b": {"c": 20, "x.y": 30}, "l": [{"z": 40}, 50]}),
        ("b.c", {"a": 10, "b": {"c": 2, "x.y": 30}, "l": [{"z": 40}, 50]}),
        ('b["x.y"]', {"a": 10, "b": {"c": 20, "x.y": 3}, "l": [{"z": 40}, 50]}),
        ("b.*", {"a": 10, "b": {"c": 2, "x.y": 3}, "l": [{"z": 40}, 50]}),
        ("l[0].z", {"a": 10, "b": {"c": 20, "x.y": 30}, "l": [{"z": 4}, 50]}),
        ("l[*]", {"a": 10, "b": {"c": 20, "x.y": 30}, "l": [{"z": 4}, 5]}),
        ("l[7]", {"a": 10, "b": {"c": 20, "x.y": 30}, "l": [{"z": 40}, 50]}),
        ("missing.x", {"a": 10, "b": {"c": 20, "x.y": 30}, "l": [{"z": 40}, 50]}),
    ],
)
def test_ignored_paths(path: str, kept: dict[str, Any]) -> None:
    """The old value at an ignored path is restored, and nothing else changes."""
    olds = {"a": 1, "b": {"c": 2, "x.y": 3}, "l": [{"z": 4}, 5]}
    news: dict[str, Any] = {"a": 10, "b": {"c": 20, "x.y": 30}, "l": [{"z": 40}, 50]}
    assert restore_ignored(news, olds, [path]) == kept
    assert news["b"]["c"] == 20


def test_an_ignored_addition_is_removed() -> None:
    """A value that the old inputs do not have is removed."""
    assert restore_ignored({"a": 1, "b": 2}, {"a": 1}, ["b"]) == {"a": 1}
