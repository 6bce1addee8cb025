"""Which Ocean Controller runs in the cluster, and whether another node autoscaler does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    NODES,
    Deployment,
    KubernetesSnapshot,
)

CONTROLLER: Final = "Ocean Controller"
AUTOSCALERS: Final = "node autoscalers"

SINCE_EVICTIONS: Final = (1, 0, 46)
"""The first version 1 that evicts pods for migrations, by its history; Spot's page says 1.0.44."""

_V2_NAME: Final = "ocean-kubernetes-controller"
_V1_NAME: Final = "spotinst-kubernetes-cluster-controller"
_VERSION_LABEL: Final = "app.kubernetes.io/version"
_NAME_LABEL: Final = "app.kubernetes.io/name"
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?")
_AUTO_MODE: Final = ("eks.amazonaws.com/compute-type", "auto")


def check_controller(kube: KubernetesSnapshot) -> CheckResult:
    """Check the version of the Ocean Controller, by the label of its Deployment, or else the tag of its image."""
    if gap := kube.gaps.get(DEPLOYMENTS):
        return CheckResult.of_gap(CONTROLLER, gap)
    new = [each for each in kube.deployments if is_v2(each) and each.replicas]
    old = [each for each in kube.deployments if is_v1(each) and each.replicas]
    if old:
        return _judge_v1(old[0], also_v2=bool(new))
    if not new:
        idle = [each.full_name for each in kube.deployments if is_v2(each) or is_v1(each)]
        if idle:
            seen = f"{sanitize(idle[0])} is scaled to zero"
            return CheckResult(CONTROLLER, CheckStatus.FAIL, seen, "scale it up: a migration needs it")
        seen = "no Deployment of the Ocean Controller was found"
        return CheckResult(CONTROLLER, CheckStatus.UNKNOWN, seen, "make sure that it is version 2 (or at least 1.0.46)")
    version = _version(new[0])
    seen = f"version {_shown(version)}" if version else "version 2"
    if not new[0].ready_replicas:
        remedy = "look at the pods of this Deployment: a migration needs them"
        return CheckResult(
            CONTROLLER, CheckStatus.WARN, f"{seen}, no pod of {sanitize(new[0].full_name)} is ready", remedy
        )
    return CheckResult(CONTROLLER, CheckStatus.PASS, seen)


def check_autoscalers(kube: KubernetesSnapshot) -> list[CheckResult]:
    """Check that nothing else starts and ends nodes; by name, labels and images, in any namespace."""
    if gap := kube.gaps.get(DEPLOYMENTS):
        return [CheckResult.of_gap(AUTOSCALERS, gap)]
    active = [each for each in kube.deployments if each.replicas]
    check_results = []
    for each in filter(is_cluster_autoscaler, active):
        seen = f"Cluster Autoscaler {sanitize(each.full_name)} runs ({count_noun(each.replicas, 'replica')})"
        remedy = f"scale it to zero: kubectl scale deployment {each.name} --namespace {each.namespace} --replicas=0"
        check_results.append(CheckResult(AUTOSCALERS, CheckStatus.FAIL, seen, sanitize(remedy)))
    for each in filter(_is_karpenter, active):
        seen = f"Karpenter {sanitize(each.full_name)} runs"
        remedy = "it may start nodes for the same pods: leave it nothing to do, or scale it to zero"
        check_results.append(CheckResult(AUTOSCALERS, CheckStatus.WARN, seen, remedy))
    automatic = sorted(node.name for node in kube.nodes.values() if node.labels.get(_AUTO_MODE[0]) == "auto")
    if automatic:
        seen = f"EKS Auto Mode runs {count_noun(len(automatic), 'node')} ({list_some(map(sanitize, automatic), 3)})"
        remedy = "it may start nodes for the same pods: take its node pools away"
        check_results.append(CheckResult(AUTOSCALERS, CheckStatus.WARN, seen, remedy))
    if check_results:
        return check_results
    if gap := kube.gaps.get(NODES):
        return [CheckResult.of_gap(AUTOSCALERS, gap)]
    return [CheckResult(AUTOSCALERS, CheckStatus.PASS, "no other one is active")]


def is_v2(deployment: Deployment) -> bool:
    """Tell whether it is version 2 of the Ocean Controller."""
    return (
        deployment.labels.get(_NAME_LABEL) == _V2_NAME
        or deployment.name.endswith(_V2_NAME)
        or any("/spotinst-kubernetes-controller" in image for image in deployment.images)
    )


def is_v1(deployment: Deployment) -> bool:
    """Tell whether it is version 1 of the Ocean Controller."""
    return (
        deployment.labels.get("k8s-app") == _V1_NAME
        or deployment.name == _V1_NAME
        or any("/kubernetes-cluster-controller" in image for image in deployment.images)
    )


def is_cluster_autoscaler(deployment: Deployment) -> bool:
    """Tell whether it is a Cluster Autoscaler."""
    texts = (deployment.name, *deployment.labels.values(), *map(_repository, deployment.images))
    return any("cluster-autoscaler" in text for text in texts)


def _judge_v1(deployment: Deployment, *, also_v2: bool) -> CheckResult:
    version = _version(deployment)
    waits = ", and version 2 waits until that is scaled to zero" if also_v2 else ""
    remedy = (
        f"scale {sanitize(deployment.full_name)} to zero"
        if also_v2
        else "install version 2, and scale version 1 to zero"
    )
    if version is None:
        return CheckResult(CONTROLLER, CheckStatus.UNKNOWN, f"version 1 of unknown patch level{waits}", remedy)
    seen = f"version {_shown(version)}{waits}"
    if version < SINCE_EVICTIONS:
        return CheckResult(
            CONTROLLER, CheckStatus.FAIL, f"{seen}; pods are evicted for migrations since 1.0.46", remedy
        )
    return CheckResult(CONTROLLER, CheckStatus.WARN, f"{seen}; version 1 is deprecated", remedy)


def _is_karpenter(deployment: Deployment) -> bool:
    return (
        deployment.name == "karpenter"
        or deployment.labels.get(_NAME_LABEL) == "karpenter"
        or any("karpenter" in _repository(image) for image in deployment.images)
    )


def _version(deployment: Deployment) -> tuple[int, int, int] | None:
    texts: Iterable[str] = (deployment.labels.get(_VERSION_LABEL, ""), *map(_tag, deployment.images))
    for text in texts:
        match = _VERSION.fullmatch(text)
        if match:
            return int(match[1]), int(match[2]), int(match[3] or 0)
    return None


def _repository(image: str) -> str:
    return image.partition("@")[0].rpartition(":")[0] or image


def _tag(image: str) -> str:
    """Return the tag of an image, empty when it has none; what follows the last colon may be a port and a path."""
    tag = image.partition("@")[0].rpartition(":")[2]
    return "" if "/" in tag else tag


def _shown(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
