"""OceanMigration: what it makes, in which order, and what it refuses."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from ocean_migration_pulumi import OceanMigration
from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.component.args import OceanMigrationArgs, check_args
from ocean_migration_pulumi.component.importing.spotinst_fields import CLUSTER_ARGUMENTS, VNG_ARGUMENTS
from ocean_migration_pulumi.component.resources import parts
from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.offline.engine.events import Result
from tests.component.whole_stack import WholeStack, said_by

WAVES = """
    "waves": [
        {"name": "canary", "nodes": {"asg_names": ["web"], "limit": "1"}, "gate": {"hold_for": "0s"}},
        {"name": "half", "nodes": {"asg_names": ["web"], "limit": "50%"}, "gate": {"hold_for": "0s"}},
        {"name": "rest", "nodes": {"all_nodes": True}, "unmatched_nodes": "allow"},
    ],
"""

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Run a fast simulator with one cluster."""
    with Simulator(nodes=6, speed=600) as simulator:
        simulator.control.heartbeat(simulator.ocean_id, age_seconds=-30 * 86_400)
        yield simulator


@pytest.fixture
def whole(sim: Simulator, tmp_path: Path) -> WholeStack:
    """Return a stack on it."""
    return WholeStack(sim, tmp_path)


def test_canary_half_rest_is_three_lines(sim: Simulator, whole: WholeStack) -> None:
    """Each wave starts after the one before and its gate, none shares a node, and all end in the totals."""
    whole.program(f'"ocean_id": {sim.ocean_id!r}, {WAVES}')
    preview = whole.stack.preview()
    assert preview.succeeded, preview.error
    plans = {step.name: step.inputs["planned_nodes"] for step in preview.steps if "planned_nodes" in step.inputs}
    assert list(plans) == ["shop-canary", "shop-half", "shop-rest"]
    assert sum(map(len, plans.values())) == len({node for plan in plans.values() for node in plan}) == 6
    assert not [each for each in sim.control.requests() if each["method"] != "GET"]
    for name in plans:
        said = [each.message for each in preview.diagnostics if each.urn.endswith(f"::{name}")]
        assert said
        assert all(each.endswith(f" ({name})") for each in said)
        if name == "shop-canary":
            assert any("(including later waves: shop-half, shop-rest) stay schedulable" in each for each in said)

    result = whole.up()
    starts = [each["body"]["migration"]["instanceIds"] for each in sim.control.requests(effective=True)]
    assert [set(start) for start in starts] == [set(plans[f"shop-{name}"]) for name in ("canary", "half", "rest")]
    first, second, third = sim.control.migrations(sim.ocean_id)
    assert first["completed_at"] <= second["created_at"] < second["completed_at"] <= third["created_at"]
    assert result.outputs["totals"] == {"planned": 6, "migrated": 6, "remaining": 0, "manual": 0, "drained": 6}
    assert result.outputs["waves"]["canary"]["succeeded"] is True
    assert whole.needs("OceanWorkloadMigration shop-half") >= {
        "OceanMigrationGate shop-canary-gate",
        "OceanWorkloadMigration shop-canary",
    }
    mark = len(sim.control.requests())
    again = whole.up()
    assert set(again.summary) == {"same"}
    assert not [each for each in sim.control.requests()[mark:] if each["method"] != "GET"]


def test_failed_wave_stops_the_later_ones_and_the_next_up_goes_on(sim: Simulator, whole: WholeStack) -> None:
    """What was migrated stays, what was not is followed up, and then the later waves run."""
    whole.program(f'"ocean_id": {sim.ocean_id!r}, {WAVES}')
    sim.control.arm_failure(sim.ocean_id, "instances")
    assert "not start enough new instances" in whole.fails()
    assert len(sim.control.requests(effective=True)) == 1
    assert "OceanWorkloadMigration shop-half" not in whole.state
    result = whole.up()
    assert result.outputs["totals"]["migrated"] == 6


def test_gate_that_stays_shut_stops_the_later_waves(sim: Simulator, whole: WholeStack) -> None:
    """A pod without a node after the canary; once it has gone, the next up goes on from there.

    The kubeconfig is a map, as that of pulumi_eks.
    """
    kubeconfig = f'"kubeconfig": {yaml.safe_load(sim.kubeconfig(identity="run"))!r}'
    waves = WAVES.replace('"gate": {"hold_for": "0s"}', '"gate": {"hold_for": "0s", "timeout": "2s"}')
    sim.control.add_pod(sim.ocean_id, None, name="waits", namespace="shop")
    unchecked = waves.replace('"name": "canary"', '"name": "canary", "prerequisites": "warn"')
    whole.program(f'"ocean_id": {sim.ocean_id!r}, {kubeconfig}, {unchecked}')
    assert "shop/waits" in whole.fails()
    assert len(sim.control.requests(effective=True)) == 1
    assert "OceanWorkloadMigration shop-canary" in whole.state
    assert "OceanWorkloadMigration shop-half" not in whole.state
    sim.control.remove_pod(sim.ocean_id, "waits")
    assert whole.up().outputs["totals"]["migrated"] == 6
    assert len(sim.control.requests(effective=True)) == 3


@pytest.mark.parametrize(
    ("given", "text"),
    [({"kind": "Config"}, '{"kind": "Config"}'), ("kind: Config", "kind: Config"), (None, None)],
)
def test_provider_for_kubernetes_takes_a_kubeconfig_as_text(given: object, text: str | None) -> None:
    """A map becomes JSON."""
    assert parts._kubeconfig_text(given) == text


