"""At most one migration of the same nodes, whatever happens around its start."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.errors import (
    ClusterBusyError,
    DeadlineError,
    DuplicateMigrationError,
    InterruptedWaitError,
    MigrationError,
)
from ocean_migration_pulumi.migration.reconcile import reconcile, stop
from ocean_migration_pulumi.migration.reconcile.start import start_migration
from ocean_migration_pulumi.migration.state.migration_record import STARTED, UnansweredStart
from ocean_migration_pulumi.migration.state.unfinished import find_unfinished
from tests.migration.stage import Stage
from tests.support.timing import PATIENCE

WEB = {"asg_names": ["web"]}
CREATE = "*/migration"


def test_foreign_migration_is_waited_for_by_name(stages: Callable[..., Stage]) -> None:
    """Then ours starts."""
    stage = stages("busy-cluster")
    foreign = stage.migrations()[0]["id"]
    context = stage.up(stage.planned(stage.spec(nodes=WEB)))
    assert any(
        f"waiting for migration {foreign} (0 of 2 nodes done) (started elsewhere)" in line
        for line in context.reporter.infos
    )
    assert context.state.succeeded
    first, second = stage.migrations()
    assert second["created_at"] >= first["created_at"] + 300


def test_busy_cluster_is_an_error_when_asked_for(stages: Callable[..., Stage]) -> None:
    """Nothing is started."""
    stage = stages("busy-cluster")
    _, message = stage.fails(ClusterBusyError, stage.planned(stage.spec(nodes=WEB, when_busy="fail")))
    assert stage.migrations()[0]["id"] in message
    assert stage.writes() == 0


def test_foreign_migration_of_planned_nodes_leaves_nothing_to_start(stage: Stage) -> None:
    """Nodes that it holds are not gone: they are waited for, and then they are Ocean's already."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"), terminate=True)
    context = stage.up(planned)
    assert not any("gone" in line for line in context.reporter.warnings)
    assert stage.writes() == 0
    assert context.state.remaining == set()
    assert context.state.succeeded


def test_foreign_migration_that_is_no_longer_listed_is_over(stages: Callable[..., Stage]) -> None:
    """The wait for it ends, and ours starts."""
    stage = stages("busy-cluster")

    def forget() -> None:
        stage.control.advance(7200)
        stage.control.forget_migrations(stage.ocean_id)

    planned = stage.planned(stage.spec(nodes=WEB))
    stage.clock.after(60, forget)
    assert stage.up(planned).state.succeeded


def test_wait_for_a_foreign_migration_can_be_interrupted_and_has_its_bounds(stages: Callable[..., Stage]) -> None:
    """Nothing was started, so there is nothing to save."""
    stage = stages("busy-cluster")
    planned = stage.planned(stage.spec(nodes=WEB))
    _, message = stage.fails(ClusterBusyError, planned, seconds=120)
    assert "(started elsewhere) ended: the deadline has passed; nothing was started" in message
    stage.clock.after(60, lambda: stage.ended.set())
    context, message = stage.fails(InterruptedWaitError, planned)
    assert "interrupted while waiting for migration" in message
    assert context.state.migrations == []
    assert stage.writes() == 0


@pytest.mark.parametrize("kind", ["reset-after", "truncate"])
def test_lost_answer_is_found_in_the_list(stage: Stage, kind: str) -> None:
    """One POST, and the migration is ours by its nodes; it runs with the flags of this run."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, kind)
    context = stage.up(planned)
    assert context.state.migrations[0].origin == STARTED
    assert context.state.migrations[0].force_pod_eviction_on_pdb_failure is False
    assert context.state.succeeded
    assert any("the response to the start was lost" in line for line in context.reporter.warnings)
    assert len(stage.requests("POST")) == 1


def test_lost_start_without_effect_is_told_and_tried_again_by_the_next_up(stage: Stage) -> None:
    """After a minute of looking; the ids that were listed before are in the state."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "500")
    context, message = stage.fails(MigrationError, planned)
    assert "`pulumi up` looks for it before it starts any other" in message
    assert 60 <= round(sum(stage.clock.sleeps), 3) < 80
    assert context.state.unanswered is not None
    assert context.state.unanswered.instance_ids == stage.ids("web")
    found = find_unfinished(context.state, planned)
    assert found is not None
    assert found.code == "may-have-started"
    again = stage.up(planned, context.state)
    assert any("had no effect" in line for line in again.reporter.infos)
    assert again.state.unanswered is None
    assert again.state.succeeded


