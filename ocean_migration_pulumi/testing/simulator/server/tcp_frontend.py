"""The TCP side of the server, which ASGI does not cover: connection resets, and CONNECT with TLS interception."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

INTERCEPTED_HOST = "api.spotinst.io"
"""The only host of CONNECT tunnels, which end in the simulator; nothing is forwarded to it."""

_MAX_HEAD = 16_384
_CONNECT = b"CONNECT "


class Connections:
    """The open connections, by the address of the client."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def add(self, transport: asyncio.Transport) -> None:
        """Add a connection; it replaces an older one from the same address."""
        host, port = transport.get_extra_info("peername")[:2]
        self._transports[host, port] = transport

    def remove(self, client: Sequence[Any], transport: asyncio.Transport) -> None:
        """Remove a closed connection, unless another one from the same address has replaced it."""
        if self._transports.get((client[0], client[1])) is transport:
            del self._transports[client[0], client[1]]

    def reset(self, client: Sequence[Any]) -> None:
        """Close the connection of a client with a TCP reset, which discards data in transit."""
        if (transport := self._transports.get((client[0], client[1]))) is not None:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()

    def close(self, client: Sequence[Any]) -> None:
        """Close the connection of a client after all data has been sent."""
        if (transport := self._transports.get((client[0], client[1]))) is not None:
            transport.close()


def build_frontend(connections: Connections, tls: Callable[[], ssl.SSLContext | None]) -> type[asyncio.Protocol]:
    """Build the protocol class that uvicorn uses; it refuses tunnels while ``tls`` returns None."""

    class Frontend(_Frontend):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(connections, tls, lambda: Http(config, server_state, app_state, _loop), server_state)

    class Http(H11Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                connections.remove(self.client, self.transport)
            super().connection_lost(exc)

    return Frontend


class _Frontend(asyncio.Protocol):
    """Reads the first bytes of a connection: opens and intercepts a tunnel, or passes HTTP to uvicorn."""

    def __init__(
        self,
        connections: Connections,
        tls: Callable[[], ssl.SSLContext | None],
        http: Callable[[], H11Protocol],
        server_state: ServerState,
    ) -> None:
        self._connections = connections
        self._tls = tls
        self._http = http
        self._server_state = server_state
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._tunnel: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server_state.connections.add(self)  # type: ignore[arg-type] # uvicorn only calls its shutdown()
        self._inspect()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._inspect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(self)

    def shutdown(self) -> None:
        """Close the connection when the server shuts down."""
        if self._transport is not None:
            self._transport.close()

    def _inspect(self) -> None:
        if self._transport is None or not self._buffer or self._tunnel is not None:
            return
        if not _CONNECT.startswith(self._buffer[: len(_CONNECT)]) and not self._buffer.startswith(_CONNECT):
            self._pass_to_http(self._transport)
        elif b"\r\n\r\n" in self._buffer:
            self._open_tunnel(self._transport)
        elif len(self._buffer) > _MAX_HEAD:
            self._transport.close()

    def _pass_to_http(self, transport: asyncio.Transport) -> None:
        """Pass the connection and the data read so far to uvicorn's HTTP protocol."""
        self._server_state.connections.discard(self)
        self._connections.add(transport)
        protocol = self._http()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._buffer)

    def _open_tunnel(self, transport: asyncio.Transport) -> None:
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        target = head.split(b" ")[1].decode("ascii", "replace")
        context = self._tls()
        if context is None or target != f"{INTERCEPTED_HOST}:443" or rest:
            transport.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            transport.close()
            return
        transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._tunnel = asyncio.get_running_loop().create_task(self._intercept(transport, context))

    async def _intercept(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        # Data can arrive with the end of the handshake, before start_tls returns: the inner frontend buffers it.
        inner = _Frontend(self._connections, self._tls, self._http, self._server_state)
        try:
            secured = await asyncio.get_running_loop().start_tls(transport, inner, context, server_side=True)
        except (OSError, ssl.SSLError):
            transport.abort()
            return
        finally:
            self._server_state.connections.discard(self)
        if secured is not None:
            inner.connection_made(secured)
