"""What becomes of the service's imports: arguments, and what the user is told about them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_spotinst as spotinst
import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.component.importing.importer import (
    AutoScalingGroupSource,
    Imported,
    NodeGroupSource,
    import_cluster,
    import_vng,
)
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    OceanMigrationError,
    RequestRejectedError,
    SourceGoneError,
)
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.offline.plugin.simulator_mocks import SimulatorMocks
from tests.support import http_server as http

# pulumi_aws.ec2 warns of one of its own modules when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:aws.ec2/encryptioncontrol:DeprecationWarning")

ASG = AutoScalingGroupSource(name="web")
GROUP = NodeGroupSource(name="web", eks_cluster="demo")
REGION = "us-west-2"
SUBNETS = ["subnet-0a1b2c3d", "subnet-0b2c3d4e"]
PROFILE = "arn:aws:iam::123456789012:instance-profile/nodes"
GET_REGION = "aws:index/getRegion:getRegion"
GET_NODE_GROUP = "aws:eks/getNodeGroup:getNodeGroup"
GET_GROUP = "aws:autoscaling/getGroup:getGroup"
GET_TEMPLATE = "aws:ec2/getLaunchTemplate:getLaunchTemplate"
GET_CONFIGURATION = "aws:ec2/getLaunchConfiguration:getLaunchConfiguration"
TAGS = "k8s.io/cluster-autoscaler/node-template/"


class Aws(SimulatorMocks):
    """An AWS with one node group in one Auto Scaling Group of one launch template; Ocean's part is the simulator."""

    def __init__(self, sim: Simulator) -> None:
        super().__init__(sim.url, sim.token, sim.account_id)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.made: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any] | str] = {
            GET_REGION: {"region": REGION},
            GET_NODE_GROUP: {
                "labels": {"workload": "web", "eks.amazonaws.com/nodegroup": "web"},
                "taints": [
                    {"key": "dedicated", "value": "web", "effect": "NO_SCHEDULE"},
                    {"key": "spot", "effect": "PREFER_NO_SCHEDULE"},
                ],
                "subnetIds": ["subnet-1"],
                "instanceTypes": ["m5.large"],
                "resources": [{"autoscalingGroups": [{"name": "web"}]}],
            },
            GET_GROUP: {
                "name": "web",
                "vpcZoneIdentifier": "subnet-1,subnet-2",
                "launchTemplates": [{"id": "lt-1", "version": "5"}],
            },
            GET_TEMPLATE: {
                "id": "lt-1",
                "iamInstanceProfiles": [{"arn": PROFILE}],
                "userData": "Ym9vdA==",
                "latestVersion": 5,
                "defaultVersion": 4,
                "keyName": "ops",
                "instanceType": "m5.large",
                "networkInterfaces": [{"securityGroups": ["sg-1"], "associatePublicIpAddress": False}],
                "metadataOptions": [
                    {"httpTokens": "required", "httpPutResponseHopLimit": 2, "httpEndpoint": "enabled"}
                ],
                "blockDeviceMappings": [
                    {
                        "deviceName": "/dev/xvda",
                        "noDevice": "",
                        "ebs": [{"volumeSize": 20, "volumeType": "gp3", "iops": 0, "deleteOnTermination": "true"}],
                    }
                ],
            },
        }

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer a function, or fail with the text that stands in the place of an answer."""
        self.asked.append((args.token, dict(args.args)))
        answer = self.answers.get(args.token, {})
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return answer, []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Make it in the simulator, and keep its id with its inputs."""
        id_, outputs = super().new_resource(args)
        self.made[str(id_)] = dict(args.inputs)
        return id_, outputs

    def change(self, token: str, **parts: Any) -> None:
        """Change a part of an answer."""
        answer = self.answers[token]
        assert isinstance(answer, dict)
        self.answers[token] = {**answer, **parts}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Return a simulator whose clock stands still, and whose imports tell what the API reference shows, no more."""
    with Simulator(nodes=8) as simulator:
        simulator.control.clock(manual=True)
        simulator.control.quirk(name="imports", value="documented")
        yield simulator


@pytest.fixture
def client(sim: Simulator) -> Iterator[OceanClient]:
    """Return a client of the simulator."""
    with OceanClient(Settings.load(None, sim.environment)) as opened:
        yield opened


@pytest.fixture
def aws(sim: Simulator) -> Aws:
    """Put an AWS behind the functions of pulumi_aws."""
    mocks = Aws(sim)
    pulumi.runtime.set_mocks(mocks, preview=False)
    return mocks


def plain(imported: Imported) -> dict[str, Any]:
    """Return the arguments as JSON, with their Python names."""
    found: dict[str, Any] = json.loads(json.dumps(imported.arguments, default=vars))
    return found


def test_cluster_like_an_asg(client: OceanClient, aws: Aws) -> None:
    """Spot's import gives what it gives, AWS only what is missing; the controller's id is the EKS cluster's name."""
    found = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    arguments = plain(found)
    assert (arguments["name"], arguments["controller_id"], arguments["region"]) == ("web", "demo", REGION)
    assert arguments["subnet_ids"] == SUBNETS
    assert arguments["security_groups"] == ["sg-0a1b2c3d"]
    assert arguments["iam_instance_profile"] == PROFILE
    assert arguments["user_data"] == "Ym9vdA=="
    assert arguments["key_name"] == "operators"
    assert arguments["associate_public_ip_address"] is False
    assert arguments["instance_metadata_options"] == {"http_tokens": "required", "http_put_response_hop_limit": 2}
    assert arguments["block_device_mappings"] == [
        {
            "device_name": "/dev/xvda",
            "ebs": {"delete_on_termination": True, "volume_size": 20, "volume_type": "gp3"},
        }
    ]
    assert "desired_capacity" not in arguments
    assert "whitelists" not in arguments
    assert [token for token, _ in aws.asked] == [GET_GROUP, GET_TEMPLATE]
    assert {asked["region"] for _, asked in aws.asked} == {REGION}


