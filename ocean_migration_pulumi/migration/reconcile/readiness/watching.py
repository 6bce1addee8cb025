"""Watch the workloads of a migration of ours, and stop the migration when it breaks them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict
from functools import partial
from typing import Any, Final, NoReturn

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import format_time, parse_time
from ocean_migration_pulumi.errors import MigrationStoppedError
from ocean_migration_pulumi.migration.health.assessment import HealthReport, WorkloadHealth
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline, merge_baselines
from ocean_migration_pulumi.migration.health.brake import BrakeCause
from ocean_migration_pulumi.migration.health.look_thread import LookThread
from ocean_migration_pulumi.migration.health.stop_checks import CheckWatch, start_series
from ocean_migration_pulumi.migration.health.watch import HealthWatch, find_undrained
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.readiness.observations_text import describe_observation
from ocean_migration_pulumi.migration.reconcile.stop import stop_migration
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.gap import Gap
from ocean_migration_pulumi.migration.state.migration_record import BRAKE, STARTED, MigrationRecord
from ocean_migration_pulumi.migration.state.resource_state import NOT_READY

BASELINE_INTERVAL: Final = 30.0
"""Seconds between the two looks of a baseline."""

MOST_SHOWN: Final = 50
"""The most workloads that the output ``workload_health`` lists."""

_POLLS_PER_LOOK: Final = 4
# Statuses are polled each 15 seconds, workloads looked at each minute.

_STOPPABLE: Final = frozenset(
    {
        MigrationState.STARTING,
        MigrationState.AWAIT_REPLACEMENTS,
        MigrationState.HANDLE_UNSCHEDULE,
        MigrationState.DRAIN_NODES,
        MigrationState.VALIDATE_DRAIN,
    }
)


def record_baseline(context: ReconcileContext, instance_ids: Collection[str]) -> list[str] | None:
    """Look twice at workloads and checks, right before a migration of nodes is started, and record the baseline.

    Returns:
        The names of the checks of ``stop_when`` that passed; None when there are no checks.

    Raises:
        OperationCancelled: Whoever asked for the operation wants it no more.
        DeadlineError: The deadline passed.
    """
    checks = _make_check_watch(context, instance_ids, passed=())
    if checks is not None:
        checks.observe()
    _record_workloads(context, instance_ids)
    if checks is None:
        return None
    if checks.list_failing():
        checks.observe()
    failing = checks.list_failing()
    watched = Diagnostic(
        code=Code.STOP_CHECKS_WATCHED,
        severity=Severity.WARNING if failing else Severity.INFO,
        fields={"passed": checks.passed, "failing": list(map(describe_observation, failing))},
    )
    (context.reporter.warning if failing else context.reporter.info)(render(watched))
    return checks.passed


def _record_workloads(context: ReconcileContext, instance_ids: Collection[str]) -> None:
    context.state.baseline = None
    watch = _make_watch(context, HealthBaseline(), instance_ids)
    if watch is None:
        return
    first = watch.observe_baseline()
    if first is None:
        context.reporter.warning(render(report_unknown(watch.missed)))
        return
    context.scope.sleep(min(BASELINE_INTERVAL, 2 * context.poll_policy.poll_interval))
    second = watch.observe_baseline(namespaces=first.namespaces) if first.workloads else None
    context.state.baseline = found = merge_baselines(first, second or first)
    watched = Diagnostic.info(
        Code.HEALTH_WATCHED,
        workloads=len(found.workloads),
        pods=sum(each.planned for each in found.workloads.values()),
        unhealthy=sum(each.broken for each in found.workloads.values()),
        omitted=found.omitted,
        stops=context.spec.stop_when is not None and context.spec.stop_when.watches_workloads,
    )
    if found.workloads:
        context.reporter.info(render(watched))


def open_watch(context: ReconcileContext, migration: MigrationRecord) -> HealthWatch | None:
    """Return the watch of a migration whose baseline is known; None without one, or without access to Kubernetes."""
    baseline = context.state.baseline
    if baseline is None or baseline.migration_id != migration.id:
        return None
    watch = _make_watch(context, baseline, migration.instance_ids)
    if watch is not None:
        watch.since = parse_time(migration.created_at) or context.now()
    return watch


def open_check_watch(context: ReconcileContext, migration: MigrationRecord) -> CheckWatch | None:
    """Return the watch of the checks that stop a migration of ours; None when there are none."""
    if migration.origin != STARTED:
        return None
    return _make_check_watch(context, migration.instance_ids, passed=migration.passed_checks or ())


def find_cause(
    context: ReconcileContext,
    migration: MigrationRecord,
    status: MigrationStatus,
    *,
    watch: HealthWatch | None,
    checks: CheckWatch | None,
) -> BrakeCause | None:
    """Return why a migration has to be stopped for its workloads; None when it may go on, or stopping is of no use.

    Only later batches can be spared: Ocean finishes the present one. What this resource did not start is not stopped.
    """
    conditions = context.spec.stop_when
    if conditions is None or migration.origin != STARTED or status.state not in _STOPPABLE:
        return None
    if not find_undrained(status):
        return None
    cause = watch.find_cause(conditions) if watch is not None else None
    return cause or (checks.find_cause() if checks is not None else None)


def stop_for_workloads(
    context: ReconcileContext, migration: MigrationRecord, watch: HealthWatch | None, cause: BrakeCause
) -> None:
    """Stop a migration that breaks workloads, and raise unless it has finished meanwhile.

    Raises:
        MigrationStoppedError: It was stopped.
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: The service refuses, or cannot be asked.
    """
    names = [str(workload) for workload in cause.workloads]
    # Recorded before the stop is sent: a run that is killed in between must not read as if nothing had happened.
    detail = cause.detail if cause.observation is None else describe_observation(cause.observation)
    entry = {
        "cause": cause.cause,
        "workloads": names[:MOST_SHOWN],
        "check": cause.check,
        "seconds": cause.seconds,
        "pod": cause.pod,
        "detail": detail,
    }
    migration.stopped_by = BRAKE
    migration.stop_cause = {name: value for name, value in entry.items() if name != "check" or value}
    if watch is not None and watch.report is not None:
        context.state.workload_health = report_output(migration, watch.report, "not ready", final=False)
    why = f"{cause.cause} {cause.check} fails" if cause.check else f"it broke {names[0]} ({cause.cause})"
    stop_migration(context, migration, terminate_drained_nodes=False, why=why)
    if migration.status == MigrationState.FINISHED:
        return
    context.mark_acted_upon()
    stopped = Diagnostic.error(
        Code.BRAKE_STOPPED,
        migration.id,
        **{
            **entry,
            "workloads": names,
            "drained": len(context.state.drained & set(migration.instance_ids)),
            "remaining": len(context.state.remaining),
        },
    )
    message = render(stopped)
    context.state.failure = {"message": message, "reason": NOT_READY, "remedy": ""}
    raise MigrationStoppedError(message, (stopped,))


def respect_unrecorded_brake(context: ReconcileContext) -> None:
    """Take a stop that a killed first run has left as somebody's, when a check or pods on new Ocean nodes are broken.

    The baseline is lost with the run, and in a new one these workloads would be unhealthy before: nothing would stop a
    migration of the other nodes.
    """
    latest = context.state.latest
    if not context.creating or latest is None or latest.status != MigrationState.STOPPED:
        return
    watch = None if context.spec.stop_when is None else _make_watch(context, HealthBaseline(), latest.instance_ids)
    checks = _make_check_watch(context, latest.instance_ids, passed=())
    if checks is not None:
        checks.observe()
    broken = watch is not None and bool(watch.find_broken_pods(context.state.ocean_nodes))
    if broken or (checks is not None and checks.list_failing()):
        latest.stopped_by = "others"


def report_unknown(gap: Gap) -> Diagnostic:
    """Return the diagnostic for workloads of which it is not known whether they are ready."""
    return Diagnostic.warning(Code.HEALTH_UNKNOWN, gap=gap.to_json())


def report_not_ready(report: HealthReport, severity: Severity, *, looks_again: bool) -> Diagnostic:
    """Return the diagnostic for workloads that have fewer ready pods than required."""
    entries = list_not_ready(report.below)
    return Diagnostic(
        code=Code.WORKLOADS_NOT_READY,
        severity=severity,
        fields={
            "workloads": entries[:MOST_SHOWN],
            "others": len(entries) - len(entries[:MOST_SHOWN]),
            "starting": all(each.is_starting for each in report.below),
            "looks_again": looks_again,
        },
    )


def refuse_held_brake(context: ReconcileContext, migration: MigrationRecord, nodes: Collection[str]) -> NoReturn:
    """Fail as the brake has stopped the migration of these nodes; nothing is started until triggers or nodes change.

    Raises:
        MigrationStoppedError: Always.
    """
    held = report_held_brake(migration, nodes)
    context.state.failure = {"message": render(held), "reason": NOT_READY, "remedy": ""}
    raise MigrationStoppedError(render(held), (held,))


def report_held_brake(migration: MigrationRecord, nodes: Collection[str]) -> Diagnostic:
    """Return the diagnostic for nodes that wait because the brake has stopped their migration."""
    cause = migration.stop_cause or {}
    fields = {"cause": cause.get("cause") or "", "check": cause.get("check") or "", "nodes": sorted(nodes)}
    return Diagnostic.error(Code.BRAKE_HOLDS, migration.id, **fields)


def report_output(migration: MigrationRecord, report: HealthReport, state: str, *, final: bool) -> dict[str, Any]:
    """Return the output ``workload_health`` for a look.

    Args:
        migration: The migration.
        report: The look.
        state: ``"ready"``, ``"not ready"``, ``"still starting"`` or ``"unknown"``.
        final: Whether nobody looks again.
    """
    return {
        "migration_id": migration.id,
        "state": state,
        "final": final,
        "at": format_time(report.at),
        "workloads": {str(verdict): count for verdict, count in sorted(report.verdicts.items())},
        "pods": asdict(report.counts),
        "created": report.created,
        "landed_elsewhere": report.landed_elsewhere,
        "not_ready": list_not_ready(report.below)[:MOST_SHOWN],
        "unknown": [describe_gap(gap).line for gap in report.unknown],
    }


def list_not_ready(workloads: Iterable[WorkloadHealth]) -> list[dict[str, Any]]:
    """Return workloads that are not ready as JSON values, each with a pod that shows why."""
    entries = []
    for each in workloads:
        shown = each.failing[0] if each.failing else None
        entries.append(
            {
                "workload": str(each.id),
                "ready": each.pods.ready,
                "required": each.required,
                "reason": str(shown.reason.kind) if shown else ("not created" if each.not_created else ""),
                "pod": shown.pod.full_name if shown else "",
                "detail": shown.reason.detail if shown else each.not_created,
            }
        )
    return entries


def _make_watch(
    context: ReconcileContext, baseline: HealthBaseline, instance_ids: Collection[str]
) -> HealthWatch | None:
    kubernetes, spec = context.sources.kubernetes, context.spec
    brakes = spec.stop_when is not None and spec.stop_when.watches_workloads
    if kubernetes is None or (spec.health == "off" and not brakes):
        return None
    return HealthWatch(
        kubernetes=kubernetes,
        scope=context.scope,
        now=context.now,
        find_ocean_nodes=partial(_find_ocean_nodes, context),
        baseline=baseline,
        planned=frozenset(instance_ids),
        interval=_POLLS_PER_LOOK * context.poll_policy.poll_interval,
    )


def _make_check_watch(
    context: ReconcileContext, instance_ids: Collection[str], *, passed: Collection[str]
) -> CheckWatch | None:
    conditions = context.spec.stop_when
    if conditions is None or not conditions.checks:
        return None
    return CheckWatch(
        series=start_series(conditions.checks, passed),
        scope=context.scope,
        now=context.now,
        probe=context.probe,
        kubernetes=context.sources.kubernetes,
        absent=context.sources.absent,
        find_nodes=lambda scope: {*instance_ids, *_find_ocean_nodes(context, scope)},
        thread=LookThread(_POLLS_PER_LOOK * context.poll_policy.poll_interval),
    )


def _find_ocean_nodes(context: ReconcileContext, scope: CancelScope) -> set[str]:
    nodes = context.claims.cache.nodes(context.api, scope)
    return {*context.state.ocean_nodes, *(node.instance_id for node in nodes)}
