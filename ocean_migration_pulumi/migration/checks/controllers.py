"""Which Ocean Controller runs in the cluster, and whether another node autoscaler does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
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
        return CheckResult.from_gap(CONTROLLER, gap)
    new = [each for each in kube.deployments if is_v2(each) and each.replicas]
    old = [each for each in kube.deployments if is_v1(each) and each.replicas]
    if old:
        return _check_v1(old[0], blocks_v2=bool(new))
    if not new:
        idle = [each.full_name for each in kube.deployments if is_v2(each) or is_v1(each)]
        if idle:
            return CheckResult(CONTROLLER, CheckStatus.FAIL, Finding.CONTROLLER_SCALED_DOWN, {"deployment": idle[0]})
        return CheckResult(CONTROLLER, CheckStatus.UNKNOWN, Finding.CONTROLLER_NOT_FOUND)
    version = _format_version(_version(new[0]))
    if not new[0].ready_replicas:
        fields = {"version": version, "deployment": new[0].full_name}
        return CheckResult(CONTROLLER, CheckStatus.WARN, Finding.CONTROLLER_NOT_READY, fields)
    return CheckResult(CONTROLLER, CheckStatus.PASS, Finding.CONTROLLER_V2, {"version": version})


def check_autoscalers(kube: KubernetesSnapshot) -> list[CheckResult]:
    """Check that nothing else starts and ends nodes; by name, labels and images, in any namespace."""
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
    automatic = sorted(node.name for node in kube.nodes.values() if node.labels.get(_AUTO_MODE[0]) == "auto")
    if automatic:
        check_results.append(
            CheckResult(AUTOSCALERS, CheckStatus.WARN, Finding.EKS_AUTO_MODE_RUNS, {"nodes": automatic})
        )
    if check_results:
        return check_results
    if gap := kube.gaps.get(NODES):
        return [CheckResult.from_gap(AUTOSCALERS, gap)]
    return [CheckResult(AUTOSCALERS, CheckStatus.PASS, Finding.NO_OTHER_AUTOSCALER)]


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


def _check_v1(deployment: Deployment, *, blocks_v2: bool) -> CheckResult:
    version = _version(deployment)
    too_old = version is not None and version < SINCE_EVICTIONS
    status = CheckStatus.UNKNOWN if version is None else CheckStatus.FAIL if too_old else CheckStatus.WARN
    fields = {
        "version": _format_version(version),
        "deployment": deployment.full_name,
        "too_old": too_old,
        "blocks_v2": blocks_v2,
    }
    return CheckResult(CONTROLLER, status, Finding.CONTROLLER_V1, fields)


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


def _format_version(version: tuple[int, int, int] | None) -> str | None:
    return None if version is None else ".".join(map(str, version))
