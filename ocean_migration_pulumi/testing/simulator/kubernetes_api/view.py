"""What Kubernetes has of a cluster, as rows in the order in which it lists them; nothing is written out yet."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.world import pods as kubernetes_pods
from ocean_migration_pulumi.testing.simulator.world.budgets import Guards, Standing
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode, SimPod

SYSTEM = "kube-system"
AWS_AUTH = "aws-auth"
SYSTEM_DAEMONS = ("aws-node", "kube-proxy")
"""Each has one pod on every node. Spot does not count them, so that the world does not know them."""

_EVERYTHING = [{"operator": "Exists"}]
_DAEMON_REQUESTS = {"cpu": "50m"}


class Row(NamedTuple):
    """An object: its namespace (empty for the cluster's own), its name, and what it is made from.

    What it is made from does not change any more, so that the pages of a list fit together.
    """

    namespace: str
    name: str
    thing: Any


class PlacedPod(NamedTuple):
    """A pod and where it is; ``node`` None is one that is pending, ``since`` is when it came to where it is."""

    pod: SimPod
    node: SimNode | None
    since: float


class App(NamedTuple):
    """A controller that is known by its pods alone."""

    namespace: str
    name: str
    pods: int
    ready: int
    created_at: float


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=itemgetter(0, 1))


def nodes(cluster: SimCluster) -> list[Row]:
    """Return the nodes that live, as they are now."""
    return _in_order(
        Row(
            "",
            node.node_name,
            dataclasses.replace(node, labels=dict(node.labels), taints=list(node.taints), pods=[]),
        )
        for node in cluster.nodes.values()
        if not node.terminated
    )


def pods(cluster: SimCluster) -> list[Row]:
    """Return the pods on living nodes, those of the system's DaemonSets included, and the pending ones."""
    return _in_order(Row(placed.pod.namespace, placed.pod.name, placed) for placed in _all_pods(cluster))


def find_pod(cluster: SimCluster, namespace: str, name: str) -> PlacedPod | None:
    """Return a pod by its name, None when there is none."""
    for placed in _all_pods(cluster):
        if placed.pod.name == name and placed.pod.namespace == namespace:
            return placed
    return None


def _all_pods(cluster: SimCluster) -> Iterator[PlacedPod]:
    for node in cluster.nodes.values():
        if not node.terminated:
            for daemon in SYSTEM_DAEMONS:
                yield PlacedPod(_daemon_pod(daemon, node.instance_id, node.node_name), node, node.created_at)
            for pod in node.pods:
                yield PlacedPod(pod, node, node.created_at)
    for waiting in cluster.pending:
        yield PlacedPod(waiting.pod, None, waiting.since)


@lru_cache(maxsize=32_768)
def _daemon_pod(daemon: str, instance_id: str, node_name: str) -> SimPod:
    name = f"{daemon}-{instance_id.removeprefix('i-')}"
    on_its_node = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node_name]}]}
    return SimPod(
        id="",
        name=name,
        namespace=SYSTEM,
        controller="DaemonSet",
        labels={"app": daemon, "k8s-app": daemon},
        affinity={
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [on_its_node]}}
        },
        tolerations=_EVERYTHING,
        requests=_DAEMON_REQUESTS,
    )


def claims(cluster: SimCluster) -> list[Row]:
    """Return the PersistentVolumeClaims of the pods that have one."""
    return _in_order(Row(placed.pod.namespace, claim_name(placed.pod), placed) for placed in _with_claims(cluster))


def volumes(cluster: SimCluster) -> list[Row]:
    """Return the PersistentVolumes behind them."""
    return _in_order(Row("", volume_name(placed.pod), placed) for placed in _with_claims(cluster))


def _with_claims(cluster: SimCluster) -> Iterator[PlacedPod]:
    return (placed for placed in _all_pods(cluster) if placed.pod.claim_zone is not None)


def claim_name(pod: SimPod) -> str:
    """Return the name of a pod's claim."""
    return f"data-{pod.name}"


def volume_name(pod: SimPod) -> str:
    """Return the name of the volume that a pod's claim is bound to."""
    return f"pvc-{kubernetes_pods.uid('PersistentVolumeClaim', pod.namespace, claim_name(pod))}"


def config_maps(cluster: SimCluster) -> list[Row]:
    """Return ``aws-auth``, or nothing."""
    return [] if cluster.mapped_roles is None else [Row(SYSTEM, AWS_AUTH, tuple(cluster.mapped_roles))]


def budgets(cluster: SimCluster) -> list[Row]:
    """Return the PodDisruptionBudgets with their standing."""
    return _in_order(_budget_row(standing) for standing in Guards(cluster).standings())


def _budget_row(standing: Standing) -> Row:
    namespace, _, name = standing.name.rpartition("/")
    return Row(namespace, name, standing)


def deployments(cluster: SimCluster) -> list[Row]:
    """Return the Deployments of the pods, and those that have no pods here.

    Ocean's controller is ready as long as Spot takes it for active.
    """
    beats = cluster.heartbeat.status == "ACTIVE"
    own = (
        Row(
            deployment.namespace,
            deployment.name,
            (deployment, 0 if deployment.is_controller and not beats else deployment.replicas),
        )
        for deployment in map(dataclasses.replace, cluster.deployments)
    )
    apps = (Row(app.namespace, app.name, (_as_deployment(app), app.ready)) for app in _apps(cluster, "ReplicaSet"))
    unique = {(row.namespace, row.name): row for rows in (apps, own) for row in rows}
    return _in_order(unique.values())


def _as_deployment(app: App) -> SimDeployment:
    labels = {"app": app.name}
    return SimDeployment(
        name=app.name, namespace=app.namespace, labels=labels, image=image_of(app.name), replicas=app.pods
    )


def image_of(app: str) -> str:
    """Return the image of an application."""
    return f"registry.example.com/{app}:1.4.2"


def daemon_sets(cluster: SimCluster) -> list[Row]:
    """Return the DaemonSets whose pods are on the nodes, the system's included."""
    return _in_order(Row(app.namespace, app.name, app) for app in _apps(cluster, "DaemonSet"))


def _apps(cluster: SimCluster, controller: str) -> Iterator[App]:
    found: dict[tuple[str, str], list[PlacedPod]] = defaultdict(list)
    for placed in _all_pods(cluster):
        if placed.pod.controller == controller and not placed.pod.orphaned:
            found[placed.pod.namespace, kubernetes_pods.application(placed.pod)].append(placed)
    for (namespace, name), members in found.items():
        ready = sum(member.node is not None and member.pod.healthy for member in members)
        yield App(namespace, name, len(members), ready, cluster.created_at)
