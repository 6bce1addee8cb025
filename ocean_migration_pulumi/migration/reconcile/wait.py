"""Wait for a migration that is ours, stop it, say how it ended, and keep watching after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_elapsed, format_time, parse_time
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    DeadlineError,
    DuplicateMigrationError,
    EngineGoneError,
    InterruptedWaitError,
    MigrationError,
    MigrationFailedError,
    MigrationNotFoundError,
    MigrationStoppedError,
    OceanMigrationError,
    RequestRejectedError,
    StalledError,
    UnheardError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import OUTAGES, FailureReason, failure_summary
from ocean_migration_pulumi.migration.planning.findings_text import render_check
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import ENDS, EventKind
from ocean_migration_pulumi.migration.reconcile.waiter import NEW, Waiter, is_timeout
from ocean_migration_pulumi.migration.state.phases import describe_duration, describe_share
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.state.resource_state import ADOPTED_PART, MigrationRecord

STOP_DEADLINE: Final = 300.0
"""Seconds that a migration which is stopped because its time was up may take to stop."""

_LEFTOVERS: Final = "Move them by hand, or set should_evict_stand_alone_pods"
_EARLY: Final[Mapping[type[OceanMigrationError], EventKind]] = {
    InterruptedWaitError: EventKind.INTERRUPTED,
    DeadlineError: EventKind.TIMED_OUT,
    StalledError: EventKind.STALLED,
}
_STOPPING: Final = frozenset({MigrationState.STOPPING, MigrationState.RESCHEDULE_NODES, MigrationState.ERROR})


def wait_target(job: ReconcileContext) -> Callable[[MigrationStatus], bool]:
    """Return what tells that the wait may end before the migration does."""
    spec = job.spec
    if spec.wait_for == "started":
        return lambda status: True
    if spec.wait_for == "progress":
        return lambda status: job.record.progress >= (spec.wait_for_percentage or 100)
    return lambda status: False


def wait_for_migration(
    job: ReconcileContext, run: MigrationRecord, *, listed_before: frozenset[str] | None = None
) -> MigrationStatus | None:
    """Wait for a run to end well, or to reach the target; return its last status.

    ``listed_before`` are the migrations that were there before this run started one: any other that appears within a
    minute and holds one of our nodes is a collision (None: nothing was started). Returns None when the service no
    longer lists the migration. Raises a WaitEndedError, a MigrationError, or an error of the API.
    """
    born = job.scope.clock()

    def look_for_collision() -> None:
        if listed_before is not None and job.scope.clock() - born <= NEW:
            _yield_to_older(job, run, listed_before)

    waiter = Waiter(
        lambda: job.status(run.id),
        scope=job.scope,
        tell=job.tell,
        poll_policy=job.poll_policy,
        on_status=lambda status: job.take(run, status),
        on_poll=look_for_collision,
    )
    try:
        if listed_before is not None:
            look_for_collision()
        status = waiter.until(wait_target(job))
    except MigrationNotFoundError:
        line = f"migration {run.id} is no longer listed; its nodes are judged by discovery"
        job.tell.warning(line)
        job.settle(run, None)
        job.emit(EventKind.UNHEARD, run, line, status=waiter.last)
        return None
    except (InterruptedWaitError, DeadlineError, StalledError) as error:
        raise _ended_early(job, run, waiter, error) from None
    except (EngineGoneError, MigrationError):
        raise
    except OceanMigrationError as error:
        raise _unheard(job, run, waiter, error) from error
    if not status.is_terminal:
        job.record.target_reached = True
        job.recompute_outcomes()
        job.tell.info(f"migration {run.id} goes on in Ocean: {Progress.from_status(status).line(waiter.elapsed)}")
        return status
    _ended(job, run, status, waiter.elapsed)
    return status


def stop_migration(job: ReconcileContext, run: MigrationRecord, *, terminate_drained_nodes: bool, why: str) -> None:
    """Stop a run and wait for STOPPED; a migration that ends otherwise meanwhile has ended, too."""
    try:
        status = job.status(run.id)
    except MigrationNotFoundError:
        job.settle(run, None)
        return
    if not status.is_terminal and status.state not in _STOPPING:
        job.tell.info(f"stopping migration {run.id}: {why}")
        try:
            job.api.within(job.scope).stop_migration(
                job.ocean_id, run.id, should_terminate_drained_nodes=terminate_drained_nodes
            )
        except RequestRejectedError:
            # It may have ended, or begun to stop, since its status was read; anything else is a refusal.
            status = job.status(run.id)
            if not status.is_terminal and status.state not in _STOPPING:
                raise
        except (InterruptedWaitError, DeadlineError) as error:
            msg = f"{error} while migration {run.id} was asked to stop; run it again to see it stopped"
            raise type(error)(msg) from None
        else:
            run.stopped_by = "us"
            run.terminated_on_stop = terminate_drained_nodes
        job.claims.view.changed()
    waiter = Waiter(
        lambda: job.status(run.id),
        scope=job.scope,
        tell=job.tell,
        poll_policy=job.poll_policy,
        on_status=lambda status: job.take(run, status),
    )
    try:
        status = waiter.until(lambda status: False)
    except MigrationNotFoundError:
        job.settle(run, None)
        job.emit(EventKind.UNHEARD, run, f"migration {run.id} is no longer listed", status=waiter.last)
        return
    except (InterruptedWaitError, DeadlineError, StalledError) as error:
        msg = (
            f"{error} while migration {run.id} was stopping ({describe_share(waiter.last)}); run it again "
            "to wait for the end"
        )
        raise type(error)(msg) from None
    job.settle(run, status)
    line = f"migration {run.id} is {status.state} after {format_elapsed(waiter.elapsed)}: {describe_share(status)}"
    job.tell.info(line)
    job.emit(ENDS[status.state], run, f"{line} ({why})", status=status, reason=run.stopped_by or "")


def soak(job: ReconcileContext) -> None:
    """After the end, keep watching: no unscheduled pod, the controller alive; an outage is borne as in a wait.

    Raises MigrationError when it is not calm, a WaitEndedError, or an error of the API.
    """
    record, spec = job.record, job.spec
    latest = record.latest
    if not spec.soak_time or latest is None or latest.status != MigrationState.FINISHED or record.soaked_until:
        return
    heard_at = job.scope.clock()
    until = heard_at + spec.soak_time
    while True:
        pause, left = job.poll_policy.poll_interval, until - job.scope.clock()
        try:
            _judge_soak(job, latest)
        except OUTAGES as error:
            silent = job.scope.clock() - heard_at
            if silent >= job.poll_policy.outage:
                raise
            job.tell.status(f"soaking, no answer for {format_elapsed(silent)}, trying on: {error}")
        else:
            if left <= 0:
                break
            heard_at, pause = job.scope.clock(), min(left, pause)
            job.tell.status(f"soaking, {format_elapsed(left)} left")
        job.scope.sleep(pause)
    record.soaked_until = format_time(job.now())


def find_failure(job: ReconcileContext, run: MigrationRecord, status: MigrationStatus) -> FailureReason:
    """Read the reason of a failure from the cluster's log."""
    return failure_summary(job.api, job.scope, job.ocean_id, status, job.now(), created_at=run.created_at)


