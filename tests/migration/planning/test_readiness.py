"""What a preview and a run say, and refuse, with what Kubernetes tells them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ocean_migration_pulumi.errors import PlanError, PrerequisiteError
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    NODES,
    Deployment,
    EvictionTrial,
    Gap,
    KubernetesNode,
    KubernetesSnapshot,
    Pod,
    Taint,
)
from ocean_migration_pulumi.migration.snapshot.snapshot import PlanPreview
from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.diagnostic import Kind
from tests.migration.known import CONTROLLER, KnownKubernetes, budget_of, pod_on, workloads_of
from tests.migration.stage import Stage

WEB = {"asg_names": ["web"]}


def kinds(found: PlanPreview) -> dict[Kind, list[str]]:
    """Return the texts of a preview by what they are about."""
    lines = [("info", line) for line in found.info] + [("warning", line) for line in found.warnings]
    read: dict[Kind, list[str]] = {}
    for note in [note for severity, line in lines for note in diagnostic.parse(severity, line)]:
        read.setdefault(note.kind, []).append(f"{note.name}: {note.text}" if note.name else note.text)
    return read


def known(stage: Stage, *pods: Pod, budgets: tuple[str, ...] = ()) -> KnownKubernetes:
    """Give a stage access to Kubernetes, with these pods and with budgets that allow no disruption."""
    ids = [node["instance_id"] for node in stage.control.nodes(stage.ocean_id)]
    kubernetes = KnownKubernetes(workloads_of(ids, *pods, budgets=tuple(map(budget_of, budgets))))
    stage.sources = kubernetes.sources()
    return kubernetes


def test_all_prerequisites_that_are_met_stand_in_one_line(stage: Stage) -> None:
    """Each by its name, with what was seen; nothing is unknown, nothing is in the way."""
    known(stage, pod_on(stage.ids("web")[0], "cart", app="cart"))
    found = kinds(stage.preview(stage.spec(nodes={"all_nodes": True})))
    assert [text.partition(":")[0] for text in found[Kind.MET]] == [
        "connection",
        "Kubernetes",
        "Ocean Controller",
        "node autoscalers",
        "pending pods",
        "Virtual Node Groups",
        "scaling",
        "idle cluster",
        "room",
    ]
    assert "Ocean Controller: version 2.3.0" in found[Kind.MET]
    assert [text.partition(":")[0] for text in found.get(Kind.UNKNOWN, [])] == ["instance roles"]
    assert Kind.BLOCKER not in found
    assert Kind.FAILED not in found
    assert found[Kind.PODS] == ["1 pod is evicted and starts elsewhere"]


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
    found = kinds(stage.preview(stage.spec(nodes=WEB)))
    assert any("PodDisruptionBudget shop/cart allows no disruption: 1 pod on" in text for text in found[Kind.BLOCKER])
    assert any("stand-alone pod shop/debug" in text for text in found[Kind.BLOCKER])
    assert any("pending pods: 1 pod waits for a node: shop/waits" in text for text in found[Kind.FAILED])
    (line,) = found[Kind.PODS]
    assert "1 held by PodDisruptionBudgets" in line
    assert "1 stand-alone stays behind" in line


def test_batches_are_told_with_their_pods(stage: Stage) -> None:
    """How many nodes, how many batches, and what each moves."""
    found = kinds(stage.preview(stage.spec(nodes=WEB, batch_size_percentage=50)))
    (line,) = found[Kind.BATCHES]
    assert line.startswith("2 of 2 nodes, the last of 1: ")
    assert line.endswith("pods, if Ocean takes them in the order of ids")


def test_other_nodes_that_stay_schedulable_are_a_warning(stage: Stage) -> None:
    """Pods may be moved twice."""
    partly = kinds(stage.preview(stage.spec(nodes=WEB)))
    assert any(text.startswith("3 nodes that Ocean offers are not in this plan") for text in partly[Kind.WARNING])
    whole = kinds(stage.preview(stage.spec(nodes={"all_nodes": True})))
    assert not any("not in this plan" in text for text in whole.get(Kind.WARNING, []))


def test_missing_group_comes_ready_to_paste_with_labels_and_taints(stages: Callable[..., Stage]) -> None:
    """Of the nodes that match nothing; without Kubernetes the labels are left to the reader."""
    stage = stages("unmatched-nodes")
    (blind,) = kinds(stage.preview(stage.spec(nodes=WEB)))[Kind.GROUP]
    assert "Labels and taints are not known here" in blind
    kubernetes = known(stage)
    nodes = {
        name: replace(node, labels={"gpu": "true"}, taints=(Taint(key="nvidia.com/gpu"),))
        for name, node in kubernetes.kube.nodes.items()
    }
    kubernetes.kube = replace(kubernetes.kube, nodes=nodes)
    stage.restart()
    (text,) = kinds(stage.preview(stage.spec(nodes=WEB)))[Kind.GROUP]
    assert text.startswith("2 nodes of web, ready to paste:\npulumi_spotinst.aws.OceanLaunchSpec(")
    assert "LabelArgs(key='gpu', value='true')" in text
    assert "TaintArgs(key='nvidia.com/gpu', value='', effect='NoSchedule')" in text


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
    assert any("not enough is known of 1 node" in line for line in found.warnings)
    assert third not in (found.planned or {})


def test_a_run_whose_preview_could_not_judge_labels_plans_by_itself(stage: Stage) -> None:
    """A new resource is planned by ``create``; what cannot be judged then starts nothing."""
    kubernetes = known(stage)
    spec = stage.spec(nodes={"label_selector": "tier=web"})
    assert stage.preview(spec).unplanned == "label_selector cannot be judged: Kubernetes is not there"
    _, message = stage.fails(PlanError, spec)
    assert message == "label_selector cannot be judged: Kubernetes is not there; nothing was started"
    assert not stage.control.requests(effective=True)
    kubernetes.taken = {"tier=web": stage.ids("web")}
    job = stage.up(spec)
    assert sorted(job.record.migrated) == stage.ids("web")
    assert job.record.joined == []


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
        assert found.problems == []
        (line,) = kinds(found)[Kind.UNKNOWN]
        assert "KUBECONFIG is of another cluster" in line
        assert stage.up(stage.planned(stage.spec(nodes=WEB))).record.migrated


def test_gaps_make_checks_unknown_and_name_the_missing_rule(stage: Stage) -> None:
    """A right that is missing is no good news."""
    kubernetes = known(stage, pod_on(stage.ids("web")[0], "cart", app="cart"))
    gap = Gap(reason="may not list nodes (403)", remedy="add nodes to the role")
    kubernetes.kube = KubernetesSnapshot(pods=kubernetes.kube.pods, deployments=(CONTROLLER,), gaps={NODES: gap})
    found = kinds(stage.preview(stage.spec(nodes=WEB)))
    assert any("may not list nodes (403); add nodes to the role" in text for text in found[Kind.UNKNOWN])


@pytest.mark.parametrize("prerequisites", ["enforce", "warn", "off"])
def test_prerequisites_that_only_kubernetes_tells_are_enforced(stage: Stage, prerequisites: str) -> None:
    """An active Cluster Autoscaler: refused, warned of, or not looked for."""
    kubernetes = known(stage)
    active = Deployment(namespace="kube-system", name="cluster-autoscaler")
    kubernetes.kube = replace(kubernetes.kube, deployments=(CONTROLLER, active))
    spec = stage.spec(nodes=WEB, prerequisites=prerequisites)
    shown = kinds(stage.preview(spec)).get(Kind.FAILED, [])
    assert any("Cluster Autoscaler kube-system/cluster-autoscaler runs" in text for text in shown) is (
        prerequisites != "off"
    )
    planned = stage.planned(spec)
    if prerequisites == "enforce":
        _, message = stage.fails(PrerequisiteError, planned)
        assert "nothing was started: Cluster Autoscaler kube-system/cluster-autoscaler runs" in message
        assert not stage.control.requests(effective=True)
        return
    job = stage.up(planned)
    warned = any("prerequisite not met, node autoscalers" in line for line in job.tell.warnings)
    assert warned is (prerequisites == "warn")
    assert job.record.migrated


def test_pods_that_wait_fail_only_the_first_start(stage: Stage) -> None:
    """A follow-up may find those that the first one left."""
    kubernetes = known(stage, Pod(namespace="shop", name="waits", phase="Pending"))
    planned = stage.planned(stage.spec(nodes={"asg_names": ["web"]}))
    _, message = stage.fails(PrerequisiteError, planned)
    assert "1 pod waits for a node: shop/waits" in message
    calm = kubernetes.kube
    kubernetes.kube = replace(calm, pods=())
    record = stage.up(planned).record
    kubernetes.kube = calm
    more = stage.planned(stage.spec(nodes={"asg_names": ["web", "api"]}), planned)
    job = stage.up(more, record)
    assert set(stage.ids("api")) <= job.record.migrated


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (EvictionTrial(allowed=False, message="it would violate the budget"), "the API server confirms it"),
        (EvictionTrial(allowed=True), "allows an eviction now, the API server says"),
        (EvictionTrial(allowed=None, message="403: add a rule"), "could not confirm it: 403: add a rule"),
    ],
)
def test_a_run_asks_the_api_server_about_budgets_that_seem_to_hold(
    stage: Stage, trial: EvictionTrial, said: str
) -> None:
    """By an eviction of one pod on trial, which a preview never does."""
    pods = [pod_on(stage.ids("web")[0], f"cart-{number}", app="cart") for number in range(3)]
    kubernetes = known(stage, *pods, budgets=("cart",))
    kubernetes.trials = {"shop/cart-0": trial}
    planned = stage.planned(stage.spec(nodes=WEB))
    assert kubernetes.tried == []
    job = stage.up(planned)
    assert kubernetes.tried == ["shop/cart-0"]
    assert any(said in line for line in (*job.tell.warnings, *job.tell.infos))


def test_a_node_without_an_instance_id_is_no_proof_of_another_cluster(stage: Stage) -> None:
    """Some clouds' nodes carry none."""
    kubernetes = KnownKubernetes(KubernetesSnapshot(nodes={}, deployments=(CONTROLLER,)))
    stage.sources = kubernetes.sources(explicit=True)
    assert stage.preview(stage.spec(nodes=WEB)).problems == []
    named = KubernetesNode(name="n", instance_id=stage.ids("web")[0])
    kubernetes.kube = KubernetesSnapshot(nodes={named.instance_id: named}, deployments=(CONTROLLER,))
    assert stage.preview(stage.spec(nodes=WEB)).problems == []
