"""The objects of Kubernetes as JSON, as the API server writes them in a list: without kind and apiVersion."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import view
from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.kubernetes_api.view import App, PlacedPod, Row
from ocean_migration_pulumi.testing.simulator.world import budgets, pods
from ocean_migration_pulumi.testing.simulator.world.instance_types import GPU, machine, requests_of
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode, SimPod

VERSION = "v1.30.4-eks-a737599"
_DEFAULT_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for trouble in ("not-ready", "unreachable")
]
_TOKEN_VOLUME = {"name": "kube-api-access", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


# What thousands of objects have alike is made once: nothing changes it, it is only written out.
@lru_cache(maxsize=4096)
def stamp(moment: float) -> str:
    """Return a time as Kubernetes writes it, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _metadata(kind: str, row: Row, created_at: float, labels: dict[str, str], uid: str = "") -> dict[str, Any]:
    return {
        "name": row.name,
        **({"namespace": row.namespace} if row.namespace else {}),
        "uid": uid or pods.uid(kind, row.namespace, row.name),
        "resourceVersion": "1",
        "creationTimestamp": stamp(created_at),
        **({"labels": labels} if labels else {}),
    }


def node_labels(node: SimNode) -> dict[str, str]:
    """Return a node's labels; the kubelet sees to it that its own are there."""
    zone = node.zone
    return {
        "kubernetes.io/arch": machine(node.instance_type).architecture,
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": node.node_name,
        "node.kubernetes.io/instance-type": node.instance_type,
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": zone[:-1],
        **node.labels,
    }


def node(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return a node."""
    thing: SimNode = row.thing
    offered = machine(thing.instance_type)
    taints = [*thing.taints, *([_CORDONED] if thing.cordoned else [])]
    gpus = {GPU: str(offered.gpus)} if offered.gpus else {}
    created = stamp(thing.created_at)
    return {
        "metadata": _metadata("Node", row, thing.created_at, node_labels(thing)),
        "spec": {
            "providerID": f"aws:///{thing.zone}/{thing.instance_id}",
            **({"taints": taints} if taints else {}),
            **({"unschedulable": True} if thing.cordoned else {}),
        },
        "status": {
            "capacity": {
                "cpu": str(offered.cpus),
                "memory": f"{offered.memory_mib * 1024}Ki",
                "pods": str(offered.max_pods),
                **gpus,
            },
            "allocatable": {
                "cpu": f"{offered.usable_milli_cpu}m",
                "memory": f"{offered.usable_memory_mib * 1024}Ki",
                "pods": str(offered.max_pods),
                **gpus,
            },
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "kubelet is posting ready status",
                    "lastHeartbeatTime": created,
                    "lastTransitionTime": created,
                }
            ],
            "addresses": [
                {"type": "InternalIP", "address": _address(thing)},
                {"type": "InternalDNS", "address": thing.node_name},
                {"type": "Hostname", "address": thing.node_name},
            ],
            "nodeInfo": {
                "machineID": "ec2" + thing.instance_id.removeprefix("i-"),
                "systemUUID": pods.uid("Machine", "", thing.instance_id),
                "bootID": pods.uid("Boot", "", thing.instance_id),
                "kernelVersion": "6.1.109-118.189.amzn2023.x86_64",
                "osImage": "Amazon Linux 2023.5.20240916",
                "containerRuntimeVersion": "containerd://1.7.22",
                "kubeletVersion": VERSION,
                "kubeProxyVersion": VERSION,
                "operatingSystem": "linux",
                "architecture": offered.architecture,
            },
        },
    }


def _address(node: SimNode) -> str:
    return node.node_name.partition(".")[0].removeprefix("ip-").replace("-", ".")


def pod(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return a pod."""
    placed: PlacedPod = row.thing
    thing = placed.pod
    metadata = _metadata("Pod", row, placed.since, pods.labels_of(thing), thing.id)
    if annotations := pods.annotations_of(thing):
        metadata["annotations"] = annotations
    if owners := pods.owner_reference(thing, placed.node):
        metadata["ownerReferences"] = owners
    return {"metadata": metadata, "spec": _pod_spec(placed), "status": _pod_status(placed)}


def _pod_spec(placed: PlacedPod) -> dict[str, Any]:
    thing = placed.pod
    app = pods.application(thing)
    volumes: list[dict[str, Any]] = [_TOKEN_VOLUME]
    if thing.empty_dir:
        volumes.append({"name": "scratch", "emptyDir": {}})
    if thing.claim_zone is not None:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": view.claim_name(thing)}})
    return {
        **({} if placed.node is None else {"nodeName": placed.node.node_name}),
        "containers": _containers(app, tuple(requests_of(thing).items())),
        "volumes": volumes,
        **({"nodeSelector": thing.node_selector} if thing.node_selector else {}),
        **({"affinity": thing.affinity} if thing.affinity else {}),
        "tolerations": [*thing.tolerations, *_DEFAULT_TOLERATIONS] if thing.tolerations else _DEFAULT_TOLERATIONS,
        "restartPolicy": "Never" if thing.controller == "Job" else "Always",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
    }


@lru_cache(maxsize=1024)
def _containers(app: str, spec: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    requests = dict(spec)
    # What no node can lend has to be asked for as a limit, too.
    limits = {"limits": {GPU: requests[GPU]}} if GPU in requests else {}
    return [{"name": app, "image": view.image_of(app), "resources": {"requests": requests, **limits}}]


def phase(placed: PlacedPod) -> str:
    """Return the phase of a pod: without a node it is pending."""
    return "Pending" if placed.node is None else placed.pod.phase


def _pod_status(placed: PlacedPod) -> dict[str, Any]:
    since = stamp(placed.since)
    if placed.node is None:
        homeless = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": since,
            "reason": "Unschedulable",
            "message": "0 nodes are available: preemption: No preemption victims found for incoming pod.",
        }
        return {"phase": "Pending", "conditions": [homeless], "qosClass": "Burstable"}
    return {
        "phase": placed.pod.phase,
        "conditions": _conditions("True" if placed.pod.healthy else "False", since),
        "hostIP": _address(placed.node),
        "startTime": since,
        "qosClass": "Burstable",
    }


@lru_cache(maxsize=1024)
def _conditions(ready: str, since: str) -> list[dict[str, Any]]:
    conditions = [("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", ready), ("Ready", ready)]
    return [
        {"type": name, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
        for name, status in conditions
    ]


def claim(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return a PersistentVolumeClaim, which is bound."""
    thing: SimPod = row.thing.pod
    return {
        "metadata": _metadata("PersistentVolumeClaim", row, row.thing.since, {}),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "20Gi"}},
            "volumeName": view.volume_name(thing),
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}},
    }


def volume(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return a PersistentVolume, which is in one zone."""
    thing: SimPod = row.thing.pod
    in_its_zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [thing.claim_zone]}
    return {
        "metadata": _metadata("PersistentVolume", row, row.thing.since, {}),
        "spec": {
            "capacity": {"storage": "20Gi"},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-{row.name[-17:].replace('-', '0')}"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "namespace": thing.namespace,
                "name": view.claim_name(thing),
            },
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [in_its_zone]}]}},
        },
        "status": {"phase": "Bound"},
    }


