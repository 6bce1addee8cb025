"""Which workloads are down, in the worst case, while a batch of nodes is drained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.scheduling import eviction_forecast
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    BUDGETS,
    DEPLOYMENTS,
    PODS,
    VOLUMES,
    Budget,
    Deployment,
    EvictionTrial,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
)
from ocean_migration_pulumi.migration.scheduling.workloads import describe_work, find_workload
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode, batch_size
from tests.migration.builders import spec
from tests.migration.diagnostics import fields_of, with_code
from tests.support.gaps import failed_gap

HASH = "5d9f8c7b6"
CART = (Requirement(key="app", values=("cart",)),)
DENIED = failed_gap("may not list")


def replica(number: int, node: str, **more: Any) -> Pod:
    """Return a replica of the Deployment ``shop/cart``."""
    more.setdefault("controller", Owner(kind="ReplicaSet", name=f"cart-{HASH}", group="apps"))
    more.setdefault("labels", {"app": "cart", "pod-template-hash": HASH})
    return Pod(namespace="shop", name=f"cart-{number}", node_name=node, **more)


def member(number: int, node: str, **more: Any) -> Pod:
    """Return a replica of the StatefulSet ``shop/db``."""
    more.setdefault("labels", {"app": "db", "statefulset.kubernetes.io/pod-name": f"db-{number}"})
    controller = Owner(kind="StatefulSet", name="db", group="apps")
    return Pod(namespace="shop", name=f"db-{number}", node_name=node, controller=controller, **more)


def nodes(count: int) -> list[PlannedNode]:
    """Return planned nodes ``n1``, ``n2`` and so on."""
    return [PlannedNode(instance_id=f"i-{number}", node_name=f"n{number}") for number in range(1, count + 1)]


def cluster(*pods: Pod, **more: Any) -> KubernetesSnapshot:
    """Return a cluster whose only Deployment is ``shop/cart``."""
    more.setdefault("deployments", (Deployment(namespace="shop", name="cart", selector=CART),))
    return KubernetesSnapshot(pods=pods, **more)


def forecast(kube: KubernetesSnapshot, planned: int = 2, **options: Any) -> list[Diagnostic]:
    """Return what is reported of workloads, with batches of half of the nodes unless told otherwise."""
    options.setdefault("batch_size_percentage", 50)
    trials = options.pop("trials", eviction_forecast.NO_TRIALS)
    found = eviction_forecast.forecast_evictions(spec(**options), nodes(planned), kube, trials)
    return [each for each in found.diagnostics if each.code in {Code.DOWNTIME, Code.REPLICAS_DROP, Code.PDB_SUGGESTION}]


def workloads(kube: KubernetesSnapshot, planned: int = 2, **options: Any) -> list[dict[str, Any]]:
    """Return the workloads that are down."""
    return [
        workload
        for each in forecast(kube, planned, **options)
        if each.code is Code.DOWNTIME
        for workload in each.fields["workloads"]
    ]


def test_single_replica_on_a_planned_node_is_downtime() -> None:
    """Whoever its controller is; and the remedy depends on whether a rollout starts the new pod first."""
    (down,) = forecast(cluster(replica(1, "n1")))
    assert (down.code, down.subject, down.is_blocker) == (Code.DOWNTIME, "Deployment shop/cart", False)
    assert down.fields["workloads"] == [
        {
            "kind": "Deployment",
            "name": "shop/cart",
            "ready": 1,
            "planned": 1,
            "evicted_at_once": 1,
            "nodes": ["n1"],
            "budgets": [],
            "surges": True,
            "batch_size_percentage": None,
        }
    ]
    (stateful,) = workloads(cluster(member(0, "n2")))
    assert (stateful["kind"], stateful["name"], stateful["surges"]) == ("StatefulSet", "shop/db", False)
    recreated = (Deployment(namespace="shop", name="cart", surges=False),)
    assert workloads(cluster(replica(1, "n1"), deployments=recreated))[0]["surges"] is False


@pytest.mark.parametrize(
    ("volumes", "gaps", "surges"),
    [
        ({"claims": ("data",), "ebs_volumes": ("pv-1",)}, {}, False),
        ({"claims": ("data",)}, {}, True),
        ({"claims": ("data",)}, {VOLUMES: DENIED}, False),
        ({"ephemeral_claims": ("cart-1-scratch",), "ebs_volumes": ("pv-2",)}, {}, True),
    ],
)
def test_rollout_is_no_remedy_for_a_volume_of_one_node(
    volumes: dict[str, Any], gaps: dict[str, Any], surges: bool
) -> None:
    """The new pod could not start as long as the old one has its volume; those that may be shared do not matter."""
    (down,) = workloads(cluster(replica(1, "n1", **volumes), gaps=gaps))
    assert down["surges"] is surges


def test_replicas_on_one_node_go_together() -> None:
    """However small the batches are; a budget is suggested."""
    down, suggestion = forecast(cluster(replica(1, "n1"), replica(2, "n1")))
    assert fields_of_workload(down) == {"ready": 2, "planned": 2, "evicted_at_once": 2, "batch_size_percentage": None}
    assert suggestion.fields["workloads"] == ["Deployment shop/cart"]
    assert yaml.safe_load(suggestion.fields["source"]) == {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "cart"}}},
    }


def fields_of_workload(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return the numbers of the one workload of a diagnostic."""
    (workload,) = diagnostic.fields["workloads"]
    return {name: workload[name] for name in ("ready", "planned", "evicted_at_once", "batch_size_percentage")}


