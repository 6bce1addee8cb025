"""Diagnoses of migrations; tests/cli/test_explain.py has the complete text of each scenario."""

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
from ocean_migration_pulumi.migration.diagnosis.stuck_pods_text import describe_blocker
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    BUDGETS,
    PODS,
    KubernetesSnapshot,
    Owner,
    Pod,
)
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadPod
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS
from ocean_migration_pulumi.migration.state.phases import PHASES, describe_phase
from tests.migration.builders import MANUAL, instance, left_over, status
from tests.migration.known import KnownKubernetes, budget_of, pod_on, workloads_of
from tests.migration.stage import Stage
from tests.support.gaps import failed_gap

NOW = datetime(2026, 1, 2, 3, 14, 5, tzinfo=UTC)
"""Ten minutes after the creation of what ``builders.status`` returns."""


def diagnose_status(
    stage: Stage, found: MigrationStatus, kubernetes: KubernetesSnapshot | None = None, **more: Any
) -> Diagnosis:
    """Diagnose a status that the stage's service never had, at NOW."""
    sources = DataSources() if kubernetes is None else KnownKubernetes(kubernetes).sources()
    more.setdefault("now", NOW)
    return diagnose_migration(stage.client, stage.scope(), sources, stage.ocean_id, found, **more)


def migrate(stage: Stage, seconds: float) -> str:
    """Start a migration of all nodes, let the time pass, and return its id."""
    made = stage.client.create_migration(
        stage.ocean_id,
        stage.ids(),
        batch_size_percentage=34,
        should_terminate_drained_nodes=False,
        should_evict_stand_alone_pods=False,
        force_pod_eviction_on_pdb_failure=False,
    )
    stage.control.advance(seconds)
    # One response whose Date is far ahead is not believed: the next one confirms it.
    stage.client.list_migrations(stage.ocean_id)
    return made


def diagnose(stage: Stage, migration: str, **more: Any) -> Diagnosis:
    """Diagnose a migration of the stage."""
    found = stage.client.get_migration(stage.ocean_id, migration)
    return diagnose_migration(stage.client, stage.scope(), DataSources(), stage.ocean_id, found, **more)


@pytest.mark.parametrize("state", list(MigrationState))
def test_every_state_has_a_headline(stage: Stage, state: MigrationState) -> None:
    """The headline does not merely repeat the state, and a terminal state has its own outcome."""
    found = diagnose_status(stage, status("a", state=state), changed_at=NOW)
    assert state not in PHASES[state]
    ends = {"FINISHED": Outcome.FINISHED, "STOPPED": Outcome.STOPPED, "FINISHED_ERROR": Outcome.FAILED}
    assert found.outcome is ends.get(state, Outcome.RUNNING)
    assert "\n" not in found.headline


def test_undocumented_state_counts_as_running(stage: Stage) -> None:
    """The headline shows the state."""
    found = diagnose_status(stage, status("a", state="PAUSED\n"), changed_at=NOW)
    assert found.outcome is Outcome.RUNNING
    assert found.headline.endswith("undocumented state PAUSED")
    assert describe_phase("") == "undocumented state -"


def test_migration_stalls_without_a_change_for_the_stall_timeout(stage: Stage) -> None:
    """The timeout is 30 minutes unless another one is given."""
    running = status("a")
    assert diagnose_status(stage, running, changed_at=NOW - timedelta(seconds=1799)).outcome is Outcome.RUNNING
    found = diagnose_status(stage, running, changed_at=NOW - timedelta(seconds=1800))
    assert (found.outcome, found.reason) == (Outcome.STALLED, "stall")
    assert "status last changed at 2026-01-02T02:44:05.000Z" in found.evidence
    assert (
        diagnose_status(stage, running, changed_at=NOW - timedelta(minutes=2), stall_timeout=60).outcome
        is Outcome.STALLED
    )


def test_log_of_a_young_migration_is_not_read(stage: Stage) -> None:
    """A migration younger than the stall timeout cannot have stalled."""
    stage.control.clear_requests()
    assert diagnose_status(stage, status("a")).outcome is Outcome.RUNNING
    assert stage.requests("GET") == []


def test_creation_is_the_last_change_if_the_log_is_empty(stage: Stage) -> None:
    """No later change is known."""
    found = diagnose_status(stage, status("a"), now=NOW + timedelta(hours=1))
    assert found.outcome is Outcome.STALLED
    assert "created at 2026-01-02T03:04:05.000Z" in found.evidence


