"""Is there room for the new nodes."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.capacity import check_capacity
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Pod, Resources
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode


def planned(count: int, group: str = "ols-1") -> list[PlannedNode]:
    """Return so many nodes that go to a group."""
    return [PlannedNode(instance_id=f"i-{number}", virtual_node_group_id=group) for number in range(count)]


def running(count: int, group: str = "ols-1") -> list[ClusterNode]:
    """Return so many nodes of Ocean's own, of 2 vCPU and 4 GiB each."""
    return [
        ClusterNode(
            instance_id=f"i-o{number}",
            virtual_node_group_id=group,
            allocatable_milli_cpu=2000,
            allocatable_memory_mib=4096,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("limits", "own", "verdict", "seen"),
    [
        ({"capacity_maximum": 6}, 2, CheckStatus.PASS, "leave room"),
        (
            {"capacity_maximum": 5},
            2,
            CheckStatus.WARN,
            "capacity.maximum of o-1 is 5: 2 nodes in use, and up to 4 nodes more",
        ),
        ({"capacity_maximum": 2}, 2, CheckStatus.FAIL, "capacity.maximum of o-1 is 2, and 2 nodes are in use"),
        ({}, 50, CheckStatus.PASS, "leave room"),
        ({"maximum_vcpu": 8}, 2, CheckStatus.PASS, "leave room"),
        ({"maximum_vcpu": 7}, 2, CheckStatus.WARN, "resourceLimits of o-1 is 7: 4 vCPU in use, and up to 4 vCPU more"),
        ({"maximum_vcpu": 4}, 2, CheckStatus.FAIL, "4 vCPU are in use"),
        ({"maximum_memory_gib": 9}, 2, CheckStatus.WARN, "8 GiB in use, and up to 3 GiB more"),
    ],
    ids=repr,
)
def test_limits_of_the_cluster_leave_room(limits: dict[str, Any], own: int, verdict: CheckStatus, seen: str) -> None:
    """One node for each planned one is counted with, and what the pods ask for."""
    pods = [
        Pod(namespace="a", name=str(number), requests=Resources(milli_cpu=900, memory_mib=700)) for number in range(4)
    ]
    (check_result,) = check_capacity(
        planned(4), cluster=Cluster(id="o-1", **limits), groups={}, ocean_nodes=running(own), moving=pods
    )
    assert check_result.verdict is verdict
    assert seen in check_result.seen


@pytest.mark.parametrize(("most", "verdict"), [(6, CheckStatus.PASS), (5, CheckStatus.WARN), (2, CheckStatus.FAIL)])
def test_limits_of_a_virtual_node_group_leave_room(most: int, verdict: CheckStatus) -> None:
    """Only those of the groups that nodes move to, against their own nodes."""
    groups = {
        "ols-1": VirtualNodeGroup(id="ols-1", name="web", maximum_instance_count=most),
        "ols-2": VirtualNodeGroup(id="ols-2", name="full", maximum_instance_count=0),
    }
    own = [*running(2), *running(9, "ols-2")]
    (check_result,) = check_capacity(planned(4), cluster=Cluster(id="o-1"), groups=groups, ocean_nodes=own)
    assert check_result.verdict is verdict
    assert ("maxInstanceCount of web (ols-1)" in check_result.seen) is (verdict is not CheckStatus.PASS)


def test_nodes_that_are_not_known_leave_the_room_unknown() -> None:
    """It is not taken for empty."""
    (check_result,) = check_capacity(
        planned(1), cluster=Cluster(id="o-1", capacity_maximum=9), groups={}, ocean_nodes=None
    )
    assert check_result.verdict is CheckStatus.UNKNOWN
