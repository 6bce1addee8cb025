"""How the API server is reached: TLS, tokens in files, proxies, and what is told when that fails."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
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
from cryptography.hazmat.primitives import serialization

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes import KubernetesReader, find_access
from ocean_migration_pulumi.kubernetes.connection import connection
from ocean_migration_pulumi.kubernetes.connection.errors import UnreachableError
from ocean_migration_pulumi.kubernetes.connection.tls_client import open_client
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS, KubernetesSnapshot
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.kubernetes import fake_api as fake
from tests.kubernetes.support import ALL, TOKEN, access, kubeconfig, reading, shop
from tests.secrets.finder import Finder, with_variables
from tests.support import http_server as http
from tests.support.gaps import failed_gap
from tests.support.http_server import ScriptedServer
from tests.support.timing import PATIENCE


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


def read(server: ScriptedServer, cluster: dict[str, Any], user: dict[str, Any] | None = None) -> KubernetesSnapshot:
    """Read a cluster once."""
    reader = KubernetesReader(access(server.url, user, cluster))
    try:
        return reader.read_snapshot(CancelScope())
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
    (reason,) = {gap.fields["message"] for gap in found.gaps.values()}
    assert reason.startswith("Kubernetes cannot be reached: its certificate is not trusted (")


def test_name_that_the_certificate_is_for(server: ScriptedServer, authority: trustme.CA) -> None:
    """Behind a tunnel the server has another address than its certificate says."""
    trusted = {"certificate-authority-data": encoded(authority.cert_pem.bytes())}
    assert read(server, {**trusted, "tls-server-name": "kubernetes.internal"}).gaps == {}
    found = read(server, {**trusted, "tls-server-name": "another.internal"})
    assert "its certificate is not trusted (Hostname mismatch" in found.gaps[PODS].fields["message"]


@pytest.fixture
def strict_server(authority: trustme.CA) -> Iterator[ScriptedServer]:
    """Return an API server that only takes a client certificate, and no token."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    api = shop()
    api.token = None
    with api.serve(context) as running:
        yield running


def trusting(authority: trustme.CA) -> dict[str, str]:
    """Return a cluster whose certificate this authority has signed."""
    return {"certificate-authority-data": encoded(authority.cert_pem.bytes())}


def with_certificate(certificate: trustme.LeafCert, key: bytes | None = None) -> dict[str, str]:
    """Return a user with this client certificate as data."""
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    return {
        "client-certificate-data": encoded(chain),
        "client-key-data": encoded(certificate.private_key_pem.bytes() if key is None else key),
    }


def test_client_certificate(strict_server: ScriptedServer, authority: trustme.CA, tmp_path: Path) -> None:
    """As data, however long, and as files; without one there is no answer."""
    own = authority.issue_cert("somebody@example.com")
    user = with_certificate(own)
    assert read(strict_server, trusting(authority), user).gaps == {}
    # More than a pipe holds at once.
    padded = b"# nothing\n" * 100_000 + own.private_key_pem.bytes()
    assert read(strict_server, trusting(authority), with_certificate(own, padded)).gaps == {}
    for key, name in (("client-certificate-data", "tls.crt"), ("client-key-data", "tls.key")):
        (tmp_path / name).write_bytes(base64.b64decode(user[key]))
    files = {"client-certificate": str(tmp_path / "tls.crt"), "client-key": str(tmp_path / "tls.key")}
    assert read(strict_server, trusting(authority), files).gaps == {}
    for data, other in (("client-certificate-data", "client-key"), ("client-key-data", "client-certificate")):
        mixed = {data: user[data], other: files[other]}
        assert read(strict_server, trusting(authority), mixed).gaps == {}
    assert read(strict_server, trusting(authority), {}).gaps.keys() == ALL


def test_client_certificate_of_a_plugin(strict_server: ScriptedServer, authority: trustme.CA, tmp_path: Path) -> None:
    """Alone or beside a token; another one takes its place when the API server refuses the first one."""
    answers = []
    for number in range(2):
        own = authority.issue_cert(f"somebody{number}@example.com")
        chain = b"".join(pem.bytes() for pem in own.cert_chain_pems).decode()
        pair = {"clientCertificateData": chain, "clientKeyData": own.private_key_pem.bytes().decode()}
        answers.append({"status": pair | ({"token": TOKEN} if number else {})})
    (tmp_path / "answers").write_text(json.dumps(answers))
    script = (
        "import json, pathlib, sys; path = pathlib.Path(sys.argv[1]); first, *rest = json.loads(path.read_text()); "
        "path.write_text(json.dumps(rest)); print(json.dumps(first))"
    )
    arguments = ["-c", script, str(tmp_path / "answers")]
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": arguments}
    target = access(strict_server.url, {"exec": plugin}, trusting(authority)).target
    opened = connection.Connection(target)
    assert opened.get(CancelScope(), fake.NODES.lstrip("/"), {"limit": "500"})
    assert strict_server.requests[-1].headers.get("authorization") is None
    renewed = opened._sign_in.credential(CancelScope(), refused=opened._sign_in.credential(CancelScope()))
    assert opened.get(CancelScope(), fake.NODES.lstrip("/"), {"limit": "500"})
    assert strict_server.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert len(opened._clients) == 2
    assert "PRIVATE" not in repr([renewed, opened])
    opened.close()
    assert not opened._clients


