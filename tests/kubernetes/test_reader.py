"""Everything that is read of a cluster, against a real HTTP server."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing
from typing import Any

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes import KubernetesReader
from ocean_migration_pulumi.kubernetes.objects import list_decoding
from ocean_migration_pulumi.kubernetes.objects.cluster_objects import read_node_pool, read_webhooks
from ocean_migration_pulumi.kubernetes.pagination import PAGE
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.scheduling import kubernetes_snapshot as known
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    CniSettings,
    MappedRole,
    NodePool,
    Requirement,
    Taint,
)
from ocean_migration_pulumi.migration.snapshot.protocols import KubernetesApi
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.kubernetes import fake_api as fake
from tests.kubernetes.fake_api import FakeApi
from tests.kubernetes.support import ALL, TOKEN, access, read, reading, shop
from tests.support import http_server as http
from tests.support.gaps import failed_gap
from tests.support.timing import PATIENCE

UNEXPECTED = " does not match the Kubernetes API reference"
TEXT_HTML = {"Content_Type": "text/html"}


def test_pods_that_were_read_in_time_are_kept() -> None:
    """They say what they can, and how many are missing; whoever has more time reads again."""
    api = shop()
    api.lists[fake.PODS] = [fake.pod(f"web-{number}") for number in range(3 * PAGE)]
    pages: list[tuple[str, int, int | None]] = []
    with api.serve() as server, reading(server.url) as reader:
        reader.progress = lambda resource, read, total: pages.append((resource, read, total))
        api.faults[fake.PODS] = [None, http.silence]
        found = reader.read_snapshot(CancelScope(short=True).at_most(2.0))
        assert len(found.pods) == PAGE
        assert found.gaps[known.PODS] == Gap(
            GapCode.LIST_INCOMPLETE, {"resource": "pods", "read": PAGE, "total": 3 * PAGE}
        )
        assert found.gaps.keys() == {known.PODS}
        told = [page for page in pages if page[0] == known.PODS]
        assert told[-1] == (known.PODS, PAGE, 3 * PAGE)
        assert {total for _, _, total in told} == {3 * PAGE}
        again = reader.read_snapshot(CancelScope())
        assert (len(again.pods), again.gaps) == (3 * PAGE, {})


@pytest.mark.parametrize(
    ("disabled", "encoding"), [(None, "gzip"), (False, "gzip"), ("true", "gzip"), (True, "identity")]
)
def test_compression_can_be_disabled(disabled: Any, encoding: str) -> None:
    """As for kubectl: a fast link does not need it."""
    with shop().serve() as server:
        with closing(KubernetesReader(access(server.url, cluster={"disable-compression": disabled}))) as reader:
            assert reader.read_snapshot(CancelScope()).gaps == {}
        assert {request.headers["accept-encoding"] for request in server.requests} == {encoding}


def test_next_page_is_asked_for_before_this_one_has_arrived() -> None:
    """As soon as its token has; and each page is read once, in order."""
    api = shop()
    api.lists[fake.PODS] = [fake.pod(f"web-{number}") for number in range(5 * PAGE)]
    second = threading.Event()

    def halting(connection: http.Connection, request: http.Received) -> bool:
        """Send the head of the first page, and the rest when the second page is asked for."""
        body = api.page(request)
        start = body.index(b"[") + 1
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.socket.sendall(head + body[:start])
        second.wait(PATIENCE)
        connection.socket.sendall(body[start:])
        return True

    def answering(connection: http.Connection, request: http.Received) -> bool:
        return http.answer(200, api.page(request))(connection, request)

    api.faults[fake.PODS] = [halting, http.setting(second, answering)]
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_snapshot(CancelScope())
        asked = [request for request in server.requests if request.path == fake.PODS]
    assert second.is_set()
    assert [pod.name for pod in found.pods] == [f"web-{number}" for number in range(5 * PAGE)]
    assert len(asked) == 5


def test_page_that_is_cut_off_is_read_again() -> None:
    """What had arrived of it counts once, on the first page and on one that is read ahead."""
    api = shop()
    api.lists[fake.PODS] = [fake.pod(f"web-{number}") for number in range(2 * PAGE)]

    begun = set()

    def cut_once(connection: http.Connection, request: http.Received) -> bool:
        """Send the most of a page, and close; all of it when it is asked for again."""
        body, token = api.page(request), request.query.get("continue")
        if token in begun:
            return http.answer(200, body)(connection, request)
        begun.add(token)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.socket.sendall(head + body[: 9 * len(body) // 10])
        return False

    api.faults[fake.PODS] = itertools.repeat(cut_once)
    found = read(api)
    assert found.gaps == {}
    assert [pod.name for pod in found.pods] == [f"web-{number}" for number in range(2 * PAGE)]


def test_everything_is_read() -> None:
    """Each resource has its place, and the volumes tell where their pods can run."""
    found = read(shop())
    assert found.gaps == {}
    assert found.source == "the input kubeconfig"
    assert {name: node.cordoned for name, node in found.nodes.items()} == {"i-0a1": False, "i-0a2": True}
    assert [pod.full_name for pod in found.pods] == ["shop/cart-0", "shop/debug"]
    zone = Requirement(key=known.ZONE_LABEL, values=("us-west-2a",))
    assert found.pods[0].volume_terms == (((zone,),),)
    assert found.pods[1].volume_terms == ()
    assert [budget.full_name for budget in found.budgets] == ["shop/cart"]
    assert [(each.full_name, each.replicas) for each in found.deployments] == [("shop/web", 3)]
    assert found.daemon_sets == {("kube-system", "aws-node")}
    assert [role.arn for role in found.mapped_roles or ()] == ["arn:aws:iam::1:role/nodes"]


def test_instance_that_is_registered_more_than_once_has_all_its_names() -> None:
    """Until somebody deletes the node of its old name, pods can be on either."""
    api = shop()
    api.lists[fake.NODES] = [fake.node(name, "i-1") for name in ("ip-3", "ip-1", "ip-2")] + [fake.node("ip-9", "i-9")]
    found = read(api)
    assert {found.nodes["i-1"].name} | found.other_names["i-1"] == {"ip-1", "ip-2", "ip-3"}
    assert (found.nodes["i-9"].name, found.other_names.keys()) == ("ip-9", {"i-1"})


def test_volumes_of_ebs_and_what_nodes_attach() -> None:
    """Those of generic ephemeral volumes, too, which bind a pod to no zone."""
    api = shop()
    claims = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "tmp", "ephemeral": {}}]
    api.lists[fake.PODS] = [
        fake.pod("cart-0", volumes=[*claims, {"name": "nfs", "persistentVolumeClaim": {"claimName": "nfs"}}])
    ]
    named = {"data": "pv-1", "cart-0-tmp": "pv-2", "nfs": "pv-3"}
    api.lists[fake.CLAIMS] = [fake.named(claim, spec={"volumeName": volume}) for claim, volume in named.items()]
    drivers = {"pv-1": "ebs.csi.aws.com", "pv-2": "ebs.csi.aws.com", "pv-3": "nfs.csi.k8s.io"}
    zone = {"topology.kubernetes.io/zone": "us-west-2a"}
    api.lists[fake.VOLUMES] = [
        {"metadata": {"name": name, "labels": zone}, "spec": {"csi": {"driver": driver}}}
        for name, driver in drivers.items()
    ]
    ebs = {"name": "ebs.csi.aws.com", "allocatable": {"count": 25}}
    api.lists[fake.CSI_NODES] = [
        {"metadata": {"name": "ip-1"}, "spec": {"drivers": [{"name": "efs.csi.aws.com"}, ebs]}},
        {"metadata": {"name": "ip-2"}, "spec": {"drivers": [{"name": "ebs.csi.aws.com"}]}},
        {"metadata": {"name": "ip-3"}, "spec": {"drivers": None}},
    ]
    found = read(api)
    assert found.gaps == {}
    assert found.pods[0].ebs_volumes == ("pv-1", "pv-2")
    assert len(found.pods[0].volume_terms) == 2
    assert found.attachment_limits == {"ip-1": 25}


def variables(**values: Any) -> dict[str, Any]:
    """Return the DaemonSet of the VPC CNI with these variables."""
    env = [{"name": name, **(value if isinstance(value, dict) else {"value": value})} for name, value in values.items()]
    containers = [{"name": "aws-node", "env": env}, {"name": "aws-eks-nodeagent", "env": [{"name": "ENABLE_IPv6"}]}]
    return fake.named("aws-node", "kube-system", spec={"template": {"spec": {"containers": containers}}})


@pytest.mark.parametrize(
    ("daemon_set", "cni"),
    [
        (variables(), CniSettings()),
        (
            variables(WARM_ENI_TARGET="0", WARM_IP_TARGET="5", MINIMUM_IP_TARGET="20", WARM_PREFIX_TARGET="1"),
            CniSettings(warm_interfaces=0, warm_addresses=5, minimum_addresses=20, warm_prefixes=1),
        ),
        (
            variables(ENABLE_PREFIX_DELEGATION="true", AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG="True", ENABLE_IPv6="1"),
            CniSettings(uses_prefixes=True, uses_other_subnets=True, is_ipv6=True),
        ),
        (variables(ENABLE_PREFIX_DELEGATION="false", WARM_IP_TARGET=""), CniSettings()),
        (
            variables(
                WARM_IP_TARGET={"valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}, WARM_ENI_TARGET="x"
            ),
            CniSettings(unread=("WARM_ENI_TARGET", "WARM_IP_TARGET")),
        ),
        (fake.named("aws-node", "elsewhere"), None),
    ],
)
def test_settings_of_the_cni(daemon_set: dict[str, Any], cni: CniSettings | None) -> None:
    """Of the DaemonSet aws-node in kube-system, and of its container of that name."""
    api = shop()
    api.lists[fake.DAEMON_SETS] = [fake.named("other", "kube-system"), daemon_set]
    found = read(api)
    assert (found.gaps, found.cni) == ({}, cni)


def test_only_what_is_needed_is_asked_and_only_by_get() -> None:
    """Claims and volumes are not asked for when no pod uses any."""
    api = shop()
    api.lists[fake.PODS] = [fake.pod("debug")]
    with api.serve() as server, reading(server.url) as reader:
        reader.read_snapshot(CancelScope())
        asked = sorted((request.method, request.path) for request in server.requests)
    paths = (fake.AWS_AUTH, *(path for path in fake.LISTS if path not in {fake.CLAIMS, fake.VOLUMES, fake.CSI_NODES}))
    assert asked == sorted(("GET", path) for path in paths)


def test_protocol_is_fulfilled() -> None:
    """What decides knows the reader only by its protocol."""

    def needs(api: KubernetesApi) -> KubernetesApi:
        return api

    with reading("http://127.0.0.1:9") as reader:
        assert needs(reader) is reader


def test_pages_are_followed() -> None:
    """A list longer than a page is read to its end."""
    api = shop()
    api.lists[fake.PODS] = [fake.pod(f"web-{number}") for number in range(2 * PAGE + 1)]
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_snapshot(CancelScope())
        pages = [request.query for request in server.requests if request.path == fake.PODS]
    assert [pod.name for pod in found.pods] == [f"web-{number}" for number in range(2 * PAGE + 1)]
    limit = {"limit": str(PAGE)}
    assert pages == [limit, {**limit, "continue": str(PAGE)}, {**limit, "continue": str(2 * PAGE)}]


def gone_in_the_middle(times: int) -> list[http.Step]:
    """Answer with a first page, then that the list is gone, so many times."""
    page = {"metadata": {"continue": "500"}, "items": [fake.pod("old")]}
    return [http.answer(200, page), fake.status(410, "The provided continue parameter is too old", "Expired")] * times


def test_list_that_is_gone_in_the_middle_starts_anew() -> None:
    """What its first pages held is not read twice."""
    api = shop()
    api.faults[fake.PODS] = gone_in_the_middle(2)
    found = read(api)
    assert [pod.name for pod in found.pods] == ["cart-0", "debug"]
    assert found.gaps == {}


def test_list_that_is_gone_again_and_again_is_a_gap() -> None:
    """It is started three times, not for ever."""
    api = shop()
    api.faults[fake.PODS] = gone_in_the_middle(5)
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_snapshot(CancelScope())
        assert len([request for request in server.requests if request.path == fake.PODS]) == 6
    assert found.gaps == {
        known.PODS: Gap(GapCode.REFUSED, {"verb": "list", "object": "pods", "status": 410, "said": ""})
    }
    assert found.pods == ()
    assert len(found.nodes) == 2


def test_list_that_leads_in_a_circle_is_a_gap() -> None:
    """A page that names itself as the next one would never end."""
    api = shop()
    api.faults[fake.PODS] = [http.answer(200, {"metadata": {"continue": "x"}, "items": []})] * 3
    found = read(api)
    assert found.gaps[known.PODS].fields["message"] == f"the list of pods{UNEXPECTED}"


@pytest.mark.parametrize(
    ("path", "resource", "reason", "remedy"),
    [
        (
            fake.PODS,
            known.PODS,
            "ci may not list pods (403)",
            'add to its role: {apiGroups: [""], resources: [pods], verbs: [list]}',
        ),
        (
            fake.BUDGETS,
            known.BUDGETS,
            "ci may not list poddisruptionbudgets (403)",
            'add to its role: {apiGroups: ["policy"], resources: [poddisruptionbudgets], verbs: [list]}',
        ),
        (
            fake.DEPLOYMENTS,
            known.DEPLOYMENTS,
            "ci may not list deployments (403)",
            'add to its role: {apiGroups: ["apps"], resources: [deployments], verbs: [list]}',
        ),
        (
            fake.AWS_AUTH,
            known.AWS_AUTH,
            "ci may not get configmaps kube-system/aws-auth (403)",
            'add to its role: {apiGroups: [""], resources: [configmaps], resourceNames: [aws-auth], verbs: [get]}',
        ),
    ],
)
def test_missing_right_is_a_gap_with_its_rule(path: str, resource: str, reason: str, remedy: str) -> None:
    """The rest is read all the same."""
    api = shop()
    api.faults[path] = [fake.forbidden("get" if path == fake.AWS_AUTH else "list", resource)]
    found = read(api)
    assert {name: describe_gap(gap) for name, gap in found.gaps.items()} == {resource: (reason, remedy)}
    assert found.gaps[resource].code is GapCode.FORBIDDEN
    assert len(found.nodes) == 2


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (fake.status(403, "policy denies it\nfor everybody"), "policy denies it for everybody"),
        (fake.status(403, f"{TOKEN} is blocked"), "[secret] is blocked"),
        (http.answer(403, b"blocked by the proxy"), ""),
    ],
    ids=["policy", "token", "proxy"],
)
def test_refusal_that_is_none_of_rbac_names_no_rule(step: http.Step, said: str) -> None:
    """A rule would not help; the API server's own words say what would, and never repeat the token."""
    api = shop()
    api.faults[fake.PODS] = [step]
    assert read(api).gaps == {
        known.PODS: Gap(GapCode.REFUSED, {"verb": "list", "object": "pods", "status": 403, "said": said})
    }


