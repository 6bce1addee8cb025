"""The control verbs of migrations."""

from __future__ import annotations

from typing import Any

from ocean_migration_pulumi.testing.simulator.control.base import ControlBase
from ocean_migration_pulumi.testing.simulator.world import draining, state_machine
from ocean_migration_pulumi.testing.simulator.world.world import TERMINAL_STATES


class MigrationControls(ControlBase):
    """The control verbs of migrations."""

    def migrations(self, *, ocean_id: str) -> list[dict[str, Any]]:
        """Return every migration, forgotten ones included, oldest first."""
        return [
            {**vars(migration), "terminal": migration.terminal, "batches": migration.batches}
            for migration in self._find_cluster(ocean_id).migrations.values()
        ]

    def start_foreign_migration(
        self,
        *,
        ocean_id: str,
        instance_ids: list[str],
        terminate: bool = False,
        evict: bool = False,
        force: bool = False,
        batch_size_percentage: int = 50,
    ) -> str:
        """Start a migration as another user would in the console: it is not in the request log, and never refused."""
        cluster = self._find_cluster(ocean_id)
        if unknown := [instance_id for instance_id in instance_ids if instance_id not in cluster.nodes]:
            raise KeyError(unknown[0])
        migration = state_machine.start_migration(
            self._world,
            cluster,
            self._now,
            instance_ids,
            terminate=terminate,
            evict=evict,
            force=force,
            batch_size_percentage=batch_size_percentage,
            foreign=True,
        )
        return migration.id

    def add_ended_migrations(
        self, *, ocean_id: str, count: int = 25, state: str = "FINISHED", age_seconds: float = 60
    ) -> list[str]:
        """Add other users' migrations of nodes that exist no more, each of which ended after a minute."""
        if state not in TERMINAL_STATES:
            raise ValueError(f"{state!r} is not one of {', '.join(sorted(TERMINAL_STATES))}")
        cluster = self._find_cluster(ocean_id)
        ended = []
        for _ in range(count):
            migration = state_machine.add_ended_migration(self._world, cluster, self._now - age_seconds, state)
            ended.append(migration.id)
        return ended

    def stop_foreign(self, *, ocean_id: str, migration_id: str, terminate: bool = False) -> None:
        """Stop a migration as another user would in the console."""
        cluster, migration = self._find_migration(ocean_id, migration_id)
        if migration.terminal or migration.state == "ERROR":
            raise ValueError(f"{migration_id} has ended")
        state_machine.stop_migration(cluster, migration, self._now, terminate=terminate)

    def set_state(self, *, ocean_id: str, migration_id: str, state: str) -> None:
        """Put a migration into a state; an unknown state is only shown, until the next change of state.

        The pods that it has evicted find their new nodes also when it ends early.
        """
        cluster, migration = self._find_migration(ocean_id, migration_id)
        if state in state_machine.STATES:
            if state in TERMINAL_STATES:
                draining.schedule_pending_pods(cluster, migration, self._now)
            state_machine.enter_state(cluster, migration, state, self._now)
        else:
            migration.shown_state = state

    def fail_migration(self, *, ocean_id: str, migration_id: str, reason: str = "connectivity") -> None:
        """Fail a running migration now."""
        cluster, migration = self._find_migration(ocean_id, migration_id)
        _check_reason(reason)
        if migration.terminal:
            raise ValueError(f"{migration_id} has ended")
        state_machine.fail_migration(cluster, migration, reason, self._now)

    def arm_failure(self, *, ocean_id: str, reason: str | None) -> None:
        """Let the next migration fail for a reason, at the point where that failure occurs; None disarms."""
        if reason is not None:
            _check_reason(reason)
        self._find_cluster(ocean_id).armed_failure = reason

    def hold(self, *, ocean_id: str, held: bool = True) -> None:
        """Freeze every migration of a cluster, running stops included, or continue them where they were."""
        state_machine.hold_migrations(self._find_cluster(ocean_id), self._now, held=held)

    def forget_migrations(self, *, ocean_id: str) -> None:
        """Remove the ended migrations from the API, as a service with a limited history does."""
        for migration in self._find_cluster(ocean_id).migrations.values():
            migration.forgotten = migration.forgotten or migration.terminal


def _check_reason(reason: str) -> None:
    if reason not in state_machine.FAILURE_MESSAGES:
        raise ValueError(f"unknown reason {reason!r}: one of {', '.join(state_machine.FAILURE_MESSAGES)}")