def test_target_is_at_least_the_minimum(sim: Simulator, client: OceanClient, aws: Aws) -> None:
    """The provider sends 0 for a target that is left out, and Spot refuses less than the minimum."""
    sim.control.auto_scaling_group("web", min_size=3)
    found = plain(import_cluster(client, ASG, eks_cluster="demo", region=REGION))
    assert (found["min_size"], found["desired_capacity"]) == (3, 3)


def test_group_at_zero_does_not_keep_ocean_at_zero(sim: Simulator, client: OceanClient, aws: Aws) -> None:
    """As one that was scaled down by hand: its maximum of 0 would be the cluster's."""
    sim.control.auto_scaling_group("web", min_size=0, max_size=0)
    found = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    assert "max_size" not in plain(found)
    left = "capacity.maximum is not copied: it is 0, and Ocean would launch no node; set max_size to limit the cluster"
    assert left in found.warnings


def test_cluster_says_what_was_taken_from_where(client: OceanClient, aws: Aws) -> None:
    """One line for each origin, one for each thing left behind."""
    found = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    assert found.lines == (
        "name, region, minimum capacity, maximum capacity, subnets, public addresses, AMI, instance metadata options, "
        "key pair, security groups, tags: from Auto Scaling Group web, by Spot's import",
        "controller id: from the name of the EKS cluster, because Spot creates another one at each import",
        "block devices, instance profile, user data: from launch template lt-1",
    )
    assert found.warnings == (
        "capacity.target is not copied: it is the current number of instances of the group; no action needed: Ocean "
        "launches what the pods need",
        "strategy.spotPercentage is not copied: the group runs only On-Demand instances; set `spot_percentage`, else "
        "Ocean's default applies",
        "compute.instanceTypes.whitelist is not copied: the group's m5.large would limit every Virtual Node Group of "
        "the cluster; set instance types if you want that",
    )


def test_cluster_when_spot_tells_more(sim: Simulator, client: OceanClient, aws: Aws) -> None:
    """What the service tells comes first, and AWS is not asked."""
    sim.control.quirk(name="imports", value="full")
    found = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    assert plain(found)["iam_instance_profile"] != PROFILE
    assert aws.asked == []


def test_tags_as_one_object(sim: Simulator, client: OceanClient, aws: Aws) -> None:
    """The API reference shows them so, too."""
    sim.control.quirk(name="import_tags", value="object")
    found = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    assert plain(found)["tags"] == [{"key": "kubernetes.io/cluster/demo", "value": "owned"}]


