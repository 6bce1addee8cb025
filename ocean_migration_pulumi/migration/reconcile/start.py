"""Start a migration: at most one of the same nodes, however often, and from however many places, it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.common.times import format_time, parse_time
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    ClusterBusyError,
    DeadlineError,
    InterruptedWaitError,
    MigrationError,
    MigrationNotFoundError,
    NoAnswerError,
    OceanMigrationError,
    RateLimitError,
    RequestRejectedError,
    ServiceError,
)
from ocean_migration_pulumi.migration.reconcile.admission import ensure_startable
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import EventKind
from ocean_migration_pulumi.migration.reconcile.waiter import Waiter
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.state.resource_state import STARTED, MigrationRecord, UnansweredStart

LOST_SEARCH: Final = 60.0
"""Seconds for which a start whose answer was lost is looked for in the list."""

_LOOK: Final = 2.0


def start_migration(job: ReconcileContext, work: list[str]) -> tuple[MigrationRecord, frozenset[str] | None] | None:
    """Start a migration of ``work``, or adopt the one that is ours; wait for a foreign one first.

    Returns the run, and the ids that were listed before it was started (None when it was adopted), or None when
    nothing was left to migrate after a foreign migration. Raises what ``may_start`` raises, ClusterBusyError,
    MigrationError, a WaitEndedError, or an error of the API.
    """
    while True:
        with _alone(job):
            job.scope.check()
            listed = job.claims.view.migrations(job.api, job.scope, fresh=True)
            foreign = None
            for status in job.claims.view.running(job.api, job.scope, fresh=True):
                if status.is_terminal:
                    continue
                if job.is_ours(status):
                    return job.adopt(status), None
                foreign = status
            if foreign is None:
                before = frozenset(summary.id for summary in listed)
                run = _post(job, work, before)
                if run is not None:
                    return run, before
        if foreign is not None:
            wait_for_other_migration(job, foreign)
            job.held_by_other_migrations = set()
            still_offered = job.discover()
            job.recompute_outcomes()
            job.report_gone_nodes(set(work) - still_offered.keys() - foreign.instance_ids)
            work = [name for name in work if name in still_offered]
            if not work:
                return None
            ensure_startable(job, work)  # the wait may have been a long one


def find_unanswered_start(job: ReconcileContext) -> MigrationRecord | None:
    """Look for a start whose answer was lost in an earlier run; it is settled either way.

    Its effect may be seen only now: until a minute after the start, none is no answer.
    """
    lost = job.record.unanswered
    if lost is None:
        return None
    until = job.scope.clock() + LOST_SEARCH
    while (found := _match(job, lost)) is None:
        at = parse_time(lost.at)
        if at is None or (job.now() - at).total_seconds() >= LOST_SEARCH or job.scope.clock() >= until:
            break
        job.tell.status("looking for the migration whose answer was lost")
        job.scope.sleep(min(_LOOK, job.poll_policy.poll_interval))
    job.record.unanswered = None
    if found is None:
        job.tell.info("the start whose answer was lost had no effect")
        return None
    # What was asked for may have changed since: only what the service echoes is known of it.
    run = job.adopt(found)
    run.origin = STARTED
    line = f"migration {run.id} had started, although its answer was lost"
    job.tell.info(line)
    job.emit(EventKind.STARTED, run, line, status=found)
    return run


def wait_for_other_migration(job: ReconcileContext, foreign: MigrationStatus) -> None:
    """Wait for a migration that is not ours.

    Raises ClusterBusyError when ``when_busy`` is ``"fail"``, or a WaitEndedError.
    """
    progress = Progress.from_status(foreign)
    named = f"migration {foreign.id} ({progress.done} of {count_noun(progress.total, 'node')} done)"
    if job.spec.when_busy == "fail":
        msg = f'{named} runs on {job.ocean_id} and is not ours; wait for its end, or set when_busy="wait"'
        raise ClusterBusyError(msg)
    job.tell.info(f"waiting for {named}, which is not ours")
    waiter = Waiter(lambda: job.status(foreign.id), scope=job.scope, tell=job.tell, poll_policy=job.poll_policy)
    try:
        waiter.until(lambda status: False)
    except MigrationNotFoundError:
        job.tell.info(f"migration {foreign.id} is no longer listed")
    except InterruptedWaitError:
        msg = f"interrupted while waiting for migration {foreign.id}, which is not ours; nothing was started"
        raise InterruptedWaitError(msg) from None
    except OceanMigrationError as error:
        msg = f"waiting for migration {foreign.id}, which is not ours, ended: {error}; nothing was started"
        raise ClusterBusyError(msg) from error
    job.claims.view.changed()


@contextmanager
def _alone(job: ReconcileContext) -> Iterator[None]:
    """Hold the cluster's lock of this process; waiting for it can be interrupted."""
    while not job.claims.starting.acquire(timeout=0.1):
        job.scope.check()
    try:
        yield
    finally:
        job.claims.starting.release()


