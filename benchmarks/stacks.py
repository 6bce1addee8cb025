"""Whole stacks, each with the real language SDK and the real plugin, on a simulator at speed.

Run as a program it takes what is to be done as JSON, and prints what came of it; see `Stack`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.children import ROOT, measured

if TYPE_CHECKING:
    from ocean_migration_pulumi.simulator import Simulator
    from ocean_migration_pulumi.testing import OfflineStack

_FAR_AHEAD = -30 * 86_400.0
_POLL = 15.0
_SHORTEST_POLL = 0.05
_PROGRAM = """
import json
from pathlib import Path

from ocean_migration_pulumi import OceanWorkloadMigration

for name, inputs in json.loads(Path("resources.json").read_text()).items():
    OceanWorkloadMigration(name, **inputs)
"""


def run(do: str, **options: Any) -> dict[str, Any]:
    """Do something with a stack, in a process that knows no service, account or cluster of this machine's user."""
    found: dict[str, Any] = measured("benchmarks.stacks", {"do": do, **options})
    return found


def _preview(*, resources: int) -> dict[str, Any]:
    """Count the calls of a preview of so many resources on one cluster."""
    from ocean_migration_pulumi.simulator import Simulator

    with Simulator(nodes=resources) as sim:
        ids = [node["instance_id"] for node in sim.control.nodes(sim.ocean_id) if not node["ocean_managed"]]
        declared = {
            f"node-{number}": {"ocean_id": sim.ocean_id, "nodes": {"instance_ids": [name]}}
            for number, name in enumerate(ids)
        }
        with tempfile.TemporaryDirectory() as directory:
            _succeed(_stack(Path(directory), sim, declared).preview())
        routes = [f"{request['method']} {request['route']}" for request in sim.control.requests()]
    return {"calls": routes, "resources": len(declared)}


def _up(*, migrations: int, speed: float, stock: bool = False) -> dict[str, Any]:
    """Take the time of an update with so many migrations, each on a cluster of four nodes."""
    from ocean_migration_pulumi.simulator import Simulator

    with Simulator(nodes=4, speed=speed) as sim:
        clusters = [sim.ocean_id, *(sim.control.add_cluster(4)["id"] for _ in range(migrations - 1))]
        for ocean_id in clusters:
            # At this speed ten minutes without a sign of life are over while the plugin is busy.
            sim.control.heartbeat(ocean_id, age_seconds=_FAR_AHEAD)
        declared = {
            f"cluster-{number}": {"ocean_id": ocean_id, "nodes": {"all_nodes": True}, "batch_size_percentage": 50}
            for number, ocean_id in enumerate(clusters)
        }
        more = {"OCEAN_MIGRATION_POLL_INTERVAL": str(max(_SHORTEST_POLL, _POLL / speed))}
        if stock:
            more["PYTHONPATH"] = str(ROOT / "benchmarks" / "stock_host")
        with tempfile.TemporaryDirectory() as directory:
            stack = _stack(Path(directory), sim, declared, more)
            started = time.monotonic()
            _succeed(stack.up())
            return {"seconds": time.monotonic() - started}


def _state(*, nodes: int, speed: float) -> dict[str, Any]:
    """Measure what a migration of so many nodes leaves in the state, in bytes."""
    from base64 import b64decode

    from ocean_migration_pulumi.simulator import Simulator

    with Simulator(nodes=nodes, speed=speed) as sim, tempfile.TemporaryDirectory() as directory:
        sim.control.heartbeat(sim.ocean_id, age_seconds=_FAR_AHEAD)
        declared = {"all": {"ocean_id": sim.ocean_id, "nodes": {"all_nodes": True}}}
        stack = _stack(
            Path(directory), sim, declared, {"OCEAN_MIGRATION_POLL_INTERVAL": str(max(_SHORTEST_POLL, _POLL / speed))}
        )
        _succeed(stack.up())
        resources = stack.export()["deployment"]["resources"]
    (ours,) = (each for each in resources if each["type"].endswith("OceanWorkloadMigration"))
    if len(ours["outputs"]["migrated_nodes"]) != nodes:
        raise RuntimeError(str(ours["outputs"]["status"]))
    return {
        "inputs": _size(ours["inputs"]),
        "outputs": _size(ours["outputs"]),
        "provider": len(b64decode(ours["inputs"]["__provider"])),
    }


def _stack(
    directory: Path, sim: Simulator, declared: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> OfflineStack:
    from ocean_migration_pulumi.testing import OfflineStack

    program = directory / "program"
    program.mkdir()
    (program / "__main__.py").write_text(_PROGRAM)
    (program / "resources.json").write_text(json.dumps(declared))
    variables = {**sim.environment, **(environment or {})}
    return OfflineStack(program, directory / "state.json", project="bench", environment=variables, parallel=64)


def _succeed(result: Any) -> None:
    if not result.succeeded:
        raise RuntimeError(f"{result.error}: {[each.message for each in result.diagnostics]}")


def _size(properties: Mapping[str, Any]) -> int:
    return len(json.dumps(properties, separators=(",", ":")).encode())


def main() -> None:
    """Do what the one argument says."""
    given = json.loads(sys.argv[1])
    doers: dict[str, Callable[..., dict[str, Any]]] = {"preview": _preview, "up": _up, "state": _state}
    sys.stdout.write(json.dumps(doers[given.pop("do")](**given)))


if __name__ == "__main__":
    main()