def test_worst_batch_counts() -> None:
    """Which nodes form a batch is not known: those with most replicas may, and a smaller batch is named."""
    spread = [replica(1, "n1"), replica(2, "n1"), replica(3, "n2"), replica(4, "n3")]
    (down, _) = forecast(cluster(*spread), planned=6)
    assert fields_of_workload(down) == {"ready": 4, "planned": 4, "evicted_at_once": 4, "batch_size_percentage": 33}
    assert batch_size(6, 33) == 2
    (reduced, _) = forecast(cluster(*spread), planned=6, batch_size_percentage=33)
    assert reduced.code is Code.REPLICAS_DROP
    assert fields_of_workload(reduced)["evicted_at_once"] == 3


@pytest.mark.parametrize(
    ("pods", "down"),
    [
        ([replica(1, "n1"), replica(2, "elsewhere")], False),
        ([replica(1, "n1"), replica(2, "elsewhere", ready=False)], True),
        ([replica(1, "n1"), replica(2, "elsewhere", deleting=True)], True),
        ([replica(1, "n1"), replica(2, "elsewhere", phase="Failed")], True),
        ([replica(1, "n1", ready=False)], False),
        ([replica(1, "n1", deleting=True), replica(2, "elsewhere")], False),
        ([replica(1, "elsewhere")], False),
        ([replica(1, "n1", controller=Owner(kind="Job", name="once", group="batch"))], False),
        ([replica(1, "n1", controller=Owner(kind="DaemonSet", name="agent", group="apps.kruise.io"))], False),
        ([replica(1, "n1", mirror=True)], False),
        ([replica(1, "n1", controller=None)], False),
        ([replica(1, "n1", controller=Owner(kind="Cluster", name="pg", group="postgresql.cnpg.io"))], True),
    ],
)
def test_ready_replicas_elsewhere_keep_a_workload_up(pods: list[Pod], down: bool) -> None:
    """Only ready ones that stay; jobs, DaemonSets, static and standalone pods are no workloads."""
    assert bool(workloads(cluster(*pods))) is down


def test_both_template_hashes_of_a_rollout_are_one_workload() -> None:
    """While a new revision is rolled out."""
    other = replica(
        2,
        "elsewhere",
        labels={"app": "cart", "pod-template-hash": "7c"},
        controller=Owner(kind="ReplicaSet", name="cart-7c"),
    )
    assert workloads(cluster(replica(1, "n1"), other)) == []


@pytest.mark.parametrize(
    ("allowed", "at_once"),
    [(1, 1), (2, 2), (3, 3)],
)
def test_budget_limits_what_goes_at_once(allowed: int, at_once: int) -> None:
    """All replicas are on one node; a budget that allows them all does not help."""
    pods = [replica(number, "n1") for number in (1, 2, 3)]
    guard = Budget(
        namespace="shop", name="cart", selector=CART, disruptions_allowed=allowed, current_healthy=3, expected_pods=3
    )
    found = [fields_of_workload(each)["evicted_at_once"] for each in forecast(cluster(*pods, budgets=(guard,)))]
    assert found == ([at_once] if at_once == 3 else [])
    forced = workloads(cluster(*pods, budgets=(guard,)), force_pod_eviction_on_pdb_failure=True)
    assert [each["evicted_at_once"] for each in forced] == [3]
    assert forced[0]["budgets"] == ["shop/cart"]


