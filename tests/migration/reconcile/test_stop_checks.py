"""A check of ``stop_when`` that fails stops a migration; it needs no access to Kubernetes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ocean_migration_pulumi.api.responses import ApiResponse
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, InterruptedWaitError, MigrationStoppedError
from ocean_migration_pulumi.migration.spec.stop_conditions import read_stop_conditions
from tests.migration.stage import Stage

URL = "https://shop.example/health"


class Shop:
    """A URL whose answers a test chooses; each look lets its thread end before the next poll."""

    def __init__(self, stage: Stage, says: Callable[[bool], int]) -> None:
        self.stage = stage
        self.says = says
        self.asked = 0

    def __call__(self, url: str, scope: CancelScope) -> ApiResponse:
        """Answer, by whether a node is drained."""
        self.asked += 1
        drained = any(each["drained"] for each in self.stage.migrations())
        return ApiResponse(status=self.says(drained), headers={}, body=b"")


def prepare(stage: Stage, says: Callable[[bool], int], **check: Any) -> tuple[Any, Shop]:
    """Return a plan that a URL stops, and the URL."""
    conditions = read_stop_conditions(
        "stop_when", {"http_checks": [{"url": f"{URL}?key=canary", "for": "2m", **check}]}
    )
    shop = Shop(stage, says)
    return stage.planned(stage.spec(nodes={"all_nodes": True}, stop_when=conditions, batch_size_percentage=10)), shop


@pytest.fixture(autouse=True)
def _threads_keep_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each sleep a moment: the simulated time runs ahead of real threads."""
    wait = CancelScope.sleep

    def sleep(self: CancelScope, seconds: float) -> None:
        wait(self, seconds)
        time.sleep(0.05)

    monkeypatch.setattr(CancelScope, "sleep", sleep)


def test_url_that_fails_stops_the_migration(stage: Stage) -> None:
    """The record says which, no text has its query, and the next run starts nothing."""
    spec, shop = prepare(stage, lambda drained: 503 if drained else 200)
    context, message = stage.fails(MigrationStoppedError, spec, probe=shop)
    assert f"was stopped because HTTP check {URL} failed for " in message
    assert "responds with 503 instead of 200" in message
    assert any(f"Watching {URL}: the migration is stopped" in line for line in context.reporter.infos)
    (record,) = context.state.migrations
    assert (record.stopped_by, record.status, record.passed_checks) == ("brake", "STOPPED", [URL])
    assert record.stop_cause is not None
    assert (record.stop_cause["check"], record.stop_cause["workloads"]) == (URL, [])
    (stop,) = stage.requests("PUT")
    assert stop["body"]["migration"]["shouldTerminateDrainedNodes"] is False
    assert context.state.remaining
    told = str([record.to_output(), message, context.reporter.infos, context.state.failure])
    assert "canary" not in told
    _, message = stage.fails(MigrationStoppedError, spec, context.state, probe=shop)
    assert f"was stopped because HTTP check {URL} failed" in message
    assert stage.writes() == 2


@pytest.mark.parametrize("says", [lambda drained: 503, lambda drained: 200], ids=["failed before", "passes"])
def test_url_that_failed_before_or_passes_stops_nothing(stage: Stage, says: Callable[[bool], int]) -> None:
    """The migration has not broken it, which the run says."""
    spec, shop = prepare(stage, says)
    context = stage.up(spec, probe=shop)
    assert context.state.succeeded
    assert not stage.requests("PUT")
    assert shop.asked > 3
    warned = [line for line in context.reporter.warnings if line.startswith("Not watched before it passes: ")]
    assert bool(warned) is (says(False) == 503)


def test_resumed_run_knows_what_passed_before_the_start(stage: Stage) -> None:
    """It is in the record of the migration: the URL fails whenever the second run looks."""
    spec, shop = prepare(stage, lambda drained: 503 if stage.migrations() else 200)
    stage.clock.after(60.0, stage.ended.set)
    context, _ = stage.fails(InterruptedWaitError, spec, probe=shop)
    assert context.state.migrations[0].stopped_by is None
    stage.restart()
    _, message = stage.fails(MigrationStoppedError, spec, context.state, probe=shop)
    assert f"HTTP check {URL} failed" in message


@pytest.mark.parametrize("goes_on", [True, False], ids=["still stopping", "stopped meanwhile"])
def test_stop_whose_end_an_earlier_run_did_not_see_is_still_that_of_the_brake(stage: Stage, goes_on: bool) -> None:
    """The deadline passed while it was waited for; the next run names the cause, and starts nothing."""
    looks = 0

    def says(drained: bool) -> int:
        nonlocal looks
        looks += drained
        if looks == 3:
            stage.control.hold(stage.ocean_id)
        return 503 if drained else 200

    spec, shop = prepare(stage, says)
    context, message = stage.fails(DeadlineError, spec, probe=shop, seconds=1800.0)
    assert "was stopping" in message
    (record,) = context.state.migrations
    assert (record.stopped_by, record.status) == ("brake", "STOPPING")
    stage.control.hold(stage.ocean_id, False)
    if not goes_on:
        stage.clock.scope().sleep(600.0)
    stage.restart()
    writes = stage.writes()
    context, message = stage.fails(MigrationStoppedError, spec, context.state, probe=shop)
    assert f"was stopped because HTTP check {URL} failed" in message
    assert context.state.migrations[0].stopped_by == "brake"
    assert context.state.failure is not None
    assert stage.writes() == writes


def test_migration_that_finished_before_the_stop_reached_it_was_not_stopped(stage: Stage) -> None:
    """The record does not say that the brake has stopped it, so nothing is held back."""
    spec, shop = prepare(stage, lambda drained: 200)
    context = stage.up(spec, probe=shop)
    (record,) = context.state.migrations
    record.stopped_by, record.stop_cause = "brake", {"cause": "image"}
    context.settle(record, context.fetch_status(record.id))
    assert (record.stopped_by, record.stop_cause) == (None, None)
