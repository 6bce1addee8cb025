"""Recorded responses of the service, by route."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from ocean_migration_pulumi.api.client import DISCOVERY, HEARTBEAT, LOG, MIGRATIONS, NODES
from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.responses import MIGRATION
from ocean_migration_pulumi.common.times import parse_time


@dataclass(frozen=True, kw_only=True)
class Response:
    """One response."""

    exchange: Exchange
    """Request and response as they were recorded."""
    data: Any
    """The JSON of the body, None when the body is not JSON."""

    @property
    def envelope(self) -> Mapping[str, Any]:
        """The JSON object, empty when the body is not one."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def content(self) -> Mapping[str, Any]:
        """The `response` of the envelope, empty without one."""
        response = self.envelope.get("response")
        return response if isinstance(response, dict) else {}

    @property
    def items(self) -> list[dict[str, Any]]:
        """The objects among the items."""
        return objects(self.content.get("items"))

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors that the service names."""
        return objects(self.content.get("errors"))

    @property
    def succeeded(self) -> bool:
        """Whether the service answered the request with items."""
        return self.exchange.status == 200 and isinstance(self.content.get("items"), list)

    @property
    def outcome(self) -> str:
        """The HTTP status and the codes of the errors."""
        return " ".join([f"HTTP {self.exchange.status}", *(str(error.get("code")) for error in self.errors)])

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The nodes of a discovery, whose items are groups of instances or, as for AKS, instances."""
        return [node for item in self.items for node in (objects(item["instances"]) if "instances" in item else [item])]


@dataclass(frozen=True)
class Responses:
    """The responses of an account, in their order."""

    exchanges: Sequence[Exchange] = field(repr=False)
    """Recorded exchanges; those without an answer are left out."""

    @cached_property
    def received(self) -> tuple[Response, ...]:
        """Every response."""
        return tuple(
            Response(exchange=exchange, data=_decode(exchange.body))
            for exchange in self.exchanges
            if exchange.status is not None
        )

    def from_route(self, route: str, method: str = "GET") -> list[Response]:
        """Return the responses of a route, refusals included."""
        wanted = (route, method)
        return [each for each in self.received if (each.exchange.route, each.exchange.method) == wanted]

    def objects_in(self, place: str) -> list[dict[str, Any]]:
        """Return the objects in a place, by the names of ``documented.FIELDS``."""
        return objects(_PLACES[place](self))


def _parts(place: str, *keys: str) -> Callable[[Responses], list[Any]]:
    """Return how to find what these fields of the objects of a place hold, lists item by item."""

    def find(responses: Responses) -> list[Any]:
        values = [found.get(key) for found in responses.objects_in(place) for key in keys]
        return [part for value in values for part in (value if isinstance(value, list) else [value])]

    return find


def _items(route: str, method: str = "GET") -> Callable[[Responses], list[Any]]:
    return lambda responses: [
        item for each in responses.from_route(route, method) if each.succeeded for item in each.items
    ]


_PLACES: Final[Mapping[str, Callable[[Responses], list[Any]]]] = {
    "request": lambda responses: [each.envelope.get("request") for each in responses.received],
    "response": lambda responses: [each.envelope.get("response") for each in responses.received],
    "error": lambda responses: [error for each in responses.received for error in each.errors],
    "start": _items(MIGRATIONS, "POST"),
    "stop": _items(MIGRATION, "PUT"),
    "migration-list": _items(MIGRATIONS),
    "migration-status": _items(MIGRATION),
    "echoed-options": _parts("migration-status", "migrationConfig"),
    "instance": _parts("migration-status", "oldInstances", "newInstances"),
    "pod": _parts("instance", "podDetails"),
    "discovery": _items(DISCOVERY),
    "candidate": _parts("discovery", "instances"),
    "node": _items(NODES),
    "log": _items(LOG),
    "heartbeat": _items(HEARTBEAT),
}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, none when the value is not a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def time_of(item: Mapping[str, Any], key: str) -> datetime | None:
    """Return the time of a field, None without a readable one."""
    value = item.get(key)
    return parse_time(value) if isinstance(value, str) else None


def _decode(body: str | None) -> Any:
    try:
        return json.loads(body or "")
    except (ValueError, RecursionError):
        return None
