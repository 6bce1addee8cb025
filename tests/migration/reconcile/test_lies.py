"""Answers that no honest service gives: none makes a run green, starts a migration twice, or stops a colleague's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.migration import Heartbeat
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    DeadlineError,
    MigrationError,
    OceanMigrationError,
    PermissionDeniedError,
    PlanError,
    ServiceError,
)
from ocean_migration_pulumi.migration.reconcile import reconcile, stop
from ocean_migration_pulumi.migration.reconcile.adoption import find_left_by_killed_run
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from tests.migration.stage import Stage, StagedContext

WEB = {"asg_names": ["web"]}
FOR_EVER = 1_000_000
STATUSES = "*/migration/owm-*"


class Liar:
    """Spot's API, some of whose methods return something else: each lie gets what the service says, and changes it."""

    def __init__(self, api: Any, lies: dict[str, Callable[[Any], Any]]) -> None:
        self._api = api
        self._lies = lies

    def within(self, scope: Any) -> Liar:
        """Return the same within a scope."""
        return Liar(self._api.within(scope), self._lies)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._api, name)
        lie = self._lies.get(name)
        return found if lie is None else lambda *args, **more: lie(found(*args, **more))


def lying(stage: Stage, **lies: Callable[[Any], Any]) -> None:
    """Let the service lie from now on; a new process of the plugin asks it."""
    stage.restart()
    stage.client = Liar(stage.client, lies)  # type: ignore[assignment]  # stands for the client


def destroyed(stage: Stage, context: StagedContext) -> StagedContext:
    """Destroy what a run has left."""
    ending = stage.context(context.spec, context.state, seconds=900)
    ending.creating = False
    stop.destroy(ending)
    return ending


def started(stage: Stage, **options: Any) -> StagedContext:
    """Run an `up` that leaves its migration running."""
    context = stage.up(stage.planned(stage.spec(nodes=WEB, wait_for="started", **options)))
    stage.restart()
    return context


def is_free(stage: Stage, name: str) -> bool:
    """Tell whether a node has no pod left."""
    return any(not node["pods"] for node in stage.control.nodes(stage.ocean_id) if node["instance_id"] == name)


def test_a_start_that_is_answered_with_an_old_id_is_looked_for(stage: Stage) -> None:
    """The migration that it names has ended before: the one that it started is found in the list."""
    planned = stage.planned(stage.spec(nodes=WEB))
    old = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.control.advance(7200)
    lying(stage, create_migration=lambda _: old)
    context = stage.up(planned)
    assert context.state.succeeded
    assert len(stage.asked_for()) == 1
    assert [each.id for each in context.state.migrations] == [stage.migrations()[-1]["id"]] != [old]
    assert all(is_free(stage, name) for name in stage.ids("web"))


