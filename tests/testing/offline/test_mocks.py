"""Clusters and Virtual Node Groups of `pulumi_spotinst` in the simulator."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import MockResourceArgs

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack, SimulatorMocks
from ocean_migration_pulumi.testing.offline.plugin.providers import ProviderFailure
from tests.testing.simulator.conftest import Api

OCEAN = "spotinst:aws/ocean:Ocean"
GROUP = "spotinst:aws/oceanLaunchSpec:OceanLaunchSpec"
RELEASE = "kubernetes:helm.sh/v3:Release"
CLUSTERS = "/ocean/aws/k8s/cluster"
GROUPS = "/ocean/aws/k8s/launchSpec"
REQUIRED: dict[str, Any] = {
    "region": "us-west-2",
    "subnetIds": ["subnet-1"],
    "imageId": "ami-1",
    "securityGroups": ["sg-1"],
}
PROGRAM = """
import pulumi
from pulumi_spotinst import aws

config = pulumi.Config()
changed = config.get_bool("changed")
ocean = aws.Ocean(
    "prod",
    controller_id="prod",
    region="us-west-2",
    subnet_ids=["subnet-1"],
    image_id="ami-1",
    security_groups=["sg-1"],
    iam_instance_profile="workers",
    user_data="#!/bin/sh",
    max_size=20 if changed else 10,
    autoscaler=aws.OceanAutoscalerArgs(autoscale_is_enabled=True, resource_limits={"max_vcpu": 100}),
    tags=[aws.OceanTagArgs(key="team", value="shop")],
)
group = aws.OceanLaunchSpec(
    "web",
    ocean_id=ocean.id,
    name="web",
    labels=[{"key": "workload", "value": "web"}],
    strategies=None if changed else [{"spot_percentage": 70}],
    resource_limits=[aws.OceanLaunchSpecResourceLimitArgs(max_instance_count=5)],
    create_options=aws.OceanLaunchSpecCreateOptionsArgs(initial_nodes=1),
    delete_options=aws.OceanLaunchSpecDeleteOptionsArgs(delete_nodes=True, force_delete=True),
)
pulumi.export("ocean", ocean.id)
pulumi.export("group", group.id)
"""


def _args(typ: str, name: str, inputs: dict[str, Any], id_: str | None = None) -> MockResourceArgs:
    return MockResourceArgs(typ=typ, name=name, inputs=inputs, provider="", resource_id=id_, custom=True)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Run a simulator."""
    with Simulator() as running:
        yield running


@pytest.fixture
def mocks(simulator: Simulator) -> SimulatorMocks:
    """Return mocks that work in the simulator; a controller that is installed brings four nodes."""
    return SimulatorMocks(simulator.url, simulator.token, simulator.account_id, joining={"web": 3, "api": 1})


def _made(simulator: Simulator, path: str, id_: str | None) -> Any:
    return Api(simulator).send("GET", f"{path}/{id_}").items[0]


def _writes(simulator: Simulator) -> list[tuple[str, str]]:
    log = simulator.control.requests()
    return [(entry["method"], entry["path"]) for entry in log if entry["method"] != "GET"]


def test_a_cluster_with_the_required_inputs(simulator: Simulator, mocks: SimulatorMocks) -> None:
    """The body has the defaults of the provider, and the name of the resource."""
    id_, outputs = mocks.new_resource(_args(OCEAN, "prod", REQUIRED))
    made = _made(simulator, CLUSTERS, id_)
    assert outputs == {**REQUIRED, "name": "prod"}
    assert {name: made[name] for name in ("name", "controllerClusterId", "region")} == {
        "name": "prod",
        "controllerClusterId": "prod",
        "region": "us-west-2",
    }
    assert made["capacity"] == {"minimum": 0, "maximum": 1000, "target": 0}
    assert made["strategy"] == {"utilizeReservedInstances": True, "fallbackToOd": True}
    assert made["compute"] == {
        "subnetIds": ["subnet-1"],
        "instanceTypes": {},
        "launchSpecification": {
            "imageId": "ami-1",
            "securityGroupIds": ["sg-1"],
            "healthCheckUnhealthyDurationBeforeReplacement": 120,
        },
    }
    assert not {"autoScaler", "scheduling"} & made.keys()


