"""What becomes of each pod on the planned nodes."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.scheduling import eviction_forecast
from ocean_migration_pulumi.migration.scheduling.drain_rules import DrainOutcome, drain_outcomes
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    BUDGETS,
    DAEMON_SETS,
    NODES,
    PODS,
    Budget,
    EvictionTrial,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
)
from ocean_migration_pulumi.migration.scheduling.unknowns import Topic
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from tests.migration.builders import spec
from tests.migration.diagnostics import fields_of, with_code
from tests.support.gaps import failed_gap

REPLICA_SET = Owner(kind="ReplicaSet", name="cart-5d9")
AGENT = Owner(kind="DaemonSet", name="agent")
CART = (Requirement(key="app", values=("cart",)),)
NODES_PLANNED = [PlannedNode(instance_id=f"i-{number}", node_name=f"ip-10-0-1-{number}") for number in (1, 2, 3)]
FORBIDDEN = failed_gap("forbidden: poddisruptionbudgets", "add the rule")


def pod(name: str = "cart-1", **more: Any) -> Pod:
    """Return a pod of a ReplicaSet on the first planned node, with the label of the shop's cart."""
    more.setdefault("controller", REPLICA_SET)
    more.setdefault("labels", {"app": "cart"})
    more.setdefault("node_name", "ip-10-0-1-1")
    return Pod(namespace=more.pop("namespace", "shop"), name=name, **more)


def alone(name: str, **more: Any) -> Pod:
    """Return a pod that nothing brings back."""
    return pod(name, controller=None, labels={}, **more)


def budget(name: str = "cart", **more: Any) -> Budget:
    """Return a budget of the shop's cart that needs all of its three pods."""
    values = {"namespace": "shop", "selector": CART, "current_healthy": 3, "desired_healthy": 3, "expected_pods": 3}
    return Budget(name=name, **{**values, **more})


def cluster(*pods: Pod, **more: Any) -> KubernetesSnapshot:
    """Return a cluster with these pods; its only DaemonSet is the agent."""
    more.setdefault("daemon_sets", frozenset({("shop", "agent")}))
    return KubernetesSnapshot(pods=pods, **more)


def judge(kube: KubernetesSnapshot, **options: Any) -> eviction_forecast.EvictionForecast:
    """Judge the planned nodes."""
    trials = options.pop("trials", eviction_forecast.NO_TRIALS)
    return eviction_forecast.forecast_evictions(spec(**options), NODES_PLANNED, kube, trials)


def blockers(forecast: eviction_forecast.EvictionForecast) -> list[Diagnostic]:
    """Return what blocks pods."""
    return [diagnostic for diagnostic in forecast.diagnostics if diagnostic.is_blocker]


@pytest.mark.parametrize(
    ("of", "evict", "outcome"),
    [
        (pod(), False, DrainOutcome.EVICTED),
        (pod(controller=Owner(kind="StatefulSet", name="db")), False, DrainOutcome.EVICTED),
        (pod(controller=Owner(kind="Job", name="once")), False, DrainOutcome.EVICTED),
        (pod(phase="Pending"), False, DrainOutcome.EVICTED),
        (pod(empty_dir=True), False, DrainOutcome.EVICTED),
        (pod(controller=AGENT), True, DrainOutcome.DAEMON),
        (pod(controller=Owner(kind="DaemonSet", name="gone")), False, DrainOutcome.KEPT),
        (pod(controller=Owner(kind="DaemonSet", name="gone")), True, DrainOutcome.DELETED),
        (pod(controller=AGENT, namespace="other"), False, DrainOutcome.KEPT),
        (pod(controller=Owner(kind="DaemonSet", name="agent", group="apps")), True, DrainOutcome.DAEMON),
        (pod(controller=Owner(kind="DaemonSet", name="agent", group="apps.kruise.io")), False, DrainOutcome.EVICTED),
        (pod(mirror=True, controller=Owner(kind="Node", name="ip-10-0-1-1")), True, DrainOutcome.STATIC),
        (pod(mirror=True, controller=None), True, DrainOutcome.STATIC),
        (alone("debug"), False, DrainOutcome.KEPT),
        (alone("debug"), True, DrainOutcome.DELETED),
        (alone("debug", phase="Succeeded"), False, DrainOutcome.FINISHED),
        (pod(phase="Failed", controller=AGENT), False, DrainOutcome.FINISHED),
        (pod(deleting=True), False, DrainOutcome.LEAVING),
        (alone("debug", deleting=True), False, DrainOutcome.LEAVING),
    ],
)
def test_pods_are_told_apart_as_a_drain_does(of: Pod, evict: bool, outcome: DrainOutcome) -> None:
    """By controller, phase and mirror annotation, and by what the flag allows."""
    (drained,) = drain_outcomes([of], cluster(), spec(should_evict_stand_alone_pods=evict))
    assert drained.outcome is outcome