def test_cluster_like_a_node_group(client: OceanClient, aws: Aws) -> None:
    """The node group leads to its Auto Scaling Group; the region is that of the provider unless it is said."""
    found = import_cluster(client, GROUP, eks_cluster="demo", name="ocean")
    assert plain(found)["name"] == "ocean"
    assert "whitelists" not in plain(found)
    assert [token for token, _ in aws.asked] == [GET_REGION, GET_NODE_GROUP, GET_GROUP, GET_TEMPLATE]
    assert any("whitelist" in line for line in found.warnings)


def test_cluster_like_a_node_group_without_asg(client: OceanClient, aws: Aws) -> None:
    """Then Spot's import of the node group says what it can, and AWS the subnets."""
    aws.change(GET_NODE_GROUP, resources=[])
    found = import_cluster(client, GROUP, eks_cluster="demo", region=REGION)
    arguments = plain(found)
    assert (arguments["name"], arguments["subnet_ids"]) == ("web", ["subnet-1"])
    assert arguments["image_id"].startswith("ami-")
    assert [line.partition(":")[0] for line in found.warnings[:2]] == ["instance profile", "user data"]


def test_no_cluster_without_subnets(client: OceanClient, aws: Aws) -> None:
    """What a cluster cannot be without is named when nobody tells it."""
    aws.change(GET_NODE_GROUP, resources=[], subnetIds=[])
    with pytest.raises(
        OceanMigrationError, match=("EKS node group web: neither Spot's import nor AWS reports subnet_ids")
    ):
        import_cluster(client, GROUP, eks_cluster="demo", region=REGION)


def test_group_like_a_node_group(client: OceanClient, aws: Aws) -> None:
    """Labels and taints are those of the node group, in the words of Kubernetes."""
    aws.change(GET_TEMPLATE, userData=base64.b64encode(b"/etc/eks/bootstrap.sh demo").decode())
    found = import_vng(client, GROUP, region=REGION)
    arguments = plain(found)
    assert arguments["labels"] == [{"key": "workload", "value": "web"}]
    assert arguments["taints"] == [
        {"key": "dedicated", "value": "web", "effect": "NoSchedule"},
        {"key": "spot", "value": "", "effect": "PreferNoSchedule"},
    ]
    assert (arguments["name"], arguments["subnet_ids"]) == ("web", ["subnet-1"])
    assert (arguments["instance_types"], arguments["iam_instance_profile"]) == (["m5.large"], PROFILE)
    assert "ocean_id" not in arguments
    assert "instance types, labels, subnets, taints: from EKS node group web" in found.lines
    assert found.warnings == (
        "user data does not set the labels workload=web of EKS node group web: nodes join without them. Add them to "
        "--node-labels in user_data",
        "user data does not set the taints dedicated=web:NoSchedule, spot=:PreferNoSchedule of EKS node group web: "
        "nodes join without them. Add them to --register-with-taints in user_data",
        "labels is not copied: eks.amazonaws.com/nodegroup: labels that Kubernetes, EKS or Spot set themselves; "
        "no action needed, unless a pod selects nodes by them",
        "strategy.spotPercentage is not copied: the group runs only On-Demand instances; set `spot_percentage`, else "
        "the cluster's applies",
        "keyPair is not copied: a Virtual Node Group has none of its own; the cluster's is used: check that it fits",
    )


@pytest.mark.parametrize("source", [ASG, GROUP], ids=["asg", "node-group"])
def test_group_of_an_existing_cluster(
    sim: Simulator, client: OceanClient, aws: Aws, source: AutoScalingGroupSource | NodeGroupSource
) -> None:
    """With a cluster, the service is asked about that one, and the arguments name it."""
    found = import_vng(client, source, region=REGION, ocean_id=sim.ocean_id, name="front")
    assert (plain(found)["ocean_id"], plain(found)["name"]) == (sim.ocean_id, "front")
    (request,) = sim.control.requests()
    assert request["query"]["oceanId"] == sim.ocean_id
    assert request["body"]["launchSpec"]["name"] == "front"


