"""Paths and RBAC rules of the Kubernetes resources that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    AWS_AUTH,
    BUDGETS,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVICTIONS,
    MUTATING_WEBHOOKS,
    NODE_POOLS,
    VALIDATING_WEBHOOKS,
)

AWS_AUTH_NAME: Final = "aws-auth"
"""The ConfigMap that maps IAM roles."""

_GROUPS: Final[Mapping[str, str]] = {
    BUDGETS: "policy",
    DEPLOYMENTS: "apps",
    DAEMON_SETS: "apps",
    MUTATING_WEBHOOKS: "admissionregistration.k8s.io",
    NODE_POOLS: "karpenter.sh",
    VALIDATING_WEBHOOKS: "admissionregistration.k8s.io",
    "statefulsets": "apps",
    "jobs": "batch",
}


def resource_path(resource: str, namespace: str = "", name: str = "") -> str:
    """Return the path of a resource: of all objects, of those of a namespace, or of the one with a name."""
    group = _GROUPS.get(resource)
    parts = ["apis", group, "v1"] if group else ["api", "v1"]
    if namespace:
        parts += ["namespaces", namespace]
    parts += [resource, name] if name else [resource]
    return "/".join(quote(part, safe="") for part in parts)


def rbac_verb(resource: str) -> str:
    """Return the RBAC verb for what a snapshot does with a resource."""
    return {AWS_AUTH: "get", EVICTIONS: "create"}.get(resource, "list")


def rbac_rule(resource: str, verb: str | None = None) -> str:
    """Return the RBAC rule that allows a verb, None: that of a snapshot, on a resource, on one line."""
    group, verb = _GROUPS.get(resource, ""), verb or rbac_verb(resource)
    named = f", resourceNames: [{AWS_AUTH_NAME}]" if resource == AWS_AUTH else ""
    return f'{{apiGroups: ["{group}"], resources: [{resource}]{named}, verbs: [{verb}]}}'
