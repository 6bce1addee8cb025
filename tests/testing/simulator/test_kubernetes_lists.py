"""Lists of the Kubernetes API: format, pages, selectors and errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.testing.simulator.conftest import Api, Kubernetes

LISTS = [
    ("/api/v1/nodes", "NodeList", "v1", 16),
    ("/api/v1/persistentvolumeclaims", "PersistentVolumeClaimList", "v1", 1),
    ("/api/v1/persistentvolumes", "PersistentVolumeList", "v1", 1),
    ("/api/v1/configmaps", "ConfigMapList", "v1", 1),
    ("/api/v1/namespaces/kube-system/configmaps", "ConfigMapList", "v1", 1),
    ("/api/v1/namespaces/default/persistentvolumeclaims", "PersistentVolumeClaimList", "v1", 1),
    ("/apis/policy/v1/poddisruptionbudgets", "PodDisruptionBudgetList", "policy/v1", 1),
    ("/apis/policy/v1/namespaces/shop/poddisruptionbudgets", "PodDisruptionBudgetList", "policy/v1", 1),
    ("/apis/apps/v1/daemonsets", "DaemonSetList", "apps/v1", 2),
    ("/apis/apps/v1/namespaces/kube-system/daemonsets", "DaemonSetList", "apps/v1", 2),
    ("/apis/apps/v1/namespaces/spot-system/deployments", "DeploymentList", "apps/v1", 1),
]


def _with_volume(api: Api) -> Kubernetes:
    node = api.sim.control.nodes(api.ocean_id)[0]
    api.sim.control.add_pod(
        api.ocean_id, node["instance_id"], name="db-0", controller="StatefulSet", claim_zone=node["zone"]
    )
    return Kubernetes(api.sim)


def test_the_format_of_lists(api: Api) -> None:
    """A list has kind, version and metadata; its items have neither kind nor version."""
    kubernetes = _with_volume(api)
    for path, kind, version, count in LISTS:
        body = kubernetes.get(path)
        assert (body["kind"], body["apiVersion"], len(body["items"])) == (kind, version, count), path
        assert body["metadata"]["resourceVersion"].isdecimal()
        assert "continue" not in body["metadata"]
        for item in body["items"]:
            assert not item.keys() & {"kind", "apiVersion"}
            assert {"name", "uid", "resourceVersion", "creationTimestamp"} <= item["metadata"].keys()


def test_every_object_can_be_read(api: Api) -> None:
    """It has kind and version, and otherwise equals the item of the list; a missing object is named."""
    kubernetes = _with_volume(api)
    for path, kind, version, _ in LISTS:
        for item in kubernetes.items(path):
            namespace = item["metadata"].get("namespace")
            base, plural = path.rsplit("/", 1)
            own = base if namespace is None or "/namespaces/" in base else f"{base}/namespaces/{namespace}"
            alone = kubernetes.get(f"{own}/{plural}/{item['metadata']['name']}")
            assert alone == {"kind": kind.removesuffix("List"), "apiVersion": version, **item}
    missing = kubernetes.send("GET", "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/none")
    assert (missing.status, missing.body["reason"]) == (404, "NotFound")
    assert missing.body["message"] == 'poddisruptionbudgets.policy "none" not found'
    assert missing.body["details"] == {"name": "none", "group": "policy", "kind": "poddisruptionbudgets"}


def test_pages_add_up_to_the_list(api: Api) -> None:
    """Each page counts the remaining objects; no object is repeated, and a page can be read again."""
    kubernetes = Kubernetes(api.sim)
    whole = kubernetes.get("/api/v1/pods")["items"]
    found: list[Any] = []
    query: dict[str, Any] = {}
    while True:
        page = kubernetes.get("/api/v1/pods", limit=10, **query)
        assert kubernetes.get("/api/v1/pods", limit=10, **query)["items"] == page["items"]
        found += page["items"]
        if "continue" not in page["metadata"]:
            break
        assert len(page["items"]) == 10
        assert page["metadata"]["remainingItemCount"] == len(whole) - len(found)
        query = {"continue_": page["metadata"]["continue"]}
    assert found == whole
    keys = [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in whole]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_later_pages_show_the_state_of_the_first(api: Api) -> None:
    """A started list does not show later changes."""
    kubernetes, control = Kubernetes(api.sim), api.sim.control
    whole = kubernetes.items("/api/v1/nodes")
    first = kubernetes.get("/api/v1/nodes", limit=4)
    control.remove_node(api.ocean_id, control.nodes(api.ocean_id)[-1]["instance_id"])
    for node in control.nodes(api.ocean_id):
        control.set_node(api.ocean_id, node["instance_id"], cordoned=True, labels={"new": "1"})
    control.add_node(api.ocean_id, "web")
    rest = kubernetes.get("/api/v1/nodes", continue_=first["metadata"]["continue"])
    assert [*first["items"], *rest["items"]] == whole
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert all(node["spec"].get("unschedulable") for node in kubernetes.items("/api/v1/nodes")[:1])


def test_an_unknown_continue_token_has_expired(api: Api) -> None:
    """An invalid token, one of another list, or of a list that is no longer kept: 410 Expired."""
    from ocean_migration_pulumi.testing.simulator.kubernetes_api.pages import REMEMBERED_LISTS

    kubernetes = Kubernetes(api.sim)
    token = kubernetes.get("/api/v1/pods", limit=1)["metadata"]["continue"]
    for path, wanted in (("/api/v1/pods", "nonsense"), ("/api/v1/pods", "e30="), ("/api/v1/nodes", token)):
        reply = kubernetes.send("GET", path, limit=1, continue_=wanted)
        assert (reply.status, reply.body["reason"]) == (410, "Expired")
        assert reply.body["message"].startswith("The provided continue parameter is too old")
    assert kubernetes.send("GET", "/api/v1/pods", limit=1, continue_=token).status == 200
    for _ in range(REMEMBERED_LISTS):
        kubernetes.get("/api/v1/pods", limit=1)
    assert kubernetes.send("GET", "/api/v1/pods", limit=1, continue_=token).status == 410


def test_label_selectors(api: Api) -> None:
    """In kubectl's syntax; a selected list does not count the remaining objects."""
    kubernetes = Kubernetes(api.sim)
    carts = kubernetes.items("/api/v1/pods", labelSelector="app=cart")
    assert {pod["metadata"]["labels"]["app"] for pod in carts} == {"cart"}
    everything = len(kubernetes.items("/api/v1/pods"))
    assert len(kubernetes.items("/api/v1/pods", labelSelector="app!=cart")) == everything - len(carts)
    assert kubernetes.names("/api/v1/pods", labelSelector="app in (cart),pdb") == [
        pod["metadata"]["name"] for pod in carts
    ]
    assert kubernetes.names("/api/v1/pods", labelSelector="app,!app") == []
    web = kubernetes.items("/api/v1/nodes", labelSelector="workload notin (batch),workload")
    assert {node["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] for node in web} == {"web"}
    page = kubernetes.get("/api/v1/pods", labelSelector="app=cart", limit=1)
    assert "continue" in page["metadata"]
    assert "remainingItemCount" not in page["metadata"]
    rest = kubernetes.items("/api/v1/pods", continue_=page["metadata"]["continue"])
    assert [*page["items"], *rest] == carts
    assert kubernetes.names("/apis/apps/v1/deployments", labelSelector="app=cart") == ["cart"]
    assert kubernetes.names("/apis/policy/v1/poddisruptionbudgets", labelSelector="app") == []


def test_field_selectors(api: Api) -> None:
    """Node, phase, name and namespace of a pod, and the name of a node; any other field is refused."""
    kubernetes = Kubernetes(api.sim)
    node = api.sim.control.nodes(api.ocean_id)[0]
    on_node = kubernetes.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node['node_name']}")
    assert len(on_node) == len(node["pods"]) + 2
    system = f"spec.nodeName={node['node_name']},metadata.namespace!=kube-system"
    assert len(kubernetes.items("/api/v1/pods", fieldSelector=system)) == len(node["pods"])
    assert kubernetes.names("/api/v1/nodes", fieldSelector=f"metadata.name={node['node_name']}") == [node["node_name"]]
    assert kubernetes.items("/api/v1/pods", fieldSelector="status.phase=Pending") == []
    for selector in ("spec.unknown=1", "nonsense"):
        reply = kubernetes.send("GET", "/api/v1/nodes", fieldSelector=selector)
        assert (reply.status, reply.body["reason"]) == (400, "BadRequest")
        assert selector.partition("=")[0] in reply.body["message"]


@pytest.mark.parametrize("selector", ["app in cart", "app=(", "-x", "app=a b", "app,"])
def test_an_invalid_selector_is_refused(api: Api, selector: str) -> None:
    """With the message of the real server."""
    reply = Kubernetes(api.sim).send("GET", "/apis/apps/v1/deployments", labelSelector=selector)
    assert (reply.status, reply.body["reason"], reply.body["code"]) == (400, "BadRequest", 400)
    start = f'Unable to find "apps/v1, Resource=deployments" that match label selector "{selector}", field selector "":'
    assert reply.body["message"].startswith(start)


def test_a_limit_must_be_a_number(api: Api) -> None:
    """Anything else is a bad request; 0 is no limit."""
    kubernetes = Kubernetes(api.sim)
    assert kubernetes.send("GET", "/api/v1/nodes", limit="many").status == 400
    assert len(kubernetes.items("/api/v1/nodes", limit=0)) == 16


def test_unknown_methods_and_paths_are_a_status(api: Api) -> None:
    """405 for an unsupported method, 404 for an unknown path or cluster."""
    kubernetes = Kubernetes(api.sim, "run")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        reply = kubernetes.send(method, "/api/v1/pods", {})
        assert (reply.status, reply.body["reason"], reply.body["kind"]) == (405, "MethodNotAllowed", "Status")
    assert kubernetes.send("GET", "/api/v1/namespaces/a/pods/b/eviction").status == 405
    for path in ("/api/v1/secrets", "/apis/batch/v1/jobs", "/"):
        reply = kubernetes.send("GET", path)
        assert (reply.status, reply.body["reason"], reply.body["status"]) == (404, "NotFound", "Failure")
    kubernetes.server = kubernetes.server.replace(api.ocean_id, "o-00000000")
    assert kubernetes.send("GET", "/api/v1/pods").status == 404


def test_the_kubernetes_version(api: Api) -> None:
    """As ``kubectl version`` shows it."""
    assert Kubernetes(api.sim).get("/version")["gitVersion"].startswith("v1.30.")


@pytest.mark.slow
def test_pages_of_ten_thousand_nodes_are_fast(simulate: Callable[..., Api]) -> None:
    """Eighty thousand pods in pages of five hundred are sorted once only."""
    kubernetes = Kubernetes(simulate(scenario="large").sim)
    started = time.process_time()
    page = kubernetes.get("/api/v1/pods", limit=500)
    count, pages = len(page["items"]), 1
    first = time.process_time() - started
    while "continue" in page["metadata"] and pages < 41:
        page = kubernetes.get("/api/v1/pods", limit=500, continue_=page["metadata"]["continue"])
        count, pages = count + len(page["items"]), pages + 1
    others = (time.process_time() - started - first) / (pages - 1)
    assert count == 500 * 41
    assert page["metadata"]["remainingItemCount"] + count >= 70_000
    assert first < 10
    assert others < 1
