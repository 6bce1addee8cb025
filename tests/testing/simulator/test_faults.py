"""Faults and barriers: what the client sees, and whether the request has its effect."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import ControlError, Simulator
from tests.support.timing import PATIENCE, ends_soon
from tests.testing.simulator.conftest import OPTIONS, Api


@pytest.fixture
def raw(simulate: Callable[..., Api]) -> Api:
    """Return a client whose answers are not checked."""
    return simulate(checked=False)


def _started(api: Api) -> int:
    return len(api.sim.control.migrations(api.ocean_id))


def _last(api: Api) -> dict[str, Any]:
    return api.sim.control.requests(method="POST")[-1]


def _connection(api: Api) -> http.client.HTTPConnection:
    host, port = api.sim.url.removeprefix("http://").split(":")
    return http.client.HTTPConnection(host, int(port), timeout=PATIENCE)


def _eventually(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("kind", "status", "headers"),
    [
        ("429", 429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3"}),
        ("500", 500, {"content-type": "text/html; charset=utf-8"}),
        ("502", 502, {"content-type": "text/html; charset=utf-8"}),
        ("503", 503, {"content-type": "text/html; charset=utf-8", "retry-after": "3"}),
        ("html-404", 404, {"content-type": "text/html; charset=utf-8"}),
        ("status", 418, {"content-type": "application/json"}),
    ],
)
def test_a_fault_without_effect(raw: Api, kind: str, status: int, headers: dict[str, str]) -> None:
    """The response is that of a proxy or of the service, nothing happens, and the next request passes."""
    ids = raw.offered()
    raw.sim.control.fault("POST", "*/migration", kind, seconds=3, status=418 if kind == "status" else None)
    reply = raw.post(ids)
    assert reply.status == status
    assert headers.items() <= reply.headers.items()
    assert {"date", "x-ratelimit-limit"} <= reply.headers.keys()
    assert isinstance(reply.body, bytes) == ("html" in reply.headers["content-type"])
    assert _started(raw) == 0
    assert (_last(raw)["fault"], _last(raw)["status"], _last(raw)["effective"]) == (kind, status, False)
    assert raw.post(ids).status == 200


def test_a_service_that_forgets_a_migration_for_some_answers(raw: Api) -> None:
    """Status and stop say that it does not exist, the list is empty, and then it is there again."""
    started = raw.post(raw.offered()).body["response"]["items"][0]["id"]
    raw.sim.control.fault("*", "*/migration/owm-*", "forget", times=2)
    raw.sim.control.fault("*", "*/migration", "forget", times=2)
    path = f"{raw.base}/{started}"
    assert raw.send("GET", path).code == "MIGRATION_DOESNT_EXIST"
    assert raw.stop(started).code == "MIGRATION_DOESNT_EXIST"
    assert raw.send("GET", raw.base).body["response"]["items"] == []
    assert raw.post(raw.offered()).status == 404
    assert raw.send("GET", raw.base).body["response"]["count"] == 1
    assert raw.send("GET", path).status == 200


def test_a_service_that_contradicts_itself_for_some_answers(raw: Api) -> None:
    """Status and list show another state, the status no old nodes if asked for, and the world goes on as it was."""
    started = raw.post(raw.offered()).body["response"]["items"][0]["id"]
    path = f"{raw.base}/{started}"
    raw.sim.control.fault("GET", path, "contradict", state="STOPPED")
    raw.sim.control.fault("GET", path, "contradict", entries=False)
    raw.sim.control.fault("GET", raw.base, "contradict")
    (first,), (second,) = raw.send("GET", path).items, raw.send("GET", path).items
    assert (first["status"], second["status"]) == ("STOPPED", "FINISHED")
    assert first["oldInstances"]
    assert second["oldInstances"] == []
    assert raw.send("GET", raw.base).items[0]["state"] == "FINISHED"
    assert raw.send("GET", path).items[0]["status"] == raw.send("GET", raw.base).items[0]["state"] != "FINISHED"


@pytest.mark.parametrize(("kind", "effect"), [("reset-before", 0), ("reset-after", 1)])
def test_a_reset_before_or_after_the_effect(raw: Api, kind: str, effect: int) -> None:
    """The client sees a connection reset in both cases; only the log shows the difference."""
    ids = raw.offered()
    raw.sim.control.fault("POST", "*/migration", kind)
    with pytest.raises(ConnectionResetError):
        raw.post(ids)
    assert _started(raw) == effect
    assert (_last(raw)["fault"], _last(raw)["effective"]) == (kind, bool(effect))


def test_a_late_effect_comes_after_the_reset() -> None:
    """The connection is reset at once, and the migration starts seconds later."""
    with Simulator(speed=1) as sim:
        api = Api(sim, checked=False)
        ids = api.offered()
        sim.control.fault("POST", "*/migration", "late-effect", seconds=0.2)
        with pytest.raises(ConnectionResetError):
            api.post(ids)
        assert _eventually(lambda: _started(api) == 1)
        # At speed 1 the simulated time of the start is the real one.
        late = sim.control.migrations(sim.ocean_id)[0]["created_at"] - _last(api)["at"]
        assert late >= 0.15
        assert _last(api)["effective"]


def test_a_truncated_response(raw: Api) -> None:
    """The whole length is announced, half of the body is sent, and the request has its effect."""
    ids = raw.offered()
    raw.sim.control.fault("POST", "*/migration", "truncate")
    with pytest.raises(http.client.IncompleteRead) as caught:
        raw.post(ids)
    assert caught.value.partial.startswith(b'{"request":')
    assert _started(raw) == 1


@pytest.mark.parametrize(("kind", "during"), [("slow", 1), ("slow-before", 0)])
def test_a_slow_response_has_its_effect_at_once_or_later(raw: Api, kind: str, during: int) -> None:
    """The response is sent in both cases, here as soon as the simulator stops."""
    ids = raw.offered()
    raw.sim.control.fault("POST", "*/migration", kind, seconds=600)
    before = len(raw.sim.control.requests())
    replies: list[Any] = []
    thread = threading.Thread(target=lambda: replies.append(raw.post(ids)))
    thread.start()
    assert _eventually(lambda: len(raw.sim.control.requests()) > before)
    assert _eventually(lambda: _started(raw) == during)
    assert replies == []
    raw.sim.stop()
    thread.join(PATIENCE)
    assert replies[0].items[0]["id"].startswith("owm-")


@pytest.mark.parametrize("kind", ["slow", "slow-before"])
def test_a_slow_response_is_delayed(raw: Api, kind: str) -> None:
    """The delay is in real seconds."""
    raw.sim.control.fault("GET", "*/migration", kind, seconds=0.1)
    started = time.monotonic()
    assert raw.send("GET", raw.base).status == 200
    assert time.monotonic() - started >= 0.1


def test_silence_has_neither_response_nor_effect(raw: Api) -> None:
    """A client with a shorter timeout sees nothing at all."""
    ids = raw.offered()
    raw.sim.control.fault("POST", "*/migration", "silence", seconds=30)
    connection = _connection(raw)
    connection.timeout = 0.2
    body = json.dumps({"migration": {**OPTIONS, "instanceIds": ids}})
    connection.request("POST", raw.base, body, {"Authorization": f"Bearer {raw.sim.token}"})
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    assert _started(raw) == 0


def test_a_response_of_another_shape(raw: Api) -> None:
    """HTTP 200 and JSON, but not the service's."""
    raw.sim.control.fault("GET", "*/discovery", "shape")
    reply = raw.send("GET", f"{raw.base}/discovery")
    assert reply.status == 200
    assert "response" not in reply.body


