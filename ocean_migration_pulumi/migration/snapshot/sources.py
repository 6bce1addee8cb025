"""Optional data sources besides Spot, Kubernetes and AWS, and what they answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, KubernetesError
from ocean_migration_pulumi.migration.checks.aws_capacity.quotas import find_markets
from ocean_migration_pulumi.migration.checks.iam_roles import profiled
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, AwsQuery
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEPLOYMENTS,
    INSTANCE_TYPE_LABEL,
    NODES,
    PODS,
    KubernetesSnapshot,
    RunnerPod,
)
from ocean_migration_pulumi.migration.snapshot.protocols import AwsApi, KubernetesApi
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.spec.node_selector import NO_LABEL_MATCHES, LabelMatches
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

NO_ACCESS: Final = Gap(GapCode.NO_ACCESS)
"""Why Kubernetes is unknown when nothing names an access to it."""

_OTHER_PARTITIONS: Final = ("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSources:
    """The data sources of one resource."""

    kubernetes: KubernetesApi | None = None
    """Reads the cluster; None without access."""
    absent: Gap = NO_ACCESS
    """Why there is no access."""
    is_named: bool = False
    """Whether an input or the environment names an access, even one that cannot be used."""
    explicit: bool = False
    """Whether the inputs of the resource name the access; then it has to lead to the right cluster."""
    name: str = ""
    """Where the access comes from."""
    aws: AwsApi | None = None
    """Reads AWS; None without boto3."""
    eks_cluster: str | None = None
    """Name of the cluster in EKS; None when the access does not have it."""
    runner: RunnerPod | None = None
    """The pod that this process runs in; None outside of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What Kubernetes answered about a cluster."""

    kube: KubernetesSnapshot | None = None
    """The snapshot; None without access, when nothing could be read, or when the access leads to another cluster."""
    label_matches: LabelMatches = NO_LABEL_MATCHES
    """Which nodes each label selector takes."""
    absent: Gap | None = NO_ACCESS
    """Why something is unknown; None if nothing is."""
    recognized: bool = True
    """Whether a node of the cluster is a candidate or an Ocean node."""
    is_named: bool = False
    """Whether an input or the environment names an access, even one that cannot be used."""
    explicit: bool = False
    """Whether the inputs of the resource name the access."""
    runner: RunnerPod | None = None
    """The pod that this process runs in; None outside of any."""

    @property
    def is_other_cluster(self) -> bool:
        """Whether the access leads to another cluster."""
        return self.absent is not None and self.absent.code is GapCode.OTHER_CLUSTER


def ask_kubernetes(
    sources: DataSources,
    scope: CancelScope,
    *,
    offered: Iterable[str],
    ocean_nodes: Iterable[ClusterNode],
    label_selectors: Iterable[str] = (),
    fresh: bool = False,
    kube: KubernetesSnapshot | None = None,
) -> ClusterFacts:
    """Read Kubernetes, and verify that it is the right cluster: one with a candidate or an Ocean node.

    Args:
        sources: The data sources.
        scope: Bounds the reading.
        offered: Instance ids of the candidates.
        ocean_nodes: The nodes that Ocean runs.
        label_selectors: Selectors whose nodes are wanted.
        fresh: Read everything again.
        kube: The snapshot, when it was read already: its time may be up; None reads it.

    Raises:
        InputError: The API server refuses a label selector.
        OperationCancelled: The operation was cancelled.

    """
    kubernetes = sources.kubernetes
    if kubernetes is None:
        return ClusterFacts(absent=sources.absent, is_named=sources.is_named, explicit=sources.explicit)
    if kube is None:
        kube = kubernetes.read_snapshot(scope, fresh=fresh)
    known = {*offered, *(node.instance_id for node in ocean_nodes)}
    gap = kube.gaps.get(NODES)
    nothing = not kube.pods and kube.gaps.keys() >= {NODES, PODS, DEPLOYMENTS}
    if gap is not None and nothing and set(kube.gaps.values()) == {gap}:
        # One reason for everything, such as credentials that are refused: it is said once.
        return ClusterFacts(absent=gap, is_named=True, explicit=sources.explicit)
    recognized = bool(kube.nodes.keys() & known)
    if kube.knows(NODES) and kube.nodes and known and not recognized:
        absent: Gap | None = Gap(GapCode.OTHER_CLUSTER, {"access": sources.name})
        return ClusterFacts(absent=absent, is_named=True, explicit=sources.explicit)
    absent = kube.gaps.get(NODES)
    taken: dict[str, frozenset[str]] = {}
    for label_selector in label_selectors:
        try:
            taken[label_selector] = kubernetes.nodes_with(scope, label_selector)
        except (KubernetesError, DeadlineError) as error:
            absent = Gap.from_error(error)
    knows = frozenset(kube.nodes) if kube.knows(NODES) else frozenset()
    return ClusterFacts(
        kube=kube,
        label_matches=LabelMatches(knows=knows, taken=taken),
        absent=absent,
        recognized=recognized,
        is_named=True,
        explicit=sources.explicit,
        runner=sources.runner,
    )


def ask_labels(kubernetes: KubernetesApi, scope: CancelScope, label_selectors: Iterable[str]) -> LabelMatches:
    """Return which nodes each label selector takes.

    Raises:
        KubernetesError: Kubernetes cannot be asked.
        InputError: The API server refuses a label selector.
        OperationCancelled: The operation was cancelled.

    """
    taken = {selector: kubernetes.nodes_with(scope, selector) for selector in label_selectors}
    return LabelMatches(knows=kubernetes.nodes_with(scope, ""), taken=taken)


def ask_aws(
    sources: DataSources,
    scope: CancelScope,
    nodes: Sequence[PlannedNode],
    cluster: Cluster,
    vngs: Mapping[str, VirtualNodeGroup],
    kube: KubernetesSnapshot | None,
    *,
    priced: bool = False,
) -> AwsFacts | None:
    """Read the facts of AWS about the subnets, instance types, profiles and quotas of these nodes' VNGs.

    The instance types of the nodes themselves, as Kubernetes names them, are read, too; with ``priced`` what they cost.
    Returns None without access to AWS or Kubernetes.

    Raises:
        OperationCancelled: The operation was cancelled.

    """
    if sources.aws is None or sources.kubernetes is None:
        return None
    profiles = {target.instance_profile for target in profiled(nodes, cluster, vngs)}
    templates = [cluster.template, *(vng.template for vng in vngs.values())]
    instance_ids = [node.instance_id for node in nodes]
    running = _list_types(instance_ids, kube)
    subnets = tuple(sorted({subnet for template in templates for subnet in template.subnet_ids}))
    query = AwsQuery(
        region=cluster.region,
        instance_profiles=tuple(sorted(profile for profile in profiles if profile)),
        subnet_ids=subnets,
        # A cluster without subnets starts nothing in AWS.
        markets=find_markets(nodes, cluster, vngs) if subnets else (),
        instance_types=tuple(sorted({*running, *(kind for each in templates for kind in each.instance_types)})),
        eks_cluster=sources.eks_cluster,
        priced_types=list_priced_types(instance_ids, cluster, kube) if priced else (),
    )
    return sources.aws.read_facts(scope, query)


def list_priced_types(
    instance_ids: Iterable[str], cluster: Cluster, kube: KubernetesSnapshot | None
) -> tuple[str, ...]:
    """Return the instance types of nodes whose prices AWS may tell."""
    # The other partitions of AWS have other price lists.
    return () if cluster.region.startswith(_OTHER_PARTITIONS) else tuple(sorted(_list_types(instance_ids, kube)))


def _list_types(instance_ids: Iterable[str], kube: KubernetesSnapshot | None) -> set[str]:
    known = [kube.nodes[name] for name in instance_ids if name in kube.nodes] if kube else []
    return {kind for node in known if (kind := node.labels.get(INSTANCE_TYPE_LABEL))}
