"""Check that new nodes may register: the IAM role of each Virtual Node Group against what the cluster lets in.

A role that is missing in ``aws-auth`` is, by Spot's own troubleshooting pages, the primary reason for nodes that fail
to register.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.user_data import is_named_by_id
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, is_same_role, without_path
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, KubernetesSnapshot, MappedRole
from ocean_migration_pulumi.migration.scheduling.vng_profiles import system_of
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

ROLES: Final = "instance roles"

NODE_GROUPS: Final = frozenset({"system:bootstrappers", "system:nodes"})
"""The Kubernetes groups that nodes need."""

WINDOWS_GROUP: Final = "eks:kube-proxy-windows"
"""The group that nodes need besides, if they run Windows: without it their pods reach no Service, not even DNS."""

# The node authorizer wants the name of the node; the template is filled in for each instance.
_BY_DNS_NAME: Final = frozenset({"system:node:{{EC2PrivateDNSName}}"})
_BY_INSTANCE_ID: Final = frozenset({"system:node:{{SessionName}}", "system:node:{{SessionNameRaw}}"})
"""The session of an instance has the name of the instance's id."""
_WINDOWS_TYPE: Final = "EC2_WINDOWS"
_NODE_TYPES: Final = frozenset({"EC2_LINUX", _WINDOWS_TYPE})
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
    user_data: str = field(default="", repr=False)
    """The user data of its nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NodeKind:
    """What the nodes of a target need of an entry."""

    profile: str | None
    """Their instance profile."""
    is_windows: bool
    """Whether they run Windows."""
    named_by_id: bool | None
    """Whether they are named by their instance id, else by their DNS name; None when it is not known."""

    @property
    def groups(self) -> frozenset[str]:
        """The Kubernetes groups that they need."""
        return NODE_GROUPS | {WINDOWS_GROUP} if self.is_windows else NODE_GROUPS

    @property
    def fields(self) -> dict[str, Any]:
        """What messages have to know of them, where they are unlike most nodes."""
        return {name: True for name, holds in (("windows", self.is_windows), ("by_id", self.named_by_id)) if holds}

    def accepts_username(self, username: str) -> bool | None:
        """Tell whether they register with a username; None when it depends on how they are named."""
        if username in _BY_DNS_NAME:
            # Nodes are named so, unless something says otherwise.
            return not self.named_by_id
        return self.named_by_id if username in _BY_INSTANCE_ID else False

    def accepts(self, role: MappedRole) -> bool | None:
        """Tell whether they register with an entry of ``aws-auth``."""
        return set(role.groups) >= self.groups and self.accepts_username(role.username)


def profiled(nodes: Iterable[PlannedNode], cluster: Cluster, vngs: Mapping[str, VirtualNodeGroup]) -> list[Profiled]:
    """Return where these nodes go, each target once; nodes without labels and taints may go to the cluster's own."""
    matched = {node.virtual_node_group_id or "" for node in nodes}
    common = cluster.template
    found = [
        Profiled(
            vng_id=vng_id,
            name=vngs[vng_id].name,
            instance_profile=vngs[vng_id].template.instance_profile or common.instance_profile,
            user_data=vngs[vng_id].template.user_data or common.user_data,
        )
        for vng_id in sorted(matched & vngs.keys())
    ]
    if DEFAULT_VIRTUAL_NODE_GROUP in matched and not cluster.template_only:
        found.append(
            Profiled(vng_id=None, name="", instance_profile=common.instance_profile, user_data=common.user_data)
        )
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
    by_kind: dict[_NodeKind, list[dict[str, str]]] = {}
    for target in profiled(nodes, cluster, vngs):
        if target.vng_id not in proven:
            kind = _NodeKind(
                profile=target.instance_profile,
                is_windows=system_of(target.user_data) == "windows",
                named_by_id=is_named_by_id(target.user_data),
            )
            by_kind.setdefault(kind, []).append({"id": target.vng_id or cluster.id, "name": target.name})
    check_results = [
        check_result for kind, targets in by_kind.items() if (check_result := _check_kind(kind, targets, kube, cloud))
    ]
    return check_results or [CheckResult(ROLES, CheckStatus.PASS, Finding.ROLES_MAPPED)]


