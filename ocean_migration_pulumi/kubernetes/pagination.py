"""Reads complete lists page by page; an object that cannot be read loses no other.

A page is decoded while it arrives, so that pages can be large and still take no memory: each page costs the API server
a request of its own. The token of the next page stands in the head of a page. So the next page is asked for as soon as
the head of this one has arrived: the API server prepares it while this one is compressed, sent and decoded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError
from ocean_migration_pulumi.kubernetes.connection.connection import BodySink, Connection
from ocean_migration_pulumi.kubernetes.connection.errors import IncompleteListError, RefusedError, UnexpectedAnswerError
from ocean_migration_pulumi.kubernetes.objects.decoding import (
    UnexpectedFormError,
    decode_event,
    decode_item,
    decode_pod,
)
from ocean_migration_pulumi.kubernetes.objects.list_decoding import ListDecoder
from ocean_migration_pulumi.kubernetes.resources import resource_path
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import EVENTS

T = TypeVar("T")

PAGE: Final = 2000
"""Objects of a page."""

ListProgress = Callable[[str, int, int | None], None]
"""Told of a list: the resource, how many objects were read, and of how many (None when it is not known)."""

_DECODERS: Final[Mapping[str, Callable[[Any], Any]]] = {PODS: decode_pod, EVENTS: decode_event}
_HANDOVER: Final = 0.3
"""Seconds before its deadline at which an incomplete list is handed over."""
_PROGRESS: Final = 500
"""Objects after which progress is told."""
_MOST_WAITING: Final = 2 * 1024 * 1024
"""Bytes of the next page that may arrive before they are wanted."""
_LOOK_AROUND: Final = 0.1
_GONE: Final = 410
_STARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[T]):
    """A list as it was read."""

    found: list[T]
    """Objects that could be read."""
    unusable: int = 0
    """Number of objects that are left out, as they are of an unexpected form."""


def list_all(
    connection: Connection,
    scope: CancelScope,
    resource: str,
    read: Callable[[Any], T],
    query: Mapping[str, str] | None = None,
    *,
    progress: ListProgress | None = None,
    namespace: str = "",
) -> Listed[T]:
    """Return all objects of a resource.

    A list that the API server no longer has (410, when reading its pages took long) is started over, at most twice.

    Args:
        connection: The API server.
        scope: Bounds the requests.
        resource: The resource, such as ``pods``.
        read: Reads one object, as it is decoded; raises UnexpectedFormError.
        query: Further parameters, such as a selector.
        progress: Told now and then, and after each page.
        namespace: The namespace; empty for all.

    Raises:
        IncompleteListError: The deadline passed when a part of the list had been read.
        KubernetesError: The list cannot be read.
        OperationCancelled: The operation was cancelled.
        DeadlineError: The deadline passed.
    """
    path = resource_path(resource, namespace)
    decode: Callable[[Any], Any] = _DECODERS.get(resource, decode_item)

    def read_raw(raw: Any) -> T:
        return read(decode(raw))

    # Whoever waits for the list ends the wait at the deadline: what was read by then has to be there a little earlier.
    left = scope.remaining()
    bounded = scope if left is None else scope.at_most(max(left - _HANDOVER, left / 2))
    for _ in range(_STARTS - 1):
        try:
            return _ListReader(connection, bounded, resource, path, read_raw, query or {}, progress).read_list()
        except RefusedError as error:
            if error.status != _GONE:
                raise
    return _ListReader(connection, bounded, resource, path, read_raw, query or {}, progress).read_list()


class _ListReader(Generic[T]):
    """Reads one list from its beginning to its end; the sink of its pages."""

    def __init__(
        self,
        connection: Connection,
        scope: CancelScope,
        resource: str,
        path: str,
        read: Callable[[Any], T],
        query: Mapping[str, str],
        progress: ListProgress | None,
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._resource = resource
        self._path = path
        self._read = read
        self._query = query
        self._progress = progress
        self._token = ""
        self._page = ListDecoder(read)
        self._found: list[T] = []
        self._start = 0
        self._told = 0
        self._unusable = 0
        self._total: int | None = None
        self._next: _Download | None = None

    def read_list(self) -> Listed[T]:
        """Return the list."""
        try:
            while True:
                try:
                    self._read_page()
                except DeadlineError:
                    if not self._found:
                        raise
                    remaining = None if self._total is None else max(0, self._total - len(self._found))
                    raise IncompleteListError(self._found, remaining=remaining) from None
                except UnexpectedFormError:
                    raise _unexpected(self._resource) from None
                if self._page.following and self._page.following == self._token:
                    raise _unexpected(self._resource)
                self._token, self._start = self._page.following, len(self._found)
                if not self._token:
                    return Listed(found=self._found, unusable=self._unusable)
        finally:
            if self._next is not None:
                self._next.close()

    def _read_page(self) -> None:
        download, self._next = self._next, None
        if download is not None and download.token == self._token:
            try:
                download.pass_on(self)
            finally:
                download.close()
        else:
            if download is not None:
                download.close()
            self._connection.stream(self._scope, self._path, self._page_query(self._token), self)
        self._found += self._page.finish()
        self._unusable += self._page.unusable
        remaining = self._page.remaining
        if self._page.following:
            self._total = None if remaining is None else len(self._found) + remaining
        self._tell()

    def begin_page(self) -> None:
        """Start the page, or start it over."""
        del self._found[self._start :]
        self._page = ListDecoder(self._read)

    def take_piece(self, piece: bytes) -> None:
        """Decode a piece of the page, and ask for the next page when its token has arrived."""
        self._found += self._page.feed(piece)
        following = self._page.following
        if following and self._next is None and following != self._token:
            if self._page.remaining is not None:
                self._total = self._start + PAGE + self._page.remaining
            self._next = _Download(self._connection, self._scope, self._path, self._page_query(following), following)
        if len(self._found) - self._told >= _PROGRESS:
            self._tell()

    def _page_query(self, token: str) -> dict[str, str]:
        return {**self._query, "limit": str(PAGE), **({"continue": token} if token else {})}

    def _tell(self) -> None:
        self._told = len(self._found)
        if self._progress is not None:
            self._progress(self._resource, len(self._found), self._total)


class _Download:
    """A page that arrives before it is wanted; what nobody wants yet keeps the rest from being sent."""

    def __init__(
        self, connection: Connection, scope: CancelScope, path: str, query: Mapping[str, str], token: str
    ) -> None:
        self.token = token
        self._connection = connection
        self._scope = scope
        self._path = path
        self._query = query
        self._changed = threading.Condition()
        self._pieces: deque[bytes | None] = deque()
        self._waiting = 0
        self._is_over = False
        self._is_closed = False
        self._error: BaseException | None = None
        thread = threading.Thread(target=self._work, name="ocean-migration Kubernetes", daemon=True)
        try:
            thread.start()
            self._is_started = True
        except RuntimeError:  # no thread is left: the page is read when it is wanted
            self._is_started = False

    def pass_on(self, sink: BodySink) -> None:
        """Give the page to a sink as it arrives; raise what ``Connection.stream`` raises."""
        if not self._is_started:
            self._connection.stream(self._scope, self._path, self._query, sink)
            return
        while True:
            with self._changed:
                while not self._pieces and not self._is_over:
                    self._changed.wait(_LOOK_AROUND)
                    self._scope.check()
                pieces, self._pieces, self._waiting = self._pieces, deque(), 0
                is_over = self._is_over
                self._changed.notify_all()
            for piece in pieces:
                if piece is None:
                    sink.begin_page()
                else:
                    sink.take_piece(piece)
            if is_over:
                break
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Let the thread end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def begin_page(self) -> None:
        """Tell the sink that the page begins."""
        with self._changed:
            self._pieces.append(None)

    def take_piece(self, piece: bytes) -> None:
        """Keep a piece, once there is room for it."""
        with self._changed:
            while self._waiting > _MOST_WAITING and not self._is_closed:
                self._changed.wait(_LOOK_AROUND)
            if self._is_closed:
                raise _NotWantedError
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            self._connection.stream(self._scope, self._path, self._query, self)
        except BaseException as error:  # noqa: BLE001 - whoever wants the page gets it
            self._error = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()


class _NotWantedError(Exception):
    """Nobody waits for the page any more."""


def _unexpected(resource: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(f"the list of {resource} does not match the Kubernetes API reference")
