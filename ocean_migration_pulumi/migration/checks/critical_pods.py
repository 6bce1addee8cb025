"""Pods that the whole cluster, or the run itself, depends on, and that run on planned nodes only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.controllers import is_v1, is_v2
from ocean_migration_pulumi.migration.scheduling.eviction_forecast import node_name
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
    KubernetesSnapshot,
    Pod,
    RunnerPod,
    Webhook,
)
from ocean_migration_pulumi.migration.scheduling.label_matching import Unsure, all_of, may_hold, selects
from ocean_migration_pulumi.migration.scheduling.workloads import runs_on_each_node
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

CLUSTER_SERVICES: Final = "cluster services"
RUNNER: Final = "runner"

_SYSTEM: Final = "kube-system"
_DNS_SERVICES: Final = ("kube-dns", "coredns")
"""The first one is that of EKS and kubeadm, the second one that of CoreDNS' own chart."""
_DNS_LABELS: Final = (("k8s-app", "kube-dns"), ("k8s-app", "coredns"), ("app.kubernetes.io/name", "coredns"))
_STARTER_LABEL: Final = "runner-pod"
"""By which the container hooks of GitHub's runners name the pod of the runner on that of its job."""
_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"


def check_cluster_services(
    nodes: Iterable[PlannedNode], kube: KubernetesSnapshot, *, forced: bool
) -> list[CheckResult]:
    """Check that the cluster's DNS, the Ocean Controller and admission webhooks keep a ready pod.

    Ocean documents no order of batches: pods that are all on planned nodes may all be evicted at once, unless a
    PodDisruptionBudget keeps one.

    Args:
        nodes: The planned nodes.
        kube: What Kubernetes answered.
        forced: Whether pods are evicted against PodDisruptionBudgets.
    """
    if gap := kube.gaps.get(PODS):
        return [CheckResult.from_gap(CLUSTER_SERVICES, gap)]
    planned = _names(nodes, kube)
    controllers = [each for each in kube.deployments if (is_v1(each) or is_v2(each)) and each.selector]
    controller_pods = [
        pod
        for each in controllers
        for pod in kube.pods
        if pod.namespace == each.namespace and selects(each.selector, pod.labels)
    ]
    check_results = [
        CheckResult(CLUSTER_SERVICES, CheckStatus.WARN, finding, _where(pods))
        for finding, pods in (
            (Finding.DNS_ON_PLANNED_NODES, _dns_pods(kube)),
            (Finding.CONTROLLER_ON_PLANNED_NODES, controller_pods),
        )
        if _may_all_go(pods, planned, kube, forced=forced)
    ]
    leaving = [
        pod
        for pod in kube.pods_on(planned)
        if not pod.finished and not pod.mirror and not runs_on_each_node(pod.controller)
    ]
    webhooks = [
        webhook
        for webhook in kube.webhooks
        if _concerns_nodes(webhook) or any(_may_concern(webhook, pod) for pod in leaving)
    ]
    behind = {service: _pods_behind(service, kube) for service in {webhook.service for webhook in webhooks}}
    exposed = {service for service, pods in behind.items() if _may_all_go(pods, planned, kube, forced=forced)}
    if silent := [webhook for webhook in webhooks if webhook.service in exposed]:
        pods = [pod for service in sorted(exposed) for pod in behind[service]]
        fields = {
            "webhooks": sorted(webhook.name for webhook in silent),
            "refuses_nodes": any(map(_concerns_nodes, silent)),
            **_where(pods),
        }
        check_results.append(CheckResult(CLUSTER_SERVICES, CheckStatus.WARN, Finding.WEBHOOKS_ON_PLANNED_NODES, fields))
    needed = (DEPLOYMENTS, SERVICES, VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)
    gaps = dict.fromkeys(kube.gaps[resource] for resource in needed if resource in kube.gaps)
    check_results += [CheckResult.from_gap(CLUSTER_SERVICES, gap) for gap in gaps]
    return check_results or [CheckResult(CLUSTER_SERVICES, CheckStatus.PASS, Finding.CLUSTER_SERVICES_STAY)]