@pytest.mark.parametrize(
    ("rule", "sees"),
    [
        ({"resources": ["pods"]}, (True, False, False)),
        ({"resources": ["pods/eviction"]}, (False, True, False)),
        ({"resources": ["pods/*"]}, (False, True, False)),
        ({"resources": ["*"]}, (True, False, True)),
        ({"resources": ["*/*"]}, (True, True, True)),
        ({"resources": ["nodes"]}, (False, False, True)),
        ({"resources": ["nodes"], "operations": ["UPDATE"], "scope": "Cluster"}, (False, False, True)),
        ({"resources": ["nodes"], "operations": ["DELETE"]}, None),
        ({"resources": ["nodes/status"]}, None),
        ({"resources": ["pods", "nodes"], "scope": "Namespaced"}, (True, False, False)),
        ({"resources": ["pods"], "operations": ["UPDATE"]}, None),
        ({"resources": ["pods"], "operations": ["CONNECT", "DELETE"]}, (True, False, False)),
        ({"resources": ["pods"], "operations": ["*"], "apiGroups": [""], "scope": "Namespaced"}, (True, False, False)),
        ({"resources": ["*"], "apiGroups": ["*"], "scope": "*"}, (True, False, True)),
        ({"resources": ["pods"], "apiGroups": ["metrics.k8s.io"]}, None),
        ({"resources": ["*"], "scope": "Cluster"}, (False, False, True)),
        ({"resources": ["pods/exec", "pods/status"]}, None),
    ],
    ids=repr,
)
def test_rules_of_webhooks_tell_what_they_see(rule: dict[str, Any], sees: tuple[bool, ...] | None) -> None:
    """Pods that are created or deleted, evictions, and nodes; nothing else keeps pods from moving."""
    webhook = {"name": "w", "clientConfig": {"service": {"namespace": "policy", "name": "kyverno"}}, "rules": [rule]}
    found = read_webhooks({"webhooks": [webhook]})
    assert [(each.sees_pods, each.sees_evictions, each.sees_nodes) for each in found] == ([sees] if sees else [])


