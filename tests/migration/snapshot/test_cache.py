"""Cache of a cluster: every response is shared by the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import ClusterNotFoundError, DeadlineError, MigrationNotFoundError, ServiceError
from ocean_migration_pulumi.migration.snapshot.cache import ClusterCache
from tests.migration.stage import Stage
from tests.support.fake_clock import FakeClock
from tests.support.timing import PATIENCE


@pytest.fixture
def cached(stage: Stage) -> tuple[ClusterCache, FakeClock, Stage]:
    """Return a cache with a clock of its own."""
    clock = FakeClock()
    return ClusterCache(stage.ocean_id, clock.read), clock, stage


def count_requests(stage: Stage) -> int:
    """Return how many requests were sent."""
    return len(stage.control.requests())


def test_response_is_used_for_half_a_minute(cached: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """After that, or if it must be fresh, it is requested again."""
    found, clock, stage = cached
    first = found.candidates(stage.client, stage.scope())
    clock.now += 30
    assert found.candidates(stage.client, stage.scope()) is first
    assert count_requests(stage) == 1
    clock.now += 0.1
    assert found.candidates(stage.client, stage.scope()) == first
    assert count_requests(stage) == 2
    clock.now += 0.1
    found.candidates(stage.client, stage.scope(), fresh=True)
    assert count_requests(stage) == 3


def test_write_drops_what_it_may_have_changed(cached: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """The cluster itself stays."""
    found, _, stage = cached
    for ask in (found.candidates, found.migrations, found.nodes, found.cluster):
        ask(stage.client, stage.scope())
    found.changed()
    for ask in (found.candidates, found.migrations, found.nodes, found.cluster):
        ask(stage.client, stage.scope())
    assert count_requests(stage) == 7


def test_threads_share_one_request(cached: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """One thread sends it, the others wait for its response."""
    found, _, stage = cached
    stage.control.latency(50)
    responses: list[Any] = []
    threads = [
        threading.Thread(target=lambda: responses.append(found.candidates(stage.client, CancelScope())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(responses) == 8
    assert count_requests(stage) == 1


def test_wait_for_another_thread_is_bounded(cached: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """The own deadline bounds it."""
    found, _, stage = cached
    with stage.control.barrier("GET", "*/discovery", "before") as barrier:
        slow = threading.Thread(target=lambda: found.candidates(stage.client, CancelScope()))
        slow.start()
        assert barrier.wait(PATIENCE)
        with pytest.raises(DeadlineError, match="did not respond in time"):
            found.candidates(stage.client, CancelScope().at_most(0.05))
    slow.join(PATIENCE)


def test_outage_is_cached_for_previews_only(cached: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """A run sends the request again, as does a preview half a minute later."""
    found, clock, stage = cached
    short = stage.scope(short=True)
    stage.control.fault("GET", "*/discovery", "status", status=503, times=5)
    with pytest.raises(ServiceError):
        found.candidates(stage.client, short)
    count = count_requests(stage)
    with pytest.raises(ServiceError):
        found.candidates(stage.client, short)
    assert count_requests(stage) == count
    stage.control.clear_faults()
    assert found.candidates(stage.client, stage.scope())
    other = ClusterCache("o-none", clock.read)
    for _ in range(2):
        with pytest.raises(ClusterNotFoundError):
            other.cluster(stage.client, short)
    assert count_requests(stage) == count + 2
    clock.now += 31
    with pytest.raises(ClusterNotFoundError):
        other.cluster(stage.client, short)
    assert count_requests(stage) == count + 3


def test_status_of_a_confirmed_end_is_asked_once(cached: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """It never changes again; its end makes discovery old, and an end that is not confirmed is asked for again."""
    found, clock, stage = cached
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    found.candidates(stage.client, stage.scope())
    stage.control.advance(7200)
    (summary,) = found.migrations(stage.client, stage.scope())
    for _ in range(3):
        clock.now += 0.1
        ended = found.status(stage.client, stage.scope(), summary.id, fresh=True)
        assert ended.is_terminal
    assert count_requests(stage) == 5
    found.confirm_end(ended)
    assert found.status(stage.client, stage.scope(), summary.id, fresh=True) is ended
    assert count_requests(stage) == 5
    assert len(found.candidates(stage.client, stage.scope())) == 3
    assert count_requests(stage) == 6


def test_end_that_was_none_is_not_kept(cached: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """A later answer that it runs is the one that counts."""
    found, clock, stage = cached
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    stage.control.fault("GET", "*/migration/owm-*", "contradict", state="STOPPED")
    (summary,) = found.migrations(stage.client, stage.scope())
    assert found.status(stage.client, stage.scope(), summary.id, had_ended=True).state == "STOPPED"
    assert found.status(stage.client, stage.scope(), summary.id).state == "STOPPED"
    clock.now += 0.1
    assert not found.status(stage.client, stage.scope(), summary.id, fresh=True).is_terminal
    assert not found.status(stage.client, stage.scope(), summary.id).is_terminal


def test_running_migrations_come_first_and_then_the_newest(stages: Callable[..., Stage]) -> None:
    """However many there are: any of them may have moved a planned node."""
    stage = stages(nodes=30)
    found = ClusterCache(stage.ocean_id)
    for node in stage.ids()[:24]:
        stage.control.start_foreign_migration(stage.ocean_id, [node])
        stage.control.advance(1200)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids()[24:25])
    recent = found.recent(stage.client, stage.scope())
    ids = [migration["id"] for migration in stage.migrations()]
    assert [status.id for status in recent] == list(reversed(ids))
    assert [status.id for status in found.running(stage.client, stage.scope())] == ids[-1:]


def test_migrations_of_more_than_a_day_ago_are_not_recent(stage: Stage) -> None:
    """Running migrations are, whatever their age."""
    found = ClusterCache(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    stage.control.advance(7200)
    stage.control.hold(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.control.advance(86_400)
    found.cluster(stage.client, stage.scope())
    assert [status.is_terminal for status in found.recent(stage.client, stage.scope())] == [False]


def test_ended_migration_without_a_status_is_skipped(stage: Stage) -> None:
    """A running one is there, without its nodes: it may hold ours."""
    found = ClusterCache(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    stage.control.advance(7200)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    found.migrations(stage.client, stage.scope())
    gone, running = (migration["id"] for migration in stage.migrations())
    stage.control.fault("GET", f"*/{gone}", "status", status=404, times=5)
    assert [status.id for status in found.recent(stage.client, stage.scope())] == [running]
    stage.control.fault("GET", f"*/{running}", "status", status=404, times=5)
    (denied,) = ClusterCache(stage.ocean_id).recent(stage.client, stage.scope())
    assert (denied.id, denied.state, denied.instance_ids) == (running, "STARTING", frozenset())


def test_missing_status_outdates_the_list(stage: Stage) -> None:
    """The list that still has the migration is read again."""
    found = ClusterCache(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    (summary,) = found.migrations(stage.client, stage.scope())
    stage.control.advance(7200)
    stage.control.forget_migrations(stage.ocean_id)
    with pytest.raises(MigrationNotFoundError):
        found.status(stage.client, stage.scope(), summary.id)
    assert found.migrations(stage.client, stage.scope()) == ()
