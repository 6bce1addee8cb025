"""What becomes of each pod on the planned nodes."""

from __future__ import annotations

import random
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
    Gap,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
    Requirement,
)
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from tests.migration.builders import spec

REPLICA_SET = Owner(kind="ReplicaSet", name="cart-5d9")
AGENT = Owner(kind="DaemonSet", name="agent")
CART = (Requirement(key="app", values=("cart",)),)
NODES_PLANNED = [PlannedNode(instance_id=f"i-{number}", node_name=f"ip-10-0-1-{number}") for number in (1, 2, 3)]
FORBIDDEN = Gap(reason="forbidden: poddisruptionbudgets", remedy="add the rule")


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


def test_daemon_set_counts_as_there_when_daemon_sets_are_not_known() -> None:
    """And it is said that this was not judged."""
    kube = cluster(pod(controller=AGENT), daemon_sets=frozenset(), gaps={DAEMON_SETS: FORBIDDEN})
    forecast = judge(kube)
    assert (forecast.daemon_set_pods, forecast.kept) == (1, 0)
    assert forecast.unjudged == (
        "not judged: whether the DaemonSets of pods still exist (forbidden: poddisruptionbudgets); add the rule",
    )
    assert judge(cluster(pod(), gaps={DAEMON_SETS: FORBIDDEN})).unjudged == ()


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
    assert bool(forecast.blockers) is held
    assert bool(eviction_forecast.held_pods(spec(), NODES_PLANNED, cluster(of, budgets=(of_budget,)))) is held


def test_budget_is_told_as_the_design_shows_it() -> None:
    """Which budget, how many pods on which node, its numbers, and what to do."""
    waiting = budget(current_healthy=3, expected_pods=4)
    two = (pod("cart-1", node_name="ip-10-0-1-2"), pod("cart-2", node_name="ip-10-0-1-2"))
    assert judge(cluster(*two, budgets=(waiting,))).blockers == (
        "PodDisruptionBudget shop/cart allows no disruption: 2 pods on ip-10-0-1-2 will block "
        "(needs 3 healthy, has 3); wait until more of its pods are healthy, or set force_pod_eviction_on_pdb_failure",
    )
    spread = (pod("cart-1"), pod("cart-2", node_name="ip-10-0-1-3"))
    assert judge(cluster(*spread, budgets=(budget(),))).blockers == (
        "PodDisruptionBudget shop/cart allows no disruption: 2 pods on 2 nodes (ip-10-0-1-1, ip-10-0-1-3) will block "
        "(needs 3 healthy, has 3); it never allows one: run more pods, change it, or set "
        "force_pod_eviction_on_pdb_failure",
    )


def test_forced_pods_are_a_warning_and_no_blocker() -> None:
    """Nothing stands in the way, but something is destroyed."""
    forecast = judge(cluster(pod(), budgets=(budget(),)), force_pod_eviction_on_pdb_failure=True)
    assert (forecast.held, forecast.forced, forecast.blockers) == (0, 1, ())
    assert forecast.warnings == (
        "PodDisruptionBudget shop/cart allows no disruption: 1 pod on ip-10-0-1-1 will be killed against it "
        "(needs 3 healthy, has 3); force_pod_eviction_on_pdb_failure is set",
    )
    assert forecast.movers == (pod(),)


@pytest.mark.parametrize(
    ("trial", "held", "said"),
    [
        (EvictionTrial(allowed=True), 0, None),
        (EvictionTrial(allowed=False, message="needs 3"), 1, "; the API server confirms it: needs 3; it never"),
        (EvictionTrial(allowed=None, message="403"), 1, "; the API server could not confirm it: 403; it never"),
        (EvictionTrial(allowed=None), 1, "; the API server could not confirm it; it never"),
    ],
    ids=repr,
)
def test_answer_of_the_api_server_overrides_the_status(trial: EvictionTrial, held: int, said: str | None) -> None:
    """A status may be old; what could not be asked is said to be so."""
    forecast = judge(cluster(pod(), budgets=(budget(),)), trials={"shop/cart": trial})
    assert forecast.held == held
    assert forecast.evicted == 1 - held
    assert [said in text for text in forecast.blockers if said] == [True] * held