def test_group_like_an_asg_with_tags_for_the_cluster_autoscaler(client: OceanClient, aws: Aws) -> None:
    """Those tags are the only place where AWS knows labels and taints; no cluster is needed yet."""
    aws.change(
        GET_GROUP,
        tags=[
            {"key": f"{TAGS}label/workload", "value": "web"},
            {"key": f"{TAGS}label/kubernetes.io/os", "value": "linux"},
            {"key": f"{TAGS}taint/dedicated", "value": "web:NoSchedule"},
            {"key": f"{TAGS}taint/odd", "value": "web"},
            {"key": "Name", "value": "web"},
        ],
    )
    found = import_vng(client, ASG, region=REGION)
    assert plain(found)["labels"] == [{"key": "workload", "value": "web"}]
    assert plain(found)["taints"] == [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}]
    assert plain(found)["subnet_ids"] == SUBNETS
    assert "labels, taints: from the tags of Auto Scaling Group web for the Cluster Autoscaler" in found.lines


def test_mixed_instances(client: OceanClient, aws: Aws) -> None:
    """A group of several types names its template and its types in another place."""
    aws.change(
        GET_GROUP,
        launchTemplates=[],
        mixedInstancesPolicies=[
            {
                "launchTemplates": [
                    {
                        "launchTemplateSpecifications": [{"launchTemplateId": "lt-1", "version": "$Default"}],
                        "overrides": [{"instanceType": "m5.large"}, {"instanceType": "m6i.large"}],
                    }
                ]
            }
        ],
    )
    found = import_vng(client, ASG, region=REGION)
    assert plain(found)["instance_types"] == ["m5.large", "m6i.large"]
    assert plain(found)["user_data"] == "Ym9vdA=="
    assert found.warnings[0] == (
        "the group uses version 4, the default, of launch template lt-1, but only the latest version, 5, can be read: "
        "compare user data, instance profile, block devices, and set what differs in the program"
    )


def test_aws_is_not_asked_for_what_spot_tells(aws: Aws) -> None:
    """A configuration with all that nodes need is taken as it is."""
    answer = {
        "name": "web",
        "capacity": {"target": 3},
        "compute": {
            "subnetIds": ["subnet-1"],
            "launchSpecification": {
                "imageId": "ami-1",
                "securityGroupIds": ["sg-1"],
                "iamInstanceProfile": {"name": "nodes"},
                "userData": "Ym9vdA==",
                "gpu": {"sharing": [{"gpuSharingType": "timeSlicing"}]},
            },
        },
    }
    with http.ScriptedServer([http.items(answer)]) as server:
        settings = Settings(base_url=server.url, token="canary-1", account_id="act-1")
        with OceanClient(settings) as client:
            found = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    assert aws.asked == []
    assert plain(found)["iam_instance_profile"] == "nodes"
    assert "region: from the program" not in found.lines
    assert found.warnings == (
        "capacity.target is not copied: it is the current number of instances of the group; no action needed: Ocean "
        "launches what the pods need",
        "compute.launchSpecification.gpu.sharing is not copied: pulumi_spotinst has no argument for it; set it in "
        "the Spot console after the cluster has been created: the provider does not change it",
    )


def test_launch_configuration(client: OceanClient, aws: Aws) -> None:
    """An older group has a launch configuration."""
    aws.change(GET_GROUP, launchTemplates=[], launchConfiguration="web-2019")
    aws.answers[GET_CONFIGURATION] = {
        "name": "web-2019",
        "iamInstanceProfile": "nodes",
        "userData": "Ym9vdA==",
        "instanceType": "m4.large",
        "ebsBlockDevices": [{"deviceName": "/dev/sdb", "volumeSize": 100, "encrypted": True}],
    }
    found = import_vng(client, ASG, region=REGION)
    assert plain(found)["iam_instance_profile"] == "nodes"
    assert plain(found)["instance_types"] == ["m4.large"]
    assert plain(found)["block_device_mappings"] == [
        {"device_name": "/dev/sdb", "ebs": {"encrypted": True, "volume_size": 100}}
    ]
    assert any(line.endswith("from launch configuration web-2019") for line in found.lines)
    assert any("the group runs only On-Demand instances" in line for line in found.warnings)
    aws.answers[GET_CONFIGURATION] = {"name": "web-2019", "spotPrice": "0.05"}
    found = import_vng(client, ASG, region=REGION)
    assert any("the group runs only Spot instances" in line for line in found.warnings)


def test_profile_that_eks_made(client: OceanClient, aws: Aws) -> None:
    """EKS takes it away with the node group, and the nodes of Ocean would lose their rights."""
    aws.change(GET_TEMPLATE, iamInstanceProfiles=[{"name": "eks-1234"}])
    found = import_cluster(client, GROUP, eks_cluster="demo", region=REGION)
    assert (
        "instance profile eks-1234 belongs to an EKS node group, and EKS deletes it with the node group: make one of "
        "your own for its role before you retire that"
    ) in found.warnings


