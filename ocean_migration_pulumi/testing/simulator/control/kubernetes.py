"""The control verbs of Kubernetes: access, Deployments and mapped roles."""

from __future__ import annotations

from ocean_migration_pulumi.testing.simulator.control.base import ControlBase
from ocean_migration_pulumi.testing.simulator.kubernetes_api import access
from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.kubernetes_api.routes import FORBIDDABLE
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster


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

    @staticmethod
    def _other_deployments(cluster: SimCluster, name: str, namespace: str) -> list[SimDeployment]:
        return [other for other in cluster.deployments if (other.name, other.namespace) != (name, namespace)]
