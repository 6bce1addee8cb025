"""What AWS knows of a group of nodes, asked by functions of pulumi_aws and put into the words of Spot's wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocean_migration_pulumi.api.models import decode
from ocean_migration_pulumi.common.text import sanitize
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What a launch template or launch configuration says, as parts of a launch specification.

    ``origin`` names it; ``doubt`` (None: none) says why the instances may be made from something else.
    """

    origin: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    instance_type: str = ""
    doubt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesGroup:
    """A group of nodes as AWS knows it: an Auto Scaling Group, and the EKS node group that it may belong to.

    ``auto_scaling_group`` is empty when the node group has none (yet). Labels and taints are those of the node group,
    else those that the tags of the Auto Scaling Group tell the Cluster Autoscaler; ``labels_origin`` says which.
    """

    auto_scaling_group: str
    subnet_ids: tuple[str, ...] = ()
    instance_types: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    labels_origin: str = ""
    template: Template | None = None


def region_of(options: InvokeOptions | None) -> str:
    """Return the region of the AWS provider."""
    import pulumi_aws as aws

    found = _ask("aws.get_region", "the region of the AWS provider", lambda: aws.get_region(opts=options))
    region = _text(found, "region")
    if not region:
        msg = "the region of the AWS provider is not known: set `region`"
        raise OceanMigrationError(msg)
    return region


def node_group(eks_cluster: str, name: str, region: str, options: InvokeOptions | None) -> NodesGroup:
    """Return a managed node group with its Auto Scaling Group; raise SourceGoneError when there is none."""
    from pulumi_aws import eks

    found = _ask(
        "aws.eks.get_node_group",
        f"EKS node group {name} of cluster {eks_cluster} in {region}",
        lambda: eks.get_node_group(cluster_name=eks_cluster, node_group_name=name, region=region, opts=options),
        is_source=True,
    )
    groups = [
        _text(group, "name")
        for resource in _list(found, "resources")
        for group in _list(resource, "autoscaling_groups")
    ]
    below = auto_scaling_group(groups[0], region, options) if groups else NodesGroup(auto_scaling_group="")
    return NodesGroup(
        auto_scaling_group=below.auto_scaling_group,
        subnet_ids=tuple(_list(found, "subnet_ids")) or below.subnet_ids,
        instance_types=tuple(_list(found, "instance_types")) or below.instance_types,
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
        template=below.template,
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
    overrides = [_text(override, "instance_type") for part in mixed for override in _list(part, "overrides")]
    types = [kind for kind in overrides if kind] or [template.instance_type if template else ""]
    tags = {_text(tag, "key"): _text(tag, "value") for tag in _list(found, "tags")}
    return NodesGroup(
        auto_scaling_group=name,
        subnet_ids=tuple(filter(None, _text(found, "vpc_zone_identifier").replace(" ", "").split(","))),
        instance_types=tuple(filter(None, types)),
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


def _launch_template(template_id: str, version: str, region: str, options: InvokeOptions | None) -> Template:
    from pulumi_aws import ec2

    found = _ask(
        "aws.ec2.get_launch_template",
        f"launch template {template_id} in {region}",
        lambda: ec2.get_launch_template(id=template_id, region=region, opts=options),
    )
    interface = next(iter(_list(found, "network_interfaces")), None)
    metadata = next(iter(_list(found, "metadata_options")), None)
    profile = next(iter(_list(found, "iam_instance_profiles")), None)
    latest = str(_get(found, "latest_version") or "")
    used = str(_get(found, "default_version") or "") if version == "$Default" else version
    doubt = None
    if latest and used.isdecimal() and used != latest:
        doubt = (
            f"the group uses version {used} of launch template {template_id}, but what was read is its latest, {latest}"
        )
    return Template(
        origin=f"launch template {template_id}",
        parts=_present(
            {
                "imageId": _get(found, "image_id"),
                "iamInstanceProfile": _present({"arn": _text(profile, "arn"), "name": _text(profile, "name")}),
                "keyPair": _get(found, "key_name"),
                "userData": _get(found, "user_data"),
                "securityGroupIds": _list(found, "vpc_security_group_ids") or _list(interface, "security_groups"),
                "associatePublicIpAddress": decode.flag(_get(interface, "associate_public_ip_address")),
                "monitoring": decode.flag(_get(next(iter(_list(found, "monitorings")), None), "enabled")),
                "ebsOptimized": decode.flag(_get(found, "ebs_optimized")),
                "blockDeviceMappings": [
                    _device(device, next(iter(_list(device, "ebs")), None))
                    for device in _list(found, "block_device_mappings")
                ],
                "instanceMetadataOptions": _metadata(metadata),
            }
        ),
        instance_type=_text(found, "instance_type"),
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
        parts=_present(
            {
                "imageId": _get(found, "image_id"),
                "iamInstanceProfile": {("arn" if profile.startswith("arn:") else "name"): profile} if profile else None,
                "keyPair": _get(found, "key_name"),
                "userData": _get(found, "user_data"),
                "securityGroupIds": _list(found, "security_groups"),
                "associatePublicIpAddress": decode.flag(_get(found, "associate_public_ip_address")),
                "monitoring": decode.flag(_get(found, "enable_monitoring")),
                "ebsOptimized": decode.flag(_get(found, "ebs_optimized")),
                "blockDeviceMappings": [_device(device, device) for device in _list(found, "ebs_block_devices")],
                "instanceMetadataOptions": _metadata(next(iter(_list(found, "metadata_options")), None)),
            }
        ),
        instance_type=_text(found, "instance_type"),
    )


def _device(device: Any, volume: Any) -> dict[str, Any]:
    ebs = {
        "deleteOnTermination": decode.flag(_get(volume, "delete_on_termination")),
        "encrypted": decode.flag(_get(volume, "encrypted")),
        "iops": _get(volume, "iops"),
        "kmsKeyId": _get(volume, "kms_key_id"),
        "snapshotId": _get(volume, "snapshot_id"),
        "throughput": _get(volume, "throughput"),
        "volumeSize": _get(volume, "volume_size"),
        "volumeType": _get(volume, "volume_type"),
    }
    known = {"deviceName": _get(device, "device_name"), "virtualName": _get(device, "virtual_name")}
    return _present({**known, "ebs": _present(ebs)})


def _metadata(options: Any) -> dict[str, Any]:
    """Return the options without the endpoint: pulumi_spotinst has no argument for it, and on is the default."""
    hops = _get(options, "http_put_response_hop_limit")
    return _present({"httpTokens": _get(options, "http_tokens"), "httpPutResponseHopLimit": hops})


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


def _ask(function: str, what: str, asked: Callable[[], Any], *, is_source: bool = False) -> Any:
    """Call a function of pulumi_aws, which raises the bare Exception for whatever the provider says."""
    try:
        return asked()
    except Exception as exc:
        said = sanitize(str(exc), _LONGEST_TEXT)
        if is_source and _GONE.search(said):
            msg = f"{what} does not exist: {function} says: {said}"
            raise SourceGoneError(msg) from exc
        # Going on with less would plan to take away what an earlier run took over.
        msg = f"{what} could not be read: {function} says: {said}; check the credentials of the AWS provider"
        raise OceanMigrationError(msg) from exc


def _get(value: Any, name: str) -> Any:
    """Return a part of what a function answers; mocks may leave any out."""
    return None if value is None else getattr(value, name, None)


def _text(value: Any, name: str) -> str:
    return decode.text(_get(value, name))


def _list(value: Any, name: str) -> list[Any]:
    return list(_get(value, name) or ())
