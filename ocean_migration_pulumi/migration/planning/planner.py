"""Plan a migration: from old inputs, new inputs and a snapshot of the cluster to the planned nodes and diagnostics."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    InputError,
    NoAnswerError,
    NotFoundError,
    OceanMigrationError,
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
from ocean_migration_pulumi.migration.planning.empty_selection import (
    find_excuse,
    may_nodes_be_hidden,
    refuse_empty_selection,
    report_moved_undecided,
    report_unmatched_patterns,
    selects_missing_vngs_alone,
)
from ocean_migration_pulumi.migration.planning.plan_report import (
    add_prices,
    report_adoption,
    report_plan,
    report_planned_health,
    waiting_nodes,
)
from ocean_migration_pulumi.migration.planning.preflight import report_checks, run_preflight
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.planning.vng_suggestions import suggest_vngs
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.node_prices import price_nodes
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.snapshot import (
    ClusterSnapshot,
    PlanPreview,
    has_same_flags,
    take_snapshot,
)
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_aws
from ocean_migration_pulumi.migration.spec.approval import refuse_short_digest
from ocean_migration_pulumi.migration.spec.diagnostic import (
    Code,
    Diagnostic,
    Severity,
    UnplannedCause,
    UnplannedEffect,
)
from ocean_migration_pulumi.migration.spec.freeze import report_freeze
from ocean_migration_pulumi.migration.spec.gap import Gap
from ocean_migration_pulumi.migration.spec.node_selector import select_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    UNKNOWN_VNG,
    PlannedNode,
    complete_entries,
    format_entry,
    parse_planned,
)
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
    if old is not None and old.planned_nodes is None and not _asks_again(spec, old):
        return PlanPreview(diagnostics=(Diagnostic(code=Code.PLAN_KEPT_BY_RUN, severity=Severity.INFO),))
    try:
        preview = plan_selection(api, claims, bounded, owner=owner, snapshot=snapshot, spec=spec, old=old)
    except UNREACHABLE as error:
        return _without_plan(spec, old, UnplannedCause.SPOT_UNAVAILABLE, str(error))
    if preview.planned is None:
        return preview
    claims.plan(owner, preview.planned)
    summary, *others = report_plan(preview.planned, snapshot, spec, _kept(spec, old, snapshot), old)
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
        if prices := price_nodes(nodes, kube, cloud):
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
    return replace(preview, diagnostics=tuple(diagnostics), check_results=check_results)


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


def _asks_again(spec: MigrationSpec, old: MigrationSpec | None) -> bool:
    return old is not None and (
        not spec.nodes.is_same_selection(old.nodes) or spec.triggers_digest != old.triggers_digest
    )


def _kept(spec: MigrationSpec, old: MigrationSpec | None, snapshot: ClusterSnapshot) -> dict[str, str]:
    """Return the entries of the old inputs that stay, word for word; with the Virtual Node Group if it had none."""
    if old is None or old.planned_nodes is None:
        return {}
    planned = complete_entries(old.planned_nodes, snapshot.offered, snapshot.vng_names)
    if spec.nodes.is_same_selection(old.nodes):
        return planned
    nodes = parse_planned(planned)
    return {
        instance_id: entry for instance_id, entry in planned.items() if not spec.nodes.contradicts(nodes[instance_id])
    }


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
        unplanned=unplanned if old is None or _asks_again(spec, old) else None,
    )


def report_unplanned(
    cause: UnplannedCause,
    detail: str = "",
    effect: UnplannedEffect = UnplannedEffect.PLANNED_BY_UP,
    *,
    gap: Gap | None = None,
) -> Diagnostic:
    """Return why there is no new plan; ``detail`` is an error of Spot, or the id of the cluster."""
    return Diagnostic(
        code=Code.UNPLANNED,
        severity=Severity.WARNING,
        fields={"cause": str(cause), "detail": detail, "gap": gap.to_json() if gap else None, "effect": str(effect)},
    )


def plan_selection(
    api: OceanApi,
    claims: ClusterClaims,
    scope: CancelScope,
    *,
    owner: str,
    snapshot: ClusterSnapshot,
    spec: MigrationSpec,
    old: MigrationSpec | None,
) -> PlanPreview:
    """Return the planned nodes; a problem when the selector matches nothing, and nothing excuses it."""
    preview = plan_nodes(api, claims, scope, owner=owner, snapshot=snapshot, spec=spec, old=old)
    if preview.planned is None or (old is not None and not _asks_again(spec, old)):
        return preview
    found = list(preview.diagnostics)
    if not preview.planned and spec.when_no_nodes == "fail" and not _has_plan(spec, old):
        excuse: list[Diagnostic] | None = found
        if selects_missing_vngs_alone(spec, snapshot):
            excuse = None
        elif not found:
            excuse = find_excuse(api, claims, scope, spec, snapshot)
        if excuse is None:
            return PlanPreview(
                problems=(refuse_empty_selection(spec, snapshot),), may_be_held=may_nodes_be_hidden(snapshot)
            )
        found = excuse
    unmatched = report_unmatched_patterns(spec, parse_planned(preview.planned).values(), snapshot)
    return replace(preview, diagnostics=(*found, *unmatched))


def plan_nodes(
    api: OceanApi,
    claims: ClusterClaims,
    scope: CancelScope,
    *,
    owner: str,
    snapshot: ClusterSnapshot,
    spec: MigrationSpec,
    old: MigrationSpec | None,
) -> PlanPreview:
    """Return the planned nodes with what there is to say of the selection; only problems when there are any."""
    kept, asks_again = _kept(spec, old, snapshot), _asks_again(spec, old)
    new = old is None
    ours = [
        status
        for status in snapshot.recent
        if has_same_flags(status, spec)
        # After a failed update the engine keeps the inputs of before: what that run migrated is found here.
        and (new or asks_again or not status.is_terminal)
        and not claims.someone_else_claims(owner, status.id, status.instance_ids)
    ]
    others = [
        status for status in snapshot.running if (new or asks_again) and status.id not in {each.id for each in ours}
    ]
    candidates: dict[str, PlannedNode | Candidate] = {}
    moved: set[str] = set()
    for status in others:
        candidates |= {node.instance_id: node for node in _held_nodes(status)}
    for status in ours:
        nodes = _held_nodes(status)
        if status.is_terminal and any(spec.nodes.contradicts(node) for node in nodes):
            continue
        candidates |= {node.instance_id: node for node in nodes}
        moved |= status.instance_ids
    candidates |= snapshot.offered
    if strangers := _find_strangers(spec, old, candidates):
        return _refuse_strangers(api, claims, scope, snapshot, strangers)
    free = [node for name, node in candidates.items() if name not in spec.planned_elsewhere]
    follows = new or asks_again or spec.new_nodes == "migrate"
    chosen = select_nodes(spec.nodes, free, kept=kept, preferred=moved, label_matches=snapshot.label_matches)
    diagnostics = []
    # A candidate is no node that moved, and what runs has not moved yet.
    ended = {node.instance_id: node.migration_id for node in chosen.undecided if getattr(node, "migration_id", None)}
    if ended:
        diagnostics.append(report_moved_undecided(ended, chosen.undecided, spec.nodes, snapshot.label_matches))
    if others_undecided := [node for node in chosen.undecided if node.instance_id not in ended]:
        diagnostics.append(_on_nodes(Code.NODES_UNDECIDED, Severity.WARNING, others_undecided))
    if not follows:
        if chosen.taken:
            diagnostics.append(_on_nodes(Code.NODES_NEW, Severity.INFO, chosen.taken))
        return PlanPreview(planned=dict(sorted(kept.items())), diagnostics=tuple(diagnostics))
    planned, names = dict(kept), snapshot.vng_names
    refilled = _refilled(spec, kept, snapshot) if not new else frozenset()
    skipped = []
    for node in chosen.taken:
        offered = isinstance(node, Candidate)
        if node.asg_name in refilled:
            diagnostics.append(
                Diagnostic(code=Code.ASG_REPLACES, severity=Severity.WARNING, subject=node.asg_name or "")
            )
            if not asks_again:
                continue
        if (
            node.virtual_node_group_id is None
            and spec.unmatched_nodes == "skip"
            and (offered or node.migration_id is None)
            and (node.instance_id not in snapshot.active)
        ):
            if node.asg_name not in refilled:
                skipped.append(node)
            continue
        planned[node.instance_id] = format_entry(node, names) if offered else node.entry
    if skipped:
        diagnostics.append(_on_nodes(Code.NODES_SKIPPED, Severity.WARNING, skipped))
    if new and not chosen.taken:
        planned = _plan_moved(spec, snapshot)
    diagnostics += report_held(planned, others, spec)
    return PlanPreview(planned=dict(sorted(planned.items())), diagnostics=tuple(dict.fromkeys(diagnostics)))


def _held_nodes(status: MigrationStatus) -> list[PlannedNode]:
    """Return the nodes of a migration, which discovery does not return."""
    return [
        PlannedNode(
            instance_id=node.instance_id,
            node_name=node.node_name,
            asg_name=node.asg_name,
            virtual_node_group_id=UNKNOWN_VNG,
            migration_id=status.id if status.is_terminal else None,
        )
        for node in status.old_instances
    ]


def _plan_moved(spec: MigrationSpec, snapshot: ClusterSnapshot) -> dict[str, str]:
    """Plan the selected nodes that ended migrations of anyone have held; the run finds out what became of them."""
    nodes = [node for status in reversed(snapshot.recent) if status.is_terminal for node in _held_nodes(status)]
    free = {node.instance_id: node for node in nodes if node.instance_id not in spec.planned_elsewhere}
    chosen = select_nodes(spec.nodes, free.values(), label_matches=snapshot.label_matches)
    return {node.instance_id: node.entry for node in chosen.taken}


def report_held(planned: Collection[str], others: Iterable[MigrationStatus], spec: MigrationSpec) -> list[Diagnostic]:
    """Return a diagnostic for each migration of others that holds planned nodes, or whose nodes are not known."""
    return [
        Diagnostic(
            code=Code.NODES_HELD,
            severity=Severity.WARNING if spec.when_busy == "wait" else Severity.ERROR,
            subject=status.id,
            fields={"nodes": nodes, "waits": spec.when_busy == "wait"},
        )
        for status in others
        if (nodes := sorted(status.instance_ids.intersection(planned))) or not status.instance_ids
    ]


def _has_plan(spec: MigrationSpec, old: MigrationSpec | None) -> bool:
    """Tell whether these nodes were planned before, even if none matched."""
    return old is not None and old.planned_nodes is not None and spec.nodes.is_same_selection(old.nodes)


def _on_nodes(code: Code, severity: Severity, nodes: Iterable[PlannedNode | Candidate]) -> Diagnostic:
    return Diagnostic(code=code, severity=severity, fields={"nodes": sorted(node.instance_id for node in nodes)})


def _refilled(spec: MigrationSpec, kept: Mapping[str, str], snapshot: ClusterSnapshot) -> frozenset[str]:
    """Return the Auto Scaling Groups that put new nodes in the place of those that were terminated."""
    if not spec.should_terminate_drained_nodes:
        return frozenset()
    return frozenset(
        node.asg_name
        for instance_id, node in parse_planned(kept).items()
        if node.asg_name and instance_id not in snapshot.offered and instance_id not in snapshot.active
    )


def _find_strangers(
    spec: MigrationSpec, old: MigrationSpec | None, candidates: Mapping[str, PlannedNode | Candidate]
) -> list[str]:
    """Return the selected ids that were never a candidate."""
    before = old.planned_nodes if old is not None and old.planned_nodes is not None else {}
    return [name for name in spec.nodes.instance_ids if name not in candidates and name not in before]


def _refuse_strangers(
    api: OceanApi, claims: ClusterClaims, scope: CancelScope, snapshot: ClusterSnapshot, strangers: list[str]
) -> PlanPreview:
    """Return the refusal of ids that were never a candidate, with the reason for each."""
    try:
        ocean_nodes = {node.instance_id for node in claims.cache.nodes(api, scope)}
    except OceanMigrationError:
        ocean_nodes = set()
    problems, may_be_held = [], False
    for name in strangers:
        taken = next((status for status in snapshot.recent if name in status.instance_ids), None)
        if taken is not None:
            why = f"migration {taken.id} of another stack or user holds it"
        elif name in ocean_nodes:
            why = "it is already an Ocean node"
        else:
            why = "it is not a node of this cluster"
            may_be_held = may_be_held or may_nodes_be_hidden(snapshot)
        problem = f"{name!r} cannot be migrated: {why}; list the candidates with `ocean-migration candidates`"
        problems.append(InputError("nodes.instance_ids", problem))
    return PlanPreview(problems=tuple(problems), may_be_held=may_be_held)


def _could_be_ours(status: MigrationStatus, planned: Mapping[str, str], spec: MigrationSpec) -> bool:
    ids = status.instance_ids
    return bool(ids) and ids <= planned.keys() and has_same_flags(status, spec)
