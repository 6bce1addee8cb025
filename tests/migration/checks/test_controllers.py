"""Which controllers run in the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
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
    ("deployments", "verdict", "seen"),
    [
        ((v2(),), CheckStatus.PASS, "version 2.3.0"),
        ((v2(images=(f"{V2_IMAGE}:v2.3.1-fips",)),), CheckStatus.PASS, "version 2.3.1"),
        ((v2(images=("mirror:5000/ocean@sha256:00",)),), CheckStatus.PASS, "version 2"),
        (
            (v2(labels={**V2_LABELS, "app.kubernetes.io/version": "2.1.0"}, images=("mirror:5000/o@sha256:00",)),),
            CheckStatus.PASS,
            "version 2.1.0",
        ),
        ((v2(labels={}, name="spot"),), CheckStatus.PASS, "version 2.3.0"),
        ((v2(ready_replicas=0),), CheckStatus.WARN, "no pod of spot-system/ocean-controller"),
        ((v2(replicas=0),), CheckStatus.FAIL, "is scaled to zero"),
        ((v1(),), CheckStatus.WARN, "version 1.0.101; version 1 is deprecated"),
        ((v1(":1.0.46"),), CheckStatus.WARN, "version 1.0.46"),
        ((v1(":1.0.45"),), CheckStatus.FAIL, "version 1.0.45; pods are evicted for migrations since 1.0.46"),
        ((v1("@sha256:00"),), CheckStatus.UNKNOWN, "version 1 of unknown patch level"),
        (
            (v1("@sha256:00", labels={**V1_LABELS, "app.kubernetes.io/version": "1.0.44"}),),
            CheckStatus.FAIL,
            "version 1.0.44",
        ),
        ((v2(), v1(replicas=0)), CheckStatus.PASS, "version 2.3.0"),
        ((v2(), v1()), CheckStatus.WARN, "version 2 waits until that is scaled to zero"),
        ((), CheckStatus.UNKNOWN, "no Deployment of the Ocean Controller was found"),
        ((Deployment(namespace="a", name="spot-controller-of-mine"),), CheckStatus.UNKNOWN, "no Deployment"),
    ],
    ids=repr,
)
def test_version_is_told_by_label_or_image(
    deployments: tuple[Deployment, ...], verdict: CheckStatus, seen: str
) -> None:
    """Version 2 passes, version 1 warns since 1.0.46 and fails before, and nothing is guessed."""
    check_result = check_controller(KubernetesSnapshot(deployments=deployments))
    assert check_result.verdict is verdict
    assert seen in check_result.seen
    assert bool(check_result.remedy) is (verdict is not CheckStatus.PASS)


@pytest.mark.parametrize(
    ("deployment", "verdict", "seen"),
    [
        (Deployment(namespace="kube-system", name="cluster-autoscaler"), CheckStatus.FAIL, "(1 replica)"),
        (
            Deployment(
                namespace="infra",
                name="ca",
                labels={"app.kubernetes.io/name": "aws-cluster-autoscaler"},
                replicas=2,
            ),
            CheckStatus.FAIL,
            "Cluster Autoscaler infra/ca runs (2 replicas)",
        ),
        (
            Deployment(namespace="x", name="y", images=("registry.k8s.io/autoscaling/cluster-autoscaler:v1.30.0",)),
            CheckStatus.FAIL,
            "x/y",
        ),
        (Deployment(namespace="kube-system", name="cluster-autoscaler", replicas=0), CheckStatus.PASS, "no other"),
        (
            Deployment(namespace="x", name="y", images=("me/app:like-cluster-autoscaler",)),
            CheckStatus.PASS,
            "no other",
        ),
        (
            Deployment(namespace="kube-system", name="karpenter"),
            CheckStatus.WARN,
            "Karpenter kube-system/karpenter runs",
        ),
        (
            Deployment(namespace="x", name="y", images=("public.ecr.aws/karpenter/controller:1.0.0",)),
            CheckStatus.WARN,
            "Karpenter x/y",
        ),
        (Deployment(namespace="kube-system", name="coredns-autoscaler"), CheckStatus.PASS, "no other"),
    ],
    ids=repr,
)
def test_other_autoscalers_are_found_by_name_label_and_image(
    deployment: Deployment, verdict: CheckStatus, seen: str
) -> None:
    """In any namespace; one without replicas is off."""
    (check_result,) = check_autoscalers(KubernetesSnapshot(deployments=(deployment,)))
    assert check_result.verdict is verdict
    assert seen in check_result.seen


def test_cluster_autoscaler_comes_with_the_command_that_ends_it() -> None:
    """Spot's pages tell no command for EKS."""
    (check_result,) = check_autoscalers(
        KubernetesSnapshot(deployments=(Deployment(namespace="kube-system", name="cluster-autoscaler"),))
    )
    assert "kubectl scale deployment cluster-autoscaler --namespace kube-system --replicas=0" in check_result.remedy


def test_auto_mode_is_told_by_the_labels_of_nodes() -> None:
    """It has no Deployment in the cluster."""
    node = KubernetesNode(name="n-1", labels={"eks.amazonaws.com/compute-type": "auto"})
    (check_result,) = check_autoscalers(KubernetesSnapshot(nodes={"i-1": node}))
    assert check_result.verdict is CheckStatus.WARN
    assert "EKS Auto Mode runs 1 node (n-1)" in check_result.seen


def test_what_could_not_be_read_is_unknown() -> None:
    """With the rule that is missing; what was found all the same counts."""
    gap = Gap(reason="may not list deployments (403)", remedy="add a rule")
    blind = KubernetesSnapshot(gaps={DEPLOYMENTS: gap})
    assert check_controller(blind).verdict is CheckStatus.UNKNOWN
    assert [check_result.line for check_result in check_autoscalers(blind)] == [
        "may not list deployments (403); add a rule"
    ]
    half = KubernetesSnapshot(gaps={NODES: gap})
    assert [check_result.verdict for check_result in check_autoscalers(half)] == [CheckStatus.UNKNOWN]
    found = KubernetesSnapshot(deployments=(Deployment(namespace="k", name="cluster-autoscaler"),), gaps={NODES: gap})
    assert [check_result.verdict for check_result in check_autoscalers(found)] == [CheckStatus.FAIL]
