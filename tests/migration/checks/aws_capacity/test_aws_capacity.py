"""What AWS limits while old and new nodes run side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.aws_capacity.aws_capacity import check_aws_capacity
from ocean_migration_pulumi.migration.checks.aws_capacity.quotas import find_markets
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    CniSettings,
    KubernetesNode,
    KubernetesSnapshot,
    Pod,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from tests.support.gaps import failed_gap

CLUSTER = Cluster(id="o-1", spot_percentage=100, template=LaunchTemplate(subnet_ids=("subnet-a", "subnet-b")))
VNGS = {
    "ols-1": VirtualNodeGroup(id="ols-1", name="web"),
    "ols-2": VirtualNodeGroup(
        id="ols-2", name="api", spot_percentage=25, template=LaunchTemplate(subnet_ids=("subnet-c",))
    ),
}
PLANNED = [
    PlannedNode(instance_id="i-1", virtual_node_group_id="ols-1"),
    PlannedNode(instance_id="i-2", virtual_node_group_id="ols-2"),
]
KUBE = KubernetesSnapshot(
    nodes={f"i-{number}": KubernetesNode(name=f"n-{number}", instance_id=f"i-{number}") for number in (1, 2)}
)
MOVING = [Pod(namespace="shop", name=f"pod-{number}", node_name="n-1") for number in range(3)]
FREE = {"subnet-a": 200, "subnet-b": 4, "subnet-c": 101}


def check(**facts: Any) -> list[CheckResult]:
    """Return what is found for two planned nodes, with three pods on the first one."""
    cloud = AwsFacts(**{"free_addresses": FREE, **facts})
    kube = replace(KUBE, cni=CniSettings())
    return check_aws_capacity(PLANNED, cluster=CLUSTER, vngs=VNGS, kube=kube, cloud=cloud, moving=MOVING)


def test_without_aws_nothing_is_said() -> None:
    """Nor where it was not asked."""
    given: dict[str, Any] = {"cluster": CLUSTER, "vngs": VNGS, "kube": KUBE, "moving": MOVING}
    assert check_aws_capacity(PLANNED, cloud=None, **given) == []
    assert check_aws_capacity(PLANNED, cloud=AwsFacts(), **given) == []


def test_each_new_node_and_each_pod_needs_an_address() -> None:
    """Of all subnets of its VNG; those of the cluster where the VNG has none."""
    assert [each.finding for each in check()] == [Finding.AWS_CAPACITY_FREE]
    (tight,) = check(free_addresses={**FREE, "subnet-a": 1, "subnet-b": 2})
    assert (tight.status, tight.finding) == (CheckStatus.WARN, Finding.ADDRESSES_TIGHT)
    unknown = {"blocks": 0, "complete": False}
    assert tight.fields == {
        "subnets": ["subnet-a", "subnet-b"],
        "free": 3,
        "nodes": 1,
        "pods": 3,
        "needed": 4,
        **unknown,
    }
    (tight,) = check(free_addresses={**FREE, "subnet-c": 0})
    assert tight.fields == {"subnets": ["subnet-c"], "free": 0, "nodes": 1, "pods": 0, "needed": 1, **unknown}


def test_new_nodes_need_as_many_vcpus_as_old_ones_while_both_run() -> None:
    """In the market in which they start; those that run already count, of whatever cluster."""
    running = {"i-1": ("on-demand", 8), "i-2": ("on-demand", 4), "i-other": ("spot", 2)}
    assert find_markets(PLANNED, CLUSTER, VNGS) == ("spot", "on-demand")
    assert [each.status for each in check(running=running, quotas={"spot": 11.0, "on-demand": 15.0})] == ["pass"]
    demand, spot = check(running=running, quotas={"spot": 10.0, "on-demand": 14.0})
    assert spot.fields == {"market": "spot", "quota": 10.0, "used": 2, "needed": 9}
    assert demand.fields == {"market": "on-demand", "quota": 14.0, "used": 12, "needed": 3}
    assert spot.finding is demand.finding is Finding.QUOTA_TIGHT


@pytest.mark.parametrize(
    ("percentage", "markets"),
    [(100.0, ("spot",)), (0.0, ("on-demand",)), (None, ()), (120.0, ("spot",)), (70.0, ("spot", "on-demand"))],
)
def test_markets_are_those_of_the_groups(percentage: float | None, markets: tuple[str, ...]) -> None:
    """None where the share of Spot is not known."""
    cluster = Cluster(id="o-1", spot_percentage=percentage)
    assert find_markets(PLANNED[:1], cluster, VNGS) == markets


def test_quotas_that_could_not_be_read_are_unknown() -> None:
    """Each reason once; what runs is needed to judge them."""
    gap = failed_gap("AWS denies ec2:DescribeInstances", "allow it")
    (found,) = check(quotas={"spot": 0.0}, gaps={"running": gap, "quotas": gap})
    assert (found.status, found.fields["gap"]) == (CheckStatus.UNKNOWN, gap.to_json())


@pytest.mark.parametrize(
    ("types", "running", "findings"),
    [
        (("m5.large", "c6g.metal"), ("i-1", "i-2"), [Finding.AWS_CAPACITY_FREE]),
        (("im4gn.large", "is4gen.large"), ("i-1", "i-2"), [Finding.AWS_CAPACITY_FREE]),
        (("m5.large", "g5.xlarge"), ("i-1",), [Finding.QUOTAS_NOT_CHECKED]),
        (("inf2.xlarge", "p4d.24xlarge"), (), [Finding.QUOTAS_NOT_CHECKED]),
        (("m5.large", "m5.large"), ("i-1",), [Finding.INSTANCES_NOT_FOUND]),
        (("m5.large", "trn1.2xlarge"), (), [Finding.QUOTAS_NOT_CHECKED, Finding.INSTANCES_NOT_FOUND]),
        ((), (), [Finding.AWS_CAPACITY_FREE]),
    ],
    ids=repr,
)
def test_quotas_that_say_nothing_of_planned_nodes_are_unknown(
    types: tuple[str, ...], running: tuple[str, ...], findings: list[Finding]
) -> None:
    """Other families have quotas of their own, and those of another account count for nothing."""
    nodes = {
        f"i-{number}": KubernetesNode(
            name=f"n-{number}", instance_id=f"i-{number}", labels={"node.kubernetes.io/instance-type": kind}
        )
        for number, kind in enumerate(types, 1)
    }
    cloud = AwsFacts(
        free_addresses=FREE, quotas={"spot": 99.0, "on-demand": 99.0}, running=dict.fromkeys(running, ("on-demand", 2))
    )
    found = check_aws_capacity(
        PLANNED,
        cluster=CLUSTER,
        vngs=VNGS,
        kube=replace(KUBE, nodes=nodes or KUBE.nodes, cni=CniSettings()),
        cloud=cloud,
        moving=MOVING,
    )
    assert [each.finding for each in found] == findings
