"""When a call is sent, with which token, and when again."""

from __future__ import annotations

import socket
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ocean_migration_pulumi.api.rate_limits import REFUSED
from ocean_migration_pulumi.api.responses import CLUSTER, ApiCall
from ocean_migration_pulumi.api.sender import FAILED, Sender
from ocean_migration_pulumi.api.settings import Settings, TokenSource
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import (
    AnswerLostError,
    AuthenticationError,
    DeadlineError,
    EngineGoneError,
    InterruptedWaitError,
    MissingTokenError,
    NoAnswerError,
    PermissionDeniedError,
    RateLimitError,
    RequestRejectedError,
    ResponseError,
    ServiceError,
)
from tests.support import http_server as http
from tests.support.fake_clock import FakeClock
from tests.support.timing import PATIENCE, ends_soon

GET = ApiCall(method="GET", route=CLUSTER, ids={"ocean_id": "o-1"}, query={"accountId": "act-1"})
PUT = ApiCall(method="PUT", route=CLUSTER, ids={"ocean_id": "o-1"}, query={"accountId": "act-1"}, body={"a": 1})
POST = ApiCall(method="POST", route=CLUSTER, ids={"ocean_id": "o-1"}, query={"accountId": "act-1"}, body={"a": 1})
calls = pytest.mark.parametrize("call", [GET, PUT, POST], ids=lambda call: call.method)
repeatable = pytest.mark.parametrize("call", [GET, PUT], ids=lambda call: call.method)

OK = http.items({"id": "x"})
TOO_MANY = http.answer(
    429, {"request": {"id": "r"}, "response": {"status": {"code": 429}, "data": "Rate limit exceeded"}}
)
UNAUTHORIZED = http.error(401)
HTML = b"<html><body>Bad Gateway</body></html>"


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock on which sleeps take no time."""
    return FakeClock()


@contextmanager
def serving(script: Iterable[http.Step], **settings: Any) -> Iterator[tuple[http.ScriptedServer, Sender]]:
    """Return a server with this script and a sender for it."""
    settings = {"token": "t"} | settings
    with http.ScriptedServer(script) as server:
        sender = Sender(Settings(base_url=server.url, **settings))
        try:
            yield server, sender
        finally:
            sender.close()


@repeatable
@pytest.mark.parametrize(
    "trouble",
    [
        http.answer(500, HTML),
        http.answer(502, HTML),
        http.error(503),
        http.answer(504),
        http.hang_up,
        http.reset,
        http.truncated(http.envelope()),
        http.answer(200, HTML),
    ],
    ids=["500", "502", "503", "504", "hang-up", "reset", "truncated", "200-html"],
)
def test_get_and_put_are_repeated(call: ApiCall, trouble: http.Step, clock: FakeClock) -> None:
    """What reads, or says the same twice, is sent until there is an answer."""
    with serving([trouble, trouble, OK]) as (server, sender):
        assert sender.send(call, clock.scope()) == http.envelope({"id": "x"})
    assert len(server.requests) == 3
    assert 0.5 <= clock.sleeps[0] <= 1.0
    assert 1.0 <= clock.sleeps[1] <= 1.5


@repeatable
@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (http.answer(502, HTML), ServiceError),
        (http.reset, NoAnswerError),
        (http.answer(200, HTML), ResponseError),
    ],
    ids=["502", "reset", "200-html"],
)
def test_attempts_are_bounded(call: ApiCall, trouble: http.Step, kind: type[Exception], clock: FakeClock) -> None:
    """In the end the trouble itself is what is raised."""
    with serving([trouble] * 9) as (server, sender), pytest.raises(kind) as caught:
        sender.send(call, clock.scope())
    assert type(caught.value) is kind
    assert len(server.requests) == FAILED.attempts


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (http.answer(501), ServiceError),
        (http.answer(404, HTML), ResponseError),
        (http.error(400), RequestRejectedError),
        (http.error(403), PermissionDeniedError),
        (http.answer(302, Location="/x"), ResponseError),
        (http.answer(201, http.envelope()), ResponseError),
    ],
    ids=["501", "404", "400", "403", "302", "201"],
)
@calls
def test_answers_that_will_not_change_are_not_asked_for_again(
    call: ApiCall, trouble: http.Step, kind: type[Exception], clock: FakeClock
) -> None:
    """A refusal is raised at once, for a POST everything that is no refusal is a lost answer."""
    with serving([trouble, OK]) as (server, sender), pytest.raises((kind, AnswerLostError)) as caught:
        sender.send(call, clock.scope())
    assert len(server.requests) == 1
    if call is not POST:
        assert type(caught.value) is kind


@pytest.mark.parametrize(
    "trouble",
    [
        http.answer(500, HTML),
        http.error(502),
        http.error(503),
        http.answer(504),
        http.answer(501),
        http.answer(408),
        http.answer(201, http.envelope({"id": "x"})),
        http.answer(303, Location="/x"),
        http.hang_up,
        http.reset,
        http.truncated(http.envelope()),
        http.answer(200, HTML),
        http.answer(200),
    ],
    ids=["500", "502", "503", "504", "501", "408", "201", "303", "hang-up", "reset", "truncated", "html", "empty"],
)
def test_post_that_may_have_had_its_effect_is_not_repeated(trouble: http.Step, clock: FakeClock) -> None:
    """One request goes out, and the error says that it may have worked."""
    with serving([trouble, OK]) as (server, sender), pytest.raises(AnswerLostError, match="may have taken effect"):
        sender.send(POST, clock.scope())
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 405, 413])
def test_post_that_was_refused_is_not_lost(status: int, clock: FakeClock) -> None:
    """A refusal says that nothing was done, even that of a proxy."""
    with serving([http.answer(status, HTML), OK]) as (server, sender), pytest.raises(ResponseError):
        sender.send(POST, clock.scope())
    assert len(server.requests) == 1


@calls
def test_refused_connection_is_tried_again(call: ApiCall, clock: FakeClock) -> None:
    """Nothing was sent, so that even a POST may be repeated."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    sender = Sender(Settings(base_url=url, token="t"))
    with pytest.raises(NoAnswerError) as caught:
        sender.send(call, clock.scope())
    assert type(caught.value) is NoAnswerError
    assert len(clock.sleeps) == FAILED.attempts - 1
    sender.close()


