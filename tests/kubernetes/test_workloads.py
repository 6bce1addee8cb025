"""Workloads, their pods and what troubles them, as the API server tells it."""

from __future__ import annotations

import json
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes.objects.decoding import decode_pod
from ocean_migration_pulumi.kubernetes.objects.pods import read_workload_pod
from ocean_migration_pulumi.kubernetes.objects.workload_objects import (
    read_deployment_controller,
    read_stateful_set_controller,
)
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadPod, WorkloadSnapshot
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.kubernetes import fake_api as fake
from tests.kubernetes import workloads as made
from tests.kubernetes.fake_api import FakeApi
from tests.kubernetes.large_server import serve_large_cluster
from tests.kubernetes.support import reading
from tests.kubernetes.test_large import PODS
from tests.support import http_server as http

NOW = datetime(2026, 1, 2, 3, 12, tzinfo=UTC)
CART = WorkloadId("Deployment", "shop", "cart")
DB = WorkloadId("StatefulSet", "shop", "db")
WEB = WorkloadId("Rollout", "shop", "web")
OLD = WorkloadId("ReplicaSet", "shop", "old")


def read(api: FakeApi, **more: Any) -> WorkloadSnapshot:
    """Read the workloads of a namespace once."""
    with api.serve() as server, reading(server.url) as reader:
        return reader.read_workloads(CancelScope(), NOW, {"shop"}, **more)


def read_pod(raw: dict[str, Any]) -> WorkloadPod:
    """Read one pod of a workload."""
    found = read_workload_pod(decode_pod(json.dumps(raw).encode()), lambda owner: owner)
    assert found is not None
    return found


def test_pods_belong_to_top_controllers() -> None:
    """The Deployment, not its ReplicaSet; work that ends, DaemonSets, standalone and finished pods are left out."""
    found = read(made.shop())
    assert found.gaps == {}
    assert {pod.name: pod.workload for pod in found.pods} == {
        "cart-6f7d-1": CART,
        "web-1": WEB,
        "old-1": OLD,
        "db-0": DB,
    }
    assert {each.id: (each.desired, each.uid) for each in found.workloads.values()} == {
        CART: (2, "u-cart"),
        DB: (1, "u-db"),
        OLD: (3, "u-old"),
        WEB: (4, "u-web"),
    }
    assert found.instances == {"ip-1": "i-0a1", "ip-2": "i-0a2"}
    assert [(each.name, each.reason) for each in found.warnings] == [("db-0", "FailedAttachVolume")]
    assert found.shared_claims == {("shop", "db-data")}


def test_known_workload_is_found_without_pods() -> None:
    """Its pods may never be created again: the number that it asks for is read all the same."""
    api = made.shop()
    with api.serve() as server, reading(server.url) as reader:
        reader.read_workloads(CancelScope(), NOW, {"shop"})
        api.lists[made.path("pods")] = []
        found = reader.read_workloads(CancelScope(), NOW, {"shop"}, known=[WEB, OLD])
    assert (found.workloads[WEB].desired, found.workloads[OLD].desired) == (4, 3)
    assert read(api, known=[WEB]).workloads[WEB].desired is None


def test_second_look_reads_no_more_than_it_has_to() -> None:
    """Pods, controllers and nodes once each; ReplicaSets and kinds are known, and where all is well, no events."""
    api = made.shop()
    api.lists[made.path("pods")] = [made.pod(f"cart-6f7d-{n}", made.owned("ReplicaSet", "cart-6f7d")) for n in "12"]
    api.lists[made.path("statefulsets", "apps")] = []
    with api.serve() as server, reading(server.url) as reader:
        reader.read_workloads(CancelScope(), NOW, {"shop"})
        before = len(server.requests)
        reader.read_workloads(CancelScope(), NOW, {"shop"})
        asked = sorted(request.path for request in server.requests[before:])
    assert asked == sorted(
        [made.path("pods"), made.path("deployments", "apps"), made.path("statefulsets", "apps"), fake.NODES]
    )


def test_many_namespaces_are_read_at_once() -> None:
    """The list of the whole cluster costs fewer requests; what it has of other namespaces is left out."""
    api = made.shop()
    api.lists[fake.PODS] = api.lists[made.path("pods")]
    api.lists |= {
        fake.DEPLOYMENTS: [made.deployment("cart", 2), fake.named("dns", "kube-system", spec={"replicas": 9})],
        "/apis/apps/v1/statefulsets": [],
        "/apis/apps/v1/replicasets": api.lists[made.path("replicasets", "apps")],
    }
    namespaces = {"shop", *(f"team-{number}" for number in range(8))}
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_workloads(CancelScope(), NOW, namespaces)
    assert found.gaps == {}
    assert {each.namespace for each in found.workloads} == {"shop"}


