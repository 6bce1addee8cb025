"""A migration of half an hour on a fake clock: how often its status is asked for, and how late a change is seen."""

from __future__ import annotations

from bisect import bisect_left
from itertools import count, takewhile
from random import Random

from benchmarks.clock import Clock
from benchmarks.scripted import ScriptedService, Silent
from benchmarks.table import Row

_SECONDS = 1800.0
_NODES = 16
_FIXED = 10.0


def measure(short: bool) -> list[Row]:
    """Follow many such migrations, whose changes come at moments of their own."""
    runs = [_followed(Random(seed)) for seed in range(5 if short else 40)]  # noqa: S311 - a seed makes it the same again
    fixed = [_fixed(changes) for changes, _ in runs]
    calls = max(len(asked) for _, asked in runs)
    delay = sum(_delay(changes, asked) for changes, asked in runs) / len(runs)
    what = f"a 30-minute migration of {_NODES} nodes with {len(runs[0][0])} changes"
    beside = sum(_delay(changes, asked) for (changes, _), asked in zip(runs, fixed, strict=True)) / len(runs)
    note = f"most of {len(runs)} migrations"
    return [
        Row(what=f"status calls of {what}", measured=calls, bound=130, unit="calls", note=note),
        Row(what=f"mean delay of seeing a change of {what}", measured=delay, bound=9 if short else 8, unit="s"),
        Row(what=f"status calls with a fixed poll of {_FIXED:g} s", measured=max(map(len, fixed)), unit="calls"),
        Row(what=f"mean delay with a fixed poll of {_FIXED:g} s", measured=beside, unit="s"),
    ]


def _followed(random: Random) -> tuple[list[float], list[float]]:
    """Run a migration as `create` does; return when it changed, and when its status was asked for."""
    from ocean_migration_pulumi.migration.reconcile import reconcile
    from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
    from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
    from ocean_migration_pulumi.migration.spec.node_selector import NodeSelector
    from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
    from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
    from ocean_migration_pulumi.migration.state.resource_state import ResourceState

    clock = Clock()
    service = ScriptedService(clock, nodes=_NODES, seconds=_SECONDS, random=random)
    planned = {
        node.instance_id: PlannedNode.from_candidate(node, {}).entry for node in service.discover(service.ocean_id)
    }
    selector = NodeSelector.parse({"all_nodes": True})
    reconcile.reconcile(
        ReconcileContext(
            api=service,
            claims=ClaimsRegistry().claims(service.account_id, service.ocean_id),
            scope=clock.scope(),
            reporter=Silent(),
            owner="urn",
            spec=MigrationSpec(ocean_id=service.ocean_id, nodes=selector, planned_nodes=planned),
            state=ResourceState(effective_account_id=service.account_id),
            creating=True,
        )
    )
    return service.changes, service.asked


def _fixed(changes: list[float]) -> list[float]:
    """Return when a poll of fixed pace asks, until it sees the last change."""
    end = changes[-1] + _FIXED
    return list(takewhile(lambda at: at < end, (_FIXED * step for step in count())))


def _delay(changes: list[float], asked: list[float]) -> float:
    """Return how long on average it takes from a change to the first question after it."""
    return sum(asked[bisect_left(asked, change)] - change for change in changes) / len(changes)
