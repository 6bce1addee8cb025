"""What the real Pulumi and Terraform provider needs of clusters and Virtual Node Groups, rule by rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.testing.simulator.conftest import Api, Reply
from tests.testing.simulator.test_clusters import CLUSTER, CLUSTERS, GROUPS

RULES = {
    "only HTTP 200 is success": "test_every_success_is_200",
    "a create answers with one item that has an id": "test_a_create_returns_the_item",
    "what was posted comes back whole, with id, createdAt and updatedAt": "test_posted_fields_are_returned",
    "the times are RFC 3339, whatever other stamps look like": "test_times_are_rfc_3339",
    "nothing is filled in that was not sent": "test_nothing_is_filled_in",
    "a PUT merges deeply, null clears, a list replaces a list": "test_an_update_merges",
    "the shells of a PUT change nothing and leave nothing behind": "test_empty_objects_change_nothing",
    "a cluster always shows compute.launchSpecification": "test_compute_cannot_be_removed",
    "errors have codes that are texts": "test_error_codes_are_strings",
    "a target below the minimum is a ValidationError": "test_target_below_the_minimum",
    "what the service requires is a ValidationError with its field": "test_required_fields",
    "what does not exist is HTTP 400 with the code that the provider knows": "test_objects_that_do_not_exist",
    "a deletion answers without items, and a second one is refused": "test_deletions",
    "region and controller id stay": "test_region_and_controller_id_cannot_change",
    "a roll may follow a PUT": "test_a_roll_after_an_update",
    "initialNodes, deleteNodes and forceDelete are obeyed": "test_options_of_create_and_delete",
    "the last group of a mere template needs forceDelete": "test_the_last_group_of_a_template_only_cluster",
    "a cluster goes with its groups, but not while a migration runs": "test_deleting_a_migrating_cluster",
    "groups can be listed by cluster": "test_groups_are_listed_by_cluster",
    "built-in labels and unknown effects are refused": "test_labels_and_taints_are_checked",
}
"""Each rule, and the test that plays it."""

ALWAYS_POSTED: dict[str, Any] = {
    "name": "shop",
    "controllerClusterId": "shop",
    "region": "us-west-2",
    "capacity": {"minimum": 0, "maximum": 1000, "target": 0},
    "scheduling": None,
    "strategy": {"utilizeReservedInstances": True, "fallbackToOd": True, "maxReplacementLimitPercentage": None},
    "compute": {
        "subnetIds": ["subnet-1"],
        "instanceTypes": {},
        "launchSpecification": {
            "imageId": "ami-1",
            "securityGroupIds": ["sg-1"],
            "healthCheckUnhealthyDurationBeforeReplacement": 120,
        },
    },
}
"""What the provider posts for a cluster of which only the required inputs are set."""


def _cluster(api: Api, **changes: Any) -> dict[str, Any]:
    item: dict[str, Any] = api.send("POST", CLUSTERS, {"cluster": {**ALWAYS_POSTED, **changes}}).items[0]
    return item


def _group(api: Api, ocean_id: str | None = None, **parts: Any) -> dict[str, Any]:
    body = {"oceanId": ocean_id or api.ocean_id, "autoScale": {}, "scheduling": {}, **parts}
    item: dict[str, Any] = api.send("POST", GROUPS, {"launchSpec": body}).items[0]
    return item


def _error(reply: Reply) -> dict[str, Any]:
    assert reply.status == 400
    error: dict[str, Any] = reply.body["response"]["errors"][0]
    return error


def test_each_rule_has_a_test() -> None:
    """The table names every test of this module, and only such."""
    tests = {name for name in globals() if name.startswith("test_")} - {"test_each_rule_has_a_test"}
    assert sorted(RULES.values()) == sorted(tests)


def test_every_success_is_200(api: Api) -> None:
    """The provider treats 201 and 204 as errors."""
    cluster = _cluster(api)["id"]
    group = _group(api, cluster)["id"]
    replies = [
        api.send("POST", CLUSTERS, {"cluster": ALWAYS_POSTED}),
        api.send("GET", CLUSTERS),
        api.send("GET", f"{CLUSTERS}/{cluster}"),
        api.send("PUT", f"{CLUSTERS}/{cluster}", {"cluster": {"name": "x"}}),
        api.send("POST", GROUPS, {"launchSpec": {"oceanId": cluster}}),
        api.send("GET", GROUPS, oceanId=cluster),
        api.send("GET", f"{GROUPS}/{group}"),
        api.send("PUT", f"{GROUPS}/{group}", {"launchSpec": {"name": "x"}}),
        api.send("DELETE", f"{GROUPS}/{group}"),
        api.send("DELETE", f"{CLUSTERS}/{cluster}"),
    ]
    assert [reply.status for reply in replies] == [200] * len(replies)


def test_a_create_returns_the_item(api: Api) -> None:
    """The provider panics on a response without items."""
    cluster = api.send("POST", CLUSTERS, {"cluster": ALWAYS_POSTED}).items
    group = api.send("POST", GROUPS, {"launchSpec": {"oceanId": cluster[0]["id"]}}).items
    assert [len(cluster), len(group)] == [1, 1]
    assert cluster[0]["id"].startswith("o-")
    assert group[0]["id"].startswith("ols-")


def test_posted_fields_are_returned(api: Api) -> None:
    """Also fields that the simulator does not use, in the response and in each later GET."""
    extras = {
        "autoScaler": {"isEnabled": True, "resourceLimits": {"maxVCpu": 100}, "down": {"maxScaleDownPercentage": 10}},
        "logging": {"export": {"s3": {"id": "di-1"}}},
    }
    created = _cluster(api, **extras)
    assert {name: created[name] for name in extras} == extras
    assert created["compute"] == ALWAYS_POSTED["compute"]
    assert api.send("GET", f"{CLUSTERS}/{created['id']}").items == [created]
    parts = {
        "userData": "YQ==",
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 20, "dynamicIops": None}}],
        "strategy": {"spotPercentage": 50},
        "resourceLimits": {"maxInstanceCount": 3},
        "startupTaints": [{"key": "a", "value": "b", "effect": "NoSchedule"}],
    }
    group = _group(api, created["id"], **parts)
    assert {name: group[name] for name in parts} == parts
    assert api.send("GET", f"{GROUPS}/{group['id']}").items == [group]
    assert {"id", "createdAt", "updatedAt"} <= created.keys() & group.keys()


def test_times_are_rfc_3339(api: Api) -> None:
    """Go cannot parse any other format."""
    api.sim.control.quirk("dates", "unpadded")
    for item in (_cluster(api), _group(api)):
        for name in ("createdAt", "updatedAt"):
            assert datetime.fromisoformat(item[name]).utcoffset() is not None


def test_nothing_is_filled_in(api: Api) -> None:
    """Any field that the service adds is drift for the provider."""
    created = _cluster(api)
    assert created.keys() == (ALWAYS_POSTED.keys() - {"scheduling"}) | {"id", "createdAt", "updatedAt"}
    assert created["strategy"] == {"utilizeReservedInstances": True, "fallbackToOd": True}
    group = _group(api, created["id"])
    assert group.keys() == {"id", "oceanId", "autoScale", "scheduling", "createdAt", "updatedAt"}
    changed = api.send("PUT", f"{GROUPS}/{group['id']}", {"launchSpec": {"name": "x"}}).items[0]
    assert changed.keys() == group.keys() | {"name"}


def test_an_update_merges(api: Api) -> None:
    """In clusters and groups; fields that are not sent stay."""
    created = _cluster(api, autoScaler={"isEnabled": True, "resourceLimits": {"maxVCpu": 100, "maxMemoryGib": 200}})
    changes = {
        "autoScaler": {"resourceLimits": {"maxVCpu": None, "maxMemoryGib": 300}},
        "compute": {"subnetIds": ["subnet-2", "subnet-3"]},
    }
    changed = api.send("PUT", f"{CLUSTERS}/{created['id']}", {"cluster": changes}).items[0]
    assert changed["autoScaler"] == {"isEnabled": True, "resourceLimits": {"maxMemoryGib": 300}}
    assert changed["compute"] == {**created["compute"], "subnetIds": ["subnet-2", "subnet-3"]}
    group = _group(api, labels=[{"key": "a", "value": "b"}], strategy={"spotPercentage": 50, "drainingTimeout": 300})
    spec = {"labels": [{"key": "c", "value": "d"}], "strategy": {"spotPercentage": None}, "taints": None}
    merged = api.send("PUT", f"{GROUPS}/{group['id']}", {"launchSpec": spec}).items[0]
    assert merged["labels"] == spec["labels"]
    assert merged["strategy"] == {"drainingTimeout": 300}
    assert "taints" not in merged


def test_empty_objects_change_nothing(api: Api) -> None:
    """The provider sends them next to its changes."""
    created = _cluster(api)
    shells: dict[str, Any] = {
        "capacity": {},
        "scheduling": {},
        "strategy": {},
        "logging": {"export": {"s3": None}},
        "compute": {"instanceTypes": {}, "launchSpecification": {"instanceMetadataOptions": {}}},
    }
    api.sim.control.advance(1)
    changed = api.send("PUT", f"{CLUSTERS}/{created['id']}", {"cluster": shells}).items[0]
    assert {**changed, "updatedAt": created["updatedAt"]} == created
    assert changed["updatedAt"] > created["updatedAt"]
    group = api.send("POST", GROUPS, {"launchSpec": {"oceanId": created["id"]}}).items[0]
    parts: dict[str, Any] = {"autoScale": {}, "scheduling": {"tasks": None}, "strategy": {}}
    api.send("PUT", f"{GROUPS}/{group['id']}", {"launchSpec": parts})
    assert api.send("GET", f"{GROUPS}/{group['id']}").items[0].keys() == group.keys()


@pytest.mark.parametrize(
    "compute",
    [None, {"launchSpecification": None}, {"launchSpecification": {"imageId": None}}, {"subnetIds": None}],
)
def test_compute_cannot_be_removed(api: Api, compute: Any) -> None:
    """The provider panics without it."""
    created = _cluster(api)
    path = f"{CLUSTERS}/{created['id']}"
    refused = _error(api.send("PUT", path, {"cluster": {"compute": compute}}))
    assert refused["code"] == "ValidationError"
    assert refused["field"].startswith("body:cluster.compute")
    kept = {"instanceTypes": None, "launchSpecification": {"healthCheckUnhealthyDurationBeforeReplacement": None}}
    api.send("PUT", path, {"cluster": {"compute": kept}})
    assert api.send("GET", path).items[0]["compute"] == {
        "subnetIds": ["subnet-1"],
        "launchSpecification": {"imageId": "ami-1", "securityGroupIds": ["sg-1"]},
    }


def test_error_codes_are_strings(api: Api) -> None:
    """Go fails to parse a number there; each error is JSON in the service's envelope."""
    for reply in (
        api.send("POST", CLUSTERS, {"cluster": {}}),
        api.send("POST", CLUSTERS, b"no JSON"),
        api.send("GET", f"{CLUSTERS}/o-00000000"),
        api.send("POST", f"{CLUSTERS}/{api.ocean_id}/roll", {"roll": {}}),
    ):
        assert isinstance(_error(reply)["code"], str)
        assert reply.body["response"]["status"] == {"code": 400, "message": "Bad Request"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (CLUSTERS, {}, "cluster"),
        (CLUSTERS, {"cluster": {**ALWAYS_POSTED, "name": None}}, "cluster.name"),
        (CLUSTERS, {"cluster": {**ALWAYS_POSTED, "compute": {"subnetIds": []}}}, "cluster.compute.launchSpecification"),
        (CLUSTERS, {"cluster": {**ALWAYS_POSTED, "compute": "x"}}, "cluster.compute"),
        (GROUPS, {}, "launchSpec"),
        (GROUPS, {"launchSpec": {"name": "x"}}, "launchSpec.oceanId"),
        (GROUPS, {"launchSpec": {"oceanId": None}}, "launchSpec.oceanId"),
        (GROUPS, {"launchSpec": {"oceanId": "o-1", "colour": "red"}}, "launchSpec.colour"),
    ],
)
def test_required_fields(api: Api, path: str, body: dict[str, Any], field: str) -> None:
    """Nothing is created without them."""
    before = len(api.send("GET", path).items)
    error = _error(api.send("POST", path, body))
    assert (error["code"], error["field"]) == ("ValidationError", f"body:{field}")
    assert len(api.send("GET", path).items) == before


