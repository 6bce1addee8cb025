"""Data of a report about one migration: moments, periods by state, log and diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.json_values import as_map, as_maps, as_text
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, diagnose_migration
from ocean_migration_pulumi.migration.diagnosis.investigation import Notes
from ocean_migration_pulumi.migration.diagnosis.log_query import read_migration_log
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS, Vocabulary
from ocean_migration_pulumi.migration.state.progress import Progress

UNKNOWN_HEALTH: Final = "unknown"
HEALTH_STATES: Final = frozenset({"ready", "not ready", "still starting", UNKNOWN_HEALTH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment(Progress):
    """The numbers of one status, and its time."""

    at: datetime
    """When Spot returned it, by Spot's clock."""

    @classmethod
    def from_reading(cls, at: datetime, status: MigrationStatus) -> Moment:
        """Return the numbers of a status that Spot returned at this time."""
        return cls(at=at, **asdict(Progress.from_status(status)))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePeriod:
    """A period of a migration in one state."""

    state: str
    """The state; empty for a period that nobody watched."""
    started: datetime
    """Begin."""
    ended: datetime
    """End."""

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return (self.ended - self.started).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadyWorkload:
    """A workload with fewer ready pods than required."""

    workload: str
    """Its kind and name."""
    ready: int
    """Its ready pods."""
    required: int
    """The pods that must be ready."""
    reason: str = ""
    """Why, such as ``image``; empty if unknown."""
    pod: str = ""
    """A pod that shows it; empty if there is none."""
    detail: str = ""
    """What Kubernetes says; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHealth:
    """What the resource that ran a migration recorded of its workloads."""

    state: str
    """``ready``, ``not ready``, ``still starting`` or ``unknown``."""
    reason: str = ""
    """Why it is unknown; empty if it is not."""
    ready: int = 0
    """Number of workloads with the required number of ready pods."""
    judged: int = 0
    """Number of workloads that were compared with their state before the migration."""
    on_ocean: int = 0
    """Number of pods that are ready on Ocean nodes."""
    elsewhere: int = 0
    """Number of pods that landed on other old nodes."""
    not_ready: tuple[UnreadyWorkload, ...] = ()
    """At most 50 workloads that are not ready."""
    brake_cause: str = ""
    """Why the brake stopped the migration; empty if it did not."""
    broken: tuple[str, ...] = ()
    """The workloads for which the brake stopped it."""
    failed_check: str = ""
    """The check of ``stop_when`` for which the brake stopped it; empty for none."""

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any], migration: Mapping[str, Any]) -> RunHealth | None:
        """Read it from a resource's outputs; None when they have nothing about the workloads of the migration.

        Args:
            outputs: The outputs.
            migration: The entry of the migration in the output ``migrations``.
        """
        health, cause = as_map(outputs.get("workload_health")), as_map(migration.get("stop_cause"))
        if health.get("migration_id") != migration.get("id"):
            health = {}
        if not health and not cause:
            return None
        state, workloads = health.get("state"), as_map(health.get("workloads"))
        ready, below = _read_count(workloads.get("well")), _read_count(workloads.get("below"))
        broken = cause.get("workloads")
        return cls(
            state=str(state) if state in HEALTH_STATES else UNKNOWN_HEALTH,
            reason=as_text(health.get("reason")),
            ready=ready,
            judged=ready + below,
            on_ocean=_read_count(as_map(health.get("pods")).get("ocean")),
            elsewhere=_read_count(health.get("landed_elsewhere")),
            not_ready=tuple(_read_unready(each) for each in as_maps(health.get("not_ready"))),
            brake_cause=as_text(cause.get("cause")),
            broken=tuple(map(as_text, broken)) if isinstance(broken, list) else (),
            failed_check=as_text(cause.get("check")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """The data of a report, in no format."""

    ocean_id: str
    """Id of the cluster."""
    cluster_name: str
    """Name of the cluster; empty if unknown."""
    status: MigrationStatus
    """The last status."""
    moments: tuple[Moment, ...]
    """The recorded moments by time; the last one is that of ``status``, and without a record the only one."""
    log: tuple[LogEntry, ...]
    """Lines of the cluster's log, the oldest first."""
    explanation: Diagnosis
    """Outcome, reason, evidence and remedy."""
    virtual_node_groups: Mapping[str, str]
    """Names of the VNGs by instance id of the new node."""
    generated_at: datetime
    """When the last status was read, by Spot's clock."""
    notes: tuple[str, ...] = ()
    """What is unknown, and why."""
    health: RunHealth | None = None
    """What is recorded of the workloads; None without a record."""

    @property
    def is_recorded(self) -> bool:
        """Whether there are moments from before the last status."""
        return len(self.moments) > 1

    @property
    def progress(self) -> Progress:
        """Progress at the last status."""
        return Progress.from_status(self.status)

    @property
    def started(self) -> datetime | None:
        """Creation, or the first moment if the service does not tell; None if unknown."""
        created = parse_time(self.status.created_at)
        return created or (self.moments[0].at if self.is_recorded else None)

    @property
    def ended(self) -> datetime | None:
        """End; None while it runs, or if unknown."""
        return parse_time(self.status.ended_at)

    @property
    def until(self) -> datetime:
        """End, or the time of the last status."""
        return self.ended or self.moments[-1].at

    @property
    def seconds(self) -> float | None:
        """Duration in seconds, so far if it runs; None if its begin is unknown."""
        return None if self.started is None else max(0.0, (self.until - self.started).total_seconds())

    def list_periods(self) -> tuple[StatePeriod, ...]:
        """Return the periods of its states by time, without gaps.

        A state lasts from the first moment that shows it to the next one: Spot does not tell when a state began.
        """
        if self.started is None:
            return ()
        marks = [(moment.at, moment.state) for moment in self.moments if self.is_recorded and not _is_end(moment.state)]
        if not marks or marks[0][1] != MigrationState.STARTING:
            marks.insert(0, (self.started, ""))
        marks[0] = (self.started, marks[0][1])
        periods: list[StatePeriod] = []
        for (at, state), (following, _) in pairwise([*marks, (self.until, "")]):
            started, ended = (min(max(time, self.started), self.until) for time in (at, following))
            if periods and periods[-1].state == state:
                periods[-1] = replace(periods[-1], ended=max(started, ended))
            elif ended > started:
                periods.append(StatePeriod(state=state, started=started, ended=ended))
        return tuple(periods)


