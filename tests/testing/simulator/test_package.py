"""The simulator as a package: imports, scenarios and speed."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ocean_migration_pulumi.simulator as package
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.simulator.world.scenarios import SCENARIOS
from tests.testing.simulator.conftest import Api

FOLDER = Path(package.__file__).parent / "testing" / "simulator"
NAME = "ocean_migration_pulumi.testing.simulator"


def test_public_names() -> None:
    """Each public name can be imported, and no other."""
    assert package.__all__ == ["Barrier", "ControlError", "Simulator", "SimulatorControl"]
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    with pytest.raises(AttributeError, match="Nothing"):
        package.Nothing  # noqa: B018 - the access is the test


def test_the_simulator_shares_nothing_with_the_package() -> None:
    """Both must not misread the wire format in the same way."""
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                assert not is_foreign(node.module or ""), path
            elif isinstance(node, ast.Import):
                assert not any(is_foreign(name.name) for name in node.names), path


def is_foreign(module: str) -> bool:
    """Tell whether a module is one of the package, but not of the simulator."""
    return module.startswith("ocean_migration_pulumi") and module != NAME and not module.startswith(f"{NAME}.")


def test_the_control_client_needs_the_standard_library_only() -> None:
    """It works where the libraries of the server are not installed."""
    script = (
        "import sys; from ocean_migration_pulumi.simulator import SimulatorControl; SimulatorControl('http://x');"
        "print([name for name in ('uvicorn', 'starlette', 'trustme', 'h11') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_an_unknown_scenario_lists_the_known_ones() -> None:
    """Numbers out of range are refused before the port is bound."""
    with pytest.raises(ValueError, match="unknown scenario 'x': one of success, "):
        Simulator(scenario="x")
    with pytest.raises(ValueError, match="nodes must be"):
        Simulator(nodes=0)
    with pytest.raises(ValueError, match="latency"):
        Simulator(latency_ms=-1)


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "large"])
def test_every_scenario_can_be_read(scenario: str) -> None:
    """Discovery, clusters, groups, list and log match the schemas, down to a single node."""
    for nodes in (16, 1):
        with Simulator(scenario=scenario, nodes=nodes, speed=1) as sim:
            api = Api(sim)
            assert len(sim.control.nodes(sim.ocean_id)) == nodes
            assert sim.control.overview()["scenario"] == scenario
            api.discover()
            api.log()
            for path in ("/ocean/aws/k8s/cluster", "/ocean/aws/k8s/launchSpec", api.base):
                assert api.send("GET", path).status == 200
            for migration in sim.control.migrations(sim.ocean_id):
                api.status(migration["id"])


@pytest.mark.slow
def test_ten_thousand_nodes() -> None:
    """The large scenario starts, is discovered, and runs batch by batch within seconds of processor time."""
    started = time.process_time()
    with Simulator(scenario="large") as sim:
        sim.control.clock(manual=True)
        api = Api(sim, checked=False)
        ids = api.offered()
        assert len(ids) == 10_000
        assert time.process_time() - started < 20
        started = time.process_time()
        assert len(api.discover()) == 10_000
        assert time.process_time() - started < 5
        migration = api.create(ids, batchSizePercentage=50, shouldTerminateDrainedNodes=True)
        sim.control.advance(3600)
        status = api.status(migration)
        assert status["status"] == "FINISHED"
        assert len(status["newInstances"]) == 10_000
    assert time.process_time() - started < 60
