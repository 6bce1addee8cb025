"""Where pods can go: what the new nodes of each Virtual Node Group will be like, and what they take."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.instance_types import (
    ANY_SIZE,
    AllowedTypes,
    InstanceType,
    InstanceTypeCatalog,
    KubeletSettings,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    ARCHITECTURE_LABEL,
    INSTANCE_TYPE_LABEL,
    SYSTEM_LABEL,
    ZONE_LABEL,
    KubernetesNode,
    Requirement,
    Resources,
    Taint,
    Term,
    Toleration,
)
from ocean_migration_pulumi.migration.scheduling.label_matching import (
    Unsure,
    Value,
    all_of,
    any_of,
    may_hold,
    tolerates,
)

HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
WINDOWS_BUILD_LABEL: Final = "node.kubernetes.io/windows-build"
"""A label that the kubelet gives to nodes that run Windows, whatever their user data says."""
LIFECYCLE_LABEL: Final = "spotinst.io/node-lifecycle"
ZONE_LABELS: Final = frozenset({ZONE_LABEL, "failure-domain.beta.kubernetes.io/zone", "topology.ebs.csi.aws.com/zone"})
TYPE_LABELS: Final = frozenset({INSTANCE_TYPE_LABEL, "beta.kubernetes.io/instance-type"})
ARCHITECTURE_LABELS: Final = frozenset({ARCHITECTURE_LABEL, "beta.kubernetes.io/arch"})
REGION_LABELS: Final = frozenset({"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"})
SYSTEM_LABELS: Final = frozenset({SYSTEM_LABEL, "beta.kubernetes.io/os"})

_KUBELET_LABELS: Final = ZONE_LABELS | TYPE_LABELS | ARCHITECTURE_LABELS | REGION_LABELS | SYSTEM_LABELS
_REFUSED_DOMAIN: Final = re.compile(r"(?:.+\.)?(?:kubernetes|k8s)\.io")
_KUBELET_DOMAIN: Final = re.compile(r"(?:.+\.)?(?:kubelet|node)\.kubernetes\.io")
_OF_DRIVERS: Final = re.compile(r"(?:.+\.)?csi(?:\.[^/]*)?/.*")
_OF_AUTO_MODE: Final = re.compile(r"eks\.amazonaws\.com/(?:compute-type|instance-.*|node-?class.*)")
_NEW_NAME: Final = "*"
"""The name of a node that does not exist yet: no condition can name it."""

_GIVEN_BY_OTHERS: Final = ("spotinst.io/", "aws.spot.io/", "topology.k8s.aws/")
"""Labels that Ocean answers by the choice of the machine, or that AWS gives to nodes."""

_HARD: Final = frozenset({"NoSchedule", "NoExecute"})
_NOTHING: Final = Resources()
_ANY_MACHINE: Final = InstanceType(name="")
EPHEMERAL_STORAGE: Final = "ephemeral-storage"
_SURE_STORAGE: Final = 16 * 1024**3
"""Bytes of ``ephemeral-storage`` that a node of EKS has at least.

