"""The component on the real plugins of Spot and Kubernetes; functions of AWS are answered by a plugin of the tests."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli
from tests.scenarios import pulumi_driver
from tests.scenarios.driver import Run
from tests.scenarios.pulumi_driver import PulumiDriver
from tests.scenarios.scene import UNKNOWN, Scene, failed
from tests.support import aws_plugin
from tests.support.examples import CALM, EXAMPLES, FULL, WEB_AND_API
from tests.support.kubernetes_gateway import CHART, KubernetesGateway

pytestmark = pytest.mark.slow


@dataclass
class Plugged:
    """A stack on the real plugins."""

    scene: Scene
    driver: PulumiDriver
    kubernetes: KubernetesGateway

    def answer_aws(self, **answers: Any) -> None:
        """Let functions of AWS say something else; ``getNodeGroup__web`` is that function for the group `web`."""
        tokens = {"getNodeGroup": "aws:eks/getNodeGroup:getNodeGroup", "getGroup": "aws:autoscaling/getGroup:getGroup"}
        found = {
            f"{tokens[key.partition('__')[0]]} {key.partition('__')[2]}".strip(): each for key, each in answers.items()
        }
        Path(self.driver.environment[aws_plugin.ANSWERS]).write_text(json.dumps(found), encoding="utf-8")

    def comment(self) -> str:
        """Return the comment of a pull request on a preview."""
        file = self.driver.directory / "preview.jsonl"
        file.unlink(missing_ok=True)
        self.driver.environment["OCEAN_MIGRATION_PREVIEW_FILE"] = str(file)
        document = self.driver.preview_document()
        del self.driver.environment["OCEAN_MIGRATION_PREVIEW_FILE"]
        made = CliRunner().invoke(cli.main, ["comment", "--preview-file", str(file)], input=document)
        assert made.exit_code == 0, made.output
        return made.stdout

    def unchanged(self) -> None:
        """Assert that an update, a refresh and a preview find nothing to do, and write nothing to either API."""
        mark, written = self.scene.mark(), len(self.kubernetes.requests)
        for run in (self.scene.up(), self.scene.driver.refresh(), self.scene.driver.preview()):
            assert run.exit_code == 0, run.output
            assert set(run.ops.values()) <= {"same", "refresh"}, run.output
        assert self.spot_writes(mark) == []
        assert self.kubernetes.requests[written:] == []

    def spot_writes(self, since: int = 0) -> list[str]:
        """Return the methods of the writes to Spot after a request, without the imports, which change nothing."""
        return [each["method"] for each in self.scene.writes(since) if not each["path"].endswith("/import")]

    def replicas(self, namespace: str, name: str) -> int:
        """Return the replicas of a Deployment."""
        found = self.kubernetes.objects["apps/v1", "deployments", namespace, name]
        return int(found["spec"]["replicas"])


@pytest.fixture
def plugged(tmp_path: Path) -> Iterator[Plugged]:
    """Make a stack whose plugins write to the simulator and to an API of Kubernetes before it."""
    if reason := pulumi_driver.missing("spotinst", "kubernetes"):
        pytest.skip(reason)
    driver = PulumiDriver(tmp_path / "pulumi")
    with Scene(driver, nodes=4) as scene, KubernetesGateway(scene.simulator, WEB_AND_API) as kubernetes:
        path = f"{aws_plugin.install(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
        # What the plugins run in, on the way to Spot.
        driver.environment |= {**scene.simulator.proxy_environment, "PATH": path, "KUBECONFIG": os.devnull}
        driver.environment[aws_plugin.ANSWERS] = str(tmp_path / "answers.json")
        kubernetes.add_deployment(
            "kube-system", "cluster-autoscaler", "registry.k8s.io/autoscaling/cluster-autoscaler:v1", 1
        )
        yield Plugged(scene, driver, kubernetes)
    driver.close()


def write_full_stack(plugged: Plugged, *changes: tuple[str, str]) -> None:
    """Let the program be the example, with the chart of the tests, and with changes."""
    chart = ("ControllerArgs(existing", f"ControllerArgs(repository={plugged.kubernetes.repository!r}, existing")
    write_example(plugged, "full_stack", chart, *changes)


def write_example(plugged: Plugged, name: str, *changes: tuple[str, str]) -> None:
    """Let the program be an example, with changes."""
    text = (EXAMPLES / name / "__main__.py").read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    plugged.scene.driver.write_program(text)


def test_full_stack_from_nothing_to_destroyed(plugged: Plugged) -> None:
    """Cluster, groups, controller, autoscaler and waves; then unchanged; then a group changes; then all is deleted."""
    scene, kubernetes = plugged.scene, plugged.kubernetes
    scene.driver.configure(**FULL)
    scene.driver.configure(secret=True, kubeconfig=kubernetes.kubeconfig)
    write_full_stack(plugged)
    preview = scene.driver.preview()
    assert preview.exit_code == 0, preview.output
    assert set(preview.ops.values()) == {"create"}, preview.output
    assert plugged.spot_writes() == kubernetes.requests == []
    run = scene.up()
    # The run that plans says what a preview would have said.
    said = [text for _, text in run.messages("shop-canary")]
    assert any(text.startswith("1 batch") and text.endswith(" (shop-canary)") for text in said), said
    assert scene.driver.outputs()["totals"] == {"planned": 6, "migrated": 6, "remaining": 0, "manual": 0, "drained": 6}
    assert plugged.replicas("kube-system", "cluster-autoscaler") == 0
    assert plugged.replicas("spot-system", f"ocean-controller-{CHART}") == 1
    assert order_of(run, "shop", "shop-web", "shop-controller", "shop-autoscaler", "shop-canary", "shop-rest")
    plugged.unchanged()

    # A change of a Virtual Node Group is one PUT, and no wave has a diff.
    write_full_stack(plugged, ('name="general", spot_percentage=50', 'name="general", spot_percentage=60'))
    mark = scene.mark()
    changed = scene.up()
    assert {name for name, op in changed.ops.items() if op != "same"} == {"shop-general"}, changed.output
    assert plugged.spot_writes(mark) == ["PUT"]

    assert failed(scene.driver.destroy(), "protected")
    assert plugged.replicas("spot-system", f"ocean-controller-{CHART}") == 1
    write_full_stack(plugged, ("kubeconfig=config", "protect=False, kubeconfig=config"))
    scene.up()
    scene.destroy()
    assert len(scene.control.overview()["clusters"]) == 1
    assert ("apps/v1", "deployments", "spot-system", f"ocean-controller-{CHART}") not in kubernetes.objects
    assert plugged.replicas("kube-system", "cluster-autoscaler") == 0


def order_of(run: Run, *names: str) -> bool:
    """Tell whether resources were made one after another."""
    made = [
        event["resOutputsEvent"]["metadata"]["urn"].rpartition("::")[2]
        for event in run.events
        if "resOutputsEvent" in event and "pulumi:providers" not in event["resOutputsEvent"]["metadata"]["urn"]
    ]
    places = [made.index(name) for name in names]
    return places == sorted(places)


LATER = """
import pulumi
import pulumi_kubernetes as kubernetes
from ocean_migration_pulumi import OceanMigration

