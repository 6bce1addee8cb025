"""The simulator: an HTTP server on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from ocean_migration_pulumi.testing.simulator.control.client import SimulatorControl
from ocean_migration_pulumi.testing.simulator.kubernetes_api.access import build_kubeconfig
from ocean_migration_pulumi.testing.simulator.server.application import build_application
from ocean_migration_pulumi.testing.simulator.server.interception import NO_PROXY, CertificateAuthority
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.server.tcp_frontend import Connections, build_frontend

HOST = "127.0.0.1"

_BACKLOG = 1024
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class Simulator:
    """Spot's Ocean API and the Kubernetes API of its clusters, on 127.0.0.1.

    As a context manager it serves until the end of the ``with`` block.

    Args:
        nodes: The number of old nodes; None for 16, or 10,000 in the scenario ``large``.
        scenario: The name of the scenario.
        speed: Simulated seconds per real second; None for 60, or for the speed in the state file.
        seed: The seed from which all ids and tokens follow.
        state_file: Keeps the whole state across restarts, even after SIGKILL. An existing file takes precedence over
            ``nodes``, ``scenario``, ``world`` and ``seed``.
        latency_ms: Real milliseconds by which every request is delayed.
        port: The port; 0 for a free one.
        world: The description of one cluster, instead of ``nodes`` and ``scenario``; see ``world_from_json``.
        replay: A record to replay instead of a simulated world.

    Raises:
        ValueError: The scenario is unknown, the description, state file or record is invalid, or a number is out of
            range.
        OSError: The record or state file cannot be read. ``start`` raises it when the port is taken.
    """

    def __init__(
        self,
        *,
        nodes: int | None = None,
        scenario: str = "success",
        speed: float | None = None,
        seed: int = 0,
        state_file: str | os.PathLike[str] | None = None,
        latency_ms: float = 0,
        port: int = 0,
        world: Mapping[str, Any] | None = None,
        replay: str | os.PathLike[str] | None = None,
    ) -> None:
        self._simulation = Simulation(
            scenario=scenario,
            nodes=nodes,
            speed=speed,
            seed=seed,
            state_file=None if state_file is None else Path(state_file),
            latency_ms=latency_ms,
            world=world,
            replay=None if replay is None else Path(replay),
        )
        self._port = port
        self._authority = CertificateAuthority()
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()

    def start(self) -> Self:
        """Bind the port and serve; return when the simulator accepts requests."""
        # asyncio disables Nagle's algorithm only for sockets with an explicit protocol. With it, responses take 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, self._port))
        except OSError:
            listener.close()
            raise
        self._socket, self._port = listener, listener.getsockname()[1]
        self._simulation.url = self.url
        connections = Connections()
        config = uvicorn.Config(
            build_application(self._simulation, connections, self._authority),
            http=build_frontend(connections, self._authority.get_context),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=lambda server: asyncio.run(self._serve(server, listener)),
            args=(self._server,),
            name="ocean-migration simulator",
            daemon=True,
        )
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the simulator did not start")
        return self

    async def _serve(self, server: uvicorn.Server, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        # The socket queues connections before the server accepts them: from now on no client is refused.
        listener.listen(_BACKLOG)
        self._loop.call_soon(self._ready.set)
        await server.serve(sockets=[listener])

    def stop(self) -> None:
        """Save the state, release held requests, close every connection and end the thread."""
        if self._server is not None and self._thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._simulation.close)
            self._server.should_exit = True
            self._thread.join(_STOP_SECONDS)
        self._server = self._thread = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._authority.remove_file()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{HOST}:{self._port}"

    @property
    def token(self) -> str:
        """The newest accepted token."""
        return self.environment["SPOTINST_TOKEN"]

    @property
    def account_id(self) -> str:
        """The oldest account."""
        return self.environment["SPOTINST_ACCOUNT"]

    @property
    def ocean_id(self) -> str:
        """The first cluster, empty without any cluster."""
        return self.environment["OCEAN_ID"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that direct clients to the simulator."""
        world = self._simulation.world
        return {
            "SPOTINST_BASE_URL": self.url,
            "SPOTINST_TOKEN": world.tokens[-1] if world.tokens else "",
            "SPOTINST_ACCOUNT": world.accounts[0],
            "OCEAN_ID": self._simulation.ocean_id,
        }

    @property
    def proxy_environment(self) -> dict[str, str]:
        """The environment variables for clients with a fixed base URL: a proxy, and the certificate to trust.

        Reading this property opens the proxy and writes the file of the certificate, which exists until the simulator
        stops. ``HTTPS_PROXY`` is upper case only, because gRPC uses the lower-case variable even for loopback.
        ``no_proxy`` exists in both cases, because gRPC reads only the lower-case variable, and Python prefers it.
        """
        self._authority.active = True
        certificate = str(self._authority.file)
        return {
            "HTTPS_PROXY": self.url,
            "SSL_CERT_FILE": certificate,
            "REQUESTS_CA_BUNDLE": certificate,
            "NO_PROXY": NO_PROXY,
            "no_proxy": NO_PROXY,
        }

    def kubeconfig(self, ocean_id: str | None = None, identity: str = "preview") -> str:
        """Return a kubeconfig as YAML.

        Args:
            ocean_id: The cluster, None for the first one.
            identity: ``"preview"`` (may read), ``"run"`` (may also evict) or ``"none"`` (no rights).

        Raises:
            KeyError: The cluster does not exist.
            ValueError: The identity does not exist.
        """
        return build_kubeconfig(self._simulation.world, self.url, ocean_id, identity)

    @property
    def control(self) -> SimulatorControl:
        """A client of the control API."""
        return SimulatorControl(self.url)