def test_retry_after_of_a_503(clock: FakeClock) -> None:
    """A service that says when to come back is believed, within reason."""
    script = [http.answer(503, Retry_After="17"), http.answer(503, Retry_After="9999"), OK]
    with serving(script) as (_, sender):
        sender.send(GET, clock.scope())
    assert clock.sleeps == [17, 60]


def test_no_attempt_that_would_come_too_late(clock: FakeClock) -> None:
    """When no time is left for another attempt the trouble is raised, not the deadline."""
    with serving([http.answer(503, Retry_After="17"), OK]) as (server, sender), pytest.raises(ServiceError):
        sender.send(GET, clock.scope(seconds=10))
    assert clock.sleeps == []
    assert len(server.requests) == 1


@calls
def test_too_many_requests(call: ApiCall, clock: FakeClock) -> None:
    """After a 429, which had no effect, the reset is waited out and the request sent again, a POST too."""
    limited = http.answer(429, http.refusal(429), X_RateLimit_Remaining="0", X_RateLimit_Reset="42", Retry_After="7")
    with serving([limited, OK]) as (server, sender):
        sender.send(call, clock.scope())
    assert clock.sleeps == [42]
    assert len(server.requests) == 2


def test_too_many_requests_by_retry_after(clock: FakeClock) -> None:
    """Without the service's own header the standard one counts."""
    with serving([http.answer(429, HTML, Retry_After="7"), OK]) as (_, sender):
        sender.send(GET, clock.scope())
    assert clock.sleeps == [7]


def test_refusals_are_bounded_by_themselves(clock: FakeClock) -> None:
    """More refusals are borne than failures, but not for ever."""
    with serving([TOO_MANY] * (REFUSED.attempts + 1)) as (server, sender), pytest.raises(RateLimitError) as caught:
        sender.send(GET, clock.scope())
    assert len(server.requests) == REFUSED.attempts
    assert caught.value.request_id == "r"


