"""Where nodes and pods belong: the Virtual Node Group that matches a node, and the nodes that can take a pod."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import selectors
from ocean_migration_pulumi.testing.simulator.world.instance_types import get_instance_type, sum_requests
from ocean_migration_pulumi.testing.simulator.world.pods import SYSTEM_DAEMONS, SimPod
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode

DAEMON_MILLI_CPU = 50
"""Thousandths of a CPU that each pod of ``SYSTEM_DAEMONS`` requests."""

_BUILT_IN_DOMAINS = ("kubernetes.io", "k8s.io", "eks.amazonaws.com", "spotinst.io")


def get_user_labels(labels: dict[str, str]) -> dict[str, str]:
    """Return the labels that a user set, without those of Kubernetes, EKS and Spot."""
    return {key: value for key, value in labels.items() if not _is_built_in(key)}


@lru_cache(maxsize=1024)
def _is_built_in(key: str) -> bool:
    domain, slash, _ = key.partition("/")
    return bool(slash) and any(domain == known or domain.endswith("." + known) for known in _BUILT_IN_DOMAINS)


def _build_taint_set(taints: Iterable[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "") for taint in taints}


def match_vng(cluster: SimCluster, node: SimNode) -> str | None:
    """Return the id of the first VNG that matches a node, ``"Default"``, or None when no VNG matches.

    A VNG matches when it has all labels of the node, and exactly its taints. The service reports ``Default`` for a
    node without labels and taints. ``told_match`` of the node takes precedence.
    """
    if node.told_match is not None:
        return node.told_match or None
    labels, taints = get_user_labels(node.labels), _build_taint_set(node.taints)
    if not labels and not taints:
        return "Default"
    for vng_id, body in cluster.groups.items():
        vng_labels = {label["key"]: label.get("value") for label in body.get("labels") or []}
        if labels.items() <= vng_labels.items() and _build_taint_set(body.get("taints") or []) == taints:
            return vng_id
    return None


def get_node_labels(node: SimNode) -> dict[str, str]:
    """Return the labels of a node, with those that the kubelet adds."""
    return {
        "kubernetes.io/arch": get_instance_type(node.instance_type).architecture,
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": node.node_name,
        "node.kubernetes.io/instance-type": node.instance_type,
        "topology.kubernetes.io/zone": node.zone,
        "topology.kubernetes.io/region": node.zone[:-1],
        **node.labels,
    }


class Scheduler:
    """Finds nodes for pods, as kube-scheduler does: any node that can take a pod, the one with the fewest pods first.

    Ocean sizes its nodes for the pods that wait, so an Ocean node always has room. An old node has what its instance
    type has.
    """

    def __init__(self, cluster: SimCluster) -> None:
        self._nodes = [node for node in cluster.nodes.values() if not node.terminated and not node.cordoned]
        self._nodes.sort(key=lambda node: not node.ocean_managed)
        # Pods that ask for the same share a heap: thousands of pods must not look at thousands of nodes each.
        self._heaps: dict[str, list[tuple[int, int]]] = {}

    def find_node(self, pod: SimPod) -> SimNode | None:
        """Return the node that takes a pod; None when there is none."""
        if pod.unschedulable:
            return None
        asked = (pod.node_selector, pod.affinity, pod.tolerations, pod.claim_zone, pod.requests)
        heap = self._heaps.get(key := json.dumps(asked, sort_keys=True))
        if heap is None:
            fitting = [(len(node.pods), place) for place, node in enumerate(self._nodes) if _is_allowed(node, pod)]
            heap = self._heaps[key] = fitting
            heapq.heapify(heap)
        while heap:
            pods, place = heap[0]
            node = self._nodes[place]
            if pods != len(node.pods):
                heapq.heapreplace(heap, (len(node.pods), place))
            elif not _has_room(node, pod):
                heapq.heappop(heap)
            else:
                return node
        return None


def _is_allowed(node: SimNode, pod: SimPod) -> bool:
    """Return whether taints, selector, required affinity and volume allow a pod on a node."""
    labels = get_node_labels(node)
    return (
        (pod.claim_zone is None or pod.claim_zone == node.zone)
        and pod.node_selector.items() <= labels.items()
        and all(_is_tolerated(taint, pod) for taint in node.taints if taint.get("effect") != "PreferNoSchedule")
        and _has_affinity(labels, pod)
    )


def _is_tolerated(taint: dict[str, str], pod: SimPod) -> bool:
    return any(
        each.get("effect", "") in ("", taint.get("effect"))
        and each.get("key", "") in ("", taint["key"])
        and (each.get("operator") == "Exists" or each.get("value", "") == taint.get("value", ""))
        for each in pod.tolerations
    )


def _has_affinity(labels: dict[str, str], pod: SimPod) -> bool:
    node_affinity = (pod.affinity or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms")
    return terms is None or any(
        selectors.selects(selectors.parse_label_selector({"matchExpressions": term["matchExpressions"]}), labels)
        for term in terms
        if term.get("matchExpressions")
    )


def _has_room(node: SimNode, pod: SimPod) -> bool:
    if node.ocean_managed:
        return True
    capacity = get_instance_type(node.instance_type)
    milli_cpu, memory_mib, gpus = sum_requests([*node.pods, pod])
    return (
        milli_cpu + DAEMON_MILLI_CPU * len(SYSTEM_DAEMONS) <= capacity.usable_milli_cpu
        and memory_mib <= capacity.usable_memory_mib
        and gpus <= capacity.gpus
        and len(node.pods) + len(SYSTEM_DAEMONS) < capacity.max_pods
    )
