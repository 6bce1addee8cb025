"""The service's rate-limit windows, which all requests of this process share."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.retry import RetryPolicy, parse_seconds
from ocean_migration_pulumi.errors import RateLimitError

REFUSED = RetryPolicy(attempts=10, initial_wait=1.0, longest_wait=30.0)
"""For requests that are refused with 429; its wait closes a window when the service does not tell the reset."""

_BEHIND_ANOTHER = 0.05


class RateLimitWindow:
    """The window of one route, method and account; thread-safe.

    A closed window admits no request. Once it opens, it admits one request, whose response tells what is left, and
    queues the others behind it: pollers that waited for the same reset must not close the window again at once. The
    request that waits longest goes first. Times are readings of the scopes' clock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: int | None = None
        self._opens = -math.inf
        self._in_flight = 0
        self._crossing = False
        self._queue: dict[object, None] = {}
        self._refusals = 0

    def admit(self, scope: CancelScope, call: str) -> None:
        """Wait until a request may be sent, and count it as sent; ``settle`` or ``release`` must follow.

        Args:
            scope: Bounds the wait.
            call: The request, for the error.

        Raises:
            RateLimitError: The operation is short, and ends before the window opens.
            OperationCancelled: The operation was cancelled.
            DeadlineError: The deadline passed.
        """
        place = object()
        try:
            while pause := self._enter(place, scope.clock()):
                left = scope.remaining()
                if scope.short and left is not None and pause >= left:
                    msg = f"{call}: rate limit reached, try again in {math.ceil(pause)} s"
                    raise RateLimitError(msg, reset=pause)
                scope.sleep(pause)
        finally:
            with self._lock:
                self._queue.pop(place, None)

    def _enter(self, place: object, now: float) -> float:
        """Count a request as sent and return 0, or return the seconds after which to try again."""
        with self._lock:
            if pause := self._pause(place, now):
                self._queue.setdefault(place)
                return pause
            self._queue.pop(place, None)
            self._crossing = self._in_flight > 0
            self._in_flight += 1
            if self._left is not None:
                self._left -= 1
            return 0.0

    def _pause(self, place: object, now: float) -> float:
        if now < self._opens:
            return self._opens - now
        if self._left is None:
            return 0.0
        ahead = next((number for number, each in enumerate(self._queue) if each is place), len(self._queue))
        return _BEHIND_ANOTHER if (self._in_flight or ahead) and self._left <= ahead else 0.0

    def release(self) -> None:
        """Count a request as ended without a response."""
        with self._lock:
            self._in_flight -= 1

    def settle(self, headers: Mapping[str, str], now: float, *, refused: bool) -> None:
        """Learn from a response how many requests are left, and when the window opens.

        Args:
            headers: Headers of the response.
            now: When it arrived.
            refused: Whether its status is 429. The window closes, for a growing time when no header has the seconds.
        """
        left, reset = _whole(headers.get("x-ratelimit-remaining")), seconds_until_reset(headers)
        with self._lock:
            self._in_flight -= 1
            # Responses can arrive out of order: trust the remaining number only when one request was in flight.
            before = self._left if self._crossing else None
            self._left = None if left is None else left - self._in_flight
            if before is not None and self._left is not None:
                self._left = min(before, self._left)
            self._refusals = self._refusals + 1 if refused else 0
            if refused:
                self._left = 0
                self._opens = max(self._opens, now + (reset or REFUSED.wait(self._refusals)))
            elif left is not None and left <= 0:
                self._opens = max(self._opens, now + (reset or 0.0))


class RateLimits:
    """Windows by key; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[str | None, ...], RateLimitWindow] = {}

    def window(self, *key: str | None) -> RateLimitWindow:
        """Return the window of a key, always the same one."""
        with self._lock:
            return self._windows.setdefault(key, RateLimitWindow())


def seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    """Return ``X-RateLimit-Reset``, else ``Retry-After``, in seconds; None when the headers have neither."""
    for name in ("x-ratelimit-reset", "retry-after"):
        seconds = parse_seconds(headers.get(name))
        if seconds is not None:
            return seconds
    return None


def _whole(value: str | None) -> int | None:
    try:
        return int(value or "")
    except ValueError:
        return None
