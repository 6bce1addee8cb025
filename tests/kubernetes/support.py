"""Kubeconfigs and readers for the tests of Kubernetes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes import KubernetesAccess, KubernetesReader, find_access
from ocean_migration_pulumi.migration.scheduling import kubernetes_snapshot as known
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesSnapshot
from tests.kubernetes import fake_api as fake
from tests.kubernetes.fake_api import FakeApi

TOKEN = "canary-7f3a"

ALL = {
    known.NODES,
    known.PODS,
    known.BUDGETS,
    known.DEPLOYMENTS,
    known.DAEMON_SETS,
    known.CLAIMS,
    known.VOLUMES,
    known.AWS_AUTH,
    known.SERVICES,
    known.VALIDATING_WEBHOOKS,
    known.MUTATING_WEBHOOKS,
    known.NODE_POOLS,
    known.CSI_NODES,
}


def kubeconfig(
    server: str, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, name: str = "web"
) -> str:
    """Return a kubeconfig with one context, as JSON."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": server, **(cluster or {})}}],
            "users": [{"name": name, "user": {"token": TOKEN} if user is None else user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
    )


def access(server: str, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> KubernetesAccess:
    """Return the access that such a kubeconfig gives."""
    found = find_access(kubeconfig(server, user, cluster), None, {})
    assert found is not None
    return found


@contextmanager
def reading(server: str, user: dict[str, Any] | None = None, **more: Any) -> Iterator[KubernetesReader]:
    """Return a reader that is closed in the end."""
    reader = KubernetesReader(access(server, user), **more)
    try:
        yield reader
    finally:
        reader.close()


def shop() -> FakeApi:
    """Return a cluster with two nodes and a little of everything."""
    api = FakeApi(TOKEN)
    api.lists[fake.NODES] = [fake.node("ip-1", "i-0a1"), fake.node("ip-2", "i-0a2", unschedulable=True)]
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "cart-data"}}
    api.lists[fake.PODS] = [fake.pod("cart-0", volumes=[claim]), fake.pod("debug", "ip-2")]
    api.lists[fake.BUDGETS] = [fake.named("cart", spec={"selector": {"matchLabels": {"app": "cart"}}})]
    api.lists[fake.DEPLOYMENTS] = [fake.named("web", spec={"replicas": 3})]
    api.lists[fake.DAEMON_SETS] = [fake.named("aws-node", "kube-system")]
    api.lists[fake.CLAIMS] = [fake.named("cart-data", spec={"volumeName": "pv-1"})]
    zones = {"matchExpressions": [{"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": ["us-west-2a"]}]}
    affinity = {"required": {"nodeSelectorTerms": [zones]}}
    api.lists[fake.VOLUMES] = [{"metadata": {"name": "pv-1"}, "spec": {"nodeAffinity": affinity}}]
    api.config_map = {"data": {"mapRoles": "- rolearn: arn:aws:iam::1:role/nodes\n  username: system:node\n"}}
    return api


def read(api: FakeApi, scope: CancelScope | None = None, **more: Any) -> KubernetesSnapshot:
    """Read a cluster once."""
    with api.serve() as server, reading(server.url, **more) as reader:
        return reader.read_snapshot(scope or CancelScope())