def test_daemon_set_of_another_group_needs_no_other_place() -> None:
    """Its controller starts it again on the same node: it is evicted, and no new node has to take it."""
    kruise = pod(controller=Owner(kind="DaemonSet", name="agent", group="apps.kruise.io"))
    forecast = judge(cluster(kruise))
    assert (forecast.evicted, forecast.movers, forecast.diagnostics) == (1, (), ())


def test_daemon_set_counts_as_there_when_daemon_sets_are_not_known() -> None:
    """And it is said that this was not judged."""
    kube = cluster(pod(controller=AGENT), daemon_sets=frozenset(), gaps={DAEMON_SETS: FORBIDDEN})
    forecast = judge(kube)
    assert (forecast.daemon_set_pods, forecast.kept) == (1, 0)
    (unknown,) = forecast.diagnostics
    assert unknown.code is Code.NOT_EVALUATED
    assert unknown.fields == {"topics": [Topic.DAEMON_SETS], "gap": FORBIDDEN.to_json()}
    assert with_code(judge(cluster(pod(), gaps={DAEMON_SETS: FORBIDDEN})), Code.NOT_EVALUATED) == []


def test_only_pods_of_planned_nodes_count() -> None:
    """A node is known by the name that Kubernetes gives its instance, else by the plan's."""
    nodes = {"i-1": KubernetesNode(name="renamed", instance_id="i-1")}
    kube = cluster(
        pod("a", node_name="renamed"), pod("b"), pod("c", node_name="ip-10-0-1-2"), pod("d", node_name=""), nodes=nodes
    )
    assert [of.name for of in judge(kube).movers] == ["a", "c"]


@pytest.mark.parametrize(
    ("of", "of_budget", "held"),
    [
        (pod(), budget(), True),
        (pod(), budget(disruptions_allowed=-1), True),
        (pod(), budget(disruptions_allowed=1), False),
        (pod(), budget(namespace="other"), False),
        (pod(), budget(selector=()), True),
        (pod(), budget(selector=None), False),
        (pod(labels={}), budget(selector=(Requirement(key="app", operator="NotIn", values=("db",)),)), True),
        (pod(labels={}), budget(selector=(Requirement(key="app", operator="DoesNotExist"),)), True),
        (pod(), budget(selector=(Requirement(key="app", operator="DoesNotExist"),)), False),
        (pod(), budget(selector=(*CART, Requirement(key="tier", operator="Exists"))), False),
        (pod(phase="Pending", ready=False), budget(), False),
        (pod(phase="Succeeded"), budget(), False),
        (pod(deleting=True), budget(), False),
        (pod(controller=AGENT), budget(), False),
        (pod(mirror=True), budget(), False),
        (pod(ready=False), budget(), False),
        (pod(ready=False), budget(current_healthy=2), True),
        (pod(ready=False), budget(current_healthy=0, desired_healthy=0), True),
        (pod(ready=False), budget(current_healthy=2, always_allows_unhealthy=True), False),
        (pod(), budget(current_healthy=2, always_allows_unhealthy=True), True),
    ],
)
def test_budget_holds_what_the_eviction_api_refuses(of: Pod, of_budget: Budget, held: bool) -> None:
    """By selector, namespace, status, and the health of the pod."""
    forecast = judge(cluster(of, budgets=(of_budget,)))
    assert bool(forecast.held) is held
    assert bool(blockers(forecast)) is held
    assert bool(eviction_forecast.held_pods(spec(), NODES_PLANNED, cluster(of, budgets=(of_budget,)))) is held


