"""Peak memory for the plan of a large cluster, over what the imports take.

Run as a program it takes where the service is and how to measure, as JSON, and prints MiB.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.canned import Service, serving
from benchmarks.children import measured
from benchmarks.table import Row

_NODES = 10_000
_MIB = 1024.0**2


def measure(short: bool) -> list[Row]:
    """Let a process plan once, and ask the kernel; and another one, and ask the interpreter."""
    with serving(_NODES) as service:
        taken = {
            way: float(measured("benchmarks.memory", {"service": asdict(service), "way": way}))
            for way in ("resident", "traced")
        }
    return [
        Row(
            what=f"peak memory for a whole preview of {_NODES:,} nodes, over the import",
            measured=taken["resident"],
            bound=60 if short else 40,
            unit="MiB",
            note=f"resident, as the kernel tells; tracemalloc says {taken['traced']:.1f} MiB",
        )
    ]


def _resident() -> float:
    """Return the most memory that this program has had, in MiB."""
    import resource

    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says begins with what the parent had when it started this program.
        fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return float(fields["VmHWM"].split()[0]) / 1024.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / _MIB if sys.platform == "darwin" else most / 1024.0


def main() -> None:
    """Import, plan, and print what the plan took beyond the import."""
    import tracemalloc

    from benchmarks.client_side import ways

    given: dict[str, Any] = json.loads(sys.argv[1])
    run = ways(Service(**given["service"]), ["check"])["check"]
    if given["way"] == "traced":
        tracemalloc.start()
        kept = run()
        taken = tracemalloc.get_traced_memory()[1] / _MIB
    else:
        before = _resident()
        kept = run()
        taken = _resident() - before
    if kept:
        sys.stdout.write(json.dumps(taken))


if __name__ == "__main__":
    main()
