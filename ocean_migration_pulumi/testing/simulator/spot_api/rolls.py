"""The routes of rolls, which replace the Ocean nodes of a cluster."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Route
from ocean_migration_pulumi.testing.simulator.spot_api.validation import Field
from ocean_migration_pulumi.testing.simulator.spot_api.wire import (
    KIND_ROLL,
    SpotResponse,
    WireError,
    build_not_found_error,
    format_time,
)
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster

ROLL_SECONDS = 600.0
"""Simulated seconds that a roll takes."""

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


def _render_roll(cluster: SimCluster, roll: dict[str, Any], now: float) -> dict[str, Any]:
    """Render a roll, whose progress follows from the time since its start."""
    fraction = min(1.0, (min(now, roll.get("stopped_at", now)) - roll["started_at"]) / ROLL_SECONDS)
    status = "COMPLETED" if fraction == 1 else "STOPPED" if "stopped_at" in roll else "IN_PROGRESS"
    batches = roll["batches"]
    return {
        **roll["spec"],
        "id": roll["id"],
        "oceanId": cluster.id,
        "scope": roll["scope"],
        "status": status,
        "currentBatch": min(batches, int(fraction * batches) + 1),
        "numOfBatches": batches,
        "progress": {"unit": "percentage", "value": int(fraction * 100)},
        "createdAt": format_time(roll["started_at"]),
        "updatedAt": format_time(roll.get("stopped_at", roll["started_at"])),
    }


def start_roll(context: RequestContext) -> SpotResponse:
    """Start a roll; only one can run at a time, and no node is really replaced."""
    cluster = context.get_cluster()
    spec = context.parse_body(_ROLL)["roll"]
    if not any(node.ocean_managed and not node.terminated for node in cluster.nodes.values()):
        raise WireError("Cluster has no active instances", code="CLUSTER_HAS_NO_ACTIVE_INSTANCES")
    if any(_render_roll(cluster, roll, context.now)["status"] == "IN_PROGRESS" for roll in cluster.rolls):
        raise WireError(
            "Can't have 2 Rolls at the same time. Please stop the previous one", code="CANT_CREATE_CLUSTER_ROLL"
        )
    scope = "Instances" if "instanceIds" in spec else "Vngs" if "launchSpecIds" in spec else "Cluster"
    roll = {
        "id": context.world.new_id("scr-"),
        "spec": spec,
        "scope": scope,
        "batches": -(-100 // spec.get("batchSizePercentage", 20)),
        "started_at": context.now,
    }
    cluster.rolls.append(roll)
    return SpotResponse(kind=KIND_ROLL, items=[_render_roll(cluster, roll, context.now)])


def list_rolls(context: RequestContext) -> SpotResponse:
    """List the rolls of a cluster."""
    cluster = context.get_cluster()
    return SpotResponse(kind=KIND_ROLL, items=[_render_roll(cluster, roll, context.now) for roll in cluster.rolls])


def _find_roll(context: RequestContext, cluster: SimCluster) -> dict[str, Any]:
    for roll in cluster.rolls:
        if roll["id"] == context.path["roll_id"]:
            return roll
    raise build_not_found_error("CANT_GET_CLUSTER_ROLL", "Roll", context.path["roll_id"])


def read_roll(context: RequestContext) -> SpotResponse:
    """Return a roll."""
    cluster = context.get_cluster()
    return SpotResponse(kind=KIND_ROLL, items=[_render_roll(cluster, _find_roll(context, cluster), context.now)])


def stop_roll(context: RequestContext) -> SpotResponse:
    """Stop a roll."""
    cluster = context.get_cluster()
    roll = _find_roll(context, cluster)
    context.parse_body(_STOP_ROLL)
    roll.setdefault("stopped_at", context.now)
    return SpotResponse(kind=KIND_ROLL, items=[_render_roll(cluster, roll, context.now)])


ROUTES: list[Route] = [
    ("POST", "/ocean/aws/k8s/cluster/{ocean_id}/roll", start_roll),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/roll", list_rolls),
    ("GET", "/ocean/aws/k8s/cluster/{ocean_id}/roll/{roll_id}", read_roll),
    ("PUT", "/ocean/aws/k8s/cluster/{ocean_id}/roll/{roll_id}", stop_roll),
]
