"""Conditions on labels, and tolerations of taints, judged as Kubernetes judges them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Requirement, Taint, Term, Toleration

_WHOLE: Final = re.compile(r"[+-]?[0-9]+")


class Unsure(Enum):
    """What is known of a label without its value: that the node has it, or not even that."""

    VALUE = "value"
    PRESENCE = "presence"


Value = str | Unsure | None
"""The value of a label; None: the node does not have it."""


def holds(requirement: Requirement, value: str | None) -> bool:
    """Tell whether a condition holds for a label of this value, None when the label is missing.

    NotIn and DoesNotExist hold for a missing label too. An operator that Kubernetes does not have holds for nothing.
    """
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            bounds = requirement.values
            if value is None or len(bounds) != 1 or not (_WHOLE.fullmatch(value) and _WHOLE.fullmatch(bounds[0])):
                return False
            return int(value) > int(bounds[0]) if operator == "Gt" else int(value) < int(bounds[0])
    return False


def may_hold(requirement: Requirement, value: Value) -> bool | None:
    """Tell whether a condition holds for a label, of which not everything may be known: None when undecided."""
    if value is Unsure.PRESENCE:
        return None
    if value is Unsure.VALUE:
        return {"Exists": True, "DoesNotExist": False}.get(requirement.operator)
    return holds(requirement, value)


def selects(selector: Term | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a selector takes labels: an empty one takes all, None takes nothing."""
    return selector is not None and all(holds(part, labels.get(part.key)) for part in selector)


def tolerates(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """Tell whether one of the tolerations is for this taint."""
    return any(_matches(toleration, taint) for toleration in tolerations)


def _matches(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    # Without a key only Exists is every taint.
    return bool(toleration.key) and toleration.operator in {"", "Equal"} and toleration.value == taint.value


def all_of(verdicts: Iterable[bool | None]) -> bool | None:
    """Return whether all hold; None when what is known does not decide it."""
    result: bool | None = True
    for verdict in verdicts:
        if verdict is False:
            return False
        if verdict is None:
            result = None
    return result


def any_of(verdicts: Iterable[bool | None]) -> bool | None:
    """Return whether one of them holds; None when what is known does not decide it."""
    result: bool | None = False
    for verdict in verdicts:
        if verdict:
            return True
        if verdict is None:
            result = None
    return result
