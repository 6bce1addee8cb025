"""The options that choose nodes and say how they are migrated; they are the resource's inputs by the same names."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import click

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec, read_spec

R = TypeVar("R")

_LISTS: Final = (
    ("instance_ids", "--instance-id", "i-...", "This instance; repeat for more."),
    ("node_names", "--node-name", "NAME", "The node of this name; repeat for more."),
    ("asg_names", "--asg-name", "GLOB", "Nodes of Auto Scaling Groups whose name matches; repeat for more."),
    ("eks_node_groups", "--eks-node-group", "NAME", "Nodes of this EKS managed node group; repeat for more."),
    (
        "virtual_node_groups",
        "--virtual-node-group",
        "ols-...",
        "Nodes that match it (or Default); repeat for more.",
    ),
)
_FIELDS: Final = {name: option for name, option, _, _ in _LISTS} | {"label_selector": "--label-selector"}
_NODE_OPTIONS: Final = (
    *(click.option(option, name, multiple=True, metavar=metavar, help=text) for name, option, metavar, text in _LISTS),
    click.option("--label-selector", metavar="SELECTOR", help="Nodes with these labels; needs access to Kubernetes."),
    click.option(
        "--exclude",
        multiple=True,
        metavar="FIELD=VALUE",
        help="But not these, such as node_names=ip-10-0-1-17; fields are those of the resource, and all must hold.",
    ),
    click.option("--all-nodes", is_flag=True, help="All nodes; this must be said."),
    click.option("--limit", metavar="N|N%", help="At most so many of the matching nodes."),
)
_OPTIONS: Final = (
    click.option("--batch-size-percentage", type=int, metavar="N", help="Drain so many of the nodes at once (20)."),
    click.option("--should-terminate-drained-nodes", is_flag=True, help="Let Ocean terminate the drained nodes."),
    click.option("--should-evict-stand-alone-pods", is_flag=True, help="Delete pods that nothing starts again."),
    click.option(
        "--force-pod-eviction-on-pdb-failure", is_flag=True, help="Kill pods that a PodDisruptionBudget protects."
    ),
    click.option("--unmatched-nodes", type=click.Choice(["fail", "skip", "allow"]), help="Without a match (fail)."),
    click.option(
        "--prerequisites", type=click.Choice(["enforce", "warn", "off"]), help="What a missing one does (enforce)."
    ),
    click.option("--approved-plan", metavar="DIGEST", help="Start no other plan than the one of this digest."),
)
_NODE_FIELDS: Final = (*(name for name, _, _, _ in _LISTS), "label_selector", "exclude", "all_nodes", "limit")
_FLAGS: Final = (
    "batch_size_percentage",
    "should_terminate_drained_nodes",
    "should_evict_stand_alone_pods",
    "force_pod_eviction_on_pdb_failure",
    "unmatched_nodes",
    "prerequisites",
    "approved_plan",
)


def selection_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the options of a migration; the command is called with a ``wish`` without a cluster.

    ``with_cluster`` completes it. Raises InputError for the first value that is not allowed.
    """

    @wraps(function)
    def choosing(**given: Any) -> R:
        nodes = {name: given.pop(name) for name in _NODE_FIELDS}
        options = {name: given.pop(name) for name in _FLAGS}
        return function(spec=_wish(nodes, options), **given)

    decorated: Callable[..., R] = choosing
    for option in reversed((*_NODE_OPTIONS, *_OPTIONS)):
        decorated = option(decorated)
    return decorated


def _wish(nodes: dict[str, Any], options: dict[str, Any]) -> MigrationSpec:
    selector = {name: list(value) if isinstance(value, tuple) else value for name, value in nodes.items() if value}
    if nodes["exclude"]:
        selector["exclude"] = _excluded(nodes["exclude"])
    if not selector.keys() - {"exclude", "limit"}:
        raise InputError("nodes", "are not chosen: give --asg-name, --instance-id or alike, or --all-nodes")
    spec, problems = read_spec({"ocean_id": "o-unknown", "nodes": selector} | {k: v for k, v in options.items() if v})
    if problems:
        raise problems[0]
    return spec


def _excluded(given: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in given:
        name, sign, value = entry.partition("=")
        if not sign or not value or name not in _FIELDS:
            allowed = ", ".join(_FIELDS)
            raise InputError("--exclude", f"{entry!r} is not allowed; give FIELD=VALUE with one of {allowed}")
        if name == "label_selector":
            found[name] = value
        else:
            found.setdefault(name, []).append(value)
    return found
