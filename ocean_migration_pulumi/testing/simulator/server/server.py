"""The simulator as a server on a thread of its own, bound to loopback only."""

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
from ocean_migration_pulumi.testing.simulator.kubernetes_api.access import kubeconfig
from ocean_migration_pulumi.testing.simulator.server.application import application
from ocean_migration_pulumi.testing.simulator.server.interception import NO_PROXY, Authority
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.server.tcp_frontend import Connections, front

HOST = "127.0.0.1"

_BACKLOG = 1024
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0


class Simulator:
    """Spot's Ocean API on 127.0.0.1, for as long as the ``with`` block lasts.

    ``nodes`` None is 16 (10,000 in the scenario ``large``); ``speed`` is simulated seconds per real second, None 60 or
    what the state file says; ``port`` 0 takes a free one; ``latency_ms`` delays every answer. With ``state_file``
    everything survives a restart, even after SIGKILL: an existing file takes precedence over ``nodes``, ``scenario``,
    ``world`` and ``seed``. ``world`` describes the one cluster that there is, instead of ``nodes`` and ``scenario``:
    see ``given``. ``replay`` is a record that is played back instead of a simulated world. Raises ``ValueError`` for an
    unknown scenario, for a description that cannot be, for a file that is no record, and for numbers out of range,
    ``OSError`` when the port is taken or the record cannot be read.
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
        self._authority = Authority()
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()

    def start(self) -> Self:
        """Bind the port and serve; return when requests are answered."""
        # asyncio switches off Nagle only where the protocol is said: without it every other answer takes 40 ms.
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
            application(self._simulation, connections, self._authority),
            http=front(connections, self._authority.context),
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
        # A socket that listens takes connections before the server accepts them: no client is refused from here on.
        listener.listen(_BACKLOG)
        self._loop.call_soon(self._ready.set)
        await server.serve(sockets=[listener])

    def stop(self) -> None:
        """Save, let go what is held, close every connection and end the thread."""
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
        """The newest token that is accepted."""
        return self.environment["SPOTINST_TOKEN"]

    @property
    def account_id(self) -> str:
        """The oldest account."""
        return self.environment["SPOTINST_ACCOUNT"]

    @property
    def ocean_id(self) -> str:
        """The first cluster, empty when there is none."""
        return self.environment["OCEAN_ID"]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point clients at the simulator."""
        world = self._simulation.world
        return {
            "SPOTINST_BASE_URL": self.url,
            "SPOTINST_TOKEN": world.tokens[-1] if world.tokens else "",
            "SPOTINST_ACCOUNT": world.accounts[0],
            "OCEAN_ID": self._simulation.ocean_id,
        }

    @property
    def proxy_environment(self) -> dict[str, str]:
        """The variables for clients whose base URL is fixed: a proxy, and the file of the authority to trust.

        Asking for them opens the proxy; the file is there until the simulator stops. ``HTTPS_PROXY`` is upper case
        only, because gRPC would obey the lower-case one even for loopback. ``NO_PROXY`` is in both, because gRPC reads
        only the lower-case one, and Python prefers it.
        """
        self._authority.active = True
        trusted = str(self._authority.file)
        return {
            "HTTPS_PROXY": self.url,
            "SSL_CERT_FILE": trusted,
            "REQUESTS_CA_BUNDLE": trusted,
            "NO_PROXY": NO_PROXY,
            "no_proxy": NO_PROXY,
        }

    def kubeconfig(self, ocean_id: str | None = None, identity: str = "preview") -> str:
        """Return a kubeconfig for a cluster (None: the first one), as YAML.

        ``identity`` is ``"preview"`` (may look), ``"run"`` (may evict, too) or ``"none"`` (may do nothing). Raises
        ``KeyError`` when there is no such cluster, ``ValueError`` for another identity.
        """
        return kubeconfig(self._simulation.world, self.url, ocean_id, identity)

    @property
    def control(self) -> SimulatorControl:
        """A client of the control API."""
        return SimulatorControl(self.url)