def test_lost_start_that_is_seen_only_later_is_not_started_twice(stage: Stage) -> None:
    """Ctrl-C while its answer is looked for: the next `up` takes the time that is left of the minute."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "500")
    stage.clock.after(10, lambda: stage.ended.set())
    context, message = stage.fails(MigrationError, planned)
    assert "it may have started" in message
    stage.restart()
    web = stage.ids("web")
    stage.clock.after(20, lambda: stage.control.start_foreign_migration(stage.ocean_id, web, batch_size_percentage=20))
    again = stage.up(planned, context.state)
    assert len(stage.requests("POST")) == 1
    assert [(run.origin, run.status) for run in again.state.migrations] == [(STARTED, "FINISHED")]
    assert again.state.unanswered is None
    assert any(line.startswith("Adopted migration owm-") for line in again.reporter.warnings)


def test_lost_start_is_found_with_the_flags_it_was_made_with(stage: Stage) -> None:
    """A spec that has changed since does not stand for what runs: here it stops it."""
    planned = stage.planned(stage.spec(nodes=WEB, should_terminate_drained_nodes=True))
    stage.control.fault("POST", CREATE, "500")
    context, _ = stage.fails(MigrationError, planned)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"), terminate=True)
    again = stage.up(replace(planned, should_terminate_drained_nodes=False), context.state)
    assert [migration["state"] for migration in stage.migrations()] == ["STOPPED", "FINISHED"]
    assert again.state.terminated == set()


def test_list_that_cannot_be_read_is_asked_again_while_an_answer_is_looked_for(stage: Stage) -> None:
    """An outage right after the start is no reason to give up."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "reset-after")
    stage.control.fault("GET", CREATE, "503", times=8, after=3, seconds=0)
    context = stage.up(planned)
    assert context.state.succeeded
    assert len(stage.requests("POST")) == 1


def test_ctrl_c_while_an_answer_is_looked_for_is_saved(stage: Stage) -> None:
    """With the reason that it may have started."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "reset-after")
    stage.control.fault("GET", CREATE, "503", times=10_000, after=3, seconds=0)
    stage.clock.after(5, lambda: stage.ended.set())
    context, message = stage.fails(MigrationError, planned)
    assert "it may have started" in message
    assert context.state.migrations == []
    stage.control.clear_faults()
    stage.restart()
    again = stage.up(planned, context.state)
    assert len(stage.requests("POST")) == 1
    assert again.state.succeeded


def test_ctrl_c_while_the_post_is_unanswered_is_saved(stage: Stage) -> None:
    """The answer is given a moment; then the next `up` looks for the migration."""
    planned = stage.planned(stage.spec(nodes=WEB))
    with stage.control.barrier("POST", CREATE, "after") as barrier:

        def press() -> None:
            barrier.wait(PATIENCE)
            stage.ended.set()

        presser = threading.Thread(target=press)
        presser.start()
        context, message = stage.fails(MigrationError, planned)
        presser.join()
    assert "the start of a migration of 3 nodes was lost" in message
    assert "interrupted" in message
    assert "it may have started" in message
    assert context.state.unanswered is not None
    stage.restart()
    assert stage.up(planned, context.state).state.succeeded
    assert len(stage.requests("POST")) == 1


def test_ctrl_c_before_the_post_leaves_nothing_to_look_for(stage: Stage) -> None:
    """What was not sent cannot have started anything."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = stage.context(planned)
    context.reporter.info = lambda message: stage.ended.set()  # type: ignore[method-assign]  # the line before the POST
    with pytest.raises(InterruptedWaitError):
        reconcile.reconcile(context)
    assert context.state.unanswered is None
    assert stage.writes() == 0


def test_deadline_while_an_answer_is_looked_for_says_what_may_have_started(stage: Stage) -> None:
    """However short the time was, the state has all that the next `up` needs."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "500")
    context, message = stage.fails(MigrationError, planned, seconds=20)
    assert "it may have started" in message
    assert context.state.unanswered is not None


def test_refused_start_is_an_error_that_names_the_nodes(stage: Stage) -> None:
    """Nothing is looked for: the service has said no."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "status", status=400)
    context, message = stage.fails(MigrationError, planned)
    assert f"Ocean refuses to start a migration of {', '.join(stage.ids('web'))} on {stage.ocean_id}" in message
    assert context.state.unanswered is None


