"""The ASGI application: every route of Spot's API and of Kubernetes', and the control API under ``/simulator``."""

from __future__ import annotations

import asyncio
import inspect
import json
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as StarletteRoute

from ocean_migration_pulumi.testing.simulator.control.control_server import Controls
from ocean_migration_pulumi.testing.simulator.kubernetes_api import routes
from ocean_migration_pulumi.testing.simulator.kubernetes_api.pipeline import KubernetesExchange
from ocean_migration_pulumi.testing.simulator.replay.middleware import ReplayExchange
from ocean_migration_pulumi.testing.simulator.server.interception import Authority
from ocean_migration_pulumi.testing.simulator.server.middleware import Endpoint, SpotExchange
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.server.tcp_frontend import Connections
from ocean_migration_pulumi.testing.simulator.spot_api import clusters, imports, migrations, operations

# The imports come first: their paths look like those of a cluster or group with an id.
ROUTES = (
    *imports.ROUTES,
    *migrations.ROUTES,
    *operations.ROUTES,
    *clusters.ROUTES,
)

_READS = frozenset({"overview", "requests", "nodes", "migrations", "environment", "kubeconfig", "auto_scaling_groups"})
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def application(simulation: Simulation, connections: Connections, authority: Authority) -> Starlette:
    """Return the application of a simulation."""
    own = [
        StarletteRoute("/simulator/ca.pem", _certificate(authority)),
        StarletteRoute("/simulator/barrier/{barrier_id:int}", _barrier(simulation)),
        StarletteRoute("/simulator/{verb}", _control(simulation), methods=["GET", "POST"]),
    ]
    if simulation.replay is not None:
        played = Endpoint(connections, partial(ReplayExchange, simulation, simulation.replay))
        return Starlette(routes=[*own, StarletteRoute("/{path:path}", played, methods=_METHODS)])
    api = [
        StarletteRoute(
            template, Endpoint(connections, partial(SpotExchange, simulation, template, rule)), methods=[method]
        )
        for method, template, rule in ROUTES
    ]
    # Kubernetes answers every method itself: with its own words for those that a path does not know.
    kubernetes = [
        StarletteRoute(
            route.template, Endpoint(connections, partial(KubernetesExchange, simulation, route)), methods=_METHODS
        )
        for route in (*routes.ROUTES, routes.NOWHERE)
    ]
    nowhere = Endpoint(connections, partial(SpotExchange, simulation, "-", None))
    return Starlette(
        routes=[
            *own,
            *kubernetes,
            *api,
            StarletteRoute("/{path:path}", nowhere, methods=_METHODS),
        ]
    )


def _certificate(authority: Authority) -> Any:
    async def endpoint(request: Request) -> Response:
        if not authority.active:
            return JSONResponse({"error": "nothing is intercepted here"}, 404)
        return Response(authority.pem, media_type="application/x-pem-file")

    return endpoint


def _barrier(simulation: Simulation) -> Any:
    async def endpoint(request: Request) -> Response:
        """Wait until a request has reached the barrier, at most ``timeout`` real seconds."""
        barrier = simulation.troubles.barriers.get(request.path_params["barrier_id"])
        if barrier is None:
            return JSONResponse({"error": "no such barrier"}, 404)
        try:
            await asyncio.wait_for(barrier.reached.wait(), float(request.query_params.get("timeout", "0")))
        except TimeoutError:
            return JSONResponse({"result": False})
        return JSONResponse({"result": True})

    return endpoint


def _control(simulation: Simulation) -> Any:
    controls = Controls(simulation)
    verbs = {name: verb for name, verb in inspect.getmembers(controls, inspect.ismethod) if not name.startswith("_")}

    async def endpoint(request: Request) -> Response:
        name = request.path_params["verb"]
        verb = verbs.get(name)
        if verb is None:
            return JSONResponse({"error": f"unknown verb {name!r}: one of {', '.join(verbs)}"}, 404)
        if request.method == "GET":
            if name not in _READS:
                return JSONResponse({"error": f"{name} needs a POST"}, 405)
            arguments = {key: _value(text) for key, text in request.query_params.items()}
            body = b""
        else:
            arguments, body = {}, await request.body()
        simulation.advance()
        try:
            result = verb(**arguments, **json.loads(body or b"{}"))
        except KeyError as error:
            return JSONResponse({"error": f"{error.args[0]!r} does not exist"}, 404)
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": f"{name}: {error}"}, 400)
        simulation.save(now=name not in _READS)
        return Response(json.dumps({"result": result}, default=vars), media_type="application/json")

    return endpoint


def _value(text: str) -> Any:
    """Return what a text of a query means: JSON when it is some, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