def test_budget_is_reported_with_its_numbers_and_the_pods_that_it_holds() -> None:
    """And whether more healthy pods would help."""
    waiting = budget(current_healthy=3, expected_pods=4)
    two = (pod("cart-1", node_name="ip-10-0-1-2"), pod("cart-2", node_name="ip-10-0-1-2"))
    counts = {"pods": 2, "healthy": 3, "required": 3}
    numbers = {**counts, "trial": None, "forced": False, "problem": "", "processed": True, "closed": False}
    assert fields_of(judge(cluster(*two, budgets=(waiting,))), Code.PDB_BLOCKS) == [
        {**numbers, "nodes": ["ip-10-0-1-2"], "never": False}
    ]
    spread = (pod("cart-1"), pod("cart-2", node_name="ip-10-0-1-3"))
    assert fields_of(judge(cluster(*spread, budgets=(budget(),))), Code.PDB_BLOCKS) == [
        {**numbers, "nodes": ["ip-10-0-1-1", "ip-10-0-1-3"], "never": True}
    ]


def test_forced_pods_are_a_warning_and_no_blocker() -> None:
    """Nothing is blocked, but something is destroyed."""
    forecast = judge(cluster(pod(), budgets=(budget(),)), force_pod_eviction_on_pdb_failure=True)
    assert (forecast.held, forecast.forced, blockers(forecast)) == (0, 1, [])
    _, warning = forecast.diagnostics
    assert (warning.code, warning.severity, warning.fields["forced"]) == (Code.PDB_BLOCKS, Severity.WARNING, True)
    assert forecast.movers == (pod(),)


@pytest.mark.parametrize(
    ("trial", "held"),
    [
        (EvictionTrial(allowed=True), 0),
        (EvictionTrial(allowed=False, said="needs 3"), 1),
        (EvictionTrial(allowed=None, gap=failed_gap("403")), 1),
        (EvictionTrial(allowed=None), 1),
    ],
    ids=repr,
)
def test_answer_of_the_api_server_overrides_the_status(trial: EvictionTrial, held: int) -> None:
    """A status may be old; what could not be asked is reported, too."""
    forecast = judge(cluster(pod(), budgets=(budget(),)), trials={"shop/cart": trial})
    assert forecast.held == held
    assert forecast.evicted == 1 - held
    trials = [fields["trial"] for fields in fields_of(forecast, Code.PDB_BLOCKS)]
    gap = {"gap": trial.gap.to_json()} if trial.gap else {}
    assert trials == [{"allowed": trial.allowed, "message": trial.said, **gap}] * held


def test_pod_of_two_budgets_cannot_be_evicted() -> None:
    """Even where both allow it; nothing is tried with it, for its answer says nothing of either."""
    both = (budget("b", disruptions_allowed=1), budget("a", disruptions_allowed=1))
    kube = cluster(pod(ready=False), budgets=both)
    forecast = judge(kube, trials={"shop/a": EvictionTrial(allowed=True)})
    found = {"budgets": ["shop/a", "shop/b"], "pods": 1, "nodes": ["ip-10-0-1-1"]}
    assert fields_of(forecast, Code.PDBS_OVERLAP) == [{**found, "forced": False}]
    assert eviction_forecast.held_pods(spec(), NODES_PLANNED, kube) == {}
    forced = judge(kube, force_pod_eviction_on_pdb_failure=True)
    assert fields_of(forced, Code.PDBS_OVERLAP) == [{**found, "forced": True}]
    assert blockers(forced) == []


def test_held_pods_of_each_budget_can_be_tried() -> None:
    """With the flag to force too: then they tell whether anything is forced."""
    pods = (pod("cart-2"), pod("cart-1"), pod("db-1", labels={"app": "db"}), pod("free", labels={}))
    db = budget("db", selector=(Requirement(key="app", values=("db",)),))
    kube = cluster(*pods, budgets=(budget(), db))
    for force in (False, True):
        samples = eviction_forecast.held_pods(spec(force_pod_eviction_on_pdb_failure=force), NODES_PLANNED, kube)
        found = {name: [sample.name for sample in several] for name, several in samples.items()}
        assert found == {"shop/cart": ["cart-1", "cart-2"], "shop/db": ["db-1"]}


