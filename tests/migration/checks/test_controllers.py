"""Which controllers run in the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.migration.checks.check_result import CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.controllers import check_autoscalers, check_controller
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    NODES,
    Deployment,
    Gap,
    KubernetesNode,
    KubernetesSnapshot,
)

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


@pytest.mark.parametrize(
    ("deployment", "status", "finding"),
    [
        (
            Deployment(namespace="kube-system", name="cluster-autoscaler"),
            CheckStatus.FAIL,
            Finding.CLUSTER_AUTOSCALER_RUNS,
        ),
        (
            Deployment(
                namespace="infra",
                name="ca",
                labels={"app.kubernetes.io/name": "aws-cluster-autoscaler"},
                replicas=2,
            ),
            CheckStatus.FAIL,
            Finding.CLUSTER_AUTOSCALER_RUNS,
        ),
        (
            Deployment(namespace="x", name="y", images=("registry.k8s.io/autoscaling/cluster-autoscaler:v1.30.0",)),
            CheckStatus.FAIL,
            Finding.CLUSTER_AUTOSCALER_RUNS,
        ),
        (
            Deployment(namespace="kube-system", name="cluster-autoscaler", replicas=0),
            CheckStatus.PASS,
            Finding.NO_OTHER_AUTOSCALER,
        ),
        (
            Deployment(namespace="x", name="y", images=("me/app:like-cluster-autoscaler",)),
            CheckStatus.PASS,
            Finding.NO_OTHER_AUTOSCALER,
        ),
        (
            Deployment(namespace="kube-system", name="karpenter"),
            CheckStatus.WARN,
            Finding.KARPENTER_RUNS,
        ),
        (
            Deployment(namespace="x", name="y", images=("public.ecr.aws/karpenter/controller:1.0.0",)),
            CheckStatus.WARN,
            Finding.KARPENTER_RUNS,
        ),
        (Deployment(namespace="kube-system", name="coredns-autoscaler"), CheckStatus.PASS, Finding.NO_OTHER_AUTOSCALER),
    ],
    ids=repr,
)
def test_other_autoscalers_are_found_by_name_label_and_image(
    deployment: Deployment, status: CheckStatus, finding: Finding
) -> None:
    """In any namespace; one without replicas is off."""
    (check_result,) = check_autoscalers(KubernetesSnapshot(deployments=(deployment,)))
    assert (check_result.status, check_result.finding) == (status, finding)
    named = check_result.fields.get("deployment") or f"{check_result.fields.get('namespace')}/{deployment.name}"
    assert (named == deployment.full_name) is (status is not CheckStatus.PASS)


def test_auto_mode_is_told_by_the_labels_of_nodes() -> None:
    """It has no Deployment in the cluster."""
    node = KubernetesNode(name="n-1", labels={"eks.amazonaws.com/compute-type": "auto"})
    (check_result,) = check_autoscalers(KubernetesSnapshot(nodes={"i-1": node}))
    assert (check_result.status, check_result.finding) == (CheckStatus.WARN, Finding.EKS_AUTO_MODE_RUNS)
    assert check_result.fields == {"nodes": ["n-1"]}


def test_what_could_not_be_read_is_unknown() -> None:
    """With the rule that is missing; what was found all the same counts."""
    gap = Gap(reason="may not list deployments (403)", remedy="add a rule")
    blind = KubernetesSnapshot(gaps={DEPLOYMENTS: gap})
    unread = {"reason": "may not list deployments (403)", "remedy": "add a rule"}
    for check_result in (check_controller(blind), *check_autoscalers(blind)):
        assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.NOT_READ)
        assert check_result.fields == unread
    half = KubernetesSnapshot(gaps={NODES: gap})
    assert [check_result.status for check_result in check_autoscalers(half)] == [CheckStatus.UNKNOWN]
    found = KubernetesSnapshot(deployments=(Deployment(namespace="k", name="cluster-autoscaler"),), gaps={NODES: gap})
    assert [check_result.status for check_result in check_autoscalers(found)] == [CheckStatus.FAIL]
