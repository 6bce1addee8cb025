"""Notifications on the wire, against a real server: what is posted, what is repeated, and that nobody waits."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ocean_migration_pulumi.migration.reconcile.events import Event, EventKind
from ocean_migration_pulumi.resource import notifier as notifications
from ocean_migration_pulumi.resource.notifier import Notifier, body_for
from tests.support import http_server as http
from tests.support.timing import PATIENCE, ends_soon, until
from tests.test_docs import rows, section

ROOT = Path(__file__).parents[2]
SLACK = "https://hooks.slack.com/services/T0/B0/canary"
EVENT = Event(
    kind=EventKind.FAILED,
    ocean_id="o-12345678",
    migration_id="owm-12345678",
    resource="web",
    state="FINISHED_ERROR",
    nodes_done=1,
    nodes=2,
    pods_left=3,
    message="migration owm-12345678 failed after 12s, 1 of 2 nodes done: Ocean lost the connection to the cluster",
    reason="connectivity",
    remedy="Make sure that the Ocean Controller runs",
    at="2026-01-02T03:04:05.678Z",
)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxies of whoever runs the tests, and without a pause before a repeat."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(notifications, "FAILED", replace(notifications.FAILED, initial_wait=0.0))


def deliver(*script: http.Step, path: str = "/hook/canary", events: int = 1) -> tuple[list[http.Received], list[str]]:
    """Announce events to a server with this script; return what it was sent, and what was told."""
    told: list[str] = []
    with http.ScriptedServer(script) as server:
        notifier = Notifier([server.url + path], tell=told.append)
        for number in range(events):
            notifier.announce(replace(EVENT, nodes_done=number))
        notifier.drain(PATIENCE)
    return server.requests, told


def test_event_on_the_wire(caplog: pytest.LogCaptureFixture) -> None:
    """One POST of JSON, to the URL as it is, without token, account or cookie; no log has the URL."""
    caplog.set_level("DEBUG")
    (request,), told = deliver(http.answer(204), path="/hook/canary?key=a%20b")
    assert (request.method, request.target) == ("POST", "/hook/canary?key=a%20b")
    assert request.json == replace(EVENT, nodes_done=0).to_json()
    assert request.headers["content-type"] == "application/json"
    assert not {"authorization", "cookie"} & request.headers.keys()
    assert told == []
    assert "HTTP Request: POST http://127.0.0.1/..." in caplog.text
    assert "canary" not in caplog.text


def test_events_arrive_in_their_order() -> None:
    """However many wait."""
    requests, told = deliver(*[http.answer(200)] * 5, events=5)
    assert [request.json["nodes_done"] for request in requests] == [0, 1, 2, 3, 4]
    assert told == []


@pytest.mark.parametrize(
    "first",
    [http.answer(500), http.answer(429), http.hang_up, http.reset],
    ids=["500", "429", "hang up", "reset"],
)
def test_what_may_help_is_repeated_once(first: http.Step) -> None:
    """A server that fails, or gives no answer, is asked once more, and nobody hears of it."""
    requests, told = deliver(first, http.answer(200))
    assert len(requests) == 2
    assert requests[0].body == requests[1].body
    assert told == []


@pytest.mark.parametrize(
    ("script", "asked", "reason"),
    [
        ([http.answer(500), http.answer(503)], 2, "HTTP 503"),
        ([http.answer(404)], 1, "HTTP 404"),
        ([http.answer(302, Location="http://127.0.0.1:9/canary")], 1, "HTTP 302"),
        ([http.hang_up, http.hang_up], 2, "no response: the connection ended without a valid"),
        (
            [http.raw(b"nothing of HTTP canary\r\n\r\n")] * 2,
            2,
            "no response: the connection ended without a valid response",
        ),
    ],
    ids=["5xx", "4xx", "redirect", "hang up", "no HTTP"],
)
def test_what_was_not_delivered_is_told_in_a_line(script: list[http.Step], asked: int, reason: str) -> None:
    """With the host, and nothing else of the URL; a redirect is not followed."""
    requests, (line,) = deliver(*script)
    assert len(requests) == asked
    assert line.startswith(f"notification to 127.0.0.1 not delivered: {reason}")
    assert "canary" not in line
    assert "\n" not in line


def test_trouble_with_a_host_is_told_once() -> None:
    """Whatever becomes of what follows."""
    requests, told = deliver(*[http.answer(404)] * 3, events=3)
    assert len(requests) == 3
    assert told == ["notification to 127.0.0.1 not delivered: HTTP 404"]


def test_nobody_listens_there() -> None:
    """A closed port is told like anything else."""
    told: list[str] = []
    with http.ScriptedServer([]) as server:
        url = f"{server.url}/hook/canary"
    notifier = Notifier([url], tell=told.append)
    notifier.announce(EVENT)
    notifier.drain(PATIENCE)
    (line,) = told
    assert line.startswith("notification to 127.0.0.1 not delivered: no response: Connection refused")
    assert "canary" not in line


def test_proxies_that_cannot_be_used_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not repeated, and not quoted."""
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://user:canary@proxy.example")
    told: list[str] = []
    notifier = Notifier(["https://chat.example/canary"], tell=told.append)
    notifier.announce(EVENT)
    notifier.drain(PATIENCE)
    (line,) = told
    assert line.startswith("notification to chat.example not delivered: HTTPS_PROXY: the scheme of the proxy")
    assert "canary" not in line


