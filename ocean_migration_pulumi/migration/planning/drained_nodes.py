"""Drained nodes that were not terminated: which of them still run and cost money, and since when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ocean_migration_pulumi.api.models.migration import REQUIRES_MANUAL_MIGRATION, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.times import sort_key
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import NODES
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot, DrainedNodes
from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.state.resource_state import ResourceState


def find_drained(snapshot: ClusterSnapshot, names: Collection[str] | None = None) -> DrainedNodes:
    """Find drained nodes that no migration terminated.

    Args:
        snapshot: The cluster.
        names: The planned nodes; None: all that ended migrations held.
    """
    kube = snapshot.facts.kube
    running = kube.nodes if kube is not None and kube.knows(NODES) and snapshot.facts.recognized else None
    outcomes = dict(_ended_outcomes(snapshot.recent))
    wanted = outcomes.keys() if names is None else set(names)
    busy = snapshot.offered.keys() | snapshot.active
    excluded = {
        name
        for name in wanted
        if name in busy or (running is not None and (name not in running or not running[name].cordoned))
    }
    since: dict[str, str | None] = {}
    for name in wanted - excluded:
        node = running.get(name) if running is not None else None
        if name in outcomes:
            at, stays = outcomes[name]
            # Kubernetes shows the node itself; without it only a migration that terminates nothing tells that it stays.
            if stays or (stays is None and node is not None):
                since[name] = at or (node.cordoned_since or None if node is not None else None)
        elif node is not None:
            since[name] = node.cordoned_since or None
    return DrainedNodes(since=since, excluded=frozenset(excluded), seen=running is not None)


def _ended_outcomes(recent: Sequence[MigrationStatus]) -> Iterator[tuple[str, tuple[str | None, bool | None]]]:
    """Yield each node that an ended migration drained: when, and whether it stays; the newest migration comes last."""
    for status in reversed(recent):
        if not status.is_terminal:
            continue
        # A status does not say whether a stop terminated the drained nodes.
        flag = status.should_terminate_drained_nodes if status.state == MigrationState.FINISHED else None
        for node in status.old_instances:
            if node.running_pods == 0 and node.state != REQUIRES_MANUAL_MIGRATION:
                yield node.instance_id, (status.ended_at, None if flag is None else not flag)


def report_drained(
    found: DrainedNodes, state: ResourceState | None = None, prices: Mapping[str, float] | None = None
) -> Diagnostic | None:
    """Return how many drained nodes stay, since when and for how much; None when there are none.

    Args:
        found: What Spot and Kubernetes show.
        state: The outputs of the last run, which know more; None without any.
        prices: US dollars per hour by instance id, of nodes whose price is known.
    """
    since = dict(found.since)
    if state is not None:
        ends = state.drained_times
        since |= {
            name: ends.get(name) or since.get(name)
            for name in state.drained & state.planned.keys()
            if name not in found.excluded
        }
    if not since:
        return None
    fields: dict[str, Any] = {
        "nodes": sorted(since),
        "since": min((at for at in since.values() if at), key=sort_key, default=None),
        "seen": found.seen,
    }
    if prices := {name: price for name, price in (prices or {}).items() if name in since}:
        fields |= {"priced": len(prices), "usd_per_hour": round(sum(prices.values()), 4)}
    elif state is not None and state.drained_usd_per_hour and since.keys() == state.drained:
        # The state has the sum alone: of how many nodes it is, it does not tell.
        fields |= {"priced": None, "usd_per_hour": state.drained_usd_per_hour}
    return Diagnostic(code=Code.NODES_DRAINED, severity=Severity.INFO, fields=fields)
