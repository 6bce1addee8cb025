"""What was interrupted, failed, stopped or changed, and how the next `up` goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ocean_migration_pulumi.errors import (
    DeadlineError,
    FrozenError,
    InterruptedWaitError,
    MigrationError,
    MigrationFailedError,
    MigrationStoppedError,
    RunDeadlineError,
    StalledError,
    UnheardError,
)
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.reconcile.adoption import find_left_by_killed_run
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.freeze import read_freeze
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.migration_record import ADOPTED
from ocean_migration_pulumi.migration.state.unfinished import find_unfinished, report_last_run
from tests.migration.stage import Stage, StagedContext

WEB = {"asg_names": ["web"]}


def interrupted(stage: Stage, spec: MigrationSpec, *, after: float = 300) -> StagedContext:
    """Run an `up` that Ctrl-C ends after so many seconds; return its job, in a new process."""
    stage.clock.after(after, lambda: stage.ended.set())
    context, message = stage.fails(InterruptedWaitError, spec)
    assert message.startswith("interrupted after ")
    stage.restart()
    return context


def stopped_in_between(stage: Stage, context: StagedContext) -> None:
    """Let somebody stop the running migration, and wait until it has."""
    latest = context.state.latest
    assert latest is not None
    stage.control.stop_foreign(stage.ocean_id, latest.id)
    stage.control.advance(600)


def test_interrupted_wait_is_resumed_without_another_start(stage: Stage) -> None:
    """The state knows the migration, and the next `up` waits for it again."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.clock.after(300, lambda: stage.ended.set())
    context, message = stage.fails(InterruptedWaitError, planned)
    assert message.endswith("continues in Ocean (1 of 3 nodes done). `pulumi up` waits for it again.")
    assert not context.state.succeeded
    assert len(context.state.remaining) == 3
    stage.restart()
    unfinished = find_unfinished(context.state, planned)
    assert unfinished is not None
    assert unfinished.code == "still-running"
    again = stage.up(planned, context.state)
    assert again.state.succeeded
    assert stage.writes() == 1
    assert [run.origin for run in again.state.migrations] == ["started"]


