"""Is there room: the limits of the cluster and of its Virtual Node Groups, against what runs and what is to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.common.text import count_noun, sanitize
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

CAPACITY: Final = "room"


def check_capacity(
    nodes: Iterable[PlannedNode],
    *,
    cluster: Cluster,
    groups: Mapping[str, VirtualNodeGroup],
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
        return [
            CheckResult(CAPACITY, CheckStatus.UNKNOWN, f"the nodes of {cluster.id} could not be listed", "try again")
        ]
    check_results = []
    limit = cluster.capacity_maximum
    if limit is not None:
        check_results += _judge(f"capacity.maximum of {cluster.id}", limit, len(ocean_nodes), len(planned), "node")
    running = Counter(node.virtual_node_group_id for node in ocean_nodes)
    coming = Counter(node.virtual_node_group_id for node in planned)
    for group_id, group in sorted(groups.items()):
        most = group.maximum_instance_count
        if most is not None and coming[group_id]:
            what = f"maxInstanceCount of {sanitize(group.name)} ({group_id})"
            check_results += _judge(what, most, running[group_id], coming[group_id], "node")
    needed_cpu = -(-sum(pod.requests.milli_cpu for pod in moving) // 1000)
    needed_memory = -(-sum(pod.requests.memory_mib for pod in moving) // 1024)
    for what, most_amount, used, needed, unit in (
        ("vCPU", cluster.maximum_vcpu, [node.allocatable_milli_cpu for node in ocean_nodes], needed_cpu, 1000),
        ("GiB", cluster.maximum_memory_gib, [node.allocatable_memory_mib for node in ocean_nodes], needed_memory, 1024),
    ):
        if most_amount is None:
            continue
        in_use = round(sum(amount for amount in used if amount is not None) / unit)
        check_results += _judge(f"autoScaler.resourceLimits of {cluster.id}", int(most_amount), in_use, needed, what)
    return check_results or [CheckResult(CAPACITY, CheckStatus.PASS, "the limits leave room for as many new nodes")]


def _judge(what: str, most: int, used: int, needed: int, unit: str) -> list[CheckResult]:
    """Judge one limit; ``unit`` is a noun that is counted, or the sign of a unit."""

    def shown(amount: int) -> str:
        return count_noun(amount, unit) if unit == "node" else f"{amount} {unit}"

    if used >= most:
        return [CheckResult(CAPACITY, CheckStatus.FAIL, f"{what} is {most}, and {shown(used)} are in use", "raise it")]
    if used + needed > most:
        seen = f"{what} is {most}: {shown(used)} in use, and up to {shown(needed)} more are needed"
        return [CheckResult(CAPACITY, CheckStatus.WARN, seen, "raise it, or migrate fewer nodes at once")]
    return []
