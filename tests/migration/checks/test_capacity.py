"""Is there room for the new nodes."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.capacity import check_capacity
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Pod, Resources
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode


def planned(count: int, vng: str = "ols-1") -> list[PlannedNode]:
    """Return so many nodes that go to a VNG."""
    return [PlannedNode(instance_id=f"i-{number}", virtual_node_group_id=vng) for number in range(count)]


def running(count: int, vng: str = "ols-1") -> list[ClusterNode]:
    """Return so many nodes of Ocean's own, of 2 vCPU and 4 GiB each."""
    return [
        ClusterNode(
            instance_id=f"i-o{number}",
            virtual_node_group_id=vng,
            allocatable_milli_cpu=2000,
            allocatable_memory_mib=4096,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("limits", "own", "status", "found"),
    [
        ({"capacity_maximum": 6}, 2, CheckStatus.PASS, None),
        ({"capacity_maximum": 5}, 2, CheckStatus.WARN, ("capacity.maximum", 5, 2, "node", 4)),
        ({"capacity_maximum": 2}, 2, CheckStatus.FAIL, ("capacity.maximum", 2, 2, "node", None)),
        ({}, 50, CheckStatus.PASS, None),
        ({"maximum_vcpu": 8}, 2, CheckStatus.PASS, None),
        ({"maximum_vcpu": 7}, 2, CheckStatus.WARN, ("autoScaler.resourceLimits", 7, 4, "vCPU", 4)),
        ({"maximum_vcpu": 4}, 2, CheckStatus.FAIL, ("autoScaler.resourceLimits", 4, 4, "vCPU", None)),
        ({"maximum_memory_gib": 9}, 2, CheckStatus.WARN, ("autoScaler.resourceLimits", 9, 8, "GiB", 3)),
    ],
    ids=repr,
)
def test_limits_of_the_cluster_leave_room(
    limits: dict[str, Any], own: int, status: CheckStatus, found: tuple[object, ...] | None
) -> None:
    """One node for each planned one is counted with, and what the pods ask for."""
    pods = [
        Pod(namespace="a", name=str(number), requests=Resources(milli_cpu=900, memory_mib=700)) for number in range(4)
    ]
    (check_result,) = check_capacity(
        planned(4), cluster=Cluster(id="o-1", **limits), vngs={}, ocean_nodes=running(own), moving=pods
    )
    assert check_result.status is status
    assert (check_result.finding is Finding.CAPACITY_FREE) is (found is None)
    if found is not None:
        assert tuple(map(check_result.fields.get, ("setting", "limit", "used", "unit", "needed"))) == found
        assert check_result.fields["owner_id"] == "o-1"


@pytest.mark.parametrize(("most", "status"), [(6, CheckStatus.PASS), (5, CheckStatus.WARN), (2, CheckStatus.FAIL)])
def test_limits_of_a_virtual_node_group_leave_room(most: int, status: CheckStatus) -> None:
    """Only those of the VNGs that nodes move to, against their own nodes."""
    vngs = {
        "ols-1": VirtualNodeGroup(id="ols-1", name="web", maximum_instance_count=most),
        "ols-2": VirtualNodeGroup(id="ols-2", name="full", maximum_instance_count=0),
    }
    own = [*running(2), *running(9, "ols-2")]
    (check_result,) = check_capacity(planned(4), cluster=Cluster(id="o-1"), vngs=vngs, ocean_nodes=own)
    assert check_result.status is status
    if status is not CheckStatus.PASS:
        named = tuple(check_result.fields[name] for name in ("setting", "owner_id", "owner_name"))
        assert named == ("maxInstanceCount", "ols-1", "web")


@pytest.mark.parametrize(
    ("own", "of_cluster", "fallback", "warns"),
    [
        (None, 100.0, False, True),
        (100.0, 0.0, False, True),
        (99.0, 100.0, False, False),
        (None, None, False, False),
        (None, 100.0, True, False),
        (None, 100.0, None, False),
    ],
)
def test_group_of_spot_alone_needs_a_fallback(
    own: float | None, of_cluster: float | None, fallback: bool | None, warns: bool
) -> None:
    """Its pods would wait while AWS has no Spot capacity."""
    cluster = Cluster(id="o-1", spot_percentage=of_cluster, fallback_to_od=fallback)
    vngs = {
        name: VirtualNodeGroup(id=name, name="web", spot_percentage=own if name == "ols-1" else 100.0)
        for name in ("ols-1", "ols-unused")
    }
    (check_result,) = check_capacity(planned(1), cluster=cluster, vngs=vngs, ocean_nodes=())
    assert (check_result.finding is Finding.SPOT_WITHOUT_FALLBACK) is warns
    if warns:
        assert check_result.status is CheckStatus.WARN
        assert check_result.fields == {"targets": [{"id": "ols-1", "name": "web"}]}


def test_nodes_that_are_not_known_leave_the_room_unknown() -> None:
    """It is not taken for empty."""
    (check_result,) = check_capacity(
        planned(1), cluster=Cluster(id="o-1", capacity_maximum=9), vngs={}, ocean_nodes=None
    )
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.OCEAN_NODES_NOT_READ)