def test_an_ended_migration_that_runs_again_is_waited_for_and_stopped(stage: Stage) -> None:
    """After a green `up`: a preview shows it, `up` waits for it, and `destroy` stops it."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = stage.up(planned)
    (migration,) = stage.migrations()
    stage.restart()
    assert find_left_by_killed_run(stage.context(planned, context.state)) is None

    def running(status: Any) -> Any:
        return replace(status, state="DRAIN_NODES", completed_at=None)

    def all_running(listed: Any) -> Any:
        return tuple(replace(each, state="DRAIN_NODES") for each in listed)

    # The list alone, which may lag, is no reason to believe it.
    lying(stage, list_migrations=all_running)
    assert find_left_by_killed_run(stage.context(planned, context.state)) is None
    lying(stage, get_migration=running, list_migrations=all_running)
    found = find_left_by_killed_run(stage.context(planned, context.state))
    assert found is not None
    assert found.subject == migration["id"]
    with pytest.raises(DeadlineError):
        reconcile.reconcile(stage.context(planned, context.state, seconds=60))
    with pytest.raises(OceanMigrationError):
        destroyed(stage, context)
    assert len(stage.requests("PUT")) == 1


@pytest.mark.parametrize("heartbeat", [Heartbeat(status="INACTIVE", last_heartbeat="2026-11-10T05:51:06.000Z"), None])
def test_a_discovery_without_a_controller_makes_no_node_gone(stage: Stage, heartbeat: Heartbeat | None) -> None:
    """Ocean knows the nodes from its controller: while it is silent, no node that discovery misses is gone."""
    planned = stage.planned(stage.spec(nodes=WEB))
    stage.control.fault("POST", "*/migration", "status", status=400)
    context, _ = stage.fails(MigrationError, planned)

    def answer(found: Heartbeat) -> Heartbeat:
        if heartbeat is None:
            msg = "an internal error"
            raise ServiceError(msg, status=500)
        return heartbeat

    honest = stage.client
    lying(stage, discover=lambda _: (), get_heartbeat=answer)
    for _ in range(2):
        context, message = stage.fails(MigrationError, planned, context.state)
        assert "nothing proves that the pods have moved" in message
        assert (context.state.gone, context.state.remaining) == (set(), {*stage.ids("web")})
    stage.client = honest
    lying(stage, discover=lambda _: ())
    context = stage.up(planned, context.state)
    assert context.state.gone == {*stage.ids("web")}
    # They were only missed: what was concluded stays, and is not passed over.
    stage.client = honest
    stage.restart()
    again = stage.up(planned, context.state)
    assert again.state.gone == {*stage.ids("web")}
    assert any("count as gone, but discovery returns them again" in line for line in again.reporter.warnings)
    asked = stage.up(replace(planned, triggers=(1,)), again.state)
    assert asked.state.migrated == {*stage.ids("web")}
    assert not any("count as gone" in line for line in asked.reporter.warnings)


@pytest.mark.parametrize("method", ["get_cluster", "list_migrations", "discover"])
def test_one_answer_that_the_cluster_does_not_exist_forgets_no_migration(stage: Stage, method: str) -> None:
    """Neither in a refresh, which would take the resource out of the state, nor in a destruction, which stops it."""
    context = started(stage)
    denials: list[str] = []

    def deny_once(found: Any) -> Any:
        if not denials:
            denials.append(method)
            msg = "the cluster does not exist"
            raise ClusterNotFoundError(msg, status=400)
        return found

    lying(stage, **{method: deny_once})
    refreshed = stage.context(context.spec, context.state)
    assert reconcile.refresh(refreshed)
    assert bool(denials) is (method != "list_migrations")
    denials.clear()
    destroyed(stage, refreshed)
    assert bool(denials) is (method != "get_cluster")
    assert [each["state"] for each in stage.migrations()] == ["STOPPED"]


def test_a_cluster_that_is_denied_for_a_minute_is_gone(stage: Stage) -> None:
    """Not before: the migration may run."""
    context = started(stage)
    stage.control.delete_cluster(stage.ocean_id)
    began = stage.clock.now
    ending = destroyed(stage, context)
    assert ending.reporter.infos[-1] == f"cluster {stage.ocean_id} is gone; nothing runs there"
    assert stage.clock.now - began >= 60
    began = stage.clock.now
    hurried = stage.context(context.spec, context.state, seconds=20)
    assert not reconcile.refresh(hurried)
    assert stage.clock.now - began >= 60


def test_a_migration_whose_nodes_are_not_reported_is_no_empty_selection(stage: Stage) -> None:
    """Not even where no node need match: it may be that of a killed run, which hides the selected nodes."""
    spec = stage.spec(nodes=WEB, when_no_nodes="succeed")
    context = started(stage)
    assert context.state.latest is not None
    honest = stage.client
    lying(stage, get_migration=lambda status: replace(status, old_instances=()))
    _, message = stage.fails(PlanError, stage.planned(spec))
    assert message.startswith(f"{context.state.latest.id} is running, and Ocean does not report its nodes")
    stage.client = honest
    stage.restart()
    assert [each.origin for each in stage.up(stage.planned(spec)).state.migrations] == ["adopted"]


def test_migrations_of_a_killed_run_are_in_the_order_of_their_times(stage: Stage) -> None:
    """However the service writes them: the reference has days of one digit, which are larger as text."""
    planned = stage.planned(stage.spec(nodes=WEB))
    older = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web")[:1])
    stage.control.advance(7200)
    newer = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web")[1:])
    stage.control.advance(7200)
    times = {older: "2026-11-9T15:51:06.000Z", newer: "2026-11-10T05:51:06.000+0000"}

    def dated(found: Any) -> Any:
        return replace(found, created_at=times[found.id], completed_at=times[found.id])

    lying(stage, get_migration=dated, list_migrations=lambda found: tuple(map(dated, found)))
    stage.client.server_now = lambda: datetime(2026, 11, 10, 6, 0, tzinfo=UTC)  # type: ignore[method-assign]  # its time
    context = stage.up(planned)
    assert [each.id for each in context.state.migrations] == [older, newer]
    assert context.state.drained_since == times[older]


@pytest.mark.parametrize(("status", "error"), [(500, ServiceError), (403, PermissionDeniedError)])
def test_a_stop_that_is_refused_for_good_keeps_the_state(
    stage: Stage, status: int, error: type[OceanMigrationError]
) -> None:
    """`destroy` fails, so the engine keeps the resource; the next one stops the migration."""
    context = started(stage)
    stage.control.fault("PUT", STATUSES, "status", status=status, times=FOR_EVER)
    with pytest.raises(error):
        destroyed(stage, context)
    assert stage.migrations()[0]["stop_requested_at"] is None
    stage.control.clear_faults()
    destroyed(stage, context)
    assert stage.migrations()[0]["state"] == "STOPPED"


def test_an_end_that_only_the_list_shows_starts_nothing_and_ends_nothing(stage: Stage) -> None:
    """The status says that the migration runs, so it runs: also for a new state that has to find it."""
    planned = stage.planned(stage.spec(nodes=WEB))
    context = started(stage)

    def all_ended(listed: Any) -> Any:
        return tuple(replace(each, state="FINISHED") for each in listed)

    lying(stage, list_migrations=all_ended)
    for state in (context.state, None):
        stage.restart()
        again = stage.up(planned, state)
        assert again.state.succeeded
        assert all(is_free(stage, name) for name in stage.ids("web"))
    assert len(stage.asked_for()) == 1


def test_statuses_that_name_other_nodes_prove_nothing(stage: Stage) -> None:
    """Neither nodes that are not planned, nor a part of those that the migration held."""
    planned = stage.planned(stage.spec(nodes=WEB))
    first, *_ = stage.ids("web")

    def about_others(status: Any) -> Any:
        if status.state != "FINISHED":
            return status
        strangers = [replace(node, instance_id=f"i-{number:017x}") for number, node in enumerate(status.old_instances)]
        kept = [node for node in status.old_instances if node.instance_id == first]
        return replace(status, old_instances=(*strangers, *kept))

    lying(stage, get_migration=about_others)
    context, message = stage.fails(MigrationError, planned)
    assert context.state.migrated == {first}
    assert context.state.remaining == {*stage.ids("web")} - {first}
    assert "nothing proves" in message


def test_counts_that_are_not_known_leave_all_nodes_unverified(stage: Stage) -> None:
    """Of a migration that has finished; of one that was stopped they leave them to be migrated."""
    planned = stage.planned(stage.spec(nodes=WEB))

    def uncounted(status: Any) -> Any:
        return replace(status, old_instances=tuple(replace(each, running_pods=None) for each in status.old_instances))

    lying(stage, get_migration=uncounted)
    context = stage.up(planned)
    assert context.state.unverified == context.state.migrated == {*stage.ids("web")}


def test_two_migrations_of_ours_that_no_state_knows_are_both_waited_for(stage: Stage) -> None:
    """An older state is restored while two runs had each started one."""
    planned = stage.planned(stage.spec(nodes=WEB))
    older = stage.context(planned).state
    older.planned = dict(planned.planned_nodes or {})
    first, *rest = stage.ids("web")
    for nodes in ([first], rest):
        stage.control.start_foreign_migration(stage.ocean_id, nodes, terminate=False, evict=False)
    stage.restart()
    context = stage.up(planned, older)
    assert context.state.succeeded
    assert len(context.state.migrations) == 2
    assert stage.asked_for() == []
    assert all(is_free(stage, name) for name in stage.ids("web"))


@pytest.mark.parametrize("hours", [-48, -0.5, 0.5, 48])
def test_a_service_whose_clock_is_wrong_is_waited_for_all_the_same(stage: Stage, hours: float) -> None:
    """Its times order what it did, and prove nothing by themselves; checks of times are not made here."""
    planned = stage.planned(stage.spec(nodes=WEB, prerequisites="off"))
    lying(stage, server_now=lambda now: now + timedelta(hours=hours))
    context = stage.up(planned)
    assert context.state.succeeded
    assert all(is_free(stage, name) for name in stage.ids("web"))
    stage.restart()
    older = ResourceState(planned=dict(planned.planned_nodes or {}))
    again = stage.up(planned, older)
    # By a clock of two days later the migration is too old to be adopted, and counts all the same.
    assert again.state.migrated == {*stage.ids("web")}
    assert bool(again.state.migrations) is (hours != 48)
    assert len(stage.asked_for()) == 1
