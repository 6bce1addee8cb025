"""The API calls of a preview of many resources that share a cluster without recent migrations."""

from __future__ import annotations

from benchmarks.stacks import run
from benchmarks.table import Row

_RESOURCES = 50


def measure(short: bool) -> list[Row]:
    """Count them in the simulator's log; the number is the same every time."""
    calls = run("preview", resources=_RESOURCES)["calls"]
    what = f"API calls of a preview of {_RESOURCES} resources on one cluster"
    return [
        Row(
            what=what,
            measured=len(calls),
            bound=6,
            unit="calls",
            note="one of each route" if len({*calls}) == len(calls) else "",
        )
    ]