def test_target_below_the_minimum(api: Api) -> None:
    """The provider sends a target of 0 when a program sets none."""
    capacity = {"minimum": 2, "maximum": 1000, "target": 0}
    error = _error(api.send("POST", CLUSTERS, {"cluster": {**ALWAYS_POSTED, "capacity": capacity}}))
    assert (error["code"], error["field"]) == ("ValidationError", "body:cluster.capacity.target")
    cluster = _cluster(api)["id"]
    error = _error(api.send("PUT", f"{CLUSTERS}/{cluster}", {"cluster": {"capacity": {"minimum": 1}}}))
    assert error["code"] == "ValidationError"


@pytest.mark.parametrize(
    ("path", "wrapper", "code"),
    [
        (f"{CLUSTERS}/o-00000000", "cluster", "CLUSTER_DOESNT_EXIST"),
        (f"{GROUPS}/ols-00000000", "launchSpec", "CANT_GET_OCEAN_LAUNCH_SPEC"),
    ],
)
def test_objects_that_do_not_exist(api: Api, path: str, wrapper: str, code: str) -> None:
    """The provider removes an object with this code from its state; so does another account's object."""
    for method, body in (("GET", None), ("PUT", {wrapper: {"name": "x"}}), ("DELETE", None)):
        assert _error(api.send(method, path, body))["code"] == code
    other = api.sim.control.add_account()
    own = f"{CLUSTERS}/{api.ocean_id}" if wrapper == "cluster" else f"{GROUPS}/{_group(api)['id']}"
    assert _error(api.send("GET", own, account=other))["code"] == code


