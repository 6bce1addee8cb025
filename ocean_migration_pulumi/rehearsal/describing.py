"""The cluster as it is, as the simulator takes it: asked for with GETs only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ocean_migration_pulumi.api.clusters import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models import Candidate, Heartbeat
from ocean_migration_pulumi.api.scope import Scope
from ocean_migration_pulumi.api.times import parse_time
from ocean_migration_pulumi.migration import fitting
from ocean_migration_pulumi.migration.demands import Demands
from ocean_migration_pulumi.migration.evicting import is_orphan
from ocean_migration_pulumi.migration.labels import selects
from ocean_migration_pulumi.migration.plan import some
from ocean_migration_pulumi.migration.prerequisites import is_alive, is_pending
from ocean_migration_pulumi.migration.service import OceanApi
from ocean_migration_pulumi.migration.sources import Sources, ask_kubernetes
from ocean_migration_pulumi.migration.workloads import (
    BUDGETS,
    NODES,
    PODS,
    Budget,
    Gap,
    KubernetesNode,
    Pod,
    Resources,
    Workloads,
)

_STATIC: Final = "Node"
"""What the simulator calls the controller of a static pod."""

# What is configured beside these may hold what is not for everybody, such as user data, and decides nothing.
_OF_CLUSTER: Final = ("name", "controllerClusterId", "region", "autoScaler", "capacity", "strategy", "scheduling")
_WITHOUT_PODS: Final = (
    "nothing is known of pods but their number: each is taken to have a controller, to fit, and to be held by no "
    "PodDisruptionBudget"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A cluster as the simulator's ``given`` takes it, and what of it is not known."""

    world: dict[str, Any]
    notes: tuple[str, ...] = ()


def describe(api: OceanApi, scope: Scope, sources: Sources, ocean_id: str) -> Described:
    """Ask for everything that a rehearsal needs of a cluster: six GETs, and what Kubernetes tells.

    Raises an error of the API, or a WaitEndedError. What Kubernetes does not tell is noted.
    """
    service = api.within(scope)
    cluster = service.get_cluster(ocean_id)
    groups = service.list_virtual_node_groups(ocean_id)
    offered = service.discover(ocean_id, fetch_pods=True)
    ocean_nodes = service.list_nodes(ocean_id)
    heartbeat = service.get_heartbeat(ocean_id)
    running = [each.id for each in service.list_migrations(ocean_id) if not each.is_terminal]
    around = ask_kubernetes(
        sources, scope, offered=(candidate.instance_id for candidate in offered), ocean_nodes=ocean_nodes
    )
    unasked = Workloads(gaps=dict.fromkeys((NODES, PODS, BUDGETS), Gap(reason=around.absent)))
    seen = _Seen(
        cluster=cluster,
        groups={group.id: group for group in groups},
        offered=offered,
        ocean_nodes=ocean_nodes,
        workloads=unasked if around.workloads is None else around.workloads,
    )
    world: dict[str, Any] = {
        "format": 1,
        "account": service.account_id,
        "cluster": {"id": cluster.id} | {name: cluster.raw[name] for name in _OF_CLUSTER if name in cluster.raw},
        "groups": [_group(group) for group in groups],
        "heartbeat": _heartbeat(heartbeat, service.server_now()),
        "nodes": [*map(seen.candidate, offered), *map(seen.ocean_node, ocean_nodes)],
        "pending": seen.pending(),
        "budgets": seen.budgets(),
    }
    notes = [f"{around.absent}; {_WITHOUT_PODS}"] if around.workloads is None else list(seen.notes())
    if running:
        notes.append(f"{some(running)} still runs on the cluster: the rehearsal begins as if it had ended")
    return Described(world=world, notes=tuple(notes))


def _group(group: VirtualNodeGroup) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": group.id,
        "name": group.name,
        "labels": [{"key": key, "value": value} for key, value in group.labels],
        "taints": [{"key": key, "value": value, "effect": effect} for key, value, effect in group.taints],
    }
    if group.spot_percentage is not None:
        known["strategy"] = {"spotPercentage": group.spot_percentage}
    if group.maximum_instance_count is not None:
        known["resourceLimits"] = {"maxInstanceCount": group.maximum_instance_count}
    return known


