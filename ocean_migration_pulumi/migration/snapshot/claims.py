"""Which resource of this process plans which nodes and holds which migration: so that two never move the same node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ocean_migration_pulumi.migration.snapshot.cache import ClusterCache


@dataclass(slots=True)
class ClusterClaims:
    """What the resources of this process share about one cluster.

    ``starting`` is held while the list is read and a migration is started, never while something is waited for.
    """

    view: ClusterCache
    starting: threading.Lock = field(default_factory=threading.Lock)
    _plans: dict[str, frozenset[str]] = field(default_factory=dict)
    _holders: dict[str, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def plan(self, owner: str, instance_ids: Iterable[str]) -> None:
        """Note what a resource plans."""
        self._plans[owner] = frozenset(instance_ids)

    def hold(self, owner: str, migration_ids: Iterable[str]) -> None:
        """Note that a resource has recorded migrations; the first holder keeps each."""
        for migration_id in migration_ids:
            self._holders.setdefault(migration_id, owner)

    def take_over(self, owner: str, migration_id: str) -> None:
        """Note that a call starts or adopts a migration for its resource, whoever recorded it before."""
        self._holders[migration_id] = owner
        self._taken.add(migration_id)

    @property
    def taken(self) -> frozenset[str]:
        """The migrations that calls of this process have started or adopted."""
        return frozenset(self._taken)

    def holder(self, migration_id: str) -> str | None:
        """Return who holds a migration; None when nobody does."""
        return self._holders.get(migration_id)

    def someone_else_claims(self, owner: str, migration_id: str, instance_ids: Iterable[str]) -> bool:
        """Tell whether another resource of this process recorded the migration or plans one of its nodes."""
        if self._holders.get(migration_id, owner) != owner:
            return True
        nodes = frozenset(instance_ids)
        return any(nodes & planned for other, planned in list(self._plans.items()) if other != owner)


class ClaimsRegistry:
    """The desks of this process, one per account and cluster."""

    def __init__(self, make_view: Callable[[str], ClusterCache] = ClusterCache) -> None:
        self._make_view = make_view
        self._desks: dict[tuple[str, str], ClusterClaims] = {}
        self._lock = threading.Lock()

    def claims(self, account_id: str | None, ocean_id: str) -> ClusterClaims:
        """Return the desk of a cluster."""
        key = (account_id or "", ocean_id)
        with self._lock:
            claims = self._desks.get(key)
            if claims is None:
                claims = self._desks[key] = ClusterClaims(self._make_view(ocean_id))
            return claims
