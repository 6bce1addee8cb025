"""Rate limits: a sliding window of real time for each account, route and method."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase

DEFAULT_LIMIT = 100_000
"""Requests per window; Spot does not publish its limits, so the default never applies."""

WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class RateLimitDecision:
    """Whether a request is allowed, and the values of its rate-limit headers."""

    allowed: bool
    """Whether the request is below the limit."""
    limit: int
    """Requests per window."""
    remaining: int
    """Requests left in the window."""
    reset: int
    """Seconds until the oldest request leaves the window, rounded up."""

    @property
    def headers(self) -> dict[str, str]:
        """The rate-limit headers of a response."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


class RateLimiter:
    """Counts requests and applies limits; refused requests count, so retrying at once postpones the reset."""

    def __init__(self) -> None:
        self._limits: list[tuple[str, str, int, float]] = []
        self._requests: dict[tuple[str, str, str], deque[float]] = {}

    def set_limit(self, route: str, method: str, limit: int, window_seconds: float) -> None:
        """Limit the route templates that match a glob; the newest matching limit applies."""
        self._limits.append((route, method.upper(), limit, window_seconds))
        self._requests.clear()

    def clear_limits(self) -> None:
        """Restore the default limit."""
        self._limits.clear()
        self._requests.clear()

    def check_request(
        self, account_id: str, template: str, method: str, now: float, *, count: bool = True
    ) -> RateLimitDecision:
        """Check a request at a monotonic time in seconds; ``count`` False does not count it."""
        limit, window = self._find_limit(template, method)
        requests = self._requests.setdefault((account_id, template, method), deque())
        while requests and requests[0] <= now - window:
            requests.popleft()
        allowed = len(requests) < limit
        if count:
            requests.append(now)
            # Requests beyond the limit no longer affect when the window opens.
            while len(requests) > max(limit, 1):
                requests.popleft()
        reset = math.ceil(requests[0] + window - now) if requests else 0
        return RateLimitDecision(allowed, limit, max(0, limit - len(requests)), reset)

    def _find_limit(self, template: str, method: str) -> tuple[int, float]:
        for route, limited_method, limit, window in reversed(self._limits):
            if limited_method in ("*", method) and fnmatchcase(template, route):
                return limit, window
        return DEFAULT_LIMIT, WINDOW_SECONDS
