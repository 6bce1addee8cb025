"""A Kubernetes API that the kubernetes plugin can write to: the simulator's, with a store of its own before it.

The simulator serves what this package reads. The plugin also needs discovery and writes: what it creates or applies is
kept here, and everything else is read from the newest cluster of the simulator. A repository with a small chart named
like that of the Ocean Controller is served beside the API.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import yaml

from ocean_migration_pulumi.simulator import Simulator

CHART: Final = "ocean-kubernetes-controller"
VERSION: Final = "0.1.74"

_KINDS: Final[Mapping[str, Mapping[str, tuple[str, bool]]]] = {
    "v1": {
        "namespaces": ("Namespace", False),
        "secrets": ("Secret", True),
        "configmaps": ("ConfigMap", True),
        "nodes": ("Node", False),
        "pods": ("Pod", True),
        "services": ("Service", True),
        "events": ("Event", True),
    },
    "apps/v1": {
        "deployments": ("Deployment", True),
        "replicasets": ("ReplicaSet", True),
        "statefulsets": ("StatefulSet", True),
        "daemonsets": ("DaemonSet", True),
    },
    "policy/v1": {"poddisruptionbudgets": ("PodDisruptionBudget", True)},
}
_VERBS: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]
_DEPLOYMENT: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-ocean-kubernetes-controller
  namespace: {{ .Release.Namespace }}
  labels:
    app.kubernetes.io/name: ocean-kubernetes-controller
    app.kubernetes.io/version: 2.3.0
spec:
  replicas: 1
  selector:
    matchLabels: {app.kubernetes.io/name: ocean-kubernetes-controller}
  template:
    metadata:
      labels: {app.kubernetes.io/name: ocean-kubernetes-controller}
    spec:
      containers:
        - name: controller
          image: spotinst-kubernetes-controller:v2.3.0
          env:
            - {name: CLUSTER_IDENTIFIER, value: {{ .Values.spotinst.clusterIdentifier | quote }}}
            - {name: SECRET, value: {{ .Values.secret.name | quote }}}
"""
_BINARY: Final = b"k8s\0"
"""How an object in the binary encoding begins."""
_OPENAPI: Final = b"\x0a\x032.0\x12\x0d\x0a\x04test\x12\x05v1.30"
"""An OpenAPI document without definitions, in the encoding that clients ask for: version 2.0, title and version."""


