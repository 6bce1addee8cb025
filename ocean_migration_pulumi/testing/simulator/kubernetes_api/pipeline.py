"""What a request of Kubernetes' API goes through: authentication, authorization, rule, answer."""

from __future__ import annotations

import uuid
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response

from ocean_migration_pulumi.testing.simulator.kubernetes_api import access
from ocean_migration_pulumi.testing.simulator.kubernetes_api import status as kubernetes_status
from ocean_migration_pulumi.testing.simulator.kubernetes_api.routes import (
    KubernetesAnswer,
    KubernetesCall,
    KubernetesRoute,
)
from ocean_migration_pulumi.testing.simulator.kubernetes_api.status import KubernetesStatusError
from ocean_migration_pulumi.testing.simulator.server.middleware import RequestExchange, as_json
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation


class KubernetesExchange(RequestExchange):
    """A request of the API server of one cluster; a route without rules answers that there is none."""

    api = "kubernetes"

    def __init__(self, simulation: Simulation, route: KubernetesRoute, request: Request, body: bytes) -> None:
        self._route = route
        self._ocean_id = request.path_params["ocean_id"]
        self._tokens = access.tokens(simulation.world, self._ocean_id)
        super().__init__(simulation, route.template if route.rules else None, request, body)

    def secrets(self) -> list[str]:
        """Return Spot's tokens and those of the cluster: a client may take one for the other."""
        return [*self.simulation.world.tokens, *self._tokens]

    def refusal(self, status: int, seconds: float | None) -> Response:
        """Return the Status of an error."""
        if status == 403:
            identity = self._tokens.get(self.token() or "", "none")
            return _failure(access.forbidden(identity, self._asked()))
        retry = seconds or 1.0 if status == 429 else None
        response = _failure(kubernetes_status.plain(status, retry))
        if retry is not None:
            response.headers["Retry-After"] = str(int(retry))
        return response

    def effect(self) -> Response:
        """Let the request have its effect, and save what it changed."""
        simulation = self.simulation
        now = simulation.advance()
        try:
            answer = self._answer(now)
        except KubernetesStatusError as error:
            self.entry["status"], self.entry["code"] = error.code, error.reason or None
            simulation.save(now=False)
            return self.dress(_failure(error))
        self.entry["status"], self.entry["effective"] = answer.status, answer.effective
        simulation.save(now=answer.effective)
        return self.dress(as_json(answer.status, answer.body))

    def _answer(self, now: float) -> KubernetesAnswer:
        method, path = self.request.method, self.request.path_params
        cluster = self.simulation.world.clusters.get(self._ocean_id)
        if cluster is None:
            raise kubernetes_status.nowhere()
        identity = self._tokens.get(self.token() or "")
        if identity is None:
            raise kubernetes_status.plain(401)
        if identity == "none":
            raise access.forbidden(identity, self._asked())
        if not self._route.rules:
            raise kubernetes_status.nowhere()
        if method not in self._route.rules:
            raise kubernetes_status.not_allowed()
        access.permit(cluster, identity, self._asked())
        _, rule = self._route.rules[method]
        return rule(
            KubernetesCall(
                cluster=cluster,
                pages=self.simulation.pages,
                now=now,
                url_path=self.request.url.path,
                path=path,
                query=self.query,
                raw_body=self.body,
            )
        )

    def _asked(self) -> access.Request:
        inner = self.request.url.path.removeprefix(f"/kubernetes/{self._ocean_id}")
        return self._route.request(self.request.method, self.request.path_params, inner)

    def dress(self, response: Response) -> Response:
        """Add the headers that every answer has."""
        response.headers["Audit-Id"] = str(uuid.uuid4())
        response.headers["Cache-Control"] = "no-cache, private"
        response.headers["Date"] = formatdate(self.simulation.clock.now(), usegmt=True)
        return response


def _failure(error: KubernetesStatusError) -> Response:
    return as_json(error.code, error.body)
