"""Lines to the engine, and the end of the plugin with it."""

from __future__ import annotations

from concurrent import futures
from pathlib import Path

import pytest
from pulumi.runtime.proto import engine_pb2

from ocean_migration_pulumi.host.engine import Engine, StatusLine
from tests.support.fake_engine import FakeEngine
from tests.support.host_changes import OTHER_THREAD, both, context_without
from tests.support.plugin import URN, PluginProcess, plain
from tests.support.probe_provider import LateProbe, Probe
from tests.support.timing import SOON, until


def test_lines_reach_the_engine_in_the_resources_row(plugin: PluginProcess) -> None:
    """Each line arrives with its severity, the resource's URN, and as live status or as one that stays."""
    plugin.check({}, Probe())
    plugin.create({"do": "log"}, Probe())
    until(lambda: len(plugin.engine.lines) == 5)
    lines = {(line.severity, line.message, line.urn, line.ephemeral) for line in plugin.engine.lines}
    lasting = [line.message for line in plugin.engine.lines if not line.ephemeral]
    assert lines == {
        (engine_pb2.WARNING, "checked", URN, False),
        (engine_pb2.INFO, "started", URN, False),
        (engine_pb2.INFO, "1/16 nodes", URN, True),
        (engine_pb2.WARNING, "a pod blocks", URN, False),
        (engine_pb2.ERROR, "two pods block", URN, False),
    }
    assert lasting == ["checked", "started", "a pod blocks", "two pods block"]


def test_burst_of_status_lines_ends_with_the_last_and_repeats_none(plugin: PluginProcess) -> None:
    """Status lines in quick succession cost the wait next to nothing; the last one always arrives."""
    took = plain(plugin.create({"do": "burst", "lines": 2000}, Probe()).properties)["took"]
    until(lambda: plugin.engine.lines and plugin.engine.lines[-1].message == "all done")
    messages = [line.message for line in plugin.engine.lines]
    assert took < SOON
    assert len(set(messages)) == len(messages) <= 1001


def test_engine_that_does_not_answer_holds_up_nothing() -> None:
    """A suspended engine costs status lines no time, and a line that stays two seconds."""
    with PluginProcess() as plugin:
        plugin.engine.released.clear()
        assert plain(plugin.create({"do": "burst", "lines": 2000}, Probe()).properties)["took"] < SOON
        assert plain(plugin.create({"do": "info"}, Probe()).properties)["took"] < SOON


def test_address_is_found_behind_the_flags_of_the_engines_log() -> None:
    """With `--logflow` the engine puts flags before its address."""
    with PluginProcess() as first:
        with PluginProcess(arguments=("--logtostderr", "-v=9", first.address)) as plugin:
            plugin.create({"do": "log"}, Probe())
        assert "started" in [line.message for line in first.engine.lines]


@pytest.mark.parametrize("arguments", [(), ("127.0.0.1",), ("127.0.0.1:1",)], ids=["none", "no-port", "nobody"])
def test_plugin_without_an_engine_to_reach_works_in_silence(arguments: tuple[str, ...]) -> None:
    """Lines go nowhere, and an engine that was never there is not taken for one that died."""
    with PluginProcess(arguments=arguments) as plugin:
        plugin.create({"do": "log"}, Probe())
        plugin.create({"do": "wait", "seconds": 1.5}, Probe())
        assert plugin.process.poll() is None
        assert plugin.engine.lines == []


def test_killed_engine_stops_all_writes_and_the_plugin(tmp_path: Path) -> None:
    """When the engine is killed in the middle of a Create, the provider learns it while the process still runs."""
    writes = tmp_path / "writes"
    with FakeEngine() as engine, PluginProcess(address=engine.address) as plugin:
        engine.create(plugin.port, {"do": "write", "file": str(writes)})
        until(writes.exists)
        engine.kill()
        plugin.process.wait(SOON)
    told = writes.read_text().splitlines()
    assert told == ["wanted"] * (len(told) - 1) + ["no longer"]


def test_idle_plugin_ends_with_its_engine() -> None:
    """A plugin that has nothing to do notices as well."""
    with PluginProcess() as plugin:
        plugin.create({"do": "see"}, Probe())
        plugin.kill_engine()
        assert plugin.process.wait(SOON) == 0


def test_plugin_whose_engine_died_while_the_provider_was_loaded_ends(tmp_path: Path) -> None:
    """The engine may be dead before anybody watches it: then the RPC that loads the provider is over as well."""
    with FakeEngine() as engine, PluginProcess(address=engine.address) as plugin:
        engine.create(plugin.port, {"do": "see"}, LateProbe(tmp_path / "loading"))
        until((tmp_path / "loading").exists)
        engine.kill()
        (tmp_path / "loading").unlink()
        assert plugin.process.wait(SOON) == 0


def test_plugin_ends_with_its_engine_when_no_context_tells(tmp_path: Path) -> None:
    """Where the RPC's context says nothing, the engine's silence ends the process all the same."""
    mute = both(context_without("add_callback"), context_without("is_active"))
    with FakeEngine() as engine, PluginProcess(address=engine.address, **mute) as plugin:
        engine.create(plugin.port, {"do": "write", "file": str(tmp_path / "writes")})
        until((tmp_path / "writes").exists)
        engine.kill()
        plugin.process.wait(SOON)


def test_plugin_that_cannot_look_into_its_host_does_not_watch_the_engine() -> None:
    """Without the internals the process stays, as the host's own does: whoever started it ends it."""
    with PluginProcess(**OTHER_THREAD) as plugin:
        plugin.create({"do": "see"}, Probe())
        plugin.stop_engine()
        plugin.create({"do": "wait", "seconds": 1.5}, Probe())
        assert plugin.process.poll() is None


def test_plugin_outlives_a_broken_connection_and_still_notices_the_end() -> None:
    """An engine that drops the connection but lives is no dead one; its later death is noticed."""
    with PluginProcess() as plugin:
        plugin.create({"do": "log"}, Probe())
        for _ in range(2):
            plugin.restart_engine()
            plugin.create({"do": "wait", "seconds": 1.5}, Probe())
            assert plugin.process.poll() is None
        plugin.engine.lines.clear()
        plugin.create({"do": "log"}, Probe())
        assert plugin.engine.lines
        plugin.kill_engine()
        assert plugin.process.wait(SOON) == 0


def test_status_line_goes_on_after_one_that_could_not_be_sent() -> None:
    """A channel that refuses one text, as at the end of a process, is tried again with the next."""
    sent: list[str] = []

    class Refusing(Engine):
        def start_status(self, message: str, urn: str) -> futures.Future[None]:
            sent.append(message)
            if len(sent) == 1:
                raise ValueError("channel closed")
            done: futures.Future[None] = futures.Future()
            done.set_result(None)
            return done

    line = StatusLine(Refusing("127.0.0.1:1"), URN)
    for message in ("1/16", "2/16", "2/16", "3/16"):
        line.show(message)
    assert sent == ["1/16", "2/16", "3/16"]
