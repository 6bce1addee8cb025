"""Faults, barriers and latency: they strike Kubernetes' requests as they do Spot's, in Kubernetes' words."""

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
def test_the_api_servers_own_errors(api: Api, kubernetes: Kubernetes, kind: str, status: int, reason: str) -> None:
    """A Status, for this request alone; the entry of the log says which fault it was."""
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


def test_what_is_refused_says_what_was_asked_for(api: Api, kubernetes: Kubernetes) -> None:
    """A 403 is that of a right which is missing; a 429 says when to come again."""
    api.sim.control.fault("GET", ROUTE, "403")
    assert kubernetes.send("GET", PODS).body["message"] == (
        'pods is forbidden: User "system:serviceaccount:ocean-migration:preview" cannot list resource "pods" '
        'in API group "" at the cluster scope'
    )
    api.sim.control.fault("GET", ROUTE, "429")
    assert kubernetes.send("GET", PODS).body["details"] == {"retryAfterSeconds": 1}


def test_spot_speaks_of_the_same_faults_in_its_own_words(api: Api) -> None:
    """Its envelope holds the status."""
    for kind in ("403", "410"):
        api.sim.control.fault("GET", "*/migration", kind)
        reply = api.send("GET", api.base)
        assert (reply.status, reply.body["response"]["status"]["code"]) == (int(kind), int(kind))


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("502", 502), ("503", 503), ("html-404", 404)])
def test_what_is_in_front_of_the_api_server_speaks_html(
    api: Api, kubernetes: Kubernetes, kind: str, status: int
) -> None:
    """A load balancer's page."""
    api.sim.control.fault("GET", ROUTE, kind)
    reply = kubernetes.send("GET", PODS)
    assert reply.status == status
    assert b"<html>" in reply.body


def test_broken_answers(api: Api, kubernetes: Kubernetes) -> None:
    """Half of the body, another shape, a reset before the answer and one after."""
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


def test_an_eviction_whose_answer_is_lost_has_its_effect(api: Api) -> None:
    """Only the log knows."""
    node = api.sim.control.nodes(api.ocean_id)[0]["instance_id"]
    api.sim.control.add_pod(api.ocean_id, node, name="x", controller=None)
    run = Kubernetes(api.sim, "run")
    for kind, status in (("reset-before", 201), ("reset-after", 404)):
        api.sim.control.fault("POST", "*/eviction", kind)
        with pytest.raises(ConnectionResetError):
            run.evict("default", "x")
        assert run.evict("default", "x", dryRun="All").status == status


def test_slow_answers_and_latency(simulate: Callable[..., Api]) -> None:
    """Both take their time; a barrier holds a request until it is released."""
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


def test_the_second_page_can_be_the_one_that_fails(api: Api, kubernetes: Kubernetes) -> None:
    """As when a list takes longer than the server remembers it."""
    api.sim.control.fault("GET", ROUTE, "410", after=1)
    first = kubernetes.get(PODS, limit=5)
    token = first["metadata"]["continue"]
    assert kubernetes.send("GET", PODS, limit=5, continue_=token).status == 410
    assert kubernetes.send("GET", PODS, limit=5, continue_=token).status == 200