@pytest.mark.parametrize("value", ["''", "' '", "{}", "5"])
def test_output_that_is_no_kubeconfig_is_refused(sim: Simulator, whole: WholeStack, value: str) -> None:
    """The provider would take an empty one for KUBECONFIG, and install the controller in that cluster."""
    output = f"'kubeconfig': pulumi.Output.secret({value})"
    whole.program(f"'ocean_id': {sim.ocean_id!r}, 'controller': {{'existing_secret': 'spot'}}, {output}")
    for said in (said_by(whole.stack.preview()), whole.fails()):
        assert "kubeconfig must be the content of a kubeconfig (text or mapping) or the path of one" in said
    assert "Release shop-controller" not in whole.state


def test_cluster_is_imported_and_everything_comes_in_order(sim: Simulator, whole: WholeStack) -> None:
    """Cluster, groups, controller, autoscaler off, waves; in the preview the plan is unknown, in the run it is made."""
    whole.program(
        """
        "import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"},
        "virtual_node_groups": [
            {"name": "web", "auto_scaling_group": "web", "labels": {"workload": "web"}},
            {"name": "plain", "spot_percentage": 50},
        ],
        "controller": {"existing_secret": "spot", "replace_v1": False},
        "cluster_autoscaler": {"name": "cluster-autoscaler"},
        "waves": [{"name": "all", "nodes": {"all_nodes": True}, "unmatched_nodes": "allow"}],
        "protect": False,
        """
    )
    preview = whole.stack.preview()
    assert preview.succeeded, preview.error
    assert preview.summary["create"] >= 7
    (migration,) = [step for step in preview.steps if step.name == "shop-all"]
    assert migration.inputs["planned_nodes"] == "[unknown]"
    assert not sim.control.requests(method="PUT")
    result = whole.up()
    # The run that plans says what a preview would have said.
    assert any("4 nodes stay running" in each.message for each in result.diagnostics)
    assert any("1 batch" in each.message or "batches of" in each.message for each in result.diagnostics), (
        result.diagnostics
    )
    ocean = "Ocean shop"
    groups = {"OceanLaunchSpec shop-web", "OceanLaunchSpec shop-plain"}
    release = "Release shop-controller"
    autoscaler = "DeploymentPatch shop-autoscaler"
    assert ocean in whole.needs("OceanLaunchSpec shop-web")
    assert whole.needs(release) >= {ocean, *groups}
    assert whole.needs(autoscaler) >= {release}
    assert whole.needs("OceanWorkloadMigration shop-all") >= {ocean, *groups, release, autoscaler}
    assert result.outputs["totals"] == {"planned": 4, "migrated": 4, "remaining": 0, "manual": 0, "drained": 4}
    assert set(result.outputs["virtual_node_group_ids"]) == {"web", "plain"}
    assert any("Auto Scaling Group web" in line for line in result.outputs["imported"])
    assert set(whole.up().summary) == {"same"}

    destroyed = whole.stack.destroy()
    assert destroyed.succeeded, destroyed.error
    deleted = [name for kind, name in whole.mocks.sent if kind == "delete"]
    assert deleted.index("shop-controller") < deleted.index("shop-web") < deleted.index("shop")
    # The Cluster Autoscaler stays off: nothing is sent for its patch.
    assert "shop-autoscaler" not in deleted


def test_destroy_stops_a_running_migration_before_anything_else(sim: Simulator, whole: WholeStack) -> None:
    """The controller that it needs, its groups and its cluster go after its end."""
    whole.program(
        """
        "import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"},
        "virtual_node_groups": [{"name": "web", "labels": {"workload": "web"}}],
        "controller": {"existing_secret": "spot", "replace_v1": False},
        "waves": [{"name": "all", "nodes": {"all_nodes": True}}],
        "protect": False,
        """
    )
    sim.control.clock(speed=5)
    results: list[Result] = []
    running = threading.Thread(target=lambda: results.append(whole.stack.up()))
    running.start()
    made = [
        each["id"] for each in until_some(lambda: sim.control.overview()["clusters"], lambda found: len(found) == 2)
    ]
    ocean_id = next(each for each in made if each != sim.ocean_id)
    until_some(lambda: sim.control.migrations(ocean_id), bool)
    whole.stack.interrupt()
    running.join(60)
    assert not results[0].succeeded
    sim.control.clock(speed=20)  # a faster clock would end the migration before it is stopped
    destroyed = whole.stack.destroy()
    assert destroyed.succeeded, destroyed.error
    calls = [(each["method"], each["path"]) for each in sim.control.requests() if each["method"] in {"PUT", "DELETE"}]
    assert "/migration/owm-" in calls[0][1]
    assert [method for method, _ in calls] == ["PUT", "DELETE", "DELETE"]
    deleted = [name for kind, name in whole.mocks.sent if kind == "delete"]
    assert deleted == ["shop-controller", "shop-web", "shop"]


