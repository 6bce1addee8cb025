"""Retirement of old groups of nodes: the change to make, refused while a Virtual Node Group uses their role.

To delete an EKS managed node group takes its role out of ``aws-auth``: every other node with that role, Ocean's too, is
NotReady soon after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.common.text import count_noun, list_some, one_line, sanitize
from ocean_migration_pulumi.component.args import RetireArgs
from ocean_migration_pulumi.component.importing.aws_sources import auto_scaling_group, region_of
from ocean_migration_pulumi.errors import MigrationError
from ocean_migration_pulumi.migration.scheduling.aws_facts import is_same_role

Profiles = Mapping[str, str]
"""Instance profiles (names or ARNs) by who uses them, as messages say it."""


@dataclass(frozen=True, kw_only=True)
class OldGroup:
    """A group of nodes to retire."""

    args: RetireArgs
    """The group, and who declares it."""
    eks_cluster: str | None
    """The EKS cluster of a node group."""
    role: str | None = None
    """The role of its nodes, None when it is not known."""
    why_not: str = ""
    """Why the role is not known."""

    @property
    def name(self) -> str:
        """The group as messages name it."""
        if self.args.node_group:
            return f"managed node group {sanitize(self.args.node_group)} of {sanitize(self.eks_cluster or '-')}"
        return f"Auto Scaling Group {sanitize(self.args.auto_scaling_group or '-')}"

    @property
    def change(self) -> str:
        """The change that retires it."""
        if self.args.declaration:
            return f"remove {sanitize(self.args.declaration)}, which declares it"
        if self.args.node_group:
            return (
                f"aws eks update-nodegroup-config --cluster-name {self.eks_cluster} --nodegroup-name "
                f"{self.args.node_group} --scaling-config minSize=0,desiredSize=0"
            )
        return (
            f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {self.args.auto_scaling_group} "
            "--min-size 0 --desired-capacity 0"
        )


def profiles_in_use(cluster: Cluster, groups: Sequence[VirtualNodeGroup]) -> dict[str, str]:
    """Return the instance profiles of the cluster and its Virtual Node Groups, by who uses them."""
    own = cluster.template.instance_profile
    found = {f"cluster {cluster.id}": own} if own and not cluster.template_only else {}
    for group in groups:
        profile = group.template.instance_profile or own
        if profile:
            found[f"Virtual Node Group {sanitize(group.name)} ({group.id})"] = profile
    return found


def describe_retirement(
    old: OldGroup, profiles: Profiles, role_of: Callable[[str], str | None], remaining: Sequence[str]
) -> str:
    """Return how to retire a group, or what to wait for, in one line.

    ``role_of`` returns the role of an instance profile, None when it is not known. ``remaining`` are planned nodes that
    are not migrated yet. Raises MigrationError when a Virtual Node Group uses the role of the group.
    """
    users = sorted(
        user
        for user, profile in profiles.items()
        if old.role is not None and (role := role_of(profile)) is not None and is_same_role(role, old.role)
    )
    if users:
        msg = (
            f"{old.name} cannot be retired: its role {old.role} is that of {list_some(users)}, whose "
            "nodes are NotReady "
            "without it; give them an instance profile with another role first, or take the group out of retire"
        )
        raise MigrationError(msg)
    if remaining:
        return f"{old.name}: not yet, {count_noun(len(remaining), 'node')} still to migrate"
    doubt = "" if old.role is not None else f" (first make sure that no Virtual Node Group has its role: {old.why_not})"
    return f"{old.name}: {old.change}{doubt}"


def find_old_group(args: RetireArgs, eks_cluster: str | None, opts: pulumi.InvokeOptions | None) -> OldGroup:
    """Ask AWS for the role of a group's nodes, through functions of pulumi_aws; what it does not tell is not known."""
    cluster = args.eks_cluster or eks_cluster
    try:
        role = _role_of_node_group(args, cluster, opts) if args.node_group else _role_of_asg(args, opts)
    except Exception as error:  # noqa: BLE001 - invokes raise plain exceptions for whatever AWS answers
        why = f"AWS does not tell it ({one_line(str(error), 200)})"
        return OldGroup(args=args, eks_cluster=cluster, why_not=why)
    return OldGroup(args=args, eks_cluster=cluster, role=role, why_not="" if role else "AWS names none")


def role_of_profile(profile: str, opts: pulumi.InvokeOptions | None) -> str | None:
    """Return the role of an instance profile; None when AWS does not tell it."""
    try:
        found = aws.iam.get_instance_profile(name=profile.rpartition("/")[2], opts=opts)
    except Exception:  # noqa: BLE001 - as above: what is not known refuses nothing
        return None
    return found.role_arn or None


def _role_of_node_group(args: RetireArgs, cluster: str | None, opts: pulumi.InvokeOptions | None) -> str | None:
    found = aws.eks.get_node_group(cluster_name=cluster or "", node_group_name=args.node_group or "", opts=opts)
    return found.node_role_arn or None


def _role_of_asg(args: RetireArgs, opts: pulumi.InvokeOptions | None) -> str | None:
    group = auto_scaling_group(args.auto_scaling_group or "", region_of(opts), opts)
    profile = group.template.parts.get("iamInstanceProfile") if group.template else None
    named = profile.get("arn") or profile.get("name") if profile else None
    return role_of_profile(named, opts) if named else None
