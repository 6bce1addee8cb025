"""`--notify`: the events of a migration, posted while nobody looks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Terminal, described
from tests.support import http_server as http


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the proxies of this machine out of it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def posted(server: http.ScriptedServer) -> list[Any]:
    """Return what arrived, each as its schema has it."""
    events = [request.json for request in server.requests]
    for event in events:
        described("notification", event)
    return events


def test_start_and_end(terminal: Terminal) -> None:
    """Of a migration that is started and waited for."""
    with http.ScriptedServer([http.answer(200)] * 2) as server:
        result = terminal.run("start", "--asg-name", "web", "--yes", "--wait", "--notify", f"{server.url}/canary")
        assert result.exit_code == 0, result.output
        events = posted(server)
    assert [event["event"] for event in events] == ["started", "finished"]
    assert {event["ocean_id"] for event in events} == {terminal.ocean_id}
    assert events[1]["nodes_done"] == events[1]["nodes"] == 3
    assert "canary" not in result.output


def test_end_of_a_wait(terminal: Terminal) -> None:
    """Also when it is only the wait that ends."""
    terminal.sim.control.hold(terminal.ocean_id)
    terminal.json("start", "--asg-name", "web", "--yes")
    with http.ScriptedServer([http.answer(200)]) as server:
        result = terminal.run("wait", "--timeout", "1s", "--notify", server.url)
        assert result.exit_code == 9
        events = posted(server)
    assert [(event["event"], event["state"]) for event in events] == [("timed_out", "STARTING")]


@pytest.mark.parametrize("scenario", ["failure-instances"])
def test_failure(terminal: Terminal) -> None:
    """With reason and remedy; a receiver that fails is told of in a line, and changes nothing."""
    with http.ScriptedServer([http.answer(200), http.answer(403)]) as server:
        result = terminal.run("start", "--all-nodes", "--yes", "--watch", "--notify", f"{server.url}/canary")
        events = posted(server)
    assert result.exit_code == 4
    assert (events[1]["event"], events[1]["reason"]) == ("failed", "instances")
    assert events[1]["remedy"]
    assert "warning: notification to 127.0.0.1 not delivered: HTTP 403\n" in result.stderr
    assert "canary" not in result.output


@pytest.mark.parametrize("command", [("start", "--all-nodes", "--yes"), ("wait",), ("watch",)])
def test_an_url_that_cannot_be_used_is_refused_first(terminal: Terminal, command: tuple[str, ...]) -> None:
    """Without being shown."""
    result = terminal.run(*command, "--notify", "http://example.com/canary")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: --notify")
    assert "canary" not in result.output
    assert terminal.sim.control.requests(method="POST") == []
