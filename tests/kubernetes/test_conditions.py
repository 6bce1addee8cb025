"""What a gate asks of a cluster, against a real HTTP server."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InterruptedWaitError, KubernetesError, PrerequisiteError
from ocean_migration_pulumi.kubernetes.conditions import RESOURCES, check_condition
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError
from ocean_migration_pulumi.kubernetes.resources import rbac_rule
from ocean_migration_pulumi.migration.gate.observations import GateKubernetes
from ocean_migration_pulumi.migration.reconcile.readiness.observations_text import describe_observation
from ocean_migration_pulumi.migration.spec.conditions import (
    CONDITIONS,
    ConditionObservation,
    KubernetesCondition,
    ObservationCode,
)
from tests.kubernetes import fake_api as fake
from tests.kubernetes.fake_api import FakeApi
from tests.kubernetes.support import TOKEN, reading, shop
from tests.kubernetes.test_roles import Right, needed, rights, role
from tests.support import http_server as http

CART = "/apis/apps/v1/namespaces/shop/deployments/cart"


def wanted(kind: str = "Deployment", name: str = "cart", condition: str | None = None) -> KubernetesCondition:
    """Return a condition of an object in the namespace ``shop``."""
    namespace = "" if kind == "Node" else "shop"
    return KubernetesCondition(kind=kind, name=name, namespace=namespace, condition=condition or CONDITIONS[kind])


def having(**conditions: str) -> dict[str, Any]:
    """Return a status with conditions."""
    return {"conditions": [{"type": name, "status": status} for name, status in conditions.items()]}


def available(**conditions: str) -> dict[str, Any]:
    """Return a Deployment whose status is up to date."""
    metadata = {"name": "cart", "namespace": "shop", "generation": 3}
    return {"metadata": metadata, "status": {"observedGeneration": 3, **having(**conditions or {"Available": "True"})}}


def shown(condition: str, status: str, reason: str = "") -> dict[str, Any]:
    """Return the fields of an observation of a condition."""
    return {"condition": condition, "status": status, "reason": reason}


def replicas(ready: int, expected: int) -> dict[str, Any]:
    """Return the fields of an observation of replicas."""
    return {"ready": ready, "expected": expected}


def observe(
    api: FakeApi, *conditions: KubernetesCondition, scope: CancelScope | None = None
) -> tuple[ConditionObservation, ...]:
    """Look at a cluster once."""
    with api.serve() as server, reading(server.url) as reader:
        return reader.observe(scope or CancelScope(), conditions or (wanted(),))


def answering(path: str, step: http.Step) -> FakeApi:
    """Return a cluster that answers a path always in the same way."""
    api = FakeApi(TOKEN)
    api.faults[path] = itertools.repeat(step)
    return api


def test_protocol_is_fulfilled() -> None:
    """What decides knows the reader only by its protocol."""

    def needs(api: GateKubernetes) -> GateKubernetes:
        return api

    with reading("http://127.0.0.1:9") as reader:
        assert needs(reader) is reader


def test_every_kind_is_read_at_its_place_and_only_by_get() -> None:
    """As the shipped role allows, and nothing else."""
    ready = {"status": having(Ready="True", Complete="True", Available="True")}
    api = FakeApi(TOKEN)
    paths = {
        "Deployment": CART,
        "StatefulSet": "/apis/apps/v1/namespaces/shop/statefulsets/cart",
        "DaemonSet": "/apis/apps/v1/namespaces/shop/daemonsets/cart",
        "Job": "/apis/batch/v1/namespaces/shop/jobs/cart",
        "Node": "/api/v1/nodes/cart",
        "Pod": "/api/v1/namespaces/shop/pods/cart",
    }
    assert paths.keys() == CONDITIONS.keys()
    api.faults = {path: [http.answer(200, ready)] for path in paths.values()}
    api.faults[paths["StatefulSet"]] = [http.answer(200, {"spec": {"replicas": 0}})]
    with api.serve() as server, reading(server.url) as reader:
        found = reader.observe(CancelScope(), tuple(map(wanted, paths)))
        asked: set[Right] = set()
        for request in server.requests:
            group, resource, _, verb = needed(request)
            asked.add((group, resource, "", verb))
        assert {request.method for request in server.requests} == {"GET"}
    assert [each.met for each in found] == [True] * 6
    assert asked == rights(role("gate")["rules"])
    assert asked == rights([yaml.safe_load(rbac_rule(RESOURCES[kind], "get")) for kind in CONDITIONS])


def test_order_is_that_of_the_question() -> None:
    """Although all are asked at once, and one object may be looked at twice."""
    conditions = (wanted(name="other"), wanted(), wanted(condition="Progressing"))
    api = answering(CART, http.answer(200, available()))
    assert observe(api, *conditions) == (
        ConditionObservation(False, ObservationCode.NO_OBJECT, "Deployment shop/other", is_present=False),
        ConditionObservation(True, ObservationCode.CONDITION, "Deployment shop/cart", shown("Available", "True")),
        ConditionObservation(
            False, ObservationCode.CONDITION, "Deployment shop/cart", shown("Progressing", ""), answered=False
        ),
    )


@pytest.mark.parametrize(
    ("condition", "data", "met", "code", "fields"),
    [
        (wanted(), available(Available="False"), False, "condition", shown("Available", "False")),
        (wanted(), {"metadata": {"generation": 4}, "status": {}}, False, "outdated", {}),
        (wanted(), {"metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"}}, False, "being-deleted", {}),
        (
            wanted(condition="Ready"),
            {"spec": {"replicas": 3}, "status": {"readyReplicas": 2}},
            False,
            "replicas",
            replicas(2, 3),
        ),
        (wanted(condition="Ready"), {"status": {"readyReplicas": 1}}, True, "replicas", replicas(1, 1)),
        (
            wanted("StatefulSet"),
            {"spec": {"replicas": 2}, "status": {"readyReplicas": 2}},
            True,
            "replicas",
            replicas(2, 2),
        ),
        (wanted("StatefulSet"), {"spec": {"replicas": 2}, "status": {}}, False, "replicas", replicas(0, 2)),
        (
            wanted("DaemonSet"),
            {"status": {"desiredNumberScheduled": 5, "numberReady": 4}},
            False,
            "replicas",
            replicas(4, 5),
        ),
        (wanted("DaemonSet"), {"status": {"desiredNumberScheduled": 0}}, True, "replicas", replicas(0, 0)),
        (wanted("Job"), {"status": having(Complete="True")}, True, "condition", shown("Complete", "True")),
        (wanted("Job"), {"status": having(Failed="True")}, False, "job-failed", {}),
        (wanted("Job", condition="Failed"), {"status": having(Failed="True")}, True, "job-failed", {}),
        (wanted("Node"), {"status": having(Ready="Unknown")}, False, "condition", shown("Ready", "Unknown")),
        (
            wanted("Pod"),
            {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Containers\nNotReady"}]}},
            False,
            "condition",
            shown("Ready", "False", "Containers NotReady"),
        ),
        (wanted("Pod"), {}, False, "condition", shown("Ready", "")),
    ],
    ids=repr,
)
def test_object_is_judged(
    condition: KubernetesCondition, data: dict[str, Any], met: bool, code: str, fields: dict[str, Any]
) -> None:
    """By its conditions, or by its replicas where it has none."""
    found = check_condition(condition, data)
    assert (found.met, found.code, found.subject, found.fields) == (met, code, condition.subject, fields)


CERTIFICATES = "/apis/cert-manager.io/v1/namespaces/shop/certificates/tls"
KINDS = {
    "resources": [
        {"name": "certificates", "kind": "Certificate", "namespaced": True},
        {"name": "certificates/status", "kind": "Certificate", "namespaced": True},
        {"name": "clusterissuers", "kind": "ClusterIssuer", "namespaced": False},
    ]
}


def other(kind: str = "Certificate", name: str = "tls", namespace: str = "shop", **more: Any) -> KubernetesCondition:
    """Return a condition of an object of another kind."""
    return KubernetesCondition(
        kind=kind, name=name, namespace=namespace, api_version=more.pop("api_version", "cert-manager.io/v1"), **more
    )


def issuing(*steps: http.Step) -> FakeApi:
    """Return a cluster with other kinds, and an object of one of them."""
    api = FakeApi(TOKEN)
    api.objects = {"/apis/cert-manager.io/v1": KINDS}
    api.faults[CERTIFICATES] = list(steps)
    return api


@pytest.mark.parametrize(
    ("conditions", "more", "met", "answered"),
    [
        ({"Ready": "True"}, {}, True, True),
        ({"Ready": "False"}, {}, False, True),
        ({"Ready": "Unknown"}, {}, False, False),
        ({}, {}, False, False),
        ({"Degraded": "False"}, {"condition": "Degraded", "status": "False"}, True, True),
        ({"Degraded": "True"}, {"condition": "Degraded", "status": "False"}, False, True),
        ({}, {"condition": "Degraded", "status": "False"}, False, False),
    ],
)
def test_objects_of_other_kinds_have_conditions(
    conditions: dict[str, str], more: dict[str, str], met: bool, answered: bool
) -> None:
    """An unknown one, or one that is not there yet, is not met, but it is no bad answer either."""
    (found,) = observe(issuing(http.answer(200, {"status": having(**conditions)})), other(**more))
    assert (found.met, found.answered, found.is_present) == (met, answered, True)
    name = more.get("condition", "Ready")
    assert found.fields == shown(name, conditions.get(name, ""))


@pytest.mark.parametrize("observed", [3, "5f4d8b", None])
def test_status_of_another_kind_may_not_tell_its_generation(observed: object) -> None:
    """Or tell it in a way of its own, as a Rollout of Argo once did."""
    data = {"metadata": {"generation": 4}, "status": {"observedGeneration": observed, **having(Ready="True")}}
    (found,) = observe(issuing(http.answer(200, data)), other())
    assert found.met is (observed != 3)
    assert found.is_present is (observed != 3)


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (other(kind="Order"), "no-kind"),
        (other(api_version="none.example/v1"), "no-object"),
        (other(namespace=""), "needs-namespace"),
        (other(kind="ClusterIssuer", name="le"), "has-no-namespace"),
        (other(kind="ClusterIssuer", name="le", namespace=""), "no-object"),
    ],
)
def test_object_of_another_kind_that_is_not_there(condition: KubernetesCondition, code: str) -> None:
    """It says what is wrong with the declaration, too."""
    (found,) = observe(issuing(), condition)
    assert (found.met, found.is_present, found.code, found.subject) == (False, False, code, condition.subject)


def test_missing_right_for_another_kind_is_told_with_its_rule() -> None:
    """Of the group and the plural that the API server names."""
    with pytest.raises(PrerequisiteError) as caught:
        observe(issuing(fake.forbidden("get", "certificates")), other())
    assert str(caught.value).endswith(
        'add to its role: {apiGroups: ["cert-manager.io"], resources: [certificates], verbs: [get]}'
    )


@given(
    kind=st.sampled_from(sorted(CONDITIONS)),
    data=st.dictionaries(
        st.sampled_from(["metadata", "spec", "status"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["conditions", "type", "status", "replicas", "generation"]), inner)
            ),
            max_leaves=6,
        ),
    ),
)
def test_whatever_an_object_holds_is_judged_or_of_unexpected_form(kind: str, data: dict[str, Any]) -> None:
    """Nothing else is raised."""
    try:
        found = check_condition(wanted(kind), data)
    except UnexpectedFormError:
        return
    assert "\n" not in describe_observation(found)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (fake.status(500, "etcd is slow"), "Kubernetes responded with 500 when asked to get deployments"),
        (http.answer(200, b"<html>"), "Deployment shop/cart does not match the Kubernetes API reference"),
        (http.answer(200, {"status": 7}), "Deployment shop/cart does not match the Kubernetes API reference"),
        (http.reset, "Kubernetes cannot be reached"),
    ],
    ids=["500", "html", "form", "reset"],
)
def test_outage_can_be_waited_out(step: http.Step, message: str) -> None:
    """It says what happened, and nothing of the access."""
    with pytest.raises(KubernetesError, match=message) as caught:
        observe(answering(CART, step))
    assert TOKEN not in str(caught.value)


def test_cluster_that_hangs_did_not_answer_in_time() -> None:
    """Whoever asks has a deadline for it."""
    with pytest.raises(KubernetesError, match="did not respond in time"):
        observe(answering(CART, http.silence), scope=CancelScope().at_most(0.2))


def test_interruption_ends_the_question() -> None:
    """At once, although the cluster hangs."""
    scope = CancelScope()
    with pytest.raises(InterruptedWaitError):
        observe(answering(CART, http.setting(scope.ended, http.silence)), scope=scope)


def test_missing_right_is_told_with_its_rule() -> None:
    """Another try does not mend it."""
    with pytest.raises(PrerequisiteError) as caught:
        observe(answering(CART, fake.forbidden("get", "deployments")))
    assert str(caught.value) == (
        "ci may not get deployments (403); add to its role: "
        '{apiGroups: ["apps"], resources: [deployments], verbs: [get]}'
    )


def test_refused_credentials_are_told() -> None:
    """Another try does not mend that either."""
    with FakeApi("another").serve() as server, reading(server.url) as reader:
        for ask in (lambda: reader.observe(CancelScope(), (wanted(),)), lambda: reader.pending_pods(CancelScope())):
            with pytest.raises(PrerequisiteError, match="refuses the credentials") as caught:
                ask()
            assert TOKEN not in str(caught.value)


def pending(name: str, **more: Any) -> dict[str, Any]:
    """Return a pod that waits for a node."""
    return {"metadata": {"name": name, "namespace": "shop", **more}, "spec": {}, "status": {"phase": "Pending"}}


def test_pods_that_wait_for_a_node_are_listed() -> None:
    """Not those that start on one, or go away; the API server selects, so that a large cluster costs little."""
    api = shop()
    starting = {**pending("starts"), "spec": {"nodeName": "ip-1"}}
    api.lists[fake.PODS] = [pending("a"), starting, pending("goes", deletionTimestamp="2026-01-02T03:04:05Z")]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.pending_pods(CancelScope()) == ("shop/a",)
        (request,) = server.requests
    assert request.query["fieldSelector"] == "status.phase=Pending"


def test_nodes_are_known_by_their_instances() -> None:
    """A node of another kind, without one, is left out."""
    api = shop()
    api.lists[fake.NODES] = [*api.lists[fake.NODES], {"metadata": {"name": "fargate"}}]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.instances(CancelScope()) == {"i-0a1", "i-0a2"}


def test_list_of_which_a_part_is_of_unexpected_form_is_not_known() -> None:
    """It must not count as one without pods that wait."""
    api = shop()
    api.lists[fake.PODS] = [pending("a"), b'{"metadata": 7}']
    with (
        api.serve() as server,
        reading(server.url) as reader,
        pytest.raises(KubernetesError, match="1 malformed object in the list of pods"),
    ):
        reader.pending_pods(CancelScope())


@pytest.mark.parametrize(("code", "kind"), [(403, PrerequisiteError), (503, KubernetesError)])
def test_list_that_is_refused_is_told(code: int, kind: type[Exception]) -> None:
    """A right that is missing, by its rule."""
    api = answering(fake.PODS, fake.forbidden("list", "pods") if code == 403 else fake.status(code))
    with api.serve() as server, reading(server.url) as reader, pytest.raises(kind) as caught:
        reader.pending_pods(CancelScope())
    assert ("verbs: [list]" in str(caught.value)) is (code == 403)
