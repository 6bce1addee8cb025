"""What the functions for programs return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    """Plain data; ``pulumi.export`` takes it as it is, inputs of resources and JSON take ``to_dict()``."""

    # No slots, here and below: pulumi.export reads the attributes from the instance's __dict__.

    def to_dict(self) -> dict[str, Any]:
        """Return the whole of it as dictionaries and tuples."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class MigrationCandidate(FunctionResult):
    """A node whose workloads can be migrated into Ocean.

    ``node_name`` is empty when Kubernetes does not know the node; ``asg_name`` is None outside of any Auto Scaling
    Group, ``eks_node_group`` outside of any EKS managed node group (known by the name that EKS gives its group).
    ``virtual_node_group_id`` is the Virtual Node Group that the node matches, ``"Default"`` when any of them takes it,
    None when none does; its name is None where there is no single one. ``running_pods`` is None when not told.
    """

    instance_id: str
    node_name: str
    asg_name: str | None
    eks_node_group: str | None
    virtual_node_group_id: str | None
    virtual_node_group_name: str | None
    running_pods: int | None


@dataclass(frozen=True, kw_only=True)
class MigrationCandidates(FunctionResult):
    """The nodes of a cluster that can be migrated, by instance id."""

    ocean_id: str
    nodes: tuple[MigrationCandidate, ...]

    @classmethod
    def from_discovery(cls, ocean_id: str, found: Iterable[Candidate], names: Mapping[str, str]) -> Self:
        """Take over what discovery offers; ``names`` are those of the Virtual Node Groups by id."""
        return cls(
            ocean_id=ocean_id,
            nodes=tuple(
                MigrationCandidate(
                    instance_id=node.instance_id,
                    node_name=node.node_name,
                    asg_name=node.asg_name,
                    eks_node_group=eks_node_group(node.asg_name),
                    virtual_node_group_id=node.virtual_node_group_id,
                    virtual_node_group_name=names.get(node.virtual_node_group_id or "") or None,
                    running_pods=node.running_pods,
                )
                for node in sorted(found, key=lambda node: node.instance_id)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class ListedMigration(FunctionResult):
    """A migration in the list.

    ``status`` is in the service's words, ``ended`` whether it never changes again. The times are in UTC as the service
    writes them, None when not told.
    """

    id: str
    status: str
    ended: bool
    created_at: str | None
    completed_at: str | None


@dataclass(frozen=True, kw_only=True)
class Migrations(FunctionResult):
    """The migrations of a cluster that the service still lists, oldest first."""

    ocean_id: str
    migrations: tuple[ListedMigration, ...]

    @classmethod
    def from_list(cls, ocean_id: str, found: Iterable[MigrationSummary]) -> Self:
        """Take over the list of the service."""
        return cls(
            ocean_id=ocean_id,
            migrations=tuple(
                ListedMigration(
                    id=each.id,
                    status=each.state,
                    ended=each.is_terminal,
                    created_at=each.created_at,
                    completed_at=each.completed_at,
                )
                for each in sorted(found, key=lambda each: (sort_key(each.created_at), each.id))
            ),
        )


@dataclass(frozen=True, kw_only=True)
class MigrationPod(FunctionResult):
    """A pod that a migration left on its node; ``kind`` is ``STAND_ALONE_POD``, ``UNKNOWN``, or what else came."""

    name: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class MigrationNode(FunctionResult):
    """An old or new node of a migration.

    ``state`` is in the service's words; ``running_pods`` is None when not told, ``pods`` are those that it left.
    """

    instance_id: str
    node_name: str
    asg_name: str | None
    state: str
    running_pods: int | None
    pods: tuple[MigrationPod, ...]

    @classmethod
    def from_status(cls, instance: MigrationInstance) -> Self:
        """Take over what a status says of an instance."""
        return cls(
            instance_id=instance.instance_id,
            node_name=instance.node_name,
            asg_name=instance.asg_name,
            state=instance.state,
            running_pods=instance.running_pods,
            pods=tuple(MigrationPod(name=pod.name, kind=pod.kind) for pod in instance.pods),
        )


@dataclass(frozen=True, kw_only=True)
class Migration(FunctionResult):
    """One migration as it stands.

    ``status`` is in the service's words, ``ended`` whether it never changes again. ``old_nodes`` are those that it
    drains, ``new_nodes`` those that Ocean started; ``unscheduled_pods`` are the ids of pods without a node. The flags
    and times are None when the service does not tell them: force and the batch size it never does.
    """

    ocean_id: str
    id: str
    status: str
    ended: bool
    old_nodes: tuple[MigrationNode, ...]
    new_nodes: tuple[MigrationNode, ...]
    unscheduled_pods: tuple[str, ...]
    should_terminate_drained_nodes: bool | None
    should_evict_stand_alone_pods: bool | None
    created_at: str | None
    completed_at: str | None
    stopped_at: str | None
    errored_at: str | None

    @classmethod
    def from_status(cls, ocean_id: str, found: MigrationStatus) -> Self:
        """Take over a status."""
        return cls(
            ocean_id=ocean_id,
            id=found.id,
            status=found.state,
            ended=found.is_terminal,
            old_nodes=tuple(map(MigrationNode.from_status, found.old_instances)),
            new_nodes=tuple(map(MigrationNode.from_status, found.new_instances)),
            unscheduled_pods=tuple(dict.fromkeys((*found.unscheduled_pods, *found.new_unscheduled_pods))),
            should_terminate_drained_nodes=found.should_terminate_drained_nodes,
            should_evict_stand_alone_pods=found.should_evict_stand_alone_pods,
            created_at=found.created_at,
            completed_at=found.completed_at,
            stopped_at=found.stopped_at,
            errored_at=found.errored_at,
        )


@dataclass(frozen=True, kw_only=True)
class OceanNode(FunctionResult):
    """A node that Ocean runs.

    ``life_cycle`` (``SPOT``, ``OD``) and ``registration_status`` are in the service's words, empty when not told.
    """

    instance_id: str
    node_name: str
    instance_type: str
    availability_zone: str
    virtual_node_group_id: str | None
    virtual_node_group_name: str | None
    life_cycle: str
    registration_status: str
    created_at: str | None


@dataclass(frozen=True, kw_only=True)
class ClusterNodes(FunctionResult):
    """The nodes that Ocean runs in a cluster, by instance id."""

    ocean_id: str
    nodes: tuple[OceanNode, ...]

    @classmethod
    def from_nodes(cls, ocean_id: str, found: Iterable[ClusterNode]) -> Self:
        """Take over the list of the service."""
        return cls(
            ocean_id=ocean_id,
            nodes=tuple(
                OceanNode(
                    instance_id=node.instance_id,
                    node_name=node.node_name,
                    instance_type=node.instance_type,
                    availability_zone=node.availability_zone,
                    virtual_node_group_id=node.virtual_node_group_id,
                    virtual_node_group_name=node.virtual_node_group_name,
                    life_cycle=node.life_cycle,
                    registration_status=node.registration_status,
                    created_at=node.created_at,
                )
                for node in sorted(found, key=lambda node: node.instance_id)
            ),
        )


@dataclass(frozen=True, kw_only=True)
class LogLine(FunctionResult):
    """A line of a cluster's log; ``severity`` is ``INFO``, ``DEBUG``, ``WARN`` or ``ERROR``."""

    message: str
    severity: str
    created_at: str | None


@dataclass(frozen=True, kw_only=True)
class ClusterLog(FunctionResult):
    """Lines of a cluster's log, oldest first."""

    ocean_id: str
    lines: tuple[LogLine, ...]

    @classmethod
    def from_log(cls, ocean_id: str, found: Sequence[LogEntry]) -> Self:
        """Take over what the service tells."""
        return cls(
            ocean_id=ocean_id,
            lines=tuple(
                LogLine(message=line.message, severity=line.severity, created_at=line.created_at)
                for line in sort_oldest_first(found)
            ),
        )
