"""Reads complete lists page by page; an object that cannot be read loses no other.

The token of the next page stands in the head of a page. So the next page is asked for as soon as the head of this one
has arrived: the API server prepares it while this one is compressed, sent and decoded.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError
from ocean_migration_pulumi.kubernetes.connection.connection import Connection
from ocean_migration_pulumi.kubernetes.connection.errors import (
    IncompleteListError,
    RefusedError,
    UnexpectedAnswerError,
)
from ocean_migration_pulumi.kubernetes.objects import decoding
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError
from ocean_migration_pulumi.kubernetes.resources import resource_path

T = TypeVar("T")

PAGE: Final = 500
"""Objects of a page."""

ListProgress = Callable[[str, int, int | None], None]
"""Told of a list: the resource, how many objects were read, and of how many (None when it is not known)."""

_HANDOVER: Final = 0.3
"""Seconds before its deadline at which an incomplete list is handed over."""
_AHEAD: Final = 3
"""Pages that are read at once."""
_TOKEN: Final = re.compile(rb'"continue"\s*:\s*"(?P<token>[^"\\]+)"')
_LONGEST_HEAD: Final = 16_384
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
    decode: Callable[[Any], Any] = decoding.decode_item,
) -> Listed[T]:
    """Return all objects of a resource.

    A list that the API server no longer has (410, when reading its pages took long) is started over, at most twice.

    Args:
        connection: The API server.
        scope: Bounds the requests.
        resource: The resource, such as ``pods``.
        read: Reads one object; raises UnexpectedFormError.
        query: Further parameters, such as a selector.
        progress: Told after each page.
        namespace: The namespace; empty for all.
        decode: Decodes what ``read`` reads; raises UnexpectedFormError.

    Raises:
        IncompleteListError: The deadline passed after the first page.
        KubernetesError: The list cannot be read.
        OperationCancelled: The operation was cancelled.
        DeadlineError: The deadline passed.
    """
    path = resource_path(resource, namespace)

    def read_raw(raw: Any) -> T:
        return read(decode(raw))

    for _ in range(_STARTS - 1):
        try:
            return _read_list(connection, scope, resource, path, read_raw, query or {}, progress)
        except RefusedError as error:
            if error.status != _GONE:
                raise
    return _read_list(connection, scope, resource, path, read_raw, query or {}, progress)


def _read_list(
    connection: Connection,
    scope: CancelScope,
    resource: str,
    path: str,
    read: Callable[[Any], T],
    query: Mapping[str, str],
    progress: ListProgress | None,
) -> Listed[T]:
    # Whoever waits for the list ends the wait at the deadline: what was read by then has to be there a little earlier.
    left = scope.remaining()
    bounded = scope if left is None else scope.at_most(max(left - _HANDOVER, left / 2))
    pages = _PageReader(connection, bounded, path, query)
    remaining: int | None = None
    found: list[T] = []
    unusable = 0
    following = ""
    while True:
        try:
            body = pages.read(following)
        except DeadlineError:
            if not found:
                raise
            raise IncompleteListError(found, remaining=remaining) from None
        try:
            page = decoding.decode_page(body)
        except UnexpectedFormError:
            raise _unexpected(resource) from None
        if page.following and page.following == following:
            raise _unexpected(resource)
        for raw in page.items:
            try:
                found.append(read(raw))
            except UnexpectedFormError:
                unusable += 1
        following, remaining = page.following, page.remaining
        if progress is not None:
            progress(resource, len(found), None if remaining is None else len(found) + remaining)
        if not following:
            return Listed(found=found, unusable=unusable)


class _PageReader:
    """Reads the pages of one list, some of them before they are wanted."""

    def __init__(self, connection: Connection, scope: CancelScope, path: str, query: Mapping[str, str]) -> None:
        self._connection = connection
        self._scope = scope
        self._path = path
        self._query = query
        self._ahead: dict[str, Future[bytes]] = {}

    def read(self, token: str) -> bytes:
        """Return the page of a token, empty for the first one; raise what ``Connection.get`` raises."""
        future = self._ahead.pop(token, None)
        return self._fetch(token) if future is None else future.result()

    def _fetch(self, token: str) -> bytes:
        more = {"continue": token} if token else {}
        head = bytearray()

        def watch(piece: bytes) -> bool:
            """Ask for the next page when its token has arrived; return whether the head is over."""
            head.extend(piece)
            start, items, _ = bytes(head).partition(b'"items"')
            match = _TOKEN.search(start)
            if match is not None:
                self._read_ahead(match["token"].decode(errors="replace"), after=token)
            return match is not None or bool(items) or len(head) > _LONGEST_HEAD

        query = {**self._query, "limit": str(PAGE), **more}
        return self._connection.get(self._scope, self._path, query, watch=watch)

    def _read_ahead(self, token: str, after: str) -> None:
        if token == after or token in self._ahead or len(self._ahead) >= _AHEAD:
            return
        future: Future[bytes] = Future()

        def work() -> None:
            try:
                future.set_result(self._fetch(token))
            except BaseException as error:  # noqa: BLE001 - whoever wants the page gets it
                future.set_exception(error)

        self._ahead[token] = future
        try:
            threading.Thread(target=work, name="ocean-migration Kubernetes", daemon=True).start()
        except RuntimeError:  # no thread is left: the page is read when it is wanted
            del self._ahead[token]


def _unexpected(resource: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(f"the list of {resource} is not what the Kubernetes API reference promises")
