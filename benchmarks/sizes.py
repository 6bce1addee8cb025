"""What a migration of a thousand nodes leaves in the state, and what every resource carries there."""

from __future__ import annotations

from benchmarks.stacks import run
from benchmarks.table import Row

_NODES = 1_000
_SPEED = 1_000.0
_KIB = 1024


def measure(short: bool) -> list[Row]:
    """Migrate them, and weigh the exported state as JSON without spaces, the provider included."""
    found = run("state", nodes=_NODES, speed=_SPEED)
    what = f"of a {_NODES:,}-node migration"
    return [
        Row(what=f"outputs {what}", measured=found["outputs"] / _KIB, bound=256, unit="KiB"),
        Row(what=f"inputs {what}", measured=found["inputs"] / _KIB, bound=160, unit="KiB"),
        Row(what="the pickled provider", measured=found["provider"], bound=100, unit="bytes"),
    ]
