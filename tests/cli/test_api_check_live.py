"""`api-check --live`: one migration of one node, stopped and compared with the documentation."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.api_check import live_run
from ocean_migration_pulumi.api_check.live_findings import LiveCode
from ocean_migration_pulumi.cli.commands.setup import api_check
from ocean_migration_pulumi.migration.spec.diagnostic import Severity
from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import Terminal

LIVE = ("api-check", "--live")
TIMED = {"state-sequence", "listed", "terminal-time"}
"""Findings that depend on when something was asked."""


@pytest.fixture
def node(terminal: Terminal) -> str:
    """Return a node that can be migrated; its migration takes long enough to be stopped by a slow machine."""
    terminal.sim.control.clock(speed=120)
    instance_id: str = terminal.sim.control.nodes(terminal.ocean_id)[0]["instance_id"]
    return instance_id


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Return a file that does not exist."""
    return tmp_path / "live.jsonl"


def started(terminal: Terminal) -> list[dict[str, Any]]:
    """Return the starts that the service received."""
    found: list[dict[str, Any]] = terminal.sim.control.requests(method="POST")
    return found


def findings(data: dict[str, Any], code: LiveCode) -> list[dict[str, Any]]:
    """Return the findings of one code."""
    return [each for each in data["live"]["findings"] if each["code"] == code]


