"""Workloads, pods and looks at them, with what a test does not care about left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ocean_migration_pulumi.migration.health.assessment import HealthReport, Placement, assess_health
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline, observe_baseline
from ocean_migration_pulumi.migration.health.brake import BrakeLook, observe_for_brake
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import (
    WorkloadController,
    WorkloadId,
    WorkloadPod,
    WorkloadSnapshot,
    WorkloadWarning,
)

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
CART = WorkloadId("Deployment", "shop", "cart")
PLANNED, OTHER, OCEAN = "i-old", "i-later", "i-ocean"
INSTANCES = {"node-old": PLANNED, "node-later": OTHER, "node-ocean": OCEAN}
PLACEMENT = Placement(planned=frozenset({PLANNED}), ocean=frozenset({OCEAN}), undrained=frozenset({PLANNED}))


def pod(name: str, node: str = "node-ocean", workload: WorkloadId = CART, **more: Any) -> WorkloadPod:
    """Return a pod that was created after the start, on an Ocean node."""
    more.setdefault("created_at", START + timedelta(minutes=1))
    more.setdefault("template", "t1")
    return WorkloadPod(namespace=workload.namespace, name=name, uid=name, node_name=node, workload=workload, **more)


def old(name: str, **more: Any) -> WorkloadPod:
    """Return a pod that was there before, on a planned node."""
    return pod(name, node="node-old", created_at=START - timedelta(days=1), **more)


def starting(name: str, **more: Any) -> WorkloadPod:
    """Return a pod that has a node and is not ready, for no reason that Kubernetes gives."""
    return pod(name, ready=False, **more)


def pulling(name: str, waiting: str = "ImagePullBackOff", **more: Any) -> WorkloadPod:
    """Return a pod whose image cannot be pulled."""
    return pod(name, ready=False, waiting=waiting, message="registry.example/cart: not found", **more)


def snapshot(
    *pods: WorkloadPod,
    at: float = 0.0,
    desired: dict[WorkloadId, int | None] | None = None,
    warnings: Iterable[WorkloadWarning] = (),
    controllers: Iterable[WorkloadController] = (),
    **more: Any,
) -> WorkloadSnapshot:
    """Return a look, so many seconds after the start; each workload asks for as many pods as it has."""
    counts: dict[WorkloadId, int | None] = {}
    for each in pods:
        counts[each.workload] = (counts.get(each.workload) or 0) + 1
    workloads = {
        id_: WorkloadController(id=id_, uid="u1", desired=count) for id_, count in (counts | (desired or {})).items()
    }
    workloads |= {each.id: each for each in controllers}
    return WorkloadSnapshot(
        at=START + timedelta(seconds=at),
        workloads=workloads,
        pods=pods,
        instances=INSTANCES,
        warnings=tuple(warnings),
        **more,
    )


def baseline(*pods: WorkloadPod, **more: Any) -> HealthBaseline:
    """Return the baseline that a look before the start shows."""
    return observe_baseline(snapshot(*pods, at=-60.0, **more), planned={PLANNED}, ocean={OCEAN})


def assess(before: HealthBaseline, *pods: WorkloadPod, **more: Any) -> HealthReport:
    """Return what a look shows, compared with a baseline."""
    return assess_health(before, snapshot(*pods, **more), PLACEMENT, since=START)


def brake_look(before: HealthBaseline, *pods: WorkloadPod, **more: Any) -> BrakeLook:
    """Return what a look shows the brake."""
    seen = snapshot(*pods, **more)
    report = assess_health(before, seen, PLACEMENT, since=START)
    return observe_for_brake(before, report, seen, PLACEMENT, START)


def warn(name: str, reason: str, message: str, at: float = 0.0) -> WorkloadWarning:
    """Return a warning about a pod."""
    return WorkloadWarning(
        kind="Pod",
        namespace="shop",
        name=name,
        reason=reason,
        message=message,
        at=START + timedelta(seconds=at),
    )