def test_user_acts_as_another_one(server: ScriptedServer, authority: trustme.CA) -> None:
    """The API server is told, in each request."""
    user = {"token": TOKEN, "as": "jane", "as-groups": ["a", "b"]}
    assert read(server, trusting(authority), user).gaps == {}
    for request in server.requests:
        assert request.headers["impersonate-user"] == "jane"
        assert "impersonate-group" in request.headers


def test_client_certificate_beside_a_token(server: ScriptedServer, authority: trustme.CA) -> None:
    """Both are sent."""
    user = {"token": TOKEN, **with_certificate(authority.issue_cert("somebody@example.com"))}
    assert read(server, trusting(authority), user).gaps == {}
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {TOKEN}"}


WATCHES = """
import json, os, stat, sys, tempfile
tempfile.gettempdir()  # tries once whether it can be written to
opened = []
def watch(event, arguments):
    # A descriptor of its own is no path.
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            opened.append(os.fsdecode(path))
sys.addaudithook(watch)
import ssl
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.kubernetes import KubernetesReader, find_access
given = []
class Watched(ssl.SSLContext):
    def load_cert_chain(self, *paths, **options):
        given.extend(stat.S_ISFIFO(os.stat(path).st_mode) for path in paths)
        super().load_cert_chain(*paths, **options)
        given.append(sorted(os.listdir(tempfile.gettempdir())))
from ocean_migration_pulumi.kubernetes.connection import tls_client
tls_client._TlsContext.__bases__ = (Watched,)
descriptors = len(os.listdir("/dev/fd"))
access = find_access(sys.stdin.read(), None, {})
reader = KubernetesReader(access)
gaps = sorted(reader.read_snapshot(CancelScope()).gaps)
reader.close()
shown = repr([access, access.target, reader, reader._connection, reader._connection._sign_in])
print(json.dumps([gaps, given, opened, tempfile.gettempdir(), len(os.listdir("/dev/fd")) - descriptors, shown]))
"""


def test_key_reaches_no_file(strict_server: ScriptedServer, authority: trustme.CA, tmp_path: Path) -> None:
    """It is read from a pipe: no file is written, no file lies in the directory for temporary ones, no pipe is left."""
    own = authority.issue_cert("somebody@example.com")
    content = kubeconfig(strict_server.url, with_certificate(own), trusting(authority))
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHES],
        input=content,
        env={"TMPDIR": str(tmp_path), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    gaps, given, opened, directory, left_open, shown = json.loads(done.stdout)
    assert gaps == []
    assert directory == str(tmp_path)
    assert given == [True, True, []]
    assert opened == []
    assert left_open == 0
    assert list(tmp_path.iterdir()) == []
    key = own.private_key_pem.bytes()
    for form in (key.decode().splitlines()[1], encoded(key)[100:140]):
        assert form not in shown


def encrypted(key: bytes) -> bytes:
    """Return a private key that needs a password."""
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"canary"),
    )


@pytest.mark.parametrize("kind", ["text", "base64", "certificate", "other", "encrypted", "long"])
def test_unusable_key(kind: str, server: ScriptedServer, authority: trustme.CA) -> None:
    """Nothing of it is repeated, nobody is asked for a password, and no thread is left."""
    own, other = authority.issue_cert("somebody@example.com"), authority.issue_cert("other@example.com")
    key = own.private_key_pem.bytes()
    content = {
        "text": b"canary",
        "base64": key,
        "certificate": own.cert_chain_pems[0].bytes(),
        "other": other.private_key_pem.bytes(),
        "encrypted": encrypted(key),
        "long": b"canary\n" * 100_000,
    }[kind]
    user = with_certificate(own, content)
    if kind == "base64":
        user["client-key-data"] = "AAA"
    found = read(server, trusting(authority), user)
    assert found.gaps.keys() == ALL
    assert found.gaps[PODS].fields["message"].startswith("the certificates of the kubeconfig: cannot be used (")
    assert "canary" not in repr(found)
    assert "ocean-migration-certificate" not in {thread.name for thread in threading.enumerate()}


