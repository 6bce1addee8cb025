"""Plan in the run itself: the preview could not, because the cluster was not there yet."""

from __future__ import annotations

from typing import Final

from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import DeadlineError, PlanError
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.planning import planner
from ocean_migration_pulumi.migration.planning.plan_report import report_plan
from ocean_migration_pulumi.migration.planning.text.findings_text import render_cause, render_line
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.reconcile.waiter import Waiter
from ocean_migration_pulumi.migration.snapshot.snapshot import take_snapshot
from ocean_migration_pulumi.migration.spec.diagnostic import Severity, UnplannedCause

NEW_CLUSTER: Final = 900.0
"""Seconds that a new cluster's controller may take to report."""

_Candidates = frozenset[tuple[str, str | None]]


def plan_now(context: ReconcileContext) -> None:
    """Wait until a new cluster's controller reports, and plan.

    Raises:
        PlanError: The plan cannot be made.
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: The service cannot be asked.
    """
    _await_controller(context)
    api, claims, scope, spec = context.api, context.claims, context.scope, context.spec
    snapshot = take_snapshot(api, claims, scope, spec, context.sources)
    if refusal := planner.refuse_wrong_cluster(snapshot):
        msg = f"{refusal}; nothing was started"
        raise PlanError(msg)
    if planner.are_labels_unknown(snapshot, spec):
        unplanned = planner.report_unplanned(UnplannedCause.NO_LABELS, snapshot.facts.absent)
        msg = f"{render_cause(unplanned)}; nothing was started"
        raise PlanError(msg, (unplanned,))
    preview = planner.plan_selection(api, claims, scope, owner=context.owner, snapshot=snapshot, spec=spec, old=None)
    if preview.planned is None:
        raise PlanError("; ".join(str(problem) for problem in preview.problems))
    context.state.planned = preview.planned
    summary, *others = report_plan(preview.planned, snapshot, spec, {})
    for diagnostic in (summary, *preview.diagnostics, *others):
        say = context.reporter.info if diagnostic.severity is Severity.INFO else context.reporter.warning
        say(render_line(diagnostic))


def _await_controller(context: ReconcileContext) -> None:
    """Wait until a new cluster's controller reports, and until discovery returns the same nodes for two polls."""
    view, scope = context.claims.view, context.scope.at_most(NEW_CLUSTER)
    if not service.never_reported(view.heartbeat(context.api, context.scope, fresh=True)):
        return
    before: _Candidates | None = None

    def find_candidates() -> _Candidates | None:
        heartbeat = view.heartbeat(context.api, scope, fresh=True)
        if heartbeat.status != "ACTIVE" or service.never_reported(heartbeat):
            return None
        found = view.candidates(context.api, scope, fresh=True)
        return frozenset((node.instance_id, node.virtual_node_group_id) for node in found)

    def is_settled(found: _Candidates | None) -> bool:
        nonlocal before
        same, before = found == before, found
        return found is not None and same

    def describe(found: _Candidates | None) -> str:
        if found is None:
            return f"waiting for the Ocean Controller of {context.ocean_id} to report"
        return f"new cluster {context.ocean_id}: {count_noun(len(found), 'node')} seen, waiting for all"

    waiter = Waiter(
        find_candidates, scope=scope, reporter=context.reporter, policy=context.poll_policy, describe=describe
    )
    try:
        waiter.until(is_settled, hold_for=context.poll_policy.poll_interval)
    except DeadlineError:
        msg = (
            f"the Ocean Controller of {context.ocean_id} has not reported for {format_elapsed(waiter.elapsed)}; "
            "make sure that it runs in the cluster, then run `pulumi up` again"
        )
        raise PlanError(msg) from None
