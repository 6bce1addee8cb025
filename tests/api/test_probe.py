"""The look at a URL of someone else: bounded, and without anything of ours."""

from __future__ import annotations

import os
import ssl
import threading

import pytest
import trustme

from ocean_migration_pulumi.api import single_requests
from ocean_migration_pulumi.api.responses import ApiResponse
from ocean_migration_pulumi.api.single_requests import probe
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, EngineGoneError, InterruptedWaitError, NoAnswerError
from tests.support import http_server as http
from tests.support.timing import ends_soon


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxies and certificates of whoever runs the tests."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


def look(*script: http.Step, scope: CancelScope | None = None) -> ApiResponse:
    """Look once at a server with this script."""
    with http.ScriptedServer(script) as server:
        return probe(f"{server.url}/health", scope or CancelScope())


def refusal(*script: http.Step, scope: CancelScope | None = None) -> str:
    """Return the reason of a look without an answer."""
    with pytest.raises(NoAnswerError) as caught:
        look(*script, scope=scope)
    return str(caught.value)


def test_request_on_the_wire() -> None:
    """A GET with the query as it is, without token, account or cookie, on a connection of its own each time."""
    with http.ScriptedServer([http.answer(200, b"ok", Set_Cookie="a=b"), http.answer(503)]) as server:
        url = f"{server.url}/health?a=1&b=%20"
        answers = [probe(url, CancelScope()), probe(url, CancelScope())]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok"), (503, b"")]
    for request in server.requests:
        assert (request.method, request.target, request.body) == ("GET", "/health?a=1&b=%20", b"")
        assert not {"authorization", "cookie", "content-type"} & request.headers.keys()
        assert "ocean-migration" in request.headers["user-agent"]


def test_netrc_gives_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]) -> None:
    """What a machine knows of a host is not for a look at it."""
    path = os.path.join(tmp_path, "netrc")
    with open(path, "w", encoding="utf-8") as file:
        file.write("default login somebody password canary\n")
    monkeypatch.setenv("NETRC", path)
    with http.ScriptedServer([http.answer(200)]) as server:
        probe(server.url, CancelScope())
    assert "authorization" not in server.requests[0].headers


def test_redirect_is_an_answer() -> None:
    """It is not followed."""
    with http.ScriptedServer([http.answer(302, Location="/elsewhere"), http.answer(200)]) as server:
        assert probe(server.url, CancelScope()).status == 302
    assert len(server.requests) == 1


def test_long_body_is_cut() -> None:
    """Its beginning is read and no more, however much is promised."""
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * 200_000
    assert look(http.raw(endless)).body == b"x" * single_requests.LARGEST_PROBED_BODY


def test_loopback_is_not_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on this machine is."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with http.ScriptedServer([http.answer(200)] * 2) as server:
        assert probe(server.url, CancelScope()).status == 200
        assert probe(f"http://localhost:{server.port}", CancelScope()).status == 200


@pytest.mark.parametrize(
    ("step", "reason"),
    [(http.hang_up, "no response: Server disconnected"), (http.reset, "no response: Connection reset by peer")],
    ids=["hang up", "reset"],
)
def test_no_answer_is_told(step: http.Step, reason: str) -> None:
    """On one line, without the URL, and it is not asked twice."""
    told = refusal(step, http.answer(200))
    assert told.startswith(reason)
    assert "\n" not in told
    assert "127.0.0.1" not in told


def test_nobody_listens() -> None:
    """As when a service is not up yet."""
    with pytest.raises(NoAnswerError, match="no response: Connection refused"):
        probe("http://127.0.0.1:9/health", CancelScope())


def test_certificate_that_is_not_trusted_is_told() -> None:
    """Certificates are always verified."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with (
        http.ScriptedServer([http.answer(200)], tls=tls) as server,
        pytest.raises(NoAnswerError, match="the certificate is not"),
    ):
        probe(server.url, CancelScope())


@pytest.mark.parametrize("step", [http.silence, http.trickle], ids=["silence", "trickle"])
def test_slow_answer_is_none(step: http.Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is slow."""
    monkeypatch.setattr(single_requests, "LONGEST_PROBE", 0.2)
    with ends_soon():
        assert refusal(step) == "no response within 0.2 s"


def test_scope_ends_it() -> None:
    """At once, each with its own reason."""
    with pytest.raises(DeadlineError, match="the deadline has passed"):
        look(http.silence, scope=CancelScope().at_most(0.1))
    ended = threading.Event()
    with pytest.raises(InterruptedWaitError):
        look(http.setting(ended, http.silence), scope=CancelScope(ended=ended))
    with pytest.raises(EngineGoneError):
        look(http.silence, scope=CancelScope(alive=lambda: False))