@pytest.mark.parametrize(
    ("path", "resource", "remedy"),
    [
        (made.path("pods"), "pods", "resources: [pods], verbs: [list]"),
        (made.path("replicasets", "apps"), "replicasets", "resources: [replicasets], verbs: [list]"),
        (made.path("statefulsets", "apps"), "statefulsets", "resources: [statefulsets], verbs: [list]"),
        (made.path("events"), "events", "resources: [events], verbs: [list]"),
        (made.SCALE, "*/scale", 'resources: ["*/scale"], verbs: [get]'),
    ],
)
def test_missing_right_is_a_gap_with_the_rule(path: str, resource: str, remedy: str) -> None:
    """Nothing else is lost."""
    api = made.shop()
    api.faults[path] = [fake.status(403, 'x is forbidden: User "ci" cannot list resource', "Forbidden")] * 9
    found = read(api)
    assert list(found.gaps) == [resource]
    assert remedy in found.gaps[resource].fields["rule"]


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (
            made.unready(restartCount=0, state={"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}}),
            {"waiting": "ImagePullBackOff", "message": "Back-off", "ready": False, "restarts": 0},
        ),
        (
            made.unready(
                restartCount=4,
                state={"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 1, "finishedAt": "2026-01-02T03:11:00Z"}},
            ),
            {
                "waiting": "CrashLoopBackOff",
                "restarts": 4,
                "last_exit_at": datetime(2026, 1, 2, 3, 11, tzinfo=UTC),
                "last_exit": "exit code 1",
            },
        ),
        (
            made.unready(restartCount=0, state={"waiting": {"reason": "PodInitializing"}})
            | {
                "initContainerStatuses": [
                    {"restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}},
                    {"restartCount": 0, "state": {"terminated": {"finishedAt": "2026-01-02T03:11:00Z"}}},
                ]
            },
            {"waiting": "ErrImagePull", "last_exit_at": None},
        ),
        (
            made.unready(restartCount=0, state={"waiting": {"reason": "PodInitializing"}})
            | {
                "initContainerStatuses": [
                    {
                        "restartCount": 5,
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 2m40s"}},
                        "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-02T03:11:00Z"}},
                    }
                ]
            },
            {"waiting": "CrashLoopBackOff", "message": "back-off 2m40s", "restarts": 5},
        ),
    ],
    ids=["image", "crash", "init container", "init container that crashes"],
)
def test_status_of_containers(status: dict[str, Any], fields: dict[str, Any]) -> None:
    """What the kubelet writes."""
    found = read_pod(made.pod("cart-1", made.owned("ReplicaSet", "cart"), **status))
    assert {name: getattr(found, name) for name in fields} == fields


def test_pod_without_a_node_has_the_words_of_the_scheduler() -> None:
    """They are in a condition."""
    words = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}
    found = read_pod(made.pod("cart-1", made.owned("ReplicaSet", "cart"), "", phase="Pending", conditions=[words]))
    assert (found.node_name, found.ready, found.message) == ("", False, "0/3 nodes are available")


def test_container_that_ran_out_of_memory_says_so() -> None:
    """Between two kills it runs, and is ready for a while."""
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-02T03:11:00Z"}}
    running = {"name": "main", "ready": True, "restartCount": 7, "state": {"running": {}}, "lastState": killed}
    found = read_pod(made.pod("cart-1", made.owned("ReplicaSet", "cart"), containerStatuses=[running]))
    assert (found.ready, found.restarts, found.last_exit) == (True, 7, "OOMKilled")


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"),
        ("SchedulerError", "no kind is registered"),
    ],
)
def test_pod_that_is_held_back_is_not_starting(reason: str, message: str) -> None:
    """Somebody, such as a queue, has to let it go."""
    words = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    found = read_pod(made.pod("cart-1", made.owned("ReplicaSet", "cart"), "", phase="Pending", conditions=[words]))
    assert found.message == message


def test_readiness_gate_of_a_load_balancer_is_named() -> None:
    """Its containers are all ready, the pod is not."""
    message = 'corresponding condition of pod readiness gate "target-health.elbv2.k8s.aws/k8s-shop" does not exist.'
    gate = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady", "message": message}
    running = {"containerStatuses": [{"name": "main", "ready": True, "restartCount": 0, "state": {"running": {}}}]}
    found = read_pod(made.pod("cart-1", made.owned("ReplicaSet", "cart"), conditions=[gate], **running))
    assert (found.ready, found.waiting, found.message) == (False, "", message)


