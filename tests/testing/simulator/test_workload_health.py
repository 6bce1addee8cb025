"""Where evicted pods land, what keeps them from being ready, and what the service makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import ControlError, Simulator
from tests.testing.simulator.conftest import Api, Kubernetes

PODS, EVENTS = "/api/v1/pods", "/api/v1/events"
DEPLOYMENTS, REPLICA_SETS = "/apis/apps/v1/deployments", "/apis/apps/v1/replicasets"


def pods_of(api: Api, app: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the pods of an application, each with its node."""
    return [
        (node, pod)
        for node in api.sim.control.nodes(api.ocean_id)
        if not node["terminated"]
        for pod in node["pods"]
        if pod["labels"].get("app") == app
    ]


def statuses(api: Api, app: str) -> list[dict[str, Any]]:
    """Return the status of the container of each pod of an application that is in trouble."""
    found = Kubernetes(api.sim).items(PODS, labelSelector=f"app={app}")
    return [each["status"]["containerStatuses"][0] for each in found if "containerStatuses" in each["status"]]


def on_web(api: Api) -> list[str]:
    """Return the nodes of the Auto Scaling Group web."""
    return [node["instance_id"] for node in api.sim.control.nodes(api.ocean_id) if node["asg_name"] == "web"]


def empty(api: Api, instance_id: str, left: int) -> None:
    """Remove pods from a node, up to so many."""
    (node,) = [each for each in api.sim.control.nodes(api.ocean_id) if each["instance_id"] == instance_id]
    for pod in node["pods"][left:]:
        api.sim.control.remove_pod(api.ocean_id, pod["name"], instance_id=instance_id)


def test_pods_of_a_canary_land_on_old_nodes(api: Api) -> None:
    """The scheduler takes any node with room: the nodes of later waves stay open."""
    for instance_id in on_web(api):
        empty(api, instance_id, 3)
    canary = on_web(api)[0]
    evicted = {
        pod["name"]
        for node in api.sim.control.nodes(api.ocean_id)
        for pod in node["pods"]
        if node["instance_id"] == canary
    }
    for number in range(9):
        api.sim.control.add_pod(api.ocean_id, canary, name=f"extra-{number}")
        evicted.add(f"extra-{number}")
    assert api.run(api.create([canary]))[-1] == "FINISHED"
    landed = [
        node["ocean_managed"]
        for node in api.sim.control.nodes(api.ocean_id)
        for pod in node["pods"]
        if pod["name"] in evicted
    ]
    assert len(landed) == len(evicted)
    assert {True, False} == set(landed)


def test_pods_land_only_where_they_are_allowed(api: Api) -> None:
    """Taints, selectors, required affinity and the zone of a volume hold on every node."""
    first, second = on_web(api)[:2]
    api.sim.control.set_node(api.ocean_id, second, labels={"disk": "ssd"})
    empty(api, second, 3)
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    api.sim.control.add_pod(api.ocean_id, first, name="pinned-1", affinity=affinity)
    api.sim.control.add_pod(api.ocean_id, first, name="chosen-1", node_selector={"disk": "ssd"})
    assert api.run(api.create([first]))[-1] == "FINISHED"
    for node in api.sim.control.nodes(api.ocean_id):
        names = {pod["name"] for pod in node["pods"]}
        assert not names & {"pinned-1", "chosen-1"} or node["instance_id"] == second
        if node["taints"]:
            assert all(pod["tolerations"] for pod in node["pods"])


@pytest.mark.parametrize(
    ("kind", "phase", "reason"),
    [
        ("image", "Pending", "ImagePullBackOff"),
        ("configuration", "Pending", "CreateContainerConfigError"),
        ("crash", "Running", "CrashLoopBackOff"),
        ("no-address", "Pending", "ContainerCreating"),
        ("volume", "Pending", "ContainerCreating"),
    ],
)
def test_unready_pods_fail_a_migration_after_the_drain_threshold(api: Api, kind: str, phase: str, reason: str) -> None:
    """As Spot's page of troubles has it, which names neither pod nor reason."""
    api.sim.control.trouble(api.ocean_id, kind, app="search")
    states = api.run(api.create(on_web(api)))
    assert states[-1] == "FINISHED_ERROR"
    assert any("failure to schedule pods on new nodes" in line["message"] for line in api.log())
    found = statuses(api, "search")
    assert {each["state"]["waiting"]["reason"] for each in found} == {reason}
    phases = {pod["phase"] for _, pod in pods_of(api, "search") if pod["trouble"]}
    assert phases == {phase}
    events = {each["reason"] for each in Kubernetes(api.sim).items(EVENTS, fieldSelector="type=Warning")}
    expected = {"no-address": {"FailedCreatePodSandBox"}, "volume": {"FailedAttachVolume"}}
    assert events == expected.get(kind, set())