def test_few_stand_alone_pods_are_reported_one_by_one() -> None:
    """By name and node; whether they stay or are deleted decides the flag."""
    gone = pod("log", controller=Owner(kind="DaemonSet", name="gone"))
    kube = cluster(alone("debug", node_name="ip-10-0-1-2"), gone)
    found = [
        {"pods": ["shop/debug"], "nodes": ["ip-10-0-1-2"], "orphaned": False},
        {"pods": ["shop/log"], "nodes": ["ip-10-0-1-1"], "orphaned": True},
    ]
    assert fields_of(judge(kube), Code.STANDALONE_PODS_STAY) == found
    assert [each.subject for each in blockers(judge(kube))] == ["shop/debug", "shop/log"]
    forecast = judge(kube, should_evict_stand_alone_pods=True)
    assert fields_of(forecast, Code.STANDALONE_PODS_DELETED) == found
    assert blockers(forecast) == []
    assert forecast.movers == ()


def test_many_stand_alone_pods_make_one_diagnostic() -> None:
    """With all their names."""
    kube = cluster(*(alone(f"debug-{number}") for number in range(1, 10)))
    found = {
        "pods": [f"shop/debug-{number}" for number in range(1, 10)],
        "nodes": ["ip-10-0-1-1"],
        "orphaned": False,
    }
    assert fields_of(judge(kube), Code.STANDALONE_PODS_STAY) == [found]
    deleting = judge(kube, should_evict_stand_alone_pods=True)
    assert fields_of(deleting, Code.STANDALONE_PODS_DELETED) == [found]


def test_stand_alone_pod_that_stays_is_not_held() -> None:
    """It is not evicted at all; one that is to be evicted can be held, and when forced is deleted for good."""
    kube = cluster(pod(controller=None), budgets=(budget(),))
    assert (judge(kube).kept, judge(kube).held) == (1, 0)
    held = judge(kube, should_evict_stand_alone_pods=True)
    assert (held.held, held.deleted, held.movers) == (1, 0, ())
    forced = judge(kube, should_evict_stand_alone_pods=True, force_pod_eviction_on_pdb_failure=True)
    assert (forced.held, forced.forced, forced.deleted) == (0, 0, 1)


def test_the_worst_comes_first() -> None:
    """Two budgets, then a budget that never allows anything, then one that may, then stand-alone pods."""
    pods = (
        alone("debug"),
        pod("a-1", labels={"app": "a"}),
        pod("b-1", labels={"app": "b"}),
        pod("b-2", labels={"app": "b"}),
        pod("c-1", labels={"app": "c"}),
        pod("d-1", labels={"app": "d"}),
    )
    budgets = (
        *(budget(name, selector=(Requirement(key="app", values=(name,)),), expected_pods=9) for name in "abd"),
        budget("c", selector=(Requirement(key="app", values=("c",)),)),
        budget("d-too", selector=(Requirement(key="app", values=("d",)),)),
    )
    found = blockers(judge(cluster(*pods, budgets=budgets)))
    assert [(each.code, each.subject) for each in found] == [
        (Code.PDBS_OVERLAP, ""),
        (Code.PDB_BLOCKS, "shop/c"),
        (Code.PDB_BLOCKS, "shop/b"),
        (Code.PDB_BLOCKS, "shop/a"),
        (Code.STANDALONE_PODS_STAY, "shop/debug"),
    ]


def test_thousand_pods_of_many_budgets_make_few_diagnostics() -> None:
    """The budgets with the most pods by name, the others together."""
    budgets = [budget(f"b{number:02}", selector=(Requirement(key="b", values=(str(number),)),)) for number in range(30)]
    pods = [pod(f"p{number}", labels={"b": str(number % 30)}, node_name="ip-10-0-1-3") for number in range(1000)]
    first, *_, last = found = blockers(judge(cluster(*pods, budgets=tuple(budgets))))
    assert len(found) == 11
    assert (first.subject, first.fields["pods"]) == ("shop/b00", 34)
    assert last.code is Code.PDBS_MORE
    assert last.fields == {
        "budgets": [f"shop/b{number}" for number in range(10, 30)],
        "pods": 660,
        "nodes": ["ip-10-0-1-3"],
        "forced": False,
    }