def test_blocked_replicas_are_no_downtime() -> None:
    """They are not evicted; when the API server says otherwise, at least one is."""
    guard = Budget(namespace="shop", name="cart", selector=CART, current_healthy=1, desired_healthy=1, expected_pods=1)
    kube = cluster(replica(1, "n1"), budgets=(guard,))
    assert workloads(kube) == []
    assert len(workloads(kube, trials={"shop/cart": EvictionTrial(allowed=True)})) == 1


def test_unknown_budgets_are_said() -> None:
    """And none is suggested: one may exist."""
    kube = cluster(replica(1, "n1"), replica(2, "n1"), gaps={BUDGETS: DENIED})
    (down,) = forecast(kube)
    assert down.fields["knows_budgets"] is False


def test_incomplete_list_of_pods_counts_what_the_deployment_reports() -> None:
    """A replica that was not read is no downtime."""
    reported = (Deployment(namespace="shop", name="cart", replicas=3, ready_replicas=3),)
    kube = cluster(replica(1, "n1"), deployments=reported)
    assert len(workloads(kube)) == 1
    assert workloads(replace(kube, gaps={PODS: DENIED})) == []


def test_many_single_replicas_share_a_line() -> None:
    """Their names are in its fields."""
    pods = [
        Pod(namespace="shop", name=f"w{n}-0", node_name="n1", controller=Owner(kind="StatefulSet", name=f"w{n}"))
        for n in range(5)
    ]
    (down,) = forecast(cluster(*pods))
    assert down.subject == ""
    assert [each["name"] for each in down.fields["workloads"]] == [f"shop/w{n}" for n in range(5)]
    assert len(forecast(cluster(*pods[:3]))) == 3


def test_many_workloads_share_the_last_line() -> None:
    """The first ten have one of their own; at most five budgets are suggested."""
    pods = [
        Pod(
            namespace="shop",
            name=f"w{n:02}-{each}",
            node_name="n1",
            labels={"app": f"w{n}"},
            controller=Owner(kind="StatefulSet", name=f"w{n:02}"),
        )
        for n in range(13)
        for each in range(2)
    ]
    found = forecast(cluster(*pods))
    assert [len(each.fields["workloads"]) for each in found] == [*[1] * 10, 3, 5]
    assert found[-1].code is Code.PDB_SUGGESTION


def test_suggested_selector_takes_no_pod_of_another_workload() -> None:
    """Without a Deployment's selector, the labels that all pods share are tried, but those of a release."""
    two = [member(0, "n1"), member(1, "n1")]
    (_, suggestion) = forecast(cluster(*two))
    assert yaml.safe_load(suggestion.fields["source"])["spec"]["selector"] == {"matchLabels": {"app": "db"}}
    backup = Pod(namespace="shop", name="backup", labels={"app": "db"}, node_name="n1")
    assert [each.code for each in forecast(cluster(*two, backup))] == [Code.DOWNTIME]
    expressions = (*CART, Requirement(key="tier", operator="Exists"))
    selecting = (Deployment(namespace="shop", name="cart", selector=expressions),)
    (_, found) = forecast(cluster(replica(1, "n1"), replica(2, "n1"), deployments=selecting))
    assert yaml.safe_load(found.fields["source"])["spec"]["selector"] == {
        "matchLabels": {"app": "cart"},
        "matchExpressions": [{"key": "tier", "operator": "Exists"}],
    }


@given(
    st.lists(st.integers(1, 8), min_size=1, max_size=12),
    st.integers(8, 12),
    st.integers(1, 50),
)
def test_named_batch_size_leaves_a_replica(placed: list[int], count: int, percentage: int) -> None:
    """With the batch size that a forecast names, the same workload is never down."""
    kube = cluster(*[replica(number, f"n{node}") for number, node in enumerate(placed)])
    for down in workloads(kube, count, batch_size_percentage=percentage):
        assert down["evicted_at_once"] == len(placed)
        if smaller := down["batch_size_percentage"]:
            assert batch_size(count, smaller) < batch_size(count, percentage)
            assert workloads(kube, count, batch_size_percentage=smaller) == []
        elif len(placed) > 1 and count > 1:
            assert len(set(placed)) == 1 or batch_size(count, percentage) == 1


