"""A cluster of ten thousand pods."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes.pagination import PAGE
from tests.kubernetes import fake_api as fake
from tests.kubernetes.support import reading, shop

PODS = 10_000
MANAGED: list[dict[str, Any]] = [
    {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            f"f:{part}": {f"f:field{number}": {".": {}, "f:name": {}, "f:value": {}} for number in range(10)}
            for part in ("metadata", "spec", "status")
        },
    }
    for manager in ("kube-controller-manager", "kubelet")
]


def large_pod(number: int) -> bytes:
    """Return a pod of some 6 KB, as a real API server would write it."""
    name = f"web-{number:05d}"
    resources = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}}
    containers = [
        {
            "name": container,
            "image": f"registry.example/{container}:1.2.3",
            "resources": resources,
            "env": [{"name": f"VARIABLE_{each}", "value": "some value of some length"} for each in range(15)],
            "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets", "readOnly": True}],
        }
        for container in ("main", "proxy")
    ]
    pod = fake.pod(
        name,
        f"ip-{number % 500}",
        containers=containers,
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": f"claim-{number}"}}]
        if number % 10 == 0
        else [],
        tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
    )
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "9f2c", "controller": True}
    labels = {"app": "web", "pod-template-hash": "9f2c", "topology": f"t{number % 3}"}
    pod["metadata"] |= {"managedFields": MANAGED, "ownerReferences": [owner], "labels": labels}
    return json.dumps(pod).encode()


@pytest.mark.slow
def test_ten_thousand_pods() -> None:
    """Twenty pages, read within what a preview has."""
    api = shop()
    api.lists[fake.NODES] = [fake.node(f"ip-{number}", f"i-{number:05x}") for number in range(500)]
    pods = [large_pod(number) for number in range(PODS)]
    assert 5_000 < len(pods[0]) < 8_000
    api.lists[fake.PODS] = pods
    claims = range(0, PODS, 10)
    api.lists[fake.CLAIMS] = [fake.named(f"claim-{each}", spec={"volumeName": f"pv-{each}"}) for each in claims]
    api.lists[fake.VOLUMES] = [
        {"metadata": {"name": f"pv-{each}", "labels": {"topology.kubernetes.io/zone": "us-west-2a"}}} for each in claims
    ]
    with api.serve() as server, reading(server.url) as reader:
        found = reader.read_snapshot(CancelScope().at_most(60))
        asked = [request.path for request in server.requests]
    assert found.gaps == {}
    assert asked.count(fake.PODS) == PODS // PAGE
    assert len(asked) == 1 + PODS // PAGE + 1 + 3 + 4 + 3
    assert len(found.pods) == PODS
    assert len(found.nodes) == 500
    assert sum(bool(pod.volume_terms) for pod in found.pods) == PODS // 10
    assert {pod.requests.memory_mib for pod in found.pods} == {1024}
