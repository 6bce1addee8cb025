"""Waits that end badly: each saves what there is, says one clear reason, and is gone on with by the next `up`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.scene import STARTS, STATUSES, Scene, assert_failed, failed, warned
from tests.support.sampling import first_is_fast


def test_a_failed_migration_says_why_and_is_followed_up(driver: Driver) -> None:
    """Reason and remedy come from the cluster's log; the next `up` migrates the nodes that remain."""
    with Scene(driver, scenario="failure-instances") as scene:
        scene.declare()
        run = scene.up_fails()
        (migration,) = scene.migrations()
        (done,) = migration["drained"]
        (left,) = set(scene.asg()) - {done}
        assert failed(run, migration["id"], "failed after", "1 of 2 nodes done", "could not start enough new instances")
        assert failed(run, "Virtual Node Group fits the remaining nodes", "then run `pulumi up` again")
        outputs = scene.outputs()
        assert outputs["status"] == "FINISHED_ERROR"
        assert outputs["errored_at"]
        assert outputs["failure"]["reason"] == "instances"
        assert outputs["migrated_nodes"] == [done]
        assert outputs["remaining_nodes"] == [left]
        assert len(scene.init_errors()) == 1

        preview = scene.preview()
        assert preview.ops["web"] == "update"
        assert scene.up().ops["web"] == "update"
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg(), [left]]
        assert "failure" not in scene.outputs()
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert not scene.init_errors()
        scene.up_unchanged()


@pytest.mark.slow
def test_an_older_failure_is_not_taken_for_the_reason(driver: Driver) -> None:
    """The reason is that of the migration's own time: an older line of the log is not shown."""
    with Scene(driver) as scene:
        scene.control.write_log(
            scene.ocean_id, "The migration has stopped due to technical timeout.", severity="ERROR", age_seconds=7200
        )
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        scene.control.fail_migration(scene.ocean_id, scene.migrations()[0]["id"], "terminate")
        scene.hold(False)
        run = running.wait()
        assert_failed(run)
        assert failed(run, "could not terminate the old nodes")
        assert scene.outputs()["failure"]["reason"] == "termination"


def test_a_refresh_after_a_failure_loses_nothing(driver: Driver) -> None:
    """A refresh clears the engine's own mark of the failure: the outputs alone must lead to an update."""
    with Scene(driver, scenario="failure-connectivity") as scene:
        scene.declare()
        scene.up_fails()
        scene.refresh()
        assert not scene.init_errors()
        assert scene.outputs()["failure"]["reason"] == "connectivity"
        preview = scene.preview()
        assert preview.ops["web"] == "update"
        assert warned(preview, "failed", "remain")
        scene.up()
        assert scene.outputs()["remaining_nodes"] == []
        assert len(scene.starts()) == 2


def test_a_deadline_leaves_the_migration_running(driver: Driver) -> None:
    """Pulumi's custom timeouts end the wait; the next `up` waits for the same migration."""
    timeouts = 'pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="6s", update="2m"))'
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(opts=timeouts)
        run = scene.up_fails()
        (migration,) = scene.migrations()
        assert failed(run, "deadline", migration["id"], "continues in Ocean", "`pulumi up` waits for it again")
        assert scene.outputs()["migration_id"] == migration["id"]
        assert scene.outputs()["remaining_nodes"] == scene.asg()
        scene.hold(False)
        assert scene.up().ops["web"] == "update"
        assert len(scene.writes()) == 1
        assert scene.outputs()["migrated_nodes"] == scene.asg()


def test_a_stall_leaves_the_migration_running(driver: Driver) -> None:
    """Without any progress for `stall_timeout` the wait ends; the migration is not touched."""
    with Scene(driver, scenario="stall") as scene:
        scene.declare(stall_timeout="4s")
        run = scene.up_fails()
        (migration,) = scene.migrations()
        assert failed(run, "no progress for", migration["id"], "continues in Ocean", "1 of 2 nodes done")
        assert len(scene.writes()) == 1
        assert not migration["terminal"]