def _ended(job: ReconcileContext, run: MigrationRecord, status: MigrationStatus, waited: float) -> None:
    job.settle(run, status)
    after = describe_duration(status, waited)
    done = describe_share(status)
    if status.state == MigrationState.FINISHED:
        line = f"migration {run.id} finished after {after}: {done}"
        job.tell.info(line)
        if not job.record.manual:
            job.emit(EventKind.FINISHED, run, line, status=status)
            return
        pods = [f"{pod['pod']} on {pod['node']}" for pod in job.record.manual_pods]
        named = list_some(pods) or list_some(sorted(job.record.manual))
        left = f"pods that Ocean does not move are left on {count_noun(len(job.record.manual), 'node')}: {named}"
        job.tell.warning(f"{left}; {_LEFTOVERS[0].lower()}{_LEFTOVERS[1:]}")
        job.emit(EventKind.FINISHED, run, f"{line}; {left}", status=status, reason="leftovers", remedy=_LEFTOVERS)
        return
    if status.state == MigrationState.STOPPED:
        if run.stopped_by == "us":
            line = f"migration {run.id} is STOPPED after {after}: {done}"
            job.emit(EventKind.STOPPED, run, line, status=status, reason="us")
            return
        run.stopped_by = "others"
        at = f" at {status.stopped_at}" if status.stopped_at else ""
        line = f"migration {run.id} was stopped by someone else{at}, {done}"
        job.emit(EventKind.STOPPED, run, line, status=status, reason="others")
        msg = f"{line}; nothing is started again until triggers or nodes change"
        raise MigrationStoppedError(msg)
    failure = find_failure(job, run, status)
    job.record.failure = failure.to_output()
    unmatched = [
        name
        for name in sorted(job.record.remaining)
        if name in job.offered and job.offered[name].virtual_node_group_id is None
    ]
    hint = f" (no Virtual Node Group matches {list_some(unmatched)})" if unmatched else ""
    line = f"migration {run.id} failed after {after}, {done}: {failure.message}"
    remedy = f"{failure.remedy}{hint}"
    job.emit(EventKind.FAILED, run, line, status=status, reason=failure.reason, remedy=remedy)
    msg = f"{line}. {remedy}, then {job.words.again}."
    raise MigrationFailedError(msg)