def until_some(ask: Callable[[], Any], holds: Callable[[Any], object], seconds: float = 60) -> Any:
    """Ask until the answer is as wanted, and return it."""
    deadline = time.monotonic() + seconds
    while not holds(found := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_what_carries_the_workloads_is_protected(sim: Simulator, whole: WholeStack) -> None:
    """Unless the program says otherwise; a migration never is, so that it can be stopped."""
    whole.program(
        """
        "import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"},
        "virtual_node_groups": [{"name": "web", "labels": {"workload": "web"}}],
        "controller": {"existing_secret": "spot", "replace_v1": False},
        "waves": [{"name": "all", "nodes": {"all_nodes": True}, "unmatched_nodes": "allow"}],
        """
    )
    whole.up()
    state = whole.state
    for name in ("Ocean shop", "OceanLaunchSpec shop-web", "Release shop-controller"):
        assert state[name].get("protect") is True, name
    assert not state["OceanWorkloadMigration shop-all"].get("protect")
    refused = whole.stack.destroy()
    assert not refused.succeeded
    assert "Ocean shop" in whole.state


def test_configuration_is_taken_over_once(sim: Simulator, whole: WholeStack) -> None:
    """A group that is gone later changes nothing, and neither does one that has changed."""
    arguments = '"import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"}, "protect": False'
    whole.program(arguments)
    whole.up()
    sim.control.auto_scaling_group("web", image_id="ami-of-later")
    assert set(whole.up().summary) == {"same"}
    sim.control.remove_auto_scaling_group("web")
    again = whole.stack.up()
    assert again.succeeded, again.error
    assert set(again.summary) == {"same"}
    assert any("stays as it was taken over" in line for line in again.outputs["imported"])


def test_import_is_reported_until_the_cluster_exists(sim: Simulator, whole: WholeStack) -> None:
    """In the previews before; after that it is in the output alone."""
    whole.program(CLUSTER)
    before = [each.message for each in whole.stack.preview().diagnostics]
    lines = whole.up().outputs["imported"]
    assert [line for line in lines if line not in before] == []
    for run in (whole.stack.preview, whole.up):
        result = run()
        assert [each.message for each in result.diagnostics if each.message in lines] == []
    assert result.outputs["imported"] == lines


def test_user_data_of_the_program_may_be_a_secret(sim: Simulator, whole: WholeStack) -> None:
    """It is used instead of what was copied, stays encrypted, and nothing is said of the copy."""
    sim.control.auto_scaling_group("web", user_data="text")
    secret = '"user_data": pulumi.Output.secret("canary-user-data")'
    whole.program(
        f"""
        "import_from": {{"eks_cluster": "shop", "auto_scaling_group": "web"}},
        "cluster_options": {{{secret}}},
        "virtual_node_groups": [{{"name": "web", "auto_scaling_group": "web", "options": {{{secret}}}}}],
        "protect": False,
        """
    )
    preview, run = whole.stack.preview(), whole.up()
    said = [each.message for result in (preview, run) for each in result.diagnostics]
    assert not [each for each in said if "user data" in each or "canary-user-data" in each]
    assert "canary-user-data" not in str(whole.stack.export())
    assert "ciphertext" in whole.state["OceanLaunchSpec shop-web"]["inputs"]["userData"]
    sent = [each["body"] for each in sim.control.requests(method="POST") if not each["path"].endswith("/import")]
    encoded = base64.b64encode(b"canary-user-data").decode()
    assert sent[0]["cluster"]["compute"]["launchSpecification"]["userData"] == encoded
    assert sent[1]["launchSpec"]["userData"] == encoded
    assert set(whole.up().summary) == {"same"}


def test_unknown_names_leave_only_importable_arguments_unknown(sim: Simulator, whole: WholeStack) -> None:
    """An older plugin may not know every argument of the SDK."""
    whole.program(
        """
        "import_from": {"eks_cluster": "shop", "auto_scaling_group": name},
        "virtual_node_groups": [{"name": "web", "auto_scaling_group": name}],
        """,
        before=LATER.format("name", "web"),
    )
    preview = whole.stack.preview()
    assert preview.succeeded, preview.error
    steps = {(step.type, step.name): step.inputs for step in preview.steps}
    for key, importable in (
        (("spotinst:aws/ocean:Ocean", "shop"), CLUSTER_ARGUMENTS),
        (("spotinst:aws/oceanLaunchSpec:OceanLaunchSpec", "shop-web"), VNG_ARGUMENTS | {"ocean_id"}),
    ):
        camel = {re.sub("_(.)", lambda match: match[1].upper(), name) for name in importable}
        assert set(steps[key]) <= camel


def test_group_with_a_strategy_keeps_what_the_program_gives_the_cluster(sim: Simulator, whole: WholeStack) -> None:
    """The provider sends both options for it, whether they are set or not."""
    options = '"cluster_options": {"utilize_commitments": True, "utilize_reserved_instances": False},'
    whole.program(CLUSTER.replace('{"workload": "web"}', '{"workload": "web"}, "spot_percentage": 50') + options)
    whole.up()
    (strategy,) = whole.state["OceanLaunchSpec shop-web"]["inputs"]["strategies"]
    assert strategy == {"spotPercentage": 50, "utilizeCommitments": True, "utilizeReservedInstances": False}


def test_managed_node_group_is_copied_once(sim: Simulator, whole: WholeStack) -> None:
    """User data loses the label of the group, a minimum is the target, and what is lost is said before it is made."""
    bootstrap = "/etc/eks/bootstrap.sh shop --kubelet-extra-args '--node-labels={}pool=web'"
    given, left = (base64.b64encode(bootstrap.format(label).encode()).decode() for label in (f"{GROUP_LABEL},", ""))
    sim.control.auto_scaling_group("web", min_size=2, user_data=given)
    taint = {"key": "dedicated", "value": "web", "effect": "NO_SCHEDULE"}
    whole.mocks.answers["aws:eks/getNodeGroup:getNodeGroup"] = {
        "labels": {"pool": "web", "tier": "front"},
        "taints": [taint],
        "capacityType": "ON_DEMAND",
    }
    source = '"import_from": {"eks_cluster": "shop", "node_group": "web"},'
    vng = '"virtual_node_groups": [{"name": "web", "node_group": "web"}],'
    whole.program(source + vng)
    said = {each.message for each in whole.stack.preview().diagnostics}
    result = whole.up()
    lines = set(result.outputs["imported"])
    assert lines <= said
    for lost in (
        "user data does not set the labels tier=front of EKS node group web",
        "user data does not set the taints dedicated=web:NoSchedule of EKS node group web",
        "labels of the node group (eks.amazonaws.com/...) are removed",
        "strategy.spotPercentage is not copied: the group runs only On-Demand instances",
    ):
        assert any(line.startswith(lost) for line in lines), lost
    cluster, group = (whole.state[key]["inputs"] for key in ("Ocean shop", "OceanLaunchSpec shop-web"))
    assert (cluster["minSize"], cluster["desiredCapacity"]) == (2, 2)
    assert (cluster["userData"], group["userData"]) == (left, left)
    again = whole.stack.preview()
    assert set(again.summary) == {"same"}
    assert not lines & {each.message for each in again.diagnostics}


@pytest.mark.parametrize("size", ["3", "pulumi.Output.from_input(3)"], ids=["number", "Output"])
@pytest.mark.parametrize(("copied", "target"), [(0, 3), (2, 3), (5, 5)])
def test_target_is_at_least_the_minimum_of_the_program(
    sim: Simulator, whole: WholeStack, size: str, copied: int, target: int
) -> None:
    """Of a new cluster: later its number of nodes is up to Ocean."""
    sim.control.auto_scaling_group("web", min_size=copied)
    arguments = """
        "import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"},
        "protect": False,
        "cluster_options": {"min_size": SIZE},
    """
    whole.program(arguments.replace("SIZE", size))
    whole.up()
    inputs = whole.state["Ocean shop"]["inputs"]
    assert (inputs["minSize"], inputs["desiredCapacity"]) == (3, target)
    whole.program(arguments.replace("SIZE", "1"))
    changed = whole.up()
    inputs = whole.state["Ocean shop"]["inputs"]
    assert (inputs["minSize"], inputs["desiredCapacity"]) == (1, target)
    assert changed.summary["update"] == 1


def test_retire_tells_the_change_once_all_is_migrated(sim: Simulator, whole: WholeStack) -> None:
    """And not before; of a group that no longer exists it tells that."""
    arguments = f"""
        "ocean_id": {sim.ocean_id!r},
        "waves": [{{"name": "web", "nodes": {{"asg_names": ["web"]}}}}],
        "retire": [
            {{"node_group": "web", "eks_cluster": "shop"}},
            {{"node_group": "api", "eks_cluster": "shop", "declaration": "the resource api of this program"}},
            {{"node_group": "gone", "eks_cluster": "shop"}},
            {{"node_group": "old web's $(group)", "eks_cluster": "shop"}},
        ],
    """
    whole.mocks.gone = {"gone"}
    whole.program(arguments)
    result = whole.up()
    assert result.outputs["retire"] == [
        "managed node group web of shop: aws eks update-nodegroup-config --cluster-name shop --nodegroup-name web "
        "--scaling-config minSize=0,desiredSize=0",
        "managed node group api of shop: remove the resource api of this program, which declares it",
        "managed node group gone of shop: no longer exists",
        "managed node group old web's $(group) of shop: aws eks update-nodegroup-config --cluster-name shop "
        "--nodegroup-name 'old web'\"'\"'s $(group)' --scaling-config minSize=0,desiredSize=0",
    ]


def test_retire_conflict_is_a_warning_of_the_first_preview(sim: Simulator, whole: WholeStack) -> None:
    """It fails nothing, and ends with the first program that gives Ocean's nodes another profile."""
    whole.mocks.node_role = "arn:aws:iam::123456789012:role/workers"
    arguments = """
        "import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"},
        "virtual_node_groups": [{"name": "web", "labels": {"workload": "web"}, "options": {}}],
        "controller": {"existing_secret": "spot", "replace_v1": False},
        "waves": [{"name": "all", "nodes": {"all_nodes": True}, "unmatched_nodes": "allow"}],
        "retire": [{"node_group": "web"}],
        "protect": False,
    """
    whole.program(arguments)
    for result in (whole.stack.preview(), whole.up(), whole.up()):
        (warning,) = [each.message for each in result.diagnostics if "retire" in each.message]
        assert warning == (
            "retire managed node group web of shop: not possible, its role arn:aws:iam::123456789012:role/workers is "
            "also the role of Virtual Node Group web, the Ocean cluster, whose nodes become NotReady without it. Give "
            "them an instance profile with another role first"
        )
    assert result.outputs["totals"]["migrated"] == 4
    assert result.outputs["retire"] == [warning.removeprefix("retire ")]
    profile = '{"iam_instance_profile": "own"}'
    whole.program(arguments.replace('"options": {}', f'"options": {profile}') + f'"cluster_options": {profile},')
    for result in (whole.stack.preview(), whole.up()):
        assert not [each for each in result.diagnostics if "not possible" in each.message]
    assert result.outputs["retire"][0].startswith("managed node group web of shop: aws eks update-nodegroup-config")


LATER = "import pulumi_kubernetes\n{} = pulumi_kubernetes.core.v1.ConfigMap('x').id.apply(lambda _: {!r})"
"""A name that is known during `pulumi up`."""


@pytest.mark.parametrize("is_new", [True, False], ids=["new cluster", "existing cluster"])
def test_what_is_known_of_roles_is_compared_beside_what_is_not(sim: Simulator, whole: WholeStack, is_new: bool) -> None:
    """A profile that the same `up` creates is named; `up` compares it, too."""
    whole.mocks.node_role = "arn:aws:iam::123456789012:role/ocean-node"
    where = '"import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"}'
    if not is_new:
        where = f'"ocean_id": {sim.ocean_id!r}'
    whole.program(
        f"""
        {where},
        "virtual_node_groups": [
            {{"name": "shared", "options": {{"iam_instance_profile": "ocean-node"}}}},
            {{"name": "own", "options": {{"iam_instance_profile": made}}}},
        ],
        "retire": [{{"node_group": "web", "eks_cluster": "shop"}}],
        "protect": False,
        """,
        before=LATER.format("made", "ocean-node"),
    )
    preview = whole.stack.preview()
    assert preview.succeeded, preview.error
    said = [each.message for each in preview.diagnostics if each.message.startswith("retire")]
    assert "retire: the instance profile of Virtual Node Group own is not known before `pulumi up`" in "\n".join(said)
    (warning,) = [each for each in said if "not possible" in each]
    assert "Virtual Node Group shared" in warning
    assert "Virtual Node Group own" not in warning
    run = whole.up()
    (warning,) = [each.message for each in run.diagnostics if "not possible" in each.message]
    assert "Virtual Node Group own" in warning
    assert not [each for each in run.diagnostics if "not known before" in each.message]


def test_node_group_of_a_cluster_that_is_known_later_is_named(sim: Simulator, whole: WholeStack) -> None:
    """A group whose cluster the program knows is compared all the same."""
    whole.mocks.node_role = "arn:aws:iam::123456789012:role/ocean-node"
    whole.program(
        """
        "import_from": {"eks_cluster": cluster, "auto_scaling_group": "web"},
        "cluster_options": {"iam_instance_profile": "ocean-node"},
        "retire": [{"node_group": "web"}, {"node_group": "api", "eks_cluster": "shop"}],
        """,
        before=LATER.format("cluster", "shop"),
    )
    said = [each.message for each in whole.stack.preview().diagnostics if each.message.startswith("retire")]
    assert "retire: import_from.eks_cluster is not known before `pulumi up`, which then compares it" in said
    (warning,) = [each for each in said if "not possible" in each]
    assert "managed node group api of shop" in warning


def test_roles_of_an_existing_cluster_are_compared_in_the_first_preview(sim: Simulator, whole: WholeStack) -> None:
    """Its own Virtual Node Groups, which the program does not declare, are compared, too."""
    whole.mocks.node_role = "arn:aws:iam::123456789012:role/ocean-node"
    whole.program(
        f"""
        "ocean_id": {sim.ocean_id!r},
        "waves": [{{"name": "web", "nodes": {{"asg_names": ["web"]}}}}],
        "retire": [{{"node_group": "web", "eks_cluster": "shop"}}],
        """
    )
    preview = whole.stack.preview()
    assert preview.succeeded
    assert [each for each in preview.diagnostics if "not possible" in each.message and "Virtual Node" in each.message]


def test_a_role_that_neither_spot_nor_aws_tells_is_named_in_the_output(sim: Simulator, whole: WholeStack) -> None:
    """It fails neither the preview nor the stack, whose migration has succeeded."""
    whole.program(
        f"""
        "ocean_id": {sim.ocean_id!r},
        "virtual_node_groups": [{{"name": "own", "options": {{"iam_instance_profile": "own"}}}}],
        "retire": [{{"node_group": "web", "eks_cluster": "shop"}}],
        "protect": False,
        """
    )
    sim.control.fault("GET", "/ocean/aws/k8s/cluster/*", "status", times=99, status=403)
    for result in (whole.stack.preview(), whole.up()):
        assert result.succeeded
        (warning,) = [each.message for each in result.diagnostics if "can be compared" in each.message]
        assert warning.startswith("retire: not all instance profiles of the Ocean cluster can be compared: GET /ocean")
    (line,) = result.outputs["retire"]
    assert "update-nodegroup-config" in line
    assert line.endswith(
        "is not that of Virtual Node Groups that the program does not declare, the Ocean cluster, which is not known)"
    )


def test_retire_names_the_version_of_a_launch_template_that_cannot_be_read(sim: Simulator, whole: WholeStack) -> None:
    """The role of the latest version is compared, and without a conflict the role of the other one is not known."""
    template = [{"id": "lt-1", "version": "1"}]
    whole.mocks.answers["aws:autoscaling/getGroup:getGroup"] = {"launchTemplates": template}
    latest = {"latestVersion": 2, "iamInstanceProfiles": [{"name": "old"}]}
    whole.mocks.answers["aws:ec2/getLaunchTemplate:getLaunchTemplate"] = latest
    own = """"virtual_node_groups": [{"name": "own", "options": {"iam_instance_profile": "old"}}],"""
    arguments = f"""
        "ocean_id": {sim.ocean_id!r},
        "protect": False,
        "retire": [{{"auto_scaling_group": "web"}}],
        """
    whole.program(arguments)
    (line,) = whole.up().outputs["retire"]
    assert line.endswith(
        "(first make sure that no Virtual Node Group has its role: the group uses version 1 of launch template lt-1, "
        "but only the latest version, 2, can be read)"
    )
    whole.program(arguments + own)
    (conflict,) = whole.up().outputs["retire"]
    assert conflict.startswith("Auto Scaling Group web: not possible, its role arn:aws:iam::123456789012:role/old")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "ocean_id"),
        ({"ocean_id": "o-1", "import_from": {"eks_cluster": "c", "node_group": "n"}}, "ocean_id"),
        ({"import_from": {"eks_cluster": "c"}}, "import_from.auto_scaling_group"),
        ({"import_from": {"node_group": "n"}}, "import_from"),
        ({"ocean_id": "o-1", "cluster_name": "x"}, "cluster_name"),
        ({"ocean_id": "o-1", "waves": [{"name": "a"}]}, "waves[0]"),
        ({"ocean_id": "o-1", "waves": [{"name": "", "nodes": {}}]}, "waves[0].name"),
        ({"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {}}] * 2}, "waves[1].name"),
        ({"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {}, "speed": 1}]}, "waves[0].speed"),
        (
            {"ocean_id": "o-1", "virtual_node_groups": [{"name": "a", "node_group": "n"}]},
            "virtual_node_groups[0].eks_cluster",
        ),
        (
            {"ocean_id": "o-1", "virtual_node_groups": [{"name": "a", "node_group": "n", "auto_scaling_group": "g"}]},
            "virtual_node_groups[0].node_group",
        ),
        ({"ocean_id": "o-1", "retire": [{}]}, "retire[0].auto_scaling_group"),
        ({"ocean_id": "o-1", "retire": [{"node_group": "n"}]}, "retire[0].eks_cluster"),
        ({"ocean_id": "o-1", "controller": {}}, "controller"),
        ({"ocean_id": "o-1", "colour": "red"}, "args.colour"),
    ],
    ids=repr,
)
def test_wrong_combinations_are_refused_by_name(given: dict[str, object], name: str) -> None:
    """In one line, before anything is registered."""
    with pytest.raises(InputError) as caught:
        check_args(given)  # type: ignore[arg-type]  # wrong on purpose
    assert caught.value.property_name.startswith(name)
    assert "\n" not in str(caught.value)


def test_class_and_dictionary_say_the_same() -> None:
    """Either form, at every level."""
    by_class = check_args(OceanMigrationArgs(ocean_id="o-1", waves=[{"name": "a", "nodes": {"all_nodes": True}}]))
    by_dictionary = check_args({"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"all_nodes": True}}]})
    assert by_class == by_dictionary


def test_importing_the_resource_loads_none_of_the_packages() -> None:
    """Only who asks for the component has to have them."""
    code = (
        "import sys\n"
        "from ocean_migration_pulumi import OceanMigrationGate, OceanWorkloadMigration\n"
        "import ocean_migration_pulumi.provider, ocean_migration_pulumi.functions\n"
        "heavy = {'pulumi_aws', 'pulumi_kubernetes', 'pulumi_spotinst'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from ocean_migration_pulumi import *\n"
        "assert OceanMigration and WaveArgs\n"
        "heavy = {'pulumi_aws', 'pulumi_kubernetes', 'pulumi_spotinst'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


GROUP_LABEL = "eks.amazonaws.com/nodegroup=web"
CLUSTER = """
    "import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"},
    "virtual_node_groups": [{"name": "web", "labels": {"workload": "web"}}],
    "protect": False,
"""


def made_in(sim: Simulator) -> list[str]:
    """Return the accounts of the clusters, the first one left out."""
    return [each["account_id"] for each in sim.control.overview()["clusters"] if each["id"] != sim.ocean_id]


@pytest.mark.parametrize("by_config", [False, True], ids=["input", "config"])
def test_cluster_is_made_in_the_account_of_the_migrations(sim: Simulator, tmp_path: Path, by_config: bool) -> None:
    """Whatever account the environment has; the token of the environment is in no state."""
    account = sim.control.add_account()
    config = {"ocean-migration:account": account} if by_config else {}
    whole = WholeStack(sim, tmp_path, config=config)
    whole.program(CLUSTER if by_config else f'{CLUSTER} "account_id": {account!r},')
    whole.up()
    assert made_in(sim) == [account]
    provider = whole.state["spotinst shop"]["inputs"]
    assert (provider["account"], provider.get("token")) == (account, None)
    assert whole.state["Ocean shop"]["provider"].startswith(whole.state["spotinst shop"]["urn"])
    assert sim.token not in str(whole.stack.export())
    assert set(whole.up().summary) == {"same"}


def test_one_setting_of_the_token_is_enough(sim: Simulator, tmp_path: Path) -> None:
    """That of the stack's config is a secret of the provider, encrypted in the state."""
    secrets = {"ocean-migration:token": sim.token}
    whole = WholeStack(sim, tmp_path, config={"ocean-migration:account": sim.account_id}, secrets=secrets, access={})
    whole.program(CLUSTER)
    whole.up()
    assert made_in(sim) == [sim.account_id]
    assert "ciphertext" in whole.state["spotinst shop"]["inputs"]["token"]
    assert sim.token not in str(whole.stack.export())


PASSED = "import pulumi_spotinst\npassed = pulumi_spotinst.Provider('passed', account={!r}, token={!r})"
OPTIONS = "pulumi.ResourceOptions(providers=[passed])"


OUTER = "outer = pulumi.ComponentResource('shop:index:Outer', 'outer', None, pulumi.ResourceOptions(provider=passed))"


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        "pulumi.ResourceOptions(providers={'spotinst': passed})",
        "pulumi.ResourceOptions(provider=passed)",
        "pulumi.ResourceOptions.merge(pulumi.ResourceOptions(providers=[passed]), pulumi.ResourceOptions())",
        "pulumi.ResourceOptions(parent=outer)",
    ],
)
def test_passed_provider_wins(sim: Simulator, whole: WholeStack, options: str) -> None:
    """The component makes none of its own, however the program passes one."""
    account = sim.control.add_account()
    before = f"{PASSED.format(account, sim.token)}\n{OUTER}"
    whole.program(f'{CLUSTER} "account_id": {account!r},', before=before, options=options)
    whole.up()
    assert made_in(sim) == [account]
    assert "spotinst shop" not in whole.state
    passed = whole.state["spotinst passed"]["urn"]
    assert whole.state["Ocean shop"]["provider"].startswith(passed)


@pytest.mark.parametrize(
    "given",
    ["pulumi.Output.secret({!r})", "pulumi.Output.from_input({!r})", "pulumi.Config().require('account')"],
)
def test_account_may_be_an_output(sim: Simulator, tmp_path: Path, given: str) -> None:
    """Of the input, though config and environment name others."""
    account, other = sim.control.add_account(), sim.control.add_account()
    whole = WholeStack(sim, tmp_path, config={"shop:account": account, "ocean-migration:account": other})
    whole.program(f'{CLUSTER} "account_id": {given.format(account)},')
    whole.up()
    assert made_in(sim) == [account]
    assert set(whole.up().summary) == {"same"}
    whole.program(
        f'{CLUSTER} "account_id": {given.format(account)},',
        before=PASSED.format(other, sim.token),
        options="pulumi.ResourceOptions(provider=passed)",
    )
    assert f"but the spotinst provider of the component has account {other}" in whole.fails()


@pytest.mark.parametrize("given", [None, " {} "], ids=["no value", "blanks"])
def test_account_of_an_output_is_read_as_for_the_migrations(sim: Simulator, tmp_path: Path, given: str | None) -> None:
    """Without a value it is that of the settings, and blanks around it do not count; the environment has another."""
    account = sim.control.add_account()
    whole = WholeStack(sim, tmp_path, config={"ocean-migration:account": account})
    output = f"pulumi.Output.from_input({given and given.format(account)!r})"
    whole.program(f"{CLUSTER} 'controller': {{'existing_secret': 'spot'}}, 'account_id': {output},")
    whole.up()
    assert made_in(sim) == [account]
    assert whole.state["Release shop-controller"]["inputs"]["values"]["spotinst"]["account"] == account


@pytest.mark.parametrize("token", [None, "canary-77"])
def test_passed_provider_of_another_account_is_refused(sim: Simulator, whole: WholeStack, token: str | None) -> None:
    """In one line, before anything of the component is registered."""
    whole.program(CLUSTER + '"account_id": "act-other",', before=PASSED.format(None, token), options=OPTIONS)
    if token is None:
        said = whole.fails()
        assert (
            f"account_id is act-other, but the spotinst provider of the component has account {sim.account_id}" in said
        )
    whole.program(CLUSTER, before=PASSED.format("act-other", token or sim.token), options=OPTIONS)
    said = whole.fails()
    assert f"account_id is {sim.account_id}, but the spotinst provider of the component has account act-other" in said
    assert "Traceback" not in said
    assert set(whole.state) <= {"Stack shop-dev", "spotinst passed", "spotinst default"}
    assert made_in(sim) == []


def test_stack_of_the_default_provider_moves_to_the_explicit_one(sim: Simulator, whole: WholeStack) -> None:
    """Its cluster stays, and is only noted under the new provider."""
    whole.program(CLUSTER)
    whole.up()
    document = whole.stack.export()
    own = whole.state["spotinst shop"]
    default = {
        **own,
        "urn": own["urn"].replace("ocean-migration:index:OceanMigration$", "").replace("::shop", "::default"),
    }
    default = {key: value for key, value in default.items() if key != "parent"} | {"inputs": {}, "outputs": {}}
    resources = document["deployment"]["resources"]
    resources[resources.index(own)] = default
    for each in resources:
        if each.get("provider", "").startswith(own["urn"]):
            each["provider"] = f"{default['urn']}::{default['id']}"
    whole.stack.import_state(document)
    preview = whole.stack.preview()
    assert preview.succeeded, preview.error
    assert not {"replace", "delete"} & set(preview.summary)
    mark = len(sim.control.requests())
    whole.up()
    writes = [each for each in sim.control.requests()[mark:] if each["method"] != "GET"]
    assert not [each for each in writes if not each["path"].endswith("/import")]
    assert whole.state["Ocean shop"]["provider"].startswith(own["urn"])


def test_credentials_file_that_the_plugin_does_not_read_is_refused(sim: Simulator, tmp_path: Path) -> None:
    """It knows one of the two variables that may name the file."""
    file = tmp_path / "credentials"
    file.write_text(f"[default]\ntoken = {sim.token}\naccount = {sim.account_id}\n", encoding="utf-8")
    whole = WholeStack(sim, tmp_path, access={"SPOTINST_SHARED_CREDENTIALS_FILE": str(file)})
    whole.program(CLUSTER)
    said = whole.fails()
    assert "token: the spotinst provider does not read" in said
    assert "name file and profile with SPOTINST_CREDENTIALS_FILE and SPOTINST_CREDENTIALS_PROFILE" in said
    assert sim.token not in said
    assert made_in(sim) == []


def test_bad_argument_is_one_line_of_the_program(sim: Simulator, whole: WholeStack) -> None:
    """Pulumi shows a RunError as a message, and any other exception as a traceback."""
    whole.program(f'"ocean_id": {sim.ocean_id!r}, "waves": [{{"name": "a", "nodes": {{"asg_name": ["web"]}}}}]')
    said = whole.fails()
    assert "waves[0].nodes.asg_name: unknown field; did you mean `asg_names`?" in said
    assert "Traceback" not in said
    assert set(whole.state) <= {"Stack shop-dev"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", {"ocean_id": "o-1"}), "name must not be empty ["),
        ((5, {"ocean_id": "o-1"}), "name must be a string, not 5 ["),
        (
            ("shop", {"ocean_id": "o-1"}, {"protect": True}),
            "opts must be pulumi.ResourceOptions, not {",
        ),
        (
            ("shop", {"ocean_id": "o-1", "waves": [{"name": "a", "nodes": {"all_nodes": True}, "triggers": [{1}]}]}),
            "waves[0].triggers[0] has the type set; use a string, number, boolean, list or map [",
        ),
    ],
)
def test_what_pulumi_would_refuse_with_a_traceback_is_one_line(arguments: tuple[Any, ...], message: str) -> None:
    """Before anything is registered."""
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(message)}"):
        OceanMigration(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            '"import_from": {"eks_cluster": "shop", "node_group": "web"}, "cluster_options": {"imageid": "ami-1"}',
            "cluster_options.imageid: unknown field; did you mean `image_id`?",
        ),
        (
            '"ocean_id": "o-1", "virtual_node_groups": [{"name": "a", "options": {"root_volume": 50}}]',
            "virtual_node_groups[0].options.root_volume: unknown field; did you mean `root_volume_size`?",
        ),
    ],
)
def test_argument_that_the_spot_package_does_not_know_is_refused(
    whole: WholeStack, arguments: str, message: str
) -> None:
    """In one line, before anything is registered."""
    whole.program(arguments)
    said = whole.fails()
    assert message in said
    assert "Traceback" not in said
    assert set(whole.state) <= {"Stack shop-dev"}


