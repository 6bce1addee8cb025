"""Drains with standalone pods, disruption budgets, unschedulable pods and refilling groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.testing.simulator.conftest import Api


def _left_over(api: Api, migration: str) -> list[dict[str, Any]]:
    return [one for one in api.status(migration)["oldInstances"] if one["state"] == "REQUIRES_MANUAL_MIGRATION"]


def test_standalone_pods_stay_and_are_listed(simulate: Callable[..., Api]) -> None:
    """Without the flag the migration finishes, and the nodes require manual migration of these pods."""
    api = simulate(scenario="stand-alone-pods")
    migration = api.create(shouldTerminateDrainedNodes=True)
    assert api.run(migration)[-1] == "FINISHED"
    left = _left_over(api, migration)
    assert [one["runningPods"] for one in left] == [1, 1, 1]
    assert {pod["kind"] for one in left for pod in one["podDetails"]} == {"STAND_ALONE_POD"}
    assert api.offered() == [one["instanceId"] for one in left]
    name = left[0]["podDetails"][0]["name"]
    api.sim.control.remove_pod(api.ocean_id, name, instance_id=left[0]["instanceId"])
    assert len(_left_over(api, migration)) == 2


def test_standalone_pods_are_evicted_with_the_flag(simulate: Callable[..., Api]) -> None:
    """The pods are gone, and no node requires manual migration."""
    api = simulate(scenario="stand-alone-pods")
    api.run(api.create(shouldEvictStandAlonePods=True))
    assert api.offered() == []
    pods = [pod["name"] for node in api.sim.control.nodes(api.ocean_id) for pod in node["pods"]]
    assert not any(name.startswith("debug") for name in pods)


@pytest.mark.parametrize("force", [False, True])
def test_a_budget_blocks_until_the_draining_timeout(simulate: Callable[..., Api], force: bool) -> None:
    """After 300 s force evicts the pods; without force the node requires manual migration."""
    api = simulate(scenario="blocking-pdb")
    migration = api.create(forcePodEvictionOnPdbFailure=force)
    api.run(migration, until="DRAIN_NODES")
    api.sim.control.advance(285)
    assert api.status(migration)["status"] == "DRAIN_NODES"
    assert api.run(migration)[-1] == "FINISHED"
    left = _left_over(api, migration)
    assert len(left) == (0 if force else 2)
    assert {pod["kind"] for one in left for pod in one["podDetails"]} == (set() if force else {"UNKNOWN"})


def test_a_budget_with_disruptions_left_is_kept(api: Api) -> None:
    """There are never fewer healthy pods than its minimum, and all pods are moved."""
    ids = api.offered()[:4]
    for number, instance_id in enumerate(ids):
        api.sim.control.add_pod(api.ocean_id, instance_id, name=f"ledger-{number}", budget="shop/ledger")
    api.sim.control.budget(api.ocean_id, "shop/ledger", 3)
    migration = api.create(ids, batchSizePercentage=50)
    for _ in range(60):
        api.sim.control.advance(15)
        nodes = api.sim.control.nodes(api.ocean_id)
        assert sum(pod["budget"] == "shop/ledger" for node in nodes for pod in node["pods"]) >= 3
    assert api.status(migration)["status"] == "FINISHED"
    assert _left_over(api, migration) == []


def test_a_pod_that_finds_no_node_fails_the_migration(api: Api) -> None:
    """The pod stays unscheduled, and the migration fails with that reason after the draining timeout."""
    instance_id = api.offered()[0]
    pod = api.sim.control.add_pod(api.ocean_id, instance_id, name="huge", unschedulable=True)
    migration = api.create([instance_id])
    api.run(migration, until="VALIDATE_DRAIN")
    assert api.status(migration)["newUnscheduledPodIds"] == pod["id"]
    assert api.run(migration)[-1] == "FINISHED_ERROR"
    assert api.log(severity="ERROR")[0]["message"].endswith("failure to schedule pods on new nodes.")


def test_a_pod_that_was_pending_before_does_not_fail_the_migration(api: Api) -> None:
    """It is listed apart from the pods that the migration evicted."""
    pod = api.sim.control.add_pod(api.ocean_id, None, name="waiting")
    migration = api.create()
    assert api.status(migration)["unscheduledPodIds"] == pod["id"]
    assert api.run(migration)[-1] == "FINISHED"
    api.sim.control.remove_pod(api.ocean_id, "waiting")
    assert api.status(migration)["unscheduledPodIds"] == ""


def test_pods_of_daemon_sets_do_not_count(api: Api) -> None:
    """They stay on their node, and count neither in runningPods nor for a drain."""
    instance_id = api.sim.control.add_node(api.ocean_id, "api", pods=0)["instance_id"]
    api.sim.control.add_pod(api.ocean_id, instance_id, name="agent", controller="DaemonSet")
    assert api.discover()[-1]["runningPods"] == 0
    migration = api.create([instance_id])
    assert api.run(migration)[-1] == "FINISHED"
    assert api.status(migration)["oldInstances"][0]["state"] == "DRAINED"


def test_a_node_that_matches_no_group_fails_the_migration(simulate: Callable[..., Api]) -> None:
    """Ocean has nothing to launch: the documented failure of missing Virtual Node Groups."""
    api = simulate(scenario="unmatched-nodes")
    unmatched = [one["instanceId"] for one in api.discover() if one["launchSpecId"] is None]
    assert len(unmatched) == 2
    assert api.run(api.create(unmatched))[-1] == "FINISHED_ERROR"
    assert "Virtual Node Groups are configured" in api.log(severity="ERROR")[0]["message"]


def test_a_refilling_group_replaces_terminated_nodes(simulate: Callable[..., Api]) -> None:
    """A minute later discovery has new nodes of the same group, with its labels."""
    api = simulate(scenario="refilling-asg")
    old = {one["instanceId"]: one["asgName"] for one in api.discover()}
    api.run(api.create(shouldTerminateDrainedNodes=True))
    assert api.offered() == []
    api.sim.control.advance(60)
    new = {one["instanceId"]: one["asgName"] for one in api.discover()}
    assert sorted(new.values()) == sorted(old.values())
    assert not new.keys() & old.keys()
    api.sim.control.refill(api.ocean_id, "web", refills=False)
    api.run(api.create(shouldTerminateDrainedNodes=True))
    api.sim.control.advance(60)
    assert {one["asgName"] for one in api.discover()} == {"api", "batch"}


def test_a_stalled_migration_can_be_stopped(simulate: Callable[..., Api]) -> None:
    """Nothing happens in the second batch for a day."""
    api = simulate(scenario="stall")
    migration = api.create()
    api.sim.control.advance(86_400)
    status = api.status(migration)
    assert status["status"] == "DRAIN_NODES"
    api.stop(migration)
    assert api.run(migration)[-1] == "STOPPED"


def test_a_dead_controller_fails_a_migration(simulate: Callable[..., Api]) -> None:
    """The controller drains the nodes: without it the migration fails for connectivity."""
    api = simulate(scenario="dead-controller")
    assert api.run(api.create())[-1] == "FINISHED_ERROR"
    assert "connectivity issues" in api.log(severity="ERROR")[0]["message"]


def test_the_other_migration_of_a_busy_cluster_ends(simulate: Callable[..., Api]) -> None:
    """Another user's migration runs at the start, and is not in the request log."""
    api = simulate(scenario="busy-cluster")
    foreign = api.send("GET", api.base).items[0]["Id"]
    assert api.post(api.offered()).code == "MIGRATION_ALREADY_RUNNING"
    assert api.sim.control.requests(effective=True) == []
    assert api.run(foreign)[-1] == "FINISHED"
    assert api.run(api.create())[-1] == "FINISHED"
