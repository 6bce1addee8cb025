"""The node selector as programs write it, and how a resource collects its inputs."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import FunctionType, NoneType
from typing import Any, Final, TypedDict

import pulumi
from pulumi import Input, Output

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.host import one_line_constructor
from ocean_migration_pulumi.migration.spec.input_readers import input_error
from ocean_migration_pulumi.migration.spec.options import declared_inputs

_SERIALIZABLE: Final = (str, int, float, NoneType, Output, Awaitable, pulumi.Asset, pulumi.Archive, pulumi.Resource)
"""What Pulumi serializes besides lists, maps and input types."""

_INPUT_TYPE: Final = "_pulumi_input_type"
"""The attribute that marks the input types of Pulumi's packages."""


class NodeSelectorArgsDict(TypedDict, total=False):
    """Which nodes, as a dictionary; see ``NodeSelectorArgs``."""

    instance_ids: Input[Sequence[Input[str]]]
    node_names: Input[Sequence[Input[str]]]
    asg_names: Input[Sequence[Input[str]]]
    eks_node_groups: Input[Sequence[Input[str]]]
    virtual_node_groups: Input[Sequence[Input[str]]]
    label_selector: Input[str]
    exclude: Input[NodeSelectorArgs | NodeSelectorArgsDict]
    all_nodes: Input[bool]
    limit: Input[str | int]


@one_line_constructor
@pulumi.input_type
@dataclass(kw_only=True, eq=False)
class NodeSelectorArgs:
    """Which nodes: values of one field are alternatives, different fields must all match.

    A selector without any field is an error: to migrate every node, set ``all_nodes``.
    """

    instance_ids: Input[Sequence[Input[str]]] | None = None
    """EC2 instance ids. An id that is not a candidate is an error."""
    node_names: Input[Sequence[Input[str]]] | None = None
    """Kubernetes node names."""
    asg_names: Input[Sequence[Input[str]]] | None = None
    """Names of Auto Scaling Groups, or patterns of ``*``, ``?`` and ``[...]``; case matters."""
    eks_node_groups: Input[Sequence[Input[str]]] | None = None
    """Names of EKS managed node groups, which are part of the names of their Auto Scaling Groups."""
    virtual_node_groups: Input[Sequence[Input[str]]] | None = None
    """Ids of the Virtual Node Groups that nodes match, or ``"Default"`` for nodes that match any."""
    label_selector: Input[str] | None = None
    """Node labels, in kubectl's syntax: ``tier=web,!gpu``. Requires access to Kubernetes."""
    exclude: Input[NodeSelectorArgs | NodeSelectorArgsDict] | None = None
    """Selector of nodes that are never migrated; has no limit."""
    all_nodes: Input[bool] | None = None
    """Every node that can be migrated."""
    limit: Input[str | int] | None = None
    """At most this many nodes (``"5"``), or this share of the matching nodes, rounded up (``"50%"``)."""


def refuse_missing(value: Any) -> Any:
    """Return an input that is refused if it is an output without a value, such as one that a stack does not have.

    The engine leaves out None, so that the default of the input would apply: an empty string is of no input a value.
    """
    return value.apply(lambda found: "" if found is None else found) if isinstance(value, Output) else value


def resource_properties(
    resource: type[pulumi.Resource], spec: type[Any], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the properties that a dynamic resource passes to Pulumi.

    Args:
        resource: The class of the resource; its annotations are its outputs.
        spec: The dataclass that declares its inputs.
        arguments: The arguments of its constructor: the declared inputs, ``resource_name`` and ``opts``.

    Returns:
        Every output without a value, as Pulumi sets only named ones, and every given input, secrets marked. An absent
        input is left out, as the engine would store None.

    Raises:
        InputError: A value cannot be an input at all, such as a class or a path, for which Pulumi prints a traceback.
    """
    check_resource("resource_name", arguments["resource_name"], arguments["opts"])
    for name in declared_inputs(spec):
        refuse_unserializable(name, arguments.get(name))
    given = {
        name: Output.secret(arguments[name]) if each.secret else arguments[name]
        for name, each in declared_inputs(spec).items()
        if arguments.get(name) is not None
    }
    if "nodes" in given:
        given["nodes"] = _refuse_missing_fields(given["nodes"])
    return dict.fromkeys(resource.__annotations__) | given


def check_resource(argument: str, name: object, opts: object) -> None:
    """Refuse a name or options of a resource for which Pulumi prints a traceback.

    Args:
        argument: The name of the argument that has the name.
        name: The name of the resource.
        opts: The options of the resource.

    Raises:
        InputError: One of them is not allowed.
    """
    if not isinstance(name, str):
        raise input_error(argument, name, "a string")
    if not name:
        raise InputError(argument, "must not be empty", predicate=True)
    if not isinstance(opts, (pulumi.ResourceOptions, NoneType)):
        raise input_error("opts", opts, "pulumi.ResourceOptions")


def refuse_unserializable(name: str, value: Any) -> None:
    """Refuse what Pulumi cannot serialize; nothing of the value is shown, as it may be a secret.

    Args:
        name: The input, for errors: ``triggers[0]``.
        value: The value or a part of it.

    Raises:
        InputError: The value or a part of it cannot be serialized.
    """
    if isinstance(value, (type, FunctionType)):
        kind = "class" if isinstance(value, type) else "function"
        raise InputError(name, f"must be a value, not the {kind} {value.__name__}", predicate=True)
    if isinstance(value, NodeSelectorArgs):
        parts = [(f"{name}.{each.name}", getattr(value, each.name)) for each in fields(value)]
    elif isinstance(value, Mapping):
        if any(not isinstance(key, str) for key in value):
            raise InputError(name, "must have strings as keys", predicate=True)
        parts = [(f"{name}.{key}", part) for key, part in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview, range)):
        parts = [(f"{name}[{place}]", part) for place, part in enumerate(value)]
    elif isinstance(value, _SERIALIZABLE) or hasattr(value, _INPUT_TYPE):
        return
    else:
        allowed = "use a string, number, boolean, list or map"
        raise InputError(name, f"has the type {type(value).__name__}; {allowed}", predicate=True)
    for part_name, part in parts:
        refuse_unserializable(part_name, part)


def _refuse_missing_fields(nodes: Any) -> Any:
    """Return a selector that is refused if an output in it has no value: without that field it selects more nodes."""
    if isinstance(nodes, NodeSelectorArgs):
        nodes = {name: getattr(nodes, name) for name in NodeSelectorArgsDict.__annotations__}
    if not isinstance(nodes, Mapping):
        return nodes
    # An exclude that is missing excludes nothing: waves without any earlier node have such ones.
    return {
        name: value if name == "exclude" else refuse_missing(value)
        for name, value in nodes.items()
        if value is not None
    }
