"""Ten thousand pods of a Kubernetes API: how many previews see them all in time, and what that costs.

Run as a program it takes what to do, as JSON: serve the simulator until its standard input ends, or read it and print
what that took. The simulator runs in a process of its own and encodes each page when it is asked for. With what it
waits besides, a list takes as long as that of a real API server.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.children import child, measured
from benchmarks.table import Row
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.simulator.world.pods import SYSTEM_DAEMONS

_PODS: Final = 10_000
_PREVIEWS: Final = 10
_SECONDS: Final = 4.0
_MIB: Final = 1024.0**2
_NAMESPACES: Final = 50
_NODES: Final = 500
_LATENCY: Final = 150.0
"""Milliseconds by which each answer is late.

A real API server of Kubernetes 1.36 took 1.3 to 1.7 s for these pods in pages of 2,000, of which the simulator needs
0.6 s: it only encodes.
"""
_FIELDS: Final = 160
"""Entries of the manifest that each pod has as an annotation: with them it is as large as a real one, some 8 KB."""


def measure(short: bool) -> list[Row]:
    """Let processes read the pods, and count those that see all of them within what a preview has."""
    previews = 3 if short else _PREVIEWS
    with child("benchmarks.pods", json.dumps({"way": "serve"})) as process:
        if process.stdout is None:
            raise RuntimeError
        kubeconfig = json.loads(process.stdout.readline())
        measured("benchmarks.pods", {"kubeconfig": kubeconfig, "way": "preview"})
        looks = [measured("benchmarks.pods", {"kubeconfig": kubeconfig, "way": "preview"}) for _ in range(previews)]
        health = measured("benchmarks.pods", {"kubeconfig": kubeconfig, "way": "health"})
    seconds = sorted(look["seconds"] for look in looks)
    return [
        Row(
            what=f"previews of {previews} that do not read all of {_PODS:,} pods within {_SECONDS:g} s",
            measured=float(sum(look["pods"] < _PODS for look in looks)),
            bound=1,
            unit="previews",
            note=f"{seconds[0]:.2f} to {seconds[-1]:.2f} s, load {_load():.1f}",
        ),
        Row(
            what=f"CPU of reading {_PODS:,} pods for a preview",
            measured=min(look["cpu"] for look in looks),
            bound=1.0,
            unit="s",
            note=f"{health['cpu']:.2f} s for a look at health",
        ),
        Row(
            what=f"peak memory of a look at the health of {_PODS:,} pods", measured=health["peak"], bound=40, unit="MiB"
        ),
    ]


def _load() -> float:
    """Return the load of the machine, by which times have to be read."""
    path = Path("/proc/loadavg")
    return float(path.read_text(encoding="utf-8").split()[0]) if path.exists() else 0.0


def _serve() -> None:
    """Serve the simulator with so many pods until standard input ends."""
    # 500 nodes of 20 pods, those of the DaemonSets of the system among them; each pod has some 8 KB.
    applied = json.dumps({"spec": {f"field{each}": f"value {each} of some length" for each in range(_FIELDS)}})
    own = _PODS // _NODES - len(SYSTEM_DAEMONS)
    nodes = [
        {
            "instance_id": f"i-{node:017x}",
            "asg_name": "web",
            "pods": [
                {
                    "name": f"web-{number}",
                    "namespace": f"team-{number % _NAMESPACES}",
                    "labels": {"app": f"web-{number % 900}"},
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
                }
                for number in range(node * own, (node + 1) * own)
            ],
        }
        for node in range(_NODES)
    ]
    with Simulator(latency_ms=_LATENCY, world={"cluster": {"id": "o-bench"}, "nodes": nodes}) as simulator:
        print(json.dumps(simulator.kubeconfig(identity="run")), flush=True)  # noqa: T201 - for the parent
        sys.stdin.read()


def _look(kubeconfig: str, way: str) -> dict[str, Any]:
    """Read the pods once, and return how many, and what that took."""
    from ocean_migration_pulumi.common.cancellation import CancelScope
    from ocean_migration_pulumi.kubernetes import KubernetesReader, find_access

    access = find_access(kubeconfig, None, {})
    if access is None:
        raise RuntimeError
    with closing(KubernetesReader(access)) as reader:
        if way == "preview":
            started, cpu = time.monotonic(), time.process_time()
            pods = len(reader.read_snapshot(CancelScope(short=True).at_most(_SECONDS)).pods)
            return {"pods": pods, "seconds": time.monotonic() - started, "cpu": time.process_time() - cpu}
        now, namespaces = datetime.now(UTC), {f"team-{each}" for each in range(_NAMESPACES)}
        reader.read_workloads(CancelScope(), now, namespaces)
        cpu = time.process_time()
        reader.read_workloads(CancelScope(), now, namespaces)
        cpu = time.process_time() - cpu
        tracemalloc.start()
        found = reader.read_workloads(CancelScope(), now, namespaces)
        return {"pods": len(found.pods), "cpu": cpu, "peak": tracemalloc.get_traced_memory()[1] / _MIB}


def main() -> None:
    """Serve or look."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    if given["way"] == "serve":
        _serve()
    else:
        print(json.dumps(_look(given["kubeconfig"], given["way"])))  # noqa: T201 - for the parent


if __name__ == "__main__":
    main()
