"""A cluster's nodes, log, heartbeat, rolls, and the detaching of instances."""

from __future__ import annotations

import calendar
import re
import time
from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route
from ocean_migration_pulumi.testing.simulator.spot_api.validation import Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_HEARTBEAT,
    KIND_LOG,
    KIND_NODES,
    KIND_ROLL,
    SpotResponse,
    WireError,
    not_found,
    stamp,
)
from ocean_migration_pulumi.testing.simulator.world import state_machine
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster

ROLL_SECONDS = 600.0
"""Simulated seconds that a roll takes."""

_SEVERITIES = ("ALL", "INFO", "DEBUG", "ERROR", "WARN")
_DETACH = {
    "instancesToDetach": Field(type="array", required=True, minimum=1, items=Field(type="string")),
    "shouldTerminateInstances": Field(type="boolean"),
    "shouldDecrementTargetCapacity": Field(type="boolean"),
}
_ROLL = {
    "roll": Field(
        type="object",
        required=True,
        fields={
            "batchSizePercentage": Field(type="integer", minimum=1, maximum=100),
            "batchMinHealthyPercentage": Field(type="integer", minimum=1, maximum=100),
            "comment": Field(type="string"),
            "respectPdb": Field(type="boolean"),
            "reportPartialCompletion": Field(type="boolean"),
            "disableLaunchSpecAutoScaling": Field(type="boolean"),
            "instanceIds": Field(type="array", items=Field(type="string")),
            "launchSpecIds": Field(type="array", items=Field(type="string")),
        },
    )
}
_STOP_ROLL = {
    "roll": Field(
        type="object", required=True, fields={"status": Field(type="string", required=True, enum=("STOPPED",))}
    )
}


def nodes(call: RequestContext) -> SpotResponse:
    """List the nodes that are Ocean's own."""
    cluster = call.cluster()
    group_id, instance_id = call.query.get("launchSpecId"), call.query.get("instanceId")
    items = [
        call.present.node(cluster, node)
        for node in cluster.nodes.values()
        if node.ocean_managed
        and not node.terminated
        and group_id in (None, "", node.virtual_node_group_id)
        and instance_id in (None, "", node.instance_id)
    ]
    return SpotResponse(kind=KIND_NODES, items=items)


def heartbeat(call: RequestContext) -> SpotResponse:
    """Tell when the controller was last heard of."""
    return SpotResponse(kind=KIND_HEARTBEAT, items=call.present.heartbeat(call.cluster()))


def log(call: RequestContext) -> SpotResponse:
    """Return the newest lines of a time span, newest first."""
    cluster = _cluster_by_any_name(call)
    since, until = (
        _moment(name, value)
        for name, value in zip(("fromDate", "toDate"), call.require("fromDate", "toDate"), strict=True)
    )
    severity = call.query.get("severity") or "ALL"
    if severity not in _SEVERITIES:
        raise WireError(f'"severity" must be one of [{", ".join(_SEVERITIES)}]', code="ValidationError")
    limit = call.query.get("limit") or "500"
    if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
        raise WireError('"limit" must be a number of at most 1000', code="ValidationError")
    resource_id = call.query.get("resourceId") or None
    lines = [
        line
        for line in reversed(cluster.log)
        if since <= line.created_at <= until
        and severity in ("ALL", line.severity)
        and resource_id in (None, line.resource_id)
    ]
    items = [
        {"message": line.message, "severity": line.severity, "createdAt": stamp(line.created_at)}
        for line in lines[: int(limit)]
    ]
    return SpotResponse(kind=KIND_LOG, items=items)


def _cluster_by_any_name(call: RequestContext) -> SimCluster:
    """Return the cluster by its id, or by the reporting identifier of its controller, as the log route takes both."""
    for cluster in call.world.clusters.values():
        if cluster.account_id == call.account_id and cluster.body["controllerClusterId"] == call.path["ocean_id"]:
            return cluster
    return call.cluster()


def _moment(name: str, value: str) -> float:
    """Return epoch seconds of a date (midnight UTC) or of epoch milliseconds."""
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", value):
        try:
            return float(calendar.timegm(time.strptime(value, "%Y-%m-%d")))
        except ValueError:
            pass
    elif value.isdecimal():
        return int(value) / 1000
    raise WireError(f'"{name}" must be yyyy-mm-dd or milliseconds', code="ValidationError", field=f"query:{name}")


