"""The default world: one account, a cluster with two Virtual Node Groups, and nodes in three Auto Scaling Groups."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import usual, with_controller
from ocean_migration_pulumi.testing.simulator.world.auto_scaling import ensure
from ocean_migration_pulumi.testing.simulator.world.world import (
    SimCluster,
    SimHeartbeat,
    SimNode,
    SimPod,
    World,
    tolerating,
)

REGION = "us-west-2"
INSTANCE_PROFILE = {"arn": "arn:aws:iam::123456789012:instance-profile/ocean-node"}
_SHARES = (("web", 0.375), ("api", 0.375), ("batch", 0.25))
_LABELS: dict[str, dict[str, str]] = {"web": {"workload": "web"}, "api": {}, "batch": {"workload": "batch"}}
_TAINTS: dict[str, list[dict[str, str]]] = {
    "batch": [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}],
}
_BUDGET = "shop/cart"
_APPS = {"web": ("shop", "cart", "search"), "api": ("orders", "users", "stock"), "batch": ("report", "export")}


def new_world(seed: int) -> World:
    """Return an organization with one account and one token, both of which follow from the seed."""
    world = World(seed=seed)
    world.accounts.append(world.new_id("act-"))
    world.tokens.append(world.new_id("", 64))
    for name, _ in _SHARES:
        ensure(world.auto_scaling_groups, name, REGION)
    return world


def add_cluster(
    world: World, now: float, *, nodes: int, name: str = "demo", account_id: str | None = None
) -> SimCluster:
    """Add a cluster with its groups and nodes; its controller is installed and beats."""
    body = cluster_body(name, nodes)
    body["compute"]["launchSpecification"]["iamInstanceProfile"] = dict(INSTANCE_PROFILE)
    cluster = new_cluster(world, account_id or world.accounts[0], body, now)
    cluster.groups = {
        world.new_id("ols-"): group_body(cluster.id, group, spot, now) for group, spot in (("web", 70), ("batch", 100))
    }
    _populate(world, cluster, now, _split(nodes))
    return cluster


def connect(world: World, cluster: SimCluster, now: float, nodes: int | Mapping[str, int]) -> None:
    """Install the controller of a cluster, so that the nodes show that it had all the time: by group, or a number."""
    cluster.heartbeat = SimHeartbeat()
    cluster.deployments = with_controller(cluster.deployments, installed=True)
    _populate(world, cluster, now, _split(nodes) if isinstance(nodes, int) else list(nodes.items()))


def _populate(world: World, cluster: SimCluster, now: float, counts: Iterable[tuple[str, int]]) -> None:
    """Add so many nodes of each Auto Scaling Group, and the budget that holds some of their pods."""
    seeded = random.Random(f"{world.seed}/{cluster.id}")  # noqa: S311 - a reproducible world, no secret
    for group, count in counts:
        for _ in range(count):
            add_node(world, cluster, now, asg_name=group, seeded=seeded)
    cluster.budgets[_BUDGET] = sum(pod.budget == _BUDGET for node in cluster.nodes.values() for pod in node.pods) // 2
    cluster.selectors[_BUDGET] = {"matchLabels": {"app": "cart"}}


def new_cluster(world: World, account_id: str, body: dict[str, Any], now: float) -> SimCluster:
    """Add a cluster without nodes; it beats."""
    cluster = SimCluster(id=world.new_id("o-"), account_id=account_id, body=body, created_at=now, updated_at=now)
    cluster.deployments = usual(installed=True)
    world.clusters[cluster.id] = cluster
    cluster.write_log(now, "INFO", f"Ocean {cluster.id} successfully created.")
    return cluster


def add_node(
    world: World,
    cluster: SimCluster,
    now: float,
    *,
    asg_name: str | None,
    seeded: random.Random | None = None,
    labels: dict[str, str] | None = None,
    taints: list[dict[str, str]] | None = None,
    pods: int = 6,
    instance_id: str | None = None,
) -> SimNode:
    """Add a node that is not Ocean's own; labels and taints default to those of its Auto Scaling Group."""
    name = world.new_node_name()
    region = cluster.body["region"]
    zone = f"{region}{'abc'[world.node_counter % 3]}"
    group = asg_name or ""
    if group:
        ensure(world.auto_scaling_groups, group, region)
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
    count = pods if seeded is None else pods + seeded.choice((-1, 0, 0, 1))
    apps = _APPS.get(group, ("app",))
    node.pods = [_pod(world, group or "default", apps[index % len(apps)], node.taints) for index in range(count)]
    cluster.nodes[node.instance_id] = node
    return node


def _pod(world: World, namespace: str, app: str, taints: list[dict[str, str]]) -> SimPod:
    pod_id = world.new_id("", 32)
    budget = _BUDGET if app == "cart" else None
    return SimPod(
        id=f"{pod_id[:8]}-{pod_id[8:12]}-{pod_id[12:16]}-{pod_id[16:20]}-{pod_id[20:32]}",
        # Long enough to be the only one of its name among ten thousands.
        name=f"{app}-{pod_id[:10]}",
        namespace="shop" if budget else namespace,
        labels={"app": app},
        budget=budget,
        tolerations=tolerating(taints),
    )


def _split(nodes: int) -> list[tuple[str, int]]:
    counts = [(group, int(nodes * share)) for group, share in _SHARES]
    first, count = counts[0]
    return [(first, count + nodes - sum(part for _, part in counts)), *counts[1:]]


def cluster_body(name: str, nodes: int = 0) -> dict[str, Any]:
    """Return a cluster's configuration, with room for the nodes."""
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


def group_body(ocean_id: str, name: str, spot_percentage: int, now: float) -> dict[str, Any]:
    """Return a Virtual Node Group with the labels and taints of an Auto Scaling Group of the default world."""
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
