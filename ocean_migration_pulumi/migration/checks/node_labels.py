"""Check that a Virtual Node Group and the user data of its nodes agree on labels and taints.

Ocean launches nodes by the labels and taints that a Virtual Node Group declares. Nodes have those that their user data
sets. By Spot's documentation of labels and taints both have to be configured, and to agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.service import GROUPS
from ocean_migration_pulumi.migration.checks.user_data import NodeRegistration, format_taint, read_user_data
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesNode, Taint
from ocean_migration_pulumi.migration.scheduling.vng_profiles import is_given_by_others, is_refused_label
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

_NO_NODES: Final[Mapping[str, KubernetesNode]] = {}
_PASSING_TAINT: Final = re.compile(
    r"not-ready|unregistered|uninitialized|startup|ClusterAutoscaler$|^aws-node-termination-handler/|^karpenter\.sh/disrupt"
)
_TOOLS: Final = ("amazonaws.com", "eksctl.io", "kubernetes.io", "k8s.io", "spotinst.io", "spot.io")
"""Domains of labels that tools give to all nodes; pods seldom ask for them."""


def check_node_labels(
    nodes: Iterable[PlannedNode],
    *,
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Sequence[ClusterNode],
    kubernetes_nodes: Mapping[str, KubernetesNode] = _NO_NODES,
) -> list[CheckResult]:
    """Return a result for each Virtual Node Group of these nodes that does not agree with its user data.

    A group without user data is not judged: its image may set labels. What its running nodes have is known, and proves
    more than user data.

    Args:
        nodes: The planned nodes.
        cluster: The cluster, whose user data counts where a group has none.
        vngs: The Virtual Node Groups by id.
        ocean_nodes: The nodes that Ocean runs.
        kubernetes_nodes: The nodes of the cluster by instance id, as far as they are known.
    """
    check_results = []
    matched = {node.virtual_node_group_id or "" for node in nodes}
    for vng_id in sorted(matched & vngs.keys()):
        vng = vngs[vng_id]
        running = [
            kubernetes_nodes[node.instance_id]
            for node in ocean_nodes
            if node.virtual_node_group_id == vng_id and node.instance_id in kubernetes_nodes
        ]
        user_data = vng.template.user_data or cluster.template.user_data
        check_results += _check_vng(vng, read_user_data(user_data), running, has_user_data=bool(user_data.strip()))
    if DEFAULT_VIRTUAL_NODE_GROUP in matched and not cluster.template_only:
        check_results += _check_default(cluster, ocean_nodes)
    return check_results


def _check_default(cluster: Cluster, ocean_nodes: Iterable[ClusterNode]) -> list[CheckResult]:
    """Check the cluster's own template, which declares no taints; labels that all its nodes get do no harm."""
    set_by_data = read_user_data(cluster.template.user_data)
    common = {"group": cluster.id, "name": ""}
    runs = any(node.virtual_node_group_id in {None, DEFAULT_VIRTUAL_NODE_GROUP} for node in ocean_nodes)
    refused = [] if runs else sorted(filter(is_refused_label, set_by_data.labels))
    check_results = [_report_refused(common, refused, starts=False)] if refused else []
    if extra := _lasting_taints(set_by_data):
        fields = {**common, "default": True}
        check_results.append(_report(CheckStatus.WARN, Finding.LABELS_NOT_DECLARED, fields, (), extra))
    return check_results


def _lasting_taints(set_by_data: NodeRegistration) -> set[Taint]:
    return {taint for taint in set_by_data.taints if not is_passing_taint(taint.key)}


def is_passing_taint(key: str) -> bool:
    """Tell whether a taint does not stay.

    Agents remove some as soon as they run, such as ``node.cilium.io/agent-not-ready``, and autoscalers and handlers of
    interruptions set some on nodes that are to go.
    """
    return _PASSING_TAINT.search(key) is not None


def _check_vng(
    vng: VirtualNodeGroup, set_by_data: NodeRegistration, running: Sequence[KubernetesNode], *, has_user_data: bool
) -> list[CheckResult]:
    declared = {key: value for key, value in vng.labels if not is_given_by_others(key)}
    tainted = {Taint(key=key, value=value, effect=effect) for key, value, effect in vng.taints}
    common: dict[str, Any] = {"group": vng.id, "name": vng.name}
    if not declared and not tainted and not has_user_data:
        return []
    refused = [] if running else list(filter(is_refused_label, set_by_data.labels))
    vain = [key for key, value in declared.items() if is_refused_label(key) and not _has(running, key, value)]
    declared = {key: value for key, value in declared.items() if key not in vain}
    labels = [f"{key}={value}" for key, value in declared.items() if set_by_data.labels.get(key) != value]
    taints = tainted - set_by_data.taints
    readable = set_by_data.is_known and set_by_data.is_complete
    if running:  # newer nodes start like those that run
        labels = [f"{key}={value}" for key, value in declared.items() if not _has(running, key, value)]
        taints = {taint for taint in tainted if not any(taint in node.taints for node in running)}
    check_results = []
    if refused or vain:
        check_results.append(_report_refused(common, refused or vain, starts=not refused))
    if (labels or taints) and (running or readable):
        check_results.append(_report(CheckStatus.WARN, Finding.LABELS_NOT_SET, common, labels, taints))
    elif (labels or taints) and has_user_data:
        check_results.append(CheckResult(GROUPS, CheckStatus.UNKNOWN, Finding.USER_DATA_NOT_READ, common))
    undeclared = [
        f"{key}={value}"
        for key, value in set_by_data.labels.items()
        if dict(vng.labels).get(key) != value and not key.rpartition("/")[0].endswith(_TOOLS)
    ]
    extra = _lasting_taints(set_by_data) - tainted
    if undeclared or extra:
        check_results.append(_report(CheckStatus.WARN, Finding.LABELS_NOT_DECLARED, common, undeclared, extra))
    return check_results


def _has(running: Iterable[KubernetesNode], key: str, value: str) -> bool:
    return any(node.labels.get(key) == value for node in running)


def _report_refused(common: Mapping[str, Any], labels: Iterable[str], *, starts: bool) -> CheckResult:
    fields = {**common, "labels": sorted(labels), "starts": starts}
    return CheckResult(GROUPS, CheckStatus.WARN, Finding.LABELS_REFUSED, fields)


def _report(
    status: CheckStatus, finding: Finding, common: Mapping[str, Any], labels: Iterable[str], taints: Iterable[Taint]
) -> CheckResult:
    fields = {**common, "labels": sorted(labels), "taints": sorted(map(format_taint, taints))}
    return CheckResult(GROUPS, status, finding, fields)
