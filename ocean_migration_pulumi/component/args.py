"""Arguments of the component, as classes and as dictionaries, and their checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from types import NoneType
from typing import Any, Final, TypedDict, TypeVar

import pulumi
from pulumi import Input, Output

from ocean_migration_pulumi.component import argument_types
from ocean_migration_pulumi.component.known_inputs import check_gate, check_types, check_wave, require_known
from ocean_migration_pulumi.component.kubernetes_args import (
    ClusterAutoscalerArgs,
    ClusterAutoscalerArgsDict,
    ControllerArgs,
    ControllerArgsDict,
    check_autoscaler_args,
    check_controller_args,
)
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.host import one_line_constructor
from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict
from ocean_migration_pulumi.migration.spec.input_readers import exclusive_error, read_text, secret_error
from ocean_migration_pulumi.migration.spec.options import unknown_field
from ocean_migration_pulumi.migration.spec.spec import ACCEPTED

T = TypeVar("T")


class ImportFromArgsDict(TypedDict, total=False):
    """The source of a new Ocean cluster, as a dictionary; see ``ImportFromArgs``."""

    eks_cluster: Input[str]
    auto_scaling_group: Input[str]
    node_group: Input[str]
    region: Input[str]


@one_line_constructor
@dataclass(kw_only=True)
class ImportFromArgs:
    """The source of a new Ocean cluster's configuration: an EKS cluster, and one of its node groups."""

    eks_cluster: Input[str]
    """Name of the EKS cluster. It becomes the cluster identifier of the Ocean Controller."""
    auto_scaling_group: Input[str] | None = None
    """Auto Scaling Group to copy the configuration from; mutually exclusive with ``node_group``."""
    node_group: Input[str] | None = None
    """EKS managed node group to copy the configuration from; mutually exclusive with ``auto_scaling_group``."""
    region: Input[str] | None = None
    """AWS region. None means the region of the AWS provider."""


class TaintArgsDict(TypedDict, total=False):
    """A taint, as a dictionary; see ``TaintArgs``."""

    key: Input[str]
    value: Input[str]
    effect: Input[str]


@one_line_constructor
@dataclass(kw_only=True)
class TaintArgs:
    """A taint of the nodes of a Virtual Node Group."""

    key: Input[str]
    """Key."""
    value: Input[str] | None = None
    """Value. None means an empty value."""
    effect: Input[str] = "NoSchedule"
    """``NoSchedule``, ``PreferNoSchedule`` or ``NoExecute``."""


class VirtualNodeGroupArgsDict(TypedDict, total=False):
    """A Virtual Node Group, as a dictionary; see ``VirtualNodeGroupArgs``."""

    name: str
    auto_scaling_group: Input[str]
    node_group: Input[str]
    eks_cluster: Input[str]
    labels: Mapping[str, Input[str]]
    taints: Sequence[TaintArgs | TaintArgsDict]
    spot_percentage: Input[int]
    instance_types: Input[Sequence[Input[str]]]
    max_instance_count: Input[int]
    options: Mapping[str, Any]


@one_line_constructor
@dataclass(kw_only=True)
class VirtualNodeGroupArgs:
    """A Virtual Node Group: declared, or copied from a node group; declared fields take precedence."""

    name: str
    """Name in Ocean and in the outputs; unique."""
    auto_scaling_group: Input[str] | None = None
    """Auto Scaling Group to copy; mutually exclusive with ``node_group``. None means nothing is copied from one."""
    node_group: Input[str] | None = None
    """EKS managed node group to copy; mutually exclusive with ``auto_scaling_group``. None means nothing is copied from
    one."""
    eks_cluster: Input[str] | None = None
    """EKS cluster of ``node_group``. None means the cluster of ``import_from``."""
    labels: Mapping[str, Input[str]] | None = None
    """Labels of the nodes. None means the labels of the copied group, or none."""
    taints: Sequence[TaintArgs | TaintArgsDict] | None = None
    """Taints of the nodes (``TaintArgs``). None means the taints of the copied group, or none."""
    spot_percentage: Input[int] | None = None
    """Percentage of spot instances, 0 to 100. It gives the group a strategy of its own, in which
    ``utilize_reserved_instances`` is true and ``utilize_commitments`` is false unless ``cluster_options`` sets them.
    None means the strategy of the cluster."""
    instance_types: Input[Sequence[Input[str]]] | None = None
    """Allowed instance types. None means any."""
    max_instance_count: Input[int] | None = None
    """Maximum number of instances. None means no limit."""
    options: Mapping[str, Any] | None = None
    """Other arguments of ``pulumi_spotinst.aws.OceanLaunchSpec``. None means no others."""


