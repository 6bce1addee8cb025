"""Imports from Auto Scaling Groups and EKS node groups, and the groups themselves."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import ControlError, Simulator
from tests.testing.simulator.conftest import Api

CLUSTERS = "/ocean/aws/k8s/cluster"
GROUPS = "/ocean/aws/k8s/launchSpec"
CLUSTER_OF_ASG = f"{CLUSTERS}/autoScalingGroup/import"
GROUP_OF_ASG = f"{GROUPS}/autoScalingGroup/import"
GROUP_OF_NODE_GROUP = f"{GROUPS}/eksNodeGroup/import"
REGION = "us-west-2"


def _cluster(api: Api, name: str = "web", **query: Any) -> dict[str, Any]:
    query = {"autoScalingGroupName": name, "region": REGION, **query}
    item: dict[str, Any] = api.send("POST", CLUSTER_OF_ASG, {}, **query).items[0]
    return item


def _group(api: Api, **spec: Any) -> dict[str, Any]:
    query = {"autoScalingGroupName": "web", "oceanId": api.ocean_id}
    item: dict[str, Any] = api.send("POST", GROUP_OF_ASG, {"launchSpec": spec}, **query).items[0]
    return item


def _node_group(api: Api, name: str = "batch", **query: Any) -> dict[str, Any]:
    query = {"eksClusterName": "demo", "eksNodeGroupName": name, **query}
    item: dict[str, Any] = api.send("POST", GROUP_OF_NODE_GROUP, {}, **query).items[0]
    return item


def test_import_a_cluster_from_an_auto_scaling_group(api: Api) -> None:
    """It has the launch settings, the number of nodes and a generated controller id, and can be created."""
    cluster = _cluster(api)
    assert (cluster["name"], cluster["region"]) == ("web", REGION)
    assert cluster["controllerClusterId"].startswith("ocean-")
    assert cluster["capacity"] == {"minimum": 0, "maximum": 1000, "target": 6}
    assert cluster["compute"].keys() == {"subnetIds", "launchSpecification"}
    template = cluster["compute"]["launchSpecification"]
    assert template["iamInstanceProfile"]["arn"].endswith(":instance-profile/workers")
    assert base64.b64decode(template["userData"]).startswith(b"#!/bin/bash\n")
    assert {"imageId", "securityGroupIds", "keyPair", "tags", "instanceMetadataOptions"} < template.keys()
    assert "blockDeviceMappings" not in template
    assert len(api.send("GET", CLUSTERS).items) == 1
    assert api.send("POST", CLUSTERS, {"cluster": cluster}).status == 200
    spec = {"cluster": {"instanceTypes": ["c3.large"]}}
    chosen = api.send("POST", CLUSTER_OF_ASG, spec, autoScalingGroupName="web", region=REGION).items[0]
    assert chosen["compute"]["instanceTypes"] == {"whitelist": ["c3.large"]}


def test_import_a_group_from_an_auto_scaling_group(api: Api) -> None:
    """Name, labels and taints come from the request, everything else from the group; it can be created."""
    spec = {
        "name": "web-2",
        "labels": [{"key": "a", "value": "b"}],
        "taints": [{"key": "c", "value": "", "effect": "NoSchedule"}],
    }
    group = _group(api, **spec)
    assert {name: group[name] for name in spec} == spec
    assert (group["oceanId"], group["instanceTypes"]) == (api.ocean_id, ["m5.large", "m5a.large"])
    assert {"userData", "iamInstanceProfile", "subnetIds", "tags"} < group.keys()
    assert "keyPair" not in group
    assert _group(api)["name"] == "web"
    assert api.send("POST", GROUPS, {"launchSpec": group}).status == 200


def test_import_a_group_from_a_node_group(api: Api) -> None:
    """By region or by cluster, with EKS's own instance profile and a larger disk."""
    by_region = _node_group(api, region=REGION)
    assert _node_group(api, oceanId=api.ocean_id) == {**by_region, "oceanId": api.ocean_id}
    assert by_region["blockDeviceMappings"][0]["ebs"]["volumeSize"] == 100
    assert by_region["iamInstanceProfile"]["arn"].rpartition("/")[2].startswith("eks-")