def test_selectors_of_webhooks_are_read() -> None:
    """One that is absent or empty takes everything, unlike that of a budget."""
    selector = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["shop"]}]}
    webhook = {
        "name": "w",
        "clientConfig": {"service": {"namespace": "policy", "name": "kyverno"}},
        "rules": [{"resources": ["pods"]}],
        "namespaceSelector": selector,
        "objectSelector": None,
    }
    (found,) = read_webhooks({"webhooks": [webhook]})
    assert found.object_selector == ()
    assert found.namespace_selector == (
        Requirement(key="kubernetes.io/metadata.name", operator="NotIn", values=("shop",)),
    )


@pytest.mark.parametrize(
    ("spec", "used", "closed"),
    [
        ({}, {}, False),
        ({"limits": {"cpu": "100"}}, {"cpu": "99500m"}, False),
        ({"limits": {"cpu": "100"}}, {"cpu": "100"}, True),
        ({"limits": {"cpu": "100", "memory": "1Ti"}}, {"cpu": "8", "memory": "1025Gi"}, True),
        ({"limits": {"nodes": 0}}, {}, True),
        ({"limits": {"nodes": "3"}}, {"nodes": "2"}, False),
        ({"replicas": 3}, {}, True),
    ],
    ids=repr,
)
def test_node_pool_without_room_starts_no_node(spec: dict[str, Any], used: dict[str, Any], closed: bool) -> None:
    """Its limits are used up, or it has a fixed number of nodes; a limit of 0 is for good."""
    pool = {"metadata": {"name": "p"}, "spec": {"template": {}, **spec}, "status": {"resources": used}}
    found = read_node_pool(pool)
    assert (found.is_closed, found.is_off) == (closed, spec == {"limits": {"nodes": 0}})


