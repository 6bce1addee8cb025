"""Whether the workloads of a migration are as ready as they have to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ocean_migration_pulumi.migration.health.baseline import HealthBaseline, WorkloadBaseline, group_pods
from ocean_migration_pulumi.migration.health.not_ready import (
    NotReadyClass,
    NotReadyReason,
    Warnings,
    explain_not_ready,
    index_warnings,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import (
    WorkloadController,
    WorkloadId,
    WorkloadPod,
    WorkloadSnapshot,
    WorkloadWarning,
)
from ocean_migration_pulumi.migration.spec.gap import Gap

_REPLICA_SET: Final = "ReplicaSet"

_LONGEST_RETRY: Final = timedelta(minutes=20)
# A controller that cannot create a pod tries again after at most a thousand seconds, and tells of each try.


class HealthVerdict(StrEnum):
    """Whether a workload is as ready as it has to be."""

    WELL = "well"
    BELOW = "below"
    """Fewer pods are ready than required."""
    UNKNOWN = "unknown"
    """A rollout is under way, or something could not be read."""
    EXCUSED = "excused"
    """It was unhealthy before, or is gone or new: shown, but not judged."""


class Excuse(StrEnum):
    """Why a workload is not compared with its baseline."""

    UNHEALTHY_BEFORE = "unhealthy-before"
    ROLLING_BEFORE = "rolling-before"
    """It was being rolled out when the migration started."""
    PODS_UNREAD = "pods-unread"
    UNREAD = "unread"
    """Not all controllers could be read, and this one was not found."""
    DELETED = "deleted"
    RECREATED = "recreated"
    ROLLING = "rolling"
    """It is being rolled out."""
    DESIRED_UNKNOWN = "desired-unknown"
    """It has fewer pods than before, and does not tell how many it asks for."""
    ROLLOUT_UNKNOWN = "rollout-unknown"
    """It has another pod template than before, and does not tell of rollouts."""


_EXCUSED: Final = frozenset({Excuse.UNHEALTHY_BEFORE, Excuse.DELETED, Excuse.RECREATED})
"""Reasons that nobody has to find out more about; with any other it is unknown whether the workload is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the nodes of pods belong."""

    planned: frozenset[str] = frozenset()
    """Instance ids of the nodes to migrate."""
    ocean: frozenset[str] = frozenset()
    """Instance ids of the Ocean nodes."""
    undrained: frozenset[str] = frozenset()
    """Instance ids of the nodes to migrate that are not drained yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingPod:
    """A pod that is not ready, and why."""

    pod: WorkloadPod
    """The pod."""
    reason: NotReadyReason
    """Why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCounts:
    """The pods of workloads by where they are; a pod that is not ready counts as ``waiting`` or ``not_ready``."""

    ocean: int = 0
    """Ready on Ocean nodes."""
    planned: int = 0
    """Ready on nodes of the migration."""
    elsewhere: int = 0
    """Ready on other nodes, such as the old nodes of later waves."""
    waiting: int = 0
    """Without a node."""
    not_ready: int = 0
    """On a node, and not ready."""

    @property
    def ready(self) -> int:
        """All that are ready."""
        return self.ocean + self.planned + self.elsewhere

    @property
    def total(self) -> int:
        """All pods."""
        return self.ready + self.waiting + self.not_ready

    def __add__(self, other: PodCounts) -> PodCounts:
        return PodCounts(
            ocean=self.ocean + other.ocean,
            planned=self.planned + other.planned,
            elsewhere=self.elsewhere + other.elsewhere,
            waiting=self.waiting + other.waiting,
            not_ready=self.not_ready + other.not_ready,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadHealth:
    """One workload, compared with its baseline."""

    id: WorkloadId
    """Which one."""
    verdict: HealthVerdict
    """Whether it is as ready as it has to be."""
    excuse: Excuse | None = None
    """Why it is unknown or excused; None for the other verdicts."""
    required: int = 0
    """The pods that have to be ready."""
    desired: int | None = None
    """The pods that it asks for now; None when unknown."""
    pods: PodCounts = PodCounts()
    """Its pods."""
    failing: tuple[FailingPod, ...] = ()
    """Its pods that are not ready, those that waiting does not repair first."""
    not_created: str = ""
    """Why pods are missing that were never created; empty when none is."""
    waits_for_volume: bool = False
    """Whether a pod that is not ready has a volume that only one node can use at a time."""
    startup_seconds: float = 0.0
    """Seconds that the startup probes of the pods that are not ready allow."""
    on_undrained: int = 0
    """Its pods on nodes that are still to be drained."""
    gained: int = 0
    """The ready pods that it has on Ocean nodes beyond those that it had there before."""
    expected_on_ocean: int = 0
    """The pods that should have moved there: those that were on the nodes of the migration, less scale-down."""

    @property
    def is_starting(self) -> bool:
        """Whether everything that is missing may still come without anybody's help."""
        return not self.not_created and all(each.reason.kind is NotReadyClass.STARTING for each in self.failing)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """All workloads of a migration at one moment."""

    at: datetime
    """When."""
    workloads: tuple[WorkloadHealth, ...] = ()
    """The workloads of the baseline, by kind and name."""
    created: int = 0
    """Workloads of the same namespaces that have pods on Ocean nodes and are not in the baseline."""
    landed_elsewhere: int = 0
    """Pods that were created since the start and run on old nodes that are not in the migration."""
    unknown: tuple[Gap, ...] = field(default=())
    """What could not be read, each with the reason and the remedy."""

    @property
    def below(self) -> tuple[WorkloadHealth, ...]:
        """The workloads with fewer ready pods than required."""
        return tuple(each for each in self.workloads if each.verdict is HealthVerdict.BELOW)

    def list_excused(self, verdict: HealthVerdict) -> list[tuple[WorkloadId, Excuse]]:
        """Return the workloads that are not compared, and have this verdict, each with the reason."""
        return [(each.id, each.excuse) for each in self.workloads if each.excuse and each.verdict is verdict]

    @property
    def counts(self) -> PodCounts:
        """The pods of all workloads."""
        return sum((each.pods for each in self.workloads), PodCounts())

    @property
    def verdicts(self) -> Mapping[HealthVerdict, int]:
        """How many workloads have each verdict."""
        return Counter(each.verdict for each in self.workloads)


