"""Spot's own Python SDK against the simulator: every call that it has for simulated routes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from spotinst_sdk2 import SpotinstSession
from spotinst_sdk2.client import SpotinstClientException
from spotinst_sdk2.models.ocean import aws

from tests.support.timing import PATIENCE
from tests.testing.simulator.conftest import OPTIONS, Api


@pytest.fixture
def sdk(api: Api) -> Any:
    """Return the SDK's client for Ocean on AWS."""
    session = SpotinstSession(auth_token=api.sim.token, account_id=api.sim.account_id, base_url=api.sim.url)
    return session.client("ocean_aws", timeout=PATIENCE)


def _migration(instance_ids: list[str], **changes: Any) -> Any:
    names = {
        "should_terminate_drained_nodes": OPTIONS["shouldTerminateDrainedNodes"],
        "should_evict_stand_alone_pods": OPTIONS["shouldEvictStandAlonePods"],
        "force_pod_eviction_on_pdb_failure": OPTIONS["forcePodEvictionOnPdbFailure"],
        "batch_size_percentage": OPTIONS["batchSizePercentage"],
    }
    return aws.Migration(instance_ids=instance_ids, **{**names, **changes})


def test_the_sdk_calls_of_a_migration(api: Api, sdk: Any) -> None:
    """Discover, create, list, status, stop and nodes, with the keys that the SDK derives."""
    instances = sdk.get_migration_discovery(api.ocean_id, True)[0]["instances"]
    assert len(instances) == 16
    assert instances[0].keys() == {"k8s_node_name", "asg_name", "instance_id", "launch_spec_id", "running_pods"}
    ids = [instance["instance_id"] for instance in instances]
    migration = sdk.create_migration(api.ocean_id, _migration(ids))["id"]
    assert sdk.get_all_migrations_summary(api.ocean_id)[0]["_id"] == migration
    api.run(migration, until="VALIDATE_DRAIN")
    status = sdk.get_migration_status(api.ocean_id, migration)
    assert (status["_id"], status["status"], status["ocean_id"]) == (migration, "VALIDATE_DRAIN", api.ocean_id)
    assert [instance["instance_id"] for instance in status["old_instances"]] == ids
    assert status["migration_config"] == {
        "should_terminate_drained_nodes": False,
        "should_evict_stand_alone_pods": False,
    }
    stop = aws.Migration(state="STOPPED", should_terminate_drained_nodes=True)
    assert sdk.stop_migration(api.ocean_id, migration, stop) == {
        "id": migration,
        "ocean_id": api.ocean_id,
        "state": "STOPPED",
    }
    assert api.run(migration)[-1] == "STOPPED"
    nodes = sdk.get_cluster_nodes(api.ocean_id)
    assert {node["instance_id"] for node in nodes} == {one["instance_id"] for one in status["new_instances"]}
    assert sdk.get_cluster_nodes(api.ocean_id, instance_id=nodes[0]["instance_id"]) == nodes[:1]


def test_errors_reach_the_sdk(api: Api, sdk: Any) -> None:
    """It shows the messages of the service: here a missing field and a rejected token."""
    with pytest.raises(SpotinstClientException) as caught:
        sdk.create_migration(api.ocean_id, aws.Migration(instance_ids=api.offered()))
    response = json.loads(caught.value.message.split("\n", 1)[1])
    assert response["status"]["code"] == 400
    assert response["errors"][0]["code"] == "ValidationError"
    api.sim.control.rotate_token()
    with pytest.raises(SpotinstClientException) as caught:
        sdk.get_all_migrations_summary(api.ocean_id)
    assert json.loads(caught.value.message.split("\n", 1)[1]) == {"status": {"code": 401, "message": "Unauthorized"}}


