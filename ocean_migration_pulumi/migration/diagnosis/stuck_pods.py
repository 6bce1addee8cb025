"""Stuck pods: pods that are still on the old nodes of a migration, what blocks each, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationInstance, MigrationStatus
from ocean_migration_pulumi.common.text import sanitize
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

_BLOCKED: Final = frozenset({DrainOutcome.HELD, DrainOutcome.KEPT, DrainOutcome.LEAVING})
_TOPICS: Final[Mapping[str, Topic]] = {
    NODES: Topic.NODE_NAMES,
    PODS: Topic.PODS_LEFT,
    BUDGETS: Topic.BUDGETS,
    DAEMON_SETS: Topic.DAEMON_SETS,
}


class Blocker(StrEnum):
    """What blocks a pod; the string under each member names the ``fields``."""

    BUDGET = "budget"
    """A ``budget`` that allows no disruption: how many pods are ``healthy`` and ``required``."""
    BROKEN_BUDGET = "broken-budget"
    """A ``budget`` that Kubernetes cannot compute, and its ``problem``."""
    BUDGETS = "budgets"
    """Several ``budgets`` select the pod."""
    STANDALONE = "standalone"
    """It has no controller; no fields."""
    ORPHAN = "orphan"
    """Its DaemonSet is deleted; no fields."""
    FINALIZERS = "finalizers"
    """It is deleted, and waits for ``finalizers``."""
    TERMINATING = "terminating"
    """No fields."""
    NONE = "none"
    """Nothing was found; no fields."""
    PENDING = "pending"
    """It fits no node; no fields."""
    NOT_EVICTED = "not-evicted"
    """Ocean reports it without a reason, as one of this ``kind`` (may be empty)."""


BUDGET_BLOCKERS: Final = frozenset({Blocker.BUDGET, Blocker.BROKEN_BUDGET, Blocker.BUDGETS})
"""Blockers that ``force_pod_eviction_on_pdb_failure`` overrides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckPod:
    """A pod that is still on an old node, or waits for another node."""

    pod: str
    """``namespace/name``; the name alone if the namespace is unknown."""
    node: str
    """Name of the old node; empty for a pending pod."""
    blocker: Blocker
    """What blocks it."""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the text of the blocker names."""


def display_name(node: MigrationInstance) -> str:
    """Return the name of a node for messages: its instance id if Kubernetes' name is unknown."""
    return sanitize(node.node_name) if node.node_name else node.instance_id


def find_draining_nodes(status: MigrationStatus) -> list[MigrationInstance]:
    """Return the old nodes that Ocean drains now: all that have pods if their states do not tell.

    Only the states REQUIRES_MANUAL_MIGRATION and RUNNING of a node are documented.
    """
    left = [node for node in status.old_instances if node.running_pods and node.state != REQUIRES_MANUAL_MIGRATION]
    return [node for node in left if "DRAIN" in node.state.upper()] or left


def list_reported_pods(nodes: Iterable[MigrationInstance]) -> tuple[StuckPod, ...]:
    """Return the pods that Ocean itself reports as left on these nodes."""
    found = []
    for node in nodes:
        for pod in node.pods:
            name, node_name = sanitize(pod.name or pod.id), display_name(node)
            if pod.kind == "STAND_ALONE_POD":
                found.append(StuckPod(pod=name, node=node_name, blocker=Blocker.STANDALONE))
            else:
                fields = {"kind": "" if pod.kind == "UNKNOWN" else pod.kind}
                found.append(StuckPod(pod=name, node=node_name, blocker=Blocker.NOT_EVICTED, fields=fields))
    return tuple(found)


def find_stuck_pods(
    status: MigrationStatus,
    kube: KubernetesSnapshot,
    nodes: Iterable[MigrationInstance],
    *,
    include_unblocked: bool = False,
    include_pending: bool = False,
) -> tuple[StuckPod, ...]:
    """Return the pods on these nodes that something blocks, as Kubernetes reports them.

    Args:
        status: Status of the migration.
        kube: Snapshot of Kubernetes.
        nodes: Old nodes.
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
            blocker, fields = _find_blocker(drained, kube)
            found.append(
                StuckPod(
                    pod=sanitize(drained.pod.full_name),
                    node=names[drained.pod.node_name],
                    blocker=blocker,
                    fields=fields,
                )
            )
    if include_pending:
        found += [
            StuckPod(pod=sanitize(pod.full_name), node="", blocker=Blocker.PENDING)
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


def _find_blocker(drained: DrainedPod, kube: KubernetesSnapshot) -> tuple[Blocker, dict[str, Any]]:
    """Return what blocks a pod, and its fields."""
    pod, budgets = drained.pod, drained.budgets
    if drained.outcome is DrainOutcome.HELD and len(budgets) > 1:
        return Blocker.BUDGETS, {"budgets": [budget.full_name for budget in budgets]}
    if drained.outcome is DrainOutcome.HELD:
        budget = budgets[0]
        if budget.problem:
            return Blocker.BROKEN_BUDGET, {"budget": budget.full_name, "problem": budget.problem}
        counts = {"healthy": budget.current_healthy, "required": budget.desired_healthy}
        return Blocker.BUDGET, {"budget": budget.full_name, **counts}
    if drained.outcome is DrainOutcome.KEPT:
        return (Blocker.ORPHAN if is_orphan(pod, kube) else Blocker.STANDALONE), {}
    if drained.outcome is DrainOutcome.LEAVING and pod.finalizers:
        return Blocker.FINALIZERS, {"finalizers": list(pod.finalizers)}
    return (Blocker.TERMINATING if drained.outcome is DrainOutcome.LEAVING else Blocker.NONE), {}
