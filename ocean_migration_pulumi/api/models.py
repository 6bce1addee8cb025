"""Wire JSON to frozen dataclasses; the 13 states."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ocean_migration_pulumi.api import wire


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

_DEFAULT_FOLDED = DEFAULT_VIRTUAL_NODE_GROUP.casefold()


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
        """Read a node of discovery; raise ResponseError when it is no object or has no instance id."""
        if not isinstance(data, dict):
            raise wire.wrong("a discovered node is not an object")
        get = data.get
        match = get("launchSpecId")
        if not isinstance(match, str) or not match:
            match = None
        elif match.casefold() == _DEFAULT_FOLDED:
            match = DEFAULT_VIRTUAL_NODE_GROUP
        pods = get("runningPods")
        return cls(
            instance_id=wire.required(get("instanceId"), "instanceId of a discovered node"),
            node_name=wire.text(get("k8sNodeName")),
            asg_name=wire.text(get("asgName")) or None,
            virtual_node_group_id=match,
            # Of up to 10,000 nodes: the usual type takes the short way.
            running_pods=pods if type(pods) is int else wire.count(pods),
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
        data = wire.mapping(data, "a migration")
        return cls(
            id=wire.required(wire.identity(data), "the id of a migration"),
            state=wire.required(data.get("state") or data.get("status"), "the state of a migration"),
            created_at=wire.text(data.get("createdAt")) or None,
            completed_at=wire.text(data.get("completedAt")) or None,
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
        data = wire.mapping(data, "a pod")
        return cls(
            id=wire.text(wire.identity(data)),
            name=wire.text(data.get("name")),
            kind=wire.text(data.get("kind")) or "UNKNOWN",
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
        data = wire.mapping(data, "an instance of a migration")
        return cls(
            instance_id=wire.required(data.get("instanceId"), "instanceId of a migration's instance"),
            node_name=wire.text(data.get("k8sNodeName")),
            asg_name=wire.text(data.get("asgName")) or None,
            state=wire.text(data.get("state")),
            running_pods=wire.count(data.get("runningPods")),
            pods=tuple(map(PodDetail.from_api, wire.items(data, "podDetails"))),
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
        data = wire.mapping(data, "a migration")
        flags = wire.part(data, "migrationConfig")
        return cls(
            id=wire.required(wire.identity(data), "the id of a migration"),
            ocean_id=wire.text(data.get("oceanId")),
            state=wire.required(data.get("status") or data.get("state"), "the state of a migration"),
            old_instances=tuple(map(MigrationInstance.from_api, wire.items(data, "oldInstances"))),
            new_instances=tuple(map(MigrationInstance.from_api, wire.items(data, "newInstances"))),
            unscheduled_pods=wire.ids(data.get("unscheduledPodIds")),
            new_unscheduled_pods=wire.ids(data.get("newUnscheduledPodIds")),
            should_terminate_drained_nodes=wire.flag(flags.get("shouldTerminateDrainedNodes")),
            should_evict_stand_alone_pods=wire.flag(flags.get("shouldEvictStandAlonePods")),
            created_at=wire.text(data.get("createdAt")) or None,
            errored_at=wire.text(data.get("erroredAt")) or None,
            stopped_at=wire.text(data.get("stoppedAt")) or None,
            completed_at=wire.text(data.get("completedAt")) or None,
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
        data = wire.mapping(data, "a log entry")
        return cls(
            message=wire.text(data.get("message")),
            severity=wire.text(data.get("severity")),
            created_at=wire.text(data.get("createdAt")) or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The controller's sign of life; ``last_heartbeat`` is None when there never was one."""

    status: str | None = None
    last_heartbeat: str | None = None

    @classmethod
    def from_api(cls, data: Any) -> Heartbeat:
        """Read a heartbeat; raise ResponseError when it is no object."""
        data = wire.mapping(data, "a heartbeat")
        return cls(
            status=wire.text(data.get("status")) or None,
            last_heartbeat=wire.text(data.get("lastHeartbeat")) or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A node that Ocean itself runs.

    The allocatable amounts are None when the service does not tell them; memory in MiB.
    """

    instance_id: str
    node_name: str = ""
    instance_type: str = ""
    availability_zone: str = ""
    virtual_node_group_id: str | None = None
    virtual_node_group_name: str | None = None
    life_cycle: str = ""
    registration_status: str = ""
    allocatable_milli_cpu: float | None = None
    allocatable_memory_mib: float | None = None
    allocatable_gpu: float | None = None
    created_at: str | None = None

    @classmethod
    def from_api(cls, data: Any) -> ClusterNode:
        """Read a node; raise ResponseError when it is no object or has no instance id."""
        data = wire.mapping(data, "a node")
        return cls(
            instance_id=wire.required(data.get("instanceId"), "instanceId of a node"),
            node_name=wire.text(data.get("nodeName")),
            instance_type=wire.text(data.get("instanceType")),
            availability_zone=wire.text(data.get("availabilityZone")),
            virtual_node_group_id=wire.text(data.get("launchSpecId")) or None,
            virtual_node_group_name=wire.text(data.get("launchSpecName")) or None,
            life_cycle=wire.text(data.get("lifeCycle")),
            registration_status=wire.text(data.get("registrationStatus")),
            allocatable_milli_cpu=wire.number(data.get("allocatableMilliCpu")),
            allocatable_memory_mib=wire.number(data.get("allocatableMemoryInMiB")),
            allocatable_gpu=wire.number(data.get("allocatableGpu")),
            created_at=wire.text(data.get("createdAt")) or None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTemplate:
    """What new nodes are made of.

    ``instance_types`` are the only ones allowed (none: any), ``denied_types`` those that are not. ``instance_profile``
    is a name or an ARN, None when none is set. ``user_data`` is decoded, and may hold what nobody should read.
    """

    instance_types: tuple[str, ...] = ()
    denied_types: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    instance_profile: str | None = None
    user_data: str = field(default="", repr=False)

    @classmethod
    def of_cluster(cls, data: dict[str, Any]) -> LaunchTemplate:
        """Read the template of a cluster."""
        compute = wire.part(data, "compute")
        launch, types = wire.part(compute, "launchSpecification"), wire.part(compute, "instanceTypes")
        return cls(
            instance_types=_texts(types, "whitelist"),
            denied_types=_texts(types, "blacklist"),
            subnet_ids=_texts(compute, "subnetIds"),
            instance_profile=_profile(launch),
            user_data=_decoded(launch.get("userData")),
        )

    @classmethod
    def of_group(cls, data: dict[str, Any]) -> LaunchTemplate:
        """Read the template of a Virtual Node Group."""
        return cls(
            instance_types=_texts(data, "instanceTypes"),
            subnet_ids=_texts(data, "subnetIds"),
            instance_profile=_profile(data),
            user_data=_decoded(data.get("userData")),
        )


def _texts(data: dict[str, Any], key: str) -> tuple[str, ...]:
    return tuple(found for found in map(wire.text, wire.items(data, key)) if found)


def _profile(data: dict[str, Any]) -> str | None:
    profile = wire.part(data, "iamInstanceProfile")
    return wire.text(profile.get("arn")) or wire.text(profile.get("name")) or None


def _decoded(user_data: Any) -> str:
    try:
        return base64.b64decode(wire.text(user_data), validate=True).decode(errors="replace")
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An Ocean cluster, as far as a migration needs it; ``raw`` is the whole answer.

    ``autoscaler_enabled``, ``capacity_maximum`` (instances) and the autoscaler's limits ``maximum_vcpu`` (virtual
    CPUs) and ``maximum_memory_gib`` (GiB) are None when the service does not tell. ``shutdown_hours`` are windows such
    as ``Fri:15:30-Sat:13:30`` and mean something only while ``shutdown_enabled``. ``template`` is what the cluster's
    own launch specification gives to nodes: those of no other Virtual Node Group, unless ``template_only``.
    """

    id: str
    name: str = ""
    controller_cluster_id: str = ""
    region: str = ""
    autoscaler_enabled: bool | None = None
    capacity_maximum: int | None = None
    maximum_vcpu: float | None = None
    maximum_memory_gib: float | None = None
    spot_percentage: float | None = None
    fallback_to_od: bool | None = None
    shutdown_hours: tuple[str, ...] = ()
    shutdown_enabled: bool = False
    template: LaunchTemplate = field(default_factory=LaunchTemplate)
    template_only: bool = False
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_api(cls, data: Any) -> Cluster:
        """Read a cluster; raise ResponseError when it is no object or has no id."""
        data = wire.mapping(data, "a cluster")
        autoscaler = wire.part(data, "autoScaler")
        limits = wire.part(autoscaler, "resourceLimits")
        strategy = wire.part(data, "strategy")
        shutdown = wire.part(wire.part(data, "scheduling"), "shutdownHours")
        launch = wire.part(wire.part(data, "compute"), "launchSpecification")
        return cls(
            id=wire.required(wire.identity(data), "the id of a cluster"),
            name=wire.text(data.get("name")),
            controller_cluster_id=wire.text(data.get("controllerClusterId")),
            region=wire.text(data.get("region")),
            autoscaler_enabled=wire.flag(autoscaler.get("isEnabled")),
            capacity_maximum=wire.count(wire.part(data, "capacity").get("maximum")),
            maximum_vcpu=wire.number(limits.get("maxVCpu")),
            maximum_memory_gib=wire.number(limits.get("maxMemoryGib")),
            spot_percentage=wire.number(strategy.get("spotPercentage")),
            fallback_to_od=wire.flag(strategy.get("fallbackToOd")),
            shutdown_hours=tuple(window for window in map(wire.text, wire.items(shutdown, "timeWindows")) if window),
            shutdown_enabled=wire.flag(shutdown.get("isEnabled")) is True,
            template=LaunchTemplate.of_cluster(data),
            template_only=wire.flag(launch.get("useAsTemplateOnly")) is True,
            raw=data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNodeGroup:
    """A Virtual Node Group (`launchSpec` on the wire).

    ``labels`` are (key, value), ``taints`` (key, value, effect). ``spot_percentage`` is None when it is the cluster's,
    ``maximum_instance_count`` when there is no limit. What ``template`` leaves out is the cluster's.
    """

    id: str
    name: str = ""
    ocean_id: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[tuple[str, str, str], ...] = ()
    spot_percentage: float | None = None
    maximum_instance_count: int | None = None
    template: LaunchTemplate = field(default_factory=LaunchTemplate)

    @classmethod
    def from_api(cls, data: Any) -> VirtualNodeGroup:
        """Read a Virtual Node Group; raise ResponseError when it is no object or has no id."""
        data = wire.mapping(data, "a Virtual Node Group")
        labels = [wire.mapping(label, "a label") for label in wire.items(data, "labels")]
        taints = [wire.mapping(taint, "a taint") for taint in wire.items(data, "taints")]
        return cls(
            id=wire.required(wire.identity(data), "the id of a Virtual Node Group"),
            name=wire.text(data.get("name")),
            ocean_id=wire.text(data.get("oceanId")),
            labels=tuple((wire.text(label.get("key")), wire.text(label.get("value"))) for label in labels),
            taints=tuple(
                (wire.text(taint.get("key")), wire.text(taint.get("value")), wire.text(taint.get("effect")))
                for taint in taints
            ),
            spot_percentage=wire.number(wire.part(data, "strategy").get("spotPercentage")),
            maximum_instance_count=wire.count(wire.part(data, "resourceLimits").get("maxInstanceCount")),
            template=LaunchTemplate.of_group(data),
        )
