"""Checks of waves and gates before anything is registered, with the path of the field that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from pulumi import Output

from ocean_migration_pulumi.migration.gate.spec import GateSpec
from ocean_migration_pulumi.migration.spec.input_readers import input_error, read_texts
from ocean_migration_pulumi.migration.spec.options import InputDeclaration, declared_inputs
from ocean_migration_pulumi.migration.spec.spec import INPUT_DECLARATIONS

_GATE_DECLARATIONS: Final = declared_inputs(GateSpec)


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
        for index, each in enumerate(read_texts(f"{name}.virtual_node_groups", wanted)):
            if each not in vngs:
                allowed = f"one of {', '.join(vngs)}" if vngs else "left out: the component makes none"
                raise input_error(f"{name}.virtual_node_groups[{index}]", each, allowed)
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


def _check_inputs(args: object, name: str, declarations: Mapping[str, InputDeclaration]) -> None:
    for key, declaration in declarations.items():
        value = getattr(args, key, None)
        if value is None:
            continue
        plain = _to_plain(value)
        if not _has_output(plain):
            declaration.type.read(f"{name}.{key}", plain)


def _to_plain(value: Any) -> Any:
    """Return arguments as dictionaries, without those that are not given; the parts may be Outputs."""
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
        return {key: _to_plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Mapping):
        return {key: _to_plain(item) for key, item in value.items()}
    return [_to_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _has_output(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_output, value.values()))
    return any(map(_has_output, value)) if isinstance(value, list) else isinstance(value, Output)