def _post(job: ReconcileContext, work: list[str], before: frozenset[str]) -> MigrationRecord | None:
    """Send the one POST. Returns None when the service is busy after all: then the list has to be read again."""
    lost = job.record.unanswered = UnansweredStart(
        listed=sorted(before), instance_ids=sorted(work), at=format_time(job.now())
    )
    job.tell.info(f"starting a migration of {count_noun(len(work), 'node')}")
    try:
        migration_id = job.api.within(job.scope).create_migration(
            job.ocean_id,
            sorted(work),
            **asdict(job.spec.options),
        )
    except AnswerLostError as error:
        job.claims.view.changed()
        return _search(job, lost, error)
    except RequestRejectedError as error:
        job.record.unanswered = None
        job.claims.view.changed()
        if any(not status.is_terminal for status in job.claims.view.running(job.api, job.scope, fresh=True)):
            return None
        msg = f"Ocean refuses to start a migration of {list_some(sorted(work))} on {job.ocean_id}: {error}"
        raise MigrationError(msg) from error
    except OceanMigrationError:
        # Whatever is not told as a lost answer had no effect.
        job.record.unanswered = None
        raise
    finally:
        job.claims.view.changed()
    return _started(job, migration_id, lost.instance_ids)


def _started(
    job: ReconcileContext, migration_id: str, instance_ids: list[str], status: MigrationStatus | None = None
) -> MigrationRecord:
    run = MigrationRecord(
        id=migration_id,
        instance_ids=instance_ids,
        **asdict(job.spec.options),
        triggers_digest=job.spec.triggers_digest,
    )
    job.record.unanswered = None
    if status is not None:
        run.follow(status)
    job.recorded(run)
    line = f"migration {migration_id} of {count_noun(len(instance_ids), 'node')} has started"
    job.tell.info(line)
    job.emit(EventKind.STARTED, run, line, status=status)
    return run


def _search(job: ReconcileContext, lost: UnansweredStart, error: AnswerLostError) -> MigrationRecord:
    """Look for the migration of a lost answer for a minute; there is no second POST."""
    cause = error.__cause__ or error
    job.tell.warning(f"the answer to the start was lost ({cause}); looking for the migration in the list")
    until = job.scope.clock() + LOST_SEARCH
    while job.scope.clock() < until:
        try:
            found = _match(job, lost)
        except (NoAnswerError, ServiceError, RateLimitError):
            found = None
        except (InterruptedWaitError, DeadlineError):
            break
        if found is not None:
            return _started(job, found.id, lost.instance_ids, found)
        try:
            job.scope.sleep(min(_LOOK, job.poll_policy.poll_interval))
        except (InterruptedWaitError, DeadlineError):
            break
    msg = (
        f"the answer to the start of a migration of {count_noun(len(lost.instance_ids), 'node')} was "
        f"lost ({cause}), and "
        f"none has appeared yet: one may have started. {job.words.looks}."
    )
    raise MigrationError(msg) from error


def _match(job: ReconcileContext, lost: UnansweredStart) -> MigrationStatus | None:
    """Find the migration that was not listed before and holds exactly the nodes that were asked for."""
    asked = frozenset(lost.instance_ids)
    for summary in job.claims.view.migrations(job.api, job.scope, fresh=True):
        if summary.id in lost.listed or job.claims.holder(summary.id) not in {None, job.owner}:
            continue
        status = job.status(summary.id)
        if status.instance_ids == asked:
            return status
    return None
