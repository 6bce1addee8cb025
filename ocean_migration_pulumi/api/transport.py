"""One HTTP exchange, bounded and interruptible; the only importer of httpx."""

from __future__ import annotations

import json
import logging
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
from ocean_migration_pulumi.common.loopback import is_loopback
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.errors import (
    DeadlineError,
    NoAnswerError,
    OceanMigrationError,
    SettingsError,
    WaitEndedError,
)

TIMEOUTS = {"connect": 10.0, "read": 30.0, "write": 10.0, "pool": 10.0}
"""Seconds for each step of an exchange."""
LONGEST_EXCHANGE = 60.0
"""Seconds for a request and its whole answer: the timeout of a read alone never ends an answer that trickles."""
WRITE_GRACE = 0.75
"""Seconds that the answer to a write under way may still take once its scope has ended: its effect is worth knowing."""
LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of an answer, decompressed."""
LONGEST_PROBE = 5.0
"""Seconds for a probe and its whole answer."""
LARGEST_PROBED_BODY = 64 * 1024
"""Bytes of the answer to a probe that are read, decompressed; what follows is left out."""

# Shorter than the time after which servers close idle connections (5 s and more): a POST that meets a connection just
# closed could not be told from one whose answer was lost.
_KEEP_ALIVE = 3.0
# Each blows a piece up a thousandfold at most; one inside of another, or a newer one, could fill the memory with one.
_CODINGS = ("gzip", "deflate")
_LOOK_AROUND = 0.05
_GRACE = 0.5

_HTTPX_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
_TRANSIENT_ERRORS = (httpx.TimeoutException, httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError, OSError)


class UnansweredError(Exception):
    """An exchange without an answer.

    ``error`` is what to raise for it, ``sent`` tells whether the body of the request went out (so that the service may
    have acted on it), ``transient`` whether to try again can help, and ``begun`` whether anything was tried at all.
    """

    def __init__(self, error: OceanMigrationError, *, sent: bool, transient: bool = False, begun: bool = True) -> None:
        super().__init__(str(error))
        self.error = error
        self.sent = sent
        self.transient = transient
        self.begun = begun


class Transport:
    """The connections to one base URL; thread-safe.

    Certificates are always verified and redirects never followed. Proxies and certificate files come from the
    environment, but nothing on this machine is reached through a proxy.
    """

    def __init__(self, base_url: str, *, is_loopback: bool) -> None:
        self._base_url = base_url
        self._trust_env = not is_loopback
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def exchange(self, call: ApiCall, token: str, scope: CancelScope) -> ApiResponse:
        """Send a call once and return the answer, whatever its status.

        ``scope.before_write()`` is asked again right before the body of a request goes out. Raises UnansweredError, and
        SettingsError when the environment's proxies or certificates cannot be used.
        """
        client = self._open()
        exchange = _Exchange(call, scope)
        try:
            return exchange.run(client, self._base_url + call.path, token)
        except DeadlineError as exc:
            late = DeadlineError(f"{call}: no answer before the deadline")
            raise UnansweredError(late, sent=exchange.sent, begun=exchange.begun) from exc
        except WaitEndedError as exc:
            raise UnansweredError(exc, sent=exchange.sent, begun=exchange.begun) from exc.__cause__
        except _TooLargeError as exc:
            unusable = responses.unusable_answer(call, f"longer than {LARGEST_BODY // 1024**2} MiB")
            raise UnansweredError(unusable, sent=exchange.sent) from exc
        except httpx.DecodingError as exc:
            raise UnansweredError(responses.unusable_answer(call, _reason(exc)), sent=exchange.sent) from exc
        except (*_HTTPX_ERRORS, OSError) as exc:
            error = NoAnswerError(f"{call}: no answer from {self._base_url}: {_reason(exc)}")
            raise UnansweredError(error, sent=exchange.sent, transient=isinstance(exc, _TRANSIENT_ERRORS)) from exc

    def _open(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                try:
                    self._client = httpx.Client(
                        headers={
                            "User-Agent": program_version(),
                            "Accept": "application/json",
                            "Accept-Encoding": ", ".join(_CODINGS),
                        },
                        verify=_certificates(self._base_url),
                        follow_redirects=False,
                        trust_env=self._trust_env,
                        limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
                    )
                except (*_HTTPX_ERRORS, ImportError, OSError, ValueError) as exc:
                    # What exactly is wrong may quote the password of a proxy.
                    msg = (
                        "the proxy or certificate variables of the environment cannot be used "
                        f"(HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR): {type(exc).__name__}"
                    )
                    raise SettingsError(msg) from None
            return self._client


def probe(url: str, scope: CancelScope) -> ApiResponse:
    """GET a URL that is not the service's, once, and return the answer, whatever its status.

    Nothing of ours goes there: no token, no account, no cookie. ``scope`` bounds it, and 5 seconds. Raises
    NoAnswerError, a WaitEndedError, or SettingsError when the environment's proxies or certificates cannot be used.
    """
    # One for each probe: a connection that is kept says nothing of the next one.
    transport = Transport(url, is_loopback=is_loopback(url))
    try:
        return _Probe(url, scope.at_most(LONGEST_PROBE)).run(transport._open(), url, "")
    except DeadlineError:
        scope.check()
        msg = f"no answer within {LONGEST_PROBE:g} s"
        raise NoAnswerError(msg) from None
    except (*_HTTPX_ERRORS, OSError) as exc:
        msg = f"no answer: {_reason(exc)}"
        raise NoAnswerError(msg) from exc
    finally:
        transport.close()


def post(url: str, body: Mapping[str, Any], scope: CancelScope) -> ApiResponse:
    """POST JSON to a URL that is not the service's, once, and return the answer without its body, whatever its status.

    As with a probe nothing of ours goes there but the body, ``scope`` bounds it, and so do 5 seconds; what is raised is
    the same, too. The URL is a secret: no error tells it.
    """
    logging.getLogger("httpcore.http11").addFilter(_DISCRETION)
    transport = Transport(url, is_loopback=is_loopback(url))
    try:
        return _Post(url, body, scope.at_most(LONGEST_PROBE)).run(transport._open(), url, "")
    except DeadlineError:
        scope.check()
        msg = f"no answer within {LONGEST_PROBE:g} s"
        raise NoAnswerError(msg) from None
    except (*_HTTPX_ERRORS, OSError) as exc:
        # What else went wrong may quote what the server has made of the URL.
        told = _reason(exc) if isinstance(exc, (httpx.NetworkError, OSError)) else type(exc).__name__
        msg = f"no answer: {told}"
        raise NoAnswerError(msg) from None
    finally:
        transport.close()


class _TooLargeError(Exception):
    """The body of an answer is longer than any answer of the service."""


class _Exchange:
    """A request in a thread of its own, so that whoever asked can leave it behind at once."""

    thread = "ocean-migration-call"

    def __init__(self, call: ApiCall, scope: CancelScope) -> None:
        self.begun = False
        self.sent = False
        self._call = call
        self._scope = scope
        self._lock = threading.Lock()
        self._left_behind = False
        self._done = threading.Event()
        self._outcome: ApiResponse | Exception = RuntimeError("the exchange ended without an outcome")

    def run(self, client: httpx.Client, url: str, token: str) -> ApiResponse:
        """Return the answer; raise what ended the exchange, or the wait for it."""
        self._scope.check()
        request = self._build(client, url, token)
        ends = time.monotonic() + LONGEST_EXCHANGE
        self.begun = True
        threading.Thread(target=self._work, args=(client, request), name=self.thread, daemon=True).start()
        try:
            while not self._done.wait(_LOOK_AROUND):
                try:
                    self._scope.check()
                except WaitEndedError:
                    if self.sent and self._done.wait(WRITE_GRACE):
                        break
                    raise
                if time.monotonic() >= ends:
                    msg = f"the exchange took longer than {LONGEST_EXCHANGE:g} s"
                    raise httpx.ReadTimeout(msg)
        finally:
            with self._lock:
                self._left_behind = True
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _build(self, client: httpx.Client, url: str, token: str) -> httpx.Request:
        left = self._scope.remaining()
        # A little longer than the deadline: that it has passed is for the one to say who waits.
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
        """Let the body of a write go out, unless nobody waits for it any more; without its body it has no effect."""
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
        except Exception as exc:  # noqa: BLE001  # raised again in the thread of whoever asked
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
    """A request of nobody: without a token, and content with the beginning of the body."""

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
    """The same with a body; of the answer the status alone counts."""

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
    """A URL of whose text, which httpx logs, nothing is told but the host."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/..."

    def __repr__(self) -> str:
        return f"URL('{self}')"


