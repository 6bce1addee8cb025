"""Comments as a reader of Markdown sees them: the tokens, the texts, and what nobody but us may have put there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_OURS = re.compile(
    r"<!-- ocean-migration:comment:[\w./-]+ -->"
    r"|<details><summary>\d+ planned nodes?</summary>"
    r"|</details>"
)
_INLINE = {"text", "softbreak", "html_inline", "strong_open", "strong_close", "code_inline"}
_REFERENCES = {
    "a mention": r"@\w",
    "a reference": r"[#!~%$&^][\w\"'({]",
    "an issue by its prefix": r"(?i)\bGH-\d",
    "a link": r"[A-Za-z][\w+.-]*://",
    "an address": r"\w@\w",
    "an emoji": r":[\w+-]+:",
    "a reference in brackets": r"\[\w+:",
    "a difference": r"\{[+-]|\[[+-]",
}


def parse(text: str, *, html: bool = True) -> list[Token]:
    """Parse a comment as GitHub's dialect has it: with tables, strikethrough, and HTML or without."""
    return MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"]).parse(text)


def structure(text: str, *, html: bool = True) -> list[str]:
    """Return the blocks of a comment, in their order; what stands in them is left out."""
    return [f"{token.type} {token.tag} {token.info}" for token in parse(text, html=html)]


def texts(text: str) -> Iterator[str]:
    """Return what a reader sees outside of names and code, where platforms look for references."""
    for token in parse(text):
        depth = 0
        for child in token.children or ():
            if child.type == "html_inline":
                depth += 1 if child.content == "<code>" else -1
            elif child.type == "text" and not depth:
                yield child.content


def assert_harmless(text: str) -> None:
    """Assert that a comment has no link, image, tag, heading or reference but ours, and that its tables are whole."""
    columns: list[int] = []
    for token in parse(text):
        if token.type == "html_block":
            assert all(_OURS.fullmatch(line) for line in token.content.splitlines() if line), token.content
        elif token.type == "heading_open":
            assert token.tag == "h3"
        elif token.type == "tr_open":
            columns.append(0)
        elif token.type in {"td_open", "th_open"}:
            columns[-1] += 1
        elif token.type == "table_close":
            assert len(set(columns)) == 1, columns
            columns.clear()
        for child in token.children or ():
            assert child.type in _INLINE, child
            assert child.type != "html_inline" or child.content in {"<code>", "</code>"}, child
            assert child.type != "code_inline" or child.content in {"pulumi up", "pulumi preview"}, child
    for shown in texts(text):
        for what, form in _REFERENCES.items():
            assert re.search(form, shown) is None, f"{what} in {shown!r}"
    for token in parse(text, html=False):
        assert token.type not in {"html_block", "link_open", "image"}