def test_node_pool_that_is_deleted_or_not_ready_starts_no_node() -> None:
    """Karpenter ignores it."""
    spec: dict[str, Any] = {"template": {}}
    deleted = read_node_pool({"metadata": {"name": "p", "deletionTimestamp": "2026-11-30T10:00:00Z"}, "spec": spec})
    assert (deleted.is_closed, deleted.is_off) == (True, True)
    status = {"conditions": [{"type": "Ready", "status": "False"}]}
    failing = read_node_pool({"metadata": {"name": "p"}, "spec": spec, "status": status})
    assert (failing.is_closed, failing.is_off) == (True, False)


def test_what_all_workloads_share_is_read() -> None:
    """Selectors of Services, webhooks that fail closed on pods, and NodePools."""
    api = shop()
    rules = [{"resources": ["deployments"]}, {"resources": ["pods"], "operations": ["CREATE"]}]
    service = {"service": {"namespace": "policy", "name": "kyverno"}}
    api.lists[fake.SERVICES] = [
        {"metadata": {"namespace": "policy", "name": "kyverno"}, "spec": {"selector": {"app": "kyverno"}}},
        {"metadata": {"namespace": "default", "name": "kubernetes"}, "spec": {}},
    ]
    api.lists[fake.VALIDATING_WEBHOOKS] = [
        {
            "metadata": {"name": "kyverno"},
            "webhooks": [
                {"name": "fail", "failurePolicy": "Fail", "clientConfig": service, "rules": rules},
                {"name": "default", "clientConfig": service, "rules": [{"resources": ["*/*"]}]},
                {"name": "open", "failurePolicy": "Ignore", "clientConfig": service, "rules": rules},
                {"name": "other", "clientConfig": service, "rules": rules[:1]},
                {"name": "elsewhere", "clientConfig": {"url": "https://x"}, "rules": rules},
            ],
        },
        {"metadata": {"name": "empty"}},
    ]
    api.lists[fake.MUTATING_WEBHOOKS] = [
        {"metadata": {"name": "i"}, "webhooks": [{"name": "mutates", "clientConfig": service, "rules": rules}]}
    ]
    template = {
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "taints": [{"key": "gpu", "effect": "NoSchedule"}],
            "startupTaints": [{"key": "cilium", "effect": "NoExecute"}],
            "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}],
        },
    }
    api.lists[fake.NODE_POOLS] = [
        {"metadata": {"name": "general"}, "spec": {"template": template, "limits": {"cpu": "100"}}},
        {"metadata": {"name": "closed"}, "spec": {"template": {}, "limits": {"cpu": 0}}},
    ]
    found = read(api)
    assert found.gaps == {}
    assert found.services == {("policy", "kyverno"): {"app": "kyverno"}, ("default", "kubernetes"): {}}
    assert [webhook.name for webhook in found.webhooks] == ["fail", "default", "mutates"]
    assert {webhook.service for webhook in found.webhooks} == {("policy", "kyverno")}
    assert found.node_pools == (
        NodePool(
            name="general",
            labels={"team": "a"},
            taints=(Taint(key="gpu"),),
            requirements=(Requirement(key="kubernetes.io/arch", values=("arm64",)),),
        ),
        NodePool(name="closed", is_closed=True, is_off=True),
    )


