"""The wall time of many migrations in one stack, against that of one; and what Pulumi's own host makes of them."""

from __future__ import annotations

from benchmarks.stacks import run
from benchmarks.table import Row

_MIGRATIONS = 32
_SPEED = 40.0
"""Simulated seconds a second: a migration of ten minutes takes fifteen seconds."""


def measure(short: bool) -> list[Row]:
    """Update a stack of one, then a stack of many, each on a cluster of its own, with room for 64 steps at once."""
    many, speed = (8, 120.0) if short else (_MIGRATIONS, _SPEED)
    one = run("up", migrations=1, speed=speed)["seconds"]
    ours = run("up", migrations=many, speed=speed)["seconds"]
    what = f"wall time of {many} migrations in one stack, against one"
    rows = [
        Row(
            what=what,
            measured=ours / one,
            bound=2.0 if short else 1.2,
            unit="times",
            note=f"{ours:.1f} s and {one:.1f} s, at {speed:g} times the speed of life",
        )
    ]
    if not short:
        stock = run("up", migrations=many, speed=speed, stock=True)["seconds"]
        note = f"{stock:.1f} s"
        rows.append(
            Row(what=f"{what}, on the stock host with its 4 workers", measured=stock / one, unit="times", note=note)
        )
    return rows
