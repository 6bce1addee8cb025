"""The brake: whether a running migration breaks workloads, so that its later batches must not start.

It watches hard failures only, which waiting does not repair. A migration is never stopped for what is slow.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ocean_migration_pulumi.migration.health.assessment import HealthReport, HealthVerdict, Placement, is_created_since
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline, group_pods
from ocean_migration_pulumi.migration.health.not_ready import NotReadyClass
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadSnapshot
from ocean_migration_pulumi.migration.spec.conditions import ConditionObservation
from ocean_migration_pulumi.migration.spec.stop_conditions import BROKEN_FOR, StopConditions

FEWEST_LOOKS: Final = 3
"""Successful looks, without a missed one between them, that must show it."""

SHARED_BY: Final = 3
"""Workloads that must share a cause when none of them has pods left to move."""

SHARED_PERCENTAGE: Final = 10
"""Percentage of the affected workloads that must share it; the larger number counts."""

BELOW: Final = "below required"
"""The cause of a workload with fewer ready pods than required."""


HARD_FAILURES: Final = StopConditions(broken_workloads=True)
"""Watches hard failures only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPod:
    """A pod that the migration moved, and that waiting does not repair."""

    name: str
    """Namespace and name."""
    uid: str
    """Its uid."""
    restarts: int = 0
    """Its restarts."""
    detail: str = ""
    """What Kubernetes says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeLook:
    """What one look shows of the workloads that count: those that were healthy, and are as they were."""

    at: datetime
    """When."""
    broken: Mapping[WorkloadId, Mapping[str, tuple[BrokenPod, ...]]] = field(default_factory=dict)
    """The broken pods of each workload, by cause."""
    ready: Mapping[WorkloadId, int] = field(default_factory=dict)
    """The ready pods of the workloads with too few of them."""
    movable: frozenset[WorkloadId] = frozenset()
    """The workloads with pods on nodes that are still to be drained."""
    affected: int = 0
    """How many workloads count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeCause:
    """Why the brake stops a migration."""

    cause: str
    """A class of reasons."""
    workloads: tuple[WorkloadId, ...] = ()
    """The workloads that it breaks; none for a check."""
    check: str = ""
    """The check that fails; empty for workloads."""
    seconds: float
    """For how long it has broken the first of them, or the check has failed."""
    pod: str = ""
    """A pod that shows it; empty for none."""
    detail: str = ""
    """What Kubernetes says of that pod; empty for none."""
    observation: ConditionObservation | None = None
    """What was seen of the check; None for workloads."""


def observe_for_brake(
    baseline: HealthBaseline,
    report: HealthReport,
    snapshot: WorkloadSnapshot,
    placement: Placement,
    since: datetime,
) -> BrakeLook:
    """Return what a look shows of the workloads that count for the brake.

    Args:
        baseline: What the workloads were like before.
        report: The look, compared with it.
        snapshot: The look.
        placement: Which nodes are Ocean's.
        since: When the migration started.
    """
    counting = [
        each
        for each in report.workloads
        if each.verdict in {HealthVerdict.WELL, HealthVerdict.BELOW} and baseline.workloads[each.id].is_healthy
    ]
    made_of = {workload: {pod.template for pod in pods} for workload, pods in group_pods(snapshot.pods).items()}
    # What somebody has changed since the start may be broken by the change.
    counting = [each for each in counting if made_of.get(each.id, set()) <= set(baseline.workloads[each.id].templates)]
    broken: dict[WorkloadId, dict[str, tuple[BrokenPod, ...]]] = {}
    for each in counting:
        causes: dict[str, tuple[BrokenPod, ...]] = defaultdict(tuple)
        for failing in each.failing:
            pod, reason = failing.pod, failing.reason
            on_ocean = snapshot.instances.get(pod.node_name, "") in placement.ocean
            if is_created_since(pod, since) and (
                reason.kind is NotReadyClass.UNSCHEDULABLE or (reason.hard and on_ocean)
            ):
                shown = BrokenPod(name=pod.full_name, uid=pod.uid, restarts=pod.restarts, detail=reason.detail)
                causes[reason.kind] = (*causes[reason.kind], shown)
        if each.verdict is HealthVerdict.BELOW:
            causes[BELOW] = ()
        if causes:
            broken[each.id] = dict(causes)
    return BrakeLook(
        at=report.at,
        broken=broken,
        ready={each.id: each.pods.ready for each in counting if each.verdict is HealthVerdict.BELOW},
        movable=frozenset(each.id for each in counting if each.on_undrained),
        affected=len(counting),
    )


