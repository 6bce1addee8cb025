"""What a benchmark says: rows with a bound and what was measured, and the judgement on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import floor, log10

Measure = Callable[[bool], "list[Row]"]
"""A benchmark: takes whether the short form is wanted, which takes seconds and has wider bounds."""

ATTEMPTS = 3
"""How often what misses a bound is measured: noise only ever makes it worse, so the best counts."""

_EASY = 0.7
_ROOM = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number; ``bound`` is the most that it may be, None for one that stands beside others and is not judged.

    ``why`` is what makes it miss its bound, as far as that is known; shown when it does. ``points`` are those of a line
    in a picture, for a number that says how steep it is.
    """

    what: str
    measured: float
    bound: float | None = None
    unit: str
    note: str = ""
    why: str = ""
    points: tuple[tuple[float, float], ...] = ()

    @property
    def missed(self) -> bool:
        """Whether it is beyond its bound."""
        return self.bound is not None and self.measured > self.bound

    @property
    def verdict(self) -> str:
        """The judgement in a word."""
        if self.bound is None:
            return "beside"
        return "missed" if self.missed else "met"

    @property
    def next_bound(self) -> float | None:
        """What the bound should become, where it is met with ease; else None."""
        if self.bound is None or self.measured > _EASY * self.bound:
            return None
        return _rounded_up(self.measured * _ROOM)

    def amount(self, value: float | None) -> str:
        """Write a number as this row's table shows it."""
        if value is None:
            return ""
        return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def run(measure: Measure, *, short: bool, attempts: int = ATTEMPTS) -> list[Row]:
    """Measure, and again while a bound is missed; each row is the best of its attempts."""
    rows = measure(short)
    tried = 1
    while any(row.missed for row in rows) and tried < attempts:
        tried += 1
        rows = [better(old, new) for old, new in zip(rows, measure(short), strict=True)]
    if tried == 1:
        return rows
    return [replace(row, note=f"{row.note}{'; ' if row.note else ''}best of {tried} attempts") for row in rows]


def better(one: Row, other: Row) -> Row:
    """Return the row with the smaller number."""
    return other if other.measured < one.measured else one


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | bound | measured | unit | verdict | next bound | note |", "|---|--:|--:|---|---|--:|---|"]
    for row in rows:
        numbers = (row.amount(row.bound), row.amount(row.measured), row.unit, _marked(row), row.amount(row.next_bound))
        note = "; ".join(filter(None, (row.note, row.why if row.missed else "")))
        lines.append(f"| {row.what} | {' | '.join(numbers)} | {note} |")
    return "\n".join(lines) + "\n"


def _marked(row: Row) -> str:
    return f"**{row.verdict}**" if row.missed else row.verdict


def _rounded_up(value: float) -> float:
    """Return the next number of two digits."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (floor(log10(value)) - 1)
    return round(-(-value // step) * step, 10)
