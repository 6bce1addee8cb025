"""What would happen: the nodes, their Virtual Node Groups, the batches."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from math import ceil
from typing import Final, NamedTuple

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP, Candidate
from ocean_migration_pulumi.common.text import ARROW, sanitize

UNKNOWN_VNG: Final = "unknown"
"""In the place of the Virtual Node Group of a node that is being migrated: discovery tells it no more."""

_NONE: Final = "none"
_ROUTE: Final = re.compile(r"(?P<asg>.+?) -> (?P<name>.+) \((?P<group>[^()\s]+)\)(?: in (?P<migration>\S+))?")
_ROUTES: Final = 4096


class _Route(NamedTuple):
    """What an entry says after the node's name: where it comes from, and where it goes. Many nodes share one."""

    asg_name: str | None = None
    virtual_node_group_id: str | None = None
    virtual_node_group_name: str = ""
    migration_id: str | None = None


@lru_cache(maxsize=_ROUTES)
def _written(route: tuple[str | None, str | None, str, str | None]) -> str:
    asg_name, vng_id, vng_name, migration_id = route
    asg = sanitize(asg_name) if asg_name else "-"
    if vng_id is None:
        target = f"no Virtual Node Group ({_NONE})"
    elif vng_id == DEFAULT_VIRTUAL_NODE_GROUP:
        target = f"any Virtual Node Group ({DEFAULT_VIRTUAL_NODE_GROUP})"
    elif vng_id == UNKNOWN_VNG:
        target = f"the Virtual Node Group of its migration ({UNKNOWN_VNG})"
    else:
        target = f"{sanitize(vng_name)} ({vng_id})"
    return f"{asg} -> {target}" + (f" in {migration_id}" if migration_id else "")


@lru_cache(maxsize=_ROUTES)
def _read(route: str) -> _Route | None:
    match = _ROUTE.fullmatch(route)
    if match is None:
        return None
    return _Route(
        asg_name=None if match["asg"] == "-" else match["asg"].replace(ARROW, "->"),
        virtual_node_group_id=None if match["group"] == _NONE else match["group"],
        virtual_node_group_name=match["name"],
        migration_id=match["migration"],
    )


@lru_cache(maxsize=_ROUTES)
def _digested(route: str) -> str | None:
    """Return what of a route is part of the digest, its Virtual Node Group; None when an earlier migration took it."""
    read = _read(route) or _Route()
    return f" {read.virtual_node_group_id or _NONE}" if read.migration_id is None else None


def _entry(node: str, route: tuple[str | None, str | None, str, str | None]) -> str:
    if not node.isprintable() or " " in node or "->" in node or not node:
        node = "_".join(sanitize(node).split())
    return f"{node} {_written(route)}"


def _taken_apart(entry: str) -> tuple[str, _Route]:
    """Return what an entry says: node name, and where it goes; of one of unknown form nothing."""
    node, _, rest = entry.partition(" ")
    route = _read(rest) if node.split() == [node] else None
    return ("", _Route()) if route is None else ("" if node == "-" else node, route)


class PlannedNode(NamedTuple):
    """A node of the plan, as the one line that the pull request shows; a tuple for the reason that a candidate is one.

    ``asg_name`` is None outside of any Auto Scaling Group. ``virtual_node_group_id`` is an id, ``"Default"`` (any
    Virtual Node Group takes it), or None when none matches. ``migration_id`` is set when an earlier migration of ours
    already took the node away: such a node is recorded, and is not part of the digest.
    """

    instance_id: str
    node_name: str = ""
    asg_name: str | None = None
    virtual_node_group_id: str | None = None
    virtual_node_group_name: str = ""
    migration_id: str | None = None

    @property
    def entry(self) -> str:
        """The line: node name, Auto Scaling Group, and the Virtual Node Group that it moves to."""
        return _entry(self.node_name, self[2:])

    @classmethod
    def parse(cls, instance_id: str, entry: str) -> PlannedNode:
        """Read a line back; a line of unknown form still stands for its instance.

        Names come back as they were, as far as AWS and Kubernetes allow them.
        """
        node_name, route = _taken_apart(entry)
        return cls(instance_id, node_name, *route)

    @classmethod
    def from_candidate(
        cls, candidate: Candidate, names: Mapping[str, str], *, migration_id: str | None = None
    ) -> PlannedNode:
        """Plan a candidate; ``names`` are those of the Virtual Node Groups by id."""
        vng = candidate.virtual_node_group_id
        name = (names.get(vng) or vng) if vng else ""
        return cls(candidate.instance_id, candidate.node_name, candidate.asg_name, vng, name, migration_id)


