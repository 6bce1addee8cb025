"""The ordinary life of a migration: planned, run, left alone, followed up, ended by another target than its end."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.scene import Scene, plan_of, said, warned


def test_the_first_up_migrates_and_the_next_does_nothing(driver: Driver) -> None:
    """The plan of the preview is what `up` migrates; the outputs say so, and another `up` writes nothing."""
    with Scene(driver) as scene:
        scene.declare()
        preview = scene.preview()
        planned = plan_of(preview)
        assert sorted(planned) == scene.asg()
        run = scene.up()
        assert run.ops["web"] == "create"
        (start,) = scene.starts()
        assert start == {
            "instanceIds": scene.asg(),
            "batchSizePercentage": 50,
            "shouldTerminateDrainedNodes": False,
            "shouldEvictStandAlonePods": False,
            "forcePodEvictionOnPdbFailure": False,
        }
        outputs = scene.outputs()
        (migration,) = scene.migrations()
        assert outputs["migration_id"] == migration["id"]
        assert outputs["status"] == "FINISHED"
        assert outputs["succeeded"] is True
        assert outputs["progress"] == 100
        assert outputs["planned_nodes"] == planned
        assert outputs["migrated_nodes"] == scene.asg()
        assert outputs["drained_nodes"] == scene.asg()
        assert outputs["remaining_nodes"] == []
        assert outputs["ocean_nodes"] == sorted(migration["new_instances"])
        assert outputs["effective_account_id"] == scene.simulator.account_id
        assert [each["origin"] for each in outputs["migrations"]] == ["started"]
        states = [each["state"] for each in outputs["timeline"]]
        assert states[-1] == "FINISHED"
        assert len(states) > 3
        assert said(run, "finished", "2 of 2 nodes done")
        assert any("DRAIN_NODES" in status for status in run.statuses)
        assert "still to migrate" not in run.output
        scene.up_unchanged()
        assert not scene.preview().warnings


def test_a_node_that_joins_is_told_of_and_followed_when_asked(driver: Driver) -> None:
    """`report` tells of it in one line without a diff; `migrate` plans that node and migrates it alone."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        joined = scene.control.add_node(scene.ocean_id, "web")["instance_id"]
        preview = scene.preview()
        assert preview.ops["web"] == "same"
        assert len([message for _, message in preview.diagnostics if joined in message]) == 1
        scene.up_unchanged()

        scene.declare(new_nodes="migrate")
        preview = scene.preview()
        assert preview.ops["web"] == "update"
        assert plan_of(preview).keys() == {*scene.asg()}
        mark = scene.mark()
        scene.up()
        assert [start["instanceIds"] for start in scene.starts(mark)] == [[joined]]
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert len(scene.outputs()["migrations"]) == 2


@pytest.mark.slow
def test_a_node_that_replaces_a_terminated_one_is_not_followed(driver: Driver) -> None:
    """An Auto Scaling Group that refills would be migrated for ever: a warning instead, until triggers change."""
    with Scene(driver) as scene:
        scene.control.refill(scene.ocean_id, "web")
        before = scene.asg()
        scene.declare(new_nodes="migrate", should_terminate_drained_nodes=True)
        assert warned(scene.preview(), "desired capacity", "web")
        scene.up()
        scene.control.advance(120)
        refilled = sorted(set(scene.asg()) - set(before))
        assert len(refilled) == 2
        preview = scene.preview()
        assert preview.ops["web"] == "same"
        assert warned(preview, "Auto Scaling Group web replaces terminated nodes. Lower its desired capacity")
        scene.up_unchanged()

        scene.control.refill(scene.ocean_id, "web", refills=False)
        scene.declare(new_nodes="migrate", should_terminate_drained_nodes=True, triggers=["again"])
        mark = scene.mark()
        run = scene.up()
        assert warned(run, "Auto Scaling Group web replaces terminated nodes")
        assert [start["instanceIds"] for start in scene.starts(mark)] == [refilled]


def test_planned_nodes_that_were_migrated_are_kept(driver: Driver) -> None:
    """Nodes that Ocean has terminated stay in the plan without a diff, even when the migration is forgotten."""
    with Scene(driver) as scene:
        scene.declare(should_terminate_drained_nodes=True)
        scene.up()
        planned = scene.outputs()["planned_nodes"]
        assert scene.outputs()["drained_nodes"] == []
        for instance_id in scene.asg():
            scene.control.remove_node(scene.ocean_id, instance_id)
        scene.control.forget_migrations(scene.ocean_id)
        assert not scene.up_unchanged().warnings
        scene.refresh()
        scene.up_unchanged()
        assert scene.outputs()["planned_nodes"] == planned
        assert scene.outputs()["migrated_nodes"] == sorted(planned)
        assert scene.outputs()["status"] == "FINISHED"


def test_options_that_change_when_nothing_remains_are_recorded(driver: Driver) -> None:
    """An update without any write, and then no diff."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        mark = scene.mark()
        scene.declare(batch_size_percentage=10, force_pod_eviction_on_pdb_failure=True)
        assert scene.up().ops["web"] == "update"
        assert not scene.writes(mark)
        scene.up_unchanged()


def test_up_may_go_on_when_the_migration_has_started(driver: Driver) -> None:
    """`wait_for="started"`: no diff while it runs or when it has ended; a refresh follows it."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        assert scene.outputs()["status"] == "STARTING"
        assert scene.outputs()["remaining_nodes"] == scene.asg()
        scene.up_unchanged()
        scene.hold(False)
        scene.control.advance(3600)
        scene.up_unchanged()
        scene.refresh()
        assert scene.outputs()["status"] == "FINISHED"
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.up_unchanged()
        assert len(scene.starts()) == 1


