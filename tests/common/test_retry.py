"""The retry policy: how often, after which waits, and what ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.retry import RetryableError, RetryPolicy, run_with_retries
from ocean_migration_pulumi.errors import EngineGoneError, InterruptedWaitError, ServiceError
from tests.support.fake_clock import FakeClock

POLICY = RetryPolicy(attempts=4, initial_wait=1.0, longest_wait=3.0, jitter=0.5)
TROUBLE = ServiceError("trouble", status=503)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock on which sleeps take no time."""
    return FakeClock()


def least(low: float, high: float) -> float:
    """Draw no jitter."""
    return low


class Attempts:
    """Attempts that end as told, one after the other; the last one succeeds."""

    def __init__(self, *failures: Exception) -> None:
        self.number = 0
        self._failures: Iterator[Exception] = iter(failures)

    def __call__(self) -> str:
        """Fail, or return."""
        self.number += 1
        for failure in self._failures:
            raise failure
        return "done"


def failed(policy: RetryPolicy = POLICY, retry_after: float = 0.0) -> RetryableError:
    """Return a failure that may be repeated."""
    return RetryableError(TROUBLE, policy, retry_after=retry_after)


def test_success_waits_for_nothing(clock: FakeClock) -> None:
    """The first attempt starts at once and is the only one."""
    attempts = Attempts()
    assert run_with_retries(attempts, clock.scope()) == "done"
    assert (attempts.number, clock.sleeps) == (1, [])


def test_waits_double_up_to_the_longest(clock: FakeClock) -> None:
    """The last failure raises its error, without a wait."""
    attempts = Attempts(*[failed()] * 9)
    with pytest.raises(ServiceError) as caught:
        run_with_retries(attempts, clock.scope(), uniform=least)
    assert caught.value is TROUBLE
    assert (attempts.number, clock.sleeps) == (4, [1.0, 2.0, 3.0])


def test_jitter_is_a_share_of_the_wait() -> None:
    """Drawn between none and all of it."""
    assert POLICY.wait(2, lambda low, high: high) == 3.0
    assert POLICY.wait(9, lambda low, high: high) == 4.5
    assert replace(POLICY, jitter=0.0).wait(2) == 2.0
    assert all(2.0 <= POLICY.wait(2) <= 3.0 for _ in range(100))


def test_waits_do_not_overflow() -> None:
    """However often something has failed."""
    assert POLICY.wait(10**9, least) == 3.0


def test_retry_after_extends_a_wait(clock: FakeClock) -> None:
    """A shorter one does not cut the policy's own."""
    run_with_retries(Attempts(failed(retry_after=20.0), failed(retry_after=0.1)), clock.scope(), uniform=least)
    assert clock.sleeps == [20.0, 2.0]


def test_each_policy_counts_its_own_failures(clock: FakeClock) -> None:
    """Refusals do not use up the attempts of an outage."""
    refused = RetryPolicy(attempts=3)
    attempts = Attempts(failed(), failed(refused), failed(), failed(refused), failed(), failed(refused), failed())
    with pytest.raises(ServiceError):
        run_with_retries(attempts, clock.scope(), uniform=least)
    assert (attempts.number, clock.sleeps) == (6, [1.0, 2.0, 3.0])


def test_other_errors_are_not_repeated(clock: FakeClock) -> None:
    """Such as that of a POST that may have had its effect."""
    attempts = Attempts(TROUBLE)
    with pytest.raises(ServiceError):
        run_with_retries(attempts, clock.scope())
    assert attempts.number == 1


@pytest.mark.parametrize(("seconds", "total", "sleeps"), [(2.5, 99.0, [1.0]), (99.0, 2.5, [1.0]), (99.0, 3.5, [1, 2])])
def test_no_attempt_starts_too_late(seconds: float, total: float, sleeps: list[float], clock: FakeClock) -> None:
    """Neither after the deadline of the operation, nor after the total time of the policy: nobody waits for that."""
    attempts = Attempts(*[failed(replace(POLICY, total=total))] * 9)
    with pytest.raises(ServiceError):
        run_with_retries(attempts, clock.scope(seconds=seconds), uniform=least)
    assert clock.sleeps == sleeps


def test_interruption_ends_a_wait(clock: FakeClock) -> None:
    """No other attempt follows."""
    scope = CancelScope(wait=lambda event, seconds: (event.set(), True)[1])
    attempts = Attempts(failed())
    with pytest.raises(InterruptedWaitError):
        run_with_retries(attempts, scope)
    assert attempts.number == 1


def test_engine_that_dies_ends_a_wait(clock: FakeClock) -> None:
    """Even where the wait is zero seconds."""
    gone = threading.Event()
    attempts = Attempts(failed(RetryPolicy(attempts=9)))

    def attempt() -> str:
        gone.set()
        return attempts()

    with pytest.raises(EngineGoneError):
        run_with_retries(attempt, clock.scope(alive=lambda: not gone.is_set()))
    assert attempts.number == 1


def test_error_keeps_its_cause(clock: FakeClock) -> None:
    """As if it had been raised without the loop."""
    cause = OSError("reset")

    def attempt() -> str:
        raise failed(RetryPolicy(attempts=1)) from cause

    with pytest.raises(ServiceError) as caught:
        run_with_retries(attempt, clock.scope())
    assert caught.value.__cause__ is cause
