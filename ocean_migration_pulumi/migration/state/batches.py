"""Which batch a migration is in: Spot reports its states only, so that batches are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationState, MigrationStatus
from ocean_migration_pulumi.migration.spec.planned_nodes import batch_count, batch_size

_STEPS: Final[Mapping[str, int]] = {
    state: step
    for step, state in enumerate(
        (
            MigrationState.STARTING,
            MigrationState.AWAIT_REPLACEMENTS,
            MigrationState.HANDLE_UNSCHEDULE,
            MigrationState.DRAIN_NODES,
            MigrationState.VALIDATE_DRAIN,
        )
    )
}
"""The states of one batch in their order."""

_DRAIN: Final = _STEPS[MigrationState.DRAIN_NODES]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCount:
    """The batch that a migration is in, counted from the statuses so far."""

    percentage: int | None = None
    """Batch size in percent; None if unknown, as Spot does not report it."""
    number: int | None = None
    """Number of the present batch, from 1; None if unknown."""
    nodes: int = 0
    """Number of nodes of the migration."""
    step: int | None = None
    """Place of the last state in the order of a batch; None before the first."""

    @property
    def total(self) -> int | None:
        """Number of batches; None if unknown."""
        return None if self.percentage is None else batch_count(self.nodes, self.percentage)

    def advance(self, status: MigrationStatus) -> BatchCount:
        """Return the count after one more status.

        With a known batch size the drained nodes tell the batch. Without it, a state before the last one in the order
        of a batch begins the next batch; batches before the first status are unknown, unless no node was drained yet.
        """
        step = _STEPS.get(status.state)
        nodes = max(self.nodes, len(status.old_instances))
        pending = sum(
            node.running_pods != 0 and node.state != REQUIRES_MANUAL_MIGRATION for node in status.old_instances
        )
        if step is None or not nodes:
            return replace(self, nodes=nodes)
        if self.percentage is None:
            number = self._count_by_states(step, drained=nodes - pending)
        else:
            number = self._count_by_nodes(step, nodes - pending, nodes, self.percentage)
        return replace(self, number=number, nodes=nodes, step=step)

    def describe(self) -> str:
        """Return ``batch 2 of 3``, as far as it is known; empty when it is not."""
        if self.number is None:
            return ""
        return f"batch {self.number}" + (f" of {self.total}" if self.total else "")

    def _count_by_states(self, step: int, *, drained: int) -> int | None:
        if self.step is None:
            return None if drained else 1
        return self.number + 1 if self.number is not None and step < self.step else self.number

    def _count_by_nodes(self, step: int, drained: int, nodes: int, percentage: int) -> int:
        size = batch_size(nodes, percentage)
        complete, started = divmod(drained, size)
        # The nodes of a batch are drained before its last states, and the status may be one of a moment between.
        is_last_part = step > _DRAIN or (step == _DRAIN and not started and complete == self.number)
        number = max(1, ceil(drained / size)) if is_last_part else complete + 1
        return max(self.number or 1, min(number, batch_count(nodes, percentage)))
