"""Which Ocean Controller runs in the cluster, and whether it can act."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.images import image_tag
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DEPLOYMENTS, Deployment, KubernetesSnapshot

CONTROLLER: Final = "Ocean Controller"

SINCE_EVICTIONS: Final = (1, 0, 46)
"""The first version 1 that evicts pods for migrations, by its history; Spot's page says 1.0.44."""

_V2_NAME: Final = "ocean-kubernetes-controller"
_V1_NAME: Final = "spotinst-kubernetes-cluster-controller"
_VERSION_LABEL: Final = "app.kubernetes.io/version"
_NAME_LABEL: Final = "app.kubernetes.io/name"
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?")


def check_controller(kube: KubernetesSnapshot) -> CheckResult:
    """Check that one Ocean Controller runs and may act, and its version.

    The version is that of the label of its Deployment, or else of the tag of its image.
    """
    if gap := kube.gaps.get(DEPLOYMENTS):
        return CheckResult.from_gap(CONTROLLER, gap)
    new = [each for each in kube.deployments if is_v2(each) and each.replicas]
    old = [each for each in kube.deployments if is_v1(each) and each.replicas]
    for same_version in (new, old):
        if read_only := [each.full_name for each in same_version if each.read_only]:
            return CheckResult(CONTROLLER, CheckStatus.FAIL, Finding.CONTROLLER_READ_ONLY, {"deployment": read_only[0]})
        if len(same_version) > 1:
            names = sorted(each.full_name for each in same_version)
            return CheckResult(CONTROLLER, CheckStatus.WARN, Finding.SEVERAL_CONTROLLERS, {"deployments": names})
    if old:
        return _check_v1(old[0], blocks_v2=bool(new))
    if not new:
        idle = [each.full_name for each in kube.deployments if is_v2(each) or is_v1(each)]
        if idle:
            return CheckResult(CONTROLLER, CheckStatus.FAIL, Finding.CONTROLLER_SCALED_DOWN, {"deployment": idle[0]})
        return CheckResult(CONTROLLER, CheckStatus.UNKNOWN, Finding.CONTROLLER_NOT_FOUND)
    version = _format_version(_version(new[0]))
    fields: dict[str, Any] = {"version": version, "deployment": new[0].full_name}
    if not new[0].ready_replicas:
        return CheckResult(CONTROLLER, CheckStatus.WARN, Finding.CONTROLLER_NOT_READY, fields)
    if new[0].read_only_from:
        fields["sources"] = list(new[0].read_only_from)
        return CheckResult(CONTROLLER, CheckStatus.UNKNOWN, Finding.CONTROLLER_MODE_UNKNOWN, fields)
    return CheckResult(CONTROLLER, CheckStatus.PASS, Finding.CONTROLLER_V2, {"version": version})


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


def _version(deployment: Deployment) -> tuple[int, int, int] | None:
    texts: Iterable[str] = (deployment.labels.get(_VERSION_LABEL, ""), *map(image_tag, deployment.images))
    for text in texts:
        match = _VERSION.fullmatch(text)
        if match:
            return int(match[1]), int(match[2]), int(match[3] or 0)
    return None


def _format_version(version: tuple[int, int, int] | None) -> str | None:
    return None if version is None else ".".join(map(str, version))