def test_start_that_meets_a_migration_just_begun_waits_for_it(stage: Stage) -> None:
    """Between the list and the POST somebody else was faster."""
    planned = stage.planned(stage.spec(nodes=WEB))
    with stage.control.barrier("POST", CREATE, "before") as barrier:

        def overtake() -> None:
            barrier.wait(PATIENCE)
            stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
            barrier.release()

        other = threading.Thread(target=overtake)
        other.start()
        context = stage.up(planned)
        other.join()
    assert any("(started elsewhere)" in line for line in context.reporter.infos)
    assert stage.asked_for() == [stage.ids("web")]
    assert context.state.succeeded


def test_rate_limit_that_outlives_the_deadline_starts_nothing(stage: Stage) -> None:
    """A refusal for the rate has no effect, so nothing is looked for."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", CREATE, "429", times=100, seconds=1000)
    context, _ = stage.fails(DeadlineError, planned, seconds=300)
    assert context.state.unanswered is None
    assert stage.asked_for() == []


def test_lock_of_the_cluster_can_be_waited_for_no_longer_than_the_deadline(stage: Stage) -> None:
    """Another resource of this process is just starting its own."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = stage.context(planned, seconds=0.4)
    context.scope = replace(stage.scope(), deadline=stage.clock.now + 1)
    stage.clock.now += 2
    with context.claims.starting, pytest.raises(DeadlineError):
        start_migration(context, stage.ids("web"))
    assert stage.writes() == 0


def collide(stage: Stage, *, older: bool) -> None:
    """Let another migration of one of our nodes appear right after ours, with a time before or after it."""
    stage.control.quirk("concurrent_migrations", "allow")
    barrier = stage.control.barrier("POST", CREATE, "before" if older else "after")

    def other() -> None:
        barrier.wait(PATIENCE)
        stage.control.advance(2)
        stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web")[:1])
        stage.control.advance(2)
        barrier.release()

    threading.Thread(target=other).start()


def test_younger_of_two_migrations_of_a_node_stops_itself(stage: Stage) -> None:
    """It names the other, which goes on; no node was drained twice."""
    planned = stage.planned(stage.spec(nodes=WEB))
    collide(stage, older=True)
    context, message = stage.fails(DuplicateMigrationError, planned)
    other, ours = stage.migrations()
    assert message.startswith(f"migration {other['id']}, started elsewhere, already migrates {stage.ids('web')[0]}, so")
    assert (ours["state"], ours["drained"]) == ("STOPPED", [])
    assert other["state"] != "STOPPED"
    assert context.state.latest is not None
    assert context.state.latest.stopped_by == "us"


def test_older_of_two_migrations_of_a_node_goes_on(stage: Stage) -> None:
    """Both look at the times of the service, so only one of them stops."""
    planned = stage.planned(stage.spec(nodes=WEB))
    collide(stage, older=False)
    assert stage.up(planned).state.succeeded
    ours, other = stage.migrations()
    assert (ours["foreign"], other["foreign"]) == (False, True)
    assert stage.requests("PUT") == []


def test_two_resources_of_one_process_migrate_one_after_the_other(stage: Stage) -> None:
    """Disjoint nodes, one cluster: the second waits for the first."""
    web = stage.planned(stage.spec(nodes=WEB), owner="web")
    api = stage.planned(stage.spec(nodes={"asg_names": ["api"]}), owner="api")
    running = stage.up(replace(web, wait_for="started"), owner="web")
    context = stage.up(api, owner="api")
    assert stage.asked_for() == [stage.ids("web"), stage.ids("api")]
    assert any("(started elsewhere)" in line for line in context.reporter.infos)
    assert running.state.target_reached


def test_migration_that_another_resource_of_this_process_plans_is_not_adopted(stage: Stage) -> None:
    """Although its nodes and flags would fit."""
    stage.up(replace(stage.planned(stage.spec(nodes=WEB), owner="one"), wait_for="started"), owner="one")
    both = replace(stage.spec(nodes=WEB), planned_nodes=stage.planned(stage.spec(), owner="one").planned_nodes)
    context = stage.up(both, owner="two")
    assert not any("adopted" in line for line in context.reporter.infos)
    assert stage.asked_for()[0] == stage.ids("web")
    assert not set(stage.asked_for()[0]) & set(stage.asked_for()[1])