def test_the_inputs_of_a_cluster(simulator: Simulator, mocks: SimulatorMocks) -> None:
    """Each input is in its place in the body, and whole numbers are integers."""
    inputs = {
        **REQUIRED,
        "name": "shop",
        "controllerId": "shop-eks",
        "minSize": 1.0,
        "desiredCapacity": 1.0,
        "maxSize": 50.0,
        "spotPercentage": 80.0,
        "fallbackToOndemand": False,
        "whitelists": ["m5.large"],
        "keyName": "operators",
        "iamInstanceProfile": "arn:aws:iam::123456789012:instance-profile/workers",
        "userData": "#!/bin/sh",
        "tags": [{"key": "team", "value": "shop"}],
        "autoscaler": {
            "autoscaleIsEnabled": True,
            "autoscaleDown": {"maxScaleDownPercentage": 12.5, "isAggressiveScaleDownEnabled": True},
            "resourceLimits": {"maxVcpu": 100.0, "maxMemoryGib": None},
        },
        "clusterOrientations": [{"availabilityVsCost": "balanced"}],
        "unheardOf": True,
    }
    made = _made(simulator, CLUSTERS, mocks.new_resource(_args(OCEAN, "prod", inputs))[0])
    template = made["compute"]["launchSpecification"]
    assert (made["name"], made["controllerClusterId"]) == ("shop", "shop-eks")
    assert made["capacity"] == {"minimum": 1, "maximum": 50, "target": 1}
    assert made["strategy"] == {
        "spotPercentage": 80,
        "fallbackToOd": False,
        "utilizeReservedInstances": True,
        "clusterOrientation": {"availabilityVsCost": "balanced"},
    }
    assert made["compute"]["instanceTypes"] == {"whitelist": ["m5.large"]}
    assert template["keyPair"] == "operators"
    assert template["iamInstanceProfile"] == {"arn": inputs["iamInstanceProfile"]}
    assert base64.b64decode(template["userData"]) == b"#!/bin/sh"
    assert template["tags"] == [{"tagKey": "team", "tagValue": "shop"}]
    assert made["autoScaler"] == {
        "isEnabled": True,
        "down": {"maxScaleDownPercentage": 12.5, "aggressiveScaleDown": {"isEnabled": True}},
        "resourceLimits": {"maxVCpu": 100},
    }


def test_the_inputs_of_a_group(simulator: Simulator, mocks: SimulatorMocks) -> None:
    """Each input of a Virtual Node Group is in its place, and its options are in the query."""
    inputs = {
        "oceanId": simulator.ocean_id,
        "labels": [{"key": "pool", "value": "warm"}],
        "taints": [{"key": "pool", "value": "warm", "effect": "NoSchedule"}],
        "instanceTypes": ["c5.xlarge"],
        "subnetIds": ["subnet-2"],
        "securityGroups": ["sg-2"],
        "iamInstanceProfile": "workers",
        "userData": base64.b64encode(b"#!/bin/sh").decode(),
        "strategies": [{"spotPercentage": 50.0}],
        "resourceLimits": [{"maxInstanceCount": 4.0}],
        "autoscaleHeadrooms": [{"cpuPerUnit": 100.0, "numOfUnits": 2.0}],
        "autoscaleHeadroomsAutomatics": [{"autoHeadroomPercentage": 5.0}],
        "autoscaleDowns": [{"maxScaleDownPercentage": 10.0}],
        "createOptions": {"initialNodes": 2.0},
        "deleteOptions": {"deleteNodes": True, "forceDelete": None},
    }
    id_, _ = mocks.new_resource(_args(GROUP, "warm", inputs))
    made = _made(simulator, GROUPS, id_)
    api = Api(simulator)
    nodes = f"{CLUSTERS}/{simulator.ocean_id}/nodes"
    assert {name: made[name] for name in ("name", "labels", "taints", "instanceTypes", "subnetIds", "userData")} == {
        "name": "warm",
        **{name: inputs[name] for name in ("labels", "taints", "instanceTypes", "subnetIds", "userData")},
    }
    assert (made["securityGroupIds"], made["iamInstanceProfile"]) == (["sg-2"], {"name": "workers"})
    # The provider sends the other two, whatever the cluster has.
    assert made["strategy"] == {
        "spotPercentage": 50,
        "utilizeReservedInstances": True,
        "utilizeCommitments": False,
    }
    assert made["resourceLimits"] == {"maxInstanceCount": 4}
    assert made["autoScale"] == {
        "headrooms": [{"cpuPerUnit": 100, "numOfUnits": 2}],
        "autoHeadroomPercentage": 5,
        "down": {"maxScaleDownPercentage": 10},
    }
    assert len(api.send("GET", nodes, launchSpecId=id_).items) == 2
    mocks.delete_resource(_args(GROUP, "warm", inputs, id_), {})
    assert api.send("GET", nodes).items == []


