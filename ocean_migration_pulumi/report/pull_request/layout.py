"""Lay out a Markdown document below a maximum width: whole rows are left out, the least important first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import Final

from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.report.markdown import width

_GAP: Final = "\n\n"
_NOTE: Final = 200  # room for the line that counts the migrations left out
_SHORTENED: Final = "Shortened: the whole text would be longer than the platform accepts."


class Weight(IntEnum):
    """How important a part is: rows of the lowest weight are left out first, those of ``FIXED`` never."""

    LIST = 0
    SUGGESTION = 1
    REMARK = 2
    TABLE = 3
    WARNING = 4
    APPROVAL = 5
    CHECK = 6
    BLOCKER = 7
    ERROR = 8
    FIXED = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows that belong together; a row is shown whole or not at all."""

    rows: tuple[str, ...]
    """Markdown of each row."""
    head: str = ""
    """Markdown before the first row; left out with the last row."""
    tail: str = ""
    """Markdown after the last row; left out with the last row."""
    noun: str = "line"
    """What one row is, in the singular, for the line that counts the rows left out."""
    short: str = ""
    """Markdown shown instead when no row is kept; empty to count the rows."""
    between: str = "\n"
    """Markdown between two rows."""
    most: int | None = None
    """Rows shown when there is room for all; None for no maximum."""
    weight: Weight = Weight.FIXED
    """When rows of this part are left out."""

    def format(self, kept: int) -> str:
        """Return the Markdown of the part with the first ``kept`` rows."""
        left = len(self.rows) - kept
        if left and not kept:
            return self._none
        more = self._more(left) if left else ""
        return f"{self.head}{self.between.join(self.rows[:kept])}{more}{self.tail}"

    def width(self, kept: int) -> int:
        """Return the width of ``format(kept)``."""
        return width(self.format(kept))

    def count_fitting(self, room: int) -> int:
        """Return how many rows fit into ``room``; all of them when the part would not get shorter without them."""
        if self.weight is Weight.FIXED or self.width(self.full) <= max(room, self.width(0)):
            return self.full
        room -= width(self.head) + len(self._more(len(self.rows))) + width(self.tail)
        ends = list(accumulate(width(row) + len(self.between) for row in self.rows))
        return min(bisect_right(ends, room), self.full)

    @property
    def full(self) -> int:
        """The number of rows shown when there is room for any number."""
        return len(self.rows) if self.most is None else min(self.most, len(self.rows))

    @property
    def min_width(self) -> int:
        """The width of the part with as few rows as possible."""
        return self.width(self.count_fitting(0))

    def _more(self, left: int) -> str:
        return f"{_GAP}and {count_noun(left, f'more {self.noun}')}"

    @property
    def _none(self) -> str:
        return self.short or f"{count_noun(len(self.rows), self.noun)} not listed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The parts of one migration."""

    parts: tuple[Part, ...]
    """The parts in their order."""
    urgency: int = 0
    """Sections of the lowest urgency are left out first; of the same urgency the last ones."""


def fit_parts(head: Sequence[Part], sections: Sequence[Section], foot: Sequence[Part], limit: int) -> str:
    """Return all parts as one document no wider than ``limit``; a line at the end says that rows were left out.

    Args:
        head: Parts at the top.
        sections: The section of each migration. Those that do not fit even when shortened are left out and counted.
        foot: Parts at the bottom.
        limit: Maximum width, as `markdown.width` counts it.

    Raises:
        ValueError: If head and foot alone are wider than ``limit``.
    """
    whole = [*head, *(part for section in sections for part in section.parts), *foot]
    if _width(whole, [part.full for part in whole]) <= limit:
        return _GAP.join(part.format(part.full) for part in whole)
    foot = (*foot, Part(rows=(_SHORTENED,)))
    shown = _choose_sections(head, sections, foot, limit)
    parts = [*head, *(part for section in shown for part in section.parts)]
    if left := len(sections) - len(shown):
        parts.append(Part(rows=(f"and {count_noun(left, 'more migration')}.",)))
    parts += foot
    kept = [part.full for part in parts]
    excess = _width(parts, kept) - limit
    for weight in Weight:
        if excess <= 0:
            break
        chosen = [index for index, part in enumerate(parts) if part.weight is weight]
        spare = max(0, sum(parts[index].width(kept[index]) - parts[index].min_width for index in chosen) - excess)
        # The shortest part comes first: the room that it does not need is shared by the others.
        for number, index in enumerate(sorted(chosen, key=lambda each: parts[each].width(kept[each]))):
            part, before = parts[index], parts[index].width(kept[index])
            kept[index] = part.count_fitting(part.min_width + spare // (len(chosen) - number))
            spare -= part.width(kept[index]) - part.min_width
            excess -= before - part.width(kept[index])
    if excess > 0:
        msg = f"{limit} characters are too few"
        raise ValueError(msg)
    return _GAP.join(part.format(count) for part, count in zip(parts, kept, strict=True))


def _width(parts: Sequence[Part], kept: Sequence[int]) -> int:
    """Return the width of parts with so many rows each, and of a gap after each."""
    return sum(part.width(count) + len(_GAP) for part, count in zip(parts, kept, strict=True))


def _choose_sections(
    head: Sequence[Part], sections: Sequence[Section], foot: Sequence[Part], limit: int
) -> list[Section]:
    """Return the sections that fit when every part is as short as possible: the most urgent ones, in their order."""
    room = limit - sum(part.min_width + len(_GAP) for part in (*head, *foot))
    fitting: set[int] = set()
    for number, index in enumerate(sorted(range(len(sections)), key=lambda each: -sections[each].urgency)):
        room -= sum(part.min_width + len(_GAP) for part in sections[index].parts)
        last = number == len(sections) - 1
        if room < (0 if last else _NOTE):
            break
        fitting.add(index)
    return [section for index, section in enumerate(sections) if index in fitting]
