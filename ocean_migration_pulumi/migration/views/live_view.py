"""Live view of a migration: what a dashboard shows, computed from a status and the view before it.

The facts are those of Spot's help page "Migrate Workload using the Console", step 5, "View Workload Migration
Dashboard": the overall status (running, stopping, stopped, completed, failed), the phase, new instances, pods on new
and on old instances, unscheduled pods, and how many old instances are terminated, completed, being drained, and not
started.

Spot documents two states of an instance: ``RUNNING``, as an example, and ``REQUIRES_MANUAL_MIGRATION``. The stage of a
node therefore follows from these, its pods and the state of the migration. Any other state is shown as it came, unless
it is the name of a group of that dashboard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    MigrationInstance,
    MigrationState,
    MigrationStatus,
)
from ocean_migration_pulumi.common.text import natural_key
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.diagnosis.readiness import WorkloadReadiness
from ocean_migration_pulumi.migration.state.batches import BatchCount
from ocean_migration_pulumi.migration.state.phases import describe_phase
from ocean_migration_pulumi.migration.state.progress import MOST_UNSCHEDULED, Progress

WINDOW: Final = timedelta(minutes=10)
"""Period over which the trend is measured."""

_SHORTEST_TREND: Final = timedelta(minutes=2)
_RUNNING: Final = "RUNNING"


class Stage(StrEnum):
    """Stage of an old node; those that need attention come first."""

    MANUAL = "needs manual work"
    """It requires manual migration."""
    REMAINING = "not migrated"
    """The migration failed or was stopped, and pods are left."""
    DRAINING = "draining"
    """It has fewer pods than before, or the service says so."""
    WAITING = "waiting"
    """It still has all its pods."""
    UNKNOWN = "unknown"
    """The service does not tell its pods."""
    DONE = "done"
    """No pod is left, or the migration finished."""
    TERMINATED = "terminated"
    """The service says so, or no longer lists it."""


_STAGE_ORDER: Final = {stage: place for place, stage in enumerate(Stage)}

_NAMED_GROUPS: Final[Mapping[str, Stage]] = {"DRAINING": Stage.DRAINING, "TERMINATED": Stage.TERMINATED}

_RUNNING_WORD: Final = "Running"
_STOPPING_WORD: Final = "Stopping"
_FAILING_WORD: Final = "Failing"
_WORDS: Final[Mapping[str, str]] = {
    MigrationState.STOPPING: _STOPPING_WORD,
    MigrationState.RESCHEDULE_NODES: _STOPPING_WORD,
    MigrationState.ERROR: _FAILING_WORD,
    MigrationState.FINISHED: "Completed",
    MigrationState.FINISHED_ERROR: "Failed",
    MigrationState.STOPPED: "Stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OldNode:
    """An old node."""

    instance_id: str
    """EC2 instance id."""
    name: str = ""
    """Kubernetes node; empty if unknown."""
    asg_name: str | None = None
    """Auto Scaling Group; None outside of any."""
    stage: Stage
    """Its stage."""
    pods: int | None = None
    """Number of pods; None if unknown."""
    most_pods: int | None = None
    """Largest number of pods in any view so far; None if unknown."""
    said: str = ""
    """Its state, if that is not documented."""
    left_over: tuple[str, ...] = ()
    """Names of the pods that require manual migration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode:
    """A node that Ocean started."""

    instance_id: str
    """EC2 instance id."""
    name: str = ""
    """Kubernetes node; empty if unknown."""
    state: str = ""
    """Its state, as the service returns it."""
    pods: int | None = None
    """Number of pods; None if unknown."""
    virtual_node_group: str = ""
    """Name or id of its VNG; empty if unknown."""
    life_cycle: str = ""
    """Life cycle as Ocean writes it, such as ``Spot``; empty if unknown."""
    joined_at: datetime | None = None
    """Creation, or the first view that has it; None if it was in the first view of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How fast nodes are drained."""

    samples: tuple[tuple[datetime, int], ...] = ()
    """Times within the last 10 minutes, each with the number of drained nodes."""
    per_minute: float | None = None
    """Drained nodes per minute; None before two minutes have passed."""
    left: timedelta | None = None
    """Estimated time until the last node is drained, at the same rate; None if it cannot be estimated."""

    @property
    def span(self) -> timedelta:
        """Period that ``per_minute`` is measured over."""
        return self.samples[-1][0] - self.samples[0][0] if self.samples else timedelta()

    @classmethod
    def from_samples(cls, before: Trend, at: datetime, done: int, remaining: int) -> Trend:
        """Add a sample to the trend before, and drop those that are older than 10 minutes.

        Args:
            before: The trend before.
            at: Time of the sample.
            done: Number of drained nodes.
            remaining: Number of nodes to wait for.

        """
        kept = tuple(sample for sample in before.samples if at - WINDOW <= sample[0] < at)
        samples = (*kept, (at, done))
        since, then = samples[0]
        if at - since < _SHORTEST_TREND:
            return cls(samples=samples)
        rate = max(0, done - then) / ((at - since) / timedelta(minutes=1))
        left = timedelta(minutes=remaining / rate) if rate and remaining else None
        return cls(samples=samples, per_minute=rate, left=left)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """A migration at one moment."""

    status: MigrationStatus
    """The status that it shows."""
    at: datetime
    """When the status was read, by the service's clock."""
    word: str
    """Overall status, such as ``Running``."""
    phase: str
    """What the migration does now."""
    done: int
    """Number of drained nodes."""
    total: int
    """Number of old nodes."""
    nodes: tuple[OldNode, ...]
    """Old nodes; those that need attention come first."""
    new_nodes: tuple[NewNode, ...]
    """Ocean nodes, the newest first."""
    unscheduled: tuple[str, ...]
    """Unscheduled pods: ``namespace/name``, or the id where the name is unknown."""
    elapsed: timedelta | None
    """Time since creation, up to the end; None if unknown."""
    trend: Trend
    """How fast nodes are drained."""
    changed_at: datetime
    """When the status last changed, as far as it was watched."""
    batches: BatchCount
    """The batch that it is in."""
    readiness: WorkloadReadiness | None = None
    """How ready the workloads are, by Kubernetes; None without access."""

    @classmethod
    def from_status(
        cls,
        status: MigrationStatus,
        *,
        at: datetime,
        before: LiveView | None = None,
        ocean_nodes: Iterable[ClusterNode] = (),
        pod_names: Mapping[str, str] = MappingProxyType({}),
        readiness: WorkloadReadiness | None = None,
        batch_size_percentage: int | None = None,
    ) -> LiveView:
        """Return the view of a status.

        Args:
            status: The status.
            at: When it was read, by the service's clock.
            before: The view before. None means that this is the first one.
            ocean_nodes: The nodes that Ocean runs, as far as they are known.
            pod_names: Names of pods by id, as far as they are known.
            readiness: How ready the workloads are; None without access.
            batch_size_percentage: The batch size; None if unknown.

        """
        batches = before.batches if before else BatchCount(percentage=batch_size_percentage)
        earlier = {node.instance_id: node for node in before.nodes} if before else {}
        nodes = [
            _make_old_node(status, instance, earlier.get(instance.instance_id)) for instance in status.old_instances
        ]
        listed = status.instance_ids
        gone = [_make_terminated(node) for instance_id, node in earlier.items() if instance_id not in listed]
        nodes += gone
        progress = Progress.from_status(status)
        done, total = progress.done + len(gone), progress.total + len(gone)
        remaining = sum(node.stage not in {Stage.DONE, Stage.TERMINATED, Stage.MANUAL} for node in nodes)
        word = _choose_word(status, before)
        trend = Trend.from_samples(before.trend if before else Trend(), at, done, remaining)
        if word != _RUNNING_WORD:
            trend = Trend(samples=trend.samples)
        return cls(
            status=status,
            at=at,
            word=word,
            phase=describe_phase(status.state),
            done=done,
            total=total,
            nodes=tuple(sorted(nodes, key=_attention_key)),
            new_nodes=_make_new_nodes(status, at, before, {node.instance_id: node for node in ocean_nodes}),
            unscheduled=tuple(pod_names.get(pod, pod) for pod in status.unscheduled_ids),
            elapsed=_find_elapsed(status, at),
            trend=trend,
            changed_at=before.changed_at if before and before.status == status else at,
            batches=batches.advance(status),
            readiness=readiness,
        )

    @property
    def share(self) -> float:
        """Share of the old nodes that are drained, 0 to 1; below 1 while pods are unscheduled."""
        share = self.done / self.total if self.total else 0.0
        return min(share, MOST_UNSCHEDULED / 100) if self.unscheduled else share

    @property
    def stages(self) -> Counter[Stage]:
        """Number of old nodes in each stage."""
        return Counter(node.stage for node in self.nodes)

    @property
    def old_pods(self) -> int | None:
        """Number of pods left on old nodes; None if unknown for all."""
        return _sum(node.pods for node in self.nodes)

    @property
    def new_pods(self) -> int | None:
        """Number of pods on new nodes, those of other workloads included; None if unknown for all."""
        return _sum(node.pods for node in self.new_nodes)

    @property
    def still(self) -> timedelta:
        """Time since the status last changed, as far as it was watched."""
        return self.at - self.changed_at


