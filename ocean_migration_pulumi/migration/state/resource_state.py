"""What a resource remembers between runs: its outputs, read tolerantly and written completely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    TERMINAL_STATES,
    MigrationState,
    MigrationStatus,
)
from ocean_migration_pulumi.migration.spec.spec import INPUTS, MigrationSpec

STARTED: Final = "started"
ADOPTED: Final = "adopted"
ADOPTED_PART: Final = "adopted_part"

_TIMELINE: Final = 60
_MOST_PODS: Final = 100
_NOT_ECHOED: Final = frozenset({"planned_nodes", "planned_elsewhere", "nodes", "triggers"})


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


@dataclass(slots=True, kw_only=True)
class MigrationRecord:
    """A migration that this resource started or adopted.

    The batch size and force are None when adopted: the service does not tell them. ``stopped_by`` is ``"us"``,
    ``"others"`` or None. ``lost`` marks one that the service no longer lists: it counts as ended.
    """

    id: str
    origin: str = STARTED
    status: str = MigrationState.STARTING
    instance_ids: list[str] = field(default_factory=list)
    batch_size_percentage: int | None = None
    should_terminate_drained_nodes: bool | None = None
    should_evict_stand_alone_pods: bool | None = None
    force_pod_eviction_on_pdb_failure: bool | None = None
    triggers_digest: str = ""
    created_at: str | None = None
    completed_at: str | None = None
    stopped_at: str | None = None
    errored_at: str | None = None
    stopped_by: str | None = None
    terminated_on_stop: bool | None = None
    lost: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.lost or self.status in TERMINAL_STATES

    def follow(self, status: MigrationStatus) -> None:
        """Take over what the service says now."""
        self.status = status.state
        self.created_at = status.created_at or self.created_at
        self.completed_at = status.completed_at or self.completed_at
        self.stopped_at = status.stopped_at or self.stopped_at
        self.errored_at = status.errored_at or self.errored_at
        if not self.instance_ids:
            self.instance_ids = sorted(status.instance_ids)

    def to_output(self) -> dict[str, Any]:
        """Return the run as an entry of the output ``migrations``, absent facts left out."""
        entry = {name: getattr(self, name) for name in _RUN_FIELDS}
        return {name: value for name, value in entry.items() if value is not None and (name != "lost" or value)}

    @classmethod
    def from_output(cls, entry: Mapping[str, Any]) -> MigrationRecord:
        """Read an entry back; what a later version added is passed over."""
        known = {name: entry[name] for name in _RUN_FIELDS if entry.get(name) is not None}
        known["instance_ids"] = _texts(entry.get("instance_ids"))
        size = entry.get("batch_size_percentage")
        known["batch_size_percentage"] = int(size) if isinstance(size, (int, float)) and 0 < size <= 100 else None
        return cls(**{**known, "id": str(entry.get("id", ""))})


_RUN_FIELDS: Final = tuple(MigrationRecord.__dataclass_fields__)


@dataclass(slots=True, kw_only=True)
class UnansweredStart:
    """A start whose answer was lost and that was not found yet: what to look for before any other start.

    ``at`` is the service's time of the start; None when it is not known.
    """

    listed: list[str]
    instance_ids: list[str]
    at: str | None = None

    def to_output(self) -> dict[str, Any]:
        """Return it as a part of the outputs."""
        return {"listed": self.listed, "instance_ids": self.instance_ids} | ({"at": self.at} if self.at else {})


@dataclass(slots=True, kw_only=True)
class ResourceState:
    """Everything that the outputs hold, in the form the lifecycle works with.

    Of pods that are left over or unscheduled the first 100 are named: a state has to stay small.
    """

    planned: dict[str, str] = field(default_factory=dict)
    runs: list[MigrationRecord] = field(default_factory=list)
    migrated: set[str] = field(default_factory=set)
    manual: set[str] = field(default_factory=set)
    manual_pods: list[dict[str, str]] = field(default_factory=list)
    remaining: set[str] = field(default_factory=set)
    drained: set[str] = field(default_factory=set)
    terminated: set[str] = field(default_factory=set)
    joined: list[str] = field(default_factory=list)
    ocean_nodes: list[str] = field(default_factory=list)
    unscheduled: list[str] = field(default_factory=list)
    failure: dict[str, str] | None = None
    timeline: list[dict[str, Any]] = field(default_factory=list)
    unanswered: UnansweredStart | None = None
    progress: float = 0.0
    soaked_until: str | None = None
    effective_account_id: str | None = None
    nodes: dict[str, Any] | None = None
    triggers: list[Any] = field(default_factory=list)
    target_reached: bool = False

    @property
    def latest(self) -> MigrationRecord | None:
        """The latest migration; None before the first."""
        return self.runs[-1] if self.runs else None

    def run(self, migration_id: str) -> MigrationRecord | None:
        """Return the run of a migration; None when it is not recorded."""
        return next((run for run in self.runs if run.id == migration_id), None)

    def add(self, run: MigrationRecord) -> None:
        """Record a run; it is the latest from now on, and what was true of an earlier one is so no longer."""
        self.runs.append(run)
        self.soaked_until = None
        self.failure = None
        self.target_reached = False

    def note(self, at: str, state: str, done: int, total: int, pods: int, unscheduled: int) -> None:
        """Add a change of state to the timeline; the oldest entries give way."""
        entry = {
            "at": at,
            "state": state,
            "nodes_done": done,
            "nodes": total,
            "pods_left": pods,
            "unscheduled": unscheduled,
        }
        self.timeline = [*self.timeline, entry][-_TIMELINE:]

    def to_outputs(self, spec: MigrationSpec, echo: Mapping[str, Any], digest: str) -> dict[str, Any]:
        """Return the outputs; ``echo`` is the inputs as they came, without secrets."""
        latest = self.latest
        outputs: dict[str, Any] = {name: echo[name] for name in INPUTS if name in echo and name not in _NOT_ECHOED}
        outputs |= {
            "planned_nodes": dict(self.planned),
            "plan_digest": digest,
            "nodes": self.nodes if self.nodes is not None else spec.nodes.to_inputs(),
            "triggers": list(self.triggers),
            "succeeded": self.succeeded,
            "progress": round(self.progress, 1),
            "migrated_nodes": sorted(self.migrated),
            "remaining_nodes": sorted(self.remaining),
            "manual_nodes": sorted(self.manual),
            "manual_pods": self.manual_pods,
            "drained_nodes": sorted(self.drained),
            "terminated_nodes": sorted(self.terminated),
            "joined_nodes": list(self.joined),
            "ocean_nodes": list(self.ocean_nodes),
            "unscheduled_pods": list(self.unscheduled),
            "migrations": [run.to_output() for run in self.runs],
            "timeline": list(self.timeline),
            "target_reached": self.target_reached,
        }
        optional = {
            "migration_id": latest.id if latest else None,
            "status": latest.status if latest else None,
            "created_at": latest.created_at if latest else None,
            "completed_at": latest.completed_at if latest else None,
            "stopped_at": latest.stopped_at if latest else None,
            "errored_at": latest.errored_at if latest else None,
            "failure": self.failure,
            "effective_account_id": self.effective_account_id,
            "soaked_until": self.soaked_until,
            "unanswered_start": self.unanswered.to_output() if self.unanswered else None,
        }
        return outputs | {name: value for name, value in optional.items() if value is not None}

    @property
    def succeeded(self) -> bool:
        """Whether what was asked for is done: nothing failed, nothing remains, no migration goes on."""
        going_on = self.latest is not None and not self.latest.ended
        return self.failure is None and self.unanswered is None and not self.remaining and not going_on

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any]) -> ResourceState:
        """Read the outputs of an earlier run; what is missing is empty."""
        planned = outputs.get("planned_nodes")
        unanswered = outputs.get("unanswered_start")
        failure = outputs.get("failure")
        nodes = outputs.get("nodes")
        triggers = outputs.get("triggers")
        progress = outputs.get("progress")
        return cls(
            planned={str(key): str(entry) for key, entry in planned.items()} if isinstance(planned, Mapping) else {},
            runs=[MigrationRecord.from_output(entry) for entry in _mappings(outputs.get("migrations"))],
            migrated=set(_texts(outputs.get("migrated_nodes"))),
            manual=set(_texts(outputs.get("manual_nodes"))),
            manual_pods=[
                {str(key): str(item) for key, item in entry.items()} for entry in _mappings(outputs.get("manual_pods"))
            ],
            remaining=set(_texts(outputs.get("remaining_nodes"))),
            drained=set(_texts(outputs.get("drained_nodes"))),
            terminated=set(_texts(outputs.get("terminated_nodes"))),
            joined=_texts(outputs.get("joined_nodes")),
            ocean_nodes=_texts(outputs.get("ocean_nodes")),
            unscheduled=_texts(outputs.get("unscheduled_pods")),
            failure={str(key): str(item) for key, item in failure.items()} if isinstance(failure, Mapping) else None,
            timeline=[dict(entry) for entry in _mappings(outputs.get("timeline"))],
            unanswered=UnansweredStart(
                listed=_texts(unanswered.get("listed")),
                instance_ids=_texts(unanswered.get("instance_ids")),
                at=_text(unanswered.get("at")),
            )
            if isinstance(unanswered, Mapping)
            else None,
            progress=float(progress) if isinstance(progress, (int, float)) else 0.0,
            soaked_until=_text(outputs.get("soaked_until")),
            effective_account_id=_text(outputs.get("effective_account_id")),
            nodes=dict(nodes) if isinstance(nodes, Mapping) else None,
            triggers=list(triggers) if isinstance(triggers, (list, tuple)) else [],
            target_reached=_flag(outputs.get("target_reached")) or False,
        )

    def settle(self, run: MigrationRecord, status: MigrationStatus, offered: Iterable[str]) -> None:
        """Judge the nodes of a migration that has ended.

        After FINISHED a node is migrated unless it requires manual migration; after a stop or a failure it is migrated
        when discovery no longer offers it or its last status had no pods left.
        """
        still_offered = frozenset(offered)
        finished = status.state == MigrationState.FINISHED
        for instance in status.old_instances:
            if instance.instance_id not in self.planned:
                continue
            if instance.state == REQUIRES_MANUAL_MIGRATION and finished:
                self.manual.add(instance.instance_id)
                self.migrated.discard(instance.instance_id)
            elif finished or instance.instance_id not in still_offered or instance.running_pods == 0:
                self._migrated(instance.instance_id, run, empty=instance.running_pods in (0, None))
        if finished:
            judged = {instance.node_name or instance.instance_id for instance in status.old_instances}
            self.manual_pods = [pod for pod in self.manual_pods if pod.get("node") not in judged]
            self.manual_pods += [
                {"node": instance.node_name or instance.instance_id, "pod": pod.name or pod.id, "kind": pod.kind}
                for instance in status.old_instances
                if instance.state == REQUIRES_MANUAL_MIGRATION
                for pod in instance.pods
            ]
            del self.manual_pods[_MOST_PODS:]

    def settle_unseen(self, run: MigrationRecord, offered: Iterable[str]) -> None:
        """Judge the nodes of a migration that the service no longer lists: by discovery alone."""
        still_offered = frozenset(offered)
        for instance_id in run.instance_ids:
            if instance_id not in still_offered:
                self._migrated(instance_id, run, empty=True)

    def _migrated(self, instance_id: str, run: MigrationRecord, *, empty: bool) -> None:
        if instance_id not in self.planned:
            return
        self.migrated.add(instance_id)
        self.manual.discard(instance_id)
        finished = run.status == MigrationState.FINISHED
        terminates = run.should_terminate_drained_nodes if finished else run.terminated_on_stop
        (self.terminated if terminates and empty else self.drained).add(instance_id)
        (self.drained if terminates and empty else self.terminated).discard(instance_id)

    def follow(self, status: MigrationStatus) -> None:
        """Take over what a status says of the whole."""
        self.ocean_nodes = sorted({*self.ocean_nodes, *(instance.instance_id for instance in status.new_instances)})
        self.unscheduled = sorted({*status.unscheduled_pods, *status.new_unscheduled_pods})[:_MOST_PODS]


def _mappings(value: Any) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
