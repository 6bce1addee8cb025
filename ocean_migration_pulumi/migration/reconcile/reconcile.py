"""Adopt or start, converge, stop: what create, update, read and delete of the resource come down to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.common.times import elapsed
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    DeadlineError,
    MigrationNotFoundError,
    PlanError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.reconcile.admission import may_start
from ocean_migration_pulumi.migration.reconcile.context import Job
from ocean_migration_pulumi.migration.reconcile.start import find_unanswered, start
from ocean_migration_pulumi.migration.reconcile.wait import follow, soak, stop, why_failed
from ocean_migration_pulumi.migration.snapshot.snapshot import Preview, look
from ocean_migration_pulumi.migration.spec.planned_nodes import as_reviewed, counted, some, summary, told
from ocean_migration_pulumi.migration.spec.spec import Wish
from ocean_migration_pulumi.migration.state.resource_state import ADOPTED_PART, Record, Run

NEW_CLUSTER: Final = 900.0
"""Seconds that a new cluster's controller may take to report."""

_FLAGS: Final = (
    "should_terminate_drained_nodes",
    "should_evict_stand_alone_pods",
    "force_pod_eviction_on_pdb_failure",
)

DEADLINE: Final = 3000.0
"""Seconds for create and update without custom timeouts: below a CI job's hour, for a wait resumes."""

DELETE_DEADLINE: Final = 900.0
"""Seconds for delete without custom timeouts."""


def converge(job: Job, *, unplanned: str | None = None) -> None:
    """Bring about what the wish asks for: wait for what runs, follow up what remains, start at most one migration.

    ``unplanned`` is why a changed selection has no plan yet: nothing is done then, so that the change stays pending.
    The record is true at every moment, so whoever catches the error saves it. Raises an OceanMigrationError.
    """
    record, wish = job.record, job.wish
    if unplanned is not None:
        msg = f"the changed nodes could not be planned: {unplanned}; nothing was done, run `pulumi up` again"
        raise PlanError(msg)
    record.failure = None
    triggered = _triggered(job)
    asks_again = triggered or _selects_otherwise(job)
    turned_on = _evict_turned_on(record, wish)
    if wish.planned_nodes is not None:
        job.reviewed = as_reviewed(wish.planned_nodes, record.planned)
        record.planned = dict(wish.planned_nodes)
    elif job.creating:
        _plan_now(job)
    job.desk.plan(job.owner, record.planned)
    job.desk.hold(job.owner, [run.id for run in record.runs])
    find_unanswered(job)
    running = {run.id for run in record.runs if not run.ended}
    job.catch_up()
    _resume(job)
    _excuse(job, running)
    latest = record.latest
    if latest is not None and not latest.ended:
        _finish(job)
        return
    work = _work(job, again=triggered, manual=turned_on)
    if work and latest is not None and latest.stopped_by == "others" and not asks_again:
        at = f" at {latest.stopped_at}" if latest.stopped_at else ""
        job.tell.warning(
            f"migration {latest.id} was stopped by someone else{at}; {told(len(work), 'node', 'remain')} until "
            "triggers or nodes change"
        )
        _finish(job)
        return
    if work:
        may_start(job, work)
        started = start(job, work)
        if started is not None:
            run, before = started
            status = follow(job, run, listed_before=before)
            if status is not None and status.is_terminal and before is None:
                _follow_up(job)
    soak(job)
    _finish(job)


def refresh(job: Job) -> bool:
    """Bring the record up to what the service says; return False when the cluster is gone."""
    try:
        job.desk.view.cluster(job.api, job.scope, fresh=True)
        job.catch_up_recorded()
    except ClusterNotFoundError:
        return False
    latest = job.record.latest
    if not job.record.remaining and (latest is None or latest.ended):
        job.record.failure = None
    failed = latest is not None and latest.status == MigrationState.FINISHED_ERROR and bool(job.record.remaining)
    if latest is not None and failed and job.record.failure is None:
        job.record.failure = why_failed(job, latest, job.status(latest.id)).to_output()
    return True


def destroy(job: Job) -> None:
    """Stop what runs and is ours, and wait for its end; a cluster that is gone is success."""
    try:
        _stop_all(job)
    except ClusterNotFoundError:
        job.tell.info(f"cluster {job.ocean_id} is gone; nothing runs there any more")
        return
    if job.record.migrated:
        job.tell.info(f"the workloads of {counted(len(job.record.migrated), 'node')} stay on Ocean's nodes")


