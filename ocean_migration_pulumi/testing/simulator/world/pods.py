"""What a pod of the world is in Kubernetes: its application, its labels, its controller."""

from __future__ import annotations

import hashlib
import uuid
from functools import lru_cache
from typing import Any

from ocean_migration_pulumi.testing.simulator.world.world import SimNode, SimPod

BUDGET_LABEL = "pdb"
"""The label that a PodDisruptionBudget without a selector of its own selects by."""

_OWNER_VERSIONS = {"ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}


def application(pod: SimPod) -> str:
    """Return the name of the application: the label ``app``, else the pod's name without its last part."""
    return pod.labels.get("app") or pod.name.rpartition("-")[0] or pod.name


@lru_cache(maxsize=4096)
def template_hash(namespace: str, name: str) -> str:
    """Return the hash of a Deployment's pod template."""
    return hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:10]


def owner_name(pod: SimPod) -> str:
    """Return the name of a pod's controller; that of a Deployment's pod is the ReplicaSet."""
    name = application(pod)
    return f"{name}-{template_hash(pod.namespace, name)}" if pod.controller == "ReplicaSet" else name


def labels_of(pod: SimPod) -> dict[str, str]:
    """Return the labels of a pod: a controller selects its pods, so they have at least one."""
    shown = dict(pod.labels)
    if pod.controller is not None:
        shown.setdefault("app", application(pod))
    if pod.controller == "ReplicaSet":
        shown["pod-template-hash"] = template_hash(pod.namespace, application(pod))
    if pod.budget is not None:
        shown[BUDGET_LABEL] = pod.budget.rpartition("/")[2]
    return shown


@lru_cache(maxsize=4096)
def uid(kind: str, namespace: str, name: str) -> str:
    """Return the uid of an object that is nowhere in the world."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}/{namespace}/{name}"))


def annotations_of(pod: SimPod) -> dict[str, str]:
    """Return the annotations of a pod; a static pod's mirror is known by one."""
    return {"kubernetes.io/config.mirror": pod.id, **pod.annotations} if pod.controller == "Node" else pod.annotations


def owner_reference(pod: SimPod, node: SimNode | None) -> list[dict[str, Any]]:
    """Return ``metadata.ownerReferences``: one, or none for a stand-alone pod."""
    kind = pod.controller
    if kind is None:
        return []
    return _reference(kind, pod.namespace, node.node_name if kind == "Node" and node is not None else owner_name(pod))


@lru_cache(maxsize=4096)
def _reference(kind: str, namespace: str, name: str) -> list[dict[str, Any]]:
    version, known_as = _OWNER_VERSIONS.get(kind, "v1"), uid(kind, namespace, name)
    what = {"apiVersion": version, "kind": kind, "name": name, "uid": known_as}
    return [{**what, "controller": True, "blockOwnerDeletion": True}]