@pytest.mark.parametrize("name", ["pulumi.Output.from_input(None)", "pulumi.Output.from_input('')"])
def test_name_that_turns_out_to_be_empty_is_one_line(whole: WholeStack, name: str) -> None:
    """It shows only while the program runs."""
    whole.program(f'"import_from": {{"eks_cluster": "shop", "auto_scaling_group": {name}}}')
    said = whole.fails()
    assert "auto_scaling_group is required without node_group, and its Output is empty" in said
    assert "Traceback" not in said


def test_extra_that_is_not_installed_is_named(sim: Simulator, whole: WholeStack) -> None:
    """In one line, with the command that installs it."""
    hidden = "import sys\nsys.modules['pulumi_kubernetes'] = None"
    whole.program(f'"ocean_id": {sim.ocean_id!r}', before=hidden)
    said = whole.fails()
    assert f"OceanMigration: pulumi_kubernetes is not installed; run `{install_command('stack')}`" in said
    assert "Traceback" not in said


SECRET_KUBECONFIG = '"kubeconfig": pulumi.Config().require_secret("kubeconfig"),'


def test_secret_kubeconfig_is_used_to_find_version_1(sim: Simulator, tmp_path: Path) -> None:
    """A secret is known: version 1 is scaled to zero before version 2 is installed."""
    image = "gcr.io/spotinst-artifacts/kubernetes-cluster-controller:1.0.101"
    name = "spotinst-kubernetes-cluster-controller"
    sim.control.add_deployment(sim.ocean_id, name, namespace="kube-system", image=image)
    whole = WholeStack(sim, tmp_path, secrets={"kubeconfig": sim.kubeconfig(identity="run")})
    arguments = f'"ocean_id": {sim.ocean_id!r}, {SECRET_KUBECONFIG} "cluster_autoscaler": {{}},'
    whole.program(arguments + '"controller": {"existing_secret": "spot"},')
    result = whole.up()
    assert "DeploymentPatch shop-controller-v1" in whole.needs("Release shop-controller")
    assert not [each for each in result.diagnostics if "not known" in each.message]
    whole.program(arguments + '"controller": {"existing_secret": "spot", "replace_v1": False},')
    (warning,) = [each.message for each in whole.stack.preview().diagnostics if "version 2" in each.message]
    assert "runs beside version 2: set replace_v1" in warning


