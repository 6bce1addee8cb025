"""What was: the migrations of a cluster, the newest first, with how each ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationState, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import parse_time, sort_key
from ocean_migration_pulumi.errors import (
    NotFoundError,
    OceanMigrationError,
    RequestRejectedError,
)
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import explain_failure, log_span
from ocean_migration_pulumi.migration.diagnosis.log_query import MAX_LINES
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.state.phases import describe_phase, migration_duration
from ocean_migration_pulumi.migration.state.progress import Progress

MOST_STATUSES: Final = 20
"""How many migrations are asked for one by one, unless all are."""

_AT_ONCE: Final = 4
_WORDS: Final[Mapping[str, str]] = {
    MigrationState.FINISHED: "finished",
    MigrationState.STOPPED: "stopped",
    MigrationState.FINISHED_ERROR: "failed",
}
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMigration:
    """One migration of a cluster.

    ``outcome`` is in words; ``reason`` is the short name of why it failed, empty when it did not, or when that is not
    known. ``seconds`` is None while it runs, and like ``done``, ``total`` and the flags when nothing tells.
    """

    id: str
    state: str
    outcome: str
    reason: str = ""
    created_at: str | None = None
    ended_at: str | None = None
    seconds: float | None = None
    done: int | None = None
    total: int | None = None
    should_terminate_drained_nodes: bool | None = None
    should_evict_stand_alone_pods: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationHistory:
    """The migrations of a cluster, the newest first; ``notes`` tell what could not be known, and why."""

    migrations: tuple[PastMigration, ...] = ()
    notes: tuple[str, ...] = ()


def read_history(
    api: OceanApi, scope: CancelScope, ocean_id: str, *, most: int | None = MOST_STATUSES
) -> MigrationHistory:
    """Return the migrations that the service lists, the ``most`` newest with their status (None: all).

    Raises an error of the API, OperationCancelled or DeadlineError. A migration that is listed, and whose status
    is gone, has what the list tells.
    """
    api = api.within(scope)
    listed = sorted(api.list_migrations(ocean_id), key=lambda each: (sort_key(each.created_at), each.id), reverse=True)
    asked = listed if most is None else listed[:most]

    def ask(summary: MigrationSummary) -> MigrationStatus | None:
        try:
            return api.get_migration(ocean_id, summary.id)
        except (NotFoundError, RequestRejectedError):
            return None

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        found = dict(zip((each.id for each in asked), pool.map(ask, asked), strict=True))
    failed = [
        status
        for status in found.values()
        if status is not None and status.state == MigrationState.FINISHED_ERROR and parse_time(status.created_at)
    ]
    reasons, notes = _reasons(api, ocean_id, failed)
    if gone := [name for name, status in found.items() if status is None]:
        notes.append(f"the service lists {count_noun(len(gone), 'migration')} without a status: {', '.join(gone)}")
    if len(asked) < len(listed):
        notes.append(
            f"only the newest {len(asked)} of {count_noun(len(listed), 'migration')} were asked for their status"
        )
    return MigrationHistory(
        migrations=tuple(_past(each, found.get(each.id), reasons.get(each.id, "")) for each in listed),
        notes=tuple(notes),
    )


def _reasons(api: OceanApi, ocean_id: str, failed: Sequence[MigrationStatus]) -> tuple[dict[str, str], list[str]]:
    """Return why each migration failed, from one look at the log, and what could not be known."""
    if not failed:
        return {}, []
    now = api.server_now()
    spans = {status.id: log_span(status, now) for status in failed}
    since, until = min(span[0] for span in spans.values()), max(span[1] for span in spans.values())
    try:
        log = api.get_log(ocean_id, since=since, until=until, limit=MAX_LINES)
    except OceanMigrationError as error:
        return {}, [f"why migrations failed stands in Ocean's log, which could not be read: {error}"]
    reasons = {}
    for name, (begun, ended) in spans.items():
        of_that_time = [line for line in log if (at := parse_time(line.created_at)) and begun <= at <= ended]
        reasons[name] = explain_failure(of_that_time).reason
    oldest = _oldest(log)
    cut = [name for name, reason in reasons.items() if reason == "unknown" and spans[name][0] < oldest]
    if len(log) >= MAX_LINES and cut:
        reasons |= dict.fromkeys(cut, "")
        return reasons, [
            f"the log holds more than one question returns; `ocean-migration explain` tells why {', '.join(cut)} failed"
        ]
    return reasons, []


def _past(summary: MigrationSummary, status: MigrationStatus | None, reason: str) -> PastMigration:
    if status is None:
        return PastMigration(
            id=summary.id,
            state=summary.state,
            outcome=_WORDS.get(summary.state) or f"runs: {describe_phase(summary.state)}",
            created_at=summary.created_at,
            ended_at=summary.completed_at,
            seconds=_between(summary.created_at, summary.completed_at),
        )
    progress = Progress.from_status(status)
    return PastMigration(
        id=status.id,
        state=status.state,
        outcome=_outcome(status, progress, reason),
        reason=reason,
        created_at=status.created_at or summary.created_at,
        ended_at=status.completed_at or status.errored_at or status.stopped_at,
        seconds=migration_duration(status),
        done=progress.done,
        total=progress.total,
        should_terminate_drained_nodes=status.should_terminate_drained_nodes,
        should_evict_stand_alone_pods=status.should_evict_stand_alone_pods,
    )


def _outcome(status: MigrationStatus, progress: Progress, reason: str) -> str:
    if status.state == MigrationState.FINISHED and progress.manual:
        return f"finished, pods left on {count_noun(progress.manual, 'node')}"
    if status.state == MigrationState.FINISHED_ERROR and reason:
        return f"failed: {reason}"
    return _WORDS.get(status.state) or f"runs: {describe_phase(status.state)}"


def _between(begun: str | None, ended: str | None) -> float | None:
    first, last = parse_time(begun), parse_time(ended)
    return (last - first).total_seconds() if first and last else None


def _oldest(log: Sequence[LogEntry]) -> datetime:
    return min((at for line in log if (at := parse_time(line.created_at))), default=_OLDEST)
