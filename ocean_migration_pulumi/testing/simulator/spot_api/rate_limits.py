"""Rate limits: a sliding window of real time for each account, route and method."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase

DEFAULT_LIMIT = 100_000
"""Requests in a window; the service does not publish its numbers, so by default none is in the way."""

WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class RateLimitDecision:
    """Whether a request passes, and what the headers say; ``reset`` is in whole seconds, rounded up."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The three headers of every answer."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class Limits:
    """The windows; a refused request counts too, so that hammering puts the reset off."""

    def __init__(self) -> None:
        self._rules: list[tuple[str, str, int, float]] = []
        self._seen: dict[tuple[str, str, str], deque[float]] = {}

    def set(self, route: str, method: str, limit: int, window_seconds: float) -> None:
        """Limit the routes that match a glob; the newest rule that matches is in force."""
        self._rules.append((route, method.upper(), limit, window_seconds))
        self._seen.clear()

    def clear(self) -> None:
        """Go back to the default."""
        self._rules.clear()
        self._seen.clear()

    def judge(
        self, account_id: str, template: str, method: str, now: float, *, count: bool = True
    ) -> RateLimitDecision:
        """Judge a request at a monotonic time in seconds; ``count`` False only looks."""
        limit, window = self._rule(template, method)
        seen = self._seen.setdefault((account_id, template, method), deque())
        while seen and seen[0] <= now - window:
            seen.popleft()
        allowed = len(seen) < limit
        if count:
            seen.append(now)
            # Beyond the limit older entries no longer decide when the window opens.
            while len(seen) > max(limit, 1):
                seen.popleft()
        reset = math.ceil(seen[0] + window - now) if seen else 0
        return RateLimitDecision(allowed, limit, max(0, limit - len(seen)), reset)

    def _rule(self, template: str, method: str) -> tuple[int, float]:
        for route, wanted, limit, window in reversed(self._rules):
            if wanted in ("*", method) and fnmatchcase(template, route):
                return limit, window
        return DEFAULT_LIMIT, WINDOW_SECONDS