def without_times(data: dict[str, Any]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return the findings that do not depend on when something was asked."""
    return [
        (each["code"], each["severity"], each["subject"], each["fields"] | {"seconds": None})
        for each in data["live"]["findings"]
        if each["code"] not in TIMED
    ]


def test_one_migration_is_started_and_stopped(terminal: Terminal, node: str, record: Path) -> None:
    """With no option that destroys anything; the answers of the simulator are as documented."""
    data = terminal.json(*LIVE, "--instance-id", node, "--yes", "--stop-after", "0s", "--record", str(record))
    [post], [put] = started(terminal), terminal.sim.control.requests(method="PUT")
    assert post["body"]["migration"] == {
        "instanceIds": [node],
        "batchSizePercentage": 50,
        "shouldTerminateDrainedNodes": False,
        "shouldEvictStandAlonePods": False,
        "forcePodEvictionOnPdbFailure": False,
    }
    assert put["body"]["migration"] == {"state": "STOPPED", "shouldTerminateDrainedNodes": False}
    [migration] = terminal.sim.control.migrations(terminal.ocean_id)
    assert migration["state"] == "STOPPED"
    assert data["live"]["migration_id"] == migration["id"]
    assert data["live"]["instance_ids"] == [node]
    assert {each["severity"] for each in data["live"]["findings"]} == {"info"}
    codes = {each["code"] for each in data["live"]["findings"]}
    assert codes == set(LiveCode)
    assert [each["subject"] for each in findings(data, LiveCode.DISCOVERY)] == ["before", "during", "after"]
    [ended] = findings(data, LiveCode.TERMINAL_STATE)
    assert (ended["fields"]["found"], ended["fields"]["expected"]) == ("STOPPED", "STOPPED")
    questions = {each["key"]: each["verdict"] for each in data["questions"]}
    assert questions["fields-of-start"] == "settled"


def test_progress_goes_to_stderr(terminal: Terminal, node: str, record: Path) -> None:
    """Node, record, states and the stop; the result has two tables."""
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", "--stop-after", "0s", "--record", str(record))
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"1 node of {terminal.ocean_id} to migrate: ip-")
    assert f"({node}), 6 pods. Until the stop, 0s after the start," in lines[0]
    assert lines[1] == f"Record: {record}"
    assert lines[2].startswith("Migration owm-")
    assert re.fullmatch(r"\d pods left \([A-Z_]+, \ds\)", lines[3])
    assert "The stop was sent" in lines
    heads = [line.split() for line in result.stdout.splitlines() if line.isupper()]
    assert heads == [["VERDICT", "QUESTION", "THIS", "ACCOUNT", "SAYS"], ["SEVERITY", "SUBJECT", "FINDING"]]


def test_markdown_has_the_migration(terminal: Terminal, node: str, record: Path) -> None:
    """Below the questions, without the account."""
    options = ("--yes", "--stop-after", "0s", "--record", str(record), "-o", "markdown")
    text = terminal.run(*LIVE, "--instance-id", node, *options).stdout
    head, _, table = text.partition("\n### Migration owm-")
    assert head.startswith("## How Spot's API responds\n")
    assert "| severity | subject | finding |" in table
    assert terminal.sim.account_id not in text


def test_record_has_no_secret_and_can_be_checked_again(terminal: Terminal, node: str, record: Path) -> None:
    """Without asking anybody, with the same result."""
    options = ("--yes", "--stop-after", "0s", "--record", str(record))
    data = terminal.json(*LIVE, "--instance-id", node, *options)
    text = record.read_text(encoding="utf-8")
    assert terminal.sim.token not in text
    assert terminal.sim.account_id not in text
    terminal.sim.control.clear_requests()
    assert terminal.json("api-check", "--from", str(record)) == data
    assert terminal.sim.control.requests() == []


def test_record_can_be_replayed(
    terminal: Terminal, node: str, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that answers as recorded leads to the same findings."""
    options = ("--yes", "--stop-after", "0s", "--instance-id", node, "--record")
    data = terminal.json(*LIVE, *options, str(record))
    with Simulator(replay=record, speed=6000) as replay:
        for name, value in replay.environment.items():
            monkeypatch.setenv(name, value)
        again = Terminal(replay).json(*LIVE, *options, str(tmp_path / "again.jsonl"))
    assert again["live"]["migration_id"] == data["live"]["migration_id"]
    assert without_times(again) == without_times(data)


def test_record_has_a_name_by_default(
    terminal: Terminal, node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the working directory, after the time."""
    monkeypatch.chdir(tmp_path)
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", "--stop-after", "0s")
    assert result.exit_code == 0, result.output
    [file] = tmp_path.glob("api-check-*Z.jsonl")
    assert f"Record: {file.name}\n" in result.stderr
    assert sum('"method": "POST"' in line for line in file.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--live", "--yes"), "--live requires --instance-id"),
        (("--instance-id", "i-1"), "--instance-id requires --live"),
        (("--live", "--instance-id", "i-1"), "Cannot prompt: not a terminal. Pass --yes to confirm."),
        (("--live", "--instance-id", "i-1", "--yes", "--stop-after", "soon"), "--stop-after must be a duration"),
        (("--live", "--instance-id", "i-1", "--yes", "--from", __file__), "--live and --from are mutually exclusive"),
        (
            ("--live", "--instance-id", "i-1", "--yes", "--record", __file__),
            f"--record: {__file__} exists; --live needs",
        ),
    ],
)
def test_wrong_usage_is_refused(terminal: Terminal, options: tuple[str, ...], message: str) -> None:
    """Before anything is sent."""
    terminal.sim.control.clear_requests()
    result = terminal.run("api-check", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert terminal.sim.control.requests() == []


def test_running_migration_is_named(terminal: Terminal, node: str, record: Path) -> None:
    """And none is started beside it."""
    terminal.sim.control.hold(terminal.ocean_id)
    other = terminal.sim.control.nodes(terminal.ocean_id)[1]["instance_id"]
    running = terminal.sim.control.start_foreign_migration(terminal.ocean_id, [other])
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", "--record", str(record))
    assert result.exit_code == 4
    assert f"Error: migration {running} is already running on {terminal.ocean_id}" in result.stderr
    assert started(terminal) == []


def test_migration_that_begins_meanwhile_is_named(
    terminal: Terminal, node: str, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is read again right before the start."""
    migrations: list[str] = []

    def probe(context: object) -> None:
        terminal.sim.control.hold(terminal.ocean_id)
        migrations.append(terminal.sim.control.start_foreign_migration(terminal.ocean_id, [node]))

    monkeypatch.setattr(api_check, "_probe", probe)
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", "--record", str(record))
    assert result.exit_code == 4
    assert f"Error: migration {migrations[0]} is already running" in result.stderr
    assert started(terminal) == []


def test_node_must_be_a_candidate(terminal: Terminal, record: Path) -> None:
    """The message names those that are."""
    result = terminal.run(*LIVE, "--instance-id", "i-none", "--yes", "--record", str(record))
    assert result.exit_code == 2
    assert f"Error: --instance-id: i-none is not a candidate of {terminal.ocean_id}; candidates: i-" in result.stderr
    assert started(terminal) == []


@pytest.mark.parametrize("scenario", ["unmatched-nodes"])
def test_node_must_match_a_virtual_node_group(terminal: Terminal, record: Path) -> None:
    """Its migration could only fail."""
    unmatched = [each for each in terminal.json("candidates")["nodes"] if each["virtual_node_group_id"] is None]
    name = unmatched[0]["instance_id"]
    result = terminal.run(*LIVE, "--instance-id", name, "--yes", "--record", str(record))
    assert result.exit_code == 2
    assert f"--instance-id: {name} matches no Virtual Node Group" in result.stderr
    assert started(terminal) == []


@pytest.mark.parametrize(("answer", "status", "starts"), [("y\n", 0, 1), ("n\n", 8, 0), ("\n", 8, 0)])
def test_question_comes_first(
    terminal: Terminal,
    node: str,
    record: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    starts: int,
) -> None:
    """Only a yes starts the migration."""
    monkeypatch.setattr(api_check, "is_interactive", lambda: True)
    options = ("--instance-id", node, "--stop-after", "0s", "--record", str(record))
    result = terminal.run(*LIVE, *options, given=answer)
    assert result.exit_code == status, result.output
    assert "Start this migration? [y/N]" in result.stderr
    assert len(started(terminal)) == starts


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_names_what_runs(terminal: Terminal, node: str, record: Path, number: signal.Signals) -> None:
    """And the command that stops it, which works; the record holds the start."""
    terminal.sim.control.clock(speed=1)
    options = ["--cluster", terminal.ocean_id, "--instance-id", node, "--yes", "--record", str(record)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ocean_migration_pulumi", *LIVE, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        while "pods left (STARTING" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    [migration] = terminal.sim.control.migrations(terminal.ocean_id)
    assert (process.returncode, out) == (8, "")
    stop = f"ocean-migration stop {migration['id']} --cluster {terminal.ocean_id}"
    assert errors.splitlines()[-2:] == [
        f"Migration {migration['id']} is still running on {terminal.ocean_id} (STARTING). Stop it with `{stop}`.",
        "Error: interrupted",
    ]
    assert '"method": "POST"' in record.read_text(encoding="utf-8")
    terminal.sim.control.clock(speed=3000)
    assert terminal.plain(*stop.split()[1:]).exit_code == 0
    checked = terminal.json("api-check", "--from", str(record))
    [ended] = findings(checked, LiveCode.TERMINAL_STATE)
    assert (ended["severity"], ended["fields"]["seconds"]) == (Severity.ERROR, None)


def test_deadline_names_what_runs(terminal: Terminal, node: str, record: Path) -> None:
    """After the stop was sent, too."""
    terminal.sim.control.hold(terminal.ocean_id)
    options = ("--stop-after", "0s", "--timeout", "1s", "--record", str(record))
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", *options)
    [migration] = terminal.sim.control.migrations(terminal.ocean_id)
    assert result.exit_code == 9
    assert (
        f"Migration {migration['id']} is still running on {terminal.ocean_id} (STOPPING, stop sent)." in result.stderr
    )
    assert f"Error: migration {migration['id']} has not ended after 1s" in result.stderr


def test_lost_answer_to_the_start_is_found_in_the_list(terminal: Terminal, node: str, record: Path) -> None:
    """There is no second POST."""
    terminal.sim.control.fault("POST", "*/migration", "reset-after")
    data = terminal.json(*LIVE, "--instance-id", node, "--yes", "--stop-after", "0s", "--record", str(record))
    [migration] = terminal.sim.control.migrations(terminal.ocean_id)
    assert data["live"]["migration_id"] == migration["id"]
    [create] = findings(data, LiveCode.CREATE_RESPONSE)
    assert (create["severity"], create["fields"]["found"]) == ("warning", "no response")
    assert len(started(terminal)) == 1


def test_start_that_cannot_be_found_is_told(
    terminal: Terminal, node: str, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that shows what became of it."""
    monkeypatch.setattr(live_run, "_SEARCH_SECONDS", 0.2)
    terminal.sim.control.fault("POST", "*/migration", "reset-before")
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", "--record", str(record))
    assert result.exit_code == 1
    assert (
        f"A migration of {node} may have started on {terminal.ocean_id}. Look for it with "
        f"`ocean-migration history --cluster {terminal.ocean_id}`.\n"
    ) in result.stderr


def test_refused_start_runs_nothing(terminal: Terminal, node: str, record: Path) -> None:
    """The record still answers how a start is refused."""
    terminal.sim.control.fault("POST", "*/migration", "status", status=400)
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", "--record", str(record))
    assert result.exit_code == 1
    assert "is still running" not in result.stderr
    data = terminal.json("api-check", "--from", str(record))
    [create] = data["live"]["findings"]
    assert (create["code"], create["severity"], create["fields"]["found"][0][:8]) == (
        "create-response",
        "error",
        "HTTP 400",
    )
    assert {each["key"]: each["verdict"] for each in data["questions"]}["refused-start"] == "settled"


def test_refused_stop_lets_the_migration_finish(terminal: Terminal, node: str, record: Path) -> None:
    """It is sent once."""
    terminal.sim.control.fault("PUT", "*", "status", status=400)
    data = terminal.json(*LIVE, "--instance-id", node, "--yes", "--stop-after", "0s", "--record", str(record))
    [stop] = findings(data, LiveCode.STOP_RESPONSE)
    assert (stop["severity"], stop["fields"]["found"][0][:8]) == ("error", "HTTP 400")
    [ended] = findings(data, LiveCode.TERMINAL_STATE)
    assert (ended["severity"], ended["fields"]["found"]) == ("info", "FINISHED")
    assert len(terminal.sim.control.requests(method="PUT")) == 1


def test_outage_of_a_poll_is_survived(terminal: Terminal, node: str, record: Path) -> None:
    """And of a stop, which is sent again."""
    terminal.sim.control.fault("PUT", "*", "503", times=4)
    data = terminal.json(*LIVE, "--instance-id", node, "--yes", "--stop-after", "0s", "--record", str(record))
    [ended] = findings(data, LiveCode.TERMINAL_STATE)
    assert ended["fields"]["found"] in {"STOPPED", "FINISHED"}
    assert json.loads(record.read_text(encoding="utf-8").splitlines()[0])["record"] == "ocean-migration"


def test_second_interruption_names_what_runs(
    terminal: Terminal, node: str, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the program at once, but not without a word."""

    def interrupt(run: live_run.LiveRun) -> None:
        run.migration_id = "owm-1"
        raise KeyboardInterrupt

    monkeypatch.setattr(live_run.LiveRun, "run", interrupt)
    result = terminal.run(*LIVE, "--instance-id", node, "--yes", "--record", str(record))
    assert result.exit_code == 8
    assert result.stderr.splitlines()[-2:] == [
        f"Migration owm-1 is still running on {terminal.ocean_id} (state unknown). Stop it with "
        f"`ocean-migration stop owm-1 --cluster {terminal.ocean_id}`.",
        "Interrupted.",
    ]
