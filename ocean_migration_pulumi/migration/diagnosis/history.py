"""History of a cluster: its migrations, the newest first, and how each ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import parse_time, sort_key
from ocean_migration_pulumi.errors import NotFoundError, RequestRejectedError
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import find_failure_reason
from ocean_migration_pulumi.migration.diagnosis.investigation import Notes
from ocean_migration_pulumi.migration.diagnosis.log_query import MAX_LINES, find_log_period
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.state.phases import describe_phase, migration_duration
from ocean_migration_pulumi.migration.state.progress import Progress

MOST_STATUSES: Final = 20
"""Maximum number of statuses that are read by default."""

_CONCURRENT_READS: Final = 4
_OUTCOMES: Final[Mapping[str, str]] = {
    MigrationState.FINISHED: "finished",
    MigrationState.STOPPED: "stopped",
    MigrationState.FINISHED_ERROR: "failed",
}
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMigration:
    """One migration of a cluster."""

    id: str
    """Id, ``owm-...``."""
    state: str
    """State, as the service returns it."""
    outcome: str
    """How it ended, or what it does, for people."""
    reason: str = ""
    """Reason of its failure; empty if it did not fail, or if the log was not read."""
    created_at: str | None = None
    """Creation, as the service writes times; None if unknown."""
    ended_at: str | None = None
    """End, as the service writes times; None while it runs, or if unknown."""
    seconds: float | None = None
    """Seconds from creation to end; None while it runs, or if unknown."""
    done: int | None = None
    """Number of drained nodes; None if its status was not read."""
    total: int | None = None
    """Number of nodes; None if its status was not read."""
    should_terminate_drained_nodes: bool | None = None
    """Whether drained nodes are terminated; None if unknown."""
    should_evict_stand_alone_pods: bool | None = None
    """Whether standalone pods are evicted; None if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationHistory:
    """The migrations of a cluster."""

    migrations: tuple[PastMigration, ...] = ()
    """The migrations, the newest first."""
    notes: tuple[str, ...] = ()
    """What is unknown, and why."""


def read_history(
    api: OceanApi, scope: CancelScope, ocean_id: str, *, most: int | None = MOST_STATUSES
) -> MigrationHistory:
    """Return the migrations of a cluster, as the list and their statuses show them.

    Args:
        api: Spot's API.
        scope: Bounds the reading.
        ocean_id: Id of the cluster.
        most: How many of the newest migrations are read in detail. None means all.

    Raises:
        OceanMigrationError: An error of the API, except that a listed migration has no status any more.
        OperationCancelled: The operation was cancelled.
        DeadlineError: The deadline passed.

    """
    api = api.within(scope)
    listed = sorted(api.list_migrations(ocean_id), key=lambda each: (sort_key(each.created_at), each.id), reverse=True)
    asked = listed if most is None else listed[:most]

    def ask(summary: MigrationSummary) -> MigrationStatus | None:
        try:
            return api.get_migration(ocean_id, summary.id)
        except (NotFoundError, RequestRejectedError):
            return None

    with ThreadPoolExecutor(max_workers=_CONCURRENT_READS) as pool:
        found = dict(zip((each.id for each in asked), pool.map(ask, asked), strict=True))
    failed = [
        status
        for status in found.values()
        if status is not None and status.state == MigrationState.FINISHED_ERROR and parse_time(status.created_at)
    ]
    reasons, notes = _read_reasons(api, ocean_id, failed)
    if gone := [name for name, status in found.items() if status is None]:
        notes.append(f"no status for {count_noun(len(gone), 'listed migration')}: {', '.join(gone)}")
    if len(asked) < len(listed):
        notes.append(
            f"details of the newest {len(asked)} of {count_noun(len(listed), 'migration')} only; use --all for the rest"
        )
    return MigrationHistory(
        migrations=tuple(_summarize(each, found.get(each.id), reasons.get(each.id, "")) for each in listed),
        notes=tuple(notes),
    )


def _read_reasons(api: OceanApi, ocean_id: str, failed: Sequence[MigrationStatus]) -> tuple[dict[str, str], list[str]]:
    """Return why each migration failed, from one request for the log, and notes of what is unknown."""
    notes = Notes()
    if not failed:
        return {}, notes
    now = api.server_now()
    periods = {status.id: find_log_period(status, now) for status in failed}
    since, until = min(start for start, _ in periods.values()), max(end for _, end in periods.values())
    log = notes.ask(
        lambda: api.get_log(ocean_id, since=since, until=until, limit=MAX_LINES),
        "reasons of failures unknown, could not read Ocean's log",
    )
    if log is None:
        return {}, notes
    dated = [(time, line) for line in log if (time := parse_time(line.created_at))]
    reasons = {
        migration_id: find_failure_reason([line for time, line in dated if start <= time <= end]).reason
        for migration_id, (start, end) in periods.items()
    }
    oldest = min((time for time, _ in dated), default=_OLDEST)
    cut = [name for name, reason in reasons.items() if reason == "unknown" and periods[name][0] < oldest]
    if len(log) >= MAX_LINES and cut:
        reasons |= dict.fromkeys(cut, "")
        notes.append(
            f"the log is too long for one request; `ocean-migration explain` shows why {', '.join(cut)} failed"
        )
    return reasons, notes


def _summarize(summary: MigrationSummary, status: MigrationStatus | None, reason: str) -> PastMigration:
    known = status or MigrationStatus(
        id=summary.id, state=summary.state, created_at=summary.created_at, completed_at=summary.completed_at
    )
    progress = Progress.from_status(known)
    return PastMigration(
        id=known.id,
        state=known.state,
        outcome=_describe_outcome(known, progress, reason),
        reason=reason,
        created_at=known.created_at or summary.created_at,
        ended_at=known.ended_at,
        seconds=migration_duration(known),
        done=progress.done if status else None,
        total=progress.total if status else None,
        should_terminate_drained_nodes=known.should_terminate_drained_nodes,
        should_evict_stand_alone_pods=known.should_evict_stand_alone_pods,
    )


def _describe_outcome(status: MigrationStatus, progress: Progress, reason: str) -> str:
    if status.state == MigrationState.FINISHED and progress.manual:
        return f"finished, pods left on {count_noun(progress.manual, 'node')}"
    if status.state == MigrationState.FINISHED_ERROR and reason:
        return f"failed: {reason}"
    return _OUTCOMES.get(status.state) or f"running: {describe_phase(status.state)}"
