"""Named worlds: what is in the way of a migration, or what will go wrong with the first one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import deployments
from ocean_migration_pulumi.testing.simulator.world import seeding, state_machine
from ocean_migration_pulumi.testing.simulator.world.world import PendingPod, SimCluster, SimNode, SimPod, World

DEFAULT_NODES = 16
LARGE_NODES = 10_000


def _nodes_of(cluster: SimCluster, asg_name: str) -> list[SimNode]:
    return [node for node in cluster.nodes.values() if node.asg_name == asg_name]


def _first_nodes(cluster: SimCluster, count: int) -> list[SimNode]:
    return list(cluster.nodes.values())[:count]


def _success(world: World, cluster: SimCluster, now: float) -> None:
    """Every migration finishes."""


def _failure(reason: str) -> Callable[[World, SimCluster, float], None]:
    def arm(world: World, cluster: SimCluster, now: float) -> None:
        cluster.armed_failure = reason

    cause = state_machine.FAILURE_MESSAGES[reason].removeprefix("The migration has stopped due to ").partition(".")[0]
    arm.__doc__ = f"The first migration fails for {cause}."
    return arm


def _unmatched_nodes(world: World, cluster: SimCluster, now: float) -> None:
    """Two nodes carry a label that no Virtual Node Group has; a migration that holds one fails."""
    for node in _first_nodes(cluster, 2):
        node.labels["gpu"] = "true"


def _stand_alone_pods(world: World, cluster: SimCluster, now: float) -> None:
    """Three nodes have a pod without a controller, which stays behind unless stand-alone pods are evicted."""
    for number, node in enumerate(_first_nodes(cluster, 3), start=1):
        node.pods.append(SimPod(id=world.new_id("", 32), name=f"debug-{number}", namespace="tools", controller=None))


def _blocking_pdb(world: World, cluster: SimCluster, now: float) -> None:
    """Let a budget allow no disruption: its pods leave by force only, after the draining timeout."""
    _add_ledger(world, cluster, _first_nodes(cluster, 2), 2)


def _add_ledger(world: World, cluster: SimCluster, nodes: list[SimNode], minimum: int) -> None:
    for node in nodes:
        pod_id = world.new_id("", 32)
        node.pods.append(
            SimPod(
                id=pod_id,
                name=f"ledger-{pod_id[:5]}",
                namespace="shop",
                controller="StatefulSet",
                labels={"app": "ledger"},
                budget="shop/ledger",
            )
        )
    cluster.budgets["shop/ledger"] = minimum
    cluster.selectors["shop/ledger"] = {"matchLabels": {"app": "ledger"}}


def _stall(world: World, cluster: SimCluster, now: float) -> None:
    """Every migration stands still in its second batch for ever, until it is stopped."""
    cluster.stalls = True


def _dead_controller(world: World, cluster: SimCluster, now: float) -> None:
    """Let the controller be silent for an hour; a migration fails for connectivity."""
    cluster.heartbeat.status = "INACTIVE"
    cluster.heartbeat.frozen_at = now - 3600


def _never_heartbeat(world: World, cluster: SimCluster, now: float) -> None:
    """No controller was ever installed."""
    cluster.heartbeat.status = None
    cluster.deployments = deployments.with_controller(cluster.deployments, installed=False)


def _busy_cluster(world: World, cluster: SimCluster, now: float) -> None:
    """Somebody else's migration of the nodes of the group api is running."""
    state_machine.start(
        world,
        cluster,
        now,
        [node.instance_id for node in _nodes_of(cluster, "api")] or [next(iter(cluster.nodes))],
        terminate=False,
        evict=True,
        force=True,
        batch_size_percentage=50,
        foreign=True,
    )


def _refilling_asg(world: World, cluster: SimCluster, now: float) -> None:
    """Every Auto Scaling Group replaces a terminated node after a minute."""
    cluster.refilling = sorted({node.asg_name for node in cluster.nodes.values() if node.asg_name})


def _kubernetes_trouble(world: World, cluster: SimCluster, now: float) -> None:
    """Have pods that only Kubernetes can tell of: blocked, alone, pinned to a node group, not to be moved, pending."""
    web = _nodes_of(cluster, "web")
    _add_ledger(world, cluster, web[:2], len(web[:2]))
    pinned = {"eks.amazonaws.com/nodegroup": "web"}
    stays = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}

    def pod(name: str, namespace: str, **facts: Any) -> SimPod:
        return SimPod(id=world.new_id("", 32), name=name, namespace=namespace, **facts)

    web[0].pods.append(pod("debug", "tools", controller=None))
    # On a node of Ocean there is no such label: this pod finds no new node.
    web[-1].pods.append(pod("images-0", "shop", labels={"app": "images"}, node_selector=pinned, unschedulable=True))
    web[-1].pods.append(pod("import-0", "shop", labels={"app": "import"}, annotations=stays))
    waiting = pod("forecast-0", "shop", labels={"app": "forecast"}, requests={"cpu": "64", "memory": "256Gi"})
    cluster.pending.append(PendingPod(pod=waiting, since=now))


def _old_controller(world: World, cluster: SimCluster, now: float) -> None:
    """Let the controller be version 1.0.44 alone, which is too old for a migration."""
    others = deployments.with_controller(cluster.deployments, installed=False)
    cluster.deployments = [deployments.controller_v1("1.0.44"), *others]


def _autoscaler_on(world: World, cluster: SimCluster, now: float) -> None:
    """Leave the Cluster Autoscaler on, and run Karpenter beside it."""
    others = [deployment for deployment in cluster.deployments if deployment.name != "cluster-autoscaler"]
    active = [deployments.cluster_autoscaler(1), deployments.karpenter()]
    cluster.deployments = [*others, *active]


def _large(world: World, cluster: SimCluster, now: float) -> None:
    """Have 10,000 nodes instead of 16."""


SCENARIOS: dict[str, Callable[[World, SimCluster, float], None]] = {
    "success": _success,
    **{f"failure-{reason}": _failure(reason) for reason in state_machine.FAILURE_MESSAGES},
    "unmatched-nodes": _unmatched_nodes,
    "stand-alone-pods": _stand_alone_pods,
    "blocking-pdb": _blocking_pdb,
    "stall": _stall,
    "dead-controller": _dead_controller,
    "never-heartbeat": _never_heartbeat,
    "busy-cluster": _busy_cluster,
    "refilling-asg": _refilling_asg,
    "kubernetes-trouble": _kubernetes_trouble,
    "old-controller": _old_controller,
    "autoscaler-on": _autoscaler_on,
    "large": _large,
}
"""Every scenario by name; each changes a fresh cluster."""


def build(name: str, *, seed: int, nodes: int | None, now: float) -> World:
    """Return the world of a scenario; ``nodes`` None is 16, and 10,000 for ``large``."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}: one of {', '.join(SCENARIOS)}")
    count = nodes if nodes is not None else (LARGE_NODES if name == "large" else DEFAULT_NODES)
    if count < 1:
        raise ValueError("nodes must be at least 1")
    world = seeding.new_world(seed)
    world.scenario = name
    cluster = seeding.add_cluster(world, now, nodes=count)
    SCENARIOS[name](world, cluster, now)
    return world