def test_pods_that_ask_not_to_be_moved_are_named() -> None:
    """By the annotations of both autoscalers, only with the value that means it, and only where they would move."""
    kube = cluster(
        pod("a", annotations={"karpenter.sh/do-not-disrupt": "true"}),
        pod("b", annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}),
        pod("c", annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}),
        pod("d", annotations={"karpenter.sh/do-not-evict": "true"}, controller=AGENT),
        alone("e", annotations={"karpenter.sh/do-not-evict": "true"}),
        pod("f", labels={"spotinst.io/restrict-scale-down": "true"}),
        pod("g", labels={"autoscaling.cast.ai/removal-disabled": "true"}),
        pod("h", annotations={"autoscaling.cast.ai/removal-disabled": "true"}),
        pod("i", labels={"spotinst.io/restrict-scale-down": "false"}),
        pod("j", annotations={"descheduler.alpha.kubernetes.io/prefer-no-eviction": ""}),
        pod("k", annotations={"descheduler.alpha.kubernetes.io/prefer-no-eviction": "yes"}),
    )
    found = with_code(judge(kube), Code.PODS_PROTECTED)
    assert [(each.subject, each.fields["value"], each.fields["pods"]) for each in found] == [
        ("karpenter.sh/do-not-disrupt", "true", ["shop/a"]),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false", ["shop/b"]),
        ("spotinst.io/restrict-scale-down", "true", ["shop/f"]),
        ("autoscaling.cast.ai/removal-disabled", "true", ["shop/g", "shop/h"]),
        # The Descheduler looks only for the annotation.
        ("descheduler.alpha.kubernetes.io/prefer-no-eviction", "", ["shop/j", "shop/k"]),
    ]


def test_incomplete_list_of_pods_is_judged_as_far_as_it_goes() -> None:
    """It says that there may be more; without any pod nothing is counted."""
    gap = failed_gap("500 of 1,000 pods read, then the time was up")
    forecast = judge(cluster(alone("debug"), gaps={PODS: gap}))
    assert forecast.summary is not None
    assert (forecast.kept, forecast.summary.fields["knows_all_pods"]) == (1, False)
    assert [each.code for each in forecast.diagnostics] == [Code.STANDALONE_PODS_STAY, Code.NOT_EVALUATED]
    assert forecast.diagnostics[-1].fields["topics"] == [Topic.PODS_NOT_READ]
    assert judge(cluster(gaps={PODS: gap})).summary is None


NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def judged_now(kube: KubernetesSnapshot, code: Code, **options: Any) -> list[Diagnostic]:
    """Return what is found at noon."""
    found = eviction_forecast.forecast_evictions(spec(), NODES_PLANNED, kube, now=NOW, **options)
    assert all(each.is_blocker for each in with_code(found, code))
    return with_code(found, code)


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [("2026-01-02T11:55:00Z", None), ("2026-01-02T11:54:59Z", 301), ("2026-01-02T09:00:00Z", 10_800), ("", None)],
)
def test_pod_that_should_be_gone_long_ago_blocks(deadline: str, seconds: int | None) -> None:
    """Its deadline counts its grace period already."""
    stuck = pod(deleting=True, deletion_deadline=deadline, finalizers=("example.com/keep",))
    found = judged_now(cluster(stuck), Code.PODS_TERMINATING)
    assert [(each.subject, each.fields["seconds"]) for each in found] == ([("shop/cart-1", seconds)] if seconds else [])


def test_pods_that_wait_for_finalizers_are_told_apart() -> None:
    """Their remedy is another one."""
    late = "2026-01-02T09:00:00Z"
    kube = cluster(
        pod("a", deleting=True, deletion_deadline=late),
        pod("b", deleting=True, deletion_deadline=late, finalizers=("x", "y")),
        pod("c", deleting=True, deletion_deadline=late, finalizers=("y",), node_name="ip-10-0-1-2"),
    )
    found = judged_now(kube, Code.PODS_TERMINATING)
    assert [(each.fields["pods"], each.fields["finalizers"]) for each in found] == [
        (["shop/b", "shop/c"], ["x", "y"]),
        (["shop/a"], []),
    ]


