"""The 13 states of a migration, batch by batch: a function of the cluster and the simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ocean_migration_pulumi.testing.simulator.world import draining
from ocean_migration_pulumi.testing.simulator.world.vng_matching import match
from ocean_migration_pulumi.testing.simulator.world.world import Refill, SimCluster, SimMigration, SimNode, World

SECONDS_IN_STATE = {
    "STARTING": 20.0,
    "AWAIT_REPLACEMENTS": 90.0,
    "HANDLE_UNSCHEDULE": 20.0,
    "DRAIN_NODES": draining.TICK_SECONDS,
    "VALIDATE_DRAIN": 30.0,
    "TERMINATE_NODES": 60.0,
    "AWAIT_TERMINATION": 120.0,
    "STOPPING": 60.0,
    "RESCHEDULE_NODES": 30.0,
    "ERROR": 30.0,
}
"""Simulated seconds from entering a state to its next step; the terminal states have none."""

STATES = (*SECONDS_IN_STATE, "FINISHED", "FINISHED_ERROR", "STOPPED")

_STOPPED_DUE_TO = "The migration has stopped due to "
FAILURE_MESSAGES = {
    "connectivity": _STOPPED_DUE_TO
    + "connectivity issues. Make sure the Spotinst controller is installed and working properly.",
    "instances": _STOPPED_DUE_TO
    + "inability to spin up enough new instances. Make sure all required Virtual Node Groups are configured.",
    "timeout": _STOPPED_DUE_TO + "technical timeout.",
    "schedule": _STOPPED_DUE_TO + "failure to schedule pods on new nodes.",
    "terminate": _STOPPED_DUE_TO + "failure to terminate old instances.",
    "stop-terminate": _STOPPED_DUE_TO + "failure to terminate old instances during migration stop process.",
    "stop-reschedule": _STOPPED_DUE_TO + "failure to reschedule old instances during migration stop process.",
}
"""The texts of Spot's troubleshooting page, by the name of the failure."""

REFILL_SECONDS = 60.0
"""Simulated seconds until an Auto Scaling Group has replaced a terminated node."""


def start(
    world: World,
    cluster: SimCluster,
    now: float,
    instance_ids: list[str],
    *,
    terminate: bool,
    evict: bool,
    force: bool,
    batch_size_percentage: int,
    foreign: bool = False,
) -> SimMigration:
    """Start a migration: every chosen node is cordoned at once, the first batch begins."""
    migration = SimMigration(
        id=world.new_id("owm-"),
        instance_ids=list(instance_ids),
        terminate=terminate,
        evict=evict,
        force=force,
        batch_size_percentage=batch_size_percentage,
        batch_size=max(1, math.ceil(batch_size_percentage * len(instance_ids) / 100)),
        created_at=now,
        foreign=foreign,
    )
    if not foreign and cluster.armed_failure is not None:
        migration.failure, cluster.armed_failure = cluster.armed_failure, None
    cluster.migrations[migration.id] = migration
    for node in cluster.living(migration.instance_ids):
        node.cordoned = True
    cluster.write_log(now, "INFO", f"Workload migration {migration.id} of {len(instance_ids)} instances has started.")
    enter(cluster, migration, "STARTING", now)
    return migration


def stop(cluster: SimCluster, migration: SimMigration, now: float, *, terminate: bool) -> None:
    """Ask a running migration to stop; asking again changes nothing."""
    if migration.stop_requested_at is not None:
        return
    migration.stop_requested_at = now
    migration.terminate_on_stop = terminate
    migration.drained_before_stop = bool(migration.drained)
    cluster.write_log(now, "INFO", f"Workload migration {migration.id} is being stopped.")
    enter(cluster, migration, "STOPPING", now)


def fail(cluster: SimCluster, migration: SimMigration, reason: str, now: float) -> None:
    """Let a running migration fail for a reason of ``FAILURE_MESSAGES``."""
    migration.errored_at = now
    cluster.write_log(now, "ERROR", FAILURE_MESSAGES[reason])
    enter(cluster, migration, "ERROR", now)


