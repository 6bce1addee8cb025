"""What a provider's method learns of the RPC that it serves, and how the RPC's end reaches it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.rpc import UNKNOWN

from ocean_migration_pulumi.host import EngineCall, current_call
from tests.support.host_changes import (
    CANCEL_IS_A_CLOSURE,
    ONE_POOL_FOR_ALL,
    OTHER_THREAD,
    Change,
    both,
    context_without,
)
from tests.support.plugin import URN, PluginProcess, init_failure_of, plain, struct
from tests.support.probe_provider import PlainProbe, Probe, SmallProbe
from tests.support.timing import PATIENCE, ends_soon

NOBODY = {
    "method": "",
    "urn": "",
    "timeout": "null",
    "preview": "null",
    "active": True,
    "interrupted": False,
    "ended": False,
    "old_inputs": "null",
}


def _deleted(plugin: PluginProcess, report: Path, **fields: Any) -> dict[str, Any]:
    plugin.start_delete({"do": "see", "report": str(report)}, Probe(), **fields).result()
    return dict(json.loads(report.read_text())["saw"])


def test_method_and_urn_are_those_of_the_rpc(plugin: PluginProcess, tmp_path: Path) -> None:
    """Each kind of RPC is told from the others."""
    see = {"do": "see"}
    read = plugin.stub.Read(
        provider_pb2.ReadRequest(id="1", urn=URN, properties=struct(see, Probe())), timeout=PATIENCE
    )
    seen = [
        plain(plugin.check(see, Probe()).inputs)["saw"],
        plain(plugin.create(see, Probe()).properties)["saw"],
        plain(plugin.update(see, Probe()).properties)["saw"],
        plain(read.properties)["saw"],
        _deleted(plugin, tmp_path / "report"),
    ]
    assert [saw["method"] for saw in seen] == ["Check", "Create", "Update", "Read", "Delete"]
    assert {saw["urn"] for saw in seen} == {URN}
    assert all(saw["active"] and not saw["ended"] and not saw["interrupted"] for saw in seen)


@pytest.mark.parametrize(("sent", "seen"), [(600.0, "600.0"), (0.5, "0.5"), (0.0, "null")])
def test_custom_timeouts_arrive(plugin: PluginProcess, tmp_path: Path, sent: float, seen: str) -> None:
    """Create, Update and Delete see the resource's custom timeout in seconds, and None when there is none."""
    assert plain(plugin.create({"do": "see"}, Probe(), timeout=sent).properties)["saw"]["timeout"] == seen
    assert plain(plugin.update({"do": "see"}, Probe(), timeout=sent).properties)["saw"]["timeout"] == seen
    assert _deleted(plugin, tmp_path / "report", timeout=sent)["timeout"] == seen


def test_preview_is_known_where_the_request_says_it(plugin: PluginProcess) -> None:
    """Create and Update tell a preview from a run; Check cannot."""
    previews = [
        plain(plugin.create({"do": "see"}, Probe(), preview=True).properties)["saw"]["preview"],
        plain(plugin.update({"do": "see"}, Probe(), preview=False).properties)["saw"]["preview"],
        plain(plugin.check({"do": "see"}, Probe()).inputs)["saw"]["preview"],
    ]
    assert previews == ["true", "false", "null"]


def test_old_inputs_of_a_diff_are_those_of_the_last_run(plugin: PluginProcess) -> None:
    """Diff sees the old inputs beside the old outputs, and None when the engine sends none."""
    request = provider_pb2.DiffRequest(id="1", urn=URN, olds=struct({"out": 1}, Probe()), news=struct({}, Probe()))
    assert plugin.stub.Diff(request, timeout=PATIENCE).replaces == ["none"]
    request.old_inputs.CopyFrom(struct({"batch": 20, "nodes": ["i-1"]}))
    assert plugin.stub.Diff(request, timeout=PATIENCE).replaces == ["batch", "nodes"]


def test_old_inputs_of_an_update_arrive_whole(plugin: PluginProcess) -> None:
    """Update sees their values too."""
    old = {"batch": 20.0, "nodes": {"instance_ids": ["i-1", "i-2"]}}
    updated = plugin.update({"do": "see"}, Probe(), old_inputs=struct(old))
    assert json.loads(plain(updated.properties)["saw"]["old_inputs"]) == old


def test_old_inputs_keep_what_is_unknown() -> None:
    """An unknown old input is there as unknown, not missing."""
    old_inputs = EngineCall(provider_pb2.DiffRequest(old_inputs=struct({"ocean_id": UNKNOWN}))).old_inputs
    assert old_inputs is not None
    assert list(old_inputs) == ["ocean_id"]


def test_cancel_ends_a_wait_and_saves_the_id() -> None:
    """One Ctrl-C ends a long wait at once, as a partial failure with the resource's id."""
    with PluginProcess() as plugin:
        creation = plugin.start_create({"do": "wait", "seconds": PATIENCE}, Probe())
        plugin.wait_for("waiting")
        with ends_soon():
            plugin.cancel()
            error = creation.exception()
    failure = init_failure_of(error)
    assert (failure.id, failure.reasons) == ("probe/1", ["interrupted; owm-1 goes on"])
    assert failure.properties == struct({"migration_id": "owm-1"}, Probe())