def test_user_data_of_a_node_group_loses_its_label(client: OceanClient, aws: Aws) -> None:
    """And says so; labels and taints that it sets need no warning."""
    text = (
        "/etc/eks/bootstrap.sh demo --kubelet-extra-args '--node-labels=eks.amazonaws.com/nodegroup=web,"
        "workload=web,eks.amazonaws.com/nodegroup-image=ami-1 "
        "--register-with-taints=dedicated=web:NoSchedule,spot=:PreferNoSchedule'"
    )
    aws.change(GET_TEMPLATE, userData=base64.b64encode(text.encode()).decode())
    found = import_vng(client, GROUP, region=REGION)
    user_data = base64.b64decode(plain(found)["user_data"]).decode()
    assert user_data == (
        "/etc/eks/bootstrap.sh demo --kubelet-extra-args '--node-labels=workload=web "
        "--register-with-taints=dedicated=web:NoSchedule,spot=:PreferNoSchedule'"
    )
    assert not [line for line in found.warnings if "user data does not set" in line]
    assert (
        "labels of the node group (eks.amazonaws.com/...) are removed from user data, because Ocean's nodes are in no "
        "node group; no action needed, unless a pod selects nodes by them"
    ) in found.warnings


def test_unreadable_user_data_is_said(client: OceanClient, aws: Aws) -> None:
    """What it sets is not known."""
    aws.change(GET_TEMPLATE, userData="plain text")
    found = import_vng(client, GROUP, region=REGION)
    assert plain(found)["user_data"] == "plain text"
    assert (
        "user data of EKS node group web cannot be read, as it is not text in base64: check its labels and taints"
    ) in found.warnings


def test_nothing_is_said_of_what_the_program_sets(client: OceanClient, aws: Aws) -> None:
    """What was copied for it is not used."""
    aws.change(GET_TEMPLATE, iamInstanceProfiles=[{"name": "eks-1234"}], keyName="")
    declared = {"user_data", "iam_instance_profile", "labels", "block_device_mappings", "strategies"}
    found = import_vng(client, GROUP, region=REGION, declared=declared)
    assert found.warnings == ()
    assert not [line for line in found.lines if any(word in line for word in ("user data", "profile", "labels"))]
    aws.change(GET_NODE_GROUP, resources=[], subnetIds=[])
    cluster = import_cluster(client, GROUP, eks_cluster="demo", region=REGION, declared={"subnet_ids", "user_data"})
    assert not [line for line in cluster.warnings if line.startswith("user data")]


def test_labels_and_taints_of_the_program_are_not_compared(client: OceanClient, aws: Aws) -> None:
    """Those of the node group are not used then."""
    found = import_vng(client, GROUP, region=REGION, declared={"labels"})
    assert [line for line in found.warnings if line.startswith("user data")] == [
        "user data is of a form that cannot be read: check that it sets the taints dedicated=web:NoSchedule, "
        "spot=:PreferNoSchedule of EKS node group web"
    ]


def test_group_of_several_templates_and_requirements(client: OceanClient, aws: Aws) -> None:
    """One Virtual Node Group cannot be like all of it, and says what is left."""
    requirements = {"instanceRequirements": [{"vcpuCounts": [{"min": 4}], "memoryMibs": [{"min": 8192}]}]}
    arm = {"instanceType": "m6g.large", "launchTemplateSpecifications": [{"launchTemplateId": "lt-2"}]}
    specification = [{"launchTemplateId": "lt-1", "version": "5"}]
    policy = {"launchTemplateSpecifications": specification, "overrides": [arm]}
    aws.change(GET_GROUP, launchTemplates=[], mixedInstancesPolicies=[{"launchTemplates": [policy]}])
    found = import_vng(client, ASG, region=REGION)
    assert plain(found)["instance_types"] == ["m6g.large"]
    assert (
        "the group also uses launch template lt-2 for m6g.large, not copied: declare a Virtual Node Group like it"
    ) in found.warnings

    policy["overrides"] = [requirements]
    aws.change(GET_GROUP, mixedInstancesPolicies=[{"launchTemplates": [policy]}])
    left = "instanceTypes is not copied: the group selects instance types by their attributes; set `instance_types` or "
    found = import_vng(client, ASG, region=REGION)
    assert "instance_types" not in plain(found)
    assert f"{left}`instance_types_filters`" in found.warnings
    for argument in ("instance_types", "instance_types_filters"):
        found = import_vng(client, ASG, region=REGION, declared={argument})
        assert not [line for line in found.warnings if line.startswith("instanceTypes")]


