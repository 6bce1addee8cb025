"""Stdout that is full, closed, or read by nobody any more ends every command with one line."""

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
    "stop": ("--no-wait",),
}
NEEDS_MIGRATION = ("status", "watch", "wait", "stop", "explain", "report")


@pytest.fixture(autouse=True)
def preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give `comment` a preview to read."""
    monkeypatch.chdir(tmp_path)
    Path("preview.json").write_text('{"steps": [], "diagnostics": []}', encoding="utf-8")


def arguments(terminal: Terminal, command: str) -> tuple[str, ...]:
    """Return a command line that prints something, with a migration on the cluster where it is about one."""
    if command in NEEDS_MIGRATION:
        terminal.sim.control.hold(terminal.ocean_id, command == "stop")
        terminal.run("start", "--all-nodes", "--yes")
    given = ARGUMENTS.get(command, ())
    takes_cluster = command not in {"comment", "completion", "simulator", "config", "clusters"}
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
def test_closed_pipe_and_closed_stdout_end_with_one_line(terminal: Terminal, command: tuple[str, ...]) -> None:
    """Help and completion scripts are no exception."""
    if command[0] in {"watch", "logs"}:
        terminal.run("start", "--all-nodes", "--yes")
        command = (*command, "--cluster", terminal.ocean_id)
    status, stderr = run_into_closed_pipe(*command)
    assert (status, stderr.splitlines()[-1]) == (1, "Error: cannot write to stdout: Broken pipe")
    status, stderr = run(*command, redirect=">&-")
    assert (status, stderr) == (1, "Error: cannot write to stdout: it is closed\n")


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
