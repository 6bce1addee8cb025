"""What a preview reports of its plan: the digest, where the nodes go, the batches, and what is unusual about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP, Candidate
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    UNKNOWN_GROUP,
    PlannedNode,
    batch_count,
    batch_size,
    has_all_groups,
    is_approved,
    parse_planned,
    plan_digest,
    split_batches,
)
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

_MOST_DESTINATIONS = 10


def waiting_nodes(planned: Mapping[str, str], snapshot: ClusterSnapshot) -> list[PlannedNode]:
    """Return the planned nodes that are still to be migrated, with the match of today."""
    names = snapshot.group_names
    return [PlannedNode.from_candidate(snapshot.offered[name], names) for name in planned if name in snapshot.offered]


def report_plan(
    planned: Mapping[str, str], snapshot: ClusterSnapshot, spec: MigrationSpec, kept: Mapping[str, str]
) -> list[Diagnostic]:
    """Return what there is to say of a plan; ``kept`` are the entries of an earlier plan that stay."""
    diagnostics = [summarize_plan(planned, snapshot.offered, snapshot.active, spec.batch_size_percentage)]
    if not planned:
        diagnostics.append(Diagnostic(code=Code.PLAN_EMPTY, severity=Severity.WARNING))
    here = snapshot.offered.keys() | snapshot.active
    if excluded := [
        node.instance_id
        for node in parse_planned(kept).values()
        if node.instance_id in here and spec.nodes.contradicts(node)
    ]:
        diagnostics.append(
            Diagnostic(code=Code.NODES_EXCLUDED, severity=Severity.WARNING, fields={"nodes": sorted(excluded)})
        )
    nodes = waiting_nodes(planned, snapshot)
    if not nodes:
        return diagnostics
    # Of nodes that are being migrated the match is not known here; the run itself compares with what it recorded.
    if spec.approved_plan and has_all_groups(planned) and not is_approved(planned, spec.approved_plan):
        diagnostics.append(compare_with_approved(planned, spec.approved_plan))
    diagnostics += list_destinations(nodes, snapshot.offered, snapshot.groups, snapshot.cluster)
    waiting = [node.instance_id for node in nodes]
    diagnostics.append(summarize_batches(waiting, snapshot.offered, spec.batch_size_percentage))
    asg_names = sorted({node.asg_name for node in nodes if node.asg_name})
    if not spec.should_terminate_drained_nodes:
        diagnostics.append(Diagnostic(code=Code.NODES_STAY, severity=Severity.INFO, fields={"nodes": len(nodes)}))
    elif asg_names and not kept:
        diagnostics.append(
            Diagnostic(code=Code.ASG_MAY_REPLACE, severity=Severity.WARNING, fields={"asg_names": asg_names})
        )
    if others := len(snapshot.offered.keys() - planned.keys()):
        diagnostics.append(
            Diagnostic(code=Code.NODES_OUTSIDE_PLAN, severity=Severity.WARNING, fields={"nodes": others})
        )
    return diagnostics


def summarize_plan(
    planned: Mapping[str, str], offered: Mapping[str, Candidate], active: Iterable[str], percentage: int
) -> Diagnostic:
    """Return the plan in one diagnostic; ``active`` instances are being migrated right now."""
    waiting = [offered[instance_id] for instance_id in planned if instance_id in offered]
    return Diagnostic(
        code=Code.PLAN_SUMMARY,
        severity=Severity.INFO,
        fields={
            "digest": plan_digest(planned),
            "nodes": len(planned),
            "waiting": len(waiting),
            "active": len(frozenset(active) & planned.keys()),
            "pods": _count_pods(waiting),
            "batches": batch_count(len(waiting), percentage),
            "batch_size": batch_size(len(waiting), percentage),
        },
    )


def compare_with_approved(planned: Mapping[str, str], approved: str) -> Diagnostic:
    """Return how a plan differs from the approved digest: both digests, and the nodes of today's plan."""
    nodes = sorted(node.instance_id for node in parse_planned(planned).values() if node.migration_id is None)
    return Diagnostic(
        code=Code.PLAN_NOT_APPROVED,
        severity=Severity.ERROR,
        fields={"digest": plan_digest(planned), "approved": approved, "nodes": nodes},
    )


def list_destinations(
    nodes: Iterable[PlannedNode],
    offered: Mapping[str, Candidate],
    groups: Mapping[str, VirtualNodeGroup],
    cluster: Cluster,
) -> list[Diagnostic]:
    """Return a diagnostic for each Virtual Node Group that nodes move to, those with the most nodes first.

    Beyond ten, the last one counts the others. Nodes without a group are left out, and pods that discovery does not
    count are not counted.
    """
    moving: dict[str, list[PlannedNode]] = {}
    for node in nodes:
        if node.virtual_node_group_id not in {None, UNKNOWN_GROUP}:
            moving.setdefault(node.virtual_node_group_id or "", []).append(node)
    ordered = sorted(moving.items(), key=lambda item: (-len(item[1]), item[0]))
    diagnostics = [
        _destination(group_id, taken, offered, groups.get(group_id), cluster)
        for group_id, taken in ordered[:_MOST_DESTINATIONS]
    ]
    if others := ordered[_MOST_DESTINATIONS:]:
        fields = {"groups": len(others), "nodes": sum(len(taken) for _, taken in others)}
        diagnostics.append(Diagnostic(code=Code.DESTINATIONS_MORE, severity=Severity.INFO, fields=fields))
    return diagnostics


def _destination(
    group_id: str,
    nodes: Sequence[PlannedNode],
    offered: Mapping[str, Candidate],
    group: VirtualNodeGroup | None,
    cluster: Cluster,
) -> Diagnostic:
    # A group without a share of spot of its own has the cluster's.
    share = cluster.spot_percentage if group is None or group.spot_percentage is None else group.spot_percentage
    return Diagnostic(
        code=Code.DESTINATION,
        severity=Severity.INFO,
        subject=group_id,
        fields={
            "name": "" if group_id == DEFAULT_VIRTUAL_NODE_GROUP else nodes[0].virtual_node_group_name,
            "nodes": len(nodes),
            "pods": _count_pods(offered[node.instance_id] for node in nodes if node.instance_id in offered),
            "known": group is not None,
            "spot_percentage": None if group is None else share,
            "fallback_to_on_demand": None if group is None else cluster.fallback_to_od,
        },
    )


def summarize_batches(instance_ids: Iterable[str], offered: Mapping[str, Candidate], percentage: int) -> Diagnostic:
    """Return the batches in one diagnostic, with the pods of each where discovery counts them all."""
    batches = split_batches(instance_ids, percentage)
    pods = [[offered[name].running_pods for name in batch] for batch in batches]
    known = not any(number is None for batch in pods for number in batch)
    return Diagnostic(
        code=Code.BATCHES,
        severity=Severity.INFO,
        fields={
            "count": len(batches),
            "size": len(batches[0]),
            "last": len(batches[-1]),
            "pods": [sum(number or 0 for number in batch) for batch in pods] if known else None,
        },
    )


def _count_pods(candidates: Iterable[Candidate]) -> int | None:
    """Return the running pods as far as discovery counts them; None where it counts none."""
    known = [node.running_pods for node in candidates if node.running_pods is not None]
    return sum(known) if known else None
