"""A window of requests that several share: what overtaken answers teach, and who goes first."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.api.rate_limits import RateLimitWindow
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError
from tests.support.fake_clock import FakeClock


def told(remaining: int, reset: float = 60) -> dict[str, str]:
    """Return the headers of an answer."""
    return {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": str(reset)}


def admitted(window: RateLimitWindow, clock: FakeClock) -> bool:
    """Tell whether a request may go at once."""
    try:
        window.admit(clock.scope(seconds=0.01), "GET /x")
    except DeadlineError:
        return False
    return True


def test_answers_that_overtake_each_other_do_not_raise_the_budget() -> None:
    """The older one was written before the service had counted the other request."""
    window, clock = RateLimitWindow(), FakeClock()
    assert admitted(window, clock)
    window.settle(told(3), clock.now, refused=False)
    assert admitted(window, clock)
    assert admitted(window, clock)
    window.settle(told(1), clock.now, refused=False)
    window.settle(told(2), clock.now, refused=False)
    assert admitted(window, clock)
    assert not admitted(window, clock)


def test_one_by_itself_is_believed() -> None:
    """After a time without requests the service tells of more again."""
    window, clock = RateLimitWindow(), FakeClock()
    for _ in range(2):
        assert admitted(window, clock)
    window.settle(told(9), clock.now, refused=False)
    window.settle(told(8), clock.now, refused=False)
    assert admitted(window, clock)
    window.settle(told(50), clock.now, refused=False)
    assert all(admitted(window, clock) for _ in range(50))
    assert not admitted(window, clock)


def test_who_waits_longest_goes_first() -> None:
    """One that comes when the window opens again queues up behind those who have waited for it."""
    window, clock = RateLimitWindow(), FakeClock()
    assert admitted(window, clock)
    window.settle(told(0), clock.now, refused=False)
    late: list[bool] = []

    def meanwhile(event: object, seconds: float) -> bool:
        clock.now += seconds
        late.append(admitted(window, clock))
        return False

    window.admit(CancelScope(clock=clock.read, wait=meanwhile), "GET /x")
    assert late == [False]
    window.settle(told(1), clock.now, refused=False)
    assert admitted(window, clock)


@pytest.mark.parametrize("seconds", [1.0, 59.0])
def test_who_gives_up_holds_up_nobody(seconds: float) -> None:
    """A place in the queue ends with the wait."""
    window, clock = RateLimitWindow(), FakeClock()
    assert admitted(window, clock)
    window.settle(told(0), clock.now, refused=False)
    with pytest.raises(DeadlineError):
        window.admit(clock.scope(seconds=seconds), "GET /x")
    clock.now += 60
    assert admitted(window, clock)
