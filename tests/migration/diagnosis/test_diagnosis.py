"""Why a migration stands where it does; the words of each scenario are in the tests of the command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.migration import MigrationInstance, MigrationState, MigrationStatus, PodDetail
from ocean_migration_pulumi.errors import InterruptedWaitError
from ocean_migration_pulumi.migration.diagnosis import stuck_pods
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome, diagnose_migration
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    BUDGETS,
    PODS,
    Gap,
    KubernetesSnapshot,
    Owner,
    Pod,
)
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.state.phases import PHASES, describe_phase
from tests.migration.builders import MANUAL, instance, left_over, status
from tests.migration.known import KnownKubernetes, budget_of, pod_on, workloads_of
from tests.migration.stage import Stage

NOW = datetime(2026, 1, 2, 3, 14, 5, tzinfo=UTC)
"""Ten minutes after the creation of what ``builders.status`` returns."""


def explain(
    stage: Stage, found: MigrationStatus, kubernetes: KubernetesSnapshot | None = None, **more: Any
) -> Diagnosis:
    """Explain a status that the stage's service never had, at NOW."""
    sources = DataSources() if kubernetes is None else KnownKubernetes(kubernetes).sources()
    more.setdefault("now", NOW)
    return diagnose_migration(stage.client, stage.scope(), sources, stage.ocean_id, found, **more)


def migrate(stage: Stage, seconds: float) -> str:
    """Start a migration of all nodes, and let the time pass."""
    made = stage.client.create_migration(
        stage.ocean_id,
        stage.ids(),
        batch_size_percentage=34,
        should_terminate_drained_nodes=False,
        should_evict_stand_alone_pods=False,
        force_pod_eviction_on_pdb_failure=False,
    )
    stage.control.advance(seconds)
    return made


def of(stage: Stage, migration: str, **more: Any) -> Diagnosis:
    """Explain a migration of the stage."""
    found = stage.client.get_migration(stage.ocean_id, migration)
    return diagnose_migration(stage.client, stage.scope(), DataSources(), stage.ocean_id, found, **more)


@pytest.mark.parametrize("state", list(MigrationState))
def test_each_state_has_words(stage: Stage, state: MigrationState) -> None:
    """None is only repeated; an end is one of the ends."""
    found = explain(stage, status("a", state=state), moved_at=NOW)
    assert state not in PHASES[state]
    ends = {"FINISHED": Outcome.FINISHED, "STOPPED": Outcome.STOPPED, "FINISHED_ERROR": Outcome.FAILED}
    assert found.outcome is ends.get(state, Outcome.RUNNING)
    assert "\n" not in found.headline


def test_state_that_is_not_documented_is_named(stage: Stage) -> None:
    """It is a migration that runs."""
    found = explain(stage, status("a", state="PAUSED\n"), moved_at=NOW)
    assert found.outcome is Outcome.RUNNING
    assert found.headline.endswith("it is in the state PAUSED, which is not documented")
    assert describe_phase("") == "is in the state -, which is not documented"


def test_it_stalls_when_its_status_has_not_changed_for_long(stage: Stage) -> None:
    """By what was watched, and by the patience that is asked for."""
    running = status("a")
    assert explain(stage, running, moved_at=NOW - timedelta(seconds=1799)).outcome is Outcome.RUNNING
    found = explain(stage, running, moved_at=NOW - timedelta(seconds=1800))
    assert (found.outcome, found.reason) == (Outcome.STALLED, "stall")
    assert "its status last changed at 2026-01-02T02:44:05.000Z" in found.evidence
    assert explain(stage, running, moved_at=NOW - timedelta(minutes=2), stall_timeout=60).outcome is Outcome.STALLED


def test_a_young_migration_needs_no_log(stage: Stage) -> None:
    """It cannot have stalled yet."""
    stage.control.clear_requests()
    assert explain(stage, status("a")).outcome is Outcome.RUNNING
    assert stage.requests("GET") == []


def test_without_a_log_of_its_time_the_creation_counts(stage: Stage) -> None:
    """Nothing else is known to have happened since."""
    found = explain(stage, status("a"), now=NOW + timedelta(hours=1))
    assert found.outcome is Outcome.STALLED
    assert "it was created at 2026-01-02T03:04:05.000Z" in found.evidence


