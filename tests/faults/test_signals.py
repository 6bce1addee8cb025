"""Signals and cancellations where they come from: the engine, a CI system, and the keyboard of the command."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import Terminal
from tests.cli.test_watch import begin
from tests.faults.cells import Requests, polled, struck
from tests.faults.words import reads
from tests.scenarios.driver import Driver
from tests.scenarios.moments import UNANSWERED, up_again
from tests.scenarios.scene import Scene
from tests.scenarios.support import assert_done, assert_moved_once, assert_no_orphans
from tests.support.plugin import PluginProcess, init_failure_of
from tests.support.resource_plugin import Resource, config_of, message_of, sent, without_provider
from tests.support.timing import PATIENCE, SOON, ends_soon, until

WEB: Final = {"asg_names": ["web"]}


def wait_for(sim: Simulator, waits: Callable[[Requests], bool], since: int = 0) -> None:
    """Return as soon as the requests tell that somebody waits."""
    until(lambda: waits(sim.control.requests(since=since)))


@pytest.fixture
def sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Run a simulator on which nothing moves by itself, and hide this machine's own access."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with Simulator(nodes=6) as sim:
        sim.control.clock(manual=True)
        yield sim


@pytest.mark.parametrize(
    ("method", "route", "kind"), [("GET", "*/migration/owm-*", "429"), ("POST", "*/migration", "slow")]
)
def test_cancel_ends_a_create_that_waits_for_the_service(sim: Simulator, method: str, route: str, kind: str) -> None:
    """Of the real plugin: a rate limit's pause and an unanswered start; the id of the resource is saved, and more."""
    with PluginProcess() as plugin:
        plugin.configure(config_of(sim))
        web = Resource(plugin)
        inputs = web.checked(ocean_id=sim.ocean_id, nodes=WEB)
        sim.control.fault(method, route, kind, seconds=PATIENCE, times=100)
        future = plugin.stub.Create.future(
            provider_pb2.CreateRequest(urn=web.urn, properties=sent(inputs)), timeout=2 * PATIENCE
        )
        wait_for(sim, struck)
        with ends_soon():
            plugin.cancel()
            with pytest.raises(grpc.RpcError) as caught:
                future.result()
    failure = init_failure_of(caught.value)
    assert failure.id == f"{sim.ocean_id}/web"
    outputs = without_provider(failure.properties)
    (migration,) = sim.control.migrations(sim.ocean_id)
    if method == "POST":
        assert "it may have started" in message_of(caught.value)
        assert sorted(outputs["unanswered_start"]["instance_ids"]) == sorted(outputs["planned_nodes"])
    else:
        assert f"migration {migration['id']} continues in Ocean" in message_of(caught.value)
        assert outputs["migration_id"] == migration["id"]


def test_cancel_ends_a_delete_that_waits_for_the_service(sim: Simulator) -> None:
    """It ends as a failure, so that the resource stays in the state until its migration is known to have stopped."""
    with PluginProcess() as plugin, PluginProcess() as later:
        for each in (plugin, later):
            each.configure(config_of(sim))
        web = Resource(plugin)
        web.create(ocean_id=sim.ocean_id, nodes=WEB, wait_for="started")
        sim.control.fault("PUT", "*/migration/*", "429", seconds=PATIENCE)
        request = provider_pb2.DeleteRequest(id=web.id, urn=web.urn, properties=sent(web.outputs))
        mark = sim.control.requests()[-1]["n"]
        future = later.stub.Delete.future(request, timeout=2 * PATIENCE)
        wait_for(sim, struck, mark)
        with ends_soon():
            later.cancel()
            with pytest.raises(grpc.RpcError) as caught:
                future.result()
    words = "interrupted while migration {migration} was asked to stop; run it again to wait for the end"
    assert reads(words, migration=web.outputs["migration_id"]).fullmatch(message_of(caught.value))


