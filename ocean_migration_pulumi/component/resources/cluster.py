"""The Ocean cluster and its Virtual Node Groups, declared or imported from groups of nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_spotinst as spotinst
from pulumi import Input, Output

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.component.args import (
    CheckedArgs,
    ImportFromArgs,
    OceanMigrationArgs,
    TaintArgs,
    VirtualNodeGroupArgs,
    read_args,
)
from ocean_migration_pulumi.component.importing.importer import (
    AutoScalingGroupSource,
    Imported,
    NodeGroupSource,
    Source,
    import_cluster,
    import_vng,
)
from ocean_migration_pulumi.component.importing.spotinst_fields import CLUSTER_ARGUMENTS, VNG_ARGUMENTS
from ocean_migration_pulumi.errors import InputError, SourceGoneError
from ocean_migration_pulumi.functions import open_service
from ocean_migration_pulumi.host import one_line_errors
from ocean_migration_pulumi.migration.spec.options import unknown_field

Import = Callable[[OceanClient, Source, Mapping[str, Any]], Imported]
"""Imports a configuration from a group of nodes; gets the known inputs by name."""

_SHARED_STRATEGY: Final = ("utilize_reserved_instances", "utilize_commitments")
"""Options of a cluster that a Virtual Node Group with a strategy of its own does not inherit."""

_GONE: Final[dict[str, Any]] = {"image_id": "gone", "security_groups": ["gone"], "subnet_ids": ["gone"]}
"""What stands for a configuration whose source is gone: the state's own is kept, and a new cluster is refused."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An imported configuration."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the resource; each is an Output when the source is known only later."""
    fixed: Sequence[str] = ()
    """The arguments that are not compared again: all, when the source is gone and only the state knows them."""
    lines: Input[Sequence[str]] = ()
    """What was imported from where."""
    warnings: Input[Sequence[str]] = ()
    """What was left behind, or may be wrong."""

    def report(self, resource: pulumi.CustomResource) -> Output[list[str]]:
        """Return all lines, and say them once: in the previews before the resource exists."""

        async def say(known: Sequence[Sequence[str]]) -> list[str]:
            lines, warnings = known
            if pulumi.runtime.is_dry_run() and not await resource.id.is_known():
                for line in lines:
                    pulumi.log.info(line, resource)
                for line in warnings:
                    pulumi.log.warn(line, resource)
            return [*lines, *warnings]

        return Output.all(self.lines, self.warnings).apply(say)


@dataclass(kw_only=True)
class Made:
    """The cluster and the Virtual Node Groups of a component."""

    ocean_id: Output[str]
    """The cluster."""
    resource: spotinst.aws.Ocean | None = None
    """The resource of the cluster, None for one that exists already."""
    vngs: dict[str, spotinst.aws.OceanLaunchSpec] = field(default_factory=dict)
    """The Virtual Node Groups by name."""
    lines: list[Input[Sequence[str]]] = field(default_factory=list)
    """What was imported from where, and what was left behind, of each."""
    profile: Input[str | None] = None
    """The instance profile of the cluster; None when the program declares none."""
    is_template: Input[bool | None] = None
    """Whether the cluster only serves as a template; None when the program does not say."""
    vng_profiles: dict[str, Input[str | None]] = field(default_factory=dict)
    """The instance profile of each Virtual Node Group by name; None when the program declares none."""

    @property
    def resources(self) -> list[pulumi.Resource]:
        """All of them, the cluster first."""
        return [*([self.resource] if self.resource is not None else []), *self.vngs.values()]


def check_options(declared: CheckedArgs) -> None:
    """Check that the installed pulumi_spotinst knows the names among ``cluster_options`` and ``options``.

    Raises:
        InputError: It does not know one of them.
    """
    options: list[tuple[str, Mapping[str, Any] | None, type[Any]]] = [
        ("cluster_options", declared.args.cluster_options, spotinst.aws.OceanArgs)
    ]
    for index, vng in enumerate(declared.vngs):
        options.append((f"virtual_node_groups[{index}].options", vng.options, spotinst.aws.OceanLaunchSpecArgs))
    for name, given, kind in options:
        known = [*inspect.signature(kind).parameters]
        for key in given or ():
            if key not in known:
                raise unknown_field(name, key, known)


