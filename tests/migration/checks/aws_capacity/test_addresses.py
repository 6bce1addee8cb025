"""Free addresses of subnets, and what the VPC CNI keeps warm."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.aws_capacity.addresses import check_addresses, measure_need
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DAEMON_SETS,
    INSTANCE_TYPE_LABEL,
    CniSettings,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
    Resources,
)
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

SMALL = InstanceTypeSpec(resources=Resources(), interfaces=3, addresses_per_interface=10)
CLUSTER = Cluster(id="o-1", template=LaunchTemplate(subnet_ids=("subnet-a",)))
VNGS = {"ols-2": VirtualNodeGroup(id="ols-2", name="api", template=LaunchTemplate(subnet_ids=("subnet-a", "subnet-b")))}
DENIED = Gap(GapCode.AWS_DENIED, {"action": "ec2:DescribeSubnets"})
DAEMON = Owner(kind="DaemonSet", name="agent", group="apps")


@pytest.mark.parametrize(
    ("pods", "cni", "machine", "addresses", "blocks"),
    [
        # By default whole interfaces of nine addresses for pods, and one of them free.
        (0, CniSettings(), SMALL, 10, 0),
        (1, CniSettings(), SMALL, 20, 0),
        (9, CniSettings(), SMALL, 20, 0),
        (10, CniSettings(), SMALL, 30, 0),
        (25, CniSettings(), SMALL, 30, 0),
        (5, CniSettings(warm_interfaces=0), SMALL, 10, 0),
        # Targets count addresses; each interface has one of its own.
        (5, CniSettings(warm_addresses=2), SMALL, 8, 0),
        (5, CniSettings(minimum_addresses=20), SMALL, 23, 0),
        (5, CniSettings(minimum_addresses=20), None, 21, 0),
        (5, CniSettings(uses_prefixes=True, warm_prefixes=1), SMALL, 33, 2),
        (17, CniSettings(uses_prefixes=True, warm_addresses=5), SMALL, 33, 2),
        (5, CniSettings(uses_other_subnets=True), SMALL, 1, 0),
        (5, CniSettings(is_ipv6=True, uses_prefixes=True), SMALL, 1, 0),
        (5, CniSettings(), None, 6, 0),
        (5, None, SMALL, 6, 0),
    ],
)
def test_need_of_a_node(
    pods: int, cni: CniSettings | None, machine: InstanceTypeSpec | None, addresses: int, blocks: int
) -> None:
    """By the documentation of the VPC CNI; the least where the instance type is not known."""
    need = measure_need(pods, cni, machine)
    assert (need.nodes, need.pods, need.addresses, need.blocks) == (1, pods, addresses, blocks)


def check(cni: CniSettings | None, vngs: tuple[str, ...] = ("Default",), pods: int = 5, **more: Any) -> Any:
    """Return what is found for a node for each of these vngs, with some pods on the first one."""
    labels = {INSTANCE_TYPE_LABEL: more.pop("kind", "m5.large")}
    names = range(len(vngs))
    nodes = {f"i-{each}": KubernetesNode(name=f"n-{each}", instance_id=f"i-{each}", labels=labels) for each in names}
    moving = [Pod(namespace="shop", name=f"pod-{each}", node_name="n-0") for each in range(pods)]
    host = Pod(namespace="shop", name="host", node_name="n-0", host_network=True)
    kube = KubernetesSnapshot(nodes=nodes, cni=cni, pods=more.pop("daemons", ()), gaps=more.pop("gaps", {}))
    planned = [PlannedNode(instance_id=f"i-{each}", virtual_node_group_id=vng) for each, vng in enumerate(vngs)]
    facts = {"free_addresses": {"subnet-a": 20}, "machines": {"m5.large": SMALL}, **more}
    return check_addresses(planned, CLUSTER, VNGS, kube, AwsFacts(**facts), [*moving, host])


def one(found: list[CheckResult]) -> tuple[str, str, Any]:
    """Return status, finding and cause of the only result."""
    (result,) = found
    return str(result.status), str(result.finding), result.fields.get("cause")


def test_warm_pool_counts() -> None:
    """Two interfaces of ten addresses for five pods; pods of DaemonSets need addresses, too."""
    assert check(CniSettings()) == []
    (tight,) = check(CniSettings(), free_addresses={"subnet-a": 19})
    assert (tight.status, tight.finding) == (CheckStatus.WARN, Finding.ADDRESSES_TIGHT)
    assert (tight.fields["needed"], tight.fields["complete"]) == (20, True)
    daemons = tuple(
        Pod(namespace="a", name=f"d-{each}", node_name="n-0", controller=DAEMON, host_network=each > 5)
        for each in range(9)
    )
    (tight,) = check(CniSettings(), daemons=daemons)
    assert (tight.fields["pods"], tight.fields["needed"]) == (11, 30)


@pytest.mark.parametrize(
    ("cni", "more", "status", "cause"),
    [
        (CniSettings(uses_other_subnets=True), {}, "unknown", "other-subnets"),
        (CniSettings(uses_other_subnets=True), {"free_addresses": {"subnet-a": 0}}, "warn", None),
        (CniSettings(unread=("WARM_IP_TARGET",)), {}, "unknown", "settings"),
        (CniSettings(), {"kind": "x9.large"}, "unknown", "instance-types"),
        (CniSettings(), {"kind": "x9.large", "free_addresses": {"subnet-a": 5}}, "warn", None),
        (CniSettings(), {"free_addresses": {}}, "unknown", "not-read"),
        (None, {"free_addresses": {"subnet-a": 5}}, "unknown", "other-network"),
        (None, {"free_addresses": {"subnet-a": 0}}, "warn", None),
    ],
)
def test_what_cannot_be_counted_is_unknown(
    cni: CniSettings | None, more: dict[str, Any], status: str, cause: str | None
) -> None:
    """Unless even the least is too much."""
    finding = Finding.ADDRESSES_TIGHT if status == "warn" else Finding.ADDRESSES_UNKNOWN
    assert one(check(cni, **more)) == (status, finding, cause)


def test_reasons_of_sources_are_quoted() -> None:
    """What was denied, instead of the consequence."""
    cloud = AwsFacts(gaps={"zones": DENIED})
    planned = [PlannedNode(instance_id="i-0", virtual_node_group_id="Default")]
    (unread,) = check_addresses(planned, CLUSTER, VNGS, KubernetesSnapshot(), cloud, [])
    assert (unread.status, unread.fields["gap"]) == (CheckStatus.UNKNOWN, DENIED.to_json())
    (unread,) = check(None, gaps={DAEMON_SETS: DENIED})
    assert (unread.status, unread.fields["gap"]) == (CheckStatus.UNKNOWN, DENIED.to_json())


@pytest.mark.parametrize(
    ("size", "free", "status"),
    [
        # 64 blocks, of which two are reserved and each address in use may spoil another one.
        (1024, 1019, None),
        (1024, 960, None),
        (1024, 959, "unknown"),
        (256, 200, "unknown"),
        (256, 32, "warn"),
    ],
)
def test_blocks_have_to_be_contiguous(size: int, free: int, status: str | None) -> None:
    """That they are is certain only where few addresses are in use."""
    cni = CniSettings(uses_prefixes=True, warm_prefixes=2)
    found = check(cni, free_addresses={"subnet-a": free}, subnet_sizes={"subnet-a": size})
    assert [str(each.status) for each in found] == ([status] if status else [])


def test_groups_that_share_a_subnet_are_counted_together() -> None:
    """Each fits alone, and both do not."""
    free = {"subnet-a": 20, "subnet-b": 0}
    assert check(CniSettings(), ("Default",), free_addresses=free) == []
    assert check(CniSettings(), ("ols-2",), free_addresses=free) == []
    found = check(CniSettings(), ("Default", "ols-2"), free_addresses=free)
    assert [(each.fields["subnets"], each.fields["needed"]) for each in found] == [(["subnet-a", "subnet-b"], 30)]
