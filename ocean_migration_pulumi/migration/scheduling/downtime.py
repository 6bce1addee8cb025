"""Forecast which workloads are down while their nodes are drained.

By the review dialog of Spot's console, "after each batch is drained and the pods are running on new nodes, the next
batch will start draining". Which nodes form a batch is not documented. So the worst choice counts: the nodes with most
replicas of a workload.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from ocean_migration_pulumi.migration.scheduling.drain_rules import DrainedPod, DrainOutcome
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    BUDGETS,
    CLAIMS,
    DEPLOYMENTS,
    PODS,
    VOLUMES,
    Budget,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
    Term,
)
from ocean_migration_pulumi.migration.scheduling.label_matching import selects
from ocean_migration_pulumi.migration.scheduling.workloads import find_service, find_workload
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.planned_nodes import batch_size
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

_DEPLOYMENT: Final = "Deployment"
_MOST_LINES: Final = 10
_MOST_SINGLE: Final = 3
_MOST_SUGGESTIONS: Final = 5
_CHANGING_LABELS: Final = frozenset(
    {
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/version",
        "apps.kubernetes.io/pod-index",
        "controller-revision-hash",
        "helm.sh/chart",
        "pod-template-hash",
        "rollouts-pod-template-hash",
        "statefulset.kubernetes.io/pod-name",
        "version",
    }
)
"""Labels that differ between the pods of one workload, or change with a release: no budget should select by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadImpact:
    """What the drain of a batch does to a workload in the worst case."""

    kind: str
    namespace: str
    name: str
    ready: int
    """Its ready replicas in the whole cluster."""
    planned: int
    """Those of them on planned nodes that a drain evicts."""
    at_once: int
    """The most that one batch may evict at once, as far as PodDisruptionBudgets allow it."""
    nodes: tuple[str, ...]
    """Names of the planned nodes that they run on."""
    budgets: tuple[str, ...] = ()
    """The PodDisruptionBudgets that select them."""
    surges: bool = False
    """Whether a rollout can start new replicas before it ends the old ones."""
    batch_size_percentage: int | None = None
    """The largest batch that leaves a replica running; None when there is none."""

    @property
    def title(self) -> str:
        """Kind, namespace and name."""
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def is_down(self) -> bool:
        """Whether no ready replica is left."""
        return self.at_once >= self.ready

    @property
    def is_reduced(self) -> bool:
        """Whether several replicas go at once, at least half of them, but not all."""
        return not self.is_down and self.at_once > 1 and 2 * self.at_once >= self.ready

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-plain data."""
        return {
            "kind": self.kind,
            "name": f"{self.namespace}/{self.name}",
            "ready": self.ready,
            "planned": self.planned,
            "evicted_at_once": self.at_once,
            "nodes": list(self.nodes),
            "budgets": list(self.budgets),
            "surges": self.surges,
            "batch_size_percentage": self.batch_size_percentage,
        }


def forecast_downtime(
    spec: MigrationSpec,
    drained_pods: Iterable[DrainedPod],
    nodes: int,
    kube: KubernetesSnapshot,
    allowed: Collection[str] = frozenset(),
) -> list[Diagnostic]:
    """Return the workloads that are down, or lose half or more of their replicas, when a batch is drained.

    Jobs and DaemonSets are not judged: a Job's pods end, and those of a DaemonSet stay with their node. Replicas that a
    PodDisruptionBudget holds are not evicted.

    Args:
        spec: What to migrate, and how.
        drained_pods: What becomes of each pod on the planned nodes.
        nodes: How many nodes are planned.
        kube: What Kubernetes answered.
        allowed: The full names of budgets of which the API server itself said that they allow an eviction.
    """
    impacts = sorted(
        _find_impacts(spec, drained_pods, nodes, kube, allowed),
        key=lambda impact: (-impact.ready, impact.namespace, impact.name),
    )
    common = {"knows_budgets": kube.knows(BUDGETS), "forced": spec.force_pod_eviction_on_pdb_failure}
    single = [impact for impact in impacts if impact.is_down and impact.ready == 1]
    several = [impact for impact in impacts if impact.is_down and impact.ready > 1]
    groups = [[impact] for impact in several[:_MOST_LINES]]
    groups += [group for group in [several[_MOST_LINES:]] if group]
    groups += [[impact] for impact in single] if len(single) <= _MOST_SINGLE else [single]
    diagnostics = [_report(Code.DOWNTIME, group, common) for group in groups]
    # Whoever has a budget has decided how many replicas may go at once.
    reduced = [impact for impact in impacts if impact.is_reduced and (common["forced"] or not impact.budgets)]
    if reduced:
        diagnostics.append(_report(Code.REPLICAS_DROP, reduced, common))
    wanted = common["knows_budgets"] and not common["forced"]
    unguarded = [impact for impact in several + reduced if not impact.budgets] if wanted else []
    return [*diagnostics, *_suggest_budgets(unguarded[:_MOST_SUGGESTIONS], kube)]


def _report(code: Code, impacts: Sequence[WorkloadImpact], common: Mapping[str, bool]) -> Diagnostic:
    return Diagnostic.warning(
        code,
        impacts[0].title if len(impacts) == 1 else "",
        workloads=[impact.to_json() for impact in impacts],
        **common,
    )


def _suggest_budgets(impacts: Iterable[WorkloadImpact], kube: KubernetesSnapshot) -> list[Diagnostic]:
    """Return PodDisruptionBudgets that let one replica at a time go, as YAML; none when no selector is known."""
    selectors = {impact: selector for impact in impacts if (selector := _find_selector(impact, kube))}
    if not selectors:
        return []
    documents = [
        "\n".join(
            (
                "apiVersion: policy/v1",
                "kind: PodDisruptionBudget",
                f"metadata: {json.dumps({'name': impact.name, 'namespace': impact.namespace})}",
                f"spec: {json.dumps({'maxUnavailable': 1, 'selector': _to_selector(selector)})}",
            )
        )
        for impact, selector in selectors.items()
    ]
    return [
        Diagnostic.info(
            Code.PDB_SUGGESTION, workloads=[impact.title for impact in selectors], source="\n---\n".join(documents)
        )
    ]


def _to_selector(term: Term) -> dict[str, Any]:
    equal = {part.key: part.values[0] for part in term if part.operator == "In" and len(part.values) == 1}
    others = [
        {"key": part.key, "operator": part.operator, **({"values": list(part.values)} if part.values else {})}
        for part in term
        if part.key not in equal
    ]
    return {**({"matchLabels": equal} if equal else {}), **({"matchExpressions": others} if others else {})}


def _find_impacts(
    spec: MigrationSpec,
    drained_pods: Iterable[DrainedPod],
    nodes: int,
    kube: KubernetesSnapshot,
    allowed: Collection[str],
) -> Iterable[WorkloadImpact]:
    deployments = {(each.namespace, each.name): each for each in kube.deployments}
    names = deployments.keys() if kube.knows(DEPLOYMENTS) else None
    evicted: dict[tuple[str, Owner], list[DrainedPod]] = defaultdict(list)
    for drained in drained_pods:
        workload = find_service(drained.pod, names)
        if workload and drained.pod.ready and drained.outcome in {DrainOutcome.EVICTED, DrainOutcome.FORCED}:
            evicted[drained.pod.namespace, workload].append(drained)
    if not evicted:
        return
    running: Counter[tuple[str, Owner]] = Counter()
    for pod in kube.pods:
        if pod.ready and not pod.deleting and not pod.finished and (workload := find_service(pod, names)):
            running[pod.namespace, workload] += 1
    size = batch_size(nodes, spec.batch_size_percentage)
    for (namespace, workload), leaving in evicted.items():
        deployment = deployments.get((namespace, workload.name)) if workload.kind == _DEPLOYMENT else None
        ready = running[namespace, workload]
        if deployment is not None and not kube.knows(PODS):  # an incomplete list counts too few
            ready = max(ready, deployment.ready_replicas)
        limits = {} if spec.force_pod_eviction_on_pdb_failure else _find_limits(leaving, allowed)
        counts = _count_by_node(leaving)
        fitting = sum(total < ready for total in accumulate(counts[: size - 1]))
        yield WorkloadImpact(
            kind=workload.kind,
            namespace=namespace,
            name=workload.name,
            ready=ready,
            planned=len(leaving),
            at_once=min(sum(counts[:size]), _bound_by_budgets(leaving, limits, size)),
            nodes=tuple(sorted({drained.pod.node_name for drained in leaving})),
            budgets=tuple(sorted({budget.full_name for drained in leaving for budget in drained.guards})),
            surges=deployment is not None
            and deployment.surges
            and not any(_binds_to_node(drained.pod, kube) for drained in leaving),
            batch_size_percentage=100 * fitting // nodes or None,
        )


def _binds_to_node(pod: Pod, kube: KubernetesSnapshot) -> bool:
    """Tell whether a volume of a pod can be attached to one node at a time, as those of EBS can: no new pod starts.

    Volumes of generic ephemeral claims do not count: each pod has its own.
    """
    return bool(pod.claims) and (bool(pod.ebs_volumes) or not kube.knows(CLAIMS, VOLUMES))


def _count_by_node(drained_pods: Iterable[DrainedPod]) -> list[int]:
    """Return how many of these pods each node has, the most first."""
    return sorted(Counter(drained.pod.node_name for drained in drained_pods).values(), reverse=True)


def _find_limits(drained_pods: Iterable[DrainedPod], allowed: Collection[str]) -> dict[Budget, int]:
    """Return how many evictions each budget allows at once."""
    return {
        budget: max(budget.disruptions_allowed, 1 if budget.full_name in allowed else 0)
        for drained in drained_pods
        for budget in drained.guards
    }


def _bound_by_budgets(drained_pods: Sequence[DrainedPod], limits: Mapping[Budget, int], size: int) -> int:
    """Return the most of these pods that a batch of this size may evict within their budgets."""
    grouped: dict[Budget | None, list[DrainedPod]] = defaultdict(list)
    for drained in drained_pods:
        grouped[drained.guards[0] if drained.guards and limits else None].append(drained)
    total = 0
    for budget, group in grouped.items():
        most = sum(_count_by_node(group)[:size])
        total += most if budget is None else min(most, limits[budget])
    return total


def _find_selector(impact: WorkloadImpact, kube: KubernetesSnapshot) -> Term | None:
    """Return conditions on labels that select the pods of a workload and no others; None when there are none."""
    deployments = {(each.namespace, each.name): each for each in kube.deployments}
    found = deployments.get((impact.namespace, impact.name)) if impact.kind == _DEPLOYMENT else None
    if found and found.selector:
        return found.selector
    own: list[Pod] = []
    others: list[Pod] = []
    for pod in kube.pods:
        if pod.namespace == impact.namespace:
            workload = find_workload(pod, deployments if kube.knows(DEPLOYMENTS) else None)
            same = workload is not None and (workload.kind, workload.name) == (impact.kind, impact.name)
            (own if same else others).append(pod)
    common = set.intersection(*(set(pod.labels.items()) for pod in own))
    term = tuple(Requirement(key=key, values=(value,)) for key, value in sorted(common) if key not in _CHANGING_LABELS)
    return term if term and not any(selects(term, pod.labels) for pod in others) else None
