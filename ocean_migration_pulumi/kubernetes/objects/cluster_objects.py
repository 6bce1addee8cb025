"""Reads the objects of a cluster that all workloads share: Services, webhooks and NodePools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.kubernetes.objects.decoding import (
    read_objects,
    read_pairs,
    read_part,
    read_text,
    read_texts,
    require_text,
)
from ocean_migration_pulumi.kubernetes.objects.objects import read_taints
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NodePool, Requirement, Webhook

_POD_RESOURCES: Final = frozenset({"*", "*/*", "pods", "pods/*", "pods/eviction"})
_NOTHING: Final = frozenset({"0", "0m"})


def read_service(data: Mapping[str, Any]) -> tuple[tuple[str, str], dict[str, str]]:
    """Return namespace and name of a Service, and its selector, which is empty for one that selects no pods."""
    metadata, spec = read_part(data, "metadata"), read_part(data, "spec")
    return (require_text(metadata, "namespace"), require_text(metadata, "name")), read_pairs(spec, "selector")


def read_webhooks(data: Mapping[str, Any]) -> tuple[Webhook, ...]:
    """Return the webhooks of a configuration that fail closed, concern pods and are answered by a Service."""
    found = []
    for webhook in read_objects(data, "webhooks"):
        service = read_part(webhook, "clientConfig", "service")
        resources = {name for rule in read_objects(webhook, "rules") for name in read_texts(rule, "resources")}
        if service and resources & _POD_RESOURCES and read_text(webhook, "failurePolicy", "Fail") == "Fail":
            answering = require_text(service, "namespace"), require_text(service, "name")
            found.append(Webhook(name=require_text(webhook, "name"), service=answering))
    return tuple(found)


def read_node_pool(data: Mapping[str, Any]) -> NodePool:
    """Read a NodePool of Karpenter."""
    metadata, spec = read_part(data, "metadata"), read_part(data, "spec")
    template = read_part(spec, "template", "spec")
    limits = read_part(spec, "limits")
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
        is_closed=any(str(limits.get(name)) in _NOTHING for name in ("cpu", "memory", "nodes")),
    )
