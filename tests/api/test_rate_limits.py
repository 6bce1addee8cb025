"""The rate-limit windows of the service."""

from __future__ import annotations

import threading

import pytest

from ocean_migration_pulumi.api.rate_limits import RateLimits, RateLimitWindow, seconds_until_reset
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.retry import LONGEST_TOLD
from ocean_migration_pulumi.errors import DeadlineError, InterruptedWaitError, RateLimitError
from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock on which sleeps take no time."""
    return FakeClock()


def told(remaining: int, reset: float = 0) -> dict[str, str]:
    """Return the headers of an answer."""
    return {"x-ratelimit-limit": "3", "x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": str(reset)}


def test_nothing_known_lets_through(clock: FakeClock) -> None:
    """Without any header there is no limit."""
    window = RateLimitWindow()
    for _ in range(50):
        window.admit(clock.scope(), "GET /x")
    window.settle({}, clock.now, refused=False)
    window.admit(clock.scope(), "GET /x")
    assert clock.sleeps == []


def test_used_up_window_is_waited_out(clock: FakeClock) -> None:
    """With nothing remaining the next request waits for the reset before it is sent."""
    window = RateLimitWindow()
    window.admit(clock.scope(), "GET /x")
    window.settle(told(0, 42), clock.now, refused=False)
    window.admit(clock.scope(), "GET /x")
    assert clock.sleeps == [42]


def test_remaining_requests_are_not_delayed(clock: FakeClock) -> None:
    """The reset is also told below the limit, and means nothing there."""
    window = RateLimitWindow()
    window.admit(clock.scope(), "GET /x")
    window.settle(told(2, 42), clock.now, refused=False)
    window.admit(clock.scope(), "GET /x")
    window.admit(clock.scope(), "GET /x")
    assert clock.sleeps == []


def test_requests_under_way_are_counted(clock: FakeClock) -> None:
    """What was sent but not answered is not in the header yet: the budget is not spent twice."""
    window, inner = RateLimitWindow(), clock.scope(seconds=1)
    for _ in range(3):
        window.admit(inner, "GET /x")
    window.settle(told(2), clock.now, refused=False)
    with pytest.raises(DeadlineError):
        window.admit(inner, "GET /x")


def test_late_answer_does_not_open_a_closed_window(clock: FakeClock) -> None:
    """An answer written before the refusal knows nothing of it."""
    window = RateLimitWindow()
    window.admit(clock.scope(), "GET /x")
    window.admit(clock.scope(), "GET /x")
    window.settle(told(0, 30), clock.now, refused=True)
    window.settle(told(1, 10), clock.now, refused=False)
    window.admit(clock.scope(), "GET /x")
    assert clock.sleeps == [30]


def test_one_goes_ahead_after_the_reset(clock: FakeClock) -> None:
    """Whoever waited for the same reset queues up behind the first, and follows once its answer says how many may."""
    window = RateLimitWindow()
    window.admit(clock.scope(), "GET /x")
    window.settle(told(0, 30), clock.now, refused=False)
    window.admit(clock.scope(), "GET /x")
    waiting = clock.scope(seconds=0.2)
    with pytest.raises(DeadlineError):
        window.admit(waiting, "GET /x")
    window.settle(told(2), clock.now, refused=False)
    window.admit(clock.scope(seconds=0.2), "GET /x")
    window.admit(clock.scope(seconds=0.2), "GET /x")


def test_one_that_fails_lets_the_next_go_ahead(clock: FakeClock) -> None:
    """An answer that never comes does not hold up the queue."""
    window = RateLimitWindow()
    window.admit(clock.scope(), "GET /x")
    window.settle(told(0, 30), clock.now, refused=False)
    window.admit(clock.scope(), "GET /x")
    window.release()
    window.admit(clock.scope(seconds=1), "GET /x")


def test_refusals_without_headers_wait_longer_and_longer(clock: FakeClock) -> None:
    """Without any header the time doubles, with jitter and a cap; an accepted request starts anew."""
    window = RateLimitWindow()
    for _ in range(8):
        window.admit(clock.scope(), "GET /x")
        window.settle({}, clock.now, refused=True)
    window.admit(clock.scope(), "GET /x")
    for pause, base in zip(clock.sleeps, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert base <= pause <= 1.5 * base
    window.settle({}, clock.now, refused=False)
    window.admit(clock.scope(), "GET /x")
    window.settle({}, clock.now, refused=True)
    window.admit(clock.scope(), "GET /x")
    assert 1 <= clock.sleeps[-1] <= 1.5


def test_short_operation_does_not_wait_beyond_its_end(clock: FakeClock) -> None:
    """A preview learns at once that the window outlives it."""
    window = RateLimitWindow()
    window.admit(clock.scope(), "GET /x")
    window.settle(told(0, 42), clock.now, refused=False)
    with pytest.raises(RateLimitError, match="GET /x: rate limit reached, try again in 42 s") as caught:
        window.admit(clock.scope(seconds=5, short=True), "GET /x")
    assert caught.value.reset == 42
    assert clock.sleeps == []


def test_short_operation_waits_within_its_time(clock: FakeClock) -> None:
    """A reset before the end is waited for in a preview, too."""
    window = RateLimitWindow()
    window.admit(clock.scope(), "GET /x")
    window.settle(told(0, 2), clock.now, refused=False)
    window.admit(clock.scope(seconds=5, short=True), "GET /x")
    assert clock.sleeps == [2]


def test_interruption_ends_the_wait_for_a_reset() -> None:
    """Ctrl-C wakes whoever waits for the window, on the real clock."""
    window, scope = RateLimitWindow(), CancelScope()
    window.admit(scope, "GET /x")
    window.settle(told(0, 60), scope.clock(), refused=False)
    threading.Timer(0.01, scope.ended.set).start()
    with pytest.raises(InterruptedWaitError):
        window.admit(scope, "GET /x")


def test_windows_are_told_apart() -> None:
    """The same key has the same window, another one another."""
    limits = RateLimits()
    assert limits.window("u", "act-1", "GET", "/x") is limits.window("u", "act-1", "GET", "/x")
    assert limits.window("u", "act-1", "GET", "/x") is not limits.window("u", None, "GET", "/x")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"x-ratelimit-reset": "7"}, 7),
        ({"x-ratelimit-reset": "7", "retry-after": "9"}, 7),
        ({"retry-after": "9"}, 9),
        ({"x-ratelimit-reset": "soon", "retry-after": "0.5"}, 0.5),
        ({"x-ratelimit-reset": "-1"}, None),
        ({"x-ratelimit-reset": "nan"}, None),
        ({"x-ratelimit-reset": "1700000000"}, LONGEST_TOLD),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_reset(headers: dict[str, str], seconds: float | None) -> None:
    """`X-RateLimit-Reset` comes before `Retry-After`; what is no number of seconds is bounded or ignored."""
    assert seconds_until_reset(headers) == seconds
