"""What a service, a proxy or a user with bad intentions may send: texts, numbers and shapes."""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from hypothesis import strategies as st

PIECES: Final = (
    "\x1b[2J\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://evil.example\x1b\\", "\x9b31m", "\r", "\n", "\r\n", "\t",
    "\x00", "\x07", "\x08\x08\x08", "\x7f", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800", "😀", "é",
    "a", "i-1", " ", "->", " -> web (ols-1)", "|", "`", "```", "[bold]", "[/bold]", "[link=x]", ":smile:", "<b>",
    "<script>alert(1)</script>", "</td></tr>", "&lt;", "<!--", "-->", '"', "'", "@octo", "#1", "[a](http://b.cc)",
    "=1+1", "+1", "-1", "@SUM(1)", "%s", "%(x)s", "{0}", "{x}", "$(id)", "`id`", "; rm -rf /", "../..", "\\u001b[2J",
)  # fmt: skip
NAMES: Final = st.one_of(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join), st.text(max_size=12))


def nested(depth: int) -> Any:
    """Return lists and objects inside of each other."""
    made: Any = []
    for number in range(depth):
        made = {"id": made} if number % 2 else [made]
    return made


NUMBERS: Final = st.sampled_from(
    (0, 1, -1, 6, 2**31, 2**63, 10**30, 10**400, int("9" * 4300), -(10**400), 1e308, -1e308, 5e-324, 0.5,
     float("inf"), float("-inf"), float("nan"), "6", "1e308", "9" * 4000, "-0", "1_0", "٣")
)  # fmt: skip
"""What JSON can make a number of in Python, and texts that look like one."""

ODD: Final = st.one_of(
    NAMES, NUMBERS, st.none(), st.booleans(), st.just([]), st.just({}), st.sampled_from((3, 100, 300)).map(nested)
)


def steers(text: str) -> list[str]:
    """Return the characters of an output that a terminal obeys, or that change how others read.

    The one that takes no room is ours: in Markdown it keeps a name from becoming a reference.
    """
    text = text.replace("\u200b", "")
    return [char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char != "\n"]
