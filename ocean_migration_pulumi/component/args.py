"""The input types of the component, as classes and as dictionaries, and what must be true of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict, TypeVar

import pulumi
from pulumi import Input

from ocean_migration_pulumi.component.kubernetes_args import (
    ClusterAutoscalerArgs,
    ClusterAutoscalerArgsDict,
    ControllerArgs,
    ControllerArgsDict,
    judge_autoscaler,
    judge_controller,
)
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.inputs import NodeSelectorArgs, NodeSelectorArgsDict

T = TypeVar("T")


class ImportFromArgsDict(TypedDict, total=False):
    """What an Ocean cluster is made like, as a dictionary; see ``ImportFromArgs``."""

    eks_cluster: Input[str]
    auto_scaling_group: Input[str]
    node_group: Input[str]
    region: Input[str]


@dataclass(kw_only=True)
class ImportFromArgs:
    """What an Ocean cluster is made like: an EKS cluster, and one of its groups of nodes."""

    eks_cluster: Input[str]
    """The name of the EKS cluster. It becomes the identifier of the Ocean Controller."""
    auto_scaling_group: Input[str] | None = None
    """The Auto Scaling Group whose configuration is taken over; this or ``node_group``."""
    node_group: Input[str] | None = None
    """The EKS managed node group whose configuration is taken over; this or ``auto_scaling_group``."""
    region: Input[str] | None = None
    """The region of AWS; None means that of the AWS provider."""


class TaintArgsDict(TypedDict, total=False):
    """A taint, as a dictionary; see ``TaintArgs``."""

    key: Input[str]
    value: Input[str]
    effect: Input[str]


@dataclass(kw_only=True)
class TaintArgs:
    """A taint of the nodes of a Virtual Node Group."""

    key: Input[str]
    """The key."""
    value: Input[str] | None = None
    """The value; None means an empty one."""
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


@dataclass(kw_only=True)
class VirtualNodeGroupArgs:
    """A Virtual Node Group: declared, or made like a group of nodes; what is declared comes first."""

    name: str
    """Its name, in Ocean and in the outputs; each only once."""
    auto_scaling_group: Input[str] | None = None
    """The Auto Scaling Group that it is made like; None means that it is declared."""
    node_group: Input[str] | None = None
    """The EKS managed node group that it is made like; None means that it is declared."""
    eks_cluster: Input[str] | None = None
    """The EKS cluster of ``node_group``; None means that of ``import_from``."""
    labels: Mapping[str, Input[str]] | None = None
    """Labels of its nodes; None means those of the group that it is made like, or none."""
    taints: Sequence[TaintArgs | TaintArgsDict] | None = None
    """Taints of its nodes; None means those of the group that it is made like, or none."""
    spot_percentage: Input[int] | None = None
    """The share of spot instances, 0 to 100; None means the cluster's."""
    instance_types: Input[Sequence[Input[str]]] | None = None
    """The only instance types; None means any."""
    max_instance_count: Input[int] | None = None
    """The most instances at a time; None means no limit."""
    options: Mapping[str, Any] | None = None
    """Any other argument of ``pulumi_spotinst.aws.OceanLaunchSpec``; None means no other."""


class GateArgsDict(TypedDict, total=False):
    """What must hold before the next wave, as a dictionary; see ``GateArgs``."""

    scheduled: bool
    heartbeat: bool
    kubernetes_conditions: Sequence[Mapping[str, Input[str]]]
    http_checks: Sequence[Mapping[str, Any]]
    hold_for: Input[str]
    timeout: Input[str]


@dataclass(kw_only=True)
class GateArgs:
    """What must hold after a wave, without a break, before the next one starts."""

    scheduled: bool = True
    """Whether every pod must have a node."""
    heartbeat: bool = True
    """Whether the Ocean Controller must report."""
    kubernetes_conditions: Sequence[Mapping[str, Input[str]]] | None = None
    """Conditions in the cluster: ``kind``, ``namespace``, ``name``, ``condition``; None means none."""
    http_checks: Sequence[Mapping[str, Any]] | None = None
    """Addresses that must answer: ``url``, and ``status`` (200) or ``contains``; None means none."""
    hold_for: Input[str] | None = None
    """For how long all of it must hold, ``"30s"``; None means the gate's default."""
    timeout: Input[str] | None = None
    """How long is waited for it, ``"15m"``; None means the gate's default."""


