"""Deadlines, stalls, soaks and outages are kept within one poll, by a clock that takes no time, whatever goes wrong."""

from __future__ import annotations

import itertools
import os
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import pytest
from pulumi.runtime.proto import provider_pb2

from ocean_migration_pulumi.api import sender
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.reconcile import stop
from ocean_migration_pulumi.simulator import Simulator
from tests.faults.cells import Cell, up
from tests.faults.words import FAULTS, reads
from tests.support.plugin import PluginProcess
from tests.support.resource_plugin import Resource, config_of, sent, without_provider

POLL = 60.0 * 1.1
"""Seconds of the cells' longest pause between two polls."""

GOES_ON = "migration {migration} continues in Ocean ({n} of 3 nodes done). `pulumi up` waits for it again."


def began(cell: Cell, **options: Any) -> tuple[Any, Any]:
    """Start a migration that stands still; return its spec and the state of the resource."""
    planned = cell.planned(cell.spec(**options))
    context = cell.up(replace(planned, wait_for="started"))
    cell.control.hold(cell.ocean_id)
    cell.restart()
    return planned, context.state


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in {"token", "deleted"}])
def test_nothing_outlasts_its_deadline(cell: Cell, fault: str) -> None:
    """Neither retries nor the wait for a rate limit: a custom timeout ends a wait, to the second, and an attempt."""
    planned = cell.planned(cell.spec())
    waiting = cell.context(planned, seconds=100.0)
    started = cell.clock.now
    with cell.struck("status", fault):
        line = cell.line(up, waiting)
    words = "the deadline passed after {after}; migration {migration} continues in Ocean (status unknown). "
    assert reads(words + "`pulumi up` waits for it again.", **cell.known(waiting)).fullmatch(line), line
    assert cell.clock.now - started == pytest.approx(100.0)
    cell.restart()
    stopping = cell.context(planned, waiting.state, seconds=20.0)
    with cell.struck("stop", fault):
        assert cell.line(stop.destroy, stopping, "run the command again") != ""
    assert cell.line(stop.destroy, cell.context(planned, stopping.state)) == ""
    assert len(cell.asked_for()) == 1


def test_a_custom_timeout_is_kept_to_the_second(cell: Cell) -> None:
    """And the line says that nothing is lost."""
    spec, state = began(cell)
    context = cell.context(spec, state, seconds=200.0)
    started = cell.clock.now
    line = cell.line(up, context)
    assert reads("the deadline passed after 3m20s; " + GOES_ON, **cell.known(context)).fullmatch(line), line
    assert cell.clock.now - started == pytest.approx(200.0)


@pytest.mark.parametrize("stall", [100.0, 1800.0])
def test_a_stall_is_seen_within_one_poll(cell: Cell, stall: float) -> None:
    """Of a migration that does not move, and never of one that does."""
    spec, state = began(cell, stall_timeout=stall)
    context = cell.context(spec, state)
    started = cell.clock.now
    line = cell.line(up, context)
    assert reads("no progress for {after}; " + GOES_ON, **cell.known(context)).fullmatch(line), line
    assert stall <= cell.clock.now - started <= stall + POLL


@pytest.mark.parametrize("soak", [90.0, 600.0])
def test_a_soak_lasts_as_long_as_it_shall(cell: Cell, soak: float) -> None:
    """Within one poll; an outage in its midst is borne, and what nobody saw of its end is looked at after it."""
    spec = cell.planned(cell.spec(soak_time=soak))
    context = cell.context(spec)
    ended: list[float] = []
    tell = context.reporter.info

    def info(message: str) -> None:
        tell(message)
        if "finished after" in message:
            ended.append(cell.clock.now)
            cell.control.fault("GET", f"*/{cell.ocean_id}/controllerHeartbeat", "500", times=10)

    context.reporter.info = info  # type: ignore[method-assign]  # tells when the soak begins
    assert cell.line(up, context) == ""
    assert soak <= round(cell.clock.now - ended[0], 6) <= soak + POLL
    assert any(line.startswith("no response for ") for line in context.reporter.statuses)
    assert cell.said(context) == []


