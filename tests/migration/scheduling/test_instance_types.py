"""The machines that a Virtual Node Group may start."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.api.models.cluster import ClusterNode, LaunchTemplate
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, InstanceTypeSpec
from ocean_migration_pulumi.migration.scheduling.instance_types import (
    ANY_SIZE,
    AllowedTypes,
    InstanceTypeCatalog,
    KubeletSettings,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesNode, Resources


def size(cpus: int, gib: int) -> Resources:
    """Return so many CPUs and GiB, without a GPU."""
    return Resources(milli_cpu=1000 * cpus, memory_mib=1024 * gib)


@pytest.mark.parametrize(
    ("name", "resources", "architectures"),
    [
        ("m5.large", size(2, 8), {"amd64"}),
        ("c6i.xlarge", size(4, 8), {"amd64"}),
        ("r7g.2xlarge", size(8, 64), {"arm64"}),
        ("m6gd.16xlarge", size(64, 256), {"arm64"}),
        ("m7i-flex.large", size(2, 8), {"amd64"}),
        ("c7gn.4xlarge", size(16, 32), {"arm64"}),
        ("c5n.large", None, {"amd64"}),
        ("c4.8xlarge", None, {"amd64"}),
        ("m3.medium", None, {"amd64"}),
        ("m6g.medium", None, {"arm64"}),
        ("m5.metal", None, {"amd64"}),
        ("m7i.metal-24xl", None, {"amd64"}),
        ("t4g.large", None, {"arm64"}),
        ("a1.large", None, {"arm64"}),
        ("g5g.xlarge", None, {"arm64"}),
        ("g4dn.xlarge", None, {"amd64"}),
        ("im4gn.large", None, {"arm64"}),
        ("mac2.metal", None, set()),
        ("u-6tb1.metal", None, set()),
        ("p6e-gb200.36xlarge", None, set()),
        ("m5.*", Resources(milli_cpu=ANY_SIZE.milli_cpu, memory_mib=ANY_SIZE.memory_mib), {"amd64"}),
        ("g5.*", ANY_SIZE, {"amd64"}),
        ("m*", ANY_SIZE, set()),
        ("*", ANY_SIZE, {"amd64", "arm64"}),
    ],
)
def test_names_of_types_tell_what_ec2_means_by_them(
    name: str, resources: Resources | None, architectures: set[str]
) -> None:
    """Where the rule has exceptions, the size is not known; of a size, a part is kept from pods."""
    machine = InstanceTypeCatalog().machine(name)
    assert (machine.name, set(machine.architectures)) == (name, architectures)
    if machine.most is None or machine.resources is None or resources is None:
        assert machine.resources == resources
    else:
        assert 0.9 * resources.milli_cpu < machine.resources.milli_cpu == machine.most.milli_cpu < resources.milli_cpu
        assert 0.8 * resources.memory_mib < machine.resources.memory_mib < machine.most.memory_mib
        assert machine.most.memory_mib < resources.memory_mib


@pytest.mark.parametrize(
    ("name", "milli_cpu", "memory_mib"),
    [
        ("m5.large", 1930, 7074),
        ("m5.xlarge", 3920, 14_663),
        ("c5.xlarge", 3920, 6_889),
        ("r5.large", 1930, 14_700),
        ("m5.2xlarge", 7910, 29_900),
        ("m5.24xlarge", 95_690, 370_000),
    ],
)
def test_allocatable_of_real_nodes_is_between_the_bounds(name: str, milli_cpu: int, memory_mib: int) -> None:
    """About as nodes of EKS report it."""
    machine = InstanceTypeCatalog().machine(name)
    assert machine.resources is not None
    assert machine.most is not None
    assert machine.resources.milli_cpu == milli_cpu
    assert machine.resources.memory_mib <= memory_mib <= machine.most.memory_mib


def test_nodes_know_better_than_aws_and_aws_better_than_names() -> None:
    """Those of Ocean before others; those that do not tell are no evidence."""
    nodes = [
        ClusterNode(instance_id="i-1", instance_type="m5.large", allocatable_milli_cpu=9, allocatable_memory_mib=9),
        ClusterNode(
            instance_id="i-2", instance_type="t3.large", allocatable_milli_cpu=1930, allocatable_memory_mib=7000
        ),
        ClusterNode(
            instance_id="i-3",
            instance_type="t3.large",
            allocatable_milli_cpu=1900,
            allocatable_memory_mib=7100.5,
            allocatable_gpu=0,
        ),
        ClusterNode(instance_id="i-4", instance_type="r5.large", allocatable_milli_cpu=0, allocatable_memory_mib=0),
        ClusterNode(instance_id="i-5", allocatable_milli_cpu=9, allocatable_memory_mib=9),
    ]
    described = InstanceTypeSpec(resources=size(3, 9), architectures=("arm64",))
    labels = {"node.kubernetes.io/instance-type": "m5.large"}
    known = [
        KubernetesNode(name="a", labels=labels, allocatable=Resources(milli_cpu=1, memory_mib=99)),
        KubernetesNode(name="b", labels=labels),
        KubernetesNode(name="c", allocatable=size(9, 9)),
    ]
    machines = {"m5.large": described, "c5.large": described}
    catalogue = InstanceTypeCatalog.from_sources(AwsFacts(machines=machines), nodes, known)
    assert catalogue.machine("m5.large").resources == Resources(milli_cpu=9, memory_mib=9, gpu=ANY_SIZE.gpu)
    assert catalogue.machine("m5.large").architectures == {"arm64"}
    by_aws = catalogue.machine("c5.large").resources
    assert by_aws is not None
    assert by_aws.milli_cpu == 2925
    # Nodes of one type may differ: what they all have is certain.
    least, most = (
        Resources(milli_cpu=cpu, memory_mib=mib, gpu=ANY_SIZE.gpu) for cpu, mib in ((1900, 7000), (1930, 7100))
    )
    assert (catalogue.machine("t3.large").resources, catalogue.machine("t3.large").most) == (least, most)
    assert catalogue.machine("r5.large").most is not None
    assert catalogue.seen.keys() == {"m5.large", "t3.large"}


@pytest.mark.parametrize(
    ("user_data", "milli_cpu", "memory_mib"),
    [
        # As measured: 29 pods on an m5.large leave 7074 MiB, 110 pods 6215.
        ("", 1930, 6838),
        ("/etc/eks/bootstrap.sh shop --use-max-pods false --kubelet-extra-args '--max-pods=110'", 1930, 6013),
        ("spec:\n  kubelet:\n    config:\n      maxPods: 110\n", 1930, 6013),
        ('{"maxPods": 110}', 1930, 6013),
        ("[settings.kubernetes]\nmax-pods = 110", 1930, 6013),
        ("--max-pods=17", 1930, 6838),
        ("--kubelet-extra-args '--kube-reserved=cpu=250m,memory=1Gi'", 1750, 6554),
        ("--kube-reserved=cpu=250m --system-reserved=memory=500Mi", 1750, 6338),
        ("kubeReserved:\n  cpu: 0.5\n  memory: 1.5Gi\nsystemReserved: {cpu: 100m, memory: 512Mi}", 1400, 5530),
        ('[settings.kubernetes.kube-reserved]\ncpu = "100m"\nmemory = "2Gi"', 1900, 5530),
        # Less than what is reserved anyway is taken for not all of it.
        ("kubeReserved: {cpu: 10m, memory: 50Mi}", 1930, 6838),
        ("kubeReservedCgroup: /kube\nevictionHard: {memory.available: 5%}", 1930, 6838),
    ],
)
def test_user_data_may_keep_more_from_pods(user_data: str, milli_cpu: int, memory_mib: int) -> None:
    """More pods, or reservations: then a node leaves less for certain, whatever others of its type leave."""
    settings = KubeletSettings.from_user_data(user_data)
    by_name = InstanceTypeCatalog(settings=settings).machine("m5.large")
    assert by_name.resources is not None
    assert by_name.most is not None
    assert by_name.resources.milli_cpu == pytest.approx(milli_cpu, abs=1)
    assert by_name.resources.memory_mib == pytest.approx(memory_mib, abs=1)
    assert by_name.most.memory_mib > 7074
    running = Resources(milli_cpu=1930, memory_mib=7074)
    by_nodes = InstanceTypeCatalog(seen={"m5.large": (running, running)}, settings=settings).machine("m5.large")
    assert by_nodes.most == running
    assert by_nodes.resources == (running if settings == KubeletSettings() else by_name.resources)


@pytest.mark.parametrize(
    ("own", "cluster", "names"),
    [
        (("m5.large",), LaunchTemplate(instance_types=("c5.large",), denied_types=("m5.large",)), ["m5.large"]),
        ((), LaunchTemplate(instance_types=("c5.large",)), ["c5.large"]),
        ((), LaunchTemplate(), ["m5.xlarge", "*"]),
        ((), LaunchTemplate(denied_types=("m5.*",)), ["*"]),
        ((), LaunchTemplate(instance_types=("m5.*", "c5.large"), denied_types=("c5.large",)), ["m5.xlarge", "m5.*"]),
        ((), LaunchTemplate(instance_types=("c5.large",), denied_types=("c5.large",)), ["*"]),
        (("m5.xlarge", "m5.xlarge"), LaunchTemplate(), ["m5.xlarge"]),
    ],
)
def test_allowed_types_are_its_own_or_those_of_the_cluster(
    own: tuple[str, ...], cluster: LaunchTemplate, names: list[str]
) -> None:
    """Behind a pattern, the type that a pod names stands by itself."""
    allowed = AllowedTypes.from_template(LaunchTemplate(instance_types=own), cluster)
    assert [machine.name for machine in allowed.machines(InstanceTypeCatalog(), {"m5.xlarge"})] == names
