"""What a preview says of its plan: where the nodes go, what stands in the way, and what is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.checks.check_result import Finding, Verdict
from ocean_migration_pulumi.migration.planning.preflight import examine
from ocean_migration_pulumi.migration.planning.vng_suggestions import suggestions
from ocean_migration_pulumi.migration.scheduling.aws_facts import Cloud
from ocean_migration_pulumi.migration.snapshot.snapshot import Preview, Sight
from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.planned_nodes import (
    UNKNOWN_GROUP,
    PlannedNode,
    batches_line,
    counted,
    destinations,
    difference,
    is_approved,
    parse_planned,
    some,
    summary,
)
from ocean_migration_pulumi.migration.spec.spec import Wish

_KINDS = {
    Verdict.FAIL: diagnostic.Kind.FAILED,
    Verdict.WARN: diagnostic.Kind.DOUBTED,
    Verdict.UNKNOWN: diagnostic.Kind.UNKNOWN,
}


def waiting_nodes(planned: Mapping[str, str], sight: Sight) -> list[PlannedNode]:
    """Return the planned nodes that are still to be migrated, with the match of today."""
    names = sight.group_names
    return [PlannedNode.of(sight.offered[name], names) for name in planned if name in sight.offered]


def tell_plan(result: Preview, sight: Sight, wish: Wish, kept: Mapping[str, str]) -> None:
    """Say what is planned: the digest, where the nodes go, the batches, and what is not as one would expect it."""
    planned = result.planned or {}
    result.info.insert(0, summary(planned, sight.offered, sight.active, wish.batch_size_percentage))
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
    nodes = waiting_nodes(planned, sight)
    if not nodes:
        return
    # Of nodes that are being migrated the match is not known here; the run itself compares with what it recorded.
    whole = all(node.virtual_node_group_id != UNKNOWN_GROUP for node in parse_planned(planned).values())
    if wish.approved_plan and whole and not is_approved(planned, wish.approved_plan):
        result.warnings.append(f"{difference(planned, wish.approved_plan)}; `up` will refuse it")
    result.info += destinations(nodes, sight.offered, sight.groups, sight.cluster)
    waiting = [node.instance_id for node in nodes]
    result.info.append(diagnostic.batches(batches_line(waiting, sight.offered, wish.batch_size_percentage)))
    _tell_drained(result, nodes, wish, kept)
    others = len(sight.offered.keys() - planned.keys())
    if others:
        result.warnings.append(
            f"{counted(others, 'node')} that Ocean offers {'is' if others == 1 else 'are'} not in this plan and stay"
            f"{'s' if others == 1 else ''} schedulable: pods of this migration can land there, and a later one drains "
            "them again"
        )


def tell_readiness(
    result: Preview,
    sight: Sight,
    wish: Wish,
    nodes: Sequence[PlannedNode],
    *,
    cloud: Cloud | None,
    foreign: Sequence[MigrationStatus],
    now: datetime,
    first: bool,
) -> None:
    """Say what stands in the way of these nodes, and which prerequisites are met."""
    found = examine(wish, nodes, sight, cloud=cloud, foreign=foreign, now=now, first=first)
    if found.pods_line:
        result.info.append(diagnostic.pods(found.pods_line))
    result.warnings += [diagnostic.blocker(text) for text in found.blockers]
    result.warnings += found.warnings
    result.info += found.remarks
    if wish.prerequisites != "off":
        met = {finding.name: finding.seen for finding in found.findings if finding.verdict is Verdict.PASS}
        open_ones = [finding for finding in found.findings if finding.verdict is not Verdict.PASS]
        for finding in open_ones:
            met.pop(finding.name, None)
        result.warnings += list(map(finding_line, open_ones))
        if met:
            result.info.append(diagnostic.met(met))
    unmatched = [node for node in nodes if node.virtual_node_group_id is None]
    for which, source in suggestions(wish.ocean_id, unmatched, sight.around.workloads):
        result.info.append(diagnostic.group(which, source))


def finding_line(finding: Finding) -> str:
    """Return a prerequisite that is not met, in doubt, or unknown, as a line of the preview."""
    return diagnostic.prerequisite(_KINDS[finding.verdict], finding.name, finding.line)


def _tell_drained(result: Preview, nodes: Sequence[PlannedNode], wish: Wish, kept: Mapping[str, str]) -> None:
    if not wish.should_terminate_drained_nodes:
        result.info.append(f"{counted(len(nodes), 'drained node')} will stay, cordoned, and be billed")
        return
    asg_names = sorted({node.asg_name for node in nodes if node.asg_name})
    if asg_names and not kept:
        result.warnings.append(
            f"drained nodes are terminated: unless the desired capacity of {some(asg_names)} is lowered, "
            "the Auto Scaling Group replaces them"
        )
