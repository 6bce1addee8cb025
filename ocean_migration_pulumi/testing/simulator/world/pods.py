"""Pods, and the labels, annotations and owners that Kubernetes shows for them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
BUDGET_LABEL = "pdb"
"""The label that a PodDisruptionBudget without a selector of its own selects by."""

SYSTEM_DAEMONS = ("aws-node", "kube-proxy")
"""DaemonSets with a pod on every node. These pods follow from the nodes, so the world does not store them."""

_STAYING_CONTROLLERS = frozenset({"DaemonSet", "Node"})
_FINISHED_PHASES = frozenset({"Succeeded", "Failed"})
_OWNER_VERSIONS = {"ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}


@dataclass(kw_only=True, eq=False)
class SimPod:
    """A pod.

    The fields from ``node_selector`` on only appear in the Kubernetes API: ``unschedulable`` alone decides whether an
    evicted pod finds a new node.
    """

    id: str
    """The uid."""
    name: str
    """Its name, unique in the namespace."""
    namespace: str = "default"
    """Its namespace."""
    controller: str | None = "ReplicaSet"
    """The kind of its controller; None for a standalone pod, ``Node`` for a static pod of the kubelet."""
    labels: dict[str, str] = field(default_factory=dict)
    """Its own labels, without those that a controller adds."""
    budget: str | None = None
    """``namespace/name`` of the PodDisruptionBudget that selects it by name, where that has no selector."""
    unschedulable: bool = False
    """Whether the pod finds no new node once it is evicted."""
    phase: str = "Running"
    """One of ``PHASES``."""
    ready: bool = True
    """Whether its containers are ready."""
    node_selector: dict[str, str] = field(default_factory=dict)
    """``spec.nodeSelector``."""
    affinity: dict[str, Any] | None = None
    """``spec.affinity``."""
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    """``spec.tolerations``, without the default ones."""
    annotations: dict[str, str] = field(default_factory=dict)
    """Its annotations."""
    empty_dir: bool = False
    """Whether it has an ``emptyDir`` volume."""
    claim_zone: str | None = None
    """The availability zone of its PersistentVolume; None when it has none."""
    requests: dict[str, str] | None = None
    """Its resource requests; None for ``DEFAULT_REQUESTS``."""
    orphaned: bool = False
    """Whether its controller no longer exists."""

    @property
    def healthy(self) -> bool:
        """Whether a PodDisruptionBudget counts the pod as healthy."""
        return self.phase == "Running" and self.ready

    @property
    def is_workload(self) -> bool:
        """Whether a drain evicts the pod: not a DaemonSet's, not a static pod, and not one that has ended."""
        return self.controller not in _STAYING_CONTROLLERS and self.phase not in _FINISHED_PHASES


@dataclass(kw_only=True)
class PendingPod:
    """A pod without a node."""

    pod: SimPod
    """The pod."""
    since: float
    """Simulated epoch seconds since which it has no node."""
    migration_id: str | None = None
    """The migration that evicted it, None when no migration did."""


def build_tolerations(taints: Iterable[dict[str, str]]) -> list[dict[str, Any]]:
    """Return the tolerations of a pod that runs on a node with these taints."""
    return [
        {
            "key": taint["key"],
            "operator": "Equal",
            **{name: taint[name] for name in ("value", "effect") if taint.get(name)},
        }
        for taint in taints
    ]


def get_application(pod: SimPod) -> str:
    """Return the name of the application: the label ``app``, else the pod's name without its last part."""
    return pod.labels.get("app") or pod.name.rpartition("-")[0] or pod.name


@lru_cache(maxsize=4096)
def build_template_hash(namespace: str, name: str) -> str:
    """Return the hash of a Deployment's pod template."""
    return hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:10]


def get_pod_labels(pod: SimPod) -> dict[str, str]:
    """Return the labels that Kubernetes shows: a controller selects its pods by at least one."""
    labels = dict(pod.labels)
    if pod.controller is not None:
        labels.setdefault("app", get_application(pod))
    if pod.controller == "ReplicaSet":
        labels["pod-template-hash"] = build_template_hash(pod.namespace, get_application(pod))
    if pod.budget is not None:
        labels[BUDGET_LABEL] = pod.budget.rpartition("/")[2]
    return labels


def get_pod_annotations(pod: SimPod) -> dict[str, str]:
    """Return the annotations that Kubernetes shows: one marks the mirror of a static pod."""
    return {"kubernetes.io/config.mirror": pod.id, **pod.annotations} if pod.controller == "Node" else pod.annotations


@lru_cache(maxsize=4096)
def build_uid(kind: str, namespace: str, name: str) -> str:
    """Return the uid of an object that only the Kubernetes API has."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}/{namespace}/{name}"))


def build_owner_references(pod: SimPod, node_name: str | None) -> list[dict[str, Any]]:
    """Return ``metadata.ownerReferences``: empty for a standalone pod.

    The owner of a static pod is its node, and that of a Deployment's pod is the ReplicaSet.
    """
    kind = pod.controller
    if kind is None:
        return []
    owner = get_application(pod)
    if kind == "ReplicaSet":
        owner = f"{owner}-{build_template_hash(pod.namespace, owner)}"
    elif kind == "Node" and node_name is not None:
        owner = node_name
    return _build_references(kind, pod.namespace, owner)


@lru_cache(maxsize=4096)
def _build_references(kind: str, namespace: str, name: str) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": _OWNER_VERSIONS.get(kind, "v1"),
            "kind": kind,
            "name": name,
            "uid": build_uid(kind, namespace, name),
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
