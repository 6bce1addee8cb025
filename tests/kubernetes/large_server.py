"""Serve the workloads of a large cluster in a process of its own, until the standard input ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kubernetes import workloads as made
from tests.kubernetes.test_large import PODS, large_pod


@contextmanager
def serve_large_cluster() -> Iterator[str]:
    """Yield the URL of a cluster with many pods of one Deployment; what the server costs, this process does not."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


def main() -> None:
    """Serve, and print the URL."""
    api = made.shop()
    api.lists[made.path("pods")] = [large_pod(number) for number in range(PODS)]
    api.lists[made.path("replicasets", "apps")] = [made.replica_set("web", made.owned("Deployment", "web"), PODS)]
    api.lists[made.path("deployments", "apps")] = [made.deployment("web", PODS)]
    api.lists[made.path("statefulsets", "apps")] = []
    with api.serve() as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
