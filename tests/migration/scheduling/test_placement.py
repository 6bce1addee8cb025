"""Will each pod fit where it goes."""

from __future__ import annotations

import random
import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.scheduling import placement
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    CLAIMS,
    VOLUMES,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
    Resources,
    Taint,
    Term,
    Toleration,
)
from ocean_migration_pulumi.migration.scheduling.pod_requirements import RequirementKind, RequirementRemedy
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic
from ocean_migration_pulumi.migration.scheduling.vng_profiles import is_reserved_label
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode
from tests.migration.diagnostics import fields_of
from tests.migration.scheduling.test_label_matching import naive_holds, naive_tolerates
from tests.support.gaps import failed_gap

CLOUD = AwsFacts(zones={"subnet-a": "us-west-2a", "subnet-b": "us-west-2b"})
GPU = ("gpu", "yes", "NoSchedule")
TOLERANT = (Toleration(key="gpu", operator="Exists"),)


def template(**more: Any) -> LaunchTemplate:
    """Return a template with a subnet in the first zone."""
    more.setdefault("subnet_ids", ("subnet-a",))
    return LaunchTemplate(**more)


def vng(id_: str = "ols-1", **more: Any) -> VirtualNodeGroup:
    """Return a VNG of the web team."""
    more.setdefault("labels", (("team", "web"),))
    more.setdefault("template", template())
    return VirtualNodeGroup(id=id_, name=f"name of {id_}", **more)


def pod(name: str = "cart-1", **more: Any) -> Pod:
    """Return a pod on the planned node."""
    return Pod(namespace="shop", name=name, node_name="node-1", **more)


def judge(
    *pods: Pod, match: str | None = "ols-1", vngs: tuple[VirtualNodeGroup, ...] = (vng(),), **more: Any
) -> placement.PlacementForecast:
    """Judge pods of one planned node in a cluster whose own template starts nothing."""
    more.setdefault("cloud", CLOUD)
    more.setdefault("cluster", Cluster(id="o-1", region="us-west-2", template_only=True))
    kube = more.pop("kube", KubernetesSnapshot())
    nodes = [PlannedNode(instance_id="i-1", node_name="node-1", virtual_node_group_id=match)]
    return placement.forecast_placement(pods, nodes, kube, vngs={one.id: one for one in vngs}, **more)


def unplaceable(fit: placement.PlacementForecast) -> list[dict[str, Any]]:
    """Return what fits nowhere, by reason."""
    return fields_of(fit, Code.PODS_UNPLACEABLE)


def condition(key: str, *values: str, operator: str = "In") -> dict[str, Any]:
    """Return a condition on a label as a diagnostic has it."""
    return {"key": key, "operator": operator, "values": list(values)}


def verdict(fit: placement.PlacementForecast) -> bool | None:
    """Return whether the only pod fits."""
    assert fit.fitting + fit.elsewhere + fit.homeless + fit.unknown == 1
    assert any(each.is_blocker for each in fit.diagnostics) is bool(fit.homeless)
    return None if fit.unknown else not fit.homeless


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("team", "web", True),
        ("team", "data", False),
        ("eks.amazonaws.com/nodegroup", "web", False),
        ("karpenter.sh/nodepool", "default", False),
        ("node-role.kubernetes.io/worker", "", False),
        ("kubernetes.io/os", "linux", True),
        ("kubernetes.io/os", "windows", False),
        ("beta.kubernetes.io/os", "linux", True),
        ("kubernetes.io/arch", "arm64", True),
        ("kubernetes.io/arch", "s390x", False),
        ("beta.kubernetes.io/arch", "amd64", True),
        ("kubernetes.io/hostname", "node-1", False),
        ("topology.kubernetes.io/zone", "us-west-2a", True),
        ("topology.kubernetes.io/zone", "us-west-2b", False),
        ("failure-domain.beta.kubernetes.io/zone", "us-west-2a", True),
        ("topology.kubernetes.io/region", "us-west-2", True),
        ("failure-domain.beta.kubernetes.io/region", "us-east-1", False),
        ("node.kubernetes.io/instance-type", "m5.large", True),
        ("beta.kubernetes.io/instance-type", "m5.large", True),
        ("spotinst.io/node-lifecycle", "od", True),
        ("spotinst.io/node-lifecycle", "spot", None),
        ("spotinst.io/gpu-type", "nvidia-tesla-t4", None),
        ("aws.spot.io/instance-family", "c5a", None),
        ("topology.k8s.aws/zone-id", "usw2-az1", None),
    ],
)
def test_node_selector_asks_for_what_new_nodes_have(key: str, value: str, expected: bool | None) -> None:
    """The labels of the group, and those that every node of Ocean gets; a label of EKS's node groups is none."""
    assert verdict(judge(pod(node_selector={key: value}))) is expected


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (Requirement(key="team", values=("web", "data")), True),
        (Requirement(key="team", operator="NotIn", values=("web",)), False),
        (Requirement(key="disk", operator="NotIn", values=("ssd",)), True),
        (Requirement(key="team", operator="Exists"), True),
        (Requirement(key="disk", operator="Exists"), False),
        (Requirement(key="disk", operator="DoesNotExist"), True),
        (Requirement(key="size", operator="Gt", values=("3",)), True),
        (Requirement(key="size", operator="Lt", values=("4",)), False),
        (Requirement(key="kubernetes.io/hostname", operator="NotIn", values=("node-1",)), True),
        (Requirement(key="kubernetes.io/hostname", operator="Exists"), True),
        (Requirement(key="metadata.name", values=("node-1",), on_field=True), False),
        (Requirement(key="metadata.name", operator="NotIn", values=("node-1",), on_field=True), True),
        (Requirement(key="eks.amazonaws.com/nodegroup", operator="DoesNotExist"), True),
        (Requirement(key="eks.amazonaws.com/compute-type", operator="NotIn", values=("fargate",)), True),
        (Requirement(key="node.kubernetes.io/instance-type", operator="NotIn", values=("m5.large",)), True),
        (Requirement(key="spotinst.io/node-lifecycle", operator="NotIn", values=("od",)), None),
    ],
)
def test_required_affinity_is_held_against_new_nodes(term: Requirement, expected: bool | None) -> None:
    """Every operator that node affinity has."""
    vngs = (vng(labels=(("team", "web"), ("size", "4"))),)
    assert verdict(judge(pod(terms=((term,),)), vngs=vngs)) is expected