def test_without_any_log_nobody_knows_whether_it_stands_still(stages: Callable[..., Stage]) -> None:
    """It is said to run, with a note."""
    stage = stages("stall")
    migration = migrate(stage, 7200)
    stage.control.fault("GET", "*/log", "403", times=1)
    found = of(stage, migration)
    assert found.outcome is Outcome.RUNNING
    assert found.notes[0].startswith("Ocean's log could not be read: ")


def test_a_line_in_the_log_is_a_sign_of_life(stages: Callable[..., Stage]) -> None:
    """Of something in the cluster: the note says that it may be of another thing."""
    stage = stages("stall")
    migration = migrate(stage, 7200)
    assert of(stage, migration).outcome is Outcome.STALLED
    stage.control.write_log(stage.ocean_id, "Instance i-1 was launched.")
    found = of(stage, migration)
    assert found.outcome is Outcome.RUNNING
    assert (
        found.notes[0] == "since when it stands still is taken from the cluster's log, which tells of other things, too"
    )


def test_a_controller_that_is_silent_comes_first(stages: Callable[..., Stage]) -> None:
    """Without it nothing moves, whatever holds the pods."""
    stage = stages("stall")
    migration = migrate(stage, 7200)
    stage.control.heartbeat(stage.ocean_id, status="INACTIVE", age_seconds=1200)
    found = of(stage, migration)
    assert found.remedy.startswith("Make sure that the Ocean Controller runs and reaches Spot, or stop the migration")
    assert found.evidence[-1].startswith("Ocean Controller is INACTIVE (last heartbeat ")


def test_what_cannot_be_asked_becomes_a_note(stages: Callable[..., Stage]) -> None:
    """The explanation stands on what is left."""
    stage = stages("failure-connectivity")
    migration = migrate(stage, 7200)
    for route in ("*/log", "*/discovery", "*/controllerHeartbeat"):
        stage.control.fault("GET", route, "403", times=1)
    found = of(stage, migration)
    assert (found.outcome, found.reason) == (Outcome.FAILED, "unknown")
    assert "which could not be read" in found.headline
    assert found.notes[0].startswith("which nodes match no Virtual Node Group is not known: ")
    found = of(stage, migration)
    assert found.reason == "connectivity"
    assert found.notes[-1].startswith("whether the Ocean Controller reports is not known: ")


@pytest.mark.parametrize("route", ["*/log", "*/discovery", "*/controllerHeartbeat"])
def test_an_interruption_is_none_of_these(stages: Callable[..., Stage], route: str) -> None:
    """Ctrl-C ends it at once, whatever is being asked."""
    stage = stages("failure-connectivity")
    migration = migrate(stage, 7200)
    found = stage.client.get_migration(stage.ocean_id, migration)
    scope = stage.scope()
    stage.control.fault("GET", route, "503", times=1)
    stage.clock.after(0, scope.ended.set)  # with the wait before the question is asked again
    with pytest.raises(InterruptedWaitError):
        diagnose_migration(stage.client, scope, DataSources(), stage.ocean_id, found)


def test_an_interruption_ends_the_look_for_a_sign_of_life_too(stages: Callable[..., Stage]) -> None:
    """Although a log that cannot be read is no hindrance otherwise."""
    stage = stages("stall")
    found = stage.client.get_migration(stage.ocean_id, migrate(stage, 7200))
    scope = stage.scope()
    stage.control.fault("GET", "*/log", "503", times=1)
    stage.clock.after(0, scope.ended.set)
    with pytest.raises(InterruptedWaitError):
        diagnose_migration(stage.client, scope, DataSources(), stage.ocean_id, found)


def test_a_stall_of_which_nothing_is_known(stage: Stage) -> None:
    """Every node is done, or its pods are not told, and the heartbeat is refused: that is said, and no more."""
    stage.control.fault("GET", "*/controllerHeartbeat", "403", times=1)
    nodes = instance("a"), instance("b", pods=None), left_over("c", "debug")
    found = explain(stage, status(*nodes, state="TERMINATE_NODES"), moved_at=NOW - timedelta(hours=1))
    assert found.evidence == (
        "it terminates the drained nodes (TERMINATE_NODES)",
        "its status last changed at 2026-01-02T02:14:05.000Z",
    )
    assert found.notes[0].startswith("whether the Ocean Controller reports is not known: ")


