"""The routes of a cluster's nodes, log and heartbeat, and of detaching instances."""

from __future__ import annotations

import calendar
import re
import time

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route
from ocean_migration_pulumi.testing.simulator.spot_api.validation import Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_HEARTBEAT,
    KIND_LOG,
    KIND_NODES,
    SpotResponse,
    WireError,
    build_not_found_error,
    format_time,
)
from ocean_migration_pulumi.testing.simulator.world import nodes
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster

_SEVERITIES = ("ALL", "INFO", "DEBUG", "ERROR", "WARN")
_DETACH = {
    "instancesToDetach": Field(type="array", required=True, minimum=1, items=Field(type="string")),
    "shouldTerminateInstances": Field(type="boolean"),
    "shouldDecrementTargetCapacity": Field(type="boolean"),
}


def list_nodes(context: RequestContext) -> SpotResponse:
    """List the Ocean nodes."""
    cluster = context.get_cluster()
    vng_id, instance_id = context.query.get("launchSpecId"), context.query.get("instanceId")
    items = [
        context.presenter.render_node(cluster, node)
        for node in cluster.nodes.values()
        if node.ocean_managed
        and not node.terminated
        and vng_id in (None, "", node.virtual_node_group_id)
        and instance_id in (None, "", node.instance_id)
    ]
    return SpotResponse(kind=KIND_NODES, items=items)


def get_heartbeat(context: RequestContext) -> SpotResponse:
    """Return the last heartbeat of the controller."""
    return SpotResponse(kind=KIND_HEARTBEAT, items=context.presenter.render_heartbeat(context.get_cluster()))


def get_log(context: RequestContext) -> SpotResponse:
    """Return the newest log lines of a time span, newest first."""
    cluster = _find_cluster(context)
    since, until = (
        _parse_time(name, value)
        for name, value in zip(("fromDate", "toDate"), context.require_parameters("fromDate", "toDate"), strict=True)
    )
    severity = context.query.get("severity") or "ALL"
    if severity not in _SEVERITIES:
        raise WireError(f'"severity" must be one of [{", ".join(_SEVERITIES)}]', code="ValidationError")
    limit = context.query.get("limit") or "500"
    if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
        raise WireError('"limit" must be a number of at most 1000', code="ValidationError")
    resource_id = context.query.get("resourceId") or None
    lines = [
        line
        for line in reversed(cluster.log)
        if since <= line.created_at <= until
        and severity in ("ALL", line.severity)
        and resource_id in (None, line.resource_id)
    ]
    items = [
        {"message": line.message, "severity": line.severity, "createdAt": format_time(line.created_at)}
        for line in lines[: int(limit)]
    ]
    return SpotResponse(kind=KIND_LOG, items=items)


def _find_cluster(context: RequestContext) -> SimCluster:
    """Return the cluster by its id or controller id: the log route accepts both."""
    for cluster in context.world.clusters.values():
        if cluster.account_id == context.account_id and cluster.body["controllerClusterId"] == context.path["ocean_id"]:
            return cluster
    return context.get_cluster()


def _parse_time(name: str, value: str) -> float:
    """Parse a date (midnight UTC) or epoch milliseconds into epoch seconds."""
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", value):
        try:
            return float(calendar.timegm(time.strptime(value, "%Y-%m-%d")))
        except ValueError:
            pass
    elif value.isdecimal():
        return int(value) / 1000
    raise WireError(f'"{name}" must be yyyy-mm-dd or milliseconds', code="ValidationError", field=f"query:{name}")


def detach_instances(context: RequestContext) -> SpotResponse:
    """Detach instances from Ocean; ``shouldTerminateInstances`` terminates them."""
    cluster = context.get_cluster()
    spec = context.parse_body(_DETACH)
    detached = []
    for instance_id in spec["instancesToDetach"]:
        node = cluster.nodes.get(instance_id)
        if node is None or node.terminated or not node.ocean_managed:
            raise build_not_found_error("INSTANCE_DOESNT_EXIST", "Instance", instance_id)
        detached.append(node)
    for node in detached:
        node.ocean_managed = False
        if spec.get("shouldTerminateInstances", False):
            nodes.terminate_node(cluster, node, context.now)
    return SpotResponse()


ROUTES: list[Route] = [
    ("GET", "/ocean/k8s/cluster/{ocean_id}/controllerHeartbeat", get_heartbeat),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/nodes", list_nodes),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/log", get_log),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}/detachInstances", detach_instances),
]
