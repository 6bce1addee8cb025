"""The gate through the real plugin process: what it waits for, what is saved, and what is never sent."""

from __future__ import annotations

import base64
import itertools
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dill
import grpc
import pulumi
import pytest
from google.protobuf import struct_pb2
from pulumi import Output
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from ocean_migration_pulumi.gate import OceanMigrationGate, OceanMigrationGateProvider
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack
from tests.support import http_server as http
from tests.support.coroutines import finish
from tests.support.plugin import PluginProcess, plain, status_of, struct
from tests.support.resource_plugin import Resource, config_of, message_of, without_provider, without_settings
from tests.support.timing import until

TYPE = "pulumi-python:dynamic/ocean-migration:OceanMigrationGate"
PROVIDER = OceanMigrationGateProvider()
PROTOCOL_4 = (
    b"\x80\x04\x95\x41\x00\x00\x00\x00\x00\x00\x00\x8c\x1bocean_migration_pulumi.gate\x94"
    b"\x8c\x1aOceanMigrationGateProvider\x94\x93\x94)\x81\x94."
)
PROTOCOL_5 = PROTOCOL_4.replace(b"\x80\x04", b"\x80\x05")


def sent(properties: dict[str, Any]) -> struct_pb2.Struct:
    """Return properties as the engine sends them, with the provider."""
    return struct(known_later(properties), PROVIDER)


def known_later(value: Any) -> Any:
    """Return a value with what is not known yet as the wire has it."""
    if isinstance(value, dict):
        return {name: known_later(part) for name, part in value.items()}
    if isinstance(value, list):
        return [known_later(part) for part in value]
    return rpc.UNKNOWN if isinstance(value, Unknown) else value


@dataclass
class Gate:
    """One gate: what the engine would have of it in the state."""

    plugin: PluginProcess
    name: str = "rest"
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    id: str = ""

    @property
    def urn(self) -> str:
        """The gate's name for the engine."""
        return f"urn:pulumi:dev::shop::{TYPE}::{self.name}"

    def lines(self, *, live: bool) -> list[str]:
        """Return what the plugin has logged for this gate."""
        return [line.message for line in self.plugin.engine.lines if line.urn == self.urn and line.ephemeral is live]

    def check(self, **news: Any) -> provider_pb2.CheckResponse:
        """Run Check."""
        request = provider_pb2.CheckRequest(urn=self.urn, olds=sent(self.inputs), news=sent(news))
        return self.plugin.stub.Check(request, timeout=60)

    def checked(self, **news: Any) -> dict[str, Any]:
        """Return the inputs that Check makes of these, which it must accept."""
        answer = self.check(**news)
        assert [(failure.property, failure.reason) for failure in answer.failures] == []
        return without_provider(answer.inputs)

    def diff(self, **news: Any) -> provider_pb2.DiffResponse:
        """Run Check and Diff against the state."""
        request = provider_pb2.DiffRequest(
            id=self.id,
            urn=self.urn,
            olds=sent(self.outputs),
            news=sent(self.checked(**news)),
            old_inputs=sent(self.inputs),
        )
        return self.plugin.stub.Diff(request, timeout=60)

    def changes(self, **news: Any) -> bool:
        """Tell whether a preview of these inputs would show an update."""
        return self.diff(**news).changes == provider_pb2.DiffResponse.DIFF_SOME

    def start(self, *, custom_timeout: float = 0.0, **news: Any) -> Any:
        """Run Check and send Create; return the inputs, and the gRPC future of the answer."""
        inputs = self.checked(**news)
        request = provider_pb2.CreateRequest(urn=self.urn, properties=sent(inputs), timeout=custom_timeout)
        return inputs, self.plugin.stub.Create.future(request, timeout=60)

    def create(self, **news: Any) -> None:
        """Run Check and Create, and keep what comes of it."""
        inputs, future = self.start(**news)
        answer = future.result()
        self.id, self.inputs, self.outputs = answer.id, inputs, without_provider(answer.properties)

    def fails_to_create(self, **news: Any) -> str:
        """Run Check and Create, which must fail and leave nothing to save; return the reason."""
        _, future = self.start(**news)
        with pytest.raises(grpc.RpcError) as caught:
            future.result()
        return reason_of(caught.value)

    def _update(self, inputs: dict[str, Any]) -> provider_pb2.UpdateResponse:
        request = provider_pb2.UpdateRequest(
            id=self.id, urn=self.urn, olds=sent(self.outputs), news=sent(inputs), old_inputs=sent(self.inputs)
        )
        return self.plugin.stub.Update(request, timeout=60)

    def update(self, **news: Any) -> None:
        """Run Check and Update, and keep what comes of it."""
        inputs = self.checked(**news)
        self.inputs, self.outputs = inputs, without_provider(self._update(inputs).properties)

    def fails_to_update(self, **news: Any) -> str:
        """Run Check and Update, which must fail; the engine then keeps the old inputs and outputs."""
        with pytest.raises(grpc.RpcError) as caught:
            self._update(self.checked(**news))
        return reason_of(caught.value)


