"""Workloads: the top controllers of pods, and which of them run work that ends."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DAEMON_SETS, KubernetesSnapshot, Owner, Pod

_NODE: Final = "Node"
_DAEMON_SET: Final = "DaemonSet"
_DEPLOYMENT: Final = "Deployment"
_APPS: Final = "apps"
_TEMPLATE_HASHES: Final = (
    ("pod-template-hash", _DEPLOYMENT, _APPS),
    ("rollouts-pod-template-hash", "Rollout", "argoproj.io"),
)
"""The label that a Deployment, or a Rollout of Argo, gives to its ReplicaSets, whose names end with its value."""

_WORK_KIND: Final = re.compile(r"\w*(?:Job|JobSet|Run|Workflow|Runner|Build|SparkApplication)")
"""Kinds of controllers whose pods do a piece of work and end.

Among them: Job (batch, and batch.volcano.sh), Workflow (argoproj.io), TaskRun and CustomRun (tekton.dev), BuildRun
(shipwright.io), EphemeralRunner and Runner (actions.github.com, actions.summerwind.dev: the pods of a GitHub runner),
Build (build.openshift.io, kpack.io), PyTorchJob, TFJob and MPIJob (kubeflow.org), RayJob (ray.io), JobSet
(jobset.x-k8s.io), SparkApplication (sparkoperator.k8s.io). Each is the controller of its pods by the documentation of
its project. Pods of a CronJob belong to a Job, those of a PipelineRun to a TaskRun.
"""

_WORK_LABELS: Final = (
    ("job.runner.gitlab.com/pod", None, "GitLab job"),
    ("jenkins/label", None, "Jenkins agent"),
    ("actions-runner", None, "GitHub runner"),
    ("runnerset-name", None, "GitHub runner"),
    ("runner-pod", None, "GitHub job"),
    ("kubernetes_executor", None, "Airflow task"),
    ("kubernetes_pod_operator", None, "Airflow task"),
    ("tekton.dev/taskRun", None, "TaskRun"),
    ("created-by-prow", None, "Prow job"),
    ("spark-role", None, "Spark application"),
    ("io.drone", None, "Drone build"),
    ("teamcity-agent", None, "TeamCity agent"),
    ("woodpecker-ci.org/repo-id", None, "Woodpecker step"),
    ("ansible-awx-job-id", None, "AWX job"),
    ("nextflow.io/processName", None, "Nextflow task"),
    ("dask.org/component", None, "Dask cluster"),
    ("hub.jupyter.org/username", None, "Jupyter server"),
    ("type", "flink-native-kubernetes", "Flink job"),
    ("type", "flink-standalone-kubernetes", "Flink job"),
    ("workflows.argoproj.io/workflow", None, "Workflow"),
)
"""Labels (and values where they matter) of pods that do a piece of work, mostly without a controller of their own.

GitLab Runner, Jenkins' Kubernetes plugin, Airflow's KubernetesExecutor and KubernetesPodOperator, the container hooks
of GitHub's runners, Prow, Drone, TeamCity, Woodpecker, AWX, Nextflow and JupyterHub create bare pods. Executors of
Spark belong to the pod of their driver, managers of Flink and workers of Dask to a Deployment of their cluster, pods of
a RunnerSet to a StatefulSet.
"""

_RAY_CLUSTER: Final = "RayCluster"
_RAY_SERVE: Final = "ray.io/serve"
"""The label of those pods of a RayCluster that belong to a RayService."""


def is_daemon_set(owner: Owner | None) -> bool:
    """Tell whether a controller is a DaemonSet of Kubernetes itself, whose pods a drain skips.

    `kubectl drain` compares the group, too: a DaemonSet of another group, such as ``apps.kruise.io``, is a controller
    like any other (kubernetes/kubernetes#128779). So forecasts count its pods among the evicted ones.
    """
    return owner is not None and owner.kind == _DAEMON_SET and owner.group in {None, _APPS}


def runs_on_each_node(owner: Owner | None) -> bool:
    """Tell whether a controller, of whatever API group, starts one pod on each node, such as OpenKruise's DaemonSet.

    Whether Ocean evicts these pods is not documented. It does not matter to what became of a node: their controller
    starts them on a cordoned node again, so waiting until they are gone could last forever, and each new node has its
    own, so nothing is lost with them. Evidence and health leave them out.
    """
    return owner is not None and owner.kind.endswith(_DAEMON_SET)


def is_orphan(pod: Pod, kube: KubernetesSnapshot) -> bool:
    """Tell whether the DaemonSet that made a pod is gone, so that nothing brings it back."""
    owner = pod.controller
    return (
        owner is not None
        and is_daemon_set(owner)
        and kube.knows(DAEMON_SETS)
        and (pod.namespace, owner.name) not in kube.daemon_sets
    )


def is_standalone(pod: Pod, kube: KubernetesSnapshot) -> bool:
    """Tell whether nothing starts a pod again: it has no controller, or its DaemonSet is gone."""
    return pod.controller is None or is_orphan(pod, kube)


def is_work_kind(kind: str) -> bool:
    """Tell whether the pods of a kind of controller do a piece of work and end."""
    return _WORK_KIND.fullmatch(kind) is not None


def describe_work(owner: Owner | None, labels: Mapping[str, str]) -> str:
    """Return what kind of work a pod does that is lost or done again after its eviction; empty for a service.

    Args:
        owner: The controller of the pod.
        labels: The labels of the pod.
    """
    if owner is not None and (is_work_kind(owner.kind) or (owner.kind == _RAY_CLUSTER and _RAY_SERVE not in labels)):
        return owner.kind
    return next((name for label, value, name in _WORK_LABELS if label in labels and value in {None, labels[label]}), "")


def is_service(owner: Owner | None, labels: Mapping[str, str], *, is_mirror: bool) -> bool:
    """Tell whether a pod serves: it does no work that ends, and does not belong to its node.

    The controller of a static pod is its node.

    Args:
        owner: The controller of the pod.
        labels: The labels of the pod.
        is_mirror: Whether the pod only shows a static pod.
    """
    is_static = is_mirror or (owner is not None and owner.kind == _NODE)
    return not (is_static or runs_on_each_node(owner) or describe_work(owner, labels))


def find_workload(pod: Pod, deployments: Collection[tuple[str, str]] | None) -> Owner | None:
    """Return the top controller of a pod, as far as it is known; None for a standalone pod.

    A ReplicaSet whose name ends with the hash of its pod template belongs to a Deployment or a Rollout.

    Args:
        pod: The pod.
        deployments: Namespace and name of all Deployments; None when they are not known.
    """
    owner = pod.controller
    if owner is None or owner.kind != "ReplicaSet":
        return owner
    for label, kind, group in _TEMPLATE_HASHES:
        value = pod.labels.get(label)
        if not value or not owner.name.endswith(f"-{value}"):
            continue
        name = owner.name.removesuffix(f"-{value}")
        if kind != _DEPLOYMENT or deployments is None or (pod.namespace, name) in deployments:
            return Owner(kind=kind, name=name, group=group)
    return owner


def find_service(pod: Pod, deployments: Collection[tuple[str, str]] | None) -> Owner | None:
    """Return the workload of a pod that serves; None for one that works, stands alone, or belongs to its node.

    See ``find_workload`` for the arguments.
    """
    return find_workload(pod, deployments) if is_service(pod.controller, pod.labels, is_mirror=pod.mirror) else None