@pytest.mark.parametrize(
    ("version", "is_said"),
    [("$Latest", False), ("5", False), ("3", True), ("$Default", True), ("", True), ("2", True)],
)
def test_another_version_of_a_launch_template_is_said(
    client: OceanClient, aws: Aws, version: str, is_said: bool
) -> None:
    """A group without a version uses the default one, and a version that was deleted is another one, too."""
    aws.change(GET_GROUP, launchTemplates=[{"id": "lt-1", "version": version}])
    found = import_vng(client, ASG, region=REGION)
    assert any("only the latest version, 5, can be read" in line for line in found.warnings) == is_said


def test_instance_type_of_another_version_is_said_although_spot_tells_the_rest(aws: Aws) -> None:
    """It is the only part of the Virtual Node Group that the launch template gives."""
    aws.change(GET_GROUP, launchTemplates=[{"id": "lt-1", "version": "3"}])
    profile = {"name": "nodes"}
    group = {"imageId": "ami-1", "securityGroupIds": ["sg-1"], "iamInstanceProfile": profile, "userData": "Ym9vdA=="}
    answers = [http.items(group) for _ in range(2)]
    with http.ScriptedServer(answers) as server:
        settings = Settings(base_url=server.url, token="canary-1", account_id="act-1")
        with OceanClient(settings) as client:
            found = import_vng(client, ASG, ocean_id="o-1", region=REGION)
            declared = import_vng(client, ASG, ocean_id="o-1", region=REGION, declared={"instance_types"})
    assert plain(found)["instance_types"] == ["m5.large"]
    assert found.lines == (
        "instance profile, AMI, security groups, user data: from Auto Scaling Group web, by Spot's import",
        "instance types: from launch template lt-1",
        "subnets: from Auto Scaling Group web",
    )
    assert found.warnings[0] == (
        "the group uses version 3 of launch template lt-1, but only the latest version, 5, can be read: compare "
        "instance types, and set what differs in the program"
    )
    assert not [line for line in declared.warnings if "version 3" in line]


@pytest.mark.parametrize(
    ("template", "lost"),
    [
        ({"placements": [{"tenancy": "dedicated"}], "cpuOptions": [{"coreCount": 2}]}, "placement, CPU options"),
        ({"enclaveOptions": [{"enabled": True}]}, "enclaves"),
        ({"capacityReservationSpecifications": [{"capacityReservationPreference": "none"}]}, "capacity reservations"),
        (
            {
                "placements": [{"tenancy": "default", "groupName": "", "partitionNumber": 0}],
                "capacityReservationSpecifications": [{"capacityReservationPreference": "open"}],
                "hibernationOptions": [{"configured": False}],
                "licenseSpecifications": [],
            },
            None,
        ),
    ],
    ids=["tenancy", "enclaves", "reservations", "defaults"],
)
def test_parts_of_a_launch_template_that_spot_has_no_field_for(
    client: OceanClient, aws: Aws, template: dict[str, Any], lost: str | None
) -> None:
    """They are named; those that say nothing are not."""
    aws.change(GET_TEMPLATE, **template)
    found = import_vng(client, ASG, region=REGION)
    text = f"launch template lt-1 sets {lost}, not copied: check that pods work on nodes without them"
    assert [line for line in found.warnings if " sets " in line] == ([] if lost is None else [text])


def policy_of(**distribution: int) -> list[dict[str, Any]]:
    """Return a mixed instances policy of one template with what it says of purchases."""
    template = {"launchTemplateSpecifications": [{"launchTemplateId": "lt-1", "version": "5"}]}
    return [{"launchTemplates": [template], "instancesDistributions": [distribution]}]


