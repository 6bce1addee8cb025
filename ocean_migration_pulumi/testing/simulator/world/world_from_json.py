"""Builds a world from the JSON description of one cluster, to try out a migration of a real cluster.

Only ``cluster`` is required. Unknown keys are refused.

``format``
    1.
``account``
    The account that owns the cluster.
``cluster``
    The cluster as the API returns it, with its ``id``.
``groups``
    Its Virtual Node Groups as the API returns them, each with its ``id``.
``heartbeat``
    ``{"status": "ACTIVE", "age_seconds": 0}``, which is also the default. A controller that is ACTIVE with an age of 0
    continues to report. A status of null means that no controller was ever installed.
``nodes``
    The nodes, as objects with ``instance_id`` and any of ``node_name``, ``asg_name``, ``instance_type``, ``zone``,
    ``labels``, ``taints``, ``cordoned``, ``ocean_managed``, ``virtual_node_group_id`` (of an Ocean node),
    ``told_match`` (of an old node: the id of the VNG that matches it, ``Default``, or empty for none; null or absent
    matches by labels and taints) and ``pods``. ``pods`` is a number of pods that fit on any new node, or a list of
    objects with a ``name`` and any other field of a pod: ``id``, ``namespace``, ``controller`` (null for a standalone
    pod), ``labels``, ``phase``, ``ready``, ``unschedulable`` (it fits on no new node), ``requests``, ...
``pending``
    The pods without a node.
``budgets``
    The PodDisruptionBudgets: ``{"name": "shop/cart", "minimum": 2, "selector": {"matchLabels": {"app": "cart"}}}``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import selectors
from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import build_default_deployments
from ocean_migration_pulumi.testing.simulator.world import instance_types
from ocean_migration_pulumi.testing.simulator.world.pods import PHASES, PendingPod, SimPod
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimHeartbeat, SimNode, World

FORMAT = 1

_FIRST_NODE = 200 * 250 * 250
"""New nodes are named from ``ip-10-200-0-2`` on, which no described node should use."""

_KEYS = frozenset({"format", "account", "cluster", "groups", "heartbeat", "nodes", "pending", "budgets"})
_NODE_KEYS = frozenset(field.name for field in fields(SimNode)) - {
    "drained",
    "drained_at",
    "terminated",
    "terminated_at",
    "created_at",
}
_POD_KEYS = frozenset(field.name for field in fields(SimPod))
_BUDGET_KEYS = frozenset({"name", "minimum", "selector"})
_HEARTBEAT_KEYS = frozenset({"status", "age_seconds"})


def build_world(description: Mapping[str, Any], *, seed: int, now: float) -> World:
    """Build the described world.

    Args:
        description: The description.
        seed: The seed from which new ids and the token follow.
        now: Simulated epoch seconds at which every object is created.

    Raises:
        ValueError: The description is invalid.
    """
    _check_keys(description, _KEYS, "the description")
    if description.get("format", FORMAT) != FORMAT:
        raise ValueError(f"the description must have format {FORMAT}")
    # New objects must not get an id of a described object, which may come from another simulator with this seed.
    own_seed = int(hashlib.sha256(f"given/{seed}".encode()).hexdigest()[:12], 16)
    world = World(seed=own_seed, scenario="given", node_counter=_FIRST_NODE)
    world.accounts.append(description.get("account") or world.new_id("act-"))
    world.tokens.append(world.new_id("", 64))
    cluster = _build_cluster(description, world, now)
    world.clusters[cluster.id] = cluster
    for number, document in enumerate(_list_objects(description, "nodes")):
        node = _build_node(document, f"nodes[{number}]", world, now)
        if node.instance_id in cluster.nodes:
            raise ValueError(f"nodes[{number}]: {node.instance_id} is described twice")
        cluster.nodes[node.instance_id] = node
    for number, document in enumerate(_list_objects(description, "pending")):
        pod = _build_pod(document, f"pending[{number}]", world)
        cluster.pending.append(PendingPod(pod=pod, since=now))
    for number, document in enumerate(_list_objects(description, "budgets")):
        _add_budget(cluster, document, f"budgets[{number}]")
    world.ensure_auto_scaling_groups()
    return world


def _build_cluster(description: Mapping[str, Any], world: World, now: float) -> SimCluster:
    body = dict(_check_object(description.get("cluster"), "cluster"))
    cluster_id = _check_string(body.pop("id", None), "cluster.id")
    name = body.get("name") or cluster_id
    heartbeat = _build_heartbeat(_check_object(description.get("heartbeat", {}), "heartbeat"), now)
    cluster = SimCluster(
        id=cluster_id,
        account_id=world.accounts[0],
        # The other routes rely on these keys.
        body={"region": "us-west-2", "controllerClusterId": name, "compute": {}, **body, "name": name},
        created_at=now,
        updated_at=now,
        heartbeat=heartbeat,
        deployments=build_default_deployments(installed=heartbeat.status is not None),
    )
    for number, document in enumerate(_list_objects(description, "groups")):
        vng = {**document, "oceanId": cluster_id, "createdAt": now, "updatedAt": now}
        cluster.groups[_check_string(vng.pop("id", None), f"groups[{number}].id")] = vng
    return cluster


def _build_heartbeat(document: Mapping[str, Any], now: float) -> SimHeartbeat:
    _check_keys(document, _HEARTBEAT_KEYS, "heartbeat")
    status, age = document.get("status", "ACTIVE"), float(document.get("age_seconds") or 0)
    return SimHeartbeat(status=status, frozen_at=None if status == "ACTIVE" and age == 0 else now - age)


def _build_node(document: Mapping[str, Any], where: str, world: World, now: float) -> SimNode:
    _check_keys(document, _NODE_KEYS, where)
    values = {name: value for name, value in document.items() if value is not None}
    pods = values.pop("pods", 0)
    instance_id = _check_string(values.pop("instance_id", None), f"{where}.instance_id")
    name = values.pop("node_name", None) or world.new_node_name()
    node = SimNode(instance_id=instance_id, node_name=name, created_at=now, **values)
    if isinstance(pods, int) and not isinstance(pods, bool):
        node.pods = [_build_generic_pod(world) for _ in range(pods)]
    else:
        node.pods = [
            _build_pod(pod, f"{where}.pods[{number}]", world)
            for number, pod in enumerate(_list_objects({"pods": pods}, "pods"))
        ]
    return node


def _build_generic_pod(world: World) -> SimPod:
    pod_id = world.new_id("", 32)
    return SimPod(id=pod_id, name=f"pod-{pod_id[:10]}")


def _build_pod(document: Mapping[str, Any], where: str, world: World) -> SimPod:
    _check_keys(document, _POD_KEYS, where)
    name = _check_string(document.get("name"), f"{where}.name")
    pod = SimPod(**{**document, "name": name, "id": document.get("id") or world.new_id("", 32)})
    if pod.phase not in PHASES:
        raise ValueError(f"{where}.phase: {pod.phase!r} is not one of {', '.join(PHASES)}")
    try:
        instance_types.sum_requests([pod])
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{where}.requests: {error}") from None
    return pod


def _add_budget(cluster: SimCluster, document: Mapping[str, Any], where: str) -> None:
    _check_keys(document, _BUDGET_KEYS, where)
    name, selector = _check_string(document.get("name"), f"{where}.name"), document.get("selector")
    if not all(name.partition("/")):
        raise ValueError(f"{where}.name: {name!r} is not namespace/name")
    cluster.budgets[name] = int(document.get("minimum", 0))
    if selector is not None:
        selectors.parse_label_selector(_check_object(selector, f"{where}.selector"))
        cluster.selectors[name] = dict(selector)


def _check_keys(document: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    if unknown := sorted(set(document) - set(allowed)):
        raise ValueError(f"{where}: unknown {', '.join(unknown)}")


def _check_object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object")
    return value


def _list_objects(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = document.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} must be a list")
    return [_check_object(item, f"{key}[{number}]") for number, item in enumerate(value)]


def _check_string(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where} must be a non-empty string")
    return value