def enter(cluster: SimCluster, migration: SimMigration, state: str, now: float) -> None:
    """Put a migration into a state at a time."""
    migration.state, migration.shown_state, migration.entered_at = state, None, now
    seconds = SECONDS_IN_STATE.get(state)
    migration.due_at = None if seconds is None else now + seconds
    if state == "DRAIN_NODES":
        migration.drain_started_at = now
        if cluster.stalls and migration.batch == min(1, migration.batches - 1):
            migration.due_at = None
    elif state == "FINISHED":
        migration.completed_at = now
        cluster.write_log(now, "INFO", f"Workload migration {migration.id} has finished.")
    elif state == "STOPPED":
        migration.stopped_at = now
        cluster.write_log(now, "INFO", f"Workload migration {migration.id} was stopped.")
    elif state == "FINISHED_ERROR" and migration.errored_at is None:
        migration.errored_at = now


def hold(cluster: SimCluster, now: float, *, held: bool) -> None:
    """Freeze every migration of the cluster (a stop too), or let them go on where they were."""
    if held:
        cluster.held_since = now if cluster.held_since is None else cluster.held_since
    elif cluster.held_since is not None:
        for migration in cluster.running_migrations():
            if migration.due_at is not None:
                migration.due_at += now - max(cluster.held_since, migration.entered_at)
        cluster.held_since = None


def advance(world: World, now: float) -> None:
    """Let everything happen that is due by now, in its order of time, however long nobody looked."""
    while (event := min(_events(world), key=lambda event: event[0], default=None)) is not None and event[0] <= now:
        at, cluster, migration = event
        if migration is None:
            _refill(world, cluster, at)
        else:
            _STEPS[migration.state](world, cluster, migration, at)


def _events(world: World) -> Iterator[tuple[float, SimCluster, SimMigration | None]]:
    for cluster in world.clusters.values():
        for refill in cluster.refills:
            yield refill.due_at, cluster, None
        if cluster.held_since is None:
            for migration in cluster.migrations.values():
                if migration.due_at is not None:
                    yield migration.due_at, cluster, migration


def _strikes(migration: SimMigration, reason: str) -> bool:
    """Whether an armed failure of a batch happens now: in the second batch, or in the only one."""
    return migration.failure == reason and migration.batch == min(1, migration.batches - 1)