@pytest.mark.parametrize("gap", [True, False])
def test_cluster_without_karpenter_has_no_node_pools(gap: bool) -> None:
    """The API server itself says so; an answer of a proxy is a gap."""
    api = shop()
    missing = fake.status(404, "the server could not find the requested resource")
    api.faults[fake.NODE_POOLS] = [http.answer(404, b"nothing") if gap else missing]
    found = read(api)
    assert found.node_pools == ()
    assert (known.NODE_POOLS in found.gaps) is gap


def test_missing_right_of_an_anonymous_user() -> None:
    """An empty name is that of nobody."""
    api = shop()
    api.faults[fake.PODS] = [fake.forbidden("list", "pods", user="")]
    assert describe_gap(read(api).gaps[known.PODS]).reason == "an anonymous user may not list pods (403)"


def test_refused_credentials_are_asked_once() -> None:
    """Whoever is not let in is not let in seven more times."""
    api = shop()
    api.token = "another"
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_snapshot(CancelScope())
        assert len(server.requests) == 1
    assert found.gaps.keys() == ALL
    assert set(found.gaps.values()) == {Gap(GapCode.CREDENTIALS_REFUSED, {"status": 401})}
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        pytest.param(fake.status(500, "etcd"), "Kubernetes responded with 500 when asked to list pods", id="500"),
        pytest.param(
            http.answer(302, Location="/"), ("Kubernetes responded with 302 when asked to list pods"), id="redirect"
        ),
        pytest.param(http.answer(404, b"nothing"), "Kubernetes responded with 404 when asked to list pods", id="404"),
        pytest.param(http.answer(200, b"<html>", **TEXT_HTML), f"the list of pods{UNEXPECTED}", id="html"),
        pytest.param(http.answer(200, b"[" * 100_000), f"the list of pods{UNEXPECTED}", id="deep"),
        pytest.param(http.answer(200, b"[]"), f"the list of pods{UNEXPECTED}", id="list"),
        pytest.param(http.answer(200, b"{}", Content_Encoding="gzip"), f"the answer{UNEXPECTED}", id="gzip"),
        pytest.param(http.answer(200, {}), f"the list of pods{UNEXPECTED}", id="empty"),
        pytest.param(http.answer(200, {"items": 7}), f"the list of pods{UNEXPECTED}", id="items"),
        pytest.param(
            http.answer(200, {"items": [], "metadata": {"continue": 7}}), f"the list of pods{UNEXPECTED}", id="continue"
        ),
        pytest.param(http.answer(200, {"items": [], "metadata": 7}), f"the list of pods{UNEXPECTED}", id="metadata"),
    ],
)
def test_unusable_answer_is_a_gap(step: http.Step, reason: str) -> None:
    """Whatever a list is answered with, the others are read."""
    api = shop()
    api.faults[fake.PODS] = [step]
    found = read(api)
    assert {name: describe_gap(gap).line for name, gap in found.gaps.items()} == {known.PODS: reason}
    assert found.budgets


