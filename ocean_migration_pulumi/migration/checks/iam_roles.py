"""May the new nodes register: the IAM role of each Virtual Node Group against what the cluster lets in.

A role that is missing in ``aws-auth`` is, by Spot's own troubleshooting pages, the primary reason for nodes that fail
to register.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, is_same_role
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import AWS_AUTH, Gap, KubernetesSnapshot
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

ROLES: Final = "instance roles"

_REGISTERED: Final = "registered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """Where nodes go: a Virtual Node Group, or the cluster's own template (``group_id`` None).

    ``name`` is for messages; ``instance_profile`` is None where neither the group nor the cluster has one.
    """

    group_id: str | None
    name: str
    instance_profile: str | None


def profiled(nodes: Iterable[PlannedNode], cluster: Cluster, groups: Mapping[str, VirtualNodeGroup]) -> list[Profiled]:
    """Return where these nodes go, each target once; nodes without labels and taints may go to the cluster's own."""
    matched = {node.virtual_node_group_id or "" for node in nodes}
    common = cluster.template.instance_profile
    found = [
        Profiled(
            group_id=group_id,
            name=f"{sanitize(groups[group_id].name)} ({group_id})",
            instance_profile=groups[group_id].template.instance_profile or common,
        )
        for group_id in sorted(matched & groups.keys())
    ]
    if DEFAULT_VIRTUAL_NODE_GROUP in matched and not cluster.template_only:
        found.append(Profiled(group_id=None, name=f"cluster {cluster.id}", instance_profile=common))
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
    by_profile: dict[str | None, list[str]] = {}
    for target in profiled(nodes, cluster, groups):
        if target.group_id not in proven:
            by_profile.setdefault(target.instance_profile, []).append(target.name)
    check_results = [
        check_result
        for profile, names in by_profile.items()
        if (check_result := _judge(profile, ", ".join(names), kube, cloud))
    ]
    return check_results or [CheckResult(ROLES, CheckStatus.PASS, "new nodes may register")]


def _judge(profile: str | None, targets: str, kube: KubernetesSnapshot, cloud: AwsFacts | None) -> CheckResult | None:
    if profile is None:
        seen = f"no instance profile is set for {targets}"
        return CheckResult(
            ROLES, CheckStatus.UNKNOWN, seen, "make sure that its nodes get a role that may join the cluster"
        )
    name = sanitize(profile.rpartition("/")[2])
    # EKS finds no role by an entry that has the role's path in it.
    mapped = [mapped_role for mapped_role in kube.mapped_roles or () if mapped_role.count("/") == 1]
    role = None if cloud is None else cloud.roles.get(profile)
    if role is None:
        # Often both have one name; that the profile holds another role is then unlikely, not impossible.
        if any(mapped_role.rpartition("/")[2] == name for mapped_role in mapped):
            return None
        gap = None if cloud is None else cloud.gaps.get("roles")
        seen = f"the role of instance profile {name} ({targets}) is not known" + (f": {gap.reason}" if gap else "")
        remedy = f"make sure that it is in the ConfigMap aws-auth or has an access entry{_also(gap)}"
        return CheckResult(ROLES, CheckStatus.UNKNOWN, seen, remedy)
    entries = None if cloud is None else cloud.access_entries
    if any(is_same_role(role, other) for other in (*mapped, *(entries or ()))):
        return None
    short = sanitize(role)
    remedy = f"map {short} in aws-auth (groups system:bootstrappers, system:nodes), or create an access entry for it"
    if AWS_AUTH in kube.gaps:
        gap = kube.gaps[AWS_AUTH]
        seen = f"{short} ({targets}) has no access entry that is known, and aws-auth is not: {gap.reason}"
        return CheckResult(ROLES, CheckStatus.UNKNOWN, seen, gap.remedy or remedy)
    if entries is None:
        gap = None if cloud is None else cloud.gaps.get("access_entries")
        why = f": {gap.reason}" if gap else ""
        seen = f"{short} ({targets}) is not in aws-auth, and access entries could not be read{why}"
        return CheckResult(ROLES, CheckStatus.UNKNOWN, seen, f"make sure that it has one{_also(gap)}")
    seen = f"{short} ({targets}) is neither in aws-auth nor has an access entry: its nodes cannot register"
    return CheckResult(ROLES, CheckStatus.FAIL, seen, remedy)


def _also(gap: Gap | None) -> str:
    return f" (to have it checked: {gap.remedy})" if gap is not None and gap.remedy else ""