def test_deadline_leaves_the_migration_alone(stage: Stage) -> None:
    """By default nothing is stopped because a job's time is up."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context, message = stage.fails(DeadlineError, planned, seconds=100)
    assert "the deadline passed after 1m40s" in message
    assert stage.requests("PUT") == []
    assert stage.up(planned, context.state).state.succeeded


def test_on_timeout_stop_stops_and_waits_for_stopped(stage: Stage) -> None:
    """Beyond the deadline; the next `up` goes on with the rest."""
    planned = stage.planned(
        stage.spec(nodes=WEB, on_timeout="stop", terminate_drained_nodes_on_stop=True, batch_size_percentage=1)
    )
    context, message = stage.fails(DeadlineError, planned, seconds=300)
    (put,) = stage.requests("PUT")
    assert put["body"]["migration"] == {"state": "STOPPED", "shouldTerminateDrainedNodes": True}
    assert 'was stopped (on_timeout="stop"), 1 of 3 nodes done' in message
    (run,) = context.state.migrations
    assert (run.status, run.stopped_by) == ("STOPPED", "us")
    assert (len(context.state.migrated), context.state.terminated) == (1, context.state.migrated)
    again = stage.up(planned, context.state)
    assert stage.asked_for()[1] == sorted(context.state.remaining)
    assert again.state.succeeded


def test_stall_ends_the_wait_and_a_stop_that_hangs_is_told(stage: Stage) -> None:
    """A migration that does not even stop is left with its reason."""
    planned = stage.planned(stage.spec(nodes=WEB, stall_timeout=600.0, on_timeout="stop"))
    stage.clock.after(120, lambda: stage.control.hold(stage.ocean_id))
    context, message = stage.fails(StalledError, planned)
    assert message.startswith("no progress for 10m")
    assert "did not succeed: the deadline has passed while migration" in message
    assert context.state.latest is not None
    assert context.state.latest.status == "STOPPING"
    stage.control.hold(stage.ocean_id, held=False)
    assert stage.up(planned, context.state).state.succeeded
    assert len(stage.requests("PUT")) == 1


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("connectivity", "Ocean lost the connection"),
        ("instances", "Ocean could not start enough new instances"),
        ("timeout", "longer than Ocean allows"),
        ("schedule", "pods could not be scheduled"),
        ("terminate", "Ocean could not terminate the old nodes"),
    ],
)
def test_failure_tells_its_reason_and_the_next_up_follows_up(
    stages: Callable[..., Stage], reason: str, said: str
) -> None:
    """The remaining nodes alone are started again."""
    stage = stages(f"failure-{reason}")
    planned = stage.planned(stage.spec(nodes=WEB, should_terminate_drained_nodes=True))
    stage.control.write_log(stage.ocean_id, "The migration has failed due to technical timeout.", severity="ERROR")
    stage.control.advance(5)
    context, message = stage.fails(MigrationFailedError, planned)
    assert said in message
    assert message.endswith("then run `pulumi up` again.")
    assert "of 3 nodes done" in message
    assert context.state.failure is not None
    assert set(context.state.failure) == {"message", "reason", "remedy"}
    remaining = sorted(context.state.remaining)
    again = stage.up(planned, context.state)
    assert again.state.succeeded
    assert again.state.failure is None
    assert stage.asked_for()[1:] == ([remaining] if remaining else [])
    assert again.state.migrated == {*(planned.planned_nodes or {})}


def test_stopped_by_someone_else_fails_once_and_starts_nothing_until_asked(stage: Stage) -> None:
    """An unrelated deploy must not drain again what somebody stopped in an incident."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.clock.after(300, lambda: stage.control.stop_foreign(stage.ocean_id, stage.migrations()[0]["id"]))
    context, message = stage.fails(MigrationStoppedError, planned)
    assert "was stopped by someone else at 20" in message
    assert "nothing is started again until triggers or nodes change" in message
    assert find_unfinished(context.state, planned) is None
    reminder = report_last_run(context.state)
    assert reminder is not None
    assert reminder.code == Code.STOPPED_EARLIER
    assert reminder.fields == {"by_brake": False, "cause": "", "check": "", "nodes": 2}
    later = stage.up(replace(planned, batch_size_percentage=30), context.state)
    assert any("was stopped by someone else at 20" in line for line in later.reporter.warnings)
    assert len(stage.asked_for()) == 1
    assert stage.up(replace(planned, triggers=("go on",)), later.state).state.succeeded
    assert stage.asked_for()[1] == sorted(context.state.remaining)


def test_changed_nodes_go_on_after_a_stop_by_someone_else(stage: Stage) -> None:
    """Whoever changes the selection means it."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = interrupted(stage, planned)
    stopped_in_between(stage, context)
    quiet = stage.up(planned, context.state)
    assert any("was stopped by someone else" in line for line in quiet.reporter.warnings)
    assert len(stage.asked_for()) == 1
    wider = stage.planned(stage.spec(nodes={"asg_names": ["web", "api"]}), planned)
    assert stage.up(wider, quiet.state).state.succeeded
    assert set(stage.asked_for()[1]) == {*quiet.state.remaining, *stage.ids("api")}


@pytest.mark.parametrize(
    "flag", ["should_terminate_drained_nodes", "should_evict_stand_alone_pods", "force_pod_eviction_on_pdb_failure"]
)
def test_flag_that_is_false_now_stops_the_migration_that_has_it(stage: Stage, flag: str) -> None:
    """And the rest is started without it; what the old inputs were does not matter."""
    planned = stage.planned(stage.spec(nodes=WEB, **{flag: True}))
    context = interrupted(stage, planned)
    options: dict[str, Any] = {flag: False}
    again = stage.up(replace(planned, **options), context.state)
    assert len(stage.requests("PUT")) == 1
    assert any(f"{flag} is now false" in line for line in again.reporter.infos)
    assert [migration["state"] for migration in stage.migrations()] == ["STOPPED", "FINISHED"]
    assert stage.asked_for()[1] == sorted(set(stage.asked_for()[0]) - set(stage.migrations()[0]["drained"]))
    assert again.state.succeeded


def test_killed_while_it_stopped_for_a_flag_goes_on_with_the_rest(stage: Stage) -> None:
    """The state does not know of the PUT; the flags tell that this run would have stopped it, too."""
    planned = stage.planned(stage.spec(nodes=WEB, should_terminate_drained_nodes=True))
    context = interrupted(stage, planned)
    stopped_in_between(stage, context)
    again = stage.up(replace(planned, should_terminate_drained_nodes=False), context.state)
    assert [migration["state"] for migration in stage.migrations()] == ["STOPPED", "FINISHED"]
    assert again.state.succeeded


def test_flag_that_is_true_now_lets_the_migration_go_on(stage: Stage) -> None:
    """Only a warning: it was started with less."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = interrupted(stage, planned)
    again = stage.up(replace(planned, should_terminate_drained_nodes=True, batch_size_percentage=50), context.state)
    assert any("continues with the options that it was started with" in line for line in again.reporter.warnings)
    assert stage.writes() == 1


