"""Poll a migration to a target: with a deadline, stall detection, a bounded outage, and cancellation."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.cancellation import Scope
from ocean_migration_pulumi.common.times import elapsed
from ocean_migration_pulumi.errors import (
    DeadlineError,
    MigrationNotFoundError,
    NoAnswerError,
    OceanMigrationError,
    RateLimitError,
    ServiceError,
    StalledError,
)
from ocean_migration_pulumi.migration.snapshot.protocols import Teller
from ocean_migration_pulumi.migration.spec.planned_nodes import counted

OUTAGE: Final = 600.0
"""Seconds without any answer of the service after which a wait gives up; what it waited for goes on."""

NEW: Final = 60.0
"""Seconds for which a migration that was just started may still be missing from what the service tells."""

_HEARTBEAT: Final = 60.0
_JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a migration is: nodes without pods left, of all nodes."""

    state: str
    done: int
    total: int
    pods: int
    unscheduled: int
    manual: int

    @classmethod
    def of(cls, status: MigrationStatus) -> Progress:
        """Count what a status says; a node whose pods are not told counts as done only when the migration is."""
        finished = status.state == MigrationState.FINISHED
        old = status.old_instances
        manual = sum(instance.state == REQUIRES_MANUAL_MIGRATION for instance in old)
        return cls(
            state=status.state,
            done=len(old) - manual if finished else sum(instance.running_pods == 0 for instance in old),
            total=len(old),
            pods=sum(instance.running_pods or 0 for instance in old),
            unscheduled=len({*status.unscheduled_pods, *status.new_unscheduled_pods}),
            manual=manual,
        )

    @property
    def percentage(self) -> float:
        """The share of nodes done, 0 to 100."""
        return 100.0 * self.done / self.total if self.total else 0.0

    def line(self, since: float) -> str:
        """Return the live line: state, nodes, pods left, unscheduled pods, time."""
        parts = [f"{self.state} {self.done}/{self.total} nodes"]
        if self.pods:
            parts.append(f"{counted(self.pods, 'pod')} left")
        if self.unscheduled:
            parts.append(f"{self.unscheduled} unscheduled")
        if self.manual:
            parts.append(f"{self.manual} to move by hand")
        return ", ".join([*parts, elapsed(since)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
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
        scope: Scope,
        tell: Teller,
        patience: Patience,
        on_status: Callable[[MigrationStatus], None] = lambda status: None,
        on_poll: Callable[[], None] = lambda: None,
    ) -> None:
        self._read = read
        self._scope = scope
        self._tell = tell
        self._patience = patience
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
        progress = Progress.of(status)
        changed = self.last is None or progress != Progress.of(self.last)
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
        self._tell.status(f"no answer for {elapsed(silent)}, trying on: {error}")

    def _judge_stall(self, moved_at: float) -> None:
        limit = self._patience.stall_timeout
        still = self._scope.clock() - moved_at
        if limit is not None and still >= limit:
            msg = f"no progress for {elapsed(still)}"
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


def outlasted(error: Exception) -> bool:
    """Tell whether a wait ended because its time was up, not because somebody interrupted it."""
    return isinstance(error, (DeadlineError, StalledError))
