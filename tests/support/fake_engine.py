"""An engine in a process of its own, that a test can kill in the middle of a Create."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Self

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.support.plugin import ROOT, URN, RecordingEngine, pickled, serve, struct
from tests.support.probe_provider import Probe
from tests.support.timing import PATIENCE


class FakeEngine:
    """Starts the process; ``address`` is where it serves the Engine service."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fake_engine"],
            cwd=ROOT,
            env=dict(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        return self

    def create(self, port: int, properties: dict[str, Any], provider: object | None = None) -> None:
        """Let it call Create of the plugin at ``port``, without waiting; the provider is a ``Probe`` by default."""
        assert self._process.stdin is not None
        with_provider = {**properties, "__provider": pickled(provider or Probe())}
        self._process.stdin.write(json.dumps({"port": port, "properties": with_provider}) + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """Kill it as the system does: with no chance to say anything to anybody."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


def _main() -> None:
    _server, address = serve(RecordingEngine())
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    order = json.loads(sys.stdin.readline())
    stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{order['port']}"))
    stub.Create(provider_pb2.CreateRequest(urn=URN, properties=struct(order["properties"])), timeout=PATIENCE)


if __name__ == "__main__":
    _main()
