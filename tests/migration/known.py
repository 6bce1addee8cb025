"""A Kubernetes that says what a test tells it: the real one is read, and tried, in the tests of ``kubernetes/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InputError, KubernetesError
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    Budget,
    Deployment,
    EvictionTrial,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
)
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadPod, WorkloadSnapshot

CONTROLLER = Deployment(
    namespace="spot-system",
    name="ocean-controller-ocean-kubernetes-controller",
    labels={"app.kubernetes.io/name": "ocean-kubernetes-controller", "app.kubernetes.io/version": "2.3.0"},
    replicas=2,
    ready_replicas=2,
)
"""The Ocean Controller as it should be."""


@dataclass
class KnownKubernetes:
    """Answers with what it was given; ``tried`` are the pods whose eviction was tried.

    A label selector that is not in ``taken`` cannot be asked for, and ``bad`` ones cannot be read.
    """

    kube: KubernetesSnapshot
    taken: Mapping[str, Iterable[str]] = field(default_factory=dict)
    bad: frozenset[str] = frozenset()
    trials: Mapping[str, EvictionTrial] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    reads: int = 0
    workload_pods: Iterable[WorkloadPod] = ()

    def read_snapshot(self, scope: CancelScope, *, fresh: bool = False) -> KubernetesSnapshot:
        """Return what was given."""
        self.reads += 1
        return self.kube

    def nodes_with(self, scope: CancelScope, label_selector: str) -> frozenset[str]:
        """Return what was given for a selector; all nodes for the empty one."""
        if label_selector in self.bad:
            raise InputError("nodes.label_selector", f"{label_selector!r} cannot be read")
        if not label_selector:
            return frozenset(self.kube.nodes)
        if label_selector not in self.taken:
            msg = "Kubernetes is not there"
            raise KubernetesError(msg)
        return frozenset(self.taken[label_selector])

    def read_workloads(
        self, scope: CancelScope, now: datetime, namespaces: object, known: object = ()
    ) -> WorkloadSnapshot:
        """Return what was given of workloads, with the nodes of the cluster."""
        instances = {node.name: instance_id for instance_id, node in self.kube.nodes.items()}
        return WorkloadSnapshot(at=now, pods=tuple(self.workload_pods), instances=instances)

    def try_eviction(self, scope: CancelScope, pod: Pod) -> EvictionTrial:
        """Return what was given for a pod."""
        self.tried.append(pod.full_name)
        return self.trials.get(pod.full_name, EvictionTrial(allowed=None))

    def sources(self, *, explicit: bool = False) -> DataSources:
        """Return it as the access of a resource."""
        return DataSources(kubernetes=self, explicit=explicit, name="KUBECONFIG")


def workloads_of(instance_ids: Iterable[str], *pods: Pod, budgets: tuple[Budget, ...] = ()) -> KubernetesSnapshot:
    """Return a cluster of these nodes, where the controller runs and nothing else starts nodes."""
    nodes = {name: KubernetesNode(name=f"node-{name}", instance_id=name) for name in instance_ids}
    return KubernetesSnapshot(nodes=nodes, pods=pods, budgets=budgets, deployments=(CONTROLLER,))


def pod_on(instance_id: str, name: str, *, alone: bool = False, **labels: str) -> Pod:
    """Return a pod of ``shop`` on a node, of a ReplicaSet or ``alone``."""
    owner = None if alone else Owner(kind="ReplicaSet", name="rs")
    return Pod(namespace="shop", name=name, node_name=f"node-{instance_id}", controller=owner, labels=labels)


def budget_of(name: str, allowed: int = 0) -> Budget:
    """Return the budget of the pods labelled ``app=name``: three healthy ones, all of which it needs."""
    return Budget(
        namespace="shop",
        name=name,
        selector=(Requirement(key="app", values=(name,)),),
        disruptions_allowed=allowed,
        current_healthy=3,
        desired_healthy=3,
        expected_pods=4,
    )
