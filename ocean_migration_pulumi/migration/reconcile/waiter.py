"""Poll a migration to a target: with a deadline, stall detection, a bounded outage, and cancellation."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import (
    DeadlineError,
    MigrationNotFoundError,
    NoAnswerError,
    OceanMigrationError,
    RateLimitError,
    ServiceError,
    StalledError,
)
from ocean_migration_pulumi.migration.snapshot.protocols import Reporter
from ocean_migration_pulumi.migration.state.progress import Progress

OUTAGE: Final = 600.0
"""Seconds without any answer of the service after which a wait gives up; what it waited for goes on."""

NEW: Final = 60.0
"""Seconds for which a migration that was just started may still be missing from what the service tells."""

_HEARTBEAT: Final = 60.0
_JITTER: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How a wait polls: seconds between polls (±10 %), and after how many without any progress it is stalled.

    ``stall_timeout`` None means never.
    """

    poll_interval: float = 15.0
    stall_timeout: float | None = 1800.0
    outage: float = OUTAGE


class Waiter:
    """One wait for one migration; every status that arrives is handed to ``on_status``."""

    def __init__(
        self,
        read: Callable[[], MigrationStatus],
        *,
        scope: CancelScope,
        tell: Reporter,
        poll_policy: PollPolicy,
        on_status: Callable[[MigrationStatus], None] = lambda status: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._read = read
        self._scope = scope
        self._tell = tell
        self._patience = poll_policy
        self._on_status = on_status
        self._on_poll = on_poll
        self._started = scope.clock()
        self._said_at = float("-inf")
        self._unknown: set[str] = set()
        self.last: MigrationStatus | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the wait began."""
        return self._scope.clock() - self._started

    def until(self, reached: Callable[[MigrationStatus], bool]) -> MigrationStatus:
        """Poll until the migration has ended or ``reached`` says so.

        Raises InterruptedWaitError, EngineGoneError, DeadlineError, StalledError, MigrationNotFoundError, or the error
        of an outage that outlasted its bound.
        """
        moved_at = answered_at = self._scope.clock()
        seen: object = None
        while True:
            self._scope.check()
            try:
                status = self._read()
            except (NoAnswerError, ServiceError, RateLimitError) as error:
                self._bear(error, answered_at)
            except MigrationNotFoundError:
                # A list or status that lags behind the start is not the end of the migration.
                if self.last is not None or self._scope.clock() - self._started > NEW:
                    raise
            else:
                answered_at = self._scope.clock()
                mark = _mark(status)
                if mark != seen:
                    seen, moved_at = mark, answered_at
                self._take(status)
                if status.is_terminal or reached(status):
                    return status
                self._on_poll()
            self._judge_stall(moved_at)
            self._scope.sleep(self._patience.poll_interval * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - spreads the polls

    def _take(self, status: MigrationStatus) -> None:
        progress = Progress.from_status(status)
        changed = self.last is None or progress != Progress.from_status(self.last)
        if status.state not in MigrationState.__members__ and status.state not in self._unknown:
            self._unknown.add(status.state)
            self._tell.warning(f"Ocean reports the unknown state {status.state!r} of {status.id}; waiting on")
        if self.last is not None and status.state != self.last.state:
            self._tell.info(f"{status.id}: {progress.line(self.elapsed)}")
        self.last = status
        self._on_status(status)
        next_poll = self._scope.clock() + self._patience.poll_interval * (1 + _JITTER)
        if changed or next_poll - self._said_at > _HEARTBEAT:
            self._said_at = self._scope.clock()
            self._tell.status(progress.line(self.elapsed))

    def _bear(self, error: OceanMigrationError, answered_at: float) -> None:
        silent = self._scope.clock() - answered_at
        if silent >= self._patience.outage:
            raise error
        self._tell.status(f"no answer for {format_elapsed(silent)}, trying on: {error}")

    def _judge_stall(self, moved_at: float) -> None:
        limit = self._patience.stall_timeout
        still = self._scope.clock() - moved_at
        if limit is not None and still >= limit:
            msg = f"no progress for {format_elapsed(still)}"
            raise StalledError(msg)


def _mark(status: MigrationStatus) -> object:
    """Return all that counts as progress: any change of state, nodes, pods or new instances."""
    return (
        status.state,
        tuple(sorted((node.instance_id, node.state, node.running_pods or 0) for node in status.old_instances)),
        tuple(sorted((node.instance_id, node.state, node.running_pods or 0) for node in status.new_instances)),
        tuple(sorted(status.unscheduled_pods)),
        tuple(sorted(status.new_unscheduled_pods)),
    )


def is_timeout(error: Exception) -> bool:
    """Tell whether a wait ended because its time was up, not because somebody interrupted it."""
    return isinstance(error, (DeadlineError, StalledError))
