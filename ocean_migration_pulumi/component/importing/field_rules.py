"""Rules that convert fields of Spot's API into arguments of pulumi_spotinst's resources."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from ocean_migration_pulumi.api.models import decode

Table = Mapping[str, "Rule"]
"""Rules by the path of a field at the service, whose names are joined by dots."""

ReadField = Callable[[Any, "Place"], "Reading"]
"""Reads the value of an argument from a field, and where it goes."""

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")

NO_INPUT = "pulumi_spotinst has no argument for it"
AT_THE_SERVICE = "set it in the Spot console after the cluster has been created: the provider does not change it"


class UnreadableFieldError(Exception):
    """A value is not what the argument takes; says what it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A field of a configuration that becomes no argument."""

    path: str
    """The path of the field at the service."""
    reason: str
    """Why it becomes no argument."""
    remedy: str
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was made of a part of a configuration."""

    value: Any
    """The value of an argument, or several by argument; None for no argument."""
    left: tuple[Left, ...] = ()
    """What was left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value comes from and goes."""

    path: str
    """The path of the field at the service."""
    kind: type[Any]
    """The class of pulumi_spotinst that has the argument."""
    argument: str
    """The name of the argument."""

    def input_type(self) -> tuple[Any, bool]:
        """Return the type that the argument takes, and whether it takes a list of them."""
        # An input is a union of the type, an Awaitable and an Output of it, in this order.
        first = get_args(inspect.signature(self.kind).parameters[self.argument].annotation)[0]
        is_list = get_origin(first) is Sequence
        return get_args(get_args(first)[0])[0] if is_list else first, is_list

    def input_class(self) -> tuple[type[Any], bool]:
        """Return the class of pulumi_spotinst that the argument takes, and whether it takes a list of them."""
        from pulumi_spotinst import aws

        reference, is_list = self.input_type()
        return getattr(aws, reference.__forward_arg__), is_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a field becomes an argument."""

    argument: str
    """The name of the argument."""
    read: ReadField
    """Reads the value of the argument."""
    default: Any = None
    """The value for a field that is missing or null, None for no argument; for what only pulumi_spotinst requires."""


def convert(document: Mapping[str, Any], table: Table, kind: type[Any], prefix: str) -> Reading:
    """Convert the fields that a table names into arguments of a class; all others are left behind."""
    arguments = {}
    left: list[Left] = []
    for path, rule in table.items():
        part = at(document, path)
        if is_nothing(part):
            value = rule.default
        else:
            try:
                found = rule.read(part, Place(path=prefix + path, kind=kind, argument=rule.argument))
            except UnreadableFieldError as exc:
                left.append(_unreadable(prefix + path, exc, f"set `{rule.argument}` yourself"))
                continue
            value = found.value
            left += found.left
        if value is not None:
            arguments[rule.argument] = value
    left += [Left(path=prefix + path, reason=NO_INPUT, remedy=AT_THE_SERVICE) for path in rest(document, table)]
    return Reading(arguments, tuple(left))


def _unreadable(path: str, error: UnreadableFieldError, remedy: str) -> Left:
    return Left(path=path, reason=f"cannot be read: it {error}", remedy=remedy)


def at(document: Mapping[str, Any], path: str) -> Any:
    """Return the part at a path; None when there is none."""
    part: Any = document
    for name in path.split("."):
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


def is_nothing(part: Any) -> bool:
    """Tell whether a part says nothing: null, empty, or an object of such."""
    if isinstance(part, Mapping):
        return all(map(is_nothing, part.values()))
    return part is None or (isinstance(part, str | list) and not part)


def rest(document: Mapping[str, Any], table: Table, above: str = "") -> Iterator[str]:
    """Yield the paths of what a table does not name, as deep as objects go."""
    for name, part in document.items():
        path = above + name
        if path in table or is_nothing(part):
            continue
        if isinstance(part, Mapping):
            yield from rest(part, table, f"{path}.")
        else:
            yield path


def plain(argument: str, *, default: Any = None) -> Rule:
    """Take text, a number, a boolean, or a list of texts: whatever the argument takes."""

    def convert_value(value: Any, place: Place) -> Reading:
        kind, is_list = place.input_type()
        convert_leaf, what = (_texts, "is not a list of strings") if is_list else _LEAVES[kind]
        return _converted(convert_leaf(value), what)

    return Rule(argument=argument, read=convert_value, default=default)


def same(*fields: str) -> Table:
    """Take fields whose arguments have the same names in snake case."""
    return {name: plain(snake_case(name)) for name in fields}


def snake_case(name: str) -> str:
    """Return a name in snake case: ``kms_key_id`` for ``kmsKeyId``."""
    return _CAPITAL.sub(r"_\1", name).lower()


def leaf(argument: str, read: Callable[[Any], Any], what: str) -> Rule:
    """Take what ``read`` makes of it; when that is None, it is not readable, as it ``what``."""
    return Rule(argument=argument, read=lambda value, place: _converted(read(value), what))


def nested(argument: str, table: Table) -> Rule:
    """Take an object, or a list of objects; an object becomes a list of one where the argument takes a list."""

    def convert_value(value: Any, place: Place) -> Reading:
        kind, is_list = place.input_class()
        if not is_list or not isinstance(value, list):
            made = _make(value, place.path, kind, table)
            return Reading([made.value], made.left) if is_list and made.value is not None else made
        found: list[Any] = []
        left: list[Left] = []
        for index, item in enumerate(value):
            path = f"{place.path}[{index}]"
            try:
                made = _make(item, path, kind, table)
            except UnreadableFieldError as exc:
                left.append(_unreadable(path, exc, f"add it to `{argument}` yourself"))
                continue
            found += [] if made.value is None else [made.value]
            left += made.left
        return Reading(found or None, tuple(left))

    return Rule(argument=argument, read=convert_value)


def wrapped(argument: str, rule: Rule) -> Rule:
    """Take a field by its own rule, as the only argument of a list of one object."""

    def convert_value(value: Any, place: Place) -> Reading:
        kind, _ = place.input_class()
        inner = rule.read(value, Place(path=place.path, kind=kind, argument=rule.argument))
        return Reading([kind(**{rule.argument: inner.value})], inner.left)

    return Rule(argument=argument, read=convert_value)


def _converted(found: Any, what: str) -> Reading:
    if found is None:
        raise UnreadableFieldError(what)
    return Reading(found)


def _make(value: Any, path: str, kind: type[Any], table: Table) -> Reading:
    """Return an object as an instance of a class, None when nothing of it becomes an argument."""
    if not isinstance(value, Mapping):
        raise UnreadableFieldError("is not an object")
    found = convert(value, table, kind, f"{path}.")
    arguments = found.value
    required = {
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    missing = sorted(path for path, rule in table.items() if rule.argument in required - arguments.keys())
    if missing:
        raise UnreadableFieldError(f"has no {', '.join(missing)}")
    return Reading(kind(**arguments) if arguments else None, found.left)


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return decode.text(value) or None


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    found = [_text(item) for item in value]
    return None if None in found else [item for item in found if item is not None]


def _whole(value: Any) -> int | None:
    found = decode.number(value)
    return int(found) if found is not None and found.is_integer() else None


_LEAVES: Mapping[Any, tuple[Callable[[Any], Any], str]] = {
    str: (_text, "is not a string"),
    int: (_whole, "is not an integer"),
    float: (decode.number, "is not a number"),
    bool: (decode.flag, "is neither true nor false"),
}
