"""Set up the host's process once: thread pool, Ctrl-C, and exit when the engine is dead."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ocean_migration_pulumi.host.call import EngineCall, interrupt
from ocean_migration_pulumi.host.engine import find_engine
from ocean_migration_pulumi.host.stack import nearest, running_context, running_request

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_watched = False


def prepare(pool_size: int = 64) -> None:
    """Make this process fit for long waits; called from ``configure``, as often as one likes.

    Raises the number of RPCs that run at once to ``pool_size``, hears the engine's Cancel, and ends the process when
    the engine is dead. What the host does not allow is left as it is. Never raises.
    """
    steps: tuple[Callable[[], None], ...] = (partial(_raise_pool, pool_size), _hear_cancel, _watch_engine)
    for step in steps:
        with _lock, suppress(Exception):  # each is a convenience of its own
            if running_request() is not None:
                step()


def _raise_pool(size: int) -> None:
    pool = nearest(ThreadPoolExecutor)
    pool._max_workers = max(pool._max_workers, size)
    pool._idle_semaphore = _NoneIdle()
    # RPCs that already queue get their thread with the next submission only: one for each.
    for _ in range(pool._work_queue.qsize()):
        pool.submit(_nothing)


def _nothing() -> None:
    pass


class _NoneIdle(threading.Semaphore):
    """The count of idle threads of a pool that starts one for each call, up to its maximum.

    Python 3.11 counts a thread as idle after each call, even when it takes the next one of the queue at once. A later
    call that relies on such a thread would wait until another one ends, which may take an hour.
    """

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Find no idle thread."""
        return False

    def release(self, n: int = 1) -> None:
        """Count none."""


def _hear_cancel() -> None:
    """Let the servicer's Cancel interrupt all calls.

    The server holds the bound method, so only the function under it can be changed. gRPC runs a method that has an
    ``experimental_thread_pool`` in that pool: so Cancel neither queues behind the waits that it is to end, nor matters
    what it does. The new code is for a server that wraps its methods and so hides the pool from gRPC.
    """
    from pulumi.runtime.proto import ResourceProviderServicer

    cancel: Any = type(nearest(ResourceProviderServicer)).Cancel
    if not hasattr(cancel, "experimental_thread_pool"):
        cancel.experimental_thread_pool = _CancelPool(max_workers=1, thread_name_prefix="cancel")
        if cancel.__code__.co_names == ("empty_pb2", "Empty"):  # still does nothing
            cancel.__code__ = _cancel.__code__


class _CancelPool(ThreadPoolExecutor):
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        interrupt()
        return super().submit(fn, *args, **kwargs)


def _cancel(self: Any, request: Any, context: Any) -> Any:
    # Runs with the globals of the host's module: it must bring all that it uses.
    from google.protobuf import empty_pb2  # type: ignore[import-untyped]  # protobuf has no types of its own

    from ocean_migration_pulumi.host.call import interrupt

    interrupt()
    return empty_pb2.Empty()


def _watch_engine() -> None:
    global _watched
    engine = find_engine()
    if engine is not None and not _watched:
        _watched = True
        engine.watch(EngineCall(context=running_context()).is_active)
