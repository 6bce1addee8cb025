"""Handles a request of a replay: accepts every token, and changes nothing."""

from __future__ import annotations

import json
from email.utils import formatdate
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from ocean_migration_pulumi.testing.simulator.replay.replay import Replay, parse_ocean_id
from ocean_migration_pulumi.testing.simulator.server.faults import Fault
from ocean_migration_pulumi.testing.simulator.server.middleware import ClientConnection, SpotExchange, render_json
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.spot_api import wire
from ocean_migration_pulumi.testing.simulator.spot_api.wire import WireError


class ReplayExchange(SpotExchange):
    """A request to which a record has the response."""

    def __init__(self, simulation: Simulation, replay: Replay, request: Request, body: bytes) -> None:
        self._replay = replay
        super().__init__(simulation, "-", None, request, body)

    def execute(self) -> Response:
        """Return the recorded response."""
        # The record has paths as they were sent, with quoted ids.
        path = self.request.scope.get("raw_path", b"").decode("ascii", "replace") or self.request.url.path
        method = self.request.method
        exchange = self._replay.find_exchange(method, path, self.query, self.simulation.clock.now())
        if exchange is None:
            error = self._build_error(path)
            self.entry["status"], self.entry["code"] = error.status, error.code
            return self.add_headers(
                render_json(error.status, wire.build_envelope(self._echo_request(), error.status, error=error))
            )
        self.entry["route"] = exchange.route
        if method != "GET" and self.entry["body"] != exchange.request:
            self.entry["note"] = "another request than the recorded one, answered as that was"
        if exchange.status is None:
            self.entry["fault"] = "recorded"
            return _NoResponse()
        self.entry["status"] = exchange.status
        if method == "POST" and exchange.status == 200 and exchange.route.endswith("/migration"):
            self.entry["effective"], self.entry["migration_id"] = True, _parse_migration_id(exchange.body)
        return self.add_headers(Response(exchange.body, exchange.status, exchange.headers))

    async def _send_response(self, connection: ClientConnection, response: Response, fault: Fault | None) -> None:
        if isinstance(response, _NoResponse):
            await connection.reset()
        else:
            await super()._send_response(connection, response, fault)

    def add_headers(self, response: Response) -> Response:
        """Add the Date of the recorded time, which advances with the simulated clock."""
        response.headers["Date"] = formatdate(self._replay.get_service_time(self.simulation.clock.now()), usegmt=True)
        return response

    def _build_error(self, path: str) -> WireError:
        """Build the error of the service for an object that does not exist."""
        *_, collection, name = path.split("/")
        if collection == "migration" and name != "discovery":
            return wire.build_not_found_error("MIGRATION_DOESNT_EXIST", "Migration", unquote(name))
        return wire.build_not_found_error("CLUSTER_DOESNT_EXIST", "Cluster", parse_ocean_id(path) or path)


class _NoResponse(Response):
    """Marks an exchange without a response."""


def _parse_migration_id(body: bytes) -> str | None:
    try:
        item = json.loads(body)["response"]["items"][0]
        return str(item.get("id") or item["Id"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
