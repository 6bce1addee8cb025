"""Notifications: the events of a migration, posted to the URLs of whoever wants to know, beside the migration.

Whatever becomes of a notification, the migration neither fails nor waits for it.
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
"""Seconds that the end of a run waits at most for what is still to be delivered: the process may end with it."""

MOST_WAITING: Final = 100
"""Notifications for one URL that may wait for their delivery; further ones are given up."""

FAILED: Final = RetryPolicy(attempts=2, initial_wait=1.0, total=30.0)
"""For deliveries that get no answer, 429 or 5xx: an event that arrives twice does less harm than one that is lost."""

_SLACK: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_TOO_MANY: Final = 429
_LONGEST: Final = 500  # Slack takes 3000 characters, and an escaped one is up to five
_HEADS: Final = {
    EventKind.STARTED: "Migration started",
    EventKind.FINISHED: "Migration finished",
    EventKind.FAILED: "Migration failed",
    EventKind.STOPPED: "Migration stopped",
    EventKind.TIMED_OUT: "The wait timed out",
    EventKind.STALLED: "No progress",
    EventKind.INTERRUPTED: "The wait was interrupted",
    EventKind.UNHEARD: "Nothing is known any more",
}


def host_of(url: str) -> str:
    """Return the host of a URL: all that may be shown of it."""
    return urlsplit(url).hostname or ""


def body_for(url: str, event: Event) -> dict[str, Any]:
    """Return what is posted to a URL: the event, in Slack's format for one of Slack's."""
    return _for_slack(event) if host_of(url) in _SLACK else event.to_json()


class Notifier:
    """Posts the events of one run to some URLs, in threads of their own.

    ``tell`` takes a line for each host that a notification did not reach, once; ``alive`` tells whether whoever asked
    for the run is still there: without them nothing is sent any more.
    """

    def __init__(
        self,
        urls: Iterable[str],
        *,
        tell: Callable[[str], None] = lambda line: None,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:
        self._urls = tuple(urls)
        self._tell = tell
        self._alive = alive
        self._changed = threading.Condition()
        self._open: list[str] = []
        self._told: set[str] = set()
        self._over = False

    def announce(self, event: Event) -> None:
        """Post an event; returns at once and never raises."""
        for url in self._urls:
            with self._changed:
                self._open.append(host_of(url))
            _postman(url).take(_Letter(body=body_for(url, event), sender=self))

    def drain(self, seconds: float = DRAIN) -> None:
        """Wait until all is delivered or given up, at most so many seconds; what is not by then may still be."""
        ends = time.monotonic() + seconds
        with self._changed:
            while self._open and self.may_send() and (left := ends - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.1))
            late = list(self._open)
            # From now on it is the process that counts: the call that this is for has ended when it returns.
            self._over = self.may_send()
        if self._over:
            for host in late:
                self._complain(host, "no answer by the end of the run")

    def may_send(self) -> bool:
        """Tell whether whoever asked for the run is still there, or was at its end."""
        return self._over or self._alive()

    def settle(self, url: str, trouble: str | None) -> None:
        """Note that a notification was delivered, or why not."""
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
        with suppress(Exception):  # whoever is told may be gone
            self._tell(f"notification to {host} not delivered: {trouble}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    body: dict[str, Any]
    sender: Notifier


class _Postman:
    """Delivers the letters to one URL in their order, in a thread that lives as long as there are any."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._letters: deque[_Letter] = deque()
        self._lock = threading.Lock()
        self._works = False

    def take(self, letter: _Letter) -> None:
        """Take a letter, and deliver it after those that were taken before."""
        with self._lock:
            full = len(self._letters) >= MOST_WAITING
            if not full:
                self._letters.append(letter)
            starts, self._works = not self._works, True
        if full:
            letter.sender.settle(self._url, f"{MOST_WAITING} others wait already")
        if starts:
            self._start()

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="ocean-migration-notifications", daemon=True).start()
        except RuntimeError as error:  # no thread left, or the process ends
            with self._lock:
                given_up, self._letters, self._works = self._letters, deque(), False
            for letter in given_up:
                letter.sender.settle(self._url, one_line(str(error)))

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._letters:
                    self._works = False
                    return
                letter = self._letters.popleft()
            try:
                trouble = _deliver(self._url, letter)
            except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold the URL
                trouble = type(error).__name__
            letter.sender.settle(self._url, trouble)


_postmen: dict[str, _Postman] = {}
_postmen_lock = threading.Lock()


def _postman(url: str) -> _Postman:
    with _postmen_lock:
        return _postmen.setdefault(url, _Postman(url))


def _deliver(url: str, letter: _Letter) -> str | None:
    """Post a letter, and once more where that may help; return why it was not delivered, None when it was."""
    # The transport brings httpx, which a preview does not need.
    from ocean_migration_pulumi.api.transport import post

    scope = CancelScope(alive=letter.sender.may_send)

    def attempt() -> str | None:
        try:
            answer = post(url, letter.body, scope)
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
    # As it stands: nothing in it becomes a link or a mention.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _slack(text: str) -> str:
    """Return a text that Slack shows as it is: a name of someone else's choosing must not call a whole channel."""
    escaped = shorten(text, _LONGEST).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\N{WORD JOINER}")
