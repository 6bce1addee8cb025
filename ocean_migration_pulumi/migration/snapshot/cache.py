"""ClusterCache: Spot's responses about one cluster, shared by all resources of the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final, TypeVar

from ocean_migration_pulumi.api.models.cluster import Cluster, ClusterNode, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import Candidate, Heartbeat, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import SingleFlightCache
from ocean_migration_pulumi.common.times import parse_time, sort_key
from ocean_migration_pulumi.errors import MigrationNotFoundError
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi

T = TypeVar("T")

MAXIMUM_AGE: Final = 30.0
"""Seconds for which a response is used for planning; a run asks again before it writes."""

RECENT: Final = timedelta(hours=24)
"""Maximum age of ended migrations that are read, so that a killed run finds the migration that it had started."""

_AT_ONCE: Final = 6


class ClusterCache:
    """The responses about one cluster of one account; thread-safe.

    Each method raises what the method of ``OceanApi`` raises that it calls.
    """

    def __init__(self, ocean_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.ocean_id = ocean_id
        self._cache = SingleFlightCache("Spot", clock)
        self._ended: dict[str, MigrationStatus] = {}
        self._confirmed: set[str] = set()
        self._lock = threading.Lock()

    def candidates(self, api: OceanApi, scope: CancelScope, *, fresh: bool = False) -> tuple[Candidate, ...]:
        """Return the candidates, with their pods."""
        return self._ask("discovery", scope, lambda: api.within(scope).discover(self.ocean_id, fetch_pods=True), fresh)

    def migrations(self, api: OceanApi, scope: CancelScope, *, fresh: bool = False) -> tuple[MigrationSummary, ...]:
        """Return the list of migrations."""
        return self._ask("migrations", scope, lambda: api.within(scope).list_migrations(self.ocean_id), fresh)

    def status(
        self, api: OceanApi, scope: CancelScope, migration_id: str, *, fresh: bool = False, had_ended: bool = False
    ) -> MigrationStatus:
        """Return the status of a migration; that of one whose end is confirmed is read once per process.

        Args:
            api: Spot's API.
            scope: Bounds the request.
            migration_id: The migration.
            fresh: Ask again, unless its end is confirmed: a service may show an end that is none.
            had_ended: Whether the list shows it as ended. Otherwise its end makes the candidates outdated.

        """
        ended = self._ended.get(migration_id)
        if ended is not None and (not fresh or migration_id in self._confirmed):
            return ended
        try:
            found = self._ask(
                f"migration {migration_id}",
                scope,
                lambda: api.within(scope).get_migration(self.ocean_id, migration_id),
                fresh,
            )
        except MigrationNotFoundError:
            # A list that still has it is outdated.
            self._cache.drop("migrations")
            raise
        with self._lock:
            if not found.is_terminal:
                self._ended.pop(migration_id, None)
            elif had_ended:
                self._ended[migration_id] = found
            elif migration_id not in self._ended:
                self._cache.drop("discovery")
        return found

    def confirm_end(self, status: MigrationStatus) -> None:
        """Keep the status of a migration whose end was confirmed: it is not asked for again."""
        with self._lock:
            self._ended[status.id] = status
            self._confirmed.add(status.id)

    def cluster(self, api: OceanApi, scope: CancelScope, *, fresh: bool = False) -> Cluster:
        """Return the cluster."""
        return self._ask("cluster", scope, lambda: api.within(scope).get_cluster(self.ocean_id), fresh)

    def vngs(self, api: OceanApi, scope: CancelScope, *, fresh: bool = False) -> dict[str, VirtualNodeGroup]:
        """Return the Virtual Node Groups by id."""
        found = self._ask("vngs", scope, lambda: api.within(scope).list_virtual_node_groups(self.ocean_id), fresh)
        return {vng.id: vng for vng in found}

    def heartbeat(self, api: OceanApi, scope: CancelScope, *, fresh: bool = False) -> Heartbeat:
        """Return the heartbeat of the Ocean controller."""
        return self._ask("heartbeat", scope, lambda: api.within(scope).get_heartbeat(self.ocean_id), fresh)

    def nodes(self, api: OceanApi, scope: CancelScope) -> tuple[ClusterNode, ...]:
        """Return the nodes that Ocean runs."""
        return self._ask("nodes", scope, lambda: api.within(scope).list_nodes(self.ocean_id), False)

    def running(self, api: OceanApi, scope: CancelScope, *, fresh: bool = False) -> list[MigrationStatus]:
        """Return the statuses of the running migrations, also of those whose status is denied: without nodes."""
        listed = [summary for summary in self.migrations(api, scope, fresh=fresh) if not summary.is_terminal]
        return self._statuses(api, scope, listed, fresh)

    def recent(self, api: OceanApi, scope: CancelScope) -> list[MigrationStatus]:
        """Return the statuses of the running migrations, and then of those created in the last 24 hours.

        The newest come first. All are read, however many: any of them may have moved a planned node.
        """
        oldest = api.server_now() - RECENT
        listed = [
            summary
            for summary in self.migrations(api, scope)
            if not summary.is_terminal or ((created := parse_time(summary.created_at)) is not None and created > oldest)
        ]
        listed.sort(key=lambda summary: (not summary.is_terminal, sort_key(summary.created_at)), reverse=True)
        return self._statuses(api, scope, listed, False)

    def older(self, api: OceanApi, scope: CancelScope, known: Container[str]) -> Iterator[MigrationStatus]:
        """Yield the statuses of all ended migrations that are not ``known`` by id, the newest first.

        They are read a few at a time, as there may be hundreds.
        """
        listed = [summary for summary in self.migrations(api, scope) if summary.is_terminal and summary.id not in known]
        listed.sort(key=lambda summary: sort_key(summary.created_at), reverse=True)
        for start in range(0, len(listed), _AT_ONCE):
            yield from self._statuses(api, scope, listed[start : start + _AT_ONCE], False)

    def together(self, asks: Iterable[Callable[[], object]]) -> None:
        """Send several requests at once to fill the cache; their errors come up when their results are used."""
        work = list(asks)
        with ThreadPoolExecutor(max_workers=max(1, min(_AT_ONCE, len(work)))) as pool:
            for done in [pool.submit(ask) for ask in work]:
                done.exception()

    def changed(self) -> None:
        """Drop the responses that a write or the end of a migration has outdated."""
        self._cache.drop("discovery", "migrations", "nodes")

    def _statuses(
        self, api: OceanApi, scope: CancelScope, listed: list[MigrationSummary], fresh: bool
    ) -> list[MigrationStatus]:
        def ask(summary: MigrationSummary, fresh: bool) -> Callable[[], MigrationStatus]:
            return lambda: self.status(api, scope, summary.id, fresh=fresh, had_ended=summary.is_terminal)

        asked_fresh = [summary for summary in listed if summary.id not in self._ended]
        if len(asked_fresh) > 1:
            self.together([ask(summary, fresh) for summary in asked_fresh])
            fresh = False
        found = []
        for summary in listed:
            try:
                found.append(ask(summary, fresh)())
            except MigrationNotFoundError:
                if not summary.is_terminal:  # the list has it: it runs, and holds nodes that are not known
                    found.append(
                        MigrationStatus(
                            id=summary.id, ocean_id=self.ocean_id, state=summary.state, created_at=summary.created_at
                        )
                    )
        return found

    def _ask(self, name: str, scope: CancelScope, ask: Callable[[], T], fresh: bool) -> T:
        return self._cache.get(scope, name, ask, max_age=MAXIMUM_AGE, fresh=fresh)
