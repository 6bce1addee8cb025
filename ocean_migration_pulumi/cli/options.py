"""Which option stands for which input, and the options of a migration."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.input_readers import FLAG, TEXTS, input_error
from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
from ocean_migration_pulumi.migration.spec.options import InputDeclaration, declared_inputs, unknown_field
from ocean_migration_pulumi.migration.spec.spec import INPUT_DECLARATIONS, KUBECONFIG, MigrationSpec, read_spec
from ocean_migration_pulumi.migration.spec.vocabulary import Vocabulary

R = TypeVar("R")

_NODE_INPUTS: Final = declared_inputs(NodeSelector)
_MIGRATION_INPUTS: Final = {
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
_NAMES: Final = {
    "batch_size_percentage": "--batch-size",
    "ocean_id": "--cluster",
    "account_id": "--account",
    KUBECONFIG: "--kubeconfig",
    "kube_context": "--context",
}
"""The options that are not named after their inputs."""
_OLD_NAMES: Final = {"batch_size_percentage": "--batch-size-percentage"}
"""Names of options that are still accepted."""

_EXCLUDE_HELP: Final = "Nodes that are never migrated, such as node_names=ip-10-0-1-17; all given fields must match."


def _flag_name(name: str, declaration: InputDeclaration) -> str:
    """Return the name of an input's option, in the singular if the option is repeatable."""
    if name in _NAMES:
        return _NAMES[name]
    singular = name.removesuffix("s") if declaration.type is TEXTS else name
    return f"--{singular.replace('_', '-')}"


_EXCLUDABLE: Final = tuple(name for name in _NODE_INPUTS if name not in {"exclude", "all_nodes", "limit"})
OPTIONS: Final = Vocabulary(
    _NAMES
    | {name: _flag_name(name, each) for name, each in (_NODE_INPUTS | _MIGRATION_INPUTS).items()}
    | {f"exclude.{name}": f"--exclude {name}" for name in _EXCLUDABLE}
)
"""The vocabulary of commands: the option of each input that has one."""


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
    names = [OPTIONS.name(name), *([_OLD_NAMES[name]] if name in _OLD_NAMES else [])]
    return click.option(*names, name, help=meaning + default + repeat, **kind)


def selection_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the options of a migration to a command, which receives their ``spec``.

    The spec has no cluster. For the first option that is not allowed, the command raises an InputError that names it.
    """

    @wraps(function)
    def call_with_spec(**values: Any) -> R:
        nodes = {name: values.pop(name) for name in _NODE_INPUTS}
        options = {name: values.pop(name) for name in _MIGRATION_INPUTS}
        return function(spec=_make_spec(nodes, options), **values)

    decorated: Callable[..., R] = call_with_spec
    for name, declaration in reversed((_NODE_INPUTS | _MIGRATION_INPUTS).items()):
        decorated = _option(name, declaration)(decorated)
    return decorated


def _make_spec(nodes: dict[str, Any], options: dict[str, Any]) -> MigrationSpec:
    selector = _drop_unset(nodes)
    if not selector.keys() - {"exclude", "limit"}:
        msg = f"No nodes selected. Use {', '.join(map(OPTIONS.name, _EXCLUDABLE))} or --all-nodes."
        raise click.UsageError(msg)
    if nodes["exclude"]:
        selector["exclude"] = _read_exclude(nodes["exclude"])
    spec, problems = read_spec({"ocean_id": "o-unknown", "nodes": selector, **_drop_unset(options)})
    if problems:
        raise rename_to_option(problems[0])
    return spec


def rename_to_option(problem: InputError) -> InputError:
    """Return the error of an input with the name of its option."""
    name = problem.property_name.removeprefix("nodes.").partition("[")[0]
    return problem.renamed("selection" if name == "nodes" else OPTIONS.options.get(name, problem.property_name))


def _drop_unset(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are set; an empty string is, and ``read_spec`` refuses it."""
    return {name: value for name, value in values.items() if value is not None and value is not False and value != ()}


def _read_exclude(entries: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in entries:
        name, _, value = entry.partition("=")
        if not name or not value:
            raise input_error("--exclude", entry, "FIELD=VALUE")
        if name not in _EXCLUDABLE:
            raise unknown_field("--exclude", name, _EXCLUDABLE).renamed(f"--exclude {name}")
        if name == "label_selector":
            found[name] = value
        else:
            found.setdefault(name, []).append(value)
    return found