@pytest.mark.parametrize("terminate", first_is_fast([True, False]))
def test_a_stalled_migration_is_stopped_when_asked(driver: Driver, terminate: bool) -> None:
    """`on_timeout="stop"`: stopped, STOPPED waited for; still a failure, and the next `up` goes on with the rest."""
    with Scene(driver, scenario="stall") as scene:
        spec: dict[str, Any] = {"on_timeout": "stop", "terminate_drained_nodes_on_stop": terminate}
        scene.declare(stall_timeout="4s", **spec)
        run = scene.up_fails()
        (migration,) = scene.migrations()
        assert failed(
            run, "no progress for", migration["id"], "was stopped", "`pulumi up` migrates the remaining nodes"
        )
        assert scene.stops() == [{"state": "STOPPED", "shouldTerminateDrainedNodes": terminate}]
        assert scene.outputs()["status"] == "STOPPED"
        (done,) = migration["drained"]
        assert scene.outputs()["migrated_nodes"] == [done]
        assert scene.outputs()["drained_nodes"] == ([] if terminate else [done])

        scene.declare(stall_timeout="4s", wait_for="started", **spec)
        scene.up()
        assert [start["instanceIds"] for start in scene.starts()[1:]] == [sorted({*scene.asg()} - {done})]


def test_ctrl_c_saves_the_migration_and_the_next_up_waits_for_it(driver: Driver) -> None:
    """The id is in the state, nothing is pending, and the migration that goes on is the only one."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        running.interrupt()
        run = running.wait()
        assert_failed(run)
        (migration,) = scene.migrations()
        assert failed(run, "interrupted after", migration["id"], "continues in Ocean (0 of 2 nodes done)")
        assert scene.outputs()["migration_id"] == migration["id"]
        assert scene.driver.pending_operations() == []
        assert not migration["terminal"]
        scene.hold(False)
        assert scene.preview().ops["web"] == "update"
        assert scene.up().ops["web"] == "update"
        assert len(scene.writes()) == 1
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert not scene.init_errors()
        scene.up_unchanged()


def test_a_short_outage_is_borne(driver: Driver) -> None:
    """Answers that fail or do not arrive are asked for again; the migration is waited for all the same."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        for kind in ("503", "reset-before", "429", "truncate"):
            scene.control.fault("GET", STATUSES, kind, seconds=0)
        scene.hold(False)
        running.wait_for_success()
        assert scene.outputs()["migrated_nodes"] == scene.asg()
        assert len(scene.writes()) == 1


@pytest.mark.slow
def test_an_outage_that_lasts_ends_with_the_deadline(driver: Driver) -> None:
    """A service that answers nothing any more costs the wait, not the migration's id."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(opts='pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="10s"))')
        running = scene.up_waiting()
        scene.control.fault("GET", "*", "reset-before", times=1_000_000)
        run = running.wait()
        assert_failed(run)
        (migration,) = scene.migrations()
        assert failed(run, migration["id"], "continues in Ocean")
        assert scene.outputs()["migration_id"] == migration["id"]
        scene.control.clear_faults()
        scene.hold(False)
        scene.up()
        assert len(scene.writes()) == 1
        assert scene.outputs()["migrated_nodes"] == scene.asg()


def test_a_token_that_is_revoked_ends_the_wait(driver: Driver) -> None:
    """The service can no longer be asked: a partial failure that says so; another token goes on."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        scene.driver.environment["SPOTINST_TOKEN"] = scene.control.rotate_token()
        run = running.wait()
        assert_failed(run)
        (migration,) = scene.migrations()
        assert failed(run, migration["id"], "Spot refuses the token", "continues in Ocean")
        scene.hold(False)
        scene.up()
        assert len(scene.writes()) == 1
        assert scene.outputs()["migrated_nodes"] == scene.asg()


def test_an_unknown_state_is_warned_of_once_and_waited_on(driver: Driver) -> None:
    """A state that nobody knows is no reason to give up."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        scene.control.set_state(scene.ocean_id, scene.migrations()[0]["id"], "PONDERING")
        running.wait_until(lambda run: any("PONDERING" in status for status in run.statuses))
        scene.hold(False)
        run = running.wait_for_success()
        assert len([text for text in run.warnings if "PONDERING" in text]) == 1
        assert scene.outputs()["status"] == "FINISHED"


def test_a_refused_start_is_an_error_with_nothing_saved(driver: Driver) -> None:
    """The service's refusal is shown, nothing is in the state, and the next `up` is a create."""
    with Scene(driver) as scene:
        scene.control.fault("POST", STARTS, "status", status=400)
        scene.declare()
        run = scene.up_fails()
        assert failed(run, "refuses to start a migration", scene.ocean_id)
        assert scene.driver.resource("web") is None
        assert scene.up().ops["web"] == "create"
        assert len(scene.starts()) == 1
