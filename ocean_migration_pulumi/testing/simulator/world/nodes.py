"""Launches, terminates and replaces nodes."""

from __future__ import annotations

from ocean_migration_pulumi.testing.simulator.world.placement import Scheduler, match_vng
from ocean_migration_pulumi.testing.simulator.world.pods import PendingPod
from ocean_migration_pulumi.testing.simulator.world.world import Refill, SimCluster, SimNode, Termination, World

REFILL_SECONDS = 60.0
"""Simulated seconds until an Auto Scaling Group has replaced a terminated node."""


def launch_ocean_node(
    world: World, cluster: SimCluster, now: float, vng_id: str | None, instance_type: str = "m5.large", zone: str = ""
) -> SimNode:
    """Launch an Ocean node; ``vng_id`` None uses the first VNG, or the cluster's template where there is none."""
    vng_id = vng_id or next(iter(cluster.groups), None)
    vng = cluster.groups.get(vng_id or "", {})
    labels = {label["key"]: label.get("value", "") for label in vng.get("labels") or []}
    node = SimNode(
        instance_id=world.new_id("i-", 17),
        node_name=world.new_node_name(),
        labels={**labels, "spotinst.io/node-lifecycle": "spot"},
        taints=[dict(taint) for taint in vng.get("taints") or []],
        ocean_managed=True,
        virtual_node_group_id=vng_id,
        instance_type=instance_type,
        zone=zone or f"{cluster.body['region']}a",
        created_at=now,
    )
    cluster.nodes[node.instance_id] = node
    cluster.write_log(now, "INFO", f"Instance {node.instance_id} was launched.", node.instance_id)
    return node


def schedule_termination(
    world: World, cluster: SimCluster, node: SimNode, now: float, *, notice_seconds: float, replaced: bool
) -> None:
    """Let AWS terminate a node, which is cordoned as soon as there is notice."""
    termination = Termination(due_at=now + notice_seconds, instance_id=node.instance_id, replaced=replaced)
    node.cordoned = True
    if notice_seconds > 0:
        cluster.terminations.append(termination)
    else:
        _terminate_with_pods(world, cluster, node, now, replaced=replaced)


def carry_out_termination(world: World, cluster: SimCluster, termination: Termination, now: float) -> None:
    """Terminate a node whose notice is over, unless it is gone by then."""
    cluster.terminations.remove(termination)
    for node in cluster.existing_nodes([termination.instance_id]):
        _terminate_with_pods(world, cluster, node, now, replaced=termination.replaced)


def _terminate_with_pods(world: World, cluster: SimCluster, node: SimNode, now: float, *, replaced: bool) -> None:
    """Terminate a node; controllers recreate its pods on other nodes, and Ocean launches one if there is no room."""
    pods, node.pods = [pod for pod in node.workload if pod.controller is not None], []
    terminate_node(cluster, node, now, replaced=replaced)
    scheduler = Scheduler(cluster)
    for pod in pods:
        pod.created_at = now
        target = scheduler.find_node(pod)
        if target is None and not pod.unschedulable:
            vng_id = match_vng(cluster, node)
            vng_id = None if vng_id == "Default" else vng_id
            launch_ocean_node(world, cluster, now, vng_id, node.instance_type, node.zone)
            scheduler = Scheduler(cluster)
            target = scheduler.find_node(pod)
        if target is None:
            cluster.pending.append(PendingPod(pod=pod, since=now))
        else:
            cluster.start_pod(pod, target, now)


def terminate_node(cluster: SimCluster, node: SimNode, now: float, *, replaced: bool = True) -> None:
    """Terminate a node, and schedule its replacement where its Auto Scaling Group replaces nodes."""
    node.terminated, node.terminated_at = True, now
    cluster.write_log(now, "INFO", f"Instance {node.instance_id} was terminated.", node.instance_id)
    if replaced and node.asg_name is not None and node.asg_name in cluster.refilling:
        cluster.refills.append(
            Refill(
                due_at=now + REFILL_SECONDS,
                asg_name=node.asg_name,
                labels=node.labels,
                taints=node.taints,
                instance_type=node.instance_type,
                zone=node.zone,
            )
        )


def launch_replacement(world: World, cluster: SimCluster, now: float) -> None:
    """Launch the replacement that is due first."""
    refill = min(cluster.refills, key=lambda candidate: candidate.due_at)
    cluster.refills.remove(refill)
    instance_id = world.new_id("i-", 17)
    cluster.nodes[instance_id] = SimNode(
        instance_id=instance_id,
        node_name=world.new_node_name(),
        asg_name=refill.asg_name,
        labels=dict(refill.labels),
        taints=[dict(taint) for taint in refill.taints],
        instance_type=refill.instance_type,
        zone=refill.zone,
        created_at=now,
    )
