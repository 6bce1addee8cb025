"""What a pod requires of a node, and what to do when no node meets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    CLAIMS,
    SYSTEM_LABEL,
    VOLUMES,
    ZONE_LABEL,
    KubernetesSnapshot,
    Pod,
    Requirement,
    Resources,
    Term,
    Toleration,
)
from ocean_migration_pulumi.migration.scheduling.vng_profiles import (
    ARCHITECTURE_LABELS,
    HOSTNAME_LABEL,
    REGION_LABELS,
    SYSTEM_LABELS,
    TYPE_LABELS,
    WINDOWS_BUILD_LABEL,
    ZONE_LABELS,
    Terms,
    is_reserved_label,
)

_NOTHING: Final = Resources()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRequirements:
    """What a pod demands; equal for pods that are alike.

    ``selector`` and ``affinity`` are conditions on the labels of the node, ``volumes`` those of each of its volumes
    (None: it has volumes whose place is not known). With ``tolerations`` None, taints do not count.
    """

    selector: tuple[Requirement, ...] = ()
    affinity: Terms = ()
    volumes: tuple[Terms, ...] = ()
    tolerations: tuple[Toleration, ...] | None = None
    requests: Resources = _NOTHING
    pod_affinity: bool = False
    """Whether it has to run beside other pods."""
    spread: tuple[Requirement, ...] = ()
    """The labels that a node must have for its topology spread constraints."""
    system: str = ""
    """The operating system that its images are for; empty when it is not known, or when a condition names it."""

    @classmethod
    def from_pod(cls, pod: Pod, kube: KubernetesSnapshot, system: str = "") -> PodRequirements:
        """Return what a pod demands; ``system`` is the operating system of its node, empty when it is not known."""
        lost = bool(pod.claims) and not kube.knows(CLAIMS, VOLUMES)
        named = SYSTEM_LABELS & pod.node_selector.keys() or any(part.key in SYSTEM_LABELS for part in _parts(pod.terms))
        return cls(
            system="" if named else pod.system or system,
            selector=tuple(Requirement(key=key, values=(value,)) for key, value in sorted(pod.node_selector.items())),
            affinity=pod.terms,
            volumes=(*dict.fromkeys(pod.volume_terms), *([None] if lost else [])),
            tolerations=pod.tolerations,
            requests=pod.requests,
            pod_affinity=pod.pod_affinity,
            spread=tuple(Requirement(key=key, operator="Exists") for key in sorted(pod.spread_keys)),
        )

    @classmethod
    def from_daemon(cls, pod: Pod, kube: KubernetesSnapshot, system: str = "") -> PodRequirements:
        """Return what a pod of a DaemonSet demands, without the name of its node."""
        terms = tuple(tuple(part for part in term if not part.on_field) for term in pod.terms)
        return replace(cls.from_pod(pod, kube, system), affinity=terms if all(terms) else ())

    @property
    def conditions(self) -> tuple[Terms, ...]:
        """All conditions on the labels of the node."""
        system = [((_system_requirement(self.system),),)] if self.system else []
        return (*(((part,),) for part in (*self.selector, *self.spread)), self.affinity, *self.volumes, *system)

    def names(self, keys: frozenset[str]) -> bool:
        """Tell whether it says something of one of these labels."""
        return any(part.key in keys for terms in self.conditions for part in _parts(terms))

    def single(self) -> Iterator[tuple[PodRequirements, UnmetRequirement]]:
        """Yield each requirement alone, and the reason when nothing meets it."""
        for part in self.selector:
            yield (
                PodRequirements(selector=(part,)),
                UnmetRequirement(kind=RequirementKind.NODE_SELECTOR, terms=_grouped(((part,),))),
            )
        if self.affinity:
            yield (
                PodRequirements(affinity=self.affinity),
                UnmetRequirement(kind=RequirementKind.NODE_AFFINITY, terms=_grouped(self.affinity)),
            )
        for part in self.spread:
            reason = UnmetRequirement(kind=RequirementKind.TOPOLOGY_SPREAD, terms=((part,),))
            yield PodRequirements(spread=(part,)), reason
        for terms in self.volumes:
            yield PodRequirements(volumes=(terms,)), _of_volume(terms)
        if self.system:
            yield (
                PodRequirements(system=self.system),
                UnmetRequirement(kind=RequirementKind.SYSTEM, terms=((_system_requirement(self.system),),)),
            )
        if self.tolerations is not None:
            yield PodRequirements(tolerations=self.tolerations), INTOLERANT
        sizes, others = replace(self.requests, others=()), self.requests.others
        if sizes != _NOTHING:
            yield PodRequirements(requests=sizes), UnmetRequirement(kind=RequirementKind.REQUESTS, requests=sizes)
        if others:
            yield (
                PodRequirements(requests=Resources(others=others)),
                UnmetRequirement(kind=RequirementKind.OTHER_RESOURCES, names=tuple(name for name, _ in others)),
            )
        if self.pod_affinity:
            yield PodRequirements(pod_affinity=True), UnmetRequirement(kind=RequirementKind.POD_AFFINITY)


class RequirementKind(StrEnum):
    """Which part of a pod asks for something that no node has."""

    NODE_SELECTOR = "node-selector"
    NODE_AFFINITY = "node-affinity"
    TOPOLOGY_SPREAD = "topology-spread"
    VOLUME_ZONE = "volume-zone"
    """The one condition names the zones."""
    VOLUME = "volume"
    VOLUME_ON_NODE = "volume-on-node"
    VOLUME_UNKNOWN = "volume-unknown"
    SYSTEM = "system"
    """The one condition names the operating system of its images."""
    TOLERATIONS = "tolerations"
    REQUESTS = "requests"
    TIGHT_REQUESTS = "tight-requests"
    """Whether they fit depends on what a node reserves, and on its DaemonSets."""
    OTHER_RESOURCES = "other-resources"
    """Extended resources, huge pages, storage or claimed devices."""
    POD_AFFINITY = "pod-affinity"
    COMBINED = "combined"
    """Each part is met somewhere, but nowhere all of them."""
    NO_GROUP = "no-group"
    """The cluster has no Virtual Node Group."""


class RequirementRemedy(StrEnum):
    """What makes new nodes meet conditions on their labels; taking the conditions away always does."""

    REMOVE = "remove"
    """Only taking them away helps."""
    REMOVE_NODE_NAME = "remove-node-name"
    """They name a node, and new nodes have new names."""
    REMOVE_RESERVED = "remove-reserved"
    """They name a label that no Virtual Node Group can give its nodes."""
    ADD_SYSTEM = "add-system"
    """They name an operating system."""
    ADD_LABEL = "add-label"
    ALLOW_INSTANCE_TYPE = "allow-instance-type"
    ADD_SUBNET = "add-subnet"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmetRequirement:
    """Why a pod finds no node: the requirement that nothing meets."""

    kind: RequirementKind
    terms: tuple[Term, ...] = ()
    """Conditions on the labels of a node, without the names of single nodes, so that like pods are grouped."""
    requests: Resources = _NOTHING
    """What the pod asks for."""
    names: tuple[str, ...] = ()
    """Names of other resources."""
    parts: tuple[UnmetRequirement, ...] = ()
    """What is combined."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-plain data; only what its kind has."""
        data: dict[str, Any] = {"kind": str(self.kind)}
        if self.terms:
            data["remedy"] = str(_remedy(self.terms))
            data["terms"] = [
                [{"key": part.key, "operator": part.operator, "values": list(part.values)} for part in term]
                for term in self.terms
            ]
        if self.requests != _NOTHING:
            data["milli_cpu"] = self.requests.milli_cpu
            data["memory_mib"] = self.requests.memory_mib
            data["gpu"] = self.requests.gpu
        if self.names:
            data["names"] = list(self.names)
        if self.parts:
            data["parts"] = [part.to_json() for part in self.parts]
        return data


