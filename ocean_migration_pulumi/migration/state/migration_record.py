"""What a resource remembers of one migration, and of a start whose answer was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import TERMINAL_STATES, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.json_values import as_text

_BEFORE_DRAIN: Final = frozenset(
    {MigrationState.STARTING, MigrationState.AWAIT_REPLACEMENTS, MigrationState.HANDLE_UNSCHEDULE}
)
"""States of a batch that is not drained yet: with one to come, pods are still to become fewer."""

STARTED: Final = "started"
"""Origin of a migration that this resource started."""

ADOPTED: Final = "adopted"
"""Origin of a migration that this resource adopted, and all of whose nodes are planned."""

ADOPTED_PART: Final = "adopted_part"
"""Origin of an adopted migration that also holds nodes that are not planned: it is never stopped."""


BRAKE: Final = "brake"
"""``stopped_by`` of a migration that this resource stopped for its workloads."""


def to_texts(value: Any) -> list[str]:
    """Return the items of a list in an output as strings; an empty list for any other value."""
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


@dataclass(slots=True, kw_only=True)
class MigrationRecord:
    """A migration that this resource started or adopted; an entry of the output ``migrations``."""

    id: str
    """The migration's id, ``owm-...``."""
    origin: str = STARTED
    """``STARTED``, ``ADOPTED`` or ``ADOPTED_PART``."""
    status: str = MigrationState.STARTING
    """Its last state."""
    instance_ids: list[str] = field(default_factory=list)
    """The nodes that it holds."""
    batch_size_percentage: int | None = None
    """Its batch size; None when adopted, for the service does not tell it."""
    should_terminate_drained_nodes: bool | None = None
    """Whether it terminates drained nodes; None when unknown."""
    should_evict_stand_alone_pods: bool | None = None
    """Whether it evicts standalone pods; None when unknown."""
    force_pod_eviction_on_pdb_failure: bool | None = None
    """Whether it evicts against PodDisruptionBudgets; None when adopted, for the service does not tell it."""
    triggers_digest: str = ""
    """Digest of the triggers that it acted upon."""
    created_at: str | None = None
    """When it was created, in the service's time; None when unknown."""
    completed_at: str | None = None
    """When it finished; None otherwise."""
    stopped_at: str | None = None
    """When it stopped; None otherwise."""
    errored_at: str | None = None
    """When it failed; None otherwise."""
    stopped_by: str | None = None
    """``"us"``, ``"brake"`` (us, for its workloads), ``"others"``, or None when nobody stopped it."""
    stop_cause: dict[str, Any] | None = None
    """Why the brake stopped it: ``cause``, ``workloads``, ``check``, ``pod``, ``detail``, ``seconds``; else None."""
    passed_checks: list[str] | None = None
    """The checks of ``stop_when`` that passed before it started: only they stop it; None when there are no checks."""
    terminated_on_stop: bool | None = None
    """Whether our stop asked to terminate drained nodes; None without a stop of ours."""
    pods_before: int | None = None
    """The most pods that its nodes had together before a batch was drained; None when nobody saw that."""
    lost: bool = False
    """Whether status and list have denied it for a minute: nobody waits for it, and its nodes remain until proven."""

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.lost or self.status in TERMINAL_STATES

    def update(self, status: MigrationStatus) -> None:
        """Record what a status says of it."""
        self.status = status.state
        self.created_at = status.created_at or self.created_at
        self.completed_at = status.completed_at or self.completed_at
        self.stopped_at = status.stopped_at or self.stopped_at
        self.errored_at = status.errored_at or self.errored_at
        if not self.instance_ids:
            self.instance_ids = sorted(status.instance_ids)
        counts = [node.running_pods for node in status.old_instances]
        if status.state in _BEFORE_DRAIN and None not in counts:
            self.pods_before = max(self.pods_before or 0, sum(count or 0 for count in counts))

    def to_output(self) -> dict[str, Any]:
        """Return the entry of the output ``migrations``, without what is unknown."""
        entry = {name: getattr(self, name) for name in _FIELDS}
        return {name: value for name, value in entry.items() if value is not None and (name != "lost" or value)}

    @classmethod
    def from_output(cls, entry: Mapping[str, Any]) -> MigrationRecord:
        """Read an entry back; fields that a later version added are ignored, and values of another type."""
        known = {name: entry[name] for name, kind in _KINDS.items() if isinstance(entry.get(name), kind)}
        known["instance_ids"] = to_texts(entry.get("instance_ids"))
        checks, pods, size = (entry.get(name) for name in ("passed_checks", "pods_before", "batch_size_percentage"))
        known["passed_checks"] = to_texts(checks) if isinstance(checks, (list, tuple)) else None
        known["pods_before"] = int(pods) if isinstance(pods, (int, float)) and isfinite(pods) else None
        known["batch_size_percentage"] = int(size) if isinstance(size, (int, float)) and 0 < size <= 100 else None
        return cls(**{**known, "id": str(entry.get("id", ""))})


_FIELDS: Final = tuple(MigrationRecord.__dataclass_fields__)
_FLAGS: Final = (
    *("should_terminate_drained_nodes", "should_evict_stand_alone_pods", "force_pod_eviction_on_pdb_failure"),
    *("terminated_on_stop", "lost"),
)
_KINDS: Final[Mapping[str, type]] = {**dict.fromkeys(_FIELDS, str), **dict.fromkeys(_FLAGS, bool), "stop_cause": dict}


@dataclass(slots=True, kw_only=True)
class UnansweredStart:
    """A start of which no state has the migration yet: its answer was lost, or its run was killed.

    It is looked for before any other start.
    """

    listed: list[str]
    """The ids of the migrations that were listed before the start."""
    instance_ids: list[str]
    """The nodes that the start asked for."""
    at: str | None = None
    """The service's time of the start; None when unknown."""
    migration_id: str | None = None
    """The id in the answer, when a run got it that was killed before its state was saved; None when unknown."""
    is_recalled: bool = False
    """Whether no state has it, but the journal of starts; no output."""

    def has_started(self, status: MigrationStatus) -> bool:
        """Tell whether a migration is that of this start: it was not listed before, and holds exactly its nodes."""
        is_of_nodes = status.instance_ids == frozenset(self.instance_ids)
        if self.migration_id is not None:
            # A status may lack the entries of its nodes; ids may come again where a service begins anew.
            return status.id == self.migration_id and (is_of_nodes or not status.instance_ids)
        return status.id not in self.listed and is_of_nodes

    def to_output(self) -> dict[str, Any]:
        """Return the output ``unanswered_start``."""
        known = {"at": self.at, "migration_id": self.migration_id}
        return {"listed": self.listed, "instance_ids": self.instance_ids} | {
            name: value for name, value in known.items() if value
        }

    @classmethod
    def from_output(cls, output: object) -> UnansweredStart | None:
        """Read the output back; None for anything else."""
        if not isinstance(output, Mapping):
            return None
        return cls(
            listed=to_texts(output.get("listed")),
            instance_ids=to_texts(output.get("instance_ids")),
            at=as_text(output.get("at")) or None,
            migration_id=as_text(output.get("migration_id")) or None,
        )