def test_errors_without_a_known_reason_are_shown(stage: Stage) -> None:
    """The last ones, with their time."""
    migration = migrate(stage, 30)
    stage.control.write_log(stage.ocean_id, "odd", severity="ERROR")
    stage.control.set_state(stage.ocean_id, migration, "FINISHED_ERROR")
    found = of(stage, migration)
    assert found.reason == "unknown"
    assert found.evidence[0].endswith("Z ERROR odd")


def test_another_cluster_is_told_as_such(stage: Stage) -> None:
    """Nothing is said of its pods."""
    found = explain(stage, status("a", "b"), workloads_of(["x"], pod_on("x", "cart")), moved_at=NOW)
    assert found.stuck == ()
    assert found.notes == (
        "what holds pods is not known: KUBECONFIG is of another cluster: none of its nodes is one that Ocean offers",
    )


def test_what_kubernetes_does_not_tell_is_a_note(stage: Stage) -> None:
    """With what to do about it; without pods the service's own list stands."""
    manual = left_over("a", "debug")
    facts = workloads_of(["a"], pod_on("a", "cart"))
    gap = Gap(reason="pods is forbidden", remedy="allow it")
    found = explain(stage, status(manual, "b"), replace(facts, gaps={PODS: gap}), moved_at=NOW)
    assert [pod.pod for pod in found.stuck] == ["debug"]
    assert found.notes == ("Not evaluated: which pods are left (pods is forbidden). Allow it",)
    found = explain(stage, status(manual, state="FINISHED"), replace(facts, gaps={BUDGETS: gap}))
    assert found.outcome is Outcome.LEFTOVERS
    assert found.notes[0] == "Not evaluated: which pods PodDisruptionBudgets block (pods is forbidden). Allow it"


def _hold(*pods: Pod, budgets: tuple[Any, ...] = (), **more: Any) -> dict[str, str]:
    """Return why each pod on the node ``a`` of a migration is still there."""
    facts = replace(workloads_of(["a"], *pods, budgets=budgets), **more)
    nodes = [instance("a", pods=9)]
    return {pod.pod: pod.why for pod in stuck_pods.find_stuck_pods(status(*nodes), facts, nodes)}


def test_each_way_to_hold_a_pod_has_its_words() -> None:
    """What nothing holds, and what is not moved, is left out."""
    daemon = replace(pod_on("a", "proxy"), controller=Owner(kind="DaemonSet", name="proxy"))
    pods = (
        pod_on("a", "cart", app="cart"),
        replace(pod_on("a", "both", app="cart"), labels={"app": "cart"}, namespace="shop"),
        pod_on("a", "alone", alone=True),
        replace(pod_on("a", "slow"), deleting=True),
        replace(pod_on("a", "stuck"), deleting=True, finalizers=("example.com/lock",)),
        replace(pod_on("a", "done"), phase="Succeeded"),
        replace(pod_on("a", "static"), mirror=True),
        pod_on("a", "free"),
        daemon,
    )
    assert _hold(*pods, budgets=(budget_of("cart"),), daemon_sets=frozenset({("shop", "proxy")})) == {
        "shop/cart": "PodDisruptionBudget shop/cart allows no disruption (needs 3 healthy, has 3)",
        "shop/both": "PodDisruptionBudget shop/cart allows no disruption (needs 3 healthy, has 3)",
        "shop/alone": "it has no controller (a stand-alone pod)",
        "shop/slow": "it is being deleted, and has not ended yet",
        "shop/stuck": "it is being deleted, and kept by finalizers (example.com/lock)",
    }
    assert _hold(daemon) == {"shop/proxy": "its DaemonSet is gone, so that nothing starts it again"}
    several = (budget_of("cart", 5), replace(budget_of("all", 5), selector=()))
    assert _hold(pods[0], budgets=several) == {
        "shop/cart": "the API server evicts no pod of several PodDisruptionBudgets (shop/all, shop/cart)"
    }


def test_every_held_pod_has_a_remedy() -> None:
    """Whatever holds it."""
    pods = (
        pod_on("a", "cart", app="cart"),
        pod_on("a", "alone", alone=True),
        pod_on("a", "free"),
        replace(pod_on("a", "slow"), deleting=True),
        replace(pod_on("a", "stuck"), deleting=True, finalizers=("example.com/lock",)),
        Pod(namespace="shop", name="waits", phase="Pending"),
    )
    nodes = [instance("a", pods=9)]
    facts = workloads_of(["a"], *pods, budgets=(budget_of("cart"),))
    found = stuck_pods.find_stuck_pods(status(*nodes), facts, nodes, idle=nodes, pending=True)
    assert [pod.pod for pod in found] == [
        "shop/alone",
        "shop/cart",
        "shop/slow",
        "shop/stuck",
        "shop/free",
        "shop/waits",
    ]
    assert len({pod.remedy for pod in found}) == 6
    assert [pod.node for pod in found] == [*["node-a"] * 5, ""]


