"""History of a cluster: its migrations and how each ended."""

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
    """The cluster never had a migration."""
    assert _read(stage) == MigrationHistory()


def test_every_failure_has_the_reason_of_its_own_period(stage: Stage) -> None:
    """One request reads the log for all of them."""
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


def test_leftovers_are_part_of_the_outcome(stages: Callable[..., Stage]) -> None:
    """The entry has the nodes with leftovers, the duration and the flags."""
    stage = stages("stand-alone-pods")
    stage.up(stage.planned(stage.spec(should_terminate_drained_nodes=True)))
    (past,) = _read(stage).migrations
    assert (past.state, past.outcome, past.reason) == ("FINISHED", "finished, pods left on 3 nodes", "")
    assert (past.done, past.total) == (3, 6)
    assert (past.should_terminate_drained_nodes, past.should_evict_stand_alone_pods) == (True, False)
    assert past.seconds is not None
    assert past.seconds > 0
    assert past.ended_at is not None


def test_migration_without_a_status_has_the_facts_of_the_list(stage: Stage) -> None:
    """The service answers with 404, or refuses the request."""
    older, newer = _failing(stage, "instances"), _failing(stage, "instances")
    stage.control.fault("GET", f"*/{newer}", "status", status=400, times=1)
    stage.control.fault("GET", f"*/{older}", "status", status=404, times=1)
    found = _read(stage)
    assert [(past.id, past.outcome, past.total, past.reason) for past in found.migrations] == [
        (newer, "failed", None, ""),
        (older, "failed", None, ""),
    ]
    assert found.notes == (f"no status for 2 listed migrations: {newer}, {older}",)


def test_only_the_newest_are_read_in_detail(stage: Stage) -> None:
    """The others have the state of the list, running ones included."""
    older = _failing(stage, "instances")
    stage.control.hold(stage.ocean_id)
    newer = stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.control.clear_requests()
    found = _read(stage, most=1)
    assert [(past.id, past.outcome) for past in found.migrations] == [
        (newer, "running: preparing the next batch"),
        (older, "failed"),
    ]
    assert found.notes == ("details of the newest 1 of 2 migrations only; use --all for the rest",)
    assert len(stage.requests("GET")) == 2
    (running, _) = _read(stage, most=0).migrations
    assert running.outcome == "running: preparing the next batch"
    assert running.seconds is None


def test_reasons_are_unknown_if_the_log_cannot_be_read(stage: Stage) -> None:
    """A note has the error."""
    _failing(stage, "instances")
    stage.control.fault("GET", "*/log", "403", times=1)
    found = _read(stage)
    assert [(past.outcome, past.reason) for past in found.migrations] == [("failed", "")]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("reasons of failures unknown, could not read Ocean's log: ")


def test_oldest_reasons_are_unknown_if_the_log_is_too_long(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note names the migrations, as the rest of the log may have their reasons."""
    older = _failing(stage, "instances")
    monkeypatch.setattr("ocean_migration_pulumi.migration.diagnosis.history.MAX_LINES", 3)
    newer = _failing(stage, "timeout")
    found = _read(stage)
    assert [(past.id, past.outcome) for past in found.migrations] == [(newer, "failed: timeout"), (older, "failed")]
    assert found.notes == (f"the log is too long for one request; `ocean-migration explain` shows why {older} failed",)


def test_interruption_ends_the_reading(stage: Stage) -> None:
    """A log that cannot be read for another reason is only noted."""
    _failing(stage, "instances")
    scope = stage.scope()
    stage.control.fault("GET", "*/log", "503", times=1)
    stage.clock.after(0, scope.ended.set)
    with pytest.raises(InterruptedWaitError):
        read_history(stage.client, scope, stage.ocean_id)
