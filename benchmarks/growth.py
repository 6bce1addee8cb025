"""How the client's CPU grows with the cluster: at most as the number of nodes does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import log10
from pathlib import Path

from benchmarks.canned import serving
from benchmarks.chart import Line, chart
from benchmarks.children import measured
from benchmarks.table import Row

PICTURE = Path(__file__).parent / "growth.svg"
"""Where the picture of the last measurement is written."""

SIZES = (100, 1_000, 10_000)
"""The clusters that are measured, in nodes."""

TITLE = "CPU of the client by the size of the cluster"

_HEAD = "growth of the CPU of "
_WAYS = {"plan": "discovery, selection and plan", "check": "a whole preview"}


def measure(short: bool) -> list[Row]:
    """Measure clusters of ten times the nodes each; the exponent between the largest two is what counts."""
    seconds = _seconds(SIZES[:2] if short else SIZES)
    rows = []
    for way, what in _WAYS.items():
        points = tuple((float(size), found[way] * 1000) for size, found in seconds.items())
        (few, of_few), (many, of_many) = points[-2:]
        rows.append(
            Row(
                what=f"{_HEAD}{what}, {few:,.0f} to {many:,.0f} nodes",
                measured=log10(of_many / of_few),
                bound=1.2 if short else 1.1,
                unit="exponent",
                note=", ".join(f"{size:,.0f}: {milliseconds:.1f} ms" for size, milliseconds in points),
                points=points,
            )
        )
    return rows


def live_view(rows: Sequence[Row]) -> str:
    """Return the SVG of the growth that these rows measured."""
    lines = [Line(name=row.what.removeprefix(_HEAD), points=row.points) for row in rows if row.points]
    return chart(lines, title=TITLE, x="nodes", y="ms")


def _seconds(sizes: tuple[int, ...]) -> dict[int, dict[str, float]]:
    """Return the CPU seconds of each way by the number of nodes."""
    found = {}
    for size in sizes:
        with serving(size) as service:
            given = {"service": asdict(service), "ways": list(_WAYS), "times": 15}
            taken = measured("benchmarks.client_side", given)
        found[size] = {way: min(seconds) for way, seconds in taken.items()}
    return found
