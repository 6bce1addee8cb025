"""Looks at the workloads of one migration, beside the polls of its status."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.errors import OperationCancelled
from ocean_migration_pulumi.migration.health.assessment import HealthReport, Placement, assess_health, share_on_ocean
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline, observe_baseline
from ocean_migration_pulumi.migration.health.brake import BrakeCause, BrakeLook, find_brake_cause, observe_for_brake
from ocean_migration_pulumi.migration.health.look_thread import LOOK_DEADLINE, LookThread
from ocean_migration_pulumi.migration.health.not_ready import explain_not_ready, index_warnings
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, PODS
from ocean_migration_pulumi.migration.snapshot.protocols import WorkloadReader
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadSnapshot
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.stop_conditions import StopConditions

_NEVER: Final = Gap(GapCode.NOT_IN_TIME)
_MOST_LOOKS: Final = 120
# Two hours of looks: more than any condition has to last.


def find_undrained(status: MigrationStatus) -> frozenset[str]:
    """Return the nodes of a migration that still have pods, as far as its status says."""
    return frozenset(node.instance_id for node in status.old_instances if node.running_pods != 0)


@dataclass(slots=True, kw_only=True)
class HealthWatch:
    """The looks at the workloads of one migration. It never raises but for whoever wants the operation no more."""

    kubernetes: WorkloadReader
    """Reads the cluster."""
    scope: CancelScope
    """Bounds the looks."""
    now: Callable[[], datetime]
    """Returns the service's time."""
    find_ocean_nodes: Callable[[CancelScope], Collection[str]]
    """Returns the instance ids of the Ocean nodes."""
    baseline: HealthBaseline = field(default_factory=HealthBaseline)
    """What the workloads were like before."""
    planned: frozenset[str] = frozenset()
    """Instance ids of the nodes of the migration."""
    interval: float = 60.0
    """Seconds between two looks."""
    since: datetime | None = None
    """When the migration started; None when that is not known."""
    report: HealthReport | None = None
    """The last look that succeeded; None before."""
    missed: Gap = _NEVER
    """Why the last look that did not succeed told nothing."""
    looks: deque[BrakeLook | None] = field(default_factory=lambda: deque(maxlen=_MOST_LOOKS))
    """What the looks showed the brake; None for those that did not succeed."""
    _thread: LookThread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = LookThread(self.interval)

    def observe_baseline(self, *, namespaces: Collection[str] | None = None) -> HealthBaseline | None:
        """Return the baseline that one look before the start shows; None when it does not succeed."""
        bounded = self.scope.at_most(LOOK_DEADLINE)
        snapshot, ocean = self._read(bounded, namespaces)
        return None if snapshot is None else observe_baseline(snapshot, planned=self.planned, ocean=ocean)

    def assess(self, undrained: frozenset[str] = frozenset()) -> HealthReport | None:
        """Look once; return None when the look does not succeed.

        Args:
            undrained: Instance ids of the nodes that are still to be drained.
        """
        bounded = self.scope.at_most(LOOK_DEADLINE)
        snapshot, ocean = self._read(bounded, self.baseline.namespaces)
        if snapshot is None:
            self.looks.append(None)
            return None
        placement = Placement(planned=self.planned, ocean=frozenset(ocean) - self.planned, undrained=undrained)
        report = assess_health(self.baseline, snapshot, placement, since=self.since)
        seen = observe_for_brake(self.baseline, report, snapshot, placement, self.since) if self.since else None
        self.looks.append(seen)
        self.report = report
        return report

    def find_broken_pods(self, nodes: Collection[str]) -> list[str]:
        """Return the pods on these instances that waiting does not repair; none when the look does not succeed."""
        snapshot, _ = self._read(self.scope.at_most(LOOK_DEADLINE), None)
        if snapshot is None:
            return []
        warnings = index_warnings(snapshot.warnings, snapshot.at)
        return [
            pod.full_name
            for pod in snapshot.pods
            if snapshot.instances.get(pod.node_name) in nodes
            and (reason := explain_not_ready(pod, warnings, snapshot.at)) is not None
            and reason.hard
        ]

    def assess_beside(self, undrained: frozenset[str]) -> None:
        """Look in a thread of its own when a look is due."""
        if self.baseline.workloads:
            self._thread.start_when_due(partial(self._look_quietly, undrained), self.scope.clock())

    def find_cause(self, conditions: StopConditions) -> BrakeCause | None:
        """Return why the migration has to be stopped; None when it may go on."""
        return find_brake_cause(tuple(self.looks), conditions)

    def describe(self) -> str:
        """Return where the pods are, as a live row shows it; empty before the first look."""
        if self.report is None:
            return ""
        arrived, expected = share_on_ocean(self.report)
        parts = [f"{arrived} of {count_noun(expected, 'pod')} ready on Ocean"] if expected else []
        if self.report.landed_elsewhere:
            parts.append(f"{self.report.landed_elsewhere} on other old nodes")
        if below := self.report.below:
            parts.append(f"{count_noun(len(below), 'workload')} not ready")
        return ", ".join(parts)

    def _look_quietly(self, undrained: frozenset[str]) -> None:
        try:
            self.assess(undrained)
        except OperationCancelled:
            self.looks.append(None)

    def _read(
        self, scope: CancelScope, namespaces: Collection[str] | None
    ) -> tuple[WorkloadSnapshot | None, Collection[str]]:
        """Return what was read, and the Ocean nodes; None when too little was, or of another cluster."""
        try:
            ocean = self.find_ocean_nodes(scope)
            known = tuple(self.baseline.workloads)
            snapshot = self.kubernetes.read_workloads(scope, self.now(), namespaces, known)
        except OperationCancelled:
            raise
        except Exception as error:  # noqa: BLE001 - a look must not end a migration, whatever is wrong with it
            self.missed = Gap.from_error(error)
            return None, ()
        if gaps := [snapshot.gaps[name] for name in (PODS, NODES) if name in snapshot.gaps]:
            self.missed = gaps[0]
            return None, ()
        instances = set(snapshot.instances.values())
        if not instances & {*ocean, *self.planned}:
            self.missed = Gap(GapCode.OTHER_CLUSTER, {"access": "the access to Kubernetes"})
            return None, ()
        return snapshot, ocean
