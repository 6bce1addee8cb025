"""What is asked about one migration to explain it, and the lines that the answers become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ocean_migration_pulumi.api.models.migration import Candidate, LogEntry, MigrationInstance, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.common.text import count_with_verb as telling
from ocean_migration_pulumi.common.times import format_time, parse_time
from ocean_migration_pulumi.errors import OceanMigrationError
from ocean_migration_pulumi.migration.checks.check_result import CheckResult
from ocean_migration_pulumi.migration.checks.service import check_connection
from ocean_migration_pulumi.migration.diagnosis import stuck_pods
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import log_span
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, KubernetesSnapshot
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_kubernetes

_KUBERNETES_SECONDS: Final = 20.0
_TERMINATED: Final = "TERMINATED"


@dataclass(slots=True, kw_only=True)
class Investigation:
    """One migration that is asked about; ``notes`` grow with what could not be asked, and why."""

    api: OceanApi
    scope: CancelScope
    sources: DataSources
    ocean_id: str
    status: MigrationStatus
    now: datetime
    notes: list[str] = field(default_factory=list)

    @property
    def lasted(self) -> float:
        """Seconds since the migration was created; 0 when that is not told."""
        created = parse_time(self.status.created_at)
        return (self.now - created).total_seconds() if created else 0.0

    @property
    def open_nodes(self) -> list[MigrationInstance]:
        """The old nodes that are not done."""
        return [node for node in self.status.old_instances if node.running_pods != 0]

    @property
    def drained_nodes(self) -> list[MigrationInstance]:
        """The old nodes that are done and still there."""
        old = self.status.old_instances
        return [node for node in old if node.running_pods == 0 and node.state.upper() != _TERMINATED]

    def offered(self) -> Mapping[str, Candidate]:
        """Return the nodes that discovery offers; none when it cannot be asked."""
        try:
            found = self.api.discover(self.ocean_id, fetch_pods=False)
        except OceanMigrationError as error:
            self.notes.append(f"which nodes match no Virtual Node Group is not known: {error}")
            return {}
        return {candidate.instance_id: candidate for candidate in found}

    def log(self) -> tuple[LogEntry, ...] | None:
        """Return the lines of the log of the migration's time, the oldest first; None when it cannot be read."""
        since, until = log_span(self.status, self.now)
        try:
            found = self.api.get_log(self.ocean_id, since=since, until=until)
        except OceanMigrationError as error:
            self.notes.append(f"Ocean's log could not be read: {error}")
            return None
        dated = [(moment, line) for line in reversed(found) if (moment := parse_time(line.created_at))]
        return tuple(line for _, line in sorted(dated, key=lambda item: item[0]))

    def connection(self) -> CheckResult | None:
        """Return how the Ocean Controller reports now; None, and a note, when that cannot be asked."""
        try:
            return check_connection(self.api.get_heartbeat(self.ocean_id), self.now)
        except OceanMigrationError as error:
            self.notes.append(f"whether the Ocean Controller reports is not known: {error}")
            return None

    def kube(self, offered: Iterable[str] = ()) -> KubernetesSnapshot | None:
        """Return what Kubernetes tells; None, and a note, without access to the right cluster."""
        new = (node.instance_id for node in self.status.new_instances)
        facts = ask_kubernetes(
            self.sources,
            self.scope.at_most(_KUBERNETES_SECONDS),
            offered={*offered, *self.status.instance_ids, *new},
            ocean_nodes=(),
        )
        if facts.kube is None:
            self.notes.append(f"what holds pods is not known: {facts.absent}")
            return None
        self.notes += stuck_pods.pods_unknown(facts.kube)
        return facts.kube

    def last_sign(self, moved_at: datetime | None, poll_policy: float) -> tuple[datetime | None, str]:
        """Return when the migration last moved as far as is known, and what tells so; None when nothing does.

        The log is asked only when nobody watched and the migration is older than ``patience`` seconds.
        """
        if moved_at is not None:
            return moved_at, f"its status last changed at {format_time(moved_at)}"
        created = parse_time(self.status.created_at)
        began = created, f"it was created at {self.status.created_at}"
        if created is not None and self.lasted < poll_policy:
            return began
        log = self.log()
        if log is None:
            return None, ""
        self.notes.append(
            "since when it stands still is taken from the cluster's log, which tells of other things, too"
        )
        if not log:
            return began
        return parse_time(log[-1].created_at), f"the log's last line: {logged(log[-1])}"


def logged(line: LogEntry) -> str:
    """Return a line of the log with its time and severity."""
    return " ".join(part for part in (line.created_at, line.severity, sanitize(line.message)) if part)


def with_pods(node: MigrationInstance) -> str:
    """Return the name of a node with the pods that it still has."""
    name = stuck_pods.display_name(node)
    return name if node.running_pods is None else f"{name} ({count_noun(node.running_pods, 'pod')})"


def left(status: MigrationStatus) -> tuple[str, ...]:
    """Return how many pods are still on how many nodes."""
    nodes = [node for node in status.old_instances if node.running_pods]
    pods = sum(node.running_pods or 0 for node in nodes)
    return (f"{count_noun(pods, 'pod')} left on {count_noun(len(nodes), 'node')}",) if nodes else ()


def unscheduled(status: MigrationStatus) -> tuple[str, ...]:
    """Return the pods that wait for a node, by the ids that the service tells."""
    pods = list(dict.fromkeys((*status.unscheduled_pods, *status.new_unscheduled_pods)))
    return (f"{telling(len(pods), 'pod', 'wait')} for a node: {list_some(map(sanitize, pods))}",) if pods else ()


def stays(nodes: Sequence[MigrationInstance]) -> tuple[str, ...]:
    """Return which drained nodes are still there, and so still cost."""
    if not nodes:
        return ()
    names = list_some(map(stuck_pods.display_name, nodes))
    return (f"{telling(len(nodes), 'drained node', 'stay')}, cordoned and billed: {names}",)


def cordoned(nodes: Iterable[MigrationInstance], kube: KubernetesSnapshot | None) -> list[MigrationInstance] | None:
    """Return which of these nodes take no pods; None when Kubernetes does not tell."""
    if kube is None or not kube.knows(NODES):
        return None
    known = kube.nodes
    return [node for node in nodes if node.instance_id in known and known[node.instance_id].cordoned]


def is_unmatched(candidate: Candidate | None) -> bool:
    """Tell whether discovery offers a node that no Virtual Node Group takes."""
    return candidate is not None and candidate.virtual_node_group_id is None
