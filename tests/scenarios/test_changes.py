"""Changes of the program while a migration runs, and what others do to it meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.driver import Driver, Run
from tests.scenarios.scene import Scene, assert_failed, failed, plan_of, said, warned
from tests.support.sampling import first_is_fast

_FLAGS = ("should_terminate_drained_nodes", "should_evict_stand_alone_pods", "force_pod_eviction_on_pdb_failure")
_WIRE = ("shouldTerminateDrainedNodes", "shouldEvictStandAlonePods", "forcePodEvictionOnPdbFailure")


def interrupted(scene: Scene, **inputs: Any) -> None:
    """Start a migration that stands still, and interrupt the wait for it."""
    scene.hold()
    scene.declare(**inputs)
    running = scene.up_waiting()
    running.interrupt()
    assert running.wait().exit_code != 0
    assert scene.init_errors()


def resumed(scene: Scene, *parts: str) -> Run:
    """Run the next update: it says the parts while the migration still stands still, and succeeds when it goes on."""
    running = scene.driver.start("up")
    running.wait_until(lambda run: said(run, *parts))
    scene.hold(False)
    run = running.wait_for_success()
    return run


def test_a_running_migration_goes_on_when_options_change(driver: Driver) -> None:
    """A changed batch size is for the next migration: a warning, and nothing is written."""
    with Scene(driver) as scene:
        interrupted(scene, batch_size_percentage=50)
        scene.declare(batch_size_percentage=20, should_evict_stand_alone_pods=True)
        run = resumed(scene, "continues with the options that it was started with")
        assert run.ops["web"] == "update"
        assert len(scene.writes()) == 1
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        (migration,) = scene.outputs()["migrations"]
        assert migration["batch_size_percentage"] == 50
        scene.up_unchanged()


@pytest.mark.parametrize("flag", first_is_fast(range(3)), ids=["terminate", "evict", "force"])
def test_a_migration_that_does_what_is_no_longer_wanted_is_stopped(driver: Driver, flag: int) -> None:
    """A flag that is False now and was True in the record: stopped, and the rest started with the new flags."""
    with Scene(driver) as scene:
        now: dict[str, Any] = {_FLAGS[flag]: False}
        interrupted(scene, **{_FLAGS[flag]: True})
        scene.declare(**now)
        resumed(scene, "stopping migration", f"{_FLAGS[flag]} is now false")
        assert [write["method"] for write in scene.writes()] == ["POST", "PUT", "POST"]
        assert [start[_WIRE[flag]] for start in scene.starts()] == [True, False]
        assert scene.stops() == [{"state": "STOPPED", "shouldTerminateDrainedNodes": False}]
        first, second = scene.migrations()
        assert first["stopped_at"] is not None
        assert second["created_at"] >= first["stopped_at"]
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert [each["status"] for each in scene.outputs()["migrations"]] == ["STOPPED", "FINISHED"]
        scene.up_unchanged()


@pytest.mark.parametrize("by", first_is_fast(["asg", "id", "name"]))
def test_a_node_that_is_no_longer_selected_stops_its_migration(driver: Driver, by: str) -> None:
    """A selector that excludes, by id, name or ASG, a node that is being migrated: stopped, the rest started again."""
    with Scene(driver) as scene:
        nodes = [node for node in scene.control.nodes(scene.ocean_id) if node["asg_name"] in {"web", "api"}]
        interrupted(scene, nodes={"asg_names": ["web", "api"]})
        out = nodes[0] if by != "asg" else next(node for node in nodes if node["asg_name"] == "api")
        rest = sorted(node["instance_id"] for node in nodes if node is not out)
        scene.declare(
            nodes={
                "id": {"instance_ids": rest},
                "name": {"asg_names": ["web", "api"], "exclude": {"node_names": [out["node_name"]]}},
                "asg": {"asg_names": ["web", "api"], "exclude": {"asg_names": ["ap*"]}},
            }[by]
        )
        resumed(scene, "stopping migration", out["instance_id"])
        assert scene.starts()[-1]["instanceIds"] == rest
        assert len(scene.starts()) == 2
        assert scene.outputs()["migrated_nodes"] == rest
        assert sorted(scene.outputs()["planned_nodes"]) == rest
        assert out["instance_id"] not in scene.migrations()[0]["drained"]
        scene.up_unchanged()


def test_what_somebody_else_stopped_is_not_started_again(driver: Driver) -> None:
    """The waiting `up` fails and says when; the next is a success with a warning; only changed triggers start again."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        scene.control.stop_foreign(scene.ocean_id, scene.migrations()[0]["id"])
        scene.hold(False)
        run = running.wait()
        assert run.exit_code != 0
        assert failed(run, "stopped by someone else at 20")
        assert scene.outputs()["remaining_nodes"] == scene.asg()
        assert scene.outputs()["failure"]["reason"] == "MigrationStopped"

        run = scene.up()
        assert warned(run, "stopped by someone else", "2 nodes remain")
        assert not scene.init_errors()
        assert "failure" not in scene.outputs()
        assert warned(scene.up_unchanged(), "stopped by someone else")
        assert len(scene.writes()) == 1

        scene.declare(triggers=["after the incident"])
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg()] * 2
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert not scene.up_unchanged().warnings


