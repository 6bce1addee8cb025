"""What a request goes through when a record is played back: any token is taken, and nothing has an effect."""

from __future__ import annotations

import json
from email.utils import formatdate
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from ocean_migration_pulumi.testing.simulator.replay.replay import Replay, cluster_in
from ocean_migration_pulumi.testing.simulator.server.faults import Fault
from ocean_migration_pulumi.testing.simulator.server.middleware import Line, SpotExchange, as_json
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.spot_api import wire
from ocean_migration_pulumi.testing.simulator.spot_api.wire import WireError


class ReplayExchange(SpotExchange):
    """A request that is answered from a record; whoever asks, and with whatever token."""

    def __init__(self, simulation: Simulation, replay: Replay, request: Request, body: bytes) -> None:
        self._replay = replay
        super().__init__(simulation, "-", None, request, body)

    def effect(self) -> Response:
        """Return what was answered; a request without an answer is to be cut off."""
        # The path as it was sent: ids in it are quoted in the record, too.
        path = self.request.scope.get("raw_path", b"").decode("ascii", "replace") or self.request.url.path
        method = self.request.method
        take = self._replay.take(method, path, self.query, self.simulation.clock.now())
        if take is None:
            error = self._missing(path)
            self.entry["status"], self.entry["code"] = error.status, error.code
            return self.dress(as_json(error.status, wire.envelope(self._echo(), error.status, error=error)))
        self.entry["route"] = take.route
        if method != "GET" and self.entry["body"] != take.request:
            self.entry["note"] = "another request than the recorded one, answered as that was"
        if take.status is None:
            self.entry["fault"] = "recorded"
            return _Cut()
        self.entry["status"] = take.status
        if method == "POST" and take.status == 200 and take.route.endswith("/migration"):
            self.entry["effective"], self.entry["migration_id"] = True, _id_in(take.body)
        return self.dress(Response(take.body, take.status, take.headers))

    async def _deliver(self, line: Line, response: Response, fault: Fault | None) -> None:
        if isinstance(response, _Cut):
            await line.reset()
        else:
            await super()._deliver(line, response, fault)

    def dress(self, response: Response) -> Response:
        """Add the Date of the recorded time, which goes on as the simulator's clock does."""
        response.headers["Date"] = formatdate(self._replay.served_at(self.simulation.clock.now()), usegmt=True)
        return response

    def _missing(self, path: str) -> WireError:
        """Return the error of the service for what is not there."""
        *_, place, name = path.split("/")
        if place == "migration" and name != "discovery":
            return wire.not_found("MIGRATION_DOESNT_EXIST", "Migration", unquote(name))
        return wire.not_found("CLUSTER_DOESNT_EXIST", "Cluster", cluster_in(path) or path)


class _Cut(Response):
    """Stands for no answer at all."""


def _id_in(body: bytes) -> str | None:
    try:
        item = json.loads(body)["response"]["items"][0]
        return str(item.get("id") or item["Id"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
