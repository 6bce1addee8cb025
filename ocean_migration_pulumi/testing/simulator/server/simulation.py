"""One simulation: the world, its clock, and what surrounds it, kept in a state file when asked to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api.pages import Pages
from ocean_migration_pulumi.testing.simulator.replay.replay import Replay
from ocean_migration_pulumi.testing.simulator.server import storage
from ocean_migration_pulumi.testing.simulator.server.faults import Troubles
from ocean_migration_pulumi.testing.simulator.server.request_log import RequestLog
from ocean_migration_pulumi.testing.simulator.spot_api.rate_limits import Limits
from ocean_migration_pulumi.testing.simulator.world import scenarios, state_machine, world_from_json
from ocean_migration_pulumi.testing.simulator.world.clock import Clock
from ocean_migration_pulumi.testing.simulator.world.world import World

DEFAULT_SPEED = 60.0

SAVE_SECONDS = 0.1
"""Real seconds, at least, between two saves that only follow reads and the passing of time."""


class Simulation:
    """All state of a simulator; used by one event loop, so nothing in it needs a lock.

    ``url`` is empty until it is served. ``replay`` is what is played back instead of a simulated world, None mostly.
    """

    def __init__(
        self,
        *,
        scenario: str = "success",
        nodes: int | None = None,
        speed: float | None = None,
        seed: int = 0,
        state_file: Path | None = None,
        latency_ms: float = 0,
        world: Mapping[str, Any] | None = None,
        replay: Path | None = None,
    ) -> None:
        if latency_ms < 0:
            raise ValueError("latency must not be negative")
        if replay is not None and (nodes, scenario, state_file, world) != (None, "success", None, None):
            raise ValueError("a replay has the world of its record: it takes neither nodes, scenario nor state file")
        self.replay = None if replay is None else Replay(replay)
        self.troubles = Troubles()
        self.limits = Limits()
        self.latency = latency_ms / 1000
        self.pages = Pages()
        self.url = ""
        self.closing = asyncio.Event()
        self._path = state_file
        self._next_save = 0.0
        self._save_later: asyncio.TimerHandle | None = None
        state = None if state_file is None else storage.load(state_file)
        if state is None:
            start = None if self.replay is None else self.replay.began
            self.clock = Clock(start, speed=DEFAULT_SPEED if speed is None else speed)
            now = self.clock.now()
            if self.replay is not None:
                self.world = self.replay.world(seed)
            elif world is None:
                self.world = scenarios.build(scenario, seed=seed, nodes=nodes, now=now)
            else:
                self.world = world_from_json.build(world, seed=seed, now=now)
            self.log = RequestLog()
        else:
            self.clock = Clock.from_plain(state["clock"])
            self.clock.set(speed=speed)
            self.world = World.from_plain(state["world"])
            self.log = RequestLog(state["requests"])
        self._save_now()

    @property
    def ocean_id(self) -> str:
        """The first cluster, empty when there is none."""
        return next(iter(self.world.clusters), "" if self.replay is None else self.replay.ocean_id)

    def advance(self) -> float:
        """Let everything happen that is due, and return the simulated time."""
        now = self.clock.now()
        state_machine.advance(self.world, now)
        return now

    def save(self, *, now: bool) -> None:
        """Save the state: at once, or soon."""
        if self._path is None:
            return
        wait = self._next_save - time.monotonic()
        if now or wait <= 0:
            self._save_now()
        elif self._save_later is None:
            self._save_later = asyncio.get_running_loop().call_later(wait, self._save_now)

    def _save_now(self) -> None:
        if self._save_later is not None:
            self._save_later.cancel()
            self._save_later = None
        if self._path is not None:
            started = time.monotonic()
            storage.save(
                self._path, {"clock": self.clock.to_plain(), "world": self.world, "requests": self.log.to_plain()}
            )
            ended = time.monotonic()
            # A large world takes long to write: most of the time must be left for the requests.
            self._next_save = ended + max(SAVE_SECONDS, 5 * (ended - started))

    async def pause(self, seconds: float) -> None:
        """Sleep for real seconds, or until the simulator closes."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self.closing.wait(), seconds)
            except TimeoutError:
                return

    def close(self) -> None:
        """Wake everything that waits, and save a last time."""
        self.closing.set()
        for barrier_id in list(self.troubles.barriers):
            self.troubles.release(barrier_id)
        self._save_now()
