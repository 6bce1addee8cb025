"""The questions that a diagnosis asks about one migration; what has no answer becomes a note."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from ocean_migration_pulumi.api.models.migration import Candidate, LogEntry, MigrationInstance, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import list_some, sanitize
from ocean_migration_pulumi.common.times import format_time, parse_time
from ocean_migration_pulumi.errors import OceanMigrationError
from ocean_migration_pulumi.migration.checks.check_result import CheckResult
from ocean_migration_pulumi.migration.checks.service import check_connection
from ocean_migration_pulumi.migration.diagnosis import stuck_pods
from ocean_migration_pulumi.migration.diagnosis.log_query import read_migration_log
from ocean_migration_pulumi.migration.diagnosis.readiness import describe_failing, find_landed
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.planning.text.health_text import describe_elsewhere
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesSnapshot
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_kubernetes
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary

T = TypeVar("T")

_KUBERNETES_SECONDS: Final = 20.0
_TERMINATED: Final = "TERMINATED"


class Notes(list[str]):
    """Lines that say what is unknown, and why."""

    def ask(self, question: Callable[[], T], failure: str) -> T | None:
        """Return the answer to a question; None, and note why, if it fails.

        Args:
            question: Asks.
            failure: What the note says before the error.

        Raises:
            OperationCancelled: The operation was cancelled.

        """
        try:
            return question()
        except OceanMigrationError as error:
            self.append(f"{failure}: {error}")
            return None


@dataclass(slots=True, kw_only=True)
class Investigation:
    """The questions about one migration.

    Each method returns None, or nothing, and adds a note if its question has no answer. It raises OperationCancelled.
    """

    api: OceanApi
    """Spot's API."""
    scope: CancelScope
    """Bounds the questions."""
    sources: DataSources
    """Data sources besides Spot."""
    ocean_id: str
    """Id of the cluster."""
    status: MigrationStatus
    """Status of the migration."""
    now: datetime
    """The current time, by Spot's clock."""
    vocabulary: Vocabulary = INPUTS
    """How texts name inputs."""
    notes: Notes = field(default_factory=Notes)
    """What is unknown, and why."""
    kube: KubernetesSnapshot | None = None
    """The snapshot of Kubernetes, once it was read."""

    @property
    def age(self) -> float:
        """Seconds since the migration was created; 0 if unknown."""
        created = parse_time(self.status.created_at)
        return (self.now - created).total_seconds() if created else 0.0

    @property
    def undrained_nodes(self) -> list[MigrationInstance]:
        """The old nodes that have pods left, or whose pods are unknown."""
        return [node for node in self.status.old_instances if node.running_pods != 0]

    @property
    def drained_nodes(self) -> list[MigrationInstance]:
        """The drained nodes that are not terminated."""
        old = self.status.old_instances
        return [node for node in old if node.running_pods == 0 and node.state.upper() != _TERMINATED]

    def read_candidates(self) -> Mapping[str, Candidate]:
        """Return the candidates by instance id."""
        found = self.notes.ask(
            lambda: self.api.discover(self.ocean_id, fetch_pods=False), "Virtual Node Groups of the nodes unknown"
        )
        return {candidate.instance_id: candidate for candidate in found or ()}

    def read_log(self) -> list[LogEntry] | None:
        """Return the dated lines of the log since the migration was created, the oldest first."""
        log = self.notes.ask(
            lambda: read_migration_log(self.api, self.ocean_id, self.status, self.now), "could not read Ocean's log"
        )
        return None if log is None else [line for line in log if parse_time(line.created_at)]

    def check_controller(self) -> CheckResult | None:
        """Return whether the Ocean Controller is connected now."""
        return self.notes.ask(
            lambda: check_connection(self.api.get_heartbeat(self.ocean_id), self.now),
            "heartbeat of the Ocean Controller unknown",
        )

    def read_kubernetes(self, candidate_ids: Iterable[str] = ()) -> KubernetesSnapshot | None:
        """Return the snapshot of Kubernetes.

        Args:
            candidate_ids: Instance ids of candidates, which help to recognise the cluster.

        """
        new = (node.instance_id for node in self.status.new_instances)
        facts = ask_kubernetes(
            self.sources,
            self.scope.at_most(_KUBERNETES_SECONDS),
            offered={*candidate_ids, *self.status.instance_ids, *new},
            ocean_nodes=(),
        )
        if facts.kube is None:
            if facts.absent:
                self.notes.append(f"blockers unknown: {describe_gap(facts.absent, self.vocabulary).reason}")
            return None
        self.notes += stuck_pods.describe_gaps(facts.kube)
        self.kube = facts.kube
        return facts.kube

    def list_pod_findings(self, kube: KubernetesSnapshot | None) -> list[str]:
        """Return a line for each reason for which pods on Ocean's new nodes are not ready, and for pods that landed.

        Pods that landed were created while the migration ran, on old nodes that are not in it: a later migration moves
        them again.
        """
        new = {node.instance_id for node in self.status.new_instances}
        kubernetes = self.sources.kubernetes
        if kube is None or kubernetes is None:
            return []
        found = kubernetes.read_workloads(self.scope.at_most(_KUBERNETES_SECONDS), self.now, None)
        self.notes += [note for gap in found.gaps.values() if (note := describe_gap(gap).line) not in self.notes]
        ocean = self.notes.ask(lambda: self.api.list_nodes(self.ocean_id), "Ocean nodes unknown")
        lines = list(describe_failing(found, new))
        if ocean is not None:
            known = {*new, *self.status.instance_ids, *(node.instance_id for node in ocean)}
            since, until = parse_time(self.status.created_at), parse_time(self.status.ended_at)
            if landed := find_landed(found, known, since, until):
                names = list_some(sanitize(pod.full_name) for pod in landed)
                lines.append(f"{describe_elsewhere(len(landed))}: {names}")
        return lines

    def unscheduled_pods(self) -> list[str]:
        """Return the unscheduled pods: their names where Kubernetes was read, else the ids that Spot reports."""
        names = {} if self.kube is None else self.kube.pod_names
        return [names.get(pod, pod) for pod in self.status.unscheduled_ids]

    def find_last_change(self, changed_at: datetime | None, stall_timeout: float) -> tuple[datetime | None, str]:
        """Return when the migration last made progress, None if unknown, and the evidence.

        Args:
            changed_at: When the status last changed. None if nobody watched it.
            stall_timeout: Seconds. A migration that is younger cannot have stalled, so that its log is not read.

        """
        if changed_at is not None:
            return changed_at, f"status last changed at {format_time(changed_at)}"
        created = parse_time(self.status.created_at)
        creation = created, f"created at {self.status.created_at}"
        if created is not None and self.age < stall_timeout:
            return creation
        log = self.read_log()
        if log is None:
            return None, ""
        self.notes.append("last progress estimated from the cluster's log, which also has lines of other activity")
        if not log:
            return creation
        return parse_time(log[-1].created_at), f"last line of the log: {format_log_line(log[-1])}"


def format_log_line(line: LogEntry) -> str:
    """Return a line of the log with its time and severity."""
    return " ".join(part for part in (line.created_at, line.severity, sanitize(line.message)) if part)
