"""The routes of clusters and Virtual Node Groups."""

from __future__ import annotations

from typing import Any

import pytest

from tests.testing.simulator.conftest import Api

CLUSTERS = "/ocean/aws/k8s/cluster"
GROUPS = "/ocean/aws/k8s/launchSpec"
CLUSTER: dict[str, Any] = {
    "name": "shop",
    "controllerClusterId": "shop-dev",
    "region": "us-west-2",
    "capacity": {"minimum": 0, "maximum": 1000, "target": 0},
    "strategy": {"spotPercentage": 100, "maxReplacementLimitPercentage": None, "fallbackToOd": True},
    "scheduling": None,
    "compute": {
        "subnetIds": ["subnet-1"],
        "instanceTypes": {},
        "launchSpecification": {
            "imageId": "ami-1",
            "securityGroupIds": ["sg-1"],
            "userData": "aGVsbG8=",
            "tags": [{"tagKey": "a", "tagValue": "b"}],
            "healthCheckUnhealthyDurationBeforeReplacement": 120,
        },
    },
}


def _create(api: Api) -> dict[str, Any]:
    item: dict[str, Any] = api.send("POST", CLUSTERS, {"cluster": CLUSTER}).items[0]
    return item


def test_a_created_cluster_is_returned_with_an_id_only(api: Api) -> None:
    """Nothing is filled in, which would be drift; nulls are dropped, and empty objects are kept."""
    created = _create(api)
    assert created.keys() - CLUSTER.keys() == {"id", "createdAt", "updatedAt"}
    assert CLUSTER.keys() - created.keys() == {"scheduling"}
    assert created["compute"] == CLUSTER["compute"]
    assert created["strategy"] == {"spotPercentage": 100, "fallbackToOd": True}
    assert api.send("GET", f"{CLUSTERS}/{created['id']}").items == [created]
    assert {item["id"] for item in api.send("GET", CLUSTERS).items} == {api.ocean_id, created["id"]}


def test_an_update_merges_deeply_and_null_clears(api: Api) -> None:
    """Empty objects change nothing, a list replaces a list, and ``updatedAt`` advances."""
    created = _create(api)
    api.sim.control.advance(10)
    changes = {
        "name": "renamed",
        "capacity": {},
        "strategy": {"spotPercentage": None, "gracePeriod": 600},
        "compute": {"launchSpecification": {"userData": None, "tags": []}},
    }
    updated = api.send("PUT", f"{CLUSTERS}/{created['id']}", {"cluster": changes}).items[0]
    assert updated["name"] == "renamed"
    assert updated["capacity"] == CLUSTER["capacity"]
    assert updated["strategy"] == {"fallbackToOd": True, "gracePeriod": 600}
    assert "userData" not in updated["compute"]["launchSpecification"]
    assert updated["compute"]["launchSpecification"]["imageId"] == "ami-1"
    assert updated["compute"]["launchSpecification"]["tags"] == []
    assert updated["createdAt"] == created["createdAt"] < updated["updatedAt"]
    assert api.send("GET", f"{CLUSTERS}/{created['id']}").items == [updated]


