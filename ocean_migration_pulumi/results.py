"""Results of the functions for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import (
    Candidate,
    LogEntry,
    MigrationInstance,
    MigrationStatus,
    MigrationSummary,
)
from ocean_migration_pulumi.common.times import sort_key
from ocean_migration_pulumi.migration.diagnosis.log_query import sort_oldest_first
from ocean_migration_pulumi.migration.spec.node_selector import eks_node_group


@dataclass(frozen=True, kw_only=True)
class FunctionResult:
    """Frozen data for ``pulumi.export``; use ``to_dict()`` for inputs of resources and for JSON."""

    # No slots, here and below: pulumi.export reads the attributes from the instance's __dict__.

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dictionaries and tuples."""
        return asdict(self)

    @classmethod
    def _from_model(cls, model: object, **others: Any) -> Self:
        """Take the fields that a model of the service's JSON has by the same names, and ``others`` as they are."""
        same = {field.name: getattr(model, field.name) for field in fields(cls) if field.name not in others}
        return cls(**same, **others)


@dataclass(frozen=True, kw_only=True)
class MigrationCandidate(FunctionResult):
    """A node whose workloads can be migrated."""

    instance_id: str
    """EC2 instance id."""
    node_name: str
    """Kubernetes node; empty if Kubernetes does not list it."""
    asg_name: str | None
    """Auto Scaling Group; None if it is in none."""
    eks_node_group: str | None
    """EKS managed node group, derived from the name of the Auto Scaling Group; None if it is in none."""
    virtual_node_group_id: str | None
    """Matching Virtual Node Group, or ``"Default"`` if any matches; None if none matches."""
    virtual_node_group_name: str | None
    """Name of the Virtual Node Group; None without a single one."""
    running_pods: int | None
    """Number of pods; None if Spot does not return it."""


