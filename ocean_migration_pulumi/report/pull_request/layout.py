"""A text of parts that stays below a length: what does not fit goes by whole rows, the least important first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import accumulate
from typing import Final

from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.report.markdown import width

_GAP: Final = "\n\n"
_NOTE: Final = 200  # the line that counts what is not shown


class Weight(IntEnum):
    """How long a part stays whole when the text is too long: the lightest is cut first."""

    LIST = 0
    SNIPPET = 1
    REMARK = 2
    TABLE = 3
    WARNING = 4
    PREREQUISITE = 5
    BLOCKER = 6
    ERROR = 7
    FIXED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows that belong together, with what stands before and after them; a row is never cut.

    ``noun`` is what a row stands for, as the line says that counts those that are left out. ``between`` is put
    between two rows. A part of ``Weight.FIXED`` is never cut.
    """

    rows: tuple[str, ...]
    head: str = ""
    tail: str = ""
    noun: str = "line"
    between: str = "\n"
    most: int | None = None
    weight: Weight = Weight.FIXED
    _ends: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        gap = len(self.between)
        object.__setattr__(self, "_ends", list(accumulate(width(row) + gap for row in self.rows)))

    def text(self, kept: int) -> str:
        """Return the part with so many of its rows."""
        left = len(self.rows) - kept
        if left and not kept:
            return self._none
        more = self._more(left) if left else ""
        return f"{self.head}{self.between.join(self.rows[:kept])}{more}{self.tail}"

    def size(self, kept: int) -> int:
        """Return the width of ``text``, without making it."""
        left = len(self.rows) - kept
        if left and not kept:
            return width(self._none)
        more = len(self._more(left)) if left else 0
        rows = self._ends[kept - 1] - len(self.between) if kept else 0
        return width(self.head) + rows + more + width(self.tail)

    def fitting(self, room: int) -> int:
        """Return how many rows fit into so much room; all when leaving them out takes no less."""
        full = self.full
        if self.weight is Weight.FIXED or self.size(full) <= max(room, self.size(0)):
            return full
        facts = width(self.head) + len(self._more(len(self.rows))) + width(self.tail)
        return min(bisect_right(self._ends, room - facts), full)

    @property
    def full(self) -> int:
        """How many rows are shown when there is room for any number."""
        return len(self.rows) if self.most is None else min(self.most, len(self.rows))

    @property
    def least(self) -> int:
        """The width of the part with as few rows as may be."""
        return self.size(self.fitting(0))

    def _more(self, left: int) -> str:
        return f"{_GAP}and {count_noun(left, f'more {self.noun}')}"

    @property
    def _none(self) -> str:
        return f"{count_noun(len(self.rows), self.noun)} not listed: the text would be too long."


def fit(head: Sequence[Part], sections: Sequence[Sequence[Part]], foot: Sequence[Part], limit: int) -> str:
    """Return the parts one after the other, no wider than the limit.

    Sections that do not fit even with all that can be cut left out are counted in their place, from the last one on.
    Raises ValueError when head and foot alone are too wide.
    """
    shown = _room_for(head, sections, foot, limit)
    parts = [*head, *(part for section in sections[:shown] for part in section)]
    if left := len(sections) - shown:
        parts.append(Part(rows=(f"and {count_noun(left, 'more migration')}: the text would be too long.",)))
    parts += foot
    kept = [part.full for part in parts]
    excess = sum(part.size(count) + len(_GAP) for part, count in zip(parts, kept, strict=True)) - limit
    for weight in Weight:
        if excess <= 0:
            break
        chosen = [index for index, part in enumerate(parts) if part.weight is weight]
        spare = max(0, sum(parts[index].size(kept[index]) - parts[index].least for index in chosen) - excess)
        # Those that need the least first: what they leave is for the others.
        for number, index in enumerate(sorted(chosen, key=lambda each: parts[each].size(kept[each]))):
            part, before = parts[index], parts[index].size(kept[index])
            kept[index] = part.fitting(part.least + spare // (len(chosen) - number))
            spare -= part.size(kept[index]) - part.least
            excess -= before - part.size(kept[index])
    if excess > 0:
        msg = f"{limit} characters are too few"
        raise ValueError(msg)
    return _GAP.join(part.text(count) for part, count in zip(parts, kept, strict=True))


def _room_for(head: Sequence[Part], sections: Sequence[Sequence[Part]], foot: Sequence[Part], limit: int) -> int:
    """Return how many of the sections fit when everything is cut that can be."""
    room = limit - sum(part.least + len(_GAP) for part in (*head, *foot))
    shown = 0
    for number, section in enumerate(sections, start=1):
        room -= sum(part.least + len(_GAP) for part in section)
        last = number == len(sections)
        if room < (0 if last else _NOTE):
            break
        shown = number
    return shown
