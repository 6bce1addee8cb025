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


class Weight(IntEnum):
    """How important a part is: rows of the lowest weight are left out first, those of ``FIXED`` never."""

    LIST = 0
    SUGGESTION = 1
    REMARK = 2
    TABLE = 3
    WARNING = 4
    CHECK = 5
    BLOCKER = 6
    ERROR = 7
    FIXED = 8


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
        return f"{count_noun(len(self.rows), self.noun)} not listed: the text would be too long."


def fit_parts(head: Sequence[Part], sections: Sequence[Sequence[Part]], foot: Sequence[Part], limit: int) -> str:
    """Return all parts as one document no wider than ``limit``.

    Args:
        head: Parts at the top.
        sections: The parts of each migration. Sections that do not fit even when shortened are left out, from the last
            one on, and counted.
        foot: Parts at the bottom.
        limit: Maximum width, as `markdown.width` counts it.

    Raises:
        ValueError: If head and foot alone are wider than ``limit``.
    """
    shown = _count_sections(head, sections, foot, limit)
    parts = [*head, *(part for section in sections[:shown] for part in section)]
    if left := len(sections) - shown:
        parts.append(Part(rows=(f"and {count_noun(left, 'more migration')}: the text would be too long.",)))
    parts += foot
    kept = [part.full for part in parts]
    excess = sum(part.width(count) + len(_GAP) for part, count in zip(parts, kept, strict=True)) - limit
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


def _count_sections(head: Sequence[Part], sections: Sequence[Sequence[Part]], foot: Sequence[Part], limit: int) -> int:
    """Return how many sections fit when every part is as short as possible."""
    room = limit - sum(part.min_width + len(_GAP) for part in (*head, *foot))
    for number, section in enumerate(sections):
        room -= sum(part.min_width + len(_GAP) for part in section)
        last = number == len(sections) - 1
        if room < (0 if last else _NOTE):
            return number
    return len(sections)
