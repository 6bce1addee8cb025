"""Text for messages: names on one printable line, shortened texts, counts and lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

ARROW: Final = "→"
"""Replaces ``->`` in names."""

_NUMBERS: Final = re.compile(r"(\d+)")
_WORD: Final = re.compile(r"[^\W_]+")


def one_line(text: str, most: int | None = None) -> str:
    """Return a text as one printable line, without line breaks, control characters and changes of direction.

    Args:
        text: Any text.
        most: Characters that are kept; None keeps all.

    """
    if most is not None:
        # Far more than can be kept need not be looked at.
        text = text[: 4 * most]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(text.split())
    return line if most is None else shorten(line, most)


def sanitize(name: str, most: int | None = None) -> str:
    """Return a name as one printable line that is never empty and has no ``->``, which separates a plan's entries.

    Args:
        name: Any text.
        most: Characters that are kept; None keeps all.

    """
    return one_line(name, most).replace("->", ARROW) or "-"


def shorten(text: str, most: int) -> str:
    """Return a text of at most so many characters; an ellipsis shows that it was cut."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def shorten_value(value: object) -> str:
    """Return a value as a message quotes it: on one line, of at most 80 characters, and 5 instead of Pulumi's 5.0."""
    return shorten(repr(_restore_whole_numbers(value)), 80)


def _restore_whole_numbers(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_restore_whole_numbers(part) for part in value]
    if isinstance(value, dict):
        return {key: _restore_whole_numbers(part) for key, part in value.items()}
    return value


def count_noun(amount: int, noun: str) -> str:
    """Return ``1 node`` or ``2 nodes``."""
    plural = (
        noun
        if amount == 1
        else f"{noun[:-1]}ies"
        if noun.endswith("y")
        else f"{noun}{'es' if noun.endswith(('h', 's')) else 's'}"
    )
    return f"{amount} {plural}"


def all_of(amount: int, nouns: str) -> str:
    """Return ``both nodes`` or ``all 3 nodes``, of more than one."""
    return f"both {nouns}" if amount == 2 else f"all {amount} {nouns}"


def count_with_verb(amount: int, noun: str, verb: str) -> str:
    """Return ``1 node remains`` or ``2 nodes remain``."""
    singular = f"{verb}es" if verb.endswith("h") else f"{verb}s"
    return f"{count_noun(amount, noun)} {singular if amount == 1 else verb}"


def list_some(names: Iterable[str], most: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    listed = list(names)
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"


def nearest_name(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant: the most similar one, or the only one with all the given words.

    Args:
        given: The name that does not exist.
        known: The names that exist.

    Returns:
        None if none of them is near.
    """
    names = list(known)
    if similar := get_close_matches(given, names, n=1):
        return similar[0]
    words = _words(given)
    having = [name for name in names if words and words <= _words(name)]
    return having[0] if len(having) == 1 else None


def _words(name: str) -> set[str]:
    return set(_WORD.findall(name.lower()))


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts names by the numbers in them: ``wave-2`` comes before ``wave-10``."""
    parts = [
        # Comparing the length first compares numbers of any size without converting them.
        (len(digits := part.lstrip("0")), digits) if place % 2 else (0, part)
        for place, part in enumerate(_NUMBERS.split(name))
    ]
    return parts, name