def test_migration_counts_as_running_if_the_log_cannot_be_read(stages: Callable[..., Stage]) -> None:
    """A note says that the log is missing."""
    stage = stages("stall")
    migration = migrate(stage, 7200)
    stage.control.fault("GET", "*/log", "403", times=1)
    found = diagnose(stage, migration)
    assert found.outcome is Outcome.RUNNING
    assert found.notes[0].startswith("could not read Ocean's log: ")


def test_new_line_in_the_log_counts_as_progress(stages: Callable[..., Stage]) -> None:
    """A note says that the line may be about other activity."""
    stage = stages("stall")
    migration = migrate(stage, 7200)
    assert diagnose(stage, migration).outcome is Outcome.STALLED
    stage.control.write_log(stage.ocean_id, "Instance i-1 was launched.")
    found = diagnose(stage, migration)
    assert found.outcome is Outcome.RUNNING
    assert found.notes[0] == ("last progress estimated from the cluster's log, which also has lines of other activity")


def test_disconnected_controller_is_the_first_remedy(stages: Callable[..., Stage]) -> None:
    """Without the controller no pod moves, whatever blocks it."""
    stage = stages("stall")
    migration = migrate(stage, 7200)
    stage.control.heartbeat(stage.ocean_id, status="INACTIVE", age_seconds=1200)
    found = diagnose(stage, migration)
    assert found.remedy.startswith("Make sure that the Ocean Controller runs and reaches Spot, or stop the migration")
    assert found.evidence[-1].startswith("Ocean Controller is INACTIVE (last heartbeat ")


def test_failed_request_becomes_a_note(stages: Callable[..., Stage]) -> None:
    """The diagnosis uses the remaining facts."""
    stage = stages("failure-connectivity")
    migration = migrate(stage, 7200)
    for route in ("*/log", "*/discovery", "*/controllerHeartbeat"):
        stage.control.fault("GET", route, "403", times=1)
    found = diagnose(stage, migration)
    assert (found.outcome, found.reason) == (Outcome.FAILED, "unknown")
    assert "could not read the reason from Ocean's log" in found.headline
    assert found.notes[0].startswith("Virtual Node Groups of the nodes unknown: ")
    found = diagnose(stage, migration)
    assert found.reason == "connectivity"
    assert found.notes[-1].startswith("heartbeat of the Ocean Controller unknown: ")


@pytest.mark.parametrize("route", ["*/log", "*/discovery", "*/controllerHeartbeat"])
def test_interruption_ends_the_diagnosis(stages: Callable[..., Stage], route: str) -> None:
    """Ctrl-C ends every request at once."""
    stage = stages("failure-connectivity")
    migration = migrate(stage, 7200)
    found = stage.client.get_migration(stage.ocean_id, migration)
    scope = stage.scope()
    stage.control.fault("GET", route, "503", times=1)
    stage.clock.after(0, scope.ended.set)  # with the wait before the question is asked again
    with pytest.raises(InterruptedWaitError):
        diagnose_migration(stage.client, scope, DataSources(), stage.ocean_id, found)


def test_interruption_ends_the_search_for_the_last_change(stages: Callable[..., Stage]) -> None:
    """A log that cannot be read for another reason is only noted."""
    stage = stages("stall")
    found = stage.client.get_migration(stage.ocean_id, migrate(stage, 7200))
    scope = stage.scope()
    stage.control.fault("GET", "*/log", "503", times=1)
    stage.clock.after(0, scope.ended.set)
    with pytest.raises(InterruptedWaitError):
        diagnose_migration(stage.client, scope, DataSources(), stage.ocean_id, found)


def test_stall_without_facts(stage: Stage) -> None:
    """Every node is drained or has an unknown number of pods, and the heartbeat is refused."""
    stage.control.fault("GET", "*/controllerHeartbeat", "403", times=1)
    nodes = instance("a"), instance("b", pods=None), left_over("c", "debug")
    found = diagnose_status(stage, status(*nodes, state="TERMINATE_NODES"), changed_at=NOW - timedelta(hours=1))
    assert found.evidence == (
        "state TERMINATE_NODES: terminating drained nodes",
        "status last changed at 2026-01-02T02:14:05.000Z",
    )
    assert found.notes[0].startswith("heartbeat of the Ocean Controller unknown: ")