def test_slow_server_holds_up_neither_run_nor_other_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """To announce takes no time, the end waits for as long as it is told, and the others have it long before."""
    told: list[str] = []
    arrived = threading.Event()
    with (
        http.ScriptedServer([http.silence]) as slow,
        http.ScriptedServer([http.setting(arrived, http.answer(200))]) as quick,
    ):
        notifier = Notifier([f"{slow.url}/canary", f"{quick.url}/canary"], tell=told.append)
        with ends_soon():
            notifier.announce(EVENT)
            assert arrived.wait(PATIENCE)
            notifier.drain(0.2)
        assert told == ["notification to 127.0.0.1 not delivered: no response by the end of the run"]


def test_answer_that_never_comes_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt is bounded, whatever the server does."""
    monkeypatch.setattr("ocean_migration_pulumi.api.single_requests.LONGEST_PROBE", 0.2)
    requests, (line,) = deliver(http.silence, http.trickle)
    assert len(requests) == 2
    assert line == "notification to 127.0.0.1 not delivered: no response within 0.2 s"


def test_too_many_that_wait_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not answer fills no memory."""
    monkeypatch.setattr(notifications, "MOST_WAITING", 2)
    told: list[str] = []
    arrived, goes_on = threading.Event(), threading.Event()

    def held(connection: http.Connection, request: http.Received) -> bool:
        arrived.set()
        goes_on.wait(PATIENCE)
        return http.answer(200)(connection, request)

    with http.ScriptedServer([held, *[http.answer(200)] * 9]) as server:
        notifier = Notifier([f"{server.url}/canary"], tell=told.append)
        notifier.announce(EVENT)
        assert arrived.wait(PATIENCE)
        for _ in range(4):
            notifier.announce(EVENT)
        goes_on.set()
        notifier.drain(PATIENCE)
        assert told == ["notification to 127.0.0.1 not delivered: 2 notifications are already waiting"]
        assert len(server.requests) == 3


def test_nothing_is_sent_for_an_engine_that_is_gone() -> None:
    """Neither what is announced, nor a repeat; and the end does not wait."""
    told: list[str] = []
    alive = threading.Event()
    alive.set()

    def dies(connection: http.Connection, request: http.Received) -> bool:
        alive.clear()
        return http.answer(500)(connection, request)

    with http.ScriptedServer([dies, http.answer(200), http.answer(200)]) as server:
        notifier = Notifier([f"{server.url}/canary"], tell=told.append, alive=alive.is_set)
        notifier.announce(EVENT)
        notifier.announce(EVENT)
        notifier.drain(PATIENCE)
        assert len(server.requests) == 1
        assert told == []


def test_engine_that_dies_during_an_attempt_ends_it() -> None:
    """Nothing is repeated, and nobody is there to be told."""
    told: list[str] = []
    gone = threading.Event()
    with http.ScriptedServer([http.setting(gone, http.silence), http.answer(200)]) as server:
        notifier = Notifier([f"{server.url}/canary"], tell=told.append, alive=lambda: not gone.is_set())
        notifier.announce(EVENT)
        assert gone.wait(PATIENCE)
        until(lambda: not any(thread.name == "ocean-migration-notifications" for thread in threading.enumerate()))
        notifier.drain(PATIENCE)
        assert len(server.requests) == 1
        assert told == []


def test_what_is_on_its_way_at_the_end_may_still_arrive() -> None:
    """The call is over then, but not its process."""
    over, arrived, goes_on = threading.Event(), threading.Event(), threading.Event()

    def held(connection: http.Connection, request: http.Received) -> bool:
        goes_on.wait(PATIENCE)
        return http.answer(200)(connection, request)

    with http.ScriptedServer([held, http.setting(arrived, http.answer(200))]) as server:
        notifier = Notifier([f"{server.url}/canary"], alive=lambda: not over.is_set())
        notifier.announce(EVENT)
        notifier.announce(EVENT)
        notifier.drain(0.0)
        over.set()
        goes_on.set()
        assert arrived.wait(PATIENCE)


