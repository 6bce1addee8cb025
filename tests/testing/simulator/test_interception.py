"""CONNECT and TLS interception, for clients with a fixed base URL."""

from __future__ import annotations

import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from spotinst_sdk2 import SpotinstSession

from tests.support.timing import PATIENCE
from tests.testing.simulator.conftest import Api
from tests.testing.simulator.process import running

VARIABLES = ("HTTPS_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy")
OTHERS = ("https_proxy", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_DIR")
WITH_PYTHON = """
import json, os, urllib.request
address = "https://api.spotinst.io/ocean/aws/k8s/cluster?accountId=" + os.environ["SPOTINST_ACCOUNT"]
request = urllib.request.Request(address, headers={"Authorization": "Bearer " + os.environ["SPOTINST_TOKEN"]})
with urllib.request.urlopen(request, timeout=120) as answer:
    print([item["id"] for item in json.load(answer)["response"]["items"]])
"""
WITH_THE_SDK = """
import os
from spotinst_sdk2 import SpotinstSession
session = SpotinstSession(auth_token=os.environ["SPOTINST_TOKEN"], account_id=os.environ["SPOTINST_ACCOUNT"])
print([cluster["id"] for cluster in session.client("ocean_aws", timeout=120).get_all_ocean_cluster()])
"""


def _address(api: Api) -> tuple[str, int]:
    host, port = api.sim.url.removeprefix("http://").split(":")
    return host, int(port)


def _connect(api: Api, target: str) -> bytes:
    with socket.create_connection(_address(api), timeout=PATIENCE) as client:
        client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        return client.recv(1000)


def test_a_tunnel_to_the_service_ends_in_the_simulator(api: Api) -> None:
    """Python's TLS accepts the certificate, and the response is the simulator's."""
    context = ssl.create_default_context(cafile=api.sim.proxy_environment["SSL_CERT_FILE"])
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": api.sim.proxy_environment["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=context),
    )
    request = urllib.request.Request(
        f"https://api.spotinst.io{api.base}", headers={"Authorization": f"Bearer {api.sim.token}"}
    )
    with opener.open(request, timeout=PATIENCE) as response:
        assert json.load(response)["response"]["items"] == []