def test_a_cancelled_ci_job_loses_nothing(driver: Driver) -> None:
    """SIGINT, then SIGTERM and SIGKILL while it ends: the first has all saved, and nobody waits for the answer."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        with UNANSWERED.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            with ends_soon():
                running.interrupt()
                until(lambda: driver.resource("web") or not running.alive)
                if running.alive:
                    running.terminate()
                    running.kill_all()
                running.wait()
        assert_no_orphans(running)
        assert driver.pending_operations() == []
        assert scene.outputs()["unanswered_start"]["instance_ids"] == scene.asg()
        driver.cancel()  # who was killed has left its lock
        up_again(scene)
        assert_moved_once(scene.simulator, scene.asg())
        assert [each["origin"] for each in assert_done(driver, scene.asg())["migrations"]] == ["started"]


@contextmanager
def signalled(
    terminal: Terminal, number: signal.Signals, waits: Callable[[Requests], bool] = struck
) -> Iterator[list[float]]:
    """Send a signal to this process as soon as the requests tell that a command waits; yield when that was."""
    at: list[float] = []
    mark = max((entry["n"] for entry in terminal.sim.control.requests()), default=0)

    def send() -> None:
        wait_for(terminal.sim, waits, mark)
        at.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident or 0, number)

    # The command restores what was there before it: that must be nobody whom a late signal ends.
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, lambda *_: None) for each in ends}
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield at
    finally:
        thread.join()
        for each, handler in before.items():
            signal.signal(each, handler)


GOES_ON: Final = "Interrupted; migration {migration} continues in Ocean. To stop it: `ocean-migration stop {migration} "
COMMANDS: Final = {
    "wait": ("wait", signal.SIGINT, None, 8, GOES_ON + "--cluster {ocean}`"),
    "wait, rate limit": (
        "wait",
        signal.SIGTERM,
        ("GET", "*/migration/owm-*", "429"),
        8,
        GOES_ON + "--cluster {ocean}`",
    ),
    "wait, closed terminal": ("wait", signal.SIGHUP, None, 8, GOES_ON + "--cluster {ocean}`"),
    "watch, closed terminal": ("watch", signal.SIGHUP, None, 8, GOES_ON + "--cluster {ocean}`"),
    "watch": ("watch", signal.SIGTERM, None, 8, GOES_ON + "--cluster {ocean}`"),
    "watch, silence": (
        "watch",
        signal.SIGINT,
        ("GET", "*/migration/owm-*", "silence"),
        8,
        GOES_ON + "--cluster {ocean}`",
    ),
    "status, silence": ("status", signal.SIGINT, ("GET", "*/migration/owm-*", "silence"), 8, "Error: interrupted"),
    "stop": (
        "stop",
        signal.SIGTERM,
        None,
        8,
        "Error: interrupted while migration {migration} was stopping (0 of 5 nodes done); run it again to wait for the "
        "end",
    ),
    "stop, no answer": (
        "stop",
        signal.SIGINT,
        ("PUT", "*/migration/owm-*", "slow"),
        8,
        "Error: interrupted while migration {migration} was asked to stop; run it again to wait for the end",
    ),
    "logs": ("logs --follow", signal.SIGTERM, None, 0, ""),
}
"""What is run, the signal, the fault in its way (None: none), the exit status and the last line."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_ends_a_command_that_waits(terminal: Terminal, name: str) -> None:
    """With one line and the exit status that says so; the migration goes on."""
    command, number, fault, status, words = COMMANDS[name]
    migration_id = begin(terminal)
    if fault is not None:
        terminal.sim.control.fault(*fault, seconds=PATIENCE, times=100)
    with signalled(terminal, number, polled if fault is None else struck) as at:
        result = terminal.run(*command.split())
        assert time.monotonic() - at[0] < SOON
    assert result.exit_code == status, result.output
    line = result.stderr.splitlines()[-1] if words else ""
    assert reads(words, migration=migration_id, ocean=terminal.ocean_id).fullmatch(line), result.stderr
    (migration,) = terminal.sim.control.migrations(terminal.ocean_id)
    assert migration["state"] in {"STARTING", "STOPPING"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_start(terminal: Terminal, number: signal.Signals) -> None:
    """Whose answer is on its way: nobody starts another one without a look."""
    terminal.sim.control.fault("POST", "*/migration", "slow", seconds=PATIENCE)
    with signalled(terminal, number) as at:
        result = terminal.run("start", "--all-nodes", "--yes")
        assert time.monotonic() - at[0] < SOON
    assert result.exit_code == 4, result.output
    words = (
        "Error: the response to the start of a migration of 5 nodes was lost (interrupted), and no such migration "
        "is listed yet: "
    )
    words += "it may have started. Check `ocean-migration history` before you start another one. [migration-error]"
    assert result.stderr.splitlines()[-1] == words
    assert len(terminal.sim.control.migrations(terminal.ocean_id)) == 1


def test_a_signal_ends_the_wait_after_a_start(terminal: Terminal) -> None:
    """The line of the start has told the id before."""
    with signalled(terminal, signal.SIGTERM, polled) as at:
        result = terminal.run("start", "--all-nodes", "--yes", "--wait")
        assert time.monotonic() - at[0] < SOON
    assert result.exit_code == 8, result.output
    (migration,) = terminal.sim.control.migrations(terminal.ocean_id)
    assert f"Migration {migration['id']} started" in result.stdout
    assert f"Interrupted; migration {migration['id']} continues in Ocean" in result.stderr.splitlines()[-1]