@pytest.mark.parametrize(
    ("owners", "workload"),
    [
        ([], None),
        ([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart"}], None),
        (
            [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "cart"},
                {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": True},
            ],
            DB,
        ),
    ],
    ids=["none", "one that is no controller", "two"],
)
def test_owner_that_is_the_controller_counts(owners: list[dict[str, Any]], workload: WorkloadId | None) -> None:
    """Nothing brings a pod without one back: it is none of a workload."""
    found = read_workload_pod(decode_pod(json.dumps(made.pod("x", owners)).encode()), lambda owner: owner)
    assert (found.workload if found else None) == workload


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_leftover_of_an_evicted_pod_does_not_count(phase: str) -> None:
    """The kubelet leaves pods that it has evicted as Failed, until somebody deletes them."""
    raw = made.pod("cart-1", made.owned("ReplicaSet", "cart"), phase=phase, reason="Evicted")
    assert read_workload_pod(decode_pod(json.dumps(raw).encode()), lambda owner: owner) is None


def test_replication_controller_tells_its_number_by_scale() -> None:
    """It is of the core group, and of no kind that is listed."""
    api = made.shop()
    api.lists[made.path("pods")] = [made.pod("old-1", made.owned("ReplicationController", "old", "v1"))]
    api.objects |= {
        "/api/v1": {
            "resources": [
                {"name": "replicationcontrollers", "kind": "ReplicationController"},
                {"name": "replicationcontrollers/scale", "kind": "Scale"},
            ]
        },
        "/api/v1/namespaces/shop/replicationcontrollers/old/scale": {"metadata": {"uid": "u"}, "spec": {"replicas": 3}},
    }
    found = read(api)
    workload = WorkloadId("ReplicationController", "shop", "old")
    assert (found.workloads[workload].desired, found.workloads[workload].tells_rollouts) == (3, False)


@pytest.mark.parametrize(
    ("answer", "is_there"),
    [(fake.status(404, 'rollouts.argoproj.io "web" not found'), False), (http.answer(404, b"<html>no upstream"), True)],
    ids=["API server", "proxy"],
)
def test_workload_of_another_kind_that_was_deleted_is_gone(answer: http.Step, is_there: bool) -> None:
    """The API server has no ``scale`` of it any more; what a proxy answers is not believed."""
    api = made.shop()
    api.faults[made.SCALE] = [http.answer(200, api.objects[made.SCALE]), answer]
    with api.serve() as server, reading(server.url) as reader:
        reader.read_workloads(CancelScope(), NOW, {"shop"})
        api.lists[made.path("pods")] = []
        found = reader.read_workloads(CancelScope(), NOW, {"shop"}, known=[WEB])
    assert (WEB in found.workloads) is is_there
    assert found.gaps == {}


def test_startup_probe_is_a_budget() -> None:
    """Its delay, and its period as often as it may fail."""
    raw = made.pod("cart-1", made.owned("ReplicaSet", "cart"))
    raw["spec"]["containers"] = [
        {"startupProbe": {"initialDelaySeconds": 20, "periodSeconds": 10, "failureThreshold": 30}},
        {"readinessProbe": {"initialDelaySeconds": 60}},
    ]
    assert read_pod(raw).startup_seconds == 320.0


@pytest.mark.parametrize(
    ("status", "rolling"),
    [
        ({}, False),
        ({"observedGeneration": 1}, True),
        ({"updatedReplicas": 1}, True),
        ({"replicas": 1, "updatedReplicas": 1}, False),
        ({"conditions": [{"type": "Progressing", "reason": "ReplicaSetUpdated"}]}, True),
        ({"conditions": [{"type": "Progressing", "reason": "DeploymentPaused"}]}, False),
        ({"updatedReplicas": 0, "conditions": [{"type": "Progressing", "reason": "DeploymentPaused"}]}, True),
        ({"availableReplicas": 0, "readyReplicas": 2}, False),
        ({"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}, True),
    ],
)
def test_rollout_of_a_deployment(status: dict[str, Any], rolling: bool) -> None:
    """A Deployment that only lost pods is not being rolled out."""
    assert read_deployment_controller(made.deployment("cart", 2, **status)).rolling is rolling


@pytest.mark.parametrize(
    ("strategy", "rolling"),
    [({}, True), ({"type": "OnDelete"}, False), ({"rollingUpdate": {"partition": 1}}, False)],
)
def test_rollout_of_a_stateful_set(strategy: dict[str, Any], rolling: bool) -> None:
    """Two revisions that stay are no rollout."""
    raw = made.stateful_set("db", 2, updateRevision="db-2")
    raw["spec"]["updateStrategy"] = strategy
    assert read_stateful_set_controller(raw).rolling is rolling
    assert not read_stateful_set_controller(made.stateful_set("db", 2)).rolling


def test_pods_that_cannot_be_created() -> None:
    """The condition of the Deployment has the words of the API server."""
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}
    assert read_deployment_controller(made.deployment("cart", 2, conditions=[failure])).create_failure == (
        "exceeded quota: pods"
    )


def test_pod_of_unexpected_form_makes_the_list_incomplete() -> None:
    """It is no pod that is not there."""
    api = made.shop()
    api.lists[made.path("pods")] = [*api.lists[made.path("pods")], b'{"metadata": {"name": 7}}']
    found = read(api)
    assert found.gaps["pods"] == Gap(GapCode.UNUSABLE_OBJECTS, {"count": 1, "resource": "pods"})
    assert len(found.pods) == 4


@pytest.mark.slow
def test_ten_thousand_pods_cost_little() -> None:
    """A look each minute takes less than 5 % of a core, and less than 40 MiB."""
    with serve_large_cluster() as url, reading(url) as reader:
        reader.read_workloads(CancelScope(), NOW, {"shop"})
        started = time.process_time()
        found = reader.read_workloads(CancelScope(), NOW, {"shop"})
        assert time.process_time() - started < 0.05 * 60
        assert len(found.pods) == PODS
        del found
        tracemalloc.start()
        try:
            found = reader.read_workloads(CancelScope(), NOW, {"shop"})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert len(found.pods) == PODS
    assert peak < 40 * 2**20
