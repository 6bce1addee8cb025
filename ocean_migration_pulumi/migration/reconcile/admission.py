"""May this run start a migration: the approval, the prerequisites, evictions on trial; before anything is written."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Final

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_with_verb, list_some
from ocean_migration_pulumi.errors import ApiError, MissingAccountError, NoAnswerError, PlanError, PrerequisiteError
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.planning.findings_text import render, render_line
from ocean_migration_pulumi.migration.planning.plan_report import compare_with_approved
from ocean_migration_pulumi.migration.planning.preflight import Preflight, run_preflight
from ocean_migration_pulumi.migration.planning.sentences import join_sentences
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import held_pods
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import EvictionTrial
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.snapshot.sources import ask_aws, ask_kubernetes
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, is_approved

KUBERNETES_DEADLINE: Final = 60.0
"""Seconds that Kubernetes and AWS may take before a start; what they have not told by then is unknown."""

_MOST_TRIALS: Final = 20


def ensure_startable(job: ReconcileContext, work: list[str]) -> None:
    """Check all that only a run can refuse, before anything is written.

    Raises MissingAccountError, PlanError or PrerequisiteError.
    """
    if job.api.account_id is None:
        msg = "no account: set account_id, the stack's config ocean-migration:account, or SPOTINST_ACCOUNT"
        raise MissingAccountError(msg)
    spec, planned = job.spec, job.record.planned
    if spec.approved_plan is not None and not is_approved(job.reviewed or planned, spec.approved_plan):
        difference = compare_with_approved(job.reviewed or planned, spec.approved_plan)
        raise PlanError(render(difference), (difference,))
    nodes = job.nodes(work)
    elsewhere = job.matched_elsewhere(nodes)
    if elsewhere:
        job.tell.warning(
            f"{count_with_verb(len(elsewhere), 'node', 'match')} another Virtual Node Group than "
            f"planned: {list_some(elsewhere)}"
        )
    groups = job.claims.view.groups(job.api, job.scope, fresh=True)
    matched = service.check_groups(nodes, groups, spec.unmatched_nodes)
    if matched.status is CheckStatus.FAIL:
        diagnostic = matched.to_diagnostic(enforced=True)
        msg = f"nothing was started: {render(diagnostic)}"
        raise PrerequisiteError(msg, (diagnostic,))
    if spec.prerequisites == "off":
        return
    found = _examine(job, nodes)
    enforced = spec.prerequisites == "enforce"
    failed = [check_result.to_diagnostic(enforced=enforced) for check_result in found.failed]
    if failed and enforced:
        found_texts = join_sentences([*map(render, failed), 'Set prerequisites="warn" to start anyway'])
        msg = f"nothing was started: {found_texts}"
        raise PrerequisiteError(msg, tuple(failed))
    for diagnostic in failed:
        job.tell.warning(render_line(diagnostic))


def _examine(job: ReconcileContext, nodes: list[PlannedNode]) -> Preflight:
    """Judge afresh what stands in the way, with evictions on trial: only a run has the right to those."""
    view, scope = job.claims.view, job.scope
    cluster = view.cluster(job.api, scope, fresh=True)
    heartbeat = view.heartbeat(job.api, scope, fresh=True)
    ocean_nodes = None
    with suppress(ApiError, NoAnswerError):  # without them only the room is unknown
        ocean_nodes = view.nodes(job.api, scope)
    bounded = scope.at_most(KUBERNETES_DEADLINE)
    snapshot = ClusterSnapshot(
        offered=job.offered,
        groups=view.groups(job.api, scope),
        cluster=cluster,
        heartbeat=heartbeat,
        ocean_nodes=ocean_nodes,
        facts=ask_kubernetes(job.sources, bounded, offered=job.offered, ocean_nodes=ocean_nodes or (), fresh=True),
    )
    judged = partial(
        run_preflight,
        job.spec,
        nodes,
        snapshot,
        cloud=ask_aws(job.sources, bounded, nodes, cluster, snapshot.groups),
        foreign=(),
        now=job.now(),
        first=not job.record.runs,
    )
    found = judged()
    if found.failed and job.spec.prerequisites == "enforce":
        return found
    trials = _try_evictions(job, nodes, snapshot, bounded)
    if not trials:
        return found
    tried = judged(trials=trials)
    for diagnostic in tried.diagnostics:
        if diagnostic.is_blocker and diagnostic not in found.diagnostics:
            job.tell.warning(render_line(diagnostic))
    for budget, trial in trials.items():
        if trial.allowed:
            job.tell.info(render(Diagnostic(code=Code.PDB_ALLOWS, severity=Severity.INFO, subject=budget)))
    return tried


def _try_evictions(
    job: ReconcileContext, nodes: list[PlannedNode], snapshot: ClusterSnapshot, scope: CancelScope
) -> dict[str, EvictionTrial]:
    """Ask the API server itself about budgets that seem to hold pods: it knows better than their status."""
    kubernetes, kube = job.sources.kubernetes, snapshot.facts.kube
    if kubernetes is None or kube is None:
        return {}
    held = sorted(held_pods(job.spec, nodes, kube).items())
    return {budget: kubernetes.try_eviction(scope, pod) for budget, pod in held[:_MOST_TRIALS]}
