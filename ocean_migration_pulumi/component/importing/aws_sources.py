"""Groups of nodes in AWS, read by functions of pulumi_aws, with the field names of Spot's API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocean_migration_pulumi.api.models import decode
from ocean_migration_pulumi.common.text import count_noun, sanitize
from ocean_migration_pulumi.component.importing.field_rules import snake_case
from ocean_migration_pulumi.errors import OceanMigrationError, SourceGoneError

if TYPE_CHECKING:
    from pulumi import InvokeOptions

_LONGEST_TEXT = 300
_GONE = re.compile(
    r"ResourceNotFound|no matching|no node group found|couldn't find resource|empty result", re.IGNORECASE
)
"""What the functions say of what is not there; `not found` alone is said of credentials, too."""

_CLUSTER_AUTOSCALER = "k8s.io/cluster-autoscaler/node-template/"
_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "NO_EXECUTE": "NoExecute",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
}


_ONLY_ON_DEMAND = "only On-Demand instances"
_ONLY_SPOT = "only Spot instances"
_PURCHASES = {"ON_DEMAND": _ONLY_ON_DEMAND, "SPOT": _ONLY_SPOT}
"""What a managed node group runs, by its capacity type."""


_UNKNOWN_TO_OCEAN = {
    "placements": "placement",
    "cpu_options": "CPU options",
    "credit_specifications": "CPU credits",
    "capacity_reservation_specifications": "capacity reservations",
    "enclave_options": "enclaves",
    "hibernation_options": "hibernation",
    "license_specifications": "licenses",
}
"""Parts of a launch template for which a launch specification of Spot has no field, as messages name them."""
_DEFAULTS = (None, "", 0, "default", "open")
"""What says nothing in such a part: ``default`` is a tenancy, ``open`` a preference for capacity reservations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A launch template or launch configuration, as fields of Spot's launch specification."""

    origin: str
    """Its name in messages."""
    parts: Mapping[str, Any] = field(default_factory=dict)
    """The fields."""
    instance_type: str = ""
    """The instance type, empty without one."""
    is_spot: bool = False
    """Whether it asks for Spot instances."""
    lost: tuple[str, ...] = ()
    """Parts that Spot has no field for, as messages name them."""
    doubt: str | None = None
    """Why the instances may be made from something else, None when they are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesGroup:
    """An Auto Scaling Group in AWS, or an EKS node group with its Auto Scaling Group."""

    auto_scaling_group: str
    """The Auto Scaling Group, empty when the node group has none (yet)."""
    subnet_ids: tuple[str, ...] = ()
    """The subnets."""
    instance_types: tuple[str, ...] = ()
    """The instance types."""
    types_origin: str = ""
    """The launch template that names the only instance type, empty when the group does."""
    purchase: str = ""
    """What the group runs On-Demand and as Spot instances, as messages say it; empty when AWS does not say."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the node group, else those in the tags for the Cluster Autoscaler."""
    taints: tuple[Mapping[str, str], ...] = ()
    """Taints, from where the labels are."""
    labels_origin: str = ""
    """Where labels and taints come from."""
    has_requirements: bool = False
    """Whether instance types are also selected by attributes, such as memory."""
    other_templates: tuple[str, ...] = ()
    """Launch templates of single instance types, as messages name them."""
    template: Template | None = None
    """What the instances are made from, None when AWS does not say."""


def region_of(options: InvokeOptions | None) -> str:
    """Return the region of the AWS provider."""
    import pulumi_aws as aws

    found = _ask("aws.get_region", "the region of the AWS provider", lambda: aws.get_region(opts=options))
    region = _text(found, "region")
    if not region:
        raise OceanMigrationError("the region of the AWS provider is unknown: set `region`")
    return region


def node_group(eks_cluster: str, name: str, region: str, options: InvokeOptions | None) -> NodesGroup:
    """Return a managed node group with its Auto Scaling Group; raise SourceGoneError when there is none."""
    found = find_node_group(eks_cluster, name, region, options)
    groups = [
        _text(group, "name")
        for resource in _list(found, "resources")
        for group in _list(resource, "autoscaling_groups")
    ]
    below = auto_scaling_group(groups[0], region, options) if groups else NodesGroup(auto_scaling_group="")
    own_types = tuple(_list(found, "instance_types"))
    return NodesGroup(
        auto_scaling_group=below.auto_scaling_group,
        subnet_ids=tuple(_list(found, "subnet_ids")) or below.subnet_ids,
        instance_types=own_types or below.instance_types,
        types_origin="" if own_types else below.types_origin,
        purchase=_PURCHASES.get(_text(found, "capacity_type"), below.purchase),
        labels=dict(_get(found, "labels") or {}),
        taints=tuple(
            {
                "key": _text(taint, "key"),
                "value": _text(taint, "value"),
                "effect": _EFFECTS.get(_text(taint, "effect"), _text(taint, "effect")),
            }
            for taint in _list(found, "taints")
        ),
        labels_origin=f"EKS node group {name}",
        has_requirements=below.has_requirements,
        other_templates=below.other_templates,
        template=below.template,
    )


