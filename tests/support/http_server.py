"""A scripted HTTP server on real sockets, which can do what a well-behaved one would not."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.timing import PATIENCE


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, as it was quoted."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Connection:
    """What a step of the script acts on."""

    socket: socket.socket
    ending: threading.Event


Step = Callable[[Connection, Received], bool]
"""Answers one request and returns whether the connection goes on."""


@dataclass
class ScriptedServer:
    """Takes one step of the script for each request, whatever its connection; answers 599 when none is left."""

    script: Iterable[Step]
    tls: ssl.SSLContext | None = None
    requests: list[Received] = field(default_factory=list)

    def __enter__(self) -> ScriptedServer:
        self._steps: Iterator[Step] = iter(self.script)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ending.set()
        with self._lock:
            opened = [*self._open, self._listener]
        for opened_socket in opened:
            with contextlib.suppress(OSError):
                opened_socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for opened_socket in opened:
            opened_socket.close()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(accepted)
            self._start(self._serve, accepted)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if self.tls:
                connection = stack.enter_context(self.tls.wrap_socket(connection, server_side=True))
            reader = stack.enter_context(connection.makefile("rb"))
            while request := _read(reader):
                with self._lock:
                    self.requests.append(request)
                    step = next(self._steps, None) or answer(599)
                if not step(Connection(connection, self._ending), request):
                    return


def _read(reader: Any) -> Received | None:
    line = reader.readline().decode("latin-1").split()
    if not line:
        return None
    headers = {}
    while field_line := reader.readline().decode("latin-1").strip():
        name, _, value = field_line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    body = reader.read(length)
    return Received(method=line[0], target=line[1], headers=headers, body=body) if len(body) == length else None


def envelope(*items: Any, request_id: str = "req-1") -> dict[str, Any]:
    """Return a successful answer of the service."""
    return {
        "request": {"id": request_id, "url": "/x", "method": "GET", "timestamp": "2024-01-01T00:00:00.000Z"},
        "response": {"status": {"code": 200, "message": "OK"}, "items": list(items), "count": len(items)},
    }


def refusal(status: int, *errors: dict[str, Any], request_id: str = "req-1") -> dict[str, Any]:
    """Return an error of the service; without ``errors`` its envelope has none, as with 401."""
    response: dict[str, Any] = {"status": {"code": status, "message": "No"}}
    if errors:
        response["errors"] = list(errors)
    return {"request": {"id": request_id}, "response": response}


def answer(status: int, body: Any = b"", **headers: str) -> Step:
    """Answer with bytes, or with anything else as JSON; ``_`` in a header's name stands for ``-``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(connection: Connection, request: Received) -> bool:
        connection.socket.sendall(_head(status, {"Content-Length": str(len(content)), **_named(headers)}) + content)
        return True

    return step


def items(*found: Any, **headers: str) -> Step:
    """Answer 200 with these items."""
    return answer(200, envelope(*found), **headers)


def error(status: int, *errors: dict[str, Any], **headers: str) -> Step:
    """Answer with the service's error envelope."""
    return answer(status, refusal(status, *errors), **headers)


def raw(content: bytes) -> Step:
    """Send exactly this and hang up."""

    def step(connection: Connection, request: Received) -> bool:
        connection.socket.sendall(content)
        return False

    return step


def truncated(body: Any) -> Step:
    """Promise the whole body, send half of it and hang up."""
    content = json.dumps(body).encode()
    return raw(_head(200, {"Content-Length": str(len(content))}) + content[: len(content) // 2])


def hang_up(connection: Connection, request: Received) -> bool:
    """End the connection without an answer."""
    return False


def reset(connection: Connection, request: Received) -> bool:
    """Reset the connection instead of answering."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()
    return False


def silence(connection: Connection, request: Received) -> bool:
    """Never answer."""
    connection.ending.wait()
    return False


def trickle(connection: Connection, request: Received) -> bool:
    """Send a header that never ends, a byte at a time."""
    connection.socket.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not connection.ending.wait(0.01):
        connection.socket.sendall(b"x")
    return False


def setting(event: threading.Event, step: Step) -> Step:
    """Set an event when the request has arrived, then take a step."""

    def arrived(connection: Connection, request: Received) -> bool:
        event.set()
        return step(connection, request)

    return arrived


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
