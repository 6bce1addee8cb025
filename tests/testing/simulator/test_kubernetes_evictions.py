"""Evictions: dry runs, disruption budgets, and agreement with migrations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import ControlError
from tests.testing.simulator.conftest import Api, Kubernetes, Reply


@pytest.fixture
def kubernetes(api: Api) -> Kubernetes:
    """Return a client that may evict."""
    return Kubernetes(api.sim, "run")


def _pods(api: Api) -> list[str]:
    return [pod["name"] for node in api.sim.control.nodes(api.ocean_id) for pod in node["pods"]]


def _add(api: Api, name: str, **facts: Any) -> None:
    api.sim.control.add_pod(api.ocean_id, api.sim.control.nodes(api.ocean_id)[0]["instance_id"], name=name, **facts)


def _blocked(reply: Reply, cause: str) -> None:
    assert (reply.status, reply.body["reason"]) == (429, "TooManyRequests")
    assert reply.body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert reply.body["details"]["causes"] == [{"reason": "DisruptionBudget", "message": cause}]


def test_a_dry_run_changes_nothing(api: Api, kubernetes: Kubernetes) -> None:
    """Query or body request it; the log does not mark it as effective."""
    _add(api, "alone", controller=None)
    before = _pods(api)
    done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    path = "/api/v1/namespaces/default/pods/alone/eviction"
    for reply in (
        kubernetes.evict("default", "alone", dryRun="All"),
        kubernetes.send("POST", path, {"deleteOptions": {"dryRun": ["All"]}}),
    ):
        assert (reply.status, reply.body) == (201, done)
    assert _pods(api) == before
    assert api.sim.control.requests(api="kubernetes", effective=True) == []


def test_an_eviction_without_dry_run_evicts(api: Api, kubernetes: Kubernetes) -> None:
    """A standalone pod is gone, another one is pending; the log shows a client that forgot dryRun."""
    _add(api, "alone", controller=None)
    _add(api, "app-1")
    for name in ("alone", "app-1"):
        assert kubernetes.evict("default", name).status == 201
        assert name not in _pods(api)
    pending = kubernetes.items("/api/v1/pods", fieldSelector="status.phase=Pending")
    assert [pod["metadata"]["name"] for pod in pending] == ["app-1"]
    assert kubernetes.evict("default", "alone").status == 404
    assert len(api.sim.control.requests(api="kubernetes", effective=True)) == 2
    assert api.sim.control.requests(effective=True) == []


def test_daemon_sets_recreate_evicted_pods(api: Api, kubernetes: Kubernetes) -> None:
    """The eviction succeeds, and the node has the pod again."""
    _add(api, "agent-x", controller="DaemonSet")
    before = kubernetes.names("/api/v1/pods")
    proxy = next(name for name in before if name.startswith("kube-proxy"))
    assert kubernetes.evict("default", "agent-x").status == 201
    assert kubernetes.evict("kube-system", proxy).status == 201
    assert kubernetes.names("/api/v1/pods") == before


def test_a_budget_refuses_excess_evictions(api: Api, kubernetes: Kubernetes) -> None:
    """Dry runs can be repeated; evictions use up the allowed disruptions."""
    for number in range(3):
        _add(api, f"ledger-{number}", budget="shop/ledger")
    api.sim.control.budget(api.ocean_id, "shop/ledger", 2)
    path = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/ledger"
    for _ in range(2):
        assert kubernetes.evict("shop", "ledger-0", dryRun="All").status == 201
    assert kubernetes.get(path)["status"]["disruptionsAllowed"] == 1
    assert kubernetes.evict("shop", "ledger-0").status == 201
    status = kubernetes.get(path)["status"]
    assert (status["disruptionsAllowed"], status["currentHealthy"], status["expectedPods"]) == (0, 2, 3)
    for query in ({}, {"dryRun": "All"}):
        _blocked(
            kubernetes.evict("shop", "ledger-1", **query),
            "The disruption budget ledger needs 2 healthy pods and has 2 currently",
        )
    assert "ledger-1" in _pods(api)


def test_two_budgets_for_a_pod_are_a_server_error(api: Api, kubernetes: Kubernetes) -> None:
    """As in the real API server, without a reason; a migration cannot evict such a pod either."""
    node = api.sim.control.nodes(api.ocean_id)[0]["instance_id"]
    control = api.sim.control
    control.budget(api.ocean_id, "default/one", 0, selector={"matchLabels": {"app": "twice"}})
    control.budget(
        api.ocean_id,
        "default/two",
        0,
        selector={"matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}]},
    )
    control.add_pod(api.ocean_id, node, name="twice-1", labels={"app": "twice", "tier": "front"})
    control.add_pod(api.ocean_id, node, name="twice-2", labels={"app": "twice"})
    reply = kubernetes.evict("default", "twice-1", dryRun="All")
    assert (reply.status, reply.body["code"], reply.body["status"]) == (500, 500, "Failure")
    assert "reason" not in reply.body
    assert reply.body["message"].startswith("This pod has more than one PodDisruptionBudget")
    assert kubernetes.evict("default", "twice-2", dryRun="All").status == 201
    migration = api.create([node])
    api.run(migration)
    (left,) = (one for one in api.status(migration)["oldInstances"] if one["state"] == "REQUIRES_MANUAL_MIGRATION")
    assert [pod["name"] for pod in left["podDetails"]] == ["twice-1"]


def test_pods_that_do_not_run_are_always_evicted(api: Api, kubernetes: Kubernetes) -> None:
    """A pod that has not started or has ended is evicted whatever the budget; it does not count as healthy."""
    for name, phase in (("job-1", "Succeeded"), ("job-2", "Pending"), ("job-3", "Running")):
        _add(api, name, phase=phase, budget="batch/job")
    api.sim.control.budget(api.ocean_id, "batch/job", 1)
    status = kubernetes.get("/apis/policy/v1/namespaces/batch/poddisruptionbudgets/job")["status"]
    assert (status["currentHealthy"], status["expectedPods"], status["disruptionsAllowed"]) == (1, 3, 0)
    replies = [kubernetes.evict("batch", f"job-{number}", dryRun="All").status for number in (1, 2, 3)]
    assert replies == [201, 201, 429]


def test_a_pod_that_is_not_ready_is_evicted_while_enough_are_healthy(api: Api, kubernetes: Kubernetes) -> None:
    """As in the default policy for unhealthy pods; with too few healthy pods it is not evicted."""
    _add(api, "web-1", budget="default/web")
    _add(api, "web-2", budget="default/web", ready=False)
    api.sim.control.budget(api.ocean_id, "default/web", 1)
    assert kubernetes.evict("default", "web-2", dryRun="All").status == 201
    assert kubernetes.evict("default", "web-1", dryRun="All").status == 429
    api.sim.control.budget(api.ocean_id, "default/web", 2)
    assert kubernetes.evict("default", "web-2", dryRun="All").status == 429


def test_an_invalid_eviction_body_is_refused(api: Api, kubernetes: Kubernetes) -> None:
    """Invalid JSON, another kind, another pod's name, or another dryRun than All; nothing is evicted."""
    _add(api, "x")
    path = "/api/v1/namespaces/default/pods/x/eviction"
    bodies: list[Any] = [b"{", b"[]", {"kind": "Pod"}, {"metadata": {"name": "y"}}]
    for body in bodies:
        assert kubernetes.send("POST", path, body).status == 400
    for spec, query in (({"deleteOptions": {"dryRun": ["Some"]}}, {}), ({}, {"dryRun": "true"})):
        reply = kubernetes.send("POST", path, spec, **query)
        assert (reply.status, reply.body["reason"]) == (422, "Invalid")
    assert "x" in _pods(api)


