"""Paths and RBAC rules of the Kubernetes resources that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    AWS_AUTH,
    BUDGETS,
    CSI_NODES,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVICTIONS,
    MUTATING_WEBHOOKS,
    NODE_POOLS,
    VALIDATING_WEBHOOKS,
)
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import REPLICA_SETS, SCALES, STATEFUL_SETS

AWS_AUTH_NAME: Final = "aws-auth"
"""The ConfigMap that maps IAM roles."""

_GROUPS: Final[Mapping[str, str]] = {
    BUDGETS: "policy",
    DEPLOYMENTS: "apps",
    CSI_NODES: "storage.k8s.io",
    DAEMON_SETS: "apps",
    MUTATING_WEBHOOKS: "admissionregistration.k8s.io",
    NODE_POOLS: "karpenter.sh",
    VALIDATING_WEBHOOKS: "admissionregistration.k8s.io",
    REPLICA_SETS: "apps",
    STATEFUL_SETS: "apps",
    # Of the kinds of any group.
    SCALES: "*",
    "jobs": "batch",
}


def resource_path(resource: str, namespace: str = "", name: str = "") -> str:
    """Return the path of a resource: of all objects, of those of a namespace, or of the one with a name."""
    group = _GROUPS.get(resource)
    return f"{api_path(f'{group}/v1' if group else 'v1')}/{object_path(resource, namespace, name)}"


def api_path(version: str) -> str:
    """Return the path of a group and version, such as ``apps/v1``, or of the core group's version alone."""
    return f"{'apis' if '/' in version else 'api'}/{quote(version)}"


def object_path(resource: str, namespace: str = "", name: str = "") -> str:
    """Return the path of a resource within its group and version; the arguments are those of ``resource_path``."""
    parts = ["namespaces", namespace] if namespace else []
    parts += [resource, name] if name else [resource]
    return "/".join(quote(part, safe="") for part in parts)


def rbac_verb(resource: str) -> str:
    """Return the RBAC verb for what a snapshot of the cluster or its workloads does with a resource."""
    return {AWS_AUTH: "get", EVICTIONS: "create", SCALES: "get"}.get(resource, "list")


def rbac_rule(resource: str, verb: str | None = None) -> str:
    """Return the RBAC rule that allows a verb, None: that of a snapshot, on a resource, on one line.

    A resource of another group is named with it, as `kubectl` does: ``certificates.cert-manager.io``.
    """
    verb = verb or rbac_verb(resource)
    name, _, other_group = resource.partition(".")
    group = _GROUPS.get(resource, other_group)
    named = f", resourceNames: [{AWS_AUTH_NAME}]" if resource == AWS_AUTH else ""
    shown = f'"{resource}"' if resource == SCALES else name
    return f'{{apiGroups: ["{group}"], resources: [{shown}]{named}, verbs: [{verb}]}}'
