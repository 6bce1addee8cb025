"""Transport: single HTTP exchanges with Spot's API, bounded and interruptible."""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

import httpx

from ocean_migration_pulumi.api import responses
from ocean_migration_pulumi.api.responses import ApiCall, ApiResponse
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.proxies import find_proxy
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.errors import (
    DeadlineError,
    NoAnswerError,
    OceanMigrationError,
    OperationCancelled,
    SettingsError,
)

TIMEOUTS = {"connect": 10.0, "read": 30.0, "write": 10.0, "pool": 10.0}
"""Seconds for each step of an exchange."""
LONGEST_EXCHANGE = 60.0
"""Seconds for a request and its complete response: the timeout of a read never ends a response that trickles."""
WRITE_GRACE = 0.75
"""Seconds that the response to a write may still take once its scope has ended: its effect is worth knowing."""
LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a response, decompressed."""
GRACE = 0.5
"""Seconds by which the timeout of a connection is longer than the deadline, which ends the wait of the caller first."""
HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
"""What httpx raises."""

# Shorter than the time after which servers close idle connections (5 s and more): a POST that meets a connection just
# closed would look like one whose response was lost.
_KEEP_ALIVE = 3.0
# Each grows a piece a thousandfold at most; a newer coding, or one inside of another, could fill the memory.
_CODINGS = ("gzip", "deflate")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_LOOK_AROUND = 0.05

_TRANSIENT_ERRORS = (httpx.TimeoutException, httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError, OSError)


class UnansweredError(Exception):
    """An exchange without a response."""

    def __init__(
        self,
        error: OceanMigrationError | OperationCancelled,
        *,
        sent: bool,
        transient: bool = False,
        started: bool = True,
    ) -> None:
        """Describe the exchange.

        Args:
            error: What the caller gets.
            sent: Whether the body of the request was sent, so that the service may have acted on it.
            transient: Whether another attempt may succeed.
            started: Whether anything was attempted.
        """
        super().__init__(str(error))
        self.error = error
        self.sent = sent
        self.transient = transient
        self.started = started


class Transport:
    """The connections to one base URL; thread-safe.

    Certificates are always verified and redirects never followed. Proxies and certificate files come from the
    environment, but nothing on this machine is reached through a proxy.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def exchange(self, call: ApiCall, token: str, scope: CancelScope) -> ApiResponse:
        """Send a call once and return the response, whatever its status.

        Calls ``scope.before_write()`` right before it sends the body of a request.

        Raises:
            UnansweredError: There is no response.
            SettingsError: The environment's proxies or certificates cannot be used.
        """
        client = self.open_client()
        exchange = HttpExchange(call, scope)
        try:
            return exchange.run(client, self._base_url + call.path, token)
        except DeadlineError as exc:
            late = DeadlineError(f"{call}: no response before the deadline")
            raise UnansweredError(late, sent=exchange.sent, started=exchange.started) from exc
        except OperationCancelled as exc:
            raise UnansweredError(exc, sent=exchange.sent, started=exchange.started) from exc.__cause__
        except _TooLargeError as exc:
            unusable = responses.unusable_answer(call, f"longer than {LARGEST_BODY // 1024**2} MiB")
            raise UnansweredError(unusable, sent=exchange.sent) from exc
        except httpx.DecodingError as exc:
            raise UnansweredError(responses.unusable_answer(call, describe_error(exc)), sent=exchange.sent) from exc
        except (*HTTPX_ERRORS, OSError) as exc:
            error = NoAnswerError(f"{call}: no response from {self._base_url}: {describe_error(exc)}")
            raise UnansweredError(error, sent=exchange.sent, transient=isinstance(exc, _TRANSIENT_ERRORS)) from exc

    def open_client(self) -> httpx.Client:
        """Return the client that keeps the connections.

        Raises:
            SettingsError: The environment's proxies or certificates cannot be used.
        """
        with self._lock:
            if self._client is None:
                proxy = find_proxy(self._base_url)
                certificates = _certificates(self._base_url)
                try:
                    self._client = httpx.Client(
                        headers={
                            "User-Agent": program_version(),
                            "Accept": "application/json",
                            "Accept-Encoding": ", ".join(_CODINGS),
                        },
                        verify=certificates,
                        follow_redirects=False,
                        proxy=None if proxy is None else proxy.url,
                        trust_env=False,
                        limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
                    )
                except (*HTTPX_ERRORS, ValueError) as exc:
                    # What exactly is wrong may quote the password of the proxy.
                    setting = "the connection" if proxy is None else proxy.setting
                    raise SettingsError(f"{setting}: cannot be used ({type(exc).__name__})") from None
            return self._client


class _TooLargeError(Exception):
    """The body is larger than any response of the service."""


