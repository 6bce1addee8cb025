"""What nodes cost, as far as AWS tells it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.migration.scheduling.aws_facts import ON_DEMAND, SPOT, AwsFacts, AwsQuery
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    INSTANCE_TYPE_LABEL,
    SYSTEM_LABEL,
    KubernetesSnapshot,
)
from ocean_migration_pulumi.migration.snapshot.sources import DataSources, list_priced_types

_UNPRICED_LABELS: Final = (
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("karpenter.sh/capacity-type", "spot"),
    ("node.kubernetes.io/lifecycle", "spot"),
    ("spotinst.io/node-lifecycle", "spot"),
    (SYSTEM_LABEL, "windows"),
)
"""Labels of nodes that cost something else: those on Spot, and those whose price has a licence in it."""


def price_nodes(
    instance_ids: Iterable[str], kube: KubernetesSnapshot | None, cloud: AwsFacts | None
) -> dict[str, float]:
    """Return US dollars per hour by instance id; others than those on demand with Linux are left out."""
    found = {}
    for instance_id in instance_ids:
        known = kube.nodes.get(instance_id) if kube else None
        if known is None or cloud is None or any(known.labels.get(key) == value for key, value in _UNPRICED_LABELS):
            continue
        price = cloud.prices.get(known.labels.get(INSTANCE_TYPE_LABEL, ""))
        if price is not None and cloud.running.get(instance_id, ("", 0))[0] != SPOT:
            found[instance_id] = price
    return found


def ask_prices(
    sources: DataSources,
    scope: CancelScope,
    instance_ids: Collection[str],
    cluster: Cluster,
    kube: KubernetesSnapshot | None,
) -> dict[str, float]:
    """Read from AWS what nodes cost, and return it like ``price_nodes``; empty without access to AWS or Kubernetes.

    Raises:
        OperationCancelled: The operation was cancelled.
    """
    priced = list_priced_types(instance_ids, cluster, kube)
    if sources.aws is None or not priced:
        return {}
    # The market is asked for because AWS also lists the running instances with it: those on Spot have no fixed price.
    query = AwsQuery(region=cluster.region, priced_types=priced, markets=(ON_DEMAND,))
    return price_nodes(instance_ids, kube, sources.aws.read_facts(scope, query))
