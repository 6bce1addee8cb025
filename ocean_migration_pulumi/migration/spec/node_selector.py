"""Which nodes a spec selects, also while not everything is known of a node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from math import ceil
from operator import attrgetter
from typing import Any, Final, Protocol

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers
from ocean_migration_pulumi.migration.spec.input_readers import FLAG, TEXT, TEXTS, InputType
from ocean_migration_pulumi.migration.spec.options import declare_input, declared_inputs, unknown_field
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG

_EKS_ASG: Final = re.compile(r"eks-(?P<group>.+)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PERCENT: Final = re.compile(r"\d+%")
_COUNT: Final = re.compile(r"\d+")
_BY_ID: Final = attrgetter("instance_id")
_A_SELECTOR: Final = "a selector (NodeSelectorArgs, or a map of its fields)"


class SelectableNode(Protocol):
    """What the selector looks at."""

    @property
    def instance_id(self) -> str:
        """The EC2 instance id."""

    @property
    def node_name(self) -> str:
        """The Kubernetes node name; empty when unknown."""

    @property
    def asg_name(self) -> str | None:
        """The Auto Scaling Group; None outside of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMatches:
    """What Kubernetes says of node labels: the instances it ``knows``, and those that each label selector takes."""

    knows: frozenset[str] = frozenset()
    taken: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def verdict(self, label_selector: str, instance_id: str) -> bool | None:
        """Tell whether a label selector takes an instance; None when Kubernetes was not asked, or does not know it."""
        taken = self.taken.get(label_selector)
        return None if taken is None or instance_id not in self.knows else instance_id in taken


NO_LABEL_MATCHES: Final = LabelMatches()
"""Without Kubernetes: no label selector can be judged."""


def eks_node_group(asg_name: str | None) -> str | None:
    """Return the EKS managed node group behind an Auto Scaling Group, from the name that EKS gives it; else None."""
    match = _EKS_ASG.fullmatch(asg_name or "")
    return match["group"] if match else None


def _read_limit(name: str, value: Any) -> str:
    # Pulumi's numbers are floats on the wire.
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if whole and not isinstance(value, bool) and value >= 1:
        return str(int(value))
    if isinstance(value, str):
        if _PERCENT.fullmatch(value) and 1 <= int(value[:-1]) <= 100:
            return f"{int(value[:-1])}%"
        if _COUNT.fullmatch(value) and int(value) >= 1:
            return str(int(value))
    raise input_readers.input_error(name, value, 'a number of nodes such as "5", or "1%" to "100%" of them')


def _read_exclude(name: str, value: Any) -> NodeSelector | None:
    if not isinstance(value, Mapping):
        raise input_readers.input_error(name, value, _A_SELECTOR)
    # An earlier wave without any node excludes nothing; as if absent, an empty list excludes only more.
    given = {key: item for key, item in value.items() if item is not None and item != [] and item != ()}
    if given.get("limit") is not None:
        raise InputError(f"{name}.limit", "is not allowed: an exclude has no limit", predicate=True)
    return NodeSelector.parse(given, name) if given else None


