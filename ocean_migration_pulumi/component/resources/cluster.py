"""The Ocean cluster and its Virtual Node Groups: declared, or made like the groups of nodes that there are."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_spotinst as spotinst
from pulumi import Input, Output

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

_GONE: Final[dict[str, Any]] = {"image_id": "gone", "security_groups": ["gone"], "subnet_ids": ["gone"]}
"""What stands for a configuration whose source is gone: the state's own is kept, and a new cluster is refused."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A configuration that was taken over: keyword arguments of the resource, and what was said of it.

    ``arguments`` may hold Outputs: of a source that is known only later each argument is one. ``fixed`` are the names
    of those that are not compared again: all that there are, when the source is gone and the state alone knows them.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    fixed: Sequence[str] = ()
    lines: Input[Sequence[str]] = ()


@dataclass(kw_only=True)
class Made:
    """What was made: ``resource`` is None for a cluster that was there already."""

    ocean_id: Output[str]
    resource: spotinst.aws.Ocean | None = None
    groups: dict[str, spotinst.aws.OceanLaunchSpec] = field(default_factory=dict)
    lines: list[Input[Sequence[str]]] = field(default_factory=list)

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
    taken = _take(
        parent,
        _arguments_of(spotinst.aws.OceanArgs),
        _import_cluster,
        eks_cluster=source.eks_cluster,
        auto_scaling_group=source.auto_scaling_group,
        node_group=source.node_group,
        region=source.region,
        cluster_name=cluster_name,
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
    made: dict[str, spotinst.aws.OceanLaunchSpec] = {}
    lines: list[Input[Sequence[str]]] = []
    for group in groups:
        taken = Taken()
        if group.auto_scaling_group is not None or group.node_group is not None:
            taken = _take(
                parent,
                _arguments_of(spotinst.aws.OceanLaunchSpecArgs),
                _import_group,
                eks_cluster=group.eks_cluster if group.eks_cluster is not None else eks_cluster,
                auto_scaling_group=group.auto_scaling_group,
                node_group=group.node_group,
                region=region,
                group_name=group.name,
                account_id=account_id,
                ocean_id=existing,
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


def _take(parent: pulumi.Resource, names: Sequence[str], ask: Any, **given: Input[str] | None) -> Taken:
    """Take a configuration over: at once where all that is asked with is known, else when it is."""
    options = pulumi.InvokeOptions(parent=parent)
    if not any(isinstance(value, Output) for value in given.values()):
        imported = _asked(parent, ask, options, given)
        fixed = names if imported.arguments == _GONE else list(imported.arguments)
        return Taken(arguments=imported.arguments, fixed=fixed, lines=imported.lines)
    later = Output.all(**given).apply(lambda known: _asked(parent, ask, options, known))
    return Taken(
        arguments={name: later.apply(lambda imported, name=name: imported.arguments.get(name)) for name in names},  # type: ignore[misc]  # each lambda has its own name
        fixed=names,
        lines=later.apply(lambda imported: list(imported.lines)),
    )


def _asked(parent: pulumi.Resource, ask: Any, options: pulumi.InvokeOptions, given: Mapping[str, Any]) -> Imported:
    try:
        imported: Imported = ask(options, **given)
    except SourceGoneError as gone:
        pulumi.log.warn(f"{gone}; the configuration stays as it was taken over", parent)
        return Imported(arguments=dict(_GONE), lines=(f"{gone}; the configuration stays as it was taken over",))
    for line in imported.lines:
        pulumi.log.info(line, parent)
    for line in imported.warnings:
        pulumi.log.warn(line, parent)
    return Imported(arguments=imported.arguments, lines=(*imported.lines, *imported.warnings))


def _source(auto_scaling_group: str | None, node_group: str | None, eks_cluster: str | None) -> Source:
    if auto_scaling_group is not None:
        return AutoScalingGroupSource(name=auto_scaling_group)
    return NodeGroupSource(name=node_group or "", eks_cluster=eks_cluster or "")


def _import_cluster(
    options: pulumi.InvokeOptions,
    *,
    eks_cluster: str,
    auto_scaling_group: str | None,
    node_group: str | None,
    region: str | None,
    cluster_name: str | None,
    account_id: str | None,
) -> Imported:
    with open_service(account_id) as service:
        return import_cluster(
            service,
            _source(auto_scaling_group, node_group, eks_cluster),
            eks_cluster=eks_cluster,
            region=region,
            name=cluster_name or eks_cluster,
            options=options,
        )


def _import_group(
    options: pulumi.InvokeOptions,
    *,
    eks_cluster: str | None,
    auto_scaling_group: str | None,
    node_group: str | None,
    region: str | None,
    group_name: str,
    account_id: str | None,
    ocean_id: str | None,
) -> Imported:
    with open_service(account_id) as service:
        source = _source(auto_scaling_group, node_group, eks_cluster)
        return import_group(service, source, region=region, ocean_id=ocean_id, name=group_name, options=options)


def _arguments_of(kind: type[Any]) -> list[str]:
    return [name for name in inspect.signature(kind.__init__).parameters if name not in {"self", "__self__"}]


def _once(taken: Taken, *said: Mapping[str, Any] | None) -> list[str]:
    """Return the arguments that were taken over and not said otherwise: those are not compared again."""
    return sorted(name for name in taken.fixed if not any(name in (each or {}) for each in said))
