"""Many migrations in one account: they share its budget of requests, and all of them get there."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import pytest

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.migration.reconcile import reconcile
from ocean_migration_pulumi.migration.reconcile.context import ReconcileContext
from ocean_migration_pulumi.migration.snapshot.claims import ClaimsRegistry
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing.simulator.server import middleware
from ocean_migration_pulumi.testing.simulator.server.clock import Clock
from tests.limits.shared_clock import SharedClock
from tests.migration import builders
from tests.migration.tellers import RecordingTeller

STACK = 64
LIMIT = 60
WINDOW = 60.0


def migrate(client: OceanClient, registry: ClaimsRegistry, clock: SharedClock, ocean_id: str) -> ReconcileContext:
    """Create one resource of the stack."""
    context = ReconcileContext(
        api=client,
        claims=registry.claims(client.account_id, ocean_id),
        scope=clock.scope(6 * 3600),
        reporter=RecordingTeller(),
        owner=f"urn:{ocean_id}",
        spec=builders.spec(ocean_id=ocean_id),
        state=ResourceState(effective_account_id=client.account_id),
        creating=True,
    )
    reconcile.reconcile(context)
    return context


@pytest.mark.slow
def test_a_stack_of_64_clusters_keeps_to_the_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is sent while a window is closed, all migrations finish, and none waits much longer than others."""
    clock = SharedClock()
    monkeypatch.setattr(middleware, "time", SimpleNamespace(monotonic=clock.read, time=clock.read))
    with Simulator(nodes=1) as sim:
        # The simulated world and its windows follow the clock of those who ask.
        sim._simulation.clock = Clock(speed=1.0, monotonic=clock.read)
        clusters = [sim.ocean_id, *(sim.control.add_cluster(1)["id"] for _ in range(STACK - 1))]
        sim.control.rate_limit("*", "*", LIMIT, WINDOW)
        settings = Settings(base_url=sim.url, token=sim.token, account_id=sim.account_id)
        registry = ClaimsRegistry()
        with OceanClient(settings) as client, clock, ThreadPoolExecutor(STACK) as stack:
            jobs = list(stack.map(lambda each: migrate(client, registry, clock, each), clusters))
        requests = sim.control.requests()
    assert all(context.state.succeeded for context in jobs)
    assert sorted(entry["path"] for entry in requests if entry["effective"]) == sorted(map(_migrations_of, clusters))
    sent = defaultdict(list)
    for entry in requests:
        sent[entry["method"], entry["route"]].append((entry["at"], entry["status"]))
    assert sum(map(len, sent.values())) > STACK * LIMIT / 4, "too few to meet any limit"
    for answered in sent.values():
        # Nothing is known of a window before its first answer: what leaves all at once then may be too much.
        first = min(answered)[0]
        assert len([at for at, status in answered if status == 429 and at == first]) <= STACK - LIMIT
        assert [at for at, status in answered if status == 429 and at > first] == []
    polls = defaultdict(list)
    for entry in requests:
        if entry["route"].endswith("{migration_id}"):
            polls[entry["path"]].append(entry["at"])
    assert len(polls) == STACK
    assert max(after - before for times in polls.values() for before, after in pairwise(times)) <= 2.5 * WINDOW


def _migrations_of(ocean_id: str) -> str:
    return f"/ocean/aws/k8s/cluster/{ocean_id}/migration"
