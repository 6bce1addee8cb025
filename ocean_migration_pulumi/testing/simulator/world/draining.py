"""Drains the nodes of a batch: evicts their pods round by round, and schedules them wherever they fit."""

from __future__ import annotations

import math

from ocean_migration_pulumi.testing.simulator.world.budgets import DisruptionBudgets
from ocean_migration_pulumi.testing.simulator.world.placement import Scheduler
from ocean_migration_pulumi.testing.simulator.world.pods import PendingPod, SimPod
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimMigration, SimNode

ROUND_SECONDS = 15.0
"""Simulated seconds between two rounds of evictions in a batch."""

DEFAULT_DRAINING_TIMEOUT = 300.0
"""Spot's documented default of ``strategy.drainingTimeout``."""


def has_timed_out(cluster: SimCluster, migration: SimMigration, now: float) -> bool:
    """Return whether the batch has been draining for the cluster's draining timeout."""
    configured = (cluster.body.get("strategy") or {}).get("drainingTimeout")
    return now - migration.drain_started_at >= float(configured or DEFAULT_DRAINING_TIMEOUT)


def evict_round(cluster: SimCluster, migration: SimMigration, now: float) -> bool:
    """Do one round of evictions in the current batch; return whether the batch is complete.

    Evicted pods stay pending until the next round. A PodDisruptionBudget that allows no disruption blocks its pods
    until the draining timeout. Then ``force`` evicts them, or the node requires manual migration.
    """
    schedule_pending_pods(cluster, migration, now)
    timed_out = has_timed_out(cluster, migration, now)
    budgets = DisruptionBudgets(cluster)
    incomplete = False
    drained = set(migration.drained)
    for node in cluster.existing_nodes(migration.batch_ids):
        if node.instance_id not in drained:
            incomplete |= _evict_from_node(cluster, migration, node, now, timed_out=timed_out, budgets=budgets)
    # What the scheduler found no node for does not keep the batch from being complete: its validation waits for it.
    incomplete |= any(
        pending.migration_id == migration.id and pending.since >= now and not pending.pod.unschedulable
        for pending in cluster.pending
    )
    if incomplete:
        return False
    drained = set(migration.drained)
    for node in cluster.existing_nodes(migration.batch_ids):
        if node.instance_id not in drained:
            migration.manual.append(node.instance_id)
            cluster.write_log(now, "WARN", f"Instance {node.instance_id} requires manual migration.", node.instance_id)
    return True


def schedule_pending_pods(cluster: SimCluster, migration: SimMigration, now: float) -> None:
    """Schedule the pods that the migration evicted on any node that takes them, old nodes of including later waves."""
    scheduler = Scheduler(cluster)
    unscheduled: list[PendingPod] = []
    for pending in cluster.pending:
        node = scheduler.find_node(pending.pod) if pending.migration_id == migration.id else None
        if node is None:
            unscheduled.append(pending)
        else:
            cluster.start_pod(pending.pod, node, now)
    cluster.pending = unscheduled


def has_unready_pods(cluster: SimCluster, migration: SimMigration) -> bool:
    """Return whether the containers of a pod that the migration moved are not ready."""
    return any(
        pod.trouble is not None and pod.moved_by == migration.id
        for node in cluster.nodes.values()
        if not node.terminated
        for pod in node.pods
    )


def _evict_from_node(
    cluster: SimCluster,
    migration: SimMigration,
    node: SimNode,
    now: float,
    *,
    timed_out: bool,
    budgets: DisruptionBudgets,
) -> bool:
    """Evict some of a node's pods; return whether more of them can be evicted, now or later."""
    evictable = [pod for pod in node.workload if migration.evict or pod.controller is not None]
    allowance = math.ceil(len(evictable) / 6)
    for pod in evictable:
        if allowance == 0:
            break
        blocked = bool(budgets.find_blockers(pod))
        if blocked and not (timed_out and migration.force):
            continue
        evict_pod(cluster, node, pod, now, migration.id)
        budgets.record_eviction(pod)
        allowance -= 0 if blocked else 1
    if not node.workload:
        node.drained = True
        if (
            evictable or node.drained_at is None
        ):  # one that another migration left without pods has been free since then
            node.drained_at = now
        migration.drained.append(node.instance_id)
        cluster.write_log(now, "INFO", f"Instance {node.instance_id} was drained.", node.instance_id)
        return False
    remaining = [pod for pod in evictable if pod in node.pods]
    given_up = timed_out and not migration.force and all(budgets.find_blockers(pod) for pod in remaining)
    return bool(remaining) and not given_up


def evict_pod(cluster: SimCluster, node: SimNode, pod: SimPod, now: float, migration_id: str | None = None) -> None:
    """Evict a pod: its controller creates it anew as a pending pod, and a standalone pod is gone."""
    node.pods.remove(pod)
    pod.created_at, pod.moved_by = now, migration_id if pod.trouble is None else None
    if pod.controller is not None:
        cluster.pending.append(PendingPod(pod=pod, since=now, migration_id=migration_id))