def check_runner(nodes: Iterable[PlannedNode], kube: KubernetesSnapshot, runner: RunnerPod | None) -> list[CheckResult]:
    """Check that the pod that Pulumi runs in is not on a planned node, nor the GitHub runner that started it for a job.

    Args:
        nodes: The planned nodes.
        kube: What Kubernetes answered.
        runner: That pod; None outside of any. A pod of another cluster is not found.
    """
    if runner is None:
        return []
    pods = {(pod.namespace, pod.name): pod for pod in kube.pods}
    found = pods.get((runner.namespace, runner.name))
    if found is None or (found.uid and runner.uid and found.uid != runner.uid):
        return []
    starter = pods.get((runner.namespace, found.labels.get(_STARTER_LABEL, "")), found)
    planned = _names(nodes, kube)
    leaving = next((pod for pod in (found, starter) if pod.node_name in planned), None)
    if leaving is None:
        return [CheckResult(RUNNER, CheckStatus.PASS, Finding.RUNNER_STAYS)]
    fields = {"pod": leaving.full_name, "node": leaving.node_name}
    return [CheckResult(RUNNER, CheckStatus.FAIL, Finding.RUNNER_ON_PLANNED_NODE, fields)]


def _names(nodes: Iterable[PlannedNode], kube: KubernetesSnapshot) -> frozenset[str]:
    return frozenset(name for node in nodes if (name := node_name(node, kube)))


def _concerns_nodes(webhook: Webhook) -> bool:
    """Tell whether the API server asks a webhook about nodes, which are in no namespace and start with few labels."""
    return webhook.sees_nodes and selects(webhook.object_selector, {})


def _may_concern(webhook: Webhook, pod: Pod) -> bool:
    """Tell whether the API server may ask a webhook about a pod that moves; CEL conditions are not evaluated."""
    # Of the labels of namespaces only the one is known that Kubernetes gives each of them.
    in_namespace = all_of(
        may_hold(part, pod.namespace if part.key == _NAMESPACE_LABEL else Unsure.PRESENCE)
        for part in webhook.namespace_selector
    )
    # An eviction has no labels of its own.
    labels = [pod.labels] * webhook.sees_pods + [{}] * webhook.sees_evictions
    return in_namespace is not False and any(selects(webhook.object_selector, each) for each in labels)


def _dns_pods(kube: KubernetesSnapshot) -> list[Pod]:
    """Return the pods of the cluster's DNS: behind its Service, else by the labels of CoreDNS."""
    behind = [pod for name in _DNS_SERVICES for pod in _pods_behind((_SYSTEM, name), kube)]
    return behind or [
        pod
        for pod in kube.pods
        if pod.namespace == _SYSTEM and any(pod.labels.get(key) == value for key, value in _DNS_LABELS)
    ]


def _pods_behind(service: tuple[str, str], kube: KubernetesSnapshot) -> list[Pod]:
    selector = kube.services.get(service)
    if not selector:
        return []
    return [pod for pod in kube.pods if pod.namespace == service[0] and selector.items() <= pod.labels.items()]


def _is_serving(pod: Pod) -> bool:
    return pod.ready and not pod.deleting and not pod.finished and bool(pod.node_name)


def _may_all_go(pods: Iterable[Pod], planned: frozenset[str], kube: KubernetesSnapshot, *, forced: bool) -> bool:
    """Tell whether all of them that are ready run on planned nodes, and no budget keeps one of them."""
    serving = list(filter(_is_serving, pods))
    if not serving or any(pod.node_name not in planned for pod in serving):
        return False
    return forced or not any(
        budget.namespace == serving[0].namespace
        and budget.desired_healthy > 0
        and all(selects(budget.selector, pod.labels) for pod in serving)
        for budget in kube.budgets
    )


def _where(pods: Iterable[Pod]) -> dict[str, list[str]]:
    serving = list(filter(_is_serving, pods))
    return {
        "pods": sorted({pod.full_name for pod in serving}),
        "nodes": sorted({pod.node_name for pod in serving}),
    }
