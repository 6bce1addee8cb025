"""A clock that only moves when somebody sleeps by it, so that half an hour takes none."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.common.cancellation import CancelScope


@dataclass(slots=True)
class Clock:
    """Hands out scopes whose sleeps take no time."""

    now: float = 0.0

    def read(self) -> float:
        """Return the time."""
        return self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let the time pass."""
        self.now += max(0.0, seconds)
        return event.is_set()

    def scope(self, **more: Any) -> CancelScope:
        """Return a scope by this clock, without a deadline."""
        return CancelScope(clock=self.read, wait=self.wait, **more)
