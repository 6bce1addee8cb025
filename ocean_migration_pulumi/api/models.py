"""Wire JSON to frozen dataclasses; the 13 states."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class MigrationState(StrEnum):
    """The 13 states of a migration, as Spot's OpenAPI source lists them."""

    STARTING = "STARTING"
    AWAIT_REPLACEMENTS = "AWAIT_REPLACEMENTS"
    HANDLE_UNSCHEDULE = "HANDLE_UNSCHEDULE"
    DRAIN_NODES = "DRAIN_NODES"
    VALIDATE_DRAIN = "VALIDATE_DRAIN"
    STOPPING = "STOPPING"
    ERROR = "ERROR"
    RESCHEDULE_NODES = "RESCHEDULE_NODES"
    TERMINATE_NODES = "TERMINATE_NODES"
    AWAIT_TERMINATION = "AWAIT_TERMINATION"
    FINISHED_ERROR = "FINISHED_ERROR"
    STOPPED = "STOPPED"
    FINISHED = "FINISHED"


TERMINAL_STATES: frozenset[str] = frozenset(
    {MigrationState.FINISHED, MigrationState.FINISHED_ERROR, MigrationState.STOPPED}
)
"""States that a migration never leaves. Any other value, an unknown one included, is polled on."""

DEFAULT_VIRTUAL_NODE_GROUP = "Default"
"""What discovery says of a node without labels and taints, which any Virtual Node Group takes."""

REQUIRES_MANUAL_MIGRATION = "REQUIRES_MANUAL_MIGRATION"
"""The state of an old instance whose remaining pods somebody has to move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that discovery offers.

    ``virtual_node_group_id`` is an id, ``"Default"``, or None when no Virtual Node Group matches; ``asg_name`` is None
    outside of any Auto Scaling Group; ``running_pods`` is None when pods were not fetched.
    """

    instance_id: str
    node_name: str = ""
    asg_name: str | None = None
    virtual_node_group_id: str | None = None
    running_pods: int | None = None

    @classmethod
    def from_api(cls, data: Any) -> Candidate:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSummary:
    """A line of the list of migrations; ``state`` is kept as it came, unknown values included."""

    id: str
    state: str
    created_at: str | None = None
    completed_at: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the migration has ended."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDetail:
    """A pod that a migration left on its node; ``kind`` is STAND_ALONE_POD, UNKNOWN, or what came."""

    id: str = ""
    name: str = ""
    kind: str = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationInstance:
    """An old or new instance of a migration; ``running_pods`` is None when the service does not tell."""

    instance_id: str
    node_name: str = ""
    asg_name: str | None = None
    state: str = ""
    running_pods: int | None = None
    pods: tuple[PodDetail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """The status of one migration; flags and times are None when the service does not tell."""

    id: str
    ocean_id: str = ""
    state: str
    old_instances: tuple[MigrationInstance, ...] = ()
    new_instances: tuple[MigrationInstance, ...] = ()
    unscheduled_pods: tuple[str, ...] = ()
    new_unscheduled_pods: tuple[str, ...] = ()
    should_terminate_drained_nodes: bool | None = None
    should_evict_stand_alone_pods: bool | None = None
    created_at: str | None = None
    errored_at: str | None = None
    stopped_at: str | None = None
    completed_at: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the migration has ended."""
        return self.state in TERMINAL_STATES

    @property
    def instance_ids(self) -> frozenset[str]:
        """The ids of the old instances."""
        return frozenset(instance.instance_id for instance in self.old_instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line of the cluster's log."""

    message: str
    severity: str = ""
    created_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The controller's sign of life; ``last_heartbeat`` is None when there never was one."""

    status: str | None = None
    last_heartbeat: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A node that Ocean itself runs."""

    instance_id: str
    node_name: str = ""
    instance_type: str = ""
    availability_zone: str = ""
    virtual_node_group_id: str | None = None
    virtual_node_group_name: str | None = None
    life_cycle: str = ""
    registration_status: str = ""
    created_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An Ocean cluster, as far as a migration needs it; ``raw`` is the whole answer.

    ``autoscaler_enabled`` and ``capacity_maximum`` are None when the service does not tell.
    """

    id: str
    name: str = ""
    controller_cluster_id: str = ""
    region: str = ""
    autoscaler_enabled: bool | None = None
    capacity_maximum: int | None = None
    spot_percentage: float | None = None
    fallback_to_od: bool | None = None
    shutdown_hours: tuple[str, ...] = ()
    shutdown_enabled: bool = False
    raw: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNodeGroup:
    """A Virtual Node Group (`launchSpec` on the wire); ``spot_percentage`` is None when it is the cluster's."""

    id: str
    name: str = ""
    ocean_id: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[tuple[str, str, str], ...] = ()
    spot_percentage: float | None = None
    maximum_instance_count: int | None = None