class GateArgsDict(TypedDict, total=False):
    """Conditions before the next wave, as a dictionary; see ``GateArgs``."""

    scheduled: bool
    heartbeat: bool
    kubernetes_conditions: Sequence[Mapping[str, Input[str]]]
    http_checks: Sequence[Mapping[str, Any]]
    min_pods_on_ocean: Input[int]
    hold_for: Input[str]
    timeout: Input[str]


@one_line_constructor
@dataclass(kw_only=True)
class GateArgs:
    """Conditions that must hold after a wave, without a break, before the next wave starts.

    The fields are the inputs of ``OceanMigrationGate`` by the same names.
    """

    scheduled: bool = True
    heartbeat: bool = True
    kubernetes_conditions: Sequence[Mapping[str, Input[str]]] | None = None
    http_checks: Sequence[Mapping[str, Any]] | None = None
    min_pods_on_ocean: Input[int] | None = None
    hold_for: Input[str] | None = None
    timeout: Input[str] | None = None


class WaveArgsDict(TypedDict, total=False):
    """One wave, as a dictionary; see ``WaveArgs``."""

    name: str
    nodes: NodeSelectorArgs | NodeSelectorArgsDict
    virtual_node_groups: Sequence[str]
    new_nodes: Input[str]
    batch_size_percentage: Input[int]
    should_terminate_drained_nodes: Input[bool]
    should_evict_stand_alone_pods: Input[bool]
    force_pod_eviction_on_pdb_failure: Input[bool]
    unmatched_nodes: Input[str]
    when_no_nodes: Input[str]
    prerequisites: Input[str]
    approved_plan: Input[str]
    when_busy: Input[str]
    stall_timeout: Input[str]
    soak_time: Input[str]
    on_timeout: Input[str]
    terminate_drained_nodes_on_stop: Input[bool]
    freeze: Input[Mapping[str, Any]]
    health: Input[str]
    settle_timeout: Input[str]
    stop_when: Input[Mapping[str, Any]]
    triggers: Input[Sequence[Any]]
    timeouts: pulumi.CustomTimeouts
    gate: GateArgs | GateArgsDict


@one_line_constructor
@dataclass(kw_only=True)
class WaveArgs:
    """One wave: an ``OceanWorkloadMigration`` of nodes that no earlier wave has planned.

    The fields without a description are inputs of that resource; None means its default.
    """

    name: str
    """Name of the wave, unique: the migration is named ``<component>-<wave>``."""
    nodes: NodeSelectorArgs | NodeSelectorArgsDict
    """Nodes to migrate; nodes of earlier waves are excluded. ``limit="50%"`` is a share of the nodes that earlier waves
    leave."""
    virtual_node_groups: Sequence[str] | None = None
    """Names of the component's Virtual Node Groups that the wave waits for. None means all."""
    new_nodes: Input[str] | None = None
    batch_size_percentage: Input[int] | None = None
    should_terminate_drained_nodes: Input[bool] | None = None
    should_evict_stand_alone_pods: Input[bool] | None = None
    force_pod_eviction_on_pdb_failure: Input[bool] | None = None
    unmatched_nodes: Input[str] | None = None
    when_no_nodes: Input[str] | None = None
    prerequisites: Input[str] | None = None
    approved_plan: Input[str] | None = None
    when_busy: Input[str] | None = None
    stall_timeout: Input[str] | None = None
    soak_time: Input[str] | None = None
    on_timeout: Input[str] | None = None
    terminate_drained_nodes_on_stop: Input[bool] | None = None
    freeze: Input[Mapping[str, Any]] | None = None
    health: Input[str] | None = None
    settle_timeout: Input[str] | None = None
    stop_when: Input[Mapping[str, Any]] | None = None
    """When the migration is stopped for its workloads. None means ``{"broken_workloads": True}``, ``{}`` never."""
    triggers: Input[Sequence[Any]] | None = None
    timeouts: pulumi.CustomTimeouts | None = None
    """Deadlines of this wave, which ignores those of the component. None means the defaults of the resource."""
    gate: GateArgs | GateArgsDict | None = None
    """Conditions before the next wave starts. None means the defaults of ``GateArgs``, and no gate after the last
    wave."""


