"""What a request goes through: log, latency, faults, barriers; and for Spot's authorization, rate limit and rule."""

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
from ocean_migration_pulumi.testing.simulator.spot_api.context import RequestContext, Rule
from ocean_migration_pulumi.testing.simulator.spot_api.rate_limits import RateLimitDecision
from ocean_migration_pulumi.testing.simulator.spot_api.wire import SpotResponse, WireError


class Endpoint:
    """An ASGI application for one route of an API; ``exchange`` makes what answers one request."""

    def __init__(self, connections: Connections, exchange: Callable[[Request, bytes], RequestExchange]) -> None:
        self._connections = connections
        self._exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        exchange = self._exchange(request, await request.body())
        await exchange.run(Line(self._connections, scope, receive, send))


class Line:
    """The way back to the client."""

    def __init__(self, connections: Connections, scope: Scope, receive: Receive, send: Send) -> None:
        self._connections = connections
        self._asgi = scope, receive, send

    async def answer(self, response: Response) -> None:
        """Send a response."""
        await response(*self._asgi)

    async def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        scope, receive, _ = self._asgi
        self._connections.reset(scope["client"])
        await _disconnected(receive)

    async def truncate(self, response: Response) -> None:
        """Announce the whole body, send half of it, and close."""
        scope, receive, send = self._asgi
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        half = bytes(response.body[: len(response.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        self._connections.close(scope["client"])
        await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    # The body has been read, so the only message that is left is that of the disconnect.
    await receive()


class RequestExchange(ABC):
    """One request and its answer; what the APIs do each in its own way is left to them."""

    api: ClassVar[str]
    """The name of the API in the request log."""

    def __init__(self, simulation: Simulation, route: str | None, request: Request, body: bytes) -> None:
        self.simulation = simulation
        self.request = request
        self.body = body
        self.query = dict(request.query_params.items())
        self.entry = simulation.log.open(
            api=self.api,
            at=time.time(),
            method=request.method,
            path=request.url.path,
            route=route,
            query=self.query,
            body=body,
            user_agent=request.headers.get("user-agent", ""),
            secrets=[*self.secrets(), self.token() or ""],
        )

    @abstractmethod
    def secrets(self) -> list[str]:
        """Return the tokens that must not be in the log."""

    @abstractmethod
    def effect(self) -> Response:
        """Let the request have its effect; what it changed is saved before anything is answered."""

    @abstractmethod
    def refusal(self, status: int, seconds: float | None) -> Response:
        """Return the API's own answer of an error; ``seconds`` is when to ask again, where it is known."""

    @abstractmethod
    def dress(self, response: Response) -> Response:
        """Add the headers that every answer has; the Date is of the simulator's clock, as all stamps are."""

    async def run(self, line: Line) -> None:
        """Answer the request, or do to it what the faults and barriers in its way want."""
        simulation, method, path = self.simulation, self.request.method, self.request.url.path
        await simulation.pause(simulation.latency)
        text = f"{self.request.url.path}?{self.request.url.query} {self.body.decode('utf-8', 'replace')}"
        fault = simulation.troubles.take_fault(method, path, text)
        if fault is not None:
            self.entry["fault"] = fault.kind
        await simulation.troubles.hold(method, path, "before")
        if fault is not None and fault.kind in WITHOUT_EFFECT:
            await self._refuse(line, fault)
            return
        if fault is not None and fault.kind == "late-effect":
            # The client is gone by the time of the effect: nobody waits for this task but the server's shutdown.
            await line.reset()
            await simulation.pause(fault.seconds or 0.0)
            if not simulation.closing.is_set():
                self.effect()
            return
        if fault is not None and fault.kind == "slow-before":
            await simulation.pause(fault.seconds or 0.0)
        response = self.effect()
        await simulation.troubles.hold(method, path, "after")
        await self._deliver(line, response, fault)

    async def _refuse(self, line: Line, fault: Fault) -> None:
        if fault.kind in ("reset-before", "silence"):
            if fault.kind == "silence":
                await self.simulation.pause(fault.seconds or 0.0)
            await line.reset()
            return
        response = self.dress(proxy_errors.of_fault(fault, lambda status: self.refusal(status, fault.seconds)))
        self.entry["status"] = response.status_code
        self.simulation.save(now=False)
        await line.answer(response)

    async def _deliver(self, line: Line, response: Response, fault: Fault | None) -> None:
        kind = None if fault is None else fault.kind
        if kind == "reset-after":
            await line.reset()
        elif kind == "truncate":
            await line.truncate(response)
        elif kind == "shape":
            await line.answer(self.dress(as_json(200, {"result": {"rows": [1, 2, 3]}, "items": "none"})))
        else:
            if fault is not None and kind == "slow":
                await self.simulation.pause(fault.seconds or 0.0)
            await line.answer(response)

    def token(self) -> str | None:
        """Return the token of the request, None when it has none."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


class SpotExchange(RequestExchange):
    """A request of Spot's API; ``rule`` None answers that there is no such route."""

    api = "spot"

    def __init__(self, simulation: Simulation, template: str, rule: Rule | None, request: Request, body: bytes) -> None:
        self._template = template
        self._rule = rule
        super().__init__(simulation, template if rule is not None else None, request, body)

    def secrets(self) -> list[str]:
        """Return the tokens that are accepted."""
        return self.simulation.world.tokens

    def refusal(self, status: int, seconds: float | None) -> Response:
        """Return the envelope of a status."""
        response = as_json(status, wire.envelope(self._echo(), status))
        if status == 429:
            response.headers["X-RateLimit-Remaining"] = "0"
            response.headers["X-RateLimit-Reset"] = str(int(seconds or 1))
        return response

    def effect(self) -> Response:
        """Let the request have its effect; what it changed is saved before anything is answered."""
        simulation = self.simulation
        now = simulation.advance()
        answer: SpotResponse | None = None
        error: WireError | None = None
        try:
            account_id = self._authorize()
            if not self._limit(account_id, count=True).allowed:
                raise WireError("Too Many Requests", status=429)
            if self._rule is None:
                raise WireError("Not Found", status=404)
            answer = self._rule(
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
        if answer is not None:
            self.entry["migration_id"] = answer.migration_id
            self.entry["effective"] = answer.effective
        simulation.save(now=self.request.method != "GET")
        return self.dress(as_json(status, wire.envelope(self._echo(), status, answer=answer, error=error)))

    def _authorize(self) -> str:
        """Return the account of the request: its own, or for reads the oldest one."""
        world = self.simulation.world
        if self.token() not in world.tokens:
            raise WireError("Unauthorized", status=401)
        account_id = self.query.get("accountId")
        if not account_id and self.request.method == "GET":
            account_id = world.accounts[0]
        # The service tells a permission that is missing by an error without a name.
        if not account_id or account_id not in world.accounts or account_id in world.forbidden:
            raise WireError("An unknown error occurred", code="")
        return account_id

    def _limit(self, account_id: str, *, count: bool) -> RateLimitDecision:
        return self.simulation.limits.judge(
            account_id, self._template, self.request.method, time.monotonic(), count=count
        )

    def dress(self, response: Response) -> Response:
        """Add the headers that every answer has; the Date is of the simulator's clock, as all stamps are."""
        account_id = self.query.get("accountId") or self.simulation.world.accounts[0]
        for name, value in self._limit(account_id, count=False).headers.items():
            response.headers.setdefault(name, value)
        response.headers["Date"] = formatdate(self.simulation.clock.now(), usegmt=True)
        return response

    def _echo(self) -> dict[str, str]:
        url = self.request.url.path + (f"?{self.request.url.query}" if self.request.url.query else "")
        return {
            "id": str(uuid.uuid4()),
            "url": url,
            "method": self.request.method,
            "timestamp": wire.stamp(self.simulation.clock.now()),
        }


def as_json(status: int, body: Any) -> Response:
    """Return an answer that is JSON."""
    return Response(json.dumps(body, separators=(",", ":")), status, media_type="application/json")
