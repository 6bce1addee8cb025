"""Start a migration at most once, across retries and concurrent callers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    ClusterBusyError,
    InterruptedWaitError,
    MigrationError,
    MigrationNotFoundError,
    OceanMigrationError,
    OperationCancelled,
    RequestRejectedError,
)
from ocean_migration_pulumi.migration.reconcile.admission import ensure_approved, ensure_start_time, ensure_startable
from ocean_migration_pulumi.migration.reconcile.adoption import adopt, is_ours, record_migration, search_lost_start
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import EventKind, emit
from ocean_migration_pulumi.migration.reconcile.proof import await_discovery
from ocean_migration_pulumi.migration.reconcile.readiness.watching import record_baseline
from ocean_migration_pulumi.migration.reconcile.waiter import has_ended, restate
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord, UnansweredStart
from ocean_migration_pulumi.migration.state.progress import Progress


@dataclass(frozen=True, slots=True)
class StartedMigration:
    """A migration that was started or adopted."""

    migration: MigrationRecord
    """The migration."""
    listed_before: frozenset[str] | None
    """The ids of the migrations that were listed before the start; None when it was adopted."""


def start_migration(context: ReconcileContext, work: list[str]) -> StartedMigration | None:
    """Start a migration, or adopt the one that is ours; wait for another one to end first.

    Args:
        context: The run.
        work: The nodes to migrate.

    Returns:
        The migration; None when nothing was left to migrate after the other one.

    Raises:
        ClusterBusyError: Another migration runs, and ``when_busy`` is ``"fail"``.
        MigrationError: The service refuses, or the answer to the start was lost.
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: What ``ensure_startable`` raises, or the service cannot be asked.
    """
    while work:
        with _hold_start_lock(context):
            started, other = _start_or_find_other(context, work)
        if started is not None:
            return started
        if other is not None:
            wait_for_other_migration(context, other)
            context.observe()
            await_discovery(context)
            work = [name for name in work if name in context.offered and name in context.state.remaining]
            if work:
                ensure_startable(context, work)  # the wait may have been a long one
        elif not any(name in context.offered for name in work):
            return None
    return None


def wait_for_other_migration(context: ReconcileContext, other: MigrationStatus) -> None:
    """Wait for the end of a migration that is not ours, which then counts as evidence; or until it is lost.

    Raises:
        ClusterBusyError: ``when_busy`` is ``"fail"``, or the wait ended early.
        OperationCancelled: Whoever asked for the operation wants it no more.
    """
    progress = Progress.from_status(other)
    named = f"migration {other.id} ({progress.done} of {count_noun(progress.total, 'node')} done)"
    if context.spec.when_busy == "fail":
        msg = (
            f"{named} is already running on {context.ocean_id} (started elsewhere); "
            'wait for its end, or set when_busy="wait"'
        )
        raise ClusterBusyError(msg)
    context.reporter.info(f"waiting for {named} (started elsewhere)")
    seen = MigrationRecord(id=other.id)
    context.ever_held_by_others |= other.instance_ids
    try:
        ended = context.waiter_for(other.id, observe=seen.update).until(has_ended)
        context.note_end(ended, seen)
    except MigrationNotFoundError:
        context.reporter.info(f"migration {other.id} is no longer listed")
    except InterruptedWaitError as error:
        msg = f"{error} while waiting for migration {other.id} (started elsewhere); nothing was started"
        raise restate(error, msg, other.id) from None
    except OceanMigrationError as error:
        msg = f"waiting for migration {other.id} (started elsewhere) ended: {error}; nothing was started"
        raise ClusterBusyError(msg) from error
    context.claims.cache.changed()


@contextmanager
def _hold_start_lock(context: ReconcileContext) -> Iterator[None]:
    """Hold the cluster's lock of this process; waiting for it can be interrupted."""
    while not context.claims.starting.acquire(timeout=0.1):
        context.scope.check()
    try:
        yield
    finally:
        context.claims.starting.release()


