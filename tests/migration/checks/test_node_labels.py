"""Whether Virtual Node Groups and the user data of their nodes agree."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, LaunchTemplate, VirtualNodeGroup
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.checks.node_labels import check_node_labels
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesNode, Taint
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

BATCH = ("dedicated", "batch", "NoSchedule")


def script(flags: str) -> str:
    """Return user data with these arguments of the kubelet."""
    return f"/etc/eks/bootstrap.sh shop --kubelet-extra-args '{flags}'"


def check(
    user_data: str = "",
    labels: tuple[tuple[str, str], ...] = (("tier", "web"),),
    taints: tuple[tuple[str, str, str], ...] = (),
    *,
    clusters: str = "",
    nodes: tuple[KubernetesNode, ...] = (),
    match: str = "ols-1",
) -> list[CheckResult]:
    """Check one VNG."""
    vng = VirtualNodeGroup(
        id="ols-1", name="web", labels=labels, taints=taints, template=LaunchTemplate(user_data=user_data)
    )
    return check_node_labels(
        [PlannedNode(instance_id="i-1", virtual_node_group_id=match)],
        cluster=Cluster(id="o-1", template=LaunchTemplate(user_data=clusters)),
        vngs={"ols-1": vng},
        ocean_nodes=[ClusterNode(instance_id=node.instance_id, virtual_node_group_id="ols-1") for node in nodes],
        kubernetes_nodes={node.instance_id: node for node in nodes},
    )


def found(*check_results: CheckResult) -> list[tuple[Finding, list[str], list[str]]]:
    """Return findings with their labels and taints."""
    return [(each.finding, each.fields.get("labels", []), each.fields.get("taints", [])) for each in check_results]


def not_set(*labels: str, taints: tuple[str, ...] = ()) -> tuple[Finding, list[str], list[str]]:
    """Return what is declared and not set."""
    return Finding.LABELS_NOT_SET, list(labels), list(taints)


def not_declared(*labels: str, taints: tuple[str, ...] = ()) -> tuple[Finding, list[str], list[str]]:
    """Return what is set and not declared."""
    return Finding.LABELS_NOT_DECLARED, list(labels), list(taints)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"user_data": script("--node-labels=tier=web")}, []),
        ({"user_data": script("")}, [not_set("tier=web")]),
        ({"user_data": script("--node-labels=tier=db")}, [not_set("tier=web"), not_declared("tier=db")]),
        ({"user_data": script("--node-labels=tier=web,team=a")}, [not_declared("team=a")]),
        (
            {"user_data": script("--node-labels=tier=web"), "taints": (BATCH,)},
            [not_set(taints=("dedicated=batch:NoSchedule",))],
        ),
        (
            {"user_data": script("--node-labels=tier=web --register-with-taints=gpu:NoSchedule")},
            [not_declared(taints=("gpu:NoSchedule",))],
        ),
        ({"clusters": script("")}, [not_set("tier=web")]),
        ({"clusters": script(""), "user_data": script("--node-labels=tier=web")}, []),
        ({"user_data": script("--node-labels=tier=$TIER")}, [(Finding.USER_DATA_NOT_READ, [], [])]),
        ({"user_data": "#!/bin/bash\nrun"}, [(Finding.USER_DATA_NOT_READ, [], [])]),
        ({"user_data": "#!/bin/bash\nrun", "labels": ()}, []),
        ({}, []),
        ({"user_data": script(""), "match": "Default"}, []),
        (
            {
                "clusters": script("--node-labels=team=a --register-with-taints=x.io/not-ready:NoSchedule"),
                "match": "Default",
            },
            [],
        ),
        (
            {"clusters": script("--register-with-taints=gpu:NoSchedule"), "match": "Default"},
            [not_declared(taints=("gpu:NoSchedule",))],
        ),
        (
            {"user_data": script(""), "labels": (("spotinst.io/node-lifecycle", "od"), ("kubernetes.io/os", "linux"))},
            [],
        ),
        (
            {
                "user_data": script(
                    "--node-labels=node.kubernetes.io/lifecycle=spot,eks.amazonaws.com/nodegroup=web "
                    "--register-with-taints=node.cilium.io/agent-not-ready=true:NoExecute"
                ),
                "labels": (),
            },
            [],
        ),
    ],
)
def test_both_have_to_agree(given: dict[str, Any], expected: list[Any]) -> None:
    """Both ways; what tools give to all nodes, and taints that agents remove, do not count."""
    check_results = check(**given)
    assert found(*check_results) == expected
    assert {each.status for each in check_results} <= {CheckStatus.WARN, CheckStatus.UNKNOWN}


ROLE = "node-role.kubernetes.io/web"


@pytest.mark.parametrize(
    ("user_data", "labels", "expected"),
    [
        (script(f"--node-labels={ROLE}=,tier=web"), (("tier", "web"),), [([ROLE], False)]),
        (script(f"--node-labels={ROLE}="), ((ROLE, ""),), [([ROLE], False)]),
        (f'[settings.kubernetes.node-labels]\n"{ROLE}" = ""\ntier = "web"', (("tier", "web"),), [([ROLE], False)]),
        (script("--node-labels=tier=web"), (("tier", "web"), (ROLE, "")), [([ROLE], True)]),
        ("", ((ROLE, ""),), [([ROLE], True)]),
        (script("--node-labels=node.kubernetes.io/role=web"), (("node.kubernetes.io/role", "web"),), []),
    ],
)
def test_labels_that_kubelets_refuse_are_named(
    user_data: str, labels: tuple[tuple[str, str], ...], expected: list[tuple[list[str], bool]]
) -> None:
    """A kubelet does not start with them; where only the VNG declares them, pods wait for them in vain."""
    check_results = check(user_data, labels)
    assert {each.finding for each in check_results} <= {Finding.LABELS_REFUSED}
    assert [(each.fields["labels"], each.fields["starts"]) for each in check_results] == expected


def test_cluster_s_own_template_may_set_refused_labels_too() -> None:
    """Unless its nodes run."""
    given = {"clusters": script(f"--node-labels={ROLE}="), "labels": (), "match": "Default"}
    (found,) = check(**given)
    assert (found.finding, found.fields["group"], found.fields["starts"]) == (Finding.LABELS_REFUSED, "o-1", False)
    cluster = Cluster(id="o-1", template=LaunchTemplate(user_data=given["clusters"]))
    running = [ClusterNode(instance_id="i-9")]
    planned = [PlannedNode(instance_id="i-1", virtual_node_group_id="Default")]
    assert check_node_labels(planned, cluster=cluster, vngs={}, ocean_nodes=running) == []


def test_label_that_something_else_gives_to_nodes_is_not_refused() -> None:
    """Running nodes have it, and show that their kubelets start."""
    labelled = KubernetesNode(name="a", instance_id="i-8", labels={ROLE: "", "tier": "web"})
    assert check(script("--node-labels=tier=web"), ((ROLE, ""), ("tier", "web")), nodes=(labelled,)) == []


def test_running_nodes_prove_more_than_user_data() -> None:
    """Whatever sets their labels."""
    labelled = KubernetesNode(
        name="a", instance_id="i-8", labels={"tier": "web"}, taints=(Taint(key="dedicated", value="batch"),)
    )
    bare = KubernetesNode(name="b", instance_id="i-9")
    assert check(script(""), nodes=(labelled, bare), taints=(BATCH,)) == []
    assert found(*check("", nodes=(bare,))) == [not_set("tier=web")]
    assert found(*check(script("--node-labels=tier=web"), nodes=(bare,))) == [not_set("tier=web")]