def detach(call: RequestContext) -> SpotResponse:
    """Take instances out of Ocean, and terminate them when asked to."""
    cluster = call.cluster()
    spec = call.body(_DETACH)
    chosen = []
    for instance_id in spec["instancesToDetach"]:
        node = cluster.nodes.get(instance_id)
        if node is None or node.terminated or not node.ocean_managed:
            raise not_found("INSTANCE_DOESNT_EXIST", "Instance", instance_id)
        chosen.append(node)
    for node in chosen:
        node.ocean_managed = False
        if spec.get("shouldTerminateInstances", False):
            state_machine.terminate(cluster, node, call.now)
    return SpotResponse()


def _roll_item(cluster: SimCluster, roll: dict[str, Any], now: float) -> dict[str, Any]:
    """Return a roll as it stands now: it takes its time, and ends."""
    done = min(1.0, (min(now, roll.get("stopped_at", now)) - roll["started_at"]) / ROLL_SECONDS)
    status = "COMPLETED" if done == 1 else "STOPPED" if "stopped_at" in roll else "IN_PROGRESS"
    batches = roll["batches"]
    return {
        **roll["spec"],
        "id": roll["id"],
        "oceanId": cluster.id,
        "scope": roll["scope"],
        "status": status,
        "currentBatch": min(batches, int(done * batches) + 1),
        "numOfBatches": batches,
        "progress": {"unit": "percentage", "value": int(done * 100)},
        "createdAt": stamp(roll["started_at"]),
        "updatedAt": stamp(roll.get("stopped_at", roll["started_at"])),
    }


def start_roll(call: RequestContext) -> SpotResponse:
    """Replace Ocean's own nodes by new ones of the current configuration; one roll at a time."""
    cluster = call.cluster()
    spec = call.body(_ROLL)["roll"]
    if not any(node.ocean_managed and not node.terminated for node in cluster.nodes.values()):
        raise WireError("Cluster has no active instances", code="CLUSTER_HAS_NO_ACTIVE_INSTANCES")
    if any(_roll_item(cluster, roll, call.now)["status"] == "IN_PROGRESS" for roll in cluster.rolls):
        raise WireError(
            "Can't have 2 Rolls at the same time. Please stop the previous one", code="CANT_CREATE_CLUSTER_ROLL"
        )
    scope = "Instances" if "instanceIds" in spec else "Vngs" if "launchSpecIds" in spec else "Cluster"
    roll = {
        "id": call.world.new_id("scr-"),
        "spec": spec,
        "scope": scope,
        "batches": -(-100 // spec.get("batchSizePercentage", 20)),
        "started_at": call.now,
    }
    cluster.rolls.append(roll)
    return SpotResponse(kind=KIND_ROLL, items=[_roll_item(cluster, roll, call.now)])


def list_rolls(call: RequestContext) -> SpotResponse:
    """List the rolls of a cluster."""
    cluster = call.cluster()
    return SpotResponse(kind=KIND_ROLL, items=[_roll_item(cluster, roll, call.now) for roll in cluster.rolls])


def _roll(call: RequestContext, cluster: SimCluster) -> dict[str, Any]:
    for roll in cluster.rolls:
        if roll["id"] == call.path["roll_id"]:
            return roll
    raise not_found("CANT_GET_CLUSTER_ROLL", "Roll", call.path["roll_id"])


def read_roll(call: RequestContext) -> SpotResponse:
    """Tell where a roll stands."""
    cluster = call.cluster()
    return SpotResponse(kind=KIND_ROLL, items=[_roll_item(cluster, _roll(call, cluster), call.now)])


def stop_roll(call: RequestContext) -> SpotResponse:
    """Stop a roll."""
    cluster = call.cluster()
    roll = _roll(call, cluster)
    call.body(_STOP_ROLL)
    roll.setdefault("stopped_at", call.now)
    return SpotResponse(kind=KIND_ROLL, items=[_roll_item(cluster, roll, call.now)])


ROUTES: list[Route] = [
    ("GET", "/ocean/k8s/cluster/{ocean_id}/controllerHeartbeat", heartbeat),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/nodes", nodes),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/log", log),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}/detachInstances", detach),
    ("POST", "/ocean/aws/k8s/cluster/{ocean_id}/roll", start_roll),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/roll", list_rolls),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/roll/{roll_id}", read_roll),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}/roll/{roll_id}", stop_roll),
]
