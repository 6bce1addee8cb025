"""Transport: single HTTP exchanges, bounded and interruptible, with Spot's API and other URLs."""

from __future__ import annotations

import json
import logging
import os
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

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
LONGEST_PROBE = 5.0
"""Seconds for a probe and its complete response."""
LARGEST_PROBED_BODY = 64 * 1024
"""Bytes of the response to a probe that are read, decompressed."""

# Shorter than the time after which servers close idle connections (5 s and more): a POST that meets a connection just
# closed would look like one whose response was lost.
_KEEP_ALIVE = 3.0
# Each grows a piece a thousandfold at most; a newer coding, or one inside of another, could fill the memory.
_CODINGS = ("gzip", "deflate")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_LOOK_AROUND = 0.05
_GRACE = 0.5

_HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
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
        client = self._open()
        exchange = _Exchange(call, scope)
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
            raise UnansweredError(responses.unusable_answer(call, _reason(exc)), sent=exchange.sent) from exc
        except (*_HTTPX_ERRORS, OSError) as exc:
            error = NoAnswerError(f"{call}: no response from {self._base_url}: {_reason(exc)}")
            raise UnansweredError(error, sent=exchange.sent, transient=isinstance(exc, _TRANSIENT_ERRORS)) from exc

    def _open(self) -> httpx.Client:
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
                except (*_HTTPX_ERRORS, ValueError) as exc:
                    # What exactly is wrong may quote the password of the proxy.
                    setting = "the connection" if proxy is None else proxy.setting
                    raise SettingsError(f"{setting}: cannot be used ({type(exc).__name__})") from None
            return self._client


def probe(url: str, scope: CancelScope) -> ApiResponse:
    """GET a URL outside of Spot's API once, without token, account and cookies.

    Args:
        url: The URL.
        scope: Bounds the exchange, which takes 5 seconds at most.

    Returns:
        The response, whatever its status, with the beginning of its body.

    Raises:
        NoAnswerError: There is no response.
        OperationCancelled: The operation was cancelled.
        DeadlineError: The deadline passed.
        SettingsError: The environment's proxies or certificates cannot be used.
    """
    return _exchange_alone(url, _Probe(url, scope.at_most(LONGEST_PROBE)), scope, _reason)


def post(url: str, body: Mapping[str, Any], scope: CancelScope) -> ApiResponse:
    """POST JSON to a URL outside of Spot's API once; no error, log or repr shows the URL, which is a secret.

    Args:
        url: The URL.
        body: JSON.
        scope: Bounds the exchange, which takes 5 seconds at most.

    Returns:
        The response without its body, whatever its status.

    Raises:
        NoAnswerError: There is no response.
        OperationCancelled: The operation was cancelled.
        DeadlineError: The deadline passed.
        SettingsError: The environment's proxies or certificates cannot be used.
    """
    logging.getLogger("httpcore.http11").addFilter(_DISCRETION)

    def describe(error: Exception) -> str:
        # Other errors may quote the URL, or what the server made of it.
        return _reason(error) if isinstance(error, (httpx.NetworkError, OSError)) else type(error).__name__

    return _exchange_alone(url, _Post(url, body, scope.at_most(LONGEST_PROBE)), scope, describe)


def _exchange_alone(
    url: str, exchange: _Exchange, scope: CancelScope, describe: Callable[[Exception], str]
) -> ApiResponse:
    # A connection of its own: one that is kept open would say nothing about the next probe.
    transport = Transport(url)
    try:
        return exchange.run(transport._open(), url, "")
    except DeadlineError:
        scope.check()
        raise NoAnswerError(f"no response within {LONGEST_PROBE:g} s") from None
    except (*_HTTPX_ERRORS, OSError) as exc:
        raise NoAnswerError(f"no response: {describe(exc)}") from None
    finally:
        transport.close()


class _TooLargeError(Exception):
    """The body is larger than any response of the service."""