def find_brake_cause(looks: Sequence[BrakeLook | None], rules: StopConditions = HARD_FAILURES) -> BrakeCause | None:
    """Return why a migration has to be stopped now; None when it may go on.

    Args:
        looks: The looks since the migration started, the oldest first; None stands for one that did not succeed.
        rules: What is watched besides hard failures.
    """
    last = looks[-1] if looks else None
    if last is None:
        return None
    established: dict[str, list[tuple[float, WorkloadId]]] = defaultdict(list)
    for workload, causes in last.broken.items():
        for cause in causes:
            seconds = _measure_series(looks, workload, cause)
            limit = _limit(cause, rules)
            if limit is not None and seconds is not None and seconds >= limit:
                established[cause].append((seconds, workload))
    for cause, found in sorted(established.items()):
        enough = max(SHARED_BY, math.ceil(last.affected * SHARED_PERCENTAGE / 100))
        if len(found) >= enough or any(workload in last.movable for _, workload in found):
            found.sort(key=lambda each: (each[1] not in last.movable, -each[0], each[1]))
            seconds, first = found[0]
            pods = last.broken[first][cause]
            return BrakeCause(
                cause=cause,
                workloads=tuple(workload for _, workload in found),
                seconds=seconds,
                pod=pods[0].name if pods else "",
                detail=pods[0].detail if pods else "",
            )
    return None


def list_stop_delays(rules: StopConditions | None) -> dict[str, float]:
    """Return for how many seconds each watched condition must last, by its name in ``stop_when``."""
    if rules is None:
        return {}
    delays = {
        "broken_workloads": BROKEN_FOR if rules.broken_workloads else None,
        "below_required_for": rules.below_required_for,
        "unscheduled_for": rules.unscheduled_for,
    }
    return {name: seconds for name, seconds in delays.items() if seconds is not None}


def _limit(cause: str, rules: StopConditions) -> float | None:
    if cause == BELOW:
        return rules.below_required_for
    if cause == NotReadyClass.UNSCHEDULABLE:
        return rules.unscheduled_for
    return BROKEN_FOR if rules.broken_workloads else None


def _measure_series(looks: Sequence[BrakeLook | None], workload: WorkloadId, cause: str) -> float | None:
    """Return for how many seconds the last looks have shown a cause without a break; None when it does not count."""
    series: list[BrakeLook] = []
    for look in reversed(looks):
        if look is None or cause not in look.broken.get(workload, {}):
            break
        # A workload that becomes ready pod by pod is slow, not broken.
        if cause == BELOW and series and look.ready[workload] < series[-1].ready[workload]:
            break
        series.append(look)
    if len(series) < FEWEST_LOOKS:
        return None
    newest, oldest = series[0], series[-1]
    if cause == NotReadyClass.CRASHING and not _is_rising(series, lambda look: look.broken[workload][cause]):
        return None
    return (newest.at - oldest.at).total_seconds()


def _is_rising(series: Sequence[BrakeLook], pods_of: Callable[[BrakeLook], tuple[BrokenPod, ...]]) -> bool:
    """Tell whether a pod has restarted since the series began, the newest look first."""
    now = {pod.uid: pod.restarts for pod in pods_of(series[0])}
    return any(pod.restarts < now.get(pod.uid, 0) for look in series[1:] for pod in pods_of(look))
