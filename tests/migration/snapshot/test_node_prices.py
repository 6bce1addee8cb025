"""What nodes cost."""

from __future__ import annotations

from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    INSTANCE_TYPE_LABEL,
    KubernetesNode,
    KubernetesSnapshot,
)
from ocean_migration_pulumi.migration.snapshot.node_prices import price_nodes


def test_nodes_of_a_known_type_on_demand_have_a_price() -> None:
    """Neither those on Spot, by a label or by EC2, nor Windows, nor those whose type or price is not known."""
    kinds = {"i-1": "m5.large", "i-2": "m5.large", "i-3": "m5.large", "i-4": "x9.huge", "i-5": "", "i-6": "m5.large"}
    more = {"i-2": {"eks.amazonaws.com/capacityType": "SPOT"}, "i-6": {"kubernetes.io/os": "windows"}}
    nodes = {
        name: KubernetesNode(name=name, instance_id=name, labels={INSTANCE_TYPE_LABEL: kind, **more.get(name, {})})
        for name, kind in kinds.items()
    }
    cloud = AwsFacts(prices={"m5.large": 0.096}, running={"i-3": ("spot", 2), "i-1": ("on-demand", 2)})
    kube = KubernetesSnapshot(nodes=nodes)
    planned = [*kinds, "i-gone"]
    assert price_nodes(planned, kube, cloud) == {"i-1": 0.096}
    assert price_nodes(planned, None, cloud) == price_nodes(planned, kube, None) == {}
