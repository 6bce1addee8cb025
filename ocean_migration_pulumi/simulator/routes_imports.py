"""Configurations made from an Auto Scaling Group or an EKS node group; nothing is created."""

from __future__ import annotations

from typing import Any

from . import seeding
from .rules import Call, Route
from .validation import Field
from .wire import KIND_CLUSTER, KIND_GROUP, Answer, WireError
from .world import Cluster

_LABELS = Field(type="array", items=Field(type="object", fields={"key": Field(), "value": Field()}))
_TAINTS = Field(type="array", items=Field(type="object", fields={"key": Field(), "value": Field(), "effect": Field()}))
_CLUSTER = {"cluster": Field(type="object", fields={"instanceTypes": Field(type="array", items=Field(type="string"))})}
_GROUP_OF_ASG = {
    "launchSpec": Field(type="object", fields={"name": Field(type="string"), "labels": _LABELS, "taints": _TAINTS})
}
_GROUP_OF_NODE_GROUP = {"launchSpec": Field(type="object", fields={"name": Field(type="string"), "labels": _LABELS})}


def _check_asg(call: Call, name: str, clusters: list[Cluster]) -> None:
    if not any(node.asg_name == name for cluster in clusters for node in cluster.nodes.values()):
        raise WireError(f"AutoScalingGroup: '{name}' does not exist", code="CANT_GET_AUTO_SCALING_GROUP")


def _account_clusters(call: Call, region: str) -> list[Cluster]:
    return [
        cluster
        for cluster in call.world.clusters.values()
        if cluster.account_id == call.account_id and cluster.body["region"] == region
    ]


def _group(name: str, ocean_id: str | None, wish: dict[str, Any]) -> dict[str, Any]:
    return {
        **({"oceanId": ocean_id} if ocean_id else {}),
        "name": name,
        "imageId": "ami-0a1b2c3d4e5f60718",
        "securityGroupIds": ["sg-0a1b2c3d"],
        "tags": [{"tagKey": "source", "tagValue": name}],
        "instanceMetadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2},
        **wish,
    }


def cluster_from_asg(call: Call) -> Answer:
    """Return the configuration of a cluster like an Auto Scaling Group."""
    name, region = call.require("autoScalingGroupName", "region")
    wish = call.body(_CLUSTER).get("cluster", {})
    _check_asg(call, name, _account_clusters(call, region))
    body = seeding.cluster_body(name) | {"region": region}
    if "instanceTypes" in wish:
        body["compute"]["instanceTypes"] = {"whitelist": wish["instanceTypes"]}
    return Answer(kind=KIND_CLUSTER, items=[body])


def group_from_asg(call: Call) -> Answer:
    """Return the configuration of a Virtual Node Group like an Auto Scaling Group."""
    name, ocean_id = call.require("autoScalingGroupName", "oceanId")
    wish = call.body(_GROUP_OF_ASG).get("launchSpec", {})
    _check_asg(call, name, [call.cluster(ocean_id)])
    return Answer(kind=KIND_GROUP, items=[_group(name, ocean_id, wish)])


def group_from_node_group(call: Call) -> Answer:
    """Return the configuration of a Virtual Node Group like an EKS managed node group."""
    _, name = call.require("eksClusterName", "eksNodeGroupName")
    ocean_id, region = call.query.get("oceanId"), call.query.get("region")
    if bool(ocean_id) == bool(region):
        raise WireError("Exactly one of region or oceanId must be supplied", code="ValidationError")
    wish = call.body(_GROUP_OF_NODE_GROUP).get("launchSpec", {})
    _check_asg(call, name, [call.cluster(ocean_id)] if ocean_id else _account_clusters(call, region or ""))
    return Answer(kind=KIND_GROUP, items=[_group(name, ocean_id, wish)])


ROUTES: list[Route] = [
    ("POST", "/ocean/aws/k8s/cluster/autoScalingGroup/import", cluster_from_asg),
    ("POST", "/ocean/aws/k8s/launchSpec/autoScalingGroup/import", group_from_asg),
    ("POST", "/ocean/aws/k8s/launchSpec/eksNodeGroup/import", group_from_node_group),
]
