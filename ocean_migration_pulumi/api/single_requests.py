"""Single requests to URLs outside of Spot's API: probes, and messages to a webhook."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from ocean_migration_pulumi.api.responses import ApiCall, ApiResponse
from ocean_migration_pulumi.api.transport import (
    GRACE,
    HTTPX_ERRORS,
    GuardedBody,
    HttpExchange,
    Transport,
    decoded_pieces,
    describe_error,
    describe_kind,
)
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, NoAnswerError

LONGEST_PROBE = 5.0
"""Seconds for a request and its complete response."""
LARGEST_PROBED_BODY = 64 * 1024
"""Bytes of the response to a probe that are read, decompressed."""


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
    return _exchange_alone(url, _Probe(url, scope.at_most(LONGEST_PROBE)), scope, describe_error)


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
        return describe_error(error) if isinstance(error, (httpx.NetworkError, OSError)) else describe_kind(error)

    return _exchange_alone(url, _Post(url, body, scope.at_most(LONGEST_PROBE)), scope, describe)


def _exchange_alone(
    url: str, exchange: HttpExchange, scope: CancelScope, describe: Callable[[Exception], str]
) -> ApiResponse:
    # A connection of its own: one that is kept open would say nothing about the next probe.
    transport = Transport(url)
    try:
        return exchange.run(transport.open_client(), url, "")
    except DeadlineError:
        scope.check()
        raise NoAnswerError(f"no response within {LONGEST_PROBE:g} s") from None
    except (*HTTPX_ERRORS, OSError) as exc:
        raise NoAnswerError(f"no response: {describe(exc)}") from None
    finally:
        transport.close()


class _Probe(HttpExchange):
    """A request without a token, which reads only the beginning of the body."""

    def __init__(self, url: str, scope: CancelScope) -> None:
        super().__init__(ApiCall(method="GET", route=url), scope)

    def build_request(self, client: httpx.Client, url: str, token: str) -> httpx.Request:
        return client.build_request("GET", url, headers={"Accept": "*/*"}, timeout=LONGEST_PROBE + GRACE)

    def read_body(self, response: httpx.Response) -> bytes:
        body = b""
        for chunk in decoded_pieces(response):
            body += chunk
            if len(body) >= LARGEST_PROBED_BODY or self.left_behind:
                break
        return body[:LARGEST_PROBED_BODY]


class _Post(_Probe):
    """A probe with a body, which reads only the status."""

    thread = "ocean-migration-post"

    def __init__(self, url: str, body: Mapping[str, Any], scope: CancelScope) -> None:
        super().__init__(url, scope)
        self._content = json.dumps(body).encode()

    def build_request(self, client: httpx.Client, url: str, token: str) -> httpx.Request:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(self._content))}
        content = GuardedBody(self._content, self.before_body)
        timeout = LONGEST_PROBE + GRACE
        request = client.build_request("POST", url, headers=headers, content=content, timeout=timeout)
        request.url = _SecretUrl(request.url)
        return request

    def read_body(self, response: httpx.Response) -> bytes:
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
