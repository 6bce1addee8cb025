"""Worlds built from a JSON description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.simulator.server.simulation import Simulation
from ocean_migration_pulumi.testing.simulator.world import world_from_json
from tests.testing.simulator.conftest import Api

DESCRIPTION: dict[str, Any] = {
    "format": 1,
    "account": "act-0a1b2c3d",
    "cluster": {"id": "o-0a1b2c3d", "name": "shop", "region": "eu-west-1", "strategy": {"drainingTimeout": 60}},
    "groups": [
        {"id": "ols-1", "name": "web", "labels": [{"key": "team", "value": "web"}], "taints": []},
        {"id": "ols-2", "name": "other"},
    ],
    "nodes": [
        {"instance_id": "i-1", "node_name": "one", "asg_name": "web", "told_match": "ols-2", "pods": 3},
        {"instance_id": "i-2", "node_name": "two", "told_match": "", "labels": {"team": "web"}},
        {"instance_id": "i-3", "node_name": "three", "labels": {"team": "web"}, "told_match": None},
        {"instance_id": "i-4", "told_match": "Default", "pods": [{"name": "a", "id": "shop/a", "controller": None}]},
        {"instance_id": "i-5", "ocean_managed": True, "virtual_node_group_id": "ols-1", "instance_type": "m5.xlarge"},
    ],
    "pending": [{"name": "waits", "namespace": "shop", "id": "shop/waits"}],
    "budgets": [{"name": "default/all", "minimum": 1, "selector": {"matchLabels": {"app": "a"}}}],
}


def test_the_api_returns_the_described_cluster() -> None:
    """Accounts, ids, names, matches and pod counts, of Ocean nodes and of old nodes."""
    with Simulator(world=DESCRIPTION) as sim:
        assert (sim.account_id, sim.ocean_id) == ("act-0a1b2c3d", "o-0a1b2c3d")
        api = Api(sim, checked=False)
        [item] = api.send(
            "GET", f"/ocean/aws/k8s/cluster/{sim.ocean_id}/migration/discovery", shouldFetchPods="true"
        ).items
        found = {
            node["instanceId"]: (node["asgName"], node["launchSpecId"], node["runningPods"])
            for node in item["instances"]
        }
        assert found == {
            "i-1": ("web", "ols-2", 3),
            "i-2": (None, None, 0),
            "i-3": (None, "ols-1", 0),
            "i-4": (None, "Default", 1),
        }
        [node] = api.send("GET", f"/ocean/aws/k8s/cluster/{sim.ocean_id}/nodes").items
        assert (node["instanceId"], node["launchSpecName"], node["instanceType"]) == ("i-5", "web", "m5.xlarge")
        [cluster] = api.send("GET", f"/ocean/aws/k8s/cluster/{sim.ocean_id}").items
        assert (cluster["name"], cluster["region"]) == ("shop", "eu-west-1")
        groups = api.send("GET", "/ocean/aws/k8s/launchSpec", oceanId=sim.ocean_id).items
        assert [group["id"] for group in groups] == ["ols-1", "ols-2"]


def test_new_objects_have_ids_of_their_own() -> None:
    """A description may come from another simulator with the same seed."""
    world = world_from_json.build_world(DESCRIPTION, seed=0, now=0.0)
    ours = {world.new_id("i-", 17) for _ in range(50)}
    theirs = Simulation(nodes=3).world
    assert ours.isdisjoint({theirs.new_id("i-", 17) for _ in range(50)})
    assert world.new_node_name() == "ip-10-200-0-4.us-west-2.compute.internal"


@pytest.mark.parametrize(
    ("heartbeat", "status", "beats"),
    [
        (None, "ACTIVE", True),
        ({"status": "ACTIVE", "age_seconds": 0}, "ACTIVE", True),
        ({"status": "ACTIVE", "age_seconds": 900}, "ACTIVE", False),
        ({"status": "INACTIVE"}, "INACTIVE", False),
    ],
)
def test_only_a_fresh_heartbeat_continues(heartbeat: dict[str, Any] | None, status: str, beats: bool) -> None:
    """A controller that is ACTIVE with an age of 0 continues to report."""
    part = {} if heartbeat is None else {"heartbeat": heartbeat}
    [cluster] = world_from_json.build_world({"cluster": {"id": "o-1"}, **part}, seed=0, now=1000.0).clusters.values()
    assert cluster.heartbeat.status == status
    assert (cluster.heartbeat.frozen_at is None) is beats
    assert any(deployment.is_controller for deployment in cluster.deployments)


def test_no_heartbeat_means_no_controller() -> None:
    """A controller without any heartbeat is not installed."""
    description = {"cluster": {"id": "o-1"}, "heartbeat": {"status": None}}
    [cluster] = world_from_json.build_world(description, seed=0, now=0.0).clusters.values()
    assert cluster.heartbeat.status is None
    assert not any(deployment.is_controller for deployment in cluster.deployments)


def test_a_described_world_survives_a_restart(tmp_path: Path) -> None:
    """The state file takes precedence over the description, and keeps the matches."""
    file = tmp_path / "state.json"
    Simulation(world=DESCRIPTION, state_file=file).close()
    again = Simulation(world={"cluster": {"id": "o-other"}}, state_file=file).world
    nodes = again.clusters["o-0a1b2c3d"].nodes
    assert {name: node.told_match for name, node in nodes.items()} == {
        "i-1": "ols-2",
        "i-2": "",
        "i-3": None,
        "i-4": "Default",
        "i-5": None,
    }


_NODE = {"instance_id": "i-1"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cluster": None}, "cluster must be an object"),
        ({"cluster": {}}, "cluster.id must be a non-empty string"),
        ({"format": 2}, "must have format 1"),
        ({"nodess": []}, "the description: unknown nodess"),
        ({"nodes": {}}, "nodes must be a list"),
        ({"nodes": [3]}, "nodes[0] must be an object"),
        ({"nodes": [{"node_name": "x"}]}, "nodes[0].instance_id must be a non-empty string"),
        ({"nodes": [{**_NODE, "drained": True}]}, "nodes[0]: unknown drained"),
        ({"nodes": [_NODE, _NODE]}, "nodes[1]: i-1 is described twice"),
        ({"nodes": [{**_NODE, "pods": "3"}]}, "pods must be a list"),
        ({"nodes": [{**_NODE, "pods": [{}]}]}, "nodes[0].pods[0].name must be a non-empty string"),
        ({"nodes": [{**_NODE, "pods": [{"name": "a", "kind": 1}]}]}, "nodes[0].pods[0]: unknown kind"),
        ({"pending": [{"name": "a", "phase": "Sleeping"}]}, "pending[0].phase: 'Sleeping' is not one of Pending"),
        ({"pending": [{"name": "a", "requests": {"cpu": "many"}}]}, "pending[0].requests:"),
        ({"budgets": [{"name": "cart"}]}, "budgets[0].name: 'cart' is not namespace/name"),
        ({"budgets": [{"name": "a/b", "selector": []}]}, "budgets[0].selector must be an object"),
        ({"groups": [{"name": "web"}]}, "groups[0].id must be a non-empty string"),
        ({"heartbeat": {"age": 1}}, "heartbeat: unknown age"),
    ],
)
def test_an_invalid_description_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    """A misspelt key would otherwise be ignored."""
    with pytest.raises(ValueError, match=r".+") as caught:
        world_from_json.build_world({"cluster": {"id": "o-1"}, **change}, seed=0, now=0.0)
    assert said in str(caught.value)


def test_a_description_is_plain_json() -> None:
    """A description from a file builds the same world."""
    once = world_from_json.build_world(DESCRIPTION, seed=0, now=0.0)
    again = world_from_json.build_world(json.loads(json.dumps(DESCRIPTION)), seed=0, now=0.0)
    assert json.dumps(once, default=vars) == json.dumps(again, default=vars)
