"""A simulator whose clock stands still, and a plain client that checks every answer against the schemas."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import Simulator
from tests.support.timing import PATIENCE
from tests.testing.simulator import schemas

OWN = "own"
OPTIONS = {
    "shouldTerminateDrainedNodes": False,
    "shouldEvictStandAlonePods": False,
    "forcePodEvictionOnPdbFailure": False,
    "batchSizePercentage": 20,
}


@dataclass(frozen=True)
class Reply:
    """An answer: the parsed JSON, or bytes when it is none."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def items(self) -> list[Any]:
        """The items of the answer."""
        assert self.status == 200, self.body
        items: list[Any] = self.body["response"]["items"]
        return items

    @property
    def code(self) -> str:
        """The error code of the answer."""
        return str(self.body["response"]["errors"][0]["code"])


class Api:
    """Calls of the API with urllib; what the service itself answers is checked against the schemas."""

    def __init__(self, sim: Simulator, *, checked: bool = True) -> None:
        self.sim = sim
        self.checked = checked
        self.ocean_id = sim.ocean_id
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        account: str | None = "own",
        **query: Any,
    ) -> Reply:
        """Send a request; ``account`` None leaves the parameter out."""
        if account is not None:
            query["accountId"] = self.sim.account_id if account == "own" else account
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.sim.token if token is None else token}"}
        url = f"{self.sim.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=PATIENCE) as response:
                reply = self._reply(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                reply = self._reply(error.code, error.headers, error.read())
        if self.checked and isinstance(reply.body, dict):
            if reply.status == 200:
                schemas.check_success(method, path, reply.body)
            else:
                schemas.check_error(reply.status, reply.body)
        return reply

    @staticmethod
    def _reply(status: int, headers: Any, raw: bytes) -> Reply:
        named = {name.lower(): value for name, value in headers.items()}
        try:
            return Reply(status, named, json.loads(raw))
        except ValueError:
            return Reply(status, named, raw)

    @property
    def base(self) -> str:
        """The path of the migrations."""
        return f"/ocean/aws/k8s/cluster/{self.ocean_id}/migration"

    def discover(self, *, pods: bool = True) -> list[dict[str, Any]]:
        """Return the nodes that can be migrated."""
        items = self.send("GET", f"{self.base}/discovery", shouldFetchPods=str(pods).lower()).items
        instances: list[dict[str, Any]] = items[0]["instances"]
        return instances

    def offered(self) -> list[str]:
        """Return the ids of the nodes that can be migrated."""
        return [instance["instanceId"] for instance in self.discover()]

    def create(self, instance_ids: list[str] | None = None, **spec: Any) -> str:
        """Start a migration of the given nodes, or of all that are offered, and return its id."""
        reply = self.post(self.offered() if instance_ids is None else instance_ids, **spec)
        return str(reply.items[0]["id"])

    def post(self, instance_ids: list[str], **spec: Any) -> Reply:
        """Ask for a migration."""
        return self.send("POST", self.base, {"migration": {**OPTIONS, "instanceIds": instance_ids, **spec}})

    def status(self, migration_id: str) -> dict[str, Any]:
        """Return the status of a migration."""
        item: dict[str, Any] = self.send("GET", f"{self.base}/{migration_id}").items[0]
        return item

    def stop(self, migration_id: str, **spec: Any) -> Reply:
        """Ask a migration to stop."""
        return self.send("PUT", f"{self.base}/{migration_id}", {"migration": {"state": "STOPPED", **spec}})

    def log(self, **query: Any) -> list[dict[str, Any]]:
        """Return the log of all times."""
        span = {"fromDate": "0", "toDate": "99999999999999"}
        return self.send("GET", f"/ocean/aws/k8s/cluster/{self.ocean_id}/log", **{**span, **query}).items

    def run(self, migration_id: str, *, until: str | None = None, step: float = 10, limit: float = 7200) -> list[str]:
        """Move the time until a state, or the end; return the states in the order in which they were seen."""
        seen: list[str] = []
        waited = 0.0
        while waited <= limit:
            state = self.status(migration_id)["status"]
            if not seen or seen[-1] != state:
                seen.append(state)
            if state == until or (until is None and state in ("FINISHED", "FINISHED_ERROR", "STOPPED")):
                return seen
            self.sim.control.advance(step)
            waited += step
        raise AssertionError(f"not there after {limit:g} s: {seen}")


class Kubernetes:
    """Calls of Kubernetes' API of a simulated cluster with urllib, as one of its identities."""

    def __init__(self, sim: Simulator, identity: str = "preview", ocean_id: str | None = None) -> None:
        kubeconfig = sim.control.kubeconfig(ocean_id, identity)
        self.server = _only(re.findall(r"server: (\S+)", kubeconfig))
        self.token = _only(re.findall(r"token: (\S+)", kubeconfig))
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send(self, method: str, path: str, body: Any = None, *, token: str | None = OWN, **query: Any) -> Reply:
        """Send a request; ``token`` None sends none. A ``continue_`` of the query loses its underscore."""
        text = urllib.parse.urlencode({name.rstrip("_"): value for name, value in query.items()})
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {self.token if token == OWN else token}"}
        request = urllib.request.Request(f"{self.server}{path}?{text}", data, headers, method=method)
        try:
            with self._opener.open(request, timeout=60) as response:
                return Api._reply(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Api._reply(error.code, error.headers, error.read())

    def get(self, path: str, **query: Any) -> Any:
        """Return what a path has."""
        reply = self.send("GET", path, **query)
        assert reply.status == 200, reply.body
        return reply.body

    def items(self, path: str, **query: Any) -> list[Any]:
        """Return the items of a list."""
        items: list[Any] = self.get(path, **query)["items"]
        return items

    def names(self, path: str, **query: Any) -> list[str]:
        """Return the names of the items of a list."""
        return [item["metadata"]["name"] for item in self.items(path, **query)]

    def evict(self, namespace: str, name: str, **query: Any) -> Reply:
        """Evict a pod, with ``dryRun="All"`` only as a trial."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
        }
        return self.send("POST", f"{path}/eviction", body, **query)


def _only(found: list[str]) -> str:
    (value,) = found
    return value


@pytest.fixture
def simulate() -> Iterator[Callable[..., Api]]:
    """Return a function that starts a simulator with a clock that stands still, and returns a client."""
    with ExitStack() as stack:

        def start(*, checked: bool = True, **options: Any) -> Api:
            sim = stack.enter_context(Simulator(**options))
            sim.control.clock(manual=True)
            return Api(sim, checked=checked)

        yield start


@pytest.fixture
def api(simulate: Callable[..., Api]) -> Api:
    """Return a client of a simulator of the default world."""
    return simulate()