def _check_kind(
    kind: _NodeKind, targets: list[dict[str, str]], kube: KubernetesSnapshot, cloud: AwsFacts | None
) -> CheckResult | None:
    """Check the role of one instance profile; None when its nodes may register."""
    profile = kind.profile
    if profile is None:
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.NO_INSTANCE_PROFILE, {"targets": targets})
    name = profile.rpartition("/")[2]
    mapped = kube.mapped_roles or ()
    role = None if cloud is None else cloud.roles.get(profile)
    if cloud is None or role is None:
        # Often both have one name; that the profile holds another role is then unlikely, not impossible.
        if any(kind.accepts(each) and _names_profile(each, profile, name) for each in mapped):
            return None
        fields: dict[str, Any] = {"profile": name, "targets": targets, **_gap_fields(cloud, "roles")}
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ROLE_NOT_READ, fields)
    fields = {"role": role, "targets": targets, **kind.fields}
    entry = next((arn for arn in sorted(cloud.access_entries or ()) if is_same_role(role, arn)), None)
    if entry is not None:
        return _check_entry(entry, kind, fields, cloud)
    if cloud.authentication_mode == _ENTRIES_ONLY:
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_WITHOUT_ENTRY, fields)
    # EKS looks for a role without its path.
    found = next((each for each in mapped if each.arn.casefold() == without_path(role).casefold()), None)
    with_path = next((each.arn for each in mapped if each is not found and is_same_role(role, each.arn)), None)
    if found is None and (gap := kube.gaps.get(AWS_AUTH)):
        fields["gap"] = gap.to_json()
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.AWS_AUTH_NOT_READ, fields)
    accepted = found is not None and kind.accepts(found)
    # Whatever aws-auth has, an access entry would take its place.
    if cloud.access_entries is None and accepted is False:
        fields |= _gap_fields(cloud, "access_entries")
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ACCESS_ENTRIES_NOT_READ, fields)
    if found is not None and accepted is not True:
        if accepted is None:
            fields["username"] = found.username
            return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ROLE_USERNAME_UNSURE, fields)
        username = found.username if kind.accepts_username(found.username) is False else None
        fields |= {"username": username, "missing": sorted(kind.groups - set(found.groups))}
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_MAPPED_WRONG, fields)
    if found is None and with_path is not None:
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_MAPPED_WITH_PATH, {**fields, "mapped": with_path})
    if found is None:
        return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED, fields)
    if "authentication_mode" in cloud.gaps:
        fields |= _gap_fields(cloud, "authentication_mode")
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.AUTHENTICATION_MODE_NOT_READ, fields)
    return None


def _check_entry(entry: str, kind: _NodeKind, fields: Mapping[str, Any], cloud: AwsFacts) -> CheckResult | None:
    """Check the type of a role's access entry, which EKS uses whatever ``aws-auth`` has."""
    found = cloud.entry_types.get(entry)
    # An entry for Windows has all the groups of one for Linux.
    if found == _WINDOWS_TYPE or (found in _NODE_TYPES and not kind.is_windows):
        return None
    if found is None:
        gap = _gap_fields(cloud, "entry_types")
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ACCESS_ENTRY_NOT_READ, {**fields, **gap})
    return CheckResult(ROLES, CheckStatus.FAIL, Finding.ACCESS_ENTRY_OF_OTHER_TYPE, {**fields, "type": found})


def _names_profile(role: MappedRole, profile: str, name: str) -> bool:
    """Tell whether a role has the name of an instance profile, and its account as far as the profile tells it."""
    account, _, found = role.arn.partition(":role/")
    same_account = ":" not in profile or account == profile.partition(":instance-profile/")[0]
    return found == name and same_account


def _gap_fields(cloud: AwsFacts | None, name: str) -> dict[str, Any]:
    gap = None if cloud is None else cloud.gaps.get(name)
    return {"gap": gap.to_json() if gap else None}