def test_slow_pods_are_waited_for(api: Api) -> None:
    """Within the drain threshold nothing fails."""
    api.sim.control.trouble(api.ocean_id, "slow", seconds=120)
    assert api.run(api.create(on_web(api)))[-1] == "FINISHED"
    assert all(pod["ready"] for _, pod in pods_of(api, "search"))


def test_crashes_go_on(api: Api) -> None:
    """The time between them doubles, up to five minutes."""
    api.sim.control.draining_timeout(api.ocean_id, 7200)
    api.sim.control.trouble(api.ocean_id, "crash", app="search")
    api.run(api.create(on_web(api)), until="VALIDATE_DRAIN")
    api.sim.control.advance(600)
    before = max(each["restartCount"] for each in statuses(api, "search"))
    api.sim.control.advance(600)
    after = max(each["restartCount"] for each in statuses(api, "search"))
    assert 3 <= before < after <= before + 3


def test_trouble_ends(api: Api) -> None:
    """Whoever repairs the cause lets the migration go on."""
    api.sim.control.draining_timeout(api.ocean_id, 7200)
    api.sim.control.trouble(api.ocean_id, "image", app="search")
    migration = api.create(on_web(api))
    api.run(migration, until="VALIDATE_DRAIN")
    api.sim.control.advance(1800)
    assert api.status(migration)["status"] == "VALIDATE_DRAIN"
    api.sim.control.trouble(api.ocean_id, None)
    assert api.run(migration)[-1] == "FINISHED"


def test_trouble_before_the_migration(api: Api) -> None:
    """A workload that was broken before."""
    api.sim.control.trouble(api.ocean_id, "image", app="search", ocean_only=False, running=True)
    assert all(not pod["ready"] for _, pod in pods_of(api, "search"))
    with pytest.raises(ControlError, match="unknown trouble 'fire'"):
        api.sim.control.trouble(api.ocean_id, "fire")


def test_scale_down(api: Api) -> None:
    """Pods go, and a Deployment without pods stays."""
    count = len(pods_of(api, "search"))
    api.sim.control.scale(api.ocean_id, "web", "search", count - 2)
    assert len(pods_of(api, "search")) == count - 2
    api.sim.control.scale(api.ocean_id, "web", "search", 0)
    (found,) = Kubernetes(api.sim).items(DEPLOYMENTS, fieldSelector="metadata.name=search")
    assert found["spec"]["replicas"] == 0


def test_rollout(api: Api) -> None:
    """Old and new pods have ReplicaSets of their own, until it is finished."""
    kubernetes = Kubernetes(api.sim)
    count = len(pods_of(api, "search"))
    api.sim.control.roll_out(api.ocean_id, "web", "search", pods=2)
    (found,) = kubernetes.items(DEPLOYMENTS, fieldSelector="metadata.name=search")
    assert (found["status"]["updatedReplicas"], found["status"]["replicas"]) == (2, count)
    assert found["status"]["conditions"][0]["reason"] == "ReplicaSetUpdated"
    assert len(kubernetes.items(REPLICA_SETS, labelSelector="app=search")) == 2
    api.sim.control.roll_out(api.ocean_id, "web", "search")
    (found,) = kubernetes.items(DEPLOYMENTS, fieldSelector="metadata.name=search")
    assert (found["status"]["updatedReplicas"], found["status"]["replicas"]) == (count, count)
    assert found["status"]["conditions"][0]["reason"] == "NewReplicaSetAvailable"


def test_trouble_survives_the_state_file(tmp_path: Path) -> None:
    """A simulator that is started again goes on with it."""
    path = tmp_path / "state.json"
    with Simulator(nodes=4, speed=1, state_file=path) as first:
        first.control.trouble(first.ocean_id, "slow", seconds=60, ocean_only=False, running=True)
    with Simulator(speed=1, state_file=path) as second:
        nodes = second.control.nodes(second.ocean_id)
        assert not any(pod["ready"] for node in nodes for pod in node["pods"])
        second.control.advance(60)
        nodes = second.control.nodes(second.ocean_id)
        assert all(pod["ready"] for node in nodes for pod in node["pods"])
