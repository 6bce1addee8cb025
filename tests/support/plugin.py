"""The real plugin process of Pulumi's dynamic providers, with a test engine on the other side."""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent import futures
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from tests.support.timing import PATIENCE, until

ROOT = Path(__file__).parents[2]
URN = "urn:pulumi:stack::project::pulumi-python:dynamic/probe:Probe::probe"

# The engine takes headers of 16 MiB; gRPC for Python only of 16 KiB, unless told otherwise.
_CLIENT_OPTIONS = (("grpc.absolute_max_metadata_size", 2**24), ("grpc.max_metadata_size", 2**24))


class RecordingEngine(engine_pb2_grpc.EngineServicer):
    """An engine that keeps what is logged to it; ``block`` it, and it answers no more until released."""

    def __init__(self) -> None:
        self.lines: list[engine_pb2.LogRequest] = []
        self.released = threading.Event()
        self.released.set()

    def Log(self, request: engine_pb2.LogRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Record one line."""
        self.released.wait(PATIENCE)
        self.lines.append(request)
        return empty_pb2.Empty()


def serve(engine: engine_pb2_grpc.EngineServicer, port: int = 0) -> tuple[grpc.Server, str]:
    """Serve ``engine``, by default on a port of its own; return the server and its address."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, f"127.0.0.1:{port}"


def pickled(provider: object) -> str:
    """Return ``provider`` as the SDK puts it into a resource's ``__provider`` property."""
    return base64.b64encode(pickle.dumps(provider, protocol=4)).decode()


def struct(properties: dict[str, Any], provider: object | None = None) -> struct_pb2.Struct:
    """Return ``properties``, and the pickled provider when given, as the engine sends them."""
    made = struct_pb2.Struct()
    made.update(properties)
    if provider is not None:
        made.update({"__provider": pickled(provider)})
    return made


def plain(properties: struct_pb2.Struct) -> dict[str, Any]:
    """Return what a response's properties hold, unknown values kept as such."""
    return dict(rpc.deserialize_properties(properties, True))


def status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    """Return the status that an RPC's trailing metadata carry; None when they carry none."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return None


def init_failure_of(error: grpc.RpcError) -> provider_pb2.ErrorResourceInitFailed:
    """Return the partial failure that an RPC's status carries; there must be one."""
    status = status_of(error)
    assert status is not None
    (detail,) = status.details
    failure = provider_pb2.ErrorResourceInitFailed()
    assert detail.Unpack(failure)
    return failure


class PluginProcess:
    """``python -m pulumi.dynamic``, connected to a test engine.

    ``address`` is that of an engine that runs elsewhere; None starts a recording one here (``engine``). ``arguments``
    are the process's, None for the engine's address alone. ``change`` is a list of pairs: a piece of the host's source
    and what stands there instead, as if Pulumi had changed it; ``before`` is Python source to run ahead of the host.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        arguments: tuple[str, ...] | None = None,
        change: tuple[tuple[str, str], ...] = (),
        before: str = "",
    ) -> None:
        self.engine = RecordingEngine()
        self._elsewhere = address
        self._arguments = arguments
        self._change = change
        self._before = before

    def __enter__(self) -> Self:
        self._server = None
        if self._elsewhere is None:
            self._server, self.address = serve(self.engine)
        else:
            self.address = self._elsewhere
        changed = self._change or self._before
        arguments = (self.address,) if self._arguments is None else self._arguments
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.support.changed_host" if changed else "pulumi.dynamic", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PULUMI_PROJECT": "project",
                "CHANGED_HOST": json.dumps({"change": self._change, "before": self._before}),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=_CLIENT_OPTIONS)
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)
        self.configure({})
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def configure(self, config: dict[str, str]) -> None:
        """Send the stack's configuration, as the engine does before anything else."""
        self.stub.Configure(provider_pb2.ConfigureRequest(args=struct(config)), timeout=PATIENCE)

    def kill_engine(self) -> None:
        """Take the engine away as a kill does: its port refuses, its connection to the plugin breaks."""
        self.channel.close()
        self.stop_engine()

    def restart_engine(self) -> None:
        """Break the engine's connections, but serve at the same address again at once."""
        self.stop_engine()
        self._server, _ = serve(self.engine, int(self.address.rpartition(":")[2]))

    def stop_engine(self) -> None:
        """Stop serving, but leave the connection to the plugin."""
        self.engine.released.set()
        if self._server is not None:
            self._server.stop(None).wait(PATIENCE)
            self._server = None

    def close(self) -> None:
        """End the plugin; by Ctrl-C, so that it can leave in order, and by force only when that does not help.

        A Ctrl-C in the moment in which the host goes to sleep is lost: the host's own race.
        """
        self.channel.close()
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            if self.process.poll() is None:
                self.process.send_signal(ending)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
                break
        else:
            self.process.kill()
            self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.stop_engine()

    def wait_for(self, message: str, times: int = 1) -> None:
        """Wait until the plugin has logged ``message`` so many times."""
        until(lambda: [line.message for line in self.engine.lines].count(message) >= times)

    # The engine's RPCs, as short as tests want them. Each waits for the answer at most `PATIENCE` seconds.

    def check(self, news: dict[str, Any], provider: object, **fields: Any) -> provider_pb2.CheckResponse:
        """Run Check."""
        request = provider_pb2.CheckRequest(urn=URN, olds=struct({}), news=struct(news, provider), **fields)
        return self.stub.Check(request, timeout=PATIENCE)

    def create(self, properties: dict[str, Any], provider: object, **fields: Any) -> provider_pb2.CreateResponse:
        """Run Create and wait for its answer."""
        return self.start_create(properties, provider, **fields).result()

    def start_create(self, properties: dict[str, Any], provider: object, **fields: Any) -> Any:
        """Send Create; return the gRPC future of its answer."""
        fields.setdefault("urn", URN)
        request = provider_pb2.CreateRequest(properties=struct(properties, provider), **fields)
        return self.stub.Create.future(request, timeout=PATIENCE)

    def update(self, news: dict[str, Any], provider: object, **fields: Any) -> provider_pb2.UpdateResponse:
        """Run Update of resource ``probe/1``."""
        request = provider_pb2.UpdateRequest(
            id="probe/1", urn=URN, olds=struct({}, provider), news=struct(news, provider), **fields
        )
        return self.stub.Update(request, timeout=PATIENCE)

    def start_delete(self, properties: dict[str, Any], provider: object, **fields: Any) -> Any:
        """Send Delete; return the gRPC future of its answer."""
        request = provider_pb2.DeleteRequest(id="probe/1", urn=URN, properties=struct(properties, provider), **fields)
        return self.stub.Delete.future(request, timeout=PATIENCE)

    def cancel(self) -> None:
        """Send what the engine sends on the first Ctrl-C."""
        self.stub.Cancel(empty_pb2.Empty(), timeout=PATIENCE)
