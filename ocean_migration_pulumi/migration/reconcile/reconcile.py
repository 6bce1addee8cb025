"""Create, update and refresh of the resource: adopt or start a migration, and wait for it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    MigrationError,
    MigrationNotFoundError,
    OceanMigrationError,
    PlanError,
)
from ocean_migration_pulumi.migration.planning.outcome_report import report_gone, report_returned, report_unverified
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.reconcile.admission import ensure_startable
from ocean_migration_pulumi.migration.reconcile.adoption import (
    announce_adopted,
    await_unlisted,
    catch_up,
    catch_up_recorded,
    describe_lost,
    find_hidden,
    find_unanswered_start,
)
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.first_plan import ensure_nothing_is_hidden, plan_now
from ocean_migration_pulumi.migration.reconcile.proof import (
    await_discovery,
    await_proof,
    ensure_none_remains,
    is_cluster_gone,
)
from ocean_migration_pulumi.migration.reconcile.readiness.settle import settle_workloads
from ocean_migration_pulumi.migration.reconcile.readiness.soak import soak
from ocean_migration_pulumi.migration.reconcile.readiness.watching import refuse_held_brake, respect_unrecorded_brake
from ocean_migration_pulumi.migration.reconcile.start import start_migration
from ocean_migration_pulumi.migration.reconcile.stop import stop_migration
from ocean_migration_pulumi.migration.reconcile.wait import explain_failed_migration, wait_for_migration
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.options import MigrationOptions
from ocean_migration_pulumi.migration.spec.planned_nodes import restore_reviewed_entries
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.evidence import OutcomeReason
from ocean_migration_pulumi.migration.state.migration_record import ADOPTED_PART, BRAKE, MigrationRecord
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

DEADLINE: Final = 3000.0
"""Seconds for create and update without custom timeouts: below a CI job's hour, for a wait resumes."""

DELETE_DEADLINE: Final = 900.0
"""Seconds for delete without custom timeouts."""


def reconcile(context: ReconcileContext, *, unplanned: str | None = None) -> None:
    """Bring about what the spec asks for: wait for what runs, migrate what remains, start at most one migration.

    Args:
        context: The run. Its state is true at every moment, so whoever catches the error saves it.
        unplanned: Why a changed selection has no plan yet: nothing is done then, so that the change stays pending.
            None when there is a plan, or when the run has to make it.

    Raises:
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: The plan cannot be made or is not approved, or the migration did not end well.
    """
    state, spec = context.state, context.spec
    if unplanned is not None:
        msg = f"the changed nodes could not be planned: {unplanned}; nothing was done, run `pulumi up` again"
        raise PlanError(msg)
    state.failure, known_gone = None, frozenset(state.gone)
    triggered = _is_triggered(context)
    selects_otherwise = _selects_otherwise(context)
    asks_again = triggered or selects_otherwise
    turned_on = _is_evict_turned_on(state, spec)
    if spec.planned_nodes is not None:
        context.reviewed = restore_reviewed_entries(spec.planned_nodes, state.planned)
        context.planned_before, state.planned = state.planned, dict(spec.planned_nodes)
    elif context.creating:
        plan_now(context)
    context.claims.plan(context.owner, state.planned)
    context.claims.hold(context.owner, [migration.id for migration in state.migrations])
    find_unanswered_start(context)
    if context.creating and state.planned.keys().isdisjoint(context.discover()):
        ensure_nothing_is_hidden(context)
    running = {migration.id for migration in state.migrations if not migration.ended}
    lost = {migration.id for migration in state.migrations if migration.lost}
    catch_up(context)
    _resume(context)
    _excuse_own_stop(context, running)
    respect_unrecorded_brake(context)
    # Other triggers ask for the nodes of a migration that an earlier run has lost.
    _ensure_none_lost(context, excused=lost if triggered else set())
    latest = state.latest
    if latest is not None and not latest.ended:
        _finish(context)
        return
    await_discovery(context)
    work = _collect_work(context, again=triggered, manual=turned_on)
    if not work and selects_otherwise:
        ensure_nothing_is_hidden(context)
    asks_again_for_done = triggered or (turned_on and bool(state.manual))
    if not work and (asks_again_for_done or find_hidden(context)) and await_unlisted(context):
        catch_up(context)
        _resume(context)
        work = _collect_work(context, again=False, manual=turned_on)
    if work and latest is not None and latest.stopped_by == "others" and not asks_again:
        at = f" at {latest.stopped_at}" if latest.stopped_at else ""
        left = count_with_verb(len(work), "node", "remain")
        context.reporter.warning(
            f"migration {latest.id} was stopped by someone else{at}; {left} until triggers or nodes change"
        )
        _finish(context)
        return
    if work and latest is not None and latest.stopped_by == BRAKE and not asks_again:
        refuse_held_brake(context, latest, work)
    if _migrate(context, work):
        # An adopted migration may have left nodes: still the only migration that this run starts.
        _migrate(context, _collect_work(context, again=False, manual=False))
    await_proof(context)
    if gone := sorted(state.gone - known_gone):
        context.reporter.warning(render(report_gone(gone)))
    _ensure_none_lost(context)
    ensure_none_remains(context)
    settle_workloads(context)
    soak(context)
    _finish(context)


