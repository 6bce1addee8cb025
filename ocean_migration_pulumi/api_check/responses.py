"""The answers of an account, by route."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from ocean_migration_pulumi.api.client import DISCOVERY, MIGRATIONS
from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.responses import MIGRATION
from ocean_migration_pulumi.common.text import shorten
from ocean_migration_pulumi.common.times import parse_time

_LONGEST: Final = 160
"""Characters of an excerpt."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """One answer; ``data`` is its JSON, None when it is none."""

    exchange: Exchange
    data: Any

    @property
    def content(self) -> Mapping[str, Any]:
        """What the envelope holds of the response, empty without one."""
        response = self.data.get("response") if isinstance(self.data, dict) else None
        return response if isinstance(response, dict) else {}

    @property
    def items(self) -> list[Any]:
        """The items, none when there are none."""
        items = self.content.get("items")
        return items if isinstance(items, list) else []

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """The errors that the service names."""
        errors = self.content.get("errors")
        return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []

    @property
    def succeeded(self) -> bool:
        """Whether it is what was asked for."""
        return self.exchange.status == 200 and isinstance(self.content.get("items"), list)

    @property
    def call(self) -> str:
        """Method and route, as questions name them."""
        return f"{self.exchange.method} {self.exchange.route}"


@dataclass(frozen=True)
class Responses:
    """Everything that was answered, in its order."""

    exchanges: Sequence[Exchange] = field(repr=False)

    @cached_property
    def received(self) -> tuple[Response, ...]:
        """The answers; what was not answered at all tells nothing."""
        return tuple(
            Response(exchange=exchange, data=_decoded(exchange.body))
            for exchange in self.exchanges
            if exchange.status is not None
        )

    @property
    def last(self) -> datetime | None:
        """When the last answer came, None without one."""
        return max((response.exchange.at for response in self.received), default=None)

    def from_route(self, route: str, method: str = "GET") -> list[Response]:
        """Return the answers of a route, refusals included."""
        return [
            response
            for response in self.received
            if (response.exchange.route, response.exchange.method) == (route, method)
        ]

    def items(self, route: str, method: str = "GET") -> Iterator[dict[str, Any]]:
        """Yield the objects among the items of a route."""
        for response in self.from_route(route, method):
            if response.succeeded:
                yield from (item for item in response.items if isinstance(item, dict))

    @cached_property
    def listed(self) -> tuple[dict[str, Any], ...]:
        """The lines of lists of migrations, the newest look at each."""
        return tuple({_identity(item): item for item in self.items(MIGRATIONS)}.values())

    @cached_property
    def statuses(self) -> tuple[dict[str, Any], ...]:
        """Every status of a migration."""
        return tuple(self.items(MIGRATION))

    def instances(self, *parts: str) -> Iterator[dict[str, Any]]:
        """Yield the instances of statuses: ``oldInstances``, ``newInstances``, or both."""
        for status in self.statuses:
            for part in parts:
                yield from objects(status.get(part))

    @cached_property
    def offered(self) -> tuple[dict[str, Any], ...]:
        """The nodes of discovery, nested or flat."""
        found: list[dict[str, Any]] = []
        for item in self.items(DISCOVERY):
            nested = item.get("instances")
            found += objects(nested) if "instances" in item else [item]
        return tuple(found)


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, none when it is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def time_of(item: Mapping[str, Any], key: str) -> datetime | None:
    """Return the time that stands under a key, None when none does."""
    value = item.get(key)
    return parse_time(value) if isinstance(value, str) else None


def excerpt(value: Any, keys: Iterable[str] = ()) -> str:
    """Return JSON as evidence: short, and of an object only these keys (none: all)."""
    wanted = set(keys)
    if isinstance(value, dict) and wanted:
        value = {key: part for key, part in value.items() if key in wanted}
    return shorten(json.dumps(value, separators=(",", ":")), _LONGEST)


def kind_of(value: Any) -> str:
    """Return the type of a JSON value, in JSON's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


def _identity(item: Mapping[str, Any]) -> str:
    return str(item.get("Id") or item.get("id"))


def _decoded(body: str | None) -> Any:
    try:
        return json.loads(body or "")
    except (ValueError, RecursionError):
        return None
