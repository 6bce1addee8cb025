"""What a process knows of a cluster: each thing asked once."""

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
def view(stage: Stage) -> tuple[ClusterCache, FakeClock, Stage]:
    """Return a view with a clock of its own."""
    clock = FakeClock()
    return ClusterCache(stage.ocean_id, clock.read), clock, stage


def asked(stage: Stage) -> int:
    """Return how many requests were sent."""
    return len(stage.control.requests())


def test_answer_is_good_for_half_a_minute(view: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """Then, or when it has to be fresh, it is asked again."""
    found, clock, stage = view
    first = found.candidates(stage.client, stage.scope())
    clock.now += 30
    assert found.candidates(stage.client, stage.scope()) is first
    assert asked(stage) == 1
    clock.now += 0.1
    assert found.candidates(stage.client, stage.scope()) == first
    assert asked(stage) == 2
    clock.now += 0.1
    found.candidates(stage.client, stage.scope(), fresh=True)
    assert asked(stage) == 3


def test_write_makes_what_it_may_have_changed_old(view: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """The cluster itself is not among that."""
    found, _, stage = view
    for ask in (found.candidates, found.migrations, found.nodes, found.cluster):
        ask(stage.client, stage.scope())
    found.changed()
    for ask in (found.candidates, found.migrations, found.nodes, found.cluster):
        ask(stage.client, stage.scope())
    assert asked(stage) == 7


def test_many_threads_ask_once(view: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """One of them asks, the others wait for its answer."""
    found, _, stage = view
    stage.control.latency(50)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(found.candidates(stage.client, CancelScope()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(answers) == 8
    assert asked(stage) == 1


def test_waiting_for_another_thread_s_answer_is_bounded(view: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """By one's own deadline."""
    found, _, stage = view
    with stage.control.barrier("GET", "*/discovery", "before") as barrier:
        slow = threading.Thread(target=lambda: found.candidates(stage.client, CancelScope()))
        slow.start()
        assert barrier.wait(PATIENCE)
        with pytest.raises(DeadlineError, match="did not answer in time"):
            found.candidates(stage.client, CancelScope().at_most(0.05))
    slow.join(PATIENCE)


def test_outage_is_remembered_for_previews_only(view: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """A run asks again, and so does a preview half a minute later."""
    found, clock, stage = view
    short = stage.scope(short=True)
    stage.control.fault("GET", "*/discovery", "status", status=503, times=5)
    with pytest.raises(ServiceError):
        found.candidates(stage.client, short)
    count = asked(stage)
    with pytest.raises(ServiceError):
        found.candidates(stage.client, short)
    assert asked(stage) == count
    stage.control.clear_faults()
    assert found.candidates(stage.client, stage.scope())
    other = ClusterCache("o-none", clock.read)
    for _ in range(2):
        with pytest.raises(ClusterNotFoundError):
            other.cluster(stage.client, short)
    assert asked(stage) == count + 2
    clock.now += 31
    with pytest.raises(ClusterNotFoundError):
        other.cluster(stage.client, short)
    assert asked(stage) == count + 3


def test_status_of_an_ended_migration_is_asked_once(view: tuple[ClusterCache, FakeClock, Stage]) -> None:
    """It never changes again; its end makes discovery old."""
    found, _, stage = view
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    found.candidates(stage.client, stage.scope())
    stage.control.advance(7200)
    (summary,) = found.migrations(stage.client, stage.scope())
    for _ in range(3):
        assert found.status(stage.client, stage.scope(), summary.id, fresh=True).is_terminal
    assert asked(stage) == 3
    assert len(found.candidates(stage.client, stage.scope())) == 3
    assert asked(stage) == 4


def test_running_migrations_come_first_and_then_the_newest(stages: Callable[..., Stage]) -> None:
    """Of very many, twenty are asked for."""
    stage = stages(nodes=30)
    found = ClusterCache(stage.ocean_id)
    for node in stage.ids()[:24]:
        stage.control.start_foreign_migration(stage.ocean_id, [node])
        stage.control.advance(1200)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids()[24:25])
    recent = found.recent(stage.client, stage.scope())
    ids = [migration["id"] for migration in stage.migrations()]
    assert [status.id for status in recent] == list(reversed(ids))[:20]
    assert [status.id for status in found.running(stage.client, stage.scope())] == ids[-1:]


def test_migrations_of_more_than_a_day_ago_are_not_recent(stage: Stage) -> None:
    """Unless they run."""
    found = ClusterCache(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    stage.control.advance(7200)
    stage.control.hold(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    stage.control.advance(86_400)
    found.cluster(stage.client, stage.scope())
    assert [status.is_terminal for status in found.recent(stage.client, stage.scope())] == [False]


def test_ended_migration_that_is_gone_between_list_and_status_is_passed_over(stage: Stage) -> None:
    """One that runs is not: it may hold our nodes."""
    found = ClusterCache(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    stage.control.advance(7200)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("api"))
    found.migrations(stage.client, stage.scope())
    gone, running = (migration["id"] for migration in stage.migrations())
    stage.control.fault("GET", f"*/{gone}", "status", status=404, times=5)
    assert [status.id for status in found.recent(stage.client, stage.scope())] == [running]
    stage.control.fault("GET", f"*/{running}", "status", status=404, times=5)
    with pytest.raises(MigrationNotFoundError):
        ClusterCache(stage.ocean_id).recent(stage.client, stage.scope())


def test_status_that_does_not_exist_makes_the_list_old(stage: Stage) -> None:
    """The list may be the one in which the migration was found."""
    found = ClusterCache(stage.ocean_id)
    stage.control.start_foreign_migration(stage.ocean_id, stage.ids("web"))
    (summary,) = found.migrations(stage.client, stage.scope())
    stage.control.advance(7200)
    stage.control.forget_migrations(stage.ocean_id)
    with pytest.raises(MigrationNotFoundError):
        found.status(stage.client, stage.scope(), summary.id)
    assert found.migrations(stage.client, stage.scope()) == ()