def test_node_that_is_excluded_while_it_is_migrated_stops_the_migration(stage: Stage) -> None:
    """The rest is started again, without it."""
    first = stage.planned(stage.spec(nodes=WEB))
    context = interrupted(stage, first, after=60)
    spared = stage.ids("web")[2]
    narrower = stage.planned(stage.spec(nodes={**WEB, "exclude": {"node_names": [entry_name(first, spared)]}}), first)
    assert spared not in (narrower.planned_nodes or {})
    again = stage.up(narrower, context.state)
    assert any(f"{spared} is no longer selected" in line for line in again.reporter.infos)
    assert stage.asked_for()[1] == sorted(set(stage.ids("web")) - {spared})
    assert again.state.succeeded


def entry_name(spec: MigrationSpec, instance_id: str) -> str:
    """Return the node name in a plan's entry."""
    return (spec.planned_nodes or {})[instance_id].split()[0]


def test_ids_that_an_earlier_wave_took_do_not_stop_the_migration(stage: Stage) -> None:
    """An exclude that only gained ids is no other selection."""
    first = stage.planned(stage.spec(nodes=WEB))
    context = interrupted(stage, first, after=60)
    gained = stage.planned(stage.spec(nodes={**WEB, "exclude": {"instance_ids": [stage.ids("web")[0]]}}), first)
    assert gained.planned_nodes == first.planned_nodes
    assert stage.up(gained, context.state).state.succeeded
    assert stage.writes() == 1


def test_killed_create_is_adopted_by_the_next_one(stage: Stage) -> None:
    """Without a state: the running migration has our nodes and flags."""
    interrupted(stage, stage.planned(stage.spec(nodes=WEB)))
    planned = stage.planned(stage.spec(nodes=WEB))
    assert sorted(planned.planned_nodes or {}) == stage.ids("web")
    context = stage.up(planned)
    (run,) = context.state.migrations
    assert (run.origin, run.batch_size_percentage, run.force_pod_eviction_on_pdb_failure) == (ADOPTED, None, None)
    assert any("deletes pods that PodDisruptionBudgets protect" in line for line in context.reporter.warnings)
    assert stage.writes() == 1
    assert context.state.succeeded


def test_killed_create_whose_migration_has_ended_is_recorded_and_followed_up(stages: Callable[..., Stage]) -> None:
    """In one `up`: what it migrated counts, and what it left is started."""
    stage = stages("failure-timeout")
    planned = stage.planned(stage.spec(nodes=WEB))
    interrupted(stage, planned, after=60)
    stage.control.advance(3600)
    again = stage.planned(stage.spec(nodes=WEB))
    assert sorted(again.planned_nodes or {}) == stage.ids("web")
    context = stage.up(again)
    assert [run.status for run in context.state.migrations] == ["FINISHED_ERROR", "FINISHED"]
    assert len(stage.asked_for()[1]) < len(stage.asked_for()[0])
    assert context.state.migrated == {*(again.planned_nodes or {})}


def test_killed_update_is_found_by_diff_and_adopted(stage: Stage) -> None:
    """The state knows the first migration, not the second; nothing is taken a third time."""
    first = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(first)
    for instance_id in stage.ids("web"):
        stage.control.set_node(stage.ocean_id, instance_id, cordoned=False)
        stage.control.add_pod(stage.ocean_id, instance_id, name=f"late-{instance_id}")
    changed = replace(first, triggers=(1,))
    stage.clock.after(60, lambda: stage.ended.set())
    stage.fails(InterruptedWaitError, changed, context.state)
    assert len(stage.asked_for()) == 2
    stage.restart()
    found = find_left_by_killed_run(stage.context(first, context.state))
    assert found is not None
    assert render(found) == (
        f"`pulumi up` adopts migration {stage.migrations()[-1]['id']} (3 nodes), which is running: "
        "`pulumi destroy` will stop it"
    )
    stage.restart()
    again = stage.up(changed, context.state)
    assert [run.origin for run in again.state.migrations] == ["started", ADOPTED]
    assert again.state.succeeded
    assert len(stage.asked_for()) == 2


