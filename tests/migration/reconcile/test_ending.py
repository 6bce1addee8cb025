"""Refresh, destroy and the soak."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.errors import (
    DeadlineError,
    InterruptedWaitError,
    MigrationError,
    PermissionDeniedError,
    RequestRejectedError,
    ResponseError,
    ServiceError,
)
from ocean_migration_pulumi.migration.reconcile import reconcile, stop
from ocean_migration_pulumi.migration.state.migration_record import ADOPTED_PART, MigrationRecord
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.migration.state.unfinished import find_unfinished, report_last_run
from tests.migration.stage import OWNER, Stage, StagedContext
from tests.support.timing import PATIENCE

WEB = {"asg_names": ["web"]}


def running(stage: Stage, **options: Any) -> StagedContext:
    """Run an `up` that leaves its migration running, in a process of its own."""
    context = stage.up(stage.planned(stage.spec(nodes=WEB, wait_for="started", **options)))
    stage.restart()
    return context


def destroyed(stage: Stage, context: StagedContext, **more: Any) -> StagedContext:
    """Destroy what a run has left; return the context."""
    ending = stage.context(context.spec, context.state, seconds=900, **more)
    ending.creating = False
    stop.destroy(ending)
    return ending


def test_destroy_stops_what_runs_and_waits_for_its_end(stage: Stage) -> None:
    """By one PUT, with the flag that was asked for."""
    context = running(stage, terminate_drained_nodes_on_stop=True)
    stage.control.advance(300)
    ending = destroyed(stage, context)
    (put,) = stage.requests("PUT")
    assert put["body"]["migration"] == {"state": "STOPPED", "shouldTerminateDrainedNodes": True}
    assert stage.migrations()[0]["state"] == "STOPPED"
    assert any(
        "stopping migration owm-" in line and "the resource is destroyed" in line for line in ending.reporter.infos
    )
    assert any("the workloads of 1 node stay on Ocean's nodes" in line for line in ending.reporter.infos)


def test_destroy_of_what_stops_already_sends_no_second_put(stage: Stage) -> None:
    """It waits for the end."""
    context = running(stage)
    stage.control.stop_foreign(stage.ocean_id, stage.migrations()[0]["id"])
    destroyed(stage, context)
    assert stage.requests("PUT") == []
    assert stage.migrations()[0]["state"] == "STOPPED"


def test_destroy_of_what_has_ended_is_success(stage: Stage) -> None:
    """Nothing is written."""
    context = running(stage)
    stage.control.advance(7200)
    destroyed(stage, context)
    assert stage.requests("PUT") == []


@pytest.mark.parametrize("state", ["ERROR", "FINISHED"])
def test_stop_that_comes_too_late_is_no_failure(stage: Stage, state: str) -> None:
    """Between its status and the PUT a migration may end, or begin to fail."""
    context = running(stage)
    migration = stage.migrations()[0]["id"]
    with stage.control.barrier("PUT", f"*/{migration}", "before") as barrier:

        def end() -> None:
            barrier.wait(PATIENCE)
            if state == "ERROR":
                stage.control.fail_migration(stage.ocean_id, migration)
            else:
                stage.control.advance(7200)
            barrier.release()

        other = threading.Thread(target=end)
        other.start()
        destroyed(stage, context)
        other.join()
    assert stage.migrations()[0]["state"] in {"FINISHED", "FINISHED_ERROR"}


def test_failing_migration_is_not_asked_to_stop(stage: Stage) -> None:
    """It is on its way to its end."""
    context = running(stage)
    stage.control.fail_migration(stage.ocean_id, stage.migrations()[0]["id"])
    destroyed(stage, context)
    assert stage.requests("PUT") == []


def test_stop_that_is_refused_is_an_error(stage: Stage) -> None:
    """Whatever runs on must not be forgotten."""
    context = running(stage)
    stage.control.fault("PUT", "*/migration/*", "status", status=400)
    with pytest.raises(RequestRejectedError):
        destroyed(stage, context)


def test_migration_that_is_forgotten_is_deleted_after_a_minute(stage: Stage) -> None:
    """Before its status is read, and while its end is waited for; the stop is sent whatever the status says."""
    context = running(stage)
    stage.control.advance(7200)
    stage.control.forget_migrations(stage.ocean_id)
    started = stage.clock.now
    destroyed(stage, context)
    assert stage.clock.now - started > 45  # the service's own clock runs on meanwhile

    def forget() -> None:
        stage.control.advance(7200)
        stage.control.forget_migrations(stage.ocean_id)

    again = stage.up(replace(stage.planned(stage.spec(nodes={"asg_names": ["api"]})), wait_for="started"))
    stage.restart()
    stage.clock.after(1, forget)
    destroyed(stage, again)
    assert len(stage.requests("PUT")) == 2


@pytest.mark.parametrize("press", [True, False], ids=["Ctrl-C", "deadline"])
def test_destroy_whose_wait_ends_early_says_what_is_going_on(stage: Stage, press: bool) -> None:
    """The stop goes on; the next destroy waits for it without another PUT."""
    context = running(stage)
    stage.control.hold(stage.ocean_id)
    if press:
        stage.clock.after(60, lambda: stage.ended.set())
    with pytest.raises(InterruptedWaitError if press else DeadlineError, match=r"while migration owm-.* was stopping"):
        destroyed(stage, context)
    stage.control.hold(stage.ocean_id, held=False)
    stage.restart()
    destroyed(stage, context)
    assert len(stage.requests("PUT")) == 1


def test_destroy_of_a_cluster_that_is_gone_is_success(stage: Stage) -> None:
    """There is nothing left to stop."""
    context = running(stage)
    stage.control.delete_cluster(stage.ocean_id)
    ending = destroyed(stage, context)
    assert ending.reporter.infos == [f"cluster {stage.ocean_id} is gone; nothing runs there"]


def test_destroy_finds_what_a_killed_update_has_started(stage: Stage) -> None:
    """The state does not know it, the list does."""
    planned = stage.planned(stage.spec(nodes=WEB))
    older = stage.context(planned)
    older.state.planned = dict(planned.planned_nodes or {})
    running(stage)
    destroyed(stage, older)
    assert stage.migrations()[0]["state"] == "STOPPED"


def test_destroy_waits_for_a_late_list_while_nodes_are_hidden(stage: Stage) -> None:
    """A killed update may have started what hides the nodes that remain; where none is hidden nothing is waited for."""
    planned = stage.planned(stage.spec(nodes=WEB))
    older = stage.context(planned)
    older.state.planned = dict(planned.planned_nodes or {})
    older.state.remaining = {*older.state.planned}
    started = stage.clock.now
    destroyed(stage, older)
    assert stage.clock.now == started
    running(stage)
    stage.control.quirk("list_lag", "86400s")
    stage.clock.after(20, lambda: stage.control.quirk("list_lag", "0s"))
    destroyed(stage, older)
    assert stage.migrations()[0]["state"] == "STOPPED"


def test_destroy_names_a_running_migration_that_the_state_does_not_have(stage: Stage) -> None:
    """A killed update may have started it, of nodes that the state never had; older ones are of others."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(planned)
    stage.restart()
    assert not destroyed(stage, context).reporter.warnings
    other = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.restart()
    (warning,) = destroyed(stage, context).reporter.warnings
    assert f"`ocean-migration stop {other}`" in warning
    assert stage.requests("PUT") == []