def test_error_of_a_key_has_no_key(authority: trustme.CA) -> None:
    """Neither has what it comes from, nor what an error tracker keeps of it."""
    own = authority.issue_cert("somebody@example.com")
    key = authority.issue_cert("other@example.com").private_key_pem.bytes()
    target = access("https://web.invalid", with_certificate(own, key), trusting(authority)).target
    with pytest.raises(UnreachableError) as caught:
        open_client(target)
    finder = Finder(*key.decode().splitlines()[1:3], encoded(key)[100:140])
    finder.refute(error=caught.value, variables=with_variables(caught.value))


def test_thread_that_cannot_start_leaves_no_pipe(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several tries none counts against the limit of open files."""

    def refuses(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    target = access("https://web.invalid", with_certificate(authority.issue_cert("a@example.com")), {}).target
    before = len(os.listdir("/dev/fd"))
    monkeypatch.setattr(threading.Thread, "start", refuses)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        open_client(target)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("data", ["canary!", encoded(b"canary"), "AAA"])
def test_unusable_certificates(data: str, server: ScriptedServer) -> None:
    """Nothing of them is repeated."""
    found = read(server, {"certificate-authority-data": data})
    assert found.gaps.keys() == ALL
    assert found.gaps[PODS].fields["message"].startswith("the certificates of the kubeconfig: cannot be used (")
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
            assert reader.read_snapshot(CancelScope()).gaps[PODS] == failed_gap(
                "Kubernetes cannot be reached: TLS failed"
            )
        thread.join(PATIENCE)


def test_service_account_of_a_pod(server: ScriptedServer, authority: trustme.CA, tmp_path: Path) -> None:
    """Its token is read anew when it was changed."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    (tmp_path / "token").write_text("old")
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
    found = find_access(None, None, environ, service_account=tmp_path)
    assert found is not None
    reader = KubernetesReader(found)
    assert reader.read_snapshot(CancelScope()).gaps[PODS] == Gap(GapCode.CREDENTIALS_REFUSED, {"status": 401})
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    kube = reader.read_snapshot(CancelScope(), fresh=True)
    assert kube.gaps == {}
    assert kube.source == "the service account of this pod"
    reader.close()
    (tmp_path / "token").unlink()
    reader = KubernetesReader(found)
    gap = reader.read_snapshot(CancelScope()).gaps[PODS]
    assert gap.fields["message"] == "the file with the token of the kubeconfig's user cannot be read"
    reader.close()


def test_user_and_password() -> None:
    """As clusters of long ago have them."""
    api = shop()
    api.token = None
    with api.serve() as server, reading(server.url, {"username": "admin", "password": "canary"}) as reader:
        assert reader.read_snapshot(CancelScope()).gaps == {}
        basic = f"Basic {encoded(b'admin:canary')}"
        assert {request.headers["authorization"] for request in server.requests} == {basic}


def test_password_stands_above_a_plugin() -> None:
    """As with kubectl: the plugin is not even run."""
    api = shop()
    api.token = None
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}
    user = {"username": "admin", "password": "canary", "exec": plugin}
    with api.serve() as server, reading(server.url, user) as reader:
        assert reader.read_snapshot(CancelScope()).gaps == {}


