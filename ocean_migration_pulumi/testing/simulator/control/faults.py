"""The control verbs of faults, barriers, rate limits and latency."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.control.base import ControlBase


class FaultControls(ControlBase):
    """The control verbs of faults, barriers, rate limits and latency."""

    def fault(self, *, method: str, route: str, kind: str, **options: Any) -> int:
        """Arm a fault and return its id."""
        return self._simulation.faults.add_fault(method, route, kind, **options)

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self._simulation.faults.clear_faults()

    def barrier(self, *, method: str, route: str, point: str = "before") -> int:
        """Add a barrier and return its id."""
        return self._simulation.faults.add_barrier(method, route, point)

    def release(self, *, barrier_id: int) -> None:
        """Remove a barrier, and release the requests that it holds."""
        self._simulation.faults.release_barrier(barrier_id)

    def rate_limit(self, *, route_glob: str, method: str, limit: int, window_seconds: float = 60) -> None:
        """Limit the route templates that match a glob."""
        if limit < 0 or window_seconds <= 0:
            raise ValueError("limit must not be negative, window_seconds must be positive")
        self._simulation.rate_limiter.set_limit(route_glob, method, limit, window_seconds)

    def clear_rate_limits(self) -> None:
        """Remove every rate limit."""
        self._simulation.rate_limiter.clear_limits()

    def latency(self, *, milliseconds: float) -> None:
        """Delay every request of the API by real milliseconds."""
        if milliseconds < 0:
            raise ValueError("latency must not be negative")
        self._simulation.latency = milliseconds / 1000