def test_destroy_leaves_alone_what_holds_other_nodes_too(stage: Stage) -> None:
    """A migration that was adopted in part is named and goes on."""
    context = running(stage)
    context.state.migrations[0].origin = ADOPTED_PART
    ending = destroyed(stage, context)
    assert any("also holds nodes that were not planned, so it continues" in line for line in ending.reporter.warnings)
    assert stage.requests("PUT") == []


def test_destroy_leaves_alone_what_another_resource_has_adopted(stage: Stage) -> None:
    """A renamed resource is created first."""
    context = running(stage)
    stage.up(replace(stage.planned(stage.spec(nodes=WEB), owner="new"), wait_for="started"), owner="new")
    ending = destroyed(stage, context)
    assert any("continues: another resource has adopted it" in line for line in ending.reporter.infos)
    assert stage.requests("PUT") == []


@pytest.mark.parametrize("known", [True, False], ids=["recorded", "unrecorded"])
def test_destroy_leaves_alone_what_its_replacement_has_taken(stage: Stage, known: bool) -> None:
    """`--replace` creates first, under the same name."""
    context = running(stage)
    if not known:
        stage.control.advance(60)
        context.state.migrations = []
    replacement = stage.up(replace(stage.planned(stage.spec(nodes=WEB)), wait_for="started"))
    assert replacement.owner == OWNER
    assert len(replacement.state.migrations) == 1
    destroyed(stage, context)
    assert stage.requests("PUT") == []
    assert stage.migrations()[0]["state"] != "STOPPED"


def test_refresh_follows_the_service(stage: Stage) -> None:
    """A migration that has ended since is recorded as it ended."""
    context = running(stage)
    stage.control.advance(7200)
    reading = stage.context(context.spec, context.state)
    assert reconcile.refresh(reading)
    assert reading.state.succeeded
    assert reading.state.migrated == {*(context.spec.planned_nodes or {})}
    assert stage.writes() == 1


def test_refresh_brings_the_reason_of_a_failure(stages: Callable[..., Stage]) -> None:
    """It is a warning in the next preview, and an update."""
    stage = stages("failure-instances")
    context = running(stage)
    stage.control.advance(7200)
    reading = stage.context(context.spec, context.state)
    assert reconcile.refresh(reading)
    assert reading.state.failure is not None
    assert reading.state.failure["reason"] == "instances"
    assert find_unfinished(reading.state, context.spec) is not None
    reminder = report_last_run(reading.state)
    assert reminder is not None
    assert reminder.fields["message"].startswith("Ocean could not start enough new instances")
    fresh = stage.context(context.spec, reading.state)
    assert reconcile.refresh(fresh)
    assert fresh.state.failure == reading.state.failure