def _start_or_find_other(
    context: ReconcileContext, work: list[str]
) -> tuple[StartedMigration | None, MigrationStatus | None]:
    """Return what was started or adopted, or else the migration of others that runs; neither when to look again."""
    context.scope.check()
    cache = context.claims.cache
    listed = cache.migrations(context.api, context.scope, fresh=True)
    other = None
    for status in cache.running(context.api, context.scope, fresh=True):
        # An end that the list does not confirm is none: it is waited for as one of others.
        if not status.is_terminal and is_ours(context, status):
            return StartedMigration(adopt(context, status), None), None
        other = status
    if other is not None:
        return None, other
    # What discovery does not return may have been migrated, or be held: it is never asked for.
    work = [name for name in work if name in context.offered]
    if not work:
        return None, None
    before = frozenset(summary.id for summary in listed)
    migration = _send_start(context, work, before)
    return (None if migration is None else StartedMigration(migration, before)), None


def _send_start(context: ReconcileContext, work: list[str], before: frozenset[str]) -> MigrationRecord | None:
    """Send the POST. Returns None when to look again: the service is busy after all, or a node has just gone."""
    ensure_approved(context, work)
    passed_checks = record_baseline(context, work)
    ensure_start_time(context)
    state, cache = context.state, context.claims.cache
    lost = state.unanswered = UnansweredStart(
        listed=sorted(before), instance_ids=sorted(work), at=format_time(context.now())
    )
    context.reporter.info(f"starting a migration of {count_noun(len(work), 'node')}")
    context.note_start(lost)
    try:
        # A rate limit may hold the POST up until it is too late.
        api = context.api.within(replace(context.scope, guard=partial(ensure_start_time, context)))
        migration_id = api.create_migration(context.ocean_id, sorted(work), **asdict(context.spec.options))
        if migration_id in before:
            msg = f"it names {migration_id}, which was listed before"
            raise AnswerLostError(msg)
    except AnswerLostError as error:
        cache.changed()
        cause = error.__cause__ or error
        context.reporter.warning(f"the response to the start was lost ({cause}); looking for the migration in the list")
        found = search_lost_start(context, lost)
        if found is None:
            msg = (
                f"the response to the start of a migration of {count_noun(len(work), 'node')} was lost ({cause}), and "
                f"no such migration is listed yet: it may have started. {context.hints.looks}."
            )
            raise MigrationError(msg) from error
        return _record_start(context, found.id, lost, passed_checks, status=found)
    except RequestRejectedError as error:
        state.unanswered = None
        context.note_start(None)
        cache.changed()
        if any(not status.is_terminal for status in cache.running(context.api, context.scope, fresh=True)):
            return None
        context.observe()
        if not context.offered.keys() >= set(work):
            return None  # a node was terminated in this moment: the others are asked for without it
        msg = f"Ocean refuses to start a migration of {list_some(sorted(work))} on {context.ocean_id}: {error}"
        raise MigrationError(msg) from error
    except (OceanMigrationError, OperationCancelled):
        # A start that may have had its effect raises AnswerLostError, whatever ended it.
        state.unanswered = None
        context.note_start(None)
        raise
    finally:
        cache.changed()
    return _record_start(context, migration_id, lost, passed_checks)


def _record_start(
    context: ReconcileContext,
    migration_id: str,
    start: UnansweredStart,
    passed_checks: list[str] | None,
    *,
    status: MigrationStatus | None = None,
) -> MigrationRecord:
    context.note_start(replace(start, migration_id=migration_id))
    migration = MigrationRecord(
        id=migration_id,
        instance_ids=start.instance_ids,
        triggers_digest=context.spec.triggers_digest,
        passed_checks=passed_checks,
        **asdict(context.spec.options),
    )
    context.state.unanswered = None
    if context.state.baseline is not None:
        context.state.baseline = replace(context.state.baseline, migration_id=migration_id)
    if status is not None:
        migration.update(status)
    record_migration(context, migration)
    line = f"migration {migration_id} of {count_noun(len(start.instance_ids), 'node')} has started"
    context.reporter.info(line)
    emit(context, EventKind.STARTED, migration, line, status=status)
    return migration