def test_an_update_sends_only_changes(simulator: Simulator, mocks: SimulatorMocks) -> None:
    """Inputs that are no longer set are cleared, and unchanged fields are not sent."""
    before = {**REQUIRED, "maxSize": 10.0, "spotPercentage": 80.0, "userData": "#!/bin/sh"}
    id_, outputs = mocks.new_resource(_args(OCEAN, "prod", before))
    elsewhere = {"compute": {"launchSpecification": {"imageId": "ami-2"}}}
    Api(simulator).send("PUT", f"{CLUSTERS}/{id_}", {"cluster": elsewhere})
    after = {**REQUIRED, "maxSize": 20.0, "userData": "#!/bin/sh"}
    changed = mocks.update_resource(_args(OCEAN, "prod", after, id_), outputs)
    made = _made(simulator, CLUSTERS, id_)
    assert changed == {**after, "name": "prod"}
    assert made["capacity"] == {"minimum": 0, "maximum": 20, "target": 0}
    assert "spotPercentage" not in made["strategy"]
    assert made["compute"]["launchSpecification"]["imageId"] == "ami-2"
    simulator.control.clear_requests()
    assert mocks.update_resource(_args(OCEAN, "prod", after, id_), changed) == changed
    assert _writes(simulator) == []
    with pytest.raises(ProviderFailure, match="CANT_UPDATE_OCEAN_ENTITY"):
        mocks.update_resource(_args(OCEAN, "prod", {**after, "region": "eu-west-1"}, id_), changed)


def test_a_controller_connects_its_cluster(simulator: Simulator, mocks: SimulatorMocks) -> None:
    """Its Helm release makes the cluster report its nodes, once; without it the heartbeat stops."""
    id_, _ = mocks.new_resource(_args(OCEAN, "prod", {**REQUIRED, "controllerId": "prod-eks"}))
    assert id_ is not None
    release = {"chart": "ocean-kubernetes-controller", "values": {"spotinst": {"clusterIdentifier": "prod-eks"}}}
    heartbeat = f"/ocean/k8s/cluster/{id_}/controllerHeartbeat"
    api = Api(simulator)
    mocks.new_resource(_args(RELEASE, "other", {**release, "chart": "nginx"}))
    mocks.new_resource(_args(RELEASE, "lost", {"chart": "ocean-kubernetes-controller"}))
    assert api.send("GET", heartbeat).items == []
    mocks.new_resource(_args(RELEASE, "controller", release))
    assert api.send("GET", heartbeat).items[0]["status"] == "ACTIVE"
    assert [node["asg_name"] for node in simulator.control.nodes(id_)] == ["web", "web", "web", "api"]
    mocks.delete_resource(_args(RELEASE, "controller", release, "x"), {})
    assert api.send("GET", heartbeat).items[0]["status"] == "INACTIVE"
    mocks.new_resource(_args(RELEASE, "controller", release))
    assert api.send("GET", heartbeat).items[0]["status"] == "ACTIVE"
    assert len(simulator.control.nodes(id_)) == 4


