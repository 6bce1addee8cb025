"""How the API server is reached: TLS, tokens in files, proxies, and what is told when that fails."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ocean_migration_pulumi.api.scope import Scope
from ocean_migration_pulumi.kubernetes import KubernetesReader, connection, find
from ocean_migration_pulumi.migration.workloads import PODS, Gap, Workloads
from tests.support import http_server as http
from tests.support.http_server import ScriptedServer

from . import fake_api as fake
from .support import ALL, TOKEN, access, kubeconfig, reading, shop


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return who is trusted."""
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[ScriptedServer]:
    """Return an API server with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "kubernetes.internal").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    with shop().serve(context) as running:
        yield running


def encoded(content: bytes) -> str:
    """Return what a kubeconfig has as data."""
    return base64.b64encode(content).decode()


def read(server: ScriptedServer, cluster: dict[str, Any], user: dict[str, Any] | None = None) -> Workloads:
    """Read a cluster once."""
    reader = KubernetesReader(access(server.url, user, cluster))
    try:
        return reader.read(Scope())
    finally:
        reader.close()


def test_private_authority(server: ScriptedServer, authority: trustme.CA, tmp_path: Path) -> None:
    """As data and as a file."""
    path = tmp_path / "ca.crt"
    authority.cert_pem.write_to_path(str(path))
    assert read(server, {"certificate-authority-data": encoded(authority.cert_pem.bytes())}).gaps == {}
    assert read(server, {"certificate-authority": str(path)}).gaps == {}


def test_authority_that_nobody_knows(server: ScriptedServer) -> None:
    """Certificates are verified."""
    found = read(server, {})
    assert found.gaps.keys() == ALL
    (reason,) = {gap.reason for gap in found.gaps.values()}
    assert reason.startswith("Kubernetes cannot be reached: its certificate is not trusted (")


def test_name_that_the_certificate_is_for(server: ScriptedServer, authority: trustme.CA) -> None:
    """Behind a tunnel the server has another address than its certificate says."""
    trusted = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    assert read(server, {**trusted, "tls-server-name": "kubernetes.internal"}).gaps == {}
    found = read(server, {**trusted, "tls-server-name": "another.internal"})
    assert "its certificate is not trusted (Hostname mismatch" in found.gaps[PODS].reason


def test_client_certificate(server: ScriptedServer, authority: trustme.CA) -> None:
    """It is sent beside the token."""
    own = authority.issue_cert("somebody@example.com")
    cluster = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    chain = encoded(b"".join(pem.bytes() for pem in own.cert_chain_pems))
    user = {"token": TOKEN, "client-certificate-data": chain, "client-key-data": encoded(own.private_key_pem.bytes())}
    assert read(server, cluster, user).gaps == {}


@pytest.mark.parametrize("data", ["canary!", encoded(b"canary"), "AAA"])
def test_unusable_certificates(data: str, server: ScriptedServer) -> None:
    """Nothing of them is repeated."""
    found = read(server, {"certificate-authority-data": data})
    assert found.gaps.keys() == ALL
    assert found.gaps[PODS].reason.startswith("the certificates of the access, or the proxy, cannot be used (")
    assert "canary" not in repr(found)


def test_plain_text_is_no_tls() -> None:
    """A server that speaks another protocol."""

    def greet(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(b"SSH-2.0-canary\r\n")
            accepted.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, args=(listener,))
        thread.start()
        with reading(f"https://127.0.0.1:{listener.getsockname()[1]}") as reader:
            assert reader.read(Scope()).gaps[PODS] == Gap(reason="Kubernetes cannot be reached: TLS fails")
        thread.join(30)


def test_service_account_of_a_pod(server: ScriptedServer, authority: trustme.CA, tmp_path: Path) -> None:
    """Its token is read anew when it was changed."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    (tmp_path / "token").write_text("old")
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
    found = find(None, None, environ, service_account=tmp_path)
    assert found is not None
    reader = KubernetesReader(found)
    assert reader.read(Scope()).gaps[PODS].reason == "Kubernetes refuses the credentials (401)"
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    workloads = reader.read(Scope(), fresh=True)
    assert workloads.gaps == {}
    assert workloads.source == "the service account of this pod"
    reader.close()
    (tmp_path / "token").unlink()
    reader = KubernetesReader(found)
    gap = reader.read(Scope()).gaps[PODS]
    assert gap.reason == "the file with the token of the kubeconfig's user cannot be read"
    reader.close()


