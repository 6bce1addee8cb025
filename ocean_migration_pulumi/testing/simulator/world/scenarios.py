"""The scenarios: named worlds in which migrations succeed, are blocked, or fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ocean_migration_pulumi.testing.simulator.kubernetes_api import deployments
from ocean_migration_pulumi.testing.simulator.world import seeding, state_machine
from ocean_migration_pulumi.testing.simulator.world.pods import PendingPod, SimPod
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode, World

DEFAULT_NODES = 16
LARGE_NODES = 10_000


class Scenario(NamedTuple):
    """A named change of the default world."""

    description: str
    """What it does to migrations, for the help of the command."""
    apply: Callable[[World, SimCluster, float], None]
    """Changes a new cluster at a simulated time."""


def _find_nodes(cluster: SimCluster, asg_name: str) -> list[SimNode]:
    return [node for node in cluster.nodes.values() if node.asg_name == asg_name]


def _first_nodes(cluster: SimCluster, count: int) -> list[SimNode]:
    return list(cluster.nodes.values())[:count]


def _change_nothing(world: World, cluster: SimCluster, now: float) -> None:
    """Leave the default world as it is."""


def _build_failure(reason: str) -> Scenario:
    def arm_failure(world: World, cluster: SimCluster, now: float) -> None:
        cluster.armed_failure = reason

    message = state_machine.FAILURE_MESSAGES[reason]
    cause = message.removeprefix("The migration has stopped due to ").partition(".")[0]
    return Scenario(f"The first migration fails because of {cause}.", arm_failure)


def _unmatched_nodes(world: World, cluster: SimCluster, now: float) -> None:
    for node in _first_nodes(cluster, 2):
        node.labels["gpu"] = "true"


def _stand_alone_pods(world: World, cluster: SimCluster, now: float) -> None:
    for number, node in enumerate(_first_nodes(cluster, 3), start=1):
        node.pods.append(SimPod(id=world.new_id("", 32), name=f"debug-{number}", namespace="tools", controller=None))


def _blocking_pdb(world: World, cluster: SimCluster, now: float) -> None:
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
    cluster.stalls = True


def _dead_controller(world: World, cluster: SimCluster, now: float) -> None:
    cluster.heartbeat.status = "INACTIVE"
    cluster.heartbeat.frozen_at = now - 3600


def _never_heartbeat(world: World, cluster: SimCluster, now: float) -> None:
    cluster.heartbeat.status = None
    cluster.deployments = deployments.set_controller(cluster.deployments, installed=False)


def _busy_cluster(world: World, cluster: SimCluster, now: float) -> None:
    state_machine.start_migration(
        world,
        cluster,
        now,
        [node.instance_id for node in _find_nodes(cluster, "api")] or [next(iter(cluster.nodes))],
        terminate=False,
        evict=True,
        force=True,
        batch_size_percentage=50,
        foreign=True,
    )


def _refilling_asg(world: World, cluster: SimCluster, now: float) -> None:
    cluster.refilling = sorted({node.asg_name for node in cluster.nodes.values() if node.asg_name})


def _kubernetes_trouble(world: World, cluster: SimCluster, now: float) -> None:
    web = _find_nodes(cluster, "web")
    _add_ledger(world, cluster, web[:2], len(web[:2]))
    pinned = {"eks.amazonaws.com/nodegroup": "web"}
    unsafe = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}

    def create_pod(name: str, namespace: str, **fields: Any) -> SimPod:
        return SimPod(id=world.new_id("", 32), name=name, namespace=namespace, **fields)

    web[0].pods.append(create_pod("debug", "tools", controller=None))
    # No Ocean node has the label of an EKS node group: this pod finds no new node.
    images = create_pod("images-0", "shop", labels={"app": "images"}, node_selector=pinned, unschedulable=True)
    web[-1].pods.append(images)
    web[-1].pods.append(create_pod("import-0", "shop", labels={"app": "import"}, annotations=unsafe))
    forecast = create_pod("forecast-0", "shop", labels={"app": "forecast"}, requests={"cpu": "64", "memory": "256Gi"})
    cluster.pending.append(PendingPod(pod=forecast, since=now))


def _old_controller(world: World, cluster: SimCluster, now: float) -> None:
    others = deployments.set_controller(cluster.deployments, installed=False)
    cluster.deployments = [deployments.build_controller_v1("1.0.44"), *others]


def _autoscaler_on(world: World, cluster: SimCluster, now: float) -> None:
    others = [deployment for deployment in cluster.deployments if deployment.name != "cluster-autoscaler"]
    active = [deployments.build_cluster_autoscaler(1), deployments.build_karpenter()]
    cluster.deployments = [*others, *active]


SCENARIOS = {
    "success": Scenario("Every migration finishes.", _change_nothing),
    **{f"failure-{reason}": _build_failure(reason) for reason in state_machine.FAILURE_MESSAGES},
    "unmatched-nodes": Scenario(
        "Two nodes have a label that no Virtual Node Group has; a migration of one of them fails.",
        _unmatched_nodes,
    ),
    "stand-alone-pods": Scenario(
        "Three nodes have a standalone pod, which stays unless the migration evicts standalone pods.",
        _stand_alone_pods,
    ),
    "blocking-pdb": Scenario(
        "A PodDisruptionBudget allows no disruption; only force evicts its pods, after the draining timeout.",
        _blocking_pdb,
    ),
    "stall": Scenario("Every migration stalls in its second batch until it is stopped.", _stall),
    "dead-controller": Scenario(
        "The controller has not reported for an hour; a migration fails because of connectivity issues.",
        _dead_controller,
    ),
    "never-heartbeat": Scenario("No controller was ever installed.", _never_heartbeat),
    "busy-cluster": Scenario(
        "Another user's migration of the nodes of the Auto Scaling Group api is running.",
        _busy_cluster,
    ),
    "refilling-asg": Scenario("Every Auto Scaling Group replaces a terminated node after a minute.", _refilling_asg),
    "kubernetes-trouble": Scenario(
        "Pods that only Kubernetes shows: blocked, standalone, pinned to a node group, not safe to evict, pending.",
        _kubernetes_trouble,
    ),
    "old-controller": Scenario(
        "The only controller is version 1.0.44, which is too old for a migration.",
        _old_controller,
    ),
    "autoscaler-on": Scenario("The Cluster Autoscaler and Karpenter are active.", _autoscaler_on),
    "large": Scenario("The cluster has 10,000 nodes instead of 16.", _change_nothing),
}
"""Every scenario by name."""


def build_world(name: str, *, seed: int, nodes: int | None, now: float) -> World:
    """Create the world of a scenario.

    Args:
        name: The name of the scenario.
        seed: The seed from which all ids and tokens follow.
        nodes: The number of old nodes; None for 16, and for 10,000 in the scenario ``large``.
        now: The simulated time in epoch seconds.

    Raises:
        ValueError: The scenario is unknown, or the number of nodes is below 1.
    """
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}: one of {', '.join(SCENARIOS)}")
    count = nodes if nodes is not None else (LARGE_NODES if name == "large" else DEFAULT_NODES)
    if count < 1:
        raise ValueError("nodes must be at least 1")
    world = seeding.create_world(seed)
    world.scenario = name
    cluster = seeding.add_cluster(world, now, nodes=count)
    SCENARIOS[name].apply(world, cluster, now)
    return world