class _Discretion(logging.Filter):
    """Keeps back what httpcore logs of a POST to a secret URL: the headers of a redirect often repeat it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.threadName != _Post.thread


_DISCRETION = _Discretion()


class _GuardedBody:
    """The body of a request that asks before it goes out."""

    def __init__(self, content: bytes, before: Callable[[], None]) -> None:
        self._content = content
        self._before = before

    def __iter__(self) -> Iterator[bytes]:
        self._before()
        yield self._content


def _decoded(response: httpx.Response) -> Iterator[bytes]:
    """Return the body piece by piece, decompressed; raise httpx.DecodingError for what was not to be sent."""
    coding = response.headers.get("Content-Encoding", "").strip().casefold()
    if coding not in {"", "identity", *_CODINGS}:
        msg = "the body is encoded in a way that was not asked for"
        raise httpx.DecodingError(msg, request=response.request)
    return response.iter_bytes()


def _certificates(base_url: str) -> ssl.SSLContext:
    """Return who is trusted: for plain http, where nobody is asked, nobody, as to read the authorities takes long."""
    if base_url.casefold().startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context()


def _forget(error: BaseException) -> None:
    """Take the variables of functions out of an error and its causes: some hold the headers as they are sent."""
    told: BaseException | None = error
    while told is not None:
        traceback.clear_frames(told.__traceback__)
        told = told.__cause__ or told.__context__


def _reason(error: Exception) -> str:
    text = one_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def program_version() -> str:
    """Return the name and version of this package, as requests and records tell them."""
    try:
        return f"ocean-migration/{version('ocean-migration')}"
    except PackageNotFoundError:
        return "ocean-migration/0"
