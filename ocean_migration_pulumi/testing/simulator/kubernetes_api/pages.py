"""Paged lists: all pages show the list as it was when the first page was requested."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections import OrderedDict
from dataclasses import dataclass

from ocean_migration_pulumi.testing.simulator.kubernetes_api import status
from ocean_migration_pulumi.testing.simulator.kubernetes_api.status import KubernetesStatusError
from ocean_migration_pulumi.testing.simulator.kubernetes_api.view import Row

REMEMBERED_SECONDS = 300.0
"""Real seconds for which a list can be continued."""

REMEMBERED_LISTS = 32


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a list."""

    rows: list[Row]
    """The objects on the page."""
    version: str
    """The ``resourceVersion`` of the list."""
    token: str | None = None
    """The ``continue`` token of the next page, None on the last one."""
    remaining: int = 0
    """The number of objects on later pages."""


class PagedLists:
    """The lists that clients have not read to the end; a restart expires their tokens."""

    def __init__(self) -> None:
        # Versions increase across restarts, so that an old token never matches a new list.
        self._versions = itertools.count(int(time.time() * 1000))
        self._lists: OrderedDict[str, tuple[float, str, list[Row]]] = OrderedDict()

    def start_list(self, path: str, rows: list[Row], limit: int) -> Page:
        """Return the first page of a list; ``limit`` 0 returns the whole list."""
        version = str(next(self._versions))
        if 0 < limit < len(rows):
            self._lists[version] = (time.monotonic() + REMEMBERED_SECONDS, path, rows)
            while len(self._lists) > REMEMBERED_LISTS:
                self._lists.popitem(last=False)
        return _build_page(rows, version, 0, limit)

    def continue_list(self, path: str, token: str, limit: int) -> Page:
        """Return the page of a token; raises HTTP 410 for an expired token, or one of another list."""
        try:
            start = json.loads(base64.urlsafe_b64decode(token.encode()))
            version, offset = str(start["rv"]), int(start["start"])
        except (KeyError, TypeError, ValueError):
            raise KubernetesStatusError(410, status.EXPIRED) from None
        deadline, listed, rows = self._lists.get(version, (0.0, "", []))
        if listed != path or time.monotonic() > deadline or not 0 < offset < len(rows):
            raise KubernetesStatusError(410, status.EXPIRED)
        return _build_page(rows, version, offset, limit)


def _build_page(rows: list[Row], version: str, offset: int, limit: int) -> Page:
    end = offset + limit if limit else len(rows)
    if end >= len(rows):
        return Page(rows=rows[offset:], version=version)
    start = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": end}, separators=(",", ":"))
    token = base64.urlsafe_b64encode(start.encode()).decode()
    return Page(rows=rows[offset:end], version=version, token=token, remaining=len(rows) - end)