def test_rate_limit_in_a_preview(clock: FakeClock) -> None:
    """A short operation learns of a reset beyond its end at once, whoever met the limit first."""
    limited = http.answer(429, http.refusal(429), X_RateLimit_Reset="42")
    with serving([limited, OK]) as (server, sender):
        for _ in range(2):
            with pytest.raises(RateLimitError) as caught:
                sender.send(GET, clock.scope(seconds=5, short=True))
            assert caught.value.reset == 42
    assert clock.sleeps == []
    assert len(server.requests) == 1


def test_budget_is_shared_by_everyone_in_the_process(clock: FakeClock) -> None:
    """What one client learns of a route holds for another one of the same account, and for nothing else."""
    used_up = http.items(X_RateLimit_Remaining="0", X_RateLimit_Reset="42")
    other_account = ApiCall(method="GET", route=CLUSTER, ids={"ocean_id": "o-1"}, query={"accountId": "act-2"})
    with serving([used_up, OK, OK, OK]) as (server, sender):
        second = Sender(Settings(base_url=server.url, token="t"))
        sender.send(GET, clock.scope())
        sender.send(PUT, clock.scope())
        sender.send(other_account, clock.scope())
        assert clock.sleeps == []
        second.send(GET, clock.scope())
        assert clock.sleeps == [42]
        second.close()


