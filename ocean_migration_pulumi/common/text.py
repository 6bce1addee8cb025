"""Text that every message is made of: other people's names made printable, counts, short lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_ARROW: Final = "→"


# Control characters, halves of characters, and what nobody sees but what changes the direction of what stands around.
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]+"
)


def sanitize(text: str) -> str:
    """Return a name of someone else's choosing as one printable line that cannot be read as part of an entry."""
    if text.isprintable() and "->" not in text:
        return text.strip() or "-"
    return _UNPRINTABLE.sub(" ", text).replace("->", _ARROW).strip() or "-"


def count_noun(amount: int, noun: str) -> str:
    """Return ``1 node`` or ``2 nodes``."""
    plural = (
        noun
        if amount == 1
        else f"{noun[:-1]}ies"
        if noun.endswith("y")
        else f"{noun}{'es' if noun.endswith('h') else 's'}"
    )
    return f"{amount} {plural}"


def count_with_verb(amount: int, noun: str, verb: str) -> str:
    """Return ``1 node remains`` or ``2 nodes remain``."""
    singular = f"{verb}es" if verb.endswith("h") else f"{verb}s"
    return f"{count_noun(amount, noun)} {singular if amount == 1 else verb}"


def list_some(names: Sequence[str] | Iterable[str], most: int = 5) -> str:
    """Return the first few names, and how many more there are."""
    listed = list(names)
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"
