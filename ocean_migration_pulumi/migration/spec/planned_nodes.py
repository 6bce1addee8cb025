"""What would happen: the nodes, their Virtual Node Groups, the batches, the digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP, Candidate
from ocean_migration_pulumi.common.text import ARROW, count_noun, list_some, sanitize

if TYPE_CHECKING:
    from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup

UNKNOWN_GROUP: Final = "unknown"
"""In the place of the Virtual Node Group of a node that is being migrated: discovery tells it no more."""

_MOST_BATCHES: Final = 10
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
    asg_name, group_id, group_name, migration_id = route
    asg = sanitize(asg_name) if asg_name else "-"
    if group_id is None:
        target = f"no Virtual Node Group ({_NONE})"
    elif group_id == DEFAULT_VIRTUAL_NODE_GROUP:
        target = f"any Virtual Node Group ({DEFAULT_VIRTUAL_NODE_GROUP})"
    elif group_id == UNKNOWN_GROUP:
        target = f"the Virtual Node Group of its migration ({UNKNOWN_GROUP})"
    else:
        target = f"{sanitize(group_name)} ({group_id})"
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
        group = candidate.virtual_node_group_id
        name = (names.get(group) or group) if group else ""
        return cls(candidate.instance_id, candidate.node_name, candidate.asg_name, group, name, migration_id)


def format_entry(candidate: Candidate, names: Mapping[str, str]) -> str:
    """Return the line of a candidate as a planned node has it; ``names`` are those of the Virtual Node Groups by id."""
    group = candidate.virtual_node_group_id
    name = (names.get(group) or group) if group else ""
    return _entry(candidate.node_name, (candidate.asg_name, group, name, None))


def parse_planned(planned: Mapping[str, str]) -> dict[str, PlannedNode]:
    """Read the recorded plan."""
    return {instance_id: PlannedNode.parse(instance_id, entry) for instance_id, entry in planned.items()}


def plan_digest(planned: Mapping[str, str]) -> str:
    """Return the digest of a plan: of its sorted instance and Virtual Node Group ids, and of nothing else.

    Nodes that an earlier migration took away are recorded in the plan but do not count: nobody has to approve them.
    """
    lines = []
    for instance_id, entry in planned.items():
        node, _, route = entry.partition(" ")
        group = _digested(route if node.split() == [node] else "")
        if group is not None:
            lines.append(instance_id + group)
    lines.sort()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def shorten_digest(digest: str) -> str:
    """Return the digest as messages show it."""
    return digest[:8]


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


def describe_batches(instance_ids: Iterable[str], offered: Mapping[str, Candidate], percentage: int) -> str:
    """Return the batches in one line: how many of how many nodes, and the pods of each, or the range of very many."""
    batches = split_batches(instance_ids, percentage)
    sizes = [len(batch) for batch in batches]
    text = f"{len(batches)} of {count_noun(sizes[0], 'node')}"
    if sizes[-1] != sizes[0]:
        text = f"{len(batches)} of {sizes[0]} nodes, the last of {sizes[-1]}"
    pods = [[offered[name].running_pods for name in batch] for batch in batches]
    if any(number is None for batch in pods for number in batch):
        return text
    sums = [sum(number or 0 for number in batch) for batch in pods]
    if len(sums) == 1:
        return f"{text}: {count_noun(sums[0], 'pod')}"
    if len(sums) <= _MOST_BATCHES:
        return f"{text}: {', '.join(map(str, sums[:-1]))} and {sums[-1]} pods, if Ocean takes them in the order of ids"
    return f"{text}: {min(sums)} to {max(sums)} pods each, if Ocean takes them in the order of ids"


def summarize_plan(
    planned: Mapping[str, str], offered: Mapping[str, Candidate], active: Iterable[str], percentage: int
) -> str:
    """Return the plan in one line; ``active`` instances are being migrated right now."""
    head = f"plan {shorten_digest(plan_digest(planned))}: {count_noun(len(planned), 'node')}"
    waiting = [offered[instance_id] for instance_id in planned if instance_id in offered]
    moving = len(frozenset(active) & planned.keys())
    parts = []
    if waiting:
        size = batch_size(len(waiting), percentage)
        known = [node.running_pods for node in waiting if node.running_pods is not None]
        if len(waiting) != len(planned):
            parts.append(f"{len(waiting)} still to migrate")
        if known:
            parts.append(count_noun(sum(known), "pod"))
        parts.append(f"{count_noun(batch_count(len(waiting), percentage), 'batch')} of {count_noun(size, 'node')}")
    if moving:
        parts.append(f"{moving} being migrated now")
    if planned and not waiting and not moving:
        parts.append("Ocean offers none of them any more")
    return ", ".join([head, *parts])


def describe_destinations(
    nodes: Iterable[PlannedNode],
    offered: Mapping[str, Candidate],
    groups: Mapping[str, VirtualNodeGroup],
    cluster: Cluster,
    most: int = 10,
) -> list[str]:
    """Return a line for each Virtual Node Group that nodes move to: how many, their pods, spot or on demand.

    The groups with the most nodes come first; beyond ``most`` the last line counts the others. Nodes without a group
    are left out, and pods that discovery did not tell are not counted.
    """
    moving: dict[str, list[PlannedNode]] = {}
    for node in nodes:
        if node.virtual_node_group_id not in {None, UNKNOWN_GROUP}:
            moving.setdefault(node.virtual_node_group_id or "", []).append(node)
    lines = []
    for group_id, taken in sorted(moving.items(), key=lambda item: (-len(item[1]), item[0])):
        parts = [count_noun(len(taken), "node")]
        candidates = [offered[node.instance_id] for node in taken if node.instance_id in offered]
        if pods := [node.running_pods for node in candidates if node.running_pods is not None]:
            parts.append(count_noun(sum(pods), "pod"))
        if group_id == DEFAULT_VIRTUAL_NODE_GROUP:
            name = "any Virtual Node Group"
        else:
            name = sanitize(taken[0].virtual_node_group_name)
        if group_id in groups:
            parts.append(_market(groups[group_id], cluster))
        lines.append(f"to {name} ({group_id}): {', '.join(parts)}")
    if len(lines) > most:
        others = sum(len(taken) for taken in sorted(moving.values(), key=len)[: len(lines) - most])
        lines[most:] = [f"to {count_noun(len(lines) - most, 'other Virtual Node Group')}: {count_noun(others, 'node')}"]
    return lines


def _market(group: VirtualNodeGroup, cluster: Cluster) -> str:
    """Say what the new nodes are; a group without a share of its own has the cluster's."""
    share = cluster.spot_percentage if group.spot_percentage is None else group.spot_percentage
    if share is None:
        return "share of spot not told"
    if share <= 0:
        return "on demand"
    what = "spot" if share >= 100 else f"{share:g}% spot, {100 - share:g}% on demand"
    fallback = {True: " (on demand when there is no spot)", False: " (waits when there is no spot)"}
    return what + (fallback[cluster.fallback_to_od] if cluster.fallback_to_od is not None else "")


def is_approved(planned: Mapping[str, str], approved: str) -> bool:
    """Tell whether the approved digest, whole or as messages show it, is that of the plan."""
    digest = plan_digest(planned)
    return approved in {digest, shorten_digest(digest)}


def restore_reviewed_entries(planned: Mapping[str, str], recorded: Mapping[str, str]) -> dict[str, str]:
    """Return the plan with the lines that were reviewed, where today's only say that a migration holds the node."""
    today = parse_planned(planned)
    return {
        name: recorded.get(name, entry) if today[name].virtual_node_group_id == UNKNOWN_GROUP else entry
        for name, entry in planned.items()
    }


def describe_difference(planned: Mapping[str, str], approved: str) -> str:
    """Tell a plan from the approved digest: both digests, and the nodes of today's plan."""
    nodes = sorted(node.instance_id for node in parse_planned(planned).values() if node.migration_id is None)
    listed = f"{count_noun(len(nodes), 'node')}: {list_some(nodes)}"
    return f"plan {plan_digest(planned)} ({listed}) is not the approved plan {approved}"
