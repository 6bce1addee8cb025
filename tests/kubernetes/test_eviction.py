"""Evictions that are only tried."""

from __future__ import annotations

import threading
from itertools import chain, repeat

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import EngineGoneError, InterruptedWaitError
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import EvictionTrial, Pod
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.kubernetes import fake_api as fake
from tests.kubernetes.fake_api import FakeApi
from tests.kubernetes.support import TOKEN, reading
from tests.support import http_server as http
from tests.support.gaps import failed_gap
from tests.support.timing import PATIENCE

POD = Pod(namespace="shop", name="cart-0")
PATH = "/api/v1/namespaces/shop/pods/cart-0/eviction"
BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


ASKED = {"verb": "create", "object": "pods/eviction"}


def refused(status: int, said: str = "") -> Gap:
    """Return the gap that a refusal leaves."""
    return Gap(GapCode.REFUSED, {**ASKED, "status": status, "said": said})


def tried(step: http.Step, scope: CancelScope | None = None) -> EvictionTrial:
    """Try an eviction that is answered like this."""
    api = FakeApi(TOKEN)
    api.evictions[PATH] = step
    with api.serve() as server, reading(server.url) as reader:
        found = reader.try_eviction(scope or CancelScope(), POD)
        assert len(server.requests) <= 1
        return found


def test_nothing_is_ever_evicted() -> None:
    """Both the query and the body say that it is a trial."""
    api = FakeApi(TOKEN)
    api.evictions[PATH] = http.answer(201, {"kind": "Status", "status": "Success"})
    with api.serve() as server, reading(server.url) as reader:
        assert reader.try_eviction(CancelScope(), POD) == EvictionTrial(allowed=True)
    assert api.tries == [
        (
            {"dryRun": "All"},
            {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"namespace": "shop", "name": "cart-0"},
                "deleteOptions": {"dryRun": ["All"]},
            },
        )
    ]


def test_name_leads_to_no_other_route() -> None:
    """Whatever a pod is called."""
    with FakeApi(TOKEN).serve() as server, reading(server.url) as reader:
        reader.try_eviction(CancelScope(), Pod(namespace="a/b", name="../c?d"))
        (request,) = server.requests
    assert request.path == "/api/v1/namespaces/a%2Fb/pods/..%2Fc%3Fd/eviction"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (fake.status(429, BUDGET, "TooManyRequests"), EvictionTrial(allowed=False, said=BUDGET)),
        (fake.status(500, SEVERAL), EvictionTrial(allowed=False, said=SEVERAL)),
        (
            fake.status(404, 'pods "cart-0" not found'),
            EvictionTrial(allowed=None, said='pods "cart-0" not found', vanished=True),
        ),
        (
            fake.forbidden("create", "pods/eviction"),
            EvictionTrial(
                allowed=None,
                gap=Gap(
                    GapCode.FORBIDDEN,
                    {
                        **ASKED,
                        "status": 403,
                        "user": "ci",
                        "rule": '{apiGroups: [""], resources: [pods/eviction], verbs: [create]}',
                    },
                ),
            ),
        ),
        (
            fake.status(403, "admission webhook denied the request"),
            EvictionTrial(allowed=None, gap=refused(403, "admission webhook denied the request")),
        ),
        (fake.status(500, "etcd is slow\nagain"), EvictionTrial(allowed=None, gap=refused(500, "etcd is slow again"))),
        (
            http.answer(429, b"Too many requests, please try again later.", Retry_After="0"),
            EvictionTrial(allowed=None, gap=refused(429)),
        ),
        (
            fake.status(429, "Too many requests, please try again later.", "TooManyRequests"),
            EvictionTrial(allowed=None, gap=refused(429, "Too many requests, please try again later.")),
        ),
        (
            fake.status(429, 'admission webhook "kubevirt" denied the request: eviction triggered evacuation'),
            EvictionTrial(
                allowed=None,
                gap=refused(429, 'admission webhook "kubevirt" denied the request: eviction triggered evacuation'),
            ),
        ),
        (http.answer(404, b"no such route"), EvictionTrial(allowed=None, gap=refused(404))),
        (
            http.reset,
            EvictionTrial(allowed=None, gap=failed_gap("Kubernetes cannot be reached: the connection was reset")),
        ),
    ],
    ids=[
        "budget",
        "several",
        "gone",
        "forbidden",
        "policy",
        "server",
        "overloaded",
        "fairness",
        "webhook",
        "proxy",
        "reset",
    ],
)
def test_answers(step: http.Step, expected: EvictionTrial) -> None:
    """Only the API server's own words decide; the trial is never repeated."""
    assert tried(step) == expected


def test_causes_are_quoted() -> None:
    """They say which budget refuses, and why: that it is not processed yet, or how many pods it needs."""
    causes = [{"reason": "DisruptionBudget", "message": "The disruption budget cart needs 3 healthy pods and has 3"}, 7]
    body = {"kind": "Status", "code": 429, "message": BUDGET, "details": {"causes": causes}}
    expected = f"{BUDGET} The disruption budget cart needs 3 healthy pods and has 3"
    assert tried(http.answer(429, body)) == EvictionTrial(allowed=False, said=expected)


def test_long_words_are_cut() -> None:
    """A line of the preview stays a line."""
    assert len(tried(fake.status(429, BUDGET + "x" * 1000)).said) == 300


def test_silence_is_no_answer() -> None:
    """Nobody knows then."""
    expected = EvictionTrial(allowed=None, gap=Gap(GapCode.NOT_IN_TIME))
    assert tried(http.silence, CancelScope().at_most(0.2)) == expected


def test_engine_that_is_gone_tries_nothing() -> None:
    """It is asked right before, as with every write."""
    lives = chain([True], repeat(False))
    with FakeApi().serve() as server, reading(server.url) as reader:
        with pytest.raises(EngineGoneError):
            reader.try_eviction(CancelScope(alive=lambda: next(lives)), POD)
        assert not server.requests


def test_interruption_ends_the_wait() -> None:
    """At once."""
    scope, arrived = CancelScope(), threading.Event()

    def interrupt() -> None:
        arrived.wait(PATIENCE)
        scope.ended.set()

    threading.Thread(target=interrupt).start()
    with pytest.raises(InterruptedWaitError):
        tried(http.setting(arrived, http.silence), scope)
