"""The control verbs of nodes, pods and PodDisruptionBudgets."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.control.base import ControlBase
from ocean_migration_pulumi.testing.simulator.kubernetes_api import selectors
from ocean_migration_pulumi.testing.simulator.world import instance_types, nodes, seeding
from ocean_migration_pulumi.testing.simulator.world.pods import PHASES, PendingPod, SimPod


class NodeControls(ControlBase):
    """The control verbs of nodes, pods and PodDisruptionBudgets."""

    def nodes(self, *, ocean_id: str) -> list[dict[str, Any]]:
        """Return every node of a cluster, Ocean nodes and terminated ones included."""
        return [vars(node) for node in self._find_cluster(ocean_id).nodes.values()]

    def add_node(
        self,
        *,
        ocean_id: str,
        asg_name: str | None,
        labels: dict[str, str] | None = None,
        taints: list[dict[str, str]] | None = None,
        pods: int | None = None,
        instance_id: str | None = None,
        ocean_managed: bool = False,
    ) -> dict[str, Any]:
        """Add a node; labels and taints default to those of its Auto Scaling Group, ``pods`` to 6."""
        cluster = self._find_cluster(ocean_id)
        if instance_id in cluster.nodes:
            raise ValueError(f"{instance_id} exists already")
        node = seeding.add_node(
            self._world,
            cluster,
            self._now,
            asg_name=asg_name,
            labels=labels,
            taints=taints,
            pods=6 if pods is None else pods,
            instance_id=instance_id,
        )
        node.ocean_managed = ocean_managed
        return vars(node)

    def remove_node(self, *, ocean_id: str, instance_id: str) -> None:
        """Remove a node with all its pods."""
        del self._find_cluster(ocean_id).nodes[instance_id]

    def terminate_node(
        self, *, ocean_id: str, instance_id: str, notice_seconds: float = 0, replaced: bool = True
    ) -> None:
        """Let AWS terminate a node; controllers recreate its pods on other nodes."""
        cluster = self._find_cluster(ocean_id)
        node = cluster.nodes[instance_id]
        if node.terminated:
            raise ValueError(f"{instance_id} is terminated")
        if notice_seconds < 0:
            raise ValueError("notice_seconds must not be negative")
        nodes.schedule_termination(
            self._world, cluster, node, self._now, notice_seconds=notice_seconds, replaced=replaced
        )

    def set_node(
        self,
        *,
        ocean_id: str,
        instance_id: str,
        labels: dict[str, str | None] | None = None,
        cordoned: bool | None = None,
        taints: list[dict[str, str]] | None = None,
        instance_type: str | None = None,
    ) -> dict[str, Any]:
        """Change a node's labels (None removes one), whether it is cordoned, all its taints, or its instance type."""
        node = self._find_cluster(ocean_id).nodes[instance_id]
        if instance_type is not None:
            node.instance_type = instance_type
            labels = {"node.kubernetes.io/instance-type": instance_type, **(labels or {})}
        for key, value in (labels or {}).items():
            node.labels.pop(key, None)
            if value is not None:
                node.labels[key] = value
        node.cordoned = node.cordoned if cordoned is None else cordoned
        node.taints = node.taints if taints is None else [dict(taint) for taint in taints]
        return vars(node)

    def add_pod(
        self,
        *,
        ocean_id: str,
        instance_id: str | None,
        name: str,
        namespace: str | None = None,
        labels: dict[str, str] | None = None,
        budget: str | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Add a pod to a node, or a pending pod.

        ``fields`` are the other fields of ``SimPod``. The namespace defaults to that of the budget, and the labels to
        those that the budget selects by.
        """
        cluster = self._find_cluster(ocean_id)
        default_namespace = "default" if budget is None else _parse_namespace(budget)
        if budget is not None and namespace not in (None, default_namespace):
            raise ValueError(f"the budget {budget} selects no pods of the namespace {namespace}")
        selected_labels = cluster.selectors.get(budget or "", {}).get("matchLabels") or {}
        pod = SimPod(
            id=self._world.new_id("", 32),
            name=name,
            namespace=namespace or default_namespace,
            labels={**selected_labels, **(labels or {})},
            budget=budget,
            **fields,
        )
        if pod.phase not in PHASES:
            raise ValueError(f"unknown phase {pod.phase!r}: one of {', '.join(PHASES)}")
        instance_types.sum_requests([pod])
        if instance_id is None:
            cluster.pending.append(PendingPod(pod=pod, since=self._now))
        else:
            node = cluster.nodes[instance_id]
            node.pods.append(pod)
            node.drained, node.drained_at = False, None
        return vars(pod)

    def remove_pod(self, *, ocean_id: str, name: str, instance_id: str | None = None) -> None:
        """Remove a pod by name from a node, or a pending pod."""
        cluster = self._find_cluster(ocean_id)
        if instance_id is None:
            pods = [pending.pod for pending in cluster.pending]
            cluster.pending = [pending for pending in cluster.pending if pending.pod.name != name]
        else:
            node = cluster.nodes[instance_id]
            pods = list(node.pods)
            node.pods = [pod for pod in node.pods if pod.name != name]
        if not any(pod.name == name for pod in pods):
            raise KeyError(name)

    def budget(self, *, ocean_id: str, name: str, minimum: int, selector: dict[str, Any] | None = None) -> None:
        """Set the minimum of healthy pods of a PodDisruptionBudget, and its ``LabelSelector``.

        A new budget without a selector selects the pods that were added with its name.
        """
        cluster = self._find_cluster(ocean_id)
        _parse_namespace(name)
        if selector is not None:
            selectors.parse_label_selector(selector)
            cluster.selectors[name] = selector
        cluster.budgets[name] = minimum

    def refill(self, *, ocean_id: str, asg_name: str, refills: bool = True) -> None:
        """Let an Auto Scaling Group replace terminated nodes, or not."""
        cluster = self._find_cluster(ocean_id)
        others = [name for name in cluster.refilling if name != asg_name]
        cluster.refilling = [*others, asg_name] if refills else others


def _parse_namespace(budget: str) -> str:
    namespace, slash, name = budget.partition("/")
    if not (namespace and slash and name):
        raise ValueError(f"a budget is named namespace/name, not {budget!r}")
    return namespace
