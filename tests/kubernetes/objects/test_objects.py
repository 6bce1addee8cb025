"""Kubernetes' JSON as plain data."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.kubernetes.objects import objects
from ocean_migration_pulumi.kubernetes.objects.affinities import read_node_terms, read_volume_terms
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, decode_pod
from ocean_migration_pulumi.kubernetes.objects.pods import read_pod, read_workload_pod
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    ZONE_LABEL,
    BasePod,
    Budget,
    Deployment,
    KubernetesNode,
    Owner,
    Pod,
    Requirement,
    Resources,
    Taint,
    Toleration,
)
from ocean_migration_pulumi.migration.scheduling.workloads import find_service
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadPod
from tests.kubernetes import fake_api as fake


def read_planned_pod(data: dict[str, Any]) -> Pod:
    """Read a pod as planning does."""
    return read_pod(decode_pod(json.dumps(data).encode()))


def read_healthy_pod(data: dict[str, Any]) -> WorkloadPod | None:
    """Read a pod as health does."""
    return read_workload_pod(decode_pod(json.dumps(data).encode()), lambda owner: owner)


def test_node() -> None:
    """With its labels and taints."""
    taints = [
        {"key": "gpu", "value": "yes", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-01-02T03:04:05Z"},
    ]
    data = fake.node("ip-1", "i-0a1", unschedulable=True, taints=taints)
    assert objects.read_node(data) == KubernetesNode(
        name="ip-1",
        instance_id="i-0a1",
        labels={"kubernetes.io/hostname": "ip-1"},
        taints=(
            Taint(key="gpu", value="yes", effect="NoExecute"),
            Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule"),
        ),
        cordoned=True,
        cordoned_since="2026-01-02T03:04:05Z",
        allocatable=Resources(milli_cpu=3920, memory_mib=15101, others=(("pods", 58),)),
    )
    assert objects.read_node({"metadata": {"name": "bare"}}) == KubernetesNode(name="bare")


@pytest.mark.parametrize(
    ("provider_id", "expected"),
    [
        ("aws:///us-west-2a/i-0abc", "i-0abc"),
        ("aws://us-west-2a/i-0abc", "i-0abc"),
        ("aws:///us-west-2a/9f2c/fargate-ip-10-0-0-1.ec2.internal", ""),
        ("kind://docker/kind/i-0abc", ""),
        ("", ""),
    ],
)
def test_instance_of_a_node(provider_id: str, expected: str) -> None:
    """Fargate and other clouds have no instance."""
    assert objects.read_node(fake.node("ip-1", "x", providerID=provider_id)).instance_id == expected


@pytest.mark.parametrize(
    ("version", "group"), [("apps/v1", "apps"), ("apps.kruise.io/v1alpha1", "apps.kruise.io"), ("v1", ""), (None, None)]
)
def test_group_of_a_controller(version: str | None, group: str | None) -> None:
    """Kinds of several groups share names; the core group has none."""
    data = fake.pod("cart-0")
    owner = {"apiVersion": version, "kind": "DaemonSet", "name": "agent", "controller": True}
    data["metadata"]["ownerReferences"] = [owner]
    assert read_planned_pod(data).controller == Owner(kind="DaemonSet", name="agent", group=group)


@pytest.mark.parametrize(
    ("strategy", "surges"),
    [
        ({}, True),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}, True),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%"}}, False),
        ({"type": "Recreate"}, False),
    ],
)
def test_rollout_of_a_deployment(strategy: dict[str, Any], surges: bool) -> None:
    """Whether it starts new pods first; and by which labels it selects them."""
    spec = {"strategy": strategy, "selector": {"matchLabels": {"app": "cart"}}}
    found = objects.read_deployment({"metadata": {"namespace": "shop", "name": "cart"}, "spec": spec})
    assert found.surges is surges
    assert found.selector == (Requirement(key="app", values=("cart",)),)
    paused = {"metadata": {"namespace": "shop", "name": "cart"}, "spec": {**spec, "paused": True}}
    assert objects.read_deployment(paused).surges is False


def test_pod_with_everything() -> None:
    """Only what matters is kept of its annotations, and nothing of its managed fields."""
    terms = [
        {
            "matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}],
            "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["ip-1"]}],
        },
        {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]},
    ]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    data = fake.pod(
        "cart-0",
        nodeSelector={"eks.amazonaws.com/nodegroup": "blue"},
        affinity=affinity,
        tolerations=[{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}],
        volumes=[
            {"name": "data", "persistentVolumeClaim": {"claimName": "cart-data"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
            {"name": "cache", "emptyDir": {"medium": "Memory"}},
        ],
    )
    data["metadata"] |= {
        "finalizers": ["example.com/keep", 7],
        "labels": {"app": "cart"},
        "annotations": {"karpenter.sh/do-not-disrupt": "true", "kubectl.kubernetes.io/restartedAt": "now"},
        "deletionTimestamp": "2024-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubelet"}],
        "ownerReferences": [
            {"kind": "Cart", "name": "cart"},
            {"kind": "StatefulSet", "name": "cart", "controller": True},
        ],
    }
    found = read_planned_pod(data)
    assert found.full_name == "shop/cart-0"
    assert (found.node_name, found.phase, found.ready, found.deleting) == ("ip-1", "Running", True, True)
    assert found.controller == Owner(kind="StatefulSet", name="cart")
    assert found.labels == {"app": "cart"}
    assert found.annotations == {"karpenter.sh/do-not-disrupt": "true"}
    assert found.node_selector == {"eks.amazonaws.com/nodegroup": "blue"}
    assert found.terms == (
        (
            Requirement(key="disk", values=("ssd",)),
            Requirement(key="metadata.name", values=("ip-1",), on_field=True),
        ),
        (Requirement(key="gpu", operator="DoesNotExist"),),
    )
    assert found.tolerations == (
        Toleration(operator="Exists"),
        Toleration(key="a", value="b", effect="NoSchedule"),
    )
    assert found.claims == ("cart-data",)
    assert found.empty_dir
    assert found.finalizers == ("example.com/keep",)
    assert not found.mirror


@pytest.mark.parametrize("deleted", [None, "2024-01-01T00:00:00Z"])
@pytest.mark.parametrize("phase", ["Running", "Pending", "Succeeded", "Failed"])
@pytest.mark.parametrize("mirror", [True, False])
@pytest.mark.parametrize("kind", ["ReplicaSet", "StatefulSet", "Job", "DaemonSet", "Node", None])
def test_both_views_of_a_pod_agree(kind: str | None, mirror: bool, phase: str, deleted: str | None) -> None:
    """On which pods belong to services, and on what both know of them."""
    data = fake.pod("cart-0")
    data["status"]["phase"] = phase
    data["metadata"] |= {
        "uid": "9f2c",
        "deletionTimestamp": deleted,
        "annotations": {"kubernetes.io/config.mirror": "9f2c"} if mirror else {},
        "ownerReferences": [{"kind": kind, "name": "cart", "controller": True}] if kind else [],
    }
    planned, healthy = read_planned_pod(data), read_healthy_pod(data)
    assert (healthy is not None) is (not planned.finished and find_service(planned, None) is not None)
    if healthy is not None:
        names = [field.name for field in fields(BasePod)]
        assert [getattr(healthy, name) for name in names] == [getattr(planned, name) for name in names]
        assert healthy.workload.kind == kind


def test_pod_with_nothing() -> None:
    """One that waits for a node is not ready, has no controller and no volumes."""
    found = read_planned_pod({"metadata": {"name": "a", "namespace": "b"}, "status": {"phase": "Pending"}})
    assert (found.node_name, found.phase, found.ready, found.deleting) == ("", "Pending", False, False)
    assert found.controller is None
    assert (found.claims, found.empty_dir, found.terms) == ((), False, ())


def test_topology_spread_that_the_scheduler_insists_on() -> None:
    """By the label of its nodes; what it only prefers keeps no pod from a node."""
    constraints = [
        {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": effect}
        for key, effect in (("zone", "DoNotSchedule"), ("rack", "ScheduleAnyway"), ("zone", "DoNotSchedule"))
    ]
    assert read_planned_pod(fake.pod("cart-0", topologySpreadConstraints=constraints)).spread_keys == ("zone",)


@pytest.mark.parametrize(
    ("spec", "closed"),
    [
        ({"maxUnavailable": 0}, True),
        ({"maxUnavailable": "0%"}, True),
        ({"maxUnavailable": "1%"}, False),
        ({"maxUnavailable": 1}, False),
        ({"minAvailable": "100%"}, True),
        ({"minAvailable": "99%"}, False),
        ({"minAvailable": 3}, False),
        ({}, False),
    ],
)
def test_budget_that_no_number_of_pods_opens(spec: dict[str, Any], closed: bool) -> None:
    """Kubernetes rounds percentages up, both of pods that may be missing and of those that may not."""
    assert objects.read_budget(fake.named("cart", spec=spec)).is_closed is closed


def test_mirror_pod() -> None:
    """The kubelet's own pods are marked by an annotation."""
    data = fake.pod("kube-proxy")
    data["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "9f2c"}
    assert read_planned_pod(data).mirror


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, None),
        ({}, ()),
        ({"matchLabels": {"a": "b"}}, (Requirement(key="a", values=("b",)),)),
        (
            {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["d", "e"]}]},
            (Requirement(key="a", values=("b",)), Requirement(key="c", operator="NotIn", values=("d", "e"))),
        ),
    ],
    ids=["absent", "empty", "labels", "both"],
)
def test_budget(selector: Any, expected: Any) -> None:
    """An empty selector is of every pod, none of no pod."""
    counts = {"disruptionsAllowed": 1, "currentHealthy": 4, "desiredHealthy": 3, "expectedPods": 5}
    spec = {"selector": selector, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    assert objects.read_budget(fake.named("cart", spec=spec, status=counts)) == Budget(
        namespace="shop",
        name="cart",
        selector=expected,
        disruptions_allowed=1,
        current_healthy=4,
        desired_healthy=3,
        expected_pods=5,
        always_allows_unhealthy=True,
    )


@pytest.mark.parametrize(
    ("reason", "message", "problem"),
    [
        (
            "SyncFailed",
            "jobs.batch does not implement\nthe scale subresource",
            "jobs.batch does not implement the scale subresource",
        ),
        ("SyncFailed", "", "SyncFailed"),
        ("InsufficientPods", "", ""),
    ],
)
def test_budget_that_cannot_be_computed(reason: str, message: str, problem: str) -> None:
    """By the condition that its controller sets."""
    condition = {"type": "DisruptionAllowed", "status": "False", "reason": reason, "message": message}
    assert objects.read_budget(fake.named("cart", status={"conditions": [condition]})).problem == problem


@pytest.mark.parametrize(("generation", "observed", "processed"), [(2, 2, True), (2, 1, False), (1, None, False)])
def test_budget_that_is_not_processed(generation: int, observed: int | None, processed: bool) -> None:
    """Its status is of an older generation."""
    data = fake.named("cart", status={"observedGeneration": observed})
    data["metadata"]["generation"] = generation
    assert objects.read_budget(data).is_processed is processed


def test_what_keeps_a_pod_is_decoded() -> None:
    """Of the metadata only known parts are."""
    data = fake.pod("cart-0", terminationGracePeriodSeconds=600, os={"name": "windows"})
    data["metadata"] |= {"finalizers": ["example.com/keep"], "deletionTimestamp": "2024-01-01T00:00:00Z"}
    found = read_planned_pod(data)
    assert (found.finalizers, found.deletion_deadline) == (("example.com/keep",), "2024-01-01T00:00:00Z")
    assert (found.grace_seconds, found.system) == (600, "windows")


def test_gated_pod() -> None:
    """It has no node yet, and the scheduler does not look for one."""
    assert read_planned_pod(fake.pod("queued", "", schedulingGates=[{"name": "kueue.x-k8s.io/admission"}])).gated
    assert not read_planned_pod(fake.pod("free", "", schedulingGates=[])).gated


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False), (None, True)])
def test_node_that_is_not_ready(status: str | None, ready: bool) -> None:
    """With the time at which it stopped to be."""
    data = fake.node("ip-1", "i-0a1")
    data["status"]["conditions"] = [
        {"type": "Ready", "status": status, "lastTransitionTime": "2024-01-01T00:00:00Z"},
    ]
    found = objects.read_node(data)
    assert (found.ready, found.not_ready_since) == (ready, "" if ready else "2024-01-01T00:00:00Z")


