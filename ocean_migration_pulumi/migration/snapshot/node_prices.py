"""What nodes cost, as far as AWS tells it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ocean_migration_pulumi.migration.scheduling.aws_facts import SPOT, AwsFacts
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import INSTANCE_TYPE_LABEL, KubernetesSnapshot
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode

_SPOT_LABELS: Final = (
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("karpenter.sh/capacity-type", "spot"),
    ("node.kubernetes.io/lifecycle", "spot"),
    ("spotinst.io/node-lifecycle", "spot"),
)


def price_nodes(
    nodes: Iterable[PlannedNode], kube: KubernetesSnapshot | None, cloud: AwsFacts | None
) -> dict[str, float]:
    """Return US dollars per hour by instance id; nodes on Spot, whose price changes, and unknown ones are left out."""
    found = {}
    for node in nodes:
        known = kube.nodes.get(node.instance_id) if kube else None
        if known is None or cloud is None or any(known.labels.get(key) == value for key, value in _SPOT_LABELS):
            continue
        price = cloud.prices.get(known.labels.get(INSTANCE_TYPE_LABEL, ""))
        if price is not None and cloud.running.get(node.instance_id, ("", 0))[0] != SPOT:
            found[node.instance_id] = price
    return found
