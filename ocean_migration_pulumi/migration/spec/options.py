"""How an input is declared: once, as a field of the dataclass that holds the validated inputs.

The declaration says how a value is read, what its default is, what it means, and where it may be kept. The reader, the
comparison of old and new inputs, the options of the command, and (by ``docs/write_inputs.py``) the docstrings of the
constructors and the tables of the documentation follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar

from ocean_migration_pulumi.common.text import nearest_name
from ocean_migration_pulumi.errors import InputError, UnknownFieldError
from ocean_migration_pulumi.migration.spec.input_readers import InputType

S = TypeVar("S")

_DECLARATION: Final = "input"
_FROM_DEFAULT: Final = object()


@dataclass(frozen=True, slots=True)
class InputDeclaration:
    """Everything about one input but its name, which is that of the declaring field."""

    type: InputType
    """How a program writes the value, and how it is read."""
    doc: str
    """What the input does, in sentences of reStructuredText."""
    default: Any = None
    """The default as a program would write it; None when there is none."""
    none_means: str = ""
    """What happens without a value, as the end of a sentence; empty where default and ``doc`` say it."""
    required: bool = False
    """Whether the input must be given."""
    secret: bool = False
    """Whether the value is a secret: it is never stored in state, nor part of a message or repr."""
    compared: bool = True
    """Whether another value alone is a change of the resource."""
    reviewed: bool = False
    """Whether a reviewer approves the value: the digest of the plan covers it."""
    digested: bool = True
    """Whether the digest covers a reviewed value also when it is the default."""
    internal: bool = False
    """Whether the provider sets the input itself, so that no program can."""


def declare_input(input_type: InputType, doc: str, *, absent: Any = _FROM_DEFAULT, **more: Any) -> Any:
    """Declare an input as the value of a dataclass field; ``more`` are fields of ``InputDeclaration``.

    ``absent`` is what the field holds when the input is not given: by default what is read of the default, or what the
    type has for an absent input.
    """
    declaration = InputDeclaration(input_type, doc, **more)
    if absent is _FROM_DEFAULT:
        default = declaration.default
        absent = input_type.absent if default is None else input_type.read("default", default)
    return field(default=absent, repr=not declaration.secret, metadata={_DECLARATION: declaration})


def declared_inputs(kind: type[Any]) -> dict[str, InputDeclaration]:
    """Return the inputs that a dataclass declares, by name, in the order of the reference."""
    return {each.name: each.metadata[_DECLARATION] for each in fields(kind) if _DECLARATION in each.metadata}


def read_inputs(kind: type[S], props: Mapping[str, Any], unknown: frozenset[str]) -> tuple[S, list[InputError]]:
    """Read all inputs that a dataclass declares.

    Args:
        kind: The dataclass to make.
        props: The inputs by name; None stands for an absent one, and names that are not declared are ignored.
        unknown: Inputs whose value is known only later; they are not checked.

    Returns:
        The dataclass, in which a default replaces every bad or unknown value, and one error for every bad value.
    """
    values: dict[str, Any] = {}
    problems: list[InputError] = []
    for name, declaration in declared_inputs(kind).items():
        value = props.get(name)
        if name in unknown:
            continue
        if value is None:
            if declaration.required:
                problems.append(InputError(name, "is required", predicate=True))
            continue
        try:
            values[name] = declaration.type.read(name, value)
        except InputError as problem:
            problems.append(problem)
    return kind(**values), problems


def unknown_field(name: str, given: str, known: Iterable[str]) -> UnknownFieldError:
    """Return the error for a field that does not exist: it suggests the nearest one, or lists all.

    Args:
        name: What has the fields, such as ``nodes``.
        given: The name of the field that does not exist.
        known: The fields that exist.
    """
    known = list(known)
    nearest = nearest_name(str(given), known)
    hint = f"did you mean `{nearest}`?" if nearest else f"valid fields: {', '.join(known)}"
    return UnknownFieldError(f"{name}.{given}", f"unknown field; {hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationOptions:
    """The options of one migration, as Ocean takes them; the names are those of the inputs."""

    batch_size_percentage: int | None = None
    """How many percent of the nodes form a batch; None when Ocean does not report it."""
    should_terminate_drained_nodes: bool | None = None
    """Whether Ocean terminates drained nodes; None when it does not report it."""
    should_evict_stand_alone_pods: bool | None = None
    """Whether Ocean deletes standalone pods; None when it does not report it."""
    force_pod_eviction_on_pdb_failure: bool | None = None
    """Whether Ocean overrides PodDisruptionBudgets; None when it does not report it."""

    @classmethod
    def from_attributes(cls, source: object) -> MigrationOptions:
        """Return the options that a spec, a record or a status has as attributes; what it lacks is None."""
        return cls(**{each.name: getattr(source, each.name, None) for each in fields(cls)})

    @property
    def flags(self) -> dict[str, bool | None]:
        """All options but the batch size, in the order of Ocean's API reference: each lets Ocean destroy something."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "batch_size_percentage"}

    def differs_from(self, other: MigrationOptions) -> bool:
        """Tell whether an option that both sides know has another value."""
        pairs = [(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)]
        return any(mine != theirs for mine, theirs in pairs if mine is not None and theirs is not None)