_LIMIT: Final = InputType(_read_limit, "str | int", "str or int")
_EXCLUDE: Final = InputType(_read_exclude, "NodeSelectorArgs | NodeSelectorArgsDict", "NodeSelectorArgs")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSelector:
    """Which candidates to take: values of one field are alternatives, different fields must all match."""

    instance_ids: tuple[str, ...] = declare_input(TEXTS, "EC2 instance ids. An id that is not a candidate is an error.")
    node_names: tuple[str, ...] = declare_input(TEXTS, "Kubernetes node names.")
    asg_names: tuple[str, ...] = declare_input(
        TEXTS, "Names of Auto Scaling Groups, or patterns of ``*``, ``?`` and ``[...]``; case matters."
    )
    eks_node_groups: tuple[str, ...] = declare_input(
        TEXTS, "Names of EKS managed node groups, which are part of the names of their Auto Scaling Groups."
    )
    virtual_node_groups: tuple[str, ...] = declare_input(
        TEXTS, 'Ids of the Virtual Node Groups that nodes match, or ``"Default"`` for nodes that match any.'
    )
    label_selector: str | None = declare_input(
        TEXT,
        "Node labels, in kubectl's syntax: ``tier=web,!gpu``. Requires access to Kubernetes.",
    )
    exclude: NodeSelector | None = declare_input(_EXCLUDE, "Selector of nodes that are never migrated; has no limit.")
    all_nodes: bool = declare_input(FLAG, "Every node that can be migrated.", absent=False)
    limit: str | None = declare_input(
        _LIMIT, 'At most this many nodes (``"5"``), or this share of the matching nodes, rounded up (``"50%"``).'
    )

    @classmethod
    def parse(cls, value: Any, name: str = "nodes") -> NodeSelector:
        """Read a selector.

        Args:
            value: The selector as a map of its fields.
            name: The input, for errors.

        Raises:
            InputError: A field is unknown or not allowed, or nothing is selected.
        """
        if not isinstance(value, Mapping):
            raise input_readers.input_error(name, value, _A_SELECTOR)
        known = declared_inputs(cls)
        for key in value:
            if key not in known:
                raise unknown_field(name, key, known)
        given = {key: item for key, item in value.items() if item is not None}
        read = {key: known[key].type.read(f"{name}.{key}", item) for key, item in given.items()}
        selector = cls(**read)
        if not selector.selects:
            allowed = ", ".join(key for key in known if key not in {"exclude", "limit"})
            raise InputError(name, f"no nodes selected; give one of {allowed}")
        for key, item in read.items():
            if item == ():
                # As if absent, it would widen the selection to all nodes that the other fields select.
                raise InputError(f"{name}.{key}", "must not be empty; leave it out instead", predicate=True)
        return selector

    @property
    def selects(self) -> bool:
        """Whether any field narrows or ``all_nodes`` is said."""
        return (
            self.all_nodes
            or any((self.instance_ids, self.node_names, self.asg_names, self.eks_node_groups, self.virtual_node_groups))
            or self.label_selector is not None
        )

    @property
    def label_selectors(self) -> tuple[str, ...]:
        """The label selectors of it and its ``exclude``, which only Kubernetes can judge."""
        own = () if self.label_selector is None else (self.label_selector,)
        return own if self.exclude is None else (*own, *self.exclude.label_selectors)

    @property
    def judges_groups_alone(self) -> bool:
        """Whether nodes of the same Auto Scaling Group and Virtual Node Group are all taken, or none of them is."""
        own = not self.instance_ids and not self.node_names and self.label_selector is None
        return own and (self.exclude is None or self.exclude.judges_groups_alone)

    def to_inputs(self) -> dict[str, Any]:
        """Return the selector as inputs, absent fields left out."""
        inputs: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if isinstance(value, NodeSelector):
                inputs[part.name] = value.to_inputs()
            elif value:
                inputs[part.name] = list(value) if isinstance(value, tuple) else value
        return inputs

    def matches(
        self,
        node: SelectableNode,
        virtual_node_group_id: str | None = None,
        *,
        certain_vng: bool = True,
        label_matches: LabelMatches = NO_LABEL_MATCHES,
    ) -> bool | None:
        """Tell whether the selector takes a node: None when what is known of the node does not decide it.

        ``virtual_node_group_id`` is the match that discovery reports, unknown when not ``certain_vng``.
        """
        included = self._included(node, virtual_node_group_id, certain_vng, label_matches)
        if self.exclude is None:
            return included
        excluded = self.exclude.matches(
            node, virtual_node_group_id, certain_vng=certain_vng, label_matches=label_matches
        )
        return _both(included, _not(excluded))

    def contradicts(self, node: SelectableNode) -> bool:
        """Tell whether id, name or ASG of a node rule it out, whatever else may be true of it."""
        return self.matches(node, certain_vng=False) is False

    def _included(
        self, node: SelectableNode, vng: str | None, certain_vng: bool, label_matches: LabelMatches
    ) -> bool | None:
        verdict: bool | None = True
        if self.instance_ids:
            verdict = _both(verdict, node.instance_id in self.instance_ids)
        if self.node_names:
            verdict = _both(verdict, node.node_name in self.node_names if node.node_name else None)
        if self.asg_names:
            name = node.asg_name
            # A name with brackets matches itself, too.
            named = name is not None and (
                name in self.asg_names or any(fnmatchcase(name, glob) for glob in self.asg_names)
            )
            verdict = _both(verdict, named)
        if self.eks_node_groups:
            verdict = _both(verdict, eks_node_group(node.asg_name) in self.eks_node_groups)
        if self.virtual_node_groups:
            verdict = _both(verdict, vng in self.virtual_node_groups if certain_vng else None)
        if self.label_selector is not None:
            verdict = _both(verdict, label_matches.verdict(self.label_selector, node.instance_id))
        return verdict

    def limit_of(self, matching: int) -> int:
        """Return how many of so many matching nodes may be taken; a percentage is rounded up."""
        if self.limit is None:
            return matching
        if self.limit.endswith("%"):
            return ceil(matching * int(self.limit[:-1]) / 100)
        return int(self.limit)

    def is_same_selection(self, other: NodeSelector) -> bool:
        """Tell whether this selector asks for the same as an older one.

        An ``exclude`` that only gained ids asks for nothing new: the planned nodes of an earlier wave come into it. The
        first ids beside other fields are no gain: both must hold, so less is excluded.
        """
        if self == other:
            return True
        if self.exclude is None or replace(self, exclude=None) != replace(other, exclude=None):
            return False
        before = other.exclude or NodeSelector()
        gained = set(self.exclude.instance_ids) >= set(before.instance_ids)
        gained = gained and bool(before.instance_ids or not before.selects)
        return gained and replace(self.exclude, instance_ids=()) == replace(before, instance_ids=())


