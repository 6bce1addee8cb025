"""Retirement of old groups of nodes: the change to make, and what has to change before.

To delete an EKS managed node group takes its role out of ``aws-auth``: every other node with that role, Ocean's too, is
NotReady soon after.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from ocean_migration_pulumi.common.text import count_noun, list_some, one_line, sanitize
from ocean_migration_pulumi.component.args import CheckedArgs, RetireArgs
from ocean_migration_pulumi.component.importing.aws_sources import auto_scaling_group, find_node_group, region_of
from ocean_migration_pulumi.component.resources.cluster import Made
from ocean_migration_pulumi.errors import OceanMigrationError, SourceGoneError
from ocean_migration_pulumi.functions import open_service
from ocean_migration_pulumi.migration.scheduling.aws_facts import is_same_role
from ocean_migration_pulumi.provider import OceanWorkloadMigration

Profiles = Mapping[str, str]
"""Instance profiles (names or ARNs) by who uses them, as messages say it."""

UNKNOWN: Final[Any] = object()
"""Stands for a value that the preview does not know."""


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
    """Why the role is not known, or may be another."""
    is_gone: bool = False
    """Whether the group does not exist any more."""

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
                f"aws eks update-nodegroup-config --cluster-name {_quote(self.eks_cluster)} --nodegroup-name "
                f"{_quote(self.args.node_group)} --scaling-config minSize=0,desiredSize=0"
            )
        return (
            "aws autoscaling update-auto-scaling-group --auto-scaling-group-name "
            f"{_quote(self.args.auto_scaling_group)} --min-size 0 --desired-capacity 0"
        )


def _quote(name: str | None) -> str:
    """Return a name for a shell: that of an Auto Scaling Group may have blanks and quotes."""
    return shlex.quote(sanitize(name or "-"))


def report_retirement(
    declared: CheckedArgs, made: Made, waves: Mapping[str, OceanWorkloadMigration], parent: pulumi.Resource
) -> Output[list[str]]:
    """Return how to retire each old group, a line each, and warn of groups whose role Ocean's nodes use.

    What the program declares is compared in every preview, also before the cluster exists. It counts before what Spot
    has: once the program gives Ocean's nodes another profile, there is no conflict any more.

    Args:
        declared: The arguments of the component.
        made: Its cluster and Virtual Node Groups.
        waves: Its migrations.
        parent: The component.
    """
    if not declared.retire:
        return Output.from_input([])
    options = pulumi.InvokeOptions(parent=parent)
    role_of = cache(partial(role_of_profile, opts=options))  # many groups share few profiles
    warned: set[str] = set()

    @cache
    def find_groups(eks_cluster: str | None) -> list[OldGroup]:
        found = [
            each
            for each in declared.retire
            if eks_cluster is not UNKNOWN or each.node_group is None or each.eks_cluster
        ]
        return [find_old_group(each, eks_cluster, options) for each in found]

    def find_conflicts(known: Mapping[str, Any], profiles: Profiles) -> list[tuple[OldGroup, list[str], list[str]]]:
        found = [
            (group, find_users(group, profiles, role_of), find_unread(group, profiles, role_of))
            for group in find_groups(known["eks_cluster"])
        ]
        for group, users, _ in found:
            if users and group.name not in warned:
                warned.add(group.name)
                pulumi.log.warn(f"retire {describe_conflict(group, users)}", parent)
        return found

    async def compare_known() -> None:
        """Compare what a preview knows, and name what it does not know."""
        known = {name: await _find_value(value) for name, value in inputs.items()}
        known["groups"] = [await _find_value(profile) for profile in made.vng_profiles.values()]
        if UNKNOWN not in (*known.values(), *known["groups"]):
            return  # everything is compared at once
        if known["is_template"] is UNKNOWN:
            known["is_template"] = None  # no group of nodes is a template
        if UNKNOWN in (known["ocean_id"], known["account_id"]):
            known["ocean_id"] = None
        profiles = find_profiles(made, known, parent)
        find_conflicts(known, profiles)
        later = [f"the instance profile of {user}" for user, profile in profiles.items() if profile is UNKNOWN]
        if known["eks_cluster"] is UNKNOWN:
            later.append("import_from.eks_cluster")
        if later:
            pulumi.log.info(
                f"retire: {list_some(later)} is not known before `pulumi up`, which then compares it", parent
            )

    def describe(known: Mapping[str, Any]) -> list[str]:
        left = [name for names in known["remaining"] for name in names or ()]
        lines = []
        for group, users, unread in known["found"]:
            lines.append(describe_conflict(group, users) if users else describe_retirement(group, left, unread))
            if not users:
                pulumi.log.info(f"retire {lines[-1]}", parent)
        return lines

    inputs: dict[str, Input[Any]] = {
        "eks_cluster": None if declared.import_from is None else declared.import_from.eks_cluster,
        "account_id": declared.args.account_id,
        # Virtual Node Groups that others made are known once the cluster is there.
        "ocean_id": made.ocean_id,
        "own": made.profile,
        "is_template": made.is_template,
    }
    _: Output[None] = Output.from_input(compare_known())
    found = Output.all(**inputs, groups=Output.all(*made.vng_profiles.values())).apply(
        lambda known: find_conflicts(known, find_profiles(made, known, parent))
    )
    remaining = Output.all(*(migration.remaining_nodes for migration in waves.values()))
    return Output.all(found=found, remaining=remaining).apply(describe)


async def _find_value(value: Input[Any]) -> Any:
    """Return the value of an input, or ``UNKNOWN``."""
    output = Output.from_input(value)
    return await output.future() if await output.is_known() else UNKNOWN


def find_profiles(made: Made, known: Mapping[str, Any], parent: pulumi.Resource) -> dict[str, str]:
    """Return the instance profiles of the cluster and its Virtual Node Groups, by who uses them.

    Args:
        made: What the program declares.
        known: The declared profiles ``own`` and ``groups``, ``is_template``, and the cluster to ask Spot for:
            ``ocean_id``, None for nothing else, and ``account_id``.
        parent: The component, which warns of what Spot does not tell.

    Returns:
        The profiles; one that the preview does not know is ``UNKNOWN``.
    """
    own, is_template, cluster_name = known["own"], known["is_template"], "the Ocean cluster"
    declared = zip(made.vngs, known["groups"], strict=True)
    groups = {f"Virtual Node Group {sanitize(name)}": profile for name, profile in declared}
    if known["ocean_id"]:
        try:
            with open_service(known["account_id"]) as service:
                cluster = service.get_cluster(known["ocean_id"])
                listed = service.list_virtual_node_groups(known["ocean_id"])
        except OceanMigrationError as error:
            pulumi.log.warn(f"retire: not all instance profiles of the Ocean cluster can be compared: {error}", parent)
            groups["Virtual Node Groups that the program does not declare"] = UNKNOWN
            if made.resource is None:
                own = UNKNOWN
        else:
            if made.resource is None:
                own, is_template = cluster.template.instance_profile, cluster.template_only
            groups |= {
                f"Virtual Node Group {sanitize(group.name)} ({group.id})": group.template.instance_profile
                for group in listed
                if group.name not in made.vngs
            }
    found = {} if is_template else {cluster_name: own}
    found |= {user: profile or own for user, profile in groups.items()}
    return {user: profile for user, profile in found.items() if profile}


def find_users(old: OldGroup, profiles: Profiles, role_of: Callable[[str], str | None]) -> list[str]:
    """Return who of Ocean uses the role of a group; nobody when the role is not known.

    Args:
        old: The group.
        profiles: The instance profiles of Ocean's nodes.
        role_of: Returns the role of an instance profile; None when it is not known.
    """
    return sorted(
        user
        for user, profile in profiles.items()
        if old.role is not None
        and profile is not UNKNOWN
        and (role := role_of(profile)) is not None
        and is_same_role(role, old.role)
    )


def find_unread(old: OldGroup, profiles: Profiles, role_of: Callable[[str], str | None]) -> list[str]:
    """Return who of Ocean has a role that neither Spot nor AWS tells, to compare with that of a group.

    See ``find_users`` for the arguments. Nothing is asked for a group whose own role is not known.
    """
    if old.role is None:
        return []
    return sorted(user for user, profile in profiles.items() if profile is UNKNOWN or role_of(profile) is None)


def describe_conflict(old: OldGroup, users: Sequence[str]) -> str:
    """Return why a group cannot be retired yet, and what to do, in one line."""
    return (
        f"{old.name}: not possible, its role {old.role} is also the role of {list_some(list(users))}, whose nodes "
        "become NotReady without it. Give them an instance profile with another role first"
    )


def describe_retirement(old: OldGroup, remaining: Sequence[str], unread: Sequence[str] = ()) -> str:
    """Return how to retire a group, or what to wait for, in one line.

    Args:
        old: The group.
        remaining: Planned nodes that are not migrated yet.
        unread: Who of Ocean has a role that is not known.
    """
    if old.is_gone:
        removal = f"; remove {sanitize(old.args.declaration)}" if old.args.declaration else ""
        return f"{old.name}: no longer exists{removal}"
    if remaining:
        return f"{old.name}: not yet, {count_noun(len(remaining), 'node')} still to migrate"
    doubts = [f"no Virtual Node Group has its role: {old.why_not}"] if old.why_not else []
    if unread:
        doubts.append(f"its role {old.role} is not that of {list_some(list(unread))}, which is not known")
    doubt = f" (first make sure that {', and that '.join(doubts)})" if doubts else ""
    return f"{old.name}: {old.change}{doubt}"


def find_old_group(args: RetireArgs, eks_cluster: str | None, opts: pulumi.InvokeOptions | None) -> OldGroup:
    """Ask AWS for the role of a group's nodes, through functions of pulumi_aws; what it does not tell is not known."""
    cluster = args.eks_cluster or eks_cluster
    try:
        role, doubt = _role_of_node_group(args, cluster, opts) if args.node_group else _role_of_asg(args, opts)
    except SourceGoneError:
        return OldGroup(args=args, eks_cluster=cluster, is_gone=True)
    except Exception as error:  # noqa: BLE001 - invokes raise plain exceptions for whatever AWS answers
        why = f"AWS does not report it ({one_line(str(error), 200)})"
        return OldGroup(args=args, eks_cluster=cluster, why_not=why)
    return OldGroup(args=args, eks_cluster=cluster, role=role, why_not=doubt if role else "AWS reports none")


def role_of_profile(profile: str, opts: pulumi.InvokeOptions | None) -> str | None:
    """Return the role of an instance profile; None when AWS does not tell it."""
    try:
        found = aws.iam.get_instance_profile(name=profile.rpartition("/")[2], opts=opts)
    except Exception:  # noqa: BLE001 - as above: what is not known refuses nothing
        return None
    return found.role_arn or None


def _role_of_node_group(
    args: RetireArgs, cluster: str | None, opts: pulumi.InvokeOptions | None
) -> tuple[str | None, str]:
    """Return the role of the nodes, None when AWS does not tell it, and why it may be another, empty for no reason."""
    found = find_node_group(cluster or "", args.node_group or "", None, opts)
    return found.node_role_arn or None, ""


def _role_of_asg(args: RetireArgs, opts: pulumi.InvokeOptions | None) -> tuple[str | None, str]:
    """Return as for a node group; a version of a launch template that cannot be read may have another role."""
    template = auto_scaling_group(args.auto_scaling_group or "", region_of(opts), opts).template
    profile = template.parts.get("iamInstanceProfile") if template else None
    named = profile.get("arn") or profile.get("name") if profile else None
    doubt = template.doubt or "" if template else ""
    return role_of_profile(named, opts) if named else None, doubt
