"""What a preview reports of its plan: the digest, where the nodes go, the batches, and what is unusual about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import (
    DEFAULT_VIRTUAL_NODE_GROUP,
    REQUIRES_MANUAL_MIGRATION,
    Candidate,
    MigrationStatus,
)
from ocean_migration_pulumi.migration.health.brake import list_stop_delays
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import node_name
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DEPLOYMENTS, PODS, KubernetesSnapshot, Owner
from ocean_migration_pulumi.migration.scheduling.workloads import find_service
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.snapshot.sources import ClusterFacts
from ocean_migration_pulumi.migration.spec.approval import (
    find_changes,
    is_approved,
    is_outdated,
    names_nodes_alone,
    plan_digest,
)
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.options import MigrationOptions
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    UNKNOWN_VNG,
    PlannedNode,
    batch_count,
    batch_size,
    count_moved,
    has_all_vngs,
    parse_planned,
    split_batches,
)
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.spec.stop_conditions import StopConditions
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord

_MOST_DESTINATIONS = 10


def waiting_nodes(planned: Mapping[str, str], snapshot: ClusterSnapshot) -> list[PlannedNode]:
    """Return the planned nodes that are still to be migrated, with the match of today."""
    names = snapshot.vng_names
    return [PlannedNode.from_candidate(snapshot.offered[name], names) for name in planned if name in snapshot.offered]


def report_plan(
    planned: Mapping[str, str],
    snapshot: ClusterSnapshot,
    spec: MigrationSpec,
    kept: Mapping[str, str],
    old: MigrationSpec | None = None,
) -> list[Diagnostic]:
    """Return what there is to say of a plan.

    Args:
        planned: The plan.
        snapshot: The cluster.
        spec: The inputs.
        kept: The entries of an earlier plan that stay.
        old: The last inputs; None when there are none.
    """
    diagnostics = [summarize_plan(planned, snapshot.offered, snapshot.recent, spec)]
    if not planned:
        diagnostics.append(Diagnostic.warning(Code.PLAN_EMPTY))
    here = snapshot.offered.keys() | snapshot.active
    if excluded := [
        node.instance_id
        for node in parse_planned(kept).values()
        if node.instance_id in here and spec.nodes.contradicts(node)
    ]:
        diagnostics.append(Diagnostic.warning(Code.NODES_EXCLUDED, nodes=sorted(excluded)))
    nodes = waiting_nodes(planned, snapshot)
    diagnostics += _report_approval(planned, spec, old, starts=bool(nodes))
    if not nodes:
        return diagnostics
    diagnostics += list_destinations(nodes, snapshot.offered, snapshot.vngs, snapshot.cluster)
    waiting = [node.instance_id for node in nodes]
    diagnostics.append(summarize_batches(waiting, snapshot.offered, spec.batch_size_percentage))
    asg_names = sorted({node.asg_name for node in nodes if node.asg_name})
    if not spec.should_terminate_drained_nodes:
        diagnostics.append(Diagnostic.info(Code.NODES_STAY, nodes=len(nodes)))
    elif asg_names and not kept:
        diagnostics.append(Diagnostic.warning(Code.ASG_MAY_REPLACE, asg_names=asg_names))
    if others := len(snapshot.offered.keys() - planned.keys() - set(spec.planned_elsewhere)):
        fields: dict[str, Any] = {"nodes": others}
        severity = Severity.INFO
        if spec.later_migrations:  # only then pods that land there are certain to be moved again
            fields["waves"] = [{"name": name, "nodes": None} for name in spec.later_migrations]
            severity = Severity.WARNING
        diagnostics.append(Diagnostic(code=Code.NODES_OUTSIDE_PLAN, severity=severity, fields=fields))
    return diagnostics


def add_prices(diagnostic: Diagnostic, prices: Mapping[str, float]) -> Diagnostic:
    """Return a diagnostic, that of nodes that stay with what they cost.

    Args:
        diagnostic: Any diagnostic of the plan.
        prices: US dollars per hour by instance id, of those planned nodes whose price is known.
    """
    if diagnostic.code != Code.NODES_STAY:
        return diagnostic
    fields = {**diagnostic.fields, "priced": len(prices), "usd_per_hour": round(sum(prices.values()), 4)}
    return replace(diagnostic, fields=fields)


def report_planned_health(spec: MigrationSpec, nodes: Iterable[PlannedNode], facts: ClusterFacts) -> Diagnostic | None:
    """Return what the migration of these nodes will watch, and what stops it; None when it watches nothing."""
    # Only a run that waits can look at them: the brake until the run ends, readiness after the migration's end.
    health = spec.health if spec.wait_for == "finished" else "off"
    if spec.wait_for == "started" or (health == "off" and spec.stop_when is None):
        return None
    kube, conditions = facts.kube, spec.stop_when or StopConditions()
    if kube is None and not conditions.checks:
        return None
    blind = conditions.kubernetes_conditions if kube is None else ()
    gap = facts.absent if kube is None else kube.gaps.get(PODS)
    workloads = None if kube is None or gap else len(_find_services(nodes, kube))
    return Diagnostic(
        code=Code.HEALTH_PLANNED,
        severity=Severity.WARNING if blind else Severity.INFO,
        fields={
            "workloads": workloads,
            "gap": gap.to_json() if gap else None,
            "health": health,
            "settle_seconds": spec.settle_timeout,
            "stops_after": list_stop_delays(spec.stop_when),
            "checks": [
                {"name": each.name, "seconds": each.seconds, "watched": each not in blind} for each in conditions.checks
            ],
        },
    )


def _find_services(nodes: Iterable[PlannedNode], kube: KubernetesSnapshot) -> set[tuple[str, Owner]]:
    names = frozenset(name for node in nodes if (name := node_name(node, kube)))
    deployments = {(each.namespace, each.name) for each in kube.deployments} if kube.knows(DEPLOYMENTS) else None
    return {
        (pod.namespace, workload)
        for pod in kube.pods_on(names)
        if not pod.deleting and not pod.finished and (workload := find_service(pod, deployments))
    }


def report_adoption(
    migration_id: str, instance_ids: Collection[str], *, pending: bool, ended: bool, whole: bool
) -> Diagnostic:
    """Return the announcement of a migration that the resource has adopted, or will adopt.

    Args:
        migration_id: The migration.
        instance_ids: The nodes that it holds.
        pending: Whether the next run adopts it.
        ended: Whether it has ended.
        whole: Whether all its nodes are planned: only then it is stopped when the resource is destroyed.
    """
    return Diagnostic(
        code=Code.MIGRATION_ADOPTED,
        severity=Severity.INFO if ended else Severity.WARNING,
        subject=migration_id,
        fields={"nodes": len(instance_ids), "pending": pending, "ended": ended, "whole": whole},
    )


def summarize_plan(
    planned: Mapping[str, str], offered: Mapping[str, Candidate], recent: Iterable[MigrationStatus], spec: MigrationSpec
) -> Diagnostic:
    """Return the plan in one diagnostic; ``recent`` migrations, newest first, tell what happens to its nodes."""
    percentage = spec.batch_size_percentage
    held: dict[str, bool] = {}
    active: set[str] = set()
    for status in recent:
        if not status.is_terminal:
            active |= status.instance_ids
        for node in status.old_instances:
            drained = status.is_terminal and node.running_pods == 0 and node.state != REQUIRES_MANUAL_MIGRATION
            held.setdefault(node.instance_id, drained)
    waiting = [offered[instance_id] for instance_id in planned if instance_id in offered]
    return Diagnostic.info(
        Code.PLAN_SUMMARY,
        digest=plan_digest(planned, spec),
        nodes=len(planned),
        moved=count_moved(planned),
        migrated=sum(held.get(name, False) for name in planned.keys() - offered.keys()),
        waiting=len(waiting),
        active=len(active & planned.keys()),
        pods=_count_pods(waiting),
        batches=batch_count(len(waiting), percentage),
        batch_size=batch_size(len(waiting), percentage),
    )


def _report_approval(
    planned: Mapping[str, str], spec: MigrationSpec, old: MigrationSpec | None, *, starts: bool
) -> list[Diagnostic]:
    digest = plan_digest(planned, spec)
    if not digest or (spec.approved_plan is None and not spec.require_approval):
        return []
    # Whether something resumes that it covers is in the state, which a preview does not have.
    if outdated := report_outdated(planned, spec, Severity.WARNING):
        return [outdated]
    # Of nodes that are being migrated the match is not known here; the run itself compares with what it recorded, once
    # it has recorded anything.
    recorded_may_match = old is not None and spec.approved_plan is not None and not has_all_vngs(planned)
    if not starts or recorded_may_match or is_approved(planned, spec):
        return []
    last = old or MigrationSpec()
    return [
        compare_with_approved(
            planned,
            spec,
            old_planned=last.planned_nodes,
            old_triggers=last.triggers,
            old_stop_when=last.stop_when,
        )
    ]


def report_outdated(planned: Mapping[str, str], spec: MigrationSpec, severity: Severity) -> Diagnostic | None:
    """Return that ``approved_plan`` can approve no plan any more, and the digest to approve; None when it can."""
    if not is_outdated(planned, spec):
        return None
    fields = {"digest": plan_digest(planned, spec), "approved": spec.approved_plan}
    return Diagnostic(code=Code.APPROVAL_OUTDATED, severity=severity, fields=fields)


def covers_resume(
    planned: Mapping[str, str], spec: MigrationSpec, latest: MigrationRecord | None, work: Iterable[str]
) -> bool:
    """Tell whether an approval of version 0.1, which covers the nodes alone, covers the rest of a recorded migration.

    Args:
        planned: The plan.
        spec: The inputs.
        latest: The latest migration of the resource; None before the first.
        work: The nodes that remain.
    """
    if latest is None or not set(work) <= set(latest.instance_ids):
        return False
    # An option that is not recorded is not known to be the same.
    same = spec.options == MigrationOptions.from_attributes(latest) and spec.triggers_digest == latest.triggers_digest
    return same and names_nodes_alone(planned, spec)


def compare_with_approved(
    planned: Mapping[str, str],
    spec: MigrationSpec,
    *,
    old_planned: Mapping[str, str] | None = None,
    old_triggers: Sequence[Any] = (),
    old_stop_when: StopConditions | None = None,
) -> Diagnostic:
    """Return how a plan differs from the approved one: both digests, today's nodes, and what changed if it is known.

    See ``find_changes`` for the arguments.
    """
    changes = find_changes(
        planned, spec, old_planned=old_planned, old_triggers=old_triggers, old_stop_when=old_stop_when
    )
    nodes = sorted(node.instance_id for node in parse_planned(planned).values() if node.migration_id is None)
    return Diagnostic.error(
        Code.PLAN_NOT_APPROVED,
        digest=plan_digest(planned, spec),
        approved=spec.approved_plan,
        nodes=nodes,
        changes=[change.to_json() for change in changes],
    )


def list_destinations(
    nodes: Iterable[PlannedNode],
    offered: Mapping[str, Candidate],
    vngs: Mapping[str, VirtualNodeGroup],
    cluster: Cluster,
) -> list[Diagnostic]:
    """Return a diagnostic for each Virtual Node Group that nodes move to, those with the most nodes first.

    Beyond ten, the last one counts the others. Nodes without a group are left out, and pods that discovery does not
    count are not counted.
    """
    moving: dict[str, list[PlannedNode]] = {}
    for node in nodes:
        if node.virtual_node_group_id not in {None, UNKNOWN_VNG}:
            moving.setdefault(node.virtual_node_group_id or "", []).append(node)
    ordered = sorted(moving.items(), key=lambda item: (-len(item[1]), item[0]))
    diagnostics = [
        _destination(vng_id, taken, offered, vngs.get(vng_id), cluster)
        for vng_id, taken in ordered[:_MOST_DESTINATIONS]
    ]
    if others := ordered[_MOST_DESTINATIONS:]:
        fields = {"groups": len(others), "nodes": sum(len(taken) for _, taken in others)}
        diagnostics.append(Diagnostic.info(Code.DESTINATIONS_MORE, **fields))
    return diagnostics


def _destination(
    vng_id: str,
    nodes: Sequence[PlannedNode],
    offered: Mapping[str, Candidate],
    vng: VirtualNodeGroup | None,
    cluster: Cluster,
) -> Diagnostic:
    # A group without a share of spot of its own has the cluster's.
    share = cluster.spot_percentage if vng is None or vng.spot_percentage is None else vng.spot_percentage
    return Diagnostic.info(
        Code.DESTINATION,
        vng_id,
        name="" if vng_id == DEFAULT_VIRTUAL_NODE_GROUP else nodes[0].virtual_node_group_name,
        nodes=len(nodes),
        pods=_count_pods(offered[node.instance_id] for node in nodes if node.instance_id in offered),
        known=vng is not None,
        spot_percentage=None if vng is None else share,
        fallback_to_on_demand=None if vng is None else cluster.fallback_to_od,
    )


def summarize_batches(instance_ids: Iterable[str], offered: Mapping[str, Candidate], percentage: int) -> Diagnostic:
    """Return the batches in one diagnostic, with the pods of each where discovery counts them all."""
    batches = split_batches(instance_ids, percentage)
    pods = [[offered[name].running_pods for name in batch] for batch in batches]
    known = not any(number is None for batch in pods for number in batch)
    return Diagnostic.info(
        Code.BATCHES,
        count=len(batches),
        size=len(batches[0]),
        last=len(batches[-1]),
        pods=[sum(number or 0 for number in batch) for batch in pods] if known else None,
    )


def _count_pods(candidates: Iterable[Candidate]) -> int | None:
    """Return the running pods as far as discovery counts them; None where it counts none."""
    known = [node.running_pods for node in candidates if node.running_pods is not None]
    return sum(known) if known else None
