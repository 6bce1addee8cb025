"""Text of others in a line of ours."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.common.text import (
    all_of,
    count_noun,
    count_with_verb,
    list_some,
    natural_key,
    nearest_name,
    one_line,
    sanitize,
    shorten,
    shorten_value,
)


def test_one_line_drops_what_cannot_be_seen() -> None:
    """Line breaks, halves of characters, changes of direction, and the beginning of a terminal's command."""
    assert one_line(" a\tb\r\nc\u2028d\u202ee\ud800f\x1b[0m ") == "a b c d e f [0m"
    assert one_line("größer\u00a0als") == "größer als"


@pytest.mark.parametrize(("text", "expected"), [("abcdef", "abcdef"), ("abcdefg", "abcde…"), ("abcd\nefg", "abcd…")])
def test_long_line_is_cut_and_shown_to_be(text: str, expected: str) -> None:
    """No space stands before the ellipsis."""
    assert one_line(text, 6) == expected


def test_very_long_text_is_cut_before_it_is_read() -> None:
    """A message may be as long as an answer."""
    assert one_line("x" * 10_000_000, 10) == "x" * 9 + "…"


def test_text_that_fits_is_left_as_it_is() -> None:
    """Shortening alone changes no character."""
    assert shorten("a\tb  ", 5) == "a\tb  "
    assert shorten("a\tb c  ", 5) == "a\tb…"


@pytest.mark.parametrize(
    ("name", "expected"), [("a\nb", "a b"), ("a -> b", "a → b"), ("", "-"), ("\x00", "-"), ("web", "web")]
)
def test_name_cannot_be_read_as_part_of_an_entry(name: str, expected: str) -> None:
    """It is never empty, either."""
    assert sanitize(name) == expected


def test_value_is_quoted_in_at_most_80_characters() -> None:
    """As Python writes it."""
    assert shorten_value("a\nb") == "'a\\nb'"
    assert len(shorten_value("x" * 100)) == 80
    assert shorten_value([5.0, {"a": 20.5, "b": 1e3}, float("inf"), True]) == "[5, {'a': 20.5, 'b': 1000}, inf, True]"


@pytest.mark.parametrize(
    ("noun", "one", "two"),
    [("node", "1 node", "2 nodes"), ("batch", "1 batch", "2 batches"), ("policy", "1 policy", "2 policies")],
)
def test_counted_noun(noun: str, one: str, two: str) -> None:
    """English, as far as our nouns go."""
    assert (count_noun(1, noun), count_noun(2, noun)) == (one, two)


def test_counted_noun_with_its_verb() -> None:
    """Number agrees."""
    assert count_with_verb(1, "node", "match") == "1 node matches"
    assert count_with_verb(0, "node", "remain") == "0 nodes remain"


def test_list_names_some_and_counts_the_others() -> None:
    """Any iterable will do."""
    assert list_some(iter("abc"), 3) == "a, b, c"
    assert list_some(iter("abcd"), 2) == "a, b and 2 more"
    assert list_some([]) == ""


def test_names_are_sorted_by_the_numbers_in_them() -> None:
    """Numbers of any length, with zeros in front too."""
    names = ["wave-1", "wave-2", "wave-02b", "wave-10", f"wave-{'9' * 5000}", "waves"]
    assert sorted(reversed(names), key=natural_key) == names
    assert natural_key("a-01") != natural_key("a-1")


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("batch_size", "batch_size_percentage"),
        ("batchSizePercentage", "batch_size_percentage"),
        ("force", "force_pod_eviction"),
        ("pdb", None),
        ("timeout", None),
        ("", None),
        ("__", None),
    ],
)
def test_nearest_name(given: str, nearest: str | None) -> None:
    """The most similar one, else the only one that has all words; nothing is guessed among several."""
    names = ["batch_size_percentage", "force_pod_eviction", "long_settle_timeout_of_it", "long_stall_timeout_of_it"]
    assert nearest_name(given, names) == nearest


def test_all_of() -> None:
    """Two are both."""
    assert (all_of(2, "nodes"), all_of(3, "nodes")) == ("both nodes", "all 3 nodes")