@pytest.mark.parametrize("name", ["region", "controllerClusterId"])
def test_region_and_controller_id_cannot_change(api: Api, name: str) -> None:
    """An update with the same value is accepted."""
    path = f"{CLUSTERS}/{api.ocean_id}"
    assert api.send("PUT", path, {"cluster": {name: "other"}}).code == "CANT_UPDATE_OCEAN_ENTITY"
    same = api.send("GET", path).items[0][name]
    assert api.send("PUT", path, {"cluster": {name: same}}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        ("name",),
        ("controllerClusterId",),
        ("region",),
        ("compute",),
        ("compute", "subnetIds"),
        ("compute", "launchSpecification"),
        ("compute", "launchSpecification", "imageId"),
        ("compute", "launchSpecification", "securityGroupIds"),
    ],
)
def test_required_fields_of_a_cluster(api: Api, path: tuple[str, ...]) -> None:
    """A POST without a required field is refused with its name, and so is a PUT that clears it."""

    def without(body: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        head, *rest = names
        if not rest:
            return {key: value for key, value in body.items() if key != head}
        return {**body, head: without(body[head], tuple(rest))}

    reply = api.send("POST", CLUSTERS, {"cluster": without(CLUSTER, path)})
    error = reply.body["response"]["errors"][0]
    assert error == {
        "code": "ValidationError",
        "message": f'"{path[-1]}" is required',
        "field": f"body:cluster.{'.'.join(path)}",
    }
    clearing: Any = None
    for name in reversed(path):
        clearing = {name: clearing}
    if path[0] not in ("region", "controllerClusterId"):
        assert api.send("PUT", f"{CLUSTERS}/{api.ocean_id}", {"cluster": clearing}).code == "ValidationError"
    assert api.send("GET", f"{CLUSTERS}/{api.ocean_id}").status == 200


def test_unknown_fields_are_refused(api: Api) -> None:
    """A field that the service does not know is a ValidationError."""
    reply = api.send("POST", CLUSTERS, {"cluster": {**CLUSTER, "colour": "red"}})
    assert reply.body["response"]["errors"][0]["field"] == "body:cluster.colour"


def test_template_only_needs_a_group(api: Api) -> None:
    """``useAsTemplateOnly`` is refused for a cluster without any Virtual Node Group."""
    created = _create(api)
    changes = {"compute": {"launchSpecification": {"useAsTemplateOnly": True}}}
    reply = api.send("PUT", f"{CLUSTERS}/{created['id']}", {"cluster": changes})
    assert reply.code == "CANT_UPDATE_OCEAN_ENTITY"
    assert api.send("PUT", f"{CLUSTERS}/{api.ocean_id}", {"cluster": changes}).status == 200


def test_a_deleted_cluster_does_not_exist(api: Api) -> None:
    """Reading, updating and deleting it is HTTP 400 with its code."""
    path = f"{CLUSTERS}/{api.ocean_id}"
    assert "items" not in api.send("DELETE", path).body["response"]
    assert api.send("GET", path).code == "CLUSTER_DOESNT_EXIST"
    assert api.send("PUT", path, {"cluster": {"name": "x"}}).code == "CLUSTER_DOESNT_EXIST"
    assert api.send("DELETE", path).code == "CLUSTER_DOESNT_EXIST"


def test_a_created_cluster_has_no_heartbeat_until_a_controller_is_installed(api: Api) -> None:
    """Then the controller reports."""
    ocean_id = _create(api)["id"]
    path = f"/ocean/k8s/cluster/{ocean_id}/controllerHeartbeat"
    assert api.send("GET", path).items == []
    api.sim.control.heartbeat(ocean_id)
    assert api.send("GET", path).items[0]["status"] == "ACTIVE"


def test_the_lifecycle_of_a_group(api: Api) -> None:
    """A group is created, read, listed, updated and deleted; a deleted group has an error code of its own."""
    body = {"oceanId": api.ocean_id, "name": "gpu", "autoScale": {}, "scheduling": {}, "userData": "YQ=="}
    created = api.send("POST", GROUPS, {"launchSpec": body}).items[0]
    assert {key: created[key] for key in body} == body
    path = f"{GROUPS}/{created['id']}"
    assert api.send("GET", path).items == [created]
    assert created in api.send("GET", GROUPS, oceanId=api.ocean_id).items
    api.sim.control.advance(1)
    updated = api.send("PUT", path, {"launchSpec": {"name": "gpus", "userData": None}}).items[0]
    assert updated["name"] == "gpus"
    assert "userData" not in updated
    assert updated["updatedAt"] > created["updatedAt"]
    assert "items" not in api.send("DELETE", path).body["response"]
    for method, change in (("GET", None), ("PUT", {"launchSpec": {}}), ("DELETE", None)):
        reply = api.send(method, path, change)
        assert reply.code == "CANT_GET_OCEAN_LAUNCH_SPEC"
        assert reply.body["response"]["errors"][0]["message"] == f"LaunchSpec: '{created['id']}' does not exist"


def test_a_group_needs_a_cluster(api: Api) -> None:
    """A group without ``oceanId``, of an unknown cluster, or moved to another cluster is refused."""
    assert api.send("POST", GROUPS, {"launchSpec": {"name": "x"}}).code == "ValidationError"
    assert api.send("POST", GROUPS, {"launchSpec": {"oceanId": "o-00000000"}}).code == "CLUSTER_DOESNT_EXIST"
    group = api.send("GET", GROUPS).items[0]["id"]
    moved = api.send("PUT", f"{GROUPS}/{group}", {"launchSpec": {"oceanId": "o-00000000"}})
    assert moved.code == "CANT_UPDATE_OCEAN_ENTITY"


def test_initial_nodes_and_delete_nodes(api: Api) -> None:
    """A group launches ``initialNodes``, and ``deleteNodes`` terminates its nodes."""
    body = {"launchSpec": {"oceanId": api.ocean_id, "name": "warm", "labels": [{"key": "pool", "value": "warm"}]}}
    group = api.send("POST", GROUPS, body, initialNodes=2).items[0]["id"]
    nodes = f"{CLUSTERS}/{api.ocean_id}/nodes"
    assert len(api.send("GET", nodes, launchSpecId=group).items) == 2
    assert api.send("POST", GROUPS, body, initialNodes="many").code == "ValidationError"
    api.send("DELETE", f"{GROUPS}/{group}", deleteNodes="true", forceDelete="true")
    assert api.send("GET", nodes).items == []
