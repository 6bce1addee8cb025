"""The simulated clock: starts at the real time, then runs at a chosen speed or is advanced by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

MAX_SPEED = 10_000.0


class Clock:
    """Simulated time in epoch seconds.

    Args:
        start: The simulated time now; None for the real time.
        speed: Simulated seconds per real second, above 0 and at most ``MAX_SPEED``.
        manual: Whether the time moves by ``advance`` only.
        monotonic: Returns real seconds.

    Raises:
        ValueError: The speed is out of range.
    """

    def __init__(
        self,
        start: float | None = None,
        *,
        speed: float = 60.0,
        manual: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._base = time.time() if start is None else start
        self._mark = monotonic()
        self.speed = _check_speed(speed)
        self.manual = manual

    def now(self) -> float:
        """Return the simulated time in epoch seconds."""
        if self.manual:
            return self._base
        return self._base + (self._monotonic() - self._mark) * self.speed

    def set(self, *, speed: float | None = None, manual: bool | None = None) -> None:
        """Change speed or mode from now on; None keeps the current value."""
        new_speed = self.speed if speed is None else _check_speed(speed)
        self._rebase()
        self.speed = new_speed
        self.manual = self.manual if manual is None else manual

    def advance(self, seconds: float) -> None:
        """Move the time forward by simulated seconds, in both modes; raises ``ValueError`` for a negative number."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._rebase()
        self._base += seconds

    def to_json(self) -> dict[str, Any]:
        """Return the clock as JSON."""
        return {"now": self.now(), "speed": self.speed, "manual": self.manual}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Clock:
        """Return a clock that continues from a saved one."""
        return cls(document["now"], speed=document["speed"], manual=document["manual"])

    def _rebase(self) -> None:
        self._base = self.now()
        self._mark = self._monotonic()


def _check_speed(speed: float) -> float:
    if not 0 < speed <= MAX_SPEED:
        raise ValueError(f"speed must be above 0 and at most {MAX_SPEED:g}")
    return speed
