"""The JSON of Kubernetes objects, as in a list: without ``kind`` and ``apiVersion``."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import view
from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import SimDeployment
from ocean_migration_pulumi.testing.simulator.kubernetes_api.view import Row, SimEvent, SimWorkload
from ocean_migration_pulumi.testing.simulator.world import pods
from ocean_migration_pulumi.testing.simulator.world.budgets import BudgetStatus, get_budget_selector
from ocean_migration_pulumi.testing.simulator.world.instance_types import GPU, get_instance_type
from ocean_migration_pulumi.testing.simulator.world.placement import get_node_labels
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode

VERSION = "v1.30.4-eks-a737599"
_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


# Thousands of objects share these parts. Nothing changes them, so each is built once.
@lru_cache(maxsize=4096)
def format_time(moment: float) -> str:
    """Format a time as Kubernetes does, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def build_metadata(kind: str, row: Row, created_at: float, labels: dict[str, str], uid: str = "") -> dict[str, Any]:
    """Build ``metadata``; an empty ``uid`` is derived from kind, namespace and name."""
    return {
        "name": row.name,
        **({"namespace": row.namespace} if row.namespace else {}),
        "uid": uid or pods.build_uid(kind, row.namespace, row.name),
        "resourceVersion": "1",
        "creationTimestamp": format_time(created_at),
        **({"labels": labels} if labels else {}),
    }


