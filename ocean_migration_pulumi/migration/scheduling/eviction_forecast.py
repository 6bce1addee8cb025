"""What becomes of each pod on the planned nodes, and what stands in the way of its leaving."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some, sanitize
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
    Budget,
    EvictionTrial,
    Gap,
    KubernetesSnapshot,
    Pod,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

NO_TRIALS: Final[Mapping[str, EvictionTrial]] = {}
"""In a preview: no eviction was tried."""

_MOST_LINES: Final = 10
_MOST_NAMED: Final = 3
_FORCE: Final = "force_pod_eviction_on_pdb_failure"
_EVICT: Final = "should_evict_stand_alone_pods"
_PROTECTING: Final = (
    ("karpenter.sh/do-not-disrupt", "true"),
    ("karpenter.sh/do-not-evict", "true"),
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
)
_PARTS: Final = (
    ("evicted", "{pods} is evicted and starts elsewhere", "{pods} are evicted and start elsewhere"),
    ("held", "{pods} held by PodDisruptionBudgets", "{pods} held by PodDisruptionBudgets"),
    ("forced", "{pods} killed against PodDisruptionBudgets", "{pods} killed against PodDisruptionBudgets"),
    ("kept", " stand-alone{pods} stays behind", " stand-alone{pods} stay behind"),
    ("deleted", " stand-alone{pods} is deleted for good", " stand-alone{pods} are deleted for good"),
    ("leaving", "{pods} leaves already", "{pods} leave already"),
    ("finished", "{pods} has finished", "{pods} have finished"),
    ("daemon_set_pods", "{pods} of DaemonSets is not moved", "{pods} of DaemonSets are not moved"),
    ("static_pods", " static{pods} is not moved", " static{pods} are not moved"),
)
_JUDGED: Final = {
    NODES: "the pods on nodes whose name is not known",
    PODS: "what becomes of the pods",
    BUDGETS: "which pods PodDisruptionBudgets hold",
    DAEMON_SETS: "whether the DaemonSets of pods still exist",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionForecast:
    """What becomes of the pods on the planned nodes.

    Every pod is counted once: ``evicted`` ones start elsewhere, ``held`` ones a PodDisruptionBudget does not let go,
    ``forced`` ones are evicted against it. Of pods that nothing brings back, ``kept`` ones stay and ``deleted`` ones
    are gone for good. ``daemon_set_pods`` and ``static_pods`` are not moved; ``finished`` ones run no more, ``leaving``
    ones are being deleted already. ``losing_data`` counts those among evicted, forced and deleted ones that have an
    emptyDir volume.

    ``movers`` are the pods that need a place elsewhere, held ones included. ``blockers`` tell what stands in the way,
    the worst first, ``warnings`` what is destroyed or in doubt, ``unjudged`` what could not be judged and why.
    """

    evicted: int = 0
    held: int = 0
    forced: int = 0
    kept: int = 0
    deleted: int = 0
    daemon_set_pods: int = 0
    static_pods: int = 0
    finished: int = 0
    leaving: int = 0
    losing_data: int = 0
    movers: tuple[Pod, ...] = field(default=(), repr=False)
    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    knows_pods: bool = True
    knows_budgets: bool = True

    def pods_line(self) -> str:
        """Return what becomes of the pods in one line; empty when that is not known."""
        if not self.knows_pods:
            return ""
        parts: list[str] = []
        for name, one, many in _PARTS:
            amount: int = getattr(self, name)
            if amount:
                noun = "" if parts else " pod" if amount == 1 else " pods"
                parts.append(str(amount) + (one if amount == 1 else many).format(pods=noun))
        text = ", ".join(parts) or "none has to move"
        if not self.knows_budgets:
            text += "; whether PodDisruptionBudgets hold any is not known"
        if self.losing_data:
            text += f"; {count_with_verb(self.losing_data, 'pod', 'lose')} the data of emptyDir volumes"
        return text


def forecast_evictions(
    spec: MigrationSpec,
    nodes: Iterable[PlannedNode],
    kube: KubernetesSnapshot,
    trials: Mapping[str, EvictionTrial] = NO_TRIALS,
) -> EvictionForecast:
    """Judge what becomes of the pods on these nodes.

    ``trials`` are the API server's own answers for one held pod of each budget, by the budget's full name.
    """
    planned = list(nodes)
    allowed = {name for name, trial in trials.items() if trial.allowed}
    drained_pods = drain_outcomes(_pods_on(planned, kube), kube, spec, allowed)
    count = Counter(drained.outcome for drained in drained_pods)
    by_fate: dict[DrainOutcome, list[DrainedPod]] = defaultdict(list)
    for drained in drained_pods:
        by_fate[drained.outcome].append(drained)
    movers = [
        drained.pod
        for drained in drained_pods
        if drained.outcome in {DrainOutcome.EVICTED, DrainOutcome.HELD, DrainOutcome.FORCED}
        and not _is_alone(drained.pod, kube)
    ]
    kept = _stays(by_fate[DrainOutcome.KEPT], kube)
    deleted = _deletions(by_fate[DrainOutcome.DELETED], kube)
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
        movers=tuple(movers),
        blockers=(*_budget_lines(by_fate[DrainOutcome.HELD], trials), *kept),
        warnings=(*deleted, *_budget_lines(by_fate[DrainOutcome.FORCED], trials), *_protected(drained_pods)),
        unjudged=_unjudged(planned, kube, count),
        knows_pods=kube.knows(PODS),
        knows_budgets=kube.knows(BUDGETS),
    )


def held_pods(spec: MigrationSpec, nodes: Iterable[PlannedNode], kube: KubernetesSnapshot) -> dict[str, Pod]:
    """Return, by the full name of each budget that holds pods, one of them to try an eviction with.

    A pod of several budgets says nothing of any single one: the API server refuses it without looking at them.
    """
    samples: dict[str, Pod] = {}
    for drained in drain_outcomes(_pods_on(list(nodes), kube), kube, spec):
        if len(drained.budgets) == 1:
            samples.setdefault(drained.budgets[0].full_name, drained.pod)
    return samples


def node_name(node: PlannedNode, kube: KubernetesSnapshot) -> str:
    """Return the name by which Kubernetes knows a planned node; empty when it is not known."""
    known = kube.nodes.get(node.instance_id)
    return known.name if known else node.node_name


def _pods_on(nodes: Iterable[PlannedNode], kube: KubernetesSnapshot) -> list[Pod]:
    return kube.pods_on(frozenset(name for node in nodes if (name := node_name(node, kube))))


def _is_alone(pod: Pod, kube: KubernetesSnapshot) -> bool:
    return pod.controller is None or is_orphan(pod, kube)


def _budget_lines(drained_pods: Iterable[DrainedPod], trials: Mapping[str, EvictionTrial]) -> list[str]:
    """Return a line for each budget, or set of budgets, that forbids evictions.

    First those that no healthy pod will ever change, then those with the most pods.
    """
    grouped: dict[tuple[Budget, ...], list[DrainedPod]] = defaultdict(list)
    for drained in drained_pods:
        grouped[drained.budgets].append(drained)
    ordered = sorted(
        grouped.items(),
        key=lambda item: (
            len(item[0]) == 1 and not _never_allows(item[0][0]),
            len(item[0]) == 1,
            -len(item[1]),
            _names_of(item[0]),
        ),
    )
    lines = [
        _budget_line(budgets[0], held, trials.get(budgets[0].full_name))
        if len(budgets) == 1
        else _several_budgets_line(budgets, held)
        for budgets, held in ordered[:_MOST_LINES]
    ]
    if others := ordered[_MOST_LINES:]:
        names = list_some(" and ".join(_names_of(budgets)) for budgets, _ in others)
        held = [drained for _, group in others for drained in group]
        lines.append(
            f"{count_with_verb(len(others), 'more PodDisruptionBudget', 'allow')} no disruption ({names}): "
            f"{_where(held)} {_outcome(held, 'them')}"
        )
    return lines


def _budget_line(budget: Budget, held: Sequence[DrainedPod], trial: EvictionTrial | None) -> str:
    text = (
        f"PodDisruptionBudget {sanitize(budget.full_name)} allows no disruption: {_where(held)} {_outcome(held)} "
        f"(needs {budget.desired_healthy} healthy, has {budget.current_healthy})"
    )
    if trial is not None:
        said = "the API server confirms it" if trial.allowed is False else "the API server could not confirm it"
        text += f"; {said}" + (f": {sanitize(trial.message)}" if trial.message else "")
    if held[0].outcome is DrainOutcome.FORCED:
        return f"{text}; {_FORCE} is set"
    if _never_allows(budget):
        return f"{text}; it never allows one: run more pods, change it, or set {_FORCE}"
    return f"{text}; wait until more of its pods are healthy, or set {_FORCE}"


def _several_budgets_line(budgets: Sequence[Budget], held: Sequence[DrainedPod]) -> str:
    text = (
        f"{_where(held)} {_outcome(held, 'them')}: the API server evicts no pod of several PodDisruptionBudgets "
        f"({', '.join(_names_of(budgets))})"
    )
    if held[0].outcome is DrainOutcome.FORCED:
        return f"{text}; {_FORCE} is set"
    return f"{text}; leave one budget to each pod, or set {_FORCE}"


def _never_allows(budget: Budget) -> bool:
    return 0 < budget.expected_pods <= budget.desired_healthy


def _names_of(budgets: Iterable[Budget]) -> list[str]:
    return [sanitize(budget.full_name) for budget in budgets]


def _outcome(drained_pods: Sequence[DrainedPod], budgets: str = "it") -> str:
    return f"will be killed against {budgets}" if drained_pods[0].outcome is DrainOutcome.FORCED else "will block"


def _where(drained_pods: Sequence[DrainedPod]) -> str:
    """Return how many pods on which nodes."""
    nodes = sorted({sanitize(drained.pod.node_name) for drained in drained_pods})
    on = nodes[0] if len(nodes) == 1 else f"{count_noun(len(nodes), 'node')} ({list_some(nodes, _MOST_NAMED)})"
    return f"{count_noun(len(drained_pods), 'pod')} on {on}"


def _stays(drained_pods: Sequence[DrainedPod], kube: KubernetesSnapshot) -> list[str]:
    if len(drained_pods) > _MOST_NAMED:
        return [f"{_alone(drained_pods)} stay behind: {_named(drained_pods)}: move them by hand, or set {_EVICT}"]
    return [f"{_introduced(drained, kube)} stays behind: move it by hand, or set {_EVICT}" for drained in drained_pods]


def _deletions(drained_pods: Sequence[DrainedPod], kube: KubernetesSnapshot) -> list[str]:
    if len(drained_pods) > _MOST_NAMED:
        return [
            f"{_alone(drained_pods)} are deleted for good: {_named(drained_pods)}: nothing starts "
            f"them again; {_EVICT} is set"
        ]
    return [
        f"{_introduced(drained, kube)} is deleted for good: nothing starts it again; {_EVICT} is set"
        for drained in drained_pods
    ]


def _alone(drained_pods: Sequence[DrainedPod]) -> str:
    return count_noun(len(drained_pods), "stand-alone pod")


def _named(drained_pods: Iterable[DrainedPod]) -> str:
    return list_some(sanitize(drained.pod.full_name) for drained in drained_pods)


def _introduced(drained: DrainedPod, kube: KubernetesSnapshot) -> str:
    pod = drained.pod
    why = " (its DaemonSet is gone)" if is_orphan(pod, kube) else ""
    return f"stand-alone pod {sanitize(pod.full_name)}{why} on {sanitize(pod.node_name)}"


def _protected(drained_pods: Iterable[DrainedPod]) -> list[str]:
    """Return a line for each annotation by which pods ask not to be moved."""
    moving = [
        drained
        for drained in drained_pods
        if drained.outcome in LEAVING_OUTCOMES or drained.outcome is DrainOutcome.HELD
    ]
    lines = []
    for key, value in _PROTECTING:
        asking = [drained for drained in moving if drained.pod.annotations.get(key) == value]
        if asking:
            lines.append(
                f'{count_noun(len(asking), "pod")} annotated {key}: "{value}" ({_named(asking)}); '
                "Ocean does not document whether a migration obeys it"
            )
    return lines


def _unjudged(
    nodes: Iterable[PlannedNode], kube: KubernetesSnapshot, count: Mapping[DrainOutcome, int]
) -> tuple[str, ...]:
    """Return a line for each reason for which something could not be judged."""
    gaps = {name: kube.gaps[name] for name in (PODS, BUDGETS) if name in kube.gaps}
    if DAEMON_SETS in kube.gaps and (PODS in gaps or count[DrainOutcome.DAEMON]):
        gaps[DAEMON_SETS] = kube.gaps[DAEMON_SETS]
    if nameless := sorted(node.instance_id for node in nodes if not node_name(node, kube)):
        gaps[NODES] = kube.gaps.get(NODES, Gap(reason=f"Kubernetes has no node for {list_some(nameless)}"))
    return gap_lines({_JUDGED[name]: gap for name, gap in gaps.items()})


def gap_lines(gaps: Mapping[str, Gap]) -> tuple[str, ...]:
    """Return what could not be judged, a line for each reason, with what to do about it."""
    reasons: dict[Gap, list[str]] = defaultdict(list)
    for judged, gap in gaps.items():
        reasons[gap].append(judged)
    return tuple(
        f"not judged: {', '.join(judged)} ({sanitize(gap.reason)})" + (f"; {gap.remedy}" if gap.remedy else "")
        for gap, judged in reasons.items()
    )