def test_errors_without_a_known_reason_are_evidence(stage: Stage) -> None:
    """The last errors of the log, with their time."""
    migration = migrate(stage, 30)
    stage.control.write_log(stage.ocean_id, "odd", severity="ERROR")
    stage.control.set_state(stage.ocean_id, migration, "FINISHED_ERROR")
    found = diagnose(stage, migration)
    assert found.reason == "unknown"
    assert found.evidence[0].endswith("Z ERROR odd")


def test_access_to_another_cluster_is_a_note(stage: Stage) -> None:
    """The pods of the other cluster are ignored."""
    found = diagnose_status(stage, status("a", "b"), workloads_of(["x"], pod_on("x", "cart")), changed_at=NOW)
    assert found.stuck == ()
    assert found.notes == (
        "blockers unknown: KUBECONFIG belongs to another cluster: none of its nodes is a candidate or an Ocean node",
    )


def test_gap_in_kubernetes_is_a_note(stage: Stage) -> None:
    """The note has the remedy; without pods, the list that Ocean reports is used."""
    manual = left_over("a", "debug")
    facts = workloads_of(["a"], pod_on("a", "cart"))
    gap = failed_gap("pods is forbidden", "allow it")
    found = diagnose_status(stage, status(manual, "b"), replace(facts, gaps={PODS: gap}), changed_at=NOW)
    assert [pod.pod for pod in found.stuck] == ["debug"]
    assert found.notes == ("Not evaluated: which pods are left (pods is forbidden). Allow it",)
    found = diagnose_status(stage, status(manual, state="FINISHED"), replace(facts, gaps={BUDGETS: gap}))
    assert found.outcome is Outcome.LEFTOVERS
    assert found.notes[0] == "Not evaluated: which pods PodDisruptionBudgets block (pods is forbidden). Allow it"


def _find_blockers(*pods: Pod, budgets: tuple[Any, ...] = (), **more: Any) -> dict[str, str]:
    """Return what blocks each pod on the node ``a`` of a migration."""
    facts = replace(workloads_of(["a"], *pods, budgets=budgets), **more)
    nodes = [instance("a", pods=9)]
    return {pod.pod: pod.blocker for pod in stuck_pods.find_stuck_pods(status(*nodes), facts, nodes)}


def test_every_blocker_has_a_description() -> None:
    """Pods without a blocker, and pods that a drain does not move, are left out."""
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
    assert _find_blockers(*pods, budgets=(budget_of("cart"),), daemon_sets=frozenset({("shop", "proxy")})) == {
        "shop/cart": "budget",
        "shop/both": "budget",
        "shop/alone": "standalone",
        "shop/slow": "terminating",
        "shop/stuck": "finalizers",
    }
    assert _find_blockers(daemon) == {"shop/proxy": "orphan"}
    several = (budget_of("cart", 5), replace(budget_of("all", 5), selector=()))
    assert _find_blockers(pods[0], budgets=several) == {"shop/cart": "budgets"}


def test_every_stuck_pod_has_its_own_remedy() -> None:
    """Blocked pods come first, then those without a blocker, then pending ones."""
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
    found = stuck_pods.find_stuck_pods(status(*nodes), facts, nodes, include_unblocked=True, include_pending=True)
    assert [pod.pod for pod in found] == [
        "shop/alone",
        "shop/cart",
        "shop/slow",
        "shop/stuck",
        "shop/free",
        "shop/waits",
    ]
    assert len({describe_blocker(pod, INPUTS).remedy for pod in found}) == 6
    assert [pod.node for pod in found] == [*["node-a"] * 5, ""]


def test_notes_say_what_blocked_pods_do_not_prove(stage: Stage) -> None:
    """A running migration may force evictions; after the end, the pods may have changed."""
    facts = workloads_of(["a"], pod_on("a", "cart", app="cart"), budgets=(budget_of("cart"),))
    found = diagnose_status(stage, status("a"), facts, changed_at=NOW)
    assert found.notes == ("Ocean does not report whether force_pod_eviction_on_pdb_failure is set for this migration",)
    ended = diagnose_status(stage, status("a", state="FINISHED_ERROR"), facts)
    assert ended.notes == ("Kubernetes shows the current pods, not those at the end of the migration",)


