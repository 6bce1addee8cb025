"""Finds the Virtual Node Group that matches a node, by labels and taints."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimNode

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
