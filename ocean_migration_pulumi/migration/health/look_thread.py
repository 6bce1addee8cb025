"""Looks in a thread of their own, beside the polls of a migration."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LOOK_DEADLINE: Final = 30.0
"""Seconds for one look: what is not read by then makes it a missed one."""


@dataclass(slots=True)
class LookThread:
    """Runs one look at a time, and not too often, so that a slow cluster delays no poll."""

    interval: float
    """Seconds between the starts of two looks."""
    _asked_at: float = float("-inf")
    _thread: threading.Thread | None = None

    def start_when_due(self, look: Callable[[], None], now: float) -> None:
        """Start a look when one is due and none is under way.

        Args:
            look: Looks; it raises nothing.
            now: Seconds of any clock.
        """
        if now - self._asked_at < self.interval or (self._thread is not None and self._thread.is_alive()):
            return
        self._asked_at = now
        self._thread = threading.Thread(target=look, name="ocean-migration health", daemon=True)
        self._thread.start()
