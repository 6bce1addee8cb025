"""Handles a request of the Kubernetes API: authentication, authorization, handler, response."""

from __future__ import annotations

import uuid
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response

from ocean_migration_pulumi.testing.simulator.kubernetes_api import access
from ocean_migration_pulumi.testing.simulator.kubernetes_api import status as kubernetes_status
from ocean_migration_pulumi.testing.simulator.kubernetes_api.routes import (
    KubernetesContext,
    KubernetesReply,
    KubernetesRoute,
)
from ocean_migration_pulumi.testing.simulator.kubernetes_api.status import KubernetesStatusError
from ocean_migration_pulumi.testing.simulator.server.middleware import RequestExchange, render_json
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation


class KubernetesExchange(RequestExchange):
    """A request of the Kubernetes API of one cluster; a route without handlers responds with 404."""

    api = "kubernetes"

    def __init__(self, simulation: Simulation, route: KubernetesRoute, request: Request, body: bytes) -> None:
        self._route = route
        self._ocean_id = request.path_params["ocean_id"]
        self._tokens = access.build_tokens(simulation.world, self._ocean_id)
        super().__init__(simulation, route.template if route.handlers else None, request, body)

    def list_tokens(self) -> list[str]:
        """Return the tokens of Spot and of the cluster: a client may confuse them."""
        return [*self.simulation.world.tokens, *self._tokens]

    def render_error(self, status: int, seconds: float | None) -> Response:
        """Render the Status of an error."""
        if status == 403:
            identity = self._tokens.get(self.get_token() or "", "none")
            return _render_status(access.build_forbidden_error(identity, self._build_access_request()))
        retry = seconds or 1.0 if status == 429 else None
        response = _render_status(kubernetes_status.build_error(status, retry))
        if retry is not None:
            response.headers["Retry-After"] = str(int(retry))
        return response

    def execute(self) -> Response:
        """Execute the request, and save what it changed."""
        simulation = self.simulation
        now = self.entry["now"] = simulation.run_due_steps()
        try:
            reply = self._handle(now)
        except KubernetesStatusError as error:
            self.entry["status"], self.entry["code"] = error.code, error.reason or None
            simulation.save(now=False)
            return self.add_headers(_render_status(error))
        self.entry["status"], self.entry["effective"] = reply.status, reply.effective
        simulation.save(now=reply.effective)
        return self.add_headers(render_json(reply.status, reply.body))

    def _handle(self, now: float) -> KubernetesReply:
        method, path = self.request.method, self.request.path_params
        cluster = self.simulation.world.clusters.get(self._ocean_id)
        if cluster is None:
            raise kubernetes_status.build_unknown_path_error()
        identity = self._tokens.get(self.get_token() or "")
        if identity is None:
            raise kubernetes_status.build_error(401)
        if identity == "none":
            raise access.build_forbidden_error(identity, self._build_access_request())
        if not self._route.handlers:
            raise kubernetes_status.build_unknown_path_error()
        if method not in self._route.handlers:
            raise kubernetes_status.build_unknown_method_error()
        access.check_access(cluster, identity, self._build_access_request())
        _, handler = self._route.handlers[method]
        return handler(
            KubernetesContext(
                cluster=cluster,
                paged_lists=self.simulation.paged_lists,
                now=now,
                url_path=self.request.url.path,
                path=path,
                query=self.query,
                raw_body=self.body,
            )
        )

    def _build_access_request(self) -> access.AccessRequest:
        path = self.request.url.path.removeprefix(f"/kubernetes/{self._ocean_id}")
        return self._route.build_access_request(self.request.method, self.request.path_params, path)

    def add_headers(self, response: Response) -> Response:
        """Add the headers of every response."""
        response.headers["Audit-Id"] = str(uuid.uuid4())
        response.headers["Cache-Control"] = "no-cache, private"
        response.headers["Date"] = formatdate(self.simulation.clock.now(), usegmt=True)
        return response


def _render_status(error: KubernetesStatusError) -> Response:
    return render_json(error.code, error.body)
