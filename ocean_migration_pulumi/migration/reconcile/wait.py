"""Wait for a migration of ours, and say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_elapsed, parse_time
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    DeadlineError,
    DuplicateMigrationError,
    InterruptedWaitError,
    MigrationError,
    MigrationFailedError,
    MigrationNotFoundError,
    MigrationStoppedError,
    OceanMigrationError,
    RunDeadlineError,
    StalledError,
    UnheardError,
)
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import FailureReason, read_failure_reason
from ocean_migration_pulumi.migration.health.watch import HealthWatch, find_undrained
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.planning.text.sentences import capitalize
from ocean_migration_pulumi.migration.reconcile.adoption import describe_lost, settle_lost
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import EventKind, emit
from ocean_migration_pulumi.migration.reconcile.readiness.watching import (
    find_cause,
    open_check_watch,
    open_watch,
    refuse_held_brake,
    report_not_ready,
    report_output,
    stop_for_workloads,
)
from ocean_migration_pulumi.migration.reconcile.stop import stop_migration
from ocean_migration_pulumi.migration.reconcile.waiter import NEW, MigrationWaiter, is_timeout, restate
from ocean_migration_pulumi.migration.spec.diagnostic import Severity
from ocean_migration_pulumi.migration.state.migration_record import ADOPTED_PART, BRAKE, MigrationRecord
from ocean_migration_pulumi.migration.state.phases import describe_duration, describe_share
from ocean_migration_pulumi.migration.state.progress import Progress

STOP_DEADLINE: Final = 480.0
"""Seconds that a migration which is stopped because its time was up may take: Ocean completes the batch first."""

_EARLY: Final[Mapping[type[Exception], EventKind]] = {
    InterruptedWaitError: EventKind.INTERRUPTED,
    RunDeadlineError: EventKind.INTERRUPTED,
    DeadlineError: EventKind.TIMED_OUT,
    StalledError: EventKind.STALLED,
}
_Early = InterruptedWaitError | DeadlineError | StalledError


def wait_for_migration(
    context: ReconcileContext, migration: MigrationRecord, *, listed_before: frozenset[str] | None = None
) -> MigrationStatus | None:
    """Wait until a migration has ended well, or is as far as ``wait_for`` asks.

    Args:
        context: The run.
        migration: The migration.
        listed_before: The migrations that were listed before this run started one: any other that appears within a
            minute and holds one of our nodes is a collision. None when nothing was started.

    Returns:
        Its last status; None when the migration is lost.

    Raises:
        OperationCancelled: Whoever asked for the operation wants it no more.
        WaitEndedError: The deadline passed, the migration stalled, or the service could no longer be asked.
        MigrationError: The migration failed, was stopped by someone else, or was a collision.
    """
    watch, checks = open_watch(context, migration), open_check_watch(context, migration)
    reached, cause = _target(context), None

    def observe(status: MigrationStatus) -> None:
        context.update(migration, status)
        if watch is not None:
            watch.assess_beside(find_undrained(status))
        if checks is not None:
            checks.observe_beside()

    detail = str if watch is None else watch.describe
    waiter = context.waiter_for(
        migration.id, observe=observe, detail=detail, batch_size_percentage=migration.batch_size_percentage
    )

    def reached_without_collision(status: MigrationStatus) -> bool:
        nonlocal cause
        if listed_before is not None and not status.is_terminal and waiter.elapsed <= NEW:
            _yield_to_older(context, migration, listed_before)
        if not status.is_terminal:
            cause = find_cause(context, migration, status, watch=watch, checks=checks)
        return status.is_terminal or cause is not None or reached(status)

    try:
        status = waiter.until(reached_without_collision)
    except MigrationNotFoundError:
        settle_lost(context, migration, waiter.last)
        return None
    except (InterruptedWaitError, DeadlineError, StalledError) as error:
        raise _end_early(context, migration, waiter, _blame_run_end(context, error)) from None
    except MigrationError:
        raise
    except OceanMigrationError as error:
        raise _end_unheard(context, migration, waiter, error) from error
    if status.is_terminal:
        _conclude(context, migration, status, waiter.elapsed, watch)
        return status
    if cause is not None:
        stop_for_workloads(context, migration, watch, cause)
        return context.fetch_status(migration.id)
    context.state.target_reached = True
    context.update_outcomes()
    line = Progress.from_status(status).line(waiter.elapsed)
    context.reporter.info(f"migration {migration.id} continues in Ocean: {line}")
    return status


def explain_failed_migration(
    context: ReconcileContext, migration: MigrationRecord, status: MigrationStatus
) -> FailureReason:
    """Return the reason of a failure, from the cluster's log."""
    return read_failure_reason(
        context.api, context.scope, context.ocean_id, status, context.now(), created_at=migration.created_at
    )


