"""Reading one part of a configuration of the service as one argument of a resource of pulumi_spotinst."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ocean_migration_pulumi.api.models import decode

Table = Mapping[str, "Rule"]
"""Paths of the wire, their names joined by dots, and what becomes of what is there."""

NO_INPUT = "pulumi_spotinst has no argument for it"
AT_THE_SERVICE = "set it in Spot's console once the cluster is there: the provider leaves it alone"


class UnreadableFieldError(Exception):
    """A value is not what the argument takes; says what it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A part of a configuration that becomes no argument: its path on the wire, why, and what to do about it."""

    path: str
    reason: str
    remedy: str


@dataclass(slots=True)
class ConversionProgress:
    """What a conversion has come to so far: what is left behind."""

    left: list[Left] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The argument that a part becomes; ``read`` gets the part, its path, and where to note what is left behind.

    ``default`` stands for a part that is absent or null (None: no argument), for what the wire may leave out but
    pulumi_spotinst requires.
    """

    argument: str
    read: Callable[[Any, str, ConversionProgress], Any]
    default: Any = None


def convert(document: Mapping[str, Any], table: Table, prefix: str, progress: ConversionProgress) -> dict[str, Any]:
    """Return the arguments that the parts of a document become by a table; what it does not name is left behind."""
    arguments = {}
    for path, rule in table.items():
        part = at(document, path)
        if is_nothing(part):
            read = rule.default
        else:
            try:
                read = rule.read(part, prefix + path, progress)
            except UnreadableFieldError as exc:
                remedy = f"set `{rule.argument}` yourself"
                progress.left.append(Left(path=prefix + path, reason=f"not readable: it {exc}", remedy=remedy))
                continue
        if read is not None:
            arguments[rule.argument] = read
    progress.left += [
        Left(path=prefix + path, reason=NO_INPUT, remedy=AT_THE_SERVICE) for path in rest(document, table)
    ]
    return arguments


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


def text(argument: str, *, default: str | None = None) -> Rule:
    """Take text; a boolean is written as in JSON."""
    return Rule(argument=argument, read=_leaf(_text, "is no text"), default=default)


def count(argument: str) -> Rule:
    """Take a whole number, also one written as text."""
    return Rule(argument=argument, read=_leaf(_whole, "is no whole number"))


def number(argument: str) -> Rule:
    """Take a number, also one written as text."""
    return Rule(argument=argument, read=_leaf(decode.number, "is no number"))


def flag(argument: str) -> Rule:
    """Take a boolean, also one written as text."""
    return Rule(argument=argument, read=_leaf(decode.flag, "is neither true nor false"))


def leaf(argument: str, read: Callable[[Any], Any], what: str) -> Rule:
    """Take what ``read`` makes of it; when that is None, it is not readable, as it ``what``."""
    return Rule(argument=argument, read=_leaf(read, what))


def texts(argument: str) -> Rule:
    """Take a list of texts."""
    return Rule(argument=argument, read=_leaf(_texts, "is no list of texts"))


def part(argument: str, type_name: str, table: Table) -> Rule:
    """Take an object as an input type of pulumi_spotinst."""
    return Rule(argument=argument, read=_object(type_name, table))


def only(argument: str, type_name: str, table: Table) -> Rule:
    """Take an object as a list of one: Terraform's way to write a block."""
    read = _object(type_name, table)

    def listed(value: Any, path: str, progress: ConversionProgress) -> Any:
        made = read(value, path, progress)
        return None if made is None else [made]

    return Rule(argument=argument, read=listed)


def wrapped(argument: str, type_name: str, rule: Rule) -> Rule:
    """Take a part by its own rule, as the only argument of an input type that comes as a list of one."""

    def listed(value: Any, path: str, progress: ConversionProgress) -> Any:
        return [_made(type_name, {}, {rule.argument: rule.read(value, path, progress)})]

    return Rule(argument=argument, read=listed)


def each(argument: str, type_name: str, table: Table) -> Rule:
    """Take a list of objects; where the API reference shows one object for a list of one, that one."""
    read = _object(type_name, table)

    def listed(value: Any, path: str, progress: ConversionProgress) -> Any:
        if not isinstance(value, list):
            return [read(value, path, progress)]
        made = []
        for index, item in enumerate(value):
            where = f"{path}[{index}]"
            try:
                made.append(read(item, where, progress))
            except UnreadableFieldError as exc:
                remedy = f"add it to `{argument}` yourself"
                progress.left.append(Left(path=where, reason=f"not readable: it {exc}", remedy=remedy))
        return [item for item in made if item is not None] or None

    return Rule(argument=argument, read=listed)


def _leaf(read: Callable[[Any], Any], what: str) -> Callable[[Any, str, ConversionProgress], Any]:
    def convert_leaf(value: Any, path: str, progress: ConversionProgress) -> Any:
        found = read(value)
        if found is None:
            raise UnreadableFieldError(what)
        return found

    return convert_leaf


def _object(type_name: str, table: Table) -> Callable[[Any, str, ConversionProgress], Any]:
    def convert_object(value: Any, path: str, progress: ConversionProgress) -> Any:
        if not isinstance(value, Mapping):
            msg = "is no object"
            raise UnreadableFieldError(msg)
        return _made(type_name, table, convert(value, table, f"{path}.", progress))

    return convert_object


def _made(type_name: str, table: Table, arguments: dict[str, Any]) -> Any:
    from pulumi_spotinst import aws

    kind = getattr(aws, type_name)
    required = {
        name
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    missing = sorted(path for path, rule in table.items() if rule.argument in required - arguments.keys())
    if missing:
        msg = f"has no {', '.join(missing)}"
        raise UnreadableFieldError(msg)
    return kind(**arguments) if arguments else None


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
