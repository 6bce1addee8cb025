"""Check that new nodes may register: the IAM role of each Virtual Node Group against what the cluster lets in.

A role that is missing in ``aws-auth`` is, by Spot's own troubleshooting pages, the primary reason for nodes that fail
to register.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, is_same_role, without_path
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, KubernetesSnapshot, MappedRole
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

ROLES: Final = "instance roles"

NODE_GROUPS: Final = frozenset({"system:bootstrappers", "system:nodes"})
"""The Kubernetes groups that nodes need."""

# The node authorizer wants the name of the node; the template is filled in for each instance.
_NODE_USERNAME: Final = re.compile(r"system:node:\{\{(?:EC2PrivateDNSName|SessionName|SessionNameRaw)\}\}")
_NODE_TYPES: Final = frozenset({"EC2_LINUX", "EC2_WINDOWS"})
_ENTRIES_ONLY: Final = "API"
"""The authentication mode in which EKS ignores ``aws-auth``."""
_REGISTERED: Final = "registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """Where nodes go: a Virtual Node Group, or the cluster's own template."""

    vng_id: str | None
    """The id of the group; None for the cluster's own template."""
    name: str
    """The name of the group; empty for the cluster's own template."""
    instance_profile: str | None
    """None where neither the group nor the cluster has one."""


def profiled(nodes: Iterable[PlannedNode], cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup]) -> list[Profiled]:
    """Return where these nodes go, each target once; nodes without labels and taints may go to the cluster's own."""
    matched = {node.virtual_node_group_id or "" for node in nodes}
    common = cluster.template.instance_profile
    found = [
        Profiled(
            vng_id=vng_id,
            name=vngs[vng_id].name,
            instance_profile=vngs[vng_id].template.instance_profile or common,
        )
        for vng_id in sorted(matched & vngs.keys())
    ]
    if DEFAULT_VIRTUAL_NODE_GROUP in matched and not cluster.template_only:
        found.append(Profiled(vng_id=None, name="", instance_profile=common))
    return found


def check_roles(
    nodes: Iterable[PlannedNode],
    *,
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Sequence[ClusterNode],
    kube: KubernetesSnapshot,
    cloud: AwsFacts | None,
) -> list[CheckResult]:
    """Check that the role of each target's instance profile is in ``aws-auth`` or has an access entry.

    A target whose nodes have registered before needs no other proof.
    """
    proven = {node.virtual_node_group_id for node in ocean_nodes if node.registration_status.casefold() == _REGISTERED}
    by_profile: dict[str | None, list[dict[str, str]]] = {}
    for target in profiled(nodes, cluster, vngs):
        if target.vng_id not in proven:
            shown = {"id": target.vng_id or cluster.id, "name": target.name}
            by_profile.setdefault(target.instance_profile, []).append(shown)
    check_results = [
        check_result
        for profile, targets in by_profile.items()
        if (check_result := _check_profile(profile, targets, kube, cloud))
    ]
    return check_results or [CheckResult(ROLES, CheckStatus.PASS, Finding.ROLES_MAPPED)]


def _check_profile(
    profile: str | None, targets: list[dict[str, str]], kube: KubernetesSnapshot, cloud: AwsFacts | None
) -> CheckResult | None:
    """Check the role of one instance profile; None when its nodes may register."""
    if profile is None:
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.NO_INSTANCE_PROFILE, {"targets": targets})
    name = profile.rpartition("/")[2]
    mapped = kube.mapped_roles or ()
    role = None if cloud is None else cloud.roles.get(profile)
    if cloud is None or role is None:
        # Often both have one name; that the profile holds another role is then unlikely, not impossible.
        if any(_is_complete(each) and each.arn.partition(":role/")[2] == name for each in mapped):
            return None
        fields: dict[str, Any] = {"profile": name, "targets": targets, **_gap_fields(cloud, "roles")}
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ROLE_NOT_READ, fields)
    fields = {"role": role, "targets": targets}
    entry = next((arn for arn in sorted(cloud.access_entries or ()) if is_same_role(role, arn)), None)
    if entry is not None:
        return _check_entry(entry, fields, cloud)
    if cloud.authentication_mode == _ENTRIES_ONLY:
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_WITHOUT_ENTRY, fields)
    # EKS looks for a role without its path.
    found = next((each for each in mapped if each.arn.casefold() == without_path(role).casefold()), None)
    with_path = next((each.arn for each in mapped if each is not found and is_same_role(role, each.arn)), None)
    if found is None and (gap := kube.gaps.get(AWS_AUTH)):
        fields["gap"] = gap.to_json()
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.AWS_AUTH_NOT_READ, fields)
    # Whatever aws-auth has, an access entry would take its place.
    if cloud.access_entries is None and not (found is not None and _is_complete(found)):
        fields |= _gap_fields(cloud, "access_entries")
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ACCESS_ENTRIES_NOT_READ, fields)
    if found is not None and not _is_complete(found):
        username = None if _has_node_username(found) else found.username
        fields |= {"username": username, "missing": sorted(NODE_GROUPS - set(found.groups))}
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_MAPPED_WRONG, fields)
    if found is None and with_path is not None:
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_MAPPED_WITH_PATH, {**fields, "mapped": with_path})
    if found is None:
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED, fields)
    if "authentication_mode" in cloud.gaps:
        fields |= _gap_fields(cloud, "authentication_mode")
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.AUTHENTICATION_MODE_NOT_READ, fields)
    return None


def _check_entry(entry: str, fields: Mapping[str, Any], cloud: AwsFacts) -> CheckResult | None:
    """Check the type of a role's access entry, which EKS uses whatever ``aws-auth`` has."""
    kind = cloud.entry_types.get(entry)
    if kind in _NODE_TYPES:
        return None
    if kind is None:
        gap = _gap_fields(cloud, "entry_types")
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ACCESS_ENTRY_NOT_READ, {**fields, **gap})
    return CheckResult(ROLES, CheckStatus.FAIL, Finding.ACCESS_ENTRY_OF_OTHER_TYPE, {**fields, "type": kind})


def _is_complete(role: MappedRole) -> bool:
    """Tell whether nodes with this entry may register."""
    return set(role.groups) >= NODE_GROUPS and _has_node_username(role)


def _has_node_username(role: MappedRole) -> bool:
    return _NODE_USERNAME.fullmatch(role.username) is not None


def _gap_fields(cloud: AwsFacts | None, name: str) -> dict[str, Any]:
    gap = None if cloud is None else cloud.gaps.get(name)
    return {"gap": gap.to_json() if gap else None}
