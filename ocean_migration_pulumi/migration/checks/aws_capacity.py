"""Check what AWS limits while old and new nodes run side by side: free addresses of subnets, and vCPU quotas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import ON_DEMAND, SPOT, AwsFacts
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import node_name
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

AWS_CAPACITY: Final = "AWS capacity"


def find_markets(
    nodes: Sequence[PlannedNode], cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup]
) -> tuple[str, ...]:
    """Return the markets in which Ocean may start nodes for these; none when it is not known."""
    shares = {_spot_share(node, cluster, vngs) for node in nodes} - {None}
    return tuple(
        market
        for market, is_used in (
            (SPOT, any(share for share in shares)),
            (ON_DEMAND, any(share is not None and share < 1 for share in shares)),
        )
        if is_used
    )


def check_aws_capacity(
    nodes: Sequence[PlannedNode],
    *,
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    kube: KubernetesSnapshot,
    cloud: AwsFacts | None,
    moving: Sequence[Pod],
) -> list[CheckResult]:
    """Check that AWS leaves room for one new node for each planned one, while the planned ones still run.

    Args:
        nodes: The planned nodes.
        cluster: The Ocean cluster.
        vngs: The Virtual Node Groups by id.
        kube: What Kubernetes answered.
        cloud: What AWS answered; None when it was not asked.
        moving: The pods that are to be evicted.
    """
    # Without credentials AWS is not asked, as it is not without the extra.
    if cloud is None or not any((cloud.roles, cloud.free_addresses, cloud.machines, cloud.quotas, cloud.running)):
        return []
    check_results = [
        *_check_addresses(nodes, cluster, vngs, kube, cloud, moving),
        *_check_quotas(nodes, cluster, vngs, cloud),
    ]
    gaps = dict.fromkeys(cloud.gaps[part] for part in ("quotas", "running") if part in cloud.gaps)
    check_results += [CheckResult.from_gap(AWS_CAPACITY, gap) for gap in gaps]
    return check_results or [CheckResult(AWS_CAPACITY, CheckStatus.PASS, Finding.AWS_CAPACITY_FREE)]


def _check_addresses(
    nodes: Sequence[PlannedNode],
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    kube: KubernetesSnapshot,
    cloud: AwsFacts,
    moving: Sequence[Pod],
) -> list[CheckResult]:
    """Check the subnets of the targets: each node and each pod needs an address, and those that are left stay taken."""
    by_subnets: dict[tuple[str, ...], list[PlannedNode]] = defaultdict(list)
    for node in nodes:
        vng = vngs.get(node.virtual_node_group_id or "")
        subnets = (vng.template.subnet_ids if vng else ()) or cluster.template.subnet_ids
        by_subnets[tuple(sorted(subnets))].append(node)
    check_results = []
    for subnets, going in sorted(by_subnets.items()):
        # A subnet that could not be read may have room.
        if not subnets or not cloud.free_addresses.keys() >= set(subnets):
            continue
        names = {node_name(node, kube) for node in going}
        pods = sum(pod.node_name in names for pod in moving)
        free = sum(cloud.free_addresses[subnet] for subnet in subnets)
        if free < len(going) + pods:
            fields = {"subnets": list(subnets), "free": free, "nodes": len(going), "pods": pods}
            check_results.append(CheckResult(AWS_CAPACITY, CheckStatus.WARN, Finding.ADDRESSES_TIGHT, fields))
    return check_results


def _check_quotas(
    nodes: Sequence[PlannedNode], cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup], cloud: AwsFacts
) -> list[CheckResult]:
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