def _starting(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    if cluster.heartbeat.status != "ACTIVE":
        fail(cluster, migration, "connectivity", at)
    else:
        enter(cluster, migration, "AWAIT_REPLACEMENTS", at)


def _await_replacements(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    old = list(cluster.living(migration.batch_ids))
    matches = [match(cluster, node) for node in old]
    if None in matches or _strikes(migration, "instances"):
        fail(cluster, migration, "instances", at)
        return
    for node, group_id in zip(old, matches, strict=True):
        new = launch(world, cluster, at, None if group_id == "Default" else group_id, node.instance_type, node.zone)
        migration.new_instances.append(new.instance_id)
    enter(cluster, migration, "HANDLE_UNSCHEDULE", at)


def launch(
    world: World, cluster: SimCluster, at: float, group_id: str | None, instance_type: str = "m5.large", zone: str = ""
) -> SimNode:
    """Start one of Ocean's own nodes; None takes the first Virtual Node Group, or the cluster's template."""
    group_id = group_id or next(iter(cluster.groups), None)
    group = cluster.groups.get(group_id or "", {})
    labels = {label["key"]: label.get("value", "") for label in group.get("labels") or []}
    node = SimNode(
        instance_id=world.new_id("i-", 17),
        node_name=world.new_node_name(),
        labels={**labels, "spotinst.io/node-lifecycle": "spot"},
        taints=[dict(taint) for taint in group.get("taints") or []],
        ocean_managed=True,
        virtual_node_group_id=group_id,
        instance_type=instance_type,
        zone=zone or f"{cluster.body['region']}a",
        created_at=at,
    )
    cluster.nodes[node.instance_id] = node
    cluster.write_log(at, "INFO", f"Instance {node.instance_id} was launched.", node.instance_id)
    return node


def _handle_unschedule(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    draining.place_pending(cluster, migration)
    enter(cluster, migration, "DRAIN_NODES", at)


def _drain_nodes(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    if _strikes(migration, "connectivity"):
        fail(cluster, migration, "connectivity", at)
    elif draining.tick(cluster, migration, at):
        enter(cluster, migration, "VALIDATE_DRAIN", at)
    else:
        migration.due_at = at + draining.TICK_SECONDS


def _validate_drain(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    homeless = any(pending.migration_id == migration.id for pending in cluster.pending)
    if _strikes(migration, "timeout"):
        fail(cluster, migration, "timeout", at)
    elif _strikes(migration, "schedule") or (homeless and draining.timed_out(cluster, migration, at)):
        fail(cluster, migration, "schedule", at)
    elif homeless:
        draining.place_pending(cluster, migration)
        migration.due_at = at + SECONDS_IN_STATE["VALIDATE_DRAIN"]
    elif migration.batch + 1 < migration.batches:
        migration.batch += 1
        enter(cluster, migration, "STARTING", at)
    elif migration.terminate and migration.drained:
        enter(cluster, migration, "TERMINATE_NODES", at)
    else:
        enter(cluster, migration, "FINISHED", at)


def _terminate_nodes(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    reason = "terminate" if migration.stop_requested_at is None else "stop-terminate"
    if migration.failure == reason:
        fail(cluster, migration, reason, at)
    else:
        enter(cluster, migration, "AWAIT_TERMINATION", at)


def _await_termination(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    for node in cluster.living(migration.drained):
        terminate(cluster, node, at)
    enter(cluster, migration, "FINISHED" if migration.stop_requested_at is None else "STOPPED", at)


def terminate(cluster: SimCluster, node: SimNode, at: float) -> None:
    """Terminate a node; a refilling Auto Scaling Group will start another."""
    node.terminated = True
    cluster.write_log(at, "INFO", f"Instance {node.instance_id} was terminated.", node.instance_id)
    if node.asg_name is not None and node.asg_name in cluster.refilling:
        cluster.refills.append(
            Refill(
                due_at=at + REFILL_SECONDS,
                asg_name=node.asg_name,
                labels=node.labels,
                taints=node.taints,
                instance_type=node.instance_type,
                zone=node.zone,
            )
        )


def _stopping(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    draining.place_pending(cluster, migration)
    enter(cluster, migration, "RESCHEDULE_NODES", at)


def _reschedule_nodes(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    if migration.failure == "stop-reschedule":
        fail(cluster, migration, "stop-reschedule", at)
        return
    _uncordon(cluster, migration)
    ends_drained = migration.terminate_on_stop and migration.drained
    enter(cluster, migration, "TERMINATE_NODES" if ends_drained else "STOPPED", at)


def _error(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    draining.place_pending(cluster, migration)
    if migration.failure != "stop-reschedule":
        _uncordon(cluster, migration)
    enter(cluster, migration, "FINISHED_ERROR", at)


def _uncordon(cluster: SimCluster, migration: SimMigration) -> None:
    for node in cluster.living(migration.instance_ids):
        if not node.drained:
            node.cordoned = False


def _refill(world: World, cluster: SimCluster, at: float) -> None:
    refill = min(cluster.refills, key=lambda candidate: candidate.due_at)
    cluster.refills.remove(refill)
    instance_id = world.new_id("i-", 17)
    cluster.nodes[instance_id] = SimNode(
        instance_id=instance_id,
        node_name=world.new_node_name(),
        asg_name=refill.asg_name,
        labels=dict(refill.labels),
        taints=[dict(taint) for taint in refill.taints],
        instance_type=refill.instance_type,
        zone=refill.zone,
        created_at=at,
    )


_STEPS: dict[str, Callable[[World, SimCluster, SimMigration, float], None]] = {
    "STARTING": _starting,
    "AWAIT_REPLACEMENTS": _await_replacements,
    "HANDLE_UNSCHEDULE": _handle_unschedule,
    "DRAIN_NODES": _drain_nodes,
    "VALIDATE_DRAIN": _validate_drain,
    "TERMINATE_NODES": _terminate_nodes,
    "AWAIT_TERMINATION": _await_termination,
    "STOPPING": _stopping,
    "RESCHEDULE_NODES": _reschedule_nodes,
    "ERROR": _error,
}