def test_deletions(api: Api) -> None:
    """Of a cluster and of a group."""
    cluster = _cluster(api)["id"]
    group = _group(api, cluster)["id"]
    for path, code in (
        (f"{GROUPS}/{group}", "CANT_GET_OCEAN_LAUNCH_SPEC"),
        (f"{CLUSTERS}/{cluster}", "CLUSTER_DOESNT_EXIST"),
    ):
        assert api.send("DELETE", path).body["response"].keys() == {"status"}
        assert _error(api.send("DELETE", path))["code"] == code


def test_region_and_controller_id_cannot_change(api: Api) -> None:
    """The provider sends such a change in one PUT with others, and none of them is applied."""
    created = _cluster(api)
    path = f"{CLUSTERS}/{created['id']}"
    for name in ("region", "controllerClusterId"):
        error = _error(api.send("PUT", path, {"cluster": {name: "other", "name": "renamed"}}))
        assert (error["code"], error["field"]) == ("CANT_UPDATE_OCEAN_ENTITY", f"body:cluster.{name}")
    assert api.send("GET", path).items == [created]


def test_a_roll_after_an_update(api: Api) -> None:
    """The provider treats the error code of a cluster without nodes as success."""
    ocean_id = _cluster(api)["id"]
    spec = {"roll": {"batchSizePercentage": 20, "respectPdb": False}}
    path = f"{CLUSTERS}/{ocean_id}/roll"
    assert _error(api.send("POST", path, spec))["code"] == "CLUSTER_HAS_NO_ACTIVE_INSTANCES"
    api.send("POST", GROUPS, {"launchSpec": {"oceanId": ocean_id}}, initialNodes=1)
    api.send("PUT", f"{CLUSTERS}/{ocean_id}", {"cluster": {"name": "x"}}, autoApplyTags="true")
    assert api.send("POST", path, spec).items[0]["status"] == "IN_PROGRESS"


