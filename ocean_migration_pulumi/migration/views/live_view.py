"""One look at a migration: what the console's dashboard shows, from what a status says and what was seen before it.

The facts are those of Spot's help page "Migrate Workload using the Console", step 5, "View Workload Migration
Dashboard". It counts ten things: the overall status (running, stopping, stopped, completed, failed); the stage of the
process; new instances; pods on new instances; pods on old instances; unscheduled pods; and the old instances that are
terminated, completed, being drained, and not started.

Of the states of an instance the service documents two: ``RUNNING``, as an example, and ``REQUIRES_MANUAL_MIGRATION``.
So the stage of a node is read from these, from its pods and from the state of the migration. Any other state is kept
as it came; only one that is itself the name of a group of that dashboard puts the node into this group.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    MigrationInstance,
    MigrationState,
    MigrationStatus,
)
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.state.phases import describe_phase
from ocean_migration_pulumi.migration.state.progress import Progress

WINDOW: Final = timedelta(minutes=10)
"""How far back the trend looks."""

_NUMBERS: Final = re.compile(r"([0-9]+)")
_SHORTEST: Final = timedelta(minutes=2)
_RUNNING: Final = "RUNNING"


class Stage(StrEnum):
    """How far an old node is; the ones that somebody should look at first."""

    MANUAL = "needs manual work"
    """The service says that somebody has to move its pods."""
    REMAINING = "not migrated"
    """The migration has failed or was stopped, and the node still has pods."""
    DRAINING = "draining"
    """Pods were seen to leave it, and some are left; or the service says so."""
    WAITING = "waiting"
    """No pod was seen to leave it yet."""
    UNKNOWN = "not told"
    """The service does not tell its pods."""
    DONE = "done"
    """No pod is left, or the migration has finished."""
    TERMINATED = "terminated"
    """The service says so, or lists it no more."""


_ORDER: Final = {stage: place for place, stage in enumerate(Stage)}

_NAMED_GROUPS: Final[Mapping[str, Stage]] = {"DRAINING": Stage.DRAINING, "TERMINATED": Stage.TERMINATED}

_RUNS: Final = "Running"
_STOPS: Final = "Stopping"
_FAILS: Final = "Failing"
_WORDS: Final[Mapping[str, str]] = {
    MigrationState.STOPPING: _STOPS,
    MigrationState.RESCHEDULE_NODES: _STOPS,
    MigrationState.ERROR: _FAILS,
    MigrationState.FINISHED: "Completed",
    MigrationState.FINISHED_ERROR: "Failed",
    MigrationState.STOPPED: "Stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OldNode:
    """An old node; ``pods`` is None when they are not told, ``said`` a state of the service that is not documented.

    ``most_pods`` is the largest number of pods that was seen on it, ``left_over`` the names of pods to move by hand.
    """

    instance_id: str
    name: str = ""
    asg_name: str | None = None
    stage: Stage
    pods: int | None = None
    most_pods: int | None = None
    said: str = ""
    left_over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode:
    """A node that Ocean has started; ``joined_at`` is None when the service does not tell and it was always there."""

    instance_id: str
    name: str = ""
    state: str = ""
    pods: int | None = None
    virtual_node_group: str = ""
    life_cycle: str = ""
    joined_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How fast nodes got done; ``per_minute`` is None until it was watched for long enough to say so.

    ``left`` is an estimate of the time until the last node is done: as if it went on like this. None when it cannot be
    said.
    """

    samples: tuple[tuple[datetime, int], ...] = ()
    per_minute: float | None = None
    left: timedelta | None = None

    @property
    def span(self) -> timedelta:
        """The time that ``per_minute`` was measured over."""
        return self.samples[-1][0] - self.samples[0][0] if self.samples else timedelta()

    @classmethod
    def from_samples(cls, before: Trend, at: datetime, done: int, remaining: int) -> Trend:
        """Add what is done at a time; what is older than the window is forgotten."""
        kept = tuple(sample for sample in before.samples if at - WINDOW <= sample[0] < at)
        samples = (*kept, (at, done))
        since, then = samples[0]
        if at - since < _SHORTEST:
            return cls(samples=samples)
        rate = max(0, done - then) / ((at - since) / timedelta(minutes=1))
        left = timedelta(minutes=remaining / rate) if rate and remaining else None
        return cls(samples=samples, per_minute=rate, left=left)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """A migration at one moment, ready to be drawn; knows no terminal.

    ``nodes`` has the interesting ones first, ``new_nodes`` the newest. ``elapsed`` is None when the service does not
    say when the migration was created; ``changed_at`` is when anything last changed, as far as it was watched.
    """

    status: MigrationStatus
    at: datetime
    word: str
    phase: str
    done: int
    total: int
    nodes: tuple[OldNode, ...]
    new_nodes: tuple[NewNode, ...]
    unscheduled: tuple[str, ...]
    elapsed: timedelta | None
    trend: Trend
    changed_at: datetime

    @classmethod
    def from_status(
        cls,
        status: MigrationStatus,
        *,
        at: datetime,
        before: LiveView | None = None,
        ocean_nodes: Iterable[ClusterNode] = (),
    ) -> LiveView:
        """Look at a status that arrived at a time of the service's clock, after another one (None: the first look).

        ``ocean_nodes`` are Ocean's own nodes, as far as they are known.
        """
        seen = {node.instance_id: node for node in before.nodes} if before else {}
        nodes = [_old_node(status, instance, seen.get(instance.instance_id)) for instance in status.old_instances]
        listed = status.instance_ids
        gone = [_gone(node) for name, node in seen.items() if name not in listed]
        nodes += gone
        progress = Progress.from_status(status)
        done, total = progress.done + len(gone), progress.total + len(gone)
        remaining = sum(node.stage not in {Stage.DONE, Stage.TERMINATED, Stage.MANUAL} for node in nodes)
        word = _word(status, before)
        trend = Trend.from_samples(before.trend if before else Trend(), at, done, remaining)
        if word != _RUNS:
            trend = Trend(samples=trend.samples)
        return cls(
            status=status,
            at=at,
            word=word,
            phase=describe_phase(status.state),
            done=done,
            total=total,
            nodes=tuple(sorted(nodes, key=_interest)),
            new_nodes=_new_nodes(status, at, before, {node.instance_id: node for node in ocean_nodes}),
            unscheduled=tuple(dict.fromkeys([*status.unscheduled_pods, *status.new_unscheduled_pods])),
            elapsed=_elapsed(status, at),
            trend=trend,
            changed_at=before.changed_at if before and before.status == status else at,
        )

    @property
    def share(self) -> float:
        """The share of the old nodes that is done, 0 to 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def stages(self) -> Counter[Stage]:
        """How many old nodes are in each stage."""
        return Counter(node.stage for node in self.nodes)

    @property
    def old_pods(self) -> int | None:
        """The pods that are left on old nodes; None when no node tells."""
        return _sum(node.pods for node in self.nodes)

    @property
    def new_pods(self) -> int | None:
        """The pods on new nodes, those of other workloads included; None when no node tells."""
        return _sum(node.pods for node in self.new_nodes)

    @property
    def still(self) -> timedelta:
        """How long nothing has changed, as far as it was watched."""
        return self.at - self.changed_at


def _word(status: MigrationStatus, before: LiveView | None) -> str:
    """Return the overall status; nodes are terminated and made schedulable on more than one way."""
    word = _WORDS.get(status.state, _RUNS)
    if before is not None and not status.is_terminal and before.word in {_STOPS, _FAILS}:
        return before.word if word in {_RUNS, _STOPS} else word
    return word


def _old_node(status: MigrationStatus, instance: MigrationInstance, before: OldNode | None) -> OldNode:
    pods = instance.running_pods
    known = [number for number in (pods, before.most_pods if before else None) if number is not None]
    most = max(known, default=None)
    said = instance.state.upper()
    return OldNode(
        instance_id=instance.instance_id,
        name=instance.node_name,
        asg_name=instance.asg_name,
        stage=_stage(status, said, pods, most),
        pods=pods,
        most_pods=most,
        said="" if said in {"", _RUNNING, REQUIRES_MANUAL_MIGRATION, *_NAMED_GROUPS} else instance.state,
        left_over=tuple(pod.name or pod.id for pod in instance.pods),
    )


def _stage(status: MigrationStatus, said: str, pods: int | None, most: int | None) -> Stage:
    named = _NAMED_GROUPS.get(said)
    if said == REQUIRES_MANUAL_MIGRATION:
        return Stage.MANUAL
    if named is Stage.TERMINATED:
        return Stage.TERMINATED
    if pods == 0 or status.state == MigrationState.FINISHED:
        return Stage.DONE
    if status.is_terminal:
        return Stage.UNKNOWN if pods is None else Stage.REMAINING
    if named is not None:
        return named
    if pods is None or most is None:
        return Stage.UNKNOWN
    return Stage.DRAINING if pods < most else Stage.WAITING


def _gone(node: OldNode) -> OldNode:
    return OldNode(
        instance_id=node.instance_id,
        name=node.name,
        asg_name=node.asg_name,
        stage=Stage.TERMINATED,
        pods=0,
        most_pods=node.most_pods,
        said="no longer listed",
    )


def _interest(node: OldNode) -> tuple[int, int, list[str | int], str]:
    return _ORDER[node.stage], -(node.pods or 0), _natural(node.name), node.instance_id


def _natural(name: str) -> list[str | int]:
    """Return a key that sorts names as people do: by their numbers."""
    return [int(part) if place % 2 else part for place, part in enumerate(_NUMBERS.split(name))]


def _new_nodes(
    status: MigrationStatus, at: datetime, before: LiveView | None, known: Mapping[str, ClusterNode]
) -> tuple[NewNode, ...]:
    seen = {node.instance_id: node for node in before.new_nodes} if before else {}
    nodes = []
    for instance in status.new_instances:
        ocean = known.get(instance.instance_id)
        earlier = seen.get(instance.instance_id)
        joined = parse_time(ocean.created_at) if ocean else None
        if joined is None and before is not None:
            joined = earlier.joined_at if earlier else at
        nodes.append(
            NewNode(
                instance_id=instance.instance_id,
                name=instance.node_name or (ocean.node_name if ocean else ""),
                state=_new_state(instance, ocean),
                pods=instance.running_pods,
                virtual_node_group=(ocean.virtual_node_group_name or ocean.virtual_node_group_id or "")
                if ocean
                else (earlier.virtual_node_group if earlier else ""),
                life_cycle=ocean.life_cycle if ocean else (earlier.life_cycle if earlier else ""),
                joined_at=joined,
            )
        )
    first = datetime.min.replace(tzinfo=at.tzinfo)
    return tuple(
        sorted(nodes, key=lambda node: (first - (node.joined_at or first), _natural(node.name), node.instance_id))
    )


def _new_state(instance: MigrationInstance, ocean: ClusterNode | None) -> str:
    """Say what the service does, unless Kubernetes does not have the node yet."""
    registered = ocean.registration_status if ocean else ""
    return registered if registered and registered.casefold() != "registered" else instance.state


def _elapsed(status: MigrationStatus, at: datetime) -> timedelta | None:
    created = parse_time(status.created_at)
    if created is None:
        return None
    ends = (parse_time(moment) for moment in (status.completed_at, status.stopped_at, status.errored_at))
    end = next((moment for moment in ends if moment is not None), at) if status.is_terminal else at
    return max(timedelta(), end - created)


def _sum(numbers: Iterable[int | None]) -> int | None:
    told = [number for number in numbers if number is not None]
    return sum(told) if told else None