def _target(context: ReconcileContext) -> Callable[[MigrationStatus], bool]:
    """Return the predicate that ends the wait before the migration does."""
    spec = context.spec
    if spec.wait_for == "started":
        return lambda status: True
    if spec.wait_for == "progress":
        return lambda status: context.state.progress >= (spec.wait_for_percentage or 100)
    return lambda status: False


def _conclude(
    context: ReconcileContext,
    migration: MigrationRecord,
    status: MigrationStatus,
    waited: float,
    watch: HealthWatch | None,
) -> None:
    """Record the end of a migration, and report it; raise MigrationError when it did not end well."""
    context.settle(migration, status)
    after = describe_duration(status, waited)
    done = describe_share(status)
    if status.state == MigrationState.FINISHED:
        _report_finished(context, migration, status, f"migration {migration.id} finished after {after}: {done}")
    elif status.state != MigrationState.STOPPED:
        _fail(context, migration, status, f"migration {migration.id} failed after {after}, {done}", watch)
    elif migration.stopped_by in {"us", BRAKE}:
        line = f"migration {migration.id} is STOPPED after {after}: {done}"
        emit(context, EventKind.STOPPED, migration, line, status=status, reason=migration.stopped_by)
        if migration.stopped_by == BRAKE:
            # An earlier run has sent the stop, and did not see its end.
            refuse_held_brake(context, migration, context.state.remaining)
    else:
        migration.stopped_by = "others"
        at = f" at {status.stopped_at}" if status.stopped_at else ""
        line = f"migration {migration.id} was stopped by someone else{at}, {done}"
        emit(context, EventKind.STOPPED, migration, line, status=status, reason="others")
        msg = f"{line}; nothing is started again until triggers or nodes change"
        raise MigrationStoppedError(msg)


def _report_finished(context: ReconcileContext, migration: MigrationRecord, status: MigrationStatus, line: str) -> None:
    state = context.state
    context.reporter.info(line)
    if not state.manual:
        emit(context, EventKind.FINISHED, migration, line, status=status)
        return
    pods = [f"{pod['pod']} on {pod['node']}" for pod in state.manual_pods]
    named = list_some(pods) or list_some(sorted(state.manual))
    left = f"pods that Ocean does not move are left on {count_noun(len(state.manual), 'node')}: {named}"
    remedy = f"move them by hand, or set {context.vocabulary.name('should_evict_stand_alone_pods')}"
    context.reporter.warning(f"{left}; {remedy}")
    line = f"{line}; {left}"
    emit(context, EventKind.FINISHED, migration, line, status=status, reason="leftovers", remedy=capitalize(remedy))


def _fail(
    context: ReconcileContext,
    migration: MigrationRecord,
    status: MigrationStatus,
    line: str,
    watch: HealthWatch | None,
) -> None:
    failure = explain_failed_migration(context, migration, status)
    context.state.failure = failure.to_output()
    unmatched = [
        name
        for name in sorted(context.state.remaining)
        if name in context.offered and context.offered[name].virtual_node_group_id is None
    ]
    hint = f" (no Virtual Node Group matches {list_some(unmatched)})" if unmatched else ""
    line = f"{line}: {failure.message}"
    report = None if watch is None else watch.assess() or watch.report
    if report is not None and report.below:
        # Ocean fails a migration for pods that are not ready, and tells neither which nor why.
        context.state.workload_health = report_output(migration, report, "not ready", final=False)
        line = f"{line}; {render(report_not_ready(report, Severity.ERROR, looks_again=False))}"
    remedy = f"{failure.remedy}{hint}"
    emit(context, EventKind.FAILED, migration, line, status=status, reason=failure.reason, remedy=remedy)
    msg = f"{line}. {remedy}, then {context.hints.again}."
    raise MigrationFailedError(msg)


