"""The Virtual Node Group that nodes without a match need."""

from __future__ import annotations

import ast
import base64
from importlib import import_module
from typing import Any

import pulumi
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.checks.user_data import read_user_data
from ocean_migration_pulumi.migration.planning.vng_suggestions import MAX_SUGGESTIONS, suggest_vngs
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    NODES,
    KubernetesNode,
    KubernetesSnapshot,
    Pod,
    Requirement,
    Taint,
)
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from tests.support.gaps import failed_gap


def unmatched(*instance_ids: str, asg: str | None = "gpu") -> list[PlannedNode]:
    """Return nodes of a group that match nothing."""
    return [PlannedNode(instance_id=name, node_name=f"n-{name}", asg_name=asg) for name in instance_ids]


def cluster(
    labels: dict[str, str], *taints: Taint, pods: tuple[Pod, ...] = (), ids: tuple[str, ...] = ("i-1",)
) -> KubernetesSnapshot:
    """Return what Kubernetes says of nodes that are alike."""
    nodes = {name: KubernetesNode(name=f"n-{name}", instance_id=name, labels=labels, taints=taints) for name in ids}
    return KubernetesSnapshot(nodes=nodes, pods=pods)


def source_of(suggestion: Diagnostic) -> str:
    """Return what a user would paste."""
    assert suggestion.code is Code.VNG_SUGGESTION
    source: str = suggestion.fields["source"]
    return source


def named(suggestion: Diagnostic) -> tuple[int, list[str]]:
    """Return for how many nodes, of which Auto Scaling Groups, a suggestion is."""
    return suggestion.fields["nodes"], suggestion.fields["asg_names"]


class Recorder(pulumi.runtime.Mocks):
    """Records what a program makes."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, dict[str, Any]]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Record a resource."""
        self.made.append((args.typ, args.name, args.inputs))
        return "ols-new", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Answer nothing: no function is called."""
        return {}, None


def run(source: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Run the source as a part of a program, and return what it makes."""
    mocks = Recorder()
    pulumi.runtime.set_mocks(mocks, preview=False)

    @pulumi.runtime.test  # type: ignore[untyped-decorator]  # it has no types of its own
    def program() -> None:
        exec(source, {"pulumi_spotinst": import_module("pulumi_spotinst")})  # noqa: S102 - what a user would paste

    program()
    return mocks.made


def test_source_makes_the_group_with_the_labels_and_taints_of_the_nodes() -> None:
    """Pasted into a program, with pulumi_spotinst imported."""
    kube = cluster({"team": "ml", "kubernetes.io/arch": "amd64"}, Taint(key="gpu", value="true"))
    (suggestion,) = suggest_vngs("o-1", unmatched("i-1"), kube)
    assert named(suggestion) == (1, ["gpu"])
    ((kind, name, inputs),) = run(source_of(suggestion))
    assert (kind, name) == ("spotinst:aws/oceanLaunchSpec:OceanLaunchSpec", "gpu")
    assert suggestion.subject == name
    assert inputs == {
        "oceanId": "o-1",
        "name": "gpu",
        "labels": [{"key": "team", "value": "ml"}],
        "taints": [{"key": "gpu", "value": "true", "effect": "NoSchedule"}],
    }


def test_labels_that_a_tool_or_kubernetes_gave_count_only_when_a_pod_asks_for_them() -> None:
    """Those that no user data can set never do: kubelets, AWS and CSI drivers give them to every node."""
    labels = {
        "node-role.kubernetes.io/web": "",
        "node.kubernetes.io/lifecycle": "spot",
        "nvidia.com/gpu.product": "T4",
        "topology.ebs.csi.aws.com/zone": "us-west-2a",
        "topology.k8s.aws/zone-id": "usw2-az1",
        "vpc.amazonaws.com/has-trunk-attached": "true",
        "eks.amazonaws.com/nodegroup": "gpu",
        "alpha.eksctl.io/nodegroup-name": "gpu",
        "karpenter.sh/nodepool": "p",
        "node.kubernetes.io/instance-type": "m5.large",
        "kubernetes.io/os": "linux",
        "spotinst.io/node-lifecycle": "od",
        "own": "1",
    }
    plain = source_of(*suggest_vngs("o-1", unmatched("i-1"), cluster(labels)))
    assert "key=" in plain
    assert [line for line in plain.splitlines() if "LabelArgs" in line] == [
        "        pulumi_spotinst.aws.OceanLaunchSpecLabelArgs(key='own', value='1'),"
    ]
    asks = Pod(
        namespace="a",
        name="b",
        node_name="n-i-1",
        node_selector={key: labels[key] for key in labels if key != "karpenter.sh/nodepool"},
        terms=((Requirement(key="karpenter.sh/nodepool", values=("p",)),),),
    )
    asked = source_of(*suggest_vngs("o-1", unmatched("i-1"), cluster(labels, pods=(asks,))))
    keys = [line.split("'")[1] for line in asked.splitlines() if "LabelArgs" in line]
    assert keys == [
        "alpha.eksctl.io/nodegroup-name",
        "eks.amazonaws.com/nodegroup",
        "karpenter.sh/nodepool",
        "node.kubernetes.io/lifecycle",
        "nvidia.com/gpu.product",
        "own",
        "vpc.amazonaws.com/has-trunk-attached",
    ]


