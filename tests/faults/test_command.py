"""What a fault makes of the command: one line on stderr, and the exit status that says what kind of failure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from ocean_migration_pulumi.api import sender
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.migration.reconcile import adoption
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy
from tests.cli.conftest import Terminal
from tests.cli.test_watch import begin
from tests.faults.words import CALLS, WHAT, reads

STATUS: Final = ("GET", "*/migration/owm-*")
GOES_ON: Final = (
    "migration {migration} continues in Ocean. To stop it: `ocean-migration stop {migration} --cluster {ocean}`"
)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait before the next attempt, or long for a service that is gone."""
    monkeypatch.setattr(sender, "FAILED", replace(sender.FAILED, initial_wait=0.0))
    monkeypatch.setattr(adoption, "LOST_SEARCH", 0.1)
    monkeypatch.setattr(CliContext, "poll_policy", property(lambda context: PollPolicy(poll_interval=0.05, outage=0.1)))


def line_of(terminal: Terminal, status: int, *arguments: str) -> str:
    """Run a command that must fail with a status, and return the line that says so; stdout stays empty."""
    result = terminal.run(*arguments)
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def matches(terminal: Terminal, words: str, line: str, migration_id: str) -> bool:
    """Tell whether a line reads as it should."""
    sim = terminal.sim
    known = {"ocean": terminal.ocean_id, "base": sim.url, "account": sim.account_id, "source": "SPOTINST_TOKEN"}
    return reads(words, **known, migration=migration_id).fullmatch(line) is not None


@pytest.mark.parametrize("fault", ["500", "502", "reset-before", "truncate", "shape"])
@pytest.mark.parametrize("command", ["status", "stop"])
def test_an_outage_is_one_line(terminal: Terminal, command: str, fault: str) -> None:
    """With exit status 1; nothing was done."""
    migration_id = begin(terminal)
    terminal.sim.control.fault(*STATUS, fault, times=1_000)
    line = line_of(terminal, 1, command)
    words = f"Error: {WHAT[fault].replace('{call}', CALLS['status'])}; try again"
    assert matches(terminal, words, line, migration_id), line


def test_a_stop_that_nobody_answers_is_one_line(terminal: Terminal) -> None:
    """To ask again is safe."""
    migration_id = begin(terminal)
    terminal.sim.control.fault("PUT", "*/migration/owm-*", "500", times=1_000)
    line = line_of(terminal, 1, "stop")
    words = f"Error: {WHAT['500'].replace('{call}', CALLS['stop'])}; try again"
    assert matches(terminal, words, line, migration_id), line


@pytest.mark.parametrize("fault", ["500", "reset-after", "truncate", "shape"])
def test_a_wait_that_hears_nothing_for_long_ends(terminal: Terminal, fault: str) -> None:
    """With exit status 9: the migration goes on."""
    migration_id = begin(terminal)
    terminal.sim.control.fault(*STATUS, fault, times=100_000)
    line = line_of(terminal, 9, "wait")
    words = f"Error: {WHAT[fault].replace('{call}', CALLS['status'])}; {GOES_ON}"
    assert matches(terminal, words, line, migration_id), line


@pytest.mark.parametrize("command", ["status", "stop", "wait"])
@pytest.mark.parametrize(("taken", "status"), [("token", 3), ("deleted", 6)])
def test_what_is_taken_away_is_one_line(terminal: Terminal, command: str, taken: str, status: int) -> None:
    """With an exit status of its own for a token that is refused."""
    migration_id = begin(terminal)
    actions: dict[str, Callable[[], None]] = {
        "token": lambda: terminal.sim.control.revoke_token(terminal.sim.token),
        "deleted": lambda: terminal.sim.control.delete_cluster(terminal.ocean_id),
    }
    account, ocean_id = terminal.sim.account_id, terminal.ocean_id
    actions[taken]()
    line = line_of(terminal, status, command, migration_id)
    known = {"ocean": ocean_id, "account": account, "source": "SPOTINST_TOKEN"}
    if taken == "deleted":
        assert line == f"Error: --cluster: no cluster {ocean_id!r}; the account has no cluster [unknown-name]"
        return
    assert reads(f"Error: {WHAT[taken]}", **known).fullmatch(line), line


def test_a_lost_start_is_one_line(terminal: Terminal) -> None:
    """With exit status 4, and a hint where to look before another one is started."""
    terminal.sim.control.fault("POST", "*/migration", "502")
    result = terminal.run("start", "--all-nodes", "--yes")
    assert result.exit_code == 4, result.output
    words = (
        f"Error: the response to the start of a migration of 5 nodes was lost ({WHAT['502']}), and no such "
        "migration is listed "
    )
    words += "yet: it may have started. Check `ocean-migration history` before you start another one."
    line = result.stderr.splitlines()[-1]
    assert matches(terminal, words.replace("{call}", CALLS["create"]), line, ""), line


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "reset-before", "reset-after", "truncate"])
def test_a_fault_that_passes_is_no_matter(terminal: Terminal, fault: str) -> None:
    """Of the status, and of the stop."""
    migration_id = begin(terminal)
    terminal.sim.control.fault(*STATUS, fault, seconds=0)
    told = terminal.run("status")
    assert (told.exit_code, told.stderr) == (0, "")
    terminal.sim.control.fault("PUT", "*/migration/owm-*", fault, seconds=0)
    stopped = terminal.run("stop", "--no-wait")
    assert (stopped.exit_code, stopped.stderr) == (0, "")
    assert stopped.stdout == f"Migration {migration_id}: STOPPING, 0 of 5 nodes done\n"
