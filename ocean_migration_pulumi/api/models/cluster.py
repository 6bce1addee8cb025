"""Clusters, Virtual Node Groups, and the nodes that Ocean runs, as the service returns them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ocean_migration_pulumi.api.models import decode
from ocean_migration_pulumi.api.models.user_data import UserData


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A node that Ocean runs."""

    instance_id: str
    """EC2 instance id."""
    node_name: str = ""
    """Kubernetes node; empty until it has joined."""
    instance_type: str = ""
    """EC2 instance type."""
    availability_zone: str = ""
    """Availability zone."""
    virtual_node_group_id: str | None = None
    """Virtual Node Group; None when the service does not tell."""
    virtual_node_group_name: str | None = None
    """Its name; None when the service does not tell."""
    life_cycle: str = ""
    """``SPOT`` or ``OD``."""
    registration_status: str = ""
    """Whether it has joined, in the service's words."""
    allocatable_milli_cpu: float | None = None
    """CPU in thousandths; None when the service does not tell."""
    allocatable_memory_mib: float | None = None
    """Memory in MiB; None when the service does not tell."""
    allocatable_gpu: float | None = None
    """GPUs; None when the service does not tell."""
    created_at: str | None = None
    """Start, as the service writes times; None when it does not tell."""

    @classmethod
    def from_api(cls, data: Any) -> ClusterNode:
        """Read a node; raise ResponseError when it is not an object or has no instance id."""
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
    """How new nodes are configured."""

    instance_types: tuple[str, ...] = ()
    """The only allowed types; empty allows all."""
    denied_types: tuple[str, ...] = ()
    """Types that are not allowed."""
    subnet_ids: tuple[str, ...] = ()
    """Subnets."""
    instance_profile: str | None = None
    """Name or ARN of the IAM instance profile; None when none is set."""
    user_data: str = field(default="", repr=False)
    """Decoded user data, which may have secrets; as it is if it cannot be decoded."""

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
    def of_vng(cls, data: dict[str, Any]) -> LaunchTemplate:
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
    given = decode.text(user_data)
    found = UserData.decode(given)
    # Something that cannot be decoded is still there: what it sets is not known.
    return given if found is None else found.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """An Ocean cluster, as far as a migration needs it."""

    id: str
    """Id, ``o-...``."""
    name: str = ""
    """Name."""
    controller_cluster_id: str = ""
    """Identifier that the controller in Kubernetes uses."""
    region: str = ""
    """AWS region."""
    autoscaler_enabled: bool | None = None
    """Whether Ocean scales the cluster; None when the service does not tell."""
    capacity_maximum: int | None = None
    """Largest number of instances; None when the service does not tell."""
    maximum_vcpu: float | None = None
    """The autoscaler's limit of virtual CPUs; None when the service does not tell."""
    maximum_memory_gib: float | None = None
    """The autoscaler's limit of memory in GiB; None when the service does not tell."""
    spot_percentage: float | None = None
    """Share of Spot instances in percent; None when the service does not tell."""
    fallback_to_od: bool | None = None
    """Whether on-demand instances replace Spot instances that AWS lacks; None when the service does not tell."""
    draining_timeout: int | None = None
    """Seconds that Ocean gives the pods of a drained node to end; None when the service does not tell."""
    shutdown_hours: tuple[str, ...] = ()
    """Windows such as ``Fri:15:30-Sat:13:30``."""
    shutdown_enabled: bool = False
    """Whether the cluster is shut down during ``shutdown_hours``."""
    template: LaunchTemplate = field(default_factory=LaunchTemplate)
    """The cluster's own launch specification."""
    template_only: bool = False
    """Whether Ocean starts no node from ``template`` itself, only from Virtual Node Groups."""

    @classmethod
    def from_api(cls, data: Any) -> Cluster:
        """Read a cluster; raise ResponseError when it is not an object or has no id."""
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
            draining_timeout=decode.count(strategy.get("drainingTimeout")),
            shutdown_hours=tuple(
                window for window in map(decode.text, decode.items(shutdown, "timeWindows")) if window
            ),
            shutdown_enabled=decode.flag(shutdown.get("isEnabled")) is True,
            template=LaunchTemplate.of_cluster(data),
            template_only=decode.flag(launch.get("useAsTemplateOnly")) is True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNodeGroup:
    """A Virtual Node Group (``launchSpec`` in the API)."""

    id: str
    """Id, ``ols-...``."""
    name: str = ""
    """Name."""
    ocean_id: str = ""
    """Id of its cluster."""
    labels: tuple[tuple[str, str], ...] = ()
    """Key and value of each label of its nodes."""
    taints: tuple[tuple[str, str, str], ...] = ()
    """Key, value and effect of each taint of its nodes."""
    spot_percentage: float | None = None
    """Share of Spot instances in percent; None: that of the cluster."""
    maximum_instance_count: int | None = None
    """Largest number of instances; None: no limit."""
    template: LaunchTemplate = field(default_factory=LaunchTemplate)
    """How its nodes are configured; what is empty is that of the cluster."""

    @classmethod
    def from_api(cls, data: Any) -> VirtualNodeGroup:
        """Read a Virtual Node Group; raise ResponseError when it is not an object or has no id."""
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
            template=LaunchTemplate.of_vng(data),
        )