def test_kubeconfig_without_a_value_is_that_of_the_environment(sim: Simulator, tmp_path: Path) -> None:
    """The provider uses it, so version 1 of the controller is looked for there, too."""
    image = "gcr.io/spotinst-artifacts/kubernetes-cluster-controller:1.0.101"
    sim.control.add_deployment(sim.ocean_id, "old", namespace="kube-system", image=image)
    (tmp_path / "config").write_text(sim.kubeconfig(identity="run"), encoding="utf-8")
    access = {**sim.environment, "KUBECONFIG": str(tmp_path / "config")}
    whole = WholeStack(sim, tmp_path, access=access)
    output = "'kubeconfig': pulumi.Output.from_input(None)"
    whole.program(f"'ocean_id': {sim.ocean_id!r}, 'controller': {{'existing_secret': 'spot'}}, {output}")
    whole.up()
    assert "DeploymentPatch shop-controller-v1" in whole.needs("Release shop-controller")


def test_new_group_leaves_finished_waves_alone(sim: Simulator, whole: WholeStack) -> None:
    """Its id is known only later; the plans of the waves are not changed by it, in the preview and in the run."""
    arguments = f'"ocean_id": {sim.ocean_id!r}, {WAVES} "protect": False, '
    one, other = '{"name": "one", "spot_percentage": 50}', '{"name": "other", "spot_percentage": 50}'
    whole.program(f'{arguments} "virtual_node_groups": [{one}]')
    whole.up()
    whole.program(f'{arguments} "virtual_node_groups": [{one}, {other}]')
    for run in (whole.stack.preview, whole.up):
        result = run()
        assert {step.name: step.op for step in result.steps if step.op != "same"} == {"shop-other": "create"}
    waves = ("canary", "half", "rest")
    assert all(len(whole.state[f"OceanWorkloadMigration shop-{each}"]["inputs"]["planned_nodes"]) for each in waves)


def test_wave_waits_for_the_groups_that_it_names(sim: Simulator, whole: WholeStack) -> None:
    """By default it waits for all."""
    whole.program(
        f"""
        "ocean_id": {sim.ocean_id!r},
        "virtual_node_groups": [{{"name": "one"}}, {{"name": "other"}}],
        "waves": [
            {{"name": "some", "nodes": {{"asg_names": ["web"]}}, "virtual_node_groups": ["one"]}},
            {{"name": "none", "nodes": {{"asg_names": ["api"]}}, "virtual_node_groups": []}},
            {{"name": "all", "nodes": {{"all_nodes": True}}, "when_no_nodes": "succeed"}},
        ],
        "protect": False,
        """
    )
    whole.up()
    ids = whole.stack.up().outputs["virtual_node_group_ids"]
    waited = [whole.state[f"OceanWorkloadMigration shop-{each}"]["inputs"] for each in ("some", "none", "all")]
    assert [each.get("virtual_node_group_ids") for each in waited] == [
        [ids["one"]], None, [ids["one"], ids["other"]],
    ]  # fmt: skip
