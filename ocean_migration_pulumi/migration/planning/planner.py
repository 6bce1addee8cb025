"""The preview: from old inputs, new inputs and what the cluster says now to the planned nodes, and what to tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus
from ocean_migration_pulumi.common.cancellation import Scope
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
from ocean_migration_pulumi.migration.snapshot.claims import ClusterDesk
from ocean_migration_pulumi.migration.snapshot.snapshot import Preview, Sight, look, same_flags
from ocean_migration_pulumi.migration.snapshot.sources import Sources, ask_aws
from ocean_migration_pulumi.migration.spec.node_selector import choose
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    UNKNOWN_GROUP,
    PlannedNode,
    counted,
    entry_of,
    parse_planned,
    some,
    told,
)
from ocean_migration_pulumi.migration.spec.spec import Wish

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


def preview(
    api: Any,
    desk: ClusterDesk,
    scope: Scope,
    *,
    owner: str,
    wish: Wish,
    old: Wish | None,
    sources: Sources,
) -> Preview:
    """Plan a wish; ``old`` is the wish of the last inputs (None for a new resource).

    Raises AuthenticationError: a refused token is not a service that cannot be asked.
    """
    if old is not None and (old.ocean_id != wish.ocean_id or old.account_id != wish.account_id):
        old = None  # a replacement: the plan of another cluster says nothing of this one
    result = Preview()
    bounded = scope.at_most(BUDGET)
    kept = _kept(wish, old)
    asks_again = _asks_again(wish, old)
    if api.account_id is None:
        why = "no account: set account_id, the stack's config ocean-migration:account, or SPOTINST_ACCOUNT"
        return _unplanned(result, kept, old, asks_again, why)
    if wish.nodes.label_selectors and sources.kubernetes is None:
        return _unplanned(result, kept, old, asks_again, f"label_selector cannot be judged: {sources.absent}")
    try:
        sight = look(api, desk, bounded, wish, sources)
    except ClusterNotFoundError as error:
        result.problems.append(InputError("ocean_id", f"{wish.ocean_id!r}: {error}"))
        return result
    except InputError as error:
        result.problems.append(error)
        return result
    except UNREACHABLE as error:
        return _unplanned(result, kept, old, asks_again, f"cannot ask Spot: {error}")
    if refusal := wrong_cluster(sight):
        result.problems.append(refusal)
        return result
    if unjudged := unjudged_labels(sight, wish):
        return _unplanned(result, kept, old, asks_again, unjudged)
    if service.never_reported(sight.heartbeat):
        return _unplanned(result, kept, old, asks_again, f"the Ocean Controller of {wish.ocean_id} has never reported")
    if old is not None and old.planned_nodes is None and not asks_again:
        result.info.append("the plan was made by the run that created this resource; see its output planned_nodes")
        return result
    result.planned = plan_nodes(result, api, desk, bounded, owner=owner, sight=sight, wish=wish, old=old)
    if result.problems:
        return result
    desk.plan(owner, result.planned)
    findings_text.tell_plan(result, sight, wish, kept)
    nodes = findings_text.waiting_nodes(result.planned, sight)
    if nodes:
        foreign = [
            status
            for status in sight.running
            if not _could_be_ours(status, result.planned, wish)
            or desk.someone_else_claims(owner, status.id, status.instance_ids)
        ]
        cloud = None if wish.prerequisites == "off" else ask_aws(sources, bounded, nodes, sight.cluster, sight.groups)
        findings_text.tell_readiness(
            result,
            sight,
            wish,
            nodes,
            cloud=cloud,
            foreign=foreign,
            now=api.server_now(),
            first=old is None,
        )
    return result


def wrong_cluster(sight: Sight) -> InputError | None:
    """Return the refusal of a kubeconfig that is of another cluster; None when it is not, or nobody named one."""
    if not (sight.around.foreign and sight.around.explicit):
        return None
    return InputError("kubeconfig", f"{sight.around.absent}; give that of the cluster {sight.cluster.id}")


def unjudged_labels(sight: Sight, wish: Wish) -> str | None:
    """Return why the label selectors of a wish cannot be judged; None when they can, or there are none."""
    wanted = set(wish.nodes.label_selectors)
    if not wanted or (sight.labelled.taken.keys() >= wanted and sight.labelled.knows):
        return None
    return f"label_selector cannot be judged: {sight.around.absent or 'Kubernetes knows no node'}"


def _asks_again(wish: Wish, old: Wish | None) -> bool:
    return old is not None and (not wish.nodes.same_wish(old.nodes) or wish.triggers_digest != old.triggers_digest)


def _kept(wish: Wish, old: Wish | None) -> dict[str, str]:
    """Return the entries of the old inputs that stay, word for word."""
    if old is None or old.planned_nodes is None:
        return {}
    if wish.nodes.same_wish(old.nodes):
        return dict(old.planned_nodes)
    nodes = parse_planned(old.planned_nodes)
    return {
        instance_id: entry
        for instance_id, entry in old.planned_nodes.items()
        if not wish.nodes.contradicts(nodes[instance_id])
    }


def _unplanned(result: Preview, kept: dict[str, str], old: Wish | None, asks_again: bool, why: str) -> Preview:
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
    result: Preview,
    api: Any,
    desk: ClusterDesk,
    scope: Scope,
    *,
    owner: str,
    sight: Sight,
    wish: Wish,
    old: Wish | None,
) -> dict[str, str]:
    """Return the planned nodes; what to say of them goes into ``result``."""
    kept, asks_again = _kept(wish, old), _asks_again(wish, old)
    new = old is None
    ours = [
        status
        for status in sight.recent
        if same_flags(status, wish)
        # After a failed update the engine keeps the inputs of before: what that run migrated is found here.
        and (new or asks_again or not status.is_terminal)
        and not desk.someone_else_claims(owner, status.id, status.instance_ids)
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
        if status.is_terminal and any(wish.nodes.contradicts(node) for node in nodes):
            continue
        for node in nodes:
            candidates[node.instance_id] = node
        moved |= status.instance_ids
    candidates |= sight.offered
    _refuse_strangers(result, api, desk, scope, wish, old, sight, candidates)
    free = [node for name, node in candidates.items() if name not in wish.planned_elsewhere]
    follows = new or asks_again or wish.new_nodes == "migrate"
    chosen = choose(wish.nodes, free, kept=kept, preferred=moved, labelled=sight.labelled)
    if chosen.undecided:
        result.warnings.append(
            f"not enough is known of {counted(len(chosen.undecided), 'node')} to tell whether the selector takes "
            f"them, not planned: {some(node.instance_id for node in chosen.undecided)}"
        )
    if not follows:
        if chosen.taken:
            result.info.append(
                f"{counted(len(chosen.taken), 'node')} joined and match{'es' if len(chosen.taken) == 1 else ''} "
                f"({some(node.instance_id for node in chosen.taken)}): not planned; "
                'new_nodes="migrate" follows, a change of triggers takes them once'
            )
        return dict(sorted(kept.items()))
    planned, names = dict(kept), sight.group_names
    refilled = _refilled(wish, kept, sight) if not new else frozenset()
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
            and wish.unmatched_nodes == "skip"
            and (offered or node.migration_id is None)
            and (node.instance_id not in sight.active)
        ):
            skipped.add(node.instance_id)
            continue
        planned[node.instance_id] = entry_of(node, names) if offered else node.entry
    unmatched = sorted(
        node.instance_id for node in chosen.taken if node.instance_id in skipped and node.asg_name not in refilled
    )
    if unmatched:
        result.warnings.append(
            f"{told(len(unmatched), 'node', 'match')} no Virtual Node Group, skipped: {some(unmatched)}"
        )
    result.warnings[:] = list(dict.fromkeys(result.warnings))
    return {name: planned[name] for name in sorted(planned)}


def _refilled(wish: Wish, kept: Mapping[str, str], sight: Sight) -> frozenset[str]:
    """Return the Auto Scaling Groups that put new nodes in the place of those that were terminated."""
    if not wish.should_terminate_drained_nodes:
        return frozenset()
    return frozenset(
        node.asg_name
        for instance_id, node in parse_planned(kept).items()
        if node.asg_name and instance_id not in sight.offered and instance_id not in sight.active
    )


def _refuse_strangers(
    result: Preview,
    api: Any,
    desk: ClusterDesk,
    scope: Scope,
    wish: Wish,
    old: Wish | None,
    sight: Sight,
    candidates: Mapping[str, PlannedNode | Candidate],
) -> None:
    """Report ids that were never a candidate, and why they are none."""
    before = old.planned_nodes if old is not None and old.planned_nodes is not None else {}
    strangers = [name for name in wish.nodes.instance_ids if name not in candidates and name not in before]
    if not strangers:
        return
    try:
        ocean_nodes = {node.instance_id for node in desk.view.nodes(api, scope)}
    except OceanMigrationError:
        ocean_nodes = set()
    for name in strangers:
        why = "it is a node of Ocean already" if name in ocean_nodes else "it is no node of this cluster"
        taken = next((status for status in sight.recent if name in status.instance_ids), None)
        if name in sight.active:
            why = "a migration with other options holds it"
        elif taken is not None:
            why = f"migration {taken.id}, which is not this resource's, has taken it"
        result.problems.append(
            InputError(
                "nodes.instance_ids", f"{name!r} cannot be migrated: {why}; give ids that Ocean's discovery offers"
            )
        )


def _could_be_ours(status: MigrationStatus, planned: Mapping[str, str], wish: Wish) -> bool:
    ids = status.instance_ids
    return bool(ids) and ids <= planned.keys() and same_flags(status, wish)
