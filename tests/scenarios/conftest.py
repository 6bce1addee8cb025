"""The driver of each engine for every scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ocean_migration_pulumi.simulator import Simulator
from tests.scenarios import pulumi_driver
from tests.scenarios.driver import Driver
from tests.scenarios.offline_driver import OfflineDriver
from tests.scenarios.pulumi_driver import PulumiDriver
from tests.scenarios.support import POLL


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Simulate a cluster of four nodes, where a migration of two takes about a second."""
    with Simulator(nodes=4, speed=300) as running:
        yield running


@pytest.fixture
def scenario_environment(simulator: Simulator) -> Mapping[str, str]:
    """Point the commands at the simulator."""
    return {**simulator.environment, "OCEAN_MIGRATION_POLL_INTERVAL": str(POLL)}


@pytest.fixture(params=["offline", "pulumi"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, scenario_environment: Mapping[str, str]) -> Iterator[Driver]:
    """Make a stack of its own on each engine; skip the real one where there is none."""
    if request.param == "pulumi" and (reason := pulumi_driver.missing()):
        pytest.skip(reason)
    kind = {"offline": OfflineDriver, "pulumi": PulumiDriver}[request.param]
    stack = kind(tmp_path / request.param, scenario_environment)
    yield stack
    stack.close()
