"""How far a migration is."""

from __future__ import annotations

from dataclasses import dataclass

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a migration is: nodes without pods left, of all nodes."""

    state: str
    done: int
    total: int
    pods: int
    unscheduled: int
    manual: int

    @classmethod
    def from_status(cls, status: MigrationStatus) -> Progress:
        """Count what a status says; a node whose pods are not told counts as done only when the migration is."""
        finished = status.state == MigrationState.FINISHED
        old = status.old_instances
        manual = sum(instance.state == REQUIRES_MANUAL_MIGRATION for instance in old)
        return cls(
            state=status.state,
            done=len(old) - manual if finished else sum(instance.running_pods == 0 for instance in old),
            total=len(old),
            pods=sum(instance.running_pods or 0 for instance in old),
            unscheduled=len({*status.unscheduled_pods, *status.new_unscheduled_pods}),
            manual=manual,
        )

    @property
    def percentage(self) -> float:
        """The share of nodes done, 0 to 100."""
        return 100.0 * self.done / self.total if self.total else 0.0

    def line(self, since: float) -> str:
        """Return the live line: state, nodes, pods left, unscheduled pods, time."""
        parts = [f"{self.state} {self.done}/{self.total} nodes"]
        if self.pods:
            parts.append(f"{count_noun(self.pods, 'pod')} left")
        if self.unscheduled:
            parts.append(f"{self.unscheduled} unscheduled")
        if self.manual:
            parts.append(f"{self.manual} to move by hand")
        return ", ".join([*parts, format_elapsed(since)])
