"""Wire JSON to frozen dataclasses; the 13 states."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from ocean_migration_pulumi.api.models import decode


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

_MOST_PODS = 1_000_000
_DEFAULT_FOLDED = DEFAULT_VIRTUAL_NODE_GROUP.casefold()


class Candidate(NamedTuple):
    """A node that discovery offers; one of up to 10,000, so a tuple: that is made in a third of the time.

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
        """Read a node of discovery; raise ResponseError when it is no object or has no instance id."""
        if not isinstance(data, dict):
            raise decode.wrong("a discovered node is not an object")
        get = data.get
        match = get("launchSpecId")
        if not isinstance(match, str) or not match or not match.isprintable():
            match = None
        elif match.casefold() == _DEFAULT_FOLDED:
            match = DEFAULT_VIRTUAL_NODE_GROUP
        instance_id, name, asg, pods = get("instanceId"), get("k8sNodeName"), get("asgName"), get("runningPods")
        if type(instance_id) is not str or not instance_id or not instance_id.isprintable():
            raise decode.wrong("instanceId of a discovered node is missing, or cannot be printed")
        # The usual types take the short way.
        return cls(
            instance_id,
            name if type(name) is str else decode.text(name),
            (asg if type(asg) is str else decode.text(asg)) or None,
            match,
            pods if type(pods) is int and 0 <= pods <= _MOST_PODS else decode.count(pods),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSummary:
    """A line of the list of migrations; ``state`` is kept as it came, unknown values included."""

    id: str
    state: str
    created_at: str | None = None
    completed_at: str | None = None

    @classmethod
    def from_api(cls, data: Any) -> MigrationSummary:
        """Read a line of the list or the answer to a stop; raise ResponseError without an id or a state."""
        data = decode.mapping(data, "a migration")
        return cls(
            id=decode.required(decode.identity(data), "the id of a migration"),
            state=decode.required(data.get("state") or data.get("status"), "the state of a migration"),
            created_at=decode.text(data.get("createdAt")) or None,
            completed_at=decode.text(data.get("completedAt")) or None,
        )

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

    @classmethod
    def from_api(cls, data: Any) -> PodDetail:
        """Read a pod; raise ResponseError when it is no object."""
        data = decode.mapping(data, "a pod")
        return cls(
            id=decode.text(decode.identity(data)),
            name=decode.text(data.get("name")),
            kind=decode.text(data.get("kind")) or "UNKNOWN",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationInstance:
    """An old or new instance of a migration; ``running_pods`` is None when the service does not tell."""

    instance_id: str
    node_name: str = ""
    asg_name: str | None = None
    state: str = ""
    running_pods: int | None = None
    pods: tuple[PodDetail, ...] = ()

    @classmethod
    def from_api(cls, data: Any) -> MigrationInstance:
        """Read an instance of a status; raise ResponseError when it is no object or has no instance id."""
        data = decode.mapping(data, "an instance of a migration")
        return cls(
            instance_id=decode.required(data.get("instanceId"), "instanceId of a migration's instance"),
            node_name=decode.text(data.get("k8sNodeName")),
            asg_name=decode.text(data.get("asgName")) or None,
            state=decode.text(data.get("state")),
            running_pods=decode.count(data.get("runningPods")),
            pods=tuple(map(PodDetail.from_api, decode.items(data, "podDetails"))),
        )


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

    @classmethod
    def from_api(cls, data: Any) -> MigrationStatus:
        """Read a status; raise ResponseError without an id or a state, or with an instance that has no id."""
        data = decode.mapping(data, "a migration")
        flags = decode.part(data, "migrationConfig")
        return cls(
            id=decode.required(decode.identity(data), "the id of a migration"),
            ocean_id=decode.text(data.get("oceanId")),
            state=decode.required(data.get("status") or data.get("state"), "the state of a migration"),
            old_instances=tuple(map(MigrationInstance.from_api, decode.items(data, "oldInstances"))),
            new_instances=tuple(map(MigrationInstance.from_api, decode.items(data, "newInstances"))),
            unscheduled_pods=decode.ids(data.get("unscheduledPodIds")),
            new_unscheduled_pods=decode.ids(data.get("newUnscheduledPodIds")),
            should_terminate_drained_nodes=decode.flag(flags.get("shouldTerminateDrainedNodes")),
            should_evict_stand_alone_pods=decode.flag(flags.get("shouldEvictStandAlonePods")),
            created_at=decode.text(data.get("createdAt")) or None,
            errored_at=decode.text(data.get("erroredAt")) or None,
            stopped_at=decode.text(data.get("stoppedAt")) or None,
            completed_at=decode.text(data.get("completedAt")) or None,
        )

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

    @classmethod
    def from_api(cls, data: Any) -> LogEntry:
        """Read a line of the log; raise ResponseError when it is no object."""
        data = decode.mapping(data, "a log entry")
        return cls(
            message=decode.text(data.get("message")),
            severity=decode.text(data.get("severity")),
            created_at=decode.text(data.get("createdAt")) or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The controller's sign of life; ``last_heartbeat`` is None when there never was one."""

    status: str | None = None
    last_heartbeat: str | None = None

    @classmethod
    def from_api(cls, data: Any) -> Heartbeat:
        """Read a heartbeat; raise ResponseError when it is no object."""
        data = decode.mapping(data, "a heartbeat")
        return cls(
            status=decode.word(data.get("status")) or None,
            last_heartbeat=decode.text(data.get("lastHeartbeat")) or None,
        )
