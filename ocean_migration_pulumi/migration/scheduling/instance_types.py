"""The machines that a Virtual Node Group may start: which types, how large, of which architecture.

What counts is what pods can use of a machine: the allocatable resources of nodes of its type, else the size of the type
without what EKS, or the user data, reserves.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final, Self

from ocean_migration_pulumi.api.models.cluster import ClusterNode, LaunchTemplate
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    INSTANCE_TYPE_LABEL,
    KubernetesNode,
    Resources,
)

ANY_SIZE: Final = Resources(milli_cpu=10**9, memory_mib=10**9, gpu=10**9)
"""Larger than what any pod asks for."""

_ANY_TYPE: Final = "*"
_AMD64: Final = frozenset({"amd64"})
_ARM64: Final = frozenset({"arm64"})
_NAME: Final = re.compile(
    r"(?P<family>[a-z]+)(?P<generation>[0-9]+)(?P<options>[a-z]*)(?:-flex)?\.(?P<size>[a-z0-9*-]+)"
)
_SIZE: Final = re.compile(r"(?P<times>[0-9]*)xlarge")
_GIB_PER_CPU: Final = {"c": 2, "m": 4, "r": 8}
_CORE_SHARES: Final = (600, 100, 50, 50, 25)
"""What is reserved of each core, in ten thousandths; the last one is that of all others."""
_RESERVED_MIB: Final = 255 + 100
_POD_MIB: Final = 11
_HYPERVISOR: Final = 75
"""Thousandths of the memory."""
_POSSIBLE_PODS: Final = (
    (1, (4, 8)),
    (2, (11, 35)),
    (4, (44, 58)),
    (8, (44, 58)),
    (32, (110, 234)),
    (48, (110, 394)),
    (10**6, (234, 737)),
)
"""The fewest and the most pods on types of up to so many cores, by eni-max-pods.txt of amazon-eks-ami."""
_MAX_PODS: Final = re.compile(r"max[-_]?pods[\"']?[\s=:]+[\"']?(\d{1,4})\b", re.IGNORECASE)
_RESERVATION: Final = re.compile(r"(kube|system)-?reserved", re.IGNORECASE)
_CPU: Final = re.compile(r"\bcpu[\"']?\s*[=:]\s*[\"']?(\d*\.?\d+)(m?)\b")
_MEMORY: Final = re.compile(r"\bmemory[\"']?\s*[=:]\s*[\"']?(\d*\.?\d+)([KMG])")
_LONGEST_RESERVATION: Final = 120
_MIB: Final = {"K": 1 / 1024, "M": 1, "G": 1024}
_FIRST_REGULAR: Final = 5
"""Before this generation of EC2, the sizes of the families do not follow the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """A kind of machine.

    ``name`` is an instance type, or a pattern: then it stands for those that nobody names. ``architectures`` is empty
    when they are not known.
    """

    name: str
    resources: Resources | None = None
    """What it has for pods at least; None when it is not known."""
    most: Resources | None = None
    """What it may have for pods; None: the same."""
    architectures: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletSettings:
    """What user data says of how much a node keeps from pods, in any of the forms that kubelets read."""

    max_pods: int = 0
    """How many pods a node takes; 0 when it is not set."""
    kube: Resources = field(default_factory=Resources)
    """What is reserved for Kubernetes, instead of what EKS reserves."""
    system: Resources = field(default_factory=Resources)
    """What is reserved for the operating system, besides."""

    @classmethod
    def from_user_data(cls, user_data: str) -> Self:
        """Read arguments of the kubelet, NodeConfig of nodeadm, or settings of Bottlerocket."""
        _, *parts = _RESERVATION.split(user_data)
        reserved = {"kube": Resources(), "system": Resources()}
        for owner, text in zip(parts[::2], parts[1::2], strict=True):
            found = text[:_LONGEST_RESERVATION]
            cpu, memory = _CPU.search(found), _MEMORY.search(found)
            if cpu or memory:
                reserved[owner.lower()] = Resources(
                    milli_cpu=int(float(cpu[1]) * (1 if cpu[2] else 1000)) if cpu else 0,
                    memory_mib=int(float(memory[1]) * _MIB[memory[2]]) if memory else 0,
                )
        pods = max(map(int, _MAX_PODS.findall(user_data)), default=0)
        return cls(max_pods=pods, **reserved)


