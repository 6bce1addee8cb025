"""Whether anything else than Ocean starts and removes nodes of the cluster."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.images import image_repository
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    NODE_POOLS,
    NODES,
    PODS,
    Deployment,
    KubernetesSnapshot,
    NodePool,
    Pod,
    Requirement,
)
from ocean_migration_pulumi.migration.scheduling.label_matching import holds, tolerates
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

AUTOSCALERS: Final = "node autoscalers"

_NAME_LABEL: Final = "app.kubernetes.io/name"
_AUTO_MODE: Final = ("eks.amazonaws.com/compute-type", "auto")
_POOL_LABELS: Final = ("karpenter.sh/nodepool", "karpenter.sh/provisioner-name")
_KNOWN_LABELS: Final = (
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "node.kubernetes.io/",
    "topology.kubernetes.io/",
    "topology.k8s.aws/",
    "karpenter.sh/",
    "karpenter.k8s.aws/",
    "eks.amazonaws.com/",
)
_OWN_OPERATORS: Final = frozenset({"Gte", "Lte"})
_CLUSTER_AUTOSCALER: Final = re.compile(r"cluster-autoscaler(?!-(?:operator|\S*exporter))")
"""The operator of OpenShift runs whether or not an autoscaler does; what it starts has another name."""
_WORD: Final = re.compile(r"[a-z0-9]+")
_VENDORS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    # The agent of CAST AI alone only reports; these act.
    "CAST AI": (
        frozenset({"castai", "cluster", "controller"}),
        frozenset({"castai", "evictor"}),
        frozenset({"castai", "kentroller"}),
    ),
    "nOps": (frozenset({"karpenops"}),),
    "Zesty": (frozenset({"zesty"}),),
    "PerfectScale": (frozenset({"perfectscale"}),),
    "ScaleOps": (frozenset({"scaleops"}),),
    "Escalator": (frozenset({"atlassian", "escalator"}),),
    "Kubecost cluster turndown": (frozenset({"cluster", "turndown"}),),
    "Xosphere": (frozenset({"xosphere"}),),
}
"""Autoscalers of others: the words of which one set has to be in a name, a label or the repository of an image."""


def check_autoscalers(
    kube: KubernetesSnapshot, nodes: Iterable[PlannedNode] = (), moving: Sequence[Pod] = ()
) -> list[CheckResult]:
    """Check that nothing else starts and removes nodes; by name, labels and images, in any namespace.

    Args:
        kube: What Kubernetes answered.
        nodes: The planned nodes.
        moving: The pods that are to be evicted.
    """
    if gap := kube.gaps.get(DEPLOYMENTS):
        return [CheckResult.from_gap(AUTOSCALERS, gap)]
    active = [each for each in kube.deployments if each.replicas]
    check_results = [
        CheckResult(
            AUTOSCALERS,
            CheckStatus.FAIL,
            Finding.CLUSTER_AUTOSCALER_RUNS,
            {"namespace": each.namespace, "name": each.name, "replicas": each.replicas},
        )
        for each in filter(is_cluster_autoscaler, active)
    ]
    automatic = sorted(node.name for node in kube.nodes.values() if node.labels.get(_AUTO_MODE[0]) == _AUTO_MODE[1])
    karpenters = list(filter(_is_karpenter, kube.deployments))
    # EKS Auto Mode acts on NodePools without a Deployment in the cluster.
    if automatic or not karpenters or any(each.replicas for each in karpenters):
        check_results += _check_node_pools(kube, nodes, moving)
    # NodePools tell more; they are of EKS Auto Mode, too.
    knows_pools = bool(kube.node_pools) and kube.knows(NODE_POOLS, PODS)
    check_results += [
        CheckResult(AUTOSCALERS, CheckStatus.WARN, Finding.KARPENTER_RUNS, {"deployment": each.full_name})
        for each in karpenters
        if each.replicas and not knows_pools
    ]
    check_results += [
        CheckResult(
            AUTOSCALERS,
            CheckStatus.WARN,
            Finding.VENDOR_AUTOSCALER_RUNS,
            {"vendor": vendor, "deployments": sorted(each.full_name for each in deployments)},
        )
        for vendor, deployments in _group_by_vendor(active).items()
    ]
    if automatic and not knows_pools:
        check_results.append(
            CheckResult(AUTOSCALERS, CheckStatus.WARN, Finding.EKS_AUTO_MODE_RUNS, {"nodes": automatic})
        )
    if check_results:
        return check_results
    # EKS Auto Mode starts its first node by a NodePool, without a Deployment.
    if gap := kube.gaps.get(NODES) or kube.gaps.get(NODE_POOLS):
        return [CheckResult.from_gap(AUTOSCALERS, gap)]
    return [CheckResult(AUTOSCALERS, CheckStatus.PASS, Finding.NO_OTHER_AUTOSCALER)]


def _check_node_pools(
    kube: KubernetesSnapshot, nodes: Iterable[PlannedNode], moving: Sequence[Pod]
) -> list[CheckResult]:
    owned = defaultdict(list)
    off = {pool.name for pool in kube.node_pools if pool.is_off}
    for node in nodes:
        labels = kube.nodes[node.instance_id].labels if node.instance_id in kube.nodes else {}
        pool_name = next((labels[label] for label in _POOL_LABELS if label in labels), "")
        if pool_name and pool_name not in off:
            owned[pool_name].append(node.instance_id)
    check_results = []
    if owned:
        fields = {"pools": sorted(owned), "nodes": sorted(node for each in owned.values() for node in each)}
        check_results.append(CheckResult(AUTOSCALERS, CheckStatus.FAIL, Finding.KARPENTER_OWNS_NODES, fields))
    taken = {pool.name: [pod.full_name for pod in moving if _may_take(pool, pod)] for pool in kube.node_pools}
    if pools := sorted(pool for pool, pods in taken.items() if pods):
        fields = {"pools": pools, "pods": sorted({pod for pool in pools for pod in taken[pool]})}
        check_results.append(CheckResult(AUTOSCALERS, CheckStatus.WARN, Finding.NODE_POOLS_TAKE_PODS, fields))
    return check_results


def _may_take(pool: NodePool, pod: Pod) -> bool:
    """Tell whether Karpenter may start a node of a NodePool for a pod, as far as labels and taints decide it."""
    if pool.is_closed:
        return False
    hard = (taint for taint in pool.taints if taint.effect != "PreferNoSchedule")
    if not all(tolerates(pod.tolerations, taint) for taint in hard):
        return False
    selector = [Requirement(key=key, values=(value,)) for key, value in pod.node_selector.items()]
    return all(_may_meet(pool, part) for part in selector) and (
        not pod.terms or any(all(_may_meet(pool, part) for part in term) for term in pod.terms)
    )


def _may_meet(pool: NodePool, wanted: Requirement) -> bool:
    """Tell whether a node of a NodePool may meet a condition on its labels."""
    if wanted.on_field:
        return False
    labels = {**pool.labels, _POOL_LABELS[0]: pool.name}
    if wanted.key in labels:
        return holds(wanted, labels[wanted.key])
    # Karpenter has more operators than Kubernetes; what they demand is not evaluated.
    demanded = [part for part in pool.requirements if part.key == wanted.key and part.operator not in _OWN_OPERATORS]
    values = {value for part in demanded if part.operator == "In" for value in part.values}
    if values:
        return any(holds(wanted, value) and all(holds(part, value) for part in demanded) for value in values)
    if demanded and wanted.operator == "In":
        return any(all(holds(part, value) for part in demanded) for value in wanted.values)
    # Karpenter gives its nodes no other label of its own accord than those that Kubernetes and AWS define.
    if demanded or wanted.key.startswith(_KNOWN_LABELS):
        return wanted.operator != "DoesNotExist"
    return holds(wanted, None)


def is_cluster_autoscaler(deployment: Deployment) -> bool:
    """Tell whether it is a Cluster Autoscaler."""
    return any(map(_CLUSTER_AUTOSCALER.search, _texts(deployment)))


def _is_karpenter(deployment: Deployment) -> bool:
    return (
        deployment.name == "karpenter"
        or deployment.labels.get(_NAME_LABEL) == "karpenter"
        or any("karpenter" in image_repository(image) for image in deployment.images)
    )


def _group_by_vendor(deployments: Iterable[Deployment]) -> dict[str, list[Deployment]]:
    found: dict[str, list[Deployment]] = defaultdict(list)
    for deployment in deployments:
        texts = [frozenset(_WORD.findall(text.lower())) for text in _texts(deployment)]
        for vendor, names in _VENDORS.items():
            if any(words <= text for words in names for text in texts):
                found[vendor].append(deployment)
    return found


def _texts(deployment: Deployment) -> tuple[str, ...]:
    return (deployment.name, *deployment.labels.values(), *map(image_repository, deployment.images))
