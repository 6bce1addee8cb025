"""Retry policies, and the one loop that sends a request again: for every HTTP client of this package."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from ocean_migration_pulumi.common.cancellation import CancelScope

T = TypeVar("T")
Uniform = Callable[[float, float], float]
"""Returns a random number between two others, as ``random.uniform`` does."""

LONGEST_TOLD: Final = 300.0
"""Seconds: a server that names more in a header means something else, such as a date."""

# Enough for every longest wait; a power of many thousand failures would overflow.
_MOST_DOUBLINGS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and after which waits, a request is sent that fails in one way."""

    attempts: int
    """Attempts that may fail in this way, the first one included."""
    total: float = math.inf
    """Seconds after the start of the first attempt at which no other attempt starts."""
    initial_wait: float = 0.0
    """Seconds between the first and the second attempt; each further wait is twice as long."""
    longest_wait: float = math.inf
    """Seconds at which the waits stop growing. Neither jitter nor Retry-After is bounded by them."""
    jitter: float = 0.5
    """Largest random share of a wait that is added to it, so that clients that failed together come back apart."""

    def wait(self, failures: int, uniform: Uniform = random.uniform) -> float:
        """Return the seconds to wait after so many failures, one or more."""
        doubled = self.initial_wait * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        return min(doubled, self.longest_wait) * uniform(1.0, 1.0 + self.jitter)


class RetryableError(Exception):
    """A failed attempt that may be repeated.

    Raise it only when the attempt had no effect, or when another one has no further effect. A POST of which
    neither is known must raise its own error instead.
    """

    def __init__(self, error: Exception, policy: RetryPolicy, *, retry_after: float = 0.0) -> None:
        """Describe the failure.

        Args:
            error: What the caller gets when the attempt is not repeated.
            policy: Bounds the failures of this kind; each policy counts its own.
            retry_after: Seconds that the server asks to wait; a shorter wait of the policy is extended to them.

        """
        super().__init__(str(error))
        self.error = error
        self.policy = policy
        self.retry_after = retry_after


def run_with_retries(attempt: Callable[[], T], scope: CancelScope, *, uniform: Uniform = random.uniform) -> T:
    """Return what ``attempt`` returns, repeating it while it raises RetryableError and its policy allows.

    Args:
        attempt: Sends the request once.
        scope: Gives the clock, the sleep and the deadline; ends a wait when the operation is interrupted.
        uniform: Draws the jitter.

    Raises:
        Exception: The error of the last attempt, when none is left or the next one would start after the deadline.
        OperationCancelled: The operation was cancelled during a wait.

    """
    started = scope.clock()
    failures: Counter[RetryPolicy] = Counter()
    while True:
        try:
            return attempt()
        except RetryableError as failed:
            policy = failed.policy
            failures[policy] += 1
            pause = max(policy.wait(failures[policy], uniform), failed.retry_after)
            left = started + policy.total - scope.clock()
            if (until_deadline := scope.remaining()) is not None:
                left = min(left, until_deadline)
            if failures[policy] >= policy.attempts or pause >= left:
                raise failed.error from failed.__cause__
        scope.sleep(pause)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return ``Retry-After`` in seconds; None when it is absent or no number of seconds."""
    return parse_seconds(headers.get("retry-after"))


def parse_seconds(value: str | None) -> float | None:
    """Return the seconds of a header, at most ``LONGEST_TOLD``; None when it has none."""
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return min(seconds, LONGEST_TOLD) if seconds >= 0 else None