def reason_of(error: grpc.RpcError) -> str:
    """Return the reason of a failure that saves nothing."""
    status = status_of(error)
    assert status is not None
    assert not status.details
    return message_of(error)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Simulator, PluginProcess]]:
    """Run a simulator, and a plugin on a machine without any settings."""
    with pytest.MonkeyPatch.context() as patch:
        without_settings(patch, tmp_path_factory.mktemp("home"))
        with Simulator(nodes=1, speed=10_000) as sim, PluginProcess() as plugin:
            plugin.configure(config_of(sim))
            yield sim, plugin


@dataclass
class Shop:
    """A cluster of its own on a simulator that several tests share."""

    sim: Simulator
    plugin: PluginProcess
    ocean_id: str
    gate: Gate

    def asks(self, **inputs: Any) -> dict[str, Any]:
        """Return inputs of a gate that does not hold for long."""
        return {"ocean_id": self.ocean_id, "hold_for": "0s", **inputs}


@pytest.fixture
def shop(running: tuple[Simulator, PluginProcess]) -> Shop:
    """Return a calm cluster with six nodes."""
    sim, plugin = running
    plugin.engine.lines.clear()
    sim.control.clear_requests()
    ocean_id = str(sim.control.add_cluster(6)["id"])
    return Shop(sim=sim, plugin=plugin, ocean_id=ocean_id, gate=Gate(plugin))


def migrated(shop: Shop) -> dict[str, Any]:
    """Migrate the nodes of web, and return what a gate takes of it."""
    web = Resource(shop.plugin)
    web.create(ocean_id=shop.ocean_id, nodes={"asg_names": ["web"]}, prerequisites="off")
    return {
        "migration_ids": [run["id"] for run in web.outputs["migrations"]],
        "succeeded": web.outputs["succeeded"],
        "remaining": web.outputs["remaining_nodes"],
    }


def test_gate_opens_after_a_wave_and_stays_open(shop: Shop) -> None:
    """Inputs echo; a wave that did nothing asks nothing again, one that ran again does."""
    wave = migrated(shop)
    shop.sim.control.clear_requests()
    shop.gate.create(**shop.asks(**wave, hold_for="300ms"))
    assert shop.gate.id == f"{shop.ocean_id}/rest"
    outputs = shop.gate.outputs
    assert (outputs["migration_ids"], outputs["hold_for"]) == (wave["migration_ids"], "300ms")
    assert outputs["seen"] == ["Ocean Controller is connected", "all pods scheduled"]
    assert outputs["passed_at"].endswith("Z")
    (line,) = shop.gate.lines(live=False)
    assert line.startswith("open after ")
    assert line.endswith("s: Ocean Controller is connected, all pods scheduled")
    assert {request["method"] for request in shop.sim.control.requests()} == {"GET"}
    assert not shop.gate.changes(**shop.asks(**wave, hold_for="0.3s", timeout="1h"))
    assert shop.gate.changes(**shop.asks(**{**wave, "migration_ids": [*wave["migration_ids"], "owm-2"]}))


def test_wave_that_needed_no_migration_has_none(shop: Shop) -> None:
    """Its output ``migration_id`` is None: others have migrated its nodes."""
    wave = migrated(shop)
    shop.gate.create(**shop.asks(**{**wave, "migration_ids": [None]}))
    assert shop.gate.outputs["passed_at"].endswith("Z")
    assert not shop.gate.changes(**shop.asks(**{**wave, "migration_ids": []}))


