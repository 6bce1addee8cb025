"""Check that a new node attaches the volumes of the pods of a planned one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import node_name
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

ATTACHMENTS: Final = "volume attachments"

_SURE: Final = 12
"""Volumes that nodes of every usual type attach.

By EC2's volume limits, most instances on Nitro have 28 attachments, which the root volume and up to 15 network
interfaces share.
"""


class AttachmentLimit(NamedTuple):
    """How many volumes of pods a new node attaches."""

    least: int
    """At least, of whatever type it is."""
    most: int
    """At most."""


def check_attachments(
    nodes: Sequence[PlannedNode],
    *,
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Iterable[ClusterNode],
    kube: KubernetesSnapshot,
    cloud: AwsFacts | None,
    moving: Sequence[Pod],
) -> list[CheckResult]:
    """Check that the volumes of the pods of each planned node can be attached to one new node.

    How many a node attaches is what the EBS driver reports of nodes that Ocean runs, else follows from the instance
    types, as far as AWS was asked for them. Nothing is said where no pod with a volume of EBS moves.

    Args:
        nodes: The planned nodes.
        cluster: The Ocean cluster.
        vngs: The Virtual Node Groups by id.
        ocean_nodes: The nodes that Ocean runs.
        kube: What Kubernetes answered.
        cloud: What AWS answered; None when it was not asked.
        moving: The pods that are to be evicted.
    """
    volumes: dict[str, set[str]] = defaultdict(set)
    for pod in moving:
        volumes[pod.node_name].update(pod.ebs_volumes)
    by_vng: dict[str | None, dict[str, int]] = defaultdict(dict)
    for node in nodes:
        if count := len(volumes[name]) if (name := node_name(node, kube)) else 0:
            target = node.virtual_node_group_id if node.virtual_node_group_id in vngs else None
            by_vng[target][name] = count
    check_results = []
    running = list(ocean_nodes)
    for target, counts in sorted(by_vng.items(), key=lambda item: item[0] or ""):
        limit = _find_limit(target, cluster, vngs, running, kube, cloud)
        allowed = _SURE if limit is None else limit.least
        over = {name: count for name, count in sorted(counts.items()) if count > allowed}
        if not over:
            continue
        fields: dict[str, Any] = {
            "target": {"id": target or cluster.id, "name": vngs[target].name if target else ""},
            "nodes": list(over),
            "volumes": max(over.values()),
        }
        if limit is None:
            check_results.append(CheckResult(ATTACHMENTS, CheckStatus.UNKNOWN, Finding.ATTACHMENTS_UNKNOWN, fields))
        else:
            fields |= {"least": limit.least, "most": limit.most}
            check_results.append(CheckResult(ATTACHMENTS, CheckStatus.WARN, Finding.ATTACHMENTS_TIGHT, fields))
    if by_vng and not check_results:
        check_results.append(CheckResult(ATTACHMENTS, CheckStatus.PASS, Finding.ATTACHMENTS_FREE))
    return check_results


def _find_limit(
    target: str | None,
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Iterable[ClusterNode],
    kube: KubernetesSnapshot,
    cloud: AwsFacts | None,
) -> AttachmentLimit | None:
    """Return the limit of new nodes of a target; None when it is not known."""
    reported = [
        kube.attachment_limits[kube.nodes[node.instance_id].name]
        for node in ocean_nodes
        if (target is None or node.virtual_node_group_id == target)
        and node.instance_id in kube.nodes
        and kube.nodes[node.instance_id].name in kube.attachment_limits
    ]
    if reported:
        return AttachmentLimit(min(reported), max(reported))
    allowed = (vngs[target].template.instance_types if target else ()) or cluster.template.instance_types
    machines = cloud.machines if cloud else {}
    limits = [
        limit_attachments(machine)
        for name, machine in machines.items()
        if any(fnmatchcase(name, pattern) for pattern in allowed)
    ]
    known = [limit for limit in limits if limit is not None]
    if not known or len(known) < len(limits):
        return None
    return AttachmentLimit(min(limit.least for limit in known), max(limit.most for limit in known))


def limit_attachments(machine: InstanceTypeSpec) -> AttachmentLimit | None:
    """Return how many volumes a node of an instance type attaches for pods; None when EC2 does not tell its limit.

    One attachment is that of the root volume. Where network interfaces and instance stores share the limit, a node has
    from one to all of its interfaces.
    """
    if machine.attachments is None:
        return None
    left = machine.attachments - 1
    if not machine.shares_attachments:
        return AttachmentLimit(left, left)
    left -= machine.instance_stores
    return AttachmentLimit(max(0, left - (machine.interfaces or 1)), max(0, left - 1))
