"""What became of each planned node: a row for each rule, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.migration.state.evidence import NodeObservations, NodeOutcome, determine_outcomes
from tests.migration.builders import instance, left_over, status

MIGRATED, MANUAL, SKIPPED = NodeOutcome.MIGRATED, NodeOutcome.MANUAL, NodeOutcome.SKIPPED
GONE, REMAINS = NodeOutcome.GONE, NodeOutcome.REMAINS


def outcome(**observed: Any) -> NodeOutcome:
    """Return the outcome of the one planned node."""
    return determine_outcomes(NodeObservations(planned=["i-1"], **observed))["i-1"]


@pytest.mark.parametrize("state", ["STOPPED", "FINISHED_ERROR"])
@pytest.mark.parametrize(
    ("pods", "offered", "expected"),
    [
        (0, ["i-1"], MIGRATED),
        (0, [], MIGRATED),
        (3, ["i-1"], REMAINS),
        (3, [], REMAINS),
        (None, ["i-1"], REMAINS),
        (None, [], REMAINS),
    ],
)
def test_node_of_a_migration_that_did_not_finish(
    state: str, pods: int | None, offered: list[str], expected: NodeOutcome
) -> None:
    """Its confirmed status must say that its pods are gone: missing from discovery proves nothing."""
    ended = status(instance("i-1", pods=pods), state=state)
    assert outcome(ended=ended, ever_held=["i-1"], offered=offered) is expected


@pytest.mark.parametrize("offered", [None, [], ["i-1"]])
def test_node_of_a_finished_migration(offered: list[str] | None) -> None:
    """Whatever discovery says; a node whose pods need a hand is never migrated."""
    assert outcome(ended=status(instance("i-1", pods=5), state="FINISHED"), offered=offered) is MIGRATED
    manual = status(left_over("i-1", "debug"), state="FINISHED")
    assert outcome(ended=manual, offered=offered, migrated={"i-1"}) is MANUAL


@pytest.mark.parametrize("offered", [None, [], ["i-1"]])
def test_node_of_a_lost_migration(offered: list[str] | None) -> None:
    """Discovery proves nothing of a node that a migration of ours held."""
    assert outcome(ever_held=["i-1"], offered=offered) is REMAINS
    assert outcome(ever_held=["i-1"], offered=offered, migrated=["i-1"]) is MIGRATED


def test_earlier_outcomes_stay_when_an_end_does_not_decide() -> None:
    """A stop says nothing of what an earlier migration has moved."""
    ended = status(instance("i-1", pods=3), state="STOPPED")
    assert outcome(ended=ended, offered=["i-1"], migrated={"i-1"}) is MIGRATED
    assert outcome(ended=ended, offered=["i-1"], manual={"i-1"}) is MANUAL
    assert outcome(offered=["i-1"], unmatched={"i-1"}, migrated={"i-1"}) is MIGRATED
    assert outcome(offered=[], manual={"i-1"}) is MANUAL


def test_node_that_no_migration_of_ours_held() -> None:
    """It is gone only when discovery was asked and nobody holds it."""
    assert outcome() is REMAINS
    assert outcome(offered=["i-1"]) is REMAINS
    assert outcome(offered=[]) is GONE
    assert outcome(offered=[], held={"i-1"}) is REMAINS
    assert outcome(offered=["i-1"], unmatched={"i-1"}) is SKIPPED


def test_each_planned_node_has_one_outcome_and_no_other_node_has() -> None:
    """Nodes that a migration held although they are not planned are nobody's."""
    ended = status(instance("i-1"), instance("i-9"), state="FINISHED")
    observed = NodeObservations(planned=["i-1", "i-2"], ended=ended, offered=["i-2", "i-9"], held={"i-9"})
    assert determine_outcomes(observed) == {"i-1": MIGRATED, "i-2": REMAINS}
