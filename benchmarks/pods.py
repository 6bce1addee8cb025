"""Ten thousand pods of a Kubernetes API: how many previews see them all in time, and what that costs.

Run as a program it takes what to do, as JSON: serve such an API until its standard input ends, or read one and print
what that took. A real API server runs elsewhere, and takes its time to encode and to compress each page. So this one
waits for as long, and takes nothing of this machine that is measured.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
import time
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from benchmarks.children import child, measured
from benchmarks.table import Row

_PODS: Final = 10_000
_PREVIEWS: Final = 10
_SECONDS: Final = 4.0
_MIB: Final = 1024.0**2
_NAMESPACES: Final = 50
_NODES: Final = 500
_ROUND_TRIP: Final = 0.01
"""Seconds that a page takes whatever its size: to be routed, authorized and read from etcd."""
_ENCODING: Final = 0.13e-3
"""Seconds for each pod to be encoded, before anything of a page is sent: 1.5 s for all, as real ones were measured."""
_COMPRESSION: Final = 0.17e-3
"""Seconds for each pod to be compressed, while a page is sent."""
_PIECE: Final = 65536


def measure(short: bool) -> list[Row]:
    """Let processes read the pods, and count those that see all of them within what a preview has."""
    previews = 3 if short else _PREVIEWS
    with child("benchmarks.pods", json.dumps({"serve": _PODS})) as process:
        if process.stdout is None:
            raise RuntimeError
        server = process.stdout.readline().strip()
        measured("benchmarks.pods", {"server": server, "way": "warm"})
        looks = [measured("benchmarks.pods", {"server": server, "way": "preview"}) for _ in range(previews)]
        health = measured("benchmarks.pods", {"server": server, "way": "health"})
    seconds = sorted(look["seconds"] for look in looks)
    return [
        Row(
            what=f"previews of {previews} that do not read all of {_PODS:,} pods within {_SECONDS:g} s",
            measured=float(sum(look["pods"] < _PODS for look in looks)),
            bound=1,
            unit="previews",
            note=f"{seconds[0]:.2f} to {seconds[-1]:.2f} s, load {_load():.1f}",
        ),
        Row(
            what=f"CPU of reading {_PODS:,} pods for a preview",
            measured=min(look["cpu"] for look in looks),
            bound=1.0,
            unit="s",
            note=f"{health['cpu']:.2f} s for a look at health",
        ),
        Row(
            what=f"peak memory of a look at the health of {_PODS:,} pods", measured=health["peak"], bound=40, unit="MiB"
        ),
    ]


def _load() -> float:
    """Return the load of the machine, by which times have to be read."""
    path = Path("/proc/loadavg")
    return float(path.read_text(encoding="utf-8").split()[0]) if path.exists() else 0.0


def _pod(number: int) -> dict[str, Any]:
    """Return a pod of some 8 KB, as an API server has it."""
    fields: dict[str, Any] = {f"f:field{each}": {".": {}, "f:name": {}, "f:value": {}} for each in range(20)}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"web-{number % 900}-9f2c", "uid": f"{number}"}
    container = {
        "image": "registry.example/team/service:1.2.3",
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
        "env": [{"name": f"VARIABLE_{each}", "value": f"value {number} of some length"} for each in range(20)],
        "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets", "readOnly": True}],
    }
    return {
        "metadata": {
            "name": f"web-{number % 900}-9f2c-{number:05d}",
            "namespace": f"team-{number % _NAMESPACES}",
            "uid": f"5f0d2c1e-0000-4000-8000-{number:012d}",
            "creationTimestamp": "2024-05-01T00:00:00Z",
            "labels": {"app": f"web-{number % 900}", "pod-template-hash": "9f2c"},
            "ownerReferences": [{**owner, "controller": True}],
            "managedFields": [
                {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:metadata": fields}}
                for manager in ("kube-controller-manager", "kubelet")
            ],
        },
        "spec": {
            "nodeName": f"ip-10-0-{number % _NODES}",
            "containers": [{"name": name, **container} for name in ("main", "proxy")],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready")],
            "containerStatuses": [{"name": name, "ready": True, "restartCount": 0} for name in ("main", "proxy")],
        },
    }


def _node(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"ip-10-0-{number}"},
        "spec": {"providerID": f"aws:///us-west-2a/i-{number:017x}"},
        "status": {"allocatable": {"cpu": "3920m", "memory": "15464000Ki", "pods": "58"}},
    }


def _serve(pods: int) -> None:
    """Serve so many pods, their nodes, and empty lists of everything else, until standard input ends."""
    stored = {
        "pods": [json.dumps(_pod(number), separators=(",", ":")) for number in range(pods)],
        "nodes": [json.dumps(_node(number), separators=(",", ":")) for number in range(_NODES)],
    }

    @cache
    def encode(resource: str, start: int, end: int, compressed: bool) -> bytes:
        items = stored.get(resource, [])
        metadata: dict[str, Any] = {"resourceVersion": "7"}
        if end < len(items):
            metadata |= {"continue": str(end), "remainingItemCount": len(items) - end}
        head = json.dumps({"kind": "List", "apiVersion": "v1", "metadata": metadata}, separators=(",", ":"))
        body = f'{head[:-1]},"items":[{",".join(items[start:end])}]}}'.encode()
        return gzip.compress(body, 1) if compressed else body

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            if parts.path.endswith("/aws-auth"):
                self.send_error(404)
                return
            resource = parts.path.rpartition("/")[2]
            start = int(query.get("continue", 0))
            end = min(start + int(query["limit"]), len(stored.get(resource, ())))
            compressed = "gzip" in self.headers.get("Accept-Encoding", "") and end > start
            started = time.monotonic()
            body = encode(resource, start, end, compressed)
            time.sleep(max(0.0, _ROUND_TRIP + (end - start) * _ENCODING - (time.monotonic() - started)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            if compressed:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            pieces = [body[begin : begin + _PIECE] for begin in range(0, len(body), _PIECE)]
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                if compressed:
                    time.sleep((end - start) * _COMPRESSION / len(pieces))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201 - for the parent
    sys.stdin.read()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client whose time is up."""


