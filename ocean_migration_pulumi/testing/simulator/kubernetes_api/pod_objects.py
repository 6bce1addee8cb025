"""The JSON of pods, PersistentVolumeClaims and PersistentVolumes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import view
from ocean_migration_pulumi.testing.simulator.kubernetes_api.objects import (
    build_metadata,
    format_time,
    get_node_address,
)
from ocean_migration_pulumi.testing.simulator.kubernetes_api.view import PlacedPod, Row
from ocean_migration_pulumi.testing.simulator.world import pods
from ocean_migration_pulumi.testing.simulator.world.instance_types import GPU, get_requests
from ocean_migration_pulumi.testing.simulator.world.pods import SimPod
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster

_DEFAULT_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for trouble in ("not-ready", "unreachable")
]
_TOKEN_VOLUME = {"name": "kube-api-access", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


def render_pod(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a pod."""
    placed: PlacedPod = row.source
    pod = placed.pod
    metadata = build_metadata("Pod", row, placed.since, pods.get_pod_labels(pod), pod.id)
    if annotations := pods.get_pod_annotations(pod):
        metadata["annotations"] = annotations
    if owners := pods.build_owner_references(pod, placed.node.node_name if placed.node else None):
        metadata["ownerReferences"] = owners
    return {"metadata": metadata, "spec": _pod_spec(placed), "status": _pod_status(placed)}


def _pod_spec(placed: PlacedPod) -> dict[str, Any]:
    pod = placed.pod
    app = pods.get_application(pod)
    volumes: list[dict[str, Any]] = [_TOKEN_VOLUME]
    if pod.empty_dir:
        volumes.append({"name": "scratch", "emptyDir": {}})
    if pod.claim_zone is not None:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": view.build_claim_name(pod)}})
    return {
        **({} if placed.node is None else {"nodeName": placed.node.node_name}),
        "containers": _containers(app, tuple(get_requests(pod).items())),
        "volumes": volumes,
        **({"nodeSelector": pod.node_selector} if pod.node_selector else {}),
        **({"affinity": pod.affinity} if pod.affinity else {}),
        "tolerations": [*pod.tolerations, *_DEFAULT_TOLERATIONS] if pod.tolerations else _DEFAULT_TOLERATIONS,
        "restartPolicy": "Never" if pod.controller == "Job" else "Always",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
    }


@lru_cache(maxsize=1024)
def _containers(app: str, items: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    requests = dict(items)
    # Kubernetes requires extended resources as a limit, too.
    limits = {"limits": {GPU: requests[GPU]}} if GPU in requests else {}
    return [{"name": app, "image": view.build_image_name(app), "resources": {"requests": requests, **limits}}]


def get_phase(placed: PlacedPod) -> str:
    """Return the phase of a pod; a pod without a node is pending."""
    return "Pending" if placed.node is None else placed.pod.phase


def _pod_status(placed: PlacedPod) -> dict[str, Any]:
    since = format_time(placed.since)
    if placed.node is None:
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": since,
            "reason": "Unschedulable",
            "message": "0 nodes are available: preemption: No preemption victims found for incoming pod.",
        }
        return {"phase": "Pending", "conditions": [condition], "qosClass": "Burstable"}
    containers = {"containerStatuses": [_container_status(placed.pod)]} if placed.pod.trouble else {}
    return {
        "phase": placed.pod.phase,
        "conditions": _conditions("True" if placed.pod.healthy else "False", since),
        **containers,
        "hostIP": get_node_address(placed.node),
        "startTime": since,
        "qosClass": "Burstable",
    }


def _container_status(pod: SimPod) -> dict[str, Any]:
    """Return the status of the container of a pod in trouble."""
    image = view.build_image_name(pods.get_application(pod))
    state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
    last: dict[str, Any] = {}
    if pod.trouble == "image":
        state = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}}
    elif pod.trouble == "configuration":
        state = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "settings" not found'}}
    elif pod.trouble == "slow" or (pod.trouble == "crash" and pod.exited_at is None):
        state = {"running": {}}
    elif pod.trouble == "crash":
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
        last = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": format_time(pod.exited_at or 0.0)}}
    return {
        "name": pods.get_application(pod),
        "image": image,
        "ready": False,
        "restartCount": pod.restarts,
        "state": state,
        "lastState": last,
    }


@lru_cache(maxsize=1024)
def _conditions(ready: str, since: str) -> list[dict[str, Any]]:
    conditions = [("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready)]
    return [
        {"type": name, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
        for name, status in conditions
    ]


def render_claim(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a PersistentVolumeClaim, which is bound."""
    pod: SimPod = row.source.pod
    return {
        "metadata": build_metadata("PersistentVolumeClaim", row, row.source.since, {}),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "20Gi"}},
            "volumeName": view.build_volume_name(pod),
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}},
    }


def render_volume(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a PersistentVolume, which is in one zone."""
    pod: SimPod = row.source.pod
    zone_expression = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [pod.claim_zone]}
    return {
        "metadata": build_metadata("PersistentVolume", row, row.source.since, {}),
        "spec": {
            "capacity": {"storage": "20Gi"},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-{row.name[-17:].replace('-', '0')}"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "namespace": pod.namespace,
                "name": view.build_claim_name(pod),
            },
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone_expression]}]}},
        },
        "status": {"phase": "Bound"},
    }
