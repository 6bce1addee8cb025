"""A world from a description: one cluster as somebody saw it, so that what would happen there can be tried out here.

The description is JSON; only ``cluster`` is required, and everything that it does not know is refused:

``format``
    1.
``account``
    The account that owns the cluster.
``cluster``
    The cluster as the API gives it, with its ``id``.
``groups``
    Its Virtual Node Groups as the API gives them, each with its ``id``.
``heartbeat``
    ``{"status": "ACTIVE", "age_seconds": 0}``: one that is ACTIVE and 0 seconds old beats on, a status of null was
    never heard. Without this part it beats.
``nodes``
    The nodes, as objects with ``instance_id`` and any of ``node_name``, ``asg_name``, ``instance_type``, ``zone``,
    ``labels``, ``taints``, ``cordoned``, ``ocean_managed``, ``virtual_node_group_id`` (of a node of Ocean's own),
    ``told_match`` (of another: the id of the group that takes it, ``Default``, or empty for none; null or absent is
    found from labels and taints) and ``pods``. Those are a number of pods that any new node takes, or a list of
    objects with a ``name`` and any other field of a pod: ``id``, ``namespace``, ``controller`` (null for a
    stand-alone pod), ``labels``, ``phase``, ``ready``, ``unschedulable`` (no new node takes it), ``requests``, ...
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
from ocean_migration_pulumi.testing.simulator.kubernetes_api.deployments import usual
from ocean_migration_pulumi.testing.simulator.world import instance_types
from ocean_migration_pulumi.testing.simulator.world.world import (
    PHASES,
    PendingPod,
    SimCluster,
    SimHeartbeat,
    SimNode,
    SimPod,
    World,
)

FORMAT = 1

_FIRST_NODE = 200 * 250 * 250
"""New nodes are named from ``ip-10-200-0-2`` on, so that they can be told from the others."""

_PARTS = frozenset({"format", "account", "cluster", "groups", "heartbeat", "nodes", "pending", "budgets"})
_OF_NODE = frozenset(each.name for each in fields(SimNode)) - {"drained", "terminated", "created_at"}
_OF_POD = frozenset(each.name for each in fields(SimPod))
_OF_BUDGET = frozenset({"name", "minimum", "selector"})
_OF_HEARTBEAT = frozenset({"status", "age_seconds"})


def build(description: Mapping[str, Any], *, seed: int, now: float) -> World:
    """Return the described world; what it holds comes to be at ``now``. Raises ``ValueError`` for what it cannot be."""
    _only(description, _PARTS, "the description")
    if description.get("format", FORMAT) != FORMAT:
        raise ValueError(f"the description must have format {FORMAT}")
    # What comes to be here must not get an id of what is described, which may be of another simulator.
    apart = int(hashlib.sha256(f"given/{seed}".encode()).hexdigest()[:12], 16)
    world = World(seed=apart, scenario="given", node_counter=_FIRST_NODE)
    world.accounts.append(description.get("account") or world.new_id("act-"))
    world.tokens.append(world.new_id("", 64))
    cluster = _cluster(description, world, now)
    world.clusters[cluster.id] = cluster
    for number, plain in enumerate(_objects(description, "nodes")):
        node = _node(plain, f"nodes[{number}]", world, now)
        if node.instance_id in cluster.nodes:
            raise ValueError(f"nodes[{number}]: {node.instance_id} is described twice")
        cluster.nodes[node.instance_id] = node
    for number, plain in enumerate(_objects(description, "pending")):
        cluster.pending.append(PendingPod(pod=_pod(plain, f"pending[{number}]", world), since=now))
    for number, plain in enumerate(_objects(description, "budgets")):
        _add_budget(cluster, plain, f"budgets[{number}]")
    world.ensure_groups()
    return world


def _cluster(description: Mapping[str, Any], world: World, now: float) -> SimCluster:
    body = dict(_object(description.get("cluster"), "cluster"))
    cluster_id = _text(body.pop("id", None), "cluster.id")
    name = body.get("name") or cluster_id
    heartbeat = _heartbeat(_object(description.get("heartbeat", {}), "heartbeat"), now)
    cluster = SimCluster(
        id=cluster_id,
        account_id=world.accounts[0],
        # What the rules of other routes take for granted.
        body={"region": "us-west-2", "controllerClusterId": name, "compute": {}, **body, "name": name},
        created_at=now,
        updated_at=now,
        heartbeat=heartbeat,
        deployments=usual(installed=heartbeat.status is not None),
    )
    for number, plain in enumerate(_objects(description, "groups")):
        group = {**plain, "oceanId": cluster_id, "createdAt": now, "updatedAt": now}
        cluster.groups[_text(group.pop("id", None), f"groups[{number}].id")] = group
    return cluster


def _heartbeat(plain: Mapping[str, Any], now: float) -> SimHeartbeat:
    _only(plain, _OF_HEARTBEAT, "heartbeat")
    status, age = plain.get("status", "ACTIVE"), float(plain.get("age_seconds") or 0)
    return SimHeartbeat(status=status, frozen_at=None if status == "ACTIVE" and age == 0 else now - age)


def _node(plain: Mapping[str, Any], where: str, world: World, now: float) -> SimNode:
    _only(plain, _OF_NODE, where)
    known = {name: value for name, value in plain.items() if value is not None}
    pods = known.pop("pods", 0)
    instance_id = _text(known.pop("instance_id", None), f"{where}.instance_id")
    name = known.pop("node_name", None) or world.new_node_name()
    node = SimNode(instance_id=instance_id, node_name=name, created_at=now, **known)
    if isinstance(pods, int) and not isinstance(pods, bool):
        node.pods = [_unnamed(world) for _ in range(pods)]
    else:
        node.pods = [
            _pod(pod, f"{where}.pods[{number}]", world) for number, pod in enumerate(_objects({"pods": pods}, "pods"))
        ]
    return node


def _unnamed(world: World) -> SimPod:
    pod_id = world.new_id("", 32)
    return SimPod(id=pod_id, name=f"pod-{pod_id[:10]}")


def _pod(plain: Mapping[str, Any], where: str, world: World) -> SimPod:
    _only(plain, _OF_POD, where)
    name = _text(plain.get("name"), f"{where}.name")
    pod = SimPod(**{**plain, "name": name, "id": plain.get("id") or world.new_id("", 32)})
    if pod.phase not in PHASES:
        raise ValueError(f"{where}.phase: {pod.phase!r} is none of {', '.join(PHASES)}")
    try:
        instance_types.requested([pod])
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{where}.requests: {error}") from None
    return pod


def _add_budget(cluster: SimCluster, plain: Mapping[str, Any], where: str) -> None:
    _only(plain, _OF_BUDGET, where)
    name, selector = _text(plain.get("name"), f"{where}.name"), plain.get("selector")
    if not all(name.partition("/")):
        raise ValueError(f"{where}.name: {name!r} is not namespace/name")
    cluster.budgets[name] = int(plain.get("minimum", 0))
    if selector is not None:
        selectors.of_json(_object(selector, f"{where}.selector"))
        cluster.selectors[name] = dict(selector)


def _only(plain: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    if unknown := sorted(set(plain) - set(allowed)):
        raise ValueError(f"{where}: unknown {', '.join(unknown)}")


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object")
    return value


def _objects(plain: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    value = plain.get(part, [])
    if not isinstance(value, list):
        raise ValueError(f"{part} must be a list")
    return [_object(each, f"{part}[{number}]") for number, each in enumerate(value)]


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where} must be a text")
    return value