def test_faults_count_and_match_requests(raw: Api) -> None:
    """A fault starts after some requests, strikes a number of those that match a string, and can be disarmed."""
    raw.sim.control.fault("GET", "*/migration", "500", after=1, times=2)
    assert [raw.send("GET", raw.base).status for _ in range(4)] == [200, 500, 500, 200]
    raw.sim.control.fault("*", "*", "502", match="needle")
    assert raw.send("GET", raw.base).status == 200
    assert raw.send("GET", raw.base, haystack="needle").status == 502
    raw.sim.control.fault("GET", "*", "500", times=1000)
    raw.sim.control.clear_faults()
    assert raw.send("GET", raw.base).status == 200


def test_a_connection_survives_a_fault(raw: Api) -> None:
    """Several requests use one connection, one of them with a fault."""
    raw.sim.control.fault("GET", "*/migration", "500", after=1)
    connection = _connection(raw)
    statuses = []
    for _ in range(3):
        connection.request("GET", raw.base, headers={"Authorization": f"Bearer {raw.sim.token}"})
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()
    assert statuses == [200, 500, 200]


@pytest.mark.parametrize(("point", "effect"), [("before", 0), ("after", 1)])
def test_a_barrier_holds_a_request(raw: Api, point: str, effect: int) -> None:
    """It holds the request before or after its effect; once released, the request is answered."""
    ids = raw.offered()
    barrier = raw.sim.control.barrier("POST", "*/migration", point)
    assert not barrier.wait(0.01)
    replies: list[Any] = []
    thread = threading.Thread(target=lambda: replies.append(raw.post(ids)))
    thread.start()
    assert barrier.wait(PATIENCE)
    assert _started(raw) == effect
    assert raw.send("GET", raw.base).status == 200
    assert replies == []
    barrier.release()
    thread.join()
    assert replies[0].status == 200
    assert _started(raw) == 1
    with pytest.raises(ControlError, match="no such barrier"):
        barrier.wait(0)