def test_a_budget_may_be_forced_without_our_knowledge(stage: Stage) -> None:
    """Which is said while the migration runs; after its end, that Kubernetes tells of now."""
    facts = workloads_of(["a"], pod_on("a", "cart", app="cart"), budgets=(budget_of("cart"),))
    found = explain(stage, status("a"), facts, moved_at=NOW)
    assert found.notes == ("Ocean does not tell whether this migration forces evictions against PodDisruptionBudgets",)
    ended = explain(stage, status("a", state="FINISHED_ERROR"), facts)
    assert ended.notes == ("what Kubernetes tells is of now, and not of the end of the migration",)


def test_what_holds_pods_comes_first_in_a_stall(stage: Stage) -> None:
    """Only of the nodes that are being drained, where the service tells them apart."""
    facts = workloads_of(
        ["a", "b"], pod_on("a", "cart", app="cart"), pod_on("b", "debug", alone=True), budgets=(budget_of("cart"),)
    )
    nodes = instance("a", pods=1, state="DRAINING"), instance("b", pods=1)
    found = explain(
        stage,
        status(*nodes, unscheduled_pods=("p-1",), new_unscheduled_pods=("p-1", "p-2")),
        facts,
        moved_at=NOW - timedelta(hours=1),
    )
    assert [pod.pod for pod in found.stuck] == ["shop/cart"]
    assert found.remedy.startswith("Take away what holds these pods, or stop the migration")
    assert "1 node not drained yet: node-a (1 pod)" in found.evidence
    assert "1 more node waits for a later batch" in found.evidence
    assert "2 pods wait for a node: p-1, p-2" in found.evidence


def test_pods_that_are_gone_by_now_are_no_leftovers(stage: Stage) -> None:
    """Where Kubernetes tells so; any other kind of pod is named as it came."""
    manual = left_over("a", "debug", "tool")
    facts = workloads_of(["a"], pod_on("a", "debug", alone=True))
    found = explain(stage, status(manual, state="FINISHED"), facts)
    assert [pod.pod for pod in found.stuck] == ["shop/debug"]
    assert found.notes == ("left by Ocean, and gone by now: tool",)
    odd = MigrationInstance(instance_id="i-1", state=MANUAL, pods=(PodDetail(id="p-1", kind="JOB"),))
    (pod,) = stuck_pods.pods_named_by_ocean([odd])
    assert (pod.pod, pod.node) == ("p-1", "i-1")
    assert pod.why == "Ocean did not move it, and does not tell why (JOB)"


def test_drained_nodes_that_stay_are_told(stage: Stage) -> None:
    """They are still billed; those that are gone are not."""
    nodes = instance("a"), instance("b", state="TERMINATED")
    found = explain(stage, status(*nodes, state="FINISHED"))
    assert found.evidence == ("1 drained node stays, cordoned and billed: node-a",)
    told = status(*nodes, state="FINISHED", should_terminate_drained_nodes=True)
    assert explain(stage, told).evidence == ()


def test_of_a_stop_it_is_told_what_stays(stage: Stage) -> None:
    """With Kubernetes also the nodes that take no pods; nothing is to be done when none remains."""
    nodes = instance("a"), instance("b", pods=2), instance("c", pods=None)
    facts = workloads_of(["a", "b", "c"])
    closed = {**facts.nodes, "c": replace(facts.nodes["c"], cordoned=True)}
    found = explain(stage, status(*nodes, state="STOPPED"), replace(facts, nodes=closed))
    assert found.evidence == (
        "1 drained node stays, cordoned and billed: node-a",
        "1 node takes pods again: node-b (2 pods)",
        "1 node still cordoned: node-c",
    )
    assert found.remedy == "Find out who stopped it, and why; then start a migration of the 2 remaining nodes"
    one = explain(stage, status(nodes[1], state="STOPPED"))
    assert one.remedy.endswith("of the remaining node")
    assert explain(stage, status(nodes[0], state="STOPPED")).remedy == ""
