"""A Kubernetes API server on real sockets, as far as this package asks one, which can also misbehave."""

from __future__ import annotations

import itertools
import json
import ssl
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.support import http_server as http
from tests.support.http_server import Connection, Received, ScriptedServer, Step

AWS_AUTH = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
NODES = "/api/v1/nodes"
PODS = "/api/v1/pods"
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
DEPLOYMENTS = "/apis/apps/v1/deployments"
DAEMON_SETS = "/apis/apps/v1/daemonsets"
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
SERVICES = "/api/v1/services"
VALIDATING_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
MUTATING_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
NODE_POOLS = "/apis/karpenter.sh/v1/nodepools"
CSI_NODES = "/apis/storage.k8s.io/v1/csinodes"
LISTS = (
    NODES,
    PODS,
    BUDGETS,
    DEPLOYMENTS,
    DAEMON_SETS,
    CLAIMS,
    VOLUMES,
    SERVICES,
    VALIDATING_WEBHOOKS,
    MUTATING_WEBHOOKS,
    NODE_POOLS,
    CSI_NODES,
)

Object = dict[str, Any]


def status(code: int, message: str = "", reason: str = "") -> Step:
    """Answer with a Status object, as the API server itself does."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return http.answer(code, {**body, "code": code}, Content_Type="application/json")


def forbidden(verb: str, resource: str, user: str = "ci") -> Step:
    """Refuse a request as RBAC does."""
    message = f'{resource} is forbidden: User "{user}" cannot {verb} resource "{resource}" at the cluster scope'
    return status(403, message, "Forbidden")


class FakeApi:
    """Lists what it is given, in pages; ``faults`` are taken first, one for each request of their path: None is none.

    ``token`` is the only bearer token that is let in, None lets everybody in.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.lists: dict[str, Sequence[Object | bytes]] = {path: [] for path in LISTS}
        self.config_map: Object | None = None
        self.objects: dict[str, Object] = {}
        self.faults: dict[str, Iterable[Step | None]] = {}
        self.evictions: dict[str, Step] = {}
        self.tries: list[Any] = []
        self._lock = threading.Lock()
        self._started: dict[str, Iterator[Step | None]] = {}

    def serve(self, tls: ssl.SSLContext | None = None) -> ScriptedServer:
        """Return a server that answers for it."""
        return ScriptedServer(itertools.repeat(self._answer), tls=tls)

    def _answer(self, connection: Connection, request: Received) -> bool:
        return self._step(request)(connection, request)

    def _step(self, request: Received) -> Step:
        with self._lock:
            faults = self._started.setdefault(request.path, iter(self.faults.get(request.path, ())))
            if fault := next(faults, None):
                return fault
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized", "Unauthorized")
        if request.path in self.evictions and request.method == "POST":
            self.tries.append((request.query, request.json))
            return self.evictions[request.path]
        if request.path == AWS_AUTH and self.config_map is not None:
            return http.answer(200, self.config_map)
        if request.path in self.objects:
            return http.answer(200, self.objects[request.path])
        if request.path in self.lists:
            return http.answer(200, self.page(request))
        return status(404, f"{request.path} not found", "NotFound")

    def page(self, request: Received) -> bytes:
        """Return the page of a list that is asked for."""
        listed = self.lists[request.path]
        limit, start = int(request.query["limit"]), int(request.query.get("continue", "0"))
        shown = [
            item if isinstance(item, bytes) else json.dumps(item).encode() for item in listed[start : start + limit]
        ]
        more = str(start + limit) if start + limit < len(listed) else ""
        metadata: Object = {"resourceVersion": "7", "continue": more}
        if more:
            metadata["remainingItemCount"] = len(listed) - start - limit
        head = {"kind": "List", "apiVersion": "v1", "metadata": metadata}
        # A list without objects is null, as in Go.
        items = b"[%s]" % b",".join(shown) if shown else b"null"
        return json.dumps(head).encode()[:-1] + b', "items": ' + items + b"}"


def node(name: str, instance_id: str, **spec: Any) -> Object:
    """Return a Node of EKS."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"providerID": f"aws:///us-west-2a/{instance_id}", **spec},
        "status": {"allocatable": {"cpu": "3920m", "memory": "15464000Ki", "pods": "58"}},
    }


def pod(name: str, node_name: str = "ip-1", namespace: str = "shop", **spec: Any) -> Object:
    """Return a Pod that runs."""
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": node_name, "containers": [{"name": "main", "image": "busybox"}], **spec},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def named(name: str, namespace: str = "shop", **parts: Any) -> Object:
    """Return an object of any kind."""
    return {"metadata": {"name": name, "namespace": namespace}, **parts}
