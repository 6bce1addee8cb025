"""Which batch a migration is in."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.api.models.migration import MigrationInstance, MigrationStatus
from ocean_migration_pulumi.migration.state.batches import BatchCount

LOOP = ("STARTING", "AWAIT_REPLACEMENTS", "HANDLE_UNSCHEDULE", "DRAIN_NODES", "VALIDATE_DRAIN")


def status(state: str, drained: int, total: int = 6, *, manual: int = 0) -> MigrationStatus:
    """Return a status of a migration of which so many nodes are drained, or need manual migration."""
    nodes = [
        MigrationInstance(
            instance_id=f"i-{number}",
            state="REQUIRES_MANUAL_MIGRATION" if drained <= number < drained + manual else "RUNNING",
            running_pods=0 if number < drained else 5,
        )
        for number in range(total)
    ]
    return MigrationStatus(id="owm-1", state=state, old_instances=tuple(nodes))


def count(*statuses: MigrationStatus, percentage: int | None = None) -> BatchCount:
    """Return the count after these statuses."""
    batches = BatchCount(percentage=percentage)
    for each in statuses:
        batches = batches.advance(each)
    return batches


@pytest.mark.parametrize("percentage", [None, 33])
def test_every_state_of_every_batch_is_in_its_batch(percentage: int | None) -> None:
    """The nodes of a batch are drained before its last state, and once while the state still says that it drains."""
    batches, numbers = BatchCount(percentage=percentage), []
    for batch in range(3):
        for state in LOOP:
            drained = 2 * batch + (2 if state == "VALIDATE_DRAIN" else 1 if state == "DRAIN_NODES" else 0)
            batches = batches.advance(status(state, drained))
            numbers.append((batch + 1, batches.number))
            if state == "DRAIN_NODES":
                batches = batches.advance(status(state, 2 * batch + 2))
                numbers.append((batch + 1, batches.number))
    assert [found for _, found in numbers] == [wanted for wanted, _ in numbers]
    assert batches.describe() == ("batch 3 of 3" if percentage else "batch 3")


@pytest.mark.parametrize(
    ("state", "drained", "described"),
    [
        ("STARTING", 0, "batch 1 of 3"),
        ("STARTING", 2, "batch 2 of 3"),
        ("DRAIN_NODES", 3, "batch 2 of 3"),
        ("VALIDATE_DRAIN", 4, "batch 2 of 3"),
        ("VALIDATE_DRAIN", 6, "batch 3 of 3"),
        ("DRAIN_NODES", 6, "batch 3 of 3"),
        ("TERMINATE_NODES", 6, ""),
        ("FINISHED", 6, ""),
        ("NEW_STATE", 2, ""),
    ],
)
def test_late_look_tells_the_batch_where_its_size_is_known(state: str, drained: int, described: str) -> None:
    """Without the size, batches before the first status are unknown."""
    assert count(status(state, drained), percentage=33).describe() == described
    late = count(status(state, drained), status("STARTING", drained), status("DRAIN_NODES", drained))
    assert (late.number is None) is (drained > 0)


def test_nodes_that_need_manual_migration_or_are_gone_count_as_drained() -> None:
    """Neither holds the next batch up."""
    assert count(status("STARTING", 1, manual=1), percentage=33).describe() == "batch 2 of 3"
    gone = count(status("STARTING", 0), status("VALIDATE_DRAIN", 2), status("STARTING", 0, total=4), percentage=33)
    assert gone.describe() == "batch 2 of 3"


def test_states_outside_of_batches_and_empty_answers_change_nothing() -> None:
    """A migration that stops stays in its batch, and a number never falls."""
    stopping = count(status("STARTING", 2), status("STOPPING", 2), status("ERROR", 0, total=0), percentage=33)
    assert stopping.describe() == "batch 2 of 3"
    assert count(status("STARTING", 4), status("STARTING", 0), percentage=33).number == 3
