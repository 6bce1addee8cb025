"""The Ocean cluster and its Virtual Node Groups, declared or imported from groups of nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_spotinst as spotinst
from pulumi import Input, Output

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.component.args import ImportFromArgs, TaintArgs, VirtualNodeGroupArgs, read_args
from ocean_migration_pulumi.component.importing.importer import (
    AutoScalingGroupSource,
    Imported,
    NodeGroupSource,
    Source,
    import_cluster,
    import_group,
)
from ocean_migration_pulumi.errors import SourceGoneError
from ocean_migration_pulumi.functions import open_service

Import = Callable[[OceanClient, Source, Mapping[str, Any]], Imported]
"""Imports a configuration from a group of nodes; gets the known inputs by name."""

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
    """What was imported from where, and what was left behind."""


@dataclass(kw_only=True)
class Made:
    """The cluster and the Virtual Node Groups of a component."""

    ocean_id: Output[str]
    """The cluster."""
    resource: spotinst.aws.Ocean | None = None
    """The resource of the cluster, None for one that exists already."""
    groups: dict[str, spotinst.aws.OceanLaunchSpec] = field(default_factory=dict)
    """The Virtual Node Groups by name."""
    lines: list[Input[Sequence[str]]] = field(default_factory=list)
    """What was imported from where, and what was left behind, of each."""

    @property
    def resources(self) -> list[pulumi.Resource]:
        """All of them, the cluster first."""
        return [*([self.resource] if self.resource is not None else []), *self.groups.values()]


def make_cluster(
    name: str,
    source: ImportFromArgs,
    *,
    cluster_name: Input[str] | None,
    options: Mapping[str, Any] | None,
    account_id: Input[str] | None,
    parent: pulumi.Resource,
    protect: bool,
) -> Made:
    """Declare an Ocean cluster like a group of nodes of an EKS cluster.

    What was taken over is taken over once: later changes of the group, or its end, do not reach the cluster. What
    ``options`` say comes before it.
    """
    invoke_options = pulumi.InvokeOptions(parent=parent)
    taken = _take_over(
        parent,
        spotinst.aws.OceanArgs,
        lambda service, group, known: import_cluster(
            service,
            group,
            eks_cluster=known["eks_cluster"],
            region=known["region"],
            name=known["name"] or known["eks_cluster"],
            options=invoke_options,
        ),
        eks_cluster=source.eks_cluster,
        auto_scaling_group=source.auto_scaling_group,
        node_group=source.node_group,
        region=source.region,
        name=cluster_name,
        account_id=account_id,
    )
    named = {} if cluster_name is None else {"name": cluster_name}
    arguments = {**taken.arguments, **named, **(options or {})}
    resource = spotinst.aws.Ocean(
        name,
        **arguments,
        opts=pulumi.ResourceOptions(parent=parent, protect=protect, ignore_changes=_once(taken, options, named)),
    )
    return Made(ocean_id=resource.id, resource=resource, lines=[taken.lines])


def make_groups(
    name: str,
    groups: Sequence[VirtualNodeGroupArgs],
    *,
    ocean_id: Output[str],
    eks_cluster: Input[str] | None,
    region: Input[str] | None,
    account_id: Input[str] | None,
    parent: pulumi.Resource,
    protect: bool,
    existing: str | None = None,
) -> tuple[dict[str, spotinst.aws.OceanLaunchSpec], list[Input[Sequence[str]]]]:
    """Declare the Virtual Node Groups of a cluster; return them by name, and what was taken from where.

    ``existing`` is the id of a cluster that was there before. One that the same stack makes is None, always: what Spot
    proposes with and without a cluster may not be the same.
    """
    invoke_options = pulumi.InvokeOptions(parent=parent)
    made: dict[str, spotinst.aws.OceanLaunchSpec] = {}
    lines: list[Input[Sequence[str]]] = []
    for group in groups:
        taken = Taken()
        if group.auto_scaling_group is not None or group.node_group is not None:
            taken = _take_over(
                parent,
                spotinst.aws.OceanLaunchSpecArgs,
                lambda service, source, known: import_group(
                    service,
                    source,
                    region=known["region"],
                    ocean_id=existing,
                    name=known["name"],
                    options=invoke_options,
                ),
                eks_cluster=group.eks_cluster if group.eks_cluster is not None else eks_cluster,
                auto_scaling_group=group.auto_scaling_group,
                node_group=group.node_group,
                region=region,
                name=group.name,
                account_id=account_id,
            )
            lines.append(taken.lines)
        declared = {**_declared(group), **(group.options or {})}
        arguments = {**taken.arguments, **declared, "ocean_id": ocean_id, "name": group.name}
        made[group.name] = spotinst.aws.OceanLaunchSpec(
            f"{name}-{group.name}",
            **arguments,
            opts=pulumi.ResourceOptions(
                parent=parent,
                protect=protect,
                ignore_changes=_once(taken, declared, {"ocean_id": None, "name": None}),
            ),
        )
    return made, lines


def _declared(group: VirtualNodeGroupArgs) -> dict[str, Any]:
    """Return what a Virtual Node Group says itself, as arguments of its resource."""
    declared: dict[str, Any] = {}
    if group.labels is not None:
        declared["labels"] = [
            spotinst.aws.OceanLaunchSpecLabelArgs(key=key, value=value) for key, value in sorted(group.labels.items())
        ]
    if group.taints is not None:
        taints = [read_args(TaintArgs, taint, f"virtual_node_groups.{group.name}.taints") for taint in group.taints]
        declared["taints"] = [
            spotinst.aws.OceanLaunchSpecTaintArgs(
                key=taint.key, value="" if taint.value is None else taint.value, effect=taint.effect
            )
            for taint in taints
        ]
    if group.spot_percentage is not None:
        strategy = spotinst.aws.OceanLaunchSpecStrategyArgs(spot_percentage=group.spot_percentage)
        declared["strategies"] = [strategy]
    if group.instance_types is not None:
        declared["instance_types"] = group.instance_types
    if group.max_instance_count is not None:
        limits = spotinst.aws.OceanLaunchSpecResourceLimitArgs(max_instance_count=group.max_instance_count)
        declared["resource_limits"] = [limits]
    return declared


def _take_over(parent: pulumi.Resource, kind: type[Any], ask: Import, **given: Input[str] | None) -> Taken:
    """Import a configuration: at once when all inputs are known, else later."""
    names = [name for name in inspect.signature(kind.__init__).parameters if name not in {"self", "__self__"}]
    if not any(isinstance(value, Output) for value in given.values()):
        imported = _import(parent, ask, given)
        fixed = names if imported.arguments == _GONE else list(imported.arguments)
        return Taken(arguments=imported.arguments, fixed=fixed, lines=imported.lines)
    later = Output.all(**given).apply(lambda known: _import(parent, ask, known))
    return Taken(
        arguments={name: later.apply(lambda imported, name=name: imported.arguments.get(name)) for name in names},  # type: ignore[misc]  # each lambda has its own name
        fixed=names,
        lines=later.apply(lambda imported: list(imported.lines)),
    )


def _import(parent: pulumi.Resource, ask: Import, known: Mapping[str, Any]) -> Imported:
    source: Source = NodeGroupSource(name=known["node_group"] or "", eks_cluster=known["eks_cluster"] or "")
    if known["auto_scaling_group"] is not None:
        source = AutoScalingGroupSource(name=known["auto_scaling_group"])
    try:
        with open_service(known["account_id"]) as service:
            imported = ask(service, source, known)
    except SourceGoneError as gone:
        line = f"{gone}; the configuration stays as it was taken over"
        pulumi.log.warn(line, parent)
        return Imported(arguments=dict(_GONE), lines=(line,))
    for line in imported.lines:
        pulumi.log.info(line, parent)
    for line in imported.warnings:
        pulumi.log.warn(line, parent)
    return Imported(arguments=imported.arguments, lines=(*imported.lines, *imported.warnings))


def _once(taken: Taken, *said: Mapping[str, Any] | None) -> list[str]:
    """Return the arguments that were taken over and not said otherwise: those are not compared again."""
    return sorted(name for name in taken.fixed if not any(name in (each or {}) for each in said))