class WaveArgsDict(TypedDict, total=False):
    """One wave, as a dictionary; see ``WaveArgs``."""

    name: str
    nodes: NodeSelectorArgs | NodeSelectorArgsDict
    new_nodes: Input[str]
    batch_size_percentage: Input[int]
    should_terminate_drained_nodes: Input[bool]
    should_evict_stand_alone_pods: Input[bool]
    force_pod_eviction_on_pdb_failure: Input[bool]
    unmatched_nodes: Input[str]
    prerequisites: Input[str]
    approved_plan: Input[str]
    when_busy: Input[str]
    stall_timeout: Input[str]
    soak_time: Input[str]
    on_timeout: Input[str]
    terminate_drained_nodes_on_stop: Input[bool]
    triggers: Input[Sequence[Any]]
    timeouts: pulumi.CustomTimeouts
    gate: GateArgs | GateArgsDict


@dataclass(kw_only=True)
class WaveArgs:
    """One wave: which nodes, with which options; each takes what no earlier one has planned.

    What is None has the default of ``OceanWorkloadMigration``, whose inputs of the same names these are.
    """

    name: str
    """Its name: the migration is called ``<component>-<wave>``."""
    nodes: NodeSelectorArgs | NodeSelectorArgsDict
    """Which nodes; those of earlier waves are left out by themselves."""
    new_nodes: Input[str] | None = None
    """Nodes that match and join later: ``"report"`` or ``"migrate"``."""
    batch_size_percentage: Input[int] | None = None
    """How many of the nodes are drained at once, 1 to 50 percent."""
    should_terminate_drained_nodes: Input[bool] | None = None
    """Whether Ocean terminates the old nodes that it has drained."""
    should_evict_stand_alone_pods: Input[bool] | None = None
    """Whether Ocean deletes pods that no controller brings back."""
    force_pod_eviction_on_pdb_failure: Input[bool] | None = None
    """Whether pods go although a PodDisruptionBudget forbids it."""
    unmatched_nodes: Input[str] | None = None
    """Nodes that match no Virtual Node Group: ``"fail"``, ``"skip"`` or ``"allow"``."""
    prerequisites: Input[str] | None = None
    """``"enforce"``, ``"warn"`` or ``"off"``."""
    approved_plan: Input[str] | None = None
    """The digest of the reviewed plan; None: that of the migration's name in ``ocean-migration:approvedPlan``."""
    when_busy: Input[str] | None = None
    """Another migration runs on the cluster: ``"wait"`` or ``"fail"``."""
    stall_timeout: Input[str] | None = None
    """No progress at all for so long is a failure."""
    soak_time: Input[str] | None = None
    """After the end, watch for so long."""
    on_timeout: Input[str] | None = None
    """A migration whose deadline ends the wait: ``"leave"`` or ``"stop"``."""
    terminate_drained_nodes_on_stop: Input[bool] | None = None
    """Whether a stop terminates the nodes that are drained by then."""
    triggers: Input[Sequence[Any]] | None = None
    """Any change takes planned nodes that still have pods once more."""
    timeouts: pulumi.CustomTimeouts | None = None
    """The deadlines of this wave: those of the component do not reach it. None means those of the resource."""
    gate: GateArgs | GateArgsDict | None = None
    """What must hold before the next wave starts; None means that pods have nodes and the controller reports, and
    nothing for the last wave."""


class RetireArgsDict(TypedDict, total=False):
    """An old group of nodes, as a dictionary; see ``RetireArgs``."""

    auto_scaling_group: str
    node_group: str
    eks_cluster: str
    declaration: str