class HttpExchange:
    """A request in a thread of its own, so that its caller can leave it behind at once."""

    thread = "ocean-migration-call"

    def __init__(self, call: ApiCall, scope: CancelScope) -> None:
        self.started = False
        self.sent = False
        self._call = call
        self._scope = scope
        self._lock = threading.Lock()
        self.left_behind = False
        self._done = threading.Event()
        self._outcome: ApiResponse | Exception = RuntimeError("the exchange ended without an outcome")

    def run(self, client: httpx.Client, url: str, token: str) -> ApiResponse:
        """Return the response; raise what ended the exchange, or the wait for it."""
        self._scope.check()
        request = self.build_request(client, url, token)
        ends = time.monotonic() + LONGEST_EXCHANGE
        self.started = True
        threading.Thread(target=self._work, args=(client, request), name=self.thread, daemon=True).start()
        try:
            while not self._done.wait(_LOOK_AROUND):
                try:
                    self._scope.check()
                except (OperationCancelled, DeadlineError):
                    if self.sent and self._done.wait(WRITE_GRACE):
                        break
                    raise
                if time.monotonic() >= ends:
                    raise httpx.ReadTimeout(f"the exchange took longer than {LONGEST_EXCHANGE:g} s")
        finally:
            with self._lock:
                self.left_behind = True
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def build_request(self, client: httpx.Client, url: str, token: str) -> httpx.Request:
        """Return the request."""
        left = self._scope.remaining()
        most = LONGEST_EXCHANGE if left is None else left + GRACE
        headers = {"Authorization": f"Bearer {token}"}
        content = None
        if self._call.body is not None:
            body = json.dumps(self._call.body).encode()
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
            content = GuardedBody(body, self.before_body)
        return client.build_request(
            self._call.method,
            url,
            params=dict(self._call.query),
            headers=headers,
            content=content,
            timeout=httpx.Timeout(**{step: min(seconds, most) for step, seconds in TIMEOUTS.items()}),
        )

    def before_body(self) -> None:
        """Allow the body of a write to be sent, unless its caller has left; without a body it has no effect."""
        with self._lock:
            if self.left_behind:
                raise httpx.WriteTimeout("left behind")
            self._scope.before_write()
            self.sent = True

    def _work(self, client: httpx.Client, request: httpx.Request) -> None:
        try:
            # An explicit auth that does nothing: neither a URL nor a netrc file may replace the header.
            response = client.send(request, stream=True, auth=httpx.Auth())
            try:
                self._outcome = ApiResponse(
                    status=response.status_code, headers=dict(response.headers), body=self.read_body(response)
                )
            finally:
                response.close()
        except Exception as exc:  # noqa: BLE001  # raised again in the thread of the caller
            _forget(exc)
            self._outcome = exc
        finally:
            # Exceptions keep the request; none of them may keep the token.
            request.headers.pop("Authorization", None)
            self._done.set()

    def read_body(self, response: httpx.Response) -> bytes:
        """Return the body; raise _TooLargeError for one that is too large, or that nobody waits for."""
        chunks, size = [], 0
        for chunk in decoded_pieces(response):
            size += len(chunk)
            if size > LARGEST_BODY or self.left_behind:
                raise _TooLargeError
            chunks.append(chunk)
        return b"".join(chunks)


class GuardedBody:
    """The body of a request, with a check right before it is sent."""

    def __init__(self, content: bytes, before: Callable[[], None]) -> None:
        self._content = content
        self._before = before

    def __iter__(self) -> Iterator[bytes]:
        self._before()
        yield self._content


def decoded_pieces(response: httpx.Response) -> Iterator[bytes]:
    """Return the body piece by piece, decompressed; raise httpx.DecodingError for a coding that is not accepted."""
    coding = response.headers.get("Content-Encoding", "").strip().casefold()
    if coding not in {"", "identity", *_CODINGS}:
        raise httpx.DecodingError("the response has an encoding that was not requested", request=response.request)
    return response.iter_bytes()


def _certificates(base_url: str) -> ssl.SSLContext:
    """Return the trusted authorities; none for plain http, which needs none, as reading them takes long."""
    if base_url.casefold().startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return httpx.create_ssl_context()
    except (OSError, ValueError) as exc:
        variable = next((name for name in _CERTIFICATES if os.environ.get(name)), "the certificates of the system")
        reason = exc.strerror if isinstance(exc, FileNotFoundError) else "no valid certificate"
        raise SettingsError(f"{variable}: cannot be used ({reason})") from None


def _forget(error: BaseException) -> None:
    """Clear the frames of an error and its causes: some have the headers as they were sent."""
    cause: BaseException | None = error
    while cause is not None:
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__


def describe_error(error: Exception) -> str:
    """Return what became of a connection, on one line: the operating system's reason, else the text of the error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted ({one_line(cause.verify_message)})"
        if isinstance(cause, OSError) and cause.strerror:
            return one_line(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    text = one_line(str(error)).rstrip(".") or describe_kind(error)
    return f"proxy: {text}" if isinstance(error, httpx.ProxyError) else text


def describe_kind(error: Exception) -> str:
    """Return what became of a connection, without the text of the error, which may quote the URL or the response."""
    if isinstance(error, httpx.TimeoutException):
        return "timed out"
    if isinstance(error, httpx.ProtocolError):
        return "the connection ended without a valid response"
    return "the proxy refused the connection" if isinstance(error, httpx.ProxyError) else "the connection failed"


def program_version() -> str:
    """Return the name and version of this package, for the user agent and records."""
    try:
        return f"ocean-migration/{version('ocean-migration')}"
    except PackageNotFoundError:
        return "ocean-migration/0"
