"""Credential plugins of a kubeconfig, as programs that are really run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import InterruptedWaitError
from ocean_migration_pulumi.kubernetes.connection import exec_plugin as plugins
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS, EvictionTrial, KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from tests.kubernetes.fake_api import FakeApi
from tests.kubernetes.support import ALL, TOKEN, reading, shop
from tests.support import http_server as http
from tests.support.timing import until

V1 = "client.authentication.k8s.io/v1"
SIGN_IN = f"""
import json, os, pathlib, sys
runs = pathlib.Path(os.environ["RUNS"])
with runs.open("a") as log:
    log.write(os.environ["KUBERNETES_EXEC_INFO"] + "\\n")
number = len(runs.read_text().splitlines())
tokens = sys.argv[1].split(",")
token = tokens[min(number, len(tokens)) - 1]
print(json.dumps({{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": token}}}}))
"""


def user(tmp_path: Path, script: str, *args: str, **more: Any) -> dict[str, Any]:
    """Return a user whose plugin is this Python script."""
    path = tmp_path / "plugin.py"
    path.write_text(script)
    variables = [{"name": "RUNS", "value": str(tmp_path / "runs")}]
    command = {"apiVersion": V1, "command": sys.executable, "args": [str(path), *args], "env": variables}
    return {"exec": {**command, **more}}


def runs(tmp_path: Path) -> list[Any]:
    """Return what the plugin was told, each time that it was run."""
    return [json.loads(line) for line in (tmp_path / "runs").read_text().splitlines()]


def read(api: FakeApi, signed_in: dict[str, Any], scope: CancelScope | None = None) -> KubernetesSnapshot:
    """Read a cluster once."""
    with api.serve() as server, reading(server.url, signed_in) as reader:
        return reader.read_snapshot(scope or CancelScope())


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_plugin_signs_in(version: str, tmp_path: Path) -> None:
    """It is run once for all questions, and told which version of its protocol is spoken."""
    api_version = f"client.authentication.k8s.io/{version}"
    found = read(shop(), user(tmp_path, SIGN_IN, TOKEN, apiVersion=api_version))
    assert found.gaps == {}
    assert runs(tmp_path) == [{"apiVersion": api_version, "kind": "ExecCredential", "spec": {"interactive": False}}]


def test_plugin_is_told_the_cluster_if_it_wants_to_know(tmp_path: Path) -> None:
    """Its server above all."""
    api = shop()
    signed_in = user(tmp_path, SIGN_IN, TOKEN, provideClusterInfo=True)
    with api.serve() as server, reading(server.url, signed_in) as reader:
        reader.read_snapshot(CancelScope())
        assert [told["spec"]["cluster"] for told in runs(tmp_path)] == [{"server": server.url}]


def test_token_that_has_run_out_is_renewed(tmp_path: Path) -> None:
    """Once, by one thread; the others take what it gives."""
    api = shop()
    api.token = "first"
    pod = Pod(namespace="shop", name="cart-0")
    path = "/api/v1/namespaces/shop/pods/cart-0/eviction"
    api.evictions[path] = http.answer(201, {})
    with api.serve() as server, reading(server.url, user(tmp_path, SIGN_IN, "first,second,third")) as reader:
        assert reader.read_snapshot(CancelScope()).gaps == {}
        api.token = "second"
        assert reader.read_snapshot(CancelScope(), fresh=True).gaps == {}
        assert len(runs(tmp_path)) == 2
        api.token = "third"
        assert reader.try_eviction(CancelScope(), pod) == EvictionTrial(allowed=True)
        assert len(runs(tmp_path)) == 3
        api.token = "fourth"
        refused = Gap(GapCode.CREDENTIALS_REFUSED, {"status": 401})
        assert reader.read_snapshot(CancelScope(), fresh=True).gaps[PODS] == refused


NOTHING = "returned neither a token nor a certificate with its key"
FAILS = f"import sys; print('{TOKEN}'); print('{TOKEN}', file=sys.stderr); sys.exit(3)"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (FAILS, "failed (exit code 3)"),
        ("", NOTHING),
        (f"print('{TOKEN}')", NOTHING),
        ("print('[' * 100000)", NOTHING),
        ("print('[]')", NOTHING),
        ("print('{\"status\": {}}')", NOTHING),
        ("print('{\"status\": []}')", NOTHING),
        ('print(\'{"status": {"token": 7}}\')', NOTHING),
        (f'print(\'{{"status": {{"token": "{TOKEN}\\\\n"}}}}\')', NOTHING),
        (f'print(\'{{"status": {{"token": "{TOKEN}", "clientKeyData": "{TOKEN}"}}}}\')', NOTHING),
        (f'print(\'{{"status": {{"clientCertificateData": "{TOKEN}"}}}}\')', NOTHING),
    ],
    ids=["fails", "silent", "text", "deep", "list", "empty", "form", "number", "line", "key", "certificate"],
)
def test_plugin_that_gives_no_token(script: str, reason: str, tmp_path: Path) -> None:
    """Nothing that it wrote is repeated, and the cluster is not asked."""
    found = read(shop(), user(tmp_path, script))
    assert found.gaps.keys() == ALL
    (gap,) = set(found.gaps.values())
    assert gap.fields["message"] == f"the credential plugin {Path(sys.executable).name} {reason}"
    assert gap.fields["remedy"] == "run the command of the kubeconfig's exec by hand, as the user that runs Pulumi"
    assert TOKEN not in repr(found)


def test_plugin_that_is_not_there(tmp_path: Path) -> None:
    """The one thing to do about it is said."""
    found = read(shop(), user(tmp_path, "", command="no-such-plugin"))
    gap = found.gaps[PODS]
    assert gap.fields["message"] == "the credential plugin no-such-plugin is not installed"
    assert gap.fields["remedy"] == "install no-such-plugin where Pulumi runs"
    found = read(shop(), user(tmp_path, "", command=str(tmp_path)))
    assert found.gaps[PODS].fields["message"].endswith("cannot be run (PermissionError)")
    found = read(shop(), user(tmp_path, "", args=["a\0b"]))
    assert found.gaps[PODS].fields["message"].endswith("cannot be run (ValueError)")


HANGS = "import time; time.sleep(600)"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Keep the processes of the plugins that are started."""
    found: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Kept)
    return found


def test_plugin_that_hangs_is_ended(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    """With the deadline, nobody waits for it longer."""
    found = read(shop(), user(tmp_path, HANGS), CancelScope().at_most(1))
    assert set(found.gaps.values()) == {Gap(GapCode.NOT_IN_TIME)}
    (process,) = started
    until(lambda: process.poll() is not None)


def test_plugin_is_ended_by_an_interruption(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    """At once."""
    scope = CancelScope()

    def interrupt() -> None:
        until(lambda: started)
        scope.ended.set()

    threading.Thread(target=interrupt).start()
    with pytest.raises(InterruptedWaitError):
        read(shop(), user(tmp_path, HANGS), scope)
    (process,) = started
    until(lambda: process.poll() is not None)


def test_plugin_has_a_limit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much time whoever asked has."""
    monkeypatch.setattr(plugins, "LONGEST_RUN", 0.3)
    found = read(shop(), user(tmp_path, HANGS))
    assert found.gaps[PODS].fields["message"].endswith("did not respond within 0.3 s")


def test_token_of_the_kubeconfig_stands_above_its_plugin(tmp_path: Path) -> None:
    """As with kubectl."""
    found = read(shop(), {"token": TOKEN, **user(tmp_path, FAILS)})
    assert found.gaps == {}


def test_plugin_asks_nobody(tmp_path: Path) -> None:
    """It reads the end of its input, not the terminal."""
    asks = f"import json, sys; sys.stdin.read(); print(json.dumps({{'status': {{'token': '{TOKEN}'}}}}))"
    assert read(shop(), user(tmp_path, asks)).gaps == {}


def test_nothing_is_asked_without_a_token(tmp_path: Path) -> None:
    """A failing plugin costs no request."""
    with shop().serve() as server, reading(server.url, user(tmp_path, FAILS)) as reader:
        reader.read_snapshot(CancelScope())
        assert not server.requests