def test_nodes_that_a_migration_held_days_ago_are_not_gone(stage: Stage) -> None:
    """A runner was killed before a weekend: discovery returns none of the nodes, of which one still has a pod."""
    web = stage.ids("web")
    stage.control.add_pod(stage.ocean_id, web[0], name="alone", controller=None)
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", "*/migration", "status", status=400)
    context, _ = stage.fails(MigrationError, planned)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.control.advance(7200)
    stage.control.start_foreign_migration(stage.ocean_id, web)
    stage.control.advance(7200)
    for _ in range(7):
        stage.control.start_foreign_migration(stage.ocean_id, stage.ids("batch"))
        stage.control.advance(7200)
    stage.control.advance(72 * 3600)
    stage.control.heartbeat(stage.ocean_id)
    stage.restart()
    again = stage.up(planned, context.state)
    assert again.state.migrated == {*web[1:]}
    assert again.state.manual == {web[0]}
    assert again.state.gone == set()
    assert stage.writes() == 1


def test_ended_migration_of_nodes_that_are_migrated_is_no_change(stage: Stage) -> None:
    """A colleague's that held them at the same time; one that runs is a change, and so is one of other nodes."""
    first = stage.planned(stage.spec(nodes=WEB))
    web = stage.ids("web")
    stage.clock.after(30, lambda: stage.control.start_foreign_migration(stage.ocean_id, web[:2]))
    context = stage.up(first)
    assert context.state.migrated == {*web}
    stage.control.advance(7200)
    stage.restart()
    assert all(each["terminal"] for each in stage.migrations())
    assert find_left_by_killed_run(stage.context(first, context.state)) is None

    context.state.migrated.remove(web[0])
    assert find_left_by_killed_run(stage.context(first, context.state)) is not None
    # Nor where pods are left that neither of the two moves: otherwise one more preview would find an update.
    context.state.manual = {*stage.ids("web")}
    context.state.migrated -= context.state.manual
    assert find_left_by_killed_run(stage.context(first, context.state)) is None


def test_older_state_restored_adopts_what_it_does_not_know(stage: Stage) -> None:
    """A state of before the first migration."""
    planned = stage.planned(stage.spec(nodes=WEB))
    older = stage.context(planned, None).state
    interrupted(stage, planned)
    context = stage.up(planned, older)
    assert [run.origin for run in context.state.migrations] == [ADOPTED]
    assert stage.writes() == 1


def test_migration_that_is_denied_for_a_minute_is_lost(stage: Stage) -> None:
    """Its nodes remain; later runs fail without another start, until other triggers ask for them again."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = interrupted(stage, planned, after=120)
    stage.control.advance(7200)
    stage.control.forget_migrations(stage.ocean_id)
    started = stage.clock.now
    again, message = stage.fails(MigrationError, planned, context.state)
    assert stage.clock.now - started > 45  # the service's own clock runs on meanwhile
    assert message.startswith(f"Migration {stage.migrations()[0]['id']} is lost")
    assert again.state.migrations[0].lost
    assert again.state.remaining == {*(planned.planned_nodes or {})}
    assert find_unfinished(again.state, planned) is not None
    started = stage.clock.now
    once_more, _ = stage.fails(MigrationError, planned, again.state)
    assert stage.clock.now == started
    assert stage.writes() == 1
    # They are drained, and not offered: there is nothing that other triggers could start.
    stage.fails(MigrationError, replace(planned, triggers=("again",)), once_more.state)
    assert stage.writes() == 1


def test_lost_migration_is_found_again(stage: Stage) -> None:
    """By the next run, which waits for it as if nothing had been."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.hold(stage.ocean_id)
    for route in ("*/migration", "*/migration/owm-*"):
        stage.control.fault("GET", route, "forget", times=1000, after=3)
    context, _ = stage.fails(MigrationError, planned)
    assert context.state.migrations[0].lost
    stage.control.clear_faults()
    stage.control.hold(stage.ocean_id, False)
    again = stage.up(planned, context.state)
    assert not again.state.migrations[0].lost
    assert again.state.succeeded
    assert stage.writes() == 1