def test_thread_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no reason to fail; the next event tries again."""
    told: list[str] = []

    def refuses(thread: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    with http.ScriptedServer([http.answer(200)]) as server:
        notifier = Notifier([f"{server.url}/canary"], tell=told.append)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuses)
            notifier.announce(EVENT)
        notifier.announce(EVENT)
        notifier.drain(PATIENCE)
        assert told == ["notification to 127.0.0.1 not delivered: can't start new thread"]
        assert len(server.requests) == 1


def test_what_nobody_foresaw_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may hold the URL; and whoever is told may fail, too."""
    told: list[str] = []

    def breaks(url: str, body: object, scope: object) -> None:
        raise LookupError(url)

    def tell(line: str) -> None:
        told.append(line)
        raise BrokenPipeError

    monkeypatch.setattr("ocean_migration_pulumi.api.single_requests.post", breaks)
    notifier = Notifier(["https://chat.example/canary"], tell=tell)
    notifier.announce(EVENT)
    notifier.drain(PATIENCE)
    assert told == ["notification to chat.example not delivered: LookupError"]
    assert "canary" not in repr(notifier)


def test_without_urls_nothing_happens() -> None:
    """No thread, and no wait."""
    before = threading.active_count()
    notifier = Notifier([])
    notifier.announce(EVENT)
    notifier.drain(PATIENCE)
    assert threading.active_count() == before


def schema() -> dict[str, Any]:
    """Return the documented schema."""
    found: dict[str, Any] = json.loads((ROOT / "docs/schemas/notification.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("kind", EventKind)
def test_body_is_as_its_schema_says(kind: EventKind) -> None:
    """With everything, and with nothing of what may be missing."""
    validator = Draft202012Validator(schema())
    Draft202012Validator.check_schema(schema())
    validator.validate(body_for("https://chat.example/x", replace(EVENT, kind=kind)))
    validator.validate(replace(EVENT, kind=kind, resource=None, pods_left=None, reason=None, remedy=None).to_json())
    assert not validator.is_valid(EVENT.to_json() | {"event": "other"})


def test_schema_and_page_name_all_there_is() -> None:
    """Events and fields, in the order in which they are posted."""
    assert schema()["properties"]["event"]["enum"] == [kind.value for kind in EventKind]
    assert list(schema()["properties"]) == schema()["required"] == list(EVENT.to_json())
    page = "docs/how-to/notifications.md"
    assert [row[0].strip("`") for row in rows(section(page, "Events"))] == [kind.value for kind in EventKind]
    assert [row[0].strip("`") for row in rows(section(page, "The body"))] == list(EVENT.to_json())


@pytest.mark.parametrize("host", ["hooks.slack.com", "hooks.slack-gov.com", "HOOKS.slack.com:443"])
def test_slack_has_its_own_format(host: str) -> None:
    """A text for the notification, and blocks for the message."""
    body = body_for(f"https://{host}/services/T0/B0/x", EVENT)
    assert body.keys() == {"text", "blocks"}
    assert body["text"] == f"Migration failed: {EVENT.message}"
    first, remedy, context = body["blocks"]
    assert first["text"]["text"] == f"*Migration failed*\n{EVENT.message}"
    assert remedy["text"]["text"] == EVENT.remedy
    (facts,) = context["elements"]
    assert facts["text"] == "web, o-12345678, owm-12345678, 1 of 2 nodes done, 3 pods left"
    assert {text["verbatim"] for text in (first["text"], remedy["text"], facts)} == {True}
    plain = body_for(
        f"https://{host}/x", replace(EVENT, kind=EventKind.STARTED, resource=None, pods_left=None, remedy=None)
    )
    assert [block["type"] for block in plain["blocks"]] == ["section", "context"]
    assert plain["blocks"][1]["elements"][0]["text"] == "o-12345678, owm-12345678, 1 of 2 nodes done"


@pytest.mark.parametrize("host", ["slack.com.example", "hooks.slack.com.example", "chat.example"])
def test_nobody_else_gets_the_format_of_slack(host: str) -> None:
    """The host has to be the very one."""
    assert body_for(f"https://{host}/services/T0/B0/x", EVENT) == EVENT.to_json()


def test_slack_text_calls_nobody_and_is_not_too_long() -> None:
    """Whatever somebody has named a thing: Slack's three characters are escaped, and no text is beyond its bound."""
    nasty = "<!channel> & <@U123> @here <https://x.example|y> "
    body = body_for(SLACK, replace(EVENT, message=nasty, remedy=nasty * 100, resource="<!everyone>"))
    text = json.dumps(body, ensure_ascii=False)
    assert not {"<", ">"} & set(text)
    assert "&lt;!channel&gt; &amp; &lt;" in text
    assert "@here" not in text
    assert "@U123" not in text
    for block in body["blocks"]:
        for part in block.get("elements", [block.get("text")]):
            assert 0 < len(part["text"]) <= 3000
    ampersands = body_for(SLACK, replace(EVENT, message="&" * 5000))["blocks"][0]["text"]["text"]
    assert len(ampersands) <= 3000