@pytest.mark.slow
def test_a_failure_after_the_target_is_found_by_a_refresh(driver: Driver) -> None:
    """It is a warning in the preview, and an update that follows up the nodes that remain."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        scene.control.fail_migration(scene.ocean_id, scene.outputs()["migration_id"], "instances")
        scene.hold(False)
        scene.control.advance(3600)
        scene.refresh()
        outputs = scene.outputs()
        assert outputs["status"] == "FINISHED_ERROR"
        assert outputs["failure"]["reason"] == "instances"
        assert outputs["succeeded"] is False
        preview = scene.preview()
        assert preview.ops["web"] == "update"
        assert warned(preview, outputs["migration_id"], "failed")
        assert scene.up().ops["web"] == "update"
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg(), scene.asg()]


def test_up_may_go_on_when_a_share_of_the_nodes_is_done(driver: Driver) -> None:
    """`wait_for="progress"`: half of the nodes are enough, whatever becomes of the rest."""
    with Scene(driver, scenario="stall") as scene:
        scene.declare(wait_for="progress", wait_for_percentage=50)
        scene.up()
        outputs = scene.outputs()
        assert outputs["progress"] == 50
        assert outputs["status"] not in {"FINISHED", "STOPPED"}
        assert len(outputs["remaining_nodes"]) >= 1
        scene.up_unchanged()
        scene.declare(wait_for="progress", wait_for_percentage=50, stall_timeout="10m")
        assert scene.up().ops["web"] == "update"
        assert len(scene.starts()) == 1


@pytest.mark.slow
def test_a_soak_that_fails_starts_anew(driver: Driver) -> None:
    """A pod without a node ends the soak as a partial failure; the next `up` only soaks again."""
    with Scene(driver) as scene:
        scene.declare(soak_time="10m")
        running = scene.driver.start("up")
        running.wait_until(lambda run: any("soaking" in status for status in run.statuses))
        scene.control.add_pod(scene.ocean_id, None, name="stray")
        run = running.wait()
        assert run.exit_code != 0
        assert any("soak" in error and "1 pod unscheduled" in error for error in run.errors), run.output
        assert scene.outputs()["status"] == "FINISHED"
        assert "soaked_until" not in scene.outputs()
        scene.control.remove_pod(scene.ocean_id, "stray")
        scene.declare(soak_time="100ms")
        assert scene.preview().ops["web"] == "update"
        assert scene.up().ops["web"] == "update"
        assert scene.outputs()["soaked_until"]
        assert scene.outputs()["succeeded"] is True
        scene.up_unchanged()
        assert len(scene.starts()) == 1


def test_a_soak_that_is_interrupted_starts_anew(driver: Driver) -> None:
    """Ctrl-C while soaking saves everything; the resource is unfinished until a soak has passed."""
    with Scene(driver) as scene:
        scene.declare(soak_time="10m")
        running = scene.driver.start("up")
        running.wait_until(lambda run: any("soaking" in status for status in run.statuses))
        running.interrupt()
        assert running.wait().exit_code != 0
        assert scene.init_errors()
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.refresh()
        preview = scene.preview()
        assert preview.ops["web"] == "update"
        assert said(preview, "soak has not passed")
        scene.declare(soak_time="100ms")
        scene.up()
        assert scene.outputs()["soaked_until"]
        assert len(scene.starts()) == 1


def test_pods_that_are_left_over_are_named_and_retried_when_asked(driver: Driver) -> None:
    """A success with a warning that names pods and nodes; only evict, or triggers, take these nodes once more."""
    with Scene(driver, scenario="stand-alone-pods") as scene:
        scene.declare()
        run = scene.up()
        assert warned(run, "debug-1", "debug-2", "2 nodes")
        outputs = scene.outputs()
        assert outputs["manual_nodes"] == scene.asg()
        assert sorted(pod["pod"] for pod in outputs["manual_pods"]) == ["debug-1", "debug-2"]
        assert outputs["migrated_nodes"] == []
        assert outputs["remaining_nodes"] == []
        assert outputs["succeeded"] is True
        scene.up_unchanged()

        scene.declare(triggers=["again"])
        scene.up()
        assert len(scene.starts()) == 2
        assert scene.outputs()["manual_nodes"] == scene.asg()

        scene.declare(triggers=["again"], should_evict_stand_alone_pods=True)
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg()] * 3
        assert scene.outputs()["manual_nodes"] == []
        assert scene.outputs()["manual_pods"] == []
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.up_unchanged()


@pytest.mark.slow
def test_triggers_take_nodes_once_more_that_have_pods_again(driver: Driver) -> None:
    """A migrated node that somebody uncordoned is left alone until triggers change; the other one even then."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        again = scene.asg()[0]
        scene.control.set_node(scene.ocean_id, again, cordoned=False)
        scene.control.add_pod(scene.ocean_id, again, name="back")
        scene.up_unchanged()
        scene.declare(triggers=[1])
        mark = scene.mark()
        scene.up()
        assert [start["instanceIds"] for start in scene.starts(mark)] == [[again]]
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        scene.up_unchanged()
