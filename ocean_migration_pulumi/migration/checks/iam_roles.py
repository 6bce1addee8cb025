"""Check that new nodes may register: the IAM role of each Virtual Node Group against what the cluster lets in.

A role that is missing in ``aws-auth`` is, by Spot's own troubleshooting pages, the primary reason for nodes that fail
to register.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, is_same_role
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, KubernetesSnapshot
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

ROLES: Final = "instance roles"

_REGISTERED: Final = "registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """Where nodes go: a Virtual Node Group, or the cluster's own template."""

    group_id: str | None
    """The id of the group; None for the cluster's own template."""
    name: str
    """The name of the group; empty for the cluster's own template."""
    instance_profile: str | None
    """None where neither the group nor the cluster has one."""


def profiled(nodes: Iterable[PlannedNode], cluster: Cluster, groups: Mapping[str, VirtualNodeGroup]) -> list[Profiled]:
    """Return where these nodes go, each target once; nodes without labels and taints may go to the cluster's own."""
    matched = {node.virtual_node_group_id or "" for node in nodes}
    common = cluster.template.instance_profile
    found = [
        Profiled(
            group_id=group_id,
            name=groups[group_id].name,
            instance_profile=groups[group_id].template.instance_profile or common,
        )
        for group_id in sorted(matched & groups.keys())
    ]
    if DEFAULT_VIRTUAL_NODE_GROUP in matched and not cluster.template_only:
        found.append(Profiled(group_id=None, name="", instance_profile=common))
    return found


def check_roles(
    nodes: Iterable[PlannedNode],
    *,
    cluster: Cluster,
    groups: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Sequence[ClusterNode],
    kube: KubernetesSnapshot,
    cloud: AwsFacts | None,
) -> list[CheckResult]:
    """Check that the role of each target's instance profile is in ``aws-auth`` or has an access entry.

    A target whose nodes have registered before needs no other proof.
    """
    proven = {node.virtual_node_group_id for node in ocean_nodes if node.registration_status.casefold() == _REGISTERED}
    by_profile: dict[str | None, list[dict[str, str]]] = {}
    for target in profiled(nodes, cluster, groups):
        if target.group_id not in proven:
            shown = {"id": target.group_id or cluster.id, "name": target.name}
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
    # EKS finds no role by an entry that has the role's path in it.
    mapped = [mapped_role for mapped_role in kube.mapped_roles or () if mapped_role.count("/") == 1]
    role = None if cloud is None else cloud.roles.get(profile)
    if role is None:
        # Often both have one name; that the profile holds another role is then unlikely, not impossible.
        if any(mapped_role.rpartition("/")[2] == name for mapped_role in mapped):
            return None
        fields = {"profile": name, "targets": targets, **_gap_fields(cloud, "roles")}
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ROLE_NOT_READ, fields)
    entries = None if cloud is None else cloud.access_entries
    if any(is_same_role(role, other) for other in (*mapped, *(entries or ()))):
        return None
    fields = {"role": role, "targets": targets}
    if gap := kube.gaps.get(AWS_AUTH):
        fields |= {"reason": gap.reason, "remedy": gap.remedy}
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.AWS_AUTH_NOT_READ, fields)
    if entries is None:
        fields |= _gap_fields(cloud, "access_entries")
        return CheckResult(ROLES, CheckStatus.UNKNOWN, Finding.ACCESS_ENTRIES_NOT_READ, fields)
    return CheckResult(ROLES, CheckStatus.FAIL, Finding.ROLE_NOT_MAPPED, fields)


def _gap_fields(cloud: AwsFacts | None, name: str) -> dict[str, str]:
    gap = None if cloud is None else cloud.gaps.get(name)
    return {"reason": gap.reason if gap else "", "remedy": gap.remedy if gap else ""}
