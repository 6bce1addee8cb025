"""How long, and while what, an operation may go on."""

from __future__ import annotations

import threading

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, EngineGoneError, InterruptedWaitError
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
