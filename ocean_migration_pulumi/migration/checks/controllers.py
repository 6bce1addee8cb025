"""Which Ocean Controller runs in the cluster, and whether another node autoscaler does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ocean_migration_pulumi.migration.checks.check_result import Finding, Verdict
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DEPLOYMENTS, NODES, Deployment, Workloads
from ocean_migration_pulumi.migration.spec.planned_nodes import clean, counted, some

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


def check_controller(workloads: Workloads) -> Finding:
    """Check the version of the Ocean Controller, by the label of its Deployment, or else the tag of its image."""
    if gap := workloads.gaps.get(DEPLOYMENTS):
        return Finding.of_gap(CONTROLLER, gap)
    new = [each for each in workloads.deployments if is_v2(each) and each.replicas]
    old = [each for each in workloads.deployments if is_v1(each) and each.replicas]
    if old:
        return _judge_v1(old[0], also_v2=bool(new))
    if not new:
        idle = [each.full_name for each in workloads.deployments if is_v2(each) or is_v1(each)]
        if idle:
            seen = f"{clean(idle[0])} is scaled to zero"
            return Finding(CONTROLLER, Verdict.FAIL, seen, "scale it up: a migration needs it")
        seen = "no Deployment of the Ocean Controller was found"
        return Finding(CONTROLLER, Verdict.UNKNOWN, seen, "make sure that it is version 2 (or at least 1.0.46)")
    version = _version(new[0])
    seen = f"version {_shown(version)}" if version else "version 2"
    if not new[0].ready_replicas:
        remedy = "look at the pods of this Deployment: a migration needs them"
        return Finding(CONTROLLER, Verdict.WARN, f"{seen}, no pod of {clean(new[0].full_name)} is ready", remedy)
    return Finding(CONTROLLER, Verdict.PASS, seen)


def check_autoscalers(workloads: Workloads) -> list[Finding]:
    """Check that nothing else starts and ends nodes; by name, labels and images, in any namespace."""
    if gap := workloads.gaps.get(DEPLOYMENTS):
        return [Finding.of_gap(AUTOSCALERS, gap)]
    active = [each for each in workloads.deployments if each.replicas]
    findings = []
    for each in filter(is_cluster_autoscaler, active):
        seen = f"Cluster Autoscaler {clean(each.full_name)} runs ({counted(each.replicas, 'replica')})"
        remedy = f"scale it to zero: kubectl scale deployment {each.name} --namespace {each.namespace} --replicas=0"
        findings.append(Finding(AUTOSCALERS, Verdict.FAIL, seen, clean(remedy)))
    for each in filter(_is_karpenter, active):
        seen = f"Karpenter {clean(each.full_name)} runs"
        remedy = "it may start nodes for the same pods: leave it nothing to do, or scale it to zero"
        findings.append(Finding(AUTOSCALERS, Verdict.WARN, seen, remedy))
    automatic = sorted(node.name for node in workloads.nodes.values() if node.labels.get(_AUTO_MODE[0]) == "auto")
    if automatic:
        seen = f"EKS Auto Mode runs {counted(len(automatic), 'node')} ({some(map(clean, automatic), 3)})"
        remedy = "it may start nodes for the same pods: take its node pools away"
        findings.append(Finding(AUTOSCALERS, Verdict.WARN, seen, remedy))
    if findings:
        return findings
    if gap := workloads.gaps.get(NODES):
        return [Finding.of_gap(AUTOSCALERS, gap)]
    return [Finding(AUTOSCALERS, Verdict.PASS, "no other one is active")]


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


def _judge_v1(deployment: Deployment, *, also_v2: bool) -> Finding:
    version = _version(deployment)
    waits = ", and version 2 waits until that is scaled to zero" if also_v2 else ""
    remedy = (
        f"scale {clean(deployment.full_name)} to zero" if also_v2 else "install version 2, and scale version 1 to zero"
    )
    if version is None:
        return Finding(CONTROLLER, Verdict.UNKNOWN, f"version 1 of unknown patch level{waits}", remedy)
    seen = f"version {_shown(version)}{waits}"
    if version < SINCE_EVICTIONS:
        return Finding(CONTROLLER, Verdict.FAIL, f"{seen}; pods are evicted for migrations since 1.0.46", remedy)
    return Finding(CONTROLLER, Verdict.WARN, f"{seen}; version 1 is deprecated", remedy)


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
