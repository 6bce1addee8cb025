"""Approval of a plan: the digest of everything that a reviewer approves, and what changed since it was approved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Final

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.input_readers import SHORTEST_DIGEST
from ocean_migration_pulumi.migration.spec.planned_nodes import count_moved, hash_nodes
from ocean_migration_pulumi.migration.spec.spec import INPUT_DECLARATIONS, MigrationSpec, hash_value
from ocean_migration_pulumi.migration.spec.stop_conditions import StopConditions

REVIEWED: Final = tuple(name for name, each in INPUT_DECLARATIONS.items() if each.reviewed)
"""The inputs that the digest covers besides the planned nodes."""

_LENGTH: Final = 32
_LENGTH_IN_0_1: Final = 16
_TRIGGERS: Final = "triggers"
_STOP_WHEN: Final = "stop_when"
_UNLESS_DEFAULT: Final = frozenset(name for name in REVIEWED if not INPUT_DECLARATIONS[name].digested)
_DEFAULTS: Final = MigrationSpec()
_BRAKE_OF_THE_COMPONENT: Final = StopConditions(broken_workloads=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """What differs between the approved plan and the present one."""

    name: str
    """The input: one of ``REVIEWED``, or ``planned_nodes``."""
    approved: Any = None
    """The approved value; None when it is not known."""
    now: Any = None
    """The present value; None when ``approved`` is not known."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-plain data."""
        return asdict(self)


def plan_digest(planned: Mapping[str, str], spec: MigrationSpec) -> str:
    """Return the digest of a plan: of its nodes, their Virtual Node Groups, and the inputs that a reviewer approves.

    Args:
        planned: The planned nodes. Nodes that an earlier migration took away do not count.
        spec: The inputs.

    Returns:
        32 hexadecimal digits; empty for a plan without nodes to approve, and while an input that the digest covers is
        not known.
    """
    if not spec.unknown.isdisjoint(REVIEWED) or count_moved(planned) == len(planned):
        return ""
    options = [_option(name, _reviewed_value(spec, name)) for name in REVIEWED]
    return _combine(hash_nodes(planned), options)


def shorten_digest(digest: str) -> str:
    """Return the digest as messages show it."""
    return digest[:8]


def approves(approved: str | None, digest: str) -> bool:
    """Tell whether an approved digest is that of a plan, or its first 16 digits or more."""
    return approved is not None and len(approved) >= SHORTEST_DIGEST and digest.startswith(approved)


def is_approved(planned: Mapping[str, str], spec: MigrationSpec) -> bool:
    """Tell whether ``approved_plan`` approves the plan."""
    return approves(spec.approved_plan, plan_digest(planned, spec))


def is_outdated(planned: Mapping[str, str], spec: MigrationSpec) -> bool:
    """Tell whether ``approved_plan`` can approve no plan any more: it is too short, or that of version 0.1."""
    approved = spec.approved_plan
    return approved is not None and (len(approved) < SHORTEST_DIGEST or names_nodes_alone(planned, spec))


def refuse_short_digest(spec: MigrationSpec) -> InputError | None:
    """Return the refusal of an ``approved_plan`` that is too short to approve anything; None when it is not."""
    if spec.approved_plan is None or len(spec.approved_plan) >= SHORTEST_DIGEST:
        return None
    return InputError("approved_plan", f"{spec.approved_plan!r} is too short: use at least {SHORTEST_DIGEST} digits")


def names_nodes_alone(planned: Mapping[str, str], spec: MigrationSpec) -> bool:
    """Tell whether ``approved_plan`` is the digest that version 0.1 gave this plan, which covers the nodes alone."""
    return spec.approved_plan == hash_nodes(planned)[:_LENGTH_IN_0_1]


def find_changes(
    planned: Mapping[str, str],
    spec: MigrationSpec,
    *,
    old_planned: Mapping[str, str] | None = None,
    old_triggers: Sequence[Any] = (),
    old_stop_when: StopConditions | None = None,
) -> tuple[PlanChange, ...]:
    """Return what changed since the plan was approved, by recomputing the digest with other values of the inputs.

    Args:
        planned: The planned nodes.
        spec: The inputs, with the digest that was approved.
        old_planned: The planned nodes in the state; None when there are none.
        old_triggers: The triggers in the state.
        old_stop_when: The ``stop_when`` in the state; None for none.

    Returns:
        The changes; none when no combination of values has the approved digest.
    """
    digest = plan_digest(planned, spec)
    if not digest or spec.approved_plan is None or approves(spec.approved_plan, digest):
        return ()
    now = {name: _reviewed_value(spec, name) for name in REVIEWED}
    values: dict[str, Sequence[Any]] = {name: INPUT_DECLARATIONS[name].type.values for name in REVIEWED}
    values[_TRIGGERS] = list(dict.fromkeys([now[_TRIGGERS], hash_value(tuple(old_triggers)), hash_value(())]))
    stop_conditions = [now[_STOP_WHEN], old_stop_when, *values[_STOP_WHEN], _BRAKE_OF_THE_COMPONENT]
    values[_STOP_WHEN] = list(dict.fromkeys(stop_conditions))
    # All combinations would take seconds. Inputs that the digest covers unless default are tried as they are and as
    # they are by default with all values of the others, and with all their values with the others as they are.
    fixed = {name: [now[name]] for name in REVIEWED}
    rare = {name: values[name] for name in _UNLESS_DEFAULT}
    tries = [values | {name: fixed[name] for name in rare}, fixed | rare]
    tries.append(values | {name: [getattr(_DEFAULTS, name)] for name in rare})
    nodes = hash_nodes(planned)
    for nodes_before in dict.fromkeys([nodes, hash_nodes(old_planned or planned)]):
        for tried in tries:
            texts = [[_option(name, value) for value in tried[name]] for name in REVIEWED]
            for number, options in enumerate(product(*texts)):
                if approves(spec.approved_plan, _combine(nodes_before, options)):
                    changes = [] if nodes_before == nodes else [PlanChange(name="planned_nodes")]
                    return (*changes, *_list_changes(_combination(tried, number), now))
    return ()


def _combination(values: Mapping[str, Sequence[Any]], number: int) -> dict[str, Any]:
    """Return the values of the combination with this number, counted as `itertools.product` does."""
    chosen: dict[str, Any] = {}
    for name in reversed(REVIEWED):
        number, index = divmod(number, len(values[name]))
        chosen[name] = values[name][index]
    return chosen


def _list_changes(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[PlanChange]:
    return [
        PlanChange(name=name)
        if name == _TRIGGERS
        else PlanChange(name=name, approved=_shown(approved[name]), now=_shown(now[name]))
        for name in REVIEWED
        if approved[name] != now[name]
    ]


def _shown(value: Any) -> Any:
    return (str(value) if value else "off") if value is None or isinstance(value, StopConditions) else value


def _reviewed_value(spec: MigrationSpec, name: str) -> Any:
    value = getattr(spec, name)
    # Triggers are whatever a program gives; all other inputs have few values, none with a line break.
    return hash_value(value) if name == _TRIGGERS else value


def _option(name: str, value: Any) -> str:
    """Return what the digest covers of a value; nothing of the default of an input that older digests did not have."""
    if name in _UNLESS_DEFAULT and value == getattr(_DEFAULTS, name):
        return ""
    return f"{name}={value.canonical if isinstance(value, StopConditions) else value}"


def _combine(nodes: str, options: Sequence[str]) -> str:
    return hashlib.sha256("\n".join((nodes, *filter(None, options))).encode()).hexdigest()[:_LENGTH]
