"""The text of what pods require of nodes, from the ``reasons`` of a diagnostic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ocean_migration_pulumi.common.text import list_some
from ocean_migration_pulumi.migration.scheduling.pod_requirements import RequirementKind, RequirementRemedy

Reason = Mapping[str, Any]

_MOST_VALUES: Final = 3
_SIGNS: Final = {"Gt": ">", "Lt": "<"}
_CONDITIONED: Final = {
    RequirementKind.NODE_SELECTOR: "nodeSelector",
    RequirementKind.NODE_AFFINITY: "node affinity",
    RequirementKind.TOPOLOGY_SPREAD: "topology spread constraint",
    RequirementKind.VOLUME_ZONE: "volume",
    RequirementKind.VOLUME: "volume",
}
_REMEDIES: Final = {
    RequirementKind.VOLUME_ON_NODE: "its data cannot move: remove the pod and its volume first",
    RequirementKind.VOLUME_UNKNOWN: "",
    RequirementKind.SYSTEM: "add a Virtual Node Group for that operating system",
    RequirementKind.TOLERATIONS: "add a toleration, or a Virtual Node Group without the taint",
    RequirementKind.REQUESTS: "allow larger instance types, or lower the requests",
    RequirementKind.TIGHT_REQUESTS: "allow larger instance types, or lower the requests",
    RequirementKind.OTHER_RESOURCES: "",
    RequirementKind.POD_AFFINITY: "",
    RequirementKind.COMBINED: "add a Virtual Node Group that meets all of it",
    RequirementKind.NO_GROUP: "add one",
}


def describe_requirements(reasons: Iterable[Reason]) -> str:
    """Return what the pods require."""
    return ", ".join(map(_describe, reasons))


def list_remedies(reasons: Iterable[Reason]) -> list[str]:
    """Return what to do about it, each once."""
    return list(dict.fromkeys(remedy for reason in reasons if (remedy := _remedy(reason))))


def _describe(reason: Reason) -> str:
    kind = RequirementKind(reason["kind"])
    if kind is RequirementKind.NODE_SELECTOR:
        return f"nodeSelector {_any_of(reason['terms'])}"
    if kind is RequirementKind.NODE_AFFINITY:
        return f"required node affinity {_any_of(reason['terms'])}"
    if kind is RequirementKind.TOPOLOGY_SPREAD:
        return f"topology spread constraint on {_any_of(reason['terms'])}"
    if kind is RequirementKind.VOLUME_ZONE:
        return f"a volume in {_values(reason['terms'][0][0]['values'], ' or ')}"
    if kind is RequirementKind.VOLUME:
        return f"a volume bound to {_any_of(reason['terms'])}"
    if kind is RequirementKind.SYSTEM:
        return f"images for {_values(reason['terms'][0][0]['values'])}"
    if kind is RequirementKind.REQUESTS:
        return f"requests of {_amounts(reason)}"
    if kind is RequirementKind.TIGHT_REQUESTS:
        return f"requests of {_amounts(reason)}, about as much as the largest instance type leaves to pods"
    if kind is RequirementKind.OTHER_RESOURCES:
        return f"requests of {_values(reason['names'])}"
    if kind is RequirementKind.COMBINED:
        return " together with ".join(map(_describe, reason["parts"]))
    return {
        RequirementKind.VOLUME_ON_NODE: "a volume on the disk of its node",
        RequirementKind.VOLUME_UNKNOWN: "volumes whose location is unknown",
        RequirementKind.POD_AFFINITY: "required pod affinity",
        RequirementKind.TOLERATIONS: "no toleration for the taints of any",
        RequirementKind.NO_GROUP: "the cluster has none",
    }[kind]


def _remedy(reason: Reason) -> str:
    kind = RequirementKind(reason["kind"])
    if kind not in _CONDITIONED:
        return _REMEDIES[kind]
    what = _CONDITIONED[kind]
    return {
        RequirementRemedy.REMOVE: f"remove the {what}",
        RequirementRemedy.REMOVE_NODE_NAME: f"new nodes have new names: remove the {what}",
        RequirementRemedy.REMOVE_RESERVED: (f"no Virtual Node Group can give its nodes that label: remove the {what}"),
        RequirementRemedy.ADD_SYSTEM: _REMEDIES[RequirementKind.SYSTEM],
        RequirementRemedy.ADD_LABEL: f"add the label to a Virtual Node Group and its user data, or remove the {what}",
        RequirementRemedy.ALLOW_INSTANCE_TYPE: (
            f"allow such an instance type in a Virtual Node Group, or remove the {what}"
        ),
        RequirementRemedy.ADD_SUBNET: "add a subnet in that zone to a Virtual Node Group",
    }[RequirementRemedy(reason["remedy"])]


def _any_of(terms: Sequence[Sequence[Reason]]) -> str:
    return " or ".join(" and ".join(map(_condition, term)) or "nothing" for term in terms)


def _condition(part: Reason) -> str:
    key, operator, values = part["key"], part["operator"], part["values"]
    if operator == "Exists" or (not values and operator != "DoesNotExist"):
        return str(key)
    if operator == "DoesNotExist":
        return f"no {key}"
    if operator in _SIGNS:
        return f"{key} {_SIGNS[operator]} {_values(values)}"
    if operator == "In" and len(values) == 1:
        return f"{key}={values[0]}"
    return f"{key} {'in' if operator == 'In' else 'not in'} ({_values(values)})"


def _values(values: Sequence[str], between: str = ", ") -> str:
    return between.join(values) if len(values) <= _MOST_VALUES else list_some(values, _MOST_VALUES)


def _amounts(reason: Reason) -> str:
    parts = []
    if reason["milli_cpu"]:
        parts.append(f"{reason['milli_cpu'] / 1000:g} CPU")
    if memory := reason["memory_mib"]:
        gib = memory / 1024
        parts.append(f"{gib:.1f}".removesuffix(".0") + " GiB" if gib >= 1 else f"{memory} MiB")
    if reason["gpu"]:
        parts.append(f"{reason['gpu']} GPU")
    return ", ".join(parts)
