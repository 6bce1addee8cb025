"""Each endpoint times each fault: one line that says what happened, to which id and what to do; and no second start."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from itertools import product
from typing import Self

import pytest

from ocean_migration_pulumi.api import sender
from ocean_migration_pulumi.errors import (
    AuthenticationError,
    DeadlineError,
    InterruptedWaitError,
    MigrationFailedError,
    NoAnswerError,
    PlanError,
)
from ocean_migration_pulumi.migration.diagnosis import failure_reasons
from ocean_migration_pulumi.migration.planning.text.findings_text import render_line
from ocean_migration_pulumi.migration.reconcile import stop
from ocean_migration_pulumi.migration.reconcile.waiter import restate
from ocean_migration_pulumi.migration.spec.diagnostic import Severity
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.simulator import Simulator
from tests.faults.cells import EVER, Cell, up
from tests.faults.words import CALLS, FAULTS, LASTING, NOTHING, PASSING, PREVIEW, expected, reads
from tests.migration.stage import Stage
from tests.support.sampling import slow_unless

TAKEN_AWAY = ("token", "deleted")


def in_test(endpoint: str, fault: str) -> bool:
    """Tell whether a cell is one of each row and column that are always seen."""
    return endpoint in {"create", "status"} or fault in {"500", *TAKEN_AWAY}


RUN_AGAIN = "run the command again"


def strike(cells: Callable[..., Cell], endpoint: str, fault: str, words: str, times: int = EVER) -> None:
    """Strike an endpoint of an `up` (a stop's of a destroy), read how it ends, and see the next run do the rest."""
    cell = cells("failure-timeout" if endpoint == "log" else "success")
    planned = cell.planned(cell.spec())
    # Only the wait itself needs a long one.
    spec = planned if endpoint in {"status", "log"} else replace(planned, wait_for="started")
    before = cell.up(spec).state if endpoint == "stop" else None
    cell.restart()
    context = cell.context(spec, before)
    with cell.struck(endpoint, fault, times):
        line = cell.line(stop.destroy, context, RUN_AGAIN) if endpoint == "stop" else cell.line(up, context)
    assert reads(words, **cell.known(context)).fullmatch(line), line
    if words == NOTHING and endpoint != "create":
        assert cell.said(context) == []
    saved = {run.id for run in context.state.migrations}
    if fault == "deleted":
        assert cell.line(stop.destroy, cell.context(spec, context.state)) == NOTHING
        return
    assert context.state.unanswered is not None or saved == {migration["id"] for migration in cell.migrations()}
    assert len(cell.asked_for()) == len(cell.migrations()) <= 1
    if line == NOTHING:
        return
    cell.restart()
    if endpoint == "stop":
        assert cell.line(stop.destroy, cell.context(spec, context.state)) == NOTHING
        assert [migration["state"] for migration in cell.migrations()] == ["STOPPED"]
    else:
        known = context.state if saved or context.state.unanswered else None
        assert cell.line(up, cell.context(spec, known)) == NOTHING
        # Of what had failed the rest is started.
        assert len(cell.asked_for()) == (2 if endpoint == "log" else 1)


@pytest.mark.parametrize(("endpoint", "fault"), slow_unless(in_test, product(CALLS, FAULTS)))
def test_a_fault_that_lasts_ends_the_run_in_one_line(cells: Callable[..., Cell], endpoint: str, fault: str) -> None:
    """Whatever was started is saved, and the next run goes on without another start."""
    strike(cells, endpoint, fault, expected(LASTING, endpoint, fault))


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    slow_unless(in_test, product(CALLS, [fault for fault in FAULTS if fault not in TAKEN_AWAY])),
)
def test_a_fault_that_passes_is_no_matter(cells: Callable[..., Cell], endpoint: str, fault: str) -> None:
    """It is not even told, but where nobody knows whether a start had its effect, or whether the fault will pass."""
    strike(cells, endpoint, fault, expected(PASSING, endpoint, fault), times=1)


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    # All is asked at once: what is taken away is missed by others than the nodes, which a preview can do without.
    slow_unless(
        lambda endpoint, fault: endpoint == "discovery" or in_test(endpoint, fault),
        [each for each in product(PREVIEW, FAULTS) if each[0] != "nodes" or each[1] not in TAKEN_AWAY],
    ),
)
def test_a_preview_tells_what_it_could_not_ask(cell: Cell, endpoint: str, fault: str) -> None:
    """In one warning; a token that is refused and a cluster that is gone are mistakes, and fail it."""
    words = reads(expected(PREVIEW, endpoint, fault), **cell.known())
    started = cell.clock.now
    with cell.struck(endpoint, fault):
        if fault == "token":
            with pytest.raises(AuthenticationError) as refused:
                cell.preview(cell.spec())
            assert words.fullmatch(str(refused.value))
            return
        found = cell.preview(cell.spec())
    assert cell.clock.now - started <= 5.0
    warnings = [render_line(each) for each in found.diagnostics if each.severity is not Severity.INFO]
    (line,) = [line for line in (*warnings, *map(str, found.problems)) if "No access to Kubernetes" not in line]
    assert words.fullmatch(line), line
    assert (found.planned is not None) == (endpoint == "nodes")
    assert cell.requests("POST") == []


