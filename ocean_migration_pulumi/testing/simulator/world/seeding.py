"""Creates the default world: an account, a cluster with two VNGs, and nodes in three Auto Scaling Groups."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import (
    build_default_deployments,
    set_controller,
)
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import ensure_group
from ocean_migration_pulumi.testing.simulator.world.pods import SimPod, build_tolerations
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimHeartbeat, SimNode, World

REGION = "us-west-2"
INSTANCE_PROFILE = {"arn": "arn:aws:iam::123456789012:instance-profile/ocean-node"}
_SHARES = (("web", 0.375), ("api", 0.375), ("batch", 0.25))
_LABELS: dict[str, dict[str, str]] = {"web": {"workload": "web"}, "api": {}, "batch": {"workload": "batch"}}
_TAINTS: dict[str, list[dict[str, str]]] = {
    "batch": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}],
}
_BUDGET = "shop/cart"
_APPS = {"web": ("shop", "cart", "search"), "api": ("orders", "users", "stock"), "batch": ("report", "export")}


def create_world(seed: int) -> World:
    """Create an organization with one account and one token, both derived from the seed."""
    world = World(seed=seed)
    world.accounts.append(world.new_id("act-"))
    world.tokens.append(world.new_id("", 64))
    for name, _ in _SHARES:
        ensure_group(world.auto_scaling_groups, name, REGION)
    return world


def add_cluster(
    world: World, now: float, *, nodes: int, name: str = "demo", account_id: str | None = None
) -> SimCluster:
    """Add a cluster with VNGs and nodes, whose controller reports."""
    body = _build_cluster_body(name, nodes)
    body["compute"]["launchSpecification"]["iamInstanceProfile"] = dict(INSTANCE_PROFILE)
    cluster = create_cluster(world, account_id or world.accounts[0], body, now)
    cluster.groups = {
        world.new_id("ols-"): _build_vng_body(cluster.id, vng, spot_percentage, now)
        for vng, spot_percentage in (("web", 70), ("batch", 100))
    }
    _add_nodes(world, cluster, now, _split_nodes(nodes))
    return cluster


def connect_controller(world: World, cluster: SimCluster, now: float, nodes: int | Mapping[str, int]) -> None:
    """Install the controller of a cluster and add its nodes: a number, or a number for each Auto Scaling Group."""
    cluster.heartbeat = SimHeartbeat()
    cluster.deployments = set_controller(cluster.deployments, installed=True)
    _add_nodes(world, cluster, now, _split_nodes(nodes) if isinstance(nodes, int) else list(nodes.items()))


def _add_nodes(world: World, cluster: SimCluster, now: float, counts: Iterable[tuple[str, int]]) -> None:
    """Add nodes of each Auto Scaling Group, and the PodDisruptionBudget of some of their pods."""
    rng = random.Random(f"{world.seed}/{cluster.id}")  # noqa: S311 - a reproducible world, no secret
    for asg_name, count in counts:
        for _ in range(count):
            add_node(world, cluster, now, asg_name=asg_name, rng=rng)
    cluster.budgets[_BUDGET] = sum(pod.budget == _BUDGET for node in cluster.nodes.values() for pod in node.pods) // 2
    cluster.selectors[_BUDGET] = {"matchLabels": {"app": "cart"}}


def create_cluster(world: World, account_id: str, body: dict[str, Any], now: float) -> SimCluster:
    """Add a cluster without VNGs and nodes, whose controller reports."""
    cluster = SimCluster(id=world.new_id("o-"), account_id=account_id, body=body, created_at=now, updated_at=now)
    cluster.deployments = build_default_deployments(installed=True)
    world.clusters[cluster.id] = cluster
    cluster.write_log(now, "INFO", f"Ocean {cluster.id} successfully created.")
    return cluster


def add_node(
    world: World,
    cluster: SimCluster,
    now: float,
    *,
    asg_name: str | None,
    rng: random.Random | None = None,
    labels: dict[str, str] | None = None,
    taints: list[dict[str, str]] | None = None,
    pods: int = 6,
    instance_id: str | None = None,
) -> SimNode:
    """Add an old node; labels and taints default to those of its Auto Scaling Group, and ``rng`` varies ``pods``."""
    name = world.new_node_name()
    region = cluster.body["region"]
    zone = f"{region}{'abc'[world.node_counter % 3]}"
    group = asg_name or ""
    if group:
        ensure_group(world.auto_scaling_groups, group, region)
    built_in = {
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": zone,
        "node.kubernetes.io/instance-type": "m5.large",
        **({"eks.amazonaws.com/nodegroup": group} if group else {}),
    }
    node = SimNode(
        instance_id=instance_id or world.new_id("i-", 17),
        node_name=name,
        asg_name=asg_name,
        labels={**built_in, **(_LABELS.get(group, {}) if labels is None else labels)},
        taints=[dict(taint) for taint in (_TAINTS.get(group, []) if taints is None else taints)],
        zone=zone,
        created_at=now,
    )
    count = pods if rng is None else pods + rng.choice((-1, 0, 0, 1))
    apps = _APPS.get(group, ("app",))
    node.pods = [_create_pod(world, group or "default", apps[index % len(apps)], node.taints) for index in range(count)]
    cluster.nodes[node.instance_id] = node
    return node


def _create_pod(world: World, namespace: str, app: str, taints: list[dict[str, str]]) -> SimPod:
    pod_id = world.new_id("", 32)
    budget = _BUDGET if app == "cart" else None
    return SimPod(
        id=f"{pod_id[:8]}-{pod_id[8:12]}-{pod_id[12:16]}-{pod_id[16:20]}-{pod_id[20:32]}",
        # Long enough to be unique among tens of thousands of pods.
        name=f"{app}-{pod_id[:10]}",
        namespace="shop" if budget else namespace,
        labels={"app": app},
        budget=budget,
        tolerations=build_tolerations(taints),
    )


def _split_nodes(nodes: int) -> list[tuple[str, int]]:
    """Divide a number of nodes among the Auto Scaling Groups; the first one gets the remainder."""
    counts = [(asg_name, int(nodes * share)) for asg_name, share in _SHARES]
    first, count = counts[0]
    return [(first, count + nodes - sum(part for _, part in counts)), *counts[1:]]


def _build_cluster_body(name: str, nodes: int) -> dict[str, Any]:
    """Return a cluster's configuration, with capacity for the nodes."""
    return {
        "name": name,
        "controllerClusterId": name,
        "region": REGION,
        "autoScaler": {"isEnabled": True, "isAutoConfig": True},
        "capacity": {"minimum": 0, "maximum": max(1000, 2 * nodes), "target": 0},
        "strategy": {
            "spotPercentage": 100,
            "fallbackToOd": True,
            "utilizeReservedInstances": True,
            "drainingTimeout": 300,
        },
        "compute": {
            "subnetIds": ["subnet-0a1b2c3d"],
            "instanceTypes": {},
            "launchSpecification": {
                "imageId": "ami-0a1b2c3d4e5f60718",
                "securityGroupIds": ["sg-0a1b2c3d"],
            },
        },
    }


def _build_vng_body(ocean_id: str, name: str, spot_percentage: int, now: float) -> dict[str, Any]:
    """Return a VNG with the labels and taints of the Auto Scaling Group of the same name."""
    return {
        "oceanId": ocean_id,
        "name": name,
        "imageId": "ami-0a1b2c3d4e5f60718",
        "securityGroupIds": ["sg-0a1b2c3d"],
        "subnetIds": ["subnet-0a1b2c3d"],
        "labels": [{"key": key, "value": value} for key, value in _LABELS.get(name, {}).items()],
        "taints": [dict(taint) for taint in _TAINTS.get(name, [])],
        "iamInstanceProfile": dict(INSTANCE_PROFILE),
        "strategy": {"spotPercentage": spot_percentage},
        "createdAt": now,
        "updatedAt": now,
    }