def test_planned_node_that_is_not_ready_blocks_its_pods() -> None:
    """No kubelet ends them; a node without pods to move is none of the migration's business."""
    nodes = {
        "i-1": KubernetesNode(
            name="ip-10-0-1-1", instance_id="i-1", ready=False, not_ready_since="2026-01-02T11:00:00Z"
        ),
        "i-2": KubernetesNode(name="ip-10-0-1-2", instance_id="i-2", ready=False),
        "i-3": KubernetesNode(name="ip-10-0-1-3", instance_id="i-3"),
    }
    kube = cluster(pod("a"), pod("b", deleting=True), pod("c", node_name="ip-10-0-1-3"), nodes=nodes)
    (found,) = judged_now(kube, Code.NODES_NOT_READY)
    assert found.subject == "ip-10-0-1-1"
    assert found.fields == {"nodes": ["ip-10-0-1-1"], "pods": 2, "seconds": 3600}


def test_grace_period_beyond_the_draining_timeout_blocks() -> None:
    """By the cluster's timeout."""
    kube = cluster(pod("a", grace_seconds=600), pod("b", grace_seconds=300), pod("c", grace_seconds=900, deleting=True))
    (found,) = judged_now(kube, Code.GRACE_PERIOD_TOO_LONG)
    assert found.fields == {"pods": ["shop/a"], "seconds": 600, "timeout": 300}
    assert judged_now(kube, Code.GRACE_PERIOD_TOO_LONG, draining_timeout=600) == []


def test_budget_that_kubernetes_cannot_compute_is_quoted_first() -> None:
    """It does not recover by itself."""
    broken = budget("broken", problem='found no controller ref for pod "x"')
    other = pod("b", labels={"app": "other"})
    waiting = budget(expected_pods=4, selector=(Requirement(key="app", values=("other",)),))
    first, second = fields_of(judge(cluster(pod(), other, budgets=(waiting, broken))), Code.PDB_BLOCKS)
    assert (first["problem"], second["problem"]) == ('found no controller ref for pod "x"', "")


@pytest.mark.parametrize(("ready", "held"), [(True, 1), (False, 0)])
def test_budget_that_is_not_processed_yet_allows_nothing(ready: bool, held: int) -> None:
    """Whatever its old status says; but a pod that is not ready does not need it."""
    changed = budget(disruptions_allowed=1, is_processed=False)
    forecast = judge(cluster(pod(ready=ready), budgets=(changed,)))
    assert forecast.held == held
    assert [fields["processed"] for fields in fields_of(forecast, Code.PDB_BLOCKS)] == [False] * held


def test_summary_counts_what_becomes_of_the_pods() -> None:
    """Each pod once; what loses data is counted besides."""
    kube = cluster(
        pod("a", labels={}, empty_dir=True),
        pod("b", labels={}),
        pod("c"),
        alone("d"),
        pod("e", controller=AGENT),
        pod("f", controller=AGENT, empty_dir=True),
        pod("g", mirror=True),
        pod("h", phase="Succeeded"),
        pod("i", deleting=True),
        budgets=(budget(),),
    )
    counts = {
        "evicted": 2,
        "held": 1,
        "forced": 0,
        "kept": 1,
        "deleted": 0,
        "leaving": 1,
        "finished": 1,
        "daemon_set_pods": 2,
        "static_pods": 1,
        "losing_data": 1,
        "losing_work": 0,
        "knows_budgets": True,
        "knows_all_pods": True,
    }
    summary = judge(kube).summary
    assert summary is not None
    assert (summary.code, summary.fields) == (Code.PODS, counts)
    forced = judge(kube, should_evict_stand_alone_pods=True, force_pod_eviction_on_pdb_failure=True).summary
    assert forced is not None
    assert forced.fields == {**counts, "held": 0, "forced": 1, "kept": 0, "deleted": 1}


def test_what_is_unknown_does_not_read_as_none() -> None:
    """Without pods there is no summary, without budgets it says so; each reason is reported once."""
    unread = judge(
        cluster(
            gaps={
                PODS: failed_gap("timed out"),
                BUDGETS: failed_gap("timed out"),
            }
        )
    )
    assert unread.summary is None
    (unknown,) = fields_of(unread, Code.NOT_EVALUATED)
    assert unknown["topics"] == [Topic.PODS, Topic.BUDGETS]
    forecast = judge(cluster(pod(), gaps={BUDGETS: FORBIDDEN}))
    assert forecast.summary is not None
    assert (forecast.summary.fields["evicted"], forecast.summary.fields["knows_budgets"]) == (1, False)
    (unknown,) = fields_of(forecast, Code.NOT_EVALUATED)
    assert (unknown["topics"], unknown["gap"]) == ([Topic.BUDGETS], FORBIDDEN.to_json())