def test_importing_what_does_not_exist(api: Api) -> None:
    """Another region, an unknown group or an unknown cluster: each with its code, in the service's envelope."""
    query = {"autoScalingGroupName": "web", "region": "mars"}
    assert api.send("POST", CLUSTER_OF_ASG, {}, **query).code == "CANT_GET_AUTO_SCALING_GROUP"
    query = {"autoScalingGroupName": "nowhere", "oceanId": api.ocean_id}
    assert api.send("POST", GROUP_OF_ASG, {}, **query).code == "CANT_GET_AUTO_SCALING_GROUP"
    query = {"eksClusterName": "demo", "eksNodeGroupName": "nowhere", "region": REGION}
    reply = api.send("POST", GROUP_OF_NODE_GROUP, {}, **query)
    assert reply.body["response"]["errors"] == [
        {"code": "CANT_GET_EKS_NODE_GROUP", "message": "EksNodeGroup: 'nowhere' does not exist"}
    ]
    query = {"autoScalingGroupName": "web", "oceanId": "o-00000000"}
    assert api.send("POST", GROUP_OF_ASG, {}, **query).code == "CLUSTER_DOESNT_EXIST"


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        (CLUSTER_OF_ASG, {"region": REGION}, {}),
        (CLUSTER_OF_ASG, {"autoScalingGroupName": "web"}, {}),
        (CLUSTER_OF_ASG, {"autoScalingGroupName": "web", "region": REGION}, {"cluster": {"name": "x"}}),
        (GROUP_OF_ASG, {"autoScalingGroupName": "web"}, {}),
        (GROUP_OF_NODE_GROUP, {"eksNodeGroupName": "web", "region": REGION}, {}),
        (GROUP_OF_NODE_GROUP, {"eksClusterName": "demo", "region": REGION}, {}),
        (GROUP_OF_NODE_GROUP, {"eksClusterName": "demo", "eksNodeGroupName": "web"}, {}),
        (
            GROUP_OF_NODE_GROUP,
            {"eksClusterName": "demo", "eksNodeGroupName": "web", "region": REGION},
            {"launchSpec": {"taints": []}},
        ),
        (
            GROUP_OF_NODE_GROUP,
            {"eksClusterName": "demo", "eksNodeGroupName": "web", "region": REGION},
            {"launchSpec": {"labels": [{"key": "topology.kubernetes.io/zone", "value": "x"}]}},
        ),
    ],
)
def test_an_invalid_import_is_refused(api: Api, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
    """A missing parameter, an unknown field, or a label that Kubernetes sets itself."""
    assert api.send("POST", path, body, **query).code == "ValidationError"


def test_an_import_with_region_and_cluster_is_refused(api: Api) -> None:
    """Exactly one of region and cluster is required."""
    query = {"eksClusterName": "demo", "eksNodeGroupName": "web", "region": REGION, "oceanId": api.ocean_id}
    assert api.send("POST", GROUP_OF_NODE_GROUP, {}, **query).code == "ValidationError"


def test_an_import_of_the_documented_fields_only(simulate: Any) -> None:
    """With the quirk an import has only the documented fields, and one tag as an object where documented so."""
    api = simulate(checked=False)
    api.sim.control.quirk("imports", "documented")
    api.sim.control.quirk("import_tags", "object")
    template = _cluster(api)["compute"]["launchSpecification"]
    assert not template.keys() & {"userData", "iamInstanceProfile", "blockDeviceMappings"}
    assert template["tags"] == {"tagKey": "kubernetes.io/cluster/demo", "tagValue": "owned"}
    documented = {"name", "imageId", "securityGroupIds", "tags", "instanceMetadataOptions"}
    assert _group(api).keys() == documented | {"oceanId"}
    node_group = _node_group(api, region=REGION)
    assert node_group.keys() == documented
    assert isinstance(node_group["tags"], list)


def test_auto_scaling_groups_exist_without_a_cluster(api: Api) -> None:
    """The group of a new node is created, in the region of its cluster."""
    api.sim.control.add_node(api.ocean_id, "gpu")
    api.sim.control.delete_cluster(api.ocean_id)
    names = {(group["name"], group["region"]) for group in api.sim.control.auto_scaling_groups()}
    assert names == {(name, REGION) for name in ("web", "api", "batch", "gpu")}
    assert _cluster(api, "gpu")["capacity"]["target"] == 0


def test_auto_scaling_groups_can_be_changed_and_added(api: Api) -> None:
    """An import leaves out what a group does not have."""
    control = api.sim.control
    control.auto_scaling_group("web", instance_profile=None, key_pair=None, user_data=None, tags={})
    template = _cluster(api)["compute"]["launchSpecification"]
    assert not template.keys() & {"iamInstanceProfile", "keyPair", "userData", "tags"}
    added = control.auto_scaling_group("web", region="eu-central-1", subnet_ids=["subnet-9"])
    assert (added["region"], added["key_pair"]) == ("eu-central-1", "operators")
    assert _cluster(api, region="eu-central-1")["compute"]["subnetIds"] == ["subnet-9"]
    with pytest.raises(ControlError, match="unknown part 'colour': one of block_devices, image_id"):
        control.auto_scaling_group("web", colour="red")


def test_a_removed_auto_scaling_group(simulate: Any) -> None:
    """AWS terminates its nodes, nothing replaces them, and no import finds it; one of another region stays."""
    api = simulate(scenario="refilling-asg")
    control = api.sim.control
    control.auto_scaling_group("web", region="eu-central-1")
    control.remove_auto_scaling_group("web")
    control.advance(3600)
    left = [node["asg_name"] for node in control.nodes(api.ocean_id) if not node["terminated"]]
    assert sorted(set(left)) == ["api", "batch"]
    query = {"autoScalingGroupName": "web", "oceanId": api.ocean_id}
    assert api.send("POST", GROUP_OF_ASG, {}, **query).code == "CANT_GET_AUTO_SCALING_GROUP"
    assert _cluster(api, region="eu-central-1")["region"] == "eu-central-1"
    with pytest.raises(ControlError, match="does not exist"):
        control.remove_auto_scaling_group("web")


def test_auto_scaling_groups_survive_a_restart(tmp_path: Path) -> None:
    """An older state file without groups gets those of its nodes."""
    state = tmp_path / "state.json"
    with Simulator(state_file=state) as sim:
        sim.control.auto_scaling_group("web", key_pair="mine")
        sim.control.remove_auto_scaling_group("api")
        before = sim.control.auto_scaling_groups()
    with Simulator(state_file=state) as sim:
        assert sim.control.auto_scaling_groups() == before
    saved = json.loads(state.read_text())
    del saved["world"]["auto_scaling_groups"]
    state.write_text(json.dumps(saved))
    with Simulator(state_file=state) as sim:
        assert {group["name"] for group in sim.control.auto_scaling_groups()} == {"web", "api", "batch"}


def test_connect_installs_a_controller(api: Api) -> None:
    """A cluster that was created through the API has nodes once its controller reports."""
    body = {**_cluster(api), "region": "eu-central-1"}
    ocean_id = api.send("POST", CLUSTERS, {"cluster": body}).items[0]["id"]
    control = api.sim.control
    assert control.nodes(ocean_id) == []
    shown = control.connect(ocean_id, 8)
    assert [node["asg_name"] for node in shown] == ["web"] * 3 + ["api"] * 3 + ["batch"] * 2
    assert {node["zone"][:-1] for node in shown} == {"eu-central-1"}
    beat = api.send("GET", f"/ocean/k8s/cluster/{ocean_id}/controllerHeartbeat").items[0]
    assert beat["status"] == "ACTIVE"
    more = control.connect(ocean_id, {"gpu": 2})
    assert [node["asg_name"] for node in more] == ["gpu", "gpu"]
    assert control.connect(ocean_id, 0) == []
    found = {node["instance_id"] for node in shown if node["asg_name"] == "api"}
    items = api.send("GET", f"{CLUSTERS}/{ocean_id}/migration/discovery").items[0]["instances"]
    assert len(items) == 10
    assert {item["instanceId"] for item in items if item["launchSpecId"] == "Default"} == found | {
        node["instance_id"] for node in more
    }
    for nodes in (-1, {"web": -1}):
        with pytest.raises(ControlError, match="must not be negative"):
            control.connect(ocean_id, nodes)