class KubernetesGateway:
    """Serves the API and the chart on this machine for as long as the `with` block lasts."""

    def __init__(self, simulator: Simulator, nodes: Mapping[str, int]) -> None:
        self.simulator = simulator
        self.objects: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        """Written objects by API version, plural, namespace and name."""
        self.deleted: set[tuple[str, str, str, str]] = set()
        """Objects that were deleted: the simulator may have one of the same name."""
        self.requests: list[tuple[str, str]] = []
        """Method and path of each write."""
        self._nodes = dict(nodes)
        self._lock = threading.RLock()
        self._revision = 1
        self._opener = build_opener(ProxyHandler({}))
        handler = type("Handler", (_Handler,), {"gateway": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def repository(self) -> str:
        """The address of the repository of the chart."""
        return f"{self.url}/charts"

    @property
    def kubeconfig(self) -> str:
        """A kubeconfig for the API, as JSON."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": {"server": self.url}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "users": [{"name": "test", "user": {"token": "of-a-test"}}],
            }
        )

    def add_deployment(self, namespace: str, name: str, image: str, replicas: int) -> None:
        """Add a Deployment that somebody else applied."""
        document = {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": name, "image": image}]}}},
        }
        self.store(("apps/v1", "deployments", namespace, name), document)

    def store(self, key: tuple[str, str, str, str], document: Mapping[str, Any]) -> dict[str, Any]:
        """Store an object as the API server would, and return it."""
        version, plural, namespace, name = key
        with self._lock:
            before = self.objects.get(key, {})
            self._revision += 1
            stored = copy.deepcopy(dict(document))
            metadata = stored.setdefault("metadata", {})
            metadata |= {
                "name": name,
                "uid": before.get("metadata", {}).get("uid") or str(uuid.uuid4()),
                "resourceVersion": str(self._revision),
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "generation": before.get("metadata", {}).get("generation", 0) + 1,
            }
            if namespace:
                metadata["namespace"] = namespace
            stored |= {"apiVersion": version, "kind": _KINDS[version][plural][0]}
            for part, text in (stored.pop("stringData", None) or {}).items():
                stored.setdefault("data", {})[part] = base64.b64encode(text.encode()).decode()
            if plural == "namespaces":
                stored["status"] = {"phase": "Active"}
            if plural == "deployments":
                self._run(stored)
            if plural == "replicasets":
                stored["status"]["observedGeneration"] = metadata["generation"]
            self.objects[key] = stored
        if plural == "deployments" and name.endswith(CHART):
            self._install_controller()
        return stored

    def _run(self, deployment: dict[str, Any]) -> None:
        """Let all replicas of a Deployment be ready, and have the ReplicaSet that Helm waits for."""
        replicas = deployment["spec"].setdefault("replicas", 1)
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
        conditions = [{"type": kind, "status": "True"} for kind in ("Available", "Progressing")]
        conditions[1]["reason"] = "NewReplicaSetAvailable"
        generation = deployment["metadata"]["generation"]
        deployment["status"] = {"observedGeneration": generation, "conditions": conditions, **counts}
        metadata, template = deployment["metadata"], deployment["spec"]["template"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
        replica_set = {
            "metadata": {
                "labels": (template.get("metadata") or {}).get("labels"),
                "ownerReferences": [{**owner, "controller": True}],
            },
            "spec": {"replicas": replicas, "template": template},
            "status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas},
        }
        self.store(("apps/v1", "replicasets", metadata["namespace"], metadata["name"]), replica_set)

    def _install_controller(self) -> None:
        """Let the controller of a new Ocean cluster report, and its nodes join."""
        control = self.simulator.control
        for cluster in control.overview()["clusters"]:
            if cluster["heartbeat"] is None:
                control.connect(cluster["id"], self._nodes)
                # At a test's speed the ten minutes of a heartbeat are over in a second.
                control.heartbeat(cluster["id"], age_seconds=-30 * 86_400)

    def ask_simulator(self, method: str, path: str, query: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Return status and body of an answer of the newest cluster of the simulator."""
        ocean_id = self.simulator.control.overview()["clusters"][-1]["id"]
        config = yaml.safe_load(self.simulator.kubeconfig(ocean_id, identity="run"))
        token = config["users"][0]["user"]["token"]
        url = f"{config['clusters'][0]['cluster']['server']}{path}{'?' if query else ''}{query}"
        request = Request(url, body, {"Authorization": f"Bearer {token}"}, method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    @property
    def lock(self) -> threading.RLock:
        """Guards the objects."""
        return self._lock


def _chart() -> bytes:
    """Return the chart as an archive."""
    files = {
        "Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": CHART, "version": VERSION, "appVersion": "2.3.0"}),
        "values.yaml": "spotinst: {}\nsecret: {}\n",
        "templates/deployment.yaml": _DEPLOYMENT,
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{CHART}/{name}")
            entry.size = len(text.encode())
            packed.addfile(entry, io.BytesIO(text.encode()))
    return archive.getvalue()


def _merge(base: Any, over: Any) -> Any:
    """Return what an apply makes of an object: maps are merged, everything else is replaced."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: _merge(base.get(key), value) for key, value in over.items()}}


def _decode_secret(data: bytes) -> dict[str, Any]:
    """Return a Secret of the binary encoding as JSON has it, as far as Helm fills it."""
    (raw,) = _read_fields(data.removeprefix(_BINARY))[2]
    secret = _read_fields(raw)
    metadata = _read_fields(secret[1][0])
    return {
        "metadata": {"name": metadata[1][0].decode(), "labels": _read_map(metadata.get(11, ()), bytes.decode)},
        "type": secret[3][0].decode(),
        "data": _read_map(secret.get(2, ()), lambda value: base64.b64encode(value).decode()),
    }


def _read_map(entries: Iterable[bytes], read: Callable[[bytes], str]) -> dict[str, str]:
    pairs = map(_read_fields, entries)
    return {pair[1][0].decode(): read(pair[2][0]) for pair in pairs}


def _read_fields(data: bytes) -> dict[int, list[bytes]]:
    """Return the fields of a message of protocol buffers that have a length, by their numbers."""
    found: dict[int, list[bytes]] = {}
    source = io.BytesIO(data)

    def number() -> int:
        value, shift = 0, 0
        while True:
            (byte,) = source.read(1)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while source.tell() < len(data):
        tag = number()
        if tag & 7 == 2:
            found.setdefault(tag >> 3, []).append(source.read(number()))
        else:
            number()
    return found


class _Handler(BaseHTTPRequestHandler):
    gateway: KubernetesGateway
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer discovery, the chart, a stored object, or what the simulator has."""
        url = urlsplit(self.path)
        if document := _discover(url.path):
            return self._answer(200, document)
        if url.path.startswith("/openapi/v2"):
            return self._send(200, _OPENAPI, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        if url.path == "/charts/index.yaml":
            entry = {"name": CHART, "version": VERSION, "urls": [f"{CHART}.tgz"], "apiVersion": "v2"}
            index = {"apiVersion": "v1", "entries": {CHART: [entry]}}
            return self._send(200, yaml.safe_dump(index).encode(), "text/yaml")
        if url.path == f"/charts/{CHART}.tgz":
            return self._send(200, _chart(), "application/gzip")
        key = self._key()
        if key is None:
            return self._forward(url.path, url.query)
        version, plural, namespace, name = key
        with self.gateway.lock:
            mine = [
                each
                for (its_version, its_plural, its_namespace, its_name), each in self.gateway.objects.items()
                if (its_version, its_plural) == (version, plural)
                and namespace in {"", its_namespace}
                and name in {"", its_name}
            ]
        if name:
            if mine:
                return self._answer(200, mine[0])
            return self._missing() if key in self.gateway.deleted else self._forward(url.path, url.query)
        query = {part: values[0] for part, values in parse_qs(url.query).items()}
        if query.get("watch") in {"true", "1"}:
            return self._watch(mine)
        if not mine and plural in _FORWARDED:
            return self._forward(url.path, url.query)
        # Without a limit, which would leave pages to ask for.
        status, body = self.gateway.ask_simulator("GET", url.path, "") if plural in _FORWARDED else (404, b"")
        theirs = json.loads(body)["items"] if status == 200 else []
        wanted = dict(part.split("=", 1) for part in query.get("labelSelector", "").split(",") if "=" in part)
        mine = [each for each in mine if wanted.items() <= (each["metadata"].get("labels") or {}).items()]
        named = {(each["metadata"].get("namespace"), each["metadata"]["name"]) for each in mine}
        items = [
            *mine,
            *(each for each in theirs if (each["metadata"].get("namespace"), each["metadata"]["name"]) not in named),
        ]
        kind = f"{_KINDS[version][plural][0]}List"
        metadata = {"resourceVersion": "1"}
        return self._answer(200, {"kind": kind, "apiVersion": version, "metadata": metadata, "items": items})

    def do_POST(self) -> None:
        """Create an object; what is none, such as an eviction, is for the simulator."""
        key = self._key()
        if key is None:
            url = urlsplit(self.path)
            return self._send(
                *self.gateway.ask_simulator("POST", url.path, url.query, self._read()), "application/json"
            )
        body = self._body()
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}{uuid.uuid4().hex[:5]}"
        key = (*key[:3], name)
        with self.gateway.lock:
            if key in self.gateway.objects:
                return self._fail(409, "AlreadyExists", f"{key[1]} {name!r} already exists")
        return self._write(key, body, 201)

    def do_PUT(self) -> None:
        """Replace an object."""
        key, body = self._key(), self._body()
        return self._missing() if key is None else self._write(key, body, 200)

    def do_PATCH(self) -> None:
        """Apply or merge a part of an object."""
        key, body = self._key(), self._body()
        if key is None:
            return self._missing()
        with self.gateway.lock:
            before = self.gateway.objects.get(key)
        applies = "apply" in (self.headers.get("Content-Type") or "")
        if before is None and not applies:
            return self._missing()
        return self._write(key, _merge(before or {}, body), 200)

    def do_DELETE(self) -> None:
        """Delete an object."""
        self._read()
        key = self._key()
        with self.gateway.lock:
            found = None if key is None else self.gateway.objects.pop(key, None)
        if found is None or key is None:
            return self._missing()
        self.gateway.deleted.add(key)
        self.gateway.requests.append(("DELETE", self.path))
        return self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _write(self, key: tuple[str, str, str, str], document: Mapping[str, Any], status: int) -> None:
        if "dryRun=All" in self.path:
            kind = {"apiVersion": key[0], "kind": _KINDS[key[0]][key[1]][0]}
            return self._answer(status, {**document, **kind})
        self.gateway.requests.append((self.command, self.path))
        return self._answer(status, self.gateway.store(key, document))

    def _key(self) -> tuple[str, str, str, str] | None:
        """Return API version, plural, namespace and name of the path; an absent part is empty."""
        parts = urlsplit(self.path).path.strip("/").split("/")
        version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        if version not in _KINDS or not rest or rest[0] not in _KINDS[version] or len(rest) > 2:
            return None
        return version, rest[0], namespace, rest[1] if len(rest) > 1 else ""

    def _watch(self, found: list[dict[str, Any]]) -> None:
        """Send what there is, as a watch begins, and end."""
        lines = [json.dumps({"type": "ADDED", "object": each}) for each in found]
        self._send(200, "".join(f"{line}\n" for line in lines).encode(), "application/json")

    def _forward(self, path: str, query: str) -> None:
        self._send(*self.gateway.ask_simulator("GET", path, query), "application/json")

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _body(self) -> dict[str, Any]:
        given = self._read()
        # Helm writes its own Secrets in the binary encoding.
        body: dict[str, Any] = _decode_secret(given) if given.startswith(_BINARY) else yaml.safe_load(given)
        return body

    def _missing(self) -> None:
        self._fail(404, "NotFound", f"{urlsplit(self.path).path} not found")

    def _fail(self, code: int, reason: str, message: str) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
        self._answer(code, {**status, "reason": reason, "message": message, "code": code})

    def _answer(self, status: int, document: Any) -> None:
        self._send(status, json.dumps(document).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_FORWARDED: Final = frozenset(
    {"configmaps", "nodes", "pods", "services", "events", *_KINDS["apps/v1"], *_KINDS["policy/v1"]}
)
"""What the simulator serves, too."""


def _discover(path: str) -> dict[str, Any] | None:
    """Return the answer to a question of discovery; None for any other path."""
    if path == "/version":
        return {"major": "1", "minor": "30", "gitVersion": "v1.30.4", "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [each for each in _KINDS if "/" in each]
        versions = {each: {"groupVersion": each, "version": each.partition("/")[2]} for each in groups}
        listed = [
            {"name": each.partition("/")[0], "versions": [versions[each]], "preferredVersion": versions[each]}
            for each in groups
        ]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in _KINDS:
        return None
    resources = [
        {"name": plural, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": _VERBS}
        for plural, (kind, namespaced) in _KINDS[version].items()
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