def test_options_of_create_and_delete(api: Api) -> None:
    """Without deleteNodes the nodes stay."""
    ocean_id = _cluster(api)["id"]
    nodes = f"{CLUSTERS}/{ocean_id}/nodes"
    for options, left in (({}, 2), ({"deleteNodes": "true", "forceDelete": "true"}, 2)):
        body = {"launchSpec": {"oceanId": ocean_id}}
        group = api.send("POST", GROUPS, body, initialNodes=2).items[0]["id"]
        api.send("DELETE", f"{GROUPS}/{group}", **options)
        assert len(api.send("GET", nodes).items) == left


def test_the_last_group_of_a_template_only_cluster(api: Api) -> None:
    """Without it pods would have no place to run."""
    compute = {**CLUSTER["compute"]}
    compute["launchSpecification"] = {**compute["launchSpecification"], "useAsTemplateOnly": True}
    ocean_id = _cluster(api, compute=compute)["id"]
    first, second = (f"{GROUPS}/{_group(api, ocean_id)['id']}" for _ in range(2))
    assert api.send("DELETE", first).status == 200
    assert _error(api.send("DELETE", second))["code"] == "CANT_DELETE_OCEAN_LAUNCH_SPEC"
    assert api.send("DELETE", second, forceDelete="true").status == 200