def test_error_that_nobody_foresaw_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and nothing that it says is repeated."""

    def fails(data: Any) -> None:
        raise ZeroDivisionError(TOKEN)

    monkeypatch.setattr(list_decoding, "decode_page", fails)
    found = read(shop())
    assert found.gaps[known.PODS] == Gap(GapCode.UNREADABLE, {"resource": "pods", "error": "ZeroDivisionError"})
    assert found.mapped_roles is not None


def test_mapped_roles_that_nobody_wrote() -> None:
    """A page of a proxy is no ConfigMap."""
    api = shop()
    api.faults[fake.AWS_AUTH] = [http.answer(200, b"<html>", **TEXT_HTML)]
    assert read(api).gaps == {known.AWS_AUTH: failed_gap(f"the answer{UNEXPECTED}")}


def test_reset_is_tried_once_more() -> None:
    """A connection that was closed meanwhile says nothing about the cluster."""
    api = shop()
    api.faults = {path: [http.reset] for path in (fake.AWS_AUTH, fake.NODES)}
    assert read(api).gaps == {}


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(http.reset, id="reset"),
        pytest.param(http.hang_up, id="hang-up"),
        pytest.param(http.truncated({"items": []}), id="truncated"),
        pytest.param(http.raw(b"\x16\x03garbage\r\n\r\n"), id="garbage"),
    ],
)
def test_connection_that_fails_again_ends_all(step: http.Step) -> None:
    """The first question tells whether the cluster can be asked at all."""
    api = shop()
    api.faults[fake.AWS_AUTH] = [step] * 2
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_snapshot(CancelScope())
        assert len(server.requests) == 2
    assert found.gaps.keys() == ALL
    (reason,) = {gap.fields["message"] for gap in found.gaps.values()}
    assert reason.startswith("Kubernetes cannot be reached")


def test_nobody_listens() -> None:
    """A refused connection is told as such."""
    with FakeApi().serve() as server:
        url = server.url
    with reading(url) as reader:
        found = reader.read_snapshot(CancelScope())
    assert found.gaps == dict.fromkeys(ALL, failed_gap("Kubernetes cannot be reached: connection refused"))
    assert found.source == "the input kubeconfig"


def test_unknown_host() -> None:
    """So is a server that nobody knows."""
    with reading("https://nowhere.invalid") as reader:
        found = reader.read_snapshot(CancelScope())
    assert found.gaps[known.PODS].fields["message"] == (
        "Kubernetes cannot be reached: the name of its server cannot be resolved"
    )


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([http.answer(429, b"later", Retry_After="0")] * 2, None),
        ([http.answer(429, b"later", Retry_After="0")] * 3, 429),
        ([http.answer(503, b"later", Retry_After="3600")], 503),
        ([http.answer(503, b"later", Retry_After="soon")], 503),
    ],
    ids=["twice", "too-often", "too-long", "unreadable"],
)
def test_overloaded_server_is_asked_again(steps: list[http.Step], status: int | None) -> None:
    """As long as it says when, and soon."""
    api = shop()
    api.faults[fake.PODS] = steps
    refused = Gap(GapCode.REFUSED, {"verb": "list", "object": "pods", "status": status, "said": ""})
    assert read(api).gaps == ({} if status is None else {known.PODS: refused})


def test_objects_of_unexpected_form_are_counted() -> None:
    """The others are kept, but the list is not complete."""
    api = shop()
    api.lists[fake.PODS] = [fake.pod("good"), {}, b"7", b"null", {"metadata": {"name": ["x"], "namespace": "a"}}]
    api.lists[fake.BUDGETS] = [fake.named("bad", status={"disruptionsAllowed": "1"})]
    found = read(api)
    assert [pod.name for pod in found.pods] == ["good"]
    assert found.gaps == {
        known.PODS: Gap(GapCode.UNUSABLE_OBJECTS, {"count": 4, "resource": "pods"}),
        known.BUDGETS: Gap(GapCode.UNUSABLE_OBJECTS, {"count": 1, "resource": "poddisruptionbudgets"}),
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, None),
        ({}, ()),
        ({"data": None}, ()),
        ({"data": {"mapRoles": ""}}, ()),
        ({"data": {"mapRoles": " \n"}}, ()),
        ({"data": {"mapRoles": '[\n\t{"rolearn": "a"}]'}}, ("a",)),
        ({"data": {"mapRoles": "[{rolearn: a}, {rolearn: b}]"}}, ("a", "b")),
        # As a heredoc of Terraform leaves it.
        ({"data": {"mapRoles": "    - rolearn: a\n      username: u\n    - rolearn: b\n"}}, ("a", "b")),
        ({"data": {"mapRoles": "[{roleARN: a}, {RoleArn: b}]"}}, ("a", "b")),
        ({"data": {"mapRoles": '[7, null, {username: x}, {rolearn: [1]}, {rolearn: ""}, {rolearn: a}]'}}, ("a",)),
        ({"data": {"mapRoles": "[{sso: {permissionSetName: x}}, {rolearn: a, sso: {}}, {rolearn: b}]"}}, ("b",)),
        ({"data": {"mapRoles": "[{rolearn: a, sso: null}]"}}, ("a",)),
        ({"data": {"mapRoles": "- rolearn: a\r\n---\r\n- rolearn: b\r\n"}}, ("a",)),
        ({"data": {"mapRoles": "# nobody"}}, ()),
        ({"data": {"mapRoles": "[{rolearn: a}]", "mapUsers": "{"}}, ("a",)),
    ],
)
def test_mapped_roles(data: dict[str, Any] | None, expected: tuple[str, ...] | None) -> None:
    """No ConfigMap is another answer than one without roles; entries that cannot be used lose no other."""
    api = shop()
    api.config_map = data
    found = read(api)
    assert (found.mapped_roles and tuple(role.arn for role in found.mapped_roles)) == expected
    assert found.gaps == {}


def test_last_entry_of_a_role_counts() -> None:
    """Whatever the case of its ARN; groups and username of a wrong form are none."""
    api = shop()
    entries = "[{rolearn: A, username: u, groups: [g, 7]}, {rolearn: b, username: 7, groups: g}, {rolearn: a}]"
    api.config_map = {"data": {"mapRoles": entries}}
    assert read(api).mapped_roles == (MappedRole(arn="b"), MappedRole(arn="a"))
    api.config_map = {"data": {"mapRoles": "[{rolearn: a}, {RoleARN: A, UserName: u, Groups: [g, 7, h]}]"}}
    assert read(api).mapped_roles == (MappedRole(arn="A", username="u", groups=("g", "h")),)


@pytest.mark.parametrize("roles", ["{", "7", "rolearn: a", "\t- rolearn: a", 8])
def test_malformed_mapped_roles_are_a_gap(roles: Any) -> None:
    """Roles that cannot be read are not the same as none."""
    api = shop()
    api.config_map = {"data": {"mapRoles": roles}}
    found = read(api)
    assert found.mapped_roles is None
    assert found.gaps == {known.AWS_AUTH: failed_gap("mapRoles of the ConfigMap kube-system/aws-auth is not a list")}


def test_secrets_are_in_no_repr_and_no_gap() -> None:
    """A token whose sign-in fails in any way is never repeated."""
    api = shop()
    api.faults[fake.PODS] = [fake.status(403, TOKEN), fake.status(500, TOKEN)]
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_snapshot(CancelScope())
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in repr(found)
        assert TOKEN not in repr(reader)