class RetireArgsDict(TypedDict, total=False):
    """An old node group, as a dictionary; see ``RetireArgs``."""

    auto_scaling_group: str
    node_group: str
    eks_cluster: str
    declaration: str


@one_line_constructor
@dataclass(kw_only=True)
class RetireArgs:
    """An old node group to retire: the component names the required change, and never makes it."""

    auto_scaling_group: str | None = None
    """Auto Scaling Group; mutually exclusive with ``node_group``."""
    node_group: str | None = None
    """EKS managed node group; mutually exclusive with ``auto_scaling_group``."""
    eks_cluster: str | None = None
    """EKS cluster of ``node_group``. None means the cluster of ``import_from``."""
    declaration: str | None = None
    """What declares the group, such as ``the resource "web" of this program``, and must be removed. None means that
    nothing does, and that the size of the group must be set to zero."""


class OceanMigrationArgsDict(TypedDict, total=False):
    """The arguments of ``OceanMigration``, as a dictionary; see ``OceanMigrationArgs``."""

    ocean_id: Input[str]
    import_from: ImportFromArgs | ImportFromArgsDict
    cluster_name: Input[str]
    cluster_options: Mapping[str, Any]
    virtual_node_groups: Sequence[VirtualNodeGroupArgs | VirtualNodeGroupArgsDict]
    controller: ControllerArgs | ControllerArgsDict
    cluster_autoscaler: ClusterAutoscalerArgs | ClusterAutoscalerArgsDict
    waves: Sequence[WaveArgs | WaveArgsDict]
    retire: Sequence[RetireArgs | RetireArgsDict]
    protect: bool
    account_id: Input[str]
    kubeconfig: Input[str | Mapping[str, Any]]
    kube_context: Input[str]
    notifications: Input[str | Sequence[Input[str]]]


@one_line_constructor
@dataclass(kw_only=True)
class OceanMigrationArgs:
    """The arguments of ``OceanMigration``: what exists, what to create, and the waves."""

    ocean_id: Input[str] | None = None
    """Existing Ocean cluster, ``o-...``; mutually exclusive with ``import_from``."""
    import_from: ImportFromArgs | ImportFromArgsDict | None = None
    """Source of a new Ocean cluster; mutually exclusive with ``ocean_id``."""
    cluster_name: Input[str] | None = None
    """Name of a new Ocean cluster. None means the name of the EKS cluster."""
    cluster_options: Mapping[str, Any] | None = None
    """Arguments of ``pulumi_spotinst.aws.Ocean`` that override the copied ones. None means no overrides."""
    virtual_node_groups: Sequence[VirtualNodeGroupArgs | VirtualNodeGroupArgsDict] | None = None
    """Virtual Node Groups to create. None means none."""
    controller: ControllerArgs | ControllerArgsDict | None = None
    """How to install the Ocean Controller. None means that it is not installed."""
    cluster_autoscaler: ClusterAutoscalerArgs | ClusterAutoscalerArgsDict | None = None
    """Cluster Autoscaler to scale to zero. None means that none is changed."""
    waves: Sequence[WaveArgs | WaveArgsDict] | None = None
    """Migrations, one after another. None means no migration."""
    retire: Sequence[RetireArgs | RetireArgsDict] | None = None
    """Old node groups to retire. None means none."""
    protect: bool = True
    """Whether cluster, Virtual Node Groups and controller, which carry the workloads, are protected from deletion."""
    account_id: Input[str] | None = None
    """Spot account, ``act-...``. None means the account of the settings."""
    kubeconfig: Input[str | Mapping[str, Any]] | None = None
    """Kubeconfig of the cluster: its content (text or map) or a path. Migrations and gates never store it in state.
    Without a ``kubernetes`` provider, the component creates one of it for controller and Cluster Autoscaler, which is
    in the state, encrypted. None means ``KUBECONFIG``."""
    kube_context: Input[str] | None = None
    """Context of the kubeconfig. None means its current context."""
    notifications: Input[str | Sequence[Input[str]]] | None = None
    """URLs that receive start, end and problems of each wave. Never stored in state. None means no notifications."""