def refresh(context: ReconcileContext) -> bool:
    """Bring the state up to what the service says; return False when the cluster is gone."""
    state = context.state
    try:
        context.claims.cache.cluster(context.api, context.scope, fresh=True)
        catch_up_recorded(context)
    except ClusterNotFoundError:
        if is_cluster_gone(context):
            return False
        catch_up_recorded(context)
    latest = state.latest
    if not state.remaining and (latest is None or latest.ended) and not state.lacks_workloads:
        state.failure = None
    failed = latest is not None and latest.status == MigrationState.FINISHED_ERROR and bool(state.remaining)
    if latest is not None and failed and state.failure is None:
        with suppress(MigrationNotFoundError):
            state.failure = explain_failed_migration(context, latest, context.fetch_status(latest.id)).to_output()
    return True


def _ensure_none_lost(context: ReconcileContext, *, excused: Collection[str] = ()) -> None:
    """Fail while a migration of ours is lost: it may run, so nothing else is started and its nodes remain.

    Args:
        context: The run.
        excused: The ids of lost migrations that keep nothing from being started.

    Raises:
        MigrationError: A migration is lost.
    """
    lost = tuple(
        describe_lost(context, migration) for migration in context.state.lost_migrations if migration.id not in excused
    )
    if lost:
        message = join_sentences([render(diagnostic) for diagnostic in lost])
        context.state.failure = {"message": message, "reason": "lost", "remedy": ""}
        raise MigrationError(message, lost)


def _migrate(context: ReconcileContext, work: list[str]) -> bool:
    """Start a migration of these nodes, or adopt one, and wait for it; return whether an adopted one has ended."""
    if not work:
        return False
    ensure_startable(context, work)
    started = start_migration(context, work)
    if started is None:
        return False
    if started.listed_before is None:
        announce_adopted(context, started.migration)
    status = wait_for_migration(context, started.migration, listed_before=started.listed_before)
    return status is not None and status.is_terminal and started.listed_before is None


def _selects_otherwise(context: ReconcileContext) -> bool:
    """Tell whether the selector differs from the one that was last acted upon."""
    before = _recorded_selector(context.state)
    return not context.creating and before is not None and not context.spec.nodes.is_same_selection(before)


def _recorded_selector(state: ResourceState) -> NodeSelector | None:
    """Return the selector that was last acted upon; None when the state holds none that can be read."""
    try:
        return NodeSelector.parse(state.nodes) if state.nodes else None
    except OceanMigrationError:
        return None


def _is_triggered(context: ReconcileContext) -> bool:
    """Tell whether the triggers differ from those that were last acted upon."""
    recorded = MigrationSpec(triggers=tuple(context.state.triggers)).triggers_digest
    return not context.creating and context.spec.triggers_digest != recorded


def _is_evict_turned_on(state: ResourceState, spec: MigrationSpec) -> bool:
    latest = state.latest
    return spec.should_evict_stand_alone_pods and latest is not None and latest.should_evict_stand_alone_pods is False


