"""A server that says the same of a large cluster again and again, so that only what its client does is measured.

Run as a program it takes the number of nodes, and says on its first line where it is; it ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode, urlsplit

from benchmarks.children import child


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where a cluster is served, and with what it is asked for."""

    url: str
    token: str
    account_id: str
    ocean_id: str

    @property
    def discovery(self) -> str:
        """The URL of the cluster's discovery, with pods."""
        query = urlencode({"accountId": self.account_id, "shouldFetchPods": "true"})
        return f"{self.url}/ocean/aws/k8s/cluster/{self.ocean_id}/migration/discovery?{query}"


@contextmanager
def serving(nodes: int) -> Iterator[Service]:
    """Serve a cluster of so many nodes from a process of its own."""
    with child("benchmarks.canned", str(nodes)) as process:
        if process.stdout is None:
            raise RuntimeError
        yield Service(**json.loads(process.stdout.readline()))


def _answers(nodes: int) -> tuple[Service, dict[str, bytes]]:
    """Return what the simulator answers to all that a plan asks for, by path."""
    from ocean_migration_pulumi.simulator import Simulator

    with Simulator(nodes=nodes) as sim:
        service = Service(url="", token=sim.token, account_id=sim.account_id, ocean_id=sim.ocean_id)
        cluster = f"/ocean/aws/k8s/cluster/{sim.ocean_id}"
        queries = {
            cluster: {},
            f"{cluster}/migration": {},
            f"{cluster}/migration/discovery": {"shouldFetchPods": "true"},
            f"{cluster}/nodes": {},
            "/ocean/aws/k8s/launchSpec": {"oceanId": sim.ocean_id},
            f"/ocean/k8s/cluster/{sim.ocean_id}/controllerHeartbeat": {},
        }
        answers = {}
        for path, query in queries.items():
            url = f"{sim.url}{path}?{urlencode({'accountId': sim.account_id, **query})}"
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {sim.token}"})  # noqa: S310 - loopback
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
                answers[path] = answer.read()
        return service, answers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: apart, the second waits for the client's acknowledgement of the first
    answers: dict[str, bytes]

    def do_GET(self) -> None:
        """Answer with what the simulator said."""
        body = self.answers.get(urlsplit(self.path).path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until nobody holds the other end of the standard input."""
    service, _Handler.answers = _answers(int(sys.argv[1]))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        sys.stdout.write(json.dumps({**asdict(service), "url": url}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