def test_node_without_a_name_is_not_passed_over() -> None:
    """Its pods cannot be found."""
    nodes = [PlannedNode(instance_id="i-9")]
    unread = cluster(gaps={NODES: FORBIDDEN})
    for kube, gap in ((cluster(pod()), Gap(GapCode.NO_NODES, {"instance_ids": ["i-9"]})), (unread, FORBIDDEN)):
        (unknown,) = fields_of(eviction_forecast.forecast_evictions(spec(), nodes, kube), Code.NOT_EVALUATED)
        assert (unknown["topics"], unknown["gap"]) == ([Topic.NODE_NAMES], gap.to_json())


pods = st.builds(
    pod,
    st.from_regex(r"[a-z]{1,3}", fullmatch=True),
    controller=st.sampled_from([None, REPLICA_SET, AGENT, Owner(kind="DaemonSet", name="gone")]),
    phase=st.sampled_from(["Running", "Pending", "Succeeded", "Failed", "Unknown"]),
    ready=st.booleans(),
    deleting=st.booleans(),
    mirror=st.booleans(),
    empty_dir=st.booleans(),
    node_name=st.sampled_from(["", "ip-10-0-1-1", "ip-10-0-1-2", "elsewhere"]),
    labels=st.sampled_from([{}, {"app": "cart"}, {"app": "db"}]),
)
budgets = st.builds(
    budget,
    st.sampled_from(["a", "b", "c"]),
    selector=st.sampled_from([None, (), CART, (Requirement(key="app", operator="NotIn", values=("cart",)),)]),
    disruptions_allowed=st.sampled_from([0, 1]),
    current_healthy=st.integers(0, 3),
    always_allows_unhealthy=st.booleans(),
)


@given(
    st.lists(pods, max_size=12, unique_by=lambda of: of.name),
    st.lists(budgets, max_size=3, unique_by=lambda of: of.name),
    st.booleans(),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_every_pod_is_counted_once_whatever_the_order(
    some_pods: list[Pod], some_budgets: list[Budget], evict: bool, force: bool, shuffler: random.Random
) -> None:
    """And force lets nothing be held, evict lets nothing stay."""
    options = {"should_evict_stand_alone_pods": evict, "force_pod_eviction_on_pdb_failure": force}
    forecast = judge(cluster(*some_pods, budgets=tuple(some_budgets)), **options)
    here = [of for of in some_pods if of.node_name in {"ip-10-0-1-1", "ip-10-0-1-2"}]
    counts = (forecast.evicted, forecast.held, forecast.forced, forecast.kept, forecast.deleted)
    others = (forecast.daemon_set_pods, forecast.static_pods, forecast.finished, forecast.leaving)
    assert sum(counts) + sum(others) == len(here)
    assert not (force and forecast.held)
    assert not (evict and forecast.kept)
    assert not (forecast.deleted and not evict)
    assert bool(blockers(forecast)) is bool(forecast.held or forecast.kept)
    assert forecast.losing_data <= forecast.evicted + forecast.forced + forecast.deleted
    assert all(mover in here for mover in forecast.movers)
    assert len(forecast.movers) <= forecast.evicted + forecast.held + forecast.forced
    shuffler.shuffle(some_pods)
    shuffler.shuffle(some_budgets)
    assert judge(cluster(*some_pods, budgets=tuple(some_budgets)), **options) == forecast


@given(st.lists(pods, max_size=12, unique_by=lambda of: of.name), budgets)
def test_answer_that_allows_everything_leaves_no_budget_in_the_way(some_pods: list[Pod], one: Budget) -> None:
    """Of a single budget, the API server's word is the last."""
    kube = cluster(*some_pods, budgets=(one,))
    trials = {name: EvictionTrial(allowed=True) for name in eviction_forecast.held_pods(spec(), NODES_PLANNED, kube)}
    before, after = judge(kube), judge(kube, trials=trials)
    assert (after.held, after.evicted) == (0, before.evicted + before.held)
