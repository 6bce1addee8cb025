"""The plugin process of a program's dynamic providers, which the real engine starts and calls in the same way."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf has no types of its own
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]  # protobuf has no types of its own
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from ocean_migration_pulumi.testing.offline.plugin.process import ChildProcess
from ocean_migration_pulumi.testing.offline.plugin.providers import (
    CheckedInputs,
    Difference,
    LiveResource,
    PartialFailure,
    ProviderFailure,
    ResourceTarget,
)
from ocean_migration_pulumi.testing.offline.state.values import (
    Properties,
    annotate_secrets,
    contains_unknown,
    from_struct,
    reveal,
    to_struct,
)

# The limit of the real engine: the outputs of a partial failure are part of the metadata.
_METADATA_SIZE = 2**24
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", _METADATA_SIZE),
    ("grpc.absolute_max_metadata_size", _METADATA_SIZE),
]
"""No limit for messages: the state of a thousand nodes exceeds gRPC's default."""

_START_TIMEOUT = 60.0
_CANCEL_TIMEOUT = 5.0


class DynamicPlugin:
    """`python -m pulumi.dynamic` as a child process.

    Args:
        engine_address: The address of the gRPC service of the engine.
        directory: The working directory, that of the program.
        environment: The environment variables.
        config: The configuration of the stack.
        log: Receives the lines that the plugin prints.

    Raises:
        ProviderFailure: The plugin does not start within a minute.
    """

    def __init__(
        self,
        *,
        engine_address: str,
        directory: Path,
        environment: Mapping[str, str],
        config: Properties,
        log: Callable[[str], None],
    ) -> None:
        self._port = ""
        self._ready = threading.Event()
        self._process = ChildProcess(
            [sys.executable, "-u", "-m", "pulumi.dynamic", engine_address],
            directory=directory,
            environment=environment,
            log=log,
            read_first_line=self._set_port,
        )
        if not self._ready.wait(_START_TIMEOUT) or not self._port:
            self.close(at_once=True)
            msg = "the plugin of the dynamic providers did not start: is `pulumi` installed for this interpreter?"
            raise ProviderFailure(msg)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self._port}", options=CHANNEL_OPTIONS)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        with _converted_errors():
            self._stub.Configure(
                provider_pb2.ConfigureRequest(
                    args=to_struct(config),
                    acceptSecrets=True,
                    acceptResources=True,
                    sends_old_inputs=True,
                    sends_old_inputs_to_delete=True,
                )
            )

    def check(self, target: ResourceTarget, news: Properties) -> CheckedInputs:
        """Call `Check` with the old and new inputs."""
        request = provider_pb2.CheckRequest(
            urn=target.urn,
            name=target.name,
            type=target.type,
            olds=_to_plain_struct(target.inputs),
            news=_to_plain_struct(news),
        )
        with _converted_errors():
            response = self._stub.Check(request)
        inputs = from_struct(response.inputs)
        annotate_secrets(inputs, news)
        return CheckedInputs(inputs, [(failure.property, failure.reason) for failure in response.failures])

    def diff(self, target: ResourceTarget, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Call `Diff` with the old outputs, the old inputs and the new inputs."""
        request = provider_pb2.DiffRequest(
            **_identify(target),
            olds=_to_plain_struct(target.outputs),
            old_inputs=_to_plain_struct(target.inputs),
            news=_to_plain_struct(news),
            ignoreChanges=ignore_changes,
        )
        with _converted_errors():
            response = self._stub.Diff(request)
        unknown = response.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN
        changes = None if unknown else response.changes == provider_pb2.DiffResponse.DIFF_SOME
        return Difference(changes, list(response.replaces), response.deleteBeforeReplace, list(response.diffs))

    def create(self, target: ResourceTarget, timeout: float) -> LiveResource:
        """Call `Create` with the inputs."""
        request = provider_pb2.CreateRequest(
            urn=target.urn,
            name=target.name,
            type=target.type,
            properties=_to_plain_struct(target.inputs),
            timeout=timeout,
        )
        with _converted_errors(secrets=target.inputs):
            response = self._stub.Create(request)
        if not response.id:
            msg = f"plugin returned empty resource.ID from create '{target.urn}'"
            raise ProviderFailure(msg)
        return _build_live(response.id, response.properties, target.inputs)

    def update(
        self, target: ResourceTarget, news: Properties, timeout: float, ignore_changes: Sequence[str]
    ) -> LiveResource:
        """Call `Update` with the old outputs, the old inputs and the new inputs."""
        request = provider_pb2.UpdateRequest(
            **_identify(target),
            olds=_to_plain_struct(target.outputs),
            old_inputs=_to_plain_struct(target.inputs),
            news=_to_plain_struct(news),
            timeout=timeout,
            ignoreChanges=ignore_changes,
        )
        with _converted_errors(secrets=news):
            response = self._stub.Update(request)
        return _build_live(target.id, response.properties, news)

    def delete(self, target: ResourceTarget, timeout: float) -> None:
        """Call `Delete` with the outputs and the inputs."""
        request = provider_pb2.DeleteRequest(
            **_identify(target),
            properties=_to_plain_struct(target.outputs),
            old_inputs=_to_plain_struct(target.inputs),
            timeout=timeout,
        )
        with _converted_errors():
            self._stub.Delete(request)

    def read(self, target: ResourceTarget) -> LiveResource:
        """Call `Read` with the outputs and the inputs."""
        request = provider_pb2.ReadRequest(
            **_identify(target), properties=_to_plain_struct(target.outputs), inputs=_to_plain_struct(target.inputs)
        )
        with _converted_errors(secrets=target.outputs):
            response = self._stub.Read(request)
        live = _build_live(response.id, response.properties, target.outputs)
        if response.HasField("inputs"):
            live.inputs = from_struct(response.inputs)
            annotate_secrets(live.inputs, target.inputs)
        return live

    def cancel(self) -> None:
        """Call `Cancel`, as the engine does at the first Ctrl-C."""
        with suppress(grpc.RpcError, ValueError):
            self._stub.Cancel(empty_pb2.Empty(), timeout=_CANCEL_TIMEOUT)

    def close(self, *, at_once: bool = False) -> None:
        """Stop the process; `at_once` kills it without interrupting it first."""
        if hasattr(self, "_channel"):
            self._channel.close()
        self._process.stop(at_once=at_once)

    def _set_port(self, line: str) -> None:
        self._port = line
        self._ready.set()


def _identify(target: ResourceTarget) -> dict[str, Any]:
    return {"id": target.id, "urn": target.urn, "name": target.name, "type": target.type}


def _to_plain_struct(properties: Properties) -> Struct:
    return to_struct(reveal(properties))


def _build_live(id_: str, properties: Struct, secrets: Properties) -> LiveResource:
    outputs = from_struct(properties)
    if contains_unknown(outputs):
        msg = "the provider returned an unknown value, which only a preview may contain"
        raise ProviderFailure(msg)
    annotate_secrets(outputs, secrets)
    return LiveResource(id_, outputs)


@contextmanager
def _converted_errors(*, secrets: Properties | None = None) -> Iterator[None]:
    """Convert the errors of an RPC into `ProviderFailure`, or `PartialFailure` where the details describe one."""
    try:
        yield
    except ValueError:
        # The channel is closed because the update was terminated.
        msg = "the plugin has ended"
        raise ProviderFailure(msg) from None
    except grpc.RpcError as exc:
        status = _read_status(exc)
        if status is None:
            raise ProviderFailure(exc.details() or str(exc.code())) from None
        for detail in status.details:
            failed = provider_pb2.ErrorResourceInitFailed()
            if detail.Unpack(failed):
                outputs = from_struct(failed.properties)
                annotate_secrets(outputs, secrets)
                inputs = from_struct(failed.inputs) if failed.HasField("inputs") else None
                raise PartialFailure(id_=failed.id, outputs=outputs, inputs=inputs, reasons=failed.reasons) from None
        raise ProviderFailure(status.message) from None


def _read_status(error: grpc.RpcError) -> Any:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return None
