"""What can go wrong between a client and the service, and where a request can be held."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

ENVELOPED = ("403", "410", "429")
"""The kinds that are a status in the API's own words."""

KINDS = (
    *ENVELOPED,
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
)
WITHOUT_EFFECT = frozenset({*ENVELOPED, "500", "502", "503", "reset-before", "silence", "status", "html-404"})

POINTS = ("before", "after")


@dataclass(kw_only=True)
class Fault:
    """Something that happens to the next ``times`` matching requests, after ``after`` of them passed.

    ``seconds`` are real; ``match`` is a text that the path, the query or the body must hold (None: any).
    """

    id: int
    method: str
    route: str
    kind: str
    times: int = 1
    after: int = 0
    seconds: float | None = None
    status: int | None = None
    match: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}: one of {', '.join(KINDS)}")
        if self.kind == "status" and self.status is None:
            raise ValueError("a fault of kind 'status' needs a status")


@dataclass(kw_only=True)
class BarrierState:
    """Holds every matching request at a point until it is released."""

    id: int
    method: str
    route: str
    point: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        if self.point not in POINTS:
            raise ValueError(f"unknown point {self.point!r}: one of {', '.join(POINTS)}")


class Troubles:
    """The faults and barriers that are armed."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._faults: list[Fault] = []
        self.barriers: dict[int, BarrierState] = {}

    def add_fault(
        self,
        method: str,
        route: str,
        kind: str,
        *,
        times: int = 1,
        after: int = 0,
        seconds: float | None = None,
        status: int | None = None,
        match: str | None = None,
    ) -> int:
        """Arm a fault and return its id."""
        fault = Fault(
            id=next(self._numbers),
            method=method.upper(),
            route=route,
            kind=kind,
            times=times,
            after=after,
            seconds=seconds,
            status=status,
            match=match,
        )
        self._faults.append(fault)
        return fault.id

    def take_fault(self, method: str, path: str, text: str) -> Fault | None:
        """Return the first fault that strikes this request, used up by one."""
        for fault in self._faults:
            if not _concerns(fault, method, path) or (fault.match is not None and fault.match not in text):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self._faults.clear()

    def add_barrier(self, method: str, route: str, point: str) -> int:
        """Raise a barrier and return its id."""
        barrier = BarrierState(id=next(self._numbers), method=method.upper(), route=route, point=point)
        self.barriers[barrier.id] = barrier
        return barrier.id

    def release(self, barrier_id: int) -> None:
        """Take a barrier away and let go what it holds."""
        if (barrier := self.barriers.pop(barrier_id, None)) is not None:
            barrier.released.set()

    async def hold(self, method: str, path: str, point: str) -> None:
        """Wait while a barrier holds this request."""
        for barrier in list(self.barriers.values()):
            if barrier.point == point and _concerns(barrier, method, path):
                barrier.reached.set()
                await barrier.released.wait()


def _concerns(rule: Fault | BarrierState, method: str, path: str) -> bool:
    return rule.method in ("*", method) and fnmatchcase(path, rule.route)
