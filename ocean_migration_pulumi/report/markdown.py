"""Escape text of someone else's choosing in Markdown: it makes no table, tag, link, image or mention."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from ocean_migration_pulumi.common.text import one_line

NAME: Final = 120
"""The characters of a name that are shown."""

TEXT: Final = 600
"""The characters of a message that are shown."""

_GAP: Final = "\u200b"  # takes no room, and keeps a sign and what follows it from being read as a reference
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_PLAIN: Final = re.compile(r"""[A-Za-z0-9 .,;?=+'"()/-]+""")
_RISKY: Final = re.compile(r"""[^A-Za-z0-9 .,;?=+'"()/-]""")
_WWW: Final = re.compile(r"(www)\.", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"(?<=[@#!~%$&*^{\[])(?=\S)|(?<=:)(?=//|[\w+-]+:)|(?<=\bgh-)(?=\d)", re.IGNORECASE)
_OPENING: Final = re.compile(r"(?P<number>[0-9]*)(?P<sign>[.,;?=+'\"()/-])")
_TICKS: Final = re.compile(r"`+")
_QUOTED: Final = re.compile(r"`([^`]+)`")


def code(name: str, most: int = NAME) -> str:
    """Return a name in ``<code>``, on one line; a long one is cut."""
    return f"<code>{_entities(one_line(name, most).replace('@', '@' + _GAP)) or '-'}</code>"


def prose(text: str, most: int = TEXT) -> str:
    """Return free text as one line of Markdown without markup but code, wherever it stands; a long one is cut.

    What stands between backquotes is code, which is harmless whoever wrote it.
    """
    parts = _QUOTED.split(one_line(text, most))
    shown = "".join(
        code(part, most) if place % 2 else _entities(_REFERENCE.sub(_GAP, part)) for place, part in enumerate(parts)
    )
    opening = _OPENING.match(shown)  # a list item or a heading may begin here
    if opening is None:
        return shown or "&#45;"
    return f"{opening['number']}&#{ord(opening['sign'])};{shown[opening.end() :]}"


def fence(text: str, language: str) -> str:
    """Return a block of code; no run of backquotes in it ends it, and none of its lines is a command of GitLab."""
    lines = ["".join(char for char in line if _is_seen(char)) for line in re.split(r"\r\n|\r|\n", text)]
    body = "\n".join(f" {line}" if line.startswith("/") else line for line in lines)
    marks = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(body)), default=0))
    return f"{marks}{language}\n{body}\n{marks}"


def row(cells: Iterable[str]) -> str:
    """Return a row of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def heading(columns: Sequence[str]) -> str:
    """Return the first two lines of a table."""
    return f"{row(columns)}\n|{'---|' * len(columns)}"


def item(text: str) -> str:
    """Return an item of a list; the text is Markdown already."""
    return f"- {text}"


def width(text: str) -> int:
    """Return the length of a text as the strictest platform may count it: a character beyond the basic plane is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _entities(text: str) -> str:
    if _PLAIN.fullmatch(text) is None:
        text = _RISKY.sub(lambda found: f"&#{ord(found[0])};" if found[0].isascii() else found[0], text)
    return _WWW.sub(r"\1&#46;", text)


def _is_seen(char: str) -> bool:
    return char == "\t" or unicodedata.category(char) not in _UNSEEN
