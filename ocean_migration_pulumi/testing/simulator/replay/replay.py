"""Reads a record of API traffic, and finds the recorded response to a request at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ocean_migration_pulumi.testing.simulator.world.world import World

_FORMAT = "ocean-migration"
_VERSION = 1
_CLUSTER = re.compile(r"/ocean/(?:aws/)?k8s/cluster/([^/]+)")
# Requests that differ only in these parameters get the same responses.
_IGNORED_PARAMETERS = frozenset({"accountId", "fromDate", "toDate", "limit", "severity", "shouldFetchPods"})

_Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedExchange:
    """A recorded request and its response."""

    ended_at: float
    """Epoch seconds of its end."""
    method: str
    """The HTTP method."""
    path: str
    """The path."""
    route: str
    """The path template."""
    query: dict[str, str]
    """The parameters of the query."""
    request: Any
    """The JSON body of the request."""
    status: int | None
    """The HTTP status, None when there was no response."""
    headers: dict[str, str]
    """The headers of the response, without the Date."""
    body: bytes
    """The body of the response."""


class _ResponseSequence:
    """The recorded exchanges of one request, in order."""

    def __init__(self, exchanges: list[ReplayedExchange]) -> None:
        self._exchanges = exchanges
        self._current = -1
        self._due = 0.0

    def advance(self, now: float) -> ReplayedExchange:
        """Return the exchange that is due: the next one after the recorded pause, and the last one from then on.

        No exchange is skipped, however rare the requests are. An exchange without a response is returned once.
        """
        if self._current < 0:
            self._current, self._due = 0, now
        elif self._current + 1 < len(self._exchanges):
            before, after = self._exchanges[self._current : self._current + 2]
            pause = max(0.0, after.ended_at - before.ended_at)
            if before.status is None or now >= self._due + pause:
                self._current += 1
                self._due = min(now, self._due + pause)
        return self._exchanges[self._current]


class Replay:
    """A record to replay; raises ``ValueError`` for a file that is not a record, or has no exchange."""

    def __init__(self, path: Path) -> None:
        # A replay accepts every token, so it does not repeat that a token was refused.
        exchanges = [exchange for exchange in _read_exchanges(path) if exchange.status != 401]
        if not exchanges:
            raise ValueError(f"{path} is a record without any exchange")
        self.started_at = exchanges[0].ended_at
        self.account_id = next(
            (exchange.query["accountId"] for exchange in exchanges if "accountId" in exchange.query), ""
        )
        self.ocean_id = next(
            (parse_ocean_id(exchange.path) for exchange in exchanges if "{ocean_id}" in exchange.route), ""
        )
        self._offset: float | None = None
        grouped: dict[tuple[str, str, _Query], list[ReplayedExchange]] = {}
        for exchange in exchanges:
            grouped.setdefault((exchange.method, exchange.path, _select_parameters(exchange.query)), []).append(
                exchange
            )
        self._sequences = {key: _ResponseSequence(group) for key, group in grouped.items()}

    def build_world(self, seed: int) -> World:
        """Return the world of a replay, which only has the account and a token."""
        world = World(seed=seed, scenario="replay", accounts=[self.account_id or "act-recorded"])
        world.tokens.append(world.new_id("", 64))
        return world

    def find_exchange(self, method: str, path: str, query: dict[str, str], now: float) -> ReplayedExchange | None:
        """Return the recorded exchange of a request at a simulated time, None when the record has none."""
        key = (method, path, _select_parameters(query))
        sequence = self._sequences.get(key) or self._find_similar(method, path, query)
        if sequence is None:
            return None
        exchange = sequence.advance(now)
        if self._offset is None or method != "GET":
            # A start or stop sets the clock of the service, so that later times of the migration fit to it.
            self._offset = now - exchange.ended_at
        return exchange

    def _find_similar(self, method: str, path: str, query: dict[str, str]) -> _ResponseSequence | None:
        """Return the exchanges of a request with other parameters, but of the same cluster."""
        wanted = (method, path, query.get("oceanId"))
        for (recorded_method, recorded_path, parameters), sequence in self._sequences.items():
            if (recorded_method, recorded_path, dict(parameters).get("oceanId")) == wanted:
                return sequence
        return None

    def get_service_time(self, now: float) -> float:
        """Return the recorded time of the service in epoch seconds."""
        return now if self._offset is None else now - self._offset


def parse_ocean_id(path: str) -> str:
    """Return the id of the cluster in a path, empty without one."""
    match = _CLUSTER.match(path)
    return unquote(match[1]) if match else ""


def _read_exchanges(path: Path) -> Iterator[ReplayedExchange]:
    """Read the exchanges of a record, without damaged lines."""
    with path.open("rb") as file:
        header = _parse_line(file.readline())
        if header.get("record") != _FORMAT or header.get("version") != _VERSION:
            raise ValueError(f"{path} is not a record of {_FORMAT}")
        for line in file:
            exchange = _build_exchange(_parse_line(line))
            if exchange is not None:
                yield exchange


def _parse_line(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _build_exchange(data: dict[str, Any]) -> ReplayedExchange | None:
    try:
        body = json.dumps(data["body"], separators=(",", ":")) if "body" in data else data.get("text", "")
        return ReplayedExchange(
            ended_at=datetime.fromisoformat(data["at"]).timestamp() + data["seconds"],
            method=data["method"],
            path=data["path"],
            route=data["route"],
            query=data.get("query", {}),
            request=data.get("request"),
            status=data.get("status"),
            # The simulator adds its own Date.
            headers={name: value for name, value in data.get("headers", {}).items() if name != "date"},
            body=body.encode("utf-8", "replace"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _select_parameters(query: dict[str, str]) -> _Query:
    return tuple(sorted((name, value) for name, value in query.items() if name not in _IGNORED_PARAMETERS))
