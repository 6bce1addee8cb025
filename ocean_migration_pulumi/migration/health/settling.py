"""How long workloads may take to become ready after their nodes were drained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.migration.health.assessment import HealthReport

DETACH_SECONDS: Final = 360.0
"""Seconds after which Kubernetes detaches a volume by force from a node that does not answer."""


@dataclass(slots=True, kw_only=True)
class SettleClock:
    """Measures how long readiness has stood still."""

    timeout: float
    """Seconds that it may stand still."""
    _most: int = -1
    _moved_at: float = 0.0

    def remaining(self, report: HealthReport, now: float) -> float:
        """Return the seconds left after a look, not above zero when the workloads had their time.

        Startup probes and volumes that only one node can use extend the time; readiness that rises starts it anew.

        Args:
            report: The look.
            now: The time of the look, in seconds of any clock.
        """
        reached = sum(min(each.pods.ready, each.required) for each in report.workloads)
        if reached > self._most:
            self._most, self._moved_at = reached, now
        below = report.below
        allowed = self.timeout + max((each.startup_seconds for each in below), default=0.0)
        allowed += DETACH_SECONDS if any(each.waits_for_volume for each in below) else 0.0
        return self._moved_at + allowed - now
