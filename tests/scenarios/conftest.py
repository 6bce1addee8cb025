"""The driver of each engine for every scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.scenarios import pulumi_driver
from tests.scenarios.driver import Driver
from tests.scenarios.offline_driver import OfflineDriver
from tests.scenarios.pulumi_driver import PulumiDriver
from tests.support.forked import forked_processes

SIMULATOR_MOCKS = "ocean_migration_pulumi.testing:SimulatorMocks"
"""The mocks that make Spot's resources in a simulator."""


@pytest.fixture
def scenario_environment() -> Mapping[str, str]:
    """Return the variables of the commands; those who need some override this."""
    return {}


@pytest.fixture(params=["offline", "pulumi"])
def spot_driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    """Make a stack for Spot resources: OfflineStack with mocks, and the real engine with the real plugin of Spot."""
    if request.param == "pulumi" and (reason := pulumi_driver.missing("spotinst")):
        pytest.skip(reason)
    directory = tmp_path / request.param
    stack = PulumiDriver(directory) if request.param == "pulumi" else OfflineDriver(directory, mocks=SIMULATOR_MOCKS)
    yield stack
    stack.close()


@pytest.fixture(params=["offline", "pulumi"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, scenario_environment: Mapping[str, str]) -> Iterator[Driver]:
    """Make a stack of its own on each engine; skip the real one where there is none."""
    if request.param == "pulumi" and (reason := pulumi_driver.missing()):
        pytest.skip(reason)
    kind = {"offline": OfflineDriver, "pulumi": PulumiDriver}[request.param]
    stack = kind(tmp_path / request.param, scenario_environment)
    with forked_processes():
        yield stack
    stack.close()