kubeconfig = pulumi.Config().require_secret("kubeconfig")
options = pulumi.ResourceOptions(provider=kubernetes.Provider("own", kubeconfig=kubeconfig))
named = kubernetes.core.v1.ConfigMap("named", metadata={"name": "named", "namespace": "default"}, opts=options)
web = named.id.apply(lambda _: "web")
shop = OceanMigration("shop", {
    "import_from": {"eks_cluster": "shop", "auto_scaling_group": "web"},
    "cluster_options": {"iam_instance_profile": "arn:aws:iam::123456789012:instance-profile/ocean-node"},
    "virtual_node_groups": [{"name": "web", "auto_scaling_group": web}],
    "controller": CONTROLLER,
    "cluster_autoscaler": {},
    "retire": [{"auto_scaling_group": "web"}],
    "kubeconfig": kubeconfig,
    "protect": False,
})
pulumi.export("retire", shop.retire)
"""
V1 = "spotinst-kubernetes-cluster-controller"


def test_secret_kubeconfig_shared_role_and_a_name_that_is_known_later(plugged: Plugged) -> None:
    """Version 1 is scaled to zero first, a shared role is a warning, and the plugin takes what is not known yet."""
    scene, kubernetes = plugged.scene, plugged.kubernetes
    scene.driver.configure(secret=True, kubeconfig=kubernetes.kubeconfig)
    kubernetes.add_deployment("kube-system", V1, "gcr.io/spotinst-artifacts/kubernetes-cluster-controller:1.0.101", 1)
    controller = {"existing_secret": "spot", "repository": kubernetes.repository}
    scene.driver.write_program(LATER.replace("CONTROLLER", repr(controller)))
    preview = scene.driver.preview()
    assert preview.exit_code == 0, preview.output
    assert preview.ops["shop-controller-v1"] == preview.ops["shop-autoscaler"] == "create", preview.output
    unknown = {key for key, value in (preview.inputs("shop-web") or {}).items() if str(value) in UNKNOWN}
    assert "user_data" not in unknown
    assert {"userData", "imageId"} <= unknown
    run = scene.up()
    assert order_of(run, "shop-controller-v1", "shop-controller")
    assert plugged.replicas("kube-system", V1) == plugged.replicas("kube-system", "cluster-autoscaler") == 0
    assert all("not possible, its role" in line for line in scene.driver.outputs()["retire"])
    # The kubeconfig is in the state, encrypted, for the provider alone; the Spot token of the environment is not.
    state = str(scene.driver.state())
    assert "of-a-test" not in state
    assert scene.simulator.token not in state
    plugged.unchanged()

    controller["replace_v1"] = False
    kubernetes.objects["apps/v1", "deployments", "kube-system", V1]["spec"]["replicas"] = 1
    scene.driver.write_program(LATER.replace("CONTROLLER", repr(controller)))
    warnings = scene.driver.preview().warnings
    assert any("runs beside version 2: set replace_v1" in text for text in warnings)
    assert any("not possible, its role" in text for text in warnings)
    scene.destroy()
    assert len(scene.control.overview()["clusters"]) == 1


WAVE_NAMES = ("shop-canary", "shop-half", "shop-rest")
KUBECONFIG = 'kubeconfig=config.get_secret("kubeconfig"),'
"""The argument of the example after which others are added."""


def write_waves(plugged: Plugged, arguments: str = "", outputs: str = "") -> None:
    """Let the program be the example `waves`, with more arguments and outputs."""
    totals = 'pulumi.export("totals", shop.totals)'
    write_example(plugged, "waves", (KUBECONFIG, KUBECONFIG + arguments), (totals, totals + outputs))


def test_waves_on_an_existing_cluster(plugged: Plugged) -> None:
    """Previews name each wave; finished waves stay as they are when a group comes, changes and goes."""
    scene, kubernetes = plugged.scene, plugged.kubernetes
    kubernetes.objects.clear()  # no Cluster Autoscaler runs
    for _ in range(2):
        scene.control.add_node(scene.ocean_id, "web")
    scene.driver.configure(**CALM, oceanId=scene.ocean_id)
    scene.driver.configure(secret=True, kubeconfig=kubernetes.kubeconfig)
    group = "virtual_node_groups=[{'name': 'spare', 'spot_percentage': 50}],"

    # A group that is not there yet is unknown in a list of each wave.
    write_waves(plugged, group)
    comment = plugged.comment()
    assert all(name in comment for name in WAVE_NAMES)
    assert not [sign for sign in UNKNOWN if sign != "[unknown]" and sign in comment]

    write_waves(plugged)
    preview = scene.preview()
    for name in WAVE_NAMES:
        said = [text for _, text in preview.messages(name)]
        assert said
        assert all(text.endswith(f" ({name})") for text in said), said
    assert any(
        "(including later waves: shop-half, shop-rest) stay schedulable" in text for _, text in preview.diagnostics
    )
    scene.up()
    assert scene.driver.outputs()["totals"]["migrated"] == 4
    plugged.unchanged()

    # A new group is one POST, and finished waves keep their plans. Of a group that is gone no command is shown.
    plugged.answer_aws(getGroup__web="reading Auto Scaling Group (web): couldn't find resource")
    retire = "retire=[{'auto_scaling_group': 'web'}, {'auto_scaling_group': 'api'}],"
    write_waves(plugged, group + retire, '\npulumi.export("retire", shop.retire)')
    assert "Not known yet" not in plugged.comment()
    mark = scene.mark()
    made = scene.up()
    assert {name: op for name, op in made.ops.items() if op != "same"} == {"shop-spare": "create"}, made.output
    assert plugged.spot_writes(mark) == ["POST"]
    gone, there = scene.driver.outputs()["retire"]
    assert gone == "Auto Scaling Group web: no longer exists"
    assert there.startswith("Auto Scaling Group api: not possible, its role")
    plugged.unchanged()

    changed = group.replace("50", "60")
    write_waves(plugged, changed)
    mark = scene.mark()
    run = scene.up()
    assert {name for name, op in run.ops.items() if op != "same"} == {"shop-spare"}, run.output
    assert plugged.spot_writes(mark) == ["PUT"]
    assert failed(scene.driver.destroy(), "protected")
    write_waves(plugged, f"{changed} protect=False,")
    scene.up()
    mark = scene.mark()
    scene.destroy()
    assert plugged.spot_writes(mark) == ["DELETE"]


IMPORTED = """
import pulumi
from ocean_migration_pulumi import OceanMigration