def make_cluster(
    name: str, declared: CheckedArgs, parent: pulumi.Resource, provider: pulumi.ProviderResource | None
) -> Made:
    """Declare the Ocean cluster, unless it exists, and its Virtual Node Groups.

    What was taken over from a group of nodes is taken over once: later changes of the group, or its end, do not reach
    the cluster. What the arguments say comes before it.
    """
    args, source = declared.args, declared.import_from
    made = Made(ocean_id=Output.from_input(args.ocean_id or ""))
    if source is not None:
        made = _make_from_source(name, source, args, parent, provider)
    for vng in declared.vngs:
        _make_vng(name, vng, declared, made, parent, provider)
    return made


def _make_from_source(
    name: str,
    source: ImportFromArgs,
    args: OceanMigrationArgs,
    parent: pulumi.Resource,
    provider: pulumi.ProviderResource | None,
) -> Made:
    """Declare an Ocean cluster like a group of nodes of an EKS cluster."""
    taken = _take_over(
        CLUSTER_ARGUMENTS,
        lambda service, group, known: import_cluster(
            service,
            group,
            eks_cluster=known["eks_cluster"],
            region=known["region"],
            name=known["name"] or known["eks_cluster"],
            declared=args.cluster_options or {},
            options=pulumi.InvokeOptions(parent=parent),
        ),
        eks_cluster=source.eks_cluster,
        auto_scaling_group=source.auto_scaling_group,
        node_group=source.node_group,
        region=source.region,
        name=args.cluster_name,
        account_id=args.account_id,
    )
    named = {} if args.cluster_name is None else {"name": args.cluster_name}
    options = args.cluster_options or {}
    arguments = {**taken.arguments, **named, **options}
    ignored = _once(taken, options, named)
    if "min_size" in options and "desired_capacity" not in options:
        # As for a copied minimum; later the target is what Ocean runs.
        sizes = Output.all(taken.arguments.get("desired_capacity"), options["min_size"])
        arguments["desired_capacity"] = sizes.apply(lambda known: max(size or 0 for size in known))
        ignored = sorted({*ignored, "desired_capacity"})
    resource = spotinst.aws.Ocean(
        name,
        **arguments,
        opts=pulumi.ResourceOptions(
            parent=parent,
            provider=provider,
            protect=args.protect,
            ignore_changes=ignored,
        ),
    )
    return Made(
        ocean_id=resource.id,
        resource=resource,
        lines=[taken.report(resource)],
        profile=_value_of(resource, "iam_instance_profile", arguments, taken),
        is_template=_value_of(resource, "use_as_template_only", arguments, taken),
    )


def _make_vng(
    name: str,
    vng: VirtualNodeGroupArgs,
    declared: CheckedArgs,
    made: Made,
    parent: pulumi.Resource,
    provider: pulumi.ProviderResource | None,
) -> None:
    """Declare a Virtual Node Group, and add it and what was taken from where."""
    args, source = declared.args, declared.import_from
    # Of a cluster that the same stack makes the id is never passed: what Spot proposes with and without a cluster may
    # not be the same.
    existing = args.ocean_id if isinstance(args.ocean_id, str) else None
    said = {**_declared(vng, args.cluster_options or {}), **(vng.options or {})}
    taken, is_imported = Taken(), vng.auto_scaling_group is not None or vng.node_group is not None
    if is_imported:
        eks_cluster = None if source is None else source.eks_cluster
        taken = _take_over(
            VNG_ARGUMENTS,
            lambda service, source, known: import_vng(
                service,
                source,
                region=known["region"],
                ocean_id=existing,
                name=known["name"],
                declared=said,
                options=pulumi.InvokeOptions(parent=parent),
            ),
            eks_cluster=vng.eks_cluster if vng.eks_cluster is not None else eks_cluster,
            auto_scaling_group=vng.auto_scaling_group,
            node_group=vng.node_group,
            region=None if source is None else source.region,
            name=vng.name,
            account_id=args.account_id,
        )
    arguments = {**taken.arguments, **said, "ocean_id": made.ocean_id, "name": vng.name}
    resource = spotinst.aws.OceanLaunchSpec(
        f"{name}-{vng.name}",
        **arguments,
        opts=pulumi.ResourceOptions(
            parent=parent,
            provider=provider,
            protect=args.protect,
            ignore_changes=_once(taken, said, {"ocean_id": None, "name": None}),
        ),
    )
    made.vngs[vng.name] = resource
    if is_imported:
        made.lines.append(taken.report(resource))
    made.vng_profiles[vng.name] = _value_of(resource, "iam_instance_profile", arguments, taken)


