"""Claims of the resources of this process on nodes and migrations, so that no node is migrated twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ocean_migration_pulumi.migration.snapshot.cache import ClusterCache


@dataclass(slots=True)
class ClusterClaims:
    """What the resources of this process share about one cluster."""

    cache: ClusterCache
    """Spot's responses about the cluster."""
    starting: threading.Lock = field(default_factory=threading.Lock)
    """Held while migrations are listed and one is started; never during a wait."""
    _plans: dict[str, frozenset[str]] = field(default_factory=dict)
    """Planned instance ids by owner."""
    _holders: dict[str, str] = field(default_factory=dict)
    """Owners by migration id."""
    _taken: set[str] = field(default_factory=set)
    """Migrations that were started or adopted by this process."""

    def plan(self, owner: str, instance_ids: Iterable[str]) -> None:
        """Set the nodes that a resource plans."""
        self._plans[owner] = frozenset(instance_ids)

    def hold(self, owner: str, migration_ids: Iterable[str]) -> None:
        """Make a resource the owner of the migrations in its state; an earlier owner keeps them."""
        for migration_id in migration_ids:
            self._holders.setdefault(migration_id, owner)

    def take_over(self, owner: str, migration_id: str) -> None:
        """Make a resource the owner of a migration that it starts or adopts, whoever owned it before."""
        self._holders[migration_id] = owner
        self._taken.add(migration_id)

    @property
    def taken(self) -> frozenset[str]:
        """The migrations that this process has started or adopted."""
        return frozenset(self._taken)

    def holder(self, migration_id: str) -> str | None:
        """Return the owner of a migration; None when it has none."""
        return self._holders.get(migration_id)

    def someone_else_claims(self, owner: str, migration_id: str, instance_ids: Iterable[str]) -> bool:
        """Return whether another resource of this process owns the migration, or plans one of its nodes."""
        if self._holders.get(migration_id, owner) != owner:
            return True
        nodes = frozenset(instance_ids)
        return any(nodes & planned for other, planned in list(self._plans.items()) if other != owner)


class ClaimsRegistry:
    """The claims of this process, one ``ClusterClaims`` per account and cluster."""

    def __init__(self, make_cache: Callable[[str], ClusterCache] = ClusterCache) -> None:
        self._make_cache = make_cache
        self._claims: dict[tuple[str, str], ClusterClaims] = {}
        self._lock = threading.Lock()

    def claims(self, account_id: str | None, ocean_id: str) -> ClusterClaims:
        """Return the claims on a cluster, always the same object."""
        key = (account_id or "", ocean_id)
        with self._lock:
            claims = self._claims.get(key)
            if claims is None:
                claims = self._claims[key] = ClusterClaims(self._make_cache(ocean_id))
            return claims