@pytest.mark.slow
def test_changed_nodes_start_again_what_somebody_else_stopped(driver: Driver) -> None:
    """An unrelated option is recorded without a start; a changed selector asks again."""
    with Scene(driver) as scene:
        interrupted(scene)
        scene.control.stop_foreign(scene.ocean_id, scene.migrations()[0]["id"])
        scene.hold(False)
        scene.control.advance(3600)
        scene.declare(batch_size_percentage=25)
        assert warned(scene.up(), "stopped by someone else")
        assert len(scene.writes()) == 1
        scene.declare(nodes={"asg_names": ["web", "api"]}, batch_size_percentage=25)
        scene.up()
        assert scene.starts()[-1]["instanceIds"] == sorted([*scene.asg("web"), *scene.asg("api")])
        assert len(scene.starts()) == 2


def test_a_running_migration_of_ours_is_adopted(driver: Driver) -> None:
    """The same nodes with the same flags run already: no POST, and a warning that force is unknown."""
    with Scene(driver) as scene:
        scene.hold()
        theirs = scene.control.start_foreign_migration(scene.ocean_id, scene.asg())
        scene.declare()
        preview = scene.preview()
        assert sorted(plan_of(preview)) == scene.asg()
        assert warned(preview, f"`pulumi up` adopts migration {theirs}", "`pulumi destroy` will stop it")
        running = scene.up_waiting()
        scene.hold(False)
        run = running.wait_for_success()
        assert warned(
            run, f"Adopted migration {theirs} ({len(scene.asg())} nodes) is running: `pulumi destroy` will stop it"
        )
        assert warned(run, f"unknown whether {theirs} deletes pods that PodDisruptionBudgets protect")
        assert not scene.writes()
        (migration,) = scene.outputs()["migrations"]
        assert (migration["id"], migration["origin"]) == (theirs, "adopted")
        assert "force_pod_eviction_on_pdb_failure" not in migration
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.up_unchanged()


@pytest.mark.slow
def test_an_ended_migration_of_ours_is_recorded_and_followed_up(driver: Driver) -> None:
    """What a lost run began and what failed since is recorded; the nodes it left are migrated in the same `up`."""
    with Scene(driver) as scene:
        scene.hold()
        theirs = scene.control.start_foreign_migration(scene.ocean_id, scene.asg())
        scene.control.fail_migration(scene.ocean_id, theirs, "timeout")
        scene.hold(False)
        scene.control.advance(60)
        scene.declare()
        run = scene.up()
        assert said(run, f"Adopted migration {theirs}")
        assert [each["origin"] for each in scene.outputs()["migrations"]] == ["adopted", "started"]
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg()]
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.up_unchanged()


def test_a_foreign_migration_is_waited_for(driver: Driver) -> None:
    """The preview warns, `up` names it and starts when it has ended; it is not recorded."""
    with Scene(driver, scenario="busy-cluster") as scene:
        scene.hold()
        (foreign,) = scene.migrations()
        scene.declare()
        assert warned(scene.preview(), foreign["id"], "waits for its end")
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration", foreign["id"], "started elsewhere"))
        assert not scene.writes()
        scene.hold(False)
        running.wait_for_success()
        foreign, ours = scene.migrations()
        assert ours["created_at"] >= foreign["completed_at"]
        assert [each["id"] for each in scene.outputs()["migrations"]] == [ours["id"]]
        assert scene.outputs()["migrated_nodes"] == scene.asg()


