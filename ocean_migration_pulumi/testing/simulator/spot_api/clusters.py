"""The routes of clusters: create, read, update, delete and list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import deployments
from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route, drop_nulls, merge_changes
from ocean_migration_pulumi.testing.simulator.spot_api.validation import Field, check_body
from ocean_migration_pulumi.testing.simulator.spot_api.wire import KIND_CLUSTER, SpotResponse, WireError
from ocean_migration_pulumi.testing.simulator.world import seeding

_STRINGS = Field(type="array", required=True, items=Field(type="string"))
_OBJECT = Field(type="object", nullable=True)
_STRING = Field(type="string", nullable=True)

_CLUSTER_FIELDS = {
    name: _OBJECT for name in ("autoScaler", "capacity", "strategy", "scheduling", "security", "logging", "compute")
}
_LAUNCH_SPECIFICATION_FIELDS = {"imageId": Field(type="string", required=True), "securityGroupIds": _STRINGS}
_COMPUTE_FIELDS = {
    "subnetIds": _STRINGS,
    "launchSpecification": Field(type="object", required=True, fields=_LAUNCH_SPECIFICATION_FIELDS, closed=False),
}
_CLUSTER = {
    "cluster": Field(
        type="object",
        required=True,
        fields={
            **_CLUSTER_FIELDS,
            "name": Field(type="string", required=True),
            "controllerClusterId": Field(type="string", required=True),
            "region": Field(type="string", required=True),
            "compute": Field(type="object", required=True, fields=_COMPUTE_FIELDS, closed=False),
        },
    )
}
_UPDATE_CLUSTER = {
    "cluster": Field(
        type="object",
        required=True,
        fields={**_CLUSTER_FIELDS, "name": _STRING, "controllerClusterId": _STRING, "region": _STRING},
    )
}


def create_cluster(context: RequestContext) -> SpotResponse:
    """Create a cluster, which has no heartbeat until a controller is installed."""
    body = drop_nulls(context.parse_body(_CLUSTER)["cluster"])
    _check_capacity(body)
    cluster = seeding.create_cluster(context.world, context.account_id, body, context.now)
    cluster.heartbeat.status = None
    cluster.deployments = deployments.build_default_deployments(installed=False)
    return SpotResponse(kind=KIND_CLUSTER, items=[context.presenter.render_cluster(cluster)])


def list_clusters(context: RequestContext) -> SpotResponse:
    """List the account's clusters."""
    clusters = [cluster for cluster in context.world.clusters.values() if cluster.account_id == context.account_id]
    return SpotResponse(kind=KIND_CLUSTER, items=[context.presenter.render_cluster(cluster) for cluster in clusters])


def read_cluster(context: RequestContext) -> SpotResponse:
    """Return a cluster."""
    return SpotResponse(kind=KIND_CLUSTER, items=[context.presenter.render_cluster(context.get_cluster())])


def _check_capacity(body: Mapping[str, Any]) -> None:
    capacity = body.get("capacity") or {}
    minimum, target = capacity.get("minimum") or 0, capacity.get("target")
    if target is not None and target < minimum:
        raise WireError(
            f"target capacity {target} must not be below minimum capacity {minimum}",
            code="ValidationError",
            field="body:cluster.capacity.target",
        )


def update_cluster(context: RequestContext) -> SpotResponse:
    """Merge changes into a cluster; its region and controller id cannot change."""
    cluster = context.get_cluster()
    changes = context.parse_body(_UPDATE_CLUSTER)["cluster"]
    for name in ("region", "controllerClusterId"):
        if changes.get(name, cluster.body[name]) != cluster.body[name]:
            raise WireError(f"{name} can't be updated", code="CANT_UPDATE_OCEAN_ENTITY", field=f"body:cluster.{name}")
    body = merge_changes(cluster.body, changes)
    check_body({"cluster": body}, _CLUSTER)
    _check_capacity(body)
    if body["compute"]["launchSpecification"].get("useAsTemplateOnly") and not cluster.groups:
        raise WireError(
            "Can't set useAsTemplateOnly flag to true without any custom launchSpecs", code="CANT_UPDATE_OCEAN_ENTITY"
        )
    cluster.body, cluster.updated_at = body, context.now
    return SpotResponse(kind=KIND_CLUSTER, items=[context.presenter.render_cluster(cluster)])


def delete_cluster(context: RequestContext) -> SpotResponse:
    """Delete a cluster with everything in it, unless a migration is running.

    Spot does not document that case. The refusal reveals programs that delete a cluster too early.
    """
    cluster = context.get_cluster()
    running = [migration.id for migration in cluster.running_migrations()]
    if running and context.presenter.get_quirk("delete_migrating") == "refuse":
        raise WireError(f"Can't delete a cluster while {running[0]} is running", code="CANT_DELETE_OCEAN_ENTITY")
    del context.world.clusters[cluster.id]
    return SpotResponse()


ROUTES: list[Route] = [
    ("POST", "/ocean/aws/k8s/cluster", create_cluster),
    ("GET", "/ocean/aws/k8s/cluster", list_clusters),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}", read_cluster),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}", update_cluster),
    ("DELETE", "/ocean/aws/k8s/cluster/{ocean_id}", delete_cluster),
]