def test_user_and_password() -> None:
    """As clusters of long ago have them."""
    api = shop()
    api.token = None
    with api.serve() as server, reading(server.url, {"username": "admin", "password": "canary"}) as reader:
        assert reader.read(Scope()).gaps == {}
        basic = f"Basic {encoded(b'admin:canary')}"
        assert {request.headers["authorization"] for request in server.requests} == {basic}


def test_nobody_in_particular() -> None:
    """A user that the context does not name signs in as nobody."""
    with shop().serve() as server, reading(server.url, {}) as reader:
        assert reader.read(Scope()).gaps[PODS].reason == "Kubernetes refuses the credentials (401)"
        assert "authorization" not in server.requests[0].headers


def test_path_of_the_server_is_kept() -> None:
    """Some API servers are reached below a path of a gateway."""
    with shop().serve() as server, reading(f"{server.url}/k8s/clusters/c-1/") as reader:
        reader.read(Scope())
        assert server.requests[0].path == f"/k8s/clusters/c-1{fake.AWS_AUTH}"


def test_proxy_of_the_kubeconfig() -> None:
    """It is asked, and its password is in no message."""
    with ScriptedServer(itertools.repeat(http.answer(407, b"canary"))) as proxy:
        through = proxy.url.replace("//", "//canary:canary@")
        found = read(proxy, {"server": "https://cluster.invalid", "proxy-url": through})
        assert (proxy.requests[0].method, proxy.requests[0].target) == ("CONNECT", "cluster.invalid:443")
    assert "canary" not in repr(found)
    assert found.gaps[PODS].reason == "Kubernetes cannot be reached (ProxyError)"


def test_environment_s_proxy_is_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster elsewhere is reached through it."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with shop().serve() as server:
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            with reading(url) as reader:
                assert reader.read(Scope()).gaps == {}
    with reading("https://cluster.invalid") as reader:
        assert reader.read(Scope()).gaps[PODS].reason == "Kubernetes cannot be reached: connection refused"


def test_answer_that_is_too_long_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may not fill the memory."""
    monkeypatch.setattr(connection, "LARGEST_BODY", 1024**2)
    api = shop()
    api.faults[fake.PODS] = [http.answer(200, b" " * (1024**2 + 1))]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.read(Scope()).gaps == {PODS: Gap(reason="an answer is longer than 1 MiB")}


def test_silence_of_a_step_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much time whoever asked has."""
    monkeypatch.setattr(connection, "LONGEST_STEP", 0.2)
    api = shop()
    api.faults[fake.PODS] = [http.silence]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.read(Scope()).gaps == {PODS: Gap(reason="Kubernetes did not answer in time")}


def test_package_costs_nothing_and_works_without_its_extra() -> None:
    """Lightkube is imported when the cluster is asked, and a gap says what to install."""
    program = """
import json, sys
from ocean_migration_pulumi import kubernetes
heavy = [name for name in ("lightkube", "httpx2", "yaml") if name in sys.modules]
for name in ("lightkube", "httpx2", "msgspec"):
    sys.modules[name] = None
from ocean_migration_pulumi.api.scope import Scope
access = kubernetes.find(sys.argv[1], None, {})
gaps = kubernetes.KubernetesReader(access).read(Scope()).gaps
print(json.dumps([heavy, sorted({(gap.reason, gap.remedy) for gap in gaps.values()})]))
"""
    arguments = [sys.executable, "-c", program, kubeconfig("https://cluster.invalid")]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60).stdout
    reason = "lightkube, which reads Kubernetes, is not installed"
    assert json.loads(output) == [[], [[reason, "pip install 'ocean-migration[kubernetes]'"]]]
