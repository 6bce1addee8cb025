"""Where secrets are sent: to whom they are for, over connections that nobody else can read, and nowhere else."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from ocean_migration_pulumi.api import sender
from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.api.single_requests import post, probe
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InputError, NoAnswerError, OceanMigrationError, SettingsError
from ocean_migration_pulumi.kubernetes import KubernetesReader, find_access
from ocean_migration_pulumi.migration.reconcile.events import Event, EventKind
from ocean_migration_pulumi.resource.notifier import Notifier
from tests.kubernetes.support import kubeconfig
from tests.secrets.finder import Finder, everything_logged
from tests.support import http_server as http

TOKEN = "canary-7f3a-of-the-service"
KUBERNETES_TOKEN = "canary-51bc-of-kubernetes"
PATH = "/services/T0/B0/canary-of-the-channel"
FINDER = Finder(TOKEN, KUBERNETES_TOKEN, PATH)
ELSEWHERE = "localhost"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without the proxies and certificates of whoever runs the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ask_spot(url: str) -> None:
    """Ask the service for something, and start something."""
    with OceanClient(Settings(base_url=url, token=TOKEN, account_id="act-1234abcd")) as client:
        for call in (
            lambda: client.get_cluster("o-1"),
            lambda: client.stop_migration("o-1", "owm-1", should_terminate_drained_nodes=False),
            lambda: client.create_migration(
                "o-1",
                ["i-1"],
                batch_size_percentage=20,
                should_terminate_drained_nodes=False,
                should_evict_stand_alone_pods=False,
                force_pod_eviction_on_pdb_failure=False,
            ),
        ):
            with suppress(OceanMigrationError):
                call()


def reader_of(url: str, **cluster: Any) -> KubernetesReader:
    """Return who asks Kubernetes at a URL."""
    found = find_access(kubeconfig(url, {"token": KUBERNETES_TOKEN}, cluster), None, {})
    assert found is not None
    return KubernetesReader(found)


def ask_kubernetes(url: str) -> None:
    """Ask for all that is asked for."""
    reader = reader_of(url)
    assert reader.read_snapshot(CancelScope()).gaps
    reader.close()


def event() -> Event:
    """Return something to tell."""
    return Event(
        kind=EventKind.FINISHED,
        ocean_id="o-1",
        migration_id="owm-1",
        resource="web",
        state="FINISHED",
        nodes_done=1,
        nodes=1,
        pods_left=0,
        message="all done",
        reason=None,
        remedy=None,
        at="2026-01-02T03:04:05.000Z",
    )


def notify(url: str) -> None:
    """Post an event."""
    notifier = Notifier([f"{url}{PATH}"])
    notifier.announce(event())
    notifier.drain(10)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", [ask_spot, ask_kubernetes, notify])
def test_a_redirect_is_not_followed(ask: Callable[[str], None], status: int) -> None:
    """Another host, and another port is one, gets no request at all; nor does the same."""
    with http.ScriptedServer([]) as other:
        away = http.answer(status, Location=f"http://{ELSEWHERE}:{other.port}/x")
        with http.ScriptedServer([away] * 40) as server, everything_logged() as lines:
            ask(server.url)
        assert server.requests
        assert all(request.path != "/x" for request in server.requests)
        assert other.requests == []
    FINDER.refute(logs=lines)


def test_a_redirect_that_repeats_a_secret_url_is_not_logged() -> None:
    """Many a server sends whoever comes by plain http to the same path elsewhere."""
    location = f"https://{ELSEWHERE}{PATH}"
    with http.ScriptedServer([http.answer(308, Location=location)] * 2) as server, everything_logged() as lines:
        notify(server.url)
    assert server.requests
    FINDER.refute(logs=lines)


@pytest.mark.parametrize("url", ["http://spot.example", "http://10.0.0.1:8080", "http://127.0.0.1.example", "HTTP://a"])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    """The service, Kubernetes and notifications alike."""
    with pytest.raises(SettingsError, match="http is allowed for this machine only"):
        Settings(base_url=url.replace("HTTP", "http"), token=TOKEN)
    with pytest.raises(InputError, match="http is allowed for this machine only"):
        reader_of(url)


@pytest.mark.parametrize("url", ["https://u:canary-of-a-user@spot.example", "https://canary-of-a-user@spot.example"])
def test_credentials_in_a_url_are_refused(url: str) -> None:
    """And not repeated."""
    for make, error in ((lambda: Settings(base_url=url), SettingsError), (lambda: reader_of(url), InputError)):
        with pytest.raises(error, match="must not contain credentials") as caught:
            make()
        Finder("canary-of-a-user").refute(error=caught.value)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority that nobody trusts."""
    return trustme.CA()


@pytest.fixture
def impostor(authority: trustme.CA) -> Iterator[http.ScriptedServer]:
    """Run a server that nobody has reason to trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with http.ScriptedServer([http.items({"id": "o-1"})] * 40, tls=context) as server:
        yield server


TEMPTATIONS = {
    "PYTHONHTTPSVERIFY": "0",
    "SSL_VERIFY": "false",
    "HTTPX_VERIFY": "0",
    "REQUESTS_CA_BUNDLE": "",
    "CURL_CA_BUNDLE": "",
    "AWS_CA_BUNDLE": "",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "GIT_SSL_NO_VERIFY": "1",
    "SPOTINST_INSECURE": "1",
    "OCEAN_MIGRATION_INSECURE": "1",
    "OCEAN_MIGRATION_VERIFY": "false",
}


def test_nothing_turns_the_verification_off(
    impostor: http.ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No variable, no setting; whom the environment trusts, too, must have signed."""
    monkeypatch.setattr(sender, "FAILED", replace(sender.FAILED, attempts=1))
    for name, value in TEMPTATIONS.items():
        monkeypatch.setenv(name, value)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for trusted in (None, str(other)):
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", trusted)
        settings = Settings.load({"ocean-migration:token": TOKEN, "ocean-migration:baseUrl": impostor.url}, {})
        with OceanClient(settings) as client, pytest.raises(NoAnswerError, match="the certificate is not trusted"):
            client.get_cluster("o-1")
        reader = reader_of(impostor.url)
        assert all(
            "certificate is not trusted" in gap.fields["message"]
            for gap in reader.read_snapshot(CancelScope()).gaps.values()
        )
        reader.close()
        for call in (probe, lambda url, scope: post(url, {}, scope)):
            with pytest.raises(NoAnswerError, match="the certificate is not trusted"):
                call(impostor.url, CancelScope())
    assert impostor.requests == []


@pytest.mark.parametrize("server", ["https://127.0.0.1:1", "https://web.invalid"])
def test_a_kubeconfig_cannot_turn_it_off(server: str) -> None:
    """It may name another authority, or another name, but not nobody."""
    with pytest.raises(InputError, match="insecure-skip-tls-verify is not supported") as caught:
        reader_of(server, **{"insecure-skip-tls-verify": True})
    FINDER.refute(error=caught.value)
