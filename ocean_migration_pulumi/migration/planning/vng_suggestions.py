"""The Virtual Node Group that nodes without a match need, as source that can be pasted into a Pulumi program."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from ocean_migration_pulumi.migration.checks.node_labels import is_passing_taint
from ocean_migration_pulumi.migration.checks.user_data import kubelet_flags, render_user_data
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    NODES,
    PODS,
    KubernetesNode,
    KubernetesSnapshot,
    Pod,
    Taint,
)
from ocean_migration_pulumi.migration.scheduling.vng_profiles import is_given_by_others, is_reserved_label
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

MAX_SUGGESTIONS: Final = 5
"""How many groups are shown: beyond that the selector is more likely to be wrong than the cluster."""

_BUILT_IN: Final = re.compile(r"(?:[^/]+\.)?(?:kubernetes|k8s)\.io/.*")
_OF_OTHERS: Final = (
    "alpha.eksctl.io/",
    "eks.amazonaws.com/",
    "karpenter.k8s.aws/",
    "karpenter.sh/",
    "nvidia.com/",
    "vpc.amazonaws.com/",
)
_NOT_A_NAME: Final = re.compile(r"[^a-z0-9]+")

Key = tuple[str | None, tuple[tuple[str, str], ...], tuple[Taint, ...]]


def suggest_vngs(
    ocean_id: str, nodes: Iterable[PlannedNode], kube: KubernetesSnapshot | None, user_data: str = ""
) -> list[Diagnostic]:
    """Return a suggestion for each kind of node among those that match no Virtual Node Group.

    Nodes with the same labels and taints are of one kind; without Kubernetes, those of the same Auto Scaling Group. Of
    labels, those count that someone gave them: not the built-in ones, nor those of tools, unless a pod there asks for
    them. Labels that no user data can set never count, nor do taints that do not stay. The largest kinds come first.
    Nodes have to set the same labels and taints: the suggestion has user data in the form of ``user_data``, that of the
    cluster.
    """
    known = kube if kube is not None and kube.knows(NODES) else None
    asked = _asked_labels(known) if known else {}
    kinds: dict[Key, list[PlannedNode]] = defaultdict(list)
    for node in nodes:
        found = known.nodes.get(node.instance_id) if known else None
        kinds[_key(node, found, asked)].append(node)
    ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[1][0].instance_id))
    suggestions: dict[str, Diagnostic] = {}
    for key, taken in ordered[:MAX_SUGGESTIONS]:
        plain = _name(taken, key[1])
        names = (plain, *(f"{plain}-{number}" for number in range(2, MAX_SUGGESTIONS + 1)))
        name = next(each for each in names if each not in suggestions)
        is_known = known is not None and all(node.instance_id in known.nodes for node in taken)
        suggestions[name] = _suggestion(ocean_id, name, key, taken, user_data, is_known=is_known)
    return list(suggestions.values())


def _key(node: PlannedNode, found: KubernetesNode | None, asked: dict[str, set[str]]) -> Key:
    if found is None:
        return node.asg_name, (), ()
    wanted = asked.get(found.name, set())
    labels = tuple(sorted((name, value) for name, value in found.labels.items() if _counts(name) or name in wanted))
    taints = tuple(
        sorted(
            (each for each in found.taints if not _BUILT_IN.fullmatch(each.key) and not is_passing_taint(each.key)),
            key=lambda taint: (taint.key, taint.value, taint.effect),
        )
    )
    return (None if labels or taints else node.asg_name), labels, taints


def _counts(name: str) -> bool:
    return _can_be_given(name) and not _BUILT_IN.fullmatch(name) and not name.startswith(_OF_OTHERS)


def _can_be_given(name: str) -> bool:
    """Tell whether user data may give nodes a label; kubelets, AWS, Ocean and CSI drivers give others."""
    return not (is_given_by_others(name) or is_reserved_label(name))


def _asked_labels(kube: KubernetesSnapshot) -> dict[str, set[str]]:
    """Return, by node, the labels that its pods ask for, and that its user data may set."""
    asked: dict[str, set[str]] = defaultdict(set)
    if kube.knows(PODS):
        for pod in kube.pods:
            if pod.node_name:
                asked[pod.node_name].update(filter(_can_be_given, _conditions(pod)))
    return asked


def _conditions(pod: Pod) -> Iterable[str]:
    yield from pod.node_selector
    for term in pod.terms:
        yield from (requirement.key for requirement in term if requirement.operator in {"In", "Exists"})


def _suggestion(
    ocean_id: str, name: str, key: Key, nodes: list[PlannedNode], user_data: str, *, is_known: bool
) -> Diagnostic:
    _, labels, taints = key
    lines = [
        "pulumi_spotinst.aws.OceanLaunchSpec(",
        f"    {name!r},",
        f"    ocean_id={ocean_id!r},",
        f"    name={name!r},",
    ]
    if not labels and not taints and not is_known:
        lines.append("    # Labels and taints are not known here: take them from `kubectl describe node`.")
    if labels:
        lines.append("    labels=[")
        lines += [
            f"        pulumi_spotinst.aws.OceanLaunchSpecLabelArgs(key={label!r}, value={value!r}),"
            for label, value in labels
        ]
        lines.append("    ],")
    if taints:
        lines.append("    taints=[")
        lines += [
            "        pulumi_spotinst.aws.OceanLaunchSpecTaintArgs("
            f"key={taint.key!r}, value={taint.value!r}, effect={taint.effect!r}),"
            for taint in taints
        ]
        lines.append("    ],")
    if labels or taints:
        lines += _user_data(dict(labels), taints, user_data)
    return Diagnostic.info(
        Code.VNG_SUGGESTION,
        name,
        nodes=len(nodes),
        asg_names=sorted({node.asg_name for node in nodes if node.asg_name}),
        source="\n".join([*lines, ")"]),
    )


def _user_data(labels: dict[str, str], taints: tuple[Taint, ...], user_data: str) -> list[str]:
    """Return the argument that makes the nodes set the same labels and taints."""
    rendered = render_user_data(user_data, labels, taints)
    if not rendered:
        flags = " ".join(kubelet_flags(labels, taints))
        return [f"    # The user data must set the same, as kubelet arguments: {flags!r}"]
    lines = [f"        {line!r}" for line in rendered.splitlines(keepends=True)]
    return ["    # Needs `import base64`.", "    user_data=base64.b64encode((", *lines, "    ).encode()).decode(),"]


def _name(nodes: list[PlannedNode], labels: tuple[tuple[str, str], ...]) -> str:
    """Return a name that says what the nodes are: their Auto Scaling Group, or else their labels."""
    groups = {node.asg_name for node in nodes}
    base = groups.pop() if len(groups) == 1 else "-".join(value for _, value in labels[:2])
    return _NOT_A_NAME.sub("-", (base or "").lower()).strip("-")[:50] or "nodes"
