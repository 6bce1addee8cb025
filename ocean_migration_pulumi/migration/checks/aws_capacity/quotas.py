"""Check the vCPU quotas while old and new nodes run side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import ON_DEMAND, SPOT, AwsFacts, is_standard_type
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import INSTANCE_TYPE_LABEL, KubernetesSnapshot
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
    nodes: Sequence[PlannedNode],
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    cloud: AwsFacts,
    kube: KubernetesSnapshot,
) -> list[CheckResult]:
    """Return a warning for each quota that new nodes, as large as the planned ones, would exceed, and what is unknown.

    Quotas of other families than the standard ones are not read.
    """
    needed: dict[str, float] = defaultdict(float)
    needing: list[str] = []
    for node in nodes:
        share = _spot_share(node, cluster, vngs)
        _, vcpus = cloud.running.get(node.instance_id, ("", 0))
        if share is not None:
            needing.append(node.instance_id)
            needed[SPOT] += vcpus * share
            needed[ON_DEMAND] += vcpus * (1 - share)
    check_results = []
    for market, quota in sorted(cloud.quotas.items()):
        used = sum(vcpus for running, vcpus in cloud.running.values() if running == market)
        if "running" not in cloud.gaps and used + needed[market] > quota:
            fields: dict[str, Any] = {"market": market, "quota": quota, "used": used, "needed": ceil(needed[market])}
            check_results.append(CheckResult(AWS_CAPACITY, CheckStatus.WARN, Finding.QUOTA_TIGHT, fields))
    if not cloud.quotas or "running" in cloud.gaps:
        return check_results
    types = {name: kube.nodes[name].labels.get(INSTANCE_TYPE_LABEL, "") for name in needing if name in kube.nodes}
    if others := sorted({kind for kind in types.values() if kind and not is_standard_type(kind)}):
        fields = {"instance_types": others}
        check_results.append(CheckResult(AWS_CAPACITY, CheckStatus.UNKNOWN, Finding.QUOTAS_NOT_CHECKED, fields))
    if lost := sorted(name for name, kind in types.items() if is_standard_type(kind) and name not in cloud.running):
        fields = {"nodes": lost}
        check_results.append(CheckResult(AWS_CAPACITY, CheckStatus.UNKNOWN, Finding.INSTANCES_NOT_FOUND, fields))
    return check_results


def _spot_share(node: PlannedNode, cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup]) -> float | None:
    """Return which share of the nodes that replace a planned one is Spot; None when it is not known."""
    vng = vngs.get(node.virtual_node_group_id or "")
    percentage = cluster.spot_percentage if vng is None or vng.spot_percentage is None else vng.spot_percentage
    return None if percentage is None else min(max(percentage, 0), 100) / 100
