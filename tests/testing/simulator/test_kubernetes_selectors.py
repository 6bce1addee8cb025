"""Selectors in kubectl's syntax, as the API server parses them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.testing.simulator.kubernetes_api.selectors import (
    SelectorError,
    parse_label_selector,
    parse_selector,
    selects,
)

NAMES = st.from_regex(r"[a-z]([a-z0-9.-]{0,6}[a-z0-9])?", fullmatch=True)
LABELS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "x", "y", "7"]))


@given(LABELS, st.sampled_from(["a", "b", "c"]), st.lists(st.sampled_from(["x", "y", "7"]), min_size=1))
def test_selector_operators(labels: dict[str, str], key: str, values: list[str]) -> None:
    """Each operator with its opposite; an absent label matches NotIn."""
    value = labels.get(key)
    joined = ",".join(values)
    assert selects(parse_selector(f"{key} in ({joined})"), labels) == (value in values)
    assert selects(parse_selector(f"{key} notin ({joined})"), labels) == (value not in values)
    assert selects(parse_selector(f"{key}={values[0]}"), labels) == (value == values[0])
    assert selects(parse_selector(f"{key} == {values[0]}"), labels) == (value == values[0])
    assert selects(parse_selector(f"{key}!={values[0]}"), labels) == (value != values[0])
    assert selects(parse_selector(key), labels) == (key in labels)
    assert selects(parse_selector(f"!{key}"), labels) == (key not in labels)
    assert selects(parse_selector(f"{key}>6"), labels) == (value == "7")
    assert selects(parse_selector(f"{key}<8"), labels) == (value == "7")


@given(LABELS, st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), NAMES), max_size=4))
def test_every_condition_must_hold(labels: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    """A string and JSON with the same conditions select the same, in any order."""
    text = parse_selector(",".join(f"{key}={value}" for key, value in pairs))
    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in reversed(pairs)]
    assert selects(text, labels) == selects(parse_label_selector({"matchExpressions": expressions}), labels)
    assert selects(text, labels) == all(labels.get(key) == value for key, value in pairs)
    assert selects(parse_selector(""), labels)
    assert selects(parse_label_selector({}), labels)


@given(st.text(alphabet="ab=!(),<> inot", max_size=20))
def test_any_string_is_parsed_or_refused(text: str) -> None:
    """No string raises another exception."""
    with suppress(SelectorError):
        assert isinstance(selects(parse_selector(text), {"a": "b"}), bool)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a in", "unable to parse requirement: found '' expected: '('"),
        ("a in (x", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (x y)", "unable to parse requirement: found 'y', expected: ',' or ')'"),
        ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("a IN (x)", "unable to parse requirement: found 'IN', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=====b", "unable to parse requirement: found '==', expected: identifier"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a=b)", "found ')', expected: ',' or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
    ],
)
def test_selector_errors_have_the_messages_of_the_server(text: str, message: str) -> None:
    """Word by word."""
    with pytest.raises(SelectorError) as caught:
        parse_selector(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["a>x", "-a", "a=-b", "A_/b=c", "a/b/c"])
def test_keys_and_values_are_checked(text: str) -> None:
    """Invalid labels are refused, and strings where numbers are compared."""
    with pytest.raises(SelectorError, match=r"unable to parse requirement: .*Invalid value"):
        parse_selector(text)


def test_empty_values_are_values() -> None:
    """An empty list, a gap in a list, and a missing value all mean the empty string."""
    for text in ("a=", "a in ()", "a in (x,)", "a in (,x)", "a=,a"):
        assert selects(parse_selector(text), {"a": ""}), text
        assert not selects(parse_selector(text), {}), text