@dataclass(kw_only=True)
class RetireArgs:
    """An old group of nodes that is no longer needed: the change that retires it is told, never made."""

    auto_scaling_group: str | None = None
    """The Auto Scaling Group; this or ``node_group``."""
    node_group: str | None = None
    """The EKS managed node group; this or ``auto_scaling_group``."""
    eks_cluster: str | None = None
    """The EKS cluster of ``node_group``; None means that of ``import_from``."""
    declaration: str | None = None
    """What declares the group, such as ``the resource "web" of this program``: then that has to go. None means that
    nothing does, and its size is to be set to zero."""


class OceanMigrationArgsDict(TypedDict, total=False):
    """From node groups into Ocean, as a dictionary; see ``OceanMigrationArgs``."""

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
    kubeconfig: Input[str]
    kube_context: Input[str]
    notifications: Input[str | Sequence[Input[str]]]


@dataclass(kw_only=True)
class OceanMigrationArgs:
    """From the node groups of an EKS cluster into Ocean: what there is, what is to be made, and in which waves."""

    ocean_id: Input[str] | None = None
    """An Ocean cluster that exists, ``o-...``; this or ``import_from``."""
    import_from: ImportFromArgs | ImportFromArgsDict | None = None
    """What a new Ocean cluster is made like; this or ``ocean_id``."""
    cluster_name: Input[str] | None = None
    """The name of a new Ocean cluster; None means that of the EKS cluster."""
    cluster_options: Mapping[str, Any] | None = None
    """Arguments of ``pulumi_spotinst.aws.Ocean`` that come before what is taken over; None means none."""
    virtual_node_groups: Sequence[VirtualNodeGroupArgs | VirtualNodeGroupArgsDict] | None = None
    """The Virtual Node Groups to make; None means none."""
    controller: ControllerArgs | ControllerArgsDict | None = None
    """How the Ocean Controller is installed; None means that it is not: it is there already."""
    cluster_autoscaler: ClusterAutoscalerArgs | ClusterAutoscalerArgsDict | None = None
    """The Cluster Autoscaler to scale to zero; None means that it is left alone."""
    waves: Sequence[WaveArgs | WaveArgsDict] | None = None
    """The migrations, one after another; None means none yet."""
    retire: Sequence[RetireArgs | RetireArgsDict] | None = None
    """Old groups to tell the end of; None means none."""
    protect: bool = True
    """Whether cluster, Virtual Node Groups and controller are protected from deletion: they carry the workloads."""
    account_id: Input[str] | None = None
    """The Spot account; None means that of the settings."""
    kubeconfig: Input[str] | None = None
    """Access to the cluster's Kubernetes API for the migrations; for controller and Cluster Autoscaler, too, where the
    component is given no provider of ``kubernetes``: the one that it makes then is in the state, encrypted. None means
    KUBECONFIG."""
    kube_context: Input[str] | None = None
    """The context of the kubeconfig; None means its current one."""
    notifications: Input[str | Sequence[Input[str]]] | None = None
    """A URL, or a list of them, to which each wave posts its start, its end and what needs a look: a secret in no
    state. None means that nobody is told."""