def test_deployment() -> None:
    """Zero replicas is not the default of one."""
    template = {"spec": {"containers": [{"image": "a:1"}, {"image": "b:2"}, {}]}}
    data = fake.named("web", spec={"replicas": 0, "template": template}, status={"readyReplicas": 2})
    data["metadata"]["labels"] = {"app": "web"}
    assert objects.read_deployment(data) == Deployment(
        namespace="shop", name="web", labels={"app": "web"}, images=("a:1", "b:2"), replicas=0, ready_replicas=2
    )
    assert objects.read_deployment(fake.named("web")).replicas == 1


NAMED = {"name": "SPOTINST_READONLY_MODE"}
OTHER = {"name": "SPOTINST_TOKEN", "valueFrom": {"secretKeyRef": {"name": "ocean", "key": "token"}}}


@pytest.mark.parametrize(
    ("container", "read_only", "sources"),
    [
        ({"env": [{**NAMED, "value": "true"}]}, True, ()),
        ({"env": [{**NAMED, "value": "True"}]}, True, ()),
        ({"env": [{**NAMED, "value": "1"}]}, True, ()),
        ({"env": [{**NAMED, "value": "t"}]}, True, ()),
        ({"env": [{**NAMED, "value": "false"}, OTHER]}, False, ()),
        ({"env": [{**NAMED, "value": "0"}]}, False, ()),
        ({"env": [NAMED]}, False, ()),
        ({"env": [{**NAMED, "value": "true"}, {**NAMED, "value": "false"}]}, False, ()),
        ({"env": [{**NAMED, "value": "$(MODE)"}]}, False, ("another variable",)),
        (
            {"env": [{**NAMED, "valueFrom": {"configMapKeyRef": {"name": "mode", "key": "readonly"}}}]},
            False,
            ("ConfigMap mode",),
        ),
        (
            {"env": [{**NAMED, "valueFrom": {"secretKeyRef": {"name": "mode", "key": "readonly"}}}]},
            False,
            ("Secret mode",),
        ),
        (
            {"envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]},
            False,
            ("ConfigMap a", "Secret b"),
        ),
        ({"envFrom": [{"prefix": "SPOTINST_", "configMapRef": {"name": "a"}}]}, False, ("ConfigMap a",)),
        ({"envFrom": [{"prefix": "PROXY_", "configMapRef": {"name": "a"}}]}, False, ()),
        ({"envFrom": [{"configMapRef": {"name": "a"}}], "env": [{**NAMED, "value": "false"}]}, False, ()),
    ],
)
def test_mode_of_a_controller(container: dict[str, Any], read_only: bool, sources: tuple[str, ...]) -> None:
    """The last variable of a name counts, and precedes ``envFrom``; true is what it is to a program in Go."""
    found = objects.read_deployment(fake.named("ocean", spec={"template": {"spec": {"containers": [container]}}}))
    assert (found.read_only, found.read_only_from) == (read_only, sources)


def volume(labels: dict[str, str] | None = None, *terms: dict[str, Any]) -> dict[str, Any]:
    """Return a PersistentVolume."""
    affinity = {"required": {"nodeSelectorTerms": list(terms)}} if terms else None
    return {"metadata": {"name": "pv-1", "labels": labels}, "spec": {"nodeAffinity": affinity}}


def in_zone(*zones: str) -> Requirement:
    """Return the condition to be in one of these zones."""
    return Requirement(key=ZONE_LABEL, values=zones)


@pytest.mark.parametrize(
    "key",
    [ZONE_LABEL, "topology.ebs.csi.aws.com/zone", "failure-domain.beta.kubernetes.io/zone"],
)
def test_zone_of_a_volume_has_one_name(key: str) -> None:
    """Whatever label the driver of the volume goes by; other conditions stay."""
    other = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": ["us-west-2a"]}, other]}
    os_is_linux = Requirement(key="kubernetes.io/os", values=("linux",))
    assert read_volume_terms(volume(None, term)) == ((in_zone("us-west-2a"), os_is_linux),)


def test_old_volumes_have_their_zone_in_a_label() -> None:
    """Several zones in one, and only where there is no affinity."""
    old = {"failure-domain.beta.kubernetes.io/zone": "us-west-2a__us-west-2b"}
    assert read_volume_terms(volume(old)) == ((in_zone("us-west-2a", "us-west-2b"),),)
    assert read_volume_terms(volume({ZONE_LABEL: "us-west-2c"})) == ((in_zone("us-west-2c"),),)
    assert read_volume_terms(volume()) == ()
    term = {"matchExpressions": [{"key": ZONE_LABEL, "operator": "In", "values": ["us-west-2d"]}]}
    assert read_volume_terms(volume(old, term)) == ((in_zone("us-west-2d"),),)


def test_term_without_a_condition_takes_no_node() -> None:
    """It is not one that takes every node."""
    (term,) = read_node_terms({"nodeSelectorTerms": [{}]})
    assert term == (Requirement(key="metadata.name", values=(), on_field=True),)


ODD_TERM = {"matchExpressions": [{"key": "a", "operator": "In", "values": [1]}]}
ODD_AFFINITY = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [ODD_TERM]}}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"metadata": None},
        {"metadata": {"name": "a"}},
        {"metadata": {"name": "", "namespace": "b"}},
        {"metadata": {"name": "a", "namespace": "b", "labels": {"x": 1}}},
        {"metadata": {"name": "a", "namespace": "b", "labels": []}},
        {"metadata": {"name": "a", "namespace": "b"}, "spec": {"nodeName": 7}},
        {"metadata": {"name": "a", "namespace": "b"}, "spec": {"containers": {}}},
        {"metadata": {"name": "a", "namespace": "b"}, "spec": {"containers": ["x"]}},
        {"metadata": {"name": "a", "namespace": "b"}, "spec": {"tolerations": 7}},
        {"metadata": {"name": "a", "namespace": "b"}, "spec": {"affinity": {"nodeAffinity": ODD_AFFINITY}}},
        {"metadata": {"name": "a", "namespace": "b", "ownerReferences": [{"controller": "yes"}]}},
        {"metadata": {"name": "a", "namespace": "b"}, "spec": {"volumes": [{"persistentVolumeClaim": {"x": 1}}]}},
    ],
    ids=str,
)
def test_unexpected_form(data: dict[str, Any]) -> None:
    """A pod that cannot be read is told from one that has nothing."""
    with pytest.raises(UnexpectedFormError):
        read_planned_pod(data)


NAMES = """
    metadata spec status name namespace labels annotations ownerReferences containers initContainers resources requests
    cpu volumes affinity nodeAffinity tolerations taints selector matchLabels matchExpressions key operator
    values data mapRoles replicas template conditions type providerID overhead
"""
KEYS = st.sampled_from(NAMES.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_whatever_comes_is_read_or_refused(data: dict[str, Any]) -> None:
    """Nothing that a server may send raises anything else."""
    readers = (
        objects.read_node,
        read_planned_pod,
        read_healthy_pod,
        objects.read_budget,
        objects.read_deployment,
        objects.read_full_name,
        objects.read_name,
        objects.read_volume_name,
        objects.read_mapped_roles,
        read_volume_terms,
    )
    for read in readers:
        try:
            read(data)
        except UnexpectedFormError:
            continue