WEB = Requirement(key="team", values=("web",))
DATA = Requirement(key="team", values=("data",))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ((), True),
        (((),), False),
        (((), (WEB,)), True),
        (((DATA,), (WEB,)), True),
        (((DATA, WEB),), False),
    ],
)
def test_one_term_is_enough_and_an_empty_one_is_nothing(terms: tuple[Term, ...], expected: bool) -> None:
    """No terms at all is anywhere."""
    assert verdict(judge(pod(terms=terms))) is expected


def test_conditions_must_hold_on_one_node_at_once() -> None:
    """One zone for the volumes and the affinity, one machine for type, architecture and size."""
    zone = "topology.kubernetes.io/zone"
    both = (vng(template=template(subnet_ids=("subnet-a", "subnet-b"))),)
    here, there = (((Requirement(key=zone, values=(f"us-west-2{letter}",)),),) for letter in "ab")
    assert verdict(judge(pod(volume_terms=(here,)), vngs=both)) is True
    ((reason,),) = (found["reasons"] for found in unplaceable(judge(pod(volume_terms=(here, there)), vngs=both)))
    assert reason["kind"] == RequirementKind.COMBINED
    assert [part["terms"] for part in reason["parts"]] == [
        [[condition(zone, "us-west-2a")]],
        [[condition(zone, "us-west-2b")]],
    ]
    types = (vng(template=template(instance_types=("m5.large", "m6g.4xlarge"))),)
    large = Resources(milli_cpu=8000)
    assert verdict(judge(pod(requests=large), vngs=types)) is True
    assert verdict(judge(pod(requests=large, node_selector={"kubernetes.io/arch": "arm64"}), vngs=types)) is True
    fit = judge(pod(requests=large, node_selector={"kubernetes.io/arch": "amd64"}), vngs=types)
    ((reason,),) = (found["reasons"] for found in unplaceable(fit))
    assert [part["kind"] for part in reason["parts"]] == [RequirementKind.NODE_SELECTOR, RequirementKind.REQUESTS]


@pytest.mark.parametrize(
    ("key", "zone", "expected"),
    [
        ("topology.kubernetes.io/zone", "us-west-2a", True),
        ("topology.ebs.csi.aws.com/zone", "us-west-2a", True),
        ("topology.ebs.csi.aws.com/zone", "us-west-2c", False),
        ("kubernetes.io/hostname", "node-1", False),
    ],
)
def test_volume_is_reached_from_the_zones_of_the_subnets(key: str, zone: str, expected: bool) -> None:
    """The disk of a node is reached from no other."""
    assert verdict(judge(pod(volume_terms=(((Requirement(key=key, values=(zone,)),),),)))) is expected


@pytest.mark.parametrize(
    ("cloud", "subnets", "seen", "expected"),
    [
        (CLOUD, (), "", {"a": True, "b": False}),
        (CLOUD, ("subnet-b",), "", {"a": False, "b": True}),
        (CLOUD, ("subnet-b", "subnet-x"), "", {"a": None, "b": True}),
        (CLOUD, ("subnet-b",), "us-west-2a", {"a": False, "b": True}),
        (None, ("subnet-a",), "", {"a": None, "b": None}),
        (None, ("subnet-a",), "us-west-2a", {"a": True, "b": None}),
    ],
)
def test_zones_are_those_of_the_subnets_or_not_known(
    cloud: AwsFacts | None, subnets: tuple[str, ...], seen: str, expected: dict[str, bool | None]
) -> None:
    """Its own, else the cluster's; nodes that run there only show what is possible."""
    own = (vng(template=LaunchTemplate(subnet_ids=subnets)),)
    base = Cluster(id="o-1", template=template(), template_only=True)
    running = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1", availability_zone=seen)]
    for letter, verdict_there in expected.items():
        bound = pod(node_selector={"topology.kubernetes.io/zone": f"us-west-2{letter}"})
        assert verdict(judge(bound, vngs=own, cluster=base, cloud=cloud, ocean_nodes=running)) is verdict_there


@pytest.mark.parametrize(
    ("taint", "tolerations", "expected"),
    [
        (GPU, (), False),
        (GPU, TOLERANT, True),
        (GPU, (Toleration(key="gpu", value="no"),), False),
        (("gpu", "yes", "NoExecute"), (), False),
        (("gpu", "yes", "PreferNoSchedule"), (), True),
        (GPU, (Toleration(operator="Exists"),), True),
    ],
)
def test_taints_of_the_group_must_be_tolerated(
    taint: tuple[str, str, str], tolerations: tuple[Toleration, ...], expected: bool
) -> None:
    """Those that only prefer others do not count."""
    assert verdict(judge(pod(tolerations=tolerations), vngs=(vng(taints=(taint,)),))) is expected


