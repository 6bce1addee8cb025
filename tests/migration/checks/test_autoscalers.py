"""Whether something else than Ocean starts nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.migration.checks.autoscalers import check_autoscalers
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    NODE_POOLS,
    NODES,
    PODS,
    Deployment,
    KubernetesNode,
    KubernetesSnapshot,
    NodePool,
    Pod,
    Requirement,
    Taint,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from tests.support.gaps import failed_gap


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
        # On OpenShift, the operator runs although no autoscaler may.
        (
            Deployment(
                namespace="openshift-machine-api",
                name="cluster-autoscaler-operator",
                labels={"k8s-app": "cluster-autoscaler-operator"},
                images=("quay.io/openshift/origin-cluster-autoscaler-operator:4.18",),
            ),
            CheckStatus.PASS,
            Finding.NO_OTHER_AUTOSCALER,
        ),
        (
            Deployment(namespace="openshift-machine-api", name="cluster-autoscaler-default"),
            CheckStatus.FAIL,
            Finding.CLUSTER_AUTOSCALER_RUNS,
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
        (Deployment(namespace="castai-agent", name="castai-kentroller"), "CAST AI"),
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


MOVING = (Pod(namespace="shop", name="cart", node_selector={"team": "a"}),)


def in_pools(*pools: NodePool, moving: Sequence[Pod] = MOVING, **more: Any) -> list[tuple[Finding, Any]]:
    """Return what is found of NodePools where Karpenter and EKS Auto Mode run."""
    auto = KubernetesNode(name="n", labels={"eks.amazonaws.com/compute-type": "auto"})
    given = {"nodes": {"i-9": auto}, "deployments": (Deployment(namespace="k", name="karpenter"),), **more}
    found = check_autoscalers(KubernetesSnapshot(node_pools=pools, **given), (), moving)
    return [(each.finding, each.fields.get("pools")) for each in found]


@pytest.mark.parametrize(
    ("pool", "races"),
    [
        (NodePool(name="p"), False),
        (NodePool(name="p", labels={"team": "a"}), True),
        (NodePool(name="p", labels={"team": "b"}), False),
        (NodePool(name="p", labels={"team": "a"}, is_closed=True), False),
        (NodePool(name="p", labels={"team": "a"}, taints=(Taint(key="gpu"),)), False),
        (NodePool(name="p", labels={"team": "a"}, taints=(Taint(key="gpu", effect="PreferNoSchedule"),)), True),
        (NodePool(name="p", requirements=(Requirement(key="team", values=("a", "b")),)), True),
        (NodePool(name="p", requirements=(Requirement(key="team", values=("b",)),)), False),
        (NodePool(name="p", requirements=(Requirement(key="team", operator="Exists"),)), True),
        (NodePool(name="p", requirements=(Requirement(key="team", operator="NotIn", values=("a",)),)), False),
        (NodePool(name="p", requirements=(Requirement(key="team", operator="NotIn", values=("b",)),)), True),
        (NodePool(name="p", requirements=(Requirement(key="team", operator="DoesNotExist"),)), False),
        # Operators of Karpenter's own are not evaluated.
        (NodePool(name="p", labels={"team": "a"}, requirements=(Requirement(key="n", operator="Gte"),)), True),
    ],
    ids=repr,
)
def test_node_pools_race_with_ocean_for_pods_that_they_may_take(pool: NodePool, races: bool) -> None:
    """As far as labels and taints decide it; where NodePools are known, Karpenter itself is no finding."""
    expected = (Finding.NODE_POOLS_TAKE_PODS, ["p"]) if races else (Finding.NO_OTHER_AUTOSCALER, None)
    assert in_pools(pool) == [expected]


@pytest.mark.parametrize(
    ("term", "races"),
    [
        (Requirement(key="karpenter.sh/nodepool", values=("p",)), True),
        (Requirement(key="karpenter.sh/nodepool", values=("other",)), False),
        (Requirement(key="kubernetes.io/arch", values=("arm64",)), True),
        (Requirement(key="kubernetes.io/arch", operator="DoesNotExist"), False),
        (Requirement(key="team", operator="DoesNotExist"), True),
        (Requirement(key="team", operator="Exists"), False),
        (Requirement(key="metadata.name", values=("n",), on_field=True), False),
    ],
    ids=repr,
)
def test_affinity_is_judged_like_a_node_selector(term: Requirement, races: bool) -> None:
    """One of several terms is enough; labels that AWS or Kubernetes define may have any value."""
    never = Requirement(key="nobody", operator="Exists")
    for terms in (((term,),), ((never,), (term,))):
        pod = Pod(namespace="shop", name="cart", terms=terms)
        (found, _) = in_pools(NodePool(name="p"), moving=[pod])[0]
        assert (found is Finding.NODE_POOLS_TAKE_PODS) is races


@pytest.mark.parametrize("unread", [NODE_POOLS, PODS])
def test_without_node_pools_or_pods_karpenter_itself_is_warned_of(unread: str) -> None:
    """It may start nodes for any of them."""
    gaps = {unread: failed_gap("may not list them")}
    findings = [finding for finding, _ in in_pools(NodePool(name="p"), moving=(), gaps=gaps)]
    assert findings == [Finding.KARPENTER_RUNS, Finding.EKS_AUTO_MODE_RUNS]
    assert in_pools()[0][0] is Finding.KARPENTER_RUNS


@pytest.mark.parametrize("label", ["karpenter.sh/nodepool", "karpenter.sh/provisioner-name"])
def test_planned_nodes_of_karpenter_fail(label: str) -> None:
    """It would replace each that is drained."""
    nodes = {name: KubernetesNode(name=name, labels={label: "general"}) for name in ("i-1", "i-2")}
    planned = [PlannedNode(instance_id=name) for name in ("i-2", "i-1", "i-unknown")]
    (found,) = check_autoscalers(KubernetesSnapshot(nodes=nodes), planned)
    assert (found.status, found.finding) == (CheckStatus.FAIL, Finding.KARPENTER_OWNS_NODES)
    assert found.fields == {"pools": ["general"], "nodes": ["i-1", "i-2"]}


def test_karpenter_that_cannot_replace_planned_nodes_is_no_failure() -> None:
    """Its remedies help: a limit of 0 on the NodePool, or no replica of Karpenter; one that is full now is none."""
    nodes = {"i-1": KubernetesNode(name="i-1", labels={"karpenter.sh/nodepool": "general"})}
    planned = [PlannedNode(instance_id="i-1")]

    def find(pool: NodePool, replicas: int = 1, more: Mapping[str, KubernetesNode] | None = None) -> list[Finding]:
        karpenter = Deployment(namespace="k", name="karpenter", replicas=replicas)
        kube = KubernetesSnapshot(nodes={**nodes, **(more or {})}, deployments=(karpenter,), node_pools=(pool,))
        return [each.finding for each in check_autoscalers(kube, planned, MOVING)]

    takes = NodePool(name="general", labels={"team": "a"})
    assert find(takes) == [Finding.KARPENTER_OWNS_NODES, Finding.NODE_POOLS_TAKE_PODS]
    assert find(replace(takes, is_closed=True)) == [Finding.KARPENTER_OWNS_NODES]
    assert find(replace(takes, is_closed=True, is_off=True)) == [Finding.NO_OTHER_AUTOSCALER]
    assert find(takes, replicas=0) == [Finding.NO_OTHER_AUTOSCALER]
    auto = KubernetesNode(name="n", labels={"eks.amazonaws.com/compute-type": "auto"})
    assert find(takes, replicas=0, more={"i-9": auto})[0] is Finding.KARPENTER_OWNS_NODES


def test_what_could_not_be_read_is_unknown() -> None:
    """With the rule that is missing; what was found all the same counts."""
    gap = failed_gap("may not list deployments (403)", "add a rule")
    (check_result,) = check_autoscalers(KubernetesSnapshot(gaps={DEPLOYMENTS: gap}))
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.NOT_READ)
    assert check_result.fields == {"gap": gap.to_json()}
    for resource in (NODES, NODE_POOLS):
        half = KubernetesSnapshot(gaps={resource: gap})
        assert [check_result.status for check_result in check_autoscalers(half)] == [CheckStatus.UNKNOWN]
    found = KubernetesSnapshot(deployments=(Deployment(namespace="k", name="cluster-autoscaler"),), gaps={NODES: gap})
    assert [check_result.status for check_result in check_autoscalers(found)] == [CheckStatus.FAIL]
