"""The plugin process that hosts a program's dynamic providers, started and called as the real engine does it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf has no types of its own
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]  # protobuf has no types of its own
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from ocean_migration_pulumi.testing.offline.plugin.providers import (
    Checked,
    Difference,
    Live,
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

_METADATA_SIZE = 2**24  # what the real engine takes: the outputs of a partial failure travel in the metadata
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", _METADATA_SIZE),
    ("grpc.absolute_max_metadata_size", _METADATA_SIZE),
]
"""Messages may be as large as they get: a state of a thousand nodes exceeds gRPC's default."""

_START_TIMEOUT = 60.0
_CLOSE_TIMEOUT = 5.0
_CANCEL_TIMEOUT = 5.0


class DynamicPlugin:
    """`python -m pulumi.dynamic` in a process group of its own, configured with the stack's configuration.

    It runs in the program's directory with the given environment. `log` receives the lines that it prints.
    Raises `ProviderFailure` when the process does not come up within a minute.
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
        self._log = log
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own arguments
            [sys.executable, "-u", "-m", "pulumi.dynamic", engine_address],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
        self._port = ""
        self._ready = threading.Event()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, first), daemon=True)
            for stream, first in ((self._process.stdout, True), (self._process.stderr, False))
        ]
        for reader in self._readers:
            reader.start()
        if not self._ready.wait(_START_TIMEOUT) or not self._port:
            self.close(at_once=True)
            msg = "the plugin of the dynamic providers did not start: is `pulumi` installed for this interpreter?"
            raise ProviderFailure(msg)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self._port}", options=CHANNEL_OPTIONS)
        self._stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        with _failures():
            self._stub.Configure(
                provider_pb2.ConfigureRequest(
                    args=to_struct(config),
                    acceptSecrets=True,
                    acceptResources=True,
                    sends_old_inputs=True,
                    sends_old_inputs_to_delete=True,
                )
            )

    def check(self, target: ResourceTarget, news: Properties) -> Checked:
        """Call `Check` with the old and new inputs."""
        request = provider_pb2.CheckRequest(
            urn=target.urn, name=target.name, type=target.type, olds=_plain(target.inputs), news=_plain(news)
        )
        with _failures():
            answer = self._stub.Check(request)
        inputs = from_struct(answer.inputs)
        annotate_secrets(inputs, news)
        return Checked(inputs, [(failure.property, failure.reason) for failure in answer.failures])

    def diff(self, target: ResourceTarget, news: Properties, ignore_changes: Sequence[str]) -> Difference:
        """Call `Diff` with the old outputs, the old inputs and the new inputs."""
        request = provider_pb2.DiffRequest(
            **_identity(target),
            olds=_plain(target.outputs),
            old_inputs=_plain(target.inputs),
            news=_plain(news),
            ignoreChanges=ignore_changes,
        )
        with _failures():
            answer = self._stub.Diff(request)
        unknown = answer.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN
        changes = None if unknown else answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        return Difference(changes, list(answer.replaces), answer.deleteBeforeReplace, list(answer.diffs))

    def create(self, target: ResourceTarget, timeout: float) -> Live:
        """Call `Create` with the inputs."""
        request = provider_pb2.CreateRequest(
            urn=target.urn, name=target.name, type=target.type, properties=_plain(target.inputs), timeout=timeout
        )
        with _failures(secrets=target.inputs):
            answer = self._stub.Create(request)
        if not answer.id:
            msg = f"plugin returned empty resource.ID from create '{target.urn}'"
            raise ProviderFailure(msg)
        return _live(answer.id, answer.properties, target.inputs)

    def update(self, target: ResourceTarget, news: Properties, timeout: float, ignore_changes: Sequence[str]) -> Live:
        """Call `Update` with the old outputs, the old inputs and the new inputs."""
        request = provider_pb2.UpdateRequest(
            **_identity(target),
            olds=_plain(target.outputs),
            old_inputs=_plain(target.inputs),
            news=_plain(news),
            timeout=timeout,
            ignoreChanges=ignore_changes,
        )
        with _failures(secrets=news):
            answer = self._stub.Update(request)
        return _live(target.id, answer.properties, news)

    def delete(self, target: ResourceTarget, timeout: float) -> None:
        """Call `Delete` with the outputs and the inputs."""
        request = provider_pb2.DeleteRequest(
            **_identity(target),
            properties=_plain(target.outputs),
            old_inputs=_plain(target.inputs),
            timeout=timeout,
        )
        with _failures():
            self._stub.Delete(request)

    def read(self, target: ResourceTarget) -> Live:
        """Call `Read` with the outputs and the inputs."""
        request = provider_pb2.ReadRequest(
            **_identity(target), properties=_plain(target.outputs), inputs=_plain(target.inputs)
        )
        with _failures(secrets=target.outputs):
            answer = self._stub.Read(request)
        live = _live(answer.id, answer.properties, target.outputs)
        if answer.HasField("inputs"):
            live.inputs = from_struct(answer.inputs)
            annotate_secrets(live.inputs, target.inputs)
        return live

    def cancel(self) -> None:
        """Call `Cancel`, as the engine does at the first Ctrl-C."""
        with suppress(grpc.RpcError, ValueError):
            self._stub.Cancel(empty_pb2.Empty(), timeout=_CANCEL_TIMEOUT)

    def close(self, *, at_once: bool = False) -> None:
        """Interrupt the process group and give it five seconds, then kill it."""
        if hasattr(self, "_channel"):
            self._channel.close()
        if not at_once:
            self._signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_CLOSE_TIMEOUT)
        self._signal(signal.SIGKILL)
        self._process.wait()
        for reader in self._readers:
            reader.join(_CLOSE_TIMEOUT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _read(self, stream: IO[str], first: bool) -> None:
        with stream:
            if first:
                self._port = stream.readline().strip()
                self._ready.set()
            for line in stream:
                if line.strip():
                    self._log(line.rstrip("\n"))


def _identity(target: ResourceTarget) -> dict[str, Any]:
    return {"id": target.id, "urn": target.urn, "name": target.name, "type": target.type}


def _plain(properties: Properties) -> Struct:
    return to_struct(reveal(properties))


def _live(id_: str, properties: Struct, secrets: Properties) -> Live:
    outputs = from_struct(properties)
    if contains_unknown(outputs):
        msg = "the provider returned a value that is not known, which is for previews only"
        raise ProviderFailure(msg)
    annotate_secrets(outputs, secrets)
    return Live(id_, outputs)


@contextmanager
def _failures(*, secrets: Properties | None = None) -> Iterator[None]:
    """Turn what an RPC raises into `ProviderFailure`, and the details of a partial failure into `PartialFailure`."""
    try:
        yield
    except ValueError:
        # The channel was closed meanwhile: the update has been given up.
        msg = "the plugin has ended"
        raise ProviderFailure(msg) from None
    except grpc.RpcError as exc:
        status = _status(exc)
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


def _status(error: grpc.RpcError) -> Any:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return None