def test_the_sdk_manages_a_cluster(api: Api, sdk: Any) -> None:
    """Create, read, list, update and delete."""
    template = aws.LaunchSpecifications(image_id="ami-1", security_group_ids=["sg-1"], user_data="YQ==")
    ocean = aws.Ocean(
        name="sdk",
        controller_cluster_id="sdk-dev",
        region="us-west-2",
        capacity=aws.Capacity(minimum=0, maximum=10, target=0),
        strategy=aws.Strategy(spot_percentage=70, fallback_to_od=True),
        compute=aws.Compute(subnet_ids=["subnet-1"], launch_specification=template),
    )
    created = sdk.create_ocean_cluster(ocean)
    assert created["compute"]["launch_specification"]["image_id"] == "ami-1"
    assert sdk.get_ocean_cluster(created["id"]) == created
    assert len(sdk.get_all_ocean_cluster()) == 2
    changed = sdk.update_ocean_cluster(created["id"], aws.Ocean(name="renamed", capacity=aws.Capacity(maximum=20)))
    assert changed["name"] == "renamed"
    assert changed["capacity"] == {"minimum": 0, "maximum": 20, "target": 0}
    assert sdk.delete_ocean_cluster(created["id"])
    with pytest.raises(SpotinstClientException, match=r"Error encountered while getting"):
        sdk.get_ocean_cluster(created["id"])


def test_the_sdk_manages_a_group(api: Api, sdk: Any) -> None:
    """Create with nodes, read, list, update, and delete with its nodes."""
    group = aws.VirtualNodeGroup(
        ocean_id=api.ocean_id,
        name="gpu",
        labels=[aws.Labels(key="gpu", value="true")],
        taints=[aws.Taints(key="gpu", value="true", effect="NoSchedule")],
        strategy=aws.VNGStrategy(spot_percentage=50),
    )
    created = sdk.create_virtual_node_group(group, initial_nodes=1)
    assert created["labels"] == [{"key": "gpu", "value": "true"}]
    assert sdk.get_virtual_node_group(created["id"]) == [created]
    assert created in sdk.get_all_virtual_node_groups(api.ocean_id)
    assert len(sdk.get_cluster_nodes(api.ocean_id, launch_spec_id=created["id"])) == 1
    changed = sdk.update_virtual_node_group(created["id"], aws.VirtualNodeGroup(name="gpus"))
    assert (changed["name"], changed["strategy"]) == ("gpus", {"spot_percentage": 50})
    assert sdk.delete_virtual_node_group(created["id"], delete_nodes=True, force_delete=True)
    assert sdk.get_cluster_nodes(api.ocean_id) == []


def test_the_sdk_imports(api: Api, sdk: Any) -> None:
    """From an Auto Scaling Group to a cluster and to a group, and from an EKS node group to a group."""
    cluster = sdk.import_asg_to_ocean_cluster(
        "web", "us-west-2", aws.ImportASGToOceanCluster(instance_types=["c3.large"])
    )[0]
    assert cluster["compute"]["instance_types"] == {"whitelist": ["c3.large"]}
    label = aws.Labels(key="a", value="b")
    group = sdk.import_asg_to_ocean_vng(
        "web", api.ocean_id, aws.ImportASGToOceanVNG(name="w", labels=[label], taints=[])
    )
    assert (group["name"], group["labels"]) == ("w", [{"key": "a", "value": "b"}])
    spec = aws.ImportEKSNodeGroupToOceanVNG(name="n", labels=[label])
    for place in ({"ocean_id": api.ocean_id}, {"region": "us-west-2"}):
        assert sdk.import_eks_cluster_node_group_to_ocean_vng("demo", "batch", spec, **place)["name"] == "n"


def test_the_sdk_reads_log_and_heartbeat_detaches_and_rolls(api: Api, sdk: Any) -> None:
    """The remaining calls around a migration."""
    assert sdk.get_heartbeat_status(api.ocean_id)["status"] == "ACTIVE"
    api.run(api.create(api.offered()[:2]))
    lines = sdk.fetch_elastilog(api.ocean_id, "0", "99999999999999", severity="INFO", limit=2)
    assert len(lines) == 2
    roll = sdk.initiate_roll(api.ocean_id, aws.Roll(batch_size_percentage=50))
    assert sdk.list_rolls(api.ocean_id) == [roll]
    assert sdk.get_roll(api.ocean_id, roll["id"])["status"] == "IN_PROGRESS"
    assert sdk.update_roll(api.ocean_id, roll["id"], "STOPPED")["status"] == "STOPPED"
    ids = [node["instance_id"] for node in sdk.get_cluster_nodes(api.ocean_id)]
    detached = aws.DetachInstances(instances_to_detach=ids, should_terminate_instances=True)
    assert sdk.detach_instances(api.ocean_id, detached)["status"]["code"] == 200
    assert sdk.get_cluster_nodes(api.ocean_id) == []
