"""The 13 states of a migration, and when it moves from one to the next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

from ocean_migration_pulumi.testing.simulator.world import draining, nodes
from ocean_migration_pulumi.testing.simulator.world.placement import match_vng
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimMigration, World

SECONDS_IN_STATE = {
    "STARTING": 20.0,
    "AWAIT_REPLACEMENTS": 90.0,
    "HANDLE_UNSCHEDULE": 20.0,
    "DRAIN_NODES": draining.ROUND_SECONDS,
    "VALIDATE_DRAIN": 30.0,
    "TERMINATE_NODES": 60.0,
    "AWAIT_TERMINATION": 120.0,
    "STOPPING": 60.0,
    "RESCHEDULE_NODES": 30.0,
    "ERROR": 30.0,
}
"""Simulated seconds from entering a state to its next step; a terminal state has no next step."""

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
"""The messages of Spot's troubleshooting page, by the reason of the failure."""


def start_migration(
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
    """Start a migration: cordon all its nodes, and start the first batch."""
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
    for node in cluster.existing_nodes(migration.instance_ids):
        node.cordoned = True
    cluster.write_log(now, "INFO", f"Workload migration {migration.id} of {len(instance_ids)} instances has started.")
    enter_state(cluster, migration, "STARTING", now)
    return migration


def add_ended_migration(world: World, cluster: SimCluster, ended_at: float, state: str) -> SimMigration:
    """Add another user's migration of a node that exists no more: it took a minute."""
    migration = SimMigration(
        id=world.new_id("owm-"),
        instance_ids=[world.new_id("i-", 17)],
        terminate=True,
        evict=False,
        force=False,
        batch_size_percentage=50,
        batch_size=1,
        created_at=ended_at - 60,
        foreign=True,
    )
    cluster.migrations[migration.id] = migration
    enter_state(cluster, migration, state, ended_at)
    return migration


def stop_migration(cluster: SimCluster, migration: SimMigration, now: float, *, terminate: bool) -> None:
    """Stop a running migration; a second stop changes nothing."""
    if migration.stop_requested_at is not None:
        return
    migration.stop_requested_at = now
    migration.terminate_on_stop = terminate
    migration.drained_before_stop = bool(migration.drained)
    cluster.write_log(now, "INFO", f"Workload migration {migration.id} is being stopped.")
    enter_state(cluster, migration, "STOPPING", now)


def fail_migration(cluster: SimCluster, migration: SimMigration, reason: str, now: float) -> None:
    """Fail a running migration, for a reason of ``FAILURE_MESSAGES``."""
    migration.errored_at = now
    cluster.write_log(now, "ERROR", FAILURE_MESSAGES[reason])
    enter_state(cluster, migration, "ERROR", now)


def enter_state(cluster: SimCluster, migration: SimMigration, state: str, now: float) -> None:
    """Put a migration into a state, and schedule its next step."""
    migration.state, migration.shown_state, migration.entered_at = state, None, now
    migration.history.append((now, state))
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


def hold_migrations(cluster: SimCluster, now: float, *, held: bool) -> None:
    """Freeze every migration of a cluster, running stops included, or continue them where they were."""
    if held:
        cluster.held_since = now if cluster.held_since is None else cluster.held_since
    elif cluster.held_since is not None:
        for migration in cluster.running_migrations():
            if migration.due_at is not None:
                migration.due_at += now - max(cluster.held_since, migration.entered_at)
        cluster.held_since = None


def run_due_steps(world: World, now: float) -> None:
    """Run every step that is due by now, in the order of their times."""
    while (step := min(_find_steps(world), key=lambda step: step[0], default=None)) is not None and step[0] <= now:
        at, take_step = step
        take_step(at)


def _find_steps(world: World) -> Iterator[tuple[float, Callable[[float], None]]]:
    for cluster in world.clusters.values():
        for refill in cluster.refills:
            yield refill.due_at, partial(nodes.launch_replacement, world, cluster)
        for termination in cluster.terminations:
            yield termination.due_at, partial(nodes.carry_out_termination, world, cluster, termination)
        for pod in cluster.changing_pods():
            if pod.changes_at is not None:
                yield pod.changes_at, pod.change
        if cluster.held_since is None:
            for migration in cluster.migrations.values():
                if migration.due_at is not None:
                    yield migration.due_at, partial(_STEPS[migration.state], world, cluster, migration)


def _is_failure_due(migration: SimMigration, reason: str) -> bool:
    """Whether an armed failure happens now: in the second batch, or in the only one."""
    return migration.failure == reason and migration.batch == min(1, migration.batches - 1)


def _step_starting(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    if cluster.heartbeat.status != "ACTIVE":
        fail_migration(cluster, migration, "connectivity", at)
    else:
        enter_state(cluster, migration, "AWAIT_REPLACEMENTS", at)


def _step_await_replacements(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    old_nodes = list(cluster.existing_nodes(migration.batch_ids))
    matches = [match_vng(cluster, node) for node in old_nodes]
    if None in matches or _is_failure_due(migration, "instances"):
        fail_migration(cluster, migration, "instances", at)
        return
    for node, vng_id in zip(old_nodes, matches, strict=True):
        vng_id = None if vng_id == "Default" else vng_id
        new_node = nodes.launch_ocean_node(world, cluster, at, vng_id, node.instance_type, node.zone)
        migration.new_instances.append(new_node.instance_id)
    enter_state(cluster, migration, "HANDLE_UNSCHEDULE", at)


def _step_handle_unschedule(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    draining.schedule_pending_pods(cluster, migration, at)
    enter_state(cluster, migration, "DRAIN_NODES", at)


def _step_drain_nodes(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    if _is_failure_due(migration, "connectivity"):
        fail_migration(cluster, migration, "connectivity", at)
    elif draining.evict_round(cluster, migration, at):
        enter_state(cluster, migration, "VALIDATE_DRAIN", at)
    else:
        migration.due_at = at + draining.ROUND_SECONDS


def _step_validate_drain(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    draining.schedule_pending_pods(cluster, migration, at)
    waits = any(pending.migration_id == migration.id for pending in cluster.pending)
    waits = waits or draining.has_unready_pods(cluster, migration)
    if _is_failure_due(migration, "timeout"):
        fail_migration(cluster, migration, "timeout", at)
    elif _is_failure_due(migration, "schedule") or (waits and draining.has_timed_out(cluster, migration, at)):
        fail_migration(cluster, migration, "schedule", at)
    elif waits:
        migration.due_at = at + SECONDS_IN_STATE["VALIDATE_DRAIN"]
    elif migration.batch + 1 < migration.batches:
        migration.batch += 1
        enter_state(cluster, migration, "STARTING", at)
    elif migration.terminate and migration.drained:
        enter_state(cluster, migration, "TERMINATE_NODES", at)
    else:
        enter_state(cluster, migration, "FINISHED", at)


def _step_terminate_nodes(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    reason = "terminate" if migration.stop_requested_at is None else "stop-terminate"
    if migration.failure == reason:
        fail_migration(cluster, migration, reason, at)
    else:
        enter_state(cluster, migration, "AWAIT_TERMINATION", at)


def _step_await_termination(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    for node in cluster.existing_nodes(migration.drained):
        nodes.terminate_node(cluster, node, at)
    enter_state(cluster, migration, "FINISHED" if migration.stop_requested_at is None else "STOPPED", at)


def _step_stopping(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    draining.schedule_pending_pods(cluster, migration, at)
    enter_state(cluster, migration, "RESCHEDULE_NODES", at)


def _step_reschedule_nodes(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    if migration.failure == "stop-reschedule":
        fail_migration(cluster, migration, "stop-reschedule", at)
        return
    _uncordon(cluster, migration)
    terminates = migration.terminate_on_stop and migration.drained
    enter_state(cluster, migration, "TERMINATE_NODES" if terminates else "STOPPED", at)


def _step_error(world: World, cluster: SimCluster, migration: SimMigration, at: float) -> None:
    draining.schedule_pending_pods(cluster, migration, at)
    if migration.failure != "stop-reschedule":
        _uncordon(cluster, migration)
    enter_state(cluster, migration, "FINISHED_ERROR", at)


def _uncordon(cluster: SimCluster, migration: SimMigration) -> None:
    """Uncordon the nodes that are not drained, and that no other migration holds."""
    others = {name for each in cluster.running_migrations() if each is not migration for name in each.instance_ids}
    for node in cluster.existing_nodes(migration.instance_ids):
        if not node.drained and node.instance_id not in others:
            node.cordoned = False


_STEPS: dict[str, Callable[[World, SimCluster, SimMigration, float], None]] = {
    "STARTING": _step_starting,
    "AWAIT_REPLACEMENTS": _step_await_replacements,
    "HANDLE_UNSCHEDULE": _step_handle_unschedule,
    "DRAIN_NODES": _step_drain_nodes,
    "VALIDATE_DRAIN": _step_validate_drain,
    "TERMINATE_NODES": _step_terminate_nodes,
    "AWAIT_TERMINATION": _step_await_termination,
    "STOPPING": _step_stopping,
    "RESCHEDULE_NODES": _step_reschedule_nodes,
    "ERROR": _step_error,
}