@dataclass(frozen=True, slots=True)
class NodeSelection:
    """What a selector takes: ``undecided`` nodes could not be judged and are not taken."""

    taken: tuple[Any, ...] = ()
    undecided: tuple[Any, ...] = field(default=())


def select_nodes(
    selector: NodeSelector,
    candidates: Iterable[Any],
    *,
    kept: Iterable[str] = (),
    preferred: Iterable[str] = (),
    label_matches: LabelMatches = NO_LABEL_MATCHES,
) -> NodeSelection:
    """Choose among candidates, independent of their order.

    The limit takes ``kept`` instance ids first (they count, but are not returned), then ``preferred`` ones (those that
    are being migrated), then by instance id; so unrelated nodes that join do not move it.
    """
    kept_ids, preferred_ids = frozenset(kept), frozenset(preferred)
    taken, undecided = [], []
    # Thousands of nodes are of a few groups: where nothing else counts, each group is judged once.
    alike, verdicts = selector.judges_groups_alone, dict[tuple[str | None, str | None], bool | None]()
    for node in candidates:
        if node.instance_id in kept_ids:
            continue
        vng = node.virtual_node_group_id
        kind = (node.asg_name, vng)
        if alike and kind in verdicts:
            verdict = verdicts[kind]
        else:
            verdict = selector.matches(node, vng, certain_vng=vng != UNKNOWN_VNG, label_matches=label_matches)
            verdicts[kind] = verdict
        if verdict is None:
            undecided.append(node)
        elif verdict:
            taken.append(node)
    taken.sort(key=_BY_ID)
    if preferred_ids:
        taken.sort(key=lambda node: node.instance_id not in preferred_ids)
    room = selector.limit_of(len(kept_ids) + len(taken)) - len(kept_ids)
    return NodeSelection(tuple(taken[: max(0, room)]), tuple(sorted(undecided, key=_BY_ID)))


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _not(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict
