"""Wait for a migration that is ours, stop it, say how it ended, and keep watching after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.times import elapsed, format_time, parse_time
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
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import OUTAGES, Failure, why
from ocean_migration_pulumi.migration.reconcile.context import Job
from ocean_migration_pulumi.migration.reconcile.events import ENDS, Kind
from ocean_migration_pulumi.migration.reconcile.waiter import NEW, Progress, Waiter, outlasted
from ocean_migration_pulumi.migration.spec.planned_nodes import counted, some
from ocean_migration_pulumi.migration.state.phases import share, took
from ocean_migration_pulumi.migration.state.resource_state import ADOPTED_PART, Run

STOP_DEADLINE: Final = 300.0
"""Seconds that a migration which is stopped because its time was up may take to stop."""

_LEFTOVERS: Final = "Move them by hand, or set should_evict_stand_alone_pods"
_EARLY: Final[Mapping[type[OceanMigrationError], Kind]] = {
    InterruptedWaitError: Kind.INTERRUPTED,
    DeadlineError: Kind.TIMED_OUT,
    StalledError: Kind.STALLED,
}
_STOPPING: Final = frozenset({MigrationState.STOPPING, MigrationState.RESCHEDULE_NODES, MigrationState.ERROR})


def target(job: Job) -> Callable[[MigrationStatus], bool]:
    """Return what tells that the wait may end before the migration does."""
    wish = job.wish
    if wish.wait_for == "started":
        return lambda status: True
    if wish.wait_for == "progress":
        return lambda status: job.record.progress >= (wish.wait_for_percentage or 100)
    return lambda status: False


def follow(job: Job, run: Run, *, listed_before: frozenset[str] | None = None) -> MigrationStatus | None:
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
        patience=job.patience,
        on_status=lambda status: job.take(run, status),
        on_poll=look_for_collision,
    )
    try:
        if listed_before is not None:
            look_for_collision()
        status = waiter.until(target(job))
    except MigrationNotFoundError:
        line = f"migration {run.id} is no longer listed; its nodes are judged by discovery"
        job.tell.warning(line)
        job.settle(run, None)
        job.happened(Kind.UNHEARD, run, line, status=waiter.last)
        return None
    except (InterruptedWaitError, DeadlineError, StalledError) as error:
        raise _ended_early(job, run, waiter, error) from None
    except (EngineGoneError, MigrationError):
        raise
    except OceanMigrationError as error:
        raise _unheard(job, run, waiter, error) from error
    if not status.is_terminal:
        job.record.target_reached = True
        job.reckon()
        job.tell.info(f"migration {run.id} goes on in Ocean: {Progress.of(status).line(waiter.elapsed)}")
        return status
    _ended(job, run, status, waiter.elapsed)
    return status


def stop(job: Job, run: Run, *, terminate_drained_nodes: bool, why: str) -> None:
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
        job.desk.view.changed()
    waiter = Waiter(
        lambda: job.status(run.id),
        scope=job.scope,
        tell=job.tell,
        patience=job.patience,
        on_status=lambda status: job.take(run, status),
    )
    try:
        status = waiter.until(lambda status: False)
    except MigrationNotFoundError:
        job.settle(run, None)
        job.happened(Kind.UNHEARD, run, f"migration {run.id} is no longer listed", status=waiter.last)
        return
    except (InterruptedWaitError, DeadlineError, StalledError) as error:
        msg = f"{error} while migration {run.id} was stopping ({share(waiter.last)}); run it again to wait for the end"
        raise type(error)(msg) from None
    job.settle(run, status)
    line = f"migration {run.id} is {status.state} after {elapsed(waiter.elapsed)}: {share(status)}"
    job.tell.info(line)
    job.happened(ENDS[status.state], run, f"{line} ({why})", status=status, reason=run.stopped_by or "")


def soak(job: Job) -> None:
    """After the end, keep watching: no unscheduled pod, the controller alive; an outage is borne as in a wait.

    Raises MigrationError when it is not calm, a WaitEndedError, or an error of the API.
    """
    record, wish = job.record, job.wish
    latest = record.latest
    if not wish.soak_time or latest is None or latest.status != MigrationState.FINISHED or record.soaked_until:
        return
    heard_at = job.scope.clock()
    until = heard_at + wish.soak_time
    while True:
        pause, left = job.patience.poll_interval, until - job.scope.clock()
        try:
            _judge_soak(job, latest)
        except OUTAGES as error:
            silent = job.scope.clock() - heard_at
            if silent >= job.patience.outage:
                raise
            job.tell.status(f"soaking, no answer for {elapsed(silent)}, trying on: {error}")
        else:
            if left <= 0:
                break
            heard_at, pause = job.scope.clock(), min(left, pause)
            job.tell.status(f"soaking, {elapsed(left)} left")
        job.scope.sleep(pause)
    record.soaked_until = format_time(job.now())


def why_failed(job: Job, run: Run, status: MigrationStatus) -> Failure:
    """Read the reason of a failure from the cluster's log."""
    return why(job.api, job.scope, job.ocean_id, status, job.now(), created_at=run.created_at)


