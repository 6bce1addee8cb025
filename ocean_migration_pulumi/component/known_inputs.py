"""Checks of arguments before anything is registered, with the path of the field that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final

import pulumi
from pulumi import Output

from ocean_migration_pulumi.errors import InputError, UnknownFieldError
from ocean_migration_pulumi.inputs import refuse_unserializable
from ocean_migration_pulumi.migration.gate.spec import GateSpec, read_gate_spec
from ocean_migration_pulumi.migration.spec.input_readers import InputType, input_error, read_texts, secret_error
from ocean_migration_pulumi.migration.spec.options import InputDeclaration, declared_inputs
from ocean_migration_pulumi.migration.spec.spec import INPUT_DECLARATIONS

_GATE_DECLARATIONS: Final = declared_inputs(GateSpec)

_LATER: Final = "known later"
"""What stands for an Output whose neighbours are known."""


def check_wave(wave: object, name: str, vngs: Iterable[str]) -> None:
    """Check the inputs of a wave as its resource will, if they are known.

    Args:
        wave: The arguments of the wave.
        name: The argument, for errors: ``waves[0]``.
        vngs: Names of the component's Virtual Node Groups.

    Raises:
        InputError: An input is not allowed.
    """
    vngs, wanted = list(vngs), getattr(wave, "virtual_node_groups", None)
    if wanted is not None:
        require_known(f"{name}.virtual_node_groups", wanted)
        for index, each in enumerate(wanted if isinstance(wanted, (list, tuple)) else ()):
            require_known(f"{name}.virtual_node_groups[{index}]", each)
        for index, each in enumerate(read_texts(f"{name}.virtual_node_groups", wanted)):
            if each not in vngs:
                allowed = f"one of {', '.join(vngs)}" if vngs else "left out: the component creates none"
                raise input_error(f"{name}.virtual_node_groups[{index}]", each, allowed)
    timeouts = getattr(wave, "timeouts", None)
    if timeouts is not None and not isinstance(timeouts, pulumi.CustomTimeouts):
        raise secret_error(f"{name}.timeouts", "pulumi.CustomTimeouts")
    refuse_unserializable(f"{name}.triggers", getattr(wave, "triggers", None))
    _check_inputs(wave, name, INPUT_DECLARATIONS)


def check_gate(gate: object, name: str) -> None:
    """Check the inputs of a gate as its resource will, if they are known.

    Args:
        gate: The arguments of the gate.
        name: The argument, for errors: ``waves[0].gate``.

    Raises:
        InputError: An input is not allowed.
    """
    _check_inputs(gate, name, _GATE_DECLARATIONS)
    durations = {key: value for key in ("hold_for", "timeout") if (value := getattr(gate, key, None)) is not None}
    if not any(isinstance(value, Output) for value in durations.values()):
        for problem in read_gate_spec(durations, unknown=frozenset({"ocean_id"}))[1]:
            raise problem.renamed(f"{name}.{problem.property_name}")


def check_types(args: object, name: str, types: Mapping[str, InputType]) -> None:
    """Check arguments that become inputs of other resources, as far as they are known.

    Args:
        args: The arguments.
        name: The argument that has them, for errors; empty for the arguments of the component.
        types: The type of each argument.

    Raises:
        InputError: An argument is not of its type.
    """
    for each in fields(args):  # type: ignore[arg-type]  # arguments are dataclasses
        if each.name not in types:
            continue
        value, path = getattr(args, each.name), f"{name}.{each.name}" if name else each.name
        if not str(each.type).startswith("Input["):
            require_known(path, value)
        _read_known(types[each.name], path, value)


def require_known(name: str, value: object) -> None:
    """Refuse an Output where the program decides by the value which resources there are.

    Raises:
        InputError: The value is an Output.
    """
    if isinstance(value, Output):
        raise InputError(name, "must be known to the program, not an Output", predicate=True)


def _check_inputs(args: object, name: str, declarations: Mapping[str, InputDeclaration]) -> None:
    for key, declaration in declarations.items():
        _read_known(declaration.type, f"{name}.{key}", getattr(args, key, None))


def _read_known(kind: InputType, name: str, value: Any) -> None:
    """Read what is known of a value; an error is raised unless it may be due to a part that is an Output."""
    if value is None:
        return
    # With a value for each Output all fields are seen, without one all other values are.
    for stand_in in (_LATER, None):
        parts = _KnownParts(stand_in)
        plain = parts.collect(value, name, name)
        if parts.later == [name]:
            return
        try:
            kind.read(name, plain)
        except InputError as error:
            at = parts.path_in_program(error.property_name)
            if isinstance(error, UnknownFieldError) or not parts.may_explain(at):
                raise error.renamed(at) from None


@dataclass
class _KnownParts:
    """What is known of a value, as dictionaries and lists without what is not given."""

    stand_in: str | None
    """The value of an Output; None leaves it out."""
    later: list[str] = field(default_factory=list)
    """The paths of Outputs."""
    moved: dict[str, str] = field(default_factory=dict)
    """The paths in the program of list elements that moved up because an Output before them is left out."""

    def collect(self, value: Any, name: str, path: str) -> Any:
        """Return what is known of a value.

        Args:
            value: The value.
            name: Its path in the program.
            path: Its path in what is returned.
        """
        if isinstance(value, Output):
            self.later.append(name)
            return _LATER
        if is_dataclass(value) and not isinstance(value, type):
            value = {each.name: getattr(value, each.name) for each in fields(value)}
            value = {key: item for key, item in value.items() if item is not None}
        if isinstance(value, Mapping):
            known = {key: self.collect(item, f"{name}.{key}", f"{path}.{key}") for key, item in value.items()}
            return {key: item for key, item in known.items() if item is not _LATER or self.stand_in is not None}
        if not isinstance(value, (list, tuple)):
            return value
        found: list[Any] = []
        for number, item in enumerate(value):
            element, place = f"{name}[{number}]", f"{path}[{len(found)}]"
            part = self.collect(item, element, place)
            if part is not _LATER or self.stand_in is not None:
                self.moved[place] = element
                found.append(part)
        return found

    def path_in_program(self, path: str) -> str:
        """Return the path in the program of what an error names."""
        for place in sorted(self.moved, key=len, reverse=True):
            if path == place or path.startswith((f"{place}.", f"{place}[")):
                return self.moved[place] + path.removeprefix(place)
        return path

    def may_explain(self, at: str) -> bool:
        """Whether an error may be due to an Output: at its place, or at what contains it."""
        return any(at.startswith(each) or each.startswith((f"{at}.", f"{at}[")) for each in self.later)
