"""Which Ocean Controller runs in the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.migration.checks.check_result import CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.controllers import check_controller
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DEPLOYMENTS, Deployment, KubernetesSnapshot
from tests.support.gaps import failed_gap

V2_IMAGE = "us-docker.pkg.dev/spotit-today/container-labs/spotinst-kubernetes-controller"
V1_IMAGE = "gcr.io/spotinst-artifacts/kubernetes-cluster-controller"
V2_LABELS = {"app.kubernetes.io/name": "ocean-kubernetes-controller"}
V1_LABELS = {"k8s-app": "spotinst-kubernetes-cluster-controller"}


def v2(**more: Any) -> Deployment:
    """Return version 2 as its chart installs it."""
    defaults = {
        "namespace": "spot-system",
        "name": "ocean-controller-ocean-kubernetes-controller",
        "labels": V2_LABELS,
        "images": (f"{V2_IMAGE}:v2.3.0",),
        "replicas": 2,
        "ready_replicas": 2,
    }
    return Deployment(**{**defaults, **more})


def v1(tag: str = ":1.0.101", **more: Any) -> Deployment:
    """Return version 1 as its chart installs it."""
    defaults = {
        "namespace": "kube-system",
        "name": "spotinst-kubernetes-cluster-controller",
        "labels": V1_LABELS,
        "images": (V1_IMAGE + tag,),
        "ready_replicas": 1,
    }
    return Deployment(**{**defaults, **more})


@pytest.mark.parametrize(
    ("deployments", "status", "finding", "version"),
    [
        ((v2(),), CheckStatus.PASS, Finding.CONTROLLER_V2, "2.3.0"),
        ((v2(images=(f"{V2_IMAGE}:v2.3.1-fips",)),), CheckStatus.PASS, Finding.CONTROLLER_V2, "2.3.1"),
        ((v2(images=("mirror:5000/ocean@sha256:00",)),), CheckStatus.PASS, Finding.CONTROLLER_V2, None),
        (
            (v2(labels={**V2_LABELS, "app.kubernetes.io/version": "2.1.0"}, images=("mirror:5000/o@sha256:00",)),),
            CheckStatus.PASS,
            Finding.CONTROLLER_V2,
            "2.1.0",
        ),
        ((v2(labels={}, name="spot"),), CheckStatus.PASS, Finding.CONTROLLER_V2, "2.3.0"),
        ((v2(ready_replicas=0),), CheckStatus.WARN, Finding.CONTROLLER_NOT_READY, "2.3.0"),
        ((v2(replicas=0),), CheckStatus.FAIL, Finding.CONTROLLER_SCALED_DOWN, None),
        ((v1(),), CheckStatus.WARN, Finding.CONTROLLER_V1, "1.0.101"),
        ((v1(":1.0.46"),), CheckStatus.WARN, Finding.CONTROLLER_V1, "1.0.46"),
        ((v1(":1.0.45"),), CheckStatus.FAIL, Finding.CONTROLLER_V1, "1.0.45"),
        ((v1("@sha256:00"),), CheckStatus.UNKNOWN, Finding.CONTROLLER_V1, None),
        (
            (v1("@sha256:00", labels={**V1_LABELS, "app.kubernetes.io/version": "1.0.44"}),),
            CheckStatus.FAIL,
            Finding.CONTROLLER_V1,
            "1.0.44",
        ),
        ((v2(), v1(replicas=0)), CheckStatus.PASS, Finding.CONTROLLER_V2, "2.3.0"),
        ((v2(), v1()), CheckStatus.WARN, Finding.CONTROLLER_V1, "1.0.101"),
        ((), CheckStatus.UNKNOWN, Finding.CONTROLLER_NOT_FOUND, None),
        (
            (Deployment(namespace="a", name="spot-controller-of-mine"),),
            CheckStatus.UNKNOWN,
            Finding.CONTROLLER_NOT_FOUND,
            None,
        ),
    ],
    ids=repr,
)
def test_version_is_told_by_label_or_image(
    deployments: tuple[Deployment, ...], status: CheckStatus, finding: Finding, version: str | None
) -> None:
    """Version 2 passes, version 1 warns since 1.0.46 and fails before, and nothing is guessed."""
    check_result = check_controller(KubernetesSnapshot(deployments=deployments))
    assert (check_result.status, check_result.finding) == (status, finding)
    assert check_result.fields.get("version") == version


@pytest.mark.parametrize("tag", [":1.0.101", ":1.0.45"])
def test_version_1_that_keeps_version_2_waiting_is_named(tag: str) -> None:
    """Scaling it to zero is all that is needed then."""
    both = check_controller(KubernetesSnapshot(deployments=(v2(), v1(tag))))
    assert both.fields["deployment"] == "kube-system/spotinst-kubernetes-cluster-controller"
    assert both.fields["blocks_v2"] is True
    assert both.fields["too_old"] is (tag == ":1.0.45")
    assert check_controller(KubernetesSnapshot(deployments=(v1(tag),))).fields["blocks_v2"] is False


@pytest.mark.parametrize("others", [(), (v2(name="second-ocean-kubernetes-controller"),), (v1(),)])
def test_controller_that_only_reports_fails(others: tuple[Deployment, ...]) -> None:
    """Whatever else runs: nobody may count on the others."""
    check_result = check_controller(KubernetesSnapshot(deployments=(*others, v2(read_only=True))))
    assert (check_result.status, check_result.finding) == (CheckStatus.FAIL, Finding.CONTROLLER_READ_ONLY)
    assert check_result.fields == {"deployment": v2().full_name}
    off = check_controller(KubernetesSnapshot(deployments=(v2(), v1(read_only=True, replicas=0))))
    assert off.finding is Finding.CONTROLLER_V2


def test_controller_whose_mode_another_object_sets_is_unknown() -> None:
    """A ConfigMap or Secret is not read; that no pod is ready is the worse news."""
    referring = v2(read_only_from=("ConfigMap ocean",))
    check_result = check_controller(KubernetesSnapshot(deployments=(referring,)))
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.CONTROLLER_MODE_UNKNOWN)
    assert check_result.fields["sources"] == ["ConfigMap ocean"]
    down = check_controller(KubernetesSnapshot(deployments=(replace(referring, ready_replicas=0),)))
    assert down.finding is Finding.CONTROLLER_NOT_READY


@pytest.mark.parametrize("version", [v1, v2])
def test_several_controllers_of_one_version_are_named(version: Callable[..., Deployment]) -> None:
    """Two releases of the chart, for example; one without replicas does not count."""
    both = (version(namespace="b"), version(namespace="a"))
    check_result = check_controller(KubernetesSnapshot(deployments=both))
    assert (check_result.status, check_result.finding) == (CheckStatus.WARN, Finding.SEVERAL_CONTROLLERS)
    assert check_result.fields == {"deployments": sorted(each.full_name for each in both)}
    one = check_controller(KubernetesSnapshot(deployments=(both[0], version(namespace="a", replicas=0))))
    assert one.finding is not Finding.SEVERAL_CONTROLLERS


def test_what_could_not_be_read_is_unknown() -> None:
    """With the rule that is missing."""
    blind = KubernetesSnapshot(gaps={DEPLOYMENTS: failed_gap("ci may not list deployments (403)", "add a rule")})
    check_result = check_controller(blind)
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.NOT_READ)
    assert check_result.fields == {"gap": blind.gaps[DEPLOYMENTS].to_json()}