@pytest.mark.parametrize("minutes", [-45, -5, 5, 45])
def test_a_server_whose_clock_is_off_is_no_matter(minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of the service are compared with its own: a whole life, in which every endpoint is asked."""

    class Local(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(minutes=minutes)

    monkeypatch.setattr(sender, "datetime", Local)
    with ExitStack() as stack:
        sim = stack.enter_context(Simulator(nodes=3, scenario="failure-timeout"))
        stage = Stage(sim)
        stack.callback(stage.client.close)
        stage.control.write_log(stage.ocean_id, "Ocean has connectivity issues.", severity="ERROR", age_seconds=60)
        planned = stage.planned(stage.spec())
        context = stage.context(planned)
        with pytest.raises(MigrationFailedError) as failed:
            up(context)
        words = reads(expected(PASSING, "log", "clock"), migration=context.state.migrations[0].id)
        assert words.fullmatch(str(failed.value)), str(failed.value)
        stage.restart()
        again = stage.up(planned, context.state)
        assert again.state.succeeded
        stage.control.add_node(stage.ocean_id, "web")
        stage.restart()
        wider = stage.planned(replace(planned, planned_nodes=None, triggers=("again",), wait_for="started"), planned)
        last = stage.up(wider, again.state)
        stage.restart()
        ending = stage.context(wider, last.state)
        stop.destroy(ending)
        assert stage.migrations()[-1]["state"] == "STOPPED"
        lines = [line for each in (context, again, last, ending) for line in each.reporter.warnings]
        assert [line for line in lines if "No access to Kubernetes" not in line] == []
        asked = {(request["method"], request["route"]) for request in stage.control.requests()}
        assert len(asked) == len(CALLS)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "nothing was started; run `pulumi up` again"),
        (
            [MigrationRecord(id="owm-1", status="DRAIN_NODES")],
            "migration owm-1 continues in Ocean. `pulumi up` waits for it again",
        ),
        ([MigrationRecord(id="owm-1", status="FINISHED")], "migration owm-1 is FINISHED; run `pulumi up` again"),
        ([MigrationRecord(id="owm-1", lost=True)], "migration owm-1 is no longer listed; run `pulumi up` again"),
    ],
)
def test_a_run_that_was_cut_short_tells_how_things_stand(runs: list[MigrationRecord], words: str) -> None:
    """After an outage, and after an end that nobody who waits has put into words; other errors know by themselves."""
    remedy = failure_reasons.describe_interruption(ResourceState(migrations=runs))
    assert remedy == words
    assert failure_reasons.describe_failure(NoAnswerError("down"), remedy) == f"down; {words}"
    assert failure_reasons.describe_failure(InterruptedWaitError("interrupted"), remedy) == f"interrupted; {words}"
    late = restate(DeadlineError("late"), "late while migration owm-2 was stopping", "owm-2")
    assert failure_reasons.describe_failure(late, remedy) == "late while migration owm-2 was stopping"
    assert failure_reasons.describe_failure(PlanError("no"), remedy) == "no"
    assert failure_reasons.make_failure_output(NoAnswerError("down"), remedy)["message"] == f"down; {words}"
