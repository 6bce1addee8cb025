"""Web pages do not reach the simulator, whatever host name they give to 127.0.0.1."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping

import pytest

from ocean_migration_pulumi.simulator import Simulator
from tests.support.timing import PATIENCE

PATHS = ("/simulator/overview", "/simulator/ca.pem", "/ocean/aws/k8s/cluster", "/kubernetes/{ocean_id}/version", "/x")


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """Return a simulator."""
    with Simulator() as simulator:
        yield simulator


def ask(sim: Simulator, path: str, headers: Mapping[str, str], method: str = "GET") -> tuple[int, str]:
    """Return status and body of a response; ``{port}`` in a header is the simulator's port."""
    port = int(sim.url.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    given = {"Authorization": f"Bearer {sim.token}", **headers}
    connection.request(
        method, path.format(ocean_id=sim.ocean_id), headers={key: each.format(port=port) for key, each in given.items()}
    )
    response = connection.getresponse()
    status, body = response.status, response.read().decode()
    connection.close()
    return status, body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Host": "evil.example:{port}"}, "Host 'evil.example:"),
        ({"Host": "127.0.0.1.evil.example"}, "Host '127.0.0.1.evil.example'"),
        ({"Host": "api.spotinst.io"}, "Host 'api.spotinst.io'"),
        ({"Origin": "http://evil.example"}, "Origin 'http://evil.example'"),
        ({"Origin": "null"}, "Origin 'null'"),
        ({"Origin": "http://127.0.0.1:1"}, "Origin 'http://127.0.0.1:1'"),
        ({"Host": "localhost:{port}", "Origin": "http://127.0.0.1:{port}"}, "Origin 'http://127.0.0.1:"),
        ({"Host": "[::1]:{port}"}, "Host '[::1]:"),
    ],
)
def test_a_foreign_host_or_origin_is_refused(sim: Simulator, path: str, headers: dict[str, str], named: str) -> None:
    """With 403 and the reason, by every API."""
    status, body = ask(sim, path, headers)
    assert status == 403
    assert json.loads(body)["error"].startswith(f"the {named}")


def test_a_refused_request_has_no_effect(sim: Simulator) -> None:
    """Neither on the world nor in the log."""
    before = sim.control.overview()["scenario"], len(sim.control.requests())
    assert ask(sim, "/simulator/add_account", {"Origin": "http://evil.example"}, "POST")[0] == 403
    assert ask(sim, f"/ocean/aws/k8s/cluster/{sim.ocean_id}", {"Host": "evil.example"}, "DELETE")[0] == 403
    assert (sim.control.overview()["scenario"], len(sim.control.requests())) == before
    assert len(sim.control.overview()["accounts"]) == 1
    assert sim.ocean_id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:{port}"},
        {"Host": "LOCALHOST"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://127.0.0.1:{port}"},
        {"Host": "localhost:{port}", "Origin": "http://localhost:{port}"},
    ],
)
def test_loopback_and_its_own_origin_are_served(sim: Simulator, headers: dict[str, str]) -> None:
    """By each API."""
    for path in ("/simulator/overview", "/ocean/aws/k8s/cluster"):
        assert ask(sim, path, headers)[0] == 200


@pytest.mark.parametrize(("host", "status"), [("api.spotinst.io", 200), ("evil.example", 403), ("127.0.0.1", 403)])
def test_an_intercepted_connection_is_for_one_host(host: str, status: int) -> None:
    """For the one that the certificate is for."""
    with Simulator() as sim:
        certificate = sim.proxy_environment["SSL_CERT_FILE"]
        address = ("127.0.0.1", int(sim.url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=PATIENCE) as plain:
            plain.sendall(b"CONNECT api.spotinst.io:443 HTTP/1.1\r\nHost: api.spotinst.io:443\r\n\r\n")
            assert plain.recv(1024).startswith(b"HTTP/1.1 200")
            context = ssl.create_default_context(cafile=certificate)
            with context.wrap_socket(plain, server_hostname="api.spotinst.io") as secured:
                head = (
                    f"GET /ocean/aws/k8s/cluster HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {sim.token}\r\n\r\n"
                )
                secured.sendall(head.encode())
                assert secured.recv(1024).startswith(f"HTTP/1.1 {status} ".encode())