def recalled(stage: Stage, nodes: list[str], **more: Any) -> UnansweredStart:
    """Return a start that the journal has and no state."""
    at = format_time(stage.client.server_now())
    return UnansweredStart(listed=[], instance_ids=nodes, at=at, is_recalled=True, **more)


@pytest.mark.parametrize("case", ["stopped", "denied", "other nodes", "known", "older"])
def test_an_entry_of_the_journal_that_is_outdated_harms_no_run(stage: Stage, case: str) -> None:
    """Its migration was stopped elsewhere, is of a service that began anew, has long been in the state, or is older."""
    planned = stage.planned(stage.spec(nodes=WEB))
    api = stage.ids("api")
    other = stage.control.start_foreign_migration(stage.ocean_id, api)
    if case in {"stopped", "denied"}:
        stage.control.stop_foreign(stage.ocean_id, other)
    stage.control.advance(7200)
    context = stage.context(planned)
    nodes, migration_id = (stage.ids("web"), other) if case == "other nodes" else (api, other)
    start = recalled(stage, nodes, migration_id="owm-denied" if case == "denied" else migration_id)
    if case == "known":
        context = stage.context(planned, stage.up(planned).state)
        (migration,) = context.state.migrations
        start = recalled(stage, migration.instance_ids)
    if case == "older":
        grown = replace(stage.spec(nodes={"asg_names": ["web", "api"]}), planned_nodes=planned.planned_nodes)
        context = stage.context(grown, stage.up(planned).state)
    context.state.unanswered = start
    kept: list[Any] = []
    context.note_start = kept.append
    reconcile.reconcile(context)
    assert context.state.succeeded
    assert context.state.unanswered is None
    assert None in kept
    assert stage.asked_for() == [stage.ids("web")]
    assert other not in {migration.id for migration in context.state.migrations}


def test_a_migration_of_the_journal_is_ours_whatever_it_holds(stage: Stage) -> None:
    """It runs, and has exactly the nodes that were asked for: it is waited for first."""
    planned = stage.planned(stage.spec(nodes=WEB))
    killed = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"), terminate=True)
    context = stage.context(replace(planned, when_busy="fail", should_terminate_drained_nodes=True))
    context.state.unanswered = recalled(stage, stage.ids("api"), migration_id=killed)
    reconcile.reconcile(context)
    assert context.state.succeeded
    assert [migration.id for migration in context.state.migrations] == [each["id"] for each in stage.migrations()]
    assert context.state.migrations[0].origin == "adopted"


def test_a_finished_migration_of_the_journal_is_recorded_while_its_nodes_are_selected(stage: Stage) -> None:
    """Discovery no longer returns its nodes, so no plan names them; what it has done was asked for."""
    planned = stage.planned(stage.spec(nodes=WEB))
    api = stage.ids("api")
    killed = stage.control.start_foreign_migration(stage.ocean_id, api)
    stage.control.advance(7200)
    grown = replace(stage.spec(nodes={"asg_names": ["web", "api"]}), planned_nodes=planned.planned_nodes)
    context = stage.context(grown)
    context.state.unanswered = recalled(stage, api, migration_id=killed)
    kept: list[Any] = []
    context.note_start = kept.append
    reconcile.reconcile(context)
    state = context.state
    assert state.succeeded
    assert stage.asked_for() == [stage.ids("web")]
    assert [migration.id for migration in state.migrations] == [each["id"] for each in stage.migrations()]
    assert (state.migrations[0].status, state.migrations[0].origin) == ("FINISHED", "adopted")
    assert state.unanswered is None
    again = stage.context(grown, state)
    reconcile.reconcile(again)
    assert len(stage.requests("POST")) == 1
    assert again.state.succeeded


def test_wrong_terminal_answers_hide_no_migration_of_the_journal_from_destroy(stage: Stage) -> None:
    """Taken as its end, they would leave the migration running after a destruction that has succeeded."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(planned)
    killed = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.control.fault("GET", "*/migration/owm-*", "contradict", state="STOPPED", times=3)
    context = stage.context(planned, context.state)
    context.state.unanswered = recalled(stage, stage.ids("api"), migration_id=killed)
    stop.destroy(context)
    assert stage.migrations()[-1]["state"] == "STOPPED"
    assert [killed in request["path"] for request in stage.requests("PUT")] == [True]
