"""What a preview and a run say, and refuse, with what Kubernetes tells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ocean_migration_pulumi.errors import PlanError, PrerequisiteError
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus, Finding
from ocean_migration_pulumi.migration.planning.text.findings_text import render
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    AWS_AUTH,
    DEPLOYMENTS,
    NODES,
    PODS,
    Deployment,
    EvictionTrial,
    KubernetesNode,
    KubernetesSnapshot,
    Owner,
    Pod,
    Taint,
)
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Severity, UnplannedCause
from ocean_migration_pulumi.migration.spec.gap import GapCode
from ocean_migration_pulumi.migration.spec.stop_conditions import StopConditions, read_stop_conditions
from tests.migration.diagnostics import codes_of, fields_of, findings_of, with_code
from tests.migration.known import CONTROLLER, KnownKubernetes, budget_of, pod_on, workloads_of
from tests.migration.stage import Stage
from tests.support.gaps import failed_gap

WEB = {"asg_names": ["web"]}


def known(stage: Stage, *pods: Pod, budgets: tuple[str, ...] = ()) -> KnownKubernetes:
    """Give a stage access to Kubernetes, with these pods and with budgets that allow no disruption."""
    ids = [node["instance_id"] for node in stage.control.nodes(stage.ocean_id)]
    kubernetes = KnownKubernetes(workloads_of(ids, *pods, budgets=tuple(map(budget_of, budgets))))
    stage.sources = kubernetes.sources()
    return kubernetes


def test_checks_that_passed_are_counted_in_one_diagnostic(stage: Stage) -> None:
    """Each by its name; only what did not pass has a diagnostic of its own."""
    known(stage, pod_on(stage.ids("web")[0], "cart", app="cart"))
    found = stage.preview(stage.spec(nodes={"all_nodes": True}))
    ((names,),) = (fields.values() for fields in fields_of(found, Code.CHECKS_PASSED))
    assert names == [
        "connection",
        "Kubernetes",
        "Ocean Controller",
        "node autoscalers",
        "cluster services",
        "pending pods",
        "Virtual Node Groups",
        "scaling",
        "idle cluster",
        "capacity",
    ]
    versions = [each.fields["version"] for each in found.check_results if each.finding is Finding.CONTROLLER_V2]
    assert versions == ["2.3.0"]
    assert [each.name for each in found.check_results if each.status is not CheckStatus.PASS] == ["instance roles"]
    assert [each.subject for each in with_code(found, Code.CHECK_UNKNOWN)] == ["instance roles"]
    assert Code.CHECK_FAILED not in codes_of(found)
    assert not any(each.is_blocker for each in found.diagnostics)
    assert [fields["evicted"] for fields in fields_of(found, Code.PODS)] == [1]


def test_blockers_are_named_before_the_start(stage: Stage) -> None:
    """What a budget holds, what stands alone, and who waits for a node."""
    first, second = stage.ids("web")[:2]
    known(
        stage,
        pod_on(first, "cart-1", app="cart"),
        pod_on(first, "debug", alone=True),
        pod_on(second, "free"),
        Pod(namespace="shop", name="waits", phase="Pending"),
        budgets=("cart",),
    )
    found = stage.preview(stage.spec(nodes=WEB))
    blockers = [(each.code, each.subject) for each in found.diagnostics if each.is_blocker]
    assert blockers == [(Code.PDB_BLOCKS, "shop/cart"), (Code.STANDALONE_PODS_STAY, "shop/debug")]
    assert findings_of(found)[Finding.PENDING_PODS] is Code.CHECK_FAILED
    (pods,) = fields_of(found, Code.PODS)
    assert (pods["evicted"], pods["held"], pods["kept"]) == (1, 1, 1)


def test_batches_are_told_with_their_pods(stage: Stage) -> None:
    """How many nodes, how many batches, and what each moves."""
    found = stage.preview(stage.spec(nodes=WEB, batch_size_percentage=50))
    (batches,) = fields_of(found, Code.BATCHES)
    assert (batches["count"], batches["size"], batches["last"]) == (2, 2, 1)
    (summary,) = fields_of(found, Code.PLAN_SUMMARY)
    assert sum(batches["pods"]) == summary["pods"]


def test_other_nodes_that_stay_schedulable_are_a_warning_before_later_waves(stage: Stage) -> None:
    """Pods that land there are moved twice; without later migrations nothing needs attention."""
    partly = stage.preview(stage.spec(nodes=WEB))
    assert [each.severity for each in with_code(partly, Code.NODES_OUTSIDE_PLAN)] == [Severity.INFO]
    assert fields_of(partly, Code.NODES_OUTSIDE_PLAN) == [{"nodes": len(stage.ids()) - len(stage.ids("web"))}]
    named = stage.preview(stage.spec(nodes=WEB, later_migrations=("shop-api", "shop-rest")))
    (warning,) = with_code(named, Code.NODES_OUTSIDE_PLAN)
    assert warning.severity is Severity.WARNING
    assert "other nodes (including later waves: shop-api, shop-rest) stay schedulable" in render(warning)
    whole = stage.preview(stage.spec(nodes={"all_nodes": True}))
    assert Code.NODES_OUTSIDE_PLAN not in codes_of(whole)


def test_preview_counts_the_workloads_that_will_be_watched(stage: Stage) -> None:
    """Each once, and only services on planned nodes; what is off is not announced."""
    first, second = stage.ids("web")[:2]
    (elsewhere,) = set(stage.ids("batch")[:1])
    work = replace(pod_on(second, "report", app="report"), controller=Owner(kind="Job", name="report"))
    other = replace(pod_on(second, "ledger", app="ledger"), controller=Owner(kind="StatefulSet", name="ledger"))
    pods = (pod_on(first, "cart-1"), pod_on(second, "cart-2"), other, work, pod_on(first, "debug", alone=True))
    known(
        stage,
        *pods,
        replace(other, name="x", controller=Owner(kind="StatefulSet", name="x"), node_name=f"node-{elsewhere}"),
    )
    spec = stage.spec(nodes=WEB, stop_when=StopConditions(broken_workloads=True))
    assert fields_of(stage.preview(spec), Code.HEALTH_PLANNED) == [
        {
            "workloads": 2,
            "gap": None,
            "health": "enforce",
            "settle_seconds": 900.0,
            "stops_after": {"broken_workloads": 600.0},
            "checks": [],
        }
    ]
    (plain,) = fields_of(stage.preview(stage.spec(nodes=WEB, health="warn")), Code.HEALTH_PLANNED)
    assert (plain["health"], plain["stops_after"]) == ("warn", {})
    started = replace(spec, wait_for="started")
    for nobody_looks in (stage.spec(nodes=WEB, health="off"), started, stage.spec(nodes=WEB, wait_for="progress")):
        assert Code.HEALTH_PLANNED not in codes_of(stage.preview(nobody_looks))
    (progress,) = fields_of(stage.preview(replace(spec, wait_for="progress")), Code.HEALTH_PLANNED)
    assert progress["health"] == "off"


def test_preview_names_the_checks_that_stop_the_migration(stage: Stage) -> None:
    """Without access to Kubernetes those of objects are not watched, which is a warning; those of URLs are."""
    value = {
        "http_checks": [{"url": "https://shop.example/?key=canary", "for": "2m"}],
        "kubernetes_conditions": [{"kind": "Certificate", "name": "tls", "api_version": "cert-manager.io/v1"}],
    }
    spec = stage.spec(nodes=WEB, stop_when=read_stop_conditions("stop_when", value))
    (found,) = with_code(stage.preview(spec), Code.HEALTH_PLANNED)
    watched = {each["name"]: each["watched"] for each in found.fields["checks"]}
    assert watched == {"Certificate tls Ready=True": False, "https://shop.example/": True}
    assert (found.fields["workloads"], found.severity) == (None, Severity.WARNING)
    assert "canary" not in render(found)
    known(stage)
    (found,) = with_code(stage.preview(spec), Code.HEALTH_PLANNED)
    assert all(each["watched"] for each in found.fields["checks"])
    assert found.severity is Severity.INFO


def test_workloads_are_not_counted_when_pods_cannot_be_listed(stage: Stage) -> None:
    """The reason is named."""
    kubernetes = known(stage)
    kubernetes.kube = replace(kubernetes.kube, gaps={PODS: failed_gap("may not list pods (403)")})
    (fields,) = fields_of(stage.preview(stage.spec(nodes=WEB)), Code.HEALTH_PLANNED)
    assert (fields["workloads"], fields["gap"]) == (None, failed_gap("may not list pods (403)").to_json())


def test_missing_group_comes_ready_to_paste_with_labels_and_taints(stages: Callable[..., Stage]) -> None:
    """Of the nodes that match nothing; without Kubernetes the labels are left to the reader."""
    stage = stages("unmatched-nodes")
    (blind,) = fields_of(stage.preview(stage.spec(nodes=WEB)), Code.VNG_SUGGESTION)
    assert "Labels and taints are not known here" in blind["source"]
    kubernetes = known(stage)
    nodes = {
        name: replace(node, labels={"gpu": "true"}, taints=(Taint(key="nvidia.com/gpu"),))
        for name, node in kubernetes.kube.nodes.items()
    }
    kubernetes.kube = replace(kubernetes.kube, nodes=nodes)
    stage.restart()
    (seen,) = fields_of(stage.preview(stage.spec(nodes=WEB)), Code.VNG_SUGGESTION)
    assert (seen["nodes"], seen["asg_names"]) == (2, ["web"])
    assert "LabelArgs(key='gpu', value='true')" in seen["source"]
    assert "TaintArgs(key='nvidia.com/gpu', value='', effect='NoSchedule')" in seen["source"]


def test_nodes_are_selected_by_labels_that_kubernetes_judges(stage: Stage) -> None:
    """In the preview and in the run; nodes that it does not know are told of, and not taken."""
    kubernetes = known(stage)
    first, second, third = stage.ids("web")
    kubernetes.taken = {"tier in (web)": [first, second], "old": [second]}
    spec = stage.spec(nodes={"label_selector": "tier in (web)", "exclude": {"label_selector": "old"}})
    assert list(stage.preview(spec).planned or {}) == [first]
    kubernetes.kube = replace(
        kubernetes.kube,
        nodes={name: node for name, node in kubernetes.kube.nodes.items() if name != first},
    )
    found = stage.preview(spec)
    assert found.planned == {}
    assert fields_of(found, Code.NODES_UNDECIDED) == [{"nodes": [first]}]
    assert third not in (found.planned or {})


def test_a_run_whose_preview_could_not_judge_labels_plans_by_itself(stage: Stage) -> None:
    """A new resource is planned by ``create``; what cannot be judged then starts nothing."""
    kubernetes = known(stage)
    spec = stage.spec(nodes={"label_selector": "tier=web"})
    preview = stage.preview(spec)
    assert preview.diagnostics == (preview.unplanned,)
    (fields,) = fields_of(preview, Code.UNPLANNED)
    assert (fields["cause"], fields["gap"]) == (
        UnplannedCause.NO_LABELS,
        failed_gap("Kubernetes is not there").to_json(),
    )
    _, message = stage.fails(PlanError, spec)
    assert message == "cannot evaluate label_selector: Kubernetes is not there; nothing was started"
    assert not stage.control.requests(effective=True)
    kubernetes.taken = {"tier=web": stage.ids("web")}
    context = stage.up(spec)
    assert sorted(context.state.migrated) == stage.ids("web")
    assert context.state.joined == []


def test_label_selector_that_cannot_be_read_is_bad_input(stage: Stage) -> None:
    """Kubernetes itself says so."""
    kubernetes = known(stage)
    kubernetes.bad = frozenset({"a in"})
    found = stage.preview(stage.spec(nodes={"label_selector": "a in"}))
    assert [problem.property_name for problem in found.problems] == ["nodes.label_selector"]


@pytest.mark.parametrize("explicit", [True, False])
def test_kubernetes_of_another_cluster_is_refused_or_not_used(stage: Stage, explicit: bool) -> None:
    """Refused when the resource names it; one that lies about in the environment is as none, and is said."""
    other = KnownKubernetes(workloads_of(["i-of-another"], pod_on("i-of-another", "x", alone=True)))
    stage.sources = other.sources(explicit=explicit)
    found = stage.preview(stage.spec(nodes=WEB))
    if explicit:
        (problem,) = found.problems
        assert problem.property_name == "kubeconfig"
        assert "another cluster" in problem.message
        _, message = stage.fails(PrerequisiteError, stage.spec(nodes=WEB, planned_nodes={stage.ids("web")[0]: "a b"}))
        assert "another cluster" in message
        assert not stage.control.requests(effective=True)
    else:
        assert found.problems == ()
        (unknown,) = fields_of(found, Code.CHECK_UNKNOWN)
        assert unknown["finding"] == Finding.KUBERNETES_NOT_READ
        assert unknown["gap"] == {"code": GapCode.OTHER_CLUSTER, "access": "KUBECONFIG"}
        assert stage.up(stage.planned(stage.spec(nodes=WEB))).state.migrated


def test_gaps_make_checks_unknown_and_name_the_missing_rule(stage: Stage) -> None:
    """A right that is missing is no good news."""
    kubernetes = known(stage, pod_on(stage.ids("web")[0], "cart", app="cart"))
    gap = failed_gap("may not list nodes (403)", "add nodes to the role")
    kubernetes.kube = KubernetesSnapshot(pods=kubernetes.kube.pods, deployments=(CONTROLLER,), gaps={NODES: gap})
    found = stage.preview(stage.spec(nodes=WEB))
    unread = {"finding": Finding.NOT_READ, "gap": gap.to_json()}
    unknown = {each.subject: each.fields for each in with_code(found, Code.CHECK_UNKNOWN)}
    assert unknown["Kubernetes"] == unknown["node autoscalers"] == unread


@pytest.mark.parametrize("remedy", ["renew the credentials", ""])
def test_cluster_that_answers_nothing_is_no_access(stage: Stage, remedy: str) -> None:
    """The reason is said once; no check passes for it."""
    gap = failed_gap("Kubernetes refuses the credentials (401)", remedy)
    unanswered = KubernetesSnapshot(gaps=dict.fromkeys((NODES, PODS, DEPLOYMENTS, AWS_AUTH), gap))
    stage.sources = KnownKubernetes(unanswered).sources(explicit=True)
    found = stage.preview(stage.spec(nodes=WEB))
    unread = {"finding": Finding.KUBERNETES_NOT_READ, "gap": gap.to_json()}
    assert fields_of(found, Code.CHECK_UNKNOWN) == [unread]
    assert with_code(found, Code.NOT_EVALUATED) == []
    assert stage.up(stage.planned(stage.spec(nodes=WEB))).state.migrated


@pytest.mark.parametrize("prerequisites", ["enforce", "warn", "off"])
def test_prerequisites_that_only_kubernetes_tells_are_enforced(stage: Stage, prerequisites: str) -> None:
    """An active Cluster Autoscaler: refused, warned of, or not looked for."""
    kubernetes = known(stage)
    active = Deployment(namespace="kube-system", name="cluster-autoscaler")
    kubernetes.kube = replace(kubernetes.kube, deployments=(CONTROLLER, active))
    spec = stage.spec(nodes=WEB, prerequisites=prerequisites)
    shown = findings_of(stage.preview(spec))
    assert (Finding.CLUSTER_AUTOSCALER_RUNS in shown) is (prerequisites != "off")
    planned = stage.planned(spec)
    if prerequisites == "enforce":
        with pytest.raises(PrerequisiteError) as refused:
            stage.up(planned)
        assert [each.fields["finding"] for each in refused.value.diagnostics] == [Finding.CLUSTER_AUTOSCALER_RUNS]
        assert str(refused.value).startswith("nothing was started: Cluster Autoscaler kube-system/cluster-autoscaler")
        assert not stage.control.requests(effective=True)
        return
    context = stage.up(planned)
    warned = any(line.startswith("Check failed (node autoscalers): ") for line in context.reporter.warnings)
    assert warned is (prerequisites == "warn")
    assert context.state.migrated


def test_pods_that_wait_fail_only_the_first_start(stage: Stage) -> None:
    """A follow-up may find those that the first one left."""
    kubernetes = known(stage, Pod(namespace="shop", name="waits", phase="Pending"))
    planned = stage.planned(stage.spec(nodes={"asg_names": ["web"]}))
    _, message = stage.fails(PrerequisiteError, planned)
    assert "1 pod waits for a node: shop/waits" in message
    calm = kubernetes.kube
    kubernetes.kube = replace(calm, pods=())
    record = stage.up(planned).state
    kubernetes.kube = calm
    more = stage.planned(stage.spec(nodes={"asg_names": ["web", "api"]}), planned)
    context = stage.up(more, record)
    assert set(stage.ids("api")) <= context.state.migrated


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (EvictionTrial(allowed=False, said="it would violate the budget"), "The API server confirms it"),
        (EvictionTrial(allowed=True), "now allows an eviction"),
        (EvictionTrial(allowed=None, gap=failed_gap("403", "add a rule")), "could not confirm it: 403; add a rule"),
    ],
)
def test_a_run_asks_the_api_server_about_budgets_that_seem_to_hold(
    stage: Stage, trial: EvictionTrial, said: str
) -> None:
    """By an eviction of one pod on trial, which a preview never does."""
    pods = [pod_on(stage.ids("web")[0], f"cart-{number}", app="cart") for number in range(3)]
    kubernetes = known(stage, *pods, budgets=("cart",))
    kubernetes.trials = {"shop/cart-0": trial}
    planned = stage.planned(stage.spec(nodes=WEB, wait_for="started"))
    assert kubernetes.tried == []
    context = stage.up(planned)
    assert kubernetes.tried == ["shop/cart-0"]
    assert any(said in line for line in (*context.reporter.warnings, *context.reporter.infos))


@pytest.mark.parametrize(("vanished", "tried", "said"), [(2, 3, "confirms it"), (5, 3, "could not confirm it: gone")])
def test_pod_that_has_vanished_says_nothing_of_its_budget(stage: Stage, vanished: int, tried: int, said: str) -> None:
    """Another one of the budget is tried, three at most."""
    pods = [pod_on(stage.ids("web")[0], f"cart-{number}", app="cart") for number in range(5)]
    kubernetes = known(stage, *pods, budgets=("cart",))
    gone = EvictionTrial(allowed=None, said="gone", vanished=True)
    held = EvictionTrial(allowed=False, said="it would violate the budget")
    kubernetes.trials = {f"shop/cart-{n}": gone if n < vanished else held for n in range(5)}
    context = stage.up(stage.planned(stage.spec(nodes=WEB, wait_for="started")))
    assert kubernetes.tried == [f"shop/cart-{number}" for number in range(tried)]
    assert any(said in line for line in context.reporter.warnings)


def test_a_node_without_an_instance_id_is_no_proof_of_another_cluster(stage: Stage) -> None:
    """Some clouds' nodes carry none; nothing shows that it is the right cluster, either."""
    kubernetes = KnownKubernetes(KubernetesSnapshot(nodes={}, deployments=(CONTROLLER,)))
    stage.sources = kubernetes.sources(explicit=True)
    found = stage.preview(stage.spec(nodes=WEB))
    assert found.problems == ()
    assert {"finding": Finding.KUBERNETES_NOT_RECOGNIZED} in fields_of(found, Code.CHECK_UNKNOWN)
    named = KubernetesNode(name="n", instance_id=stage.ids("web")[0])
    kubernetes.kube = KubernetesSnapshot(nodes={named.instance_id: named}, deployments=(CONTROLLER,))
    assert stage.preview(stage.spec(nodes=WEB)).problems == ()
