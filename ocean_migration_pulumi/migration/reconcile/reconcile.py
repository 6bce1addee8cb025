"""Adopt or start, converge, stop: what create, update, read and delete of the resource come down to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    DeadlineError,
    MigrationNotFoundError,
    PlanError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.planning.findings_text import render_cause, render_line
from ocean_migration_pulumi.migration.planning.plan_report import summarize_plan
from ocean_migration_pulumi.migration.reconcile.admission import ensure_startable
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.start import find_unanswered_start, start_migration
from ocean_migration_pulumi.migration.reconcile.wait import find_failure, soak, stop_migration, wait_for_migration
from ocean_migration_pulumi.migration.snapshot.snapshot import take_snapshot
from ocean_migration_pulumi.migration.spec.diagnostic import UnplannedCause
from ocean_migration_pulumi.migration.spec.options import MigrationOptions
from ocean_migration_pulumi.migration.spec.planned_nodes import restore_reviewed_entries
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.resource_state import ADOPTED_PART, MigrationRecord, ResourceState

NEW_CLUSTER: Final = 900.0
"""Seconds that a new cluster's controller may take to report."""

DEADLINE: Final = 3000.0
"""Seconds for create and update without custom timeouts: below a CI job's hour, for a wait resumes."""

DELETE_DEADLINE: Final = 900.0
"""Seconds for delete without custom timeouts."""


def reconcile(job: ReconcileContext, *, unplanned: str | None = None) -> None:
    """Bring about what the wish asks for: wait for what runs, follow up what remains, start at most one migration.

    ``unplanned`` is why a changed selection has no plan yet: nothing is done then, so that the change stays pending.
    The record is true at every moment, so whoever catches the error saves it. Raises an OceanMigrationError.
    """
    record, spec = job.record, job.spec
    if unplanned is not None:
        msg = f"the changed nodes could not be planned: {unplanned}; nothing was done, run `pulumi up` again"
        raise PlanError(msg)
    record.failure = None
    triggered = _triggered(job)
    asks_again = triggered or _selects_otherwise(job)
    turned_on = _evict_turned_on(record, spec)
    if spec.planned_nodes is not None:
        job.reviewed = restore_reviewed_entries(spec.planned_nodes, record.planned)
        record.planned = dict(spec.planned_nodes)
    elif job.creating:
        _plan_now(job)
    job.claims.plan(job.owner, record.planned)
    job.claims.hold(job.owner, [run.id for run in record.runs])
    find_unanswered_start(job)
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
            f"migration {latest.id} was stopped by someone else{at}; "
            f"{count_with_verb(len(work), 'node', 'remain')} until "
            "triggers or nodes change"
        )
        _finish(job)
        return
    if work:
        ensure_startable(job, work)
        started = start_migration(job, work)
        if started is not None:
            run, before = started
            status = wait_for_migration(job, run, listed_before=before)
            if status is not None and status.is_terminal and before is None:
                _follow_up(job)
    soak(job)
    _finish(job)


def refresh(job: ReconcileContext) -> bool:
    """Bring the record up to what the service says; return False when the cluster is gone."""
    try:
        job.claims.view.cluster(job.api, job.scope, fresh=True)
        job.catch_up_recorded()
    except ClusterNotFoundError:
        return False
    latest = job.record.latest
    if not job.record.remaining and (latest is None or latest.ended):
        job.record.failure = None
    failed = latest is not None and latest.status == MigrationState.FINISHED_ERROR and bool(job.record.remaining)
    if latest is not None and failed and job.record.failure is None:
        job.record.failure = find_failure(job, latest, job.status(latest.id)).to_output()
    return True


def destroy(job: ReconcileContext) -> None:
    """Stop what runs and is ours, and wait for its end; a cluster that is gone is success."""
    try:
        _stop_all(job)
    except ClusterNotFoundError:
        job.tell.info(f"cluster {job.ocean_id} is gone; nothing runs there any more")
        return
    if job.record.migrated:
        job.tell.info(f"the workloads of {count_noun(len(job.record.migrated), 'node')} stay on Ocean's nodes")