@pytest.mark.parametrize(
    ("user_data", "expected"),
    [
        ("bootstrap.sh --kubelet-extra-args '--node-labels=zoo=1,disk=ssd'", None),
        ('[settings.kubernetes.node-labels]\n"disk" = "ssd"', None),
        ("disk: ssd", None),
        ("--node-labels=fast-disk=ssd", False),
        ("mount the disk", False),
        ("", False),
    ],
)
def test_label_that_user_data_may_set_is_unknown(user_data: str, expected: bool | None) -> None:
    """In any of the forms that kubelets read; the cluster's counts for a VNG without its own."""
    asks = pod(node_selector={"disk": "ssd"})
    assert verdict(judge(asks, vngs=(vng(template=template(user_data=user_data)),))) is expected
    base = Cluster(id="o-1", template=template(user_data=user_data), template_only=True)
    assert verdict(judge(asks, cluster=base)) is expected
    own = (vng(template=template(user_data="#!/bin/sh")),)
    assert verdict(judge(asks, cluster=base, vngs=own)) is False


def test_label_that_nodes_of_the_group_have_already_is_unknown() -> None:
    """Whoever gave it; a planned node is no evidence."""
    asks = pod(node_selector={"disk": "ssd"})
    nodes = {name: KubernetesNode(name=name, instance_id=name, labels={"disk": "ssd"}) for name in ("i-1", "i-9")}
    running = [ClusterNode(instance_id=name, virtual_node_group_id="ols-1") for name in nodes]
    assert verdict(judge(asks, ocean_nodes=running, kube=KubernetesSnapshot(nodes=nodes))) is None
    assert verdict(judge(asks, ocean_nodes=running[:1], kube=KubernetesSnapshot(nodes=nodes))) is False


@pytest.mark.parametrize(
    ("key", "reserved"),
    [
        ("node-role.kubernetes.io/worker", True),
        ("node-restriction.kubernetes.io/pci", True),
        ("pci.node-restriction.kubernetes.io/x", True),
        ("kubernetes.io/role", True),
        ("kops.k8s.io/instancegroup", True),
        ("eks.amazonaws.com/compute-type", True),
        ("eks.amazonaws.com/instance-family", True),
        ("topology.efs.csi.aws.com/zone", True),
        ("topology.hostpath.csi/node", True),
        ("node.kubernetes.io/lifecycle", False),
        ("x.kubelet.kubernetes.io/y", False),
        ("kubernetes.io/hostname", False),
        ("topology.ebs.csi.aws.com/zone", False),
        ("eks.amazonaws.com/nodegroup", False),
        ("karpenter.sh/nodepool", False),
        ("example.com/csi-driver", False),
        ("team", False),
    ],
)
def test_labels_that_no_group_can_give(key: str, reserved: bool) -> None:
    """Kubelets are refused them, or others set them."""
    assert is_reserved_label(key) is reserved


@pytest.mark.parametrize("tag", ["<powershell>", "<script>"])
@pytest.mark.parametrize(
    ("of", "labels", "system"),
    [
        (pod(system="windows"), {}, "windows"),
        (pod(), {"kubernetes.io/os": "windows"}, "windows"),
        (pod(node_selector={"kubernetes.io/os": "windows"}), {}, "windows"),
        (pod(system="linux"), {}, "linux"),
        (pod(), {"kubernetes.io/os": "linux"}, "linux"),
    ],
)
def test_images_need_their_operating_system(of: Pod, labels: dict[str, str], system: str, tag: str) -> None:
    """By the pod's own field, else the node that it runs on."""
    kube = KubernetesSnapshot(nodes={"i-1": KubernetesNode(name="node-1", instance_id="i-1", labels=labels)})
    windows = (vng(template=template(user_data=f"{tag}...")),)
    assert verdict(judge(of, kube=kube)) is (system == "linux")
    assert verdict(judge(of, kube=kube, vngs=windows)) is (system == "windows")


