"""The preview: from old inputs, new inputs and what the cluster says now to the planned nodes, and what to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
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
    WaitEndedError,
)
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.planning import findings_text
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.snapshot import (
    ClusterSnapshot,
    PlanPreview,
    has_same_flags,
    take_snapshot,
)
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, ask_aws
from ocean_migration_pulumi.migration.spec.node_selector import select_nodes
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_GROUP, PlannedNode, format_entry, parse_planned
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
    api: Any,
    claims: ClusterClaims,
    scope: CancelScope,
    *,
    owner: str,
    spec: MigrationSpec,
    old: MigrationSpec | None,
    sources: DataSources,
) -> PlanPreview:
    """Plan a wish; ``old`` is the wish of the last inputs (None for a new resource).

    Raises AuthenticationError: a refused token is not a service that cannot be asked.
    """
    if old is not None and (old.ocean_id != spec.ocean_id or old.account_id != spec.account_id):
        old = None  # a replacement: the plan of another cluster says nothing of this one
    result = PlanPreview()
    bounded = scope.at_most(BUDGET)
    kept = _kept(spec, old)
    asks_again = _asks_again(spec, old)
    if api.account_id is None:
        why = "no account: set account_id, the stack's config ocean-migration:account, or SPOTINST_ACCOUNT"
        return _unplanned(result, kept, old, asks_again, why)
    if spec.nodes.label_selectors and sources.kubernetes is None:
        return _unplanned(result, kept, old, asks_again, f"label_selector cannot be judged: {sources.absent}")
    try:
        snapshot = take_snapshot(api, claims, bounded, spec, sources)
    except ClusterNotFoundError as error:
        result.problems.append(InputError("ocean_id", f"{spec.ocean_id!r}: {error}"))
        return result
    except InputError as error:
        result.problems.append(error)
        return result
    except UNREACHABLE as error:
        return _unplanned(result, kept, old, asks_again, f"cannot ask Spot: {error}")
    if refusal := refuse_wrong_cluster(snapshot):
        result.problems.append(refusal)
        return result
    if unjudged := explain_unknown_labels(snapshot, spec):
        return _unplanned(result, kept, old, asks_again, unjudged)
    if service.never_reported(snapshot.heartbeat):
        return _unplanned(result, kept, old, asks_again, f"the Ocean Controller of {spec.ocean_id} has never reported")
    if old is not None and old.planned_nodes is None and not asks_again:
        result.info.append("the plan was made by the run that created this resource; see its output planned_nodes")
        return result
    result.planned = plan_nodes(result, api, claims, bounded, owner=owner, snapshot=snapshot, spec=spec, old=old)
    if result.problems:
        return result
    claims.plan(owner, result.planned)
    findings_text.describe_plan(result, snapshot, spec, kept)
    nodes = findings_text.waiting_nodes(result.planned, snapshot)
    if nodes:
        foreign = [
            status
            for status in snapshot.running
            if not _could_be_ours(status, result.planned, spec)
            or claims.someone_else_claims(owner, status.id, status.instance_ids)
        ]
        cloud = (
            None if spec.prerequisites == "off" else ask_aws(sources, bounded, nodes, snapshot.cluster, snapshot.groups)
        )
        findings_text.describe_readiness(
            result,
            snapshot,
            spec,
            nodes,
            cloud=cloud,
            foreign=foreign,
            now=api.server_now(),
            first=old is None,
        )
    return result


def refuse_wrong_cluster(snapshot: ClusterSnapshot) -> InputError | None:
    """Return the refusal of a kubeconfig that is of another cluster; None when it is not, or nobody named one."""
    if not (snapshot.facts.foreign and snapshot.facts.explicit):
        return None
    return InputError("kubeconfig", f"{snapshot.facts.absent}; give that of the cluster {snapshot.cluster.id}")


def explain_unknown_labels(snapshot: ClusterSnapshot, spec: MigrationSpec) -> str | None:
    """Return why the label selectors of a wish cannot be judged; None when they can, or there are none."""
    wanted = set(spec.nodes.label_selectors)
    if not wanted or (snapshot.label_matches.taken.keys() >= wanted and snapshot.label_matches.knows):
        return None
    return f"label_selector cannot be judged: {snapshot.facts.absent or 'Kubernetes knows no node'}"


def _asks_again(spec: MigrationSpec, old: MigrationSpec | None) -> bool:
    return old is not None and (
        not spec.nodes.is_same_selection(old.nodes) or spec.triggers_digest != old.triggers_digest
    )


def _kept(spec: MigrationSpec, old: MigrationSpec | None) -> dict[str, str]:
    """Return the entries of the old inputs that stay, word for word."""
    if old is None or old.planned_nodes is None:
        return {}
    if spec.nodes.is_same_selection(old.nodes):
        return dict(old.planned_nodes)
    nodes = parse_planned(old.planned_nodes)
    return {
        instance_id: entry
        for instance_id, entry in old.planned_nodes.items()
        if not spec.nodes.contradicts(nodes[instance_id])
    }


def _unplanned(
    result: PlanPreview, kept: dict[str, str], old: MigrationSpec | None, asks_again: bool, why: str
) -> PlanPreview:
    if old is None:
        result.warnings.append(f"{why}; `up` plans the nodes when it runs")
    elif old.planned_nodes is None:
        result.warnings.append(f"{why}; the plan stays as it is in the output planned_nodes")
    else:
        result.planned = dict(old.planned_nodes)
        result.warnings.append(f"{why}; the planned nodes stay as they are")
    if old is None or asks_again:
        result.unplanned = why
    return result


def plan_nodes(
    result: PlanPreview,
    api: Any,
    claims: ClusterClaims,
    scope: CancelScope,
    *,
    owner: str,
    snapshot: ClusterSnapshot,
    spec: MigrationSpec,
    old: MigrationSpec | None,
) -> dict[str, str]:
    """Return the planned nodes; what to say of them goes into ``result``."""
    kept, asks_again = _kept(spec, old), _asks_again(spec, old)
    new = old is None
    ours = [
        status
        for status in snapshot.recent
        if has_same_flags(status, spec)
        # After a failed update the engine keeps the inputs of before: what that run migrated is found here.
        and (new or asks_again or not status.is_terminal)
        and not claims.someone_else_claims(owner, status.id, status.instance_ids)
    ]
    candidates: dict[str, PlannedNode | Candidate] = {}
    moved: set[str] = set()
    for status in ours:
        nodes = [
            PlannedNode(
                instance_id=node.instance_id,
                node_name=node.node_name,
                asg_name=node.asg_name,
                virtual_node_group_id=UNKNOWN_GROUP,
                migration_id=status.id if status.is_terminal else None,
            )
            for node in status.old_instances
        ]
        if status.is_terminal and any(spec.nodes.contradicts(node) for node in nodes):
            continue
        for node in nodes:
            candidates[node.instance_id] = node
        moved |= status.instance_ids
    candidates |= snapshot.offered
    _refuse_strangers(result, api, claims, scope, spec, old, snapshot, candidates)
    free = [node for name, node in candidates.items() if name not in spec.planned_elsewhere]
    follows = new or asks_again or spec.new_nodes == "migrate"
    chosen = select_nodes(spec.nodes, free, kept=kept, preferred=moved, label_matches=snapshot.label_matches)
    if chosen.undecided:
        result.warnings.append(
            f"not enough is known of {count_noun(len(chosen.undecided), 'node')} to tell whether the selector takes "
            f"them, not planned: {list_some(node.instance_id for node in chosen.undecided)}"
        )
    if not follows:
        if chosen.taken:
            result.info.append(
                f"{count_noun(len(chosen.taken), 'node')} joined and match{'es' if len(chosen.taken) == 1 else ''} "
                f"({list_some(node.instance_id for node in chosen.taken)}): not planned; "
                'new_nodes="migrate" follows, a change of triggers takes them once'
            )
        return dict(sorted(kept.items()))
    planned, names = dict(kept), snapshot.group_names
    refilled = _refilled(spec, kept, snapshot) if not new else frozenset()
    skipped: set[str] = set()
    for node in chosen.taken:
        offered = isinstance(node, Candidate)
        if node.asg_name in refilled:
            result.warnings.append(f"ASG {node.asg_name} replaces terminated nodes: lower its desired capacity")
            if not asks_again:
                skipped.add(node.instance_id)
                continue
        if (
            node.virtual_node_group_id is None
            and spec.unmatched_nodes == "skip"
            and (offered or node.migration_id is None)
            and (node.instance_id not in snapshot.active)
        ):
            skipped.add(node.instance_id)
            continue
        planned[node.instance_id] = format_entry(node, names) if offered else node.entry
    unmatched = sorted(
        node.instance_id for node in chosen.taken if node.instance_id in skipped and node.asg_name not in refilled
    )
    if unmatched:
        result.warnings.append(
            f"{count_with_verb(len(unmatched), 'node', 'match')} no Virtual Node Group, skipped: {list_some(unmatched)}"
        )
    result.warnings[:] = list(dict.fromkeys(result.warnings))
    return {name: planned[name] for name in sorted(planned)}


def _refilled(spec: MigrationSpec, kept: Mapping[str, str], snapshot: ClusterSnapshot) -> frozenset[str]:
    """Return the Auto Scaling Groups that put new nodes in the place of those that were terminated."""
    if not spec.should_terminate_drained_nodes:
        return frozenset()
    return frozenset(
        node.asg_name
        for instance_id, node in parse_planned(kept).items()
        if node.asg_name and instance_id not in snapshot.offered and instance_id not in snapshot.active
    )


def _refuse_strangers(
    result: PlanPreview,
    api: Any,
    claims: ClusterClaims,
    scope: CancelScope,
    spec: MigrationSpec,
    old: MigrationSpec | None,
    snapshot: ClusterSnapshot,
    candidates: Mapping[str, PlannedNode | Candidate],
) -> None:
    """Report ids that were never a candidate, and why they are none."""
    before = old.planned_nodes if old is not None and old.planned_nodes is not None else {}
    strangers = [name for name in spec.nodes.instance_ids if name not in candidates and name not in before]
    if not strangers:
        return
    try:
        ocean_nodes = {node.instance_id for node in claims.view.nodes(api, scope)}
    except OceanMigrationError:
        ocean_nodes = set()
    for name in strangers:
        why = "it is a node of Ocean already" if name in ocean_nodes else "it is no node of this cluster"
        taken = next((status for status in snapshot.recent if name in status.instance_ids), None)
        if name in snapshot.active:
            why = "a migration with other options holds it"
        elif taken is not None:
            why = f"migration {taken.id}, which is not this resource's, has taken it"
        result.problems.append(
            InputError(
                "nodes.instance_ids", f"{name!r} cannot be migrated: {why}; give ids that Ocean's discovery offers"
            )
        )


def _could_be_ours(status: MigrationStatus, planned: Mapping[str, str], spec: MigrationSpec) -> bool:
    ids = status.instance_ids
    return bool(ids) and ids <= planned.keys() and has_same_flags(status, spec)
