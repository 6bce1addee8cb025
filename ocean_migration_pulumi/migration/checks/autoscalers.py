"""Whether anything else than Ocean starts and removes nodes of the cluster."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.images import image_repository
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    NODES,
    Deployment,
    KubernetesSnapshot,
)

AUTOSCALERS: Final = "node autoscalers"

_NAME_LABEL: Final = "app.kubernetes.io/name"
_AUTO_MODE: Final = ("eks.amazonaws.com/compute-type", "auto")
_WORD: Final = re.compile(r"[a-z0-9]+")
_VENDORS: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    # The agent of CAST AI alone only reports; these act.
    "CAST AI": (frozenset({"castai", "cluster", "controller"}), frozenset({"castai", "evictor"})),
    "nOps": (frozenset({"karpenops"}),),
    "Zesty": (frozenset({"zesty"}),),
    "PerfectScale": (frozenset({"perfectscale"}),),
    "ScaleOps": (frozenset({"scaleops"}),),
    "Escalator": (frozenset({"atlassian", "escalator"}),),
    "Kubecost cluster turndown": (frozenset({"cluster", "turndown"}),),
    "Xosphere": (frozenset({"xosphere"}),),
}
"""Autoscalers of others: the words of which one set has to be in a name, a label or the repository of an image."""


def check_autoscalers(kube: KubernetesSnapshot) -> list[CheckResult]:
    """Check that nothing else starts and removes nodes; by name, labels and images, in any namespace."""
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
    check_results += [
        CheckResult(AUTOSCALERS, CheckStatus.WARN, Finding.KARPENTER_RUNS, {"deployment": each.full_name})
        for each in filter(_is_karpenter, active)
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
    automatic = sorted(node.name for node in kube.nodes.values() if node.labels.get(_AUTO_MODE[0]) == _AUTO_MODE[1])
    if automatic:
        check_results.append(
            CheckResult(AUTOSCALERS, CheckStatus.WARN, Finding.EKS_AUTO_MODE_RUNS, {"nodes": automatic})
        )
    if check_results:
        return check_results
    if gap := kube.gaps.get(NODES):
        return [CheckResult.from_gap(AUTOSCALERS, gap)]
    return [CheckResult(AUTOSCALERS, CheckStatus.PASS, Finding.NO_OTHER_AUTOSCALER)]


def is_cluster_autoscaler(deployment: Deployment) -> bool:
    """Tell whether it is a Cluster Autoscaler."""
    return any("cluster-autoscaler" in text for text in _texts(deployment))


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
