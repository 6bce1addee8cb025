"""The events of a migration, for those who do not watch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.common.times import format_time
from ocean_migration_pulumi.migration.state.progress import Progress

if TYPE_CHECKING:
    from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
    from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord

_URN: Final = "urn:pulumi:"


class EventKind(StrEnum):
    """What has happened; after the last four kinds the migration goes on."""

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
"""The kind of event for each state that a migration never leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that has happened to a migration."""

    kind: EventKind
    """What has happened."""
    ocean_id: str
    """The cluster."""
    migration_id: str
    """The migration."""
    resource: str | None
    """The name of the resource; None outside of a stack."""
    state: str
    """The migration's state."""
    nodes_done: int
    """Nodes without pods left."""
    nodes: int
    """All nodes of the migration."""
    pods_left: int | None
    """Pods that are left on the nodes; None when no status was read yet."""
    message: str
    """One line."""
    reason: str | None
    """The reason of a failure, ``"leftovers"``, or who stopped it (``"us"`` or ``"others"``); None without one."""
    remedy: str | None
    """What to do; None when there is nothing to do."""
    at: str
    """The service's time."""

    def to_json(self) -> dict[str, Any]:
        """Return the event as notifications post it."""
        values = asdict(self)
        return {"event": values.pop("kind").value, **values}


EventSink = Callable[[Event], None]
"""Takes an event; returns at once and never raises."""


def discard_event(event: Event) -> None:
    """Drop an event."""


def resource_name(owner: str) -> str | None:
    """Return the name of the resource with this URN; None for an owner outside of a stack."""
    return owner.rpartition("::")[2] if owner.startswith(_URN) else None


def emit(
    context: ReconcileContext,
    kind: EventKind,
    migration: MigrationRecord,
    message: str,
    *,
    status: MigrationStatus | None,
    reason: str = "",
    remedy: str = "",
) -> None:
    """Emit an event of a migration.

    Args:
        context: The run; its ``events`` take the event.
        kind: What has happened.
        migration: The migration.
        message: One line.
        status: The migration's last status; None when none was read yet.
        reason: As of ``Event``; empty without one.
        remedy: As of ``Event``; empty without one.
    """
    progress = None if status is None else Progress.from_status(status)
    context.events(
        Event(
            kind=kind,
            ocean_id=context.ocean_id,
            migration_id=migration.id,
            resource=resource_name(context.owner),
            state=migration.status if status is None else status.state,
            nodes_done=0 if progress is None else progress.done,
            nodes=len(migration.instance_ids) if progress is None else progress.total,
            pods_left=None if progress is None else progress.pods,
            message=sanitize(message),
            reason=reason or None,
            remedy=remedy or None,
            at=format_time(context.now()),
        )
    )
