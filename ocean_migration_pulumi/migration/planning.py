"""The preview: from old inputs, new inputs and what the cluster says now to the planned nodes, and what to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ocean_migration_pulumi.api.models import Candidate, MigrationStatus
from ocean_migration_pulumi.api.scope import Scope
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

from . import prerequisites
from .plan import (
    UNKNOWN_GROUP,
    PlannedNode,
    counted,
    destinations,
    difference,
    is_approved,
    parse_planned,
    some,
    summary,
    told,
)
from .prerequisites import Verdict
from .registry import ClusterDesk
from .selection import choose
from .wish import Wish

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


@dataclass(slots=True)
class Preview:
    """What ``check`` found: the planned nodes (None when none can be told), and lines to show.

    ``unplanned`` is why a new selection could not be turned into a plan; None when it could, or did not have to be.
    """

    planned: dict[str, str] | None = None
    info: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[InputError] = field(default_factory=list)
    unplanned: str | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a cluster at one moment."""

    offered: Mapping[str, Candidate]
    recent: tuple[MigrationStatus, ...]
    group_names: Mapping[str, str]

    @property
    def running(self) -> list[MigrationStatus]:
        """The migrations that run."""
        return [status for status in self.recent if not status.is_terminal]

    @property
    def active(self) -> frozenset[str]:
        """The instances that are being migrated."""
        return frozenset(instance for status in self.running for instance in status.instance_ids)


def look(api: Any, desk: ClusterDesk, scope: Scope) -> Sight:
    """Ask what planning needs, all at once."""
    view = desk.view
    view.together(
        [
            lambda: view.cluster(api, scope),
            lambda: view.candidates(api, scope),
            lambda: view.groups(api, scope),
            lambda: view.migrations(api, scope),
            lambda: view.heartbeat(api, scope),
        ]
    )
    view.cluster(api, scope)  # first: a cluster that does not exist is the clearest answer
    return Sight(
        offered={candidate.instance_id: candidate for candidate in view.candidates(api, scope)},
        recent=tuple(view.recent(api, scope)),
        group_names={group.id: group.name for group in view.groups(api, scope).values()},
    )


def same_flags(status: MigrationStatus, wish: Wish) -> bool:
    """Tell whether a migration runs with our flags, as far as the service echoes them."""
    return (
        status.should_terminate_drained_nodes == wish.should_terminate_drained_nodes
        and status.should_evict_stand_alone_pods == wish.should_evict_stand_alone_pods
    )


