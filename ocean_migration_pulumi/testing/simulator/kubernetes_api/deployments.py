"""Deployments whose pods are not simulated: Ocean's controller, Cluster Autoscaler and Karpenter."""

from __future__ import annotations

from dataclasses import dataclass, field

_V2 = "ocean-kubernetes-controller"
_V1 = "spotinst-kubernetes-cluster-controller"
_RELEASE_LABELS = ("app.kubernetes.io/version", "helm.sh/chart")


@dataclass(kw_only=True, eq=False)
class SimDeployment:
    """A Deployment whose pods are not simulated."""

    name: str
    """Its name."""
    namespace: str
    """Its namespace."""
    labels: dict[str, str] = field(default_factory=dict)
    """Its labels."""
    image: str = ""
    """The image of its container."""
    replicas: int = 1
    """The desired number of pods."""

    @property
    def pod_labels(self) -> dict[str, str]:
        """The labels of its pods: charts put version and chart name on the Deployment only."""
        return {key: value for key, value in self.labels.items() if key not in _RELEASE_LABELS}

    @property
    def is_controller(self) -> bool:
        """Whether it is Ocean's controller, version 1 or 2."""
        return self.labels.get("app.kubernetes.io/name") == _V2 or self.labels.get("k8s-app") == _V1


def build_controller_v2(version: str = "2.3.0") -> SimDeployment:
    """Return version 2 of Ocean's controller, as its Helm chart installs it."""
    return SimDeployment(
        name=f"ocean-controller-{_V2}",
        namespace="spot-system",
        labels={
            "app.kubernetes.io/name": _V2,
            "app.kubernetes.io/instance": "ocean-controller",
            "app.kubernetes.io/version": version,
            "app.kubernetes.io/managed-by": "Helm",
            "helm.sh/chart": f"{_V2}-0.1.74",
        },
        image=f"us-docker.pkg.dev/spotit-today/container-labs/spotinst-kubernetes-controller:v{version}",
        replicas=2,
    )


def build_controller_v1(version: str) -> SimDeployment:
    """Return version 1 of Ocean's controller, as its manifest installs it."""
    return SimDeployment(
        name=_V1,
        namespace="kube-system",
        labels={"k8s-app": _V1},
        image=f"gcr.io/spotinst-artifacts/kubernetes-cluster-controller:{version}",
    )


def build_cluster_autoscaler(replicas: int) -> SimDeployment:
    """Return the Cluster Autoscaler, as its example manifest installs it; 0 replicas disable it."""
    return SimDeployment(
        name="cluster-autoscaler",
        namespace="kube-system",
        labels={"app": "cluster-autoscaler"},
        image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.30.2",
        replicas=replicas,
    )


def build_karpenter() -> SimDeployment:
    """Return Karpenter, as its Helm chart installs it."""
    return SimDeployment(
        name="karpenter",
        namespace="karpenter",
        labels={
            "app.kubernetes.io/name": "karpenter",
            "app.kubernetes.io/instance": "karpenter",
            "app.kubernetes.io/version": "1.0.6",
        },
        image="public.ecr.aws/karpenter/controller:1.0.6",
        replicas=2,
    )


def build_default_deployments(*, installed: bool) -> list[SimDeployment]:
    """Return the default Deployments: a disabled Cluster Autoscaler, and Ocean's controller where it is installed."""
    return set_controller([build_cluster_autoscaler(0)], installed=installed)


def set_controller(deployments: list[SimDeployment], *, installed: bool) -> list[SimDeployment]:
    """Return the Deployments with Ocean's controller added or removed."""
    if not installed:
        return [deployment for deployment in deployments if not deployment.is_controller]
    present = any(deployment.is_controller for deployment in deployments)
    return deployments if present else [build_controller_v2(), *deployments]
