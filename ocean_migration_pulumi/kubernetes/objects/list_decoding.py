"""Decoding of a page of a list while it arrives, so that no page is ever held as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, decode_page, is_json

T = TypeVar("T")

_ITEMS: Final = re.compile(rb'"items"\s*:\s*\[')
_BEGINNING: Final = re.compile(rb"\s*(?P<mark>\{[^{}]{0,200}\{)")
_LONGEST_HEAD: Final = 16_384
_MOST_HELD: Final = 64 * 1024 * 1024
"""Bytes that are kept until an object is complete."""


class ListDecoder(Generic[T]):
    """Decodes the objects of a page, each as soon as it is complete.

    Objects of one list begin alike, such as with ``{"metadata":{``. Where that is found again, the next one may begin:
    an object ends there if it can be decoded, and goes on otherwise. What is not cut that way is decoded in the end.
    """

    def __init__(self, read: Callable[[Any], T]) -> None:
        """Start a page.

        Args:
            read: Reads an object from its JSON; raises UnexpectedFormError.
        """
        self._read = read
        self._head = b""
        self._mark = b""
        self._rest = bytearray()
        self._searched = 1
        self.unusable = 0
        """Number of objects that are of an unexpected form."""
        self.following = ""
        """``continue`` of the next page, as far as it has arrived; empty on the last page."""
        self.remaining: int | None = None
        """Number of objects on later pages; None when the API server does not tell."""

    def feed(self, piece: bytes) -> list[T]:
        """Return the objects that are complete now.

        Raises:
            UnexpectedFormError: This is no list.
        """
        self._rest += piece
        if len(self._rest) > _MOST_HELD:
            raise UnexpectedFormError
        if not self._head and not self._cut_head():
            return []
        if not self._mark:
            match = _BEGINNING.match(self._rest)
            if match is None:
                return []
            self._mark = match["mark"]
        found: list[T] = []
        done = 0
        while (start := self._rest.find(self._mark, done + self._searched)) >= 0:
            self._searched = start - done + 1
            raw = bytes(self._rest[done:start]).rstrip()
            if raw.endswith(b",") and (taken := self._take(raw[:-1])) is not None:
                found += taken
                done, self._searched = start, 1
        del self._rest[:done]
        # A mark may have arrived in part.
        self._searched = max(1, len(self._rest) - len(self._mark))
        return found

    def finish(self) -> list[T]:
        """Return the objects that are left when everything has arrived.

        Raises:
            UnexpectedFormError: This is no list.
        """
        page = decode_page(self._head + bytes(self._rest))
        self.following, self.remaining = page.following, page.remaining
        return [each for raw in page.items for each in self._take(raw) or ()]

    def _cut_head(self) -> bool:
        """Read what stands before the objects; return whether it has arrived."""
        match = _ITEMS.search(self._rest, 0, _LONGEST_HEAD)
        if match is None:
            return False
        self._head = bytes(self._rest[: match.end()])
        del self._rest[: match.end()]
        page = decode_page(self._head + b"]}")
        self.following, self.remaining = page.following, page.remaining
        return True

    def _take(self, raw: Any) -> list[T] | None:
        """Return an object, or nothing when it is of an unexpected form; None when it is not complete."""
        try:
            return [self._read(raw)]
        except UnexpectedFormError:
            if not is_json(raw):
                return None
            self.unusable += 1
            return []
