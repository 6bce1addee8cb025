"""Stdout that is full or closed ends every command with one line, and one whose reader has gone without a word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocean_migration_pulumi.cli.app import COMMANDS, MAINTAINER_COMMANDS
from tests.cli.conftest import Terminal

PROGRAM = (sys.executable, "-m", "ocean_migration_pulumi")
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "plan": ("--all-nodes",),
    "start": ("--all-nodes", "--yes"),
    "comment": ("preview.json",),
    "completion": ("bash",),
    "simulator": ("--port", "0"),
    "pending": ("stack.json",),
    "stop": ("--no-wait",),
}
NEEDS_MIGRATION = ("status", "watch", "wait", "stop", "explain", "report")


@pytest.fixture(autouse=True)
def preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give `comment` a preview to read, and `pending` the export of a stack."""
    monkeypatch.chdir(tmp_path)
    Path("preview.json").write_text('{"steps": [], "diagnostics": []}', encoding="utf-8")
    Path("stack.json").write_text('{"version": 3, "deployment": {"resources": []}}', encoding="utf-8")


def arguments(terminal: Terminal, command: str) -> tuple[str, ...]:
    """Return a command line that prints something, with a migration on the cluster where it is about one."""
    if command in NEEDS_MIGRATION:
        terminal.sim.control.hold(terminal.ocean_id, command == "stop")
        terminal.run("start", "--all-nodes", "--yes")
    given = ARGUMENTS.get(command, ())
    takes_cluster = command not in {"comment", "completion", "pending", "simulator", "config", "clusters"}
    return (command, *given, *(("--cluster", terminal.ocean_id) if takes_cluster else ()))


def run(*command: str, redirect: str) -> tuple[int, str]:
    """Run the program with its stdout redirected by a shell, and return the exit status and stderr."""
    script = f'"$@" {redirect}'
    found = subprocess.run(
        ["sh", "-c", script, "sh", *PROGRAM, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    return found.returncode, found.stderr


def run_into_closed_pipe(*command: str) -> tuple[int, str]:
    """Run the program with a pipe as its stdout that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        found = subprocess.run([*PROGRAM, *command], stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=120)
    return found.returncode, found.stderr


@pytest.mark.parametrize("command", [*COMMANDS, *MAINTAINER_COMMANDS])
def test_full_disk_ends_with_one_line(terminal: Terminal, command: str) -> None:
    """Progress may precede it on stderr."""
    status, stderr = run(*arguments(terminal, command), redirect=">/dev/full")
    assert status == 1, stderr
    assert stderr.splitlines()[-1] == "Error: cannot write to stdout: No space left on device"
    assert "Traceback" not in stderr
    assert "Exception" not in stderr


@pytest.mark.parametrize(
    "command",
    [("--help",), ("plan", "--help"), ("config", "--json"), ("completion", "zsh"), ("watch",), ("logs", "--follow")],
)
def test_a_closed_pipe_is_silent_and_closed_stdout_one_line(terminal: Terminal, command: tuple[str, ...]) -> None:
    """Help and completion scripts are no exception. The status is that of a program that SIGPIPE ends."""
    if command[0] in {"watch", "logs"}:
        terminal.run("start", "--all-nodes", "--yes")
        command = (*command, "--cluster", terminal.ocean_id)
    status, stderr = run_into_closed_pipe(*command)
    assert (status, "Error" in stderr) == (141, False), stderr
    status, stderr = run(*command, redirect=">&-")
    assert (status, stderr) == (1, "Error: cannot write to stdout: it is closed\n")


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
def test_head_has_read_all_that_it_wanted(terminal: Terminal) -> None:
    """As of any other program: nothing beside the lines, however long the rest is."""
    program = " ".join((sys.executable, "-m ocean_migration_pulumi logs --since 24h --cluster", terminal.ocean_id))
    for number in range(900):
        terminal.sim.control.write_log(terminal.ocean_id, f"{number} {'x' * 400}")
    found = subprocess.run(["sh", "-c", f"{program} | head -1"], capture_output=True, text=True, timeout=120)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.count("\n") == 1


def test_completions_end_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that asks for completions may be gone, too."""
    monkeypatch.setenv("_OCEAN_MIGRATION_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "ocean-migration ")
    monkeypatch.setenv("COMP_CWORD", "1")
    program = "from ocean_migration_pulumi.cli import main; main(prog_name='ocean-migration')"
    found = subprocess.run(
        ["sh", "-c", '"$@" >/dev/full', "sh", sys.executable, "-c", program],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert (found.returncode, found.stderr) == (1, "Error: cannot write to stdout: No space left on device\n")


@pytest.mark.parametrize("redirect", ["2>/dev/full", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_other_closed_streams_raise_nothing(terminal: Terminal, redirect: str) -> None:
    """Stderr that cannot be written loses progress, not the result."""
    status, stderr = run("plan", "--all-nodes", "--cluster", terminal.ocean_id, redirect=redirect)
    assert status == (1 if ">&-" in redirect.split() else 0), stderr
    assert "Traceback" not in stderr
