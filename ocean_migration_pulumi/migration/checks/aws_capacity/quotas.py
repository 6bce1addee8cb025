"""Check the vCPU quotas while old and new nodes run side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import ON_DEMAND, SPOT, AwsFacts
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

AWS_CAPACITY: Final = "AWS capacity"


def find_markets(
    nodes: Sequence[PlannedNode], cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup]
) -> tuple[str, ...]:
    """Return the markets in which Ocean can launch nodes for these; none when it is not known."""
    shares = {_spot_share(node, cluster, vngs) for node in nodes} - {None}
    return tuple(
        market
        for market, is_used in (
            (SPOT, any(share for share in shares)),
            (ON_DEMAND, any(share is not None and share < 1 for share in shares)),
        )
        if is_used
    )


def check_quotas(
    nodes: Sequence[PlannedNode], cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup], cloud: AwsFacts
) -> list[CheckResult]:
    """Return a warning for each quota that new nodes, as large as the planned ones, would exceed."""
    needed: dict[str, float] = defaultdict(float)
    for node in nodes:
        share = _spot_share(node, cluster, vngs)
        _, vcpus = cloud.running.get(node.instance_id, ("", 0))
        if share is not None:
            needed[SPOT] += vcpus * share
            needed[ON_DEMAND] += vcpus * (1 - share)
    check_results = []
    for market, quota in sorted(cloud.quotas.items()):
        used = sum(vcpus for running, vcpus in cloud.running.values() if running == market)
        if "running" not in cloud.gaps and used + needed[market] > quota:
            fields: dict[str, Any] = {"market": market, "quota": quota, "used": used, "needed": ceil(needed[market])}
            check_results.append(CheckResult(AWS_CAPACITY, CheckStatus.WARN, Finding.QUOTA_TIGHT, fields))
    return check_results


def _spot_share(node: PlannedNode, cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup]) -> float | None:
    """Return which share of the nodes that replace a planned one is Spot; None when it is not known."""
    vng = vngs.get(node.virtual_node_group_id or "")
    percentage = cluster.spot_percentage if vng is None or vng.spot_percentage is None else vng.spot_percentage
    return None if percentage is None else min(max(percentage, 0), 100) / 100