def test_other_triggers_start_again_what_a_lost_migration_left(stage: Stage) -> None:
    """Nodes that are offered, that is; those of a migration that was lost in the same run never."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = interrupted(stage, planned, after=10)
    stage.control.stop_foreign(stage.ocean_id, stage.migrations()[0]["id"])
    stage.control.advance(7200)
    stage.control.forget_migrations(stage.ocean_id)
    triggered = replace(planned, triggers=("again",))
    again, _ = stage.fails(MigrationError, triggered, context.state)
    assert stage.writes() == 1
    stage.up(triggered, again.state)
    assert len(stage.asked_for()) == 2


def test_migration_that_is_forgotten_while_it_is_waited_for_is_lost(stage: Stage) -> None:
    """A fault of the service in the middle of a wait, too."""
    planned = stage.planned(stage.spec(nodes=WEB))

    def forget() -> None:
        stage.control.advance(7200)
        stage.control.forget_migrations(stage.ocean_id)

    stage.clock.after(120, forget)
    context, _ = stage.fails(MigrationError, planned)
    assert context.state.migrations[0].lost
    assert not context.state.succeeded


def test_all_that_runs_is_waited_for(stage: Stage) -> None:
    """Where the service lets two migrations run, both are followed."""
    stage.control.quirk("concurrent_migrations", "allow")
    nodes = stage.ids("web")
    planned = stage.planned(stage.spec(nodes=WEB))
    for part in (nodes[:1], nodes[1:]):
        stage.control.start_foreign_migration(stage.ocean_id, part, batch_size_percentage=50)
    context = stage.up(planned)
    assert [run.status for run in context.state.migrations] == ["FINISHED", "FINISHED"]
    assert context.state.succeeded
    assert stage.writes() == 0


def test_service_that_falls_silent_ends_the_wait_and_saves_the_id(stage: Stage) -> None:
    """After ten minutes without an answer; the migration goes on."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.clock.after(60, lambda: stage.control.fault("GET", "*/migration/owm-*", "503", times=10_000, seconds=0))
    context, message = stage.fails(UnheardError, planned)
    assert "Spot no longer reports on migration owm-" in message
    assert "it continues in Ocean" in message
    stage.control.clear_faults()
    assert stage.up(planned, context.state).state.succeeded
    assert stage.writes() == 1


@pytest.mark.parametrize(
    ("options", "done"),
    [({"wait_for": "started"}, 0), ({"wait_for": "progress", "wait_for_percentage": 30}, 1)],
    ids=["started", "progress"],
)
def test_target_that_is_reached_leaves_the_migration_running(
    stage: Stage, options: dict[str, object], done: int
) -> None:
    """There is no diff until an input changes; to wait for the end is such a change."""
    planned = stage.planned(stage.spec(nodes=WEB, **options))
    context = stage.up(planned)
    assert context.state.target_reached
    assert sum(line.startswith("migration") and "continues in Ocean" in line for line in context.reporter.infos) == 1
    assert len(stage.migrations()[0]["drained"]) == done
    assert find_unfinished(context.state, planned) is None
    ending = stage.up(replace(planned, wait_for="finished", wait_for_percentage=None), context.state)
    assert ending.state.succeeded
    assert stage.writes() == 1


def test_end_of_the_run_neither_stops_nor_fails_a_migration(stage: Stage) -> None:
    """`on_timeout` is for the resource's own deadline. The next run waits on, and starts no second one."""
    spec = stage.planned(stage.spec(nodes=WEB, on_timeout="stop", batch_size_percentage=1))
    context = stage.context(spec)
    context.scope = replace(context.scope, run_ends=context.scope.clock() + 920.0)
    with pytest.raises(RunDeadlineError) as caught:
        reconcile.reconcile(context)
    (started,) = context.state.migrations
    assert str(caught.value).startswith(
        f"OCEAN_MIGRATION_DEADLINE is reached after 13m20s; migration {started.id} continues"
    )
    assert caught.value.migration_id == started.id
    assert stage.requests("PUT") == []
    stage.restart()
    ended = stage.up(spec, context.state)
    assert len(stage.asked_for()) == 1
    assert ended.state.remaining == set()


def test_nothing_starts_shortly_before_the_end_of_the_run(stage: Stage) -> None:
    """But what runs already is waited for."""
    spec = stage.planned(stage.spec(nodes=WEB))
    context = stage.context(spec)
    context.scope = replace(context.scope, run_ends=context.scope.clock() + 890.0)
    with pytest.raises(RunDeadlineError, match="no migration starts in the last 15 minutes"):
        reconcile.reconcile(context)
    assert stage.writes() == 0
    assert context.state.migrations == []
    assert context.state.unanswered is None


