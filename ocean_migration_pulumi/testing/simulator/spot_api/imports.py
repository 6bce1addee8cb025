"""The routes of imports: configurations derived from an Auto Scaling Group or an EKS node group."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route
from ocean_migration_pulumi.testing.simulator.spot_api.validation import LABELS, TAINTS, Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_CLUSTER,
    KIND_VNG,
    SpotResponse,
    WireError,
    build_not_found_error,
)
from ocean_migration_pulumi.testing.simulator.world import auto_scaling
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import SimAutoScalingGroup

_CLUSTER = {"cluster": Field(type="object", fields={"instanceTypes": Field(type="array", items=Field(type="string"))})}
_VNG_FROM_ASG = {
    "launchSpec": Field(type="object", fields={"name": Field(type="string"), "labels": LABELS, "taints": TAINTS})
}
_VNG_FROM_NODE_GROUP = {"launchSpec": Field(type="object", fields={"name": Field(type="string"), "labels": LABELS})}

_DOCUMENTED_TEMPLATE = frozenset(
    {"securityGroupIds", "keyPair", "imageId", "tags", "associatePublicIpAddress", "instanceMetadataOptions"}
)
_DOCUMENTED_VNG = frozenset({"imageId", "securityGroupIds", "tags", "instanceMetadataOptions"})


def _build_template(
    context: RequestContext, group: SimAutoScalingGroup, documented: frozenset[str], *, as_object: bool
) -> dict[str, Any]:
    """Return the launch specification of an Auto Scaling Group."""
    tags: Any = [{"tagKey": key, "tagValue": value} for key, value in group.tags.items()]
    if as_object and context.presenter.get_quirk("import_tags") == "object":
        tags = next(iter(tags), None)
    parts = {
        "imageId": group.image_id,
        "securityGroupIds": group.security_group_ids,
        "keyPair": group.key_pair,
        "userData": group.user_data,
        "iamInstanceProfile": {"arn": group.instance_profile} if group.instance_profile else None,
        "tags": tags,
        "blockDeviceMappings": group.block_devices,
        "associatePublicIpAddress": False,
        "instanceMetadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2},
    }
    full = context.presenter.get_quirk("imports") == "full"
    return {
        name: part for name, part in parts.items() if (full or name in documented) and part is not None and part != []
    }


def _build_vng(
    context: RequestContext,
    source: SimAutoScalingGroup,
    ocean_id: str | None,
    spec: Mapping[str, Any],
    *,
    as_object: bool,
) -> dict[str, Any]:
    """Return the configuration of a VNG; a VNG has no key pair."""
    body = {
        **({"oceanId": ocean_id} if ocean_id else {}),
        "name": source.name,
        **_build_template(context, source, _DOCUMENTED_VNG, as_object=as_object),
    }
    body.pop("keyPair", None)
    if context.presenter.get_quirk("imports") == "full":
        body |= {"subnetIds": source.subnet_ids, "instanceTypes": source.instance_types}
    return {**body, **spec}


def _get_region(context: RequestContext, ocean_id: str | None, region: str | None) -> str:
    return context.get_cluster(ocean_id).body["region"] if ocean_id else region or ""


def _find_group(context: RequestContext, name: str, region: str, kind: str, code: str) -> SimAutoScalingGroup:
    group = auto_scaling.find_group(context.world.auto_scaling_groups, name, region)
    if group is None:
        raise build_not_found_error(code, kind, name)
    return group


def _find_asg(context: RequestContext, name: str, region: str) -> SimAutoScalingGroup:
    return _find_group(context, name, region, "AutoScalingGroup", "CANT_GET_AUTO_SCALING_GROUP")


def import_cluster_from_asg(context: RequestContext) -> SpotResponse:
    """Derive a cluster from an Auto Scaling Group, with a generated controller id."""
    name, region = context.require_parameters("autoScalingGroupName", "region")
    spec = context.parse_body(_CLUSTER).get("cluster", {})
    group = _find_asg(context, name, region)
    nodes = [
        node
        for cluster in context.world.clusters.values()
        if cluster.body["region"] == region
        for node in cluster.nodes.values()
        if node.asg_name == name and not node.terminated
    ]
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"{context.world.seed}/{region}/{name}")
    body = {
        "name": name,
        "controllerClusterId": f"ocean-{identifier}",
        "region": region,
        "capacity": {"minimum": group.min_size, "maximum": group.max_size, "target": len(nodes)},
        "compute": {
            "subnetIds": group.subnet_ids,
            **({"instanceTypes": {"whitelist": spec["instanceTypes"]}} if "instanceTypes" in spec else {}),
            "launchSpecification": _build_template(context, group, _DOCUMENTED_TEMPLATE, as_object=True),
        },
    }
    return SpotResponse(kind=KIND_CLUSTER, items=[body])


def import_vng_from_asg(context: RequestContext) -> SpotResponse:
    """Derive a VNG from an Auto Scaling Group."""
    name, ocean_id = context.require_parameters("autoScalingGroupName", "oceanId")
    spec = context.parse_body(_VNG_FROM_ASG).get("launchSpec", {})
    source = _find_asg(context, name, _get_region(context, ocean_id, None))
    return SpotResponse(kind=KIND_VNG, items=[_build_vng(context, source, ocean_id, spec, as_object=True)])


def import_vng_from_node_group(context: RequestContext) -> SpotResponse:
    """Derive a VNG from an EKS managed node group; the name of the EKS cluster is ignored."""
    _, name = context.require_parameters("eksClusterName", "eksNodeGroupName")
    ocean_id, region = context.query.get("oceanId"), context.query.get("region")
    if bool(ocean_id) == bool(region):
        raise WireError("Exactly one of region or oceanId must be supplied", code="ValidationError")
    spec = context.parse_body(_VNG_FROM_NODE_GROUP).get("launchSpec", {})
    source = _find_group(
        context, name, _get_region(context, ocean_id, region), "EksNodeGroup", "CANT_GET_EKS_NODE_GROUP"
    )
    return SpotResponse(kind=KIND_VNG, items=[_build_vng(context, source, ocean_id, spec, as_object=False)])


ROUTES: list[Route] = [
    ("POST", "/ocean/aws/k8s/cluster/autoScalingGroup/import", import_cluster_from_asg),
    ("POST", "/ocean/aws/k8s/launchSpec/autoScalingGroup/import", import_vng_from_asg),
    ("POST", "/ocean/aws/k8s/launchSpec/eksNodeGroup/import", import_vng_from_node_group),
]
