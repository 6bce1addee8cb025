"""Faults, barriers and latency of the Kubernetes API, with its own errors."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.timing import PATIENCE
from tests.testing.simulator.conftest import Api, Kubernetes

ROUTE = "/kubernetes/*/pods"
PODS = "/api/v1/pods"


@pytest.fixture
def kubernetes(api: Api) -> Kubernetes:
    """Return a client that may look."""
    return Kubernetes(api.sim)


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("429", 429, "TooManyRequests"),
        ("403", 403, "Forbidden"),
        ("410", 410, "Expired"),
        ("status", 504, "Timeout"),
    ],
)
def test_faults_with_errors_of_the_api_server(
    api: Api, kubernetes: Kubernetes, kind: str, status: int, reason: str
) -> None:
    """A Status, for one request only; the log entry names the fault."""
    api.sim.control.fault("GET", ROUTE, kind, seconds=3, status=504 if kind == "status" else None)
    reply = kubernetes.send("GET", PODS)
    assert (reply.status, reply.body["kind"], reply.body["reason"], reply.body["code"]) == (
        status,
        "Status",
        reason,
        status,
    )
    assert not any(name.startswith("x-ratelimit") for name in reply.headers)
    assert reply.headers.get("retry-after") == ("3" if kind == "429" else None)
    (entry,) = api.sim.control.requests(api="kubernetes")
    assert (entry["fault"], entry["status"]) == (kind, status)
    assert kubernetes.send("GET", PODS).status == 200
    assert api.offered()


def test_a_forbidden_request_names_the_missing_right(api: Api, kubernetes: Kubernetes) -> None:
    """A 429 says when to try again."""
    api.sim.control.fault("GET", ROUTE, "403")
    assert kubernetes.send("GET", PODS).body["message"] == (
        'pods is forbidden: User "system:serviceaccount:ocean-migration:preview" cannot list resource "pods" '
        'in API group "" at the cluster scope'
    )
    api.sim.control.fault("GET", ROUTE, "429")
    assert kubernetes.send("GET", PODS).body["details"] == {"retryAfterSeconds": 1}


def test_spot_renders_the_same_faults_as_envelopes(api: Api) -> None:
    """The envelope has the status."""
    for kind in ("403", "410"):
        api.sim.control.fault("GET", "*/migration", kind)
        reply = api.send("GET", api.base)
        assert (reply.status, reply.body["response"]["status"]["code"]) == (int(kind), int(kind))


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("502", 502), ("503", 503), ("html-404", 404)])
def test_faults_of_a_load_balancer_are_html(api: Api, kubernetes: Kubernetes, kind: str, status: int) -> None:
    """Like the error page of a load balancer."""
    api.sim.control.fault("GET", ROUTE, kind)
    reply = kubernetes.send("GET", PODS)
    assert reply.status == status
    assert b"<html>" in reply.body


def test_broken_responses(api: Api, kubernetes: Kubernetes) -> None:
    """Half of the body, another shape, a reset before the response and one after it."""
    api.sim.control.fault("GET", ROUTE, "truncate")
    with pytest.raises(http.client.IncompleteRead) as caught:
        kubernetes.send("GET", PODS)
    assert caught.value.partial.startswith(b'{"kind":"PodList"')
    api.sim.control.fault("GET", ROUTE, "shape")
    assert "metadata" not in kubernetes.get(PODS)
    for kind in ("reset-before", "reset-after"):
        api.sim.control.fault("GET", ROUTE, kind)
        with pytest.raises(ConnectionResetError):
            kubernetes.send("GET", PODS)


def test_an_eviction_with_a_lost_response_has_its_effect(api: Api) -> None:
    """Only the log shows it."""
    node = api.sim.control.nodes(api.ocean_id)[0]["instance_id"]
    api.sim.control.add_pod(api.ocean_id, node, name="x", controller=None)
    run = Kubernetes(api.sim, "run")
    for kind, status in (("reset-before", 201), ("reset-after", 404)):
        api.sim.control.fault("POST", "*/eviction", kind)
        with pytest.raises(ConnectionResetError):
            run.evict("default", "x")
        assert run.evict("default", "x", dryRun="All").status == status


def test_slow_responses_and_latency(simulate: Callable[..., Api]) -> None:
    """Both delay a response; a barrier holds a request until it is released."""
    api = simulate(latency_ms=50)
    kubernetes = Kubernetes(api.sim)
    api.sim.control.fault("GET", ROUTE, "slow", seconds=0.1)
    started = time.monotonic()
    assert kubernetes.send("GET", PODS).status == 200
    assert time.monotonic() - started >= 0.15
    replies: list[Any] = []
    with api.sim.control.barrier("GET", ROUTE) as barrier:
        thread = threading.Thread(target=lambda: replies.append(kubernetes.send("GET", PODS)))
        thread.start()
        assert barrier.wait(PATIENCE)
        assert replies == []
    thread.join()
    assert replies[0].status == 200


def test_the_second_page_can_fail(api: Api, kubernetes: Kubernetes) -> None:
    """As when reading a list takes longer than the server keeps it."""
    api.sim.control.fault("GET", ROUTE, "410", after=1)
    first = kubernetes.get(PODS, limit=5)
    token = first["metadata"]["continue"]
    assert kubernetes.send("GET", PODS, limit=5, continue_=token).status == 410
    assert kubernetes.send("GET", PODS, limit=5, continue_=token).status == 200
