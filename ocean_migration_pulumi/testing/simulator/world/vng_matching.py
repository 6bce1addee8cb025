"""Which Virtual Node Group takes a node's pods."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode

_BUILT_IN_DOMAINS = ("kubernetes.io", "k8s.io", "eks.amazonaws.com", "spotinst.io")


def own_labels(labels: dict[str, str]) -> dict[str, str]:
    """Return the labels that a user gave, without those of Kubernetes, EKS and Spot."""
    return {key: value for key, value in labels.items() if not _is_built_in(key)}


@lru_cache(maxsize=1024)
def _is_built_in(key: str) -> bool:
    domain, slash, _ = key.partition("/")
    return bool(slash) and any(domain == known or domain.endswith("." + known) for known in _BUILT_IN_DOMAINS)


def _taints(taints: Iterable[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "") for taint in taints}


def match(cluster: SimCluster, node: SimNode) -> str | None:
    """Return the id of the first group with the node's labels and taints, ``"Default"``, or None for no match.

    A group takes a node when it carries every label of the node (more are fine) and exactly its taints. A node
    without labels and taints can go anywhere, which the service calls Default. What somebody told of a node stands.
    """
    if node.told_match is not None:
        return node.told_match or None
    labels, taints = own_labels(node.labels), _taints(node.taints)
    if not labels and not taints:
        return "Default"
    for group_id, body in cluster.groups.items():
        offered = {label["key"]: label.get("value") for label in body.get("labels") or []}
        if labels.items() <= offered.items() and _taints(body.get("taints") or []) == taints:
            return group_id
    return None
