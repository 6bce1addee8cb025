"""How far a migration, or a whole plan, is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed


def percentage_of(done: Collection[str], planned: Collection[str]) -> float:
    """Return the share of planned nodes that are done, 0 to 100; 100 of an empty plan."""
    return 100.0 * len(set(done) & set(planned)) / len(planned) if planned else 100.0


@dataclass(frozen=True, slots=True)
class Progress:
    """The numbers of one status."""

    state: str
    """The migration's state."""
    done: int
    """Nodes without pods left."""
    total: int
    """All nodes."""
    pods: int
    """Pods that are left on the nodes, as far as the status says."""
    unscheduled: int
    """Pods that wait for a node."""
    manual: int
    """Nodes that require manual migration."""

    @classmethod
    def from_status(cls, status: MigrationStatus) -> Progress:
        """Count what a status says; a node without a count of pods is done only when the migration is."""
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

    @property
    def summary(self) -> str:
        """The live line without the time: state, nodes, pods left, unscheduled pods."""
        parts = [f"{self.state} {self.done}/{self.total} nodes"]
        if self.pods:
            parts.append(f"{count_noun(self.pods, 'pod')} left")
        if self.unscheduled:
            parts.append(f"{self.unscheduled} unscheduled")
        if self.manual:
            parts.append(f"{self.manual} to move by hand")
        return ", ".join(parts)

    def line(self, since: float) -> str:
        """Return the live line, which ends in the seconds ``since`` the start as messages show them."""
        return f"{self.summary}, {format_elapsed(since)}"
