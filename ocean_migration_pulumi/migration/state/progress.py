"""How far a migration, or a whole plan, is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.common.times import format_elapsed

MOST_UNSCHEDULED: Final = 99.0
"""The largest percentage that is shown while pods are unscheduled: then a migration is not complete."""


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
    manual: int = 0
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
            unscheduled=len(status.unscheduled_ids),
            manual=manual,
        )

    @property
    def percentage(self) -> float:
        """The share of nodes done, 0 to 100; at most 99 while pods are unscheduled."""
        share = 100.0 * self.done / self.total if self.total else 0.0
        return min(share, MOST_UNSCHEDULED) if self.unscheduled else share

    @property
    def counts(self) -> str:
        """The nodes done, and what is left."""
        parts = [f"{self.done}/{self.total} nodes"]
        if self.pods:
            parts.append(f"{count_noun(self.pods, 'pod')} left")
        if self.unscheduled:
            parts.append(f"{count_noun(self.unscheduled, 'pod')} unscheduled")
        if self.manual:
            parts.append(f"{count_noun(self.manual, 'node')} to migrate manually")
        return ", ".join(parts)

    @property
    def summary(self) -> str:
        """The live line without the time: what is done and left, then the state, as rows are narrow."""
        return f"{self.counts}, {self.state}"

    def line(self, since: float) -> str:
        """Return the live line, which ends in the seconds ``since`` the start as messages show them."""
        return f"{self.summary} {format_elapsed(since)}"


class ProgressCounter:
    """Counts the progress of one migration, so that a wait for it can tell that it stalls.

    Only what has not happened before is progress: fewer pods on an old node than ever, more on a new one, a new node.
    A change of state, or fewer unscheduled pods, counts once until one of these has happened. So a count or a state
    that goes back and forth is none.
    """

    def __init__(self) -> None:
        self._progress = 0
        self._fewest: dict[str, int] = {}
        self._most: dict[str, int] = {}
        self._changes: set[tuple[str, str]] = set()
        self._unscheduled: int | None = None

    def count(self, status: MigrationStatus) -> int:
        """Return how often the migration has advanced, this status included."""
        old = {node.instance_id: node.running_pods or 0 for node in status.old_instances}
        new = {node.instance_id: node.running_pods or 0 for node in status.new_instances}
        fewer = {name: pods for name, pods in old.items() if pods < self._fewest.get(name, pods + 1)}
        more = {name: pods for name, pods in new.items() if pods > self._most.get(name, -1)}
        changes = {(node.instance_id, node.state) for node in (*status.old_instances, *status.new_instances)}
        changes.add(("", status.state))
        unscheduled = Progress.from_status(status).unscheduled
        if fewer or more:
            self._fewest |= fewer
            self._most |= more
            self._changes, self._unscheduled = changes, unscheduled
            self._progress += 1
        elif changes - self._changes or self._unscheduled is None or unscheduled < self._unscheduled:
            self._changes |= changes
            self._unscheduled = unscheduled
            self._progress += 1
        return self._progress
