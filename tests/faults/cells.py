"""A cluster of its own for each cell of the tables, and the ways in which its endpoints are struck."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

import httpx
import pytest

from ocean_migration_pulumi.api import transport
from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.responses import ApiCall, ApiResponse
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.api.transport import Transport
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.migration.diagnosis import failure_reasons
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.snapshot.sources import DataSources
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.simulator import Simulator
from tests.migration.stage import Stage, StageClock, StagedContext

EVER: Final = 1_000_000
"""How often a fault strikes that lasts."""

_SECONDS: Final = {"429": 30.0, "503": 5.0, "silence": 60.0}
_HOST: Final = "api.spot.invalid"
_SILENCE: Final = 0.1
_POLLS: Final = 6
"""More than anything is asked while there is nothing to wait for."""

_ROUTES: Final = {
    "list": ("GET", "*/{ocean}/migration"),
    "create": ("POST", "*/{ocean}/migration"),
    "status": ("GET", "*/{ocean}/migration/owm-*"),
    "stop": ("PUT", "*/{ocean}/migration/owm-*"),
    "discovery": ("GET", "*/{ocean}/migration/discovery"),
    "nodes": ("GET", "*/{ocean}/nodes"),
    "log": ("GET", "*/{ocean}/log"),
    "heartbeat": ("GET", "*/{ocean}/controllerHeartbeat"),
    "cluster": ("GET", "*/cluster/{ocean}"),
    "groups": ("GET", "*/launchSpec"),
}


Requests = list[dict[str, Any]]


def struck(requests: Requests) -> bool:
    """Tell whether a fault has struck."""
    return any(entry["fault"] for entry in requests)


def asked_again(requests: Requests) -> bool:
    """Tell whether anything was asked after the last fault that struck, so that its answer has been read."""
    return struck(requests) and not requests[-1]["fault"]


def polled(requests: Requests) -> bool:
    """Tell whether somebody waits: the same thing was asked again and again, and all answers but the last are read."""
    asked = Counter(entry["path"] for entry in requests if entry["method"] == "GET" and entry["status"] == 200)
    return max(asked.values(), default=0) >= _POLLS


class Cell(Stage):
    """A stage with three nodes, on a simulator and a clock that it shares with the other cells."""

    def __init__(self, sim: Simulator, clock: StageClock, *, scenario: str = "success") -> None:
        self.sim = sim
        self.control = sim.control
        self.ocean_id = str(sim.control.add_cluster(3, scenario=scenario)["id"])
        self.clock = clock
        self.sources = DataSources()
        self.connect()
        self.restart()
        self.control.clear_requests()

    def connect(self) -> None:
        """Use the token that is accepted now."""
        self.settings = Settings(base_url=self.sim.url, token=self.sim.token, account_id=self.sim.account_id)
        self.client = OceanClient(self.settings)

    def context(self, spec: MigrationSpec, state: ResourceState | None = None, **more: Any) -> StagedContext:
        """Return the context of a run that polls each minute, and that gives up after three without an answer."""
        context = super().context(spec, state, **more)
        context.poll_policy = replace(context.poll_policy, poll_interval=60.0, outage=180.0)
        return context

    def line(self, run: Callable[[StagedContext], object], context: StagedContext, remedy: str | None = None) -> str:
        """Run something and return the line that it ends with for whoever reads it, empty when it ends well."""
        try:
            run(context)
        except Exception as error:  # noqa: BLE001 - a user reads whatever comes
            line = failure_reasons.describe_failure(
                error, failure_reasons.describe_interruption(context.state) if remedy is None else remedy
            )
        else:
            line = ""
        assert context.scope.deadline is not None
        assert self.clock.now <= context.scope.deadline
        assert "\n" not in line
        assert str(self.settings.token) not in line
        return line

    def said(self, context: StagedContext) -> list[str]:
        """Return the warnings of a run but for the one that there is no access to Kubernetes."""
        return [line for line in context.reporter.warnings if "without access to Kubernetes" not in line]

    def known(self, context: StagedContext | None = None) -> dict[str, str]:
        """Return what messages name: ids and the base URL."""
        known = {"ocean": self.ocean_id, "base": self.sim.url, "account": self.sim.account_id, "source": "settings"}
        latest = context.state.latest if context is not None else None
        return known if latest is None else known | {"migration": latest.id}

    @contextmanager
    def struck(self, endpoint: str, fault: str, times: int = EVER) -> Iterator[None]:
        """Let a fault strike the next requests of an endpoint; afterwards the service is well again."""
        with pytest.MonkeyPatch.context() as patch:
            if fault == "dns":
                self._misdirect(patch, endpoint, times)
            elif fault == "token":
                self._before(patch, endpoint, lambda: self.control.revoke_token(str(self.settings.token)))
            elif fault == "deleted":
                self._before(patch, endpoint, lambda: self.control.delete_cluster(self.ocean_id))
            else:
                if fault == "silence":
                    self._listen_shortly(patch, endpoint)
                self._arm(endpoint, fault, times)
            yield
        self.control.clear_faults()
        if fault == "token":
            self.control.rotate_token()
            self.client.close()
            self.connect()

    def _arm(self, endpoint: str, fault: str, times: int) -> None:
        method, route = _ROUTES[endpoint]
        match = self.ocean_id if endpoint == "groups" else None
        where = route.format(ocean=self.ocean_id)
        self.control.fault(method, where, fault, times=times, seconds=_SECONDS.get(fault), match=match)

    def _concerns(self, call: ApiCall, endpoint: str) -> bool:
        method, route = _ROUTES[endpoint]
        return call.method == method and fnmatchcase(call.path, route.format(ocean=self.ocean_id))

    def _before(self, patch: pytest.MonkeyPatch, endpoint: str, action: Callable[[], None]) -> None:
        """Do something right before the first request of an endpoint."""
        exchange, left = Transport.exchange, [1]

        def acting(transport: Transport, call: ApiCall, token: str, scope: CancelScope) -> ApiResponse:
            if left and self._concerns(call, endpoint):
                left.pop()
                action()
            return exchange(transport, call, token, scope)

        patch.setattr(Transport, "exchange", acting)

    def _misdirect(self, patch: pytest.MonkeyPatch, endpoint: str, times: int) -> None:
        """Send requests to a host whose name nobody knows."""
        exchange, resolve, left = Transport.exchange, socket.getaddrinfo, iter(range(times))
        nowhere = Transport(f"http://{_HOST}")
        patch.setenv("NO_PROXY", _HOST)

        def exchanging(transport: Transport, call: ApiCall, token: str, scope: CancelScope) -> ApiResponse:
            lost = self._concerns(call, endpoint) and next(left, None) is not None
            return exchange(nowhere if lost else transport, call, token, scope)

        def resolving(host: Any, *arguments: Any, **options: Any) -> Any:
            # A name server that cannot be reached takes its time to say so.
            if host == _HOST:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return resolve(host, *arguments, **options)

        patch.setattr(Transport, "exchange", exchanging)
        patch.setattr(socket, "getaddrinfo", resolving)

    def _listen_shortly(self, patch: pytest.MonkeyPatch, endpoint: str) -> None:
        """Let the read timeout, half a minute, be over soon where nothing is going to be read."""
        build = transport.HttpExchange.build_request

        def building(exchange: Any, client: httpx.Client, url: str, token: str) -> httpx.Request:
            request = build(exchange, client, url, token)
            if self._concerns(exchange._call, endpoint):
                request.extensions["timeout"]["read"] = _SILENCE
            return request

        patch.setattr(transport.HttpExchange, "build_request", building)


def up(context: StagedContext) -> None:
    """Run create or update."""
    reconcile.reconcile(context)