def _look(server: str, way: str) -> dict[str, Any]:
    """Read the pods once, and return how many, and what that took."""
    from ocean_migration_pulumi.common.cancellation import CancelScope
    from ocean_migration_pulumi.kubernetes import KubernetesReader, find_access

    named = {"clusters": [{"name": "a", "cluster": {"server": server}}], "users": [{"name": "a", "user": {}}]}
    contexts = [{"name": "a", "context": {"cluster": "a", "user": "a"}}]
    access = find_access(json.dumps({"current-context": "a", "contexts": contexts, **named}), None, {})
    if access is None:
        raise RuntimeError
    with closing(KubernetesReader(access)) as reader:
        if way == "warm":
            return {"pods": len(reader.read_snapshot(CancelScope()).pods)}
        if way == "preview":
            started, cpu = time.monotonic(), time.process_time()
            pods = len(reader.read_snapshot(CancelScope(short=True).at_most(_SECONDS)).pods)
            return {"pods": pods, "seconds": time.monotonic() - started, "cpu": time.process_time() - cpu}
        now, namespaces = datetime.now(UTC), {f"team-{each}" for each in range(_NAMESPACES)}
        reader.read_workloads(CancelScope(), now, namespaces)
        cpu = time.process_time()
        reader.read_workloads(CancelScope(), now, namespaces)
        cpu = time.process_time() - cpu
        tracemalloc.start()
        found = reader.read_workloads(CancelScope(), now, namespaces)
        return {"pods": len(found.pods), "cpu": cpu, "peak": tracemalloc.get_traced_memory()[1] / _MIB}


def main() -> None:
    """Serve or look."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    if "serve" in given:
        _serve(given["serve"])
    else:
        print(json.dumps(_look(given["server"], given["way"])))  # noqa: T201 - for the parent


if __name__ == "__main__":
    main()