@pytest.mark.parametrize(
    ("group", "template", "runs"),
    [
        (
            {"mixedInstancesPolicies": policy_of(onDemandPercentageAboveBaseCapacity=25)},
            {},
            "25% of its instances On-Demand",
        ),
        (
            {"mixedInstancesPolicies": policy_of(onDemandBaseCapacity=2, onDemandPercentageAboveBaseCapacity=50)},
            {},
            "2 On-Demand instances, and 50% of the others On-Demand",
        ),
        (
            {"mixedInstancesPolicies": policy_of(onDemandBaseCapacity=1, onDemandPercentageAboveBaseCapacity=0)},
            {},
            "1 On-Demand instance, and the others as Spot instances",
        ),
        (
            {"mixedInstancesPolicies": policy_of(onDemandBaseCapacity=3, onDemandPercentageAboveBaseCapacity=100)},
            {},
            "only On-Demand instances",
        ),
        ({"mixedInstancesPolicies": policy_of(onDemandPercentageAboveBaseCapacity=0)}, {}, "only Spot instances"),
        ({"mixedInstancesPolicies": policy_of()}, {}, "only On-Demand instances"),
        ({}, {}, "only On-Demand instances"),
        ({}, {"instanceMarketOptions": [{"marketType": "spot"}]}, "only Spot instances"),
        ({"launchTemplates": [{"id": "lt-1", "version": "3"}]}, {}, None),
        ({"launchTemplates": []}, {}, None),
    ],
    ids=["share", "base", "one", "all", "spot", "default", "no policy", "template", "another version", "unknown"],
)
def test_spot_share_is_named(
    client: OceanClient, aws: Aws, group: dict[str, Any], template: dict[str, Any], runs: str | None
) -> None:
    """It is not copied, and a program that sets a share hears nothing of it."""
    aws.change(GET_GROUP, **group)
    aws.change(GET_TEMPLATE, **template)
    found = import_vng(client, ASG, region=REGION)
    left = [line for line in found.warnings if line.startswith("strategy.spotPercentage")]
    text = "strategy.spotPercentage is not copied: the group runs {}; set `spot_percentage`, else {} applies"
    assert left == ([] if runs is None else [text.format(runs, "the cluster's")])
    found = import_vng(client, ASG, region=REGION, declared={"strategies"})
    assert not [line for line in found.warnings if "spot_percentage" in line]
    cluster = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    left = [line for line in cluster.warnings if line.startswith("strategy.spotPercentage")]
    assert left == ([] if runs is None else [text.format(runs, "Ocean's default")])
    cluster = import_cluster(client, ASG, eks_cluster="demo", region=REGION, declared={"spot_percentage"})
    assert not [line for line in cluster.warnings if "spot_percentage" in line]


@pytest.mark.parametrize(
    ("capacity_type", "runs"), [("ON_DEMAND", "only On-Demand"), ("SPOT", "only Spot"), (None, "25% of its")]
)
def test_capacity_type_of_a_node_group_is_its_spot_share(
    client: OceanClient, aws: Aws, capacity_type: str | None, runs: str
) -> None:
    """The group below counts only where EKS does not say."""
    aws.change(GET_GROUP, mixedInstancesPolicies=policy_of(onDemandPercentageAboveBaseCapacity=25))
    aws.change(GET_NODE_GROUP, capacityType=capacity_type)
    found = import_vng(client, GROUP, region=REGION)
    assert any(f"strategy.spotPercentage is not copied: the group runs {runs}" in line for line in found.warnings)


def test_what_aws_does_not_tell(client: OceanClient, aws: Aws) -> None:
    """Nothing is made up, and the user is told what nodes will lack."""
    aws.change(GET_GROUP, launchTemplates=[])
    found = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    assert "iam_instance_profile" not in found.arguments
    assert found.warnings[:2] == (
        "instance profile: reported by neither Spot's import nor AWS, and instances without have no rights in AWS: set "
        "it yourself",
        "user data: reported by neither Spot's import nor AWS, and instances without cannot join the cluster: set it "
        "yourself",
    )


