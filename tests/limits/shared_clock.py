"""A clock for many threads: it stands still while anybody works, and moves on when all of them sleep."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from ocean_migration_pulumi.api.responses import ApiResponse
from ocean_migration_pulumi.api.transport import Transport
from ocean_migration_pulumi.common.cancellation import CancelScope
from tests.support.timing import PATIENCE

_LOOK = 0.001
_IDLE_LOOKS = 3
_BEGIN = 1_000_000.0


class SharedClock:
    """Hands out scopes whose sleeps end as soon as nobody has anything to do before; as a context manager it runs.

    A request under way is work; between two of them a thread is taken to be asleep when nothing has happened for a few
    milliseconds. That it moved on too early does not matter: then something has taken its time.
    """

    def __init__(self) -> None:
        self.now = _BEGIN
        self._changed = threading.Condition()
        self._sleepers: dict[object, float] = {}
        self._under_way = 0
        self._events = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shared-clock", daemon=True)

    def __enter__(self) -> SharedClock:
        self._exchange = exchange = Transport.exchange

        def counted(transport: Transport, *arguments: Any) -> ApiResponse:
            self._note(1)
            try:
                return exchange(transport, *arguments)
            finally:
                self._note(-1)

        Transport.exchange = counted  # type: ignore[assignment, method-assign]  # the arguments are passed on
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        Transport.exchange = self._exchange  # type: ignore[method-assign]
        self._over.set()
        self._thread.join(PATIENCE)

    def read(self) -> float:
        """Return the time."""
        return self.now

    def scope(self, seconds: float) -> CancelScope:
        """Return a scope that ends after so many seconds."""
        return CancelScope(deadline=self.now + seconds, clock=self.read, wait=self.wait)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Sleep until the time has come; nobody is interrupted here."""
        me = object()
        with self._changed:
            ends = self.now + max(0.0, seconds)
            self._sleepers[me] = ends
            self._events += 1
            while self.now < ends:
                self._changed.wait()
            del self._sleepers[me]
            self._events += 1
        return event.is_set()

    def _note(self, change: int) -> None:
        with self._changed:
            self._under_way += change
            self._events += 1

    def _run(self) -> None:
        seen, looks = -1, 0
        while not self._over.wait(_LOOK):
            with self._changed:
                if self._under_way or self._events != seen:
                    seen, looks = self._events, 0
                    continue
                looks += 1
                if looks >= _IDLE_LOOKS and self._sleepers:
                    self.now = max(self.now, min(self._sleepers.values()))
                    looks = 0
                    self._changed.notify_all()
