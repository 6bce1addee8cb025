"""Nodes by a label selector that the API server judges."""

from __future__ import annotations

import threading

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InputError, InterruptedWaitError, KubernetesError
from ocean_migration_pulumi.kubernetes.pagination import PAGE
from ocean_migration_pulumi.kubernetes.reader import KubernetesReader
from tests.kubernetes import fake_api as fake
from tests.kubernetes.support import reading, shop
from tests.support import http_server as http
from tests.support.timing import PATIENCE


def test_nodes_with_a_selector() -> None:
    """The API server judges the selector; each one is asked once."""
    api = shop()
    with api.serve() as server, reading(server.url) as reader:
        assert reader.nodes_with(CancelScope(), "disk in (ssd,nvme),!gpu") == {"i-0a1", "i-0a2"}
        assert reader.nodes_with(CancelScope(), "disk in (ssd,nvme),!gpu") == {"i-0a1", "i-0a2"}
        reader.nodes_with(CancelScope(), "other=1")
        asked = [request.query for request in server.requests]
    assert asked == [
        {"limit": str(PAGE), "labelSelector": selector} for selector in ("disk in (ssd,nvme),!gpu", "other=1")
    ]


def test_selector_that_the_server_refuses() -> None:
    """Its own words say what is wrong, and a preview asks for them once."""
    api = shop()
    words = "unable to parse requirement: found '=',\nexpected: identifier"
    api.faults[fake.NODES] = [fake.status(400, words, "BadRequest")]
    expected = (
        "nodes.label_selector: Kubernetes refuses it: unable to parse requirement: found '=', expected: identifier"
    )
    with api.serve() as server, reading(server.url) as reader:
        raised = []
        for _ in range(2):
            with pytest.raises(InputError) as caught:
                reader.nodes_with(CancelScope(short=True), "=")
            raised.append(caught.value)
        assert len(server.requests) == 1
    assert [str(error) for error in raised] == [expected] * 2
    assert raised[0] is not raised[1]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (fake.forbidden("list", "nodes"), "ci may not list nodes (403); add to its role: {apiGroups"),
        (fake.status(500), "Kubernetes responded with 500 when asked to list nodes"),
        (http.answer(200, {"items": [{}]}), "1 malformed object in the list of nodes"),
        (http.silence, "Kubernetes did not respond in time"),
    ],
)
def test_selector_that_cannot_be_asked(step: http.Step, message: str) -> None:
    """A selector that could be judged in part never counts as judged."""
    api = shop()
    api.faults[fake.NODES] = [step]
    with api.serve() as server, reading(server.url) as reader, pytest.raises(KubernetesError) as caught:
        reader.nodes_with(CancelScope().at_most(0.5), "a=b")
    assert str(caught.value).startswith(message)


def test_selector_after_the_deadline() -> None:
    """While another thread asks, the wait ends with the deadline."""
    api, arrived, slow = shop(), threading.Event(), CancelScope()
    api.faults[fake.NODES] = [http.setting(arrived, http.silence)]

    def wait(reader: KubernetesReader) -> None:
        with pytest.raises(InterruptedWaitError):
            reader.nodes_with(slow, "a=b")

    with api.serve() as server, reading(server.url) as reader:
        thread = threading.Thread(target=wait, args=(reader,))
        thread.start()
        assert arrived.wait(PATIENCE)
        with pytest.raises(KubernetesError, match="did not respond in time"):
            reader.nodes_with(CancelScope().at_most(0.1), "a=b")
        slow.ended.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
