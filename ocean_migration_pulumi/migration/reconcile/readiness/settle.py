"""Wait until the workloads are as ready as before the migration."""

from __future__ import annotations

from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import MigrationState
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.errors import DeadlineError, MigrationError
from ocean_migration_pulumi.migration.health.assessment import HealthReport, HealthVerdict
from ocean_migration_pulumi.migration.health.settling import SettleClock
from ocean_migration_pulumi.migration.health.watch import HealthWatch
from ocean_migration_pulumi.migration.planning.text.findings_text import render, render_line
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.readiness.observations_text import describe_excuses
from ocean_migration_pulumi.migration.reconcile.readiness.watching import (
    open_watch,
    report_not_ready,
    report_output,
    report_unknown,
)
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy, Waiter
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.resource_state import NOT_READY

_NO_BASELINE: Final = Gap(GapCode.NO_BASELINE)


def settle_workloads(context: ReconcileContext) -> None:
    """Wait until every workload with pods on the nodes of the latest migration has its required number of ready pods.

    A pass is final. What cannot be known fails nothing.

    Raises:
        MigrationError: Workloads are not ready in time, and ``health`` is ``"enforce"``.
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: The service cannot be asked.
    """
    state, latest = context.state, context.state.latest
    known = state.workload_health or {}
    if context.spec.health == "off" or latest is None or latest.status != MigrationState.FINISHED:
        return
    if known.get("migration_id") == latest.id and known.get("final"):
        return
    watch = open_watch(context, latest)
    if watch is None:
        gap = context.sources.absent if context.sources.kubernetes is None else _NO_BASELINE
        state.workload_health = _report_unknown_output(latest, gap)
        if context.sources.kubernetes is not None and latest.created_at and not known:
            context.reporter.warning(render(report_unknown(gap)))
        return
    # A run that is interrupted here must not look as if it had succeeded.
    waiting = "it is not yet known whether the workloads are ready"
    state.failure = {"message": waiting, "reason": NOT_READY, "remedy": ""}
    report = _wait_for_workloads(context, watch)
    state.failure = None
    if report is None:
        state.workload_health = _report_unknown_output(latest, watch.missed)
        context.reporter.warning(render(report_unknown(watch.missed)))
    elif report.below:
        _report_not_ready(context, latest, report)
    else:
        state.workload_health = report_output(latest, report, "ready", final=True)
        ready = _report_ready(report, omitted=watch.baseline.omitted)
        (context.reporter.info if ready.severity is Severity.INFO else context.reporter.warning)(render(ready))
        for gap in report.unknown:
            context.reporter.warning(render(report_unknown(gap)))


def _report_ready(report: HealthReport, *, omitted: int) -> Diagnostic:
    """Return the diagnostic of a pass, a warning when it is not known whether all workloads are ready."""
    unknown = describe_excuses(report, HealthVerdict.UNKNOWN)
    return Diagnostic(
        code=Code.WORKLOADS_READY,
        severity=Severity.WARNING if unknown or omitted else Severity.INFO,
        fields={
            "workloads": report.verdicts.get(HealthVerdict.WELL, 0),
            "pods": report.counts.ocean,
            "elsewhere": report.landed_elsewhere,
            "unknown": unknown,
            "excused": describe_excuses(report, HealthVerdict.EXCUSED),
            "omitted": omitted,
        },
    )


def _report_unknown_output(migration: MigrationRecord, gap: Gap) -> dict[str, Any]:
    """Return the output ``workload_health`` when nobody could look."""
    reason = describe_gap(gap).line
    return {"migration_id": migration.id, "state": "unknown", "final": False, "reason": reason}


def _wait_for_workloads(context: ReconcileContext, watch: HealthWatch) -> HealthReport | None:
    """Return the last look when the workloads are ready or had their time; None when the last looks did not succeed."""
    clock, settling = context.scope.clock, SettleClock(timeout=context.spec.settle_timeout)
    started, started_at = clock(), context.now()
    answered_at = 0.0

    def is_settled(report: HealthReport | None) -> bool:
        nonlocal answered_at
        # Both clocks count: a simulated service may be faster.
        elapsed = max(clock() - started, (context.now() - started_at).total_seconds())
        if report is None:
            return elapsed - answered_at >= context.spec.settle_timeout
        answered_at = elapsed
        return not report.below or settling.remaining(report, elapsed) <= 0

    def describe(report: HealthReport | None) -> str:
        if report is None:
            return f"waiting for workloads, which cannot be read: {describe_gap(watch.missed).line}"
        return f"waiting for {count_noun(len(report.below), 'workload')} to be ready" if report.below else ""

    waiter = Waiter(
        watch.assess,
        scope=context.scope,
        reporter=context.reporter,
        policy=PollPolicy(poll_interval=watch.interval, stall_timeout=None),
        describe=describe,
    )
    try:
        return waiter.until(is_settled)
    except DeadlineError:
        # The migration has ended: what is left is to say which workloads are not ready, as they were seen last.
        return waiter.last or watch.report


def _report_not_ready(context: ReconcileContext, latest: MigrationRecord, report: HealthReport) -> None:
    enforced = context.spec.health == "enforce"
    diagnostic = report_not_ready(report, Severity.ERROR if enforced else Severity.WARNING, looks_again=enforced)
    state = "still starting" if diagnostic.fields["starting"] else "not ready"
    context.state.workload_health = report_output(latest, report, state, final=not enforced)
    if not enforced:
        context.reporter.warning(render_line(diagnostic))
        return
    message = render(diagnostic)
    context.state.failure = {"message": message, "reason": NOT_READY, "remedy": ""}
    raise MigrationError(message, (diagnostic,))