def test_without_joining_a_release_has_no_effect(simulator: Simulator) -> None:
    """The test decides whether and when the controller reports."""
    mocks = SimulatorMocks(simulator.url, simulator.token, simulator.account_id)
    release = {"chart": "ocean-kubernetes-controller", "values": {"spotinst": {"clusterIdentifier": "demo"}}}
    before = len(simulator.control.nodes(simulator.ocean_id))
    assert mocks.new_resource(_args(RELEASE, "controller", release)) == ("controller-id", release)
    mocks.delete_resource(_args(RELEASE, "controller", release, "x"), {})
    assert len(simulator.control.nodes(simulator.ocean_id)) == before
    assert simulator.control.overview()["clusters"][0]["heartbeat"] == "ACTIVE"


def test_a_program_with_the_classes_of_pulumi_spotinst(
    simulator: Simulator, mocks: SimulatorMocks, tmp_path: Path
) -> None:
    """A stack with the variables of the proxy creates, changes and destroys its resources."""
    (tmp_path / "__main__.py").write_text(PROGRAM, encoding="utf-8")

    def stack(**config: str) -> OfflineStack:
        environment = {**simulator.environment, **simulator.proxy_environment}
        state = tmp_path / "state.json"
        return OfflineStack(tmp_path, state, project="shop", config=config, mocks=mocks, environment=environment)

    result = stack().up()
    assert result.succeeded, result.diagnostics
    ocean, group = result.outputs["ocean"], result.outputs["group"]
    made = _made(simulator, CLUSTERS, ocean)
    assert made["capacity"]["maximum"] == 10
    assert made["autoScaler"] == {"isEnabled": True, "resourceLimits": {"maxVCpu": 100}}
    assert made["compute"]["launchSpecification"]["iamInstanceProfile"] == {"name": "workers"}
    assert _made(simulator, GROUPS, group)["strategy"]["spotPercentage"] == 70
    assert [node["virtual_node_group_id"] for node in simulator.control.nodes(ocean)] == [group]
    simulator.control.clear_requests()
    changed = stack(changed="true")
    assert changed.up().summary == {"same": 1, "update": 2}
    assert sorted(_writes(simulator)) == [("PUT", f"{CLUSTERS}/{ocean}"), ("PUT", f"{GROUPS}/{group}")]
    assert _made(simulator, CLUSTERS, ocean)["capacity"]["maximum"] == 20
    assert "strategy" not in _made(simulator, GROUPS, group)
    assert changed.up().summary == {"same": 3}
    assert changed.destroy().succeeded
    assert [each["id"] for each in simulator.control.overview()["clusters"]] == [simulator.ocean_id]


EXPLICIT = "explicit::1"


@pytest.mark.parametrize(
    ("config", "account"),
    [
        ({}, "own"),
        ({"account": "other", "token": "own"}, "other"),
        ({"account": "other", "featureFlags": "MergeCredentialsChain=true"}, "other"),
    ],
    ids=["environment", "explicit", "merged"],
)
def test_credentials_are_those_of_the_provider(simulator: Simulator, config: dict[str, str], account: str) -> None:
    """As in the real plugin: an explicit provider completes nothing from the environment without the feature flag."""
    ids = {"own": simulator.account_id, "other": simulator.control.add_account()}
    mocks = SimulatorMocks(simulator.url, simulator.token, simulator.account_id)
    given = {key: {"own": simulator.token, "other": ids["other"]}.get(value, value) for key, value in config.items()}
    mocks.configure_provider("spotinst", EXPLICIT, given)
    args = _args(OCEAN, "prod", REQUIRED)
    args.provider = EXPLICIT
    id_, _ = mocks.new_resource(args)
    made = {each["id"]: each["account_id"] for each in simulator.control.overview()["clusters"]}
    assert made[str(id_)] == ids[account]


def test_account_alone_is_no_valid_configuration(mocks: SimulatorMocks) -> None:
    """The plugin stops at the first source that names either."""
    with pytest.raises(ProviderFailure, match="No valid credentials found for Spotinst Provider"):
        mocks.configure_provider("spotinst", EXPLICIT, {"account": "act-1"})
    mocks.configure_provider("kubernetes", EXPLICIT, {})
