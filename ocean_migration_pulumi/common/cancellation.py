"""The bounds of an operation: its deadline, its cancellation, and the guard before each write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ocean_migration_pulumi.errors import DeadlineError, EngineGoneError, InterruptedWaitError


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelScope:
    """The bounds of one operation, handed down to every call and every sleep inside it."""

    deadline: float | None = None
    """A reading of ``clock``; None means no deadline of its own."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when somebody interrupts the operation."""
    alive: Callable[[], bool] = _always
    """Tells whether whoever asked for the operation is still there."""
    short: bool = False
    """Whether the operation must not wait for a rate limit that outlives it, as a preview."""
    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait
    """Waits for an event, at most so many seconds."""

    def remaining(self) -> float | None:
        """Return the seconds left, never below zero; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - self.clock())

    def at_most(self, seconds: float) -> CancelScope:
        """Return this scope with a deadline no later than ``seconds`` from now."""
        limit = self.clock() + seconds
        return replace(self, deadline=limit if self.deadline is None else min(limit, self.deadline))

    def check(self) -> None:
        """Raise when the operation may not go on.

        Raises:
            EngineGoneError: Whoever asked for the operation is gone.
            InterruptedWaitError: Somebody interrupted the operation.
            DeadlineError: The deadline has passed.
        """
        if not self.alive():
            msg = "the Pulumi engine is gone"
            raise EngineGoneError(msg)
        if self.ended.is_set():
            msg = "interrupted"
            raise InterruptedWaitError(msg)
        if self.deadline is not None and self.clock() >= self.deadline:
            msg = "the deadline has passed"
            raise DeadlineError(msg)

    def before_write(self) -> None:
        """Raise unless a write may still be sent; called right before every POST and PUT."""
        self.check()

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake and raise as soon as the operation may not go on."""
        left = self.remaining()
        self.wait(self.ended, seconds if left is None else min(seconds, left))
        self.check()
