"""What a preview says of its plan: where the nodes go, what stands in the way, and what is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.common.text import count_noun, list_some
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.planning.preflight import run_preflight
from ocean_migration_pulumi.migration.planning.vng_suggestions import suggest_vngs
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot, PlanPreview
from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    UNKNOWN_GROUP,
    PlannedNode,
    describe_batches,
    describe_destinations,
    describe_difference,
    is_approved,
    parse_planned,
    summarize_plan,
)
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

_KINDS = {
    CheckStatus.FAIL: diagnostic.Kind.FAILED,
    CheckStatus.WARN: diagnostic.Kind.DOUBTED,
    CheckStatus.UNKNOWN: diagnostic.Kind.UNKNOWN,
}


def waiting_nodes(planned: Mapping[str, str], snapshot: ClusterSnapshot) -> list[PlannedNode]:
    """Return the planned nodes that are still to be migrated, with the match of today."""
    names = snapshot.group_names
    return [PlannedNode.from_candidate(snapshot.offered[name], names) for name in planned if name in snapshot.offered]


def describe_plan(result: PlanPreview, snapshot: ClusterSnapshot, spec: MigrationSpec, kept: Mapping[str, str]) -> None:
    """Say what is planned: the digest, where the nodes go, the batches, and what is not as one would expect it."""
    planned = result.planned or {}
    result.info.insert(0, summarize_plan(planned, snapshot.offered, snapshot.active, spec.batch_size_percentage))
    if not planned:
        result.warnings.append("no node matches; nothing will be migrated")
    here = snapshot.offered.keys() | snapshot.active
    if excluded := [
        node.instance_id
        for node in parse_planned(kept).values()
        if node.instance_id in here and spec.nodes.contradicts(node)
    ]:
        result.warnings.append(
            f"excluded by id, but planned before, and still planned: {list_some(excluded)}; to take a "
            "node out of a plan, "
            "exclude it by node_names"
        )
    nodes = waiting_nodes(planned, snapshot)
    if not nodes:
        return
    # Of nodes that are being migrated the match is not known here; the run itself compares with what it recorded.
    whole = all(node.virtual_node_group_id != UNKNOWN_GROUP for node in parse_planned(planned).values())
    if spec.approved_plan and whole and not is_approved(planned, spec.approved_plan):
        result.warnings.append(f"{describe_difference(planned, spec.approved_plan)}; `up` will refuse it")
    result.info += describe_destinations(nodes, snapshot.offered, snapshot.groups, snapshot.cluster)
    waiting = [node.instance_id for node in nodes]
    result.info.append(diagnostic.batches(describe_batches(waiting, snapshot.offered, spec.batch_size_percentage)))
    _tell_drained(result, nodes, spec, kept)
    others = len(snapshot.offered.keys() - planned.keys())
    if others:
        result.warnings.append(
            f"{count_noun(others, 'node')} that Ocean offers {'is' if others == 1 else 'are'} not in this plan and stay"
            f"{'s' if others == 1 else ''} schedulable: pods of this migration can land there, and a later one drains "
            "them again"
        )


def describe_readiness(
    result: PlanPreview,
    snapshot: ClusterSnapshot,
    spec: MigrationSpec,
    nodes: Sequence[PlannedNode],
    *,
    cloud: AwsFacts | None,
    foreign: Sequence[MigrationStatus],
    now: datetime,
    first: bool,
) -> None:
    """Say what stands in the way of these nodes, and which prerequisites are met."""
    found = run_preflight(spec, nodes, snapshot, cloud=cloud, foreign=foreign, now=now, first=first)
    if found.pods_line:
        result.info.append(diagnostic.pods(found.pods_line))
    result.warnings += [diagnostic.blocker(text) for text in found.blockers]
    result.warnings += found.warnings
    result.info += found.remarks
    if spec.prerequisites != "off":
        met = {
            check_result.name: check_result.seen
            for check_result in found.check_results
            if check_result.verdict is CheckStatus.PASS
        }
        open_ones = [
            check_result for check_result in found.check_results if check_result.verdict is not CheckStatus.PASS
        ]
        for check_result in open_ones:
            met.pop(check_result.name, None)
        result.warnings += list(map(format_check, open_ones))
        if met:
            result.info.append(diagnostic.met(met))
    unmatched = [node for node in nodes if node.virtual_node_group_id is None]
    for which, source in suggest_vngs(spec.ocean_id, unmatched, snapshot.facts.kube):
        result.info.append(diagnostic.group(which, source))


def format_check(check_result: CheckResult) -> str:
    """Return a prerequisite that is not met, in doubt, or unknown, as a line of the preview."""
    return diagnostic.prerequisite(_KINDS[check_result.verdict], check_result.name, check_result.line)


def _tell_drained(
    result: PlanPreview, nodes: Sequence[PlannedNode], spec: MigrationSpec, kept: Mapping[str, str]
) -> None:
    if not spec.should_terminate_drained_nodes:
        result.info.append(f"{count_noun(len(nodes), 'drained node')} will stay, cordoned, and be billed")
        return
    asg_names = sorted({node.asg_name for node in nodes if node.asg_name})
    if asg_names and not kept:
        result.warnings.append(
            f"drained nodes are terminated: unless the desired capacity of {list_some(asg_names)} is lowered, "
            "the Auto Scaling Group replaces them"
        )
