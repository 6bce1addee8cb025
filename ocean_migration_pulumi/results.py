"""What the functions for programs return."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """Plain data; ``pulumi.export`` takes it as it is, inputs of resources and JSON take ``to_dict()``."""

    # No slots, here and below: pulumi.export reads the attributes from the instance's __dict__.

    def to_dict(self) -> dict[str, Any]:
        """Return the whole of it as dictionaries and tuples."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class MigrationCandidate(Result):
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
class MigrationCandidates(Result):
    """The nodes of a cluster that can be migrated, by instance id."""

    ocean_id: str
    nodes: tuple[MigrationCandidate, ...]


@dataclass(frozen=True, kw_only=True)
class ListedMigration(Result):
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
class Migrations(Result):
    """The migrations of a cluster that the service still lists, oldest first."""

    ocean_id: str
    migrations: tuple[ListedMigration, ...]


@dataclass(frozen=True, kw_only=True)
class MigrationPod(Result):
    """A pod that a migration left on its node; ``kind`` is ``STAND_ALONE_POD``, ``UNKNOWN``, or what else came."""

    name: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class MigrationNode(Result):
    """An old or new node of a migration.

    ``state`` is in the service's words; ``running_pods`` is None when not told, ``pods`` are those that it left.
    """

    instance_id: str
    node_name: str
    asg_name: str | None
    state: str
    running_pods: int | None
    pods: tuple[MigrationPod, ...]


@dataclass(frozen=True, kw_only=True)
class Migration(Result):
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


@dataclass(frozen=True, kw_only=True)
class OceanNode(Result):
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
class ClusterNodes(Result):
    """The nodes that Ocean runs in a cluster, by instance id."""

    ocean_id: str
    nodes: tuple[OceanNode, ...]


@dataclass(frozen=True, kw_only=True)
class LogLine(Result):
    """A line of a cluster's log; ``severity`` is ``INFO``, ``DEBUG``, ``WARN`` or ``ERROR``."""

    message: str
    severity: str
    created_at: str | None


@dataclass(frozen=True, kw_only=True)
class ClusterLog(Result):
    """Lines of a cluster's log, oldest first."""

    ocean_id: str
    lines: tuple[LogLine, ...]
