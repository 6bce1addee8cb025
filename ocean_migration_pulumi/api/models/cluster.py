"""What the service tells of a cluster itself: its configuration, its Virtual Node Groups, and its own nodes."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from ocean_migration_pulumi.api.models import decode


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
        data = decode.mapping(data, "a node")
        return cls(
            instance_id=decode.required(data.get("instanceId"), "instanceId of a node"),
            node_name=decode.text(data.get("nodeName")),
            instance_type=decode.text(data.get("instanceType")),
            availability_zone=decode.text(data.get("availabilityZone")),
            virtual_node_group_id=decode.text(data.get("launchSpecId")) or None,
            virtual_node_group_name=decode.text(data.get("launchSpecName")) or None,
            life_cycle=decode.text(data.get("lifeCycle")),
            registration_status=decode.text(data.get("registrationStatus")),
            allocatable_milli_cpu=decode.number(data.get("allocatableMilliCpu")),
            allocatable_memory_mib=decode.number(data.get("allocatableMemoryInMiB")),
            allocatable_gpu=decode.number(data.get("allocatableGpu")),
            created_at=decode.text(data.get("createdAt")) or None,
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
        compute = decode.part(data, "compute")
        launch, types = decode.part(compute, "launchSpecification"), decode.part(compute, "instanceTypes")
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
    return tuple(found for found in map(decode.text, decode.items(data, key)) if found)


def _profile(data: dict[str, Any]) -> str | None:
    profile = decode.part(data, "iamInstanceProfile")
    return decode.text(profile.get("arn")) or decode.text(profile.get("name")) or None


def _decoded(user_data: Any) -> str:
    try:
        return base64.b64decode(decode.text(user_data), validate=True).decode(errors="replace")
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

    @classmethod
    def from_api(cls, data: Any) -> Cluster:
        """Read a cluster; raise ResponseError when it is no object or has no id."""
        data = decode.mapping(data, "a cluster")
        autoscaler = decode.part(data, "autoScaler")
        limits = decode.part(autoscaler, "resourceLimits")
        strategy = decode.part(data, "strategy")
        shutdown = decode.part(decode.part(data, "scheduling"), "shutdownHours")
        launch = decode.part(decode.part(data, "compute"), "launchSpecification")
        return cls(
            id=decode.required(decode.identity(data), "the id of a cluster"),
            name=decode.text(data.get("name")),
            controller_cluster_id=decode.text(data.get("controllerClusterId")),
            region=decode.text(data.get("region")),
            autoscaler_enabled=decode.flag(autoscaler.get("isEnabled")),
            capacity_maximum=decode.count(decode.part(data, "capacity").get("maximum")),
            maximum_vcpu=decode.number(limits.get("maxVCpu")),
            maximum_memory_gib=decode.number(limits.get("maxMemoryGib")),
            spot_percentage=decode.number(strategy.get("spotPercentage")),
            fallback_to_od=decode.flag(strategy.get("fallbackToOd")),
            shutdown_hours=tuple(
                window for window in map(decode.text, decode.items(shutdown, "timeWindows")) if window
            ),
            shutdown_enabled=decode.flag(shutdown.get("isEnabled")) is True,
            template=LaunchTemplate.of_cluster(data),
            template_only=decode.flag(launch.get("useAsTemplateOnly")) is True,
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
        data = decode.mapping(data, "a Virtual Node Group")
        labels = [decode.mapping(label, "a label") for label in decode.items(data, "labels")]
        taints = [decode.mapping(taint, "a taint") for taint in decode.items(data, "taints")]
        return cls(
            id=decode.required(decode.identity(data), "the id of a Virtual Node Group"),
            name=decode.text(data.get("name")),
            ocean_id=decode.text(data.get("oceanId")),
            labels=tuple((decode.text(label.get("key")), decode.text(label.get("value"))) for label in labels),
            taints=tuple(
                (decode.text(taint.get("key")), decode.text(taint.get("value")), decode.text(taint.get("effect")))
                for taint in taints
            ),
            spot_percentage=decode.number(decode.part(data, "strategy").get("spotPercentage")),
            maximum_instance_count=decode.count(decode.part(data, "resourceLimits").get("maxInstanceCount")),
            template=LaunchTemplate.of_group(data),
        )