_NO_SETTINGS: Final = KubeletSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTypeCatalog:
    """What is known of instance types: from nodes that run, else from AWS, else from their names.

    ``seen`` has what nodes of a type leave to pods, at least and at most; ``settings`` are those of new nodes.
    """

    described: Mapping[str, InstanceTypeSpec] = field(default_factory=dict)
    seen: Mapping[str, tuple[Resources, Resources]] = field(default_factory=dict)
    settings: KubeletSettings = _NO_SETTINGS

    @classmethod
    def from_sources(
        cls,
        cloud: AwsFacts | None,
        ocean_nodes: Iterable[ClusterNode],
        kubernetes_nodes: Iterable[KubernetesNode] = (),
    ) -> InstanceTypeCatalog:
        """Collect what is known; of a type that Ocean runs only its own nodes count, as new ones are like them."""
        others: dict[str, list[Resources]] = defaultdict(list)
        own: dict[str, list[Resources]] = defaultdict(list)
        for known in kubernetes_nodes:
            name = known.labels.get(INSTANCE_TYPE_LABEL, "")
            if name and known.allocatable is not None:
                # Without the device plugin a node reports no GPU, whatever its type has.
                gpu = known.allocatable.gpu or _gpus_by_name(name)
                others[name].append(replace(known.allocatable, gpu=gpu, others=()))
        for node in ocean_nodes:
            if node.instance_type and node.allocatable_milli_cpu and node.allocatable_memory_mib:
                own[node.instance_type].append(
                    Resources(
                        milli_cpu=int(node.allocatable_milli_cpu),
                        memory_mib=int(node.allocatable_memory_mib),
                        gpu=ANY_SIZE.gpu if node.allocatable_gpu is None else int(node.allocatable_gpu),
                    )
                )
        seen = {
            name: _bounds(own[name] or others[name], gpu=max(each.gpu for each in (*own[name], *others[name])))
            for name in {*own, *others}
        }
        return cls(described=cloud.machines if cloud else {}, seen=seen)

    def machine(self, name: str) -> InstanceType:
        """Return what is known of a type, or of a pattern of types."""
        if name == _ANY_TYPE:
            return InstanceType(name=name, resources=ANY_SIZE, architectures=_AMD64 | _ARM64)
        size, architectures = _by_name(name)
        if described := self.described.get(name):
            size, architectures = described.resources, frozenset(described.architectures)
        if (seen := self.seen.get(name)) is not None:
            least, most = seen
            if size and self.settings != _NO_SETTINGS:  # nodes that run may have been set up without them
                least, _ = _bounds((least, _allocatable(size, self.settings)[0]), gpu=least.gpu)
        elif size is None or "*" in name:
            return InstanceType(name=name, resources=size, architectures=architectures)
        else:
            least, most = _allocatable(size, self.settings)
        return InstanceType(name=name, resources=least, most=most, architectures=architectures)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedTypes:
    """The types, or patterns of types, that may be started; ``denied`` ones may not."""

    allowed: tuple[str, ...] = (_ANY_TYPE,)
    denied: tuple[str, ...] = ()

    @classmethod
    def from_template(cls, template: LaunchTemplate, cluster: LaunchTemplate) -> AllowedTypes:
        """Return those of a template: its own ones, else the cluster's, else any."""
        if template.instance_types:
            return cls(allowed=template.instance_types)
        return cls(allowed=cluster.instance_types or (_ANY_TYPE,), denied=cluster.denied_types)

    def machines(self, catalogue: InstanceTypeCatalog, named: Iterable[str] = ()) -> list[InstanceType]:
        """Return the kinds of machines; of those behind a pattern, the ``named`` ones by their own name too."""
        wanted = sorted(set(named))
        found: dict[str, InstanceType] = {}
        for entry in self.allowed:
            names = [name for name in wanted if fnmatchcase(name, entry)] if "*" in entry else []
            for name in (*names, entry):
                if name not in found and not any(fnmatchcase(name, pattern) for pattern in self.denied):
                    found[name] = catalogue.machine(name)
        # Lists that leave nothing say nothing that can be held against a pod.
        return list(found.values()) or [InstanceType(name=_ANY_TYPE)]


