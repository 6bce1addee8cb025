"""Volumes that a new node has to attach."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.aws_capacity.attachments import check_attachments, limit_attachments
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    KubernetesNode,
    KubernetesSnapshot,
    Pod,
    Resources,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

VNGS = {"ols-1": VirtualNodeGroup(id="ols-1", name="web", template=LaunchTemplate(instance_types=("m5.*",)))}
PLANNED = [PlannedNode(instance_id="i-1", virtual_node_group_id="ols-1")]
NODES = {
    "i-1": KubernetesNode(name="n-1", instance_id="i-1"),
    "i-9": KubernetesNode(name="n-9", instance_id="i-9"),
}
OCEAN = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1")]


def machine(**more: Any) -> InstanceTypeSpec:
    """Return an instance type."""
    return InstanceTypeSpec(resources=Resources(), **more)


NITRO = machine(attachments=28, interfaces=3)


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        (NITRO, (24, 26)),
        (machine(attachments=28, interfaces=8, instance_stores=4), (15, 22)),
        (machine(attachments=32, interfaces=8, instance_stores=4, shares_attachments=False), (31, 31)),
        (machine(attachments=28, interfaces=40), (0, 26)),
        (machine(), None),
    ],
)
def test_limit_of_an_instance_type(kind: InstanceTypeSpec, limit: tuple[int, int] | None) -> None:
    """One attachment is that of the root volume; some types share the limit with interfaces and stores."""
    assert limit_attachments(kind) == limit


def check(volumes: int, reported: dict[str, int] | None = None, **machines: InstanceTypeSpec) -> list[CheckResult]:
    """Return what is found for a node with a pod for each of so many volumes, two of which share one."""
    pods = [Pod(namespace="a", name=f"p-{n}", node_name="n-1", ebs_volumes=(f"pv-{n}",)) for n in range(volumes)]
    shared = [Pod(namespace="a", name="q", node_name="n-1", ebs_volumes=("pv-0",))] if volumes else []
    return check_attachments(
        PLANNED,
        cluster=Cluster(id="o-1"),
        vngs=VNGS,
        ocean_nodes=OCEAN,
        kube=KubernetesSnapshot(nodes=NODES, attachment_limits=reported or {}),
        cloud=AwsFacts(machines={name.replace("_", "."): kind for name, kind in machines.items()}),
        moving=[*pods, *shared],
    )


@pytest.mark.parametrize(
    ("volumes", "more", "status"),
    [
        (0, {}, None),
        (12, {}, "pass"),
        (13, {}, "unknown"),
        (24, {"m5_large": NITRO}, "pass"),
        (25, {"m5_large": NITRO}, "warn"),
        (25, {"c5_large": NITRO}, "unknown"),
        (13, {"m5_large": NITRO, "m5_xlarge": machine()}, "unknown"),
        (25, {"reported": {"n-9": 25}, "m5_large": NITRO}, "pass"),
        (26, {"reported": {"n-9": 25}}, "warn"),
        (26, {"reported": {"n-1": 25}}, "unknown"),
    ],
)
def test_volumes_of_a_planned_node(volumes: int, more: dict[str, Any], status: str | None) -> None:
    """What the driver reports of Ocean's nodes precedes what instance types allow."""
    assert [str(each.status) for each in check(volumes, **more)] == ([status] if status else [])


def test_numbers_are_named() -> None:
    """The node, its volumes, and the limits of new ones."""
    (tight,) = check(27, m5_large=NITRO, m5_xlarge=machine(attachments=28, interfaces=4))
    assert (tight.status, tight.finding) == (CheckStatus.WARN, Finding.ATTACHMENTS_TIGHT)
    assert tight.fields == {
        "target": {"id": "ols-1", "name": "web"},
        "nodes": ["n-1"],
        "volumes": 27,
        "least": 23,
        "most": 26,
    }
