"""Check what AWS limits while old and new nodes run side by side: free addresses of subnets, and vCPU quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.aws_capacity.addresses import check_addresses
from ocean_migration_pulumi.migration.checks.aws_capacity.quotas import AWS_CAPACITY, check_quotas
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode


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
        *check_addresses(nodes, cluster, vngs, kube, cloud, moving),
        *check_quotas(nodes, cluster, vngs, cloud, kube),
    ]
    gaps = dict.fromkeys(cloud.gaps[part] for part in ("quotas", "running") if part in cloud.gaps)
    check_results += [CheckResult.from_gap(AWS_CAPACITY, gap) for gap in gaps]
    # Several subnets may be unknown for one reason.
    unique = {(each.finding, str(each.fields)): each for each in check_results}
    return list(unique.values()) or [CheckResult(AWS_CAPACITY, CheckStatus.PASS, Finding.AWS_CAPACITY_FREE)]