def assess_health(
    baseline: HealthBaseline, snapshot: WorkloadSnapshot, placement: Placement, *, since: datetime | None = None
) -> HealthReport:
    """Compare workloads with their baseline.

    Args:
        baseline: What they were like before.
        snapshot: What they are like now.
        placement: Which nodes are old, and which are Ocean's.
        since: When the migration started; None when that is not known.
    """
    warnings = index_warnings(snapshot.warnings, snapshot.at)
    by_workload = group_pods(snapshot.pods)
    found = tuple(
        _assess_workload(workload, before, by_workload.get(workload, []), snapshot, placement, warnings)
        for workload, before in sorted(baseline.workloads.items())
    )
    created = [
        workload
        for workload, pods in by_workload.items()
        if workload not in baseline.workloads and _count_on(pods, snapshot, placement.ocean)
    ]
    known = placement.ocean | placement.planned | {""}
    landed = sum(
        is_created_since(pod, since) and _instance(pod, snapshot) not in known
        for workload in baseline.workloads
        for pod in by_workload.get(workload, [])
    )
    return HealthReport(
        at=snapshot.at,
        workloads=found,
        created=len(created),
        landed_elsewhere=landed,
        unknown=tuple(dict.fromkeys(gap for _, gap in sorted(snapshot.gaps.items()))),
    )


def share_on_ocean(report: HealthReport) -> tuple[int, int]:
    """Return how many pods arrived on Ocean nodes, and how many of them were expected; excused workloads are left out.

    A pod that a workload gained on Ocean nodes beyond its own share makes up for none of another workload.
    """
    judged = [each for each in report.workloads if each.verdict in {HealthVerdict.WELL, HealthVerdict.BELOW}]
    return (
        sum(min(each.gained, each.expected_on_ocean) for each in judged),
        sum(each.expected_on_ocean for each in judged),
    )


def has_arrived(report: HealthReport, min_percentage: int) -> bool:
    """Tell whether enough pods arrived on Ocean nodes; one pod may always be missing."""
    arrived, expected = share_on_ocean(report)
    return expected - arrived <= 1 or arrived * 100 >= min_percentage * expected