shop = OceanMigration("shop", {
    "import_from": {"eks_cluster": "shop", "node_group": "web"},
    "cluster_options": {"utilize_reserved_instances": False},
    "virtual_node_groups": [{"name": "web", "node_group": "web", "spot_percentage": 50}],
    "protect": False,
})
pulumi.export("imported", shop.imported)
"""
BOOTSTRAP = "/etc/eks/bootstrap.sh shop --kubelet-extra-args '--node-labels={}pool=web'"


def test_managed_node_group_is_copied_once(plugged: Plugged) -> None:
    """User data loses the label of the group, a minimum is the target, and what is lost is said before it is made."""
    scene = plugged.scene
    user_data = BOOTSTRAP.format("eks.amazonaws.com/nodegroup=web,")
    scene.control.auto_scaling_group("web", min_size=2, user_data=base64.b64encode(user_data.encode()).decode())
    taint = {"key": "dedicated", "value": "web", "effect": "NO_SCHEDULE"}
    plugged.answer_aws(getNodeGroup={"labels": {"pool": "web", "tier": "front"}, "taints": [taint]})
    scene.driver.write_program(IMPORTED)
    preview = scene.driver.preview()
    assert preview.exit_code == 0, preview.output
    for lost in ("labels tier=front of EKS", "taints dedicated=web:NoSchedule of EKS"):
        assert any(f"user data does not set the {lost} node group web" in text for text in preview.warnings), lost
    assert any("labels of the node group (eks.amazonaws.com/...) are removed" in text for text in preview.warnings)
    scene.up()
    lines = scene.driver.outputs()["imported"]
    assert {text for _, text in preview.diagnostics} >= set(lines)
    cluster, group = (each["body"] for each in scene.writes() if not each["path"].endswith("/import"))
    assert cluster["cluster"]["capacity"].items() >= {"minimum": 2, "target": 2}.items()
    expected = base64.b64encode(BOOTSTRAP.format("").encode()).decode()
    assert cluster["cluster"]["compute"]["launchSpecification"]["userData"] == expected
    assert group["launchSpec"]["userData"] == expected
    assert group["launchSpec"]["taints"] == [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}]
    strategy = {"spotPercentage": 50, "utilizeReservedInstances": False}
    assert group["launchSpec"]["strategy"].items() >= strategy.items()
    plugged.unchanged()
    again = scene.driver.preview()
    assert [text for _, text in again.diagnostics if text in lines] == []
    assert scene.driver.outputs()["imported"] == lines
    scene.destroy()
    assert len(scene.control.overview()["clusters"]) == 1
