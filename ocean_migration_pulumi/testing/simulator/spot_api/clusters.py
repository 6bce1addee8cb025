"""Clusters and Virtual Node Groups: create, read, update, delete, list."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import deployments
from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route, merge, posted
from ocean_migration_pulumi.testing.simulator.spot_api.validation import LABELS, TAINTS, Field, check
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_CLUSTER,
    KIND_GROUP,
    SpotResponse,
    WireError,
    not_found,
)
from ocean_migration_pulumi.testing.simulator.world import seeding, state_machine

_STRINGS = Field(type="array", required=True, items=Field(type="string"))
_OBJECT = Field(type="object", nullable=True)
_LIST = Field(type="array", nullable=True)
_STRING = Field(type="string", nullable=True)
_NUMBER = Field(type="integer", nullable=True)

_CLUSTER_PARTS = {
    name: _OBJECT for name in ("autoScaler", "capacity", "strategy", "scheduling", "security", "logging", "compute")
}
_TEMPLATE = {"imageId": Field(type="string", required=True), "securityGroupIds": _STRINGS}
_COMPUTE = {
    "subnetIds": _STRINGS,
    "launchSpecification": Field(type="object", required=True, fields=_TEMPLATE, closed=False),
}
_CLUSTER = {
    "cluster": Field(
        type="object",
        required=True,
        fields={
            **_CLUSTER_PARTS,
            "name": Field(type="string", required=True),
            "controllerClusterId": Field(type="string", required=True),
            "region": Field(type="string", required=True),
            "compute": Field(type="object", required=True, fields=_COMPUTE, closed=False),
        },
    )
}
_UPDATE_CLUSTER = {
    "cluster": Field(
        type="object",
        required=True,
        fields={**_CLUSTER_PARTS, "name": _STRING, "controllerClusterId": _STRING, "region": _STRING},
    )
}
_GROUP_PARTS = {
    **{name: _STRING for name in ("name", "imageId", "userData")},
    **{name: _NUMBER for name in ("rootVolumeSize", "reservedENIs")},
    **{
        name: _OBJECT
        for name in (
            "iamInstanceProfile",
            "instanceTypesFilters",
            "elasticIpPool",
            "autoScale",
            "resourceLimits",
            "strategy",
            "scheduling",
            "instanceMetadataOptions",
            "ephemeralStorage",
            "instanceStorePolicy",
            "gpu",
        )
    },
    **{
        name: _LIST
        for name in (
            "images",
            "securityGroupIds",
            "instanceTypes",
            "preferredSpotTypes",
            "preferredOnDemandTypes",
            "startupTaints",
            "subnetIds",
            "tags",
            "blockDeviceMappings",
            "loadBalancers",
        )
    },
    **{name: Field(type="boolean", nullable=True) for name in ("restrictScaleDown", "associatePublicIpAddress")},
    "labels": LABELS,
    "taints": TAINTS,
}
_CREATE_GROUP = {
    "launchSpec": Field(
        type="object", required=True, fields={**_GROUP_PARTS, "oceanId": Field(type="string", required=True)}
    )
}
_UPDATE_GROUP = {
    "launchSpec": Field(type="object", required=True, fields={**_GROUP_PARTS, "oceanId": Field(type="string")})
}


def create_cluster(call: RequestContext) -> SpotResponse:
    """Create a cluster; it has no heartbeat until a controller is installed."""
    body = posted(call.body(_CLUSTER)["cluster"])
    cluster = seeding.new_cluster(call.world, call.account_id, body, call.now)
    cluster.heartbeat.status = None
    cluster.deployments = deployments.usual(installed=False)
    return SpotResponse(kind=KIND_CLUSTER, items=[call.present.cluster(cluster)])


def list_clusters(call: RequestContext) -> SpotResponse:
    """List the account's clusters."""
    clusters = [cluster for cluster in call.world.clusters.values() if cluster.account_id == call.account_id]
    return SpotResponse(kind=KIND_CLUSTER, items=[call.present.cluster(cluster) for cluster in clusters])


def read_cluster(call: RequestContext) -> SpotResponse:
    """Return a cluster."""
    return SpotResponse(kind=KIND_CLUSTER, items=[call.present.cluster(call.cluster())])


def update_cluster(call: RequestContext) -> SpotResponse:
    """Merge changes into a cluster; its region and controller id stay."""
    cluster = call.cluster()
    changes = call.body(_UPDATE_CLUSTER)["cluster"]
    for name in ("region", "controllerClusterId"):
        if changes.get(name, cluster.body[name]) != cluster.body[name]:
            raise WireError(f"{name} can't be updated", code="CANT_UPDATE_OCEAN_ENTITY", field=f"body:cluster.{name}")
    body = merge(cluster.body, changes)
    check({"cluster": body}, _CLUSTER)
    if body["compute"]["launchSpecification"].get("useAsTemplateOnly") and not cluster.groups:
        raise WireError(
            "Can't set useAsTemplateOnly flag to true without any custom launchSpecs", code="CANT_UPDATE_OCEAN_ENTITY"
        )
    cluster.body, cluster.updated_at = body, call.now
    return SpotResponse(kind=KIND_CLUSTER, items=[call.present.cluster(cluster)])


