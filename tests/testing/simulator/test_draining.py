"""Pods that do not simply leave: stand-alone ones, disruption budgets, pods that find no new node, refilling groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.testing.simulator.conftest import Api


def _left_over(api: Api, migration: str) -> list[dict[str, Any]]:
    return [one for one in api.status(migration)["oldInstances"] if one["state"] == "REQUIRES_MANUAL_MIGRATION"]


def test_stand_alone_pods_stay_and_are_named(simulate: Callable[..., Api]) -> None:
    """Without the flag the migration finishes, and the nodes are kept with the pods that somebody has to move."""
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


def test_stand_alone_pods_are_evicted_for_good_with_the_flag(simulate: Callable[..., Api]) -> None:
    """With the flag they are gone, and no node is left over."""
    api = simulate(scenario="stand-alone-pods")
    api.run(api.create(shouldEvictStandAlonePods=True))
    assert api.offered() == []
    pods = [pod["name"] for node in api.sim.control.nodes(api.ocean_id) for pod in node["pods"]]
    assert not any(name.startswith("debug") for name in pods)


@pytest.mark.parametrize("force", [False, True])
def test_a_budget_blocks_until_the_draining_timeout(simulate: Callable[..., Api], force: bool) -> None:
    """After 300 s force evicts nonetheless; without it the node is left to be emptied by hand."""
    api = simulate(scenario="blocking-pdb")
    migration = api.create(forcePodEvictionOnPdbFailure=force)
    api.run(migration, until="DRAIN_NODES")
    api.sim.control.advance(285)
    assert api.status(migration)["status"] == "DRAIN_NODES"
    assert api.run(migration)[-1] == "FINISHED"
    left = _left_over(api, migration)
    assert len(left) == (0 if force else 2)
    assert {pod["kind"] for one in left for pod in one["podDetails"]} == (set() if force else {"UNKNOWN"})


def test_a_budget_with_room_lets_pods_leave_one_after_the_other(api: Api) -> None:
    """The budget is kept: never fewer healthy pods than its minimum, and all of them arrive."""
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
    """It is unscheduled all the while, and after the draining timeout the migration fails with that reason."""
    instance_id = api.offered()[0]
    pod = api.sim.control.add_pod(api.ocean_id, instance_id, name="huge", unschedulable=True)
    migration = api.create([instance_id])
    api.run(migration, until="VALIDATE_DRAIN")
    assert api.status(migration)["newUnscheduledPodIds"] == pod["id"]
    assert api.run(migration)[-1] == "FINISHED_ERROR"
    assert api.log(severity="ERROR")[0]["message"].endswith("failure to schedule pods on new nodes.")


def test_a_pod_that_was_pending_before_does_not_fail_it(api: Api) -> None:
    """It is told apart from those that the migration evicted."""
    pod = api.sim.control.add_pod(api.ocean_id, None, name="waiting")
    migration = api.create()
    assert api.status(migration)["unscheduledPodIds"] == pod["id"]
    assert api.run(migration)[-1] == "FINISHED"
    api.sim.control.remove_pod(api.ocean_id, "waiting")
    assert api.status(migration)["unscheduledPodIds"] == ""


def test_pods_of_daemon_sets_do_not_count(api: Api) -> None:
    """They stay until the node goes, and neither runningPods nor a drain minds them."""
    instance_id = api.sim.control.add_node(api.ocean_id, "api", pods=0)["instance_id"]
    api.sim.control.add_pod(api.ocean_id, instance_id, name="agent", controller="DaemonSet")
    assert api.discover()[-1]["runningPods"] == 0
    migration = api.create([instance_id])
    assert api.run(migration)[-1] == "FINISHED"
    assert api.status(migration)["oldInstances"][0]["state"] == "DRAINED"


def test_a_node_that_matches_no_group_fails_the_migration(simulate: Callable[..., Api]) -> None:
    """Ocean has nothing to start for it: the documented failure of missing Virtual Node Groups."""
    api = simulate(scenario="unmatched-nodes")
    unmatched = [one["instanceId"] for one in api.discover() if one["launchSpecId"] is None]
    assert len(unmatched) == 2
    assert api.run(api.create(unmatched))[-1] == "FINISHED_ERROR"
    assert "Virtual Node Groups are configured" in api.log(severity="ERROR")[0]["message"]


def test_a_refilling_group_replaces_what_was_terminated(simulate: Callable[..., Api]) -> None:
    """A minute after the termination new nodes of the same group, with its labels, are offered."""
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


def test_a_stall_goes_on_until_it_is_stopped(simulate: Callable[..., Api]) -> None:
    """Nothing happens in the second batch for a day; a stop gets through."""
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


def test_a_busy_cluster_is_free_again_in_the_end(simulate: Callable[..., Api]) -> None:
    """Somebody else's migration runs at the start, is not in the request log, and ends."""
    api = simulate(scenario="busy-cluster")
    foreign = api.send("GET", api.base).items[0]["Id"]
    assert api.post(api.offered()).code == "MIGRATION_ALREADY_RUNNING"
    assert api.sim.control.requests(effective=True) == []
    assert api.run(foreign)[-1] == "FINISHED"
    assert api.run(api.create())[-1] == "FINISHED"