def _blame_run_end(context: ReconcileContext, error: _Early) -> _Early:
    """Return why a wait ended: at the end of the whole run, a request of the wait may be the first to be late."""
    try:
        context.scope.check_run()
    except RunDeadlineError as run_ended:
        return run_ended
    return error


def _end_early(
    context: ReconcileContext, migration: MigrationRecord, waiter: MigrationWaiter, error: _Early
) -> Exception:
    """Return the error for a wait that ended before the migration, which is stopped first if ``on_timeout`` asks."""
    done = describe_share(waiter.last)
    why = str(error)
    if isinstance(error, InterruptedWaitError):
        why = f"{error} after {format_elapsed(waiter.elapsed)}"
    elif isinstance(error, DeadlineError):
        why = f"the deadline passed after {format_elapsed(waiter.elapsed)}"
    if is_timeout(error) and context.spec.on_timeout == "stop" and migration.origin != ADOPTED_PART:
        try:
            stop_migration(
                context.bounded(STOP_DEADLINE),
                migration,
                terminate_drained_nodes=context.spec.terminate_drained_nodes_on_stop,
                why=why,
            )
        except (OceanMigrationError, InterruptedWaitError) as trouble:
            line = f"{why}; stopping migration {migration.id} did not succeed: {trouble}"
            emit(context, _EARLY[type(error)], migration, line, status=waiter.last)
            return restate(error, line, migration.id)
        if migration.lost:
            return MigrationError(f"{why}; {render(describe_lost(context, migration))}")
        rest = context.hints.rest
        line = f'{why}; migration {migration.id} was stopped (on_timeout="stop"), {done}; {rest}.'
        return restate(error, line, migration.id)
    context.update_outcomes()
    line = f"{why}; migration {migration.id} continues in Ocean ({done})"
    emit(context, _EARLY[type(error)], migration, line, status=waiter.last)
    return restate(error, f"{line}. {context.hints.waits}.", migration.id)


def _end_unheard(
    context: ReconcileContext, migration: MigrationRecord, waiter: MigrationWaiter, error: OceanMigrationError
) -> UnheardError:
    """Return the error for a migration about which the service could not be asked any more."""
    context.update_outcomes()
    after, done = format_elapsed(waiter.elapsed), describe_share(waiter.last)
    # One response does not prove that the cluster is gone.
    is_denied = isinstance(error, ClusterNotFoundError)
    fate = "if the cluster is gone, the migration has ended" if is_denied else "it continues in Ocean"
    line = f"after {after}, Spot no longer reports on migration {migration.id}: {error}; {fate} ({done})"
    emit(context, EventKind.UNHEARD, migration, line, status=waiter.last)
    return UnheardError(f"{line}. {context.hints.waits}.")


def _yield_to_older(context: ReconcileContext, migration: MigrationRecord, listed_before: frozenset[str]) -> None:
    """Stop our own migration when an older one, that was not there before, holds one of its nodes."""
    try:
        listed = context.claims.cache.migrations(context.api, context.scope, fresh=True)
        others = [
            context.fetch_status(summary.id)
            for summary in listed
            if summary.id != migration.id and summary.id not in listed_before and not summary.is_terminal
        ]
    except DeadlineError:
        raise
    except OceanMigrationError:
        return  # the next poll looks again
    held = frozenset(migration.instance_ids)
    for other in others:
        shared = sorted(held & other.instance_ids)
        if (
            not shared
            or other.is_terminal
            or _age(migration.created_at, migration.id) < _age(other.created_at, other.id)
        ):
            continue
        why = f"{other.id} holds {list_some(shared)} and is older"
        stop_migration(context, migration, terminate_drained_nodes=False, why=why)
        msg = (
            f"migration {other.id}, started elsewhere, already migrates {list_some(shared)}, so {migration.id} was "
            f"stopped. Wait for its end, or stop it, then {context.hints.again}."
        )
        raise DuplicateMigrationError(msg)


def _age(created_at: str | None, migration_id: str) -> tuple[float, str]:
    moment = parse_time(created_at)
    return (moment.timestamp() if moment else float("inf"), migration_id)
