"""Migrations, candidates, log entries and heartbeats, as the service returns them."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
"""States that a migration never leaves. With any other state, also an unknown one, it runs."""

DEFAULT_VIRTUAL_NODE_GROUP = "Default"
"""The Virtual Node Group, in discovery, of a node without labels and taints: any of them takes it."""

REQUIRES_MANUAL_MIGRATION = "REQUIRES_MANUAL_MIGRATION"
"""The state of an old node whose remaining pods have to be moved by hand."""

_MOST_PODS = 1_000_000
_DEFAULT_FOLDED = DEFAULT_VIRTUAL_NODE_GROUP.casefold()


class Candidate(NamedTuple):
    """A node that discovery returns; a tuple, as there are up to 10,000 and a dataclass takes three times as long."""

    instance_id: str
    """EC2 instance id."""
    node_name: str = ""
    """Kubernetes node; empty when Kubernetes does not know it."""
    asg_name: str | None = None
    """Auto Scaling Group; None outside of any."""
    virtual_node_group_id: str | None = None
    """Virtual Node Group that takes its pods, ``"Default"`` for any; None when none does."""
    running_pods: int | None = None
    """Number of pods; None when they were not fetched."""

    @classmethod
    def from_api(cls, data: Any) -> Candidate:
        """Read a candidate; raise ResponseError when it is not an object or has no instance id."""
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
        # A check of the exact type is faster than decoding, and does for most.
        return cls(
            instance_id,
            name if type(name) is str else decode.text(name),
            (asg if type(asg) is str else decode.text(asg)) or None,
            match,
            pods if type(pods) is int and 0 <= pods <= _MOST_PODS else decode.count(pods),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSummary:
    """An entry of the list of migrations."""

    id: str
    """Id, ``owm-...``."""
    state: str
    """State as it came, also an unknown one."""
    created_at: str | None = None
    """Creation, as the service writes times; None when it does not tell."""
    completed_at: str | None = None
    """End, as the service writes times; None when it does not tell."""

    @classmethod
    def from_api(cls, data: Any) -> MigrationSummary:
        """Read an entry of the list, or the response to a stop; raise ResponseError without an id or a state."""
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
    """A pod that a migration left on its node."""

    id: str = ""
    """Id; empty when the service does not tell."""
    name: str = ""
    """Name; empty when the service does not tell."""
    kind: str = "UNKNOWN"
    """STAND_ALONE_POD, UNKNOWN, or what came."""

    @classmethod
    def from_api(cls, data: Any) -> PodDetail:
        """Read a pod; raise ResponseError when it is not an object."""
        data = decode.mapping(data, "a pod")
        return cls(
            id=decode.text(decode.identity(data)),
            name=decode.text(data.get("name")),
            kind=decode.text(data.get("kind")) or "UNKNOWN",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationInstance:
    """An old node, or an Ocean node, of a migration."""

    instance_id: str
    """EC2 instance id."""
    node_name: str = ""
    """Kubernetes node; empty when the service does not tell."""
    asg_name: str | None = None
    """Auto Scaling Group; None outside of any."""
    state: str = ""
    """State as it came; empty when the service does not tell."""
    running_pods: int | None = None
    """Number of pods; None when the service does not tell."""
    pods: tuple[PodDetail, ...] = ()
    """Pods that the migration left on it."""

    @classmethod
    def from_api(cls, data: Any) -> MigrationInstance:
        """Read an instance of a status; raise ResponseError when it is not an object or has no instance id."""
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
    """The status of one migration; a flag or time is None when the service does not tell."""

    id: str
    """Id, ``owm-...``."""
    ocean_id: str = ""
    """Id of the cluster."""
    state: str
    """State as it came, also an unknown one."""
    old_instances: tuple[MigrationInstance, ...] = ()
    """Old nodes."""
    new_instances: tuple[MigrationInstance, ...] = ()
    """Ocean nodes that it started."""
    unscheduled_pods: tuple[str, ...] = ()
    """Ids of pods that wait for a node."""
    new_unscheduled_pods: tuple[str, ...] = ()
    """Ids of pods that wait for a node since the migration began."""
    should_terminate_drained_nodes: bool | None = None
    """Whether drained nodes are terminated."""
    should_evict_stand_alone_pods: bool | None = None
    """Whether standalone pods are evicted."""
    created_at: str | None = None
    """Creation, as the service writes times."""
    errored_at: str | None = None
    """Failure, as the service writes times."""
    stopped_at: str | None = None
    """Stop, as the service writes times."""
    completed_at: str | None = None
    """End, as the service writes times."""

    @property
    def unscheduled_ids(self) -> tuple[str, ...]:
        """Ids of all unscheduled pods, each once."""
        return tuple(dict.fromkeys((*self.unscheduled_pods, *self.new_unscheduled_pods)))

    @classmethod
    def from_api(cls, data: Any) -> MigrationStatus:
        """Read a status; raise ResponseError without an id or a state, or with an instance that has no id."""
        data = decode.mapping(data, "a migration")
        flags = decode.part(data, "migrationConfig")
        return cls(
            id=decode.required(decode.identity(data), "the id of a migration"),
            ocean_id=decode.text(data.get("oceanId")),
            state=decode.required(data.get("status") or data.get("state"), "the state of a migration"),
            old_instances=_read_instances(data, "oldInstances"),
            new_instances=_read_instances(data, "newInstances"),
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
    def ended_at(self) -> str | None:
        """End, as the service writes times; None while it runs, or when the service does not tell."""
        if not self.is_terminal:
            return None
        times = {MigrationState.FINISHED_ERROR: self.errored_at, MigrationState.STOPPED: self.stopped_at}
        return times.get(MigrationState(self.state)) or self.completed_at

    @property
    def instance_ids(self) -> frozenset[str]:
        """Instance ids of the old nodes."""
        return frozenset(instance.instance_id for instance in self.old_instances)


def _read_instances(data: dict[str, Any], key: str) -> tuple[MigrationInstance, ...]:
    """Read the instances of a status, each once; of one with several entries that differ the pods are not known."""
    found: dict[str, MigrationInstance] = {}
    for instance in map(MigrationInstance.from_api, decode.items(data, key)):
        before = found.setdefault(instance.instance_id, instance)
        if before != instance:
            found[instance.instance_id] = replace(before, running_pods=None)
    return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A line of the cluster's log."""

    message: str
    """Message."""
    severity: str = ""
    """INFO, DEBUG, WARN or ERROR; empty when the service does not tell."""
    created_at: str | None = None
    """Time, as the service writes times; None when it does not tell."""

    @classmethod
    def from_api(cls, data: Any) -> LogEntry:
        """Read a line of the log; raise ResponseError when it is not an object."""
        data = decode.mapping(data, "a log entry")
        return cls(
            message=decode.text(data.get("message")),
            severity=decode.text(data.get("severity")),
            created_at=decode.text(data.get("createdAt")) or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The heartbeat of the Ocean controller."""

    status: str | None = None
    """Status in the service's words; None when it does not tell."""
    last_heartbeat: str | None = None
    """Last heartbeat, as the service writes times; None without one."""

    @classmethod
    def from_api(cls, data: Any) -> Heartbeat:
        """Read a heartbeat; raise ResponseError when it is not an object."""
        data = decode.mapping(data, "a heartbeat")
        return cls(
            status=decode.word(data.get("status")) or None,
            last_heartbeat=decode.text(data.get("lastHeartbeat")) or None,
        )
