"""A small chart with logarithmic axes, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 48
_COLOURS = ("#0b6e99", "#b35900", "#4d7c0f")
_GREY = "#8a8f98"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A series of points with positive coordinates, from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to pixels, a whole number of decades wide."""

    low: int
    high: int
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def marks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def chart(lines: Sequence[Line], *, title: str, x: str, y: str) -> str:
    """Draw the lines, and through the last point of each, dashed, where linear growth would have come from."""
    across = _axis([at for line in lines for at, _ in line.points], _LEFT, _WIDTH - _RIGHT)
    up = _axis([at for line in lines for _, at in line.points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 22, title, size=14),
        *_grid(across, up),
        _text(_WIDTH - _RIGHT, _HEIGHT - 10, x, anchor="end"),
        _text(10, _TOP - 6, y),
    ]
    for number, (line, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        parts += _drawn(line, across, up, colour)
        parts.append(_text(_LEFT + 12, _TOP + 18 + 16 * number, line.name, colour=colour))
    parts.append(_text(_LEFT + 12, _TOP + 18 + 16 * len(lines), "linear growth", colour=_GREY))
    return "\n".join([*parts, "</svg>", ""])


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return _Axis(low, max(high, low + 1), start, end)


def _grid(across: _Axis, up: _Axis) -> list[str]:
    parts = []
    for mark in across.marks:
        at = across.at(mark)
        parts.append(_stroke([(at, up.start), (at, up.end)], "#e5e7eb"))
        parts.append(_text(at, up.start + 18, f"{mark:,g}", anchor="middle"))
    for mark in up.marks:
        at = up.at(mark)
        parts.append(_stroke([(across.start, at), (across.end, at)], "#e5e7eb"))
        parts.append(_text(across.start - 8, at + 4, f"{mark:,g}", anchor="end"))
    return parts


def _drawn(line: Line, across: _Axis, up: _Axis, colour: str) -> list[str]:
    last, most = line.points[-1]
    lowest = max(line.points[0][0], last * 10.0**up.low / most)
    linear = [(across.at(at), up.at(most * at / last)) for at in (lowest, last)]
    points = [(across.at(at), up.at(value)) for at, value in line.points]
    return [
        _stroke(linear, _GREY, dash="4 4"),
        _stroke(points, colour, width=2),
        *(f'<circle cx="{at:.1f}" cy="{value:.1f}" r="3.5" fill="{colour}"/>' for at, value in points),
    ]


def _stroke(points: Sequence[tuple[float, float]], colour: str, *, width: float = 1, dash: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = "#1f2937") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
    )