def test_zones_and_passing_taints_make_no_group_of_their_own() -> None:
    """Nodes of a managed node group in two zones, one of which an autoscaler is about to remove."""
    passing = (
        Taint(key="node.cilium.io/agent-not-ready", value="true", effect="NoExecute"),
        Taint(key="ebs.csi.aws.com/agent-not-ready", effect="NoExecute"),
        Taint(key="DeletionCandidateOfClusterAutoscaler", value="1700000000", effect="PreferNoSchedule"),
        Taint(key="ToBeDeletedByClusterAutoscaler", value="1700000000"),
        Taint(key="aws-node-termination-handler/spot-itn", value="x"),
        Taint(key="karpenter.sh/disrupted"),
        Taint(key="node.kubernetes.io/unschedulable"),
    )
    first = cluster({"topology.ebs.csi.aws.com/zone": "us-west-2a", "topology.k8s.aws/zone-id": "usw2-az1"}, *passing)
    other = cluster(
        {"topology.ebs.csi.aws.com/zone": "us-west-2b", "topology.k8s.aws/zone-id": "usw2-az2"}, ids=("i-2",)
    )
    kube = KubernetesSnapshot(nodes={**first.nodes, **other.nodes})
    (found,) = suggest_vngs("o-1", unmatched("i-1", "i-2"), kube)
    assert named(found) == (2, ["gpu"])
    ((_, _, inputs),) = run(source_of(found))
    assert inputs == {"oceanId": "o-1", "name": "gpu"}
    assert "not known" not in source_of(found)


def test_nodes_of_one_kind_share_a_group_and_the_largest_kind_comes_first() -> None:
    """The kind is labels and taints, not the Auto Scaling Group."""
    nodes = [*unmatched("i-1", asg="a"), *unmatched("i-2", "i-3", asg="b"), *unmatched("i-4", asg="c")]
    gpu = cluster({"gpu": "1"}, ids=("i-1", "i-4", "i-3"))
    other = cluster({"tier": "x"}, Taint(key="t", effect="NoExecute"), ids=("i-2",))
    found = suggest_vngs("o-1", nodes, KubernetesSnapshot(nodes={**gpu.nodes, **other.nodes}))
    assert list(map(named, found)) == [(3, ["a", "b", "c"]), (1, ["b"])]
    assert "name='1'" in source_of(found[0])
    assert "effect='NoExecute'" in source_of(found[1])


def test_without_kubernetes_the_groups_are_told_and_what_is_missing() -> None:
    """No label is guessed."""
    nodes = [*unmatched("i-1", "i-2", asg="gpu"), *unmatched("i-3", asg=None)]
    for kube in (None, KubernetesSnapshot(gaps={NODES: failed_gap("403")})):
        found = suggest_vngs("o-1", nodes, kube)
        assert list(map(named, found)) == [(2, ["gpu"]), (1, [])]
        for source in map(source_of, found):
            assert "Labels and taints are not known here" in source
            assert "LabelArgs" not in source
            ast.parse(source)


def test_only_the_largest_kinds_are_shown() -> None:
    """Beyond that nobody pastes any."""
    nodes = [node for number in range(MAX_SUGGESTIONS + 3) for node in unmatched(f"i-{number}", asg=f"g-{number}")]
    found = suggest_vngs("o-1", nodes, None)
    assert len(found) == MAX_SUGGESTIONS
    assert len({source_of(each).splitlines()[1] for each in found}) == MAX_SUGGESTIONS


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_hostile_names_stay_texts(key: str, value: str, asg: str) -> None:
    """Whatever a label or a group is called, the source is one call with texts as arguments."""
    source = source_of(
        *suggest_vngs("o-1", unmatched("i-1", asg=asg), cluster({f"x{key}": value}, Taint(key=f"t{key}")))
    )
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    constants = [node.value for node in ast.walk(statement) if isinstance(node, ast.Constant)]
    assert "o-1" in constants


def test_suggestion_sets_the_same_in_its_user_data() -> None:
    """In the form of the cluster's; of an unknown one the arguments are named, and without labels there is nothing."""
    kube = cluster({"tier": "web"}, Taint(key="gpu"))
    script = "#!/bin/bash\n/etc/eks/bootstrap.sh shop\n"
    source = source_of(*suggest_vngs("o-1", unmatched("i-1"), kube, script))
    arguments = ast.parse(source).body[0].value.keywords  # type: ignore[attr-defined] - it is one call
    user_data = next(each.value for each in arguments if each.arg == "user_data")
    text = eval(compile(ast.Expression(user_data), "", "eval"), {"base64": base64})  # noqa: S307 - our own source
    found = read_user_data(base64.b64decode(text).decode())
    assert (found.labels, found.taints) == ({"tier": "web"}, {Taint(key="gpu")})
    plain = source_of(*suggest_vngs("o-1", unmatched("i-1"), kube))
    assert "# The user data must set the same, as kubelet arguments: '--node-labels=tier=web " in plain
    assert "user_data" not in source_of(*suggest_vngs("o-1", unmatched("i-1"), None, script))
