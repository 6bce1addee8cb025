"""Connection: authenticated requests to one API server, bounded by a scope; no error has a secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.retry import RetryableError, RetryPolicy, retry_after, run_with_retries
from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.kubernetes.connection.errors import (
    UNEXPECTED,
    RefusedError,
    SilentServerError,
    UnexpectedAnswerError,
    UnreachableError,
)
from ocean_migration_pulumi.kubernetes.connection.kubeconfig import KubeContext
from ocean_migration_pulumi.kubernetes.connection.sign_in import Credential, SignIn
from ocean_migration_pulumi.kubernetes.objects.decoding import decode_object

if TYPE_CHECKING:
    import httpx

LONGEST_STEP: Final = 10.0
"""Seconds for each step of an exchange: to connect, to send, and between two pieces of a response."""
LARGEST_BODY: Final = 64 * 1024 * 1024
"""Bytes of a response, decompressed."""
LARGEST_STREAM: Final = 256 * 1024 * 1024
"""Bytes of a response that is not kept, decompressed."""

RESET: Final = RetryPolicy(attempts=2)
"""For reads whose connection was reset: that says nothing about the cluster."""
OVERLOADED: Final = RetryPolicy(attempts=3, total=10.0)
"""For reads that the API server refuses because it is overloaded, and says for how long."""

_SHORTEST_STEP: Final = 0.001
_LONGEST_TEXT: Final = 300
_UNAUTHORIZED: Final = 401
_OVERLOADED_STATUSES: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesResponse:
    """A response of the API server."""

    status: int
    """HTTP status."""
    body: bytes = field(repr=False)
    """Decompressed body."""
    credential: str = field(default="", repr=False)
    """The credential that was sent, which ``said`` never repeats; empty when none was."""
    retry_after: float | None = None
    """``Retry-After`` in seconds; None when the answer has none."""

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300

    @property
    def said(self) -> str:
        """The API server's own message on one line; empty when something else responded."""
        data = decode_object(self.body) or {}
        if data.get("kind") != "Status":
            return ""
        said = " ".join([str(data.get("message") or data.get("reason") or ""), *_causes(data)])
        return sanitize(said.replace(self.credential, "[secret]") if self.credential else said, _LONGEST_TEXT)


def _causes(data: Mapping[str, Any]) -> list[str]:
    """Return the causes in the details of a Status, such as the state of the budget that stops an eviction."""
    details = data.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    listed = causes if isinstance(causes, list) else []
    return [str(each["message"]) for each in listed if isinstance(each, dict) and each.get("message")]


class BodySink(Protocol):
    """Takes the body of a response while it arrives."""

    def begin_page(self) -> None:
        """Begin a body; what was taken before, of a response that was cut off, does not count."""

    def take_piece(self, piece: bytes) -> None:
        """Take the next piece."""


