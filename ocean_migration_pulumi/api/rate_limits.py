"""The rate-limit windows of the service, shared by everyone in this process."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.retry import RetryPolicy, parse_seconds
from ocean_migration_pulumi.errors import RateLimitError

REFUSED = RetryPolicy(attempts=10, initial_wait=1.0, longest_wait=30.0)
"""For requests that are refused with 429; its wait closes a window whose reset the service does not tell."""

_BEHIND_ANOTHER = 0.05


class RateLimitWindow:
    """What is known of the window of one route, method and account.

    While the window is closed nobody is let through. Once it opens, one request goes ahead to learn what is left, and
    the others queue up behind it: pollers that waited for the same reset must not close the window again at once. Who
    waits longest goes first. Times are readings of the scopes' clock.
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

        Raises RateLimitError when the operation is short and ends before the window opens, and what ``scope.sleep``
        raises.
        """
        place = object()
        try:
            while pause := self._enter(place, scope.clock()):
                left = scope.remaining()
                if scope.short and left is not None and pause >= left:
                    msg = f"{call}: the rate limit is used up for another {math.ceil(pause)} s"
                    raise RateLimitError(msg, reset=pause)
                scope.sleep(pause)
        finally:
            with self._lock:
                self._queue.pop(place, None)

    def _enter(self, place: object, now: float) -> float:
        """Return 0 and count a request as sent, or return the seconds after which to ask again."""
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
        """Note that a request ended without an answer."""
        with self._lock:
            self._in_flight -= 1

    def settle(self, headers: Mapping[str, str], now: float, *, refused: bool) -> None:
        """Learn from the headers of an answer: how many requests are left, and when the window opens.

        ``refused`` says that the answer was 429: the window closes, by a growing time when no header tells how long.
        """
        left, reset = _whole(headers.get("x-ratelimit-remaining")), seconds_until_reset(headers)
        with self._lock:
            self._in_flight -= 1
            # Answers overtake each other: what is under way may not have been counted when this one was written, and of
            # several that were under way at once none can be taken for the newest. One by itself is.
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
    """The windows by whatever tells them apart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[str | None, ...], RateLimitWindow] = {}

    def window(self, *key: str | None) -> RateLimitWindow:
        """Return the window of a key, always the same one."""
        with self._lock:
            return self._windows.setdefault(key, RateLimitWindow())


def seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    """Return how long to send nothing: ``X-RateLimit-Reset``, else ``Retry-After``, in seconds; None when not told."""
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
