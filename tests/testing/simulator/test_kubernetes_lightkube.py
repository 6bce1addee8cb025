"""lightkube, an independent client, reads the simulated Kubernetes API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lightkube import ALL_NS, ApiError, Client, KubeConfig
from lightkube.models.meta_v1 import DeleteOptions, ObjectMeta
from lightkube.resources.apps_v1 import DaemonSet, Deployment
from lightkube.resources.core_v1 import ConfigMap, Node, PersistentVolume, PersistentVolumeClaim, Pod
from lightkube.resources.policy_v1 import PodDisruptionBudget

from tests.testing.simulator.conftest import Api


@pytest.fixture
def connect(tmp_path: Path, simulate: Callable[..., Api]) -> Iterator[Callable[..., tuple[Api, Client]]]:
    """Return a function that starts a simulator and connects lightkube to it with a kubeconfig."""

    def start(scenario: str = "success", identity: str = "preview") -> tuple[Api, Client]:
        api = simulate(scenario=scenario)
        path = tmp_path / f"{api.ocean_id}-{identity}"
        path.write_text(api.sim.kubeconfig(identity=identity))
        return api, stack.enter_context(Client(config=KubeConfig.from_file(path), trust_env=False))

    with ExitStack() as stack:
        yield start


def test_lightkube_lists_in_pages(connect: Callable[..., tuple[Api, Client]]) -> None:
    """Nodes, pods and budgets are complete over all pages."""
    api, client = connect("kubernetes-trouble")
    world = api.sim.control.nodes(api.ocean_id)
    nodes = list(client.list(Node, chunk_size=3))
    assert {node.metadata.name for node in nodes if node.metadata} == {node["node_name"] for node in world}
    pods = list(client.list(Pod, namespace=ALL_NS, chunk_size=7))
    assert len(pods) == sum(len(node["pods"]) + 2 for node in world) + 1
    assert len(list(client.list(Pod, namespace="shop", labels={"app": "ledger"}))) == 2
    budgets = list(client.list(PodDisruptionBudget, namespace=ALL_NS, chunk_size=1))
    allowed = {one.metadata.name: one.status.disruptionsAllowed for one in budgets if one.metadata and one.status}
    assert allowed["ledger"] == 0
    assert allowed["cart"]
    pages = [entry for entry in api.sim.control.requests(api="kubernetes") if entry["path"].endswith("/nodes")]
    assert [entry["query"]["limit"] for entry in pages] == ["3"] * 6
    assert ["continue" in entry["query"] for entry in pages] == [False, True, True, True, True, True]


def test_lightkube_reads_every_kind(connect: Callable[..., tuple[Api, Client]]) -> None:
    """Each kind of object is valid for its models."""
    api, client = connect()
    api.sim.control.add_pod(api.ocean_id, api.offered()[0], name="db-0", claim_zone="us-west-2a")
    (claim,) = client.list(PersistentVolumeClaim, namespace=ALL_NS)
    (volume,) = client.list(PersistentVolume)
    assert claim.spec is not None
    assert volume.metadata is not None
    assert claim.spec.volumeName == volume.metadata.name
    assert len(list(client.list(Deployment, namespace=ALL_NS, chunk_size=2))) == 11
    assert len(list(client.list(DaemonSet, namespace="kube-system"))) == 2
    roles = client.get(ConfigMap, "aws-auth", namespace="kube-system").data
    assert roles is not None
    assert "ocean-node" in roles["mapRoles"]


def test_lightkube_understands_errors(connect: Callable[..., tuple[Api, Client]]) -> None:
    """Forbidden, expired, not found, and blocked by a budget: always a Status."""
    api, client = connect("blocking-pdb", "run")
    pods = [pod["name"] for node in api.sim.control.nodes(api.ocean_id) for pod in node["pods"]]
    name = next(name for name in pods if name.startswith("ledger"))
    eviction = Pod.Eviction(
        metadata=ObjectMeta(name=name, namespace="shop"), deleteOptions=DeleteOptions(dryRun=["All"])
    )
    with pytest.raises(ApiError) as blocked:
        client.create(eviction, name, namespace="shop")
    details = blocked.value.status.details
    assert blocked.value.status.code == 429
    assert details is not None
    assert details.causes is not None
    assert details.causes[0].reason == "DisruptionBudget"
    with pytest.raises(ApiError, match='pods "none" not found'):
        client.get(Pod, "none", namespace="shop")
    api.sim.control.forbid_kubernetes(api.ocean_id, "pods")
    with pytest.raises(ApiError, match="pods is forbidden: User"):
        list(client.list(Pod, namespace=ALL_NS))
    api.sim.control.fault("GET", "/kubernetes/*/nodes", "410", after=1)
    with pytest.raises(ApiError, match="continue parameter is too old") as expired:
        list(client.list(Node, chunk_size=4))
    assert (expired.value.status.code, expired.value.status.reason) == (410, "Expired")
