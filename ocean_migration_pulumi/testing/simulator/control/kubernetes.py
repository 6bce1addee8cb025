"""The control verbs of Kubernetes: access, Deployments, mapped roles, and what happens to pods."""

from __future__ import annotations

from ocean_migration_pulumi.testing.simulator.control.base import ControlBase
from ocean_migration_pulumi.testing.simulator.kubernetes_api import access
from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.kubernetes_api.routes import FORBIDDABLE
from ocean_migration_pulumi.testing.simulator.world.pods import TROUBLES, SimPod, SimTrouble, get_application
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode


class KubernetesControls(ControlBase):
    """The control verbs of Kubernetes."""

    def kubeconfig(self, *, ocean_id: str | None = None, identity: str = "preview") -> str:
        """Return a kubeconfig for a cluster, None for the first one."""
        return access.build_kubeconfig(self._world, self._simulation.url, ocean_id, identity)

    def forbid_kubernetes(self, *, ocean_id: str, resource: str, forbidden: bool = True) -> None:
        """Forbid a resource to every identity, or restore their rights."""
        if resource not in FORBIDDABLE:
            raise ValueError(f"unknown resource {resource!r}: one of {', '.join(FORBIDDABLE)}")
        cluster = self._find_cluster(ocean_id)
        others = [other for other in cluster.forbidden_resources if other != resource]
        cluster.forbidden_resources = [*others, resource] if forbidden else others

    def add_deployment(
        self,
        *,
        ocean_id: str,
        name: str,
        namespace: str = "default",
        labels: dict[str, str] | None = None,
        image: str = "",
        replicas: int = 1,
    ) -> None:
        """Add a Deployment without pods, or replace it."""
        cluster = self._find_cluster(ocean_id)
        deployment = SimDeployment(name=name, namespace=namespace, labels=labels or {}, image=image, replicas=replicas)
        cluster.deployments = [*self._other_deployments(cluster, name, namespace), deployment]

    def remove_deployment(self, *, ocean_id: str, name: str, namespace: str = "default") -> None:
        """Remove a Deployment without pods."""
        cluster = self._find_cluster(ocean_id)
        others = self._other_deployments(cluster, name, namespace)
        if len(others) == len(cluster.deployments):
            raise KeyError(f"{namespace}/{name}")
        cluster.deployments = others

    def aws_auth(self, *, ocean_id: str, roles: list[str] | None) -> None:
        """Set the roles that the ConfigMap ``aws-auth`` maps; None removes it."""
        self._find_cluster(ocean_id).mapped_roles = roles

    def trouble(
        self,
        *,
        ocean_id: str,
        kind: str | None,
        namespace: str = "",
        app: str = "",
        name: str = "",
        seconds: float | None = None,
        ocean_only: bool = True,
        running: bool = False,
    ) -> None:
        """Let pods that are started have trouble; ``running`` includes those that run now. No kind ends all trouble."""
        cluster = self._find_cluster(ocean_id)
        if kind is None:
            cluster.troubles = []
            for _, pod in self._running_pods(cluster):
                pod.start(None, self._now)
            return
        if kind not in TROUBLES:
            raise ValueError(f"unknown trouble {kind!r}: one of {', '.join(TROUBLES)}")
        trouble = SimTrouble(kind=kind, namespace=namespace, app=app, name=name, seconds=seconds, ocean_only=ocean_only)
        cluster.troubles = [*cluster.troubles, trouble]
        for node, pod in self._running_pods(cluster):
            if running and pod.is_workload and trouble.concerns(pod, ocean_node=node.ocean_managed):
                pod.start(trouble, self._now)

    def scale(self, *, ocean_id: str, namespace: str, app: str, replicas: int) -> None:
        """Remove pods of an application until so many are left, the newest first; scaled to zero it stays."""
        cluster = self._find_cluster(ocean_id)
        found = [
            (pod.created_at or 0.0, node, pod)
            for node, pod in self._running_pods(cluster)
            if (pod.namespace, get_application(pod)) == (namespace, app)
        ]
        pending = [
            each for each in cluster.pending if (each.pod.namespace, get_application(each.pod)) == (namespace, app)
        ]
        if replicas > len(found) + len(pending):
            raise ValueError(f"{namespace}/{app} has {len(found) + len(pending)} pods")
        surplus = len(found) + len(pending) - replicas
        for each in pending[:surplus]:
            cluster.pending.remove(each)
        for _, node, pod in sorted(found, key=lambda each: -each[0])[: max(0, surplus - len(pending))]:
            node.pods.remove(pod)
        if not replicas:
            self.add_deployment(ocean_id=ocean_id, name=app, namespace=namespace, replicas=0)

    def roll_out(self, *, ocean_id: str, namespace: str, app: str, pods: int | None = None) -> None:
        """Replace pods of a Deployment by those of a new template, where they are; None finishes the rollout."""
        cluster = self._find_cluster(ocean_id)
        members = [
            (node, pod)
            for node, pod in self._running_pods(cluster)
            if (pod.namespace, get_application(pod)) == (namespace, app)
        ]
        name = f"{namespace}/{app}"
        cluster.rolling = [other for other in cluster.rolling if other != name]
        if pods is not None:
            cluster.rolling.append(name)
        latest = max(pod.revision for _, pod in members) + (pods is not None)
        for node, pod in members[:pods]:
            pod.revision, pod.created_at = latest, self._now
            node.pods.remove(pod)
            cluster.start_pod(pod, node, self._now)

    @staticmethod
    def _running_pods(cluster: SimCluster) -> list[tuple[SimNode, SimPod]]:
        return [(node, pod) for node in cluster.nodes.values() if not node.terminated for pod in node.pods]

    @staticmethod
    def _other_deployments(cluster: SimCluster, name: str, namespace: str) -> list[SimDeployment]:
        return [other for other in cluster.deployments if (other.name, other.namespace) != (name, namespace)]
