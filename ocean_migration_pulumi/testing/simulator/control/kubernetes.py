"""What the control API can do to the Kubernetes of a cluster; the names are those of ``SimulatorControl``."""

from __future__ import annotations

from ocean_migration_pulumi.testing.simulator.kubernetes_api import access
from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.kubernetes_api.routes import FORBIDDABLE
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster


class KubernetesControls:
    """One method for each verb, as in ``Controls``."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._world = simulation.world

    def _cluster(self, ocean_id: str) -> SimCluster:
        return self._world.clusters[ocean_id]

    def kubeconfig(self, *, ocean_id: str | None = None, identity: str = "preview") -> str:
        """Return a kubeconfig for a cluster, None: the first one."""
        return access.kubeconfig(self._world, self._simulation.url, ocean_id, identity)

    def forbid_kubernetes(self, *, ocean_id: str, resource: str, forbidden: bool = True) -> None:
        """Keep a resource from everybody, or give it back to those who have the right."""
        if resource not in FORBIDDABLE:
            raise ValueError(f"unknown resource {resource!r}: one of {', '.join(FORBIDDABLE)}")
        cluster = self._cluster(ocean_id)
        kept = [known for known in cluster.forbidden_resources if known != resource]
        cluster.forbidden_resources = [*kept, resource] if forbidden else kept

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
        """Add a Deployment without pods; one of the same name is replaced."""
        cluster = self._cluster(ocean_id)
        added = SimDeployment(name=name, namespace=namespace, labels=labels or {}, image=image, replicas=replicas)
        cluster.deployments = [*self._other_deployments(cluster, name, namespace), added]

    def remove_deployment(self, *, ocean_id: str, name: str, namespace: str = "default") -> None:
        """Remove a Deployment without pods."""
        cluster = self._cluster(ocean_id)
        others = self._other_deployments(cluster, name, namespace)
        if len(others) == len(cluster.deployments):
            raise KeyError(f"{namespace}/{name}")
        cluster.deployments = others

    def aws_auth(self, *, ocean_id: str, roles: list[str] | None) -> None:
        """Set the roles that the ConfigMap ``aws-auth`` maps; None takes it away."""
        self._cluster(ocean_id).mapped_roles = roles

    @staticmethod
    def _other_deployments(cluster: SimCluster, name: str, namespace: str) -> list[SimDeployment]:
        return [one for one in cluster.deployments if (one.name, one.namespace) != (name, namespace)]
