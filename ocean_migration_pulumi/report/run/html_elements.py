"""Build HTML from elements; all other text is escaped."""

from __future__ import annotations

import html
import re
from typing import Final

from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.report.markdown import NAME, TEXT

_QUOTED: Final = re.compile(r"`([^`]+)`")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | float | None) -> Html:
    """Return an element; children that are no ``Html`` are text, and attributes of None are left out.

    An underscore in an attribute's name stands for a hyphen, one at its end for nothing: ``class_``, ``aria_label``.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{tag}{written}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """Return texts and elements one after the other."""
    return Html("".join(child if isinstance(child, Html) else _escaped(child) for child in children))


def name(text: str, most: int = NAME) -> str:
    """Return a name as one line; a long one is cut, a missing one is a dash."""
    return one_line(text, most) or "-"


def code(text: str) -> Html:
    """Return a name as such; a missing one is a dash."""
    return element("code", name(text)) if text else Html("-")


def prose(text: str) -> Html:
    """Return a message as one line, with code where backquotes stand around it; a long one is cut."""
    return quoted(name(text, TEXT))


def quoted(text: str) -> Html:
    """Return a text with code where backquotes stand around it."""
    parts = _QUOTED.split(text)
    return joined(*(element("code", part) if place % 2 else part for place, part in enumerate(parts)))


def _escaped(text: str) -> str:
    return html.escape(text if text.isprintable() else one_line(text), quote=True)
