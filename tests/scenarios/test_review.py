"""What was reviewed is what runs: saved plans of the engine, and previews of what has not changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.scenarios import pulumi_driver
from tests.scenarios.driver import Driver
from tests.scenarios.pulumi_driver import PulumiDriver
from tests.scenarios.scene import Expression, Scene, digest_of, failed, plan_of

_REST = Expression(
    '{"all_nodes": True, "exclude": {"instance_ids": canary.planned_nodes.apply(lambda nodes: [*nodes])}}'
)


@pytest.fixture
def pulumi(tmp_path: Path, scenario_environment: Mapping[str, str]) -> Iterator[Driver]:
    """Make a stack on the real engine: saved plans are its own, and `approved_plan` is tested on both."""
    if reason := pulumi_driver.missing():
        pytest.skip(reason)
    stack = PulumiDriver(tmp_path / "pulumi", {**scenario_environment, "PULUMI_EXPERIMENTAL": "true"})
    yield stack
    stack.close()


def test_nothing_that_comes_and_goes_makes_a_diff(driver: Driver) -> None:
    """Pods, nodes, a heartbeat, migrations of others: a preview without a change of the program shows none."""
    with Scene(driver, nodes=6) as scene:
        scene.declare()
        assert scene.preview().ops["web"] == "create"
        first = plan_of(scene.preview())
        assert plan_of(scene.preview()) == first
        scene.up()
        flags = {"expect_no_changes": True} if driver.name == "pulumi" else {}
        assert scene.preview(**flags).ops["web"] == "same"
        joined = scene.control.add_node(scene.ocean_id, "web")["instance_id"]
        scene.control.add_pod(scene.ocean_id, joined, name="another")
        scene.control.remove_node(scene.ocean_id, scene.asg("api")[0])
        scene.control.heartbeat(scene.ocean_id, status="INACTIVE", age_seconds=3600)
        assert scene.preview(**flags).ops["web"] == "same"
        scene.control.start_foreign_migration(scene.ocean_id, [joined])
        assert scene.preview(**flags).ops["web"] == "same"


def test_saved_plan_runs_as_long_as_it_is_the_plan(pulumi: Driver, tmp_path: Path) -> None:
    """The same nodes pass, whatever their pods do; a node more is refused before anything starts."""
    saved = str(tmp_path / "plan.json")
    with Scene(pulumi) as scene:
        scene.declare()
        scene.preview(save_plan=saved)
        joined = scene.control.add_node(scene.ocean_id, "web")["instance_id"]
        refused = scene.driver.up(plan=saved)
        assert refused.exit_code != 0
        assert "violates plan" in refused.output
        assert not scene.writes()
        scene.control.remove_node(scene.ocean_id, joined)
        scene.control.add_pod(scene.ocean_id, scene.asg()[0], name="another")
        scene.up(plan=saved)
        assert scene.outputs()["migrated_nodes"] == scene.asg()


def test_saved_plan_refuses_the_resume_that_an_approval_allows(pulumi: Driver, tmp_path: Path) -> None:
    """After a failure the engine's plan wants a create where an update is due; `approved_plan` goes on."""
    saved = str(tmp_path / "plan.json")
    with Scene(pulumi) as scene:
        scene.declare()
        digest = digest_of(scene.preview())
        scene.declare(approved_plan=digest)
        scene.preview(save_plan=saved)
        scene.control.arm_failure(scene.ocean_id, "timeout")
        assert failed(scene.driver.up(plan=saved), "took longer than Ocean allows")
        mark = scene.mark()
        again = scene.driver.up(plan=saved)
        assert again.exit_code != 0
        assert not scene.writes(mark)
        scene.up()
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert scene.outputs()["plan_digest"] == digest


def test_saved_plan_holds_for_a_later_wave_only_while_its_nodes_are_the_same(pulumi: Driver, tmp_path: Path) -> None:
    """A node that joins while the first wave runs is not in the plan of the second."""
    saved = str(tmp_path / "plan.json")
    with Scene(pulumi, nodes=6) as scene:
        first = scene.resource("canary", nodes={"asg_names": ["web"], "limit": "1"})
        second = scene.resource("rest", nodes=_REST, opts="pulumi.ResourceOptions(depends_on=[canary])")
        scene.program(first, second)
        scene.preview(save_plan=saved)
        scene.hold()
        running = scene.driver.start("up", plan=saved)
        running.wait_until(lambda run: bool(scene.migrations()))
        scene.control.add_node(scene.ocean_id, "web")
        scene.hold(False)
        refused = running.wait()
        assert refused.exit_code != 0
        assert "violates plan" in refused.output
        assert len(scene.starts()) == 1
        scene.up()
        assert len(scene.starts()) == 2
