"""Migrations of colleagues, of other stacks and of other resources over the same nodes: waited for, or refused by name.

What is true is read from the simulator's world, not from the outputs.
"""

from __future__ import annotations

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.scene import STATUSES, Scene, failed, plan_of, said, warned
from tests.scenarios.support import assert_done, eventually
from tests.scenarios.test_evidence import pods_left


def start_foreign(scene: Scene, nodes: list[str]) -> str:
    """Start a migration as a colleague would, with other flags than those of the resource."""
    return str(scene.control.start_foreign_migration(scene.ocean_id, nodes, terminate=True))


@pytest.mark.parametrize("held", [1, 2])
def test_nodes_that_a_colleague_migrates_are_planned_and_waited_for(driver: Driver, held: int) -> None:
    """All or some of a new stack's nodes: the plan names the migration, and `up` ends when its nodes are free."""
    with Scene(driver) as scene:
        scene.hold()
        nodes = scene.asg()
        other = start_foreign(scene, nodes[:held])
        scene.declare()
        preview = scene.preview()
        assert sorted(plan_of(preview)) == nodes
        assert warned(preview, f"Migration {other}, started elsewhere, holds", *nodes[:held], "waits for its end")
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration", other))
        assert not scene.starts()
        scene.hold(False)
        running.wait_for_success()
        assert not pods_left(scene)
        assert [start["instanceIds"] for start in scene.starts()] == ([nodes[held:]] if held < len(nodes) else [])
        assert_done(driver, nodes)
        scene.up_unchanged()


def test_a_colleague_s_migration_is_refused_by_name(driver: Driver) -> None:
    """Nothing is created; after its end nothing is left to select, which a finished migration excuses."""
    with Scene(driver) as scene:
        scene.hold()
        other = start_foreign(scene, scene.asg())
        scene.declare(when_busy="fail")
        assert warned(scene.preview(), other, "refuses to start")
        assert failed(scene.up_fails(), other)
        scene.hold(False)
        eventually(lambda: scene.migrations()[0]["terminal"])
        scene.up()
        assert not scene.starts()
        assert not pods_left(scene)
        assert scene.outputs()["succeeded"] is True


@pytest.mark.parametrize("lag", ["0s", "60s"])
def test_a_colleague_s_migration_that_is_stopped_leaves_its_nodes_to_us(driver: Driver, lag: str) -> None:
    """In the same `up`, also when discovery returns them late."""
    with Scene(driver) as scene:
        scene.control.quirk("discovery_lag", lag)
        scene.hold()
        other = start_foreign(scene, scene.asg())
        scene.declare()
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration", other))
        scene.control.stop_foreign(scene.ocean_id, other)
        scene.hold(False)
        running.wait_for_success()
        assert not pods_left(scene)
        drained = set(scene.migrations()[0]["drained"])
        assert [set(start["instanceIds"]) for start in scene.starts()] == [set(scene.asg()) - drained]
        assert_done(driver, scene.asg())


def test_a_denied_status_of_a_listed_migration_fails_no_run(driver: Driver) -> None:
    """The list has it, so it runs: it is waited for until its status says more."""
    with Scene(driver) as scene:
        scene.hold()
        other = start_foreign(scene, scene.asg("api"))
        scene.control.fault("GET", STATUSES, "forget", times=8)
        scene.declare()
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration", other))
        scene.hold(False)
        running.wait_for_success()
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg()]
        assert_done(driver, scene.asg())


def test_two_resources_over_the_same_nodes_move_them_once(driver: Driver) -> None:
    """The one that loses waits, and says that all its nodes are migrated: it has not moved none."""
    with Scene(driver) as scene:
        scene.program(scene.resource("web"), scene.resource("again"))
        scene.up()
        assert len(scene.starts()) == 1
        assert not pods_left(scene)
        for name in ("web", "again"):
            assert_done(driver, scene.asg(), name)


def test_a_resource_that_runs_after_another_one_of_the_same_nodes_finds_them_migrated(driver: Driver) -> None:
    """They are no candidates any more when it starts."""
    with Scene(driver) as scene:
        after = scene.resource("again", opts="pulumi.ResourceOptions(depends_on=[web])")
        scene.program(scene.resource("web", should_terminate_drained_nodes=True) + after)
        scene.up()
        assert len(scene.starts()) == 1
        for name in ("web", "again"):
            assert_done(driver, scene.asg(), name)