def delete_cluster(call: RequestContext) -> SpotResponse:
    """Delete a cluster and all that is in it, but not while a migration runs.

    What the service does then is in none of its documents: to refuse it shows programs that delete too early.
    """
    cluster = call.cluster()
    running = [migration.id for migration in cluster.running_migrations()]
    if running and call.present.quirk("delete_migrating") == "refuse":
        raise WireError(f"Can't delete a cluster while {running[0]} is running", code="CANT_DELETE_OCEAN_ENTITY")
    del call.world.clusters[cluster.id]
    return SpotResponse()


def _group(call: RequestContext) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the id of the group of the path, and all groups of its cluster."""
    group_id = call.path["group_id"]
    for cluster in call.world.clusters.values():
        if cluster.account_id == call.account_id and group_id in cluster.groups:
            return group_id, cluster.groups
    raise not_found("CANT_GET_OCEAN_LAUNCH_SPEC", "LaunchSpec", group_id)


def create_group(call: RequestContext) -> SpotResponse:
    """Create a Virtual Node Group, with ``initialNodes`` nodes at once."""
    body = call.body(_CREATE_GROUP)["launchSpec"]
    cluster = call.cluster(body["oceanId"])
    initial = call.query.get("initialNodes", "0")
    if not initial.isdecimal():
        raise WireError('"initialNodes" must be a number', code="ValidationError", field="query:initialNodes")
    group_id = call.world.new_id("ols-")
    cluster.groups[group_id] = posted(body) | {"createdAt": call.now, "updatedAt": call.now}
    for _ in range(int(initial)):
        state_machine.launch(call.world, cluster, call.now, group_id)
    return SpotResponse(kind=KIND_GROUP, items=[call.present.group(group_id, cluster.groups[group_id])])


def list_groups(call: RequestContext) -> SpotResponse:
    """List the Virtual Node Groups of one cluster, or of all of the account."""
    wanted = call.query.get("oceanId")
    clusters = (
        [call.cluster(wanted)]
        if wanted
        else [cluster for cluster in call.world.clusters.values() if cluster.account_id == call.account_id]
    )
    items = [call.present.group(key, body) for cluster in clusters for key, body in cluster.groups.items()]
    return SpotResponse(kind=KIND_GROUP, items=items)


def read_group(call: RequestContext) -> SpotResponse:
    """Return a Virtual Node Group."""
    group_id, groups = _group(call)
    return SpotResponse(kind=KIND_GROUP, items=[call.present.group(group_id, groups[group_id])])


def update_group(call: RequestContext) -> SpotResponse:
    """Merge changes into a Virtual Node Group."""
    group_id, groups = _group(call)
    changes = call.body(_UPDATE_GROUP)["launchSpec"]
    if changes.get("oceanId", groups[group_id]["oceanId"]) != groups[group_id]["oceanId"]:
        raise WireError("oceanId can't be updated", code="CANT_UPDATE_OCEAN_ENTITY", field="body:launchSpec.oceanId")
    groups[group_id] = merge(groups[group_id], changes) | {"updatedAt": call.now}
    return SpotResponse(kind=KIND_GROUP, items=[call.present.group(group_id, groups[group_id])])


def delete_group(call: RequestContext) -> SpotResponse:
    """Delete a Virtual Node Group; with ``deleteNodes`` its nodes are terminated.

    The last one of a cluster that is only a template needs ``forceDelete``.
    """
    group_id, groups = _group(call)
    cluster = call.cluster(groups[group_id]["oceanId"])
    template_only = cluster.body["compute"]["launchSpecification"].get("useAsTemplateOnly")
    if template_only and len(groups) == 1 and not call.flag("forceDelete"):
        raise WireError(
            "Can't delete the only custom launchSpec while useAsTemplateOnly is true",
            code="CANT_DELETE_OCEAN_LAUNCH_SPEC",
        )
    del groups[group_id]
    for node in cluster.nodes.values():
        if node.virtual_node_group_id == group_id and not node.terminated and call.flag("deleteNodes"):
            state_machine.terminate(cluster, node, call.now)
    return SpotResponse()


ROUTES: list[Route] = [
    ("POST", "/ocean/aws/k8s/cluster", create_cluster),
    ("GET", "/ocean/aws/k8s/cluster", list_clusters),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}", read_cluster),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}", update_cluster),
    ("DELETE", "/ocean/aws/k8s/cluster/{ocean_id}", delete_cluster),
    ("POST", "/ocean/aws/k8s/launchSpec", create_group),
    ("GET", "/ocean/aws/k8s/launchSpec", list_groups),
    ("GET", "/ocean/aws/k8s/launchSpec/{group_id}", read_group),
    ("PUT", "/ocean/aws/k8s/launchSpec/{group_id}", update_group),
    ("DELETE", "/ocean/aws/k8s/launchSpec/{group_id}", delete_group),
]