def test_pod_of_two_budgets_cannot_be_evicted() -> None:
    """Even where both allow it; nothing is tried with it, for its answer says nothing of either."""
    both = (budget("b", disruptions_allowed=1), budget("a", disruptions_allowed=1))
    kube = cluster(pod(ready=False), budgets=both)
    forecast = judge(kube, trials={"shop/a": EvictionTrial(allowed=True)})
    assert forecast.blockers == (
        "1 pod on ip-10-0-1-1 will block: the API server evicts no pod of several PodDisruptionBudgets "
        "(shop/a, shop/b); leave one budget to each pod, or set force_pod_eviction_on_pdb_failure",
    )
    assert eviction_forecast.held_pods(spec(), NODES_PLANNED, kube) == {}
    forced = judge(kube, force_pod_eviction_on_pdb_failure=True)
    assert forced.warnings[0].endswith("(shop/a, shop/b); force_pod_eviction_on_pdb_failure is set")
    assert "will be killed against them" in forced.warnings[0]


def test_one_held_pod_of_each_budget_is_tried() -> None:
    """With the flag to force too: then it tells whether anything is forced."""
    pods = (pod("cart-2"), pod("cart-1"), pod("db-1", labels={"app": "db"}), pod("free", labels={}))
    db = budget("db", selector=(Requirement(key="app", values=("db",)),))
    kube = cluster(*pods, budgets=(budget(), db))
    for force in (False, True):
        samples = eviction_forecast.held_pods(spec(force_pod_eviction_on_pdb_failure=force), NODES_PLANNED, kube)
        assert {name: sample.name for name, sample in samples.items()} == {"shop/cart": "cart-1", "shop/db": "db-1"}


def test_stand_alone_pods_are_told_as_the_design_shows_it() -> None:
    """A few by name and node, with what the flag would do and does."""
    gone = pod("log", controller=Owner(kind="DaemonSet", name="gone"))
    kube = cluster(alone("debug", node_name="ip-10-0-1-2"), gone)
    assert judge(kube).blockers == (
        "stand-alone pod shop/debug on ip-10-0-1-2 stays behind: move it by hand, or set should_evict_stand_alone_pods",
        "stand-alone pod shop/log (its DaemonSet is gone) on ip-10-0-1-1 stays behind: move it by hand, or set "
        "should_evict_stand_alone_pods",
    )
    forecast = judge(kube, should_evict_stand_alone_pods=True)
    assert forecast.blockers == ()
    assert forecast.warnings[0] == (
        "stand-alone pod shop/debug on ip-10-0-1-2 is deleted for good: nothing starts it again; "
        "should_evict_stand_alone_pods is set"
    )
    assert forecast.movers == ()


def test_many_stand_alone_pods_make_one_line() -> None:
    """With the first few names."""
    kube = cluster(*(alone(f"debug-{number}") for number in range(1, 10)))
    (line,) = judge(kube).blockers
    assert line == (
        "9 stand-alone pods stay behind: shop/debug-1, shop/debug-2, shop/debug-3, shop/debug-4, shop/debug-5 and "
        "4 more: move them by hand, or set should_evict_stand_alone_pods"
    )
    (line,) = judge(kube, should_evict_stand_alone_pods=True).warnings
    assert line.startswith("9 stand-alone pods are deleted for good: shop/debug-1, ")
    assert line.endswith("nothing starts them again; should_evict_stand_alone_pods is set")


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
    lines = judge(cluster(*pods, budgets=budgets)).blockers
    assert [line.split(" allows")[0][:35] for line in lines] == [
        "1 pod on ip-10-0-1-1 will block: th",
        "PodDisruptionBudget shop/c",
        "PodDisruptionBudget shop/b",
        "PodDisruptionBudget shop/a",
        "stand-alone pod shop/debug on ip-10",
    ]