def _assess_workload(
    workload: WorkloadId,
    before: WorkloadBaseline,
    pods: list[WorkloadPod],
    snapshot: WorkloadSnapshot,
    placement: Placement,
    warnings: Warnings,
) -> WorkloadHealth:
    now = snapshot.workloads.get(workload)
    failing = tuple(
        sorted(
            (
                FailingPod(pod=pod, reason=reason)
                for pod in pods
                if (reason := explain_not_ready(pod, warnings, snapshot.at)) is not None
            ),
            key=lambda each: (not each.reason.hard, each.pod.name),
        )
    )
    desired = now.desired if now else None
    required = min(before.ready, desired) if desired is not None else before.ready
    # A container that keeps crashing may be ready for a moment: it does not count.
    crashing = {each.pod.name for each in failing}
    counts = _count_pods(
        [replace(pod, ready=False) if pod.name in crashing else pod for pod in pods], snapshot, placement
    )
    templates = {pod.template for pod in pods}
    excuse = _find_excuse(before, now, counts, snapshot, templates=templates, required=required)
    if excuse is None:
        verdict = HealthVerdict.BELOW if counts.ready < required else HealthVerdict.WELL
    else:
        verdict = HealthVerdict.EXCUSED if excuse in _EXCUSED else HealthVerdict.UNKNOWN
    missing = verdict is HealthVerdict.BELOW and counts.total < required
    not_ready = [pod for pod in pods if not pod.ready]
    lost = max(0, before.desired - desired) if desired is not None else 0
    return WorkloadHealth(
        id=workload,
        verdict=verdict,
        excuse=excuse,
        required=required,
        desired=desired,
        pods=counts,
        failing=failing,
        not_created=_explain_missing(workload, now, snapshot) if missing else "",
        waits_for_volume=any(
            (pod.namespace, claim) not in snapshot.shared_claims for pod in not_ready for claim in pod.claims
        ),
        startup_seconds=max((pod.startup_seconds for pod in not_ready), default=0.0),
        on_undrained=_count_on(pods, snapshot, placement.undrained),
        gained=max(0, counts.ocean - before.ocean),
        expected_on_ocean=max(0, before.planned - lost),
    )


def _find_excuse(
    before: WorkloadBaseline,
    now: WorkloadController | None,
    counts: PodCounts,
    snapshot: WorkloadSnapshot,
    *,
    templates: Set[str],
    required: int,
) -> Excuse | None:
    """Return why a workload is not compared; None when it is."""
    if before.broken:
        return Excuse.UNHEALTHY_BEFORE
    if before.rolling:
        return Excuse.ROLLING_BEFORE
    if PODS in snapshot.gaps:
        return Excuse.PODS_UNREAD
    if now is None:
        return Excuse.DELETED if snapshot.knows_controllers else Excuse.UNREAD
    if before.uid and now.uid and before.uid != now.uid:
        return Excuse.RECREATED
    if now.rolling:
        return Excuse.ROLLING
    if now.desired is None and counts.ready < before.ready and counts.total < before.ready:
        return Excuse.DESIRED_UNKNOWN
    if not now.tells_rollouts and templates - set(before.templates) and counts.ready < required:
        return Excuse.ROLLOUT_UNKNOWN
    return None


def _explain_missing(workload: WorkloadId, now: WorkloadController | None, snapshot: WorkloadSnapshot) -> str:
    if now is not None and now.create_failure:
        return now.create_failure
    failures = [
        each
        for each in snapshot.warnings
        if each.reason == "FailedCreate"
        and _is_about(each, workload)
        and (each.at is None or snapshot.at - each.at <= _LONGEST_RETRY)
    ]
    latest = max(failures, key=lambda each: each.at.timestamp() if each.at else 0.0, default=None)
    return latest.message if latest is not None else ""


def _is_about(warning: WorkloadWarning, workload: WorkloadId) -> bool:
    """Tell whether a warning is about a controller, or about a ReplicaSet of it, whose name ends with a hash."""
    if warning.namespace != workload.namespace:
        return False
    if warning.kind == _REPLICA_SET and workload.kind != _REPLICA_SET:
        return warning.name.rpartition("-")[0] == workload.name
    return (warning.kind, warning.name) == (workload.kind, workload.name)


def _count_pods(pods: list[WorkloadPod], snapshot: WorkloadSnapshot, placement: Placement) -> PodCounts:
    counts: Counter[str] = Counter()
    for pod in pods:
        instance = _instance(pod, snapshot)
        if not pod.node_name:
            counts["waiting"] += 1
        elif not pod.ready:
            counts["not_ready"] += 1
        elif instance in placement.planned:
            counts["planned"] += 1
        elif instance in placement.ocean:
            counts["ocean"] += 1
        else:
            counts["elsewhere"] += 1
    return PodCounts(**counts)


def _count_on(pods: list[WorkloadPod], snapshot: WorkloadSnapshot, nodes: Collection[str]) -> int:
    return sum(_instance(pod, snapshot) in nodes for pod in pods)


def _instance(pod: WorkloadPod, snapshot: WorkloadSnapshot) -> str:
    return snapshot.instances.get(pod.node_name, "")


def is_created_since(pod: WorkloadPod, since: datetime | None) -> bool:
    """Tell whether a pod is known to have been created since then."""
    return since is not None and pod.created_at is not None and pod.created_at >= since