@pytest.mark.parametrize("content", [b"", b"canary\ncanary", b"canary \xff"], ids=["empty", "lines", "binary"])
def test_file_without_a_token(content: bytes, tmp_path: Path) -> None:
    """Nothing is sent, and nothing of it is told."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with shop().serve() as server, reading(server.url, {"tokenFile": str(path)}) as reader:
        found = reader.read_snapshot(CancelScope())
        assert server.requests == []
    assert found.gaps[PODS].fields["message"] == "the file with the token of the kubeconfig's user cannot be read"
    assert "canary" not in repr(found)


def test_refused_token_is_not_sent_again() -> None:
    """There is no other one."""
    with shop().serve() as server, reading(server.url, {"token": "another"}) as reader:
        assert reader.read_snapshot(CancelScope()).gaps[PODS] == Gap(GapCode.CREDENTIALS_REFUSED, {"status": 401})
        assert len(server.requests) == 1


def test_nobody_in_particular() -> None:
    """A user that the context does not name signs in as nobody."""
    with shop().serve() as server, reading(server.url, {}) as reader:
        assert reader.read_snapshot(CancelScope()).gaps[PODS] == Gap(GapCode.CREDENTIALS_REFUSED, {"status": 401})
        assert "authorization" not in server.requests[0].headers


def test_path_of_the_server_is_kept() -> None:
    """Some API servers are reached below a path of a gateway."""
    with shop().serve() as server, reading(f"{server.url}/k8s/clusters/c-1/") as reader:
        reader.read_snapshot(CancelScope())
        assert server.requests[0].path == f"/k8s/clusters/c-1{fake.AWS_AUTH}"


def test_proxy_of_the_kubeconfig() -> None:
    """It is asked, and its password is in no message."""
    with ScriptedServer(itertools.repeat(http.answer(407, b"canary"))) as proxy:
        through = proxy.url.replace("//", "//canary:canary@")
        found = read(proxy, {"server": "https://cluster.invalid", "proxy-url": through})
        assert (proxy.requests[0].method, proxy.requests[0].target) == ("CONNECT", "cluster.invalid:443")
    assert "canary" not in repr(found)
    assert found.gaps[PODS].fields["message"] == "Kubernetes cannot be reached (ProxyError)"


def tunnel(port: int) -> http.Step:
    """Answer a CONNECT, and carry everything to a port of this machine, whatever host was asked for."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    def step(connection: http.Connection, request: http.Received) -> bool:
        connection.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            back = threading.Thread(target=carry, args=(upstream, connection.socket), daemon=True)
            back.start()
            carry(connection.socket, upstream)
            back.join(10)
        return False

    return step


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_name_of_the_certificate_behind_a_proxy(
    tls: bool, server: ScriptedServer, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is for the API server, not for the proxy, even for one with TLS."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(itertools.repeat(tunnel(server.port)), tls=context) as proxy:
        cluster = {**trusting(authority), "server": "https://cluster.invalid", "proxy-url": proxy.url}
        if tls:
            authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        assert read(server, {**cluster, "tls-server-name": "kubernetes.internal"}).gaps == {}
        found = read(server, {**cluster, "tls-server-name": "another.internal"})
        assert "its certificate is not trusted (Hostname mismatch" in found.gaps[PODS].fields["message"]
        assert {request.method for request in proxy.requests} == {"CONNECT"}


def test_environment_s_proxy_is_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster elsewhere is reached through it."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with shop().serve() as server:
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            with reading(url) as reader:
                assert reader.read_snapshot(CancelScope()).gaps == {}
    with reading("https://cluster.invalid") as reader:
        assert (
            reader.read_snapshot(CancelScope()).gaps[PODS].fields["message"]
            == "Kubernetes cannot be reached: connection refused"
        )


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            {"NO_PROXY": "fd00::/8,10.0.0.0/8"},
            ("Kubernetes cannot be reached: the name of its server cannot be resolved"),
        ),
        ({"ALL_PROXY": "socks4://canary:canary@a"}, "ALL_PROXY: the scheme of the proxy is not supported"),
        ({"https_proxy": "http://canary:0"}, "https_proxy: not the URL of a proxy"),
    ],
)
def test_proxies_of_the_environment_are_read_as_those_for_spot(
    variables: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named, and no password is shown."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with reading("https://cluster.invalid") as reader:
        gap = reader.read_snapshot(CancelScope()).gaps[PODS]
    assert gap.fields["message"].startswith(reason)
    assert "canary" not in repr(gap)


def test_answer_that_is_too_long_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may not fill the memory."""
    monkeypatch.setattr(connection, "LARGEST_STREAM", 1024**2)
    api = shop()
    api.faults[fake.PODS] = [http.answer(200, b" " * (1024**2 + 1))]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.read_snapshot(CancelScope()).gaps == {PODS: failed_gap("a response is larger than 1 MiB")}


def test_silence_of_a_step_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much time whoever asked has."""
    monkeypatch.setattr(connection, "LONGEST_STEP", 0.2)
    api = shop()
    api.faults[fake.PODS] = [http.silence]
    with api.serve() as server, reading(server.url) as reader:
        assert reader.read_snapshot(CancelScope()).gaps == {PODS: Gap(GapCode.NOT_IN_TIME)}


def test_package_costs_nothing_and_says_what_to_install() -> None:
    """Without its extra no access is looked for."""
    program = """
import json, sys
from ocean_migration_pulumi import kubernetes
from ocean_migration_pulumi.common.installation import install_command
from ocean_migration_pulumi.errors import SettingsError
heavy = [name for name in ("httpx", "certifi", "msgspec", "yaml") if name in sys.modules]
found = []
for name in ("msgspec", "yaml"):
    sys.modules[name] = None
    try:
        kubernetes.find_access(sys.argv[1], None, {})
    except SettingsError as error:
        found.append(str(error))
    del sys.modules[name]
print(json.dumps([heavy, found, install_command("kubernetes")]))
"""
    arguments = [sys.executable, "-c", program, kubeconfig("https://cluster.invalid")]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60).stdout
    heavy, found, command = json.loads(output)
    assert heavy == []
    assert found == [f"access to Kubernetes requires the extra `kubernetes`: run `{command}`"] * 2