def test_thousand_pods_of_many_budgets_make_few_lines() -> None:
    """The budgets with the most pods by name, the others together."""
    budgets = [budget(f"b{number:02}", selector=(Requirement(key="b", values=(str(number),)),)) for number in range(30)]
    pods = [pod(f"p{number}", labels={"b": str(number % 30)}, node_name="ip-10-0-1-3") for number in range(1000)]
    lines = judge(cluster(*pods, budgets=tuple(budgets))).blockers
    assert len(lines) == 11
    assert lines[0].startswith("PodDisruptionBudget shop/b00 allows no disruption: 34 pods on ip-10-0-1-3 will block")
    assert lines[-1] == (
        "20 more PodDisruptionBudgets allow no disruption (shop/b10, shop/b11, shop/b12, shop/b13, shop/b14 and "
        "15 more): 660 pods on ip-10-0-1-3 will block"
    )


def test_pods_that_ask_not_to_be_moved_are_named() -> None:
    """By the annotations of both autoscalers, only with the value that means it, and only where they would move."""
    kube = cluster(
        pod("a", annotations={"karpenter.sh/do-not-disrupt": "true"}),
        pod("b", annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}),
        pod("c", annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}),
        pod("d", annotations={"karpenter.sh/do-not-evict": "true"}, controller=AGENT),
        alone("e", annotations={"karpenter.sh/do-not-evict": "true"}),
    )
    assert judge(kube).warnings == (
        '1 pod annotated karpenter.sh/do-not-disrupt: "true" (shop/a); '
        "Ocean does not document whether a migration obeys it",
        '1 pod annotated cluster-autoscaler.kubernetes.io/safe-to-evict: "false" (shop/b); '
        "Ocean does not document whether a migration obeys it",
    )


def test_line_tells_what_becomes_of_the_pods() -> None:
    """Only what there is, in the order of what matters."""
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
    assert judge(kube).pods_line() == (
        "2 pods are evicted and start elsewhere, 1 held by PodDisruptionBudgets, 1 stand-alone stays behind, "
        "1 leaves already, 1 has finished, 2 of DaemonSets are not moved, 1 static is not moved; "
        "1 pod loses the data of emptyDir volumes"
    )
    forced = judge(kube, should_evict_stand_alone_pods=True, force_pod_eviction_on_pdb_failure=True)
    assert "1 killed against PodDisruptionBudgets, 1 stand-alone is deleted for good, " in forced.pods_line()
    assert judge(cluster(alone("d"))).pods_line() == "1 stand-alone pod stays behind"
    assert judge(cluster()).pods_line() == "none has to move"


def test_what_is_unknown_does_not_read_as_none() -> None:
    """Without pods there is no line, without budgets it says so; each reason is told once."""
    unread = judge(cluster(gaps={PODS: Gap(reason="timed out"), BUDGETS: Gap(reason="timed out")}))
    assert unread.pods_line() == ""
    assert unread.unjudged == (
        "not judged: what becomes of the pods, which pods PodDisruptionBudgets hold (timed out)",
    )
    forecast = judge(cluster(pod(), gaps={BUDGETS: FORBIDDEN}))
    assert forecast.pods_line() == (
        "1 pod is evicted and starts elsewhere; whether PodDisruptionBudgets hold any is not known"
    )
    assert forecast.unjudged == (
        "not judged: which pods PodDisruptionBudgets hold (forbidden: poddisruptionbudgets); add the rule",
    )


def test_node_without_a_name_is_not_passed_over() -> None:
    """Its pods cannot be found."""
    nodes = [PlannedNode(instance_id="i-9")]
    assert eviction_forecast.forecast_evictions(spec(), nodes, cluster(pod())).unjudged == (
        "not judged: the pods on nodes whose name is not known (Kubernetes has no node for i-9)",
    )
    unread = cluster(gaps={NODES: FORBIDDEN})
    assert (
        "(forbidden: poddisruptionbudgets); add"
        in eviction_forecast.forecast_evictions(spec(), nodes, unread).unjudged[0]
    )


def test_names_of_others_stay_on_one_line() -> None:
    """Whatever a name holds."""
    kube = cluster(alone("a\nb -> c"), pod(), budgets=(budget("x\ny"),))
    assert all(len(line.splitlines()) == 1 and "->" not in line for line in judge(kube).blockers)


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
    assert bool(forecast.blockers) is bool(forecast.held or forecast.kept)
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