def test_an_output_without_a_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that another stack does not have would else leave the default, by which the wave has succeeded."""
    properties: dict[str, Any] = {}

    def declare(_: object, __: object, ___: object, given: dict[str, Any], ____: object) -> None:
        properties.update({name: value for name, value in given.items() if value is not None})

    async def arrive() -> Any:
        missing: Any = Output.from_input(None)
        OceanMigrationGate("rest", "o-1", migration_ids=missing, succeeded=missing, remaining=Output.from_input([]))
        return plain(await rpc.serialize_properties(properties, {}))

    monkeypatch.setattr(pulumi.dynamic.Resource, "__init__", declare)
    assert finish(arrive()) == {"ocean_id": "o-1", "migration_ids": "", "succeeded": "", "remaining": []}


def test_wave_that_is_not_known_yet_is_an_update(shop: Shop) -> None:
    """As in a preview in which the wave before has changes; nothing is sent."""
    shop.gate.create(**shop.asks())
    shop.sim.control.clear_requests()
    assert shop.gate.changes(**shop.asks(migration_ids=rpc.UNKNOWN, succeeded=rpc.UNKNOWN, remaining=[rpc.UNKNOWN]))
    assert not shop.gate.diff(**shop.asks(ocean_id=rpc.UNKNOWN)).replaces
    assert shop.sim.control.requests() == []


def test_other_cluster_is_another_gate(shop: Shop) -> None:
    """The id holds the cluster."""
    shop.gate.create(**shop.asks())
    assert list(shop.gate.diff(**shop.asks(ocean_id="o-other")).replaces) == ["ocean_id"]


def test_wave_that_was_stopped_keeps_the_next_from_starting(shop: Shop) -> None:
    """With one reason, nothing is saved, and an update stays pending."""
    failed = {"migration_ids": ["owm-1"], "succeeded": False, "remaining": ["i-1", "i-2"]}
    reason = shop.gate.fails_to_create(**shop.asks(**failed))
    assert "the previous wave did not succeed (its latest migration is owm-1): 2 nodes remain, i-1, i-2" in reason
    shop.gate.create(**shop.asks())
    assert "did not succeed" in shop.gate.fails_to_update(**shop.asks(**failed))
    assert shop.gate.changes(**shop.asks(**failed))


def test_dead_controller_is_waited_for_until_the_deadline(shop: Shop) -> None:
    """Of ``timeout`` and custom timeouts the shorter counts."""
    shop.sim.control.heartbeat(shop.ocean_id, status="INACTIVE")
    bounds: list[dict[str, Any]] = [
        {"timeout": "2s"},
        {"timeout": "5m", "custom_timeout": 2},
        {"custom_timeout": 2},
    ]
    for each in bounds:
        reason = shop.gate.fails_to_create(**shop.asks(**each))
        assert reason.startswith("the gate did not open within ")
        assert "Ocean Controller is INACTIVE" in reason
    assert any("waiting: Ocean Controller is INACTIVE" in line for line in shop.gate.lines(live=True))
    shop.sim.control.heartbeat(shop.ocean_id, status="ACTIVE")
    shop.gate.create(**shop.asks())


def test_url_is_waited_for_and_gets_nothing_of_ours(shop: Shop) -> None:
    """No token, no account; its query is in no line."""
    script = [http.answer(503), http.hang_up, http.answer(200, b"starting"), http.answer(200, b"all ok")]
    with http.ScriptedServer(script) as server:
        check = {"url": f"{server.url}/health?key=canary", "contains": "ok"}
        shop.gate.create(**shop.asks(http_checks=[check]))
    assert shop.gate.outputs["seen"][-1] == f"{server.url}/health responds with 200"
    assert len(server.requests) == 4
    for request in server.requests:
        assert (request.method, request.query, request.body) == ("GET", {"key": "canary"}, b"")
        assert "authorization" not in request.headers
        assert shop.sim.token not in json.dumps(request.headers)
    said = shop.gate.lines(live=True) + shop.gate.lines(live=False)
    assert any(f"waiting: {server.url}/health responds with 503 instead of 200" in line for line in said)
    assert not any("canary" in line for line in said)


def test_outage_of_ocean_is_waited_out(shop: Shop) -> None:
    """Longer than the retries of one request."""
    shop.sim.control.fault("GET", "*/controllerHeartbeat", "500", times=7)
    shop.gate.create(**shop.asks())
    assert any("waiting: " in line for line in shop.gate.lines(live=True))


def test_ctrl_c_is_one_reason_and_nothing_is_saved(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next run asks again."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shop.sim.control.heartbeat(shop.ocean_id, status="INACTIVE")
    with PluginProcess() as plugin:
        plugin.configure(config_of(shop.sim))
        gate = Gate(plugin)
        _, future = gate.start(**shop.asks())
        until(lambda: any(line.startswith("waiting: ") for line in gate.lines(live=True)))
        plugin.cancel()
        with pytest.raises(grpc.RpcError) as caught:
            future.result()
    reason = reason_of(caught.value)
    assert reason.startswith("interrupted after ")
    assert reason.endswith("run `pulumi up` to check again")


def test_refused_token_fails_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the token in the reason."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with PluginProcess() as plugin:
        plugin.configure(config_of(shop.sim, **{"ocean-migration:token": "canary-7f3a"}))
        reason = Gate(plugin).fails_to_create(**shop.asks())
    assert "Spot refuses the token" in reason
    assert "canary" not in reason


def test_kubeconfig_is_used_and_saved_nowhere(shop: Shop) -> None:
    """Pods that wait, and conditions, are read by it; only by GET."""
    shop.sim.control.add_pod(shop.ocean_id, None, name="waits", namespace="shop")
    kubeconfig = shop.sim.kubeconfig(shop.ocean_id, identity="preview")
    token = kubeconfig.partition("token: ")[2].splitlines()[0].strip("\"' ")
    assert len(token) >= 16
    asks = shop.asks(kubeconfig=kubeconfig)
    assert "1 pod waits for a node (shop/waits)" in shop.gate.fails_to_create(**asks, timeout="30s")
    shop.sim.control.remove_pod(shop.ocean_id, "waits")
    shop.gate.create(**asks)
    assert "all pods scheduled" in shop.gate.outputs["seen"]
    asked = shop.sim.control.requests(api="kubernetes")
    assert asked
    assert {request["method"] for request in asked} == {"GET"}
    said = shop.gate.lines(live=True) + shop.gate.lines(live=False)
    for text in (json.dumps(shop.gate.inputs), json.dumps(shop.gate.outputs), *said):
        assert token not in text
        assert "kubeconfig" not in text
    assert not shop.gate.changes(**asks)


def test_kubeconfig_of_another_cluster_is_refused(shop: Shop) -> None:
    """Its calm would say nothing of this one."""
    other = str(shop.sim.control.add_cluster(4)["id"])
    reason = shop.gate.fails_to_create(**shop.asks(kubeconfig=shop.sim.kubeconfig(other)))
    assert f"use the kubeconfig of cluster {shop.ocean_id}" in reason


def test_condition_needs_access_to_kubernetes(shop: Shop) -> None:
    """The run says how to give it; the check only refuses what is wrong in itself."""
    cart = {"kind": "Deployment", "namespace": "shop", "name": "cart"}
    reason = shop.gate.fails_to_create(**shop.asks(kubernetes_conditions=[cart]))
    assert reason == "kubernetes_conditions: no access to Kubernetes, set kubeconfig or KUBECONFIG [check-failed]"


def test_kubeconfig_of_the_environment_that_cannot_be_used_is_as_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unless a condition needs one: then the reason is told."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    cart = {"kind": "Deployment", "namespace": "shop", "name": "cart"}
    with PluginProcess() as plugin:
        plugin.configure(config_of(shop.sim))
        gate = Gate(plugin)
        gate.create(**shop.asks())
        reason = gate.fails_to_create(**shop.asks(kubernetes_conditions=[cart]))
    assert reason == f"kubernetes_conditions: KUBECONFIG: {tmp_path / 'nowhere'} does not exist [check-failed]"


@pytest.mark.parametrize(
    ("given", "name", "message"),
    [
        ({"hold_for": "soon"}, "hold_for", "must be a duration"),
        ({"http_checks": [{"url": "https://a:canary@b"}]}, "http_checks[0].url", "without credentials"),
        ({"kubeconfig": "canary: 1"}, "kubeconfig", "give the content of a kubeconfig"),
        ({"kube_context": "nowhere", "kubeconfig": "{}"}, "kube_context", "has no context 'nowhere'"),
        ({"scheduled": "yes"}, "scheduled", "must be true or false, not 'yes'"),
        ({"succeeded": ""}, "succeeded", "must be true or false, not empty"),
        ({"migration_ids": ""}, "migration_ids", "must be a list of strings, not empty"),
        ({"workload_baseline": {"state": "ready"}}, "workload_baseline", "must be the output workload_baseline"),
        ({"workload_baseline": [["a"]]}, "workload_baseline", "must be the output workload_baseline"),
        ({"kubernetes_conditions": [{"kind": "job"}]}, "kubernetes_conditions[0].kind", 'did you mean "Job"?'),
        ({"kubernetes_conditions": [{"kind": "Jobs"}]}, "kubernetes_conditions[0].kind", 'did you mean "Job"?'),
    ],
    ids=repr,
)
def test_bad_input_is_refused_before_anything_is_sent(
    shop: Shop, given: dict[str, Any], name: str, message: str
) -> None:
    """Named, in one line, and without what is secret."""
    answer = shop.gate.check(**shop.asks(**given))
    (reason,) = [failure.reason for failure in answer.failures]
    assert reason.startswith(name)
    assert message in reason
    assert "\n" not in reason
    assert "canary" not in reason
    assert "kubeconfig" not in without_provider(answer.inputs)
    assert shop.sim.control.requests(api="all") == []


def test_refresh_and_destroy_ask_nobody(shop: Shop) -> None:
    """A gate that was passed stays so."""
    shop.gate.create(**shop.asks())
    shop.sim.control.clear_requests()
    gate = shop.gate
    request = provider_pb2.ReadRequest(
        id=gate.id, urn=gate.urn, properties=sent(gate.outputs), inputs=sent(gate.inputs)
    )
    answer = shop.plugin.stub.Read(request, timeout=60)
    assert (answer.id, without_provider(answer.properties)) == (gate.id, gate.outputs)
    shop.plugin.stub.Delete(
        provider_pb2.DeleteRequest(id=gate.id, urn=gate.urn, properties=sent(gate.outputs)), timeout=60
    )
    assert shop.sim.control.requests() == []


PROGRAM = """
import os
import pulumi
from ocean_migration_pulumi import OceanMigrationGate, OceanWorkloadMigration