def test_reason_that_cannot_be_read_is_no_reason_to_fail(stages: Callable[..., Stage]) -> None:
    """The failure says where to look."""
    stage = stages("failure-instances")
    context = running(stage)
    stage.control.advance(7200)
    stage.control.fault("GET", "*/log", "status", status=400)
    reading = stage.context(context.spec, context.state)
    assert reconcile.refresh(reading)
    assert reading.state.failure is not None
    assert "could not read the reason" in reading.state.failure["message"]


def test_failure_is_over_when_nothing_remains(stage: Stage) -> None:
    """An interruption whose migration finished on its own."""
    context = running(stage)
    context.state.failure = {"message": "interrupted", "reason": "InterruptedWait", "remedy": ""}
    stage.control.advance(7200)
    reading = stage.context(context.spec, context.state)
    assert reconcile.refresh(reading)
    assert reading.state.failure is None
    assert report_last_run(reading.state) is None


def test_refresh_removes_only_what_the_service_says_is_gone(stage: Stage) -> None:
    """A cluster that does not exist; no other answer counts."""
    context = running(stage)
    for kind, code, error in (
        ("html-404", None, ResponseError),
        ("status", 403, PermissionDeniedError),
        ("500", None, ServiceError),
    ):
        stage.control.fault("GET", "*/cluster/o-????????", kind, times=100, status=code)
        with pytest.raises(error):
            reconcile.refresh(stage.context(context.spec, context.state))
        stage.control.clear_faults()
    stage.control.delete_cluster(stage.ocean_id)
    assert reconcile.refresh(stage.context(context.spec, context.state)) is False


def test_refresh_keeps_a_migration_that_is_denied(stage: Stage) -> None:
    """The record stays as it was, and so does what it left undone."""
    context = running(stage)
    before = context.state.migrations[0].id
    stage.control.advance(7200)
    stage.control.forget_migrations(stage.ocean_id)
    reading = stage.context(context.spec, context.state)
    assert reconcile.refresh(reading)
    assert [run.id for run in reading.state.migrations] == [before]
    assert reading.state.migrations == context.state.migrations
    assert [line for line in reading.reporter.warnings if "was not found. A single response proves nothing" in line]
    assert reading.state.remaining == {*stage.ids("web")}


def test_soak_watches_after_the_end(stage: Stage) -> None:
    """And records when it had passed; it is not done again."""
    planned = stage.planned(stage.spec(nodes=WEB, soak_time=120.0))
    context = stage.up(planned)
    assert any(line.startswith("soaking for 2m00s, ") for line in context.reporter.statuses)
    assert context.state.soaked_until is not None
    assert context.state.soaked_until > (context.state.migrations[0].completed_at or "")
    requests = len(stage.control.requests(method="GET"))
    assert stage.up(planned, context.state).state.soaked_until == context.state.soaked_until
    assert len(stage.control.requests(method="GET")) < requests + 10


@pytest.mark.parametrize("trouble", ["pod", "controller", "Ctrl-C"])
def test_soak_that_fails_starts_anew(stage: Stage, trouble: str) -> None:
    """A pod without a node, a dead controller, or Ctrl-C: unfinished."""
    planned = stage.planned(stage.spec(nodes=WEB, soak_time=600.0))
    first = stage.up(replace(planned, soak_time=0.0))
    assert first.state.soaked_until is None
    assert find_unfinished(first.state, planned) is not None
    actions = {
        "pod": lambda: stage.control.add_pod(stage.ocean_id, None, name="homeless"),
        "controller": lambda: stage.control.heartbeat(stage.ocean_id, status="INACTIVE", age_seconds=3600),
        "Ctrl-C": lambda: stage.ended.set(),
    }
    stage.clock.after(60, actions[trouble])
    error = InterruptedWaitError if trouble == "Ctrl-C" else MigrationError
    context, message = stage.fails(error, planned, first.state)
    expected = {"pod": "1 pod unscheduled", "controller": "Ocean Controller is INACTIVE", "Ctrl-C": "interrupted"}
    assert expected[trouble] in message
    assert context.state.soaked_until is None
    assert find_unfinished(context.state, planned) is not None
    stage.restart()
    stage.control.heartbeat(stage.ocean_id)
    if trouble == "pod":
        stage.control.remove_pod(stage.ocean_id, "homeless")
    assert stage.up(planned, context.state).state.soaked_until is not None


def test_reminder_of_a_quiet_record_is_none() -> None:
    """A preview has nothing to say of what is done."""
    assert report_last_run(ResourceState()) is None
    state = ResourceState(migrations=[MigrationRecord(id="owm-1", status="DRAIN_NODES")], remaining={"i-1"})
    assert report_last_run(state) is None