INTOLERANT: Final = UnmetRequirement(kind=RequirementKind.TOLERATIONS)
"""Why a pod finds no node when every one has a taint that it does not tolerate."""


def combine_requirements(reasons: Iterable[UnmetRequirement]) -> UnmetRequirement:
    """Return the reason when each requirement is met somewhere, but nowhere all of them."""
    return UnmetRequirement(kind=RequirementKind.COMBINED, parts=tuple(reasons))


def _system_requirement(system: str) -> Requirement:
    return Requirement(key=SYSTEM_LABEL, values=(system,))


def _of_volume(terms: Terms) -> UnmetRequirement:
    if terms is None:
        return UnmetRequirement(kind=RequirementKind.VOLUME_UNKNOWN)
    parts = _parts(terms)
    if any(_is_name(part) for part in parts):
        return UnmetRequirement(kind=RequirementKind.VOLUME_ON_NODE)
    if all(part.key in ZONE_LABELS and part.operator == "In" for part in parts):
        zones = sorted({value for part in parts for value in part.values})
        zone = Requirement(key=ZONE_LABEL, values=tuple(zones))
        return UnmetRequirement(kind=RequirementKind.VOLUME_ZONE, terms=((zone,),))
    return UnmetRequirement(kind=RequirementKind.VOLUME, terms=_grouped(terms))


def _remedy(terms: Terms) -> RequirementRemedy:
    parts = _parts(terms)
    keys = {part.key for part in parts}
    if any(_is_name(part) for part in parts):
        return RequirementRemedy.REMOVE_NODE_NAME
    if any(map(is_reserved_label, keys)):
        return RequirementRemedy.REMOVE_RESERVED
    if keys and keys <= SYSTEM_LABELS | {WINDOWS_BUILD_LABEL}:
        return RequirementRemedy.ADD_SYSTEM
    if keys - ZONE_LABELS - TYPE_LABELS - ARCHITECTURE_LABELS - REGION_LABELS - SYSTEM_LABELS:
        return RequirementRemedy.ADD_LABEL
    if keys & (TYPE_LABELS | ARCHITECTURE_LABELS):
        return RequirementRemedy.ALLOW_INSTANCE_TYPE
    return RequirementRemedy.ADD_SUBNET if keys & ZONE_LABELS else RequirementRemedy.REMOVE


def _grouped(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(tuple(replace(part, values=()) if _is_name(part) else part for part in term) for term in terms)


def _parts(terms: Terms) -> list[Requirement]:
    return [part for term in terms or () for part in term]


def _is_name(part: Requirement) -> bool:
    return part.on_field or part.key == HOSTNAME_LABEL