def test_freeze_window_bounds_starts_alone(stage: Stage) -> None:
    """A running migration is waited for, and stopped, in a freeze, too."""
    frozen = read_freeze("freeze", {"not_after": "2000-01-01T00:00:00Z"})
    spec = stage.planned(stage.spec(nodes=WEB))
    _, message = stage.fails(FrozenError, replace(spec, freeze=frozen))
    assert message == ("No migration starts: freeze allows no start from now on. Change freeze; nothing was started")
    assert stage.writes() == 0
    started = stage.up(replace(spec, wait_for="started"))
    stage.restart()
    ended = stage.up(replace(spec, freeze=frozen), started.state)
    assert ended.state.remaining == set()
    assert len(stage.asked_for()) == 1


def test_start_that_a_rate_limit_holds_up_is_judged_again(stage: Stage) -> None:
    """The request that is repeated is sent minutes later: too late before the end of the run, or in a freeze."""
    spec = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", "*/migration", "429", seconds=60)
    context = stage.context(spec)
    context.scope = replace(context.scope, run_ends=context.scope.clock() + 910.0)
    with pytest.raises(RunDeadlineError, match="no migration starts in the last 15 minutes"):
        reconcile.reconcile(context)
    assert context.state.unanswered is None
    assert stage.migrations() == []

    stage.restart()
    stage.control.fault("POST", "*/migration", "429", seconds=60)
    context = stage.context(spec)
    soon = (context.now() + timedelta(seconds=20)).isoformat()
    context = stage.context(replace(spec, freeze=read_freeze("freeze", {"not_after": soon})))
    with pytest.raises(FrozenError, match="nothing was started"):
        reconcile.reconcile(context)
    assert context.state.unanswered is None
    assert stage.migrations() == []


def test_a_killed_follow_up_is_adopted_although_the_list_lags(stage: Stage) -> None:
    """The nodes that remain are hidden, which says that something may hold them."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.arm_failure(stage.ocean_id, "instances")
    before = stage.fails(MigrationFailedError, planned)[0].state
    stage.up(replace(planned, wait_for="started"), before)  # the run that is killed: its state is lost
    stage.restart()
    stage.control.quirk("list_lag", "86400s")
    stage.clock.after(30, lambda: stage.control.quirk("list_lag", "0s"))
    context = stage.up(planned, before)
    assert context.state.succeeded
    assert stage.writes() == 2
    assert [each.id for each in context.state.migrations] == [each["id"] for each in stage.migrations()]


def test_a_killed_start_of_manual_nodes_is_adopted_although_the_list_lags(stage: Stage) -> None:
    """No node remains, but the flag asks for the nodes with standalone pods, which the migration hides."""
    stage.control.add_pod(stage.ocean_id, stage.ids("web")[0], name="alone", controller=None)
    planned = stage.planned(stage.spec(nodes=WEB))
    before = stage.up(planned).state
    assert before.manual
    evicting = replace(planned, should_evict_stand_alone_pods=True)
    stage.up(replace(evicting, wait_for="started"), before)  # the run that is killed: its state is lost
    stage.restart()
    stage.control.quirk("list_lag", "86400s")
    stage.clock.after(30, lambda: stage.control.quirk("list_lag", "0s"))
    context = stage.up(evicting, before)
    assert not context.state.manual
    assert stage.writes() == 2
    assert [each.id for each in context.state.migrations] == [each["id"] for each in stage.migrations()]


def test_pods_that_ocean_left_are_named_once_the_entries_are_readable(stage: Stage) -> None:
    """The migration has finished without them, and the next run reads what is left."""
    node = stage.ids("web")[0]
    stage.control.add_pod(stage.ocean_id, node, name="alone", controller=None)
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("GET", "*/migration/owm-*", "contradict", times=1_000_000, state=None, entries=False)
    context, _ = stage.fails(MigrationError, planned)
    assert context.state.manual_pods == []
    stage.control.clear_faults()
    stage.restart()
    again = stage.up(planned, context.state)
    assert again.state.manual == {node}
    assert [pod["pod"] for pod in again.state.manual_pods] == ["alone"]
