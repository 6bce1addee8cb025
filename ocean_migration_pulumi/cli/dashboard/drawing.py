"""Lines, table rows and bars that fit the width of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ocean_migration_pulumi.common.text import one_line

GAP: Final = 2
"""The columns between two cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    title: str
    """The heading."""
    least: int
    """The smallest width."""
    share: int = 0
    """The share of the spare width."""
    right: bool = False
    """Whether cells are right-aligned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A text with a style."""

    text: str
    """The text."""
    style: str = ""
    """The style, in rich's notation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Draws lines of a width."""

    width: int
    """The width in columns."""
    plain: bool = False
    """Whether the terminal shows only ASCII."""

    def text(self, text: str) -> str:
        """Return a text of someone else's choosing as one line that the terminal can show."""
        return self._shown(one_line(text))

    def _shown(self, text: str) -> str:
        return text.encode("ascii", "replace").decode() if self.plain else text

    def fit(self, text: str, width: int, *, right: bool = False) -> str:
        """Return a text in exactly so many columns; what does not fit is cut, and shown to be."""
        shown = self._shown(text)
        length = cell_len(shown)
        if length > width:
            dots = "..." if self.plain else "…"
            return set_cell_size(set_cell_size(shown, max(0, width - len(dots))) + dots, width)
        blank = " " * (width - length)
        return blank + shown if right else shown + blank

    def line(self, *parts: Cell) -> Text:
        """Return one line of parts, cut where the width ends."""
        drawn = Text(no_wrap=True, end="")
        left = self.width
        for part in parts:
            shown = self._shown(part.text)
            if cell_len(shown) > left:
                drawn.append(self.fit(shown, left), part.style or None)
                break
            drawn.append(shown, part.style or None)
            left -= cell_len(shown)
        return drawn

    def ends(self, left: Sequence[Cell], right: Cell) -> Text:
        """Return a line with parts on the left and one on the right; without room for both the left ones stay."""
        spare = self.width - sum(cell_len(self._shown(part.text)) for part in (*left, right))
        return self.line(*left, Cell(text=" " * spare), right) if spare >= GAP else self.line(*left)

    def row(self, columns: Sequence[Column], widths: Sequence[int], cells: Iterable[Cell]) -> Text:
        """Return a row of a table."""
        drawn = Text(no_wrap=True, end="")
        for place, (column, width, cell) in enumerate(zip(columns, widths, cells, strict=True)):
            drawn.append(" " * GAP if place else "")
            drawn.append(self.fit(cell.text, width, right=column.right), cell.style or None)
        drawn.rstrip()
        return drawn

    def widths(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[int]:
        """Share the width among columns: one that may grow gets no more than its cells need, and at least its least.

        Columns that may not grow keep their width, so that a table stands still while what is in it changes.
        """
        most = [max(cell_len(self._shown(row[place].text)) for row in rows) for place in range(len(columns))]
        widths = [
            min(column.least, need) if column.share else column.least
            for column, need in zip(columns, most, strict=True)
        ]
        spare = self.width - sum(widths) - GAP * (len(columns) - 1)
        while growing := [
            place for place, column in enumerate(columns) if spare and column.share and widths[place] < most[place]
        ]:
            shares = sum(columns[place].share for place in growing)
            for place in growing:
                more = min(-(-spare * columns[place].share // shares), most[place] - widths[place], spare)
                widths[place] += more
                spare -= more
        return widths

    def columns(self, wanted: Sequence[Column]) -> list[Column]:
        """Return the leading columns that have room."""
        kept = list(wanted)
        while len(kept) > 1 and sum(column.least for column in kept) + GAP * (len(kept) - 1) > self.width:
            kept.pop()
        return kept

    def bar(self, width: int, parts: Sequence[tuple[int, str, str, str]], total: int) -> Text:
        """Return a bar of amounts: each has a character, one in ASCII, and a style; the last fills the rest."""
        drawn = Text(no_wrap=True, end="")
        left, amount = width, 0
        for number, character, ascii_character, style in parts[:-1]:
            amount += number
            until = width * amount // total if total else 0
            cells = min(left, max(until - (width - left), 1 if number else 0))
            drawn.append((ascii_character if self.plain else character) * cells, style)
            left -= cells
        _, character, ascii_character, style = parts[-1]
        drawn.append((ascii_character if self.plain else character) * left, style)
        return drawn
