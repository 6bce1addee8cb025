"""The ASGI application: the routes of Spot's API, of the Kubernetes API, and of the control API."""

from __future__ import annotations

import asyncio
import inspect
import json
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ocean_migration_pulumi.testing.simulator.control.control_server import Controls
from ocean_migration_pulumi.testing.simulator.kubernetes_api import routes
from ocean_migration_pulumi.testing.simulator.kubernetes_api.middleware import KubernetesExchange
from ocean_migration_pulumi.testing.simulator.replay.middleware import ReplayExchange
from ocean_migration_pulumi.testing.simulator.server.interception import CertificateAuthority
from ocean_migration_pulumi.testing.simulator.server.middleware import Endpoint, SpotExchange
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.server.tcp_frontend import INTERCEPTED_HOST, Connections
from ocean_migration_pulumi.testing.simulator.spot_api import (
    clusters,
    imports,
    migrations,
    operations,
    rolls,
    virtual_node_groups,
)

# The imports come first: their paths also match the templates of a cluster or VNG with an id.
ROUTES = (
    *imports.ROUTES,
    *migrations.ROUTES,
    *operations.ROUTES,
    *rolls.ROUTES,
    *clusters.ROUTES,
    *virtual_node_groups.ROUTES,
)

_READING_VERBS = frozenset(
    {"overview", "requests", "nodes", "migrations", "environment", "kubeconfig", "auto_scaling_groups"}
)
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost"})
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class LocalRequestsOnly:
    """Refuses requests of web pages: a page can reach loopback by a host name of its own (DNS rebinding)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or refuse it with 403 for its ``Host`` or ``Origin``."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        # Only an intercepted connection is encrypted.
        hosts = {INTERCEPTED_HOST} if scope["scheme"] == "https" else _LOCAL_HOSTS
        reason = None
        if host.partition(":")[0].lower() not in hosts:
            reason = f"the Host {host!r} is not this simulator's"
        elif origin is not None and origin.lower() != f"{scope['scheme']}://{host.lower()}":
            reason = f"the Origin {origin!r} is not this simulator's"
        if reason is None:
            await self._app(scope, receive, send)
        else:
            await JSONResponse({"error": reason}, 403)(scope, receive, send)


def build_application(simulation: Simulation, connections: Connections, authority: CertificateAuthority) -> Starlette:
    """Build the application of a simulation."""
    control = [
        StarletteRoute("/simulator/ca.pem", _build_certificate_endpoint(authority)),
        StarletteRoute("/simulator/barrier/{barrier_id:int}", _build_barrier_endpoint(simulation)),
        StarletteRoute("/simulator/{verb}", _build_control_endpoint(simulation), methods=["GET", "POST"]),
    ]
    if simulation.replay is not None:
        replay = Endpoint(connections, partial(ReplayExchange, simulation, simulation.replay))
        routes_of_replay = [*control, StarletteRoute("/{path:path}", replay, methods=_METHODS)]
        return Starlette(routes=routes_of_replay, middleware=_MIDDLEWARE)
    spot = [
        StarletteRoute(
            template, Endpoint(connections, partial(SpotExchange, simulation, template, handler)), methods=[method]
        )
        for method, template, handler in ROUTES
    ]
    # The Kubernetes API has its own error for a method that a path does not support.
    kubernetes = [
        StarletteRoute(
            route.template, Endpoint(connections, partial(KubernetesExchange, simulation, route)), methods=_METHODS
        )
        for route in (*routes.ROUTES, routes.UNKNOWN_PATH)
    ]
    unknown_path = Endpoint(connections, partial(SpotExchange, simulation, "-", None))
    return Starlette(
        routes=[
            *control,
            *kubernetes,
            *spot,
            StarletteRoute("/{path:path}", unknown_path, methods=_METHODS),
        ],
        middleware=_MIDDLEWARE,
    )


_MIDDLEWARE = [Middleware(LocalRequestsOnly)]


def _build_certificate_endpoint(authority: CertificateAuthority) -> Any:
    async def endpoint(request: Request) -> Response:
        if not authority.active:
            return JSONResponse({"error": "nothing is intercepted here"}, 404)
        return Response(authority.pem, media_type="application/x-pem-file")

    return endpoint


def _build_barrier_endpoint(simulation: Simulation) -> Any:
    async def endpoint(request: Request) -> Response:
        """Wait until a request has reached the barrier, at most ``timeout`` real seconds."""
        barrier = simulation.faults.barriers.get(request.path_params["barrier_id"])
        if barrier is None:
            return JSONResponse({"error": "no such barrier"}, 404)
        try:
            await asyncio.wait_for(barrier.reached.wait(), float(request.query_params.get("timeout", "0")))
        except TimeoutError:
            return JSONResponse({"result": False})
        return JSONResponse({"result": True})

    return endpoint


def _build_control_endpoint(simulation: Simulation) -> Any:
    controls = Controls(simulation)
    verbs = {name: verb for name, verb in inspect.getmembers(controls, inspect.ismethod) if not name.startswith("_")}

    async def endpoint(request: Request) -> Response:
        name = request.path_params["verb"]
        verb = verbs.get(name)
        if verb is None:
            return JSONResponse({"error": f"unknown verb {name!r}: one of {', '.join(verbs)}"}, 404)
        if request.method == "GET":
            if name not in _READING_VERBS:
                return JSONResponse({"error": f"{name} needs a POST"}, 405)
            arguments = {key: _parse_value(text) for key, text in request.query_params.items()}
            body = b""
        else:
            arguments, body = {}, await request.body()
        simulation.run_due_steps()
        try:
            result = verb(**arguments, **json.loads(body or b"{}"))
        except KeyError as error:
            return JSONResponse({"error": f"{error.args[0]!r} does not exist"}, 404)
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": f"{name}: {error}"}, 400)
        simulation.save(now=name not in _READING_VERBS)
        return Response(json.dumps({"result": result}, default=vars), media_type="application/json")

    return endpoint


def _parse_value(text: str) -> Any:
    """Parse a value of a query as JSON; any other value is a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text