@dataclass(frozen=True, kw_only=True)
class MigrationCandidates(FunctionResult):
    """The candidates of a cluster."""

    ocean_id: str
    """Id of the cluster."""
    nodes: tuple[MigrationCandidate, ...]
    """Candidates by instance id."""

    @classmethod
    def from_discovery(cls, ocean_id: str, found: Iterable[Candidate], names: Mapping[str, str]) -> Self:
        """Convert candidates; ``names`` has the names of the Virtual Node Groups by id."""
        return cls(
            ocean_id=ocean_id,
            nodes=tuple(
                MigrationCandidate._from_model(
                    node,
                    eks_node_group=eks_node_group(node.asg_name),
                    virtual_node_group_name=names.get(node.virtual_node_group_id or "") or None,
                )
                for node in sorted(found, key=lambda node: node.instance_id)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class ListedMigration(FunctionResult):
    """A migration in the list."""

    id: str
    """Id, ``owm-...``."""
    status: str
    """State, as Ocean reports it."""
    ended: bool
    """Whether the state is final."""
    created_at: str | None
    """Creation in UTC, in Spot's format; None if Spot does not return it."""
    completed_at: str | None
    """End in UTC, in Spot's format; None if Spot does not return it."""


@dataclass(frozen=True, kw_only=True)
class Migrations(FunctionResult):
    """Migrations that the cluster lists."""

    ocean_id: str
    """Id of the cluster."""
    migrations: tuple[ListedMigration, ...]
    """Migrations, oldest first."""

    @classmethod
    def from_list(cls, ocean_id: str, found: Iterable[MigrationSummary]) -> Self:
        """Convert the service's list."""
        return cls(
            ocean_id=ocean_id,
            migrations=tuple(
                ListedMigration._from_model(each, status=each.state, ended=each.is_terminal)
                for each in sorted(found, key=lambda each: (sort_key(each.created_at), each.id))
            ),
        )


@dataclass(frozen=True, kw_only=True)
class MigrationPod(FunctionResult):
    """A pod that a migration left on its node."""

    name: str
    """Name."""
    kind: str
    """``STAND_ALONE_POD``, ``UNKNOWN``, or another value that Spot returns."""


@dataclass(frozen=True, kw_only=True)
class MigrationNode(FunctionResult):
    """An old node, or an Ocean node, of a migration."""

    instance_id: str
    """EC2 instance id."""
    node_name: str
    """Kubernetes node; empty if Spot does not return it."""
    asg_name: str | None
    """Auto Scaling Group; None if it is in none."""
    state: str
    """State, as Ocean reports it."""
    running_pods: int | None
    """Number of pods; None if Spot does not return it."""
    pods: tuple[MigrationPod, ...]
    """Pods that the migration left on it."""

    @classmethod
    def from_status(cls, instance: MigrationInstance) -> Self:
        """Convert an instance of a status."""
        return cls._from_model(instance, pods=tuple(map(MigrationPod._from_model, instance.pods)))


@dataclass(frozen=True, kw_only=True)
class Migration(FunctionResult):
    """Status of one migration; a flag or time is None if Spot does not return it.

    Spot never returns the batch size, nor whether pods are deleted against a PodDisruptionBudget.
    """

    ocean_id: str
    """Id of the cluster."""
    id: str
    """Id, ``owm-...``."""
    status: str
    """State, as Ocean reports it."""
    ended: bool
    """Whether the state is final."""
    old_nodes: tuple[MigrationNode, ...]
    """Nodes that it drains."""
    new_nodes: tuple[MigrationNode, ...]
    """Ocean nodes that it launched."""
    unscheduled_pods: tuple[str, ...]
    """Ids of pods that wait for a node."""
    should_terminate_drained_nodes: bool | None
    """Whether drained nodes are terminated."""
    should_evict_stand_alone_pods: bool | None
    """Whether standalone pods are evicted."""
    created_at: str | None
    """Creation in UTC, in Spot's format."""
    completed_at: str | None
    """End in UTC, in Spot's format."""
    stopped_at: str | None
    """Stop in UTC, in Spot's format."""
    errored_at: str | None
    """Failure in UTC, in Spot's format."""

    @classmethod
    def from_status(cls, ocean_id: str, found: MigrationStatus) -> Self:
        """Convert a status."""
        return cls._from_model(
            found,
            ocean_id=ocean_id,
            status=found.state,
            ended=found.is_terminal,
            old_nodes=tuple(map(MigrationNode.from_status, found.old_instances)),
            new_nodes=tuple(map(MigrationNode.from_status, found.new_instances)),
            unscheduled_pods=found.unscheduled_ids,
        )


@dataclass(frozen=True, kw_only=True)
class OceanNode(FunctionResult):
    """A node that Ocean runs; a string is empty if Spot does not return it."""

    instance_id: str
    """EC2 instance id."""
    node_name: str
    """Kubernetes node."""
    instance_type: str
    """EC2 instance type."""
    availability_zone: str
    """Availability zone."""
    virtual_node_group_id: str | None
    """Virtual Node Group, ``ols-...``; None if Spot does not return it."""
    virtual_node_group_name: str | None
    """Name of the Virtual Node Group; None if Spot does not return it."""
    life_cycle: str
    """``Spot``, ``OD``, ``OD (RI)`` or ``OD (SP)``, as Ocean writes it."""
    registration_status: str
    """Whether it has joined the cluster, as Spot reports it."""
    created_at: str | None
    """Start in UTC, in Spot's format; None if Spot does not return it."""


@dataclass(frozen=True, kw_only=True)
class ClusterNodes(FunctionResult):
    """The nodes that Ocean runs in a cluster."""

    ocean_id: str
    """Id of the cluster."""
    nodes: tuple[OceanNode, ...]
    """Nodes by instance id."""

    @classmethod
    def from_nodes(cls, ocean_id: str, found: Iterable[ClusterNode]) -> Self:
        """Convert the service's list."""
        return cls(
            ocean_id=ocean_id,
            nodes=tuple(map(OceanNode._from_model, sorted(found, key=lambda node: node.instance_id))),
        )


@dataclass(frozen=True, kw_only=True)
class LogLine(FunctionResult):
    """A line of a cluster's log."""

    message: str
    """Message."""
    severity: str
    """``INFO``, ``DEBUG``, ``WARN`` or ``ERROR``."""
    created_at: str | None
    """Time in UTC, in Spot's format; None if Spot does not return it."""


@dataclass(frozen=True, kw_only=True)
class ClusterLog(FunctionResult):
    """Part of the log of a cluster."""

    ocean_id: str
    """Id of the cluster."""
    lines: tuple[LogLine, ...]
    """Lines, oldest first."""

    @classmethod
    def from_log(cls, ocean_id: str, found: Sequence[LogEntry]) -> Self:
        """Convert lines of the service's log."""
        return cls(
            ocean_id=ocean_id,
            lines=tuple(map(LogLine._from_model, sort_oldest_first(found))),
        )
