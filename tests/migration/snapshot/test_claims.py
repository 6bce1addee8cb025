"""Claims of resources on nodes and migrations."""

from __future__ import annotations

from ocean_migration_pulumi.migration.snapshot.cache import ClusterCache
from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry, ClusterClaims


def claims() -> ClusterClaims:
    """Return the claims on a cluster."""
    return ClusterClaims(ClusterCache("o-1"))


def test_claims_are_one_object_per_account_and_cluster() -> None:
    """The same id in two accounts is two clusters."""
    registry = ClaimsRegistry()
    one = registry.claims("act-1", "o-1")
    assert registry.claims("act-1", "o-1") is one
    assert len({id(found) for found in (one, registry.claims("act-2", "o-1"), registry.claims(None, "o-1"))}) == 3
    assert one.cache.ocean_id == "o-1"


def test_first_owner_keeps_a_migration_until_another_takes_it_over() -> None:
    """A second resource whose state has the migration, too, does not become its owner."""
    shared = claims()
    shared.hold("a", ["owm-1"])
    shared.hold("b", ["owm-1", "owm-2"])
    assert (shared.holder("owm-1"), shared.holder("owm-2"), shared.holder("owm-3")) == ("a", "b", None)
    assert shared.taken == frozenset()
    shared.take_over("b", "owm-1")
    assert shared.holder("owm-1") == "b"
    assert shared.taken == {"owm-1"}


def test_owned_migrations_and_planned_nodes_are_claimed() -> None:
    """A resource's own claims do not count against itself."""
    shared = claims()
    shared.hold("a", ["owm-1"])
    shared.plan("a", ["i-1"])
    assert not shared.someone_else_claims("a", "owm-1", ["i-1"])
    assert shared.someone_else_claims("b", "owm-1", [])
    assert shared.someone_else_claims("b", "owm-2", ["i-1", "i-2"])
    assert not shared.someone_else_claims("b", "owm-2", ["i-2"])
    shared.plan("a", [])
    assert not shared.someone_else_claims("b", "owm-2", ["i-1"])