def _stop_all(job: ReconcileContext) -> None:
    # A replacement under the same name was created first: what it took is its own.
    job.claimed_by_other_calls = job.claims.taken
    job.claims.plan(job.owner, ())
    find_unanswered_start(job)
    job.catch_up()
    for run in job.record.runs:
        if run.ended:
            continue
        if run.id in job.claimed_by_other_calls or job.claims.holder(run.id) not in {None, job.owner}:
            job.tell.info(f"migration {run.id} is left to the resource that has adopted it")
            continue
        if run.origin == ADOPTED_PART:
            job.tell.warning(f"migration {run.id} also holds nodes that were not planned; it is left alone and goes on")
            continue
        stop_migration(
            job,
            run,
            terminate_drained_nodes=job.spec.terminate_drained_nodes_on_stop,
            why="the resource is destroyed",
        )


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Why there is something to do although no input changed."""

    why: str


def find_unfinished(record: ResourceState, spec: MigrationSpec) -> Unfinished | None:
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
        return Unfinished(f"{count_with_verb(len(record.remaining), 'node', 'remain')}{ended}")
    if spec.soak_time and latest is not None and latest.status == MigrationState.FINISHED and not record.soaked_until:
        return Unfinished("the soak has not passed")
    return None


def find_left_by_killed_run(job: ReconcileContext) -> Unfinished | None:
    """Look for migrations of ours that the outputs do not know: their run was killed, or an older state restored."""
    job.claims.hold(job.owner, [run.id for run in job.record.runs])
    if job.spec.planned_nodes is not None:
        job.record.planned = dict(job.spec.planned_nodes)
    job.claims.plan(job.owner, job.record.planned)
    found = job.unrecorded(fresh=False)
    return Unfinished(f"migration {found[-1].id} is ours, and the state does not know it") if found else None


def collect_reminders(record: ResourceState) -> list[str]:
    """Return what a preview has to say of the last run."""
    latest = record.latest
    if latest is None or not record.remaining:
        return []
    left = count_with_verb(len(record.remaining), "node", "remain")
    if latest.stopped_by == "others":
        return [f"migration {latest.id} was stopped by someone else; {left} until triggers or nodes change"]
    if latest.status == MigrationState.FINISHED_ERROR and record.failure is not None:
        return [f"migration {latest.id} failed: {record.failure.get('message', '')}; {left}"]
    return []


def _plan_now(job: ReconcileContext) -> None:
    """Plan in the run itself, because the preview could not."""
    _await_controller(job)
    snapshot = take_snapshot(job.api, job.claims, job.scope, job.spec, job.sources)
    if refusal := planner.refuse_wrong_cluster(snapshot):
        msg = f"{refusal}; nothing was started"
        raise PlanError(msg)
    if planner.are_labels_unknown(snapshot, job.spec):
        unplanned = planner.report_unplanned(UnplannedCause.NO_LABELS, snapshot.facts.absent)
        msg = f"{render_cause(unplanned)}; nothing was started"
        raise PlanError(msg, (unplanned,))
    preview = planner.plan_nodes(
        job.api, job.claims, job.scope, owner=job.owner, snapshot=snapshot, spec=job.spec, old=None
    )
    if preview.planned is None:
        raise PlanError("; ".join(str(problem) for problem in preview.problems))
    for diagnostic in preview.diagnostics:
        job.tell.warning(render_line(diagnostic))
    job.record.planned = preview.planned
    summary = summarize_plan(preview.planned, snapshot.offered, snapshot.active, job.spec.batch_size_percentage)
    job.tell.info(render_line(summary))


def _await_controller(job: ReconcileContext) -> None:
    """Wait until a new cluster's controller reports and discovery has come to rest."""
    view, interval = job.claims.view, job.poll_policy.poll_interval
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
                job.tell.status(f"new cluster {job.ocean_id}: {count_noun(len(found), 'node')} seen, waiting for all")
                bounded.sleep(2 * interval)
            else:
                waited = format_elapsed(bounded.clock() - begun)
                job.tell.status(f"waiting for the Ocean Controller of {job.ocean_id} to report, {waited}")
                bounded.sleep(interval)
    except DeadlineError:
        msg = (
            f"the Ocean Controller of {job.ocean_id} has not reported for "
            f"{format_elapsed(bounded.clock() - begun)}; make "
            "sure that it runs in the cluster, then run `pulumi up` again"
        )
        raise PlanError(msg) from None