def _choose_word(status: MigrationStatus, before: LiveView | None) -> str:
    """Return the overall status.

    A migration that stops or fails passes states of a running one, in which the earlier word stays.
    """
    word = _WORDS.get(status.state, _RUNNING_WORD)
    if before is not None and not status.is_terminal and before.word in {_STOPPING_WORD, _FAILING_WORD}:
        return before.word if word in {_RUNNING_WORD, _STOPPING_WORD} else word
    return word


def _make_old_node(status: MigrationStatus, instance: MigrationInstance, before: OldNode | None) -> OldNode:
    pods = instance.running_pods
    known = [number for number in (pods, before.most_pods if before else None) if number is not None]
    most = max(known, default=None)
    said = instance.state.upper()
    return OldNode(
        instance_id=instance.instance_id,
        name=instance.node_name,
        asg_name=instance.asg_name,
        stage=_find_stage(status, said, pods, most),
        pods=pods,
        most_pods=most,
        said="" if said in {"", _RUNNING, REQUIRES_MANUAL_MIGRATION, *_NAMED_GROUPS} else instance.state,
        left_over=tuple(pod.name or pod.id for pod in instance.pods),
    )


def _find_stage(status: MigrationStatus, said: str, pods: int | None, most: int | None) -> Stage:
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