def build_run_report(
    api: OceanApi,
    scope: CancelScope,
    sources: DataSources,
    ocean_id: str,
    migration_id: str,
    *,
    moments: Iterable[Moment] = (),
    health: RunHealth | None = None,
    now: datetime | None = None,
    vocabulary: Vocabulary = INPUTS,
) -> RunReport:
    """Read the data of a report; what cannot be read, other than the status, becomes a note.

    Args:
        api: Spot's API.
        scope: Bounds the reading.
        sources: Data sources besides Spot.
        ocean_id: Id of the cluster.
        migration_id: Id of the migration.
        moments: Recorded moments.
        health: What is recorded of the workloads. None without a record.
        now: The current time, by Spot's clock. None means to use that of the API.
        vocabulary: How the explanation names inputs.

    Raises:
        OceanMigrationError: The status cannot be read.
        OperationCancelled: The operation was cancelled.

    """
    api = api.within(scope)
    status = api.get_migration(ocean_id, migration_id)
    now = api.server_now() if now is None else now
    notes = Notes()
    recorded = _append_last(moments, Moment.from_reading(parse_time(status.ended_at) or now, status))
    cluster = notes.ask(lambda: api.get_cluster(ocean_id), "the name of the cluster could not be read")
    nodes = notes.ask(lambda: api.list_nodes(ocean_id), "Virtual Node Groups could not be read")
    log = notes.ask(lambda: read_migration_log(api, ocean_id, status, now), "the log could not be read")
    joined = {instance.instance_id for instance in status.new_instances}
    return RunReport(
        ocean_id=ocean_id,
        cluster_name=cluster.name if cluster else "",
        status=status,
        moments=recorded,
        log=tuple(log or ()),
        explanation=diagnose_migration(
            api,
            scope,
            sources,
            ocean_id,
            status,
            changed_at=find_last_change(recorded),
            now=now,
            vocabulary=vocabulary,
        ),
        virtual_node_groups={
            node.instance_id: name
            for node in nodes or ()
            if node.instance_id in joined and (name := node.virtual_node_group_name or node.virtual_node_group_id)
        },
        generated_at=now,
        notes=tuple(notes),
        health=health,
    )


def read_moments(timeline: Iterable[Mapping[str, Any]], *, until: datetime | None = None) -> tuple[Moment, ...]:
    """Read the moments of a resource's output ``timeline``; entries without a time or a state are skipped.

    Args:
        timeline: The output.
        until: When the resource's next migration began. None means that there is none.

    """
    found = []
    for entry in timeline:
        at, state = parse_time(as_text(entry.get("at"))), as_text(entry.get("state"))
        if at is None or not state or (until is not None and at >= until):
            continue
        done, total, pods, unscheduled = (
            _read_count(entry.get(name)) for name in ("nodes_done", "nodes", "pods_left", "unscheduled")
        )
        found.append(Moment(at=at, state=state, done=done, total=total, pods=pods, unscheduled=unscheduled))
    return tuple(found)


def find_last_change(moments: Sequence[Moment]) -> datetime | None:
    """Return when a moment last differed from the one before it; None if there is only one."""
    changes = [later.at for earlier, later in pairwise(moments) if replace(earlier, at=later.at) != later]
    if changes:
        return changes[-1]
    return moments[0].at if len(moments) > 1 else None


def _append_last(moments: Iterable[Moment], last: Moment) -> tuple[Moment, ...]:
    """Return the moments by time; ``last`` replaces those after the end."""
    before = sorted((moment for moment in moments if not _is_end(moment.state)), key=lambda moment: moment.at)
    if not before:
        return (last,)
    return (*before, replace(last, at=max(last.at, before[-1].at)))


def _is_end(state: str) -> bool:
    return MigrationStatus(id="", state=state).is_terminal


def _read_count(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1e9 else 0


def _read_unready(entry: Mapping[str, Any]) -> UnreadyWorkload:
    workload, reason, pod, detail = (as_text(entry.get(name)) for name in ("workload", "reason", "pod", "detail"))
    ready, required = _read_count(entry.get("ready")), _read_count(entry.get("required"))
    return UnreadyWorkload(workload=workload, ready=ready, required=required, reason=reason, pod=pod, detail=detail)