def format_entry(candidate: Candidate, names: Mapping[str, str]) -> str:
    """Return the line of a candidate as a planned node has it; ``names`` are those of the Virtual Node Groups by id."""
    vng = candidate.virtual_node_group_id
    name = (names.get(vng) or vng) if vng else ""
    return _entry(candidate.node_name, (candidate.asg_name, vng, name, None))


def parse_planned(planned: Mapping[str, str]) -> dict[str, PlannedNode]:
    """Read the recorded plan."""
    return {instance_id: PlannedNode.parse(instance_id, entry) for instance_id, entry in planned.items()}


def count_moved(planned: Mapping[str, str]) -> int:
    """Return how many nodes of the plan an earlier migration took away."""
    return sum(node.migration_id is not None for node in parse_planned(planned).values())


def hash_nodes(planned: Mapping[str, str]) -> str:
    """Return a hash of the sorted instance and Virtual Node Group ids.

    Nodes that an earlier migration took away are recorded in the plan but do not count: nobody has to approve them.
    """
    lines = []
    for instance_id, entry in planned.items():
        node, _, route = entry.partition(" ")
        vng = _digested(route if node.split() == [node] else "")
        if vng is not None:
            lines.append(instance_id + vng)
    lines.sort()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def batch_size(nodes: int, percentage: int) -> int:
    """Return how many nodes a batch holds: the percentage of all nodes, rounded up, at least one.

    The service does not document its rounding; this is what its console shows.
    """
    return max(1, ceil(nodes * percentage / 100))


def batch_count(nodes: int, percentage: int) -> int:
    """Return how many batches so many nodes make."""
    return ceil(nodes / batch_size(nodes, percentage)) if nodes else 0


def split_batches(instance_ids: Iterable[str], percentage: int) -> list[list[str]]:
    """Return the batches of these nodes, in the order in which they are sent: that of their ids.

    The service does not document in which order it takes them; so what is said of a batch is an estimate.
    """
    ordered = sorted(instance_ids)
    size = batch_size(len(ordered), percentage)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def has_all_vngs(planned: Mapping[str, str]) -> bool:
    """Tell whether the Virtual Node Group of every node is known; it is not for nodes that are being migrated."""
    return all(node.virtual_node_group_id != UNKNOWN_VNG for node in parse_planned(planned).values())


def complete_entries(
    planned: Mapping[str, str], offered: Mapping[str, Candidate], names: Mapping[str, str], *, renew: bool = False
) -> dict[str, str]:
    """Return the plan with the Virtual Node Groups of nodes that were being migrated when they were planned.

    Args:
        planned: The plan.
        offered: The candidates of today: those nodes that came back are completed, and so get into the digest.
        names: The names of the Virtual Node Groups by id.
        renew: Whether candidates that match another Virtual Node Group today get that one.
    """
    nodes = parse_planned({name: entry for name, entry in planned.items() if name in offered})
    changed = [
        name
        for name, node in nodes.items()
        if node.virtual_node_group_id == UNKNOWN_VNG
        or (renew and offered[name].virtual_node_group_id not in {node.virtual_node_group_id, None})
    ]
    return {**planned, **{name: format_entry(offered[name], names) for name in changed}}


def is_same_plan(new: Mapping[str, str] | None, old: Mapping[str, str] | None, done: Collection[str]) -> bool:
    """Tell whether a plan is that of before, but for the Virtual Node Groups of nodes that are done.

    Args:
        new: The plan; None without one.
        old: That of before; None without one.
        done: The nodes that no start holds again: another Virtual Node Group changes nothing of them.
    """
    if new is None or old is None:
        return new == old
    return new.keys() == old.keys() and all(entry == old[name] or name in done for name, entry in new.items())


def restore_reviewed_entries(planned: Mapping[str, str], recorded: Mapping[str, str]) -> dict[str, str]:
    """Return the plan with the lines that were reviewed, where today's only say that a migration holds the node."""
    today = parse_planned(planned)
    return {
        name: recorded.get(name, entry) if today[name].virtual_node_group_id == UNKNOWN_VNG else entry
        for name, entry in planned.items()
    }
