"""Workloads as an API server lists them."""

from __future__ import annotations

from typing import Any

from tests.kubernetes import fake_api as fake
from tests.kubernetes.fake_api import FakeApi, Object
from tests.kubernetes.support import shop as plain_shop

SCALE = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web/scale"
KINDS = "/apis/argoproj.io/v1alpha1"


def path(resource: str, group: str = "", namespace: str = "shop") -> str:
    """Return the path of a list of one namespace."""
    return f"/{f'apis/{group}/v1' if group else 'api/v1'}/namespaces/{namespace}/{resource}"


def owned(kind: str, name: str, api_version: str = "apps/v1") -> list[Object]:
    """Return the reference to a controller."""
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": "9f2c", "controller": True}]


def pod(name: str, owners: list[Object], node: str = "ip-1", **status: Any) -> Object:
    """Return a pod of a controller; ``status`` replaces parts of that of a pod that is ready."""
    found = fake.pod(name, node)
    found["metadata"] |= {
        "uid": f"u-{name}",
        "ownerReferences": owners,
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "labels": {"pod-template-hash": "6f7d"},
    }
    found["status"] |= status
    return found


def unready(**container: Any) -> Object:
    """Return the status of a pod whose container is not ready."""
    return {
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "main", "ready": False, **container}],
    }


def deployment(name: str, wanted: int, /, **status: Any) -> Object:
    """Return a Deployment whose rollout is complete."""
    progressing = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
    counts = {"observedGeneration": 2, "replicas": wanted, "updatedReplicas": wanted, "conditions": [progressing]}
    found = fake.named(name, spec={"replicas": wanted}, status=counts | status)
    found["metadata"] |= {"uid": f"u-{name}", "generation": 2}
    return found


def replica_set(name: str, owners: list[Object], replicas: int = 2) -> Object:
    """Return a ReplicaSet."""
    found = fake.named(name, spec={"replicas": replicas}, status={})
    found["metadata"] |= {"uid": f"u-{name}", "ownerReferences": owners}
    return found


def stateful_set(name: str, replicas: int, **status: Any) -> Object:
    """Return a StatefulSet of one revision."""
    revisions = {"observedGeneration": 1, "currentRevision": f"{name}-1", "updateRevision": f"{name}-1"}
    found = fake.named(name, spec={"replicas": replicas}, status=revisions | status)
    found["metadata"] |= {"uid": f"u-{name}", "generation": 1}
    return found


def event(kind: str, name: str, reason: str, message: str, at: str = "2026-01-02T03:10:00Z") -> Object:
    """Return a warning."""
    about = {"kind": kind, "namespace": "shop", "name": name}
    return {
        "metadata": {"name": f"{name}.17", "namespace": "shop"},
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "type": "Warning",
        "lastTimestamp": at,
    }


def shop() -> FakeApi:
    """Return a cluster with a workload of each kind."""
    api = plain_shop()
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "db-data"}}
    starting = pod("db-0", owned("StatefulSet", "db"), **unready(restartCount=0))
    starting["spec"]["volumes"] = [claim]
    executor = pod("executor-1", owned("Pod", "driver"))
    executor["metadata"]["labels"] = {"spark-role": "executor"}
    api.lists |= {
        path("pods"): [
            pod("cart-6f7d-1", owned("ReplicaSet", "cart-6f7d")),
            pod("web-1", owned("ReplicaSet", "web-77aa")),
            pod("old-1", owned("ReplicaSet", "old")),
            starting,
            pod("agent-1", owned("DaemonSet", "agent")),
            pod("import-1", owned("Job", "import", "batch/v1")),
            executor,
            pod("done-1", owned("ReplicaSet", "cart-6f7d"), phase="Failed"),
            fake.pod("debug"),
        ],
        path("deployments", "apps"): [deployment("cart", 2)],
        path("statefulsets", "apps"): [stateful_set("db", 1)],
        path("replicasets", "apps"): [
            replica_set("cart-6f7d", owned("Deployment", "cart")),
            replica_set("web-77aa", owned("Rollout", "web", "argoproj.io/v1alpha1")),
            replica_set("old", [], 3),
        ],
        path("events"): [event("Pod", "db-0", "FailedAttachVolume", "Multi-Attach error")],
        path("persistentvolumeclaims"): [fake.named("db-data", spec={"accessModes": ["ReadWriteMany"]})],
    }
    api.objects = {
        KINDS: {"resources": [{"name": "rollouts", "kind": "Rollout"}, {"name": "rollouts/scale", "kind": "Scale"}]},
        SCALE: {"metadata": {"name": "web", "namespace": "shop", "uid": "u-web"}, "spec": {"replicas": 4}},
    }
    return api