def test_deleting_a_migrating_cluster(api: Api) -> None:
    """Spot does not document it; the refusal reveals programs that delete too early."""
    ocean_id, path = api.ocean_id, f"{CLUSTERS}/{api.ocean_id}"
    group = api.send("GET", GROUPS, oceanId=ocean_id).items[0]["id"]
    migration = api.create()
    assert _error(api.send("DELETE", path))["code"] == "CANT_DELETE_OCEAN_ENTITY"
    api.stop(migration)
    api.run(migration)
    assert api.send("DELETE", path).status == 200
    assert _error(api.send("GET", f"{GROUPS}/{group}"))["code"] == "CANT_GET_OCEAN_LAUNCH_SPEC"


def test_groups_are_listed_by_cluster(api: Api) -> None:
    """Those of one cluster, or of the whole account; an unknown cluster is refused."""
    ocean_id = _cluster(api)["id"]
    group = _group(api, ocean_id)
    assert api.send("GET", GROUPS, oceanId=ocean_id).items == [group]
    assert len(api.send("GET", GROUPS).items) == 3
    assert _error(api.send("GET", GROUPS, oceanId="o-00000000"))["code"] == "CLUSTER_DOESNT_EXIST"


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"labels": [{"key": "a"}, {"key": "kubernetes.io/hostname", "value": "x"}]}, "labels.1.key"),
        ({"labels": [{"key": "spotinst.io/node-lifecycle", "value": "od"}]}, "labels.0.key"),
        ({"labels": [{"value": "x"}]}, "labels.0.key"),
        ({"taints": [{"key": "a", "effect": "Sometimes"}]}, "taints.0.effect"),
    ],
)
def test_labels_and_taints_are_checked(api: Api, parts: dict[str, Any], field: str) -> None:
    """When a group is created, and when it is updated."""
    made = api.send("POST", GROUPS, {"launchSpec": {"oceanId": api.ocean_id, **parts}})
    changed = api.send("PUT", f"{GROUPS}/{_group(api)['id']}", {"launchSpec": parts})
    for reply in (made, changed):
        assert (_error(reply)["code"], _error(reply)["field"]) == ("ValidationError", f"body:launchSpec.{field}")