def test_the_sdk_reaches_the_simulator_by_its_fixed_base_url(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """spotinst-sdk2 needs only the environment variables."""
    for name in OTHERS:
        monkeypatch.delenv(name, raising=False)
    environment = api.sim.proxy_environment
    assert tuple(environment) == VARIABLES
    assert environment["NO_PROXY"] == environment["no_proxy"] == "127.0.0.1,localhost"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    session = SpotinstSession(auth_token=api.sim.token, account_id=api.sim.account_id)
    client = session.client("ocean_aws", timeout=PATIENCE)
    migration = api.create()
    assert client.get_migration_status(api.ocean_id, migration)["_id"] == migration


@pytest.mark.parametrize("script", [WITH_PYTHON, WITH_THE_SDK], ids=["python", "sdk"])
def test_the_printed_variables_suffice_for_clients(script: str) -> None:
    """In a process of its own, with the printed variables only: Python's TLS, and spotinst-sdk2 on its default URL."""
    with running("--intercept") as remote:
        assert tuple(remote.exports)[-len(VARIABLES) :] == VARIABLES
        assert remote.exports["HTTPS_PROXY"] == remote.url
        assert [line.partition("=")[0] for line in remote.lines[1:5]] == [
            "export SPOTINST_BASE_URL",
            "export SPOTINST_TOKEN",
            "export SPOTINST_ACCOUNT",
            "export OCEAN_ID",
        ]
        environment = {name: value for name, value in os.environ.items() if name not in OTHERS}
        environment |= remote.exports
        # A base URL is what these clients do not take.
        del environment["SPOTINST_BASE_URL"]
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (0, f"['{remote.ocean_id}']\n"), done.stderr
        assert remote.control.requests()[-1]["path"] == "/ocean/aws/k8s/cluster"


def test_the_certificate_file_is_private_and_removed_at_the_end() -> None:
    """Only this user can replace it; the directory has nothing but the certificate, and no key."""
    with running("--intercept") as remote:
        trusted = Path(remote.exports["SSL_CERT_FILE"])
        assert stat.S_IMODE(trusted.parent.stat().st_mode) == 0o700
        assert [each.name for each in trusted.parent.iterdir()] == [trusted.name]
        assert "PRIVATE KEY" not in trusted.read_text()
        remote.process.terminate()
        remote.process.communicate(timeout=PATIENCE)
        assert remote.process.returncode == 0
        assert not trusted.parent.exists()


def test_interception_is_off_by_default(api: Api) -> None:
    """No variables, no tunnel and no certificate; reading ``proxy_environment`` turns it on."""
    with running() as remote:
        assert not remote.exports.keys() & set(VARIABLES)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert _connect(api, "api.spotinst.io:443").startswith(b"HTTP/1.1 403")
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        opener.open(f"{api.sim.url}/simulator/ca.pem", timeout=PATIENCE)
    caught.value.close()
    trusted = api.sim.proxy_environment["SSL_CERT_FILE"]
    assert _connect(api, "api.spotinst.io:443").startswith(b"HTTP/1.1 200")
    with opener.open(f"{api.sim.url}/simulator/ca.pem", timeout=PATIENCE) as response:
        pem = response.read()
    assert pem.startswith(b"-----BEGIN CERTIFICATE-----")
    assert Path(trusted).read_bytes() == pem
    assert api.sim.proxy_environment["SSL_CERT_FILE"] == trusted


def test_a_tunnel_to_another_host_is_refused(api: Api) -> None:
    """The simulator forwards nothing."""
    assert api.sim.proxy_environment
    assert _connect(api, "example.com:443").startswith(b"HTTP/1.1 403")
    assert _connect(api, "api.spotinst.io:80").startswith(b"HTTP/1.1 403")


def test_a_client_that_does_not_trust_the_certificate_fails(api: Api) -> None:
    """The handshake fails, and the simulator continues."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": api.sim.proxy_environment["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
    )
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        opener.open("https://api.spotinst.io/", timeout=PATIENCE)
    assert api.offered()


def test_unusual_starts_of_a_connection(api: Api) -> None:
    """A CONNECT byte by byte, one without an end, one that is cut off, and no request at all."""
    assert api.sim.proxy_environment
    with socket.create_connection(_address(api), timeout=PATIENCE) as client:
        for byte in b"CONNECT example.com:443 HTTP/1.1\r\n\r\n":
            client.sendall(bytes([byte]))
        assert client.recv(1000).startswith(b"HTTP/1.1 403")
    with socket.create_connection(_address(api), timeout=PATIENCE) as client:
        client.sendall(b"CONNECT " + b"x" * 20_000)
        assert client.recv(1000) == b""
    with socket.create_connection(_address(api), timeout=PATIENCE) as client:
        client.sendall(b"CON")
    with socket.create_connection(_address(api), timeout=PATIENCE) as client:
        client.sendall(b"CONNECT api.spotinst.io:443 HTTP/1.1\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert api.offered()


def test_a_simulator_stops_with_idle_connections(simulate: Callable[..., Api]) -> None:
    """Connections without any request are closed."""
    api = simulate()
    with socket.create_connection(_address(api), timeout=PATIENCE) as client:
        api.offered()
        stopping = threading.Thread(target=api.sim.stop)
        stopping.start()
        assert client.recv(1) == b""
        stopping.join(PATIENCE)
        assert not stopping.is_alive()


def test_faults_work_within_a_tunnel(api: Api) -> None:
    """A reset closes the tunnel."""
    environment = api.sim.proxy_environment
    context = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": environment["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=context),
    )
    api.sim.control.fault("GET", "*/migration", "reset-after")
    with pytest.raises(ConnectionResetError):
        opener.open(f"https://api.spotinst.io{api.base}", timeout=PATIENCE)
    assert api.sim.control.requests()[-1]["fault"] == "reset-after"
