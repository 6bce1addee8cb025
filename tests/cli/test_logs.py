"""``ocean-migration logs``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from ocean_migration_pulumi.cli import context
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.simulator import Simulator
from tests.cli.conftest import described
from tests.cli.explained import environment, migrate, printed, run, simulator
from tests.support.timing import PATIENCE


def test_log_is_told_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest first; a line that somebody else has written stays one."""
    with simulator(monkeypatch, "success") as sim:
        migration = migrate(sim, seconds=60)
        sim.control.write_log(sim.ocean_id, "odd\n\x1b[31mline", severity="WARN")
        text = printed(sim, "logs")
        assert text.splitlines() == [
            f"2026-01-02T03:04:05.400Z INFO Ocean {sim.ocean_id} successfully created.",
            f"2026-01-02T03:04:05.400Z INFO Workload migration {migration} of 6 instances has started.",
            "2026-01-02T03:05:05.400Z WARN odd [31mline",
        ]
        described("logs", json.loads(printed(sim, "logs", "--json")))


def test_log_is_asked_for_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By span, severity and number of lines; the span is of the service's time, wherever this machine's clock is."""
    with simulator(monkeypatch, "success") as sim:
        migrate(sim, seconds=7200)
        sim.control.write_log(sim.ocean_id, "late", severity="ERROR")
        assert printed(sim, "logs", "--since", "10m") == "2026-01-02T05:04:05.400Z ERROR late\n"
        assert printed(sim, "logs", "--since", "3h", "--severity", "error") == "2026-01-02T05:04:05.400Z ERROR late\n"
        assert printed(sim, "logs", "--since", "3h", "--limit", "1") == "2026-01-02T05:04:05.400Z ERROR late\n"
        assert len(printed(sim, "logs", "--since", "3h", "--until", "2026-01-02T03:04:06Z").splitlines()) == 2
        nothing = run(sim, "logs", "--since", "2h", "--until", "1h59m", "--severity", "WARN")
        assert (nothing.exit_code, nothing.stdout) == (0, "")
        asked = "--since 2h --until 1h59m --severity WARN"
        assert nothing.stderr == f"No log lines for {sim.ocean_id} with {asked}. Use --since to look further back\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--since", "soon"), "Error: --since must be an age such as"),
        (("--since", "1h", "--until", "2h"), "Error: --until: '2h' is before the start ('1h')"),
        (("--follow", "--json"), "Error: --follow: mutually exclusive with --until, --json and -o json"),
        (("--follow", "--until", "1m"), "Error: --follow: mutually exclusive with --until, --json and -o json"),
        (("--limit", "1001"), "1001 is not in the range 1<=x<=1000"),
    ],
)
def test_what_cannot_be_asked_is_a_mistake_of_the_user(
    options: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2, and one line that says why."""
    with simulator(monkeypatch, "success") as sim:
        result = run(sim, "logs", *options)
        assert result.exit_code == 2
        assert message in result.stderr


class _Steps:
    """Lets something happen instead of each wait between two polls; Ctrl-C comes after the last one."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Take the next step."""
        if self._steps:
            self._steps.pop(0)()
        else:
            event.set()
        return event.is_set()


def _follow(monkeypatch: pytest.MonkeyPatch, sim: Simulator, *steps: Callable[[], object]) -> list[str]:
    made = CancelScope(wait=_Steps(*steps).wait)
    monkeypatch.setattr(context, "CancelScope", lambda **options: made)
    result = run(sim, "logs", "--follow", "--since", "10m")
    assert result.exit_code == 0
    return [*result.stdout.splitlines(), *result.stderr.splitlines()]


def test_follow_tells_every_new_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late ones and equal ones too, until Ctrl-C, which is no failure."""
    with simulator(monkeypatch, "success") as sim:
        migrate(sim, seconds=3600)
        write = sim.control.write_log
        write(sim.ocean_id, "first")

        def later() -> None:
            sim.control.advance(60)
            write(sim.ocean_id, "second")
            write(sim.ocean_id, "second")
            write(sim.ocean_id, "late", age_seconds=30)

        def much_later() -> None:
            sim.control.advance(1200)
            write(sim.ocean_id, "third")

        told = _follow(monkeypatch, sim, later, lambda: None, much_later, lambda: None)
    assert [line.split()[-1] for line in told] == ["first", "late", "second", "second", "third"]


def test_follow_survives_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so beside the log, and goes on."""
    with simulator(monkeypatch, "success") as sim:
        migrate(sim, seconds=3600)
        told = _follow(
            monkeypatch,
            sim,
            lambda: sim.control.fault("GET", "*/log", "shape", times=1),
            lambda: sim.control.write_log(sim.ocean_id, "after"),
        )
    assert told[0].endswith("INFO after")
    assert told[1].startswith("no response for 0s, retrying: ")


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
def test_ctrl_c_ends_a_followed_log_well() -> None:
    """With exit status 0, and without a traceback."""
    with Simulator(nodes=3) as sim:
        known = {name: value for name, value in environment(sim).items() if value is not None}
        process = subprocess.Popen(
            [sys.executable, "-m", "ocean_migration_pulumi", "logs", "--follow"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **known, "PYTHONUNBUFFERED": "1"},
        )
        try:
            assert process.stdout is not None
            assert "successfully created" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, errors) == (0, "")
