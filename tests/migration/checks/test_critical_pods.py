"""Pods that the whole cluster depends on, and the pod that Pulumi runs in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.critical_pods import check_cluster_services, check_runner
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
    Budget,
    Deployment,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
    RunnerPod,
    Webhook,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from tests.support.gaps import failed_gap

PLANNED = [PlannedNode(instance_id="i-1"), PlannedNode(instance_id="i-2")]
NODES = {f"i-{number}": KubernetesNode(name=f"n-{number}", instance_id=f"i-{number}") for number in range(1, 5)}
DNS = {"k8s-app": "kube-dns"}
OCEAN = {"app": "ocean"}
CONTROLLER = Deployment(
    namespace="spot-system",
    name="ocean-kubernetes-controller",
    selector=(Requirement(key="app", values=("ocean",)),),
)
HOOK = Webhook(name="validate.kyverno.svc", service=("policy", "kyverno"))
KYVERNO = {("policy", "kyverno"): {"app": "kyverno"}}


def pod(name: str, node: str, labels: dict[str, str], namespace: str = "kube-system", **more: Any) -> Pod:
    """Return a ready pod."""
    return Pod(namespace=namespace, name=name, node_name=node, labels=labels, **more)


def check(*pods: Pod, forced: bool = False, **more: Any) -> list[CheckResult]:
    """Return what is found where the first two of four nodes are planned."""
    given = {"nodes": NODES, "deployments": (CONTROLLER,), "webhooks": (HOOK,), "services": KYVERNO, **more}
    return check_cluster_services(PLANNED, KubernetesSnapshot(pods=pods, **given), forced=forced)


@pytest.mark.parametrize(
    ("namespace", "labels", "finding"),
    [
        ("kube-system", DNS, Finding.DNS_ON_PLANNED_NODES),
        ("spot-system", OCEAN, Finding.CONTROLLER_ON_PLANNED_NODES),
        ("policy", {"app": "kyverno", "other": "x"}, Finding.WEBHOOKS_ON_PLANNED_NODES),
    ],
)
def test_all_ready_pods_on_planned_nodes_are_a_warning(
    namespace: str, labels: dict[str, str], finding: Finding
) -> None:
    """One that is ready elsewhere, or that a budget keeps, is enough; force overrides budgets."""
    first, second = pod("a", "n-1", labels, namespace), pod("b", "n-2", labels, namespace)
    (found,) = check(first, second)
    assert (found.name, found.status, found.finding) == ("cluster services", CheckStatus.WARN, finding)
    assert found.fields["pods"] == [f"{namespace}/a", f"{namespace}/b"]
    assert found.fields["nodes"] == ["n-1", "n-2"]
    assert found.fields.get("webhooks", [HOOK.name]) == [HOOK.name]
    elsewhere = pod("c", "n-3", labels, namespace)
    assert [each.finding for each in check(first, elsewhere)] == [Finding.CLUSTER_SERVICES_STAY]
    for useless in ({"ready": False}, {"deleting": True}, {"phase": "Failed"}):
        assert check(first, pod("c", "n-3", labels, namespace, **useless))[0].finding is finding
    budget = Budget(namespace=namespace, name="keep", selector=(), desired_healthy=1)
    assert check(first, second, budgets=(budget,))[0].finding is Finding.CLUSTER_SERVICES_STAY
    assert check(first, second, budgets=(budget,), forced=True)[0].finding is finding
    nothing = Budget(namespace=namespace, name="allow", selector=(), desired_healthy=0)
    assert check(first, second, budgets=(nothing,))[0].finding is finding


def test_pods_of_others_do_not_count() -> None:
    """Another namespace, a Service without a selector, a Deployment whose selector is not known."""
    assert check(pod("a", "n-1", DNS, "shop"))[0].status is CheckStatus.PASS
    hidden = pod("a", "n-1", {"app": "kyverno"}, "policy")
    assert check(hidden, services={("policy", "kyverno"): {}})[0].status is CheckStatus.PASS
    assert check(hidden, services={})[0].status is CheckStatus.PASS
    unknown = Deployment(namespace="spot-system", name="ocean-kubernetes-controller")
    assert check(pod("a", "n-1", OCEAN, "spot-system"), deployments=(unknown,))[0].status is CheckStatus.PASS
    assert check()[0].status is CheckStatus.PASS


def not_in(key: str, *values: str) -> tuple[Requirement, ...]:
    """Return a selector of what does not have these values."""
    return (Requirement(key=key, operator="NotIn", values=values),)


@pytest.mark.parametrize(
    ("selectors", "warns"),
    [
        ({"namespace_selector": not_in("kubernetes.io/metadata.name", "policy")}, True),
        ({"namespace_selector": not_in("kubernetes.io/metadata.name", "policy", "shop")}, False),
        ({"namespace_selector": (Requirement(key="kubernetes.io/metadata.name", values=("shop",)),)}, True),
        # Labels of namespaces are not read: it may concern them.
        ({"namespace_selector": (Requirement(key="istio-injection", values=("enabled",)),)}, True),
        ({"object_selector": (Requirement(key="app", values=("cart",)),)}, True),
        ({"object_selector": (Requirement(key="app", values=("other",)),)}, False),
        # An eviction has no labels.
        ({"object_selector": (Requirement(key="app", values=("cart",)),), "sees_pods": False}, False),
        ({"object_selector": not_in("app", "cart"), "sees_pods": False, "sees_evictions": True}, True),
    ],
    ids=repr,
)
def test_webhook_counts_only_if_it_may_concern_a_pod_that_moves(selectors: dict[str, Any], warns: bool) -> None:
    """By its selectors; pods of DaemonSets, static and finished ones do not move."""
    backend, moving = pod("a", "n-1", {"app": "kyverno"}, "policy"), pod("cart", "n-2", {"app": "cart"}, "shop")
    others = [
        pod("done", "n-2", {"app": "other"}, "shop", phase="Succeeded"),
        pod("static", "n-2", {"app": "other"}, "shop", mirror=True),
        pod("daemon", "n-2", {"app": "other"}, "shop", controller=Owner(kind="DaemonSet", name="d")),
        pod("elsewhere", "n-3", {"app": "other"}, "shop"),
    ]
    (found,) = check(backend, moving, *others, webhooks=(replace(HOOK, **selectors),))
    expected = Finding.WEBHOOKS_ON_PLANNED_NODES if warns else Finding.CLUSTER_SERVICES_STAY
    assert found.finding is expected


@pytest.mark.parametrize(
    ("selectors", "warns"),
    [
        ({}, True),
        # Nodes are in no namespace, and have few labels when they register.
        ({"namespace_selector": not_in("kubernetes.io/metadata.name", "policy")}, True),
        ({"object_selector": (Requirement(key="app", values=("cart",)),)}, False),
        ({"object_selector": not_in("app", "cart")}, True),
        ({"sees_nodes": False}, False),
    ],
    ids=repr,
)
def test_webhook_of_nodes_counts_whatever_moves(selectors: dict[str, Any], warns: bool) -> None:
    """New nodes register, and old ones are cordoned."""
    backend = pod("a", "n-1", {"app": "kyverno"}, "policy")
    hook = replace(HOOK, sees_pods=False, **{"sees_nodes": True, **selectors})
    (found,) = check(backend, webhooks=(hook,))
    assert found.finding is (Finding.WEBHOOKS_ON_PLANNED_NODES if warns else Finding.CLUSTER_SERVICES_STAY)
    assert found.fields.get("refuses_nodes", False) is warns


@pytest.mark.parametrize(
    ("labels", "services", "warns"),
    [
        ({"k8s-app": "coredns"}, {}, True),
        ({"app.kubernetes.io/name": "coredns"}, {}, True),
        ({"eks.amazonaws.com/component": "dns"}, {}, False),
        ({"eks.amazonaws.com/component": "dns"}, {"kube-dns": {"eks.amazonaws.com/component": "dns"}}, True),
        ({"app": "dns"}, {"coredns": {"app": "dns"}}, True),
        # What only caches on each node is no DNS of the cluster.
        ({"k8s-app": "node-local-dns"}, {"node-local-dns": {"k8s-app": "node-local-dns"}}, False),
        # The Service decides which pods answer.
        (DNS, {"kube-dns": {"app": "dns"}}, True),
    ],
    ids=repr,
)
def test_dns_is_found_whatever_its_labels(
    labels: dict[str, str], services: dict[str, dict[str, str]], warns: bool
) -> None:
    """By its Service, else by the labels of CoreDNS."""
    given = {("kube-system", name): selector for name, selector in services.items()}
    (found,) = check(pod("a", "n-1", labels), services=given)
    assert found.finding is (Finding.DNS_ON_PLANNED_NODES if warns else Finding.CLUSTER_SERVICES_STAY)


def test_what_could_not_be_read_is_unknown() -> None:
    """Each reason once, beside what was found."""
    gap = failed_gap("ci may not list services (403)", "add a rule")
    other = failed_gap("ci may not list webhooks (403)")
    found = check(pod("a", "n-1", DNS), gaps={SERVICES: gap, VALIDATING_WEBHOOKS: other})
    assert [each.finding for each in found] == [Finding.DNS_ON_PLANNED_NODES, Finding.NOT_READ, Finding.NOT_READ]
    (blind,) = check(gaps={PODS: gap, SERVICES: gap})
    assert (blind.status, blind.fields["gap"]) == (CheckStatus.UNKNOWN, gap.to_json())


@pytest.mark.parametrize(
    ("node", "status"), [("n-1", CheckStatus.FAIL), ("n-3", CheckStatus.PASS)], ids=["planned", "other"]
)
def test_runner_on_a_planned_node_fails(node: str, status: CheckStatus) -> None:
    """It would end with its pod."""
    kube = KubernetesSnapshot(nodes=NODES, pods=(pod("runner", node, {}, "ci"),))
    (found,) = check_runner(PLANNED, kube, RunnerPod("ci", "runner"))
    assert (found.name, found.status) == ("runner", status)
    if status is CheckStatus.FAIL:
        assert found.finding is Finding.RUNNER_ON_PLANNED_NODE
        assert found.fields == {"pod": "ci/runner", "node": "n-1"}


@pytest.mark.parametrize(("node", "failing"), [("n-1", "ci/runner"), ("n-3", None)])
def test_github_runner_of_the_job_counts_too(node: str, failing: str | None) -> None:
    """A job of its own pod ends with the pod of the runner that started it."""
    job = pod("runner-workflow", "n-3", {"runner-pod": "runner"}, "ci")
    kube = KubernetesSnapshot(nodes=NODES, pods=(job, pod("runner", node, {}, "ci")))
    (found,) = check_runner(PLANNED, kube, RunnerPod("ci", "runner-workflow"))
    assert found.fields.get("pod") == failing


@pytest.mark.parametrize("runner", [None, RunnerPod("ci", "other"), RunnerPod("other", "runner")])
def test_runner_of_another_cluster_is_none(runner: RunnerPod | None) -> None:
    """Nothing is said of it."""
    kube = KubernetesSnapshot(nodes=NODES, pods=(pod("runner", "n-1", {}, "ci"),))
    assert check_runner(PLANNED, kube, runner) == []


@pytest.mark.parametrize(("uid", "count"), [("9f2c", 1), ("", 1), ("other", 0)])
def test_runner_is_told_from_a_pod_of_the_same_name(uid: str, count: int) -> None:
    """Such as that of a StatefulSet in another cluster, by its uid."""
    kube = KubernetesSnapshot(nodes=NODES, pods=(pod("runner-0", "n-1", {}, "ci", uid="9f2c"),))
    assert len(check_runner(PLANNED, kube, RunnerPod("ci", "runner-0", uid))) == count
