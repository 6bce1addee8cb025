"""One HTTP exchange on real sockets: bounded, interruptible, and without any trace of httpx."""

from __future__ import annotations

import gzip
import inspect
import logging
import os
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from ocean_migration_pulumi.api import transport
from ocean_migration_pulumi.api.responses import CLUSTER, ApiCall, ApiResponse
from ocean_migration_pulumi.api.transport import Transport, UnansweredError
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    DeadlineError,
    EngineGoneError,
    InterruptedWaitError,
    NoAnswerError,
    ResponseError,
    SettingsError,
)
from tests.support import http_server as http
from tests.support.timing import PATIENCE, ends_soon

TOKEN = "canary-7f3a"
GET = ApiCall(method="GET", route=CLUSTER, ids={"ocean_id": "o-1"}, query={"accountId": "act-1"})
POST = ApiCall(method="POST", route=CLUSTER, ids={"ocean_id": "o-1"}, query={"accountId": "act-1"}, body={"a": 1})


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxies and certificates of whoever runs the tests."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


@contextmanager
def opened(url: str) -> Iterator[Transport]:
    """Return a transport that is closed in the end."""
    connections = Transport(url)
    try:
        yield connections
    finally:
        connections.close()


def exchange(call: ApiCall, *script: http.Step, scope: CancelScope | None = None) -> ApiResponse:
    """Send one call to a server with this script."""
    with http.ScriptedServer(script) as server, opened(server.url) as connections:
        return connections.exchange(call, TOKEN, scope or CancelScope())


def unanswered(call: ApiCall, *script: http.Step, scope: CancelScope | None = None) -> UnansweredError:
    """Return what an exchange without an answer raises."""
    with pytest.raises(UnansweredError) as caught:
        exchange(call, *script, scope=scope)
    return caught.value


def test_request_on_the_wire() -> None:
    """Token, account, agent and body are sent as documented; nothing else is."""
    with http.ScriptedServer([http.items(), http.items()]) as server, opened(server.url) as connections:
        connections.exchange(GET, TOKEN, CancelScope())
        connections.exchange(POST, TOKEN, CancelScope())
    get, post = server.requests
    assert (get.method, get.path, get.query) == ("GET", "/ocean/aws/k8s/cluster/o-1", {"accountId": "act-1"})
    assert get.headers["authorization"] == f"Bearer {TOKEN}"
    assert get.headers["user-agent"].startswith("ocean-migration/")
    assert "content-type" not in get.headers
    assert get.body == b""
    assert post.headers["content-type"] == "application/json"
    assert "transfer-encoding" not in post.headers
    assert post.json == {"a": 1}


def test_agent_of_a_copy_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that was never installed has no version, and works."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(transport, "version", missing)
    with http.ScriptedServer([http.items()]) as server, opened(server.url) as connections:
        connections.exchange(GET, TOKEN, CancelScope())
    assert server.requests[0].headers["user-agent"] == "ocean-migration/0"


def test_prefix_of_the_base_url_is_kept() -> None:
    """A service behind a path is reached there."""
    with http.ScriptedServer([http.items()]) as server, opened(f"{server.url}/spot") as connections:
        connections.exchange(GET, TOKEN, CancelScope())
    assert server.requests[0].path == "/spot/ocean/aws/k8s/cluster/o-1"


@pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 429, 500])
def test_every_status_is_an_answer(status: int) -> None:
    """What a status means is for others to judge; header names are in lower case."""
    answer = exchange(GET, http.answer(status, b"body", X_RateLimit_Reset="7", Location="http://127.0.0.1:1/"))
    assert (answer.status, answer.body, answer.headers["x-ratelimit-reset"]) == (status, b"body", "7")


def test_compressed_answer() -> None:
    """A compressed body arrives as it was."""
    assert exchange(GET, http.answer(200, gzip.compress(b"{}" * 999), Content_Encoding="gzip")).body == b"{}" * 999


