"""What a pod demands of a node, how it is said in words, and what to do when no node meets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.common.text import list_some, sanitize
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    CLAIMS,
    VOLUMES,
    KubernetesSnapshot,
    Pod,
    Requirement,
    Resources,
    Toleration,
)
from ocean_migration_pulumi.migration.scheduling.node_group_profiles import (
    ARCHITECTURE_LABELS,
    HOSTNAME_LABEL,
    REGION_LABELS,
    SYSTEM_LABELS,
    TYPE_LABELS,
    ZONE_LABELS,
    Terms,
)

_NOTHING: Final = Resources()
_MOST_VALUES: Final = 3
_SIGNS: Final = {"Gt": ">", "Lt": "<"}


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

    @classmethod
    def from_pod(cls, pod: Pod, kube: KubernetesSnapshot) -> PodRequirements:
        """Return what a pod demands."""
        lost = bool(pod.claims) and not kube.knows(CLAIMS, VOLUMES)
        return cls(
            selector=tuple(Requirement(key=key, values=(value,)) for key, value in sorted(pod.node_selector.items())),
            affinity=pod.terms,
            volumes=(*dict.fromkeys(pod.volume_terms), *([None] if lost else [])),
            tolerations=pod.tolerations,
            requests=pod.requests,
        )

    @property
    def conditions(self) -> tuple[Terms, ...]:
        """All conditions on the labels of the node."""
        return (*(((part,),) for part in self.selector), self.affinity, *self.volumes)

    def names(self, keys: frozenset[str]) -> bool:
        """Tell whether it says something of one of these labels."""
        return any(part.key in keys for terms in self.conditions for part in _parts(terms))

    def single(self) -> Iterator[tuple[PodRequirements, UnmetRequirement]]:
        """Yield each demand alone, and what is said when nothing meets it."""
        for part in self.selector:
            yield (
                PodRequirements(selector=(part,)),
                UnmetRequirement(f"nodeSelector {_told(part)}", _remedy([part], "selector")),
            )
        if self.affinity:
            words = f"required node affinity {_any_of(self.affinity)}"
            yield (
                PodRequirements(affinity=self.affinity),
                UnmetRequirement(words, _remedy(_parts(self.affinity), "affinity")),
            )
        for terms in self.volumes:
            yield PodRequirements(volumes=(terms,)), _of_volume(terms)
        if self.tolerations is not None:
            yield PodRequirements(tolerations=self.tolerations), INTOLERANT
        if self.requests != _NOTHING:
            words = f"request of {_amounts(self.requests)}"
            yield (
                PodRequirements(requests=self.requests),
                UnmetRequirement(words, "allow larger instance types, or ask for less"),
            )


@dataclass(frozen=True, slots=True)
class UnmetRequirement:
    """Why a pod finds no node: the demand that nothing meets, and what to do about it."""

    words: str
    remedy: str


INTOLERANT: Final = UnmetRequirement(
    "no toleration of their taints", "add a toleration, or make a Virtual Node Group without the taint"
)
"""Why a pod finds no node when every one has a taint that it does not tolerate."""


def combine_requirements(reasons: Iterable[UnmetRequirement]) -> UnmetRequirement:
    """Return the reason when each demand is met somewhere, but nowhere all of them."""
    words = " together with ".join(reason.words for reason in reasons)
    return UnmetRequirement(words, "make a Virtual Node Group that meets all of it")


def _of_volume(terms: Terms) -> UnmetRequirement:
    if terms is None:
        return UnmetRequirement("volumes whose place is not known", "")
    parts = _parts(terms)
    if any(_is_name(part) for part in parts):
        return UnmetRequirement(
            "a volume on the disk of its node", "its data cannot move: take the pod and its volume away first"
        )
    zones = {value for part in parts for value in part.values}
    if all(part.key in ZONE_LABELS and part.operator == "In" for part in parts):
        words = f"a volume in {_values(sorted(zones), ' or ')}"
    else:
        words = f"a volume bound to {_any_of(terms)}"
    return UnmetRequirement(words, _remedy(parts, "volume"))


def _remedy(parts: Iterable[Requirement], what: str) -> str:
    keys = {part.key for part in parts if not _is_name(part)}
    if any(_is_name(part) for part in parts):
        return f"new nodes have new names: take the {what} away"
    if keys - ZONE_LABELS - TYPE_LABELS - ARCHITECTURE_LABELS - REGION_LABELS - SYSTEM_LABELS:
        return f"add the label to a Virtual Node Group, or take the {what} away"
    if keys & (TYPE_LABELS | ARCHITECTURE_LABELS):
        return f"allow such an instance type in a Virtual Node Group, or take the {what} away"
    if keys & ZONE_LABELS:
        return "give a Virtual Node Group a subnet there"
    return f"take the {what} away"


def _parts(terms: Terms) -> list[Requirement]:
    return [part for term in terms or () for part in term]


def _is_name(part: Requirement) -> bool:
    return part.on_field or part.key == HOSTNAME_LABEL


def _any_of(terms: Terms) -> str:
    return " or ".join(" and ".join(map(_told, term)) or "nothing" for term in terms or ())


def _told(part: Requirement) -> str:
    """Return a condition in words; without values where they are of single nodes, so that pods group."""
    key = sanitize(part.key)
    if _is_name(part) or part.operator == "Exists":
        return key
    if part.operator == "DoesNotExist":
        return f"no {key}"
    if part.operator in _SIGNS:
        return f"{key} {_SIGNS[part.operator]} {_values(part.values)}"
    if part.operator == "In" and len(part.values) == 1:
        return f"{key}={_values(part.values)}"
    return f"{key} {'in' if part.operator == 'In' else 'not in'} ({_values(part.values)})"


def _values(values: Iterable[str], between: str = ", ") -> str:
    cleaned = [sanitize(value) for value in values]
    return between.join(cleaned) if len(cleaned) <= _MOST_VALUES else list_some(cleaned, _MOST_VALUES)


def _amounts(requests: Resources) -> str:
    parts = []
    if requests.milli_cpu:
        parts.append(f"{requests.milli_cpu / 1000:g} CPU")
    if requests.memory_mib:
        gib = requests.memory_mib / 1024
        parts.append(f"{gib:.1f}".removesuffix(".0") + " GiB" if gib >= 1 else f"{requests.memory_mib} MiB")
    if requests.gpu:
        parts.append(f"{requests.gpu} GPU")
    return ", ".join(parts)