def _heartbeat(heartbeat: Heartbeat, now: datetime) -> dict[str, Any]:
    last = parse_time(heartbeat.last_heartbeat)
    if last is None:
        return {"status": None}
    age = 0.0 if is_alive(heartbeat, now) else max(0.0, (now - last).total_seconds())
    return {"status": heartbeat.status or "UNKNOWN", "age_seconds": age}


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What was seen of one cluster, and its form for the simulator."""

    cluster: Cluster
    groups: Mapping[str, VirtualNodeGroup]
    offered: Sequence[Candidate]
    ocean_nodes: Sequence[ClusterNode]
    workloads: Workloads
    _homeless: dict[Demands, bool] = field(init=False, default_factory=dict)
    _pods: dict[str, list[Pod]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for pod in self.workloads.pods:
            self._pods.setdefault(pod.node_name, []).append(pod)

    def candidate(self, candidate: Candidate) -> dict[str, Any]:
        """Return a node that can be migrated."""
        known = self.workloads.nodes.get(candidate.instance_id)
        name = known.name if known else candidate.node_name
        return {
            "instance_id": candidate.instance_id,
            "node_name": name,
            "asg_name": candidate.asg_name,
            # Empty is no match; absent would let the simulator look for one.
            "told_match": candidate.virtual_node_group_id or "",
            "pods": self._pods_of(name) if self.workloads.knows(PODS) else max(0, candidate.running_pods or 0),
            **_of_kubernetes(known),
        }

    def ocean_node(self, node: ClusterNode) -> dict[str, Any]:
        """Return a node that Ocean runs already."""
        known = self.workloads.nodes.get(node.instance_id)
        name = known.name if known else node.node_name
        return {
            "instance_id": node.instance_id,
            "node_name": name,
            "ocean_managed": True,
            "virtual_node_group_id": node.virtual_node_group_id,
            "instance_type": node.instance_type or None,
            "zone": node.availability_zone or None,
            "pods": self._pods_of(name) if self.workloads.knows(PODS) else 0,
            **_of_kubernetes(known),
        }

    def _pods_of(self, node_name: str) -> list[dict[str, Any]]:
        return [self._pod(pod) for pod in self._pods.get(node_name, ()) if not pod.deleting]

    def pending(self) -> list[dict[str, Any]]:
        """Return the pods that wait for a node today."""
        known = self.workloads.knows(PODS)
        return [self._pod(pod) for pod in self._pods.get("", ()) if known and is_pending(pod)]

    def _pod(self, pod: Pod) -> dict[str, Any]:
        alone = pod.controller is None or is_orphan(pod, self.workloads)
        kind = None if pod.controller is None or alone else pod.controller.kind
        return {
            # The service names unscheduled pods by their ids: this way they can be told apart by name.
            "id": pod.full_name,
            "name": pod.name,
            "namespace": pod.namespace,
            "controller": _STATIC if pod.mirror else kind,
            "labels": dict(pod.labels),
            "phase": pod.phase,
            "ready": pod.ready,
            "unschedulable": not alone and self._is_homeless(pod),
            "requests": _requests(pod.requests),
        }

    def _is_homeless(self, pod: Pod) -> bool:
        """Tell whether a pod fits no Virtual Node Group for certain."""
        demands = Demands.of(pod, self.workloads)
        if demands not in self._homeless:
            fit = fitting.judge(
                [pod], (), self.workloads, cluster=self.cluster, groups=self.groups, ocean_nodes=self.ocean_nodes
            )
            self._homeless[demands] = fit.homeless > 0
        return self._homeless[demands]

    def budgets(self) -> list[dict[str, Any]]:
        """Return the PodDisruptionBudgets that hold pods."""
        if not self.workloads.knows(BUDGETS, PODS):
            return []
        return [self._budget(budget) for budget in self.workloads.budgets if budget.selector is not None]

    def _budget(self, budget: Budget) -> dict[str, Any]:
        here = sum(
            pod.namespace == budget.namespace
            and pod.phase == "Running"
            and pod.ready
            and selects(budget.selector, pod.labels)
            for pods in map(self._pods.get, self._node_names())
            for pod in pods or ()
        )
        # Healthy pods on nodes that are neither offered nor Ocean's stay where they are.
        elsewhere = max(0, budget.current_healthy - here)
        return {
            "name": budget.full_name,
            "minimum": max(0, budget.desired_healthy - elsewhere),
            "selector": {
                "matchExpressions": [
                    {"key": part.key, "operator": part.operator, "values": list(part.values)}
                    if part.values
                    else {"key": part.key, "operator": part.operator}
                    for part in budget.selector or ()
                ]
            },
        }

    def _node_names(self) -> Iterable[str]:
        told = {node.instance_id: node.node_name for node in self.offered}
        told |= {node.instance_id: node.node_name for node in self.ocean_nodes}
        for instance_id, name in told.items():
            known = self.workloads.nodes.get(instance_id)
            yield known.name if known else name

    def notes(self) -> Iterable[str]:
        """Tell what Kubernetes did not tell."""
        for resource, gap in self.workloads.gaps.items():
            without = {
                PODS: f"; {_WITHOUT_PODS}",
                BUDGETS: "; no pod is taken to be held by a PodDisruptionBudget",
            }.get(resource, "")
            yield f"{resource} could not be read: {gap.reason}{without}"


def _of_kubernetes(node: KubernetesNode | None) -> dict[str, Any]:
    if node is None:
        return {}
    return {
        "labels": dict(node.labels),
        "taints": [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in node.taints],
        "cordoned": node.cordoned,
    }


def _requests(resources: Resources) -> dict[str, str]:
    found = {"cpu": f"{resources.milli_cpu}m", "memory": f"{resources.memory_mib}Mi"}
    return found | ({"nvidia.com/gpu": str(resources.gpu)} if resources.gpu else {})
