"""Selectors: kubectl's syntax read as the server reads it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.testing.simulator.kubernetes_api.selectors import SelectorError, of_json, parse, selects

NAMES = st.from_regex(r"[a-z]([a-z0-9.-]{0,6}[a-z0-9])?", fullmatch=True)
LABELS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "x", "y", "7"]))


@given(LABELS, st.sampled_from(["a", "b", "c"]), st.lists(st.sampled_from(["x", "y", "7"]), min_size=1))
def test_operators_mean_what_they_say(labels: dict[str, str], key: str, values: list[str]) -> None:
    """Each with its opposite; a label that is absent is not one of any values."""
    value = labels.get(key)
    joined = ",".join(values)
    assert selects(parse(f"{key} in ({joined})"), labels) == (value in values)
    assert selects(parse(f"{key} notin ({joined})"), labels) == (value not in values)
    assert selects(parse(f"{key}={values[0]}"), labels) == (value == values[0])
    assert selects(parse(f"{key} == {values[0]}"), labels) == (value == values[0])
    assert selects(parse(f"{key}!={values[0]}"), labels) == (value != values[0])
    assert selects(parse(key), labels) == (key in labels)
    assert selects(parse(f"!{key}"), labels) == (key not in labels)
    assert selects(parse(f"{key}>6"), labels) == (value == "7")
    assert selects(parse(f"{key}<8"), labels) == (value == "7")


@given(LABELS, st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), NAMES), max_size=4))
def test_every_condition_must_hold(labels: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    """Text and JSON of the same conditions select the same, in any order."""
    text = parse(",".join(f"{key}={value}" for key, value in pairs))
    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in reversed(pairs)]
    assert selects(text, labels) == selects(of_json({"matchExpressions": expressions}), labels)
    assert selects(text, labels) == all(labels.get(key) == value for key, value in pairs)
    assert selects(parse(""), labels)
    assert selects(of_json({}), labels)


@given(st.text(alphabet="ab=!(),<> inot", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never anything else."""
    with suppress(SelectorError):
        assert isinstance(selects(parse(text), {"a": "b"}), bool)


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
def test_the_messages_are_the_servers(text: str, message: str) -> None:
    """Word by word."""
    with pytest.raises(SelectorError) as caught:
        parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["a>x", "-a", "a=-b", "A_/b=c", "a/b/c"])
def test_keys_and_values_are_checked(text: str) -> None:
    """Labels that cannot exist are refused, and numbers where only numbers can be compared."""
    with pytest.raises(SelectorError, match=r"unable to parse requirement: .*Invalid value"):
        parse(text)


def test_empty_values_are_values() -> None:
    """An empty list, a gap in one, and nothing after the sign all mean the empty text."""
    for text in ("a=", "a in ()", "a in (x,)", "a in (,x)", "a=,a"):
        assert selects(parse(text), {"a": ""}), text
        assert not selects(parse(text), {}), text