class _Exchange:
    """A request in a thread of its own, so that its caller can leave it behind at once."""

    thread = "ocean-migration-call"

    def __init__(self, call: ApiCall, scope: CancelScope) -> None:
        self.started = False
        self.sent = False
        self._call = call
        self._scope = scope
        self._lock = threading.Lock()
        self._left_behind = False
        self._done = threading.Event()
        self._outcome: ApiResponse | Exception = RuntimeError("the exchange ended without an outcome")

    def run(self, client: httpx.Client, url: str, token: str) -> ApiResponse:
        """Return the response; raise what ended the exchange, or the wait for it."""
        self._scope.check()
        request = self._build(client, url, token)
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
                self._left_behind = True
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _build(self, client: httpx.Client, url: str, token: str) -> httpx.Request:
        left = self._scope.remaining()
        # A little longer than the deadline, which ends the wait of the caller first.
        most = LONGEST_EXCHANGE if left is None else left + _GRACE
        headers = {"Authorization": f"Bearer {token}"}
        content = None
        if self._call.body is not None:
            body = json.dumps(self._call.body).encode()
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
            content = _GuardedBody(body, self._before_body)
        return client.build_request(
            self._call.method,
            url,
            params=dict(self._call.query),
            headers=headers,
            content=content,
            timeout=httpx.Timeout(**{step: min(seconds, most) for step, seconds in TIMEOUTS.items()}),
        )

    def _before_body(self) -> None:
        """Allow the body of a write to be sent, unless its caller has left; without a body it has no effect."""
        with self._lock:
            if self._left_behind:
                raise httpx.WriteTimeout("left behind")
            self._scope.before_write()
            self.sent = True

    def _work(self, client: httpx.Client, request: httpx.Request) -> None:
        try:
            # An explicit auth that does nothing: neither a URL nor a netrc file may replace the header.
            response = client.send(request, stream=True, auth=httpx.Auth())
            try:
                self._outcome = ApiResponse(
                    status=response.status_code, headers=dict(response.headers), body=self._read(response)
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

    def _read(self, response: httpx.Response) -> bytes:
        chunks, size = [], 0
        for chunk in _decoded(response):
            size += len(chunk)
            if size > LARGEST_BODY or self._left_behind:
                raise _TooLargeError
            chunks.append(chunk)
        return b"".join(chunks)


class _Probe(_Exchange):
    """A request without a token, which reads only the beginning of the body."""

    def __init__(self, url: str, scope: CancelScope) -> None:
        super().__init__(ApiCall(method="GET", route=url), scope)

    def _build(self, client: httpx.Client, url: str, token: str) -> httpx.Request:
        # A little longer than the deadline, as above.
        return client.build_request("GET", url, headers={"Accept": "*/*"}, timeout=LONGEST_PROBE + _GRACE)

    def _read(self, response: httpx.Response) -> bytes:
        body = b""
        for chunk in _decoded(response):
            body += chunk
            if len(body) >= LARGEST_PROBED_BODY or self._left_behind:
                break
        return body[:LARGEST_PROBED_BODY]


class _Post(_Probe):
    """A probe with a body, which reads only the status."""

    thread = "ocean-migration-post"

    def __init__(self, url: str, body: Mapping[str, Any], scope: CancelScope) -> None:
        super().__init__(url, scope)
        self._content = json.dumps(body).encode()

    def _build(self, client: httpx.Client, url: str, token: str) -> httpx.Request:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self._content))}
        content = _GuardedBody(self._content, self._before_body)
        timeout = LONGEST_PROBE + _GRACE
        request = client.build_request("POST", url, headers=headers, content=content, timeout=timeout)
        request.url = _SecretUrl(request.url)
        return request

    def _read(self, response: httpx.Response) -> bytes:
        return b""


class _SecretUrl(httpx.URL):
    """A URL that is logged by httpx without anything but its host."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/..."

    def __repr__(self) -> str:
        return f"URL('{self}')"


class _Discretion(logging.Filter):
    """Drops httpcore's log of a POST to a secret URL: the headers of a redirect often repeat it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != _Post.thread


_DISCRETION = _Discretion()


class _GuardedBody:
    """The body of a request, with a check right before it is sent."""

    def __init__(self, content: bytes, before: Callable[[], None]) -> None:
        self._content = content
        self._before = before

    def __iter__(self) -> Iterator[bytes]:
        self._before()
        yield self._content


def _decoded(response: httpx.Response) -> Iterator[bytes]:
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
        raise SettingsError(f"{variable}: cannot be used ({type(exc).__name__})") from None


def _forget(error: BaseException) -> None:
    """Clear the frames of an error and its causes: some have the headers as they were sent."""
    cause: BaseException | None = error
    while cause is not None:
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__


def _reason(error: Exception) -> str:
    text = one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def program_version() -> str:
    """Return the name and version of this package, for the user agent and records."""
    try:
        return f"ocean-migration/{version('ocean-migration')}"
    except PackageNotFoundError:
        return "ocean-migration/0"
