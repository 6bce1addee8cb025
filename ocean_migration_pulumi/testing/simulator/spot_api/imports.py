"""Configurations made from an Auto Scaling Group or an EKS node group; nothing is created."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route
from ocean_migration_pulumi.testing.simulator.spot_api.validation import LABELS, TAINTS, Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_CLUSTER,
    KIND_GROUP,
    SpotResponse,
    WireError,
    not_found,
)
from ocean_migration_pulumi.testing.simulator.world import auto_scaling
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import SimAutoScalingGroup

_CLUSTER = {"cluster": Field(type="object", fields={"instanceTypes": Field(type="array", items=Field(type="string"))})}
_GROUP_OF_ASG = {
    "launchSpec": Field(type="object", fields={"name": Field(type="string"), "labels": LABELS, "taints": TAINTS})
}
_GROUP_OF_NODE_GROUP = {"launchSpec": Field(type="object", fields={"name": Field(type="string"), "labels": LABELS})}

_DOCUMENTED_TEMPLATE = frozenset(
    {"securityGroupIds", "keyPair", "imageId", "tags", "associatePublicIpAddress", "instanceMetadataOptions"}
)
_DOCUMENTED_GROUP = frozenset({"imageId", "securityGroupIds", "tags", "instanceMetadataOptions"})


def _template(
    call: RequestContext, group: SimAutoScalingGroup, documented: frozenset[str], *, as_object: bool
) -> dict[str, Any]:
    """Return what the nodes of a group are made from, in the words of a launch specification."""
    tags: Any = [{"tagKey": key, "tagValue": value} for key, value in group.tags.items()]
    if as_object and call.present.quirk("import_tags") == "object":
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
    told = call.present.quirk("imports") == "full"
    return {
        name: part for name, part in parts.items() if (told or name in documented) and part is not None and part != []
    }


def _group(
    call: RequestContext, source: SimAutoScalingGroup, ocean_id: str | None, spec: Mapping[str, Any], *, as_object: bool
) -> dict[str, Any]:
    """Return a Virtual Node Group like an Auto Scaling Group, which has no key pair of its own."""
    body = {
        **({"oceanId": ocean_id} if ocean_id else {}),
        "name": source.name,
        **_template(call, source, _DOCUMENTED_GROUP, as_object=as_object),
    }
    body.pop("keyPair", None)
    if call.present.quirk("imports") == "full":
        body |= {"subnetIds": source.subnet_ids, "instanceTypes": source.instance_types}
    return {**body, **spec}


def _region(call: RequestContext, ocean_id: str | None, region: str | None) -> str:
    return call.cluster(ocean_id).body["region"] if ocean_id else region or ""


def _found(call: RequestContext, name: str, region: str, what: str, code: str) -> SimAutoScalingGroup:
    group = auto_scaling.find(call.world.auto_scaling_groups, name, region)
    if group is None:
        raise not_found(code, what, name)
    return group


def _asg(call: RequestContext, name: str, region: str) -> SimAutoScalingGroup:
    return _found(call, name, region, "AutoScalingGroup", "CANT_GET_AUTO_SCALING_GROUP")


def cluster_from_asg(call: RequestContext) -> SpotResponse:
    """Return the configuration of a cluster like an Auto Scaling Group, with an identifier that is made up."""
    name, region = call.require("autoScalingGroupName", "region")
    spec = call.body(_CLUSTER).get("cluster", {})
    group = _asg(call, name, region)
    nodes = [
        node
        for cluster in call.world.clusters.values()
        if cluster.body["region"] == region
        for node in cluster.nodes.values()
        if node.asg_name == name and not node.terminated
    ]
    identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"{call.world.seed}/{region}/{name}")
    body = {
        "name": name,
        "controllerClusterId": f"ocean-{identifier}",
        "region": region,
        "capacity": {"minimum": 0, "maximum": 1000, "target": len(nodes)},
        "compute": {
            "subnetIds": group.subnet_ids,
            **({"instanceTypes": {"whitelist": spec["instanceTypes"]}} if "instanceTypes" in spec else {}),
            "launchSpecification": _template(call, group, _DOCUMENTED_TEMPLATE, as_object=True),
        },
    }
    return SpotResponse(kind=KIND_CLUSTER, items=[body])


def group_from_asg(call: RequestContext) -> SpotResponse:
    """Return the configuration of a Virtual Node Group like an Auto Scaling Group."""
    name, ocean_id = call.require("autoScalingGroupName", "oceanId")
    spec = call.body(_GROUP_OF_ASG).get("launchSpec", {})
    source = _asg(call, name, _region(call, ocean_id, None))
    return SpotResponse(kind=KIND_GROUP, items=[_group(call, source, ocean_id, spec, as_object=True)])


def group_from_node_group(call: RequestContext) -> SpotResponse:
    """Return the configuration of a Virtual Node Group like an EKS managed node group, of any EKS cluster."""
    _, name = call.require("eksClusterName", "eksNodeGroupName")
    ocean_id, region = call.query.get("oceanId"), call.query.get("region")
    if bool(ocean_id) == bool(region):
        raise WireError("Exactly one of region or oceanId must be supplied", code="ValidationError")
    spec = call.body(_GROUP_OF_NODE_GROUP).get("launchSpec", {})
    source = _found(call, name, _region(call, ocean_id, region), "EksNodeGroup", "CANT_GET_EKS_NODE_GROUP")
    return SpotResponse(kind=KIND_GROUP, items=[_group(call, source, ocean_id, spec, as_object=False)])


ROUTES: list[Route] = [
    ("POST", "/ocean/aws/k8s/cluster/autoScalingGroup/import", cluster_from_asg),
    ("POST", "/ocean/aws/k8s/launchSpec/autoScalingGroup/import", group_from_asg),
    ("POST", "/ocean/aws/k8s/launchSpec/eksNodeGroup/import", group_from_node_group),
]
