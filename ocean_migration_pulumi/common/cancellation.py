"""The bounds of an operation: its deadline, its cancellation, and the guard before each write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import DeadlineError, EngineGoneError, InterruptedWaitError, RunDeadlineError

SAVE_MARGIN: Final = 120.0
"""Seconds before the end of a run at which its operations end, so that the state can be saved."""

START_MARGIN: Final = 900.0
"""Seconds before the end of a run in which no migration starts."""


def _always() -> bool:
    return True


def _allow() -> None:
    """Let every write pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelScope:
    """The bounds of one operation, handed down to every call and every sleep inside it."""

    deadline: float | None = None
    """A reading of ``clock``; None means no deadline of its own."""
    run_ends: float | None = None
    """When the whole run ends that the operation is part of, a reading of ``clock``; None means that it may go on."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when somebody interrupts the operation."""
    alive: Callable[[], bool] = _always
    """Tells whether whoever asked for the operation is still there."""
    guard: Callable[[], None] = _allow
    """Raises when a write may not be sent now, though the operation may go on."""
    short: bool = False
    """Whether the operation must not wait for a rate limit that outlives it, as a preview."""
    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    """Waits for an event, at most so many seconds."""

    def remaining(self) -> float | None:
        """Return the seconds left, never below zero; None without a deadline."""
        limits = [limit for limit in (self.deadline, self._run_limit) if limit is not None]
        return max(0.0, min(limits) - self.clock()) if limits else None

    @property
    def _run_limit(self) -> float | None:
        return None if self.run_ends is None else self.run_ends - SAVE_MARGIN

    def check_run(self) -> None:
        """Raise when the whole run has to end, whatever else ended the operation.

        Raises:
            RunDeadlineError: The run ends in two minutes, or has ended.
        """
        if self._run_limit is not None and self.clock() >= self._run_limit:
            msg = "OCEAN_MIGRATION_DEADLINE is reached"
            raise RunDeadlineError(msg)

    def check_start(self) -> None:
        """Raise when the run ends too soon to start a migration.

        Raises:
            RunDeadlineError: The run ends within 15 minutes.
        """
        if self.run_ends is not None and self.run_ends - self.clock() < START_MARGIN:
            left = format_elapsed(self.run_ends - self.clock())
            msg = f"OCEAN_MIGRATION_DEADLINE is in {left}, and no migration starts in the last 15 minutes"
            raise RunDeadlineError(msg)

    def at_most(self, seconds: float) -> CancelScope:
        """Return this scope with a deadline no later than ``seconds`` from now."""
        limit = self.clock() + seconds
        return replace(self, deadline=limit if self.deadline is None else min(limit, self.deadline))

    def check(self) -> None:
        """Raise when the operation may not go on.

        Raises:
            EngineGoneError: Whoever asked for the operation is gone.
            InterruptedWaitError: Somebody interrupted the operation.
            RunDeadlineError: The whole run has to end.
            DeadlineError: The deadline has passed.
        """
        if not self.alive():
            msg = "the Pulumi engine is gone"
            raise EngineGoneError(msg)
        if self.ended.is_set():
            msg = "interrupted"
            raise InterruptedWaitError(msg)
        self.check_run()
        if self.deadline is not None and self.clock() >= self.deadline:
            msg = "the deadline has passed"
            raise DeadlineError(msg)

    def before_write(self) -> None:
        """Raise unless a write may still be sent; called right before every POST and PUT, also when it is repeated."""
        self.check()
        self.guard()

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake and raise as soon as the operation may not go on."""
        left = self.remaining()
        self.wait(self.ended, seconds if left is None else min(seconds, left))
        self.check()
