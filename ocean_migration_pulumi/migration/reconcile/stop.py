"""Stop a migration and wait for its end."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed, parse_time
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    DeadlineError,
    InterruptedWaitError,
    MigrationNotFoundError,
    OceanMigrationError,
    RequestRejectedError,
    StalledError,
)
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.reconcile.adoption import (
    await_unlisted,
    catch_up,
    find_hidden,
    find_unanswered_start,
    settle_lost,
)
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.events import ENDS, emit
from ocean_migration_pulumi.migration.reconcile.proof import is_cluster_gone
from ocean_migration_pulumi.migration.reconcile.waiter import has_ended, restate
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.state.migration_record import ADOPTED_PART, BRAKE, MigrationRecord
from ocean_migration_pulumi.migration.state.phases import describe_share

_STOPPING: Final = frozenset({MigrationState.STOPPING, MigrationState.RESCHEDULE_NODES, MigrationState.ERROR})


def stop_migration(
    context: ReconcileContext, migration: MigrationRecord, *, terminate_drained_nodes: bool, why: str
) -> None:
    """Stop a migration and wait for its end; one that ends otherwise meanwhile has ended, too.

    Args:
        context: The run.
        migration: The migration.
        terminate_drained_nodes: Whether Ocean terminates the nodes that are drained by then.
        why: The reason, for whoever watches.

    Raises:
        OperationCancelled: Whoever asked for the operation wants it no more.
        WaitEndedError: The deadline passed, or the migration stalled.
        OceanMigrationError: The service refuses, or cannot be asked.
    """
    try:
        status = context.fetch_status(migration.id)
    except MigrationNotFoundError:
        status = None  # which proves nothing: the stop may find it
    accepted = False

    def has_stopped(status: MigrationStatus | None) -> bool:
        """Send the stop when it was not accepted before; a stop may be denied or refused, and yet the migration run."""
        nonlocal accepted
        if not accepted and (status is None or not _is_stopping(status)):
            context.reporter.info(f"stopping migration {migration.id}: {why}")
            accepted = _send_stop(context, migration, terminate_drained_nodes=terminate_drained_nodes)
        return status is not None and has_ended(status)

    has_stopped(status)

    waiter = context.waiter_for(migration.id, observe=partial(context.update, migration))
    try:
        status = waiter.until(has_stopped)
    except MigrationNotFoundError:
        settle_lost(context, migration, waiter.last)
        return
    except (InterruptedWaitError, DeadlineError, StalledError) as error:
        msg = (
            f"{error} while migration {migration.id} was stopping ({describe_share(waiter.last)}); run it again "
            "to wait for the end"
        )
        raise restate(error, msg, migration.id) from None
    context.settle(migration, status)
    after = format_elapsed(waiter.elapsed)
    line = f"migration {migration.id} is {status.state} after {after}: {describe_share(status)}"
    context.reporter.info(line)
    emit(context, ENDS[status.state], migration, f"{line} ({why})", status=status, reason=migration.stopped_by or "")


def destroy(context: ReconcileContext) -> None:
    """Stop what runs and is ours, and wait for its end; a cluster that is gone is success."""
    try:
        _stop_all(context)
    except ClusterNotFoundError:
        if is_cluster_gone(context):
            context.reporter.info(f"cluster {context.ocean_id} is gone; nothing runs there")
            return
        _stop_all(context)
    if context.state.migrated:
        count = count_noun(len(context.state.migrated), "node")
        context.reporter.info(f"the workloads of {count} stay on Ocean's nodes")


def _is_stopping(status: MigrationStatus) -> bool:
    return status.is_terminal or status.state in _STOPPING


def _send_stop(context: ReconcileContext, migration: MigrationRecord, *, terminate_drained_nodes: bool) -> bool:
    """Send the stop; return whether the service accepts it: it may deny the migration, or find it ended."""
    try:
        context.api.within(context.scope).stop_migration(
            context.ocean_id, migration.id, should_terminate_drained_nodes=terminate_drained_nodes
        )
    except MigrationNotFoundError:
        return False
    except RequestRejectedError:
        # It may have ended, or started to stop, since its status was read; anything else is a refusal.
        if not _is_stopping(context.fetch_status(migration.id)):
            raise
        context.claims.cache.changed()
        return False
    except (InterruptedWaitError, DeadlineError) as error:
        msg = f"{error} while migration {migration.id} was asked to stop; run it again to wait for the end"
        raise restate(error, msg, migration.id) from None
    else:
        migration.stopped_by = BRAKE if migration.stopped_by == BRAKE else "us"
        migration.terminated_on_stop = terminate_drained_nodes
    context.claims.cache.changed()
    return True


def _stop_all(context: ReconcileContext) -> None:
    # A replacement under the same name was created first: what it took is its own.
    context.claimed_by_other_calls = context.claims.taken
    context.claims.plan(context.owner, ())
    find_unanswered_start(context)
    catch_up(context)
    if find_hidden(context) and await_unlisted(context):
        catch_up(context)
    lost = {migration.id for migration in context.state.lost_migrations}
    for migration in context.state.migrations:
        if migration.ended and migration.id not in lost:
            continue
        holder = context.claims.holder(migration.id)
        if migration.id in context.claimed_by_other_calls or holder not in {None, context.owner}:
            context.reporter.info(f"migration {migration.id} continues: another resource has adopted it")
        elif migration.origin == ADOPTED_PART:
            context.reporter.warning(
                f"migration {migration.id} also holds nodes that were not planned, so it continues"
            )
        else:
            stop_migration(
                context,
                migration,
                terminate_drained_nodes=context.spec.terminate_drained_nodes_on_stop,
                why="the resource is destroyed",
            )
    _report_unrecorded(context)


def _report_unrecorded(context: ReconcileContext) -> None:
    """Warn of running migrations that a killed run of this resource may have started, of nodes that it never planned.

    The engine keeps the state of before a killed update, so nothing tells whose they are.
    """
    known = {migration.id for migration in context.state.migrations}
    newest = max((made for each in context.state.migrations if (made := parse_time(each.created_at))), default=None)
    with suppress(OceanMigrationError):  # the stops are done, and this is for whoever watches
        for status in context.claims.cache.running(context.api, context.scope):
            made = parse_time(status.created_at)
            is_newer = newest is None or made is None or made > newest
            if status.id in known | context.claimed_by_other_calls or not is_newer:
                continue
            if not context.claims.someone_else_claims(context.owner, status.id, status.instance_ids):
                fields = {"nodes": len(status.instance_ids)}
                left = Diagnostic.warning(Code.MIGRATION_UNRECORDED, status.id, **fields)
                context.reporter.warning(render(left))
