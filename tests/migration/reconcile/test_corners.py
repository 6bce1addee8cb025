"""What happens between two looks: adoption at the last moment, answers that change, Ctrl-C in the middle of a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.errors import InterruptedWaitError, MigrationError
from ocean_migration_pulumi.migration.reconcile import reconcile, stop
from ocean_migration_pulumi.migration.state.migration_record import ADOPTED, ADOPTED_PART
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from tests.migration.stage import Stage
from tests.support.timing import PATIENCE

WEB = {"asg_names": ["web"]}


def during(stage: Stage, method: str, route: str, action: Callable[[], Any], point: str = "before") -> None:
    """Let something happen while the next request of a route is held."""
    barrier = stage.control.barrier(method, route, point)

    def act() -> None:
        barrier.wait(PATIENCE)
        action()
        barrier.release()

    threading.Thread(target=act).start()


def test_migration_of_ours_that_appears_before_the_post_is_adopted_and_followed_up(stage: Stage) -> None:
    """Another run of the same stack was faster: what it left is started, and nothing twice."""
    planned = stage.planned(stage.spec(nodes=WEB))
    first, *rest = stage.ids("web")
    during(
        stage, "GET", "*/launchSpec", lambda: stage.control.start_foreign_migration(stage.ocean_id, rest, evict=False)
    )
    context = stage.up(planned)
    assert [run.origin for run in context.state.migrations] == [ADOPTED, "started"]
    assert stage.asked_for() == [[first]]
    assert context.state.succeeded


def test_ended_migration_of_others_counts_for_nodes_that_ours_did_not_hold(stage: Stage) -> None:
    """Though a later one of ours held other nodes."""
    web = stage.ids("web")
    stage.control.start_foreign_migration(stage.ocean_id, web[:1], terminate=True)
    stage.control.advance(3600)
    first = stage.planned(stage.spec(nodes={"instance_ids": web[1:]}))
    context = stage.up(first)
    # As it is known to a run whose list was too late to show the other one's end.
    context.state.planned[web[0]] = context.state.planned[web[1]]
    context.state.remaining.add(web[0])
    planned = replace(first, planned_nodes=dict(context.state.planned))
    stage.restart()
    again = stage.up(planned, context.state)
    assert again.state.succeeded
    assert again.state.migrated == {*web}
    assert stage.writes() == 1


def test_pods_that_a_migration_of_others_left_are_named(stage: Stage) -> None:
    """Its nodes need manual migration as those of ours do, so they count as a success."""
    web = stage.ids("web")
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.add_pod(stage.ocean_id, web[0], name="alone", controller=None)
    stage.control.start_foreign_migration(stage.ocean_id, web, terminate=True)
    stage.restart()
    context = stage.up(planned)
    assert (context.state.manual, context.state.migrations) == ({web[0]}, [])
    assert [pod["pod"] for pod in context.state.manual_pods] == ["alone"]
    assert context.state.succeeded


def test_ended_migration_of_others_does_not_count_after_a_later_one_of_ours(stage: Stage) -> None:
    """It moved other pods than those of the nodes that ours held since."""
    web = stage.ids("web")
    older = stage.control.start_foreign_migration(stage.ocean_id, web[:2], evict=True)
    stage.control.advance(3600)
    stage.control.set_node(stage.ocean_id, web[0], cordoned=False)
    stage.control.add_pod(stage.ocean_id, web[0], name="late")
    context = stage.up(stage.planned(stage.spec(nodes={"instance_ids": [web[0], web[2]]})))
    newer = stage.control.start_foreign_migration(stage.ocean_id, web, evict=True)
    assert context.find_decided_by(context.fetch_status(older)) == {web[1]}
    assert context.find_decided_by(context.fetch_status(newer)) == {*web}


@pytest.mark.parametrize("held", [1, 3])
@pytest.mark.parametrize("change", [{"triggers": (1,)}, {"should_evict_stand_alone_pods": True}])
def test_nodes_that_others_hold_are_asked_for_again_after_their_migration(
    stage: Stage, held: int, change: dict[str, Any]
) -> None:
    """Discovery does not return them, and they were done: other triggers, or evict, wait for that migration."""
    web = stage.ids("web")
    for name in web:
        stage.control.add_pod(stage.ocean_id, name, name=f"alone-{name}", controller=None)
    planned = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(planned)
    assert context.state.manual == {*web}
    for name in web:
        stage.control.set_node(stage.ocean_id, name, cordoned=False)
    other = stage.control.start_foreign_migration(stage.ocean_id, web[:held], terminate=True)
    stage.control.hold(stage.ocean_id)

    def stop_other() -> None:
        stage.control.hold(stage.ocean_id, False)
        stage.control.stop_foreign(stage.ocean_id, other)

    stage.clock.after(60, stop_other)
    stage.restart()
    again = stage.up(replace(planned, **change), context.state)
    assert any(f"waiting for migration {other}" in line for line in again.reporter.infos)
    assert stage.asked_for()[1:] == [web]


def test_migration_that_holds_other_nodes_too_is_adopted_in_part(stage: Stage) -> None:
    """Only by the first run, which knows no record; it is never stopped, whatever its flags."""
    pair = stage.ids("web")[:2]
    stage.control.start_foreign_migration(stage.ocean_id, pair, terminate=True, evict=False)
    spec = stage.spec(nodes={**WEB, "limit": "1"}, should_terminate_drained_nodes=True)
    planned = stage.planned(spec)
    assert list(planned.planned_nodes or {}) == pair[:1]
    # No planned node is offered, so the run watches the list for a minute before it adopts.
    stage.clock.after(120, lambda: stage.ended.set())
    context, _ = stage.fails(InterruptedWaitError, planned)
    assert [run.origin for run in context.state.migrations] == [ADOPTED_PART]
    assert any("also holds nodes that are not planned" in line for line in context.reporter.warnings)
    stage.restart()
    again = stage.up(replace(planned, should_terminate_drained_nodes=False), context.state)
    assert any(
        "so it continues: should_terminate_drained_nodes is now false" in line for line in again.reporter.warnings
    )
    assert again.state.migrated == {pair[0]}
    assert stage.writes() == 0


def test_update_without_a_plan_takes_the_one_of_the_outputs(stage: Stage) -> None:
    """Where `create` planned by itself, the inputs have none."""
    spec = stage.spec(nodes=WEB)
    context = stage.up(spec)
    again = stage.up(replace(spec, batch_size_percentage=30), context.state)
    assert again.state.planned == context.state.planned
    assert again.state.succeeded
    assert stage.writes() == 1


def test_create_that_plans_by_itself_passes_on_what_it_found(stages: Callable[..., Stage]) -> None:
    """The warnings that a preview would have shown."""
    stage = stages("unmatched-nodes")
    context = stage.up(stage.spec(nodes=WEB, unmatched_nodes="skip"))
    assert any("2 nodes skipped: no Virtual Node Group matches" in line for line in context.reporter.warnings)
    assert len(context.state.planned) == 1


def test_migration_whose_status_is_gone_is_waited_for_as_long_as_it_is_listed(stage: Stage) -> None:
    """However long: status and list must both deny it."""
    planned = stage.planned(stage.spec(nodes=WEB, wait_for="started"))
    context = stage.up(planned)
    stage.restart()
    stage.control.fault("GET", "*/migration/owm-*", "status", status=404, after=1, times=1000)
    stage.clock.after(1200, stage.control.clear_faults)
    again = stage.up(replace(planned, wait_for="finished"), context.state)
    assert not again.state.migrations[0].lost
    assert again.state.succeeded
    assert again.scope.clock() > 1200


def test_migration_that_is_denied_when_it_is_to_be_stopped_is_stopped(stage: Stage) -> None:
    """The stop is sent, and its effect is waited for."""
    context = stage.up(stage.planned(stage.spec(nodes=WEB, wait_for="started")))
    stage.restart()
    stage.control.fault("GET", "*/migration/owm-*", "forget", after=1, times=3)
    ending = stage.context(context.spec, context.state)
    stop.destroy(ending)
    assert ending.state.migrations[0].status == "STOPPED"
    assert len(stage.requests("PUT")) == 1


def test_ctrl_c_while_a_stop_is_unanswered_says_so(stage: Stage) -> None:
    """The stop may have been heard; the next destroy looks."""
    context = stage.up(stage.planned(stage.spec(nodes=WEB, wait_for="started")))
    stage.restart()
    ending = stage.context(context.spec, context.state)
    barrier = stage.control.barrier("PUT", "*/migration/*", "before")

    def press() -> None:
        barrier.wait(PATIENCE)
        stage.ended.set()

    threading.Thread(target=press).start()
    with pytest.raises(InterruptedWaitError, match=r"while migration owm-\w+ was asked to stop; run it again"):
        stop.destroy(ending)
    barrier.release()
    stage.restart()
    stage.control.clear_faults()
    stop.destroy(stage.context(context.spec, context.state))
    assert stage.migrations()[0]["state"] == "STOPPED"


def test_ctrl_c_while_the_reason_is_read_ends_the_run(stages: Callable[..., Stage]) -> None:
    """The state knows how the migration ended; a refresh reads the reason."""
    stage = stages("failure-timeout")
    planned = stage.planned(stage.spec(nodes=WEB))
    barrier = stage.control.barrier("GET", "*/log", "before")

    def press() -> None:
        barrier.wait(PATIENCE)
        stage.ended.set()

    threading.Thread(target=press).start()
    context, _ = stage.fails(InterruptedWaitError, planned)
    barrier.release()
    assert context.state.latest is not None
    assert context.state.latest.status == "FINISHED_ERROR"
    stage.restart()
    reading = stage.context(planned, context.state)
    assert reconcile.refresh(reading)
    assert reading.state.failure is not None
    assert reading.state.failure["reason"] == "timeout"


def test_list_that_cannot_be_read_after_the_start_is_looked_at_again(stage: Stage) -> None:
    """One refused look for a collision is no reason to give up a migration."""
    planned = stage.planned(stage.spec(nodes=WEB))
    during(
        stage,
        "POST",
        "*/migration",
        lambda: stage.control.fault("GET", "*/migration", "status", status=400),
        point="after",
    )
    assert stage.up(planned).state.succeeded


def test_lost_start_is_told_from_every_other_migration(stage: Stage) -> None:
    """Those that were listed before, and those of other nodes, are not it."""
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("batch"))
    stage.control.advance(7200)
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", "*/migration", "status", status=500)
    stage.clock.after(5, lambda: stage.ended.set())
    context = stage.context(planned)
    with pytest.raises(MigrationError, match="it may have started"):
        reconcile.reconcile(context)
    stage.restart()
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    again = stage.up(planned, context.state)
    assert [run.origin for run in again.state.migrations] == ["started"]
    assert stage.asked_for() == [stage.ids("web")]


def test_selector_of_another_version_in_the_state_is_no_change(stage: Stage) -> None:
    """What cannot be read is not compared."""
    context = stage.context(stage.spec(), ResourceState(nodes={"colour": "red"}))
    assert reconcile._recorded_selector(context.state) is None
    assert reconcile._recorded_selector(ResourceState(nodes=WEB)) == stage.spec(nodes=WEB).nodes


def test_stranger_is_bad_input_although_ocean_s_own_nodes_cannot_be_listed(stage: Stage) -> None:
    """Only the reason is less exact."""
    stage.control.fault("GET", "*/nodes", "status", status=400)
    (problem,) = stage.preview(stage.spec(nodes={"instance_ids": ["i-none"]})).problems
    assert "it is not a node of this cluster" in problem.message
