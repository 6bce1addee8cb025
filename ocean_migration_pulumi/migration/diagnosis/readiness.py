"""Whether the workloads of a migration are ready, for those who only look on, with the baseline of its run or without.

Without a baseline nobody knows how many pods were ready before. Then what the workloads ask for now is the only
measure, and the text says so. A workload with more ready pods than it asks for makes up for none of another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Set
from dataclasses import dataclass, field
from datetime import datetime

from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.migration.health.assessment import HealthVerdict, Placement, assess_health, is_created_since
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline, group_pods
from ocean_migration_pulumi.migration.health.not_ready import explain_not_ready, index_warnings
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadPod, WorkloadSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadReadiness:
    """How ready the workloads of a migration are, as onlookers are shown it."""

    summary: str
    """How many pods are ready, and where."""
    failing: tuple[str, ...] = ()
    """A line for each reason for which pods are not ready, and for each workload that lacks pods."""


@dataclass(slots=True, kw_only=True)
class ReadinessObserver:
    """Measures look by look, and remembers the workloads: their pods leave the nodes by which they are recognised."""

    baseline: HealthBaseline | None = None
    """What the workloads were like before the migration; None when that is not known."""
    workloads: set[WorkloadId] = field(default_factory=set)
    """The workloads that had pods on nodes of the migration, or on those that Ocean started for it."""

    def __post_init__(self) -> None:
        if self.baseline is not None:
            self.workloads |= self.baseline.workloads.keys()

    def measure(
        self,
        snapshot: WorkloadSnapshot,
        *,
        old: Set[str],
        new: Set[str],
        ocean: Set[str],
        since: datetime | None,
    ) -> WorkloadReadiness | None:
        """Return what a look shows; None when it has none of the nodes.

        Args:
            snapshot: The look.
            old: Instance ids of the nodes of the migration.
            new: Instance ids of the nodes that Ocean started for it.
            ocean: Instance ids of all Ocean nodes, as far as they are known.
            since: When the migration was created; None when that is not known.
        """
        if not {*snapshot.instances.values()} & (old | new):
            return None
        if self.baseline is None:
            self.workloads |= {
                pod.workload
                for pod in snapshot.pods
                if _instance(pod, snapshot) in old | new or (not pod.node_name and is_created_since(pod, since))
            }
            summary, lacking = self._count_desired(snapshot, ocean | new)
        else:
            summary, lacking = self._compare(self.baseline, snapshot, old, ocean | new)
        landed = sum(pod.workload in self.workloads for pod in find_landed(snapshot, old | ocean | new, since))
        if landed:
            summary += f", {landed} on other old nodes"
        return WorkloadReadiness(summary=summary, failing=(*describe_failing(snapshot, new), *lacking))

    def _count_desired(self, snapshot: WorkloadSnapshot, ocean: Set[str]) -> tuple[str, list[str]]:
        by_workload = group_pods(snapshot.pods)
        desired = ready = on_ocean = 0
        is_known, lacking = snapshot.knows_controllers, []
        for workload in sorted(self.workloads):
            controller = snapshot.workloads.get(workload)
            if controller is None and snapshot.knows_controllers:
                continue  # it was deleted
            pods = by_workload.get(workload, [])
            wanted = controller.desired if controller is not None else None
            is_known = is_known and wanted is not None
            wanted = len(pods) if wanted is None else wanted
            found = sum(pod.ready for pod in pods)
            desired, ready = desired + wanted, ready + min(found, wanted)
            on_ocean += sum(pod.ready and _instance(pod, snapshot) in ocean for pod in pods)
            if len(pods) < wanted:
                lacking.append(f"{workload} has {len(pods)} of {count_noun(wanted, 'desired pod')}")
        least = "" if is_known else "at least "
        return (
            f"{ready} of {least}{count_noun(desired, 'desired pod')} ready, {on_ocean} on Ocean (no baseline)",
            lacking,
        )

    def _compare(
        self, baseline: HealthBaseline, snapshot: WorkloadSnapshot, old: Set[str], ocean: Set[str]
    ) -> tuple[str, list[str]]:
        placement = Placement(planned=frozenset(old), ocean=frozenset(ocean - old))
        report = assess_health(baseline, snapshot, placement)
        judged = [each for each in report.workloads if each.verdict in {HealthVerdict.WELL, HealthVerdict.BELOW}]
        ready = sum(min(each.pods.ready, each.required) for each in judged)
        required = sum(each.required for each in judged)
        summary = f"{ready} of {count_noun(required, 'required pod')} ready, {report.counts.ocean} on Ocean"
        if unknown := report.verdicts.get(HealthVerdict.UNKNOWN, 0) + baseline.omitted:
            summary += f", {count_noun(unknown, 'workload')} unknown"
        lacking = [
            f"{each.id} has {each.pods.ready} of {count_noun(each.required, 'required pod')} ready"
            for each in report.below
        ]
        return summary, lacking


def describe_failing(snapshot: WorkloadSnapshot, instance_ids: Collection[str]) -> tuple[str, ...]:
    """Return a line for each reason for which pods on these Ocean nodes are not ready."""
    warnings = index_warnings(snapshot.warnings, snapshot.at)
    reasons: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pod in snapshot.pods:
        if pod.deleting or _instance(pod, snapshot) not in instance_ids:
            continue
        if (reason := explain_not_ready(pod, warnings, snapshot.at)) is not None:
            reasons[reason.kind].append((pod.full_name, reason.detail))
    return tuple(
        f"{count_noun(len(found), 'pod')} not ready on Ocean nodes ({kind}): "
        f"{list_some(sanitize(name) for name, _ in found)}" + (f" ({sanitize(found[0][1])})" if found[0][1] else "")
        for kind, found in sorted(reasons.items())
    )


def find_landed(
    snapshot: WorkloadSnapshot, known: Collection[str], since: datetime | None, until: datetime | None = None
) -> list[WorkloadPod]:
    """Return the pods that were created while a migration ran, and run on old nodes that are not in it.

    Args:
        snapshot: The look.
        known: Instance ids of the nodes of the migration, and of the Ocean nodes.
        since: When the migration was created; None when that is not known.
        until: When it ended; None while it runs.
    """
    return [
        pod
        for pod in snapshot.pods
        if not pod.deleting
        and is_created_since(pod, since)
        and (until is None or (pod.created_at is not None and pod.created_at <= until))
        and (instance := _instance(pod, snapshot))
        and instance not in known
    ]


def _instance(pod: WorkloadPod, snapshot: WorkloadSnapshot) -> str:
    return snapshot.instances.get(pod.node_name, "")
