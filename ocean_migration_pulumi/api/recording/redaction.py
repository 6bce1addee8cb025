"""Exchanges with Spot's API without tokens, account ids and secrets, and their observers."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from ocean_migration_pulumi.api.responses import ApiCall, ApiResponse
from ocean_migration_pulumi.common.text import one_line

SHORTEST_SECRET = 8
"""Characters of the shortest token that is redacted: a simulator's, as short as a word, could be part of any text."""
LONGEST_TEXT = 64 * 1024
"""Characters of a body that is not JSON, and of an error, that are kept."""
CUT = " [cut]"
"""What follows a text that was longer."""
TOKEN = "[token]"  # noqa: S105  # what stands where a token stood
REDACTED = "[redacted]"

_ACCOUNT = "act-recorded-"
_HASH_ROUNDS = 100_000
_SMELLS = (
    *("userdata", "user_data", "token", "passw", "secret", "credential", "authorization", "cookie"),
    *("apikey", "api_key", "privatekey", "private_key"),
)
_KEPT_HEADERS = re.compile(r"content-type|date|retry-after|x-ratelimit-.*")
# JSON has such text only within strings, so that it can be replaced without parsing.
_PLAIN_ACCOUNT = re.compile(r"[A-Za-z]+-[\w-]+", re.ASCII)
_ACCOUNTS = re.compile(r"act-(?<![0-9A-Za-z-]act-)[0-9a-f]{7,8}(?![0-9A-Za-z-])")
_PAIR = re.compile(
    r"((?:user_?data|token|passw|secret|credential|authorization|cookie|api_?key|private_?key)"
    r"[\w-]{0,40}[\"']?\s{0,8}[:=]\s{0,8}(?:(?:bearer|basic)\s{1,8})?)"
    r"(\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s,;&<>\"'}]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A redacted request with its response."""

    at: datetime
    """When it was sent, by the service's clock."""
    seconds: float
    """How long it took."""
    method: str
    """HTTP method."""
    route: str
    """Path with the names of ids in braces."""
    path: str
    """Path."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters."""
    request: Any | None = None
    """JSON of the request; None without a body."""
    status: int | None = None
    """HTTP status; None without a response."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Response headers of use, names in lower case."""
    body: str | None = None
    """Body of the response; None without a response."""
    error: str | None = None
    """Why there is no response; None with one."""
    is_json: bool = field(default=False, compare=False)
    """Whether ``body`` is known to be JSON in one line."""


class ExchangeObserver(Protocol):
    """Called with every exchange, once it has ended."""

    def __call__(self, exchange: Exchange, /) -> None:
        """Observe an exchange; an error of the observer never reaches the call."""


class ExchangeObservation:
    """Calls observers with redacted exchanges, in the order of their ends; thread-safe.

    Attributes:
        trouble: The first error of an observer; None without one.
    """

    def __init__(self, observers: Sequence[ExchangeObserver], redaction: Redaction) -> None:
        self.trouble: Exception | None = None
        self._observers = tuple(observers)
        self._redaction = redaction
        self._lock = threading.Lock()

    def report(self, call: ApiCall, outcome: ApiResponse | Exception, ended: datetime, began: float) -> None:
        """Call the observers with an exchange.

        Args:
            call: The request.
            outcome: The response, or why there is none.
            ended: When the exchange ended, by the service's clock.
            began: When it began, by ``time.monotonic``.
        """
        if not self._observers:
            return
        seconds = time.monotonic() - began
        with self._lock:
            try:
                exchange = self._redaction.exchange(call, ended - timedelta(seconds=seconds), seconds, outcome)
            except Exception as exc:  # noqa: BLE001  # to keep a record must never break a call
                self.trouble = self.trouble or exc
                return
            for observer in self._observers:
                try:
                    observer(exchange)
                except Exception as exc:  # noqa: BLE001  # nor must an observer
                    self.trouble = self.trouble or exc


class Redaction:
    """Replaces tokens, account ids and secrets."""

    def __init__(self, tokens: Iterable[str] = (), accounts: Iterable[str] = (), base_url: str = "") -> None:
        """Prepare the replacements.

        Args:
            tokens: Replaced as they are, percent-encoded, escaped, and within base64.
            accounts: Account ids, each replaced by its ``account_placeholder``.
            base_url: Left out of errors.
        """
        known = {form for token in tokens if len(token) >= SHORTEST_SECRET for form in token_forms(token)}
        self._forms = sorted(known, key=len, reverse=True)
        named = sorted({account for account in accounts if not account.startswith(_ACCOUNT)}, key=len, reverse=True)
        self._accounts = [(_whole(account), account_placeholder(account)) for account in named]
        self._odd_accounts = [account for account in named if not _PLAIN_ACCOUNT.fullmatch(account)]
        url = urlsplit(base_url)
        self._places = [place for place in (base_url, url.netloc, url.hostname) if place]

    def exchange(self, call: ApiCall, at: datetime, seconds: float, outcome: ApiResponse | Exception) -> Exchange:
        """Return a redacted exchange; ``outcome`` is the response, or why there is none."""
        answer = None if isinstance(outcome, Exception) else outcome
        body, is_json, headers = None, False, {}
        if answer is not None:
            body, is_json = self.body(answer.body)
            kept = {name: value for name, value in answer.headers.items() if _KEPT_HEADERS.fullmatch(name)}
            headers = {name: self.text(value) for name, value in kept.items()}
        return Exchange(
            at=at,
            seconds=round(seconds, 6),
            method=call.method,
            route=call.route,
            path=self.text(call.path),
            query={key: self._parameter(key, value) for key, value in call.query.items()},
            request=None if call.body is None else self.tree(dict(call.body)),
            status=None if answer is None else answer.status,
            headers=headers,
            body=body,
            is_json=is_json,
            error=self._error(outcome) if isinstance(outcome, Exception) else None,
        )

    def text(self, text: str) -> str:
        """Return a text without tokens and account ids."""
        for form in self._forms:
            text = text.replace(form, TOKEN)
        return self._without_accounts(text)

    def tree(self, data: Any) -> Any:
        """Return JSON without tokens, account ids, and the values of fields that are named like secrets."""
        if isinstance(data, dict):
            tag = data.get("tagKey")
            named = isinstance(tag, str) and _smells(tag)
            return {
                self.text(key): self._hidden(value)
                if _smells(key) or (named and key == "tagValue")
                else self.tree(value)
                for key, value in data.items()
            }
        if isinstance(data, list):
            return [self.tree(item) for item in data]
        if isinstance(data, str):
            return self._without_pairs(self.text(data))
        if data is None or isinstance(data, bool):
            return data
        text = self.text(str(data))
        return data if text == str(data) else text

    def body(self, body: bytes) -> tuple[str, bool]:
        """Return a body, and whether it is JSON, which is kept complete on one line; any other text is cut."""
        encoding = json.detect_encoding(body)
        try:
            text = body.decode(encoding)
            data = json.loads(text)
            if self._needs_a_look(text):
                return json.dumps(self.tree(data), separators=(",", ":")), True
        except (ValueError, RecursionError):
            # Redact before cutting: without its end a token would not be found.
            return self._rough(body.decode(encoding, "replace")), False
        # JSON has line breaks only between its parts.
        return self._without_accounts(text.replace("\r", " ").replace("\n", " ")), True

    def _needs_a_look(self, text: str) -> bool:
        """Tell whether JSON has to be redacted value by value, which most responses need not."""
        if "\\" in text or any(form in text for form in (*self._forms, *self._odd_accounts)):
            return True
        return _smells(text)

    def _rough(self, text: str) -> str:
        shown = self._without_pairs(self.text(text))
        return shown if len(shown) <= LONGEST_TEXT else shown[:LONGEST_TEXT] + CUT

    def _without_pairs(self, text: str) -> str:
        return _PAIR.sub(rf"\g<1>{REDACTED}", text) if _smells(text) else text

    def _hidden(self, data: Any) -> Any:
        """Return a secret's structure without its values."""
        if isinstance(data, dict):
            return {self.text(key): self._hidden(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self._hidden(item) for item in data]
        return data if data is None or isinstance(data, bool) else REDACTED

    def _error(self, error: Exception) -> str:
        text = self._rough(one_line(str(error)))
        for place in self._places:
            text = text.replace(place, "[base URL]")
        return text

    def _parameter(self, key: str, value: str) -> str:
        if key == "accountId":
            return account_placeholder(value)
        return REDACTED if _smells(key) else self.text(value)

    def _without_accounts(self, text: str) -> str:
        for account, stand_in in self._accounts:
            text = account.sub(stand_in, text)
        return _ACCOUNTS.sub(lambda match: account_placeholder(match.group()), text)


@lru_cache
def account_placeholder(account_id: str) -> str:
    """Return the placeholder of an account, always the same; to find the account for one takes long."""
    if account_id.startswith(_ACCOUNT):
        return account_id
    # Account ids are short: plain hashes of all of them are soon computed.
    digest = hashlib.pbkdf2_hmac("sha256", account_id.encode(), b"ocean-migration record", _HASH_ROUNDS)
    return _ACCOUNT + digest.hex()[:8]


def _smells(text: str) -> bool:
    lower = text.lower()
    return any(smell in lower for smell in _SMELLS)


def _whole(account: str) -> re.Pattern[str]:
    text = re.escape(account)
    # The text comes first, so that it can be searched for at once.
    return re.compile(rf"{text}(?<![0-9A-Za-z-]{text})(?![0-9A-Za-z-])")


def token_forms(token: str) -> Iterable[str]:
    """Return the forms of a token in a text: as it is, percent-encoded, escaped, and within base64."""
    escaped = quote(token, safe="")
    yield from (token, escaped, re.sub(r"%..", lambda match: match.group().lower(), escaped))
    yield from (json.dumps(token)[1:-1], html.escape(token))
    raw = token.encode()
    for before in range(3):
        # The characters at the edges depend on what is next to the token, the others are always the same.
        encoded = base64.b64encode(bytes(before) + raw).decode()
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for form in (encoded, encoded.replace("+", "-").replace("/", "_")):
            yield form[first:last]
