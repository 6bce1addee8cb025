"""Which pods are still on the old nodes of a migration, and what holds each: as Kubernetes, or the service, tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationInstance, MigrationStatus
from ocean_migration_pulumi.common.text import list_some, sanitize
from ocean_migration_pulumi.migration.checks.service import is_pending
from ocean_migration_pulumi.migration.planning.findings_text import render
from ocean_migration_pulumi.migration.scheduling.drain_rules import (
    LEAVING_OUTCOMES,
    DrainedPod,
    DrainOutcome,
    drain_outcomes,
    is_orphan,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    BUDGETS,
    DAEMON_SETS,
    NODES,
    PODS,
    KubernetesSnapshot,
)
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic, report_gaps
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

_FORCE: Final = "force_pod_eviction_on_pdb_failure"
_EVICT: Final = "should_evict_stand_alone_pods"
_BY_HAND: Final = f"move it by hand, or migrate with {_EVICT}, which deletes it for good"
_ALONE: Final = "it has no controller (a stand-alone pod)"
NOTHING: Final = "nothing that can be seen holds it"
"""Of a pod that is there all the same."""

_HOLDS: Final = frozenset({DrainOutcome.HELD, DrainOutcome.KEPT, DrainOutcome.LEAVING})
_TOPICS: Final[Mapping[str, Topic]] = {
    NODES: Topic.NODE_NAMES,
    PODS: Topic.PODS_LEFT,
    BUDGETS: Topic.BUDGETS,
    DAEMON_SETS: Topic.DAEMON_SETS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckPod:
    """A pod that is still on an old node: what holds it, and what to do about it.

    ``pod`` is ``namespace/name``, or the name alone where nothing tells the namespace. ``node`` is empty for a pod that
    has left its node and waits for another one.
    """

    pod: str
    node: str
    why: str
    remedy: str


def display_name(instance: MigrationInstance) -> str:
    """Return the name by which messages call a node."""
    return sanitize(instance.node_name) if instance.node_name else instance.instance_id


def draining_nodes(status: MigrationStatus) -> list[MigrationInstance]:
    """Return the old nodes that are being drained now: all that hold pods, where the service does not tell them apart.

    Only the states REQUIRES_MANUAL_MIGRATION and RUNNING of a node are documented.
    """
    left = [node for node in status.old_instances if node.running_pods and node.state != REQUIRES_MANUAL_MIGRATION]
    marked = [node for node in left if "DRAIN" in node.state.upper()]
    return marked or left


def pods_named_by_ocean(instances: Iterable[MigrationInstance]) -> tuple[StuckPod, ...]:
    """Return the pods that the service itself names as left on these nodes."""
    return tuple(
        StuckPod(
            pod=sanitize(pod.name or pod.id),
            node=display_name(node),
            why=_kind(pod.kind),
            remedy=_kind_remedy(pod.kind),
        )
        for node in instances
        for pod in node.pods
    )


def find_stuck_pods(
    status: MigrationStatus,
    kube: KubernetesSnapshot,
    instances: Iterable[MigrationInstance],
    *,
    idle: Iterable[MigrationInstance] = (),
    pending: bool = False,
) -> tuple[StuckPod, ...]:
    """Return the pods that something holds on these nodes, as Kubernetes tells.

    Of the ``idle`` nodes those are returned, too, that nothing holds and that are there all the same. ``pending`` adds
    the pods that wait for a node. Pods of DaemonSets and static ones are not moved, so they are left out.
    """
    spec = MigrationSpec(should_evict_stand_alone_pods=bool(status.should_evict_stand_alone_pods))
    names = {_known_as(node, kube): display_name(node) for node in instances}
    waiting = {_known_as(node, kube) for node in idle}
    on_nodes = kube.pods_on(frozenset(names.keys() - {""}))
    found = [
        StuckPod(
            pod=sanitize(drained.pod.full_name),
            node=names[drained.pod.node_name],
            why=_why(drained, kube),
            remedy=_remedy(drained),
        )
        for drained in sorted(
            drain_outcomes(on_nodes, kube, spec), key=lambda drained: drained.outcome in LEAVING_OUTCOMES
        )
        if drained.outcome in _HOLDS or (drained.outcome in LEAVING_OUTCOMES and drained.pod.node_name in waiting)
    ]
    if pending:
        found += [
            StuckPod(
                pod=sanitize(pod.full_name),
                node="",
                why="it waits for a node, and none takes it",
                remedy="look at its events: what it asks for must fit a Virtual Node Group",
            )
            for pod in sorted(kube.pods, key=lambda pod: pod.full_name)
            if is_pending(pod)
        ]
    return tuple(found)


def pods_gone(told_pods: Iterable[StuckPod], kube: KubernetesSnapshot) -> list[str]:
    """Return the names of pods that the service told of and that Kubernetes has on no node any more."""
    there = {pod.name for pod in kube.pods if pod.node_name and not pod.finished}
    return [stuck_pod.pod for stuck_pod in told_pods if stuck_pod.pod not in there]


def pods_unknown(kube: KubernetesSnapshot) -> tuple[str, ...]:
    """Return what Kubernetes did not tell, a line for each reason."""
    gaps = {topic: kube.gaps[name] for name, topic in _TOPICS.items() if name in kube.gaps}
    return tuple(map(render, report_gaps(gaps)))


def _known_as(node: MigrationInstance, kube: KubernetesSnapshot) -> str:
    known = kube.nodes.get(node.instance_id)
    return known.name if known else node.node_name


def _why(drained: DrainedPod, kube: KubernetesSnapshot) -> str:
    pod, budgets = drained.pod, drained.budgets
    if drained.outcome is DrainOutcome.HELD and len(budgets) == 1:
        budget = budgets[0]
        return (
            f"PodDisruptionBudget {sanitize(budget.full_name)} allows no disruption (needs {budget.desired_healthy} "
            f"healthy, has {budget.current_healthy})"
        )
    if drained.outcome is DrainOutcome.HELD:
        names = list_some(sanitize(budget.full_name) for budget in budgets)
        return f"the API server evicts no pod of several PodDisruptionBudgets ({names})"
    if drained.outcome is DrainOutcome.KEPT:
        return "its DaemonSet is gone, so that nothing starts it again" if is_orphan(pod, kube) else _ALONE
    if drained.outcome is DrainOutcome.LEAVING:
        if pod.finalizers:
            return f"it is being deleted, and kept by finalizers ({list_some(map(sanitize, pod.finalizers))})"
        return "it is being deleted, and has not ended yet"
    return NOTHING


def _remedy(drained: DrainedPod) -> str:
    if drained.outcome is DrainOutcome.HELD and len(drained.budgets) == 1:
        return f"run more of its pods, change the budget, or migrate with {_FORCE}"
    if drained.outcome is DrainOutcome.HELD:
        return f"leave one budget to each pod, or migrate with {_FORCE}"
    if drained.outcome is DrainOutcome.KEPT:
        return _BY_HAND
    if drained.outcome is DrainOutcome.LEAVING:
        if drained.pod.finalizers:
            return "let whoever set the finalizers finish, or remove them"
        return "wait for its grace period; if it stays, look at the kubelet of its node"
    return "look at its events, and at the log of the Ocean Controller"


def _kind(kind: str) -> str:
    if kind == "STAND_ALONE_POD":
        return _ALONE
    return "Ocean did not move it, and does not tell why" + ("" if kind == "UNKNOWN" else f" ({sanitize(kind)})")


def _kind_remedy(kind: str) -> str:
    return _BY_HAND if kind == "STAND_ALONE_POD" else "find out what holds it, then move it by hand"