def _ended(job: Job, run: Run, status: MigrationStatus, waited: float) -> None:
    job.settle(run, status)
    after = took(status, waited)
    done = share(status)
    if status.state == MigrationState.FINISHED:
        line = f"migration {run.id} finished after {after}: {done}"
        job.tell.info(line)
        if not job.record.manual:
            job.happened(Kind.FINISHED, run, line, status=status)
            return
        pods = [f"{pod['pod']} on {pod['node']}" for pod in job.record.manual_pods]
        named = some(pods) or some(sorted(job.record.manual))
        left = f"pods that Ocean does not move are left on {counted(len(job.record.manual), 'node')}: {named}"
        job.tell.warning(f"{left}; {_LEFTOVERS[0].lower()}{_LEFTOVERS[1:]}")
        job.happened(Kind.FINISHED, run, f"{line}; {left}", status=status, reason="leftovers", remedy=_LEFTOVERS)
        return
    if status.state == MigrationState.STOPPED:
        if run.stopped_by == "us":
            line = f"migration {run.id} is STOPPED after {after}: {done}"
            job.happened(Kind.STOPPED, run, line, status=status, reason="us")
            return
        run.stopped_by = "others"
        at = f" at {status.stopped_at}" if status.stopped_at else ""
        line = f"migration {run.id} was stopped by someone else{at}, {done}"
        job.happened(Kind.STOPPED, run, line, status=status, reason="others")
        msg = f"{line}; nothing is started again until triggers or nodes change"
        raise MigrationStoppedError(msg)
    failure = why_failed(job, run, status)
    job.record.failure = failure.to_output()
    unmatched = [
        name
        for name in sorted(job.record.remaining)
        if name in job.offered and job.offered[name].virtual_node_group_id is None
    ]
    hint = f" (no Virtual Node Group matches {some(unmatched)})" if unmatched else ""
    line = f"migration {run.id} failed after {after}, {done}: {failure.message}"
    remedy = f"{failure.remedy}{hint}"
    job.happened(Kind.FAILED, run, line, status=status, reason=failure.reason, remedy=remedy)
    msg = f"{line}. {remedy}, then {job.words.again}."
    raise MigrationFailedError(msg)


def _ended_early(job: Job, run: Run, waiter: Waiter, error: OceanMigrationError) -> OceanMigrationError:
    done = share(waiter.last)
    what = str(error)
    if isinstance(error, InterruptedWaitError):
        what = f"interrupted after {elapsed(waiter.elapsed)}"
    elif isinstance(error, DeadlineError):
        what = f"the deadline passed after {elapsed(waiter.elapsed)}"
    if outlasted(error) and job.wish.on_timeout == "stop" and run.origin != ADOPTED_PART:
        try:
            stop(
                job.bounded(STOP_DEADLINE),
                run,
                terminate_drained_nodes=job.wish.terminate_drained_nodes_on_stop,
                why=what,
            )
        except OceanMigrationError as trouble:
            line = f"{what}; stopping migration {run.id} did not succeed: {trouble}"
            job.happened(_EARLY[type(error)], run, line, status=waiter.last)
            return type(error)(line)
        return type(error)(f'{what}; migration {run.id} was stopped (on_timeout="stop"), {done}; {job.words.rest}.')
    job.reckon()
    line = f"{what}; migration {run.id} goes on in Ocean ({done})"
    job.happened(_EARLY[type(error)], run, line, status=waiter.last)
    return type(error)(f"{line}. {job.words.waits}.")


def _unheard(job: Job, run: Run, waiter: Waiter, error: OceanMigrationError) -> OceanMigrationError:
    job.reckon()
    after, done = elapsed(waiter.elapsed), share(waiter.last)
    if isinstance(error, ClusterNotFoundError):
        line = f"after {after} migration {run.id} is gone with its cluster ({done}): {error}"
        job.happened(Kind.UNHEARD, run, line, status=waiter.last)
        return UnheardError(line)
    line = (
        f"after {after} the service could not be asked about migration {run.id} any more: {error}; "
        f"it goes on in Ocean ({done})"
    )
    job.happened(Kind.UNHEARD, run, line, status=waiter.last)
    return UnheardError(f"{line}. {job.words.waits}.")


def _judge_soak(job: Job, run: Run) -> None:
    status = job.api.within(job.scope).get_migration(job.ocean_id, run.id)
    heartbeat = job.desk.view.heartbeat(job.api, job.scope, fresh=True)
    progress = Progress.of(status)
    if progress.unscheduled:
        msg = f"the soak of {run.id} failed: {counted(progress.unscheduled, 'pod')} unscheduled"
        raise MigrationError(msg)
    if not service.is_alive(heartbeat, job.now()):
        msg = f"the soak of {run.id} failed: {service.check_connection(heartbeat, job.now()).line}"
        raise MigrationError(msg)


def _yield_to_older(job: Job, run: Run, listed_before: frozenset[str]) -> None:
    """Stop our own migration when an older one, that was not there before, holds one of its nodes."""
    try:
        if run.created_at is None:
            run.follow(job.status(run.id))
        listed = job.desk.view.migrations(job.api, job.scope, fresh=True)
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
        stop(job, run, terminate_drained_nodes=False, why=f"{other.id} holds {some(shared)} and is older")
        msg = (
            f"migration {other.id} of someone else already moves {some(shared)}; ours, {run.id}, was stopped. Wait for "
            f"its end, or stop it, then {job.words.again}."
        )
        raise DuplicateMigrationError(msg)


def _age(created_at: str | None, migration_id: str) -> tuple[float, str]:
    moment = parse_time(created_at)
    return (moment.timestamp() if moment else float("inf"), migration_id)
