"""Handles a request: log, latency, faults and barriers, then (for Spot) authorization, rate limit and handler."""

from __future__ import annotations

import json
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ocean_migration_pulumi.testing.simulator.server import proxy_errors
from ocean_migration_pulumi.testing.simulator.server.faults import WITHOUT_EFFECT, Fault
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.server.tcp_frontend import Connections
from ocean_migration_pulumi.testing.simulator.spot_api import wire
from ocean_migration_pulumi.testing.simulator.spot_api.context import Handler, RequestContext
from ocean_migration_pulumi.testing.simulator.spot_api.migrations import CODE_MISSING
from ocean_migration_pulumi.testing.simulator.spot_api.rate_limits import RateLimitDecision
from ocean_migration_pulumi.testing.simulator.spot_api.wire import SpotResponse, WireError

_TIMES_OF_ENDS = {"FINISHED": "completedAt", "FINISHED_ERROR": "erroredAt", "STOPPED": "stoppedAt"}


class Endpoint:
    """An ASGI application for one route; ``exchange`` creates the object that handles a request."""

    def __init__(self, connections: Connections, exchange: Callable[[Request, bytes], RequestExchange]) -> None:
        self._connections = connections
        self._exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        request = Request(scope, receive)
        exchange = self._exchange(request, await request.body())
        await exchange.run(ClientConnection(self._connections, scope, receive, send))


