"""Notifier: posts events of a migration to URLs.

Notifications never delay or fail a migration.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.retry import RetryableError, RetryPolicy, retry_after, run_with_retries
from ocean_migration_pulumi.common.text import count_noun, one_line, shorten
from ocean_migration_pulumi.errors import EngineGoneError, NoAnswerError, OceanMigrationError
from ocean_migration_pulumi.migration.reconcile.events import Event, EventKind

DRAIN: Final = 2.0
"""Seconds to wait for open notifications at the end of a run, after which the process may exit."""

MOST_WAITING: Final = 100
"""Maximum number of notifications that wait for one URL. Further ones are dropped."""

FAILED: Final = RetryPolicy(attempts=2, initial_wait=1.0, total=30.0)
"""For no response, 429 or 5xx. Receiving an event twice is better than losing it."""

_SLACK: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_TOO_MANY: Final = 429
_LONGEST: Final = 500  # Slack takes 3000 characters, and an escaped one is up to five
_HEADS: Final = {
    EventKind.STARTED: "Migration started",
    EventKind.FINISHED: "Migration finished",
    EventKind.FAILED: "Migration failed",
    EventKind.STOPPED: "Migration stopped",
    EventKind.TIMED_OUT: "Waiting timed out",
    EventKind.STALLED: "No progress",
    EventKind.INTERRUPTED: "Waiting was interrupted",
    EventKind.UNHEARD: "Spot no longer responds",
}


def host_of(url: str) -> str:
    """Return the host of a URL, the only part that messages may show."""
    return urlsplit(url).hostname or ""


def body_for(url: str, event: Event) -> dict[str, Any]:
    """Return the body for a URL: the event as JSON, or a Slack message for a Slack URL."""
    return _for_slack(event) if host_of(url) in _SLACK else event.to_json()


class Notifier:
    """Posts the events of one run in background threads."""

    def __init__(
        self,
        urls: Iterable[str],
        *,
        tell: Callable[[str], None] = lambda line: None,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """Create a notifier.

        Args:
            urls: URLs to post to.
            tell: Called with one line for each host to which a delivery failed.
            alive: Returns whether the engine still exists. Without it, nothing more is sent.

        """
        self._urls = tuple(urls)
        self._tell = tell
        self._alive = alive
        self._changed = threading.Condition()
        self._open: list[str] = []
        self._told: set[str] = set()
        self._over = False

    def announce(self, event: Event) -> None:
        """Post an event in the background. Never raises."""
        for url in self._urls:
            with self._changed:
                self._open.append(host_of(url))
            _delivery(url).deliver(_Notification(body=body_for(url, event), notifier=self))

    def drain(self, seconds: float = DRAIN) -> None:
        """Wait until all notifications are delivered or dropped, for a maximum number of seconds."""
        ends = time.monotonic() + seconds
        with self._changed:
            while self._open and self.may_send() and (left := ends - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.1))
            late = list(self._open)
            # The engine's call has ended now: from here on, deliveries go on as long as the process does.
            self._over = self.may_send()
        if self._over:
            for host in late:
                self._complain(host, "no response by the end of the run")

    def may_send(self) -> bool:
        """Return whether the engine still exists, or did at the end of the run."""
        return self._over or self._alive()

    def settle(self, url: str, trouble: str | None) -> None:
        """Count a notification as done, and report a failed delivery."""
        host = host_of(url)
        if trouble is not None:
            self._complain(host, trouble)
        with self._changed:
            self._open.remove(host)
            self._changed.notify_all()

    def _complain(self, host: str, trouble: str) -> None:
        with self._changed:
            if host in self._told:
                return
            self._told.add(host)
        with suppress(Exception):  # the engine may be gone
            self._tell(f"notification to {host} not delivered: {trouble}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notification:
    body: dict[str, Any]
    """JSON to post."""
    notifier: Notifier
    """Called after the delivery, with the reason if it failed."""


class _Delivery:
    """Delivers notifications to one URL in order, in a thread that ends after the last one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: deque[_Notification] = deque()
        self._lock = threading.Lock()
        self._running = False

    def deliver(self, notification: _Notification) -> None:
        """Queue a notification after all earlier ones."""
        with self._lock:
            full = len(self._waiting) >= MOST_WAITING
            if not full:
                self._waiting.append(notification)
            starts, self._running = not self._running, True
        if full:
            notification.notifier.settle(self._url, f"{MOST_WAITING} notifications are already waiting")
        if starts:
            self._start()

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="ocean-migration-notifications", daemon=True).start()
        except RuntimeError as error:  # no thread left, or the process ends
            with self._lock:
                given_up, self._waiting, self._running = self._waiting, deque(), False
            for notification in given_up:
                notification.notifier.settle(self._url, one_line(str(error)))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running = False
                    return
                notification = self._waiting.popleft()
            try:
                trouble = _deliver(self._url, notification)
            except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold the URL
                trouble = type(error).__name__
            notification.notifier.settle(self._url, trouble)


_deliveries: dict[str, _Delivery] = {}
_deliveries_lock = threading.Lock()


def _delivery(url: str) -> _Delivery:
    with _deliveries_lock:
        return _deliveries.setdefault(url, _Delivery(url))


def _deliver(url: str, notification: _Notification) -> str | None:
    """Post a notification with the retries of ``FAILED``. Return why it failed, or None."""
    # Imported late: the transport brings httpx, which a preview does not need.
    from ocean_migration_pulumi.api.single_requests import post

    scope = CancelScope(alive=notification.notifier.may_send)

    def attempt() -> str | None:
        try:
            answer = post(url, notification.body, scope)
        except NoAnswerError as error:
            raise RetryableError(error, FAILED) from None
        if answer.status < 300:
            return None
        trouble = f"HTTP {answer.status}"
        if answer.status >= 500 or answer.status == _TOO_MANY:
            raise RetryableError(NoAnswerError(trouble), FAILED, retry_after=retry_after(answer.headers) or 0.0)
        return trouble

    try:
        return run_with_retries(attempt, scope)
    except EngineGoneError:
        return None
    except OceanMigrationError as error:
        return str(error)


def _for_slack(event: Event) -> dict[str, Any]:
    head = _HEADS[event.kind]
    done = f"{event.nodes_done} of {count_noun(event.nodes, 'node')} done"
    parts = [event.resource, event.ocean_id, event.migration_id, done]
    if event.pods_left:
        parts.append(f"{count_noun(event.pods_left, 'pod')} left")
    lines = [f"*{_slack(head)}*\n{_slack(event.message)}"]
    if event.remedy:
        lines.append(_slack(event.remedy))
    blocks: list[dict[str, Any]] = [{"type": "section", "text": _text(line)} for line in lines]
    blocks.append({"type": "context", "elements": [_text(_slack(", ".join(part for part in parts if part)))]})
    return {"text": f"{_slack(head)}: {_slack(event.message)}", "blocks": blocks}


def _text(text: str) -> dict[str, Any]:
    # Verbatim: Slack makes no link or mention of it.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _slack(text: str) -> str:
    """Escape text for Slack, so that a name cannot mention a channel or become a link."""
    escaped = shorten(text, _LONGEST).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\N{WORD JOINER}")