ocean_id = os.environ["OCEAN_ID"]
web = OceanWorkloadMigration("web", ocean_id=ocean_id, nodes={"asg_names": ["web"]}, prerequisites="off")
gate = OceanMigrationGate(
    "calm",
    ocean_id,
    migration_ids=web.migrations.apply(lambda runs: [run["id"] for run in runs or []]),
    succeeded=web.succeeded,
    remaining=web.remaining_nodes,
    http_checks=[{"url": os.environ["SHOP_URL"]}],
    hold_for="0s",
    kubeconfig=os.environ.get("SHOP_KUBECONFIG"),
    opts=pulumi.ResourceOptions(depends_on=[web]),
)
rest = OceanWorkloadMigration(
    "rest",
    ocean_id=ocean_id,
    nodes={"all_nodes": True, "exclude": {"asg_names": ["web"]}},
    unmatched_nodes="allow",
    prerequisites="off",
    opts=pulumi.ResourceOptions(depends_on=[gate]),
)
pulumi.export("passed", gate.passed_at)
"""


def test_program_with_a_gate_between_two_waves(tmp_path: Path) -> None:
    """The second wave starts when the gate is open; the next `up` has nothing to do."""
    program = tmp_path / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (program / "__main__.py").write_text(PROGRAM)
    closed: list[http.Step] = [http.answer(503)] * 3
    counts: list[int] = []
    with Simulator(nodes=6, speed=10_000) as sim:

        def open_(connection: http.Connection, request: http.Received) -> bool:
            counts.append(len(sim.control.requests(method="POST")))
            return http.answer(200)(connection, request)

        with http.ScriptedServer(itertools.chain(closed, itertools.repeat(open_))) as server:
            stack = OfflineStack(
                program,
                tmp_path / "state.json",
                secrets={"ocean-migration:token": sim.token},
                environment={
                    **sim.environment,
                    "OCEAN_MIGRATION_POLL_INTERVAL": "0.05",
                    "HOME": str(tmp_path),
                    "SHOP_URL": server.url,
                    "SHOP_KUBECONFIG": sim.kubeconfig(identity="preview"),
                },
            )
            preview = stack.preview()
            assert preview.succeeded, preview.error
            assert server.requests == []
            result = stack.up()
            assert result.succeeded, result.error
            assert result.outputs["passed"]
            assert len(server.requests) == 4
            again = stack.up()
            assert again.succeeded, again.error
            assert {step.op for step in again.steps} == {"same"}
            assert len(server.requests) == 4
        assert counts == [1]
        assert len(sim.control.requests(method="POST")) == 2


@pytest.mark.parametrize(("protocol", "golden"), [(4, PROTOCOL_4), (5, PROTOCOL_5)])
def test_pickled_provider_is_a_module_and_a_class(protocol: int, golden: bytes) -> None:
    """At most 100 bytes, and none of them state of an instance; that of any stored state loads."""
    assert pickle.dumps(PROVIDER, protocol=protocol) == golden
    assert dill.dumps(PROVIDER, protocol=protocol) == golden
    assert type(dill.loads(golden)) is OceanMigrationGateProvider  # noqa: S301 - our own bytes
    assert len(golden) <= 100
    assert vars(PROVIDER) == {}


def test_pulumi_stores_the_provider_in_clear() -> None:
    """A blob that is always secret would be encrypted anew with every run."""
    assert base64.b64decode(serialize_provider(PROVIDER)) in {PROTOCOL_4, PROTOCOL_5}
    assert OceanMigrationGateProvider.serialize_as_secret_always is False
