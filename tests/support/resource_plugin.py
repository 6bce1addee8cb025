"""The engine's side of one `OceanWorkloadMigration`, played against the real plugin process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2

from ocean_migration_pulumi.provider import OceanWorkloadMigrationProvider
from ocean_migration_pulumi.simulator import Simulator, SimulatorControl
from tests.support.plugin import PluginProcess, init_failure_of, plain, status_of, struct
from tests.support.timing import PATIENCE


@dataclass(frozen=True)
class Cluster:
    """A cluster of its own on a simulator that several tests share, with the simulator's names for what they use."""

    simulator: Simulator
    ocean_id: str

    @property
    def control(self) -> SimulatorControl:
        """A client of the simulator's control API."""
        return self.simulator.control

    @property
    def token(self) -> str:
        """The token of Spot's API."""
        return self.simulator.token

    def kubeconfig(self, ocean_id: str | None = None, identity: str = "preview") -> str:
        """Return a kubeconfig of this cluster, or of another one."""
        return self.simulator.kubeconfig(ocean_id or self.ocean_id, identity)


TYPE = "pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration"


def config_of(sim: Simulator, **more: str) -> dict[str, str]:
    """Return the stack's config that points the plugin at a simulator, without any settings of this machine."""
    return {
        "ocean-migration:baseUrl": sim.url,
        "ocean-migration:token": sim.token,
        "ocean-migration:account": sim.account_id,
        "ocean-migration:pollInterval": "0.05",
        **more,
    }


def without_settings(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Make this machine one without any settings, and without AWS."""
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("SPOTINST_TOKEN", "SPOTINST_ACCOUNT", "SPOTINST_BASE_URL", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def sent(properties: dict[str, Any]) -> struct_pb2.Struct:
    """Return properties as the engine sends them, with the provider."""
    return struct({name: value for name, value in properties.items() if name != "__provider"}, PROVIDER)


PROVIDER = OceanWorkloadMigrationProvider()


@dataclass
class Resource:
    """One resource: what the engine would have of it in the state."""

    plugin: PluginProcess
    name: str = "web"
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    id: str = ""

    @property
    def urn(self) -> str:
        """The resource's name for the engine."""
        return f"urn:pulumi:dev::shop::{TYPE}::{self.name}"

    def said(self, severity: str) -> list[str]:
        """Return what the plugin has logged for this resource, live lines left out."""
        return [
            line.message
            for line in self.plugin.engine.lines
            if line.urn == self.urn and not line.ephemeral and severity == _SEVERITIES[line.severity]
        ]

    def check(self, **news: Any) -> provider_pb2.CheckResponse:
        """Run Check with the last inputs as the old ones."""
        request = provider_pb2.CheckRequest(
            urn=self.urn, olds=sent(self.inputs) if self.inputs else None, news=sent(news)
        )
        return self.plugin.stub.Check(request, timeout=PATIENCE)

    def checked(self, **news: Any) -> dict[str, Any]:
        """Return the inputs that Check makes of these, which it must accept."""
        answer = self.check(**news)
        assert [(failure.property, failure.reason) for failure in answer.failures] == []
        return without_provider(answer.inputs)

    def has_said(self, severity: str, part: str) -> bool:
        """Tell whether a lasting line of this resource has such a part."""
        return any(part in line for line in self.said(severity))

    def diff(self, news: dict[str, Any]) -> provider_pb2.DiffResponse:
        """Run Diff against the state."""
        request = provider_pb2.DiffRequest(
            id=self.id, urn=self.urn, olds=sent(self.outputs), news=sent(news), old_inputs=sent(self.inputs)
        )
        return self.plugin.stub.Diff(request, timeout=PATIENCE)

    def has_changes(self, **news: Any) -> bool:
        """Tell whether a preview of these inputs would show an update."""
        return self.diff(self.checked(**news)).changes == provider_pb2.DiffResponse.DIFF_SOME

    def create(self, *, timeout: float = 0.0, **news: Any) -> None:
        """Run Check and Create, and keep what comes of it."""
        inputs = self.checked(**news)
        request = provider_pb2.CreateRequest(urn=self.urn, properties=sent(inputs), timeout=timeout)
        answer = self.plugin.stub.Create(request, timeout=PATIENCE)
        self.id, self.inputs, self.outputs = answer.id, inputs, without_provider(answer.properties)

    def fails_to_create(
        self, *, timeout: float = 0.0, meanwhile: Callable[[], object] = lambda: None, **news: Any
    ) -> str:
        """Run Check and Create, which must fail; keep what is saved, and return the reason.

        ``meanwhile`` is called while Create runs.
        """
        inputs = self.checked(**news)
        request = provider_pb2.CreateRequest(urn=self.urn, properties=sent(inputs), timeout=timeout)
        creating = self.plugin.stub.Create.future(request, timeout=PATIENCE)
        meanwhile()
        with pytest.raises(grpc.RpcError) as caught:
            creating.result()
        reason = message_of(caught.value)
        status = status_of(caught.value)
        if status is not None and status.details:
            failure = init_failure_of(caught.value)
            assert list(failure.reasons) == [reason]
            self.id, self.inputs, self.outputs = failure.id, inputs, without_provider(failure.properties)
        return reason

    def update(self, **news: Any) -> None:
        """Run Check and Update, and keep what comes of it."""
        inputs = self.checked(**news)
        answer = self.plugin.stub.Update(self._update_request(inputs), timeout=PATIENCE)
        self.inputs, self.outputs = inputs, without_provider(answer.properties)

    def fails_to_update(self, **news: Any) -> str:
        """Run Check and Update, which must fail; the engine then keeps the old inputs, and the new outputs."""
        with pytest.raises(grpc.RpcError) as caught:
            self.plugin.stub.Update(self._update_request(self.checked(**news)), timeout=PATIENCE)
        failure = init_failure_of(caught.value)
        assert failure.id == self.id
        self.outputs = without_provider(failure.properties)
        return message_of(caught.value)

    def _update_request(self, inputs: dict[str, Any]) -> provider_pb2.UpdateRequest:
        return provider_pb2.UpdateRequest(
            id=self.id, urn=self.urn, olds=sent(self.outputs), news=sent(inputs), old_inputs=sent(self.inputs)
        )

    def read(self) -> bool:
        """Run Read as a refresh does, and tell whether the resource is still there."""
        request = provider_pb2.ReadRequest(
            id=self.id, urn=self.urn, properties=sent(self.outputs), inputs=sent(self.inputs)
        )
        answer = self.plugin.stub.Read(request, timeout=PATIENCE)
        if answer.id:
            self.outputs = without_provider(answer.properties)
        return bool(answer.id)

    def delete(self) -> None:
        """Run Delete."""
        request = provider_pb2.DeleteRequest(id=self.id, urn=self.urn, properties=sent(self.outputs))
        self.plugin.stub.Delete(request, timeout=PATIENCE)


_SEVERITIES = ("DEBUG", "INFO", "WARNING", "ERROR")


def without_provider(properties: struct_pb2.Struct) -> dict[str, Any]:
    """Return properties without the provider."""
    return {name: value for name, value in plain(properties).items() if name != "__provider"}


def message_of(error: grpc.RpcError) -> str:
    """Return the reason of a failure as the engine prints it: one line, without a traceback."""
    status = status_of(error)
    assert status is not None
    assert "\n" not in status.message
    assert "Traceback" not in status.message
    assert error.details() == status.message
    return str(status.message)
