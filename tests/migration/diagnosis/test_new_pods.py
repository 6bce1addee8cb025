"""The pods of services on the nodes that Ocean started."""

from __future__ import annotations

from ocean_migration_pulumi.migration.diagnosis.new_pods import NewPods
from tests.migration.health.support import OCEAN, old, pod, pulling, snapshot, starting


def test_pods_on_ocean_nodes_are_counted_with_the_reasons_of_the_others() -> None:
    """Pods on old nodes, and those that are being deleted, do not count."""
    seen = snapshot(pod("a"), old("b"), pulling("c"), pulling("d"), starting("e"), pod("f", deleting=True))
    found = NewPods.from_snapshot(seen, {OCEAN})
    assert found is not None
    assert (found.summary, found.total) == ("1 of 4 pods ready on Ocean nodes", 4)
    image, slow = found.failing
    assert image.startswith("2 pods not ready on Ocean nodes (image): shop/c, shop/d (registry.example/cart: not found")
    assert slow.startswith("1 pod not ready on Ocean nodes (still starting): shop/e")


def test_nothing_is_known_of_another_cluster() -> None:
    """Access that leads elsewhere shows none of the nodes."""
    assert NewPods.from_snapshot(snapshot(pod("a")), {"i-elsewhere"}) is None
