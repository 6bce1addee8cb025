"""The command `ocean-migration simulator`: output, options and exit."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
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
def test_the_command_prints_its_url_and_exits_on_a_signal(number: signal.Signals) -> None:
    """It prints the base URL, then the exports; a signal ends it with success; stderr tells how to stop it."""
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
        assert (remote.process.returncode, remaining) == (0, "")
        assert errors in {"", "The simulator is running. Press Ctrl-C to stop it.\n"}, "the signal may come first"


def test_the_command_exits_while_requests_are_held() -> None:
    """A waiting client does not delay the exit."""
    with running() as remote:
        remote.control.fault("GET", "*", "silence", seconds=600)
        host, port = remote.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
            client.sendall(b"GET /ocean/aws/k8s/cluster HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            deadline = time.monotonic() + PATIENCE
            while not remote.control.requests():
                assert time.monotonic() < deadline
            remote.process.terminate()
            remote.process.communicate(timeout=PATIENCE)
        assert remote.process.returncode == 0


def test_a_taken_port_is_a_one_line_error() -> None:
    """There is no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(command, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cannot serve on 127.0.0.1:")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--speed", "20000"], ["--nodes", "0"], ["--nodes", "60000"]])
def test_number_out_of_range_is_wrong_usage(arguments: list[str]) -> None:
    """The error names the option and the range."""
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert f"Error: Invalid value for '{arguments[0]}': " in result.stderr
    assert "is not in the range" in result.stderr


def test_state_file_without_its_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file that was asked for."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["--state", "no/such/folder/state"])
    assert result.exit_code == 2
    assert result.stderr == "Error: cannot use no/such/folder/state: No such file or directory\n"


def test_the_command_serves_a_described_cluster(tmp_path: Path) -> None:
    """The cluster has the described id and nodes."""
    file = tmp_path / "world.json"
    file.write_text('{"cluster": {"id": "o-1"}, "nodes": [{"instance_id": "i-1"}]}', encoding="utf-8")
    with running("--world", str(file)) as remote:
        assert remote.ocean_id == "o-1"
        assert [node["instance_id"] for node in remote.control.nodes("o-1")] == ["i-1"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not a description of a cluster: it is not a JSON object"),
        ('{"weather": 1}', "weather"),
    ],
)
def test_an_invalid_description_is_a_one_line_error(tmp_path: Path, content: str, said: str) -> None:
    """The command fails before it serves anything."""
    file = tmp_path / "world.json"
    file.write_text(content, encoding="utf-8")
    result = CliRunner().invoke(command, ["--world", str(file)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(f"Error: {file}: ")
    assert said in result.stderr


def test_a_missing_record_is_named() -> None:
    """An error of the operating system is no traceback, and no bare error number."""
    result = CliRunner().invoke(command, ["--replay", "no-such-record.jsonl"])
    assert result.exit_code == 2
    assert result.stderr == "Error: cannot use no-such-record.jsonl: No such file or directory\n"


def test_exports_are_for_eval_and_the_simulator_stays_until_it_is_stopped(tmp_path: Path) -> None:
    """`eval "$(ocean-migration simulator --export)"` sets the variables of clients, and that of the process to kill."""
    script = """
        eval "$("$0" -m ocean_migration_pulumi simulator --nodes 3 --kubeconfig kube.yaml --export)"
        test -f "$KUBECONFIG"
        "$0" -m ocean_migration_pulumi candidates --json
        kill "$SIMULATOR_PID"
        while kill -0 "$SIMULATOR_PID" 2>/dev/null; do sleep 0.1; done
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPOTINST_")}
    done = subprocess.run(
        ["sh", "-e", "-c", script, sys.executable],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["nodes"]) == 3
    assert re.search(r"^Stop the simulator with: kill \d+$", done.stderr, re.MULTILINE)


def test_a_simulator_that_cannot_start_exports_nothing(tmp_path: Path) -> None:
    """Its error arrives, and `eval` has nothing to set."""
    done = subprocess.run(
        [sys.executable, "-m", "ocean_migration_pulumi", "simulator", "--state", "no/such/folder/state", "--export"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")


def test_the_help_names_every_scenario() -> None:
    """So does the error for an unknown scenario."""
    text = CliRunner().invoke(command, ["--help"], terminal_width=2000).stdout
    refused = CliRunner().invoke(command, ["--scenario", "earthquake"])
    assert refused.exit_code == 2
    for name in SCENARIOS:
        assert name in text
        assert name in refused.stderr
