"""Whom else than the service can be asked about a cluster, and what they said: Kubernetes and AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.common.cancellation import Scope
from ocean_migration_pulumi.errors import DeadlineError, KubernetesError
from ocean_migration_pulumi.migration.checks.iam_roles import profiled
from ocean_migration_pulumi.migration.scheduling.aws_facts import Cloud, CloudQuestion
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES, Workloads
from ocean_migration_pulumi.migration.snapshot.protocols import CloudApi, KubernetesApi
from ocean_migration_pulumi.migration.spec.node_selector import NO_LABELS, Labelled
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

NO_ACCESS = "there is no access to Kubernetes: set kubeconfig, or KUBECONFIG"
"""Why nothing is known of Kubernetes, when nobody gave access to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Who can be asked.

    ``kubernetes`` is None without access, and ``absent`` says why. ``explicit`` marks access that the resource itself
    names: then it must be the right cluster. ``name`` says where the access comes from. ``eks_cluster`` is the name
    that AWS knows the cluster by, None when the access does not tell. ``aws`` is None when AWS cannot be asked.
    """

    kubernetes: KubernetesApi | None = None
    absent: str = NO_ACCESS
    explicit: bool = False
    name: str = ""
    aws: CloudApi | None = None
    eks_cluster: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What they said.

    ``workloads`` is None when Kubernetes was not asked, or is that of another cluster (``foreign``): ``absent`` says
    why.
    """

    workloads: Workloads | None = None
    labelled: Labelled = NO_LABELS
    absent: str = NO_ACCESS
    foreign: bool = False
    explicit: bool = False


def ask_kubernetes(
    sources: Sources,
    scope: Scope,
    *,
    offered: Iterable[str],
    ocean_nodes: Iterable[ClusterNode],
    label_selectors: Iterable[str] = (),
    fresh: bool = False,
) -> Surroundings:
    """Ask Kubernetes, and make sure that it is the cluster whose nodes the service offers, or runs itself.

    What has ended and is gone says nothing of which cluster this is. Raises InputError when a label selector cannot be
    read, or a WaitEndedError.
    """
    kubernetes = sources.kubernetes
    if kubernetes is None:
        return Surroundings(absent=sources.absent, explicit=sources.explicit)
    workloads = kubernetes.read(scope, fresh=fresh)
    known = {*offered, *(node.instance_id for node in ocean_nodes)}
    if workloads.knows(NODES) and workloads.nodes and known and not workloads.nodes.keys() & known:
        absent = f"{sources.name} is of another cluster: none of its nodes is one that Ocean offers"
        return Surroundings(absent=absent, foreign=True, explicit=sources.explicit)
    absent = "" if workloads.knows(NODES) else workloads.gaps[NODES].reason
    taken: dict[str, frozenset[str]] = {}
    for label_selector in label_selectors:
        try:
            taken[label_selector] = kubernetes.nodes_with(scope, label_selector)
        except (KubernetesError, DeadlineError) as error:
            absent = str(error)
    knows = frozenset(workloads.nodes) if workloads.knows(NODES) else frozenset()
    return Surroundings(
        workloads=workloads, labelled=Labelled(knows=knows, taken=taken), absent=absent, explicit=sources.explicit
    )


def ask_labels(kubernetes: KubernetesApi, scope: Scope, label_selectors: Iterable[str]) -> Labelled:
    """Ask Kubernetes for node labels alone.

    Raises KubernetesError, InputError when a label selector cannot be read, or a WaitEndedError.
    """
    taken = {selector: kubernetes.nodes_with(scope, selector) for selector in label_selectors}
    return Labelled(knows=kubernetes.nodes_with(scope, ""), taken=taken)


def ask_aws(
    sources: Sources,
    scope: Scope,
    nodes: Iterable[PlannedNode],
    cluster: Cluster,
    groups: Mapping[str, VirtualNodeGroup],
) -> Cloud | None:
    """Ask AWS what the judgement of these nodes needs; None when it cannot be asked.

    Raises a WaitEndedError only when the operation itself may not go on.
    """
    if sources.aws is None or sources.kubernetes is None:
        return None
    profiles = {target.instance_profile for target in profiled(nodes, cluster, groups)}
    templates = [cluster.template, *(group.template for group in groups.values())]
    question = CloudQuestion(
        region=cluster.region,
        instance_profiles=tuple(sorted(profile for profile in profiles if profile)),
        subnet_ids=tuple(sorted({subnet for template in templates for subnet in template.subnet_ids})),
        instance_types=tuple(sorted({kind for template in templates for kind in template.instance_types})),
        eks_cluster=sources.eks_cluster,
    )
    return sources.aws.read(scope, question)