def _bounds(sizes: Iterable[Resources], *, gpu: int) -> tuple[Resources, Resources]:
    """Return the least and the most of each resource, with so many GPUs."""
    known = list(sizes)
    cpus, memories = [each.milli_cpu for each in known], [each.memory_mib for each in known]
    return (
        Resources(milli_cpu=min(cpus), memory_mib=min(memories), gpu=gpu),
        Resources(milli_cpu=max(cpus), memory_mib=max(memories), gpu=gpu),
    )


def _allocatable(size: Resources, settings: KubeletSettings) -> tuple[Resources, Resources]:
    """Return what a node of EKS has for pods, at least and at most.

    The kubelet of EKS reserves of the CPU 6 % of the first core, 1 % of the second, 0.5 % of the next two and 0.25 % of
    the others; of the memory 255 MiB, 11 MiB for each possible pod, and the eviction threshold of 100 MiB (nodeadm and
    bootstrap.sh of awslabs/amazon-eks-ami). How many pods are possible depends on the type, and the hypervisor keeps
    some memory for itself: up to 7.5 % by Karpenter's VM_MEMORY_OVERHEAD_PERCENT. Bottlerocket counts the pods that its
    settings allow; the others count those of the type whatever is allowed. Reservations of the user data take the place
    of those of EKS; only the least is bounded by them, as they may not be all that the user data says.
    """
    cores = size.milli_cpu // 1000
    shares = sum(_CORE_SHARES[min(core, len(_CORE_SHARES) - 1)] for core in range(cores))
    milli_cpu = -(-shares // 10)
    few, many = next(pods for most_cores, pods in _POSSIBLE_PODS if cores <= most_cores)
    hypervisor = size.memory_mib * _HYPERVISOR // 1000
    memory_mib = max(_RESERVED_MIB + _POD_MIB * max(many, settings.max_pods), settings.kube.memory_mib)
    least = replace(
        size,
        milli_cpu=max(0, size.milli_cpu - max(milli_cpu, settings.kube.milli_cpu) - settings.system.milli_cpu),
        memory_mib=max(0, size.memory_mib - hypervisor - memory_mib - settings.system.memory_mib),
    )
    most = replace(
        size,
        milli_cpu=size.milli_cpu - milli_cpu,
        memory_mib=max(0, size.memory_mib - _RESERVED_MIB - _POD_MIB * few),
    )
    return least, most


def _gpus_by_name(name: str) -> int:
    """Return how many GPUs a type may have: none of those that are known to have none."""
    size, _ = _by_name(name)
    return ANY_SIZE.gpu if size is None else size.gpu


def _by_name(name: str) -> tuple[Resources | None, frozenset[str]]:
    """Return what the name of a type tells, by EC2's rules for names."""
    match = _NAME.fullmatch(name)
    if match is None or match["family"] == "mac":
        return (ANY_SIZE if "*" in name else None), frozenset()
    family, generation, options = match["family"], int(match["generation"]), match["options"]
    arm = "g" in options or (family, generation) == ("a", 1)
    return _size(family, generation, options, match["size"]), _ARM64 if arm else _AMD64


def _size(family: str, generation: int, options: str, size: str) -> Resources | None:
    per_cpu = _GIB_PER_CPU.get(family)
    if "*" in size:
        return Resources(
            milli_cpu=ANY_SIZE.milli_cpu, memory_mib=ANY_SIZE.memory_mib, gpu=0 if per_cpu else ANY_SIZE.gpu
        )
    match = _SIZE.fullmatch(size)
    if per_cpu is None or generation < _FIRST_REGULAR or not (match or size == "large"):
        return None
    if (family, generation, options) == ("c", 5, "n"):  # the one that has more memory than its family
        return None
    cpus = 4 * int(match["times"] or 1) if match else 2
    return Resources(milli_cpu=1000 * cpus, memory_mib=1024 * per_cpu * cpus, gpu=0)
