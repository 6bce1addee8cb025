"""Time from the start of the plugin to the answer to its first `check`, against that of an empty provider."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from benchmarks.children import ROOT, environment
from benchmarks.table import Row

_URN = "urn:pulumi:dev::bench::pulumi-python:dynamic/ocean-migration:OceanWorkloadMigration::web"


def measure(short: bool) -> list[Row]:
    """Start both in turns; of each the best counts."""
    from pulumi.dynamic.dynamic import serialize_provider

    from benchmarks.empty_provider import EmptyProvider
    from ocean_migration_pulumi.provider import OceanWorkloadMigrationProvider

    providers = {"ours": OceanWorkloadMigrationProvider(), "empty": EmptyProvider()}
    taken: dict[str, list[float]] = {name: [] for name in providers}
    with _engine() as address:
        for _ in range(3 if short else 15):
            for name, provider in providers.items():
                taken[name].append(_first_check(address, str(serialize_provider(provider))))
    ours, empty = (min(taken[name]) for name in ("ours", "empty"))
    return [
        Row(
            what="time from the plugin's start to the first check, against an empty provider",
            measured=ours / empty,
            bound=1.6 if short else 1.25,
            unit="times",
            note=f"{ours * 1000:.0f} ms and {empty * 1000:.0f} ms",
        )
    ]


def _first_check(address: str, provider: str) -> float:
    """Return the seconds until the inputs of a resource whose cluster is not known yet are checked."""
    from ocean_migration_pulumi.testing.offline.plugin.plugin import DynamicPlugin
    from ocean_migration_pulumi.testing.offline.plugin.providers import ResourceTarget
    from ocean_migration_pulumi.testing.offline.state.values import UNKNOWN

    news: dict[str, Any] = {"ocean_id": UNKNOWN, "nodes": {"all_nodes": True}, "__provider": provider}
    started = time.perf_counter()
    plugin = DynamicPlugin(
        engine_address=address,
        directory=ROOT,
        environment=environment(PULUMI_PROJECT="bench"),
        config={},
        log=lambda line: None,
    )
    try:
        checked = plugin.check(ResourceTarget(_URN), news)
        seconds = time.perf_counter() - started
    finally:
        plugin.close()
    if checked.failures:
        raise RuntimeError(str(checked.failures))
    return seconds


@contextmanager
def _engine() -> Iterator[str]:
    """Serve what a plugin needs of an engine: somebody who is there, and listens."""
    import grpc
    from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf has no types of its own
    from pulumi.runtime.proto import engine_pb2_grpc

    class Engine(engine_pb2_grpc.EngineServicer):
        def Log(self, request: Any, context: Any) -> Any:
            return empty_pb2.Empty()

    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
