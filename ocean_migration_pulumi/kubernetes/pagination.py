"""Reads complete lists page by page; an object that cannot be read loses no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
            return _pages(connection, scope, resource, path, read_raw, query or {}, progress)
        except RefusedError as error:
            if error.status != _GONE:
                raise
    return _pages(connection, scope, resource, path, read_raw, query or {}, progress)


def _pages(
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
    remaining: int | None = None
    found: list[T] = []
    unusable = 0
    following = ""
    while True:
        more = {"continue": following} if following else {}
        try:
            body = connection.get(bounded, path, {**query, "limit": str(PAGE), **more})
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


def _unexpected(resource: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(f"the list of {resource} is not what the Kubernetes API reference promises")
