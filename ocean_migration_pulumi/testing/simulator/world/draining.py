"""Evictions: which pods may leave a node, when, and where they go."""

from __future__ import annotations

import heapq
import math

from ocean_migration_pulumi.testing.simulator.world.budgets import Guards
from ocean_migration_pulumi.testing.simulator.world.world import PendingPod, SimCluster, SimMigration, SimNode, SimPod

TICK_SECONDS = 15.0
"""Simulated seconds between two rounds of evictions in a batch."""

DEFAULT_DRAINING_TIMEOUT = 300.0
"""Spot's documented default of ``strategy.drainingTimeout``."""


def timed_out(cluster: SimCluster, migration: SimMigration, now: float) -> bool:
    """Whether the batch has been draining for the cluster's draining timeout."""
    configured = (cluster.body.get("strategy") or {}).get("drainingTimeout")
    return now - migration.drain_started_at >= float(configured or DEFAULT_DRAINING_TIMEOUT)


def tick(cluster: SimCluster, migration: SimMigration, now: float) -> bool:
    """Do one round of evictions in the current batch; return whether the batch has no more to do.

    Evicted pods are unscheduled until the next round. A PodDisruptionBudget that allows no disruption blocks until the
    draining timeout; then ``force`` evicts nonetheless, or the node is left to be emptied by hand.
    """
    place_pending(cluster, migration)
    late = timed_out(cluster, migration, now)
    guards = Guards(cluster)
    waits = False
    done = set(migration.drained)
    for node in cluster.living(migration.batch_ids):
        if node.instance_id in done:
            continue
        waits |= _evict_round(cluster, migration, node, now, late=late, guards=guards)
    waits |= any(pending.migration_id == migration.id and not pending.pod.unschedulable for pending in cluster.pending)
    if waits:
        return False
    done = set(migration.drained)
    for node in cluster.living(migration.batch_ids):
        if node.instance_id not in done:
            migration.manual.append(node.instance_id)
            cluster.write_log(now, "WARN", f"Instance {node.instance_id} requires manual migration.", node.instance_id)
    return True


def place_pending(cluster: SimCluster, migration: SimMigration) -> None:
    """Bind the pods that the migration evicted to its new nodes, the emptiest first."""
    homes = [(len(node.pods), order, node) for order, node in enumerate(cluster.living(migration.new_instances))]
    if not homes:
        return
    heapq.heapify(homes)
    left: list[PendingPod] = []
    for pending in cluster.pending:
        if pending.migration_id != migration.id or pending.pod.unschedulable:
            left.append(pending)
            continue
        load, order, node = homes[0]
        node.pods.append(pending.pod)
        heapq.heapreplace(homes, (load + 1, order, node))
    cluster.pending = left


def _evict_round(
    cluster: SimCluster, migration: SimMigration, node: SimNode, now: float, *, late: bool, guards: Guards
) -> bool:
    """Evict some of a node's pods; return whether it still has pods that can leave, now or later."""
    movable = [pod for pod in node.workload if migration.evict or pod.controller is not None]
    allowance = math.ceil(len(movable) / 6)
    for pod in movable:
        if allowance == 0:
            break
        blocked = bool(guards.blocking(pod))
        if blocked and not (late and migration.force):
            continue
        evict(cluster, node, pod, now, migration.id)
        guards.leave(pod)
        allowance -= 0 if blocked else 1
    if not node.workload:
        node.drained = True
        migration.drained.append(node.instance_id)
        cluster.write_log(now, "INFO", f"Instance {node.instance_id} was drained.", node.instance_id)
        return False
    left = [pod for pod in movable if pod in node.pods]
    given_up = late and not migration.force and all(guards.blocking(pod) for pod in left)
    return bool(left) and not given_up


def evict(cluster: SimCluster, node: SimNode, pod: SimPod, now: float, migration_id: str | None = None) -> None:
    """Take a pod off its node; with a controller it is pending from then on, else gone for good."""
    node.pods.remove(pod)
    if pod.controller is not None:
        cluster.pending.append(PendingPod(pod=pod, since=now, migration_id=migration_id))
