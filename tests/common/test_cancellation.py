"""How long, and while what, an operation may go on."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, EngineGoneError, InterruptedWaitError, RunDeadlineError
from tests.support.fake_clock import FakeClock


def test_without_deadline_there_is_no_end() -> None:
    """A plain scope neither ends nor counts."""
    scope = CancelScope()
    scope.check()
    assert scope.remaining() is None


def test_at_most_never_prolongs() -> None:
    """An inner deadline is the earlier of both."""
    scope = FakeClock().scope(seconds=10)
    assert scope.at_most(3).remaining() == 3
    assert scope.at_most(30).remaining() == 10


def test_at_most_gives_an_open_scope_a_deadline() -> None:
    """Without a deadline the inner one counts."""
    assert FakeClock().scope().at_most(3).remaining() == 3


def test_deadline_ends_a_sleep_in_time() -> None:
    """A sleep is cut at the deadline, and says so."""
    clock = FakeClock()
    scope = clock.scope(seconds=10)
    with pytest.raises(DeadlineError):
        scope.sleep(60)
    assert clock.sleeps == [10]
    assert scope.remaining() == 0


def test_interruption_ends_a_sleep_at_once() -> None:
    """Ctrl-C from another thread wakes a sleeper on the real clock."""
    scope = CancelScope()
    threading.Timer(0.01, scope.ended.set).start()
    with pytest.raises(InterruptedWaitError):
        scope.sleep(60)


def test_views_share_the_interruption() -> None:
    """Who ends the outer operation ends the inner one."""
    scope = CancelScope()
    inner = scope.at_most(60)
    scope.ended.set()
    with pytest.raises(InterruptedWaitError):
        inner.check()


def test_write_needs_a_living_engine() -> None:
    """Nothing is written for an engine that is gone, whatever else holds."""
    scope = CancelScope(alive=lambda: False)
    scope.ended.set()
    with pytest.raises(EngineGoneError):
        scope.before_write()


def test_end_of_the_run_comes_before_the_deadline() -> None:
    """Two minutes before it, so that the state can be saved, and as an error of its own."""
    clock = FakeClock()
    scope = replace(clock.scope(seconds=3000), run_ends=clock.now + 1000)
    assert scope.remaining() == 880
    assert scope.at_most(3).remaining() == 3
    with pytest.raises(RunDeadlineError, match="OCEAN_MIGRATION_DEADLINE is reached"):
        scope.sleep(3000)
    assert clock.sleeps == [880]
    assert replace(scope, deadline=None).remaining() == 0


def test_nothing_starts_in_the_last_15_minutes() -> None:
    """The rest of the run is for what runs already."""
    clock = FakeClock()
    scope = replace(clock.scope(), run_ends=clock.now + 1000)
    scope.check_start()
    clock.now += 101
    with pytest.raises(RunDeadlineError, match="in 14m59s, and no migration starts in the last 15 minutes"):
        scope.check_start()
    CancelScope().check_start()
