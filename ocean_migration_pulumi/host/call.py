"""The engine's RPC that a method of the provider serves."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import Any

from ocean_migration_pulumi.host.engine import Engine, StatusLine, find_engine
from ocean_migration_pulumi.host.stack import running_context, running_request


class EngineCall:
    """One RPC of the engine.

    Without arguments it belongs to nobody: it is always active, and its lines go nowhere.

    Attributes:
        method: ``Check``, ``Diff``, ``Create``, ``Update``, ``Delete`` or ``Read``, empty when unknown.
        urn: The URN of the resource, empty when unknown.
        timeout: The custom timeout in seconds, None when it is not set or unknown.
        preview: Whether this is a preview, None when the request does not say.
        ended: Set as soon as the RPC must end: after Ctrl-C, or when the engine is gone.
    """

    def __init__(self, request: Any = None, context: Any = None, engine: Engine | None = None) -> None:
        self.method: str = type(request).__name__.removesuffix("Request") if request is not None else ""
        self.urn: str = getattr(request, "urn", "")
        self.timeout: float | None = getattr(request, "timeout", None) or None
        self.preview: bool | None = getattr(request, "preview", None)
        self.ended = threading.Event()
        self._request = request
        self._context = context
        self._engine = engine
        self._status = None if engine is None else StatusLine(engine, self.urn)

    @property
    def old_inputs(self) -> dict[str, Any] | None:
        """The inputs of the last successful run, unknown values kept as such; None where the request has none."""
        from pulumi.runtime import rpc

        request = self._request
        if request is None or "old_inputs" not in request.DESCRIPTOR.fields_by_name:
            return None
        return rpc.deserialize_properties(request.old_inputs, True) if request.HasField("old_inputs") else None

    def interrupted(self) -> bool:
        """Tell whether somebody pressed Ctrl-C."""
        return _interruption.has_happened

    def is_active(self) -> bool:
        """Tell whether the engine still waits for this RPC; True when that cannot be known."""
        try:
            return self._context is None or bool(self._context.is_active())
        except Exception:  # noqa: BLE001  # a host that cannot say
            return True

    def status(self, message: str) -> None:
        """Show ``message`` in the resource's row until the next one; returns at once."""
        if self._status is not None and self.is_active():
            self._status.show(message)

    def info(self, message: str) -> None:
        """Log a line that stays."""
        self._say("INFO", message)

    def warning(self, message: str) -> None:
        """Log a warning that stays."""
        self._say("WARNING", message)

    def error(self, message: str) -> None:
        """Log an error that stays; the engine fails the whole run for it, whatever the RPC answers."""
        self._say("ERROR", message)

    def _say(self, severity: str, message: str) -> None:
        if self._engine is not None and self.is_active():
            self._engine.say(severity, message, self.urn)


class _Interruption:
    """Ctrl-C, which holds for the whole process: for the calls that run, and for those that come after it."""

    def __init__(self) -> None:
        self.has_happened = False
        self._lock = threading.Lock()
        self._endings: weakref.WeakSet[threading.Event] = weakref.WeakSet()

    def ends(self, ended: threading.Event) -> None:
        with self._lock:
            self._endings.add(ended)
            if self.has_happened:
                ended.set()

    def happen(self) -> None:
        with self._lock:
            self.has_happened = True
            for ended in self._endings:
                ended.set()


_interruption = _Interruption()


def interrupt() -> None:
    """End every call of this process, and every later one: the engine has sent Cancel."""
    _interruption.happen()


def current_call() -> EngineCall:
    """Return the RPC that runs on this thread, or, where the host cannot be looked into, a call of nobody.

    Never raises.
    """
    try:
        request, context = running_request(), running_context()
        call = EngineCall(request, context, None if request is None else find_engine())
    except Exception:  # noqa: BLE001  # SDK or gRPC without the parts that this looks for
        call = EngineCall()
        context = None
    if context is not None:
        with suppress(Exception):  # a context that takes no callbacks: is_active() still tells
            if not context.add_callback(call.ended.set):
                call.ended.set()
    _interruption.ends(call.ended)
    return call