def test_pollers_queue_up(clock: FakeClock) -> None:
    """Of many pollers that wait for one reset none is refused again: each learns from the one before."""
    window = {"left": 1}
    lock = threading.Lock()

    def limited(connection: http.Connection, request: http.Received) -> bool:
        with lock:
            window["left"] -= 1
            left = window["left"]
            if left == 0:
                window["left"] = 3  # it slides on: after the reset three more are allowed
        if left < 0:
            return TOO_MANY(connection, request)
        return http.items(X_RateLimit_Remaining=str(left), X_RateLimit_Reset="0.01" if left == 0 else "0")(
            connection, request
        )

    with serving([limited] * 40) as (server, sender):
        sender.send(GET, CancelScope())
        threads = [threading.Thread(target=sender.send, args=(GET, CancelScope())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    assert len(server.requests) == 9


@calls
def test_interruption_ends_a_backoff_at_once(call: ApiCall) -> None:
    """Ctrl-C ends the sleep between two attempts, and no other attempt follows."""
    scope = CancelScope()
    trouble = http.answer(429, HTML, Retry_After="60") if call is POST else http.answer(503, Retry_After="60")
    with serving([trouble, OK]) as (server, sender):
        sleeping = replace(scope, wait=lambda event, seconds: (event.set(), event.wait(seconds))[1])
        with ends_soon(), pytest.raises(InterruptedWaitError):
            sender.send(call, sleeping)
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", [PUT, POST], ids=lambda call: call.method)
def test_gone_engine_writes_nothing(call: ApiCall) -> None:
    """Each attempt of a write asks first whether it may still be sent."""
    with serving([OK]) as (server, sender), pytest.raises(EngineGoneError):
        sender.send(call, CancelScope(alive=lambda: False))
    assert server.requests == []


def test_interrupted_post_under_way_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A POST that was sent when Ctrl-C came may have had its effect; a PUT is simply interrupted."""
    monkeypatch.setattr("ocean_migration_pulumi.api.transport.WRITE_GRACE", 0.01)
    for call, kind in ((POST, AnswerLostError), (PUT, InterruptedWaitError)):
        scope = CancelScope()
        with serving([http.setting(scope.ended, http.silence)]) as (_, sender), pytest.raises(kind):
            sender.send(call, scope)


def test_deadline_of_a_call() -> None:
    """A server that never answers does not outlast the deadline."""
    with serving([http.silence]) as (_, sender), pytest.raises(DeadlineError, match="GET /ocean"):
        sender.send(GET, CancelScope().at_most(0.01))


def test_no_token(clock: FakeClock) -> None:
    """Without a token nothing is sent, and the message says where to put one."""
    with serving([OK], token=None) as (server, sender), pytest.raises(MissingTokenError, match="SPOTINST_TOKEN"):
        sender.send(GET, clock.scope())
    assert server.requests == []


def tokens(server: http.ScriptedServer) -> list[str]:
    """Return the tokens of the requests."""
    return [request.headers["authorization"].removeprefix("Bearer ") for request in server.requests]


@calls
def test_rotated_token(call: ApiCall, clock: FakeClock) -> None:
    """After a 401 the next source is tried, a POST too, and what worked is used from then on."""
    others = (TokenSource(name="SPOTINST_TOKEN", token="t2"), TokenSource(name="file", token="t3"))
    with serving([UNAUTHORIZED, OK, OK], token="t1", alternatives=others) as (server, sender):
        sender.send(call, clock.scope())
        sender.send(call, clock.scope())
    assert tokens(server) == ["t1", "t2", "t2"]


def test_every_token_refused(clock: FakeClock) -> None:
    """When none works the message names the sources and `--run-program`; later all are tried again."""
    others = (TokenSource(name="SPOTINST_TOKEN", token="canary-2"),)
    settings = {"token": "canary-1", "sources": {"token": "stack config ocean-migration:token"}, "alternatives": others}
    with serving([UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED, OK], **settings) as (server, sender):
        with pytest.raises(AuthenticationError) as caught:
            sender.send(GET, clock.scope())
        sender.send(GET, clock.scope())
    assert tokens(server) == ["canary-1", "canary-2", "canary-1", "canary-2"]
    message = str(caught.value)
    assert "stack config ocean-migration:token and SPOTINST_TOKEN" in message
    assert "--run-program" in message
    assert message.endswith("(HTTP 401, request req-1)")
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_alternative_alone_is_enough(clock: FakeClock) -> None:
    """Settings that only have other sources use these."""
    others = (TokenSource(name="file", token="t3"),)
    with serving([OK], token=None, alternatives=others) as (server, sender):
        sender.send(GET, clock.scope())
    assert tokens(server) == ["t3"]


def test_token_that_an_answer_quotes_is_not_shown(clock: FakeClock) -> None:
    """A proxy that reports the request it refused does not get the token into a message."""
    quoted = http.error(400, {"code": "X", "message": "you sent Authorization: Bearer canary-1"})
    with serving([quoted], token="canary-1") as (_, sender), pytest.raises(RequestRejectedError) as caught:
        sender.send(GET, clock.scope())
    assert "Bearer [token]" in str(caught.value)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_server_time(clock: FakeClock) -> None:
    """The time is the local one until an answer says otherwise; what is no date changes nothing."""
    dates = [
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "soon",
        "Wed, 21 Oct 2015 07:28:00 -0000",
        "Wed, 99 Oct 2015 07:28:00 GMT",
    ]
    with serving([http.items(Date=date) for date in dates]) as (_, sender):
        assert abs(sender.server_now() - datetime.now(UTC)) < timedelta(seconds=10)
        for _ in dates:
            sender.send(GET, clock.scope())
            assert abs(sender.server_now() - datetime(2015, 10, 21, 7, 28, tzinfo=UTC)) < timedelta(seconds=10)


def test_one_date_ahead_of_the_others_is_not_believed(clock: FakeClock) -> None:
    """A minute is, and an hour once a second response confirms it; a clock that is set back counts at once."""
    times = ["07:00:00", "08:00:00", "07:00:30", "08:00:00", "08:00:01", "07:00:31"]
    believed = ["07:00:00", "07:00:00", "07:00:30", "07:00:30", "08:00:01", "07:00:31"]
    with serving([http.items(Date=f"Wed, 21 Oct 2015 {time} GMT") for time in times]) as (_, sender):
        for time in believed:
            sender.send(GET, clock.scope())
            expected = datetime.fromisoformat(f"2015-10-21T{time}+00:00")
            assert abs(sender.server_now() - expected) < timedelta(seconds=15)