def _value_of(resource: pulumi.Resource, name: str, arguments: Mapping[str, Any], taken: Taken) -> Input[Any]:
    """Return an output that is known in the first preview, too; None when neither the program nor the state has it."""
    return getattr(resource, name) if name in arguments or name in taken.fixed else None


def _declared(vng: VirtualNodeGroupArgs, cluster_options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a Virtual Node Group says itself, as arguments of its resource."""
    declared: dict[str, Any] = {}
    if vng.labels is not None:
        declared["labels"] = [
            spotinst.aws.OceanLaunchSpecLabelArgs(key=key, value=value) for key, value in sorted(vng.labels.items())
        ]
    if vng.taints is not None:
        taints = [read_args(TaintArgs, taint, f"virtual_node_groups.{vng.name}.taints") for taint in vng.taints]
        declared["taints"] = [
            spotinst.aws.OceanLaunchSpecTaintArgs(
                key=taint.key, value="" if taint.value is None else taint.value, effect=taint.effect
            )
            for taint in taints
        ]
    if vng.spot_percentage is not None:
        # The provider always sends both of the others: those that the program gives the cluster count here, too.
        shared = {name: cluster_options[name] for name in _SHARED_STRATEGY if name in cluster_options}
        strategy = spotinst.aws.OceanLaunchSpecStrategyArgs(spot_percentage=vng.spot_percentage, **shared)
        declared["strategies"] = [strategy]
    if vng.instance_types is not None:
        declared["instance_types"] = vng.instance_types
    if vng.max_instance_count is not None:
        limits = spotinst.aws.OceanLaunchSpecResourceLimitArgs(max_instance_count=vng.max_instance_count)
        declared["resource_limits"] = [limits]
    return declared


def _take_over(importable: Iterable[str], ask: Import, **given: Input[str] | None) -> Taken:
    """Import a configuration: at once when all inputs are known, else later.

    Later, each argument that an import can give is an Output, and no other: an older plugin may not know them all.
    """
    names = sorted(importable)
    if not any(isinstance(value, Output) for value in given.values()):
        imported = _import(ask, given)
        fixed = names if imported.arguments == _GONE else list(imported.arguments)
        return Taken(arguments=imported.arguments, fixed=fixed, lines=imported.lines, warnings=imported.warnings)

    @one_line_errors
    def ask_later(known: Mapping[str, Any]) -> Imported:
        return _import(ask, known)

    later = Output.all(**given).apply(ask_later)
    return Taken(
        arguments={name: later.apply(lambda imported, name=name: imported.arguments.get(name)) for name in names},  # type: ignore[misc]  # each lambda has its own name
        fixed=names,
        lines=later.apply(lambda imported: list(imported.lines)),
        warnings=later.apply(lambda imported: list(imported.warnings)),
    )


def _import(ask: Import, known: Mapping[str, Any]) -> Imported:
    if not known["auto_scaling_group"] and not known["node_group"]:
        raise InputError(
            "auto_scaling_group", "is required without node_group, and its Output is empty", predicate=True
        )
    source: Source = NodeGroupSource(name=known["node_group"] or "", eks_cluster=known["eks_cluster"] or "")
    if known["auto_scaling_group"] is not None:
        source = AutoScalingGroupSource(name=known["auto_scaling_group"])
    try:
        with open_service(known["account_id"]) as service:
            imported = ask(service, source, known)
    except SourceGoneError as gone:
        return Imported(arguments=dict(_GONE), warnings=(f"{gone}; the configuration stays as it was taken over",))
    return imported


def _once(taken: Taken, *said: Mapping[str, Any] | None) -> list[str]:
    """Return the arguments that were taken over and not said otherwise: those are not compared again."""
    return sorted(name for name in taken.fixed if not any(name in (each or {}) for each in said))
