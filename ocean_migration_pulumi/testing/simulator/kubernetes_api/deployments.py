"""The Deployments that a cluster has beside those of its pods: Ocean's controller, and autoscalers."""

from __future__ import annotations

from dataclasses import dataclass, field

_V2 = "ocean-kubernetes-controller"
_V1 = "spotinst-kubernetes-cluster-controller"
_ABOUT_THE_RELEASE = ("app.kubernetes.io/version", "helm.sh/chart")


@dataclass(kw_only=True, eq=False)
class SimDeployment:
    """A Deployment whose pods nobody has to move, so that they are not part of the world."""

    name: str
    namespace: str
    labels: dict[str, str] = field(default_factory=dict)
    image: str = ""
    replicas: int = 1

    @property
    def pod_labels(self) -> dict[str, str]:
        """The labels of its pods: charts keep version and chart to the Deployment itself."""
        return {key: value for key, value in self.labels.items() if key not in _ABOUT_THE_RELEASE}

    @property
    def is_controller(self) -> bool:
        """Whether it is Ocean's controller, of either version."""
        return self.labels.get("app.kubernetes.io/name") == _V2 or self.labels.get("k8s-app") == _V1


def controller_v2(version: str = "2.3.0") -> SimDeployment:
    """Return Ocean's controller as its present chart installs it."""
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


def controller_v1(version: str) -> SimDeployment:
    """Return the older controller as its manifest installs it."""
    return SimDeployment(
        name=_V1,
        namespace="kube-system",
        labels={"k8s-app": _V1},
        image=f"gcr.io/spotinst-artifacts/kubernetes-cluster-controller:{version}",
    )


def cluster_autoscaler(replicas: int) -> SimDeployment:
    """Return the Cluster Autoscaler as its example manifest installs it; 0 replicas is switched off."""
    return SimDeployment(
        name="cluster-autoscaler",
        namespace="kube-system",
        labels={"app": "cluster-autoscaler"},
        image="registry.k8s.io/autoscaling/cluster-autoscaler:v1.30.2",
        replicas=replicas,
    )


def karpenter() -> SimDeployment:
    """Return Karpenter as its chart installs it."""
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


def usual(*, installed: bool) -> list[SimDeployment]:
    """Return what a cluster has whose Cluster Autoscaler is switched off, with Ocean's controller or without."""
    return with_controller([cluster_autoscaler(0)], installed=installed)


def with_controller(deployments: list[SimDeployment], *, installed: bool) -> list[SimDeployment]:
    """Return the Deployments with a controller among them, or without any."""
    if not installed:
        return [deployment for deployment in deployments if not deployment.is_controller]
    has_one = any(deployment.is_controller for deployment in deployments)
    return deployments if has_one else [controller_v2(), *deployments]
