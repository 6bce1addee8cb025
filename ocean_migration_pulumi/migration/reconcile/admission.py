"""Check whether a run may start a migration, before anything is written: approval, prerequisites, trial evictions."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Final

from ocean_migration_pulumi.api.settings import NO_ACCOUNT
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_with_verb, list_some
from ocean_migration_pulumi.errors import (
    ApiError,
    FrozenError,
    MissingAccountError,
    NoAnswerError,
    PlanError,
    PrerequisiteError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.planning.plan_report import compare_with_approved, covers_resume, report_outdated
from ocean_migration_pulumi.migration.planning.preflight import Preflight, run_preflight
from ocean_migration_pulumi.migration.planning.text.findings_text import render, render_line
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import held_pods
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import EvictionTrial
from ocean_migration_pulumi.migration.snapshot.node_prices import price_nodes
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.snapshot.sources import ask_aws, ask_kubernetes
from ocean_migration_pulumi.migration.spec.approval import is_approved
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.freeze import report_freeze
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, complete_entries

KUBERNETES_DEADLINE: Final = 60.0
"""Seconds that Kubernetes and AWS may take before a start; what they have not answered by then is unknown."""

_MOST_TRIALS: Final = 20
_MOST_SAMPLES: Final = 3


def ensure_startable(context: ReconcileContext, work: list[str]) -> None:
    """Check everything that only a run can refuse.

    Args:
        context: The run.
        work: The nodes to migrate.

    Raises:
        MissingAccountError: No source names an account.
        PlanError: The plan is not the approved one.
        PrerequisiteError: A prerequisite is not met, and ``prerequisites`` is ``"enforce"``.
    """
    if context.api.account_id is None:
        raise MissingAccountError(NO_ACCOUNT)
    ensure_approved(context, work)
    spec = context.spec
    nodes = context.planned_nodes(work)
    elsewhere = context.matched_elsewhere(nodes)
    if elsewhere:
        context.reporter.warning(
            f"{count_with_verb(len(elsewhere), 'node', 'match')} another Virtual Node Group than "
            f"planned: {list_some(elsewhere)}"
        )
    vngs = context.claims.cache.vngs(context.api, context.scope, fresh=True)
    matched = service.check_vngs(nodes, vngs, spec.unmatched_nodes)
    if matched.status is CheckStatus.FAIL:
        diagnostic = matched.to_diagnostic(enforced=True)
        msg = f"nothing was started: {render(diagnostic, context.vocabulary)}"
        raise PrerequisiteError(msg, (diagnostic,))
    if spec.prerequisites == "off":
        return
    found = _examine(context, nodes)
    enforced = spec.prerequisites == "enforce"
    failed = [check_result.to_diagnostic(enforced=enforced) for check_result in found.failed]
    if failed and enforced:
        setting = context.vocabulary.write_setting("prerequisites", "warn")
        texts = [render(diagnostic, context.vocabulary) for diagnostic in failed]
        found_texts = join_sentences([*texts, f"Set {setting} to start anyway"])
        msg = f"nothing was started: {found_texts}"
        raise PrerequisiteError(msg, tuple(failed))
    for diagnostic in failed:
        context.reporter.warning(render_line(diagnostic, context.vocabulary))


def ensure_approved(context: ReconcileContext, work: Collection[str]) -> None:
    """Check that the plan is the approved one, or that no approval is given or required.

    Args:
        context: The run.
        work: The nodes to migrate.

    Raises:
        PlanError: The plan is not approved.
    """
    spec, state = context.spec, context.state
    reviewed = context.reviewed or state.planned
    if spec.approved_plan is None and not spec.require_approval:
        return
    # Nobody has reviewed where a node goes that another migration held when it was planned, or that goes elsewhere now.
    offered = {name: context.offered[name] for name in work if name in context.offered}
    planned = complete_entries(reviewed, offered, {}, renew=True)
    if is_approved(planned, spec) or covers_resume(reviewed, spec, state.latest, work):
        return
    before = context.planned_before or reviewed
    difference = report_outdated(planned, spec, Severity.ERROR) or compare_with_approved(
        planned, spec, old_planned=before, old_triggers=state.triggers
    )
    raise PlanError(render(difference, context.vocabulary), (difference,))


def ensure_start_time(context: ReconcileContext) -> None:
    """Check that a migration may start now: the run goes on for long enough, and no freeze window is open.

    Args:
        context: The run.

    Raises:
        RunDeadlineError: The run ends too soon.
        FrozenError: A freeze window is open.
    """
    context.scope.check_start()
    frozen = report_freeze(context.spec.freeze, context.now(), Severity.ERROR)
    if frozen is not None:
        raise FrozenError(f"{render(frozen)}; nothing was started", (frozen,))


def _examine(context: ReconcileContext, nodes: list[PlannedNode]) -> Preflight:
    """Run the pre-flight checks on fresh data, with trial evictions: only a run may send those."""
    cache, scope = context.claims.cache, context.scope
    cluster = cache.cluster(context.api, scope, fresh=True)
    heartbeat = cache.heartbeat(context.api, scope, fresh=True)
    ocean_nodes = None
    with suppress(ApiError, NoAnswerError):  # without them only the capacity is unknown
        ocean_nodes = cache.nodes(context.api, scope)
    bounded = scope.at_most(KUBERNETES_DEADLINE)
    snapshot = ClusterSnapshot(
        offered=context.offered,
        vngs=cache.vngs(context.api, scope),
        cluster=cluster,
        heartbeat=heartbeat,
        ocean_nodes=ocean_nodes,
        facts=ask_kubernetes(
            context.sources, bounded, offered=context.offered, ocean_nodes=ocean_nodes or (), fresh=True
        ),
    )
    stay = not context.spec.should_terminate_drained_nodes
    cloud = ask_aws(context.sources, bounded, nodes, cluster, snapshot.vngs, snapshot.facts.kube, priced=stay)
    context.state.prices |= price_nodes([node.instance_id for node in nodes], snapshot.facts.kube, cloud)
    check = partial(
        run_preflight,
        context.spec,
        nodes,
        snapshot,
        cloud=cloud,
        other_migrations=(),
        now=context.now(),
        first=not context.state.migrations,
    )
    found = check()
    if found.failed and context.spec.prerequisites == "enforce":
        return found
    trials = _try_evictions(context, nodes, snapshot, bounded)
    if not trials:
        return found
    tried = check(trials=trials)
    for diagnostic in tried.diagnostics:
        if diagnostic.is_blocker and diagnostic not in found.diagnostics:
            context.reporter.warning(render_line(diagnostic, context.vocabulary))
    for budget, trial in trials.items():
        if trial.allowed:
            allows = Diagnostic.info(Code.PDB_ALLOWS, budget)
            context.reporter.info(render(allows))
    return tried


def _try_evictions(
    context: ReconcileContext, nodes: list[PlannedNode], snapshot: ClusterSnapshot, scope: CancelScope
) -> dict[str, EvictionTrial]:
    """Try evictions, as dry runs, against budgets that seem to block: the API server knows better than their status."""
    kubernetes, kube = context.sources.kubernetes, snapshot.facts.kube
    if kubernetes is None or kube is None:
        return {}
    trials = {}
    for budget, pods in sorted(held_pods(context.spec, nodes, kube).items())[:_MOST_TRIALS]:
        for pod in pods[:_MOST_SAMPLES]:
            trials[budget] = kubernetes.try_eviction(scope, pod)
            if not trials[budget].vanished:
                break
    return trials