def find_node_group(eks_cluster: str, name: str, region: str | None, options: InvokeOptions | None) -> Any:
    """Return what AWS says of a managed node group; raise SourceGoneError when there is none.

    ``region`` None is that of the AWS provider.
    """
    from pulumi_aws import eks

    where = f" in {region}" if region else ""
    return _ask(
        "aws.eks.get_node_group",
        f"EKS node group {name} of cluster {eks_cluster}{where}",
        lambda: eks.get_node_group(cluster_name=eks_cluster, node_group_name=name, region=region, opts=options),
        is_source=True,
    )


def auto_scaling_group(name: str, region: str, options: InvokeOptions | None) -> NodesGroup:
    """Return an Auto Scaling Group; raise SourceGoneError when there is none."""
    from pulumi_aws import autoscaling

    found = _ask(
        "aws.autoscaling.get_group",
        f"Auto Scaling Group {name} in {region}",
        lambda: autoscaling.get_group(name=name, region=region, opts=options),
        is_source=True,
    )
    mixed = [
        template
        for policy in _list(found, "mixed_instances_policies")
        for template in _list(policy, "launch_templates")
    ]
    template = _template_of(found, mixed, region, options)
    overrides = [override for part in mixed for override in _list(part, "overrides")]
    has_requirements = any(_list(override, "instance_requirements") for override in overrides)
    types = [_text(override, "instance_type") for override in overrides]
    types_origin = ""
    if not any(types) and not has_requirements and template is not None:
        types, types_origin = [template.instance_type], template.origin
    others = {
        f"launch template {_text(used, 'launch_template_id')} for {_text(override, 'instance_type') or 'some types'}"
        for override in overrides
        for used in _list(override, "launch_template_specifications")
    }
    tags = {_text(tag, "key"): _text(tag, "value") for tag in _list(found, "tags")}
    return NodesGroup(
        auto_scaling_group=name,
        subnet_ids=tuple(filter(None, _text(found, "vpc_zone_identifier").replace(" ", "").split(","))),
        instance_types=tuple(filter(None, types)),
        types_origin=types_origin,
        purchase=_purchase(_list(found, "mixed_instances_policies"), template),
        has_requirements=has_requirements,
        other_templates=tuple(sorted(others)),
        labels=dict(_tagged(tags, "label/")),
        taints=tuple(_taints(_tagged(tags, "taint/"))),
        labels_origin=f"the tags of Auto Scaling Group {name} for the Cluster Autoscaler",
        template=template,
    )


def _template_of(group: Any, mixed: Sequence[Any], region: str, options: InvokeOptions | None) -> Template | None:
    """Return what the instances of a group are made from; None when the group does not tell."""
    for part in mixed:
        for used in _list(part, "launch_template_specifications"):
            return _launch_template(_text(used, "launch_template_id"), _text(used, "version"), region, options)
    for used in _list(group, "launch_templates"):
        return _launch_template(_text(used, "id"), _text(used, "version"), region, options)
    name = _text(group, "launch_configuration")
    return _launch_configuration(name, region, options) if name else None


def _purchase(policies: Sequence[Any], template: Template | None) -> str:
    """Return what a group runs On-Demand and as Spot instances; a template counts only if there is no policy."""
    if not policies:
        if template is None or template.doubt:
            return ""
        return _ONLY_SPOT if template.is_spot else _ONLY_ON_DEMAND
    distribution = _first(policies[0], "instances_distributions")
    base = int(_get(distribution, "on_demand_base_capacity") or 0)
    share = _get(distribution, "on_demand_percentage_above_base_capacity")
    # The default of AWS.
    share = 100 if share is None else int(share)
    if share == 100:
        return _ONLY_ON_DEMAND
    if not base:
        return f"{share}% of its instances On-Demand" if share else _ONLY_SPOT
    others = f"{share}% of the others On-Demand" if share else "the others as Spot instances"
    return f"{count_noun(base, 'On-Demand instance')}, and {others}"


def _launch_template(template_id: str, version: str, region: str, options: InvokeOptions | None) -> Template:
    from pulumi_aws import ec2

    found = _ask(
        "aws.ec2.get_launch_template",
        f"launch template {template_id} in {region}",
        lambda: ec2.get_launch_template(id=template_id, region=region, opts=options),
    )
    latest = str(_get(found, "latest_version") or "")
    is_default = version in {"$Default", ""}
    used = str(_get(found, "default_version") or "") if is_default else version
    doubt = None
    if latest and used.isdecimal() and used != latest:
        which = f"version {used}{', the default,' if is_default else ''} of launch template {template_id}"
        doubt = f"the group uses {which}, but only the latest version, {latest}, can be read"
    interface, profile = _first(found, "network_interfaces"), _first(found, "iam_instance_profiles")
    return Template(
        origin=f"launch template {template_id}",
        parts=_launch_fields(
            found,
            profile={"arn": _text(profile, "arn"), "name": _text(profile, "name")},
            security_groups=_list(found, "vpc_security_group_ids") or _list(interface, "security_groups"),
            public_ip=_get(interface, "associate_public_ip_address"),
            monitoring=_get(_first(found, "monitorings"), "enabled"),
            devices=[_device(device, _first(device, "ebs")) for device in _list(found, "block_device_mappings")],
        ),
        instance_type=_text(found, "instance_type"),
        is_spot=_text(_first(found, "instance_market_options"), "market_type") == "spot",
        lost=tuple(word for name, word in _UNKNOWN_TO_OCEAN.items() if _is_set(_get(found, name))),
        doubt=doubt,
    )