def read(kind: type[T], value: T | Mapping[str, Any], name: str) -> T:
    """Return arguments that were given as a class or as a dictionary.

    Raises InputError for a field that there is not, or one that is missing.
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        msg = f"{type(value).__name__} is not allowed; give {kind.__name__} or a dictionary"
        raise InputError(name, msg)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # each kind is a dataclass
    strange = sorted(value.keys() - set(known))
    if strange:
        raise InputError(f"{name}.{strange[0]}", f"is not a field; there are {', '.join(known)}")
    try:
        return kind(**{key: item for key, item in value.items() if item is not None})
    except TypeError as error:
        missing = str(error).rpartition(": ")[2]
        raise InputError(name, f"{missing} is required") from None


@dataclass(kw_only=True)
class Declared:
    """The arguments of a component, read and judged."""

    args: OceanMigrationArgs
    import_from: ImportFromArgs | None
    groups: list[VirtualNodeGroupArgs]
    waves: list[WaveArgs]
    gates: list[GateArgs | None]
    retire: list[RetireArgs]
    controller: ControllerArgs | None
    cluster_autoscaler: ClusterAutoscalerArgs | None


def declare(given: OceanMigrationArgs | OceanMigrationArgsDict) -> Declared:
    """Read all arguments, and judge them together.

    Raises InputError that names the first one that is wrong; nothing is registered by then.
    """
    args = read(OceanMigrationArgs, given, "args")
    if (args.ocean_id is None) == (args.import_from is None):
        raise InputError("ocean_id", "give either an Ocean cluster that exists, or import_from for a new one")
    import_from = None if args.import_from is None else read(ImportFromArgs, args.import_from, "import_from")
    if import_from is not None:
        _one_of(import_from, "import_from")
    elif args.cluster_options or args.cluster_name is not None:
        name = "cluster_options" if args.cluster_options else "cluster_name"
        raise InputError(name, "goes only with import_from: a cluster that exists is not changed")
    groups = _all(VirtualNodeGroupArgs, args.virtual_node_groups, "virtual_node_groups")
    for index, group in enumerate(groups):
        _judge_group(group, f"virtual_node_groups[{index}]", import_from)
    waves = _all(WaveArgs, args.waves, "waves")
    _distinct([group.name for group in groups], "virtual_node_groups")
    _distinct([wave.name for wave in waves], "waves")
    retire = _all(RetireArgs, args.retire, "retire")
    for index, old in enumerate(retire):
        _one_of(old, f"retire[{index}]")
        if old.node_group and old.eks_cluster is None and import_from is None:
            raise InputError(f"retire[{index}].eks_cluster", "is required without import_from")
    controller = None if args.controller is None else read(ControllerArgs, args.controller, "controller")
    if controller is not None:
        judge_controller(controller, args.account_id)
    autoscaler = None
    if args.cluster_autoscaler is not None:
        autoscaler = read(ClusterAutoscalerArgs, args.cluster_autoscaler, "cluster_autoscaler")
        judge_autoscaler(autoscaler)
    return Declared(
        args=args,
        import_from=import_from,
        groups=groups,
        waves=waves,
        gates=[None if wave.gate is None else read(GateArgs, wave.gate, f"waves.{wave.name}.gate") for wave in waves],
        retire=retire,
        controller=controller,
        cluster_autoscaler=autoscaler,
    )


def _judge_group(group: VirtualNodeGroupArgs, name: str, import_from: ImportFromArgs | None) -> None:
    if group.auto_scaling_group is not None and group.node_group is not None:
        raise InputError(f"{name}.node_group", "goes not with auto_scaling_group; give one of them, or none")
    if group.node_group is not None and group.eks_cluster is None and import_from is None:
        raise InputError(f"{name}.eks_cluster", "is required with node_group when there is no import_from")
    if group.eks_cluster is not None and group.node_group is None:
        raise InputError(f"{name}.eks_cluster", "goes only with node_group")


def _one_of(args: ImportFromArgs | RetireArgs, name: str) -> None:
    if (args.auto_scaling_group is None) == (args.node_group is None):
        raise InputError(f"{name}.auto_scaling_group", "give either this or node_group")


def _all(kind: type[T], given: Sequence[T | Mapping[str, Any]] | None, name: str) -> list[T]:
    return [read(kind, value, f"{name}[{index}]") for index, value in enumerate(given or ())]


def _distinct(names: Sequence[str], name: str) -> None:
    seen: set[str] = set()
    for index, each in enumerate(names):
        if not isinstance(each, str) or not each.strip():
            raise InputError(f"{name}[{index}].name", f"{each!r} is not allowed; give a text that is not empty")
        if each in seen:
            raise InputError(f"{name}[{index}].name", f"{each!r} is there twice; give each its own")
        seen.add(each)
