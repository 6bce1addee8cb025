"""The connection to the Pulumi engine: log lines, and the detection of its death."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_LOG_TIMEOUT = 2.0  # seconds; a suspended engine must not hold up a migration's wait
_REFUSED_FOR = 1.0  # seconds without anybody listening before the engine counts as dead
_PROBE_PAUSE = 0.1
_RECONNECT_PAUSE = 0.5
_ENDED_WITHIN = 0.3  # seconds until an RPC is known to be over whose engine is gone

# The engine is on this machine: no proxy, no idling (an idle channel does not notice a death), quick reconnects.
_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_ADDRESS = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):\d+")


class Engine:
    """One channel to the engine for the whole process.

    ``address`` is ``host:port``. Nothing here raises and nothing blocks longer than two seconds, whatever became of the
    engine: a lost line is no reason to fail a migration.
    """

    def __init__(self, address: str) -> None:
        import grpc
        from pulumi.runtime.proto import engine_pb2_grpc

        self._address = address
        self._ready = grpc.ChannelConnectivity.READY
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._log = engine_pb2_grpc.EngineStub(self._channel).Log
        self._reached = False
        self._lost = threading.Event()

    def say(self, severity: str, message: str, urn: str) -> None:
        """Log one line that stays: it has reached the engine when this returns, if it ever will."""
        with suppress(Exception):  # whatever gRPC or the engine makes of it
            self._log(_line(severity, message, urn, ephemeral=False), timeout=_LOG_TIMEOUT)

    def start_status(self, message: str, urn: str) -> Any:
        """Send the live status of the row and return the gRPC future of the sending, without waiting for it."""
        return self._log.future(_line("INFO", message, urn, ephemeral=True), timeout=_LOG_TIMEOUT)

    def watch(self, waits: Callable[[], bool]) -> None:
        """End this process soon after the engine is dead; watches in a thread of its own.

        ``waits`` tells whether the engine still waits for the RPC of this thread. One that does not listen now, and
        yet waits, is not one whose death could be noticed. One that does neither died while the provider was loaded.
        """
        self._reached = not _refuses(self._address) or _ends(waits)
        self._channel.subscribe(self._changed, try_to_connect=True)
        threading.Thread(target=self._outlive, name="engine-watch", daemon=True).start()

    def _changed(self, connectivity: object) -> None:
        if connectivity is self._ready:
            self._reached = True
            self._lost.clear()
        elif self._reached:
            self._lost.set()

    def _outlive(self) -> None:
        while True:
            if not self._lost.wait(60.0):
                continue
            if self._is_dead():
                _exit()
            # Alive after all: connect again, or the next loss would go unnoticed.
            self._lost.clear()
            self._channel.unsubscribe(self._changed)
            self._channel.subscribe(self._changed, try_to_connect=True)
            time.sleep(_RECONNECT_PAUSE)

    def _is_dead(self) -> bool:
        """Tell whether the address refused every connection for a whole second; anything else counts as alive."""
        deadline = time.monotonic() + _REFUSED_FOR
        while _refuses(self._address):
            if time.monotonic() >= deadline:
                return True
            time.sleep(_PROBE_PAUSE)
        return False


class StatusLine:
    """The live status of one row: sends the newest text, one at a time; what is overtaken or repeated is not sent."""

    def __init__(self, engine: Engine, urn: str) -> None:
        self._engine = engine
        self._urn = urn
        self._lock = threading.Lock()
        self._wanted = ""
        self._sent = ""
        self._sending = False

    def show(self, message: str) -> None:
        """Make ``message`` the status, without waiting for the engine."""
        with self._lock:
            self._wanted = message
            if self._sending or self._wanted == self._sent:
                return
            self._sending = True
        self._send()

    def _send(self) -> None:
        with self._lock:
            self._sent = self._wanted
        try:
            sending = self._engine.start_status(self._sent, self._urn)
        except Exception:  # noqa: BLE001  # the channel may be closed at exit; the next text is tried again
            self._sending = False
            return
        sending.add_done_callback(self._done)

    def _done(self, _: object) -> None:
        with self._lock:
            self._sending = self._wanted != self._sent
            if not self._sending:
                return
        self._send()


def find_engine() -> Engine | None:
    """Return the engine of this plugin process; None when the command line names no address.

    The address is the last argument: flags of the engine's own log may stand before it.
    """
    global _engine
    with _lock:
        if _engine is None and _ADDRESS.fullmatch(sys.argv[-1]):
            with suppress(Exception):  # an SDK without the engine's stub
                _engine = Engine(sys.argv[-1])
        return _engine


_lock = threading.Lock()
_engine: Engine | None = None


def _line(severity: str, message: str, urn: str, *, ephemeral: bool) -> Any:
    from pulumi.runtime.proto import engine_pb2

    return engine_pb2.LogRequest(
        severity=engine_pb2.LogSeverity.Value(severity), message=message, urn=urn, ephemeral=ephemeral
    )


def _ends(waits: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _ENDED_WITHIN
    while waits():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PROBE_PAUSE)
    return True


def _refuses(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_PAUSE).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _exit() -> None:
    # Nobody is left to answer to, and worker threads may hang in a call: leave without waiting for them.
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)
