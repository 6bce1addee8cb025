"""Lists in pages: what the first page saw is what the others show, for as long as the server remembers it."""

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
    """Some rows of a list; ``token`` asks for the next ones, None at the end, and ``remaining`` counts those."""

    rows: list[Row]
    version: str
    token: str | None = None
    remaining: int = 0


class Pages:
    """The lists that were begun; none survives a restart, so that its tokens have expired then."""

    def __init__(self) -> None:
        # Versions go on after a restart, or tokens of the time before would be taken for new ones.
        self._versions = itertools.count(int(time.time() * 1000))
        self._lists: OrderedDict[str, tuple[float, str, list[Row]]] = OrderedDict()

    def begin(self, path: str, rows: list[Row], limit: int) -> Page:
        """Return the first page; ``limit`` 0 is everything."""
        version = str(next(self._versions))
        if 0 < limit < len(rows):
            self._lists[version] = (time.monotonic() + REMEMBERED_SECONDS, path, rows)
            while len(self._lists) > REMEMBERED_LISTS:
                self._lists.popitem(last=False)
        return _page(rows, version, 0, limit)

    def go_on(self, path: str, token: str, limit: int) -> Page:
        """Return the page that a token asks for; a token of another list, or of none any more, has expired."""
        try:
            start = json.loads(base64.urlsafe_b64decode(token.encode()))
            version, offset = str(start["rv"]), int(start["start"])
        except (KeyError, TypeError, ValueError):
            raise KubernetesStatusError(410, status.EXPIRED) from None
        deadline, listed, rows = self._lists.get(version, (0.0, "", []))
        if listed != path or time.monotonic() > deadline or not 0 < offset < len(rows):
            raise KubernetesStatusError(410, status.EXPIRED)
        return _page(rows, version, offset, limit)


def _page(rows: list[Row], version: str, offset: int, limit: int) -> Page:
    end = offset + limit if limit else len(rows)
    if end >= len(rows):
        return Page(rows=rows[offset:], version=version)
    start = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": end}, separators=(",", ":"))
    token = base64.urlsafe_b64encode(start.encode()).decode()
    return Page(rows=rows[offset:end], version=version, token=token, remaining=len(rows) - end)