@pytest.mark.parametrize("kind", ["plain", "compressed"])
def test_too_large_answer_is_cut_off(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer fills the memory, a compressed one neither."""
    monkeypatch.setattr(transport, "LARGEST_BODY", 1024 * 1024)
    body = b"x" * (1024 * 1024 + 1)
    step = (
        http.answer(200, gzip.compress(body), Content_Encoding="gzip")
        if kind == "compressed"
        else http.answer(200, body)
    )
    failure = unanswered(GET, step)
    assert isinstance(failure.error, ResponseError)
    assert "longer than 1 MiB" in str(failure)
    assert not failure.transient


@pytest.mark.parametrize(
    "step",
    [
        http.hang_up,
        http.reset,
        http.truncated(http.envelope()),
        http.raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
        http.raw(b"\x16\x03\x01"),
    ],
    ids=["hang-up", "reset", "truncated", "cut-header", "not-http"],
)
@pytest.mark.parametrize("call", [GET, POST], ids=["GET", "POST"])
def test_broken_connection(call: ApiCall, step: http.Step) -> None:
    """A connection that breaks is told apart from an answer; the body of a write was sent by then."""
    failure = unanswered(call, step)
    assert type(failure.error) is NoAnswerError
    assert failure.transient
    assert failure.sent == (call is POST)
    assert str(failure).startswith(f"{call}: no response from http://127.0.0.1:")


def test_bad_encoding_is_a_bad_answer() -> None:
    """A body that claims to be compressed and is not cannot be helped by asking again."""
    failure = unanswered(GET, http.answer(200, b"plain", Content_Encoding="gzip"))
    assert isinstance(failure.error, ResponseError)
    assert not failure.transient


def test_refused_connection_sends_nothing() -> None:
    """Where nobody listens nothing was sent, so that a write may be repeated."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with opened(url) as connections, pytest.raises(UnansweredError, match="Connection refused") as caught:
        connections.exchange(POST, TOKEN, CancelScope())
    assert caught.value.transient
    assert not caught.value.sent


def httpx_errors() -> list[Exception]:
    """Return one of each exception that httpx has."""
    found: list[Exception] = []
    for name in httpx.__all__:
        kind = getattr(httpx, name)
        if inspect.isclass(kind) and issubclass(kind, Exception):
            wanted = [name for name in inspect.signature(kind).parameters if name not in {"args", "kwargs"}]
            request = httpx.Request("GET", "http://127.0.0.1/", headers={"Authorization": TOKEN})
            values: dict[str, Any] = {"request": request, "response": httpx.Response(500, request=request)}
            found.append(kind(**{name: values.get(name, "text") for name in wanted}))
    return found


@pytest.mark.parametrize("error", httpx_errors(), ids=lambda error: type(error).__name__)
def test_no_httpx_exception_escapes(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever httpx raises, an error of this package is what arrives."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", fail)
    with opened("http://127.0.0.1:1") as connections, pytest.raises(UnansweredError) as caught:
        connections.exchange(GET, TOKEN, CancelScope())
    assert isinstance(caught.value.error, NoAnswerError)


def test_every_httpx_exception_is_tried() -> None:
    """The list above is not empty by mistake."""
    assert len(httpx_errors()) >= 25


def test_interruption_leaves_a_silent_server_at_once() -> None:
    """Ctrl-C ends the wait for an answer, although the socket is still waiting."""
    scope = CancelScope()
    with ends_soon():
        failure = unanswered(GET, http.setting(scope.ended, http.silence), scope=scope)
    assert isinstance(failure.error, InterruptedWaitError)


def test_deadline_ends_the_wait_for_an_answer() -> None:
    """A deadline bounds the call, and the message says which call."""
    failure = unanswered(GET, http.silence, scope=CancelScope().at_most(0.01))
    assert isinstance(failure.error, DeadlineError)
    assert str(failure) == "GET /ocean/aws/k8s/cluster/o-1: no response before the deadline"


def test_gone_engine_ends_the_wait_for_an_answer() -> None:
    """Nobody is there any more to hear the answer."""
    alive = iter([True, True])
    failure = unanswered(GET, http.silence, scope=CancelScope(alive=lambda: next(alive, False)))
    assert isinstance(failure.error, EngineGoneError)


def test_trickling_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte now and then cannot hold a call for ever."""
    monkeypatch.setattr(transport, "LONGEST_EXCHANGE", 0.01)
    failure = unanswered(GET, http.trickle)
    assert isinstance(failure.error, NoAnswerError)
    assert failure.transient


def test_answer_to_a_write_is_waited_for_a_moment() -> None:
    """A write under way when its engine goes still gets its answer, when that comes soon."""
    arrived, noticed = threading.Event(), threading.Event()

    def alive() -> bool:
        if arrived.is_set():
            noticed.set()
        return not arrived.is_set()

    def late(connection: http.Connection, request: http.Received) -> bool:
        arrived.set()
        return noticed.wait(PATIENCE) and http.items({"id": "owm-1"})(connection, request)

    assert exchange(POST, late, scope=CancelScope(alive=alive)).status == 200
    assert noticed.is_set()


def test_write_without_an_answer_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write under way when Ctrl-C comes is left behind in the end, and was sent."""
    monkeypatch.setattr(transport, "WRITE_GRACE", 0.01)
    scope = CancelScope()
    failure = unanswered(POST, http.setting(scope.ended, http.silence), scope=scope)
    assert isinstance(failure.error, InterruptedWaitError)
    assert failure.sent


def test_body_of_a_write_asks_right_before_it_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine is gone after the connection was made, the write has no body and so no effect."""
    asked = iter([True])  # by the check before the connection is made
    scope = CancelScope(alive=lambda: next(asked, False))
    with http.ScriptedServer([http.items()]) as server, opened(server.url) as connections:
        with pytest.raises(UnansweredError) as caught:
            connections.exchange(POST, TOKEN, scope)
        assert isinstance(caught.value.error, EngineGoneError)
        assert not caught.value.sent
    assert server.requests == []


def test_write_left_behind_before_its_body_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """An orphaned thread that only then gets its connection sends nothing any more."""
    connecting, go_on = threading.Event(), threading.Event()
    connect = httpx.HTTPTransport.handle_request

    def slowly(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        connecting.set()
        go_on.wait(PATIENCE)
        return connect(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", slowly)
    monkeypatch.setattr(transport, "LONGEST_EXCHANGE", 0.05)
    with http.ScriptedServer([http.items()]) as server, opened(server.url) as connections:
        with pytest.raises(UnansweredError) as caught:
            connections.exchange(POST, TOKEN, CancelScope())
        assert connecting.is_set()
        assert not caught.value.sent
        go_on.set()
        for thread in threading.enumerate():
            if thread.name == "ocean-migration-call":
                thread.join(PATIENCE)
    assert server.requests == []


def test_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A netrc entry for the host is not used."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with http.ScriptedServer([http.items()]) as server, opened(server.url) as connections:
        connections.exchange(GET, TOKEN, CancelScope())
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_loopback_is_not_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token for a simulator does not travel through a proxy in clear."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert exchange(GET, http.items()).status == 200


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other hosts are reached through the proxy, and one that refuses got no write."""
    with http.ScriptedServer([http.answer(502)]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{TOKEN}@127.0.0.1:{proxy.port}")
        with (
            opened("https://spot.example") as connections,
            pytest.raises(UnansweredError, match="proxy: 502") as caught,
        ):
            connections.exchange(POST, TOKEN, CancelScope())
    assert caught.value.transient
    assert not caught.value.sent
    assert TOKEN not in str(caught.value)
    assert [(request.method, request.target) for request in proxy.requests] == [("CONNECT", "spot.example:443")]
    assert f"Bearer {TOKEN}" not in str(proxy.requests)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", f"gopher://user:{TOKEN}@127.0.0.1"),
        ("https_proxy", f"http://{TOKEN}:99999"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
    ],
)
def test_bad_environment_is_named(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and certificates that cannot be used are a setting, and no password is shown."""
    monkeypatch.setenv(variable, value)
    with (
        opened("https://spot.example") as connections,
        pytest.raises(SettingsError, match=variable) as caught,
    ):
        connections.exchange(GET, TOKEN, CancelScope())
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody trusts yet."""
    return trustme.CA()


def tls_server(authority: trustme.CA, script: list[http.Step]) -> http.ScriptedServer:
    """Return a server with a certificate of this authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return http.ScriptedServer(script, tls=context)


def test_unknown_certificate_is_refused(authority: trustme.CA) -> None:
    """Certificates are verified on this machine, too, and nothing is sent before."""
    with (
        tls_server(authority, [http.items()]) as server,
        opened(server.url) as connections,
        pytest.raises(UnansweredError, match="the certificate is not trusted") as caught,
    ):
        connections.exchange(POST, TOKEN, CancelScope())
    assert not caught.value.sent
    assert server.requests == []


def test_certificate_file_of_the_environment(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that the environment trusts is trusted."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with tls_server(authority, [http.items()]) as server, opened(server.url) as connections:
        assert connections.exchange(POST, TOKEN, CancelScope()).status == 200


def test_token_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log at its most verbose, not in an exception, not in the request that an exception keeps."""
    with caplog.at_level(logging.DEBUG):
        exchange(GET, http.items())
        failure = unanswered(POST, http.reset)
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(traceback.format_exception(failure))
    assert isinstance(failure.__cause__, httpx.RequestError)
    assert "authorization" not in failure.__cause__.request.headers


def test_connections_are_reused() -> None:
    """Polls share a connection."""
    ports: list[int] = []

    def note_port(connection: http.Connection, request: http.Received) -> bool:
        ports.append(connection.socket.getpeername()[1])
        return http.items()(connection, request)

    with http.ScriptedServer([note_port, note_port]) as server, opened(server.url) as connections:
        connections.exchange(GET, TOKEN, CancelScope())
        connections.exchange(GET, TOKEN, CancelScope())
    assert len(set(ports)) == 1
