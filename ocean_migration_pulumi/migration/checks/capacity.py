"""Check the limits of the cluster and of its Virtual Node Groups against the nodes that run and that are to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

CAPACITY: Final = "capacity"

_ALL: Final = 100


def check_capacity(
    nodes: Iterable[PlannedNode],
    *,
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Sequence[ClusterNode] | None,
    moving: Sequence[Pod] = (),
) -> list[CheckResult]:
    """Check that the limits leave room for the planned nodes.

    How many nodes Ocean will start is its own decision: one for each planned node is the most that is counted with. So
    a limit that is reached already fails, one that so many would pass is a warning. ``ocean_nodes`` are Ocean's own
    nodes (None: not known); ``moving`` are the pods that will ask for room (none: not known).
    """
    planned = list(nodes)
    if ocean_nodes is None:
        return [CheckResult(CAPACITY, CheckStatus.UNKNOWN, Finding.OCEAN_NODES_NOT_READ, {"cluster": cluster.id})]
    check_results = []
    limit = cluster.capacity_maximum
    if limit is not None:
        check_results += _check_limit("capacity.maximum", cluster.id, limit, len(ocean_nodes), len(planned))
    running = Counter(node.virtual_node_group_id for node in ocean_nodes)
    coming = Counter(node.virtual_node_group_id for node in planned)
    for vng_id, vng in sorted(vngs.items()):
        most = vng.maximum_instance_count
        if most is not None and coming[vng_id]:
            check_results += _check_limit(
                "maxInstanceCount", vng_id, most, running[vng_id], coming[vng_id], owner_name=vng.name
            )
    needed_cpu = -(-sum(pod.requests.milli_cpu for pod in moving) // 1000)
    needed_memory = -(-sum(pod.requests.memory_mib for pod in moving) // 1024)
    for unit, most_amount, used, needed, divisor in (
        ("vCPU", cluster.maximum_vcpu, [node.allocatable_milli_cpu for node in ocean_nodes], needed_cpu, 1000),
        ("GiB", cluster.maximum_memory_gib, [node.allocatable_memory_mib for node in ocean_nodes], needed_memory, 1024),
    ):
        if most_amount is None:
            continue
        in_use = round(sum(amount for amount in used if amount is not None) / divisor)
        check_results += _check_limit(
            "autoScaler.resourceLimits", cluster.id, int(most_amount), in_use, needed, unit=unit
        )
    only_spot = [
        {"id": vng_id, "name": vng.name}
        for vng_id, vng in sorted(vngs.items())
        if coming[vng_id] and (cluster.spot_percentage if vng.spot_percentage is None else vng.spot_percentage) == _ALL
    ]
    if only_spot and cluster.fallback_to_od is False:
        check_results.append(
            CheckResult(CAPACITY, CheckStatus.WARN, Finding.SPOT_WITHOUT_FALLBACK, {"targets": only_spot})
        )
    return check_results or [CheckResult(CAPACITY, CheckStatus.PASS, Finding.CAPACITY_FREE)]


def _check_limit(
    setting: str, owner_id: str, limit: int, used: int, needed: int, *, owner_name: str = "", unit: str = "node"
) -> list[CheckResult]:
    """Check one limit; ``unit`` is ``node`` or the sign of a unit."""
    fields = {
        "setting": setting,
        "owner_id": owner_id,
        "owner_name": owner_name,
        "limit": limit,
        "used": used,
        "unit": unit,
    }
    if used >= limit:
        return [CheckResult(CAPACITY, CheckStatus.FAIL, Finding.LIMIT_REACHED, fields)]
    if used + needed > limit:
        return [CheckResult(CAPACITY, CheckStatus.WARN, Finding.LIMIT_TIGHT, {**fields, "needed": needed})]
    return []
