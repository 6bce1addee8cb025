"""Reads the objects of a cluster that all workloads share: Services, webhooks, NodePools, network and storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any, Final, NamedTuple

from ocean_migration_pulumi.kubernetes.objects.affinities import read_label_term, read_volume_terms
from ocean_migration_pulumi.kubernetes.objects.decoding import (
    read_condition,
    read_int,
    read_objects,
    read_pairs,
    read_part,
    read_text,
    read_texts,
    require_text,
)
from ocean_migration_pulumi.kubernetes.objects.objects import read_full_name, read_name, read_taints
from ocean_migration_pulumi.kubernetes.objects.quantities import parse_quantity
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    CniSettings,
    NodePool,
    Requirement,
    Term,
    Webhook,
)

_POD_RESOURCES: Final = frozenset({"*", "*/*", "pods"})
_EVICTION_RESOURCES: Final = frozenset({"*/*", "*/eviction", "pods/*", "pods/eviction"})
_NODE_RESOURCES: Final = frozenset({"*", "*/*", "nodes"})
_CORE: Final = frozenset({"", "*"})
"""API groups of pods and nodes."""
_POD_OPERATIONS: Final = frozenset({"*", "CREATE", "DELETE"})
"""What happens to pods that move; an eviction is created."""
_NODE_OPERATIONS: Final = frozenset({"*", "CREATE", "UPDATE"})
"""What happens to nodes: new ones register, old ones are cordoned."""
_VPC_CNI: Final = ("kube-system", "aws-node")
_NUMBERS: Final = {
    "WARM_ENI_TARGET": "warm_interfaces",
    "WARM_IP_TARGET": "warm_addresses",
    "MINIMUM_IP_TARGET": "minimum_addresses",
    "WARM_PREFIX_TARGET": "warm_prefixes",
}
_SWITCHES: Final = {
    "ENABLE_PREFIX_DELEGATION": "uses_prefixes",
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "uses_other_subnets",
    "ENABLE_IPv6": "is_ipv6",
}
_TRUE: Final = frozenset({"1", "t", "true"})
_EBS_DRIVERS: Final = frozenset({"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com"})


class DaemonSetObject(NamedTuple):
    """A DaemonSet."""

    full_name: tuple[str, str]
    """Namespace and name."""
    cni: CniSettings | None
    """The settings of the VPC CNI; None for any other DaemonSet."""


class VolumeObject(NamedTuple):
    """A PersistentVolume."""

    name: str
    """Its name."""
    terms: tuple[Term, ...]
    """Which nodes can use it; none: all can."""
    is_ebs: bool
    """Whether it is a volume of EBS."""


def read_service(data: Mapping[str, Any]) -> tuple[tuple[str, str], dict[str, str]]:
    """Return namespace and name of a Service, and its selector, which is empty for one that selects no pods."""
    metadata, spec = read_part(data, "metadata"), read_part(data, "spec")
    return (require_text(metadata, "namespace"), require_text(metadata, "name")), read_pairs(spec, "selector")


def read_webhooks(data: Mapping[str, Any]) -> tuple[Webhook, ...]:
    """Return the webhooks of a configuration that fail closed, concern pods or nodes and are answered by a Service."""
    found = []
    for webhook in read_objects(data, "webhooks"):
        service = read_part(webhook, "clientConfig", "service")
        rules = read_objects(webhook, "rules")
        resources = {name for rule in rules for name in _seen_resources(rule, _POD_OPERATIONS, "Cluster")}
        resources &= _POD_RESOURCES | _EVICTION_RESOURCES
        of_nodes = {name for rule in rules for name in _seen_resources(rule, _NODE_OPERATIONS, "Namespaced")}
        sees_nodes = bool(of_nodes & _NODE_RESOURCES)
        if service and (resources or sees_nodes) and read_text(webhook, "failurePolicy", "Fail") == "Fail":
            found.append(
                Webhook(
                    name=require_text(webhook, "name"),
                    service=(require_text(service, "namespace"), require_text(service, "name")),
                    # Unlike a budget, a webhook without a selector concerns every object.
                    namespace_selector=read_label_term(webhook.get("namespaceSelector") or {}) or (),
                    object_selector=read_label_term(webhook.get("objectSelector") or {}) or (),
                    sees_pods=bool(resources & _POD_RESOURCES),
                    sees_evictions=bool(resources & _EVICTION_RESOURCES),
                    sees_nodes=sees_nodes,
                )
            )
    return tuple(found)


def _seen_resources(rule: Mapping[str, Any], operations: Set[str], other_scope: str) -> Iterator[str]:
    """Yield the resources of a rule for some operations, unless its scope is the other one.

    A field that is missing means all.
    """
    groups, seen = read_texts(rule, "apiGroups"), read_texts(rule, "operations")
    if read_text(rule, "scope") == other_scope or (groups and not _CORE & set(groups)):
        return
    if not seen or operations & set(seen):
        yield from read_texts(rule, "resources")


def read_node_pool(data: Mapping[str, Any]) -> NodePool:
    """Read a NodePool of Karpenter."""
    metadata, spec, status = read_part(data, "metadata"), read_part(data, "spec"), read_part(data, "status")
    template = read_part(spec, "template", "spec")
    limits, used = read_part(spec, "limits"), read_part(status, "resources")
    is_off = bool(read_text(metadata, "deletionTimestamp")) or any(not _quantity(limits, name) for name in limits)
    return NodePool(
        name=require_text(metadata, "name"),
        labels=read_pairs(read_part(spec, "template", "metadata"), "labels"),
        taints=read_taints(template),
        requirements=tuple(
            Requirement(
                key=require_text(item, "key"),
                operator=require_text(item, "operator"),
                values=read_texts(item, "values"),
            )
            for item in read_objects(template, "requirements")
        ),
        # A NodePool with replicas has so many nodes, whatever pods wait.
        is_closed=is_off
        or spec.get("replicas") is not None
        or read_text(read_condition(status, "Ready"), "status") == "False"
        or any(_quantity(used, name) >= _quantity(limits, name) for name in limits),
        is_off=is_off,
    )


def _quantity(amounts: Mapping[str, Any], name: str) -> int:
    return parse_quantity(str(amounts.get(name, 0)))


def read_daemon_set(data: Mapping[str, Any]) -> DaemonSetObject:
    """Read a DaemonSet; of that of the VPC CNI the settings, too."""
    full_name = read_full_name(data)
    cni = _read_cni(read_part(data, "spec", "template", "spec")) if full_name == _VPC_CNI else None
    return DaemonSetObject(full_name, cni)


def _read_cni(pod_spec: Mapping[str, Any]) -> CniSettings:
    containers = [each for each in read_objects(pod_spec, "containers") if read_text(each, "name") == _VPC_CNI[1]]
    variables = {read_text(each, "name"): each for container in containers for each in read_objects(container, "env")}
    settings: dict[str, Any] = {}
    unread = []
    for name in (*_NUMBERS, *_SWITCHES):
        variable = variables.get(name, {})
        value = read_text(variable, "value").strip()
        if variable.get("valueFrom") is not None or (name in _NUMBERS and value and not value.isdecimal()):
            unread.append(name)
        elif name in _SWITCHES:
            settings[_SWITCHES[name]] = value.casefold() in _TRUE
        elif value:
            settings[_NUMBERS[name]] = int(value)
    return CniSettings(**settings, unread=tuple(unread))


def read_volume(data: Mapping[str, Any]) -> VolumeObject:
    """Read a PersistentVolume."""
    spec = read_part(data, "spec")
    driver = read_text(read_part(spec, "csi"), "driver")
    is_ebs = driver in _EBS_DRIVERS or bool(read_part(spec, "awsElasticBlockStore"))
    return VolumeObject(read_name(data), read_volume_terms(data), is_ebs)


def read_attachment_limit(data: Mapping[str, Any]) -> tuple[str, int | None]:
    """Return the name of a CSINode, and how many volumes its EBS driver attaches; None when it does not tell."""
    limits = [
        read_int(allocatable, "count")
        for driver in read_objects(read_part(data, "spec"), "drivers")
        if read_text(driver, "name") in _EBS_DRIVERS and (allocatable := read_part(driver, "allocatable"))
    ]
    return read_name(data), min(limits, default=None)