WAVE_OPTIONS: Final = tuple(
    name for name in ACCEPTED if name in WaveArgs.__dataclass_fields__ and name not in {"nodes", "stop_when"}
)
"""The fields of a wave that its migration takes as they are."""

_VNG_ARGUMENTS: Final[Mapping[str, str]] = {
    "labels": "labels",
    "taints": "taints",
    "spot_percentage": "strategies",
    "instance_types": "instance_types",
    "max_instance_count": "resource_limits",
}
"""The arguments of ``OceanLaunchSpec`` that fields of a Virtual Node Group become: the program gives one of both."""

GATE_OPTIONS: Final = tuple(GateArgs.__dataclass_fields__)
"""The fields of a gate, all of which its resource takes as they are."""


def read_args(kind: type[T], value: T | Mapping[str, Any], name: str) -> T:
    """Return arguments as an instance of their class.

    Args:
        kind: The class of the arguments.
        value: An instance of it, or a dictionary of its fields.
        name: The argument, for errors.

    Raises:
        InputError: A field is unknown, or a required one is missing.
    """
    if isinstance(value, kind):
        return _fill_defaults(value, name)
    if not isinstance(value, Mapping):
        raise secret_error(name, f"{kind.__name__} or a dictionary, not {type(value).__name__}")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # each kind is a dataclass
    given = {key: item for key, item in value.items() if item is not None}
    for key in value:
        if key not in known:
            raise unknown_field(name, key, known)
    missing = [key for key, field in known.items() if field.default is MISSING and key not in given]
    if missing:
        raise InputError(f"{name}.{missing[0]}", "is required", predicate=True)
    return kind(**given)


def _fill_defaults(args: T, name: str) -> T:
    """Treat None as an absent field, as in a dictionary; `pulumi.Config().get` returns it for a missing key."""
    absent = [field for field in fields(args) if getattr(args, field.name) is None]  # type: ignore[arg-type]  # a dataclass
    for field in absent:
        if field.default is MISSING:
            raise InputError(f"{name}.{field.name}", "is required", predicate=True)
    return replace(args, **{field.name: field.default for field in absent})  # type: ignore[type-var]  # a dataclass


@dataclass(kw_only=True)
class CheckedArgs:
    """The arguments of a component, read and checked."""

    args: OceanMigrationArgs
    """All arguments, with nested ones as they were given."""
    import_from: ImportFromArgs | None
    """Source of a new Ocean cluster."""
    vngs: list[VirtualNodeGroupArgs]
    """Virtual Node Groups to create."""
    waves: list[WaveArgs]
    """Waves in their order."""
    gates: list[GateArgs | None]
    """Gate of each wave; None if the wave declares none."""
    retire: list[RetireArgs]
    """Old node groups to retire."""
    controller: ControllerArgs | None
    """How to install the Ocean Controller."""
    cluster_autoscaler: ClusterAutoscalerArgs | None
    """Cluster Autoscaler to scale to zero."""

    @property
    def makes_spot_resources(self) -> bool:
        """Whether the component makes an Ocean cluster or a Virtual Node Group."""
        return self.import_from is not None or bool(self.vngs)

    @property
    def changes_deployments(self) -> bool:
        """Whether the component installs the controller or switches the Cluster Autoscaler off."""
        return self.controller is not None or self.cluster_autoscaler is not None


