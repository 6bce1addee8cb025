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
_OWNER_VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
}


TROUBLES = ("image", "configuration", "crash", "no-address", "volume", "slow")
"""What can keep the containers of a pod from being ready."""
FIRST_CRASH_SECONDS = 10.0
LONGEST_BACK_OFF_SECONDS = 300.0
"""The bounds of the time between two crashes, which doubles."""


@dataclass(kw_only=True)
class SimTrouble:
    """What happens to pods that are started on a node."""

    kind: str
    """One of ``TROUBLES``."""
    namespace: str = ""
    """The namespace of the pods; empty for all."""
    app: str = ""
    """Their application; empty for all."""
    name: str = ""
    """The name of the only pod; empty for all."""
    seconds: float | None = None
    """After how many simulated seconds they are ready; None for never."""
    ocean_only: bool = True
    """Whether it only happens on Ocean nodes."""

    def concerns(self, pod: SimPod, *, ocean_node: bool) -> bool:
        """Return whether it happens to a pod that is started on a node."""
        return (
            self.namespace in ("", pod.namespace)
            and self.app in ("", get_application(pod))
            and self.name in ("", pod.name)
            and (ocean_node or not self.ocean_only)
        )


@dataclass(kw_only=True, eq=False)
class SimPod:
    """A pod.

    The fields from ``node_selector`` to ``orphaned`` appear in the Kubernetes API. They also decide which node takes an
    evicted pod; ``unschedulable`` keeps it from all.
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
    revision: int = 0
    """The revision of its controller's template that it was made of."""
    created_at: float | None = None
    """Simulated epoch seconds of its creation; None for a pod that is as old as its node."""
    moved_by: str | None = None
    """The migration that moved it last, if it was not in trouble before."""
    trouble: str | None = None
    """What keeps its containers from being ready, one of ``TROUBLES``; None for nothing."""
    changes_at: float | None = None
    """Simulated epoch seconds at which its trouble ends, or its container crashes again; None for never."""
    restarts: int = 0
    """How often its container has crashed."""
    exited_at: float | None = None
    """Simulated epoch seconds of the last crash."""

    def start(self, trouble: SimTrouble | None, now: float) -> None:
        """Start its containers on a node, with or without trouble."""
        if trouble is None:
            if self.trouble is not None:
                self.recover()
            return
        self.trouble, self.ready, self.restarts, self.exited_at = trouble.kind, False, 0, None
        self.phase = "Running" if trouble.kind in ("crash", "slow") else "Pending"
        self.changes_at = None if trouble.seconds is None else now + trouble.seconds
        if trouble.kind == "crash":
            self.changes_at = now + FIRST_CRASH_SECONDS

    def change(self, now: float) -> None:
        """Crash again, or recover: what is due."""
        if self.trouble != "crash":
            self.recover()
            return
        self.restarts, self.exited_at = self.restarts + 1, now
        self.changes_at = now + min(LONGEST_BACK_OFF_SECONDS, FIRST_CRASH_SECONDS * 2**self.restarts)

    def recover(self) -> None:
        """Become ready."""
        self.trouble, self.changes_at, self.phase, self.ready = None, None, "Running", True

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
def build_template_hash(namespace: str, name: str, revision: int = 0) -> str:
    """Return the hash of a revision of a Deployment's pod template."""
    return hashlib.sha256(f"{namespace}/{name}{f'/{revision}' if revision else ''}".encode()).hexdigest()[:10]


def get_pod_labels(pod: SimPod) -> dict[str, str]:
    """Return the labels that Kubernetes shows: a controller selects its pods by at least one."""
    labels = dict(pod.labels)
    if pod.controller is not None:
        labels.setdefault("app", get_application(pod))
    if pod.controller == "ReplicaSet":
        labels["pod-template-hash"] = build_template_hash(pod.namespace, get_application(pod), pod.revision)
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
        owner = f"{owner}-{build_template_hash(pod.namespace, owner, pod.revision)}"
    elif kind == "Node" and node_name is not None:
        owner = node_name
    return build_references(kind, pod.namespace, owner)


@lru_cache(maxsize=4096)
def build_references(kind: str, namespace: str, name: str) -> list[dict[str, Any]]:
    """Return the reference to a controller, as a list."""
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