def test_operating_system_of_running_nodes_counts() -> None:
    """Whatever the user data says, which an image may not need."""
    label = {"kubernetes.io/os": "windows"}
    kube = KubernetesSnapshot(nodes={"i-9": KubernetesNode(name="n", instance_id="i-9", labels=label)})
    running = [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1")]
    assert verdict(judge(pod(system="windows"), kube=kube, ocean_nodes=running)) is True
    assert verdict(judge(pod(system="linux"), kube=kube, ocean_nodes=running)) is False


@pytest.mark.parametrize(
    ("key", "value", "more", "expected"),
    [
        ("kubernetes.io/os", "windows", {"user_data": "#!/bin/bash\n/etc/eks/bootstrap.sh shop"}, False),
        ("kubernetes.io/os", "windows", {}, True),
        ("kubernetes.io/arch", "arm64", {"instance_types": ("m5.large",)}, False),
        ("kubernetes.io/arch", "arm64", {"instance_types": ("m6g.large",)}, True),
        ("kubernetes.io/arch", "arm64", {"instance_types": ("u-6tb1.metal",)}, True),
        ("topology.kubernetes.io/zone", "us-west-2c", {"subnet_ids": ("subnet-a",)}, False),
        ("topology.kubernetes.io/zone", "us-west-2c", {"subnet_ids": ("subnet-unknown",)}, True),
        ("topology.kubernetes.io/region", "eu-west-1", {}, False),
    ],
)
def test_what_a_node_is_counts_before_what_its_group_declares(
    key: str, value: str, more: dict[str, Any], expected: bool
) -> None:
    """Its kubelet labels it so; a declared label tells only what is not known."""
    group = vng(labels=((key, value),), template=template(**more))
    assert verdict(judge(pod(node_selector={key: value}), vngs=(group,))) is expected


def test_build_of_windows_is_known_only_of_its_nodes() -> None:
    """Their kubelet gives them the label; which build a new node has is not known, and Linux has none."""
    of = pod(node_selector={"node.kubernetes.io/windows-build": "10.0.20348"})
    windows = vng(template=template(user_data="<powershell>...</powershell>"))
    assert (verdict(judge(of, vngs=(windows,))), verdict(judge(of))) == (None, False)


def test_windows_nodes_are_told_by_their_user_data() -> None:
    """All others are Linux."""
    vngs = (vng(template=template(user_data="<powershell>Start-EKSBootstrap</powershell>")),)
    assert verdict(judge(pod(node_selector={"kubernetes.io/os": "windows"}), vngs=vngs)) is True
    assert verdict(judge(pod(node_selector={"kubernetes.io/os": "linux"}), vngs=vngs)) is False


@pytest.mark.parametrize(
    ("types", "requests", "selector", "expected"),
    [
        ((), Resources(milli_cpu=190_000, memory_mib=700_000, gpu=8), {}, True),
        (("m5.large",), Resources(milli_cpu=1930, memory_mib=6838), {}, True),
        (("m5.large",), Resources(milli_cpu=1931), {}, False),
        (("m5.large",), Resources(memory_mib=6839), {}, None),
        (("m5.large",), Resources(memory_mib=7500), {}, None),
        (("m5.large",), Resources(memory_mib=7716), {}, None),
        (("m5.large",), Resources(memory_mib=7717), {}, False),
        (("m5.large",), Resources(gpu=1), {}, False),
        (("m5.large", "r5.large"), Resources(memory_mib=14_000), {}, True),
        (("m5.large", "c5.4xlarge"), Resources(milli_cpu=16000, memory_mib=40_000), {}, False),
        (("m5.*",), Resources(milli_cpu=90_000), {}, True),
        (("m5.*",), Resources(gpu=1), {}, False),
        (("g5.*",), Resources(gpu=8), {}, True),
        (("t3.large",), Resources(), {}, True),
        (("t3.large",), Resources(milli_cpu=100), {}, None),
        (("t3.large", "m5.large"), Resources(milli_cpu=100), {}, True),
        (("m5.large",), Resources(), {"kubernetes.io/arch": "arm64"}, False),
        (("m6g.large",), Resources(), {"kubernetes.io/arch": "arm64"}, True),
        (("u-6tb1.metal",), Resources(), {"kubernetes.io/arch": "arm64"}, None),
        (("m5.large",), Resources(), {"node.kubernetes.io/instance-type": "m5.large"}, True),
        (("m5.large",), Resources(), {"node.kubernetes.io/instance-type": "m5.xlarge"}, False),
        (("m5.*",), Resources(milli_cpu=3920), {"node.kubernetes.io/instance-type": "m5.xlarge"}, True),
        (("m5.*",), Resources(milli_cpu=3921), {"node.kubernetes.io/instance-type": "m5.xlarge"}, False),
        (("m5.*",), Resources(), {"node.kubernetes.io/instance-type": "c5.xlarge"}, False),
    ],
)
def test_request_and_architecture_are_held_against_the_allowed_types(
    types: tuple[str, ...], requests: Resources, selector: dict[str, str], expected: bool | None
) -> None:
    """What EKS reserves is not for pods; how much memory that is depends on more than the type."""
    vngs = (vng(template=template(instance_types=types)),)
    assert verdict(judge(pod(requests=requests, node_selector=selector), vngs=vngs)) is expected


def test_aws_tells_the_size_of_a_type() -> None:
    """Where the name does not."""
    vngs = (vng(template=template(instance_types=("t3.large",))),)
    cloud = AwsFacts(zones=CLOUD.zones, machines={"t3.large": InstanceTypeSpec(resources=Resources(milli_cpu=2000))})
    assert verdict(judge(pod(requests=Resources(milli_cpu=1930)), vngs=vngs, cloud=cloud)) is True
    assert verdict(judge(pod(requests=Resources(milli_cpu=1931)), vngs=vngs, cloud=cloud)) is False


def on_nodes(allocatable: Resources, **more: Any) -> dict[str, Any]:
    """Return a cluster with a node of the VNG, as Kubernetes and Ocean have it."""
    labels = {"node.kubernetes.io/instance-type": "m5.large", "kubernetes.io/os": "linux"}
    known = KubernetesNode(name="n", instance_id="i-9", labels=labels, allocatable=allocatable)
    kube = KubernetesSnapshot(nodes={"i-9": known}, **more)
    return {"kube": kube, "ocean_nodes": [ClusterNode(instance_id="i-9", virtual_node_group_id="ols-1")]}


def test_allocatable_of_a_node_decides_for_its_type() -> None:
    """Whatever AWS says of the type."""
    vngs = (vng(template=template(instance_types=("m5.large",))),)
    machines = {"m5.large": InstanceTypeSpec(resources=Resources(milli_cpu=2000, memory_mib=8192))}
    seen = on_nodes(Resources(milli_cpu=1900, memory_mib=7074))
    more = {"vngs": vngs, "cloud": AwsFacts(zones=CLOUD.zones, machines=machines), **seen}
    assert verdict(judge(pod(requests=Resources(milli_cpu=1900, memory_mib=7074)), **more)) is True
    assert verdict(judge(pod(requests=Resources(milli_cpu=1901)), **more)) is False
    assert verdict(judge(pod(requests=Resources(memory_mib=7075)), **more)) is False


def daemon(name: str, **more: Any) -> Pod:
    """Return a pod of a DaemonSet, bound to its node as its controller does."""
    here = ((Requirement(key="metadata.name", values=("n",), on_field=True),),)
    more.setdefault("requests", Resources(milli_cpu=100, memory_mib=100))
    owner = Owner(kind="DaemonSet", name=name, group="apps")
    return Pod(namespace="kube-system", name=f"{name}-1", node_name="n", controller=owner, terms=here, **more)


def test_daemon_sets_take_their_part_of_every_node() -> None:
    """Those that run there; whether one with an unknown label does is not known, and the pod may not fit."""
    vngs = (vng(template=template(instance_types=("m5.large",)), taints=(GPU,)),)
    large = pod(requests=Resources(milli_cpu=1700), tolerations=TOLERANT)
    space = Resources(milli_cpu=1900, memory_mib=7000)

    def fits(*daemons: Pod) -> bool | None:
        return verdict(judge(large, vngs=vngs, **on_nodes(space, pods=daemons)))

    tolerant = {"tolerations": (Toleration(operator="Exists"),)}
    assert fits(daemon("a", **tolerant), daemon("b", **tolerant)) is True
    assert fits(daemon("a", **tolerant), daemon("b", **tolerant), daemon("c", **tolerant)) is False
    assert fits(*(daemon(name) for name in "abc")) is True
    unsure = daemon("c", node_selector={"aws.spot.io/x": "y"}, **tolerant)
    assert fits(daemon("a", **tolerant), daemon("b", **tolerant), unsure) is None


def test_request_near_the_edge_is_a_warning() -> None:
    """It is named for what it is."""
    vngs = (vng(template=template(instance_types=("m5.large",))),)
    found = judge(pod(requests=Resources(memory_mib=7500)), vngs=vngs)
    (near,) = [each for each in found.diagnostics if each.code is Code.PODS_PLACEMENT_UNKNOWN]
    assert near.severity is Severity.WARNING
    assert [reason["kind"] for reason in near.fields["reasons"]] == [RequirementKind.TIGHT_REQUESTS]


@pytest.mark.parametrize(
    ("name", "amount", "on_node", "expected"),
    [
        ("vpc.amazonaws.com/pod-eni", 1, 0, None),
        ("vpc.amazonaws.com/pod-eni", 1, 9, True),
        ("hugepages-2Mi", 4 * 1024**2, 0, None),
        ("ephemeral-storage", 10 * 1024**3, 0, True),
        ("ephemeral-storage", 50 * 1024**3, 0, None),
        ("ephemeral-storage", 50 * 1024**3, 90 * 1024**3, True),
        ("resourceClaims", 1, 0, None),
    ],
)
def test_other_resources_are_unknown_unless_a_node_has_them(
    name: str, amount: int, on_node: int, expected: bool | None
) -> None:
    """Nothing tells of a node that does not exist yet what its plugins will offer."""
    seen = on_nodes(Resources(milli_cpu=1900, memory_mib=7000, others=((name, on_node),)))
    asking = pod(requests=Resources(milli_cpu=100, others=((name, amount),)))
    found = judge(asking, **seen)
    assert verdict(found) is expected
    reasons = [each["reasons"] for each in fields_of(found, Code.PODS_PLACEMENT_UNKNOWN)]
    unknown = {"kind": RequirementKind.OTHER_RESOURCES, "names": [name]}
    assert reasons == ([] if expected else [[unknown]])


def test_topology_spread_needs_its_label_on_the_node() -> None:
    """Without it a node takes no such pod; how the pods are spread is not evaluated."""
    assert verdict(judge(pod(spread_keys=("topology.kubernetes.io/zone", "kubernetes.io/hostname", "team")))) is True
    fit = judge(pod(spread_keys=("eks.amazonaws.com/nodegroup",)))
    (found,) = unplaceable(fit)
    terms = [[condition("eks.amazonaws.com/nodegroup", operator="Exists")]]
    assert found["reasons"] == [
        {"kind": RequirementKind.TOPOLOGY_SPREAD, "remedy": RequirementRemedy.ADD_LABEL, "terms": terms}
    ]


def test_required_pod_affinity_is_unknown() -> None:
    """Where the other pods will be is not known; a pod that fits nowhere needs no such doubt."""
    assert verdict(judge(pod(pod_affinity=True))) is None
    assert verdict(judge(pod(pod_affinity=True, node_selector={"team": "data"}))) is False


def test_blockers_are_grouped_by_reason_with_what_to_do() -> None:
    """The reason of the most pods first, whatever the order of the pods."""
    pods = [
        *(pod(f"web-{number}", node_selector={"eks.amazonaws.com/nodegroup": "web"}) for number in range(1, 8)),
        *(
            pod(f"big-{number}", requests=Resources(milli_cpu=96_000, memory_mib=102_400), tolerations=TOLERANT)
            for number in (1, 2)
        ),
        pod("pinned-1", node_selector={"kubernetes.io/hostname": "node-1"}, tolerations=TOLERANT),
        pod("pinned-2", node_selector={"kubernetes.io/hostname": "node-2"}, tolerations=TOLERANT),
        pod("pinned-3", node_selector={"kubernetes.io/hostname": "node-3"}, tolerations=TOLERANT),
    ]
    vngs = (
        vng(template=template(instance_types=("m5.large",))),
        vng("ols-2", taints=(GPU,), template=template(instance_types=("m5.large",))),
    )
    fit = judge(*pods, vngs=vngs)
    selector, requests = RequirementKind.NODE_SELECTOR, RequirementKind.REQUESTS
    assert unplaceable(fit) == [
        {
            "pods": [f"shop/web-{number}" for number in range(1, 8)],
            "reasons": [
                {
                    "kind": selector,
                    "remedy": RequirementRemedy.ADD_LABEL,
                    "terms": [[condition("eks.amazonaws.com/nodegroup", "web")]],
                }
            ],
        },
        {
            "pods": ["shop/pinned-1", "shop/pinned-2", "shop/pinned-3"],
            "reasons": [
                {
                    "kind": selector,
                    "remedy": RequirementRemedy.REMOVE_NODE_NAME,
                    "terms": [[condition("kubernetes.io/hostname")]],
                }
            ],
        },
        {
            "pods": ["shop/big-1", "shop/big-2"],
            "reasons": [{"kind": requests, "milli_cpu": 96_000, "memory_mib": 102_400, "gpu": 0}],
        },
    ]
    assert judge(*reversed(pods), vngs=vngs) == fit


def test_pods_that_tolerate_no_taints_are_told() -> None:
    """When every VNG has one."""
    vngs = (vng(taints=(GPU,)), vng("ols-2", taints=(("team", "data", "NoExecute"),)))
    intolerant = {"kind": RequirementKind.TOLERATIONS}
    assert unplaceable(judge(pod("a"), pod("b"), vngs=vngs)) == [
        {"pods": ["shop/a", "shop/b"], "reasons": [intolerant]}
    ]
    asks = pod("a", node_selector={"disk": "ssd"})
    (found,) = unplaceable(judge(asks, vngs=vngs))
    assert found["reasons"][0]["terms"] == [[condition("disk", "ssd")]]
    assert found["reasons"][1] == intolerant


@pytest.mark.parametrize(
    ("more", "kind", "terms", "remedy"),
    [
        (
            {"terms": ((Requirement(key="team", values=("a", "b")), Requirement(key="disk", operator="Exists")), ())},
            RequirementKind.NODE_AFFINITY,
            [[condition("team", "a", "b"), condition("disk", operator="Exists")], []],
            RequirementRemedy.ADD_LABEL,
        ),
        (
            {"terms": ((Requirement(key="metadata.name", values=("node-1",), on_field=True),),)},
            RequirementKind.NODE_AFFINITY,
            [[condition("metadata.name")]],
            RequirementRemedy.REMOVE_NODE_NAME,
        ),
        (
            {"terms": ((Requirement(key="kubernetes.io/arch", values=("s390x",)),),)},
            RequirementKind.NODE_AFFINITY,
            [[condition("kubernetes.io/arch", "s390x")]],
            RequirementRemedy.ALLOW_INSTANCE_TYPE,
        ),
        (
            {"node_selector": {"topology.kubernetes.io/zone": "us-west-2c"}},
            RequirementKind.NODE_SELECTOR,
            [[condition("topology.kubernetes.io/zone", "us-west-2c")]],
            RequirementRemedy.ADD_SUBNET,
        ),
        (
            {"node_selector": {"kubernetes.io/os": "windows"}},
            RequirementKind.NODE_SELECTOR,
            [[condition("kubernetes.io/os", "windows")]],
            RequirementRemedy.ADD_SYSTEM,
        ),
        (
            {"node_selector": {"node.kubernetes.io/windows-build": "10.0.20348"}},
            RequirementKind.NODE_SELECTOR,
            [[condition("node.kubernetes.io/windows-build", "10.0.20348")]],
            RequirementRemedy.ADD_SYSTEM,
        ),
        (
            {"system": "windows"},
            RequirementKind.SYSTEM,
            [[condition("kubernetes.io/os", "windows")]],
            RequirementRemedy.ADD_SYSTEM,
        ),
        (
            {"node_selector": {"node-role.kubernetes.io/worker": ""}},
            RequirementKind.NODE_SELECTOR,
            [[condition("node-role.kubernetes.io/worker", "")]],
            RequirementRemedy.REMOVE_RESERVED,
        ),
        (
            {"node_selector": {"topology.kubernetes.io/region": "eu-west-1"}},
            RequirementKind.NODE_SELECTOR,
            [[condition("topology.kubernetes.io/region", "eu-west-1")]],
            RequirementRemedy.REMOVE,
        ),
        (
            {
                "volume_terms": (
                    (
                        (Requirement(key="topology.ebs.csi.aws.com/zone", values=("us-west-2d",)),),
                        (Requirement(key="topology.kubernetes.io/zone", values=("us-west-2c",)),),
                    ),
                )
            },
            RequirementKind.VOLUME_ZONE,
            [[condition("topology.kubernetes.io/zone", "us-west-2c", "us-west-2d")]],
            RequirementRemedy.ADD_SUBNET,
        ),
        (
            {"volume_terms": (((Requirement(key="kubernetes.io/hostname", values=("node-1",)),),),)},
            RequirementKind.VOLUME_ON_NODE,
            None,
            None,
        ),
        (
            {"volume_terms": (((Requirement(key="rack", values=("1", "2")),),),)},
            RequirementKind.VOLUME,
            [[condition("rack", "1", "2")]],
            RequirementRemedy.ADD_LABEL,
        ),
    ],
)
def test_every_kind_of_requirement_has_its_conditions_and_its_remedy(
    more: dict[str, Any], kind: RequirementKind, terms: list[Any] | None, remedy: RequirementRemedy | None
) -> None:
    """Names of single nodes are left out, zones are merged: so like pods are grouped."""
    vngs = (vng(template=template(instance_types=("m5.large",))),)
    ((reason,),) = (found["reasons"] for found in unplaceable(judge(pod(**more), vngs=vngs)))
    assert (reason["kind"], reason.get("terms"), reason.get("remedy")) == (kind, terms, remedy)


def test_very_many_reasons_make_few_diagnostics() -> None:
    """The last one counts the others."""
    pods = [pod(f"p{number:02}", node_selector={"shard": str(number)}) for number in range(30)]
    fit = judge(*pods)
    assert len(unplaceable(fit)) == 10
    (others,) = fields_of(fit, Code.PODS_UNPLACEABLE_MORE)
    assert (others["reasons"], len(others["pods"])) == (20, 20)


def test_cluster_without_any_group_takes_nothing() -> None:
    """But its own template does, unless it is only a template."""
    assert unplaceable(judge(pod(), vngs=())) == [
        {"pods": ["shop/cart-1"], "reasons": [{"kind": RequirementKind.NO_GROUP}]}
    ]
    assert verdict(judge(pod(), vngs=(), cluster=Cluster(id="o-1"))) is True


@pytest.mark.parametrize(
    ("match", "vngs", "elsewhere"),
    [
        ("ols-1", (vng(), vng("ols-2", labels=(("team", "data"),))), 1),
        ("ols-2", (vng(), vng("ols-2", labels=(("team", "data"),))), 0),
        ("ols-9", (vng("ols-2", labels=(("team", "data"),)),), 0),
        (None, (vng("ols-2", labels=(("team", "data"),)),), 0),
        (UNKNOWN_VNG, (vng("ols-2", labels=(("team", "data"),)),), 0),
        ("Default", (vng("ols-2", labels=(("team", "data"),)), vng("ols-3", labels=())), 1),
        ("Default", (vng("ols-2", labels=(("team", "data"),)),), 0),
    ],
)
def test_pod_that_leaves_its_nodes_group_is_a_remark(
    match: str | None, vngs: tuple[VirtualNodeGroup, ...], elsewhere: int
) -> None:
    """No blocker; a node without a known match has no VNG to leave."""
    fit = judge(pod(node_selector={"team": "data"}), match=match, vngs=vngs)
    assert (fit.elsewhere, fit.homeless, fit.fitting) == (elsewhere, 0, 1 - elsewhere)
    assert fields_of(fit, Code.PODS_CHANGE_GROUP) == [{"pods": ["shop/cart-1"]}] * elsewhere
    assert len(fit.diagnostics) == elsewhere


def test_default_match_takes_any_group_without_labels_and_taints() -> None:
    """Or the cluster's own template."""
    plain = vng("ols-2", labels=())
    assert judge(pod(), match="Default", vngs=(vng(), plain)).fitting == 1
    assert judge(pod(), match="Default", vngs=(vng("ols-1", taints=(GPU,)),), cluster=Cluster(id="o-1")).fitting == 1


def test_what_is_not_known_is_a_remark_and_never_a_blocker() -> None:
    """With the demand that could not be judged, and what AWS did not tell."""
    pods = [pod(f"cart-{number}", node_selector={"topology.kubernetes.io/zone": "us-west-2a"}) for number in (1, 2)]
    cloud = AwsFacts(
        gaps={
            "zones": failed_gap("AccessDenied", "allow ec2:DescribeSubnets"),
            "machines": failed_gap("AccessDenied", "allow ec2:DescribeSubnets"),
        }
    )
    fit = judge(*pods, cloud=cloud)
    assert (fit.unknown, unplaceable(fit)) == (2, [])
    (doubt,) = fields_of(fit, Code.PODS_PLACEMENT_UNKNOWN)
    assert doubt["pods"] == ["shop/cart-1", "shop/cart-2"]
    assert doubt["reasons"][0]["terms"] == [[condition("topology.kubernetes.io/zone", "us-west-2a")]]
    assert fields_of(fit, Code.NOT_EVALUATED) == [
        {
            "topics": [Topic.SUBNET_ZONES, Topic.INSTANCE_SIZES],
            "gap": failed_gap("AccessDenied", "allow ec2:DescribeSubnets").to_json(),
        }
    ]
    assert judge(pod(), cloud=cloud).diagnostics == ()


def test_very_many_doubts_make_few_diagnostics() -> None:
    """The last one counts the others."""
    pods = [pod(f"p{number:02}", node_selector={"spotinst.io/x": str(number)}) for number in range(12)]
    fit = judge(*pods)
    assert len(fields_of(fit, Code.PODS_PLACEMENT_UNKNOWN)) == 10
    assert fields_of(fit, Code.PODS_PLACEMENT_UNKNOWN_MORE) == [{"pods": ["shop/p08", "shop/p09"], "reasons": 2}]


@pytest.mark.parametrize("gap", [CLAIMS, VOLUMES])
def test_volumes_that_could_not_be_read_are_unknown(gap: str) -> None:
    """Only for pods that have any."""
    kube = KubernetesSnapshot(gaps={gap: failed_gap("forbidden", "add the rule")})
    fit = judge(pod("a", claims=("data",)), pod("b"), kube=kube)
    assert (fit.fitting, fit.unknown) == (1, 1)
    unknown = {"kind": RequirementKind.VOLUME_UNKNOWN}
    assert fields_of(fit, Code.PODS_PLACEMENT_UNKNOWN) == [{"pods": ["shop/a"], "reasons": [unknown]}]
    (reported,) = fields_of(fit, Code.NOT_EVALUATED)
    assert reported["gap"] == failed_gap("forbidden", "add the rule").to_json()
    assert judge(pod("b"), kube=kube).diagnostics == ()
    pinned = pod("a", claims=("data",), node_selector={"disk": "ssd"})
    assert judge(pinned, kube=kube).homeless == 1


def test_pods_that_change_the_architecture_are_warned_of() -> None:
    """Whether their images run there cannot be seen; a pod that names an architecture knows."""
    nodes = {"i-1": KubernetesNode(name="node-1", instance_id="i-1", labels={"kubernetes.io/arch": "amd64"})}
    arm = (vng(template=template(instance_types=("m6g.large",))),)
    kube = KubernetesSnapshot(nodes=nodes)
    named = pod("named", terms=((Requirement(key="kubernetes.io/arch", values=("arm64", "amd64")),),))
    (warning,) = judge(pod(), named, vngs=arm, kube=kube).diagnostics
    assert (warning.code, warning.subject) == (Code.PODS_CHANGE_ARCHITECTURE, "amd64")
    assert warning.fields == {"pods": ["shop/cart-1"]}
    both = (vng(template=template(instance_types=("m6g.large", "m5.large"))),)
    unknown = (vng(template=template(instance_types=("u-6tb1.metal",))),)
    for vngs in (both, unknown, (vng(),)):
        assert judge(pod(), vngs=vngs, kube=kube).diagnostics == ()


values = st.sampled_from(["", "a", "b", "3", "10"])
keys = st.sampled_from(["team", "disk"])
requirements = st.builds(
    Requirement,
    key=keys,
    operator=st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
    values=st.lists(values, max_size=2).map(tuple),
)
some_terms = st.lists(st.lists(requirements, max_size=2).map(tuple), max_size=2).map(tuple)
tolerations = st.builds(
    Toleration,
    key=st.sampled_from(["", "team", "gpu"]),
    operator=st.sampled_from(["Exists", "Equal"]),
    value=values,
    effect=st.sampled_from(["", "NoSchedule", "NoExecute"]),
)
some_tolerations = st.lists(tolerations, max_size=2).map(tuple)
pods = st.builds(
    pod,
    st.from_regex(r"[a-z]{1,3}", fullmatch=True),
    node_selector=st.dictionaries(keys, values, max_size=2),
    terms=some_terms,
    volume_terms=st.lists(some_terms, max_size=2).map(tuple),
    tolerations=some_tolerations,
)
groups_strategy = st.lists(
    st.tuples(
        st.dictionaries(keys, values, max_size=2),
        st.lists(
            st.tuples(
                st.sampled_from(["team", "gpu"]),
                values,
                st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
            ),
            max_size=2,
        ),
    ),
    max_size=4,
).map(
    lambda drawn: tuple(
        vng(f"ols-{number}", labels=tuple(sorted(labels.items())), taints=tuple(taints))
        for number, (labels, taints) in enumerate(drawn)
    )
)


def naive_takes(one: VirtualNodeGroup, of: Pod) -> bool:
    """Judge as the scheduler does: a node of the VNG, condition by condition."""
    node_labels = dict(one.labels)
    for key, value, effect in one.taints:
        taint = Taint(key=key, value=value, effect=effect)
        if effect != "PreferNoSchedule" and not any(
            naive_tolerates(toleration, taint) for toleration in of.tolerations
        ):
            return False
    if any(node_labels.get(key) != value for key, value in of.node_selector.items()):
        return False
    for terms in (of.terms, *of.volume_terms):
        met = [bool(term) and all(naive_holds(part, node_labels) for part in term) for term in terms]
        if terms and not any(met):
            return False
    return True


@given(pods, groups_strategy)
def test_pod_is_homeless_when_a_scheduler_would_find_no_node(of: Pod, vngs: tuple[VirtualNodeGroup, ...]) -> None:
    """Held against a second, plain implementation; nothing is unknown here."""
    fit = judge(of, vngs=vngs, match=None)
    assert verdict(fit) is any(naive_takes(one, of) for one in vngs)


@given(pods, groups_strategy, tolerations, groups_strategy)
def test_more_is_never_worse(
    of: Pod, vngs: tuple[VirtualNodeGroup, ...], toleration: Toleration, others: tuple[VirtualNodeGroup, ...]
) -> None:
    """Neither a further toleration nor a further VNG makes a pod homeless."""
    before = judge(of, vngs=vngs).homeless
    tolerant = pod(
        of.name,
        node_selector=of.node_selector,
        terms=of.terms,
        volume_terms=of.volume_terms,
        tolerations=(*of.tolerations, toleration),
    )
    assert judge(tolerant, vngs=vngs).homeless <= before
    added = tuple(vng(f"ols-more-{number}", labels=one.labels, taints=one.taints) for number, one in enumerate(others))
    assert judge(of, vngs=(*vngs, *added)).homeless <= before


@given(
    st.lists(pods, max_size=8, unique_by=lambda of: of.name),
    groups_strategy,
    st.sampled_from(["ols-0", "ols-1", "Default", None]),
    st.randoms(use_true_random=False),
)
def test_order_does_not_matter_and_every_pod_is_counted_once(
    some_pods: list[Pod], vngs: tuple[VirtualNodeGroup, ...], match: str | None, shuffler: random.Random
) -> None:
    """Neither that of the pods nor that of the VNGs."""
    fit = judge(*some_pods, vngs=vngs, match=match)
    assert fit.fitting + fit.elsewhere + fit.homeless + fit.unknown == len(some_pods)
    mixed = list(vngs)
    shuffler.shuffle(some_pods)
    shuffler.shuffle(mixed)
    assert judge(*some_pods, vngs=tuple(mixed), match=match) == fit


def test_ten_thousand_pods_against_thirty_groups_are_judged_quickly() -> None:
    """Most are alike, but hundreds of kinds of demands are not."""
    types = tuple(f"{family}{generation}.{size}xlarge" for family, generation, size in product("cmr", "567", (2, 4, 8)))
    vngs = tuple(
        vng(f"ols-{number}", labels=(("team", str(number)),), template=template(instance_types=types))
        for number in range(30)
    )
    pods = [
        pod(
            f"p{number}",
            node_selector={"team": str(number % 40)},
            requests=Resources(milli_cpu=number % 500, memory_mib=number % 300),
            terms=((Requirement(key="kubernetes.io/arch", values=("amd64",)),),) if number % 2 else (),
        )
        for number in range(10_000)
    ]
    started = time.process_time()
    fit = judge(*pods, vngs=vngs)
    assert time.process_time() - started < 30
    assert (fit.homeless, fit.unknown) == (2500, 0)
