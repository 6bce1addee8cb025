"""The routes of Virtual Node Groups: create, read, update, delete and list."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route, drop_nulls, merge_changes
from ocean_migration_pulumi.testing.simulator.spot_api.validation import LABELS, TAINTS, Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_VNG,
    SpotResponse,
    WireError,
    build_not_found_error,
)
from ocean_migration_pulumi.testing.simulator.world import nodes

_OBJECT = Field(type="object", nullable=True)
_LIST = Field(type="array", nullable=True)
_STRING = Field(type="string", nullable=True)
_NUMBER = Field(type="integer", nullable=True)

_VNG_FIELDS = {
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
_CREATE_VNG = {
    "launchSpec": Field(
        type="object", required=True, fields={**_VNG_FIELDS, "oceanId": Field(type="string", required=True)}
    )
}
_UPDATE_VNG = {
    "launchSpec": Field(type="object", required=True, fields={**_VNG_FIELDS, "oceanId": Field(type="string")})
}


def _find_vng(context: RequestContext) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the id of the VNG in the path, and all VNGs of its cluster."""
    vng_id = context.path["group_id"]
    for cluster in context.world.clusters.values():
        if cluster.account_id == context.account_id and vng_id in cluster.groups:
            return vng_id, cluster.groups
    raise build_not_found_error("CANT_GET_OCEAN_LAUNCH_SPEC", "LaunchSpec", vng_id)


def create_vng(context: RequestContext) -> SpotResponse:
    """Create a VNG, and launch ``initialNodes`` nodes in it."""
    body = context.parse_body(_CREATE_VNG)["launchSpec"]
    cluster = context.get_cluster(body["oceanId"])
    initial = context.query.get("initialNodes", "0")
    if not initial.isdecimal():
        raise WireError('"initialNodes" must be a number', code="ValidationError", field="query:initialNodes")
    vng_id = context.world.new_id("ols-")
    cluster.groups[vng_id] = drop_nulls(body) | {"createdAt": context.now, "updatedAt": context.now}
    for _ in range(int(initial)):
        nodes.launch_ocean_node(context.world, cluster, context.now, vng_id)
    return SpotResponse(kind=KIND_VNG, items=[context.presenter.render_vng(vng_id, cluster.groups[vng_id])])


def list_vngs(context: RequestContext) -> SpotResponse:
    """List the VNGs of a cluster, or of all clusters of the account."""
    ocean_id = context.query.get("oceanId")
    clusters = (
        [context.get_cluster(ocean_id)]
        if ocean_id
        else [cluster for cluster in context.world.clusters.values() if cluster.account_id == context.account_id]
    )
    items = [
        context.presenter.render_vng(vng_id, body) for cluster in clusters for vng_id, body in cluster.groups.items()
    ]
    return SpotResponse(kind=KIND_VNG, items=items)


def read_vng(context: RequestContext) -> SpotResponse:
    """Return a VNG."""
    vng_id, vngs = _find_vng(context)
    return SpotResponse(kind=KIND_VNG, items=[context.presenter.render_vng(vng_id, vngs[vng_id])])


def update_vng(context: RequestContext) -> SpotResponse:
    """Merge changes into a VNG; its cluster cannot change."""
    vng_id, vngs = _find_vng(context)
    changes = context.parse_body(_UPDATE_VNG)["launchSpec"]
    if changes.get("oceanId", vngs[vng_id]["oceanId"]) != vngs[vng_id]["oceanId"]:
        raise WireError("oceanId can't be updated", code="CANT_UPDATE_OCEAN_ENTITY", field="body:launchSpec.oceanId")
    vngs[vng_id] = merge_changes(vngs[vng_id], changes) | {"updatedAt": context.now}
    return SpotResponse(kind=KIND_VNG, items=[context.presenter.render_vng(vng_id, vngs[vng_id])])


def delete_vng(context: RequestContext) -> SpotResponse:
    """Delete a VNG; ``deleteNodes`` terminates its nodes.

    Only ``forceDelete`` deletes the last VNG of a cluster with ``useAsTemplateOnly``.
    """
    vng_id, vngs = _find_vng(context)
    cluster = context.get_cluster(vngs[vng_id]["oceanId"])
    template_only = cluster.body["compute"]["launchSpecification"].get("useAsTemplateOnly")
    if template_only and len(vngs) == 1 and not context.get_flag("forceDelete"):
        raise WireError(
            "Can't delete the only custom launchSpec while useAsTemplateOnly is true",
            code="CANT_DELETE_OCEAN_LAUNCH_SPEC",
        )
    del vngs[vng_id]
    for node in cluster.nodes.values():
        if node.virtual_node_group_id == vng_id and not node.terminated and context.get_flag("deleteNodes"):
            nodes.terminate_node(cluster, node, context.now)
    return SpotResponse()


ROUTES: list[Route] = [
    ("POST", "/ocean/aws/k8s/launchSpec", create_vng),
    ("GET", "/ocean/aws/k8s/launchSpec", list_vngs),
    ("GET", "/ocean/aws/k8s/launchSpec/{group_id}", read_vng),
    ("PUT", "/ocean/aws/k8s/launchSpec/{group_id}", update_vng),
    ("DELETE", "/ocean/aws/k8s/launchSpec/{group_id}", delete_vng),
]
