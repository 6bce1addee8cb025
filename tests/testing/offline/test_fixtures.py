"""The pytest fixtures for users."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import SimulatorMocks
from ocean_migration_pulumi.testing.fixtures import StackFactory, offline_stack, simulator

__all__ = ["offline_stack", "simulator"]

PROGRAM = """
import pulumi

class Ocean(pulumi.CustomResource):
    def __init__(self, name, **props):
        super().__init__("spotinst:aws/ocean:Ocean", name, props)

class Group(pulumi.CustomResource):
    def __init__(self, name, **props):
        super().__init__("spotinst:aws/oceanLaunchSpec:OceanLaunchSpec", name, props)

ocean = Ocean("prod", controllerId="prod", region="us-east-1", maxSize=50)
pulumi.export("ocean", ocean.id)
pulumi.export("group", Group("gpu", oceanId=ocean.id, labels=[{"key": "gpu", "value": "true"}]).id)
pulumi.export("other", pulumi.CustomResource("spotinst:aws/other:Other", "x", {}).id)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Write a program with a cluster and a Virtual Node Group."""
    directory = tmp_path / "clusters"
    directory.mkdir()
    (directory / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    return directory


def test_the_fixtures_create_clusters_in_the_simulator(
    program: Path, simulator: Simulator, offline_stack: StackFactory
) -> None:
    """The mocks create, find and delete clusters and Virtual Node Groups over the simulator's API."""
    stack = offline_stack(program, simulator=simulator)
    result = stack.up()
    assert result.succeeded, result.diagnostics
    assert result.outputs["ocean"].startswith("o-")
    assert result.outputs["group"].startswith("ols-")
    assert result.outputs["ocean"] in {each["id"] for each in simulator.control.overview()["clusters"]}
    assert stack.refresh().summary == {"same": 3}
    simulator.control.delete_cluster(result.outputs["ocean"])
    refreshed = stack.refresh()
    assert refreshed.summary["delete"] >= 1
    assert stack.destroy().succeeded
    assert result.outputs["ocean"] not in {each["id"] for each in simulator.control.overview()["clusters"]}


def test_each_stack_has_a_state_of_its_own(program: Path, tmp_path: Path, offline_stack: StackFactory) -> None:
    """Two stacks of one factory share nothing."""
    for count in (1, 2):
        offline_stack(program).import_state({"version": 3, "deployment": {"count": count}})
    assert {each.name for each in tmp_path.glob("stack-*.json")} == {"stack-1.json", "stack-2.json"}


def test_a_refused_request_fails_the_step(program: Path, simulator: Simulator, offline_stack: StackFactory) -> None:
    """The step has the error of the service, without the token."""
    mocks = SimulatorMocks(simulator.url, "canary-token", simulator.account_id)
    result = offline_stack(program, mocks=mocks).up()
    assert not result.succeeded
    assert any("HTTP 401" in each.message for each in result.diagnostics)
    assert "canary-token" not in repr(mocks) + repr(result)


def test_the_mocks_find_the_simulator_by_the_environment(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments they use the variables of address, token and account."""
    for name, value in simulator.environment.items():
        monkeypatch.setenv(name, value)
    assert repr(SimulatorMocks()) == repr(SimulatorMocks(simulator.url, "x", simulator.account_id))