def _resume(context: ReconcileContext) -> None:
    """Wait for what still runs, or stop it when it does what is no longer wanted."""
    spec = context.spec
    for migration in [migration for migration in context.state.migrations if not migration.ended]:
        why = _explain_unwanted(context, migration)
        if why and migration.origin != ADOPTED_PART:
            terminate = spec.terminate_drained_nodes_on_stop
            stop_migration(context, migration, terminate_drained_nodes=terminate, why=why)
            continue
        if why:
            context.reporter.warning(
                f"migration {migration.id} also holds nodes that are not planned, so it continues: {why}"
            )
        elif spec.options.differs_from(MigrationOptions.from_attributes(migration)):
            context.reporter.warning(f"migration {migration.id} continues with the options that it was started with")
        wait_for_migration(context, migration)


def _excuse_own_stop(context: ReconcileContext, running: set[str]) -> None:
    """Take a stop that this run would have asked for as ours: a killed one may have done so already."""
    latest = context.state.latest
    if latest is None or latest.id not in running or latest.stopped_by != "others":
        return
    if _explain_unwanted(context, latest):
        latest.stopped_by = "us"


def _explain_unwanted(context: ReconcileContext, migration: MigrationRecord) -> str | None:
    """Return why a running migration may not go on; None when it may."""
    spec = context.spec
    for name, wanted in spec.options.flags.items():
        if getattr(migration, name) is True and not wanted:
            return f"{name} is now false"
    try:
        status = context.fetch_status(migration.id)
    except MigrationNotFoundError:
        return None
    excluded = sorted(
        node.instance_id
        for node in status.old_instances
        if node.instance_id in migration.instance_ids
        and node.instance_id not in context.state.planned
        and spec.nodes.contradicts(node)
    )
    return f"{list_some(excluded)} is no longer selected" if excluded else None


def _collect_work(context: ReconcileContext, *, again: bool, manual: bool) -> list[str]:
    """Return the nodes to migrate now, and warn of those that are skipped.

    A node whose migration claims to have finished without an effect is not sent again: Ocean may count pods that it
    does not move.

    Args:
        context: The run.
        again: Whether to migrate nodes again that take pods again.
        manual: Whether to try nodes again that needed manual migration.
    """
    state = context.state
    context.observe()
    offered = context.offered
    retried: set[str] = set()
    if again or manual:
        context.observe_holders()
    held = context.held_by_other_migrations
    if again:
        # What a killed run has already taken again is not taken a third time.
        retried |= {
            name
            for name in state.planned.keys() - context.newly_adopted
            if name in held or (name in offered and offered[name].running_pods != 0)
        }
    if manual:
        retried |= state.manual & (offered.keys() | held)
    if retried:
        state.reopen(retried)
        context.ended.clear()  # what an earlier migration did says nothing of the pods that are to move now
    unmatched = context.unmatched & (state.planned.keys() - state.migrated - state.manual)
    if unmatched:
        context.reporter.warning(f"skipped, no Virtual Node Group matches: {list_some(sorted(unmatched))}")
    state.remaining -= unmatched
    contradicted = {name for name in state.remaining if state.reasons.get(name) == OutcomeReason.CONTRADICTED}
    return sorted((state.remaining & (offered.keys() | context.held_by_other_migrations)) - contradicted)


def _finish(context: ReconcileContext) -> None:
    """Report where things stand, and record that the present spec has been acted upon."""
    state = context.state
    context.mark_acted_upon()
    if not state.planned:
        context.reporter.warning("no node matched; nothing was migrated")
        return
    if returned := report_returned(state, context.offered.values()):
        context.reporter.warning(render(returned, context.vocabulary))
    if unverified := sorted(state.unverified & state.planned.keys()):
        context.reporter.warning(render(report_unverified(unverified)))
    drained = sorted(state.drained & state.planned.keys())
    parts = [f"{len(state.migrated & state.planned.keys())} of {count_noun(len(state.planned), 'node')} migrated"]
    if drained:
        since = state.drained_since
        price = state.drained_usd_per_hour
        parts.append(
            f"{count_with_verb(len(drained), 'drained node', 'stay')}, cordoned and billed"
            + (f" since {since}" if since else "")
            + (f" ({price:.2f} USD per hour)" if price else "")
        )
    context.find_started_in_aws()
    if state.asg_started:
        count = count_noun(len(state.asg_started), "node")
        context.reporter.warning(
            f"{count} started by the Auto Scaling Groups of planned nodes: {list_some(state.asg_started)}"
        )
    context.reporter.info(", ".join(parts))
