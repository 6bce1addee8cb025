"""A record of exchanges, to be played back: which answer is due to what, and when."""

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
# What only says when, or how much, does not make another question of it.
_INDECISIVE = frozenset({"accountId", "fromDate", "toDate", "limit", "severity", "shouldFetchPods"})

_Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One recorded exchange; ``status`` None is one without an answer. ``at``, epoch seconds, is when it ended."""

    at: float
    method: str
    path: str
    route: str
    query: dict[str, str]
    request: Any
    status: int | None
    headers: dict[str, str]
    body: bytes


class _Part:
    """The answers to one question, in their order."""

    def __init__(self, takes: list[Take]) -> None:
        self._takes = takes
        self._current = -1
        self._due = 0.0

    def next(self, now: float) -> Take:
        """Return the answer of a time: the next one when as much time has passed as once did, at last the last one.

        None is left out, however seldom somebody asks. A request that had no answer fails once.
        """
        if self._current < 0:
            self._current, self._due = 0, now
        elif self._current + 1 < len(self._takes):
            before, after = self._takes[self._current : self._current + 2]
            pause = max(0.0, after.at - before.at)
            if before.status is None or now >= self._due + pause:
                self._current += 1
                self._due = min(now, self._due + pause)
        return self._takes[self._current]


class Replay:
    """What a record has to say; raises ``ValueError`` for a file that is no record, or holds no exchange."""

    def __init__(self, path: Path) -> None:
        # Every token is taken here: that one was refused once is no part of what is played.
        takes = [take for take in _read(path) if take.status != 401]
        if not takes:
            raise ValueError(f"{path} is a record without any exchange")
        self.began = takes[0].at
        self.account_id = next((take.query["accountId"] for take in takes if "accountId" in take.query), "")
        self.ocean_id = next((cluster_in(take.path) for take in takes if "{ocean_id}" in take.route), "")
        self._behind: float | None = None
        collected: dict[tuple[str, str, _Query], list[Take]] = {}
        for take in takes:
            collected.setdefault((take.method, take.path, _decisive(take.query)), []).append(take)
        self._parts = {key: _Part(found) for key, found in collected.items()}

    def world(self, seed: int) -> World:
        """Return the world of a replay: the account and a token, and nothing else that could be asked about."""
        world = World(seed=seed, scenario="replay", accounts=[self.account_id or "act-recorded"])
        world.tokens.append(world.new_id("", 64))
        return world

    def take(self, method: str, path: str, query: dict[str, str], now: float) -> Take | None:
        """Return the recorded exchange that answers a request now; None when there is none."""
        part = self._parts.get((method, path, _decisive(query))) or self._alike(method, path, query)
        if part is None:
            return None
        take = part.next(now)
        if self._behind is None or method != "GET":
            # A start tells the service's clock: what is said of the migration later is to be of the same time.
            self._behind = now - take.at
        return take

    def _alike(self, method: str, path: str, query: dict[str, str]) -> _Part | None:
        """Return the answers to a question in other detail, but never of another cluster."""
        for (known_method, known_path, known_query), part in self._parts.items():
            if (known_method, known_path) == (method, path) and dict(known_query).get("oceanId") == query.get(
                "oceanId"
            ):
                return part
        return None

    def served_at(self, now: float) -> float:
        """Return what the service's clock shows, in epoch seconds."""
        return now if self._behind is None else now - self._behind


def cluster_in(path: str) -> str:
    """Return the id of the cluster that a path is about, empty when it is about none."""
    match = _CLUSTER.match(path)
    return unquote(match[1]) if match else ""


def _read(path: Path) -> Iterator[Take]:
    """Read the exchanges of a record; a damaged line is passed over."""
    with path.open("rb") as file:
        head = _parsed(file.readline())
        if head.get("record") != _FORMAT or head.get("version") != _VERSION:
            raise ValueError(f"{path} is not a record of {_FORMAT}")
        for line in file:
            take = _take(_parsed(line))
            if take is not None:
                yield take


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _take(data: dict[str, Any]) -> Take | None:
    try:
        body = json.dumps(data["body"], separators=(",", ":")) if "body" in data else data.get("text", "")
        return Take(
            at=datetime.fromisoformat(data["at"]).timestamp() + data["seconds"],
            method=data["method"],
            path=data["path"],
            route=data["route"],
            query=data.get("query", {}),
            request=data.get("request"),
            status=data.get("status"),
            # The Date is of the simulator's own making.
            headers={name: value for name, value in data.get("headers", {}).items() if name != "date"},
            body=body.encode("utf-8", "replace"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _decisive(query: dict[str, str]) -> _Query:
    return tuple(sorted((name, value) for name, value in query.items() if name not in _INDECISIVE))
