"""A whole stack on OfflineStack: Ocean's resources in the simulator, AWS and Kubernetes as far as they are asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs

from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack, SimulatorMocks
from ocean_migration_pulumi.testing.offline.engine.events import Result
from ocean_migration_pulumi.testing.offline.plugin.providers import ProviderFailure

POLL = "0.05"
RELEASE = "kubernetes:helm.sh/v3:Release"
ROLE = "arn:aws:iam::123456789012:role/ocean-node"

NODE_ROLE = "arn:aws:iam::123456789012:role/eks-node"

_NODE_GROUP = {
    "node_role_arn": NODE_ROLE,
    "nodeRoleArn": NODE_ROLE,
    "labels": {},
    "taints": [],
}


def answer_aws(token: str, args: Mapping[str, Any], node_role: str = NODE_ROLE) -> dict[str, Any]:
    """Answer a function of pulumi_aws; one that nothing is known of returns its arguments."""
    answers: dict[str, dict[str, Any]] = {
        "aws:index/getRegion:getRegion": {"id": "us-west-2", "name": "us-west-2", "region": "us-west-2"},
        "aws:autoscaling/getGroup:getGroup": {
            "id": args.get("name"),
            "name": args.get("name"),
            "vpcZoneIdentifier": "subnet-0a1b2c3d",
            "launchTemplates": [{"id": "lt-1", "name": "nodes", "version": "$Latest"}],
            "mixedInstancesPolicies": [],
            "tags": [],
        },
        "aws:ec2/getLaunchTemplate:getLaunchTemplate": {
            "id": "lt-1",
            "latestVersion": 1,
            "defaultVersion": 1,
            "imageId": "ami-0a1b2c3d4e5f60718",
            "userData": "IyEvYmluL2Jhc2g=",
            "iamInstanceProfiles": [{"arn": "arn:aws:iam::123456789012:instance-profile/ocean-node", "name": ""}],
            "vpcSecurityGroupIds": ["sg-0a1b2c3d"],
        },
        "aws:iam/getInstanceProfile:getInstanceProfile": {
            "roleArn": f"arn:aws:iam::123456789012:role/{args.get('name')}",
            "roleName": args.get("name"),
        },
        "aws:eks/getNodeGroup:getNodeGroup": {
            **_NODE_GROUP,
            "nodeRoleArn": node_role,
            "nodeGroupName": args.get("nodeGroupName"),
            "clusterName": args.get("clusterName"),
            "resources": [{"autoscalingGroups": [{"name": args.get("nodeGroupName")}]}],
            "subnetIds": ["subnet-0a1b2c3d"],
            "instanceTypes": ["m5.large"],
        },
    }
    return answers.get(token, dict(args))


class WholeStackMocks(SimulatorMocks):
    """Makes clusters and groups in the simulator, and lets the controller of a new one report once it is installed."""

    def __init__(self, simulator: Simulator, *, nodes: int | Mapping[str, int] = 4) -> None:
        super().__init__(simulator.url, simulator.token, simulator.account_id)
        self._simulator = simulator
        self._nodes = {"web": nodes} if isinstance(nodes, int) else dict(nodes)
        self.sent: list[tuple[str, str]] = []
        self.called: list[str] = []
        self.node_role = NODE_ROLE
        self.gone: set[str] = set()
        self.answers: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Create a resource; with the controller come its heartbeat and the nodes of the EKS cluster."""
        self.sent.append(("create", args.name))
        if args.typ == RELEASE:
            self._install()
        return super().new_resource(args)

    def delete_resource(self, args: MockResourceArgs, outputs: dict[str, Any]) -> None:
        """Delete a resource."""
        self.sent.append(("delete", args.name))
        super().delete_resource(args, outputs)

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer the functions of pulumi_aws."""
        self.called.append(args.token)
        if args.args.get("nodeGroupName") in self.gone:
            raise ProviderFailure("reading EKS Node Group: ResourceNotFoundException: No node group found")
        return answer_aws(args.token, args.args, self.node_role) | self.answers.get(args.token, {}), []

    def _install(self) -> None:
        control = self._simulator.control
        for cluster in control.overview()["clusters"]:
            if cluster["heartbeat"] is None:
                control.connect(cluster["id"], self._nodes)
                # At this speed the ten minutes of a heartbeat are over in a second.
                control.heartbeat(cluster["id"], age_seconds=-30 * 86_400)


class WholeStack:
    """A stack whose program can be written anew."""

    def __init__(
        self,
        simulator: Simulator,
        directory: Path,
        *,
        nodes: int = 4,
        access: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.simulator = simulator
        self.mocks = WholeStackMocks(simulator, nodes=nodes)
        variables = {"SPOTINST_BASE_URL": simulator.url, **access} if access is not None else simulator.environment
        self._program = directory / "program.py"
        self.directory = directory
        self.program("")
        self.stack = OfflineStack(
            self._program,
            directory / "state.json",
            project="shop",
            mocks=self.mocks,
            environment={
                **variables,
                "OCEAN_MIGRATION_POLL_INTERVAL": POLL,
                "HOME": str(directory),
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            **settings,
        )

    def program(self, arguments: str, *, before: str = "", options: str = "None") -> None:
        """Let the program consist of one component with these arguments, and export all of its outputs."""
        outputs = ("ocean_id", "virtual_node_group_ids", "waves", "totals", "imported", "retire")
        lines = [
            "import pulumi",
            "from ocean_migration_pulumi import OceanMigration",
            before,
            f"shop = OceanMigration('shop', {{{arguments}}}, {options})",
            *(f"pulumi.export({name!r}, shop.{name})" for name in outputs),
        ]
        self._program.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def up(self) -> Result:
        """Run an update that succeeds."""
        result = self.stack.up()
        assert result.succeeded, said_by(result)
        return result

    def fails(self) -> str:
        """Run an update that fails, and return all that was said."""
        result = self.stack.up()
        assert not result.succeeded
        return said_by(result)

    @property
    def state(self) -> dict[str, dict[str, Any]]:
        """The resources of the state by type and name, as they are stored."""
        found = self.stack.export()["deployment"].get("resources", ())
        return {f"{each['type'].rpartition(':')[2]} {each['urn'].rpartition('::')[2]}": each for each in found}

    def needs(self, key: str) -> set[str]:
        """Return the resources that this one depends on, by type and name."""
        names = {each["urn"]: name for name, each in self.state.items()}
        return {names[urn] for urn in self.state[key].get("dependencies", ())}


def said_by(result: Result) -> str:
    """Return all that was said, a line each."""
    return "\n".join([str(result.error), *(each.message for each in result.diagnostics)])