@pytest.mark.parametrize(
    "source", [AutoScalingGroupSource(name="nowhere"), NodeGroupSource(name="nowhere", eks_cluster="demo")]
)
def test_gone_says_the_service(client: OceanClient, aws: Aws, source: AutoScalingGroupSource | NodeGroupSource) -> None:
    """A source that the service does not know is an error of its own kind."""
    aws.change(GET_NODE_GROUP, resources=[])
    with pytest.raises(SourceGoneError, match=f"{source} does not exist, according to Spot's import"):
        import_cluster(client, source, eks_cluster="demo", region=REGION)
    with pytest.raises(SourceGoneError, match=f"{source} does not exist, according to Spot's import"):
        import_vng(client, source, region=REGION)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (GET_NODE_GROUP, "reading EKS Node Group (demo:web): couldn't find resource"),
        (GET_NODE_GROUP, "ResourceNotFoundException: No node group found for name: web."),
        (GET_GROUP, "no matching Auto Scaling Group found"),
    ],
)
def test_gone_says_aws(client: OceanClient, aws: Aws, token: str, text: str) -> None:
    """AWS says it in other words."""
    aws.answers[token] = text
    with pytest.raises(SourceGoneError, match=r"web .*in us-west-2 does not exist: aws"):
        import_vng(client, GROUP, region=REGION)


@pytest.mark.parametrize(
    ("token", "text", "what"),
    [
        (GET_GROUP, "no valid credential sources found", "Auto Scaling Group web in us-west-2"),
        (GET_TEMPLATE, "couldn't find resource", "launch template lt-1 in us-west-2"),
        (GET_NODE_GROUP, "AccessDenied:\n  not authorized", "EKS node group web of cluster demo in us-west-2"),
    ],
)
def test_aws_cannot_be_asked(client: OceanClient, aws: Aws, token: str, text: str, what: str) -> None:
    """Going on with less would take away what an earlier run took over: one line says what is missing."""
    aws.answers[token] = text
    with pytest.raises(OceanMigrationError, match=f"{what} could not be read: aws") as caught:
        import_vng(client, GROUP, region=REGION)
    assert not isinstance(caught.value, SourceGoneError)
    assert "\n" not in str(caught.value)


def test_region_that_nobody_knows(client: OceanClient, aws: Aws) -> None:
    """Without any region nothing is asked of Spot."""
    aws.answers[GET_REGION] = {}
    with pytest.raises(OceanMigrationError, match="set `region`"):
        import_vng(client, ASG)


def test_a_cluster_that_is_gone_is_no_source(client: OceanClient, aws: Aws) -> None:
    """What is missing is then the Ocean cluster."""
    with pytest.raises(ClusterNotFoundError):
        import_vng(client, ASG, region=REGION, ocean_id="o-00000000")


def test_other_refusals_stay_what_they_are(sim: Simulator, client: OceanClient, aws: Aws) -> None:
    """A request that Spot refuses for another reason does not make the source gone."""
    sim.control.fault("POST", "*/import", "status", status=400, times=1)
    with pytest.raises(OceanMigrationError) as caught:
        import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    assert isinstance(caught.value, RequestRejectedError)


def test_made_in_the_simulator_it_reads_back_the_same(sim: Simulator, client: OceanClient, aws: Aws) -> None:
    """A cluster and a Virtual Node Group made from what was imported are like what was asked for."""
    cluster = import_cluster(client, ASG, eks_cluster="demo", region=REGION)
    group = import_vng(client, GROUP, region=REGION)

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # it has no types of its own
    def program() -> None:
        ocean = spotinst.aws.Ocean("ocean", spotinst.aws.OceanArgs(**cluster.arguments))
        arguments = {**group.arguments, "ocean_id": ocean.id}
        spotinst.aws.OceanLaunchSpec("web", spotinst.aws.OceanLaunchSpecArgs(**arguments))

    program()
    ocean_id, group_id = aws.made
    made = client.get_cluster(ocean_id)
    assert (made.name, made.controller_cluster_id, made.region) == ("web", "demo", REGION)
    asked = client.import_cluster_from_asg("web", REGION)
    raw = aws._request(None, "GET", f"/ocean/aws/k8s/cluster/{ocean_id}", None)[0]
    assert raw["compute"]["subnetIds"] == asked["compute"]["subnetIds"]
    for name in ("imageId", "securityGroupIds"):
        assert raw["compute"]["launchSpecification"][name] == asked["compute"]["launchSpecification"][name]
    assert {name: raw["capacity"][name] for name in ("minimum", "maximum")} == {"minimum": 0, "maximum": 1000}
    (listed,) = client.list_virtual_node_groups(ocean_id)
    assert (listed.id, listed.name, dict(listed.labels)) == (group_id, "web", {"workload": "web"})
    assert set(listed.taints) == {
        ("dedicated", "web", "NoSchedule"),
        ("spot", "", "PreferNoSchedule"),
    }
