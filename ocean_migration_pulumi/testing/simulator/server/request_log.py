"""The log of received requests, with tokens redacted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

MAX_ENTRIES = 20_000
SPOT = "spot"
APIS = (SPOT, "kubernetes", "all")


class RequestLog:
    """The requests in order; beyond ``MAX_ENTRIES`` it drops the oldest reads, and never a write."""

    def __init__(self, entries: list[dict[str, Any]] | None = None) -> None:
        self._entries = entries or []
        self._numbers = itertools.count(1 + max((entry["n"] for entry in self._entries), default=0))

    def add_entry(
        self,
        *,
        at: float,
        method: str,
        path: str,
        route: str | None,
        query: dict[str, str],
        body: bytes,
        user_agent: str,
        secrets: Iterable[str],
        api: str = SPOT,
    ) -> dict[str, Any]:
        """Add a request and return its entry, to which the caller adds the outcome."""
        try:
            parsed = json.loads(body) if body else None
        except ValueError:
            parsed = body.decode("utf-8", "replace")
        entry: dict[str, Any] = {
            "n": next(self._numbers),
            "api": api,
            "at": at,
            "now": None,
            "method": method,
            "path": path,
            "route": route,
            "query": query,
            "body": parsed,
            "status": None,
            "code": None,
            "fault": None,
            "effective": False,
            "migration_id": None,
            "user_agent": user_agent,
        }
        entry = _redact(entry, [secret for secret in secrets if secret])
        self._entries.append(entry)
        if len(self._entries) > MAX_ENTRIES:
            middle = MAX_ENTRIES // 2
            kept = [old for old in self._entries[:middle] if old["method"] != "GET"]
            self._entries = kept + self._entries[middle:]
        return entry

    def filter_entries(
        self, *, method: str | None = None, effective: bool | None = None, since: int = 0, api: str = SPOT
    ) -> list[dict[str, Any]]:
        """Return the entries after number ``since``, filtered by method, effect, and API (``"all"`` for all)."""
        if api not in APIS:
            raise ValueError(f"unknown api {api!r}: one of {', '.join(APIS)}")
        return [
            entry
            for entry in self._entries
            if entry["n"] > since
            # Older state files hold requests of Spot's API only, and do not name the API.
            and api in ("all", entry.get("api", SPOT))
            and method in (None, entry["method"])
            and (effective is None or entry["effective"] == effective)
        ]

    def clear(self) -> None:
        """Remove all entries; the numbers continue."""
        self._entries.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the entries as JSON."""
        return self._entries


def _redact(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "[redacted]")
        return value
    if isinstance(value, dict):
        return {_redact(key, secrets): _redact(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_redact(part, secrets) for part in value]
    return value