def test_a_request_whose_client_is_gone_has_its_effect(raw: Api) -> None:
    """The service does not notice that the client has disconnected."""
    body = json.dumps({"migration": {**OPTIONS, "instanceIds": raw.offered()}}).encode()
    head = (
        f"POST {raw.base}?accountId={raw.sim.account_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {raw.sim.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with raw.sim.control.barrier("POST", "*/migration") as barrier:
        host, port = raw.sim.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(head.encode() + body)
            assert barrier.wait(PATIENCE)
        assert _started(raw) == 0
    assert _eventually(lambda: _started(raw) == 1)


def test_a_simulator_stops_while_requests_are_held(simulate: Callable[..., Api]) -> None:
    """Held, silent and slow requests do not delay the stop."""
    api = simulate(checked=False)
    api.sim.control.fault("GET", "*/migration", "silence", seconds=600)
    barrier = api.sim.control.barrier("GET", "*/discovery")
    connections = [_connection(api), _connection(api)]
    for connection, path in zip(connections, (api.base, f"{api.base}/discovery"), strict=True):
        connection.request("GET", path, headers={"Authorization": f"Bearer {api.sim.token}"})
    assert barrier.wait(PATIENCE)
    with ends_soon():
        api.sim.stop()
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    "options", [{"kind": "earthquake"}, {"kind": "status"}, {"kind": "500", "surprise": 1}, {"point": "beside"}]
)
def test_unknown_faults_and_barriers_are_refused(raw: Api, options: dict[str, Any]) -> None:
    """Unknown kinds, points and options are refused with a reason."""
    with pytest.raises(ControlError):
        raw.sim.control.call("barrier" if "point" in options else "fault", method="GET", route="*", **options)


def test_latency_delays_every_response(simulate: Callable[..., Api]) -> None:
    """The delay is in real milliseconds, and does not apply to the control API."""
    api = simulate(latency_ms=100)
    started = time.monotonic()
    api.send("GET", api.base)
    assert time.monotonic() - started >= 0.1
    api.sim.control.latency(0)
    with pytest.raises(ControlError):
        api.sim.control.latency(-1)
