"""Failing an RPC, seen from the engine's side of the wire."""

from __future__ import annotations

import json

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from ocean_migration_pulumi.host import RpcFailure, fail
from tests.support.host_changes import OTHER_THREAD, Change, context_without
from tests.support.plugin import PluginProcess, init_failure_of, status_of, struct
from tests.support.probe_provider import Probe

REASON = "migration owm-1 failed after 12m10s, 7 of 16 nodes done.\n  Then run `pulumi up` again: größer"
OUTPUTS = {
    "migration_id": "owm-1",
    "progress": 43.75,
    "succeeded": False,
    "failure": {"message": "no capacity", "reason": None},
    "migrated_nodes": ["i-1", ["i-2"], {"id": "i-3"}],
    "manual_nodes": [],
}
PARTIAL = {"do": "fail", "message": REASON, "id": "o-1/web", "outputs": json.dumps(OUTPUTS)}


def test_partial_failure_of_create_carries_everything_the_engine_records(plugin: PluginProcess) -> None:
    """A failed Create tells code, message, id, reasons, inputs, and the outputs just as a successful one does."""
    recorded = plugin.create({**PARTIAL, "do": "succeed"}, Probe()).properties
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create({**PARTIAL, "inputs": {"batch_size_percentage": 20}}, Probe())
    status = status_of(caught.value)
    assert status is not None
    assert (status.code, status.message) == (grpc.StatusCode.UNKNOWN.value[0], REASON)
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert init_failure_of(caught.value) == provider_pb2.ErrorResourceInitFailed(
        id="o-1/web",
        reasons=[REASON],
        properties=recorded,
        inputs=struct({"batch_size_percentage": 20}, Probe()),
    )


def test_partial_failure_of_update_carries_everything_the_engine_records(plugin: PluginProcess) -> None:
    """A failed Update saves the same, and no inputs when it was given none."""
    with pytest.raises(grpc.RpcError) as caught:
        plugin.update(PARTIAL, Probe())
    failure = init_failure_of(caught.value)
    assert (failure.id, failure.reasons, failure.HasField("inputs")) == ("o-1/web", [REASON], False)
    assert failure.properties == struct(OUTPUTS, Probe())


def test_outputs_of_a_thousand_nodes_fit_into_a_partial_failure(plugin: PluginProcess) -> None:
    """Half a mebibyte of outputs arrives whole."""
    outputs = {"planned_nodes": {f"i-{number:017d}": "x" * 512 for number in range(1000)}}
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create({**PARTIAL, "outputs": json.dumps(outputs)}, Probe())
    assert init_failure_of(caught.value).properties == struct(outputs, Probe())


def test_failure_with_nothing_to_save_carries_the_message_alone(plugin: PluginProcess) -> None:
    """Without an id the status has no details."""
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create({"do": "fail", "message": "no account"}, Probe())
    status = status_of(caught.value)
    assert status is not None
    assert (status.code, status.message, len(status.details)) == (2, "no account", 0)


@pytest.mark.parametrize("properties", [PARTIAL, {"do": "fail", "message": REASON}], ids=["partial", "plain"])
def test_failure_shows_no_traceback(plugin: PluginProcess, properties: dict[str, object]) -> None:
    """Neither the status nor gRPC's own text holds anything but the message."""
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(properties, Probe())
    status = status_of(caught.value)
    assert status is not None
    assert status.message == REASON
    # The hosts of older versions leave the exception to gRPC.
    assert (caught.value.details() or "").removeprefix("Exception calling application: ") == REASON


def test_status_shows_no_traceback_when_the_host_keeps_its_text() -> None:
    """Where the host's text cannot be replaced, the status, which the engine reads first, still holds the message."""
    keep: Change = {
        "before": """
import grpc._server
def _keep(self, name, value):
    if name == "abort":
        raise AttributeError(name)
    object.__setattr__(self, name, value)
grpc._server._Context.__setattr__ = _keep
"""
    }
    with PluginProcess(**keep) as plugin, pytest.raises(grpc.RpcError) as caught:
        plugin.create(PARTIAL, Probe())
    assert caught.value.details() != REASON
    assert init_failure_of(caught.value).reasons == [REASON]


@pytest.mark.parametrize("change", [OTHER_THREAD, context_without("set_trailing_metadata")], ids=["stack", "metadata"])
def test_reason_and_id_reach_the_user_without_the_hosts_internals(change: Change) -> None:
    """Where nothing can be saved, the failure is the host's own, and says the reason and the id in one line."""
    with PluginProcess(**change) as plugin, pytest.raises(grpc.RpcError) as caught:
        plugin.create(PARTIAL, Probe())
    assert status_of(caught.value) is None
    last = (caught.value.details() or "").strip().splitlines()[-1]
    assert " ".join(REASON.split()) in last
    assert "resource o-1/web is not saved" in last


def test_outputs_that_cannot_be_serialized_do_not_hide_the_reason(plugin: PluginProcess) -> None:
    """A mistake of the provider itself shows beside the reason, not instead of it."""
    with pytest.raises(grpc.RpcError, match=r"cannot be saved \(resource probe/1 is not"):
        plugin.create({"do": "fail-oddly"}, Probe())


def test_fail_without_any_host_raises_one_line() -> None:
    """Outside the plugin the failure is an exception like any other."""
    with pytest.raises(
        RpcFailure, match=r"^owm-1 failed: see the log \(resource o-1/web is not saved: LookupError: .*\)$"
    ):
        fail("owm-1 failed:\n  see the log", id="o-1/web")
    with pytest.raises(RpcFailure, match=r"^no account$"):
        fail("no account")
