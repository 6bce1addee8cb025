"""Faults that strike requests, and barriers that hold them."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

API_ERRORS = ("403", "410", "429")
"""The kinds that respond with an error in the format of the API."""

KINDS = (
    *API_ERRORS,
    "500",
    "502",
    "503",
    "reset-before",
    "reset-after",
    "late-effect",
    "truncate",
    "slow",
    "slow-before",
    "silence",
    "shape",
    "status",
    "html-404",
    "forget",
    "contradict",
    "flap",
)
WITHOUT_EFFECT = frozenset(
    {*API_ERRORS, "500", "502", "503", "reset-before", "silence", "status", "html-404", "forget"}
)
"""The kinds that keep a request from having its effect."""

POINTS = ("before", "after")


@dataclass(kw_only=True)
class Fault:
    """A fault that strikes matching requests; raises ``ValueError`` for an unknown kind."""

    id: int
    """Its number."""
    method: str
    """The HTTP method of the requests, ``*`` for all."""
    route: str
    """A glob over their path."""
    kind: str
    """One of ``KINDS``."""
    times: int = 1
    """The number of requests that it still strikes."""
    after: int = 0
    """The number of matching requests that still pass before."""
    seconds: float | None = None
    """Real seconds, with a meaning that depends on the kind."""
    status: int | None = None
    """The HTTP status of the kind ``status``."""
    state: str | None = "FINISHED"
    """The state that the kind ``contradict`` shows, None for the true one."""
    entries: bool = True
    """Whether the kind ``contradict`` shows the old nodes."""
    match: str | None = None
    """A string that path, query or body must contain, None for any request."""

    lasts: float | None = None
    """Simulated seconds after its first strike during which it strikes, None for no limit of time."""
    first_at: float | None = None
    """Simulated epoch seconds of its first strike, None before."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}: one of {', '.join(KINDS)}")
        if self.kind == "status" and self.status is None:
            raise ValueError("a fault of kind 'status' needs a status")

    def is_over(self, now: float) -> bool:
        """Return whether its time is over."""
        return self.lasts is not None and self.first_at is not None and now - self.first_at >= self.lasts


@dataclass(kw_only=True)
class BarrierState:
    """A barrier that holds matching requests until it is released; raises ``ValueError`` for an unknown point."""

    id: int
    """Its number."""
    method: str
    """The HTTP method of the requests, ``*`` for all."""
    route: str
    """A glob over their path."""
    point: str
    """``before`` or ``after`` the effect of a request."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request has reached the barrier."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the barrier is released."""

    def __post_init__(self) -> None:
        if self.point not in POINTS:
            raise ValueError(f"unknown point {self.point!r}: one of {', '.join(POINTS)}")


class FaultInjector:
    """The armed faults and the barriers."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._faults: list[Fault] = []
        self.barriers: dict[int, BarrierState] = {}

    def add_fault(self, method: str, route: str, kind: str, **options: Any) -> int:
        """Arm a fault and return its id; ``options`` are the other fields of ``Fault``."""
        fault = Fault(id=next(self._numbers), method=method.upper(), route=route, kind=kind, **options)
        self._faults.append(fault)
        return fault.id

    def pop_fault(self, method: str, path: str, text: str, now: float) -> Fault | None:
        """Return the first fault that strikes this request, and count it; None when no fault does."""
        for fault in self._faults:
            if not _matches(fault, method, path) or (fault.match is not None and fault.match not in text):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times > 0 and not fault.is_over(now):
                fault.times -= 1
                fault.first_at = now if fault.first_at is None else fault.first_at
                return fault
        return None

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self._faults.clear()

    def add_barrier(self, method: str, route: str, point: str) -> int:
        """Add a barrier and return its id."""
        barrier = BarrierState(id=next(self._numbers), method=method.upper(), route=route, point=point)
        self.barriers[barrier.id] = barrier
        return barrier.id

    def release_barrier(self, barrier_id: int) -> None:
        """Remove a barrier, and release the requests that it holds."""
        if (barrier := self.barriers.pop(barrier_id, None)) is not None:
            barrier.released.set()

    async def wait_at_barriers(self, method: str, path: str, point: str) -> None:
        """Wait until no barrier holds this request."""
        for barrier in list(self.barriers.values()):
            if barrier.point == point and _matches(barrier, method, path):
                barrier.reached.set()
                await barrier.released.wait()


def _matches(target: Fault | BarrierState, method: str, path: str) -> bool:
    return target.method in ("*", method) and fnmatchcase(path, target.route)