def check_args(given: OceanMigrationArgs | OceanMigrationArgsDict) -> CheckedArgs:
    """Read all arguments, and check them together, before any resource is registered.

    Raises:
        InputError: The first argument that is not allowed.
    """
    args = read_args(OceanMigrationArgs, given, "args")
    check_types(args, "", argument_types.COMPONENT)
    _check_one_of("ocean_id", args.ocean_id, "import_from", args.import_from)
    import_from = _optional(ImportFromArgs, args.import_from, "import_from")
    if import_from is not None:
        _check_group(import_from, "import_from")
        if args.cluster_name is not None and "name" in (args.cluster_options or {}):
            raise exclusive_error("cluster_options.name", "cluster_name")
        check_types(import_from, "import_from", argument_types.IMPORT_FROM)
    elif args.cluster_options or args.cluster_name is not None:
        name = "cluster_options" if args.cluster_options else "cluster_name"
        raise InputError(name, "requires import_from: an existing cluster is not changed", predicate=True)
    vngs = _read_each(VirtualNodeGroupArgs, args.virtual_node_groups, "virtual_node_groups")
    for index, vng in enumerate(vngs):
        _check_vng(vng, f"virtual_node_groups[{index}]", import_from)
    waves = _read_each(WaveArgs, args.waves, "waves")
    gates = [_optional(GateArgs, wave.gate, f"waves[{index}].gate") for index, wave in enumerate(waves)]
    _check_unique_names([vng.name for vng in vngs], "virtual_node_groups")
    _check_unique_names([wave.name for wave in waves], "waves")
    for index, (wave, gate) in enumerate(zip(waves, gates, strict=True)):
        check_wave(wave, f"waves[{index}]", [vng.name for vng in vngs])
        if gate is not None:
            check_gate(gate, f"waves[{index}].gate")
    retire = _read_each(RetireArgs, args.retire, "retire")
    for index, old in enumerate(retire):
        _check_group(old, f"retire[{index}]")
        check_types(old, f"retire[{index}]", argument_types.RETIRE)
        if old.node_group and old.eks_cluster is None and import_from is None:
            raise InputError(f"retire[{index}].eks_cluster", "is required without import_from", predicate=True)
    controller = _optional(ControllerArgs, args.controller, "controller")
    if controller is not None:
        check_controller_args(controller, args.account_id)
    autoscaler = _optional(ClusterAutoscalerArgs, args.cluster_autoscaler, "cluster_autoscaler")
    if autoscaler is not None:
        check_autoscaler_args(autoscaler)
    return CheckedArgs(
        args=args,
        import_from=import_from,
        vngs=vngs,
        waves=waves,
        gates=gates,
        retire=retire,
        controller=controller,
        cluster_autoscaler=autoscaler,
    )


def _check_vng(vng: VirtualNodeGroupArgs, name: str, import_from: ImportFromArgs | None) -> None:
    if vng.auto_scaling_group is not None and vng.node_group is not None:
        raise exclusive_error(f"{name}.node_group", "auto_scaling_group")
    if vng.node_group is not None and vng.eks_cluster is None and import_from is None:
        raise InputError(f"{name}.eks_cluster", "is required with node_group without import_from", predicate=True)
    if vng.eks_cluster is not None and vng.node_group is None:
        raise InputError(f"{name}.eks_cluster", "requires node_group", predicate=True)
    check_types(vng, name, argument_types.VIRTUAL_NODE_GROUP)
    options = vng.options or {}
    for field in ("name", "ocean_id"):
        if field in options:
            raise InputError(f"{name}.options.{field}", "is not allowed: the component sets it", predicate=True)
    for field, argument in _VNG_ARGUMENTS.items():
        if argument in options and getattr(vng, field) is not None:
            raise exclusive_error(f"{name}.options.{argument}", field)
    for index, taint in enumerate(_read_each(TaintArgs, vng.taints, f"{name}.taints")):
        check_types(taint, f"{name}.taints[{index}]", argument_types.TAINT)


def _check_group(args: ImportFromArgs | RetireArgs, name: str) -> None:
    _check_one_of(f"{name}.auto_scaling_group", args.auto_scaling_group, "node_group", args.node_group)


def _check_one_of(name: str, value: object, other: str, other_value: object) -> None:
    if value is None and other_value is None:
        raise InputError(name, f"is required without {other}", predicate=True)
    if value is not None and other_value is not None:
        raise exclusive_error(name, other)


def _optional(kind: type[T], value: T | Mapping[str, Any] | None, name: str) -> T | None:
    return None if value is None else read_args(kind, value, name)


def _read_each(kind: type[T], given: Sequence[T | Mapping[str, Any]] | None, name: str) -> list[T]:
    if isinstance(given, (str, Mapping, Output)) or not isinstance(given, (Iterable, NoneType)):
        raise secret_error(name, f"a list of {kind.__name__} or dictionaries, not {type(given).__name__}")
    return [read_args(kind, value, f"{name}[{index}]") for index, value in enumerate(given or ())]


def _check_unique_names(names: Sequence[str], name: str) -> None:
    seen: set[str] = set()
    for index, each in enumerate(names):
        require_known(f"{name}[{index}].name", each)
        read_text(f"{name}[{index}].name", each)
        if each in seen:
            raise InputError(f"{name}[{index}].name", f"must be unique, {each!r} is already used", predicate=True)
        seen.add(each)
