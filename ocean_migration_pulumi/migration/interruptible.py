"""Calls that an interruption ends at once, although the network still holds their thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, Final, TypeVar, cast

from ocean_migration_pulumi.api.scope import Scope

from .service import OceanApi

T = TypeVar("T")

_LOOK: Final = 0.05
_GRACE: Final = 1.0
_WRITES: Final = frozenset({"create_migration", "stop_migration"})


def interruptibly(scope: Scope, call: Callable[[], T], *, grace: float = 0.0) -> T:
    """Run a call in a thread of its own, and leave it behind when the scope ends.

    ``grace`` is how many seconds an answer may still take then: that of a write is worth waiting for.
    Raises what the call raises, InterruptedWaitError or EngineGoneError.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="ocean-migration-call").start()
    while True:
        ended = scope.ended.is_set()
        try:
            return future.result(timeout=grace if ended else _LOOK)
        except NotYet:
            if future.done():
                raise
            if ended:
                scope.check()


class _Interruptible:
    def __init__(self, api: Any, scope: Scope | None = None) -> None:
        self._api = api
        self._scope = scope

    def within(self, scope: Scope) -> _Interruptible:
        return _Interruptible(self._api.within(scope), scope)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._api, name)
        scope = self._scope
        if scope is None or not callable(member) or name == "server_now":
            return member
        grace = _GRACE if name in _WRITES else 0.0
        return lambda *args, **kwargs: interruptibly(scope, lambda: member(*args, **kwargs), grace=grace)


def interruptible(api: OceanApi) -> OceanApi:
    """Return the same service, with calls that end when their scope does."""
    return cast("OceanApi", _Interruptible(api))
