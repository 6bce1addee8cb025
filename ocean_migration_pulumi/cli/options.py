"""The options of commands that plan a migration: the resource's inputs, by the same names."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click

from ocean_migration_pulumi.migration.spec.input_readers import FLAG, TEXTS, input_error
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.options import InputDeclaration, declared_inputs, unknown_field
from ocean_migration_pulumi.migration.spec.spec import INPUT_DECLARATIONS, MigrationSpec, read_spec

R = TypeVar("R")

_SELECTOR: Final = declared_inputs(NodeSelector)
_OPTIONS: Final = {
    name: INPUT_DECLARATIONS[name]
    for name in (
        "batch_size_percentage",
        "should_terminate_drained_nodes",
        "should_evict_stand_alone_pods",
        "force_pod_eviction_on_pdb_failure",
        "unmatched_nodes",
        "prerequisites",
        "approved_plan",
    )
}
_METAVARS: Final = {
    "instance_ids": "i-...",
    "asg_names": "GLOB",
    "virtual_node_groups": "ols-...",
    "label_selector": "SELECTOR",
    "exclude": "FIELD=VALUE",
    "limit": "N|N%",
    "batch_size_percentage": "N",
    "approved_plan": "DIGEST",
}
_EXCLUDE_HELP: Final = "Nodes that are never migrated, such as node_names=ip-10-0-1-17; all given fields must match."


def _flag_name(name: str, declaration: InputDeclaration) -> str:
    """Return the option for an input; one that is given once for each value is in the singular."""
    singular = name.removesuffix("s") if declaration.type is TEXTS else name
    return f"--{singular.replace('_', '-')}"


_NAMES: Final = {name: _flag_name(name, each) for name, each in (_SELECTOR | _OPTIONS).items()}
_EXCLUDED: Final = tuple(name for name in _SELECTOR if name not in {"exclude", "all_nodes", "limit"})


def _option(name: str, declaration: InputDeclaration) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return the decorator that adds the option for an input."""
    kind: dict[str, Any] = {"metavar": _METAVARS.get(name, "NAME")}
    if declaration.type is FLAG:
        kind = {"is_flag": True}
    elif declaration.type.choices:
        kind = {"type": click.Choice(declaration.type.choices)}
    elif declaration.type.annotation == "int":
        kind["type"] = int
    if name == "exclude" or declaration.type is TEXTS:
        kind["multiple"] = True
    default = f" Default: {declaration.default}." if declaration.default else ""
    repeat = " Repeatable." if kind.get("multiple") else ""
    meaning = _EXCLUDE_HELP if name == "exclude" else declaration.doc.replace("``", "").replace('"', "")
    return click.option(_NAMES[name], name, help=meaning + default + repeat, **kind)


def selection_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the options of a migration; the command is called with a ``spec`` without a cluster.

    The command raises InputError, which names the option, for the first value that is not allowed.
    """

    @wraps(function)
    def selecting(**given: Any) -> R:
        nodes = {name: given.pop(name) for name in _SELECTOR}
        options = {name: given.pop(name) for name in _OPTIONS}
        return function(spec=_make_spec(nodes, options), **given)

    decorated: Callable[..., R] = selecting
    for name, declaration in reversed((_SELECTOR | _OPTIONS).items()):
        decorated = _option(name, declaration)(decorated)
    return decorated


def _make_spec(nodes: dict[str, Any], options: dict[str, Any]) -> MigrationSpec:
    selector = _given(nodes)
    if not selector.keys() - {"exclude", "limit"}:
        msg = f"No nodes selected. Use {', '.join(_NAMES[name] for name in _EXCLUDED)} or --all-nodes."
        raise click.UsageError(msg)
    if nodes["exclude"]:
        selector["exclude"] = _read_exclude(nodes["exclude"])
    spec, problems = read_spec({"ocean_id": "o-unknown", "nodes": selector, **_given(options)})
    if problems:
        name = problems[0].property_name
        raise problems[0].renamed(_NAMES.get(name.removeprefix("nodes.").partition("[")[0], name))
    return spec


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given; an empty string was, and is refused later."""
    return {name: value for name, value in values.items() if value is not None and value is not False and value != ()}


def _read_exclude(given: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in given:
        name, _, value = entry.partition("=")
        if not value:
            raise input_error("--exclude", entry, "FIELD=VALUE")
        if name not in _EXCLUDED:
            raise unknown_field("--exclude", name, _EXCLUDED).renamed("--exclude")
        if name == "label_selector":
            found[name] = value
        else:
            found.setdefault(name, []).append(value)
    return found