def preview(
    api: Any,
    desk: ClusterDesk,
    scope: Scope,
    *,
    owner: str,
    wish: Wish,
    old: Wish | None,
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
    if wish.nodes.needs_kubernetes:
        return _unplanned(result, kept, old, asks_again, "label_selector needs access to Kubernetes, and there is none")
    try:
        sight = look(api, desk, bounded)
        never = prerequisites.never_reported(desk.view.heartbeat(api, bounded))
    except ClusterNotFoundError as error:
        result.problems.append(InputError("ocean_id", f"{wish.ocean_id!r}: {error}"))
        return result
    except UNREACHABLE as error:
        return _unplanned(result, kept, old, asks_again, f"cannot ask Spot: {error}")
    if never:
        return _unplanned(result, kept, old, asks_again, f"the Ocean Controller of {wish.ocean_id} has never reported")
    if old is not None and old.planned_nodes is None and not asks_again:
        result.info.append("the plan was made by the run that created this resource; see its output planned_nodes")
        return result
    result.planned = plan_nodes(result, api, desk, bounded, owner=owner, sight=sight, wish=wish, old=old)
    if result.problems:
        return result
    desk.plan(owner, result.planned)
    _tell(result, api, desk, bounded, sight=sight, wish=wish, kept=kept, owner=owner)
    return result


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
    candidates: dict[str, PlannedNode] = {}
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
    candidates |= {
        instance_id: PlannedNode.of(candidate, sight.group_names) for instance_id, candidate in sight.offered.items()
    }
    _refuse_strangers(result, api, desk, scope, wish, old, sight, candidates)
    follows = new or asks_again or wish.new_nodes == "migrate"
    chosen = choose(wish.nodes, candidates.values(), kept=kept, preferred=moved)
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
    planned = dict(kept)
    refilled = _refilled(wish, kept, sight) if not new else frozenset()
    skipped: set[str] = set()
    for node in chosen.taken:
        if node.asg_name in refilled:
            result.warnings.append(f"ASG {node.asg_name} replaces terminated nodes: lower its desired capacity")
            if not asks_again:
                skipped.add(node.instance_id)
                continue
        if (
            node.virtual_node_group_id is None
            and wish.unmatched_nodes == "skip"
            and node.migration_id is None
            and (node.instance_id not in sight.active)
        ):
            skipped.add(node.instance_id)
            continue
        planned[node.instance_id] = node.entry
    unmatched = sorted(
        node.instance_id for node in chosen.taken if node.instance_id in skipped and node.asg_name not in refilled
    )
    if unmatched:
        result.warnings.append(
            f"{told(len(unmatched), 'node', 'match')} no Virtual Node Group, skipped: {some(unmatched)}"
        )
    result.warnings[:] = list(dict.fromkeys(result.warnings))
    return dict(sorted(planned.items()))


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
    candidates: Mapping[str, PlannedNode],
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


def _tell(
    result: Preview,
    api: Any,
    desk: ClusterDesk,
    scope: Scope,
    *,
    sight: Sight,
    wish: Wish,
    kept: Mapping[str, str],
    owner: str,
) -> None:
    planned = result.planned or {}
    result.info.insert(0, summary(planned, sight.offered, sight.active, wish.batch_size_percentage))
    waiting = [instance_id for instance_id in planned if instance_id in sight.offered]
    if not planned:
        result.warnings.append("no node matches; nothing will be migrated")
    here = sight.offered.keys() | sight.active
    if excluded := [
        node.instance_id
        for node in parse_planned(kept).values()
        if node.instance_id in here and wish.nodes.contradicts(node)
    ]:
        result.warnings.append(
            f"excluded by id, but planned before, and still planned: {some(excluded)}; to take a node out of a plan, "
            "exclude it by node_names"
        )
    if not waiting:
        return
    # Of nodes that are being migrated the match is not known here; the run itself compares with what it recorded.
    whole = all(node.virtual_node_group_id != UNKNOWN_GROUP for node in parse_planned(planned).values())
    if wish.approved_plan and whole and not is_approved(planned, wish.approved_plan):
        result.warnings.append(f"{difference(planned, wish.approved_plan)}; `up` will refuse it")
    now = api.server_now()
    nodes = {name: PlannedNode.of(sight.offered[name], sight.group_names) for name in waiting}
    cluster, groups = desk.view.cluster(api, scope), desk.view.groups(api, scope)
    result.info += destinations(nodes.values(), sight.offered, groups, cluster)
    if wish.prerequisites != "off":
        findings = prerequisites.check_all(
            wish,
            nodes.values(),
            heartbeat=desk.view.heartbeat(api, scope),
            cluster=cluster,
            groups=groups,
            now=now,
        )
        foreign = [
            status
            for status in sight.running
            if not _could_be_ours(status, planned, wish)
            or desk.someone_else_claims(owner, status.id, status.instance_ids)
        ]
        findings += prerequisites.check_idle(foreign, wish.when_busy)
        result.warnings += [finding.line for finding in findings if finding.verdict is not Verdict.PASS]
    if wish.should_terminate_drained_nodes:
        asg_names = sorted({node.asg_name for node in nodes.values() if node.asg_name})
        if asg_names and not kept:
            result.warnings.append(
                f"drained nodes are terminated: unless the desired capacity of {some(asg_names)} is lowered, "
                "the Auto Scaling Group replaces them"
            )
    else:
        result.info.append(f"{counted(len(waiting), 'drained node')} will stay, cordoned, and be billed")


def _could_be_ours(status: MigrationStatus, planned: Mapping[str, str], wish: Wish) -> bool:
    ids = status.instance_ids
    return bool(ids) and ids <= planned.keys() and same_flags(status, wish)
