"""The objects that the Kubernetes API lists for a cluster, in its order, before they become JSON."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.world.budgets import BudgetStatus, DisruptionBudgets
from ocean_migration_pulumi.testing.simulator.world.placement import DAEMON_MILLI_CPU
from ocean_migration_pulumi.testing.simulator.world.pods import (
    SYSTEM_DAEMONS,
    SimPod,
    build_template_hash,
    build_uid,
    get_application,
)
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode

SYSTEM = "kube-system"
AWS_AUTH = "aws-auth"

_EVENTS = {
    "no-address": (
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin "
        'type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container',
    ),
    "volume": (
        "FailedAttachVolume",
        "Multi-Attach error for volume: Volume is already exclusively attached to one node and can't be attached to "
        "another",
    ),
}
"""The events of the troubles that the status of a pod does not show: reason and message."""

_TOLERATE_ALL = [{"operator": "Exists"}]
_DAEMON_REQUESTS = {"cpu": f"{DAEMON_MILLI_CPU}m"}


class Row(NamedTuple):
    """An object of a list."""

    namespace: str
    """Its namespace, empty for an object of the cluster."""
    name: str
    """Its name."""
    source: Any
    """What it is rendered from: a copy where the world may change, so that the pages of a list stay consistent."""


class PlacedPod(NamedTuple):
    """A pod and its node."""

    pod: SimPod
    """The pod."""
    node: SimNode | None
    """Its node, None while it is pending."""
    since: float
    """Simulated epoch seconds since which it is there."""


class SimWorkload(NamedTuple):
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet, derived from its pods."""

    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    pods: int
    """The number of its pods."""
    ready: int
    """The number of its ready pods."""
    created_at: float
    """Simulated epoch seconds of its creation."""
    revision: int = 0
    """The latest revision of its template."""
    updated: int = 0
    """The number of its pods of that revision."""
    rolling: bool = False
    """Whether a rollout is under way."""


class SimEvent(NamedTuple):
    """An event about a pod, of type Warning."""

    pod: SimPod
    """The pod."""
    reason: str
    """The reason."""
    message: str
    """The message of the kubelet, or of the volume controller."""
    at: float
    """Simulated epoch seconds: they repeat it until the trouble is over."""


def _sort_rows(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=itemgetter(0, 1))


def list_nodes(cluster: SimCluster) -> list[Row]:
    """List copies of the nodes that exist."""
    return _sort_rows(
        Row(
            "",
            node.node_name,
            dataclasses.replace(node, labels=dict(node.labels), taints=list(node.taints), pods=[]),
        )
        for node in cluster.nodes.values()
        if not node.terminated
    )


def list_pods(cluster: SimCluster) -> list[Row]:
    """List the pods on existing nodes, with those of the system's DaemonSets, and the pending pods."""
    return _sort_rows(Row(placed.pod.namespace, placed.pod.name, placed) for placed in _all_pods(cluster))


def find_pod(cluster: SimCluster, namespace: str, name: str) -> PlacedPod | None:
    """Return a pod by its name, None when it does not exist."""
    for placed in _all_pods(cluster):
        if placed.pod.name == name and placed.pod.namespace == namespace:
            return placed
    return None


def _all_pods(cluster: SimCluster) -> Iterator[PlacedPod]:
    for node in cluster.nodes.values():
        if not node.terminated:
            for daemon in SYSTEM_DAEMONS:
                yield PlacedPod(_build_daemon_pod(daemon, node.instance_id, node.node_name), node, node.created_at)
            for pod in node.pods:
                yield PlacedPod(pod, node, node.created_at if pod.created_at is None else pod.created_at)
    for pending in cluster.pending:
        yield PlacedPod(pending.pod, None, pending.since)


@lru_cache(maxsize=32_768)
def _build_daemon_pod(daemon: str, instance_id: str, node_name: str) -> SimPod:
    name = f"{daemon}-{instance_id.removeprefix('i-')}"
    node_term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node_name]}]}
    return SimPod(
        id="",
        name=name,
        namespace=SYSTEM,
        controller="DaemonSet",
        labels={"app": daemon, "k8s-app": daemon},
        affinity={
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [node_term]}}
        },
        tolerations=_TOLERATE_ALL,
        requests=_DAEMON_REQUESTS,
    )


def list_claims(cluster: SimCluster) -> list[Row]:
    """List the PersistentVolumeClaims of pods."""
    return _sort_rows(
        Row(placed.pod.namespace, build_claim_name(placed.pod), placed) for placed in _with_claims(cluster)
    )


def list_volumes(cluster: SimCluster) -> list[Row]:
    """List the PersistentVolumes that the claims are bound to."""
    return _sort_rows(Row("", build_volume_name(placed.pod), placed) for placed in _with_claims(cluster))


