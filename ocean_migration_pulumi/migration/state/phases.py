"""The phase of a migration, its share of nodes done, and its duration, as messages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun, sanitize
from ocean_migration_pulumi.common.times import format_elapsed, parse_time
from ocean_migration_pulumi.migration.state.progress import Progress

PHASES: Final[Mapping[str, str]] = {
    MigrationState.STARTING: "preparing the next batch",
    MigrationState.AWAIT_REPLACEMENTS: "waiting for new nodes",
    MigrationState.HANDLE_UNSCHEDULE: "scheduling pods on new nodes",
    MigrationState.DRAIN_NODES: "draining old nodes",
    MigrationState.VALIDATE_DRAIN: "checking that evicted pods run",
    MigrationState.STOPPING: "stopping after the current batch",
    MigrationState.ERROR: "failing",
    MigrationState.RESCHEDULE_NODES: "uncordoning the remaining old nodes",
    MigrationState.TERMINATE_NODES: "terminating drained nodes",
    MigrationState.AWAIT_TERMINATION: "waiting for the termination of drained nodes",
    MigrationState.FINISHED_ERROR: "failed",
    MigrationState.STOPPED: "stopped",
    MigrationState.FINISHED: "finished",
}
"""What a migration does in each of the 13 states; the service documents their names alone."""


def describe_phase(state: str) -> str:
    """Return what a migration does in a state, a state that is not documented included."""
    return PHASES.get(state) or f"undocumented state {sanitize(state)}"


def describe_share(status: MigrationStatus | None) -> str:
    """Return how many of its nodes are done."""
    if status is None:
        return "status unknown"
    progress = Progress.from_status(status)
    return f"{progress.done} of {count_noun(progress.total, 'node')} done"


def migration_duration(status: MigrationStatus) -> float | None:
    """Return how many seconds a migration took from its creation to its end; None when a time is missing."""
    started = parse_time(status.created_at)
    ended = parse_time(status.completed_at or status.errored_at or status.stopped_at)
    return (ended - started).total_seconds() if started and ended else None


def describe_duration(status: MigrationStatus, waited: float) -> str:
    """Return how long a migration took, as messages show it; what was ``waited`` for it when it does not tell."""
    seconds = migration_duration(status)
    return format_elapsed(waited if seconds is None else seconds)
