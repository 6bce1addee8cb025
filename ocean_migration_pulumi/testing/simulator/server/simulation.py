"""The state of a simulator: the world, its clock, faults, rate limits and the request log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api.pages import PagedLists
from ocean_migration_pulumi.testing.simulator.replay.replay import Replay
from ocean_migration_pulumi.testing.simulator.server import storage
from ocean_migration_pulumi.testing.simulator.server.clock import Clock
from ocean_migration_pulumi.testing.simulator.server.faults import FaultInjector
from ocean_migration_pulumi.testing.simulator.server.request_log import RequestLog
from ocean_migration_pulumi.testing.simulator.spot_api.rate_limits import RateLimiter
from ocean_migration_pulumi.testing.simulator.world import scenarios, state_machine, world_from_json

DEFAULT_SPEED = 60.0

SAVE_SECONDS = 0.1
"""The least real seconds between two saves that follow reads or the passing of time."""


class Simulation:
    """The state of a simulator; only one event loop uses it, so it needs no lock.

    The arguments are those of ``Simulator``.
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
            raise ValueError("replay is mutually exclusive with nodes, scenario, state file and world")
        self.replay = None if replay is None else Replay(replay)
        """The record that is replayed instead of a simulated world."""
        self.faults = FaultInjector()
        self.rate_limiter = RateLimiter()
        self.latency = latency_ms / 1000
        """Real seconds by which every request is delayed."""
        self.paged_lists = PagedLists()
        self.url = ""
        """The base URL, empty until the simulator serves."""
        self.closing = asyncio.Event()
        self._path = state_file
        self._next_save = 0.0
        self._save_later: asyncio.TimerHandle | None = None
        state = None if state_file is None else storage.load_state(state_file)
        if state is None:
            start = None if self.replay is None else self.replay.started_at
            self.clock = Clock(start, speed=DEFAULT_SPEED if speed is None else speed)
            now = self.clock.now()
            if self.replay is not None:
                self.world = self.replay.build_world(seed)
            elif world is None:
                self.world = scenarios.build_world(scenario, seed=seed, nodes=nodes, now=now)
            else:
                self.world = world_from_json.build_world(world, seed=seed, now=now)
            self.log = RequestLog()
        else:
            self.clock = Clock.from_json(state["clock"])
            self.clock.set(speed=speed)
            self.world = storage.build_world(state["world"])
            self.log = RequestLog(state["requests"])
        self._save_now()

    @property
    def ocean_id(self) -> str:
        """The first cluster, empty without any cluster."""
        return next(iter(self.world.clusters), "" if self.replay is None else self.replay.ocean_id)

    def run_due_steps(self) -> float:
        """Run every step that is due, and return the simulated time."""
        now = self.clock.now()
        state_machine.run_due_steps(self.world, now)
        return now

    def save(self, *, now: bool) -> None:
        """Save the state now, or soon."""
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
            storage.save_state(
                self._path, {"clock": self.clock.to_json(), "world": self.world, "requests": self.log.to_json()}
            )
            ended = time.monotonic()
            # Writing a large world takes long, and most of the time must remain for requests.
            self._next_save = ended + max(SAVE_SECONDS, 5 * (ended - started))

    async def pause(self, seconds: float) -> None:
        """Sleep for real seconds, or until the simulator closes."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self.closing.wait(), seconds)
            except TimeoutError:
                return

    def close(self) -> None:
        """Wake every waiting request, and save for the last time."""
        self.closing.set()
        for barrier_id in list(self.faults.barriers):
            self.faults.release_barrier(barrier_id)
        self._save_now()