class Connection:
    """Sends requests to the API server of a target; thread-safe."""

    def __init__(self, target: KubeContext) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._sign_in = SignIn(target)
        self._clients: dict[tuple[str, str] | None, httpx.Client] = {}

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def get(self, scope: CancelScope, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Send a GET, again where ``RESET`` or ``OVERLOADED`` allows it, and return the body of the response.

        Args:
            scope: Bounds the request.
            path: Path below that of the server.
            query: Parameters.

        Raises:
            UnreachableError: No usable response arrived.
            RefusedError: The status is an error.
            UnexpectedAnswerError: The response is too large, or wrongly encoded.
            OperationCancelled: The operation was cancelled.
            DeadlineError: The deadline passed.
        """
        return self._get(scope, path, query or {}, None)

    def stream(self, scope: CancelScope, path: str, query: Mapping[str, str], sink: BodySink) -> None:
        """Send a GET as ``get`` does, and give the body to a sink while it arrives; what the sink raises passes."""
        self._get(scope, path, query, sink)

    def _get(self, scope: CancelScope, path: str, query: Mapping[str, str], sink: BodySink | None) -> bytes:
        def attempt() -> bytes:
            answer = self._signed_in(scope, "GET", path, query, sink=sink)
            if answer.ok:
                return answer.body
            refused = RefusedError(answer.status, answer.said)
            if answer.status in _OVERLOADED_STATUSES and answer.retry_after is not None:
                raise RetryableError(refused, OVERLOADED, retry_after=answer.retry_after)
            raise refused

        return run_with_retries(attempt, scope)

    def post(
        self, scope: CancelScope, path: str, query: Mapping[str, str], body: Mapping[str, Any]
    ) -> KubernetesResponse:
        """Send a POST once, after ``scope.before_write()``, and return the response, whatever its status.

        Raises:
            UnreachableError: No usable response arrived.
            OperationCancelled: The operation was cancelled.
            DeadlineError: The deadline passed.
        """
        return self._signed_in(scope, "POST", path, query, json.dumps(body).encode())

    def _signed_in(
        self,
        scope: CancelScope,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        sink: BodySink | None = None,
    ) -> KubernetesResponse:
        """Send a request, once more with another credential when the API server refuses the first one."""
        credential = self._sign_in.credential(scope)
        answer = self._exchange(scope, _Request(method, path, query, body, credential, sink))
        if answer.status == _UNAUTHORIZED:
            renewed = self._sign_in.credential(scope, refused=credential)
            if renewed != credential:
                answer = self._exchange(scope, _Request(method, path, query, body, renewed, sink))
        return answer

    def _open(self, certificate: tuple[str, str] | None) -> httpx.Client:
        from ocean_migration_pulumi.kubernetes.connection.tls_client import open_client

        with self._lock:
            # Others may still use the client of an earlier certificate.
            if certificate not in self._clients:
                self._clients[certificate] = open_client(self._target, certificate)
            return self._clients[certificate]

    def _exchange(self, scope: CancelScope, request: _Request) -> KubernetesResponse:
        """Send a request once; raise RetryableError for a GET whose connection was reset."""
        import httpx

        from ocean_migration_pulumi.kubernetes.connection.tls_client import describe_failure

        client, authorization = self._open(request.credential.certificate), request.credential.header
        headers: list[tuple[str, str]] = list(self._target.user.get("impersonation", ()))
        if request.body is not None:
            headers.append(("Content-Type", "application/json"))
        if authorization is not None:
            headers.append(("Authorization", authorization))
        if request.method == "GET":
            scope.check()
        else:
            scope.before_write()
        left = scope.remaining()
        try:
            with client.stream(
                request.method,
                request.path,
                params=dict(request.query),
                content=request.body,
                headers=headers,
                timeout=httpx.Timeout(LONGEST_STEP if left is None else min(LONGEST_STEP, max(left, _SHORTEST_STEP))),
            ) as response:
                return KubernetesResponse(
                    status=response.status_code,
                    body=_read_body(response, scope, request.sink),
                    credential=(authorization or "").rpartition(" ")[2],
                    retry_after=retry_after(response.headers),
                )
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as exc:
            error = UnreachableError(describe_failure(exc))
            raise (RetryableError(error, RESET) if request.method == "GET" else error) from None
        except httpx.TimeoutException:
            scope.check()
            raise SilentServerError from None
        except httpx.DecodingError:
            raise UnexpectedAnswerError(UNEXPECTED) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise UnreachableError(describe_failure(exc)) from None


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    """Path below that of the server's URL, without a leading slash."""
    query: Mapping[str, str]
    body: bytes | None
    """JSON; None sends no body."""
    credential: Credential
    """What it is signed in by."""
    sink: BodySink | None
    """Takes the body of a success; None: it is returned."""


def _read_body(response: httpx.Response, scope: CancelScope, sink: BodySink | None) -> bytes:
    """Return the body; empty when a sink takes it."""
    if sink is None or not response.is_success:
        return b"".join(_pieces(response, scope, LARGEST_BODY))
    sink.begin_page()
    for piece in _pieces(response, scope, LARGEST_STREAM):
        sink.take_piece(piece)
    return b""


def _pieces(response: httpx.Response, scope: CancelScope, largest: int) -> Iterator[bytes]:
    # A coding inside of another one could fill the memory with a single piece.
    if response.headers.get("Content-Encoding", "").strip().casefold() not in {"", "identity", "gzip"}:
        raise UnexpectedAnswerError(UNEXPECTED)
    size = 0
    for piece in response.iter_bytes():
        # The timeout of a step never ends a response that trickles.
        scope.check()
        size += len(piece)
        if size > largest:
            raise UnexpectedAnswerError(f"a response is larger than {largest // 1024**2} MiB")
        yield piece
