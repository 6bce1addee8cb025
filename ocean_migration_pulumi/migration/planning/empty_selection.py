"""A selector that matches nothing: what exists instead, and what excuses it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from difflib import SequenceMatcher, get_close_matches
from fnmatch import fnmatchcase
from typing import Final

from ocean_migration_pulumi.api.models.migration import (
    DEFAULT_VIRTUAL_NODE_GROUP,
    Candidate,
    MigrationState,
    MigrationStatus,
)
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import all_of, list_some, nearest_name
from ocean_migration_pulumi.errors import InputError, MigrationNotFoundError
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES
from ocean_migration_pulumi.migration.snapshot.claims import ClusterClaims
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.node_selector import (
    LabelMatches,
    NodeSelector,
    SelectableNode,
    eks_node_group,
    select_nodes,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec

_PATTERNS: Final = ("node_names", "asg_names", "eks_node_groups", "virtual_node_groups")
_FORGOTTEN: Final = ("label_selector", "virtual_node_groups", "node_names")
"""The fields that may not be known of a node which has moved."""
_LIKENESS: Final = 0.6
_LIKENESS_OF_IDS: Final = 0.85
MOST_COMPARED: Final = 5
"""Wrong ids that are compared with all candidates, which takes a tenth of a second where there are 10,000."""
_WILDCARDS: Final = frozenset("*?[]")
_GLOBBED: Final = "asg_names"
"""The field that takes patterns."""
_REQUIREMENTS: Final = re.compile(r",(?![^(]*\))")
_REQUIREMENT: Final = re.compile(r"([^\s!=,()]+)\s*(?:==?\s*([^\s,()]+)|in\s*\(([^()]*)\))?")
"""A label that nodes must have, and its value or values; those that they must not have select nothing."""


def find_excuse(
    api: OceanApi, claims: ClusterClaims, scope: CancelScope, spec: MigrationSpec, snapshot: ClusterSnapshot
) -> list[Diagnostic] | None:
    """Return why nothing is left to plan: an earlier wave has planned it, or a migration has taken it.

    The running and the finished migrations of anyone count, whatever their age: a stack may have lost its state.

    Returns:
        A warning if it is not certain that the selector takes the nodes of the migration, else nothing to say; None
        when nothing excuses the empty plan.

    Raises:
        OceanMigrationError: The service cannot be asked about the migrations.
        OperationCancelled: Whoever asked for the operation wants it no more.
    """
    selector, label_matches = spec.nodes, snapshot.label_matches
    for node in snapshot.offered.values():
        if node.instance_id in spec.planned_elsewhere and (
            selector.matches(node, node.virtual_node_group_id, label_matches=label_matches) is not False
        ):
            return []
    for status in _read_migrations(api, claims, scope, snapshot):
        if status.is_terminal and status.state != MigrationState.FINISHED:
            continue
        verdicts = {
            node.instance_id: selector.matches(node, certain_vng=False, label_matches=label_matches)
            for node in status.old_instances
        }
        if not status.is_terminal and any(verdict is not False for verdict in verdicts.values()):
            return []
        if any(verdicts.values()):
            return []
        if undecided := {name: status.id for name, verdict in verdicts.items() if verdict is None}:
            return [report_moved_undecided(undecided, status.old_instances, selector, label_matches)]
    return None


def report_moved_undecided(
    migration_ids: Mapping[str, str],
    nodes: Iterable[SelectableNode],
    selector: NodeSelector,
    label_matches: LabelMatches,
) -> Diagnostic:
    """Return the warning of nodes that migrations took away, and of which too little is known for the selector.

    Args:
        migration_ids: The migration of each of these nodes, by instance id.
        nodes: The nodes, and possibly others.
        selector: The selector.
        label_matches: What Kubernetes says of labels.
    """
    moved = [node for node in nodes if node.instance_id in migration_ids]
    parts = [selector, *([selector.exclude] if selector.exclude else [])]
    unknown = {
        name: None
        for part in parts
        for name in _FORGOTTEN
        if (value := getattr(part, name))
        for alone in [NodeSelector(**{name: value})]
        if any(alone.matches(node, certain_vng=False, label_matches=label_matches) is None for node in moved)
    }
    return Diagnostic.warning(
        Code.NODES_UNDECIDED,
        nodes=sorted(migration_ids),
        migrations=sorted(set(migration_ids.values())),
        unknown=list(unknown),
    )


def selects_missing_vngs_alone(spec: MigrationSpec, snapshot: ClusterSnapshot) -> bool:
    """Tell whether no Virtual Node Group of the selector exists: then it can match no node, not even one that moved."""
    groups = spec.nodes.virtual_node_groups
    return bool(groups) and set(groups).isdisjoint(_known_names(snapshot)["virtual_node_groups"])


def may_nodes_be_hidden(snapshot: ClusterSnapshot) -> bool:
    """Tell whether the cluster may have nodes that nothing in the snapshot names, which discovery hides.

    A migration hides its nodes at once, but the list may have it later. Only a complete list of the nodes in Kubernetes
    proves that none is hidden.
    """
    facts = snapshot.facts
    if facts.kube is None or not facts.recognized or snapshot.ocean_nodes is None:
        return True
    visible = snapshot.offered.keys() | snapshot.active | {node.instance_id for node in snapshot.ocean_nodes}
    return not facts.kube.knows(NODES) or bool(facts.kube.unidentified) or not facts.kube.nodes.keys() <= visible


def _read_migrations(
    api: OceanApi, claims: ClusterClaims, scope: CancelScope, snapshot: ClusterSnapshot
) -> Iterator[MigrationStatus]:
    yield from snapshot.recent
    known = {status.id for status in snapshot.recent}
    for summary in claims.cache.migrations(api, scope):
        if summary.id not in known:
            with suppress(MigrationNotFoundError):
                yield claims.cache.status(api, scope, summary.id, had_ended=summary.is_terminal)


def refuse_empty_selection(spec: MigrationSpec, snapshot: ClusterSnapshot) -> InputError:
    """Return the refusal of a selector that matches nothing: why, the nearest match, and what exists."""
    existing, known = _names(snapshot.offered.values()), _known_names(snapshot)
    parts = ["no node matches", *_explain_mismatch(spec.nodes, snapshot)]
    for name in _PATTERNS:
        for pattern in getattr(spec.nodes, name):
            if nearest := _full_name(name, pattern, snapshot) or _nearest(name, pattern, known[name]):
                parts.append(_suggest(nearest, pattern))
            elif name != _GLOBBED and not _WILDCARDS.isdisjoint(pattern):
                parts.append(f"{name} takes names, not patterns such as `{pattern}`")
    for name, noun, without in (
        ("asg_names", "Auto Scaling Groups", "no candidate is in an Auto Scaling Group"),
        ("eks_node_groups", "EKS node groups", "no candidate is in an EKS node group"),
        ("virtual_node_groups", "Virtual Node Groups", "no candidate matches a Virtual Node Group"),
        ("node_names", "nodes", "no candidate has a node name"),
    ):
        if getattr(spec.nodes, name) and snapshot.offered:
            parts.append(f"{noun} of the candidates: {list_some(existing[name])}" if existing[name] else without)
    if not snapshot.offered:
        parts.append("Ocean's discovery returns no candidates")
    selecting = [name for name in spec.nodes.to_inputs() if name not in {"exclude", "limit"}]
    field = f"nodes.{selecting[0]}" if len(selecting) == 1 else "nodes"
    message = "; ".join(parts).replace("?; nodes of", "? Nodes of").replace("?;", "?")
    return InputError(field, message, remedy='set when_no_nodes="succeed" to allow it')


def _explain_mismatch(selector: NodeSelector, snapshot: ClusterSnapshot) -> list[str]:
    """Return why a selector takes no candidate, where it is more than a name: exclude, labels, or several fields."""
    included = replace(selector, exclude=None, limit=None)
    if count := _count_matches(included, snapshot):
        removed = "the only matching node" if count == 1 else all_of(count, "matching nodes")
        return [f"exclude removes {removed}"]
    given = [name for name in (*_PATTERNS, "label_selector", "instance_ids") if getattr(selector, name)]
    alone = [NodeSelector(**{name: getattr(selector, name)}) for name in given]
    if len(given) > 1 and all(_count_matches(each, snapshot) for each in alone):
        return [f"no candidate matches all of {list_some(given)} at once"]
    if selector.label_selector and not _count_matches(NodeSelector(label_selector=selector.label_selector), snapshot):
        return [
            f"no candidate has the labels `{selector.label_selector}`",
            *_explain_labels(selector.label_selector, snapshot),
        ]
    return []


def _explain_labels(label_selector: str, snapshot: ClusterSnapshot) -> Iterator[str]:
    """Yield which labels no candidate has, and the values that exist where no candidate has a wanted one."""
    nodes = snapshot.facts.kube.nodes if snapshot.facts.kube is not None else {}
    labels = [nodes[name].labels for name in snapshot.offered if name in nodes]
    for requirement in _REQUIREMENTS.split(label_selector):
        if not labels or (match := _REQUIREMENT.fullmatch(requirement.strip())) is None:
            continue
        key, value, values = match.groups()
        existing = sorted({each[key] for each in labels if key in each})
        wanted = [value] if value else (values or "").replace(",", " ").split()
        if not existing:
            if key != label_selector:
                yield f"no candidate has the label `{key}`"
            if nearest := nearest_name(key, {name for each in labels for name in each}):
                yield _suggest(nearest, key)
        elif wanted and set(wanted).isdisjoint(existing):
            if nearest := nearest_name(wanted[0], existing):
                yield _suggest(nearest, wanted[0])
            yield f"values of `{key}`: {list_some(existing)}"


def _suggest(nearest: str, given: str) -> str:
    return f"did you mean `{nearest}` instead of `{given}`?"


def _count_matches(selector: NodeSelector, snapshot: ClusterSnapshot) -> int:
    return len(select_nodes(selector, snapshot.offered.values(), label_matches=snapshot.label_matches).taken)


def report_unmatched_patterns(
    spec: MigrationSpec, nodes: Iterable[SelectableNode], snapshot: ClusterSnapshot
) -> list[Diagnostic]:
    """Return a warning for each pattern without a match, of fields that have several, and of the exclude.

    Args:
        spec: The inputs.
        nodes: The planned nodes, which need not be candidates any more.
        snapshot: The cluster.
    """
    known: list[SelectableNode] = [*nodes, *snapshot.offered.values()]
    known += [
        PlannedNode(instance_id=node.instance_id, node_name=node.node_name, asg_name=node.asg_name)
        for status in snapshot.recent
        for node in status.old_instances
    ]
    existing = _known_names(snapshot)
    diagnostics = []
    for name, pattern, prefix in _list_patterns(spec.nodes):
        selector = NodeSelector.parse({name: [pattern]})
        # Which Virtual Node Group a node matched is not known of those that have moved.
        is_group = name == "virtual_node_groups"
        if pattern not in existing[name] if is_group else all(selector.contradicts(node) for node in known):
            nearest = _full_name(name, pattern, snapshot) or _nearest(name, pattern, existing[name])
            fields = {"field": f"{prefix}{name}", "nearest": nearest}
            diagnostics.append(Diagnostic.warning(Code.PATTERN_UNMATCHED, pattern, **fields))
    if spec.nodes.exclude is not None:
        diagnostics += _report_unmatched_exclude(spec.nodes.exclude, {node.instance_id for node in known}, snapshot)
    return diagnostics


def _report_unmatched_exclude(
    exclude: NodeSelector, known: Collection[str], snapshot: ClusterSnapshot
) -> Iterator[Diagnostic]:
    """Yield a warning for each id of an exclude with a slip, and for labels that no node of the cluster has.

    An id that is like no other is that of a node which is gone, such as one that an earlier wave has planned.
    """
    for name in [name for name in exclude.instance_ids if name not in known][:MOST_COMPARED]:
        if nearest := nearest_id(name, snapshot.offered):
            fields = {"field": "exclude.instance_ids", "nearest": nearest}
            yield Diagnostic.warning(Code.PATTERN_UNMATCHED, name, **fields)
    labels = exclude.label_selector
    if labels is not None and snapshot.label_matches.knows and not snapshot.label_matches.taken.get(labels, known):
        yield Diagnostic.warning(Code.PATTERN_UNMATCHED, labels, field="exclude.label_selector", nearest=None)


def nearest_id(instance_id: str, known: Iterable[str]) -> str | None:
    """Return the known id of which another is a misspelling; None without one, as ids that differ are little alike."""
    return next(iter(get_close_matches(instance_id.casefold(), known, 1, _LIKENESS_OF_IDS)), None)


def _list_patterns(selector: NodeSelector) -> Iterator[tuple[str, str, str]]:
    """Yield field, pattern and prefix of the patterns whose match can be missed: without one nothing else tells."""
    for name in _PATTERNS:
        patterns = getattr(selector, name)
        yield from ((name, pattern, "") for pattern in patterns if len(patterns) > 1)
        if selector.exclude is not None:
            yield from ((name, pattern, "exclude.") for pattern in getattr(selector.exclude, name))


def _known_names(snapshot: ClusterSnapshot) -> dict[str, list[str]]:
    """Return the names that a selector may mean: also those of nodes that have moved, and of groups without any."""
    moved = [
        PlannedNode(node.instance_id, node.node_name, node.asg_name)
        for status in snapshot.recent
        for node in status.old_instances
    ]
    names = _names([*snapshot.offered.values(), *moved])
    groups = sorted({*names["virtual_node_groups"], *snapshot.vngs, DEFAULT_VIRTUAL_NODE_GROUP})
    return {**names, "virtual_node_groups": groups}


def _names(nodes: Collection[Candidate | PlannedNode]) -> dict[str, list[str]]:
    names: dict[str, set[str | None]] = {
        "node_names": {node.node_name or None for node in nodes},
        "asg_names": {node.asg_name for node in nodes},
        "eks_node_groups": {eks_node_group(node.asg_name) for node in nodes},
        "virtual_node_groups": {node.virtual_node_group_id for node in nodes},
    }
    return {field: sorted(name for name in found if name) for field, found in names.items()}


def _full_name(field: str, given: str, snapshot: ClusterSnapshot) -> str | None:
    """Return what the name of a Virtual Node Group or the short name of a node stands for; None unless it is one."""
    if field == "virtual_node_groups":
        found = [vng_id for vng_id, name in snapshot.vng_names.items() if name.casefold() == given.casefold()]
    elif field == "node_names":
        names = _known_names(snapshot)[field]
        found = [name for name in names if name.partition(".")[0].casefold() == given.casefold()]
    else:
        return None
    return found[0] if len(found) == 1 else None


def _nearest(field: str, pattern: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like a pattern, with the wildcard at its end; None when none is like it."""
    has_patterns = field == _GLOBBED
    ends_open = pattern.endswith("*") and has_patterns
    core = "".join(character for character in pattern if character not in _WILDCARDS).casefold()
    likeness = {
        name: SequenceMatcher(None, core, (name[: len(core)] if ends_open else name).casefold()).ratio()
        for name in names
        if core
    }
    best = max(likeness, key=lambda name: likeness[name], default=None)
    if best is None or likeness[best] < _LIKENESS or best == pattern or (has_patterns and fnmatchcase(best, pattern)):
        return None
    return f"{best[: len(core)]}*" if ends_open else best
