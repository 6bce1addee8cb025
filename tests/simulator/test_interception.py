"""CONNECT and TLS: clients whose base URL is fixed reach the simulator all the same."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import urllib.request
from collections.abc import Callable

import pytest
from spotinst_sdk2 import SpotinstSession

from tests.simulator.conftest import Api

SDK_AND_PROXY_VARIABLES = ("HTTPS_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def _address(api: Api) -> tuple[str, int]:
    host, port = api.sim.url.removeprefix("http://").split(":")
    return host, int(port)


def _connect(api: Api, target: str) -> bytes:
    with socket.create_connection(_address(api), timeout=10) as client:
        client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        return client.recv(1000)


def test_a_tunnel_to_the_service_ends_in_the_simulator(api: Api) -> None:
    """Python's own TLS accepts the certificate of the authority, and the answer is the simulator's."""
    context = ssl.create_default_context(cafile=api.sim.proxy_environment["SSL_CERT_FILE"])
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": api.sim.proxy_environment["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=context),
    )
    request = urllib.request.Request(
        f"https://api.spotinst.io{api.base}", headers={"Authorization": f"Bearer {api.sim.token}"}
    )
    with opener.open(request, timeout=10) as response:
        assert json.load(response)["response"]["items"] == []


def test_the_sdk_with_its_fixed_base_url(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """spotinst-sdk2 without a base URL of ours, by the environment alone."""
    for name in ("https_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    environment = api.sim.proxy_environment
    assert tuple(environment) == SDK_AND_PROXY_VARIABLES
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    session = SpotinstSession(auth_token=api.sim.token, account_id=api.sim.account_id)
    client = session.client("ocean_aws", timeout=10)
    migration = api.create()
    assert client.get_migration_status(api.ocean_id, migration)["_id"] == migration


def test_the_certificate_can_be_fetched(api: Api) -> None:
    """For those who started the simulator as a command."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{api.sim.url}/simulator/ca.pem", timeout=10) as response:
        pem = response.read()
    assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
    with open(api.sim.proxy_environment["SSL_CERT_FILE"], "rb") as trusted:
        assert trusted.read() == pem


def test_a_tunnel_to_anything_else_is_refused(api: Api) -> None:
    """The simulator forwards nothing."""
    assert _connect(api, "example.com:443").startswith(b"HTTP/1.1 403")
    assert _connect(api, "api.spotinst.io:80").startswith(b"HTTP/1.1 403")


def test_a_client_that_does_not_trust_it_gets_nowhere(api: Api) -> None:
    """The handshake fails, and the simulator goes on."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": api.sim.url}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
    )
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        opener.open("https://api.spotinst.io/", timeout=10)
    assert api.offered()


def test_odd_beginnings_do_not_confuse_the_front(api: Api) -> None:
    """A CONNECT byte by byte, one without end, one that is cut off, and no request at all."""
    with socket.create_connection(_address(api), timeout=10) as client:
        for byte in b"CONNECT example.com:443 HTTP/1.1\r\n\r\n":
            client.sendall(bytes([byte]))
        assert client.recv(1000).startswith(b"HTTP/1.1 403")
    with socket.create_connection(_address(api), timeout=10) as client:
        client.sendall(b"CONNECT " + b"x" * 20_000)
        assert client.recv(1000) == b""
    with socket.create_connection(_address(api), timeout=10) as client:
        client.sendall(b"CON")
    with socket.create_connection(_address(api), timeout=10) as client:
        client.sendall(b"CONNECT api.spotinst.io:443 HTTP/1.1\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert api.offered()


def test_a_simulator_stops_with_idle_connections(simulate: Callable[..., Api]) -> None:
    """Connections that never said anything are closed."""
    api = simulate()
    with socket.create_connection(_address(api), timeout=10) as client:
        api.offered()
        stopping = threading.Thread(target=api.sim.stop)
        stopping.start()
        assert client.recv(1) == b""
        stopping.join(10)
        assert not stopping.is_alive()


def test_a_reset_within_a_tunnel(api: Api) -> None:
    """Faults work there too."""
    environment = api.sim.proxy_environment
    context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": environment["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=context),
    )
    api.sim.control.fault("GET", "*/migration", "reset-after")
    with pytest.raises(ConnectionResetError):
        opener.open(f"https://api.spotinst.io{api.base}", timeout=10)
    assert api.sim.control.requests()[-1]["fault"] == "reset-after"
