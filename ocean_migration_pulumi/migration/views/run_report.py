"""A run as a sequence of moments, and everything else that a report tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeVar

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.errors import OceanMigrationError
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, diagnose_migration
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import log_span
from ocean_migration_pulumi.migration.diagnosis.log_query import sort_oldest_first
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.state.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What one status said: nodes ``done`` of ``total``, ``pods`` left on old nodes, ``unscheduled`` pods.

    ``manual`` counts the nodes whose pods somebody has to move.
    """

    at: datetime
    state: str
    done: int
    total: int
    pods: int
    unscheduled: int
    manual: int = 0

    @classmethod
    def from_status(cls, at: datetime, status: MigrationStatus) -> Moment:
        """Return what a status says, and when it said so."""
        progress = Progress.from_status(status)
        return cls(
            at=at,
            state=progress.state,
            done=progress.done,
            total=progress.total,
            pods=progress.pods,
            unscheduled=progress.unscheduled,
            manual=progress.manual,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A span of time in one state; ``state`` is empty for time that nobody looked at."""

    state: str
    begun: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.ended - self.begun).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Everything a report needs; it knows no format.

    ``moments`` are in their order, and the last one is that of ``status``: without a record, the only one.
    ``virtual_node_groups`` are names by the id of the new instance. ``generated_at`` is the service's time of the last
    look. ``notes`` say what could not be known, and why.
    """

    ocean_id: str
    cluster_name: str
    status: MigrationStatus
    moments: tuple[Moment, ...]
    log: tuple[LogEntry, ...]
    explanation: Diagnosis
    virtual_node_groups: Mapping[str, str]
    generated_at: datetime
    notes: tuple[str, ...] = ()

    @property
    def is_recorded(self) -> bool:
        """Whether anybody wrote down what happened between the begin and the last look."""
        return len(self.moments) > 1

    @property
    def progress(self) -> Progress:
        """How far it came."""
        return Progress.from_status(self.status)

    @property
    def begun(self) -> datetime | None:
        """When it was created; None when neither the service nor a record tells."""
        created = parse_time(self.status.created_at)
        return created or (self.moments[0].at if self.is_recorded else None)

    @property
    def ended(self) -> datetime | None:
        """When it ended; None while it runs, and when the service does not tell."""
        return end_of(self.status)

    @property
    def until(self) -> datetime:
        """Up to when it is told: its end, or the last look."""
        return self.ended or self.moments[-1].at

    @property
    def seconds(self) -> float | None:
        """How long it took, or has taken so far; None when its begin is not known."""
        return None if self.begun is None else max(0.0, (self.until - self.begun).total_seconds())

    def visits(self) -> tuple[Visit, ...]:
        """Return how long it was in which state, in their order and without gaps.

        A state holds from the moment that told it up to the next one: the service does not tell when it changed.
        """
        if self.begun is None:
            return ()
        seen = [] if not self.is_recorded else [moment for moment in self.moments if not _is_end(moment.state)]
        marks = [(moment.at, moment.state) for moment in seen]
        if not marks or marks[0][1] != MigrationState.STARTING:
            marks.insert(0, (self.begun, ""))
        marks[0] = (self.begun, marks[0][1])
        visits: list[Visit] = []
        for (at, state), (following, _) in pairwise([*marks, (self.until, "")]):
            begun, ended = (min(max(time, self.begun), self.until) for time in (at, following))
            if visits and visits[-1].state == state:
                visits[-1] = replace(visits[-1], ended=max(begun, ended))
            elif ended > begun:
                visits.append(Visit(state=state, begun=begun, ended=ended))
        return tuple(visits)


def build_run_report(
    api: OceanApi,
    scope: CancelScope,
    sources: DataSources,
    ocean_id: str,
    migration_id: str,
    *,
    moments: Iterable[Moment] = (),
    now: datetime | None = None,
) -> RunReport:
    """Ask for everything that a report tells of a migration; ``moments`` are those that somebody wrote down.

    ``now`` is the time of the look, None the service's present one. What cannot be read, other than the status, is
    noted and left out. Raises the errors of the status, or OperationCancelled.
    """
    api = api.within(scope)
    status = api.get_migration(ocean_id, migration_id)
    now = api.server_now() if now is None else now
    notes: list[str] = []
    told = _with_last(moments, Moment.from_status(end_of(status) or now, status))
    cluster = _asked(lambda: api.get_cluster(ocean_id), "the name of the cluster", notes)
    nodes: Sequence[ClusterNode] = _asked(lambda: api.list_nodes(ocean_id), "Virtual Node Groups", notes) or ()
    log = _asked(lambda: _log(api, ocean_id, status, now), "the log", notes) or ()
    joined = {instance.instance_id for instance in status.new_instances}
    return RunReport(
        ocean_id=ocean_id,
        cluster_name=cluster.name if cluster else "",
        status=status,
        moments=told,
        log=log,
        explanation=diagnose_migration(api, scope, sources, ocean_id, status, moved_at=moved_at(told), now=now),
        virtual_node_groups={
            node.instance_id: name
            for node in nodes
            if node.instance_id in joined and (name := node.virtual_node_group_name or node.virtual_node_group_id)
        },
        generated_at=now,
        notes=tuple(notes),
    )


def moments_of(timeline: Iterable[Mapping[str, Any]], *, until: datetime | None = None) -> tuple[Moment, ...]:
    """Read the output ``timeline`` of a resource, up to when its next migration began (None: it has no next one).

    An entry without a time or a state is passed over.
    """
    found = []
    for entry in timeline:
        at, state = parse_time(_text(entry.get("at"))), _text(entry.get("state"))
        if at is None or not state or (until is not None and at >= until):
            continue
        done, total, pods, unscheduled = (
            _count(entry.get(name)) for name in ("nodes_done", "nodes", "pods_left", "unscheduled")
        )
        found.append(Moment(at=at, state=state, done=done, total=total, pods=pods, unscheduled=unscheduled))
    return tuple(found)


def end_of(status: MigrationStatus) -> datetime | None:
    """Return when a migration ended; None while it runs, and when the service does not tell."""
    if not status.is_terminal:
        return None
    if status.state == MigrationState.STOPPED:
        return parse_time(status.stopped_at or status.completed_at)
    if status.state == MigrationState.FINISHED_ERROR:
        return parse_time(status.errored_at or status.completed_at)
    return parse_time(status.completed_at)


def _with_last(moments: Iterable[Moment], last: Moment) -> tuple[Moment, ...]:
    """Return the moments in their order; what was seen of the end, after it, is the last moment itself."""
    before = sorted((moment for moment in moments if not _is_end(moment.state)), key=lambda moment: moment.at)
    if not before:
        return (last,)
    return (*before, replace(last, at=max(last.at, before[-1].at)))


def _is_end(state: str) -> bool:
    return MigrationStatus(id="", state=state).is_terminal


def moved_at(moments: Sequence[Moment]) -> datetime | None:
    """Return when a look last differed from the one before it; None when there was only one."""
    changes = [later.at for one, later in pairwise(moments) if replace(one, at=later.at) != later]
    if changes:
        return changes[-1]
    return moments[0].at if len(moments) > 1 else None


def _log(api: OceanApi, ocean_id: str, status: MigrationStatus, now: datetime) -> tuple[LogEntry, ...]:
    since, until = log_span(status, now)
    return tuple(sort_oldest_first(api.get_log(ocean_id, since=since, until=until)))


def _asked(ask: Callable[[], T], what: str, notes: list[str]) -> T | None:
    """Return an answer; None, and a note, when there is none."""
    try:
        return ask()
    except OceanMigrationError as error:
        notes.append(f"{what} could not be read: {error}")
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1e9 else 0