@pytest.mark.slow
def test_an_interrupted_wait_for_a_foreign_migration_leaves_nothing(driver: Driver) -> None:
    """Nothing was started, so nothing is saved; the foreign migration is not touched."""
    with Scene(driver, scenario="busy-cluster") as scene:
        scene.hold()
        scene.declare()
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration", "started elsewhere"))
        running.interrupt()
        run = running.wait()
        assert_failed(run)
        assert failed(run, "interrupted while waiting", scene.migrations()[0]["id"], "nothing was started")
        assert not scene.writes()
        assert scene.driver.resource("web") is None
        assert scene.driver.pending_operations() == []


def test_a_foreign_migration_may_be_a_failure(driver: Driver) -> None:
    """`when_busy="fail"`: a warning in the preview, an error in `up` before anything is written."""
    with Scene(driver, scenario="busy-cluster") as scene:
        scene.hold()
        (foreign,) = scene.migrations()
        scene.declare(when_busy="fail")
        assert warned(scene.preview(), foreign["id"], "Wait for its end")
        assert failed(scene.up_fails(), foreign["id"], "started elsewhere")
        assert not scene.writes()
        assert scene.driver.resource("web") is None


@pytest.mark.slow
def test_a_foreign_migration_that_holds_planned_nodes_is_waited_for(driver: Driver) -> None:
    """Other flags make it foreign: its nodes are no longer offered, but they are not gone; what it left is migrated."""
    with Scene(driver) as scene:
        held, free = scene.asg()
        scene.declare(batch_size_percentage=50)
        interrupted(scene)
        scene.hold(False)
        scene.control.stop_foreign(scene.ocean_id, scene.migrations()[0]["id"])
        scene.control.advance(3600)
        scene.hold()
        foreign = scene.control.start_foreign_migration(scene.ocean_id, [held], evict=True)
        scene.declare(triggers=["go on"])
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration", foreign))
        scene.hold(False)
        running.wait_for_success()
        assert scene.starts()[-1]["instanceIds"] == [free]
        assert scene.outputs()["remaining_nodes"] == []


@pytest.mark.slow
def test_nodes_that_vanish_before_the_start_are_dropped(driver: Driver) -> None:
    """They stay in the record as they were planned, with a warning, and are not remaining."""
    with Scene(driver, nodes=6, scenario="busy-cluster") as scene:
        scene.hold()
        planned = scene.asg()
        scene.declare()
        running = scene.driver.start("up")
        running.wait_until(lambda run: said(run, "waiting for migration"))
        scene.control.remove_node(scene.ocean_id, planned[0])
        scene.hold(False)
        run = running.wait_for_success()
        assert warned(run, planned[0], "gone")
        assert [start["instanceIds"] for start in scene.starts()] == [planned[1:]]
        assert sorted(scene.outputs()["planned_nodes"]) == planned
        assert scene.outputs()["remaining_nodes"] == []
        assert scene.outputs()["succeeded"] is True
        scene.up_unchanged()


@pytest.mark.slow
def test_changed_nodes_that_could_not_be_planned_stay_pending(driver: Driver) -> None:
    """Without the service the old plan stays in the preview and `up` fails; the next `up` plans and migrates."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        scene.declare(nodes={"asg_names": ["web", "api"]})
        scene.driver.environment["SPOTINST_BASE_URL"] = "http://127.0.0.1:9"
        assert sorted(plan_of(scene.preview())) == scene.asg("web")
        assert failed(scene.up_fails(), "could not be planned", "nothing was done")
        assert scene.outputs()["migrated_nodes"] == scene.asg("web")
        scene.driver.environment |= scene.simulator.environment
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg("web"), scene.asg("api")]
        assert scene.outputs()["migrated_nodes"] == sorted([*scene.asg("web"), *scene.asg("api")])
        scene.up_unchanged()