def config_map(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return ``aws-auth`` as EKS keeps it: the mapped roles are YAML in a text."""
    roles = "".join(
        "- groups:\n  - system:bootstrappers\n  - system:nodes\n"
        f"  rolearn: {role}\n  username: system:node:{{{{EC2PrivateDNSName}}}}\n"
        for role in row.thing
    )
    return {"metadata": _metadata("ConfigMap", row, cluster.created_at, {}), "data": {"mapRoles": roles}}


def budget(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return a PodDisruptionBudget."""
    thing: budgets.Standing = row.thing
    allows = thing.allowed > 0
    return {
        "metadata": _metadata("PodDisruptionBudget", row, cluster.created_at, {}) | {"generation": 1},
        "spec": {
            "minAvailable": thing.minimum,
            "selector": budgets.selector_of(cluster, thing.name),
        },
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": thing.allowed,
            "currentHealthy": thing.healthy,
            "desiredHealthy": thing.minimum,
            "expectedPods": thing.expected,
            "conditions": [
                {
                    "type": "DisruptionAllowed",
                    "status": "True" if allows else "False",
                    "observedGeneration": 1,
                    "lastTransitionTime": stamp(cluster.created_at),
                    "reason": "SufficientPods" if allows else "InsufficientPods",
                    "message": "",
                }
            ],
        },
    }


def deployment(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return a Deployment; counts of 0 are left out of its status, as the API server does."""
    thing: SimDeployment
    thing, ready = row.thing
    container = thing.pod_labels.get("app.kubernetes.io/name", thing.name)
    counts = {"replicas": thing.replicas, "updatedReplicas": thing.replicas}
    counts |= {"readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": thing.replicas - ready}
    return {
        "metadata": _metadata("Deployment", row, cluster.created_at, thing.labels) | {"generation": 1},
        "spec": {
            "replicas": thing.replicas,
            "selector": {"matchLabels": thing.pod_labels},
            "template": {
                "metadata": {"labels": thing.pod_labels},
                "spec": {"containers": [{"name": container, "image": thing.image}]},
            },
        },
        "status": {"observedGeneration": 1, **{name: count for name, count in counts.items() if count}},
    }


def daemon_set(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Return a DaemonSet."""
    thing: App = row.thing
    labels = {"app": thing.name}
    return {
        "metadata": _metadata("DaemonSet", row, thing.created_at, labels) | {"generation": 1},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": thing.name, "image": view.image_of(thing.name)}]},
            },
        },
        "status": {
            "currentNumberScheduled": thing.pods,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": thing.pods,
            "numberReady": thing.ready,
            "observedGeneration": 1,
        },
    }