def _ended_early(
    job: ReconcileContext, run: MigrationRecord, waiter: Waiter, error: OceanMigrationError
) -> OceanMigrationError:
    done = describe_share(waiter.last)
    what = str(error)
    if isinstance(error, InterruptedWaitError):
        what = f"interrupted after {format_elapsed(waiter.elapsed)}"
    elif isinstance(error, DeadlineError):
        what = f"the deadline passed after {format_elapsed(waiter.elapsed)}"
    if is_timeout(error) and job.spec.on_timeout == "stop" and run.origin != ADOPTED_PART:
        try:
            stop_migration(
                job.bounded(STOP_DEADLINE),
                run,
                terminate_drained_nodes=job.spec.terminate_drained_nodes_on_stop,
                why=what,
            )
        except OceanMigrationError as trouble:
            line = f"{what}; stopping migration {run.id} did not succeed: {trouble}"
            job.emit(_EARLY[type(error)], run, line, status=waiter.last)
            return type(error)(line)
        return type(error)(f'{what}; migration {run.id} was stopped (on_timeout="stop"), {done}; {job.words.rest}.')
    job.recompute_outcomes()
    line = f"{what}; migration {run.id} goes on in Ocean ({done})"
    job.emit(_EARLY[type(error)], run, line, status=waiter.last)
    return type(error)(f"{line}. {job.words.waits}.")


def _unheard(
    job: ReconcileContext, run: MigrationRecord, waiter: Waiter, error: OceanMigrationError
) -> OceanMigrationError:
    job.recompute_outcomes()
    after, done = format_elapsed(waiter.elapsed), describe_share(waiter.last)
    if isinstance(error, ClusterNotFoundError):
        line = f"after {after} migration {run.id} is gone with its cluster ({done}): {error}"
        job.emit(EventKind.UNHEARD, run, line, status=waiter.last)
        return UnheardError(line)
    line = (
        f"after {after} the service could not be asked about migration {run.id} any more: {error}; "
        f"it goes on in Ocean ({done})"
    )
    job.emit(EventKind.UNHEARD, run, line, status=waiter.last)
    return UnheardError(f"{line}. {job.words.waits}.")


def _judge_soak(job: ReconcileContext, run: MigrationRecord) -> None:
    status = job.api.within(job.scope).get_migration(job.ocean_id, run.id)
    heartbeat = job.claims.view.heartbeat(job.api, job.scope, fresh=True)
    progress = Progress.from_status(status)
    if progress.unscheduled:
        msg = f"the soak of {run.id} failed: {count_noun(progress.unscheduled, 'pod')} unscheduled"
        raise MigrationError(msg)
    if not service.is_alive(heartbeat, job.now()):
        found = render_check(service.check_connection(heartbeat, job.now()))
        msg = f"the soak of {run.id} failed: {found.line}"
        raise MigrationError(msg)


def _yield_to_older(job: ReconcileContext, run: MigrationRecord, listed_before: frozenset[str]) -> None:
    """Stop our own migration when an older one, that was not there before, holds one of its nodes."""
    try:
        if run.created_at is None:
            run.follow(job.status(run.id))
        listed = job.claims.view.migrations(job.api, job.scope, fresh=True)
        others = [
            job.status(summary.id)
            for summary in listed
            if summary.id != run.id and summary.id not in listed_before and not summary.is_terminal
        ]
    except (InterruptedWaitError, EngineGoneError, DeadlineError):
        raise
    except OceanMigrationError:
        return  # the next poll looks again
    held = frozenset(run.instance_ids)
    for other in others:
        shared = sorted(held & other.instance_ids)
        if not shared or other.is_terminal or _age(run.created_at, run.id) < _age(other.created_at, other.id):
            continue
        stop_migration(
            job, run, terminate_drained_nodes=False, why=f"{other.id} holds {list_some(shared)} and is older"
        )
        msg = (
            f"migration {other.id} of someone else already moves {list_some(shared)}; ours, {run.id}, "
            "was stopped. Wait for "
            f"its end, or stop it, then {job.words.again}."
        )
        raise DuplicateMigrationError(msg)


def _age(created_at: str | None, migration_id: str) -> tuple[float, str]:
    moment = parse_time(created_at)
    return (moment.timestamp() if moment else float("inf"), migration_id)
