"""`ocean-migration wait`: quiet, to a target, with the exit status as the answer."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import Terminal
from tests.cli.test_watch import begin
from tests.support.timing import PATIENCE


def test_the_result_is_all_that_stdout_gets(terminal: Terminal) -> None:
    """Progress goes to stderr; an ended migration is told at once."""
    migration_id = begin(terminal, speed=3000)
    result = terminal.run("wait")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"migration {migration_id} finished")
    assert " 5/5 nodes, " in result.stderr
    again = terminal.run("wait", migration_id, "--for", "started")
    assert (again.exit_code, again.stdout) == (0, result.stdout)


def test_a_part_of_it_can_be_waited_for(terminal: Terminal) -> None:
    """It goes on meanwhile."""
    migration_id = begin(terminal, speed=1)
    started = terminal.run("wait", "--for", "started")
    assert started.exit_code == 0
    assert re.fullmatch(rf"0/5 nodes, \d+ pods left.*: migration {migration_id} is [A-Z_]+\n", started.stdout)
    terminal.sim.control.clock(speed=3000)
    result = terminal.run("wait", "--for", "50%")
    assert result.exit_code == 0, result.output
    # On a slow machine it has meanwhile finished.
    done = re.search(r"(\d)(?:/| of )5 nodes", result.stdout)
    assert done is not None
    assert int(done[1]) >= 3


@pytest.mark.parametrize("scenario", ["stand-alone-pods"])
def test_what_is_left_over_is_told(terminal: Terminal) -> None:
    """It has finished all the same."""
    begin(terminal)
    result = terminal.run("wait")
    assert result.exit_code == 0, result.output
    assert "debug-1" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--for", "half"), '--for must be "finished", "started", or a percentage'),
        (("--for", "0%"), "--for must be "),
        (("--for", "101%"), "--for must be "),
        (("--timeout", "soon"), "--timeout must be a duration"),
        (("--stall-timeout", "0s"), "--stall-timeout must be a duration"),
    ],
)
def test_what_cannot_be_waited_for_is_refused(terminal: Terminal, arguments: tuple[str, ...], message: str) -> None:
    """Before anything is asked."""
    terminal.sim.control.clear_requests()
    result = terminal.run("wait", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert terminal.sim.control.requests() == []


def test_sigterm_ends_the_wait_in_an_orderly_way(terminal: Terminal) -> None:
    """A runner that is shut down leaves the migration running, and says so."""
    migration_id = begin(terminal, speed=1)
    process = subprocess.Popen(
        [sys.executable, "-m", "ocean_migration_pulumi", "wait", "--cluster", terminal.ocean_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 8
    assert re.search(" 0/5 nodes, .*[A-Z_]+ ", first)
    assert out == ""
    assert f"Interrupted; migration {migration_id} continues in Ocean" in err


@pytest.mark.parametrize("command", ["wait", "watch"])
def test_one_wrong_answer_ends_no_wait(terminal: Terminal, command: str) -> None:
    """A terminal state needs a second status and the list; one "does not exist" in mid-run concludes nothing."""
    migration_id = begin(terminal, speed=600)
    terminal.sim.control.fault("GET", "*/migration/owm-*", "contradict", state="STOPPED")
    terminal.sim.control.fault("GET", "*/migration/owm-*", "forget", after=1)
    result = terminal.run(command)
    assert result.exit_code == 0, result.output
    assert f"migration {migration_id} finished" in result.stdout
    (migration,) = terminal.sim.control.migrations(terminal.sim.ocean_id)
    assert migration["state"] == "FINISHED"
