"""Check the free addresses of subnets: for new nodes, their pods, and what the VPC CNI keeps warm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.aws_capacity.quotas import AWS_CAPACITY
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import node_name
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DAEMON_SETS,
    INSTANCE_TYPE_LABEL,
    CniSettings,
    KubernetesSnapshot,
    Pod,
)
from ocean_migration_pulumi.migration.scheduling.workloads import runs_on_each_node
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

_PREFIX: Final = 16
"""Addresses of a block that prefix delegation takes."""
_RESERVED: Final = 5
"""Addresses of each subnet that AWS keeps."""
_RESERVED_BLOCKS: Final = 2
"""Blocks in which they are: the first and the last one."""

_MOST_WARM: Final = 100
"""Addresses that the CNI keeps warm on a node at most by default: two interfaces of 50, the most of any type."""

Subnets = frozenset[str]


@dataclass(slots=True)
class AddressNeed:
    """What new nodes need."""

    nodes: int = 0
    """How many nodes."""
    pods: int = 0
    """Their pods that get an address, those of DaemonSets included."""
    addresses: int = 0
    """Addresses of both, with what the CNI keeps warm, as far as that is known."""
    blocks: int = 0
    """Blocks of 16 addresses among them, with prefix delegation."""
    is_complete: bool = True
    """Whether what the CNI keeps warm is among them."""

    def add(self, other: AddressNeed) -> None:
        """Add the need of other nodes."""
        self.nodes += other.nodes
        self.pods += other.pods
        self.addresses += other.addresses
        self.blocks += other.blocks
        self.is_complete = self.is_complete and other.is_complete


def check_addresses(
    nodes: Sequence[PlannedNode],
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    kube: KubernetesSnapshot,
    cloud: AwsFacts,
    moving: Sequence[Pod],
) -> list[CheckResult]:
    """Check the subnets of the targets for one new node for each planned one; those that are left keep theirs."""
    needs: dict[Subnets, AddressNeed] = defaultdict(AddressNeed)
    on_node: dict[str, list[Pod]] = defaultdict(list)
    for pod in (*moving, *(pod for pod in kube.pods if runs_on_each_node(pod.controller) and not pod.finished)):
        if not pod.host_network:
            on_node[pod.node_name].append(pod)
    for node in nodes:
        vng = vngs.get(node.virtual_node_group_id or "")
        own = (vng.template.subnet_ids if vng else ()) or cluster.template.subnet_ids
        known = kube.nodes.get(node.instance_id)
        machine = cloud.machines.get(known.labels.get(INSTANCE_TYPE_LABEL, "")) if known else None
        name = node_name(node, kube)
        needs[frozenset(own)].add(measure_need(len(on_node[name]) if name else 0, kube.cni, machine))
    check_results = []
    for subnets in _overlapping(needs):
        need = AddressNeed()
        for some, part in needs.items():
            if some <= subnets:
                need.add(part)
        if found := _check_subnets(subnets, need, kube, cloud):
            check_results.append(found)
    return check_results


def measure_need(pods: int, cni: CniSettings | None, machine: InstanceTypeSpec | None) -> AddressNeed:
    """Return what one new node needs.

    The VPC CNI fills whole network interfaces and keeps one of them free, unless its targets say otherwise; each
    interface has an address of its own besides those of pods. With prefix delegation it takes blocks of 16 addresses.

    Args:
        pods: How many of its pods get an address.
        cni: The settings of the VPC CNI; None: pods may get addresses of elsewhere, and only the node is counted on.
        machine: Its instance type; None when it is not known: then the least is returned.
    """
    if cni is None:
        return AddressNeed(nodes=1, pods=pods, addresses=1 + pods, is_complete=False)
    if cni.is_ipv6 or cni.uses_other_subnets:
        return AddressNeed(nodes=1, pods=pods, addresses=1)
    has_targets = bool(cni.warm_addresses or cni.minimum_addresses)
    kept = max(pods + cni.warm_addresses, cni.minimum_addresses) if has_targets else pods
    slots = (machine.addresses_per_interface or 0) - 1 if machine else 0
    most = machine.interfaces if machine and machine.interfaces else 1
    if cni.uses_prefixes:
        blocks = _divide(kept, _PREFIX) + (0 if has_targets else cni.warm_prefixes)
        interfaces = min(_divide(blocks, slots), most) if slots > 0 else 1
        return AddressNeed(
            nodes=1,
            pods=pods,
            addresses=blocks * _PREFIX + max(interfaces, 1),
            blocks=blocks,
            is_complete=slots > 0 and not cni.unread,
        )
    if slots <= 0:
        return AddressNeed(nodes=1, pods=pods, addresses=1 + kept, is_complete=has_targets and not cni.unread)
    if has_targets:
        addresses = kept + max(min(_divide(kept, slots), most), 1)
    else:
        interfaces = min(_divide(pods, slots) + (cni.warm_interfaces if pods else 0), most)
        addresses = max(interfaces, 1) * (slots + 1)
    return AddressNeed(nodes=1, pods=pods, addresses=max(addresses, 1 + pods), is_complete=not cni.unread)


def _overlapping(needs: Iterable[Subnets]) -> list[Subnets]:
    """Return the sets of subnets, and for those that share one the union of all that do."""
    unions: list[Subnets] = []
    for subnets in needs:
        apart = [each for each in unions if not each & subnets]
        unions = [*apart, frozenset(subnets.union(*(each for each in unions if each & subnets)))]
    return sorted({*needs, *unions}, key=sorted)


def _check_subnets(
    subnets: Subnets, need: AddressNeed, kube: KubernetesSnapshot, cloud: AwsFacts
) -> CheckResult | None:
    if not subnets:
        return None
    read = [cloud.free_addresses[subnet] for subnet in subnets if subnet in cloud.free_addresses]
    if len(read) < len(subnets):
        # One that could not be read may have room, or not.
        gap = cloud.gaps.get("zones")
        return CheckResult.from_gap(AWS_CAPACITY, gap) if gap else _unknown("not-read", subnets, sum(read), need)
    free = sum(read)
    has_other_network = kube.cni is None and kube.knows(DAEMON_SETS)
    if free < (need.nodes if has_other_network else need.addresses):
        fields = {**_fields(subnets, free, need), "complete": need.is_complete}
        return CheckResult(AWS_CAPACITY, CheckStatus.WARN, Finding.ADDRESSES_TIGHT, fields)
    if kube.cni is not None and kube.cni.uses_other_subnets:
        return _unknown("other-subnets", subnets, free, need)
    if has_other_network and free < need.addresses:
        return _unknown("other-network", subnets, free, need)
    if need.blocks > sum(_sure_blocks(subnet, cloud) for subnet in subnets):
        return _unknown("prefixes", subnets, free, need)
    if kube.cni is not None and kube.cni.unread:
        return _unknown("settings", subnets, free, need)
    if not need.is_complete and free < need.addresses + _MOST_WARM * need.nodes:
        gap = kube.gaps.get(DAEMON_SETS) or cloud.gaps.get("machines")
        return CheckResult.from_gap(AWS_CAPACITY, gap) if gap else _unknown("instance-types", subnets, free, need)
    return None


def _sure_blocks(subnet: str, cloud: AwsFacts) -> int:
    """Return how many blocks of 16 addresses are free for certain, wherever the addresses in use are."""
    size = cloud.subnet_sizes.get(subnet, 0)
    in_use = size - _RESERVED - cloud.free_addresses[subnet]
    return max(0, size // _PREFIX - _RESERVED_BLOCKS - max(0, in_use))


def _unknown(cause: str, subnets: Subnets, free: int, need: AddressNeed) -> CheckResult:
    fields = {**_fields(subnets, free, need), "cause": cause}
    return CheckResult(AWS_CAPACITY, CheckStatus.UNKNOWN, Finding.ADDRESSES_UNKNOWN, fields)


def _fields(subnets: Subnets, free: int, need: AddressNeed) -> dict[str, Any]:
    return {
        "subnets": sorted(subnets),
        "free": free,
        "nodes": need.nodes,
        "pods": need.pods,
        "needed": need.addresses,
        "blocks": need.blocks,
    }


def _divide(amount: int, by: int) -> int:
    """Return a quotient, rounded up."""
    return -(-amount // by)
