"""Stuck pods: pods that are still on the old nodes of a migration, what blocks each, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationInstance, MigrationStatus
from ocean_migration_pulumi.common.text import list_some, sanitize
from ocean_migration_pulumi.migration.checks.service import is_pending
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.scheduling.drain_rules import (
    LEAVING_OUTCOMES,
    DrainedPod,
    DrainOutcome,
    drain_outcomes,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    BUDGETS,
    DAEMON_SETS,
    NODES,
    PODS,
    KubernetesSnapshot,
)
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic, report_gaps
from ocean_migration_pulumi.migration.scheduling.workloads import is_orphan
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary

_BLOCKED: Final = frozenset({DrainOutcome.HELD, DrainOutcome.KEPT, DrainOutcome.LEAVING})
_TOPICS: Final[Mapping[str, Topic]] = {
    NODES: Topic.NODE_NAMES,
    PODS: Topic.PODS_LEFT,
    BUDGETS: Topic.BUDGETS,
    DAEMON_SETS: Topic.DAEMON_SETS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckPod:
    """A pod that is still on an old node, or waits for another node."""

    pod: str
    """``namespace/name``; the name alone if the namespace is unknown."""
    node: str
    """Name of the old node; empty for a pending pod."""
    why: str
    """What blocks it."""
    remedy: str
    """What to do about it."""
    outcome: DrainOutcome | None = None
    """What a drain does to it; None for a pending pod, or one that Kubernetes was not asked about."""


def display_name(node: MigrationInstance) -> str:
    """Return the name of a node for messages: its instance id if Kubernetes' name is unknown."""
    return sanitize(node.node_name) if node.node_name else node.instance_id


def find_draining_nodes(status: MigrationStatus) -> list[MigrationInstance]:
    """Return the old nodes that Ocean drains now: all that have pods if their states do not tell.

    Only the states REQUIRES_MANUAL_MIGRATION and RUNNING of a node are documented.
    """
    left = [node for node in status.old_instances if node.running_pods and node.state != REQUIRES_MANUAL_MIGRATION]
    return [node for node in left if "DRAIN" in node.state.upper()] or left


def list_reported_pods(nodes: Iterable[MigrationInstance], vocabulary: Vocabulary = INPUTS) -> tuple[StuckPod, ...]:
    """Return the pods that Ocean itself reports as left on these nodes."""
    found = []
    for node in nodes:
        for pod in node.pods:
            why, remedy = _explain_kind(pod.kind, vocabulary)
            found.append(StuckPod(pod=sanitize(pod.name or pod.id), node=display_name(node), why=why, remedy=remedy))
    return tuple(found)


def find_stuck_pods(
    status: MigrationStatus,
    kube: KubernetesSnapshot,
    nodes: Iterable[MigrationInstance],
    vocabulary: Vocabulary = INPUTS,
    *,
    include_unblocked: bool = False,
    include_pending: bool = False,
) -> tuple[StuckPod, ...]:
    """Return the pods on these nodes that something blocks, as Kubernetes reports them.

    Args:
        status: Status of the migration.
        kube: Snapshot of Kubernetes.
        nodes: Old nodes.
        vocabulary: How the remedies name inputs.
        include_unblocked: Whether to return the other pods on these nodes, too, except those of DaemonSets and static
            pods, which a drain does not move.
        include_pending: Whether to return the pods that wait for a node, too.

    """
    spec = MigrationSpec(should_evict_stand_alone_pods=bool(status.should_evict_stand_alone_pods))
    names = {_find_name(node, kube): display_name(node) for node in nodes}
    wanted = _BLOCKED | LEAVING_OUTCOMES if include_unblocked else _BLOCKED
    drained_pods = drain_outcomes(kube.pods_on(frozenset(names.keys() - {""})), kube, spec)
    found = []
    for drained in sorted(drained_pods, key=lambda drained: drained.outcome in LEAVING_OUTCOMES):
        if drained.outcome in wanted:
            why, remedy = _explain_blocker(drained, kube, vocabulary)
            found.append(
                StuckPod(
                    pod=sanitize(drained.pod.full_name),
                    node=names[drained.pod.node_name],
                    why=why,
                    remedy=remedy,
                    outcome=drained.outcome,
                )
            )
    if include_pending:
        found += [
            StuckPod(
                pod=sanitize(pod.full_name),
                node="",
                why="pending, fits no node",
                remedy="check its events; its requests and constraints must fit a Virtual Node Group",
            )
            for pod in sorted(kube.pods, key=lambda pod: pod.full_name)
            if is_pending(pod)
        ]
    return tuple(found)