def render_csi_node(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render what the EBS driver reports of a node."""
    node: SimNode = row.source
    driver = {
        "name": "ebs.csi.aws.com",
        "nodeID": node.instance_id,
        "topologyKeys": ["topology.kubernetes.io/zone"],
        "allocatable": {"count": 25},
    }
    return {"metadata": build_metadata("CSINode", row, node.created_at, {}), "spec": {"drivers": [driver]}}


def render_node(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a node."""
    node: SimNode = row.source
    capacity = get_instance_type(node.instance_type)
    taints = [*node.taints, *([_CORDONED] if node.cordoned else [])]
    gpus = {GPU: str(capacity.gpus)} if capacity.gpus else {}
    created = format_time(node.created_at)
    return {
        "metadata": build_metadata("Node", row, node.created_at, get_node_labels(node)),
        "spec": {
            "providerID": f"aws:///{node.zone}/{node.instance_id}",
            **({"taints": taints} if taints else {}),
            **({"unschedulable": True} if node.cordoned else {}),
        },
        "status": {
            "capacity": {
                "cpu": str(capacity.cpus),
                "memory": f"{capacity.memory_mib * 1024}Ki",
                "pods": str(capacity.max_pods),
                **gpus,
            },
            "allocatable": {
                "cpu": f"{capacity.usable_milli_cpu}m",
                "memory": f"{capacity.usable_memory_mib * 1024}Ki",
                "pods": str(capacity.max_pods),
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
                {"type": "InternalIP", "address": get_node_address(node)},
                {"type": "InternalDNS", "address": node.node_name},
                {"type": "Hostname", "address": node.node_name},
            ],
            "nodeInfo": {
                "machineID": "ec2" + node.instance_id.removeprefix("i-"),
                "systemUUID": pods.build_uid("Machine", "", node.instance_id),
                "bootID": pods.build_uid("Boot", "", node.instance_id),
                "kernelVersion": "6.1.109-118.189.amzn2023.x86_64",
                "osImage": "Amazon Linux 2023.5.20240916",
                "containerRuntimeVersion": "containerd://1.7.22",
                "kubeletVersion": VERSION,
                "kubeProxyVersion": VERSION,
                "operatingSystem": "linux",
                "architecture": capacity.architecture,
            },
        },
    }


def get_node_address(node: SimNode) -> str:
    """Return the IP address of a node, which its name contains."""
    return node.node_name.partition(".")[0].removeprefix("ip-").replace("-", ".")


def render_config_map(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render the ConfigMap ``aws-auth`` of EKS, which holds the mapped roles as a YAML string."""
    roles = "".join(
        "- groups:\n  - system:bootstrappers\n  - system:nodes\n"
        f"  rolearn: {role}\n  username: system:node:{{{{EC2PrivateDNSName}}}}\n"
        for role in row.source
    )
    return {"metadata": build_metadata("ConfigMap", row, cluster.created_at, {}), "data": {"mapRoles": roles}}


def render_budget(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a PodDisruptionBudget."""
    status: BudgetStatus = row.source
    allowed = status.allowed > 0
    return {
        "metadata": build_metadata("PodDisruptionBudget", row, cluster.created_at, {}) | {"generation": 1},
        "spec": {
            "minAvailable": status.minimum,
            "selector": get_budget_selector(cluster, status.name),
        },
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": status.allowed,
            "currentHealthy": status.healthy,
            "desiredHealthy": status.minimum,
            "expectedPods": status.expected,
            "conditions": [
                {
                    "type": "DisruptionAllowed",
                    "status": "True" if allowed else "False",
                    "observedGeneration": 1,
                    "lastTransitionTime": format_time(cluster.created_at),
                    "reason": "SufficientPods" if allowed else "InsufficientPods",
                    "message": "",
                }
            ],
        },
    }


def render_deployment(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a Deployment; like the API server, leave counts of 0 out of its status."""
    deployment: SimDeployment
    workload: SimWorkload | None
    deployment, ready, workload = row.source
    rolling = workload is not None and workload.rolling
    progressing = {
        "type": "Progressing",
        "status": "True",
        "reason": "ReplicaSetUpdated" if rolling else "NewReplicaSetAvailable",
        "lastTransitionTime": format_time(cluster.created_at),
    }
    container = deployment.pod_labels.get("app.kubernetes.io/name", deployment.name)
    updated = deployment.replicas if workload is None else workload.updated
    counts = {"replicas": deployment.replicas, "updatedReplicas": updated}
    counts |= {"readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": deployment.replicas - ready}
    return {
        "metadata": build_metadata("Deployment", row, cluster.created_at, deployment.labels) | {"generation": 1},
        "spec": {
            "replicas": deployment.replicas,
            "selector": {"matchLabels": deployment.pod_labels},
            "template": {
                "metadata": {"labels": deployment.pod_labels},
                "spec": {"containers": [{"name": container, "image": deployment.image}]},
            },
        },
        "status": {
            "observedGeneration": 1,
            **{name: count for name, count in counts.items() if count},
            "conditions": [progressing],
        },
    }


def render_replica_set(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a ReplicaSet, which belongs to a Deployment."""
    workload: SimWorkload = row.source
    owners = pods.build_references("Deployment", workload.namespace, workload.name)
    metadata = build_metadata("ReplicaSet", row, workload.created_at, {"app": workload.name})
    return {
        "metadata": metadata | {"generation": 1, "ownerReferences": owners},
        "spec": {"replicas": workload.pods, "selector": {"matchLabels": {"app": workload.name}}},
        "status": {"observedGeneration": 1, "replicas": workload.pods, "readyReplicas": workload.ready},
    }


def render_stateful_set(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a StatefulSet of one revision."""
    workload: SimWorkload = row.source
    labels = {"app": workload.name}
    return {
        "metadata": build_metadata("StatefulSet", row, workload.created_at, labels) | {"generation": 1},
        "spec": {
            "replicas": workload.pods,
            "serviceName": workload.name,
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
        },
        "status": {
            "observedGeneration": 1,
            "replicas": workload.pods,
            "readyReplicas": workload.ready,
            "currentRevision": f"{workload.name}-1",
            "updateRevision": f"{workload.name}-1",
        },
    }


def render_event(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render an event."""
    event: SimEvent = row.source
    about = {"kind": "Pod", "namespace": event.pod.namespace, "name": event.pod.name, "uid": event.pod.id}
    return {
        "metadata": build_metadata("Event", row, event.at, {}),
        "involvedObject": {"apiVersion": "v1", **about},
        "reason": event.reason,
        "message": event.message,
        "type": "Warning",
        "lastTimestamp": format_time(event.at),
        "count": 1,
    }


def render_service(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a Service that selects the pods of an application."""
    app: str = row.source
    return {
        "metadata": build_metadata("Service", row, cluster.created_at, {"app": app}),
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": app},
            "ports": [{"protocol": "TCP", "port": 80, "targetPort": 8080}],
        },
        "status": {"loadBalancer": {}},
    }


def render_daemon_set(cluster: SimCluster, row: Row) -> dict[str, Any]:
    """Render a DaemonSet."""
    workload: SimWorkload = row.source
    labels = {"app": workload.name}
    return {
        "metadata": build_metadata("DaemonSet", row, workload.created_at, labels) | {"generation": 1},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": workload.name, "image": view.build_image_name(workload.name)}]},
            },
        },
        "status": {
            "currentNumberScheduled": workload.pods,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": workload.pods,
            "numberReady": workload.ready,
            "observedGeneration": 1,
        },
    }
