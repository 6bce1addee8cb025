"""What is worth telling somebody who does not watch: the events of a migration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ocean_migration_pulumi.api.models.migration import MigrationState

_URN: Final = "urn:pulumi:"


class EventKind(StrEnum):
    """What has happened; after the last four the migration goes on."""

    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    TIMED_OUT = "timed_out"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"
    UNHEARD = "unheard"


ENDS: Final[Mapping[str, EventKind]] = {
    MigrationState.FINISHED: EventKind.FINISHED,
    MigrationState.FINISHED_ERROR: EventKind.FAILED,
    MigrationState.STOPPED: EventKind.STOPPED,
}
"""What the states that a migration never leaves are told as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that has happened to a migration.

    ``resource`` is the name of the resource that it is of; None outside of a stack. ``pods_left`` is None when no
    status was read yet. ``message`` is one line. ``reason`` is a short name (of a failure: its reason; ``"leftovers"``;
    of a stop: ``"us"`` or ``"others"``), None when nothing needs one; ``remedy`` is None when there is nothing to do.
    ``at`` is the service's time.
    """

    kind: EventKind
    ocean_id: str
    migration_id: str
    resource: str | None
    state: str
    nodes_done: int
    nodes: int
    pods_left: int | None
    message: str
    reason: str | None
    remedy: str | None
    at: str

    def to_json(self) -> dict[str, Any]:
        """Return the event as it is posted."""
        return {
            "event": self.kind.value,
            "ocean_id": self.ocean_id,
            "migration_id": self.migration_id,
            "resource": self.resource,
            "state": self.state,
            "nodes_done": self.nodes_done,
            "nodes": self.nodes,
            "pods_left": self.pods_left,
            "message": self.message,
            "reason": self.reason,
            "remedy": self.remedy,
            "at": self.at,
        }


EventSink = Callable[[Event], None]
"""Takes an event: returns at once and never raises."""


def discard_event(event: Event) -> None:
    """Take an event that nobody wants to know of."""


def resource_name(owner: str) -> str | None:
    """Return the name of the resource with this URN; None for an owner outside of a stack."""
    return owner.rpartition("::")[2] if owner.startswith(_URN) else None