def test_a_soak_that_hears_nothing_for_long_ends(cell: Cell) -> None:
    """As a wait does; it starts anew with the next run."""
    done = cell.up(cell.planned(cell.spec()))
    spec = replace(done.spec, soak_time=600.0)
    context = cell.context(spec, done.state)
    with cell.struck("heartbeat", "500"):
        line = cell.line(up, context)
    words = "GET /ocean/k8s/cluster/{ocean}/controllerHeartbeat: Spot has an internal error (HTTP 500); "
    words += "migration {migration} is FINISHED; run `pulumi up` again"
    assert reads(words, **cell.known(context)).fullmatch(line), line
    assert cell.line(up, cell.context(spec, context.state)) == ""


def test_an_hour_long_wait_ends_well(cell: Cell) -> None:
    """With a live line at least each minute and no more requests than it needs."""
    spec, state = began(cell, stall_timeout=None)
    context = cell.context(spec, state, seconds=7200.0)
    context.poll_policy = replace(context.poll_policy, poll_interval=15.0)
    said: list[float] = []
    context.reporter.status = lambda message: said.append(cell.clock.now)  # type: ignore[method-assign]  # notes the time
    started = cell.clock.now
    cell.clock.after(3600.0, lambda: cell.control.hold(cell.ocean_id, held=False))
    cell.control.clear_requests()
    assert cell.line(up, context) == ""
    lasted = cell.clock.now - started
    assert lasted > 3600.0
    assert max(later - earlier for earlier, later in itertools.pairwise(said)) <= 60.0
    assert len(cell.control.requests()) <= lasted / 13.5 + 20


@pytest.mark.parametrize("counts", [False, True], ids=["the clock stood still", "the clock went on"])
@pytest.mark.parametrize("meanwhile", ["ended", "still running", "stopped"])
def test_a_suspended_machine_wakes_up_to_what_is(
    cell: Cell, meanwhile: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The world went on for eight hours, the wait's clock did or did not: no deadline, stall or time is told wrong."""
    slept = 8 * 3600.0
    shift = timedelta()

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + shift

    monkeypatch.setattr(sender, "datetime", Wall)
    spec, state = began(cell)
    context = cell.context(spec, state, seconds=(slept if counts else 0.0) + 3000.0)

    def suspend() -> None:
        nonlocal shift
        if meanwhile == "ended":
            cell.control.hold(cell.ocean_id, held=False)
        if meanwhile == "stopped":
            cell.control.hold(cell.ocean_id, held=False)
            cell.control.stop_foreign(cell.ocean_id, state.migrations[0].id)
        cell.control.advance(slept)
        shift = timedelta(seconds=slept)
        if counts:
            cell.clock.now += slept
        cell.control.hold(cell.ocean_id, held=False)

    # Long before the half hour after which a migration stalls.
    cell.clock.after(300.0, suspend)
    started = cell.clock.now
    line = cell.line(up, context)
    if meanwhile == "stopped":
        words = "migration {migration} was stopped by someone else at {time}, {n} of 3 nodes done; nothing is started "
        words += "again until triggers or nodes change"
        words = words.replace("{time}", str(context.state.migrations[0].stopped_at))
        assert reads(words, **cell.known(context)).fullmatch(line), line
    elif meanwhile == "ended" or not counts:
        assert line == ""
    else:
        assert "no progress for 8h" in line
    assert cell.clock.now - started - (slept if counts else 0.0) < 3000.0
    stamps = [parse_time(str(entry["time"])) for entry in context.state.timeline if "time" in entry]
    assert stamps == sorted(stamp for stamp in stamps if stamp is not None)
    assert len(cell.asked_for()) == 1


@pytest.mark.skipif("OCEAN_MIGRATION_LONG_TESTS" not in os.environ, reason="waits for more than 200 real seconds")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_wait_of_more_than_200_seconds_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the real plugin, without any trick of a clock: a dynamic provider was once said to hang after 180 s."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with Simulator(nodes=6, speed=10_000) as sim, PluginProcess() as plugin:
        plugin.configure(config_of(sim) | {"ocean-migration:pollInterval": "15"})
        web = Resource(plugin)
        inputs = web.checked(ocean_id=sim.ocean_id, nodes={"asg_names": ["web"]})
        sim.control.hold(sim.ocean_id)
        release = threading.Timer(215.0, lambda: sim.control.hold(sim.ocean_id, held=False))
        release.start()
        started = time.monotonic()
        answer = plugin.stub.Create(provider_pb2.CreateRequest(urn=web.urn, properties=sent(inputs)), timeout=400)
        assert time.monotonic() - started > 200.0
        assert without_provider(answer.properties)["succeeded"] is True
        release.join()
