"""Keep watching after a migration has finished."""

from __future__ import annotations

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed, format_time
from ocean_migration_pulumi.errors import MigrationError
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.planning.findings_text import render_check
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.waiter import Waiter
from ocean_migration_pulumi.migration.state.progress import Progress


def soak(context: ReconcileContext) -> None:
    """Watch for ``soak_time`` that no pod is unscheduled and that the Ocean Controller reports.

    Raises:
        MigrationError: A pod is unscheduled, or the controller does not report.
        OperationCancelled: Whoever asked for the operation wants it no more.
        DeadlineError: The deadline passed.
        OceanMigrationError: The service cannot be asked.
    """
    state, soak_time = context.state, context.spec.soak_time
    latest = state.latest
    if not soak_time or latest is None or latest.status != MigrationState.FINISHED or state.soaked_until:
        return
    waiter: Waiter[None] = Waiter(
        lambda: _ensure_calm(context, latest.id),
        scope=context.scope,
        reporter=context.reporter,
        policy=context.poll_policy,
        describe=lambda _: f"soaking for {format_elapsed(soak_time)}",
    )
    waiter.until(lambda _: True, hold_for=soak_time)
    state.soaked_until = format_time(context.now())


def _ensure_calm(context: ReconcileContext, migration_id: str) -> None:
    status = context.api.within(context.scope).get_migration(context.ocean_id, migration_id)
    heartbeat = context.claims.view.heartbeat(context.api, context.scope, fresh=True)
    unscheduled = Progress.from_status(status).unscheduled
    if unscheduled:
        msg = f"the soak of {migration_id} failed: {count_noun(unscheduled, 'pod')} unscheduled"
        raise MigrationError(msg)
    if not service.is_alive(heartbeat, context.now()):
        found = render_check(service.check_connection(heartbeat, context.now()))
        msg = f"the soak of {migration_id} failed: {found.line}"
        raise MigrationError(msg)
