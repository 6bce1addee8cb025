"""Whom else than the service can be asked about a cluster, and what they said: Kubernetes and AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, KubernetesError
from ocean_migration_pulumi.migration.checks.iam_roles import profiled
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, AwsQuery
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, KubernetesSnapshot
from ocean_migration_pulumi.migration.snapshot.protocols import AwsApi, KubernetesApi
from ocean_migration_pulumi.migration.spec.node_selector import NO_LABEL_MATCHES, LabelMatches
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

NO_ACCESS = "there is no access to Kubernetes: set kubeconfig, or KUBECONFIG"
"""Why nothing is known of Kubernetes, when nobody gave access to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSources:
    """Who can be asked.

    ``kubernetes`` is None without access, and ``absent`` says why. ``explicit`` marks access that the resource itself
    names: then it must be the right cluster. ``name`` says where the access comes from. ``eks_cluster`` is the name
    that AWS knows the cluster by, None when the access does not tell. ``aws`` is None when AWS cannot be asked.
    """

    kubernetes: KubernetesApi | None = None
    absent: str = NO_ACCESS
    explicit: bool = False
    name: str = ""
    aws: AwsApi | None = None
    eks_cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What they said.

    ``workloads`` is None when Kubernetes was not asked, or is that of another cluster (``foreign``): ``absent`` says
    why.
    """

    kube: KubernetesSnapshot | None = None
    label_matches: LabelMatches = NO_LABEL_MATCHES
    absent: str = NO_ACCESS
    foreign: bool = False
    explicit: bool = False


def ask_kubernetes(
    sources: DataSources,
    scope: CancelScope,
    *,
    offered: Iterable[str],
    ocean_nodes: Iterable[ClusterNode],
    label_selectors: Iterable[str] = (),
    fresh: bool = False,
) -> ClusterFacts:
    """Ask Kubernetes, and make sure that it is the cluster whose nodes the service offers, or runs itself.

    What has ended and is gone says nothing of which cluster this is. Raises InputError when a label selector cannot be
    read, or a WaitEndedError.
    """
    kubernetes = sources.kubernetes
    if kubernetes is None:
        return ClusterFacts(absent=sources.absent, explicit=sources.explicit)
    kube = kubernetes.read_snapshot(scope, fresh=fresh)
    known = {*offered, *(node.instance_id for node in ocean_nodes)}
    if kube.knows(NODES) and kube.nodes and known and not kube.nodes.keys() & known:
        absent = f"{sources.name} is of another cluster: none of its nodes is one that Ocean offers"
        return ClusterFacts(absent=absent, foreign=True, explicit=sources.explicit)
    absent = "" if kube.knows(NODES) else kube.gaps[NODES].reason
    taken: dict[str, frozenset[str]] = {}
    for label_selector in label_selectors:
        try:
            taken[label_selector] = kubernetes.nodes_with(scope, label_selector)
        except (KubernetesError, DeadlineError) as error:
            absent = str(error)
    knows = frozenset(kube.nodes) if kube.knows(NODES) else frozenset()
    return ClusterFacts(
        kube=kube, label_matches=LabelMatches(knows=knows, taken=taken), absent=absent, explicit=sources.explicit
    )


def ask_labels(kubernetes: KubernetesApi, scope: CancelScope, label_selectors: Iterable[str]) -> LabelMatches:
    """Ask Kubernetes for node labels alone.

    Raises KubernetesError, InputError when a label selector cannot be read, or a WaitEndedError.
    """
    taken = {selector: kubernetes.nodes_with(scope, selector) for selector in label_selectors}
    return LabelMatches(knows=kubernetes.nodes_with(scope, ""), taken=taken)


def ask_aws(
    sources: DataSources,
    scope: CancelScope,
    nodes: Iterable[PlannedNode],
    cluster: Cluster,
    groups: Mapping[str, VirtualNodeGroup],
) -> AwsFacts | None:
    """Ask AWS what the judgement of these nodes needs; None when it cannot be asked.

    Raises a WaitEndedError only when the operation itself may not go on.
    """
    if sources.aws is None or sources.kubernetes is None:
        return None
    profiles = {target.instance_profile for target in profiled(nodes, cluster, groups)}
    templates = [cluster.template, *(group.template for group in groups.values())]
    question = AwsQuery(
        region=cluster.region,
        instance_profiles=tuple(sorted(profile for profile in profiles if profile)),
        subnet_ids=tuple(sorted({subnet for template in templates for subnet in template.subnet_ids})),
        instance_types=tuple(sorted({kind for template in templates for kind in template.instance_types})),
        eks_cluster=sources.eks_cluster,
    )
    return sources.aws.read_facts(scope, question)
