"""Requests to one API server: bounded by a scope, signed in, and without any secret in their errors."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ocean_migration_pulumi.api.scope import Scope
from ocean_migration_pulumi.migration.plan import clean

from . import plugin
from .decoding import whole_object
from .errors import UNEXPECTED, RefusedError, UnexpectedAnswerError, UnreachableError
from .kubeconfig import Target
from .opening import open_client, why

if TYPE_CHECKING:
    import httpx2

LONGEST_STEP: Final = 10.0
"""Seconds for each step of an exchange: to connect, to send, and between two pieces of an answer."""
LARGEST_BODY: Final = 64 * 1024 * 1024
"""Bytes of an answer, decompressed."""

_SHORTEST_STEP: Final = 0.001
_MORE_TRIES: Final = 2
_LONGEST_PAUSE: Final = 2.0
_LONGEST_TEXT: Final = 300
_UNAUTHORIZED: Final = 401
_OVERLOADED: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str = ""

    @property
    def ok(self) -> bool:
        """Whether the answer is what was asked for."""
        return 200 <= self.status < 300

    @property
    def said(self) -> str:
        """The API server's own words on one line; empty when something else answered."""
        data = whole_object(self.body) or {}
        if data.get("kind") != "Status":
            return ""
        text = clean(str(data.get("message") or data.get("reason") or ""))
        return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."


class Connection:
    """Sends requests to the API server of a target; thread-safe."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._signing_in = threading.Lock()
        self._client: httpx2.Client | None = None
        self._bearer: str | None = None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def get(self, scope: Scope, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Ask for something and return the body of the answer.

        A connection that was reset is tried once more, and an API server that is overloaded and says for how long up to
        twice. Raises UnreachableError, RefusedError, UnexpectedAnswerError or a WaitEndedError.
        """
        answer = self._signed_in(scope, "GET", path, query or {})
        for _ in range(_MORE_TRIES):
            if (pause := _pause(answer)) is None:
                break
            scope.sleep(pause)
            answer = self._signed_in(scope, "GET", path, query or {})
        if not answer.ok:
            raise RefusedError(answer.status, answer.said)
        return answer.body

    def post(self, scope: Scope, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Answer:
        """Send something once and return the answer, whatever its status.

        ``scope.before_write()`` is asked right before. Raises UnreachableError or a WaitEndedError.
        """
        return self._signed_in(scope, "POST", path, query, json.dumps(body).encode())

    def _signed_in(
        self, scope: Scope, method: str, path: str, query: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send a request, with a new token of the plugin if the old one is refused: then it had no effect."""
        client = self._open()
        bearer = self._token(scope, None)
        answer = self._exchange(client, scope, _Request(method, path, query, body, bearer))
        if answer.status == _UNAUTHORIZED and bearer is not None:
            renewed = self._token(scope, bearer)
            answer = self._exchange(client, scope, _Request(method, path, query, body, renewed))
        return answer

    def _token(self, scope: Scope, stale: str | None) -> str | None:
        """Return the token of the credential plugin, another one than ``stale``; None without a plugin."""
        user = self._target.user
        if "exec" not in user or "token" in user or "tokenFile" in user:
            return None
        # One thread runs the plugin, the others take what it gives.
        with self._signing_in:
            if self._bearer is None or self._bearer == stale:
                self._bearer = None
                self._bearer = plugin.token(user["exec"], self._target.cluster, scope)
            return self._bearer

    def _open(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                self._client = open_client(self._target)
            return self._client

    def _exchange(self, client: httpx2.Client, scope: Scope, request: _Request) -> Answer:
        import httpx2
        from lightkube.core.exceptions import ConfigError

        again = request.method == "GET"
        while True:
            try:
                return self._once(client, scope, request)
            except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError) as exc:
                if not again:
                    raise UnreachableError(why(exc)) from None
                again = False
            except httpx2.TimeoutException:
                scope.check()
                msg = "Kubernetes did not answer in time"
                raise UnreachableError(msg) from None
            except httpx2.DecodingError:
                raise UnexpectedAnswerError(UNEXPECTED) from None
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as exc:
                raise UnreachableError(why(exc)) from None
            except ConfigError:
                # lightkube raises it for the file of a token, and quotes.
                msg = "the file with the token of the kubeconfig's user cannot be read"
                raise UnreachableError(msg) from None

    def _once(self, client: httpx2.Client, scope: Scope, request: _Request) -> Answer:
        import httpx2

        cluster = self._target.cluster
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if request.bearer is not None:
            headers["Authorization"] = f"Bearer {request.bearer}"
        if request.method == "GET":
            scope.check()
        else:
            scope.before_write()
        left = scope.remaining()
        with client.stream(
            request.method,
            request.path,
            params=dict(request.query),
            content=request.body,
            headers=headers,
            timeout=httpx2.Timeout(LONGEST_STEP if left is None else min(LONGEST_STEP, max(left, _SHORTEST_STEP))),
            # lightkube does not know the name; it is what is asked for and what the certificate must be for.
            extensions={"sni_hostname": cluster["tls-server-name"]} if "tls-server-name" in cluster else None,
        ) as response:
            return Answer(
                status=response.status_code,
                body=b"".join(_pieces(response, scope)),
                retry_after=response.headers.get("Retry-After", ""),
            )


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    bearer: str | None = field(repr=False)


def _pieces(response: httpx2.Response, scope: Scope) -> Iterator[bytes]:
    # One coding inside of another would fill the memory with a single piece.
    if response.headers.get("Content-Encoding", "").strip().casefold() not in {"", "identity", "gzip"}:
        raise UnexpectedAnswerError(UNEXPECTED)
    size = 0
    for piece in response.iter_bytes():
        # The timeout of a step never ends an answer that trickles.
        scope.check()
        size += len(piece)
        if size > LARGEST_BODY:
            msg = f"an answer is longer than {LARGEST_BODY // 1024**2} MiB"
            raise UnexpectedAnswerError(msg)
        yield piece


def _pause(answer: Answer) -> float | None:
    """Return how long the API server asks to wait; None when it does not, or asks for long."""
    if answer.status not in _OVERLOADED or not answer.retry_after.isdecimal():
        return None
    seconds = float(answer.retry_after)
    return seconds if seconds <= _LONGEST_PAUSE else None
