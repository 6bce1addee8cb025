"""Select the nodes of a plan, from old inputs, new inputs and a snapshot of the cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import shorten_value
from ocean_migration_pulumi.errors import InputError, OceanMigrationError
from ocean_migration_pulumi.migration.planning.empty_selection import (
    MOST_COMPARED,
    find_excuse,
    may_nodes_be_hidden,
    nearest_id,
    refuse_empty_selection,
    report_moved_undecided,
    report_unmatched_patterns,
    selects_missing_vngs_alone,
)
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot, PlanPreview, has_same_flags
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.node_selector import select_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    UNKNOWN_VNG,
    PlannedNode,
    complete_entries,
    format_entry,
    parse_planned,
)
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec


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
    if preview.planned is None or (old is not None and not asks_again(spec, old)):
        return preview
    found = list(preview.diagnostics)
    if not preview.planned and spec.when_no_nodes == "fail" and not _has_plan(spec, old):
        excuse: list[Diagnostic] | None = found
        if selects_missing_vngs_alone(spec, snapshot):
            return PlanPreview(problems=(refuse_empty_selection(spec, snapshot),))
        if not found:
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
    kept, wants_more = keep_entries(spec, old, snapshot), asks_again(spec, old)
    new = old is None
    ours = [
        status
        for status in snapshot.recent
        if has_same_flags(status, spec)
        # After a failed update the engine keeps the inputs of before: what that run migrated is found here.
        and (new or wants_more or not status.is_terminal)
        and not claims.someone_else_claims(owner, status.id, status.instance_ids)
    ]
    others = [
        status for status in snapshot.running if (new or wants_more) and status.id not in {each.id for each in ours}
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
    follows = new or wants_more or spec.new_nodes == "migrate"
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
            diagnostics.append(Diagnostic.warning(Code.ASG_REPLACES, node.asg_name or ""))
            if not wants_more:
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
    problems: list[InputError] = []
    may_be_held = False
    for name in strangers:
        taken = next((status for status in snapshot.recent if name in status.instance_ids), None)
        if taken is not None:
            why = f"migration {taken.id} of another stack or user holds it"
        elif name in ocean_nodes:
            why = "it is already an Ocean node"
        else:
            why = "it is not a node of this cluster"
            may_be_held = may_be_held or may_nodes_be_hidden(snapshot)
        nearest = nearest_id(name, snapshot.offered) if len(problems) < MOST_COMPARED else None
        remedy = f"did you mean `{nearest}`?" if nearest else "list the candidates with `ocean-migration candidates`"
        problem = f"{shorten_value(name)} cannot be migrated: {why}; {remedy}"
        problems.append(InputError("nodes.instance_ids", problem))
    return PlanPreview(problems=tuple(problems), may_be_held=may_be_held)


def asks_again(spec: MigrationSpec, old: MigrationSpec | None) -> bool:
    """Tell whether the inputs ask for other nodes than those that are planned."""
    return old is not None and (
        not spec.nodes.is_same_selection(old.nodes) or spec.triggers_digest != old.triggers_digest
    )


def keep_entries(spec: MigrationSpec, old: MigrationSpec | None, snapshot: ClusterSnapshot) -> dict[str, str]:
    """Return the entries of the old inputs that stay, word for word; with the Virtual Node Group if it had none.

    Where an approval counts, they have the Virtual Node Group of today: no reviewer has seen another one.
    """
    if old is None or old.planned_nodes is None:
        return {}
    renew = spec.approved_plan is not None or spec.require_approval
    planned = complete_entries(old.planned_nodes, snapshot.offered, snapshot.vng_names, renew=renew)
    if spec.nodes.is_same_selection(old.nodes):
        return planned
    nodes = parse_planned(planned)
    return {
        instance_id: entry for instance_id, entry in planned.items() if not spec.nodes.contradicts(nodes[instance_id])
    }