def _make_terminated(node: OldNode) -> OldNode:
    return replace(node, stage=Stage.TERMINATED, pods=0, said="no longer listed", left_over=())


def _attention_key(node: OldNode) -> tuple[int, int, object, str]:
    return _STAGE_ORDER[node.stage], -(node.pods or 0), natural_key(node.name), node.instance_id


def _make_new_nodes(
    status: MigrationStatus, at: datetime, before: LiveView | None, known: Mapping[str, ClusterNode]
) -> tuple[NewNode, ...]:
    earlier = {node.instance_id: node for node in before.new_nodes} if before else {}
    nodes = []
    for instance in status.new_instances:
        # A node that joins after the first view joined when it was first seen, unless Ocean tells its creation.
        node = earlier.get(instance.instance_id) or NewNode(
            instance_id=instance.instance_id, joined_at=at if before else None
        )
        ocean = known.get(instance.instance_id)
        if ocean is not None:
            node = replace(
                node,
                virtual_node_group=ocean.virtual_node_group_name or ocean.virtual_node_group_id or "",
                life_cycle=ocean.life_cycle,
                joined_at=parse_time(ocean.created_at) or node.joined_at,
            )
        nodes.append(
            replace(
                node,
                name=instance.node_name or (ocean.node_name if ocean else ""),
                state=_choose_state(instance, ocean),
                pods=instance.running_pods,
            )
        )
    first = datetime.min.replace(tzinfo=at.tzinfo)
    return tuple(
        sorted(nodes, key=lambda node: (first - (node.joined_at or first), natural_key(node.name), node.instance_id))
    )


def _choose_state(instance: MigrationInstance, ocean: ClusterNode | None) -> str:
    """Return the state of a node, or of its registration while that is not complete."""
    registered = ocean.registration_status if ocean else ""
    return registered if registered and registered.casefold() != "registered" else instance.state


def _find_elapsed(status: MigrationStatus, at: datetime) -> timedelta | None:
    created = parse_time(status.created_at)
    return None if created is None else max(timedelta(), (parse_time(status.ended_at) or at) - created)


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
