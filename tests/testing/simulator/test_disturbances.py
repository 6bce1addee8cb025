"""Nodes that are terminated, interrupted or scaled in: honest disturbances before, during and after a migration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import ControlError, Simulator
from tests.testing.simulator.conftest import Api, Kubernetes


def node(api: Api, instance_id: str) -> dict[str, Any]:
    """Return a node of the world."""
    return next(each for each in api.sim.control.nodes(api.ocean_id) if each["instance_id"] == instance_id)


def workload(api: Api) -> Counter[str]:
    """Return the names of all pods on nodes that exist."""
    nodes = api.sim.control.nodes(api.ocean_id)
    return Counter(pod["name"] for each in nodes if not each["terminated"] for pod in each["pods"])


def test_controllers_recreate_the_pods_of_a_terminated_node(api: Api) -> None:
    """On other nodes; a standalone pod is gone. Neither API has the node any more."""
    first = api.offered()[0]
    before = workload(api)
    api.sim.control.add_pod(api.ocean_id, first, name="alone", controller=None)
    api.sim.control.terminate_node(api.ocean_id, first)
    assert node(api, first)["terminated"]
    assert node(api, first)["pods"] == []
    assert workload(api) == before
    assert first not in api.offered()
    assert node(api, first)["node_name"] not in Kubernetes(api.sim).names("/api/v1/nodes")
    assert api.post([first]).code == "INSTANCE_DOESNT_EXIST"
    with pytest.raises(ControlError, match="is terminated"):
        api.sim.control.terminate_node(api.ocean_id, first)


def test_an_interrupted_node_has_two_minutes(api: Api) -> None:
    """It is cordoned at once, and terminated when they are over."""
    first = api.offered()[0]
    before = workload(api)
    api.sim.control.terminate_node(api.ocean_id, first, notice_seconds=120)
    api.sim.control.advance(119)
    assert node(api, first)["cordoned"]
    assert not node(api, first)["terminated"]
    assert node(api, first)["pods"]
    api.sim.control.advance(1)
    assert node(api, first)["terminated"]
    assert workload(api) == before
    with pytest.raises(ControlError, match="must not be negative"):
        api.sim.control.terminate_node(api.ocean_id, api.offered()[0], notice_seconds=-1)


def test_a_node_that_is_removed_before_its_notice_is_over(api: Api) -> None:
    """The notice ends without it."""
    first = api.offered()[0]
    api.sim.control.terminate_node(api.ocean_id, first, notice_seconds=120)
    api.sim.control.remove_node(api.ocean_id, first)
    api.sim.control.advance(121)
    assert first not in {each["instance_id"] for each in api.sim.control.nodes(api.ocean_id)}


@pytest.mark.parametrize("replaced", [True, False])
def test_an_auto_scaling_group_replaces_a_node_unless_it_scales_in(
    simulate: Callable[..., Api], replaced: bool
) -> None:
    """After a minute there is another one, or none."""
    api = simulate(scenario="refilling-asg")
    before = set(api.offered())
    first = min(before)
    api.sim.control.terminate_node(api.ocean_id, first, replaced=replaced)
    api.sim.control.advance(61)
    after = set(api.offered())
    assert len(after) == len(before) - (not replaced)
    assert first not in after


def test_ocean_launches_a_node_for_pods_without_one(api: Api) -> None:
    """Where every other node is cordoned; a pod that fits no new node stays pending."""
    first, *others = api.offered()
    for name in others:
        api.sim.control.set_node(api.ocean_id, name, cordoned=True)
    before = workload(api)
    api.sim.control.add_pod(api.ocean_id, first, name="pinned", unschedulable=True)
    api.sim.control.terminate_node(api.ocean_id, first)
    (launched,) = [each for each in api.sim.control.nodes(api.ocean_id) if each["ocean_managed"]]
    assert launched["pods"]
    assert workload(api) == before
    pending = Kubernetes(api.sim).items("/api/v1/pods", fieldSelector="spec.nodeName=")
    assert [pod["metadata"]["name"] for pod in pending] == ["pinned"]


def test_a_migration_survives_the_loss_of_a_node(api: Api) -> None:
    """Its entry says so; the others are drained, and no pod comes back to them."""
    ids = api.offered()[:4]
    started = api.create(ids)
    api.run(started, until="DRAIN_NODES")
    api.sim.control.terminate_node(api.ocean_id, ids[-1])
    assert api.run(started)[-1] == "FINISHED"
    entries = {each["instanceId"]: each for each in api.status(started)["oldInstances"]}
    assert entries[ids[-1]]["state"] == "TERMINATED"
    assert {entries[name]["state"] for name in ids[:-1]} == {"DRAINED"}
    assert [len(node(api, name)["pods"]) for name in ids] == [0] * 4


def test_a_restart_keeps_notices_and_the_history_of_migrations(tmp_path: Path) -> None:
    """Both go on in the next process."""
    state = tmp_path / "state.json"
    with Simulator(state_file=state) as sim:
        sim.control.clock(manual=True)
        api = Api(sim)
        first, second = api.offered()[:2]
        sim.control.terminate_node(api.ocean_id, first, notice_seconds=120)
        started = api.create([second])
        sim.control.advance(21)
        sim.control.quirk("list_lag", "5s")
    with Simulator(state_file=state) as sim:
        api = Api(sim)
        assert api.status(started)["status"] == "AWAIT_REPLACEMENTS"
        assert api.send("GET", api.base).items[0]["state"] == "STARTING"
        sim.control.advance(100)
        assert node(api, first)["terminated"]
