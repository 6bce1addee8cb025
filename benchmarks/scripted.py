"""A service in memory whose one migration goes by a script and a clock; it answers what a run asks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from benchmarks.clock import Clock
from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import (
    Candidate,
    Heartbeat,
    LogEntry,
    MigrationInstance,
    MigrationState,
    MigrationStatus,
    MigrationSummary,
)
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import format_time

_BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_PODS = 6
_STEPS = 3
"""How often each node changes: its replacement comes, half of its pods go, the others go."""


class ScriptedService:
    """The calls that a run makes; ``changes`` are the moments of the script, ``asked`` those of the status calls."""

    account_id = "act-1"
    ocean_id = "o-1"

    def __init__(self, clock: Clock, *, nodes: int, seconds: float, random: Random) -> None:
        self._clock = clock
        self._began = float("inf")
        self._ids = [f"i-{number:017x}" for number in range(nodes)]
        moments = sorted(random.uniform(0.0, seconds) for _ in range(_STEPS * nodes))
        self._script = [*moments, seconds]
        self.asked: list[float] = []

    @property
    def changes(self) -> list[float]:
        """When the migration changed, once it has started."""
        return [self._began + moment for moment in self._script]

    def within(self, scope: CancelScope) -> ScriptedService:
        """Return itself: nothing here takes time."""
        return self

    def server_now(self) -> datetime:
        """Return the clock's time."""
        return _BEGAN + timedelta(seconds=self._clock.now)

    def discover(self, ocean_id: str, *, fetch_pods: bool = True) -> tuple[Candidate, ...]:
        """Offer the nodes until they are being migrated."""
        offered = [] if self._begun else self._ids
        return tuple(
            Candidate(
                instance_id=name,
                node_name=f"node-{name}",
                asg_name="web",
                virtual_node_group_id="Default",
                running_pods=_PODS,
            )
            for name in offered
        )

    def list_migrations(self, ocean_id: str) -> tuple[MigrationSummary, ...]:
        """List the migration once it has started."""
        if not self._begun:
            return ()
        return (MigrationSummary(id="owm-1", state=self._state, created_at=self._at(self._began)),)

    def create_migration(self, ocean_id: str, instance_ids: Sequence[str], **options: Any) -> str:
        """Begin."""
        self._began = self._clock.now
        return "owm-1"

    def get_migration(self, ocean_id: str, migration_id: str) -> MigrationStatus:
        """Tell how far the script is."""
        self.asked.append(self._clock.now)
        return MigrationStatus(
            id=migration_id,
            ocean_id=ocean_id,
            state=self._state,
            old_instances=tuple(
                MigrationInstance(
                    instance_id=name, node_name=f"node-{name}", asg_name="web", state="RUNNING", running_pods=left
                )
                for name, left in zip(self._ids, map(self._pods_left, range(len(self._ids))), strict=True)
            ),
            new_instances=tuple(
                MigrationInstance(instance_id=f"new-{name}", state="RUNNING")
                for number, name in enumerate(self._ids)
                if self._steps_of(number) > 0
            ),
            should_terminate_drained_nodes=False,
            should_evict_stand_alone_pods=False,
            created_at=self._at(self._began),
            completed_at=self._at(self._clock.now) if self._state == MigrationState.FINISHED else None,
        )

    def get_cluster(self, ocean_id: str) -> Cluster:
        """Return a cluster with room for all."""
        return Cluster(id=ocean_id, autoscaler_enabled=True, capacity_maximum=1000)

    def list_virtual_node_groups(self, ocean_id: str) -> tuple[VirtualNodeGroup, ...]:
        """Return none: any would do."""
        return ()

    def list_nodes(self, ocean_id: str, **which: str | None) -> tuple[ClusterNode, ...]:
        """Return no node of Ocean's own."""
        return ()

    def get_heartbeat(self, ocean_id: str) -> Heartbeat:
        """Return that the controller reports."""
        return Heartbeat(status="ACTIVE", last_heartbeat=self._at(self._clock.now))

    def get_log(self, ocean_id: str, **which: Any) -> tuple[LogEntry, ...]:
        """Return an empty log."""
        return ()

    def stop_migration(
        self, ocean_id: str, migration_id: str, *, should_terminate_drained_nodes: bool = False
    ) -> MigrationSummary:
        """Refuse: the script has no such turn."""
        raise NotImplementedError(migration_id)

    @property
    def _begun(self) -> bool:
        return self._clock.now >= self._began

    @property
    def _done(self) -> int:
        return bisect_right(self._script, self._clock.now - self._began)

    @property
    def _state(self) -> MigrationState:
        return MigrationState.FINISHED if self._done == len(self._script) else MigrationState.DRAIN_NODES

    def _steps_of(self, number: int) -> int:
        return min(_STEPS, max(0, self._done - _STEPS * number))

    def _pods_left(self, number: int) -> int:
        return (_PODS, _PODS, _PODS // 2, 0)[self._steps_of(number)]

    def _at(self, moment: float) -> str:
        return format_time(_BEGAN + timedelta(seconds=moment))


class Silent:
    """Nobody to tell."""

    def status(self, message: str) -> None:
        """Take a live line."""

    def info(self, message: str) -> None:
        """Take a line that stays."""

    def warning(self, message: str) -> None:
        """Take a warning."""
