"""Keep watching after a migration has finished."""

from __future__ import annotations

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed, format_time
from ocean_migration_pulumi.errors import MigrationError
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.health.watch import HealthWatch
from ocean_migration_pulumi.migration.planning.text.findings_text import render_check
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.readiness.watching import list_not_ready, open_watch
from ocean_migration_pulumi.migration.reconcile.waiter import Waiter
from ocean_migration_pulumi.migration.state.progress import Progress


def soak(context: ReconcileContext) -> None:
    """Watch for ``soak_time``: no pod is unscheduled, the Ocean Controller reports, and workloads are ready.

    Raises:
        MigrationError: A pod is unscheduled, the controller does not report, or a workload is not ready.
        OperationCancelled: Whoever asked for the operation wants it no more.
        DeadlineError: The deadline passed.
        OceanMigrationError: The service cannot be asked.
    """
    state, soak_time = context.state, context.spec.soak_time
    latest = state.latest
    if not soak_time or latest is None or latest.status != MigrationState.FINISHED or state.soaked_until:
        return
    watch = open_watch(context, latest) if context.spec.health == "enforce" else None

    def ensure_calm() -> None:
        _ensure_calm(context, latest.id)
        if watch is not None:
            watch.assess_beside(frozenset())
            _ensure_ready(latest.id, watch)

    waiter: Waiter[None] = Waiter(
        ensure_calm,
        scope=context.scope,
        reporter=context.reporter,
        policy=context.poll_policy,
        describe=lambda _: f"soaking for {format_elapsed(soak_time)}",
    )
    waiter.until(lambda _: True, hold_for=soak_time)
    state.soaked_until = format_time(context.now())


def _ensure_calm(context: ReconcileContext, migration_id: str) -> None:
    status = context.api.within(context.scope).get_migration(context.ocean_id, migration_id)
    heartbeat = context.claims.cache.heartbeat(context.api, context.scope, fresh=True)
    unscheduled = Progress.from_status(status).unscheduled
    if unscheduled:
        msg = f"the soak of {migration_id} failed: {count_noun(unscheduled, 'pod')} unscheduled"
        raise MigrationError(msg)
    if not service.is_alive(heartbeat, context.now()):
        found = render_check(service.check_connection(heartbeat, context.now()))
        msg = f"the soak of {migration_id} failed: {found.line}"
        raise MigrationError(msg)


def _ensure_ready(migration_id: str, watch: HealthWatch) -> None:
    below = watch.report.below if watch.report is not None else ()
    if below:
        entry = list_not_ready(below)[0]
        reason = f" ({entry['reason']}, {entry['pod']})" if entry["pod"] else ""
        msg = (
            f"the soak of {migration_id} failed: {entry['workload']} has {entry['ready']} of {entry['required']} pods "
            f"ready{reason}"
        )
        raise MigrationError(msg)