def _stop_all(job: Job) -> None:
    # A replacement under the same name was created first: what it took is its own.
    job.taken_by_others = job.desk.taken
    job.desk.plan(job.owner, ())
    find_unanswered(job)
    job.catch_up()
    for run in job.record.runs:
        if run.ended:
            continue
        if run.id in job.taken_by_others or job.desk.holder(run.id) not in {None, job.owner}:
            job.tell.info(f"migration {run.id} is left to the resource that has adopted it")
            continue
        if run.origin == ADOPTED_PART:
            job.tell.warning(f"migration {run.id} also holds nodes that were not planned; it is left alone and goes on")
            continue
        stop(
            job,
            run,
            terminate_drained_nodes=job.wish.terminate_drained_nodes_on_stop,
            why="the resource is destroyed",
        )


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Why there is something to do although no input changed."""

    why: str


def unfinished(record: Record, wish: Wish) -> Unfinished | None:
    """Tell from the outputs alone whether work is left; None when there is none."""
    latest = record.latest
    if record.unanswered is not None:
        return Unfinished("a migration may have started whose id is not known yet")
    if latest is not None and not latest.ended:
        return None if record.target_reached else Unfinished(f"migration {latest.id} was still running")
    # After FINISHED something remains only when a follow-up could not be started, and that is a failure.
    finished = latest is not None and latest.status == MigrationState.FINISHED and record.failure is None
    stopped = latest is not None and latest.stopped_by == "others"
    if record.remaining and not finished and not stopped:
        ended = f" after {latest.id} ({latest.status})" if latest else ""
        return Unfinished(f"{told(len(record.remaining), 'node', 'remain')}{ended}")
    if wish.soak_time and latest is not None and latest.status == MigrationState.FINISHED and not record.soaked_until:
        return Unfinished("the soak has not passed")
    return None


def left_by_killed_run(job: Job) -> Unfinished | None:
    """Look for migrations of ours that the outputs do not know: their run was killed, or an older state restored."""
    job.desk.hold(job.owner, [run.id for run in job.record.runs])
    if job.wish.planned_nodes is not None:
        job.record.planned = dict(job.wish.planned_nodes)
    job.desk.plan(job.owner, job.record.planned)
    found = job.unrecorded(fresh=False)
    return Unfinished(f"migration {found[-1].id} is ours, and the state does not know it") if found else None


def reminders(record: Record) -> list[str]:
    """Return what a preview has to say of the last run."""
    latest = record.latest
    if latest is None or not record.remaining:
        return []
    left = told(len(record.remaining), "node", "remain")
    if latest.stopped_by == "others":
        return [f"migration {latest.id} was stopped by someone else; {left} until triggers or nodes change"]
    if latest.status == MigrationState.FINISHED_ERROR and record.failure is not None:
        return [f"migration {latest.id} failed: {record.failure.get('message', '')}; {left}"]
    return []


def _plan_now(job: Job) -> None:
    """Plan in the run itself, because the preview could not."""
    _await_controller(job)
    preview = Preview()
    sight = look(job.api, job.desk, job.scope, job.wish, job.sources)
    if refusal := planner.wrong_cluster(sight) or planner.unjudged_labels(sight, job.wish):
        msg = f"{refusal}; nothing was started"
        raise PlanError(msg)
    planned = planner.plan_nodes(
        preview, job.api, job.desk, job.scope, owner=job.owner, sight=sight, wish=job.wish, old=None
    )
    if preview.problems:
        raise PlanError("; ".join(str(problem) for problem in preview.problems))
    for line in preview.warnings:
        job.tell.warning(line)
    job.record.planned = planned
    job.tell.info(summary(planned, sight.offered, sight.active, job.wish.batch_size_percentage))


def _await_controller(job: Job) -> None:
    """Wait until a new cluster's controller reports and discovery has come to rest."""
    view, interval = job.desk.view, job.patience.poll_interval
    if not service.never_reported(view.heartbeat(job.api, job.scope, fresh=True)):
        return
    bounded = job.scope.at_most(NEW_CLUSTER)
    begun = bounded.clock()
    seen: frozenset[tuple[str, str | None]] | None = None
    try:
        while True:
            heartbeat = view.heartbeat(job.api, bounded, fresh=True)
            if heartbeat.status == "ACTIVE" and not service.never_reported(heartbeat):
                found = view.candidates(job.api, bounded, fresh=True)
                now_seen = frozenset((node.instance_id, node.virtual_node_group_id) for node in found)
                if now_seen == seen:
                    return
                seen = now_seen
                job.tell.status(f"new cluster {job.ocean_id}: {counted(len(found), 'node')} seen, waiting for all")
                bounded.sleep(2 * interval)
            else:
                waited = elapsed(bounded.clock() - begun)
                job.tell.status(f"waiting for the Ocean Controller of {job.ocean_id} to report, {waited}")
                bounded.sleep(interval)
    except DeadlineError:
        msg = (
            f"the Ocean Controller of {job.ocean_id} has not reported for {elapsed(bounded.clock() - begun)}; make "
            "sure that it runs in the cluster, then run `pulumi up` again"
        )
        raise PlanError(msg) from None


