"""Protocols of the data sources (Spot, Kubernetes and AWS), and of the receiver of messages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import (
    Candidate,
    Heartbeat,
    LogEntry,
    MigrationStatus,
    MigrationSummary,
)
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, AwsQuery
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import EvictionTrial, KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadSnapshot
from ocean_migration_pulumi.migration.spec.conditions import ConditionObservation, KubernetesCondition


class OceanApi(Protocol):
    """Spot's API for one account; each request raises an OceanMigrationError, and is bounded by a scope."""

    @property
    def account_id(self) -> str | None:
        """The account; None when no source names one."""

    def within(self, scope: CancelScope) -> OceanApi:
        """Return the same API, bounded by another scope."""

    def server_now(self) -> datetime:
        """Return the time by the service's clock."""

    def list_migrations(self, ocean_id: str) -> tuple[MigrationSummary, ...]:
        """List all migrations of a cluster."""

    def get_migration(self, ocean_id: str, migration_id: str) -> MigrationStatus:
        """Return the status of one migration."""

    def create_migration(
        self,
        ocean_id: str,
        instance_ids: Sequence[str],
        *,
        batch_size_percentage: int,
        should_terminate_drained_nodes: bool,
        should_evict_stand_alone_pods: bool,
        force_pod_eviction_on_pdb_failure: bool,
    ) -> str:
        """Start a migration and return its id; raise AnswerLostError when it may have started."""

    def stop_migration(
        self, ocean_id: str, migration_id: str, *, should_terminate_drained_nodes: bool = False
    ) -> MigrationSummary:
        """Ask a migration to stop."""

    def discover(self, ocean_id: str, *, fetch_pods: bool = True) -> tuple[Candidate, ...]:
        """Return the candidates."""

    def list_nodes(self, ocean_id: str, *, virtual_node_group_id: str | None = None) -> tuple[ClusterNode, ...]:
        """Return the nodes that Ocean runs."""

    def get_log(
        self,
        ocean_id: str,
        *,
        since: datetime,
        until: datetime,
        severity: str = "ALL",
        limit: int = 1000,
    ) -> tuple[LogEntry, ...]:
        """Return the cluster's log between two times of the service's clock."""

    def get_heartbeat(self, ocean_id: str) -> Heartbeat:
        """Return the heartbeat of the Ocean controller."""

    def get_cluster(self, ocean_id: str) -> Cluster:
        """Return the cluster; raise ClusterNotFoundError when it is gone."""

    def list_virtual_node_groups(self, ocean_id: str) -> tuple[VirtualNodeGroup, ...]:
        """Return the cluster's Virtual Node Groups."""


class Reporter(Protocol):
    """Receiver of the messages of a run."""

    def status(self, message: str) -> None:
        """Show a live line that the next one replaces."""

    def info(self, message: str) -> None:
        """Show a line that stays."""

    def warning(self, message: str) -> None:
        """Show a line that stays, marked as a warning."""


class WorkloadReader(Protocol):
    """Reads of workloads; raises OperationCancelled when the operation may not go on."""

    def read_workloads(
        self,
        scope: CancelScope,
        now: datetime,
        namespaces: Collection[str] | None,
        known: Collection[WorkloadId] = (),
    ) -> WorkloadSnapshot:
        """Return the workloads of some namespaces, None: of all, and those that are known; what cannot be is a gap."""


class ConditionReader(Protocol):
    """Reads of single objects of the cluster.

    Each raises KubernetesError when it cannot be asked now, PrerequisiteError when a right is missing or the
    credentials are refused, and OperationCancelled.
    """

    def instances(self, scope: CancelScope) -> frozenset[str]:
        """Return the instance ids of the cluster's nodes."""

    def observe(self, scope: CancelScope, wanted: Sequence[KubernetesCondition]) -> tuple[ConditionObservation, ...]:
        """Return the observation of each condition, in their order."""


class KubernetesApi(WorkloadReader, ConditionReader, Protocol):
    """Reads of Kubernetes.

    Each raises OperationCancelled when the operation may not go on.
    """

    def read_snapshot(self, scope: CancelScope, *, fresh: bool = False) -> KubernetesSnapshot:
        """Return the cluster, at most 30 seconds old; whatever could not be read is a gap."""

    def nodes_with(self, scope: CancelScope, label_selector: str) -> frozenset[str]:
        """Return the instance ids of the nodes that a label selector takes.

        Raises:
            InputError: The API server refuses the selector.
            KubernetesError: Kubernetes cannot be asked.

        """

    def try_eviction(self, scope: CancelScope, pod: Pod) -> EvictionTrial:
        """Return whether a pod may be evicted now, by a dry run."""


class AwsApi(Protocol):
    """Reads of AWS."""

    def read_facts(self, scope: CancelScope, query: AwsQuery) -> AwsFacts:
        """Return what AWS answers, at most 10 minutes old; what cannot be read in time is a gap.

        Raises:
            OperationCancelled: The operation was cancelled.

        """

    def read_instance_states(self, scope: CancelScope, region: str, instance_ids: Sequence[str]) -> dict[str, str]:
        """Return the EC2 state of each instance that EC2 finds now; empty when it cannot be asked.

        Raises:
            OperationCancelled: The operation was cancelled.

        """

    def read_launch_times(self, scope: CancelScope, region: str, asg_names: Sequence[str]) -> dict[str, datetime]:
        """Return when each running instance of Auto Scaling Groups was launched; empty when EC2 cannot be asked.

        Raises:
            OperationCancelled: The operation was cancelled.

        """