def _with_claims(cluster: SimCluster) -> Iterator[PlacedPod]:
    return (placed for placed in _all_pods(cluster) if placed.pod.claim_zone is not None)


def build_claim_name(pod: SimPod) -> str:
    """Return the name of a pod's PersistentVolumeClaim."""
    return f"data-{pod.name}"


def build_volume_name(pod: SimPod) -> str:
    """Return the name of a pod's PersistentVolume."""
    return f"pvc-{build_uid('PersistentVolumeClaim', pod.namespace, build_claim_name(pod))}"


def list_config_maps(cluster: SimCluster) -> list[Row]:
    """List the ConfigMap ``aws-auth``, if the cluster has it."""
    return [] if cluster.mapped_roles is None else [Row(SYSTEM, AWS_AUTH, tuple(cluster.mapped_roles))]


def list_budgets(cluster: SimCluster) -> list[Row]:
    """List the PodDisruptionBudgets with their status."""
    return _sort_rows(_build_budget_row(status) for status in DisruptionBudgets(cluster).list_statuses())


def _build_budget_row(status: BudgetStatus) -> Row:
    namespace, _, name = status.name.rpartition("/")
    return Row(namespace, name, status)


def list_deployments(cluster: SimCluster) -> list[Row]:
    """List the Deployments of the pods, and those without simulated pods.

    Ocean's controller is ready while its heartbeat is active.
    """
    active = cluster.heartbeat.status == "ACTIVE"
    without_pods = (
        Row(
            deployment.namespace,
            deployment.name,
            (deployment, 0 if deployment.is_controller and not active else deployment.replicas, None),
        )
        for deployment in map(dataclasses.replace, cluster.deployments)
    )
    with_pods = (
        Row(workload.namespace, workload.name, (_build_deployment(workload), workload.ready, workload))
        for workload in _find_workloads(cluster, "ReplicaSet")
    )
    unique = {(row.namespace, row.name): row for rows in (with_pods, without_pods) for row in rows}
    return _sort_rows(unique.values())


def list_replica_sets(cluster: SimCluster) -> list[Row]:
    """List the ReplicaSets that have pods, one for each revision of a Deployment."""
    return _sort_rows(
        Row(
            workload.namespace,
            f"{workload.name}-{build_template_hash(workload.namespace, workload.name, workload.revision)}",
            workload,
        )
        for workload in _find_workloads(cluster, "ReplicaSet", by_revision=True)
    )


def list_stateful_sets(cluster: SimCluster) -> list[Row]:
    """List the StatefulSets that have pods."""
    return _sort_rows(
        Row(workload.namespace, workload.name, workload) for workload in _find_workloads(cluster, "StatefulSet")
    )


def list_events(cluster: SimCluster, now: float) -> list[Row]:
    """List the warnings about pods whose containers cannot be started."""
    return _sort_rows(
        Row(placed.pod.namespace, f"{placed.pod.name}.{reason.lower()}", SimEvent(placed.pod, reason, message, now))
        for placed in _all_pods(cluster)
        for reason, message in [_EVENTS.get(placed.pod.trouble or "", ("", ""))]
        if reason and placed.node is not None
    )


def _build_deployment(workload: SimWorkload) -> SimDeployment:
    return SimDeployment(
        name=workload.name,
        namespace=workload.namespace,
        labels={"app": workload.name},
        image=build_image_name(workload.name),
        replicas=workload.pods,
    )


def build_image_name(app: str) -> str:
    """Return the image of an application."""
    return f"registry.example.com/{app}:1.4.2"


def list_services(cluster: SimCluster) -> list[Row]:
    """List a Service for each Deployment that has pods."""
    return _sort_rows(
        Row(workload.namespace, workload.name, workload.name) for workload in _find_workloads(cluster, "ReplicaSet")
    )


def list_daemon_sets(cluster: SimCluster) -> list[Row]:
    """List the DaemonSets that have pods on nodes, with those of the system."""
    return _sort_rows(
        Row(workload.namespace, workload.name, workload) for workload in _find_workloads(cluster, "DaemonSet")
    )


def _find_workloads(cluster: SimCluster, controller: str, *, by_revision: bool = False) -> Iterator[SimWorkload]:
    found: dict[tuple[str, str, int], list[PlacedPod]] = defaultdict(list)
    for placed in _all_pods(cluster):
        pod = placed.pod
        if pod.controller == controller and not pod.orphaned:
            found[pod.namespace, get_application(pod), pod.revision if by_revision else 0].append(placed)
    for (namespace, name, _), members in found.items():
        revision = max(member.pod.revision for member in members)
        yield SimWorkload(
            namespace,
            name,
            len(members),
            sum(member.node is not None and member.pod.healthy for member in members),
            cluster.created_at,
            revision,
            sum(member.pod.revision == revision for member in members),
            f"{namespace}/{name}" in cluster.rolling,
        )
