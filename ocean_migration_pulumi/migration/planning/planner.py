"""Preview a migration: what it will do to which nodes, and what stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    InputError,
    NoAnswerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestRejectedError,
    ServiceError,
    SettingsError,
    UnknownNameError,
    WaitEndedError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.check_result import CheckResult
from ocean_migration_pulumi.migration.planning.drained_nodes import find_drained, report_drained
from ocean_migration_pulumi.migration.planning.plan_report import (
    add_prices,
    report_adoption,
    report_plan,
    report_planned_health,
    waiting_nodes,
)
from ocean_migration_pulumi.migration.planning.preflight import report_checks, run_preflight
from ocean_migration_pulumi.migration.planning.selection import asks_again, keep_entries, plan_selection
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.planning.vng_suggestions import suggest_vngs
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.node_prices import ask_prices, price_nodes
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.snapshot import (
    ClusterSnapshot,
    PlanPreview,
    has_same_flags,
    take_snapshot,
)
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_aws
from ocean_migration_pulumi.migration.spec.approval import refuse_short_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity, UnplannedCause, UnplannedEffect
from ocean_migration_pulumi.migration.spec.freeze import report_freeze
from ocean_migration_pulumi.migration.spec.gap import Gap
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

BUDGET: Final = 5.0
"""Seconds that a preview may spend on one cluster."""

UNREACHABLE: Final = (
    NoAnswerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestRejectedError,
    ServiceError,
    SettingsError,
    WaitEndedError,
)
"""What leaves a preview without a plan but is no mistake in the inputs."""


def preview_plan(
    api: OceanApi,
    claims: ClusterClaims,
    scope: CancelScope,
    *,
    owner: str,
    spec: MigrationSpec,
    old: MigrationSpec | None,
    sources: DataSources,
    budget: float = BUDGET,
) -> PlanPreview:
    """Plan a migration.

    Args:
        api: The service.
        claims: What the resources of this process have planned on the cluster.
        scope: The bounds of the operation.
        owner: Who plans, for the claims.
        spec: What to migrate, and how.
        old: The spec of the last inputs; None for a new resource.
        sources: Kubernetes and AWS, as far as there is access.
        budget: The most seconds of the operation that this may take.

    Raises:
        AuthenticationError: Spot refuses the token; that is no service that cannot be asked.
    """
    if old is not None and (old.ocean_id != spec.ocean_id or old.account_id != spec.account_id):
        old = None  # a replacement: the plan of another cluster says nothing of this one
    bounded = scope.at_most(budget)
    if api.account_id is None:
        return _without_plan(spec, old, UnplannedCause.NO_ACCOUNT)
    if spec.nodes.label_selectors and sources.kubernetes is None:
        return _without_plan(spec, old, UnplannedCause.NO_LABELS, gap=sources.absent)
    try:
        snapshot = take_snapshot(api, claims, bounded, spec, sources)
    except ClusterNotFoundError as error:
        return PlanPreview(problems=(UnknownNameError("ocean_id", str(error)),))
    except InputError as error:
        return PlanPreview(problems=(error,))
    except UNREACHABLE as error:
        return _without_plan(spec, old, UnplannedCause.SPOT_UNAVAILABLE, str(error))
    if refusal := refuse_wrong_cluster(snapshot):
        return PlanPreview(problems=(refusal,))
    if are_labels_unknown(snapshot, spec):
        return _without_plan(spec, old, UnplannedCause.NO_LABELS, gap=snapshot.facts.absent)
    if service.never_reported(snapshot.heartbeat):
        return _without_plan(spec, old, UnplannedCause.CONTROLLER_NEVER_REPORTED, spec.ocean_id)
    if old is not None and old.planned_nodes is None and not asks_again(spec, old):
        return PlanPreview(diagnostics=(Diagnostic.info(Code.PLAN_KEPT_BY_RUN),))
    try:
        preview = plan_selection(api, claims, bounded, owner=owner, snapshot=snapshot, spec=spec, old=old)
    except UNREACHABLE as error:
        return _without_plan(spec, old, UnplannedCause.SPOT_UNAVAILABLE, str(error))
    if preview.planned is None:
        return preview
    claims.plan(owner, preview.planned)
    summary, *others = report_plan(preview.planned, snapshot, spec, keep_entries(spec, old, snapshot), old)
    diagnostics = [summary, *preview.diagnostics, *others]
    ours = [
        status
        for status in snapshot.running
        if _could_be_ours(status, preview.planned, spec)
        and not claims.someone_else_claims(owner, status.id, status.instance_ids)
    ]
    if old is None:  # later it may be in the state, with which the inputs are compared next
        diagnostics += [
            report_adoption(status.id, status.instance_ids, pending=True, ended=False, whole=True) for status in ours
        ]
    drained = find_drained(snapshot, preview.planned)
    if old is None and drained.since:  # later the state knows more, with which the inputs are compared next
        costs = ask_prices(sources, bounded, drained.since, snapshot.cluster, snapshot.facts.kube)
        diagnostics += [each] if (each := report_drained(drained, prices=costs)) else []
    check_results: tuple[CheckResult, ...] = ()
    nodes = waiting_nodes(preview.planned, snapshot)
    if nodes and (frozen := report_freeze(spec.freeze, api.server_now(), Severity.INFO)):
        diagnostics.append(frozen)
    if nodes and (refusal := refuse_short_digest(spec)):
        return PlanPreview(problems=(refusal,))
    if nodes and (watched := report_planned_health(spec, nodes, snapshot.facts)):
        diagnostics.append(watched)
    if nodes:
        checks, kube = spec.prerequisites != "off", snapshot.facts.kube
        stay = not spec.should_terminate_drained_nodes
        cloud = ask_aws(sources, bounded, nodes, snapshot.cluster, snapshot.vngs, kube, priced=stay) if checks else None
        if prices := price_nodes([node.instance_id for node in nodes], kube, cloud):
            diagnostics = [add_prices(each, prices) for each in diagnostics]
        found = run_preflight(
            spec,
            nodes,
            snapshot,
            cloud=cloud,
            other_migrations=[status for status in snapshot.running if status not in ours],
            now=api.server_now(),
            first=old is None,
        )
        diagnostics += found.diagnostics
        if checks:
            check_results = found.check_results
            diagnostics += report_checks(check_results, spec)
        unmatched = [node for node in nodes if node.virtual_node_group_id is None]
        diagnostics += suggest_vngs(spec.ocean_id, unmatched, snapshot.facts.kube, snapshot.cluster.template.user_data)
    adopts = ours[-1] if ours and old is None else None
    return replace(preview, diagnostics=tuple(diagnostics), check_results=check_results, drained=drained, adopts=adopts)


def refuse_wrong_cluster(snapshot: ClusterSnapshot) -> InputError | None:
    """Return the refusal of a kubeconfig that is of another cluster; None when it is not, or nobody named one."""
    facts = snapshot.facts
    if facts.absent is None or not (facts.is_other_cluster and facts.explicit):
        return None
    reason = describe_gap(facts.absent).reason
    return InputError("kubeconfig", f"{reason}; use the kubeconfig of cluster {snapshot.cluster.id}")


def are_labels_unknown(snapshot: ClusterSnapshot, spec: MigrationSpec) -> bool:
    """Tell whether the label selectors cannot be evaluated; ``snapshot.facts.absent`` may say why."""
    wanted = set(spec.nodes.label_selectors)
    known = snapshot.label_matches.taken.keys() >= wanted and snapshot.label_matches.knows
    return bool(wanted) and not known


def _without_plan(
    spec: MigrationSpec, old: MigrationSpec | None, cause: UnplannedCause, detail: str = "", gap: Gap | None = None
) -> PlanPreview:
    if old is None:
        effect = UnplannedEffect.PLANNED_BY_UP
    elif old.planned_nodes is None:
        effect = UnplannedEffect.OUTPUT_STAYS
    else:
        effect = UnplannedEffect.PLAN_STAYS
    unplanned = report_unplanned(cause, detail, effect, gap=gap)
    return PlanPreview(
        planned=None if old is None or old.planned_nodes is None else dict(old.planned_nodes),
        diagnostics=(unplanned,),
        unplanned=unplanned if old is None or asks_again(spec, old) else None,
    )


def report_unplanned(
    cause: UnplannedCause,
    detail: str = "",
    effect: UnplannedEffect = UnplannedEffect.PLANNED_BY_UP,
    *,
    gap: Gap | None = None,
) -> Diagnostic:
    """Return why there is no new plan; ``detail`` is an error of Spot, or the id of the cluster."""
    return Diagnostic.warning(
        Code.UNPLANNED, cause=str(cause), detail=detail, gap=gap.to_json() if gap else None, effect=str(effect)
    )


def _could_be_ours(status: MigrationStatus, planned: Mapping[str, str], spec: MigrationSpec) -> bool:
    ids = status.instance_ids
    return bool(ids) and ids <= planned.keys() and has_same_flags(status, spec)
