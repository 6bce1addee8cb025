"""Whether something else than Ocean starts nodes."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.migration.checks.autoscalers import check_autoscalers
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    NODES,
    Deployment,
    Gap,
    KubernetesNode,
    KubernetesSnapshot,
)


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


@pytest.mark.parametrize(
    ("deployment", "vendor"),
    [
        (Deployment(namespace="castai-agent", name="castai-cluster-controller"), "CAST AI"),
        (
            Deployment(
                namespace="x", name="y", images=("us-docker.pkg.dev/castai-hub/library/castai-evictor@sha256:00",)
            ),
            "CAST AI",
        ),
        (Deployment(namespace="x", name="y", labels={"app.kubernetes.io/name": "castai-evictor"}), "CAST AI"),
        (Deployment(namespace="nops", name="karpenops"), "nOps"),
        (Deployment(namespace="x", name="y", images=("mirror:5000/zesty-k8s/agent:1",)), "Zesty"),
        (Deployment(namespace="x", name="PerfectScale-autoscaler"), "PerfectScale"),
        (Deployment(namespace="x", name="scaleops-controller"), "ScaleOps"),
        (Deployment(namespace="x", name="y", images=("atlassian/escalator:v1",)), "Escalator"),
        (Deployment(namespace="turndown", name="cluster-turndown"), "Kubecost cluster turndown"),
        (Deployment(namespace="castai-agent", name="castai-agent"), None),
        (Deployment(namespace="x", name="cluster-controller"), None),
        (Deployment(namespace="shop", name="escalator"), None),
        (Deployment(namespace="castai-agent", name="castai-cluster-controller", replicas=0), None),
    ],
    ids=repr,
)
def test_autoscalers_of_vendors_are_named(deployment: Deployment, vendor: str | None) -> None:
    """Those that act; what only reports is none."""
    (check_result,) = check_autoscalers(KubernetesSnapshot(deployments=(deployment,)))
    assert check_result.status is (CheckStatus.WARN if vendor else CheckStatus.PASS)
    if vendor:
        assert check_result.finding is Finding.VENDOR_AUTOSCALER_RUNS
        assert check_result.fields == {"vendor": vendor, "deployments": [deployment.full_name]}


def test_deployments_of_one_vendor_are_one_finding() -> None:
    """Beside those of others."""
    names = ("castai-evictor", "castai-cluster-controller", "karpenops", "karpenter")
    found = check_autoscalers(
        KubernetesSnapshot(deployments=tuple(Deployment(namespace="n", name=name) for name in names))
    )
    assert [(each.finding, each.fields.get("deployments")) for each in found] == [
        (Finding.KARPENTER_RUNS, None),
        (Finding.VENDOR_AUTOSCALER_RUNS, ["n/castai-cluster-controller", "n/castai-evictor"]),
        (Finding.VENDOR_AUTOSCALER_RUNS, ["n/karpenops"]),
    ]


def test_what_could_not_be_read_is_unknown() -> None:
    """With the rule that is missing; what was found all the same counts."""
    gap = Gap(reason="may not list deployments (403)", remedy="add a rule")
    (check_result,) = check_autoscalers(KubernetesSnapshot(gaps={DEPLOYMENTS: gap}))
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.NOT_READ)
    assert check_result.fields == {"reason": "may not list deployments (403)", "remedy": "add a rule"}
    half = KubernetesSnapshot(gaps={NODES: gap})
    assert [check_result.status for check_result in check_autoscalers(half)] == [CheckStatus.UNKNOWN]
    found = KubernetesSnapshot(deployments=(Deployment(namespace="k", name="cluster-autoscaler"),), gaps={NODES: gap})
    assert [check_result.status for check_result in check_autoscalers(found)] == [CheckStatus.FAIL]
