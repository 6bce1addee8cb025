"""What became of each planned node, judged from what was observed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from ocean_migration_pulumi.api.models.migration import (
    REQUIRES_MANUAL_MIGRATION,
    MigrationInstance,
    MigrationState,
    MigrationStatus,
)


class NodeOutcome(StrEnum):
    """What became of a planned node."""

    MIGRATED = "migrated"
    """Its workloads run elsewhere."""
    MANUAL = "manual"
    """A finished migration left pods on it that Ocean does not move."""
    SKIPPED = "skipped"
    """It matches no Virtual Node Group, and ``unmatched_nodes`` is ``"skip"``."""
    GONE = "gone"
    """Discovery does not return it, and no migration held it: nothing is to be done for it."""
    REMAINS = "remains"
    """Its workloads are still to be migrated, or are being migrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeObservations:
    """All that the outcome of the planned nodes is judged from."""

    planned: Collection[str]
    """The planned nodes."""
    migrated: Collection[str] = frozenset()
    """The nodes that were found to be migrated before."""
    manual: Collection[str] = frozenset()
    """The nodes that were found to need manual migration before."""
    ended: MigrationStatus | None = None
    """The last status of a migration that has ended since, and whose nodes were not judged yet; None without one."""
    ever_held: Collection[str] = frozenset()
    """The nodes that a migration of this resource held at any time, lost ones included: they are never gone."""
    offered: Collection[str] | None = None
    """The nodes that discovery returns; None when it was not asked."""
    unmatched: Collection[str] = frozenset()
    """The nodes that match no Virtual Node Group, when those are to be skipped."""
    held: Collection[str] = frozenset()
    """The nodes that running migrations hold, ours or not: discovery does not return them."""


def determine_outcomes(observed: NodeObservations) -> dict[str, NodeOutcome]:
    """Determine what became of each planned node; the first rule that matches decides.

    1. A migration that has ended held the node: see ``_judge_held``.
    2. The node was found to be migrated, or to need manual migration, before.
    3. The node matches no Virtual Node Group and is to be skipped.
    4. Discovery does not return the node, no running migration holds it, and no migration of ours ever did: gone.
    5. Otherwise the node remains.

    Args:
        observed: What was observed.

    Returns:
        The outcome of each planned node, by instance id.
    """
    held_by_ended = {node.instance_id: node for node in observed.ended.old_instances} if observed.ended else {}
    outcomes = {}
    for name in observed.planned:
        missing = observed.offered is not None and name not in observed.offered
        outcome = None
        if observed.ended is not None and name in held_by_ended:
            outcome = _judge_held(observed.ended.state, held_by_ended[name])
        if outcome is None:
            outcome = _judge_otherwise(observed, name, missing=missing)
        outcomes[name] = outcome
    return outcomes


def _judge_held(state: str, node: MigrationInstance) -> NodeOutcome | None:
    """Judge a node of a migration that has ended; None when its end does not decide.

    After FINISHED a node is migrated unless it requires manual migration. After a stop or a failure it is migrated only
    when the confirmed status reports that it has no pods left: discovery lags, and hides what any migration holds.
    """
    if state == MigrationState.FINISHED:
        return NodeOutcome.MANUAL if node.state == REQUIRES_MANUAL_MIGRATION else NodeOutcome.MIGRATED
    return NodeOutcome.MIGRATED if node.running_pods == 0 else None


def _judge_otherwise(observed: NodeObservations, name: str, *, missing: bool) -> NodeOutcome:
    if name in observed.migrated:
        return NodeOutcome.MIGRATED
    if name in observed.manual:
        return NodeOutcome.MANUAL
    if name in observed.unmatched:
        return NodeOutcome.SKIPPED
    if missing and name not in observed.held and name not in observed.ever_held:
        return NodeOutcome.GONE
    return NodeOutcome.REMAINS
