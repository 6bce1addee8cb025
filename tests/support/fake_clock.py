"""A clock that only moves when somebody sleeps by it."""

from __future__ import annotations

import threading
from typing import Any

from ocean_migration_pulumi.common.cancellation import CancelScope


class FakeClock:
    """Hands out scopes whose sleeps take no time, and remembers them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def read(self) -> float:
        """Return the time."""
        return self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let the time pass, unless the event is set."""
        if seconds > 0 and not event.is_set():
            self.sleeps.append(seconds)
            self.now += seconds
        return event.is_set()

    def scope(self, *, seconds: float | None = None, **more: Any) -> CancelScope:
        """Return a scope that ends after so many seconds (None: never)."""
        deadline = None if seconds is None else self.now + seconds
        return CancelScope(deadline=deadline, clock=self.read, wait=self.wait, **more)