@pytest.mark.parametrize("scenario", ["success", "blocking-pdb", "kubernetes-trouble"])
def test_dry_runs_and_a_migration_agree(simulate: Callable[..., Api], scenario: str) -> None:
    """The pods that dry runs refuse are exactly those that a migration without force leaves."""
    api = simulate(scenario=scenario)
    kubernetes = Kubernetes(api.sim, "run")
    blocked = set()
    for pod in kubernetes.items("/api/v1/pods", fieldSelector="metadata.namespace=shop"):
        name = pod["metadata"]["name"]
        if kubernetes.evict("shop", name, dryRun="All").status == 429:
            blocked.add(name)
    for pod in kubernetes.items("/api/v1/pods", labelSelector="app=images"):
        api.sim.control.remove_pod(api.ocean_id, pod["metadata"]["name"], instance_id=_home(api, pod))
    migration = api.create(shouldEvictStandAlonePods=True)
    assert api.run(migration)[-1] == "FINISHED"
    left = [one.get("podDetails", []) for one in api.status(migration)["oldInstances"]]
    assert {pod["name"] for pods in left for pod in pods} == blocked


def _home(api: Api, pod: Any) -> str:
    nodes = {node["node_name"]: node["instance_id"] for node in api.sim.control.nodes(api.ocean_id)}
    return str(nodes[pod["spec"]["nodeName"]])


def test_an_invalid_budget_is_refused(api: Api) -> None:
    """Its name needs a namespace, which must be that of its pods, and its selector must be valid."""
    control = api.sim.control
    with pytest.raises(ControlError, match="named namespace/name, not 'ledger'"):
        control.budget(api.ocean_id, "ledger", 1)
    with pytest.raises(ControlError, match="selects no pods of the namespace default"):
        _add(api, "x", budget="shop/cart", namespace="default")
    for selector in ({"matchExpressions": [{"key": "a", "operator": "Is"}]}, {"matchLabels": ["a"]}):
        with pytest.raises(ControlError, match="selector"):
            control.budget(api.ocean_id, "shop/x", 1, selector=selector)