Its images need a volume of 20 GiB, of which the kubelet keeps 10 % and 1 GiB.
"""
_NO_NODES: Final[Mapping[str, KubernetesNode]] = {}
_NO_LABELS: Final[Mapping[str, str]] = {}

Terms = tuple[Term, ...] | None
"""Terms of which one must hold (none: anywhere); None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonOverhead:
    """What the pods of DaemonSets ask for on each node of a group."""

    least: Resources = _NOTHING
    """Of those that run on it for certain."""
    most: Resources = _NOTHING
    """Of those that may run on it, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCapacity:
    """How much a pod may ask for."""

    sure: tuple[Resources, ...] = ()
    """On nodes that take it for certain."""
    edge: tuple[Resources, ...] = ()
    """On the same nodes, if they leave as much to pods as they can."""
    perhaps: tuple[Resources, ...] = ()
    """On nodes of which it is not known whether they take it."""

    @classmethod
    def from_instance_type(cls, machine: InstanceType, daemons: DaemonOverhead) -> NodeCapacity:
        """Return the space of a machine that takes a pod for certain, beside the pods of DaemonSets."""
        if machine.resources is None:
            return cls(sure=(_NOTHING,), perhaps=(ANY_SIZE,))
        return cls(
            sure=(_subtract(machine.resources, daemons.most),),
            edge=(_subtract(machine.most or machine.resources, daemons.least),),
        )

    @classmethod
    def together(cls, spaces: Iterable[NodeCapacity]) -> NodeCapacity:
        """Return the space of several machines of which a pod needs one."""
        known = list(spaces)
        return cls(
            sure=_largest({size for space in known for size in space.sure}),
            edge=_largest({size for space in known for size in space.edge}),
            perhaps=_largest({size for space in known for size in space.perhaps}),
        )

    def under(self, verdict: bool | None) -> NodeCapacity:
        """Return what is left of it when that is whether its nodes take the pod."""
        if verdict is None:
            return NodeCapacity(perhaps=_largest({*self.sure, *self.edge, *self.perhaps}))
        return self if verdict else NodeCapacity()

    def takes(self, requests: Resources) -> bool | None:
        """Tell whether there is a node for so much; None when it is not known."""
        if any(_covers(size, requests) for size in self.sure):
            return True
        return None if any(_covers(size, requests) for size in (*self.edge, *self.perhaps)) else False

    def is_tight(self, requests: Resources) -> bool:
        """Tell whether it depends on what a node leaves to pods: its reservations, and the DaemonSets on it."""
        covered = any(_covers(size, requests) for size in self.sure)
        return not covered and any(_covers(size, requests) for size in self.edge)


@dataclass(frozen=True, slots=True, kw_only=True)
class VngProfile:
    """A Virtual Node Group, or the cluster's own template (``Default``).

    ``zones`` are those where it starts nodes for certain; with ``other_zones`` there may be more. ``region`` is empty
    when it is not known. ``taints`` are those that keep pods away. ``machines`` are the kinds behind ``types``, and
    ``whole`` is the space of them all. ``seen_labels`` are the keys that its nodes have today, whoever gave them.
    ``system`` is the operating system of its nodes, in the words of ``kubernetes.io/os``. ``others`` are the amounts
    of extended resources and the like that its nodes have today.
    """

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    zones: tuple[str, ...] = ()
    other_zones: bool = True
    region: str = ""
    types: AllowedTypes = field(default_factory=AllowedTypes)
    machines: tuple[InstanceType, ...] = field(default=(), repr=False)
    whole: NodeCapacity = field(default_factory=NodeCapacity, repr=False)
    catalogue: InstanceTypeCatalog = field(default_factory=InstanceTypeCatalog, repr=False)
    seen_labels: frozenset[str] = frozenset()
    system: str = "linux"
    others: Mapping[str, int] = field(default_factory=dict)
    daemons: DaemonOverhead = field(default_factory=DaemonOverhead, repr=False)
    user_data: str = field(default="", repr=False)

    @property
    def is_plain(self) -> bool:
        """Whether it has neither labels nor taints, so that it takes nodes of any match."""
        return not self.labels and not self.taints

    def space(self, conditions: Sequence[Terms], tolerations: tuple[Toleration, ...] | None) -> NodeCapacity:
        """Return how much a pod with these conditions may ask for; with tolerations None, taints do not count."""
        if tolerations is not None and not all(tolerates(tolerations, taint) for taint in self.taints):
            return NodeCapacity()
        asked = [part for terms in conditions if terms for term in terms for part in term]
        keys = {part.key for part in asked}
        named = {value for part in asked if part.key in TYPE_LABELS for value in part.values}
        if not keys & (TYPE_LABELS | ARCHITECTURE_LABELS):  # then no machine is unlike the others
            return self.whole.under(self._verdict(conditions, keys))
        machines = self.types.machines(self.catalogue, named) if named else self.machines
        verdicts: dict[tuple[str, frozenset[str]], bool | None] = {}
        spaces = []
        for machine in machines:
            alike = (machine.name if keys & TYPE_LABELS else "", machine.architectures)
            if alike not in verdicts:
                verdicts[alike] = self._verdict(conditions, keys, machine)
            spaces.append(NodeCapacity.from_instance_type(machine, self.daemons).under(verdicts[alike]))
        return NodeCapacity.together(spaces)

    def beside(self, daemons: DaemonOverhead) -> VngProfile:
        """Return the same with less space: that of DaemonSets is taken."""
        spaces = (NodeCapacity.from_instance_type(machine, daemons) for machine in self.machines)
        return replace(self, daemons=daemons, whole=NodeCapacity.together(spaces))

    def offers(self, others: Iterable[tuple[str, int]]) -> bool | None:
        """Tell whether its nodes have so much of other resources; None when it is not known."""
        enough = (
            amount <= max(self.others.get(name, 0), _SURE_STORAGE if name == EPHEMERAL_STORAGE else 0)
            for name, amount in others
        )
        return True if all(enough) else None

    def _verdict(
        self, conditions: Sequence[Terms], keys: Collection[str], machine: InstanceType = _ANY_MACHINE
    ) -> bool | None:
        """Tell whether some node of this machine meets all conditions at once."""
        zones: list[Value] = [*self.zones, *([Unsure.VALUE] if self.other_zones else [])]
        # Ocean promises that nodes on demand can be asked for by this label, and does not promise it of spot.
        lifecycles: list[Value] = ["od", Unsure.VALUE]
        architectures: list[Value] = [*sorted(machine.architectures)] or [Unsure.VALUE]
        return any_of(
            all_of(_meets(terms, labels) for terms in conditions)
            for labels in (
                self._labels(keys, zone, lifecycle, machine.name, architecture)
                for zone in (zones if ZONE_LABELS.intersection(keys) else [Unsure.VALUE])
                for lifecycle in (lifecycles if LIFECYCLE_LABEL in keys else [Unsure.VALUE])
                for architecture in (architectures if ARCHITECTURE_LABELS.intersection(keys) else [Unsure.VALUE])
            )
        )

    def _labels(
        self, keys: Iterable[str], zone: Value, lifecycle: Value, machine: str, architecture: Value
    ) -> dict[str, Value]:
        """Return the labels with these keys of a node in one place, of one machine."""
        found: dict[str, Value] = {}
        for key in keys:
            if key in self.labels and key not in _KUBELET_LABELS:
                found[key] = self.labels[key]
            elif key in ZONE_LABELS:
                found[key] = zone
            elif key in TYPE_LABELS:
                found[key] = machine
            elif key in ARCHITECTURE_LABELS:
                found[key] = architecture
            elif key == LIFECYCLE_LABEL:
                found[key] = lifecycle
            elif key == HOSTNAME_LABEL:
                found[key] = _NEW_NAME
            elif key in REGION_LABELS:
                found[key] = self.region or Unsure.VALUE
            elif key in SYSTEM_LABELS:
                found[key] = self.system
            elif key == WINDOWS_BUILD_LABEL and self.system == "windows":
                found[key] = Unsure.VALUE
            elif key.startswith(_GIVEN_BY_OTHERS) or key in self.seen_labels or _is_set_in(self.user_data, key):
                found[key] = Unsure.PRESENCE
            # A kubelet labels its node by what it is, whatever the group declares; that tells more only of the unknown.
            if key in self.labels and found[key] is Unsure.VALUE:
                found[key] = self.labels[key]
        return found


def is_given_by_others(key: str) -> bool:
    """Tell whether a kubelet, Ocean or AWS gives nodes this label, whatever their user data says."""
    given = key in _KUBELET_LABELS or key in {HOSTNAME_LABEL, WINDOWS_BUILD_LABEL}
    return given or key.startswith(_GIVEN_BY_OTHERS)


def is_refused_label(key: str) -> bool:
    """Tell whether a kubelet does not start with this label in ``--node-labels``.

    It refuses the domains of Kubernetes but for a few, and the admission plugin NodeRestriction keeps it from setting
    them later: ``node-role.kubernetes.io/...`` is one of them (``IsKubeletLabel`` in k8s.io/kubelet/pkg/apis; KEP-279).
    """
    domain, slash, _ = key.rpartition("/")
    if not slash or key in _KUBELET_LABELS or key == HOSTNAME_LABEL:
        return False
    return bool(_REFUSED_DOMAIN.fullmatch(domain)) and not _KUBELET_DOMAIN.fullmatch(domain)


def is_reserved_label(key: str) -> bool:
    """Tell whether no Virtual Node Group can give its nodes this label.

    Besides those that kubelets refuse, CSI drivers set labels of topologies on the nodes they run on, and EKS Auto Mode
    those of its own nodes (``eks.amazonaws.com/compute-type``, ``.../instance-...``).
    """
    if key in ZONE_LABELS:
        return False
    return is_refused_label(key) or bool(_OF_DRIVERS.fullmatch(key) or _OF_AUTO_MODE.fullmatch(key))


_NO_DAEMONS: Final = DaemonOverhead()


def profile_vngs(
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    ocean_nodes: Iterable[ClusterNode] = (),
    cloud: AwsFacts | None = None,
    kubernetes_nodes: Mapping[str, KubernetesNode] = _NO_NODES,
) -> list[VngProfile]:
    """Return where the pods of a cluster can go, sorted by id; ``kubernetes_nodes`` are by instance id."""
    nodes = list(ocean_nodes)
    catalogue = InstanceTypeCatalog.from_sources(cloud, nodes, kubernetes_nodes.values())
    seen_zones: dict[str, set[str]] = defaultdict(set)
    seen_labels: dict[str, set[str]] = defaultdict(set)
    seen_systems: dict[str, str] = {}
    seen_others: dict[str, dict[str, int]] = defaultdict(dict)
    for node in nodes:
        vng_id = node.virtual_node_group_id or DEFAULT_VIRTUAL_NODE_GROUP
        seen_zones[vng_id].add(node.availability_zone)
        if node.instance_id in kubernetes_nodes:
            known = kubernetes_nodes[node.instance_id]
            labels = known.labels
            seen_labels[vng_id] |= labels.keys()
            for name, amount in known.allocatable.others if known.allocatable else ():
                seen_others[vng_id][name] = max(amount, seen_others[vng_id].get(name, 0))
            if SYSTEM_LABEL in labels:
                seen_systems[vng_id] = labels[SYSTEM_LABEL]

    def target(vng_id: str, template: LaunchTemplate, vng: VirtualNodeGroup | None = None) -> VngProfile:
        in_zone = cloud.zones if cloud else {}
        subnets = template.subnet_ids or cluster.template.subnet_ids
        zones = {in_zone[subnet] for subnet in subnets if subnet in in_zone}
        others = not subnets or any(subnet not in in_zone for subnet in subnets)
        taints = [Taint(key=key, value=value, effect=effect) for key, value, effect in (vng.taints if vng else ())]
        types = AllowedTypes.from_template(template, cluster.template)
        user_data = template.user_data or cluster.template.user_data
        known = replace(catalogue, settings=KubeletSettings.from_user_data(user_data))
        machines = tuple(types.machines(known))
        return VngProfile(
            id=vng_id,
            labels=dict(vng.labels) if vng else {},
            taints=tuple(taint for taint in taints if taint.effect in _HARD),
            zones=tuple(sorted((zones | seen_zones[vng_id] if others else zones) - {""})),
            other_zones=others,
            region=cluster.region,
            types=types,
            machines=machines,
            whole=NodeCapacity.together(NodeCapacity.from_instance_type(machine, _NO_DAEMONS) for machine in machines),
            catalogue=known,
            seen_labels=frozenset(seen_labels[vng_id]),
            others=seen_others[vng_id],
            system=seen_systems.get(vng_id) or system_of(user_data, dict(vng.labels) if vng else {}),
            user_data=user_data,
        )

    found = [target(vng.id, vng.template, vng) for _, vng in sorted(vngs.items())]
    return found if cluster.template_only else [target(DEFAULT_VIRTUAL_NODE_GROUP, cluster.template), *found]


def _meets(terms: Terms, labels: Mapping[str, Value]) -> bool | None:
    """Tell whether one of the terms holds for a node; a term without conditions holds for none."""
    if terms is None:
        return None
    if not terms:
        return True
    return any_of(bool(term) and all_of(_part_holds(part, labels) for part in term) for term in terms)


def _part_holds(part: Requirement, labels: Mapping[str, Value]) -> bool | None:
    return may_hold(part, _NEW_NAME if part.on_field else labels.get(part.key))


def _is_set_in(user_data: str, key: str) -> bool:
    """Tell whether a script or configuration may give nodes this label, in any of the forms that kubelets read."""
    if not key or key not in user_data:
        return False
    return re.search(rf"(?<![\w./-]){re.escape(key)}[\"']?\s*[=:]", user_data) is not None


def system_of(user_data: str, labels: Mapping[str, str] = _NO_LABELS) -> str:
    """Return the operating system that runs user data: scripts for Windows are in one of two tags.

    Without user data, the labels that a Virtual Node Group declares may tell it.
    """
    if not user_data.strip():
        return labels.get(SYSTEM_LABEL, "linux")
    return "windows" if any(tag in user_data.lower() for tag in ("<powershell>", "<script>")) else "linux"


def _covers(size: Resources, requests: Resources) -> bool:
    return size.milli_cpu >= requests.milli_cpu and size.memory_mib >= requests.memory_mib and size.gpu >= requests.gpu


def _subtract(size: Resources, taken: Resources) -> Resources:
    if size.milli_cpu >= ANY_SIZE.milli_cpu:
        return size
    return replace(
        size,
        milli_cpu=max(0, size.milli_cpu - taken.milli_cpu),
        memory_mib=max(0, size.memory_mib - taken.memory_mib),
    )


def _largest(sizes: Iterable[Resources]) -> tuple[Resources, ...]:
    """Return the sizes that no other one covers."""
    found: list[Resources] = []
    for size in sorted(sizes, key=lambda size: (size.milli_cpu, size.memory_mib, size.gpu), reverse=True):
        if not any(_covers(larger, size) for larger in found):
            found.append(size)
    return tuple(found)