class ClientConnection:
    """The connection on which a request came."""

    def __init__(self, connections: Connections, scope: Scope, receive: Receive, send: Send) -> None:
        self._connections = connections
        self._asgi = scope, receive, send

    async def send(self, response: Response) -> None:
        """Send a response."""
        await response(*self._asgi)

    async def reset(self) -> None:
        """Close the connection with a TCP reset."""
        scope, receive, _ = self._asgi
        self._connections.reset(scope["client"])
        await _wait_for_disconnect(receive)

    async def truncate(self, response: Response) -> None:
        """Announce the whole body, send half of it, and close the connection."""
        scope, receive, send = self._asgi
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        half = bytes(response.body[: len(response.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        self._connections.close(scope["client"])
        await _wait_for_disconnect(receive)


async def _wait_for_disconnect(receive: Receive) -> None:
    # The body has been read, so the only remaining message is the disconnect.
    await receive()


class RequestExchange(ABC):
    """A request and its response; subclasses implement what differs between the APIs."""

    api: ClassVar[str]
    """The name of the API in the request log."""

    def __init__(self, simulation: Simulation, route: str | None, request: Request, body: bytes) -> None:
        self.simulation = simulation
        self.request = request
        self.body = body
        self.query = dict(request.query_params.items())
        self.entry = simulation.log.add_entry(
            api=self.api,
            at=time.time(),
            method=request.method,
            path=request.url.path,
            route=route,
            query=self.query,
            body=body,
            user_agent=request.headers.get("user-agent", ""),
            secrets=[*self.list_tokens(), self.get_token() or ""],
        )

    @abstractmethod
    def list_tokens(self) -> list[str]:
        """Return the tokens to redact in the log."""

    @abstractmethod
    def execute(self) -> Response:
        """Execute the request, save what it changed, and return the response."""

    @abstractmethod
    def render_error(self, status: int, seconds: float | None) -> Response:
        """Render an error in the format of the API; ``seconds`` is when to try again, if known."""

    def render_forgotten(self) -> Response:
        """Render the response of a service that does not know what the request is about."""
        return self.render_error(404, None)

    def falsify(self, response: Response, fault: Fault) -> Response:
        """Return a response that is not true; only Spot's API has some."""
        return response

    @abstractmethod
    def add_headers(self, response: Response) -> Response:
        """Add the headers of every response; the Date is that of the simulated clock."""

    async def run(self, connection: ClientConnection) -> None:
        """Execute the request and send the response, subject to faults and barriers."""
        simulation, method, path = self.simulation, self.request.method, self.request.url.path
        await simulation.pause(simulation.latency)
        text = f"{self.request.url.path}?{self.request.url.query} {self.body.decode('utf-8', 'replace')}"
        fault = simulation.faults.pop_fault(method, path, text, simulation.clock.now())
        if fault is not None:
            self.entry["fault"] = fault.kind
        await simulation.faults.wait_at_barriers(method, path, "before")
        if fault is not None and fault.kind in WITHOUT_EFFECT:
            await self._send_fault(connection, fault)
            return
        if fault is not None and fault.kind == "late-effect":
            # The client has gone before the effect: only the shutdown of the server waits for this task.
            await connection.reset()
            await simulation.pause(fault.seconds or 0.0)
            if not simulation.closing.is_set():
                self.execute()
            return
        if fault is not None and fault.kind == "slow-before":
            await simulation.pause(fault.seconds or 0.0)
        response = self.execute()
        if fault is not None and fault.kind in ("contradict", "flap"):
            response = self.falsify(response, fault)
        await simulation.faults.wait_at_barriers(method, path, "after")
        await self._send_response(connection, response, fault)

    async def _send_fault(self, connection: ClientConnection, fault: Fault) -> None:
        if fault.kind in ("reset-before", "silence"):
            if fault.kind == "silence":
                await self.simulation.pause(fault.seconds or 0.0)
            await connection.reset()
            return
        if fault.kind == "forget":
            response = self.render_forgotten()
        else:
            response = proxy_errors.render_fault(fault, lambda status: self.render_error(status, fault.seconds))
        response = self.add_headers(response)
        self.entry["status"] = response.status_code
        self.simulation.save(now=False)
        await connection.send(response)

    async def _send_response(self, connection: ClientConnection, response: Response, fault: Fault | None) -> None:
        kind = None if fault is None else fault.kind
        if kind == "reset-after":
            await connection.reset()
        elif kind == "truncate":
            await connection.truncate(response)
        elif kind == "shape":
            await connection.send(self.add_headers(render_json(200, {"result": {"rows": [1, 2, 3]}, "items": "none"})))
        else:
            if fault is not None and kind == "slow":
                await self.simulation.pause(fault.seconds or 0.0)
            await connection.send(response)

    def get_token(self) -> str | None:
        """Return the bearer token of the request, None without one."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


class SpotExchange(RequestExchange):
    """A request of Spot's API; without a handler the response is 404."""

    api = "spot"

    def __init__(
        self, simulation: Simulation, template: str, handler: Handler | None, request: Request, body: bytes
    ) -> None:
        self._template = template
        self._handler = handler
        super().__init__(simulation, template if handler is not None else None, request, body)

    def list_tokens(self) -> list[str]:
        """Return the accepted tokens."""
        return self.simulation.world.tokens

    def render_error(self, status: int, seconds: float | None) -> Response:
        """Render an envelope with a status only."""
        response = render_json(status, wire.build_envelope(self._echo_request(), status))
        if status == 429:
            response.headers["X-RateLimit-Remaining"] = "0"
            response.headers["X-RateLimit-Reset"] = str(int(seconds or 1))
        return response

    def render_forgotten(self) -> Response:
        """Render that the migration does not exist, or a list of migrations without any."""
        migration_id = self.request.path_params.get("migration_id")
        if migration_id is None and self.request.method != "GET":
            return self.render_error(404, None)
        if migration_id is None:
            nothing = SpotResponse(kind=wire.KIND_MIGRATION, items=[])
            return render_json(200, wire.build_envelope(self._echo_request(), 200, reply=nothing))
        error = wire.build_not_found_error(CODE_MISSING, "Migration", migration_id)
        return render_json(error.status, wire.build_envelope(self._echo_request(), error.status, error=error))

    def falsify(self, response: Response, fault: Fault) -> Response:
        """Return the response with another state of each migration, or with another number of pods on its last node."""
        body = json.loads(bytes(response.body))
        for item in body["response"].get("items", []):
            if fault.kind == "flap":
                _add_pods(item.get("oldInstances", []), 1 - fault.times % 2)
            else:
                self._contradict(item, fault)
        return self.add_headers(render_json(response.status_code, body))

    def _contradict(self, item: dict[str, Any], fault: Fault) -> None:
        """Change the state of a migration, with the time of an end that this state has, and take away its old nodes."""
        if fault.state is not None:
            for key in {"state", "status"} & item.keys():
                item[key] = fault.state
            for state, key in _TIMES_OF_ENDS.items():
                # A list of migrations has the time of one end only.
                if state != fault.state:
                    item.pop(key, None)
                elif "oldInstances" in item or key == "completedAt":
                    item[key] = item.get(key) or wire.format_time(self.simulation.clock.now())
        if not fault.entries and "oldInstances" in item:
            item["oldInstances"] = []

    def execute(self) -> Response:
        """Execute the request, save what it changed, and return the response."""
        simulation = self.simulation
        now = self.entry["now"] = simulation.run_due_steps()
        reply: SpotResponse | None = None
        error: WireError | None = None
        try:
            account_id = self._authorize()
            if not self._check_rate_limit(account_id, count=True).allowed:
                raise WireError("Too Many Requests", status=429)
            if self._handler is None:
                raise WireError("Not Found", status=404)
            reply = self._handler(
                RequestContext(
                    world=simulation.world,
                    now=now,
                    account_id=account_id,
                    path=self.request.path_params,
                    query=self.query,
                    raw_body=self.body,
                )
            )
        except WireError as raised:
            error = raised
        status = 200 if error is None else error.status
        self.entry["status"] = status
        self.entry["code"] = None if error is None else error.code
        if reply is not None:
            self.entry["migration_id"] = reply.migration_id
            self.entry["effective"] = reply.effective
        simulation.save(now=self.request.method != "GET")
        return self.add_headers(
            render_json(status, wire.build_envelope(self._echo_request(), status, reply=reply, error=error))
        )

    def _authorize(self) -> str:
        """Return the account of the request; a read without one uses the oldest account."""
        world = self.simulation.world
        if self.get_token() not in world.tokens:
            raise WireError("Unauthorized", status=401)
        account_id = self.query.get("accountId")
        if not account_id and self.request.method == "GET":
            account_id = world.accounts[0]
        # Spot reports a missing permission by an error with an empty code.
        if not account_id or account_id not in world.accounts or account_id in world.forbidden:
            raise WireError("An unknown error occurred", code="")
        return account_id

    def _check_rate_limit(self, account_id: str, *, count: bool) -> RateLimitDecision:
        return self.simulation.rate_limiter.check_request(
            account_id, self._template, self.request.method, time.monotonic(), count=count
        )

    def add_headers(self, response: Response) -> Response:
        """Add the rate-limit headers, and the Date of the simulated clock."""
        account_id = self.query.get("accountId") or self.simulation.world.accounts[0]
        for name, value in self._check_rate_limit(account_id, count=False).headers.items():
            response.headers.setdefault(name, value)
        response.headers["Date"] = formatdate(self.simulation.clock.now(), usegmt=True)
        return response

    def _echo_request(self) -> dict[str, str]:
        url = self.request.url.path + (f"?{self.request.url.query}" if self.request.url.query else "")
        return {
            "id": str(uuid.uuid4()),
            "url": url,
            "method": self.request.method,
            "timestamp": wire.format_time(self.simulation.clock.now()),
        }


def _add_pods(old_instances: list[dict[str, Any]], number: int) -> None:
    """Add to the number of pods on the last old node."""
    for entry in old_instances[-1:]:
        count = entry["runningPods"]
        entry["runningPods"] = type(count)(int(count) + number)


def render_json(status: int, body: Any) -> Response:
    """Render a JSON response."""
    return Response(json.dumps(body, separators=(",", ":")), status, media_type="application/json")