def test_stall_names_the_blockers_of_draining_nodes(stage: Stage) -> None:
    """Nodes that wait for a later batch are only counted."""
    facts = workloads_of(
        ["a", "b"], pod_on("a", "cart", app="cart"), pod_on("b", "debug", alone=True), budgets=(budget_of("cart"),)
    )
    nodes = instance("a", pods=1, state="DRAINING"), instance("b", pods=1)
    found = diagnose_status(
        stage,
        status(*nodes, unscheduled_pods=("p-1",), new_unscheduled_pods=("p-1", "p-2")),
        facts,
        changed_at=NOW - timedelta(hours=1),
    )
    assert [pod.pod for pod in found.stuck] == ["shop/cart"]
    assert found.remedy.startswith("Remove what blocks these pods, or stop the migration")
    assert "1 node not drained: node-a (1 pod)" in found.evidence
    assert "1 more node waits for a later batch" in found.evidence
    assert "2 pods unscheduled: p-1, p-2" in found.evidence


def test_gone_pods_are_not_leftovers(stage: Stage) -> None:
    """Kubernetes shows that they are gone; an unknown kind of pod is shown as it came."""
    manual = left_over("a", "debug", "tool")
    facts = workloads_of(["a"], pod_on("a", "debug", alone=True))
    found = diagnose_status(stage, status(manual, state="FINISHED"), facts)
    assert [pod.pod for pod in found.stuck] == ["shop/debug"]
    assert found.notes == ("reported as left by Ocean, but gone: tool",)
    odd = MigrationInstance(instance_id="i-1", state=MANUAL, pods=(PodDetail(id="p-1", kind="JOB"),))
    (pod,) = stuck_pods.list_reported_pods([odd])
    assert (pod.pod, pod.node) == ("p-1", "i-1")
    assert (pod.blocker, pod.fields) == ("not-evicted", {"kind": "JOB"})


def test_drained_nodes_that_stay_are_evidence(stage: Stage) -> None:
    """They are billed; terminated nodes are not."""
    nodes = instance("a"), instance("b", state="TERMINATED")
    found = diagnose_status(stage, status(*nodes, state="FINISHED"))
    assert found.evidence == ("1 drained node still running (cordoned) and billed: node-a",)
    told = status(*nodes, state="FINISHED", should_terminate_drained_nodes=True)
    assert diagnose_status(stage, told).evidence == ()


def test_stop_shows_the_state_of_every_node(stage: Stage) -> None:
    """Kubernetes shows which nodes are still cordoned; without remaining nodes there is no remedy."""
    nodes = instance("a"), instance("b", pods=2), instance("c", pods=None)
    facts = workloads_of(["a", "b", "c"])
    closed = {**facts.nodes, "c": replace(facts.nodes["c"], cordoned=True)}
    found = diagnose_status(stage, status(*nodes, state="STOPPED"), replace(facts, nodes=closed))
    assert found.evidence == (
        "1 drained node still running (cordoned) and billed: node-a",
        "1 node schedulable again: node-b (2 pods)",
        "1 node still cordoned: node-c",
    )
    assert found.remedy == "Find out who stopped the migration and why, then migrate the 2 remaining nodes"
    one = diagnose_status(stage, status(nodes[1], state="STOPPED"))
    assert one.remedy.endswith("migrate the remaining node")
    assert diagnose_status(stage, status(nodes[0], state="STOPPED")).remedy == ""


@pytest.mark.parametrize("state", ["DRAIN_NODES", "FINISHED", "FINISHED_ERROR", "STOPPED"])
def test_pods_that_landed_on_other_old_nodes_are_named(stage: Stage, state: str) -> None:
    """A later migration moves them again; those of Ocean nodes, and of before, do not count."""
    ocean = {node["instance_id"] for node in stage.control.nodes(stage.ocean_id) if node["ocean_managed"]}
    cart = WorkloadId("Deployment", "shop", "cart")

    def pod(name: str, node: str, minutes: float) -> WorkloadPod:
        made = NOW - timedelta(minutes=minutes)
        return WorkloadPod(namespace="shop", name=name, workload=cart, node_name=f"node-{node}", created_at=made)

    pods = [pod("cart-1", "later", 1), pod("cart-2", "later", 60), *(pod("cart-3", name, 1) for name in ocean)]
    kubernetes = KnownKubernetes(workloads_of(["a", "later", *ocean]), workload_pods=pods)
    found = diagnose_migration(
        stage.client,
        stage.scope(),
        kubernetes.sources(),
        stage.ocean_id,
        status(instance("a", pods=3), state=state),
        now=NOW,
    )
    assert "1 pod runs on other old nodes (moved again if those are migrated): shop/cart-1" in found.evidence