def _selects_otherwise(job: ReconcileContext) -> bool:
    """Tell whether the selector differs from the one that was last acted upon."""
    before = job.recorded_selector()
    return not job.creating and before is not None and not job.spec.nodes.is_same_selection(before)


def _triggered(job: ReconcileContext) -> bool:
    """Tell whether the triggers differ from those that were last acted upon."""
    recorded = MigrationSpec(triggers=tuple(job.record.triggers)).triggers_digest
    return not job.creating and job.spec.triggers_digest != recorded


def _evict_turned_on(record: ResourceState, spec: MigrationSpec) -> bool:
    latest = record.latest
    return spec.should_evict_stand_alone_pods and latest is not None and latest.should_evict_stand_alone_pods is False


def _resume(job: ReconcileContext) -> None:
    """Wait for what still goes on, or stop it when it does what is no longer wanted."""
    for run in [run for run in job.record.runs if not run.ended]:
        reason = _unwanted(job, run)
        if reason and run.origin != ADOPTED_PART:
            stop_migration(job, run, terminate_drained_nodes=job.spec.terminate_drained_nodes_on_stop, why=reason)
            continue
        if reason:
            job.tell.warning(f"migration {run.id} also holds nodes that are not planned, so it goes on: {reason}")
        elif job.spec.options.differs_from(MigrationOptions.from_attributes(run)):
            job.tell.warning(f"migration {run.id} goes on with the options it was started with")
        wait_for_migration(job, run)


def _excuse(job: ReconcileContext, running: set[str]) -> None:
    """Take a stop that this run would have asked for as ours: a killed one may have done so already."""
    latest = job.record.latest
    if latest is not None and latest.id in running and latest.stopped_by == "others" and _unwanted(job, latest):
        latest.stopped_by = "us"


def _unwanted(job: ReconcileContext, run: MigrationRecord) -> str | None:
    """Return why a running migration may not go on; None when it may."""
    spec = job.spec
    for name, wanted in spec.options.flags.items():
        if getattr(run, name) is True and not wanted:
            return f"{name} is now false"
    try:
        status = job.status(run.id)
    except MigrationNotFoundError:
        return None
    excluded = sorted(
        node.instance_id
        for node in status.old_instances
        if node.instance_id not in job.record.planned and spec.nodes.contradicts(node)
    )
    return f"{list_some(excluded)} is no longer selected" if excluded else None


def _work(job: ReconcileContext, *, again: bool, manual: bool) -> list[str]:
    """Return the nodes to migrate now, and warn of those that are gone."""
    record = job.record
    offered = job.discover()
    gone = record.planned.keys() - record.migrated - record.manual - offered.keys()
    if gone:
        job.find_nodes_held_by_others()
        gone -= job.held_by_other_migrations
    job.recompute_outcomes()
    work = set(record.remaining)
    job.report_gone_nodes(gone)
    if again:
        # What a killed run has already taken again is not taken a third time.
        taken_again = {
            name
            for name in record.planned.keys() - job.newly_adopted
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
        job.tell.warning(f"skipped, no Virtual Node Group matches: {list_some(sorted(unmatched))}")
        work -= unmatched
    record.remaining = set(work)
    return sorted(work)


def _follow_up(job: ReconcileContext) -> None:
    """Migrate what an adopted migration left: still the only migration that this run starts."""
    work = _work(job, again=False, manual=False)
    if not work:
        return
    ensure_startable(job, work)
    started = start_migration(job, work)
    if started is not None:
        run, before = started
        wait_for_migration(job, run, listed_before=before)


def _finish(job: ReconcileContext) -> None:
    """Say where things stand, and note that the present wish has been acted upon."""
    record = job.record
    job.acted()
    if not record.planned:
        job.tell.warning("no node matched; nothing was migrated")
        return
    drained = sorted(record.drained & record.planned.keys())
    parts = [f"{len(record.migrated & record.planned.keys())} of {count_noun(len(record.planned), 'node')} migrated"]
    if drained:
        parts.append(f"{count_with_verb(len(drained), 'drained node', 'stay')}, cordoned and billed")
    job.tell.info(", ".join(parts))