def _selects_otherwise(job: Job) -> bool:
    """Tell whether the selector differs from the one that was last acted upon."""
    before = job.recorded_selector()
    return not job.creating and before is not None and not job.wish.nodes.same_wish(before)


def _triggered(job: Job) -> bool:
    """Tell whether the triggers differ from those that were last acted upon."""
    recorded = Wish(triggers=tuple(job.record.triggers)).triggers_digest
    return not job.creating and job.wish.triggers_digest != recorded


def _evict_turned_on(record: Record, wish: Wish) -> bool:
    latest = record.latest
    return wish.should_evict_stand_alone_pods and latest is not None and latest.should_evict_stand_alone_pods is False


def _resume(job: Job) -> None:
    """Wait for what still goes on, or stop it when it does what is no longer wanted."""
    for run in [run for run in job.record.runs if not run.ended]:
        reason = _unwanted(job, run)
        if reason and run.origin != ADOPTED_PART:
            stop(job, run, terminate_drained_nodes=job.wish.terminate_drained_nodes_on_stop, why=reason)
            continue
        if reason:
            job.tell.warning(f"migration {run.id} also holds nodes that are not planned, so it goes on: {reason}")
        elif _options_differ(run, job.wish):
            job.tell.warning(f"migration {run.id} goes on with the options it was started with")
        follow(job, run)


def _excuse(job: Job, running: set[str]) -> None:
    """Take a stop that this run would have asked for as ours: a killed one may have done so already."""
    latest = job.record.latest
    if latest is not None and latest.id in running and latest.stopped_by == "others" and _unwanted(job, latest):
        latest.stopped_by = "us"


def _unwanted(job: Job, run: Run) -> str | None:
    """Return why a running migration may not go on; None when it may."""
    wish = job.wish
    for name in _FLAGS:
        if getattr(run, name) is True and not getattr(wish, name):
            return f"{name} is now false"
    try:
        status = job.status(run.id)
    except MigrationNotFoundError:
        return None
    excluded = sorted(
        node.instance_id
        for node in status.old_instances
        if node.instance_id not in job.record.planned and wish.nodes.contradicts(node)
    )
    return f"{some(excluded)} is no longer selected" if excluded else None


def _options_differ(run: Run, wish: Wish) -> bool:
    pairs = (
        (run.batch_size_percentage, wish.batch_size_percentage),
        (run.should_terminate_drained_nodes, wish.should_terminate_drained_nodes),
        (run.should_evict_stand_alone_pods, wish.should_evict_stand_alone_pods),
        (run.force_pod_eviction_on_pdb_failure, wish.force_pod_eviction_on_pdb_failure),
    )
    return any(before is not None and before != now for before, now in pairs)


def _work(job: Job, *, again: bool, manual: bool) -> list[str]:
    """Return the nodes to migrate now, and warn of those that are gone."""
    record = job.record
    offered = job.discover()
    gone = record.planned.keys() - record.migrated - record.manual - offered.keys()
    if gone:
        job.look_for_others()
        gone -= job.held_by_others
    job.reckon()
    work = set(record.remaining)
    job.tell_gone(gone)
    if again:
        # What a killed run has already taken again is not taken a third time.
        taken_again = {
            name
            for name in record.planned.keys() - job.adopted_now
            if name in offered and offered[name].running_pods != 0
        }
        record.migrated -= taken_again
        record.manual -= taken_again
        work |= taken_again
    if manual:
        retried = {name for name in record.manual if name in offered}
        record.manual -= retried
        work |= retried
    unmatched = job.skipped
    if unmatched:
        job.tell.warning(f"skipped, no Virtual Node Group matches: {some(sorted(unmatched))}")
        work -= unmatched
    record.remaining = set(work)
    return sorted(work)


def _follow_up(job: Job) -> None:
    """Migrate what an adopted migration left: still the only migration that this run starts."""
    work = _work(job, again=False, manual=False)
    if not work:
        return
    may_start(job, work)
    started = start(job, work)
    if started is not None:
        run, before = started
        follow(job, run, listed_before=before)


def _finish(job: Job) -> None:
    """Say where things stand, and note that the present wish has been acted upon."""
    record = job.record
    job.acted()
    if not record.planned:
        job.tell.warning("no node matched; nothing was migrated")
        return
    drained = sorted(record.drained & record.planned.keys())
    parts = [f"{len(record.migrated & record.planned.keys())} of {counted(len(record.planned), 'node')} migrated"]
    if drained:
        parts.append(f"{told(len(drained), 'drained node', 'stay')}, cordoned and billed")
    job.tell.info(", ".join(parts))
