"""Forecast what a drain does with each pod on the planned nodes, and what blocks it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.scheduling.downtime import forecast_downtime
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
    PROTECTIONS,
    Budget,
    EvictionTrial,
    KubernetesSnapshot,
    Pod,
)
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic, report_gaps
from ocean_migration_pulumi.migration.scheduling.workloads import (
    describe_work,
    is_orphan,
    is_standalone,
    runs_on_each_node,
)
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

NO_TRIALS: Final[Mapping[str, EvictionTrial]] = {}
"""In a preview: no eviction was tried."""

_ENDED: Final = LEAVING_OUTCOMES | {DrainOutcome.HELD}
_MOST_LINES: Final = 10
_MOST_SINGLE: Final = 3
_STUCK_AFTER: Final = timedelta(minutes=5)
"""How long after its deadline a pod that is deleted is stuck."""
DRAINING_TIMEOUT: Final = 300
"""Seconds of ``strategy.drainingTimeout`` where a cluster sets none, by Spot's API reference."""
_TOPICS: Final = {
    NODES: Topic.NODE_NAMES,
    PODS: Topic.PODS,
    BUDGETS: Topic.BUDGETS,
    DAEMON_SETS: Topic.DAEMON_SETS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionForecast:
    """What becomes of the pods on the planned nodes; every pod is counted once."""

    evicted: int = 0
    """Pods that start elsewhere."""
    held: int = 0
    """Pods that a PodDisruptionBudget does not let go."""
    forced: int = 0
    """Pods that are evicted against a PodDisruptionBudget."""
    kept: int = 0
    """Standalone pods that stay."""
    deleted: int = 0
    """Standalone pods that are evicted, and that nothing starts again."""
    daemon_set_pods: int = 0
    """Pods of DaemonSets, which are not moved."""
    static_pods: int = 0
    """Static pods, which are not moved."""
    finished: int = 0
    """Pods that no longer run."""
    leaving: int = 0
    """Pods that are being deleted already."""
    losing_data: int = 0
    """How many of the evicted, forced and deleted ones have a volume that is deleted with the pod."""
    losing_work: int = 0
    """How many of the evicted, forced and deleted ones do a piece of work that is lost, or done again."""
    movers: tuple[Pod, ...] = field(default=(), repr=False)
    """The pods that need a place elsewhere, held ones included."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """The blockers, the worst first; then what is destroyed or in doubt; then what could not be evaluated."""
    knows_pods: bool = True
    """Whether at least some pods were read."""
    knows_all_pods: bool = True
    knows_budgets: bool = True

    @property
    def summary(self) -> Diagnostic | None:
        """What becomes of the pods, in one diagnostic; None when the pods are not known."""
        if not self.knows_pods:
            return None
        counts = {name: getattr(self, name) for name in _COUNTS}
        return Diagnostic.info(
            Code.PODS, **counts, knows_budgets=self.knows_budgets, knows_all_pods=self.knows_all_pods
        )


_COUNTS: Final = (
    "evicted",
    "held",
    "forced",
    "kept",
    "deleted",
    "leaving",
    "finished",
    "daemon_set_pods",
    "static_pods",
    "losing_data",
    "losing_work",
)


def forecast_evictions(
    spec: MigrationSpec,
    nodes: Iterable[PlannedNode],
    kube: KubernetesSnapshot,
    trials: Mapping[str, EvictionTrial] = NO_TRIALS,
    *,
    now: datetime | None = None,
    draining_timeout: int = DRAINING_TIMEOUT,
) -> EvictionForecast:
    """Forecast what a drain does with the pods on these nodes.

    Args:
        spec: What to migrate, and how.
        nodes: The planned nodes.
        kube: What Kubernetes answered.
        trials: The API server's own answers for one held pod of each budget, by the budget's full name.
        now: The service's time, to tell how long something has lasted; None when it does not matter.
        draining_timeout: Seconds that Ocean gives the pods of a drained node to end.
    """
    planned = list(nodes)
    allowed = {name for name, trial in trials.items() if trial.allowed}
    drained_pods = drain_outcomes(_pods_on(planned, kube), kube, spec, allowed)
    count = Counter(drained.outcome for drained in drained_pods)
    by_outcome: dict[DrainOutcome, list[DrainedPod]] = defaultdict(list)
    for drained in drained_pods:
        by_outcome[drained.outcome].append(drained)
    movers = [
        drained.pod
        for drained in drained_pods
        if drained.outcome in {DrainOutcome.EVICTED, DrainOutcome.HELD, DrainOutcome.FORCED}
        and not is_standalone(drained.pod, kube)
        and not runs_on_each_node(drained.pod.controller)
    ]
    return EvictionForecast(
        evicted=count[DrainOutcome.EVICTED],
        held=count[DrainOutcome.HELD],
        forced=count[DrainOutcome.FORCED],
        kept=count[DrainOutcome.KEPT],
        deleted=count[DrainOutcome.DELETED],
        daemon_set_pods=count[DrainOutcome.DAEMON],
        static_pods=count[DrainOutcome.STATIC],
        finished=count[DrainOutcome.FINISHED],
        leaving=count[DrainOutcome.LEAVING],
        losing_data=sum(drained.pod.empty_dir for drained in drained_pods if drained.outcome in LEAVING_OUTCOMES),
        losing_work=sum(
            bool(describe_work(drained.pod.controller, drained.pod.labels))
            for drained in drained_pods
            if drained.outcome in LEAVING_OUTCOMES
        ),
        movers=tuple(movers),
        diagnostics=(
            *_budgets(by_outcome[DrainOutcome.HELD], trials, forced=False),
            *_standalone_pods(by_outcome[DrainOutcome.KEPT], kube, Code.STANDALONE_PODS_STAY),
            *_terminating(by_outcome[DrainOutcome.LEAVING], now),
            *_on_failing_nodes(planned, drained_pods, kube, now),
            *_slow(drained_pods, draining_timeout),
            *forecast_downtime(spec, drained_pods, len(planned), kube, allowed),
            *_standalone_pods(by_outcome[DrainOutcome.DELETED], kube, Code.STANDALONE_PODS_DELETED),
            *_budgets(by_outcome[DrainOutcome.FORCED], trials, forced=True),
            *_work(drained_pods),
            *_protected(drained_pods),
            *_unknowns(planned, kube, count),
        ),
        knows_pods=kube.knows(PODS) or bool(kube.pods),
        knows_all_pods=kube.knows(PODS),
        knows_budgets=kube.knows(BUDGETS),
    )


def held_pods(spec: MigrationSpec, nodes: Iterable[PlannedNode], kube: KubernetesSnapshot) -> dict[str, list[Pod]]:
    """Return, by the full name of each budget that holds pods, those to try an eviction with.

    A pod of several budgets says nothing of any single one: the API server refuses it without looking at them.
    """
    samples: dict[str, list[Pod]] = defaultdict(list)
    for drained in drain_outcomes(_pods_on(list(nodes), kube), kube, spec):
        if len(drained.budgets) == 1:
            samples[drained.budgets[0].full_name].append(drained.pod)
    return samples


def node_name(node: PlannedNode, kube: KubernetesSnapshot) -> str:
    """Return the name by which Kubernetes knows a planned node; empty when it is not known."""
    known = kube.nodes.get(node.instance_id)
    return known.name if known else node.node_name


def _pods_on(nodes: Iterable[PlannedNode], kube: KubernetesSnapshot) -> list[Pod]:
    return kube.pods_on(frozenset(name for node in nodes if (name := node_name(node, kube))))


def _budgets(
    drained_pods: Iterable[DrainedPod], trials: Mapping[str, EvictionTrial], *, forced: bool
) -> list[Diagnostic]:
    """Return a diagnostic for each budget, or set of budgets, that forbids evictions.

    First those that no healthy pod will ever change, then those with the most pods.
    """
    grouped: dict[tuple[Budget, ...], list[DrainedPod]] = defaultdict(list)
    for drained in drained_pods:
        grouped[drained.budgets].append(drained)
    ordered = sorted(
        grouped.items(),
        key=lambda item: (
            len(item[0]) == 1 and not (_never_allows(item[0][0]) or item[0][0].problem),
            len(item[0]) == 1,
            -len(item[1]),
            [budget.full_name for budget in item[0]],
        ),
    )
    diagnostics = []
    for budgets, held in ordered[:_MOST_LINES]:
        fields = _where(held) | {"forced": forced}
        if len(budgets) > 1:
            fields["budgets"] = [budget.full_name for budget in budgets]
            diagnostics.append(Diagnostic.warning(Code.PDBS_OVERLAP, **fields))
            continue
        (budget,) = budgets
        trial = trials.get(budget.full_name)
        fields |= {
            "healthy": budget.current_healthy,
            "required": budget.desired_healthy,
            "never": _never_allows(budget),
            "closed": budget.is_closed,
            "problem": budget.problem,
            "processed": budget.is_processed,
            "trial": None if trial is None else _describe_trial(trial),
        }
        diagnostics.append(Diagnostic.warning(Code.PDB_BLOCKS, budget.full_name, **fields))
    if others := ordered[_MOST_LINES:]:
        fields = _where([drained for _, held in others for drained in held]) | {"forced": forced}
        fields["budgets"] = sorted({budget.full_name for budgets, _ in others for budget in budgets})
        diagnostics.append(Diagnostic.warning(Code.PDBS_MORE, **fields))
    return diagnostics


def _describe_trial(trial: EvictionTrial) -> dict[str, Any]:
    gap = {"gap": trial.gap.to_json()} if trial.gap else {}
    return {"allowed": trial.allowed, "message": trial.said, **gap}


def _never_allows(budget: Budget) -> bool:
    return 0 < budget.expected_pods <= budget.desired_healthy


def _where(drained_pods: Sequence[DrainedPod]) -> dict[str, Any]:
    """Return how many pods on which nodes."""
    return {"pods": len(drained_pods), "nodes": sorted({drained.pod.node_name for drained in drained_pods})}


def _standalone_pods(drained_pods: Sequence[DrainedPod], kube: KubernetesSnapshot, code: Code) -> list[Diagnostic]:
    """Return a diagnostic for each standalone pod, or one for all of many."""
    pods = [drained.pod for drained in drained_pods]
    few = len(pods) <= _MOST_SINGLE
    return [
        Diagnostic.warning(
            code,
            group[0].full_name if few else "",
            pods=[pod.full_name for pod in group],
            nodes=sorted({pod.node_name for pod in group}),
            orphaned=all(is_orphan(pod, kube) for pod in group),
        )
        for group in ([[pod] for pod in pods] if few else [pods])
    ]


def _terminating(drained_pods: Iterable[DrainedPod], now: datetime | None) -> list[Diagnostic]:
    """Return a diagnostic for the pods that should be gone for long, those with and without finalizers apart."""
    late: dict[bool, list[tuple[float, Pod]]] = defaultdict(list)
    for drained in drained_pods:
        deadline = parse_time(drained.pod.deletion_deadline)
        if now is not None and deadline is not None and now - deadline > _STUCK_AFTER:
            late[bool(drained.pod.finalizers)].append(((now - deadline).total_seconds(), drained.pod))
    return [
        Diagnostic.warning(
            Code.PODS_TERMINATING,
            pods[0][1].full_name if len(pods) == 1 else "",
            pods=[pod.full_name for _, pod in pods],
            nodes=sorted({pod.node_name for _, pod in pods}),
            seconds=max(seconds for seconds, _ in pods),
            finalizers=sorted({finalizer for _, pod in pods for finalizer in pod.finalizers}),
        )
        for _, pods in sorted(late.items(), reverse=True)
    ]


def _on_failing_nodes(
    nodes: Iterable[PlannedNode], drained_pods: Iterable[DrainedPod], kube: KubernetesSnapshot, now: datetime | None
) -> list[Diagnostic]:
    """Return a diagnostic for the planned nodes that are not ready: no kubelet ends the pods on them."""
    pods = Counter(
        drained.pod.node_name
        for drained in drained_pods
        if drained.outcome in _ENDED or drained.outcome is DrainOutcome.LEAVING
    )
    failing = [
        known
        for node in nodes
        if (known := kube.nodes.get(node.instance_id)) is not None and not known.ready and pods[known.name]
    ]
    if not failing:
        return []
    since = [parse_time(node.not_ready_since) for node in failing]
    ages = [(now - start).total_seconds() for start in since if start is not None and now is not None]
    return [
        Diagnostic.warning(
            Code.NODES_NOT_READY,
            failing[0].name if len(failing) == 1 else "",
            nodes=sorted(node.name for node in failing),
            pods=sum(pods[node.name] for node in failing),
            seconds=max(ages) if ages else None,
        )
    ]


def _slow(drained_pods: Iterable[DrainedPod], timeout: int) -> list[Diagnostic]:
    """Return a diagnostic for the pods that may take longer to end than Ocean waits."""
    pods = [drained.pod for drained in drained_pods if drained.outcome in _ENDED]
    slow = [pod for pod in pods if pod.grace_seconds > timeout]
    if not slow:
        return []
    return [
        Diagnostic.warning(
            Code.GRACE_PERIOD_TOO_LONG,
            pods=[pod.full_name for pod in slow],
            seconds=max(pod.grace_seconds for pod in slow),
            timeout=timeout,
        )
    ]


def _work(drained_pods: Iterable[DrainedPod]) -> list[Diagnostic]:
    """Return a diagnostic for each kind of work whose pods a drain ends, or would end if it could."""
    ended: dict[str, list[str]] = defaultdict(list)
    for drained in drained_pods:
        if drained.outcome in _ENDED and (kind := describe_work(drained.pod.controller, drained.pod.labels)):
            ended[kind].append(drained.pod.full_name)
    return [Diagnostic.warning(Code.WORK_INTERRUPTED, kind, pods=names) for kind, names in sorted(ended.items())]


def _protected(drained_pods: Iterable[DrainedPod]) -> list[Diagnostic]:
    """Return a diagnostic for each annotation or label by which pods ask not to be moved."""
    moving = [drained.pod for drained in drained_pods if drained.outcome in _ENDED]
    diagnostics = []
    for key, value in PROTECTIONS:
        asking = {
            pod.full_name: found
            for pod in moving
            for found in (pod.labels.get(key), pod.annotations.get(key))
            if found is not None and value in {None, found}
        }
        if asking:
            shown = next(iter(asking.values()))
            diagnostics.append(Diagnostic.warning(Code.PODS_PROTECTED, key, value=shown, pods=list(asking)))
    return diagnostics


def _unknowns(
    nodes: Iterable[PlannedNode], kube: KubernetesSnapshot, count: Mapping[DrainOutcome, int]
) -> list[Diagnostic]:
    gaps = {name: kube.gaps[name] for name in (PODS, BUDGETS) if name in kube.gaps}
    if DAEMON_SETS in kube.gaps and (PODS in gaps or count[DrainOutcome.DAEMON]):
        gaps[DAEMON_SETS] = kube.gaps[DAEMON_SETS]
    if nameless := sorted(node.instance_id for node in nodes if not node_name(node, kube)):
        gaps[NODES] = kube.gaps.get(NODES, Gap(GapCode.NO_NODES, {"instance_ids": nameless}))
    topics = {**_TOPICS, PODS: Topic.PODS_NOT_READ} if kube.pods else _TOPICS
    return report_gaps({topics[name]: gap for name, gap in gaps.items()})
