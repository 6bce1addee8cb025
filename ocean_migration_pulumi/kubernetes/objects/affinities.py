"""Reads selectors and node affinities from the API server's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.kubernetes.objects.decoding import (
    read_mapping,
    read_objects,
    read_pairs,
    read_part,
    read_texts,
    require_text,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import ZONE_LABEL, Requirement, Term

_NOWHERE: Final[Term] = (Requirement(key="metadata.name", operator="In", values=(), on_field=True),)
"""A term without any condition, which takes no node."""

_OLD_ZONE_LABEL: Final = "failure-domain.beta.kubernetes.io/zone"
_ZONE_LABELS: Final = frozenset({ZONE_LABEL, _OLD_ZONE_LABEL, "topology.ebs.csi.aws.com/zone"})
"""Labels of the availability zone; nodes of a Virtual Node Group are known to have only the first one."""


def read_node_terms(selector: Mapping[str, Any]) -> tuple[Term, ...]:
    """Return the terms of a node selector; a node has to meet one of them."""
    return tuple(
        (*_requirements(term, "matchExpressions"), *_requirements(term, "matchFields", on_field=True)) or _NOWHERE
        for term in read_objects(selector, "nodeSelectorTerms")
    )


def read_label_term(selector: Any) -> Term | None:
    """Return the conditions of a label selector; without conditions it takes every object, None takes none."""
    if selector is None:
        return None
    found = read_mapping(selector)
    equal = tuple(Requirement(key=key, values=(value,)) for key, value in read_pairs(found, "matchLabels").items())
    return (*equal, *_requirements(found, "matchExpressions"))


def read_volume_terms(volume: Mapping[str, Any]) -> tuple[Term, ...]:
    """Return the terms of the nodes that can use a PersistentVolume; without terms, all can."""
    terms = read_node_terms(read_part(volume, "spec", "nodeAffinity", "required"))
    if terms:
        return tuple(tuple(_zoned(condition) for condition in term) for term in terms)
    labels = read_pairs(read_part(volume, "metadata"), "labels")
    zones = labels.get(ZONE_LABEL) or labels.get(_OLD_ZONE_LABEL)
    # A volume of several zones has them all in one label.
    return ((Requirement(key=ZONE_LABEL, values=tuple(zones.split("__"))),),) if zones else ()


def _requirements(data: Mapping[str, Any], key: str, *, on_field: bool = False) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(
            key=require_text(item, "key"),
            operator=require_text(item, "operator"),
            values=read_texts(item, "values"),
            on_field=on_field,
        )
        for item in read_objects(data, key)
    )


def _zoned(condition: Requirement) -> Requirement:
    if condition.on_field or condition.key not in _ZONE_LABELS:
        return condition
    return Requirement(key=ZONE_LABEL, operator=condition.operator, values=condition.values)