def _launch_configuration(name: str, region: str, options: InvokeOptions | None) -> Template:
    from pulumi_aws import ec2

    found = _ask(
        "aws.ec2.get_launch_configuration",
        f"launch configuration {name} in {region}",
        lambda: ec2.get_launch_configuration(name=name, region=region, opts=options),
    )
    profile = _text(found, "iam_instance_profile")
    return Template(
        origin=f"launch configuration {name}",
        parts=_launch_fields(
            found,
            profile={"arn" if profile.startswith("arn:") else "name": profile},
            security_groups=_list(found, "security_groups"),
            public_ip=_get(found, "associate_public_ip_address"),
            monitoring=_get(found, "enable_monitoring"),
            devices=[_device(device, device) for device in _list(found, "ebs_block_devices")],
        ),
        instance_type=_text(found, "instance_type"),
        is_spot=bool(_text(found, "spot_price")),
    )


def _launch_fields(
    found: Any,
    *,
    profile: dict[str, str],
    security_groups: list[Any],
    public_ip: Any,
    monitoring: Any,
    devices: list[Any],
) -> dict[str, Any]:
    """Return the fields of a launch specification; the parameters are what the two kinds name differently."""
    metadata = _first(found, "metadata_options")
    return _present(
        {
            **_read_fields(found, "imageId", "userData", "ebsOptimized"),
            "keyPair": _get(found, "key_name"),
            "iamInstanceProfile": _present(profile),
            "securityGroupIds": security_groups,
            "associatePublicIpAddress": public_ip,
            "monitoring": monitoring,
            "blockDeviceMappings": devices,
            # Without the endpoint: pulumi_spotinst has no argument for it, and on is the default.
            "instanceMetadataOptions": _present(_read_fields(metadata, "httpTokens", "httpPutResponseHopLimit")),
        }
    )


def _device(device: Any, volume: Any) -> dict[str, Any]:
    size = ("iops", "throughput", "volumeSize", "volumeType")
    ebs = _read_fields(volume, "deleteOnTermination", "encrypted", "kmsKeyId", "snapshotId", *size)
    return _present({**_read_fields(device, "deviceName", "virtualName"), "ebs": _present(ebs)})


def _tagged(tags: Mapping[str, str], kind: str) -> Iterable[tuple[str, str]]:
    prefix = _CLUSTER_AUTOSCALER + kind
    return ((key.removeprefix(prefix), value) for key, value in tags.items() if key.startswith(prefix))


def _taints(tagged: Iterable[tuple[str, str]]) -> Iterable[dict[str, str]]:
    for key, text in tagged:
        value, colon, effect = text.rpartition(":")
        if colon:
            yield {"key": key, "value": value, "effect": effect}


def _present(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set: the functions answer with zero and empty text for what is not."""
    return {name: part for name, part in parts.items() if part is False or part}


def _is_set(part: Any) -> bool:
    """Tell whether a part says anything but defaults."""
    if isinstance(part, Mapping):
        return any(map(_is_set, part.values()))
    return any(map(_is_set, part)) if isinstance(part, list) else part not in _DEFAULTS


def _ask(function: str, what: str, asked: Callable[[], Any], *, is_source: bool = False) -> Any:
    """Call a function of pulumi_aws, which raises the bare Exception for whatever the provider says."""
    try:
        return asked()
    except Exception as exc:
        said = sanitize(str(exc), _LONGEST_TEXT)
        if is_source and _GONE.search(said):
            raise SourceGoneError(f"{what} does not exist: {function} says: {said}") from exc
        # Going on with less would plan to take away what an earlier run took over.
        msg = f"{what} could not be read: {function} says: {said}; check the credentials of the AWS provider"
        raise OceanMigrationError(msg) from exc


def _get(value: Any, name: str) -> Any:
    """Return a part of what a function answers; mocks may leave any out."""
    return None if value is None else getattr(value, name, None)


def _read_fields(value: Any, *fields: str) -> dict[str, Any]:
    """Return fields of Spot's API that the functions answer with the same names in snake case."""
    return {field: _get(value, snake_case(field)) for field in fields}


def _text(value: Any, name: str) -> str:
    return decode.text(_get(value, name))


def _list(value: Any, name: str) -> list[Any]:
    return list(_get(value, name) or ())


def _first(value: Any, name: str) -> Any:
    return next(iter(_list(value, name)), None)