@pytest.mark.parametrize(
    ("owner", "labels", "deployments", "expected"),
    [
        (Owner(kind="ReplicaSet", name="web-1a"), {"pod-template-hash": "1a"}, {("shop", "web")}, "Deployment web"),
        (Owner(kind="ReplicaSet", name="web-1a"), {"pod-template-hash": "1a"}, set(), "ReplicaSet web-1a"),
        (Owner(kind="ReplicaSet", name="web-1a"), {"pod-template-hash": "1a"}, None, "Deployment web"),
        (Owner(kind="ReplicaSet", name="web-1a"), {"rollouts-pod-template-hash": "1a"}, set(), "Rollout web"),
        (Owner(kind="ReplicaSet", name="web"), {"pod-template-hash": "1a"}, {("shop", "web")}, "ReplicaSet web"),
        (Owner(kind="ReplicaSet", name="web"), {}, None, "ReplicaSet web"),
        (Owner(kind="StatefulSet", name="db"), {}, None, "StatefulSet db"),
    ],
)
def test_top_controller(
    owner: Owner, labels: dict[str, str], deployments: set[tuple[str, str]] | None, expected: str
) -> None:
    """A ReplicaSet belongs to what made it, by the hash of its template."""
    found = find_workload(Pod(namespace="shop", name="p", controller=owner, labels=labels), deployments)
    assert found is not None
    assert f"{found.kind} {found.name}" == expected


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("Job", "batch"),
        ("Job", "batch.volcano.sh"),
        ("Workflow", "argoproj.io"),
        ("TaskRun", "tekton.dev"),
        ("EphemeralRunner", "actions.github.com"),
        ("Runner", "actions.summerwind.dev"),
        ("Build", "kpack.io"),
        ("PyTorchJob", "kubeflow.org"),
        ("SparkApplication", "sparkoperator.k8s.io"),
        ("RayCluster", "ray.io"),
    ],
)
def test_work_in_progress_is_named(kind: str, group: str) -> None:
    """And counted among the pods that lose work."""
    working = replica(1, "n1", controller=Owner(kind=kind, name="w", group=group), labels={})
    found = eviction_forecast.forecast_evictions(spec(), nodes(1), cluster(working))
    assert [each.subject for each in with_code(found, Code.WORK_INTERRUPTED)] == [kind]
    assert fields_of(found, Code.WORK_INTERRUPTED) == [{"pods": ["shop/cart-1"]}]
    assert (found.evicted, found.losing_work) == (1, 1)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ({"job.runner.gitlab.com/pod": "runner-1"}, "GitLab job"),
        ({"jenkins/label": "maven"}, "Jenkins agent"),
        ({"kubernetes_executor": "True"}, "Airflow task"),
        ({"kubernetes_pod_operator": "True"}, "Airflow task"),
        ({"actions-runner": ""}, "GitHub runner"),
        ({"runnerset-name": "ci"}, "GitHub runner"),
        ({"runner-pod": "ci-1"}, "GitHub job"),
        ({"type": "flink-native-kubernetes", "component": "taskmanager"}, "Flink job"),
        ({"type": "flink-standalone-kubernetes", "component": "jobmanager"}, "Flink job"),
        ({"woodpecker-ci.org/repo-id": "7"}, "Woodpecker step"),
        ({"ansible-awx-job-id": "42"}, "AWX job"),
        ({"nextflow.io/processName": "align"}, "Nextflow task"),
        ({"dask.org/component": "worker"}, "Dask cluster"),
        ({"hub.jupyter.org/username": "ada"}, "Jupyter server"),
        ({"type": "web"}, ""),
        ({"app": "cart"}, ""),
    ],
)
def test_bare_pods_of_jobs_are_told_by_their_labels(labels: dict[str, str], kind: str) -> None:
    """They have no controller."""
    assert describe_work(None, labels) == kind


def test_pods_of_workloads_that_are_not_known_to_work_are_no_work() -> None:
    """A ReplicaSet, a pod of a RayService, and a pod that stays behind."""
    ray = Owner(kind="RayCluster", name="r", group="ray.io")
    assert describe_work(ray, {"ray.io/serve": "true"}) == ""
    assert describe_work(replica(1, "n1").controller, {}) == ""
    bare = replica(1, "n1", controller=None, labels={"jenkins/label": "maven"})
    kube = cluster(bare, gaps={DEPLOYMENTS: DENIED})
    assert with_code(eviction_forecast.forecast_evictions(spec(), nodes(1), kube), Code.WORK_INTERRUPTED) == []
