"""The command: its first lines, its options, its end."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi.testing.simulator.server.command import command
from ocean_migration_pulumi.testing.simulator.world.scenarios import SCENARIOS
from tests.support.timing import PATIENCE
from tests.testing.simulator.conftest import Api
from tests.testing.simulator.process import running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_where_it_is_and_ends_cleanly(number: signal.Signals) -> None:
    """The base URL first, then the exports; a signal ends it with success and without a word."""
    with running("--nodes", "3", "--scenario", "unmatched-nodes", "--seed", "4", "--latency", "1") as remote:
        assert remote.lines == [
            remote.url,
            f"export SPOTINST_BASE_URL={remote.url}",
            f"export SPOTINST_TOKEN={remote.token}",
            f"export SPOTINST_ACCOUNT={remote.account_id}",
            f"export OCEAN_ID={remote.ocean_id}",
        ]
        assert remote.url.startswith("http://127.0.0.1:")
        assert len(Api(remote).offered()) == 3
        assert remote.control.overview()["scenario"] == "unmatched-nodes"
        assert remote.control.overview()["clock"]["speed"] == 60
        remote.process.send_signal(number)
        remaining, errors = remote.process.communicate(timeout=PATIENCE)
        assert (remote.process.returncode, remaining, errors) == (0, "", "")


def test_it_ends_cleanly_while_requests_are_held() -> None:
    """A client that waits does not keep it."""
    with running() as remote:
        remote.control.fault("GET", "*", "silence", seconds=600)
        host, port = remote.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
            client.sendall(b"GET /ocean/aws/k8s/cluster HTTP/1.1\r\nHost: x\r\n\r\n")
            deadline = time.monotonic() + PATIENCE
            while not remote.control.requests():
                assert time.monotonic() < deadline
            remote.process.terminate()
            remote.process.communicate(timeout=PATIENCE)
        assert remote.process.returncode == 0


def test_a_port_that_is_taken_is_one_line() -> None:
    """No traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(command, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cannot serve on 127.0.0.1:")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--speed", "20000"], ["--state", "no/such/folder/state"]])
def test_what_cannot_be_is_one_line(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A speed out of range, a state file in a folder that does not exist."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_described_cluster_is_served(tmp_path: Path) -> None:
    """Under its own id, and with its nodes."""
    file = tmp_path / "world.json"
    file.write_text('{"cluster": {"id": "o-1"}, "nodes": [{"instance_id": "i-1"}]}', encoding="utf-8")
    with running("--world", str(file)) as remote:
        assert remote.ocean_id == "o-1"
        assert [node["instance_id"] for node in remote.control.nodes("o-1")] == ["i-1"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not the description of a cluster: it is no JSON object"),
        ('{"weather": 1}', "weather"),
    ],
)
def test_a_file_that_describes_no_cluster_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    """Before anything is served."""
    file = tmp_path / "world.json"
    file.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(command, ["--world", str(file)])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


def test_the_help_names_every_scenario() -> None:
    """So does the message for an unknown one."""
    text = CliRunner().invoke(command, ["--help"], terminal_width=2000).stdout
    refused = CliRunner().invoke(command, ["--scenario", "earthquake"])
    assert refused.exit_code == 2
    for name in SCENARIOS:
        assert name in text
        assert name in refused.stderr