def test_calls_after_cancel_end_at_once() -> None:
    """A Create that the engine had already sent on its way does not start to wait."""
    with PluginProcess() as plugin:
        plugin.create({"do": "see"}, Probe())
        plugin.cancel()
        with ends_soon(), pytest.raises(grpc.RpcError, match="interrupted; owm-1 goes on"):
            plugin.create({"do": "wait", "seconds": PATIENCE}, Probe())


def test_cancel_does_not_queue_behind_the_waits_that_it_ends() -> None:
    """With every thread of the host's pool waiting, and more waits queued, Ctrl-C still ends them all."""
    with PluginProcess() as plugin:
        waits = [plugin.start_create({"do": "wait", "seconds": PATIENCE}, SmallProbe()) for _ in range(9)]
        plugin.wait_for("waiting", times=4)
        with ends_soon():
            plugin.cancel()
            failures = [init_failure_of(wait.exception()) for wait in waits]
    assert {failure.id for failure in failures} == {"probe/1"}


@pytest.mark.parametrize("change", [CANCEL_IS_A_CLOSURE, ONE_POOL_FOR_ALL], ids=["closure", "one-pool"])
def test_cancel_is_heard_by_either_way(change: Change) -> None:
    """If the one way to hear Cancel is gone, the other still works."""
    with PluginProcess(**change) as plugin:
        creation = plugin.start_create({"do": "wait", "seconds": PATIENCE}, Probe())
        plugin.wait_for("waiting")
        with ends_soon():
            plugin.cancel()
            assert init_failure_of(creation.exception()).id == "probe/1"


def test_wait_ends_by_itself_when_cancel_cannot_be_heard() -> None:
    """Without either way Ctrl-C is not heard: the wait goes on to its own end, and nothing breaks."""
    with PluginProcess(**both(CANCEL_IS_A_CLOSURE, ONE_POOL_FOR_ALL)) as plugin:
        creation = plugin.start_create({"do": "wait", "seconds": 1}, Probe())
        plugin.wait_for("waiting")
        plugin.cancel()
        assert plain(creation.result().properties)["saw"]["interrupted"] is False


def test_cancel_is_the_hosts_own_in_an_unprepared_process() -> None:
    """A provider that never called prepare leaves the host as it is."""
    with PluginProcess() as plugin:
        creation = plugin.start_create({"do": "wait", "seconds": 0.5}, PlainProbe())
        plugin.wait_for("waiting")
        plugin.cancel()
        assert plain(creation.result().properties)["saw"]["ended"] is False


def test_call_ends_when_its_rpc_is_given_up() -> None:
    """An RPC that the engine gives up ends its wait, while the process lives on and serves the next one."""
    with PluginProcess() as plugin:
        creation = plugin.start_create({"do": "wait", "seconds": PATIENCE}, SmallProbe())
        plugin.wait_for("waiting")
        creation.cancel()
        others = [plugin.start_create({"do": "wait", "seconds": PATIENCE}, SmallProbe()) for _ in range(4)]
        plugin.wait_for("waiting", times=5)  # all four threads are free
        assert plugin.process.poll() is None
        plugin.cancel()
        assert {init_failure_of(other.exception()).id for other in others} == {"probe/1"}


@pytest.mark.parametrize("method", ["add_callback", "is_active"])
def test_call_works_without_a_part_of_the_context(method: str) -> None:
    """A context that takes no callbacks, or does not know whether it is active, costs nothing else."""
    with PluginProcess(**context_without(method)) as plugin:
        saw = plain(plugin.create({"do": "see"}, Probe(), timeout=60.0).properties)["saw"]
    assert (saw["method"], saw["timeout"], saw["active"], saw["ended"]) == ("Create", "60.0", True, False)


def test_call_of_a_host_that_cannot_be_looked_into_is_nobodys(tmp_path: Path) -> None:
    """Nothing is known, nothing is logged, and the provider works."""
    with PluginProcess(**OTHER_THREAD) as plugin:
        assert plain(plugin.check({"do": "see"}, Probe()).inputs)["saw"] == NOBODY
        assert plain(plugin.create({"do": "see"}, Probe(), timeout=60.0).properties)["saw"] == NOBODY
        assert _deleted(plugin, tmp_path / "report", timeout=60.0) == NOBODY
        plugin.create({"do": "log"}, Probe())
        assert plugin.engine.lines == []


def test_current_call_outside_the_host_is_nobodys() -> None:
    """In a program, a test or the command line there is no RPC, and no complaint."""
    call = current_call()
    call.status("nowhere")
    call.info("nowhere")
    assert (call.method, call.urn, call.timeout, call.preview, call.old_inputs) == ("", "", None, None, None)
    assert call.is_active()
    assert not call.ended.is_set()


def test_current_call_survives_an_sdk_that_has_moved_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even an SDK without the modules that are looked for yields a call of nobody."""

    def moved() -> None:
        raise ImportError("provider_pb2")

    monkeypatch.setattr("ocean_migration_pulumi.host.call.running_request", moved)
    assert current_call().method == ""


def test_call_of_an_rpc_that_is_already_over_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """An RPC that the engine gave up before its method began takes no callback any more: it must not start to wait."""

    class OverContext:
        def add_callback(self, _: object) -> bool:
            return False

    monkeypatch.setattr("ocean_migration_pulumi.host.call.running_context", OverContext)
    assert current_call().ended.is_set()
