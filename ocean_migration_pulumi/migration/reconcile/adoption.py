"""Find the migrations of a resource, and record them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import parse_time, sort_key
from ocean_migration_pulumi.errors import (
    DeadlineError,
    InterruptedWaitError,
    MigrationNotFoundError,
    OceanMigrationError,
)
from ocean_migration_pulumi.migration.planning.plan_report import report_adoption
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import ENDS, EventKind, emit
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy, Waiter, watch_list
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.snapshot import has_same_flags
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.state.migration_record import (
    ADOPTED,
    ADOPTED_PART,
    BRAKE,
    STARTED,
    MigrationRecord,
    UnansweredStart,
)
from ocean_migration_pulumi.migration.state.phases import describe_share

LOST_SEARCH: Final = 60.0
"""Seconds for which a start whose answer was lost is looked for in the list."""

_LOST_INTERVAL: Final = 2.0


def is_ours(context: ReconcileContext, status: MigrationStatus) -> bool:
    """Tell whether this resource must have started a migration that its state does not know.

    At least one of its nodes is planned, every other one is too (or, in the first run, is no longer offered and nothing
    known of it contradicts the selector), its flags are ours as far as the service echoes them, and no other resource
    of this process claims it.
    """
    ids, planned = status.instance_ids, context.state.planned
    if not ids & planned.keys() or not has_same_flags(status, context.spec):
        return False
    if status.id in context.claimed_by_other_calls:
        return False
    if context.claims.someone_else_claims(context.owner, status.id, ids):
        return False
    rest = [node for node in status.old_instances if node.instance_id not in planned]
    if not rest:
        return True
    return context.creating and not any(
        node.instance_id in context.offered or context.spec.nodes.contradicts(node) for node in rest
    )


def record_migration(context: ReconcileContext, migration: MigrationRecord) -> None:
    """Record a migration of ours, and that the present selector and triggers have been acted upon."""
    state = context.state
    state.add(migration)
    if state.unanswered is not None and state.unanswered.migration_id == migration.id:
        state.unanswered = None
    context.mark_acted_upon()
    context.claims.take_over(context.owner, migration.id)


def adopt(context: ReconcileContext, status: MigrationStatus) -> MigrationRecord:
    """Record a migration of ours that the state did not know; its batch size and force stay unknown."""
    migration = MigrationRecord(
        id=status.id,
        origin=ADOPTED if status.instance_ids <= context.state.planned.keys() else ADOPTED_PART,
        instance_ids=sorted(status.instance_ids),
        should_terminate_drained_nodes=status.should_terminate_drained_nodes,
        should_evict_stand_alone_pods=status.should_evict_stand_alone_pods,
        triggers_digest=context.spec.triggers_digest,
    )
    migration.update(status)
    record_migration(context, migration)
    context.newly_adopted |= status.instance_ids
    context.state.update(status)
    return migration


def find_unrecorded(context: ReconcileContext, *, fresh: bool = True) -> list[MigrationStatus]:
    """Return the migrations of ours that the state does not know, oldest first: those of a run that was killed.

    Only those that are newer than the newest one that the state knows can be.
    """
    cache, recorded = context.claims.cache, context.state.migrations
    known = {migration.id for migration in recorded}
    newest = _newest_known(context)
    newer = {
        summary.id
        for summary in cache.migrations(context.api, context.scope, fresh=fresh)
        if summary.id not in known and _is_newer(summary, newest)
    }
    if not newer:
        return []
    recent = cache.recent(context.api, context.scope)
    found = [status for status in recent if status.id in newer and is_ours(context, status)]
    return sorted(found, key=lambda status: (sort_key(status.created_at), status.id))


def _newest_known(context: ReconcileContext) -> datetime | None:
    """Return when the newest migration that the state knows was created; None when none tells."""
    times = (parse_time(migration.created_at) for migration in context.state.migrations)
    return max(filter(None, times), default=None)


def _is_newer(migration: MigrationSummary | MigrationStatus, newest: datetime | None) -> bool:
    """Tell whether a migration may be newer than a time; without either time it may."""
    created_at = parse_time(migration.created_at)
    return newest is None or created_at is None or created_at > newest


def find_left_by_killed_run(context: ReconcileContext) -> Diagnostic | None:
    """Look for migrations of ours that the state does not know: their run was killed, or an older state restored.

    One that has ended has nothing to tell of nodes that are migrated, gone or manual: only other inputs ask for those
    again, which are a difference by themselves. It may be another user's, which held the nodes at the same time.

    Returns:
        The announcement that `pulumi up` adopts the latest one; None when there is none.
    """
    state, claims = context.state, context.claims
    claims.hold(context.owner, [migration.id for migration in state.migrations])
    if context.spec.planned_nodes is not None:
        state.planned = dict(context.spec.planned_nodes)
    claims.plan(context.owner, state.planned)
    for migration in find_running_again(context):
        whole = migration.origin != ADOPTED_PART
        return report_adoption(migration.id, migration.instance_ids, pending=True, ended=False, whole=whole)
    final = (state.migrated - state.unverified) | state.gone | state.manual
    unrecorded = find_unrecorded(context, fresh=False)
    found = [status for status in unrecorded if not (status.is_terminal and status.instance_ids <= final)]
    if not found:
        return None
    return report_adoption(
        found[-1].id,
        found[-1].instance_ids,
        pending=True,
        ended=found[-1].is_terminal,
        whole=found[-1].instance_ids <= state.planned.keys(),
    )


def find_running_again(context: ReconcileContext) -> list[MigrationRecord]:
    """Return the migrations in the state that had ended, and that run by what the list and their status say now."""
    cache, api, scope = context.claims.cache, context.api, context.scope
    ended = {
        migration.id: migration for migration in context.state.migrations if migration.ended and not migration.lost
    }
    found = []
    if ended:
        with suppress(OceanMigrationError):  # their ends were confirmed: what cannot be asked now changes nothing
            for summary in cache.migrations(api, scope):
                is_listed = summary.id in ended and not summary.is_terminal
                if is_listed and not cache.status(api, scope, summary.id, fresh=True).is_terminal:
                    found.append(ended[summary.id])
    return found


def describe_adopted(migration: MigrationRecord) -> Diagnostic:
    """Return the announcement of a migration that was adopted."""
    whole = migration.origin != ADOPTED_PART
    return report_adoption(migration.id, migration.instance_ids, pending=False, ended=migration.ended, whole=whole)


def announce_adopted(context: ReconcileContext, migration: MigrationRecord) -> None:
    """Tell whoever watches of a migration that was adopted."""
    say = context.reporter.info if migration.ended else context.reporter.warning
    say(render(describe_adopted(migration)))


def find_hidden(context: ReconcileContext) -> set[str]:
    """Return the nodes that remain and that discovery does not return, although no known migration holds them."""
    state = context.state
    held = {name for migration in state.migrations if not migration.ended for name in migration.instance_ids}
    return state.remaining - context.offered.keys() - held - context.held_by_other_migrations


def await_unlisted(context: ReconcileContext) -> bool:
    """Wait until the list has a migration of ours that the state does not know, for a minute; return whether it has.

    A killed run may have started one, and the list may lag. Only nodes that discovery does not return can be its own.
    """
    if context.offered.keys() >= context.state.planned.keys() - context.state.terminated - context.state.gone:
        return False
    return watch_list(
        lambda: bool(find_unrecorded(context)),
        bool,
        now=context.now,
        scope=context.scope,
        reporter=context.reporter,
        policy=context.poll_policy,
        line="looking for a migration that a killed run may have started",
    )


def find_unanswered_start(context: ReconcileContext) -> None:
    """Look for a start whose answer an earlier run has lost or not saved, and adopt its migration; it is settled.

    The service may list it late: only a minute after the start its absence means that it had no effect.
    """
    lost = context.state.unanswered
    if lost is None:
        return
    if lost.is_recalled:
        for status in find_unrecorded(context):
            if lost.has_started(status):
                _note_found(context, lost, status.id)  # it is adopted as any other that the state does not know
                return
    waiter = _waiter_for_lost(context, lost, context.scope, outage=0.0)
    started_at = parse_time(lost.at)

    def is_over(found: MigrationStatus | None) -> bool:
        age = float("inf") if started_at is None else (context.now() - started_at).total_seconds()
        return found is not None or max(age, waiter.elapsed) >= LOST_SEARCH

    found = waiter.until(is_over)
    if found is None or (lost.is_recalled and _is_no_longer_wanted(context, found)):
        context.state.unanswered = None
        context.note_start(None)
        if found is None:
            context.reporter.info("the start that got no response had no effect")
        return
    _note_found(context, lost, found.id)
    # The inputs may have changed since: only what the service echoes is known of it.
    migration = adopt(context, found)
    migration.origin = ADOPTED if lost.is_recalled else STARTED
    announce_adopted(context, migration)
    emit(context, EventKind.STARTED, migration, render(describe_adopted(migration)), status=found)
    if migration.ended:
        migration.status = MigrationState.STARTING  # until its end is confirmed it is waited for


def _is_no_longer_wanted(context: ReconcileContext, status: MigrationStatus) -> bool:
    """Tell whether a migration that a killed run had started, of other nodes than those of the plan, is nobody's now.

    It has ended, and the selector does not name its nodes, or a later migration has followed. One of selected nodes is
    ours: they are not planned because discovery does not return what has been migrated.
    """
    if not context.confirm_ends([status]):
        return False
    return not _is_newer(status, _newest_known(context)) or any(
        map(context.spec.nodes.contradicts, status.old_instances)
    )


def _note_found(context: ReconcileContext, start: UnansweredStart, migration_id: str) -> None:
    """Note the migration of a start: should the run end before it is recorded, the next one knows its id."""
    context.state.unanswered = replace(start, migration_id=migration_id)
    context.note_start(context.state.unanswered)


def search_lost_start(context: ReconcileContext, lost: UnansweredStart) -> MigrationStatus | None:
    """Look for the migration of a start whose answer was lost, for a minute; None when it does not appear by then."""
    scope = context.scope.at_most(LOST_SEARCH)
    try:
        return _waiter_for_lost(context, lost, scope, outage=float("inf")).until(lambda found: found is not None)
    except (InterruptedWaitError, DeadlineError):
        return None


def _waiter_for_lost(
    context: ReconcileContext, lost: UnansweredStart, scope: CancelScope, *, outage: float
) -> Waiter[MigrationStatus | None]:
    interval = min(_LOST_INTERVAL, context.poll_policy.poll_interval)
    return Waiter(
        lambda: _find_lost(context, lost),
        scope=scope,
        reporter=context.reporter,
        policy=PollPolicy(poll_interval=interval, outage=outage),
        describe=lambda _: "looking for a migration whose start got no response",
    )


def _find_lost(context: ReconcileContext, lost: UnansweredStart) -> MigrationStatus | None:
    """Return the migration that was not listed before and holds exactly the nodes that were asked for."""
    known = {migration.id for migration in context.state.migrations} | context.claimed_by_other_calls
    if lost.migration_id is not None and lost.migration_id not in known:
        with suppress(MigrationNotFoundError):  # the list may not have it yet
            status = context.fetch_status(lost.migration_id)
            return status if lost.has_started(status) else None
    for summary in context.claims.cache.migrations(context.api, context.scope, fresh=True):
        if summary.id in known | {*lost.listed} or context.claims.holder(summary.id) not in {None, context.owner}:
            continue
        try:
            status = context.fetch_status(summary.id)
        except MigrationNotFoundError:
            continue  # the list has it: the next look asks again
        if lost.has_started(status):
            return status
    return None


def is_unlisted(api: OceanApi, claims: ClusterClaims, scope: CancelScope, start: UnansweredStart) -> bool:
    """Tell whether the list may not have the migration of a start yet: it lags for a minute at most.

    Raises:
        OceanMigrationError: The service cannot be asked.
        OperationCancelled: Whoever asked for the operation wants it no more.
    """
    at = parse_time(start.at)
    if at is None or (api.server_now() - at).total_seconds() >= LOST_SEARCH:
        return False
    return not any(start.has_started(status) for status in claims.cache.recent(api, scope))


def catch_up_recorded(context: ReconcileContext) -> None:
    """Bring the migrations in the state up to date: running and lost ones, and ended ones that leave a node unproven.

    So are ended ones that run again.

    One answer that a migration does not exist, or has ended, concludes nothing: its record stays as it was.
    """
    state = context.state
    asked = {migration.id for migration in (*state.lost_migrations, *find_running_again(context))}
    unproven = state.remaining | state.unverified
    found: list[tuple[MigrationRecord, MigrationStatus]] = []
    for migration in state.migrations:
        if migration.ended and migration.id not in asked and unproven.isdisjoint(migration.instance_ids):
            continue
        try:
            status = context.fetch_status(migration.id)
        except MigrationNotFoundError:
            if migration.lost:
                migration.lost = context.find_in_list(migration.id) is None
            elif not migration.ended:
                denied = Diagnostic.warning(Code.MIGRATION_DENIED, migration.id)
                context.reporter.warning(render(denied))
            continue
        if migration.lost:
            context.reporter.info(f"migration {migration.id}, which was lost, has a status again")
            migration.lost = False
        elif status.state == migration.status and migration.ended:
            context.note_end(status, migration)
            # The entries may have been missing when the end was recorded.
            state.name_manual_pods(status, context.verified.pods)
            continue
        found.append((migration, status))
    confirmed = context.confirm_ends(status for _, status in found)
    for migration, status in found:
        if not status.is_terminal:
            if migration.ended:
                context.reporter.warning(f"migration {migration.id} was {migration.status} and is {status.state} now")
                migration.stopped_by = migration.stopped_by if migration.stopped_by in {"us", BRAKE} else None
            context.update(migration, status)
        elif migration.id in confirmed:
            context.update(migration, confirmed[migration.id])
            _settle_unseen(context, migration, confirmed[migration.id], by_others=True)
    if not confirmed:
        context.observe()


def catch_up(context: ReconcileContext) -> None:
    """Bring the migrations in the state up to date, and adopt those that a killed run had started."""
    catch_up_recorded(context)
    adopted = [(status, adopt(context, status)) for status in find_unrecorded(context)]
    for status, migration in adopted:
        announce_adopted(context, migration)
        if status.is_terminal:
            migration.status = MigrationState.STARTING  # until its end is confirmed it is waited for
    confirmed = context.confirm_ends(status for status, _ in adopted)
    for status, migration in adopted:
        if status.id in confirmed:
            _settle_unseen(context, migration, confirmed[status.id], by_others=not context.creating)
        elif not status.is_terminal:
            context.reporter.warning(f"unknown whether {migration.id} deletes pods that PodDisruptionBudgets protect")
    context.update_outcomes()


def settle_lost(context: ReconcileContext, migration: MigrationRecord, status: MigrationStatus | None) -> None:
    """Record that status and list deny a migration of ours; ``status`` is its last one, None without any."""
    migration.lost = True
    context.observe()
    line = render(describe_lost(context, migration))
    context.reporter.warning(line)
    emit(context, EventKind.UNHEARD, migration, line, status=status, reason="lost")


def describe_lost(context: ReconcileContext, migration: MigrationRecord) -> Diagnostic:
    """Return the diagnostic of a lost migration, which names the nodes that are not proven."""
    nodes = sorted(context.state.remaining & set(migration.instance_ids))
    return Diagnostic.warning(Code.MIGRATION_LOST, migration.id, nodes=nodes)


def _settle_unseen(
    context: ReconcileContext, migration: MigrationRecord, status: MigrationStatus, *, by_others: bool
) -> None:
    """Record the end of a migration that nobody has waited for.

    The event does not say who stopped it: a stop of ours may have been sent by a run that was killed.
    """
    line = (
        f"migration {migration.id} is {status.state}, {describe_share(status)}: it ended while no run was "
        "waiting for it"
    )
    emit(context, ENDS[status.state], migration, line, status=status, reason=migration.stopped_by or "")
    if by_others and status.state == MigrationState.STOPPED and migration.stopped_by is None:
        migration.stopped_by = "others"
    context.settle(migration, status)
