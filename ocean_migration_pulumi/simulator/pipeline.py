"""What a request of the API goes through: log, latency, faults, barriers, authorization, rate limit, rule, answer."""

from __future__ import annotations

import json
import time
import uuid
from email.utils import formatdate
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import answers, wire
from .faults import WITHOUT_EFFECT, Fault
from .front import Connections
from .limits import Verdict
from .rules import Call, Rule
from .simulation import Simulation
from .wire import Answer, WireError


class Endpoint:
    """An ASGI application for one route of the API; ``rule`` None answers that there is no such route."""

    def __init__(self, simulation: Simulation, connections: Connections, template: str, rule: Rule | None) -> None:
        self._simulation = simulation
        self._connections = connections
        self._template = template
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        exchange = _Exchange(self._simulation, self._template, self._rule, request, await request.body())
        await exchange.run(_Line(self._connections, scope, receive, send))


class _Line:
    """The way back to the client."""

    def __init__(self, connections: Connections, scope: Scope, receive: Receive, send: Send) -> None:
        self._connections = connections
        self._asgi = scope, receive, send

    async def answer(self, response: Response) -> None:
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


class _Exchange:
    """One request and its answer."""

    def __init__(self, simulation: Simulation, template: str, rule: Rule | None, request: Request, body: bytes) -> None:
        self._simulation = simulation
        self._template = template
        self._rule = rule
        self._request = request
        self._body = body
        self._query = dict(request.query_params.items())
        self._entry = simulation.log.open(
            at=time.time(),
            method=request.method,
            path=request.url.path,
            route=template if rule is not None else None,
            query=self._query,
            body=body,
            user_agent=request.headers.get("user-agent", ""),
            secrets=[*simulation.world.tokens, self._token() or ""],
        )

    async def run(self, line: _Line) -> None:
        simulation, method, path = self._simulation, self._request.method, self._request.url.path
        await simulation.pause(simulation.latency)
        text = f"{self._request.url.path}?{self._request.url.query} {self._body.decode('utf-8', 'replace')}"
        fault = simulation.troubles.take_fault(method, path, text)
        if fault is not None:
            self._entry["fault"] = fault.kind
        await simulation.troubles.hold(method, path, "before")
        if fault is not None and fault.kind in WITHOUT_EFFECT:
            await self._refuse(line, fault)
            return
        if fault is not None and fault.kind == "late-effect":
            # The client is gone by the time of the effect: nobody waits for this task but the server's shutdown.
            await line.reset()
            await simulation.pause(fault.seconds or 0.0)
            if not simulation.closing.is_set():
                self._effect()
            return
        if fault is not None and fault.kind == "slow-before":
            await simulation.pause(fault.seconds or 0.0)
        response = self._effect()
        await simulation.troubles.hold(method, path, "after")
        await self._deliver(line, response, fault)

    async def _refuse(self, line: _Line, fault: Fault) -> None:
        if fault.kind in ("reset-before", "silence"):
            if fault.kind == "silence":
                await self._simulation.pause(fault.seconds or 0.0)
            await line.reset()
            return
        response = answers.of_fault(fault, lambda status: _json(status, wire.envelope(self._echo(), status)))
        self._dress(response)
        if fault.kind == "429":
            response.headers["X-RateLimit-Remaining"] = "0"
            response.headers["X-RateLimit-Reset"] = str(int(fault.seconds or 1))
        self._entry["status"] = response.status_code
        self._simulation.save(now=False)
        await line.answer(response)

    async def _deliver(self, line: _Line, response: Response, fault: Fault | None) -> None:
        kind = None if fault is None else fault.kind
        if kind == "reset-after":
            await line.reset()
        elif kind == "truncate":
            await line.truncate(response)
        elif kind == "shape":
            await line.answer(self._dress(_json(200, {"result": {"rows": [1, 2, 3]}, "items": "none"})))
        else:
            if fault is not None and kind == "slow":
                await self._simulation.pause(fault.seconds or 0.0)
            await line.answer(response)

    def _effect(self) -> Response:
        """Let the request have its effect; what it changed is saved before anything is answered."""
        simulation = self._simulation
        now = simulation.advance()
        answer: Answer | None = None
        error: WireError | None = None
        try:
            account_id = self._authorize()
            if not self._limit(account_id, count=True).allowed:
                raise WireError("Too Many Requests", status=429)
            if self._rule is None:
                raise WireError("Not Found", status=404)
            answer = self._rule(
                Call(
                    world=simulation.world,
                    now=now,
                    account_id=account_id,
                    path=self._request.path_params,
                    query=self._query,
                    raw_body=self._body,
                )
            )
        except WireError as raised:
            error = raised
        status = 200 if error is None else error.status
        self._entry["status"] = status
        self._entry["code"] = None if error is None else error.code
        if answer is not None:
            self._entry["migration_id"] = answer.migration_id
            self._entry["effective"] = answer.effective
        simulation.save(now=self._request.method != "GET")
        return self._dress(_json(status, wire.envelope(self._echo(), status, answer=answer, error=error)))

    def _authorize(self) -> str:
        """Return the account of the request: its own, or for reads the oldest one."""
        world = self._simulation.world
        if self._token() not in world.tokens:
            raise WireError("Unauthorized", status=401)
        account_id = self._query.get("accountId")
        if not account_id and self._request.method == "GET":
            account_id = world.accounts[0]
        # The service tells a permission that is missing by an error without a name.
        if not account_id or account_id not in world.accounts or account_id in world.forbidden:
            raise WireError("An unknown error occurred", code="")
        return account_id

    def _token(self) -> str | None:
        scheme, _, token = self._request.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    def _limit(self, account_id: str, *, count: bool) -> Verdict:
        return self._simulation.limits.judge(
            account_id, self._template, self._request.method, time.monotonic(), count=count
        )

    def _dress(self, response: Response) -> Response:
        """Add the headers that every answer has; the Date is of the simulator's clock, as all stamps are."""
        account_id = self._query.get("accountId") or self._simulation.world.accounts[0]
        response.headers.update(self._limit(account_id, count=False).headers)
        response.headers["Date"] = formatdate(self._simulation.clock.now(), usegmt=True)
        return response

    def _echo(self) -> dict[str, str]:
        url = self._request.url.path + (f"?{self._request.url.query}" if self._request.url.query else "")
        return {
            "id": str(uuid.uuid4()),
            "url": url,
            "method": self._request.method,
            "timestamp": wire.stamp(self._simulation.clock.now()),
        }


def _json(status: int, body: Any) -> Response:
    return Response(json.dumps(body, separators=(",", ":")), status, media_type="application/json")