def find_gone_pods(reported: Iterable[StuckPod], kube: KubernetesSnapshot) -> list[str]:
    """Return the names of pods that Ocean reports as left and that run on no node any more."""
    names = {pod.name for pod in kube.pods if pod.node_name and not pod.finished}
    return [stuck_pod.pod for stuck_pod in reported if stuck_pod.pod not in names]


def describe_gaps(kube: KubernetesSnapshot) -> tuple[str, ...]:
    """Return what could not be read of Kubernetes, one line per reason."""
    gaps = {topic: kube.gaps[name] for name, topic in _TOPICS.items() if name in kube.gaps}
    return tuple(map(render, report_gaps(gaps)))


def _find_name(node: MigrationInstance, kube: KubernetesSnapshot) -> str:
    known = kube.nodes.get(node.instance_id)
    return known.name if known else node.node_name


def _explain_blocker(drained: DrainedPod, kube: KubernetesSnapshot, vocabulary: Vocabulary) -> tuple[str, str]:
    """Return what blocks a pod, and the remedy."""
    pod, budgets = drained.pod, drained.budgets
    force = f"set {vocabulary.name('force_pod_eviction_on_pdb_failure')}"
    if drained.outcome is DrainOutcome.HELD and len(budgets) == 1:
        budget = budgets[0]
        if budget.problem:
            return (
                f"PodDisruptionBudget {sanitize(budget.full_name)} allows 0 disruptions (SyncFailed: {budget.problem})",
                f"correct its selector, delete it, or {force}",
            )
        return (
            f"PodDisruptionBudget {sanitize(budget.full_name)} allows 0 disruptions ({budget.current_healthy} healthy, "
            f"{budget.desired_healthy} required)",
            f"add replicas, relax the budget, or {force}",
        )
    if drained.outcome is DrainOutcome.HELD:
        names = list_some(sanitize(budget.full_name) for budget in budgets)
        return (
            f"the API server rejects evictions of pods with several PodDisruptionBudgets ({names})",
            f"leave one budget that selects the pod, or {force}",
        )
    if drained.outcome is DrainOutcome.KEPT:
        why, remedy = _explain_standalone(vocabulary)
        return "its DaemonSet is deleted, so nothing recreates it" if is_orphan(pod, kube) else why, remedy
    if drained.outcome is DrainOutcome.LEAVING and pod.finalizers:
        finalizers = list_some(map(sanitize, pod.finalizers))
        return f"terminating, waits for finalizers ({finalizers})", "check the owner of the finalizers, or remove them"
    if drained.outcome is DrainOutcome.LEAVING:
        return "terminating", "wait for its grace period; if it stays, check the kubelet of its node"
    return "no blocker found", "check its events and the log of the Ocean Controller"


def _explain_standalone(vocabulary: Vocabulary) -> tuple[str, str]:
    option = vocabulary.name("should_evict_stand_alone_pods")
    return "standalone pod (no controller)", f"move it manually, or set {option}, which deletes it for good"


def _explain_kind(kind: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """Return what blocks a pod of a kind that Ocean reports, and the remedy."""
    if kind == "STAND_ALONE_POD":
        return _explain_standalone(vocabulary)
    detail = "" if kind == "UNKNOWN" else f" ({sanitize(kind)})"
    return f"Ocean did not evict it and reports no reason{detail}", "find out what blocks it, then move it manually"
