"""The migrations of a cluster, and how each ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ocean_migration_pulumi.errors import InterruptedWaitError
from ocean_migration_pulumi.migration.diagnosis.history import MigrationHistory, read_history
from tests.migration.stage import Stage


def _read(stage: Stage, most: int | None = None) -> MigrationHistory:
    return read_history(stage.client, stage.scope(), stage.ocean_id, most=most)


def _failing(stage: Stage, reason: str) -> str:
    """Let a migration of one node fail, and return its id."""
    stage.control.arm_failure(stage.ocean_id, reason)
    made = stage.client.create_migration(
        stage.ocean_id,
        [stage.ids("web")[0]],
        batch_size_percentage=50,
        should_terminate_drained_nodes=False,
        should_evict_stand_alone_pods=False,
        force_pod_eviction_on_pdb_failure=False,
    )
    stage.control.advance(3600)
    return made


def test_empty_history(stage: Stage) -> None:
    """There was none."""
    assert _read(stage) == MigrationHistory()


def test_each_failure_has_the_reason_of_its_own_time(stage: Stage) -> None:
    """From one look at the log for all of them."""
    failed = [_failing(stage, "instances"), _failing(stage, "connectivity"), _failing(stage, "timeout")]
    stage.control.clear_requests()
    found = _read(stage)
    assert [(past.id, past.reason) for past in found.migrations] == [
        (failed[2], "timeout"),
        (failed[1], "connectivity"),
        (failed[0], "instances"),
    ]
    assert [past.outcome for past in found.migrations] == [
        "failed: timeout",
        "failed: connectivity",
        "failed: instances",
    ]
    assert found.notes == ()
    assert sum(request["path"].endswith("/log") for request in stage.requests("GET")) == 1


def test_leftovers_are_told(stages: Callable[..., Stage]) -> None:
    """With the nodes that somebody has to look at, the time it took and the flags."""
    stage = stages("stand-alone-pods")
    stage.up(stage.planned(stage.spec(should_terminate_drained_nodes=True)))
    (past,) = _read(stage).migrations
    assert (past.state, past.outcome, past.reason) == ("FINISHED", "finished, pods left on 3 nodes", "")
    assert (past.done, past.total) == (3, 6)
    assert (past.should_terminate_drained_nodes, past.should_evict_stand_alone_pods) == (True, False)
    assert past.seconds is not None
    assert past.seconds > 0
    assert past.ended_at is not None


def test_a_status_that_is_gone_leaves_what_the_list_tells(stage: Stage) -> None:
    """Whether the service says that there is none, or refuses the question."""
    older, newer = _failing(stage, "instances"), _failing(stage, "instances")
    stage.control.fault("GET", f"*/{newer}", "status", status=400, times=1)
    stage.control.fault("GET", f"*/{older}", "status", status=404, times=1)
    found = _read(stage)
    assert [(past.id, past.outcome, past.total, past.reason) for past in found.migrations] == [
        (newer, "failed", None, ""),
        (older, "failed", None, ""),
    ]
    assert found.notes == (f"the service lists 2 migrations without a status: {newer}, {older}",)


def test_only_the_newest_are_asked_for_one_by_one(stage: Stage) -> None:
    """Of the others the list tells the state; whoever runs is told so."""
    older = _failing(stage, "instances")
    stage.control.hold(stage.ocean_id)
    newer = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.control.clear_requests()
    found = _read(stage, most=1)
    assert [(past.id, past.outcome) for past in found.migrations] == [
        (newer, "runs: prepares the next batch"),
        (older, "failed"),
    ]
    assert found.notes == ("only the newest 1 of 2 migrations were asked for their status",)
    assert len(stage.requests("GET")) == 2
    (running, _) = _read(stage, most=0).migrations
    assert running.outcome == "runs: prepares the next batch"
    assert running.seconds is None


def test_a_log_that_cannot_be_read_leaves_the_reasons_open(stage: Stage) -> None:
    """With a note that says why."""
    _failing(stage, "instances")
    stage.control.fault("GET", "*/log", "403", times=1)
    found = _read(stage)
    assert [(past.outcome, past.reason) for past in found.migrations] == [("failed", "")]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("why migrations failed stands in Ocean's log, which could not be read: ")


def test_a_log_that_is_too_long_leaves_the_oldest_reasons_open(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not told to be unknown, as the log may well tell them."""
    older = _failing(stage, "instances")
    monkeypatch.setattr("ocean_migration_pulumi.migration.diagnosis.history.MAX_LINES", 3)
    newer = _failing(stage, "timeout")
    found = _read(stage)
    assert [(past.id, past.outcome) for past in found.migrations] == [(newer, "failed: timeout"), (older, "failed")]
    assert found.notes == (
        f"the log holds more than one question returns; `ocean-migration explain` tells why {older} failed",
    )


def test_an_interruption_ends_it(stage: Stage) -> None:
    """Although a log that cannot be read is no hindrance otherwise."""
    _failing(stage, "instances")
    scope = stage.scope()
    stage.control.fault("GET", "*/log", "503", times=1)
    stage.clock.after(0, scope.ended.set)
    with pytest.raises(InterruptedWaitError):
        read_history(stage.client, scope, stage.ocean_id)
