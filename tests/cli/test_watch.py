"""`ocean-migration watch`: lines in a pipe, a dashboard on a terminal, and what the exit status says."""

from __future__ import annotations

import io
import json
import os
import re
import select
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ocean_migration_pulumi.api.client import OceanClient
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.cli.commands.migrate import watch
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.dashboard import onlookers
from ocean_migration_pulumi.migration.diagnosis.readiness import WorkloadReadiness
from ocean_migration_pulumi.migration.reconcile.waiter import PollPolicy
from ocean_migration_pulumi.migration.views.live_view import LiveView
from tests.cli.conftest import Terminal
from tests.migration.builders import status
from tests.support.timing import PATIENCE

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \d/5 nodes, .*[A-Z_]+ \w+")

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def begin(terminal: Terminal, *, speed: float = 10_000, evict: bool = False) -> str:
    """Start a migration of all nodes, and let the time run."""
    with OceanClient(Settings.load(None, terminal.sim.environment)) as client:
        migration_id = client.create_migration(
            terminal.ocean_id,
            [node.instance_id for node in client.discover(terminal.ocean_id)],
            batch_size_percentage=50,
            should_terminate_drained_nodes=True,
            should_evict_stand_alone_pods=evict,
            force_pod_eviction_on_pdb_failure=True,
        )
    terminal.sim.control.clock(speed=speed)
    return migration_id


def test_in_a_pipe_there_is_a_line_for_each_change(terminal: Terminal) -> None:
    """Each with the time in UTC; then what became of it."""
    migration_id = begin(terminal, speed=600)
    result = terminal.run("watch")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    end = next(place for place, line in enumerate(lines) if line.startswith(f"migration {migration_id} finished"))
    assert end >= 2
    shown = [line for line in lines[:end] if not line.endswith("waiting for a second response that confirms it")]
    assert all(LINE.fullmatch(line) for line in shown)
    assert " 5/5 nodes, FINISHED " in shown[-1]
    assert "\x1b" not in result.stdout


def test_lines_name_pods_that_are_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    """Each reason once, and how many are ready with each status."""
    lines = onlookers.LineDisplay(now=lambda: AT)
    reason = "1 pod not ready on Ocean nodes (image): shop/cart-1"
    for failing in ((reason,), (reason,), ()):
        readiness = WorkloadReadiness(summary="2 of 3 desired pods ready", failing=failing)
        view = LiveView.from_status(status("i-1"), at=AT, readiness=readiness)
        lines.show(view)
        lines.status("")
    printed = capsys.readouterr().out.splitlines()
    assert [line.endswith("2 of 3 desired pods ready") for line in printed] == [True, False, True, True]
    assert printed[1].endswith(reason)


def test_watch_asks_kubernetes_which_pods_are_ready(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With access, beside the polls."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="run"))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    begin(terminal, speed=300)
    result = terminal.run("watch")
    assert result.exit_code == 0, result.output
    shown = r", \d+ of \d+ desired pods ready, \d+ on Ocean \(no baseline\)"
    assert re.search(shown, result.stdout, re.MULTILINE), result.stdout


@pytest.mark.parametrize("scenario", ["failure-schedule"])
@pytest.mark.parametrize("named", [True, False])
def test_unscheduled_pods_have_their_names(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """With access to Kubernetes; Spot reports only ids, which are shown without it."""
    shown: list[str] = []

    class Display(onlookers.LineDisplay):
        def show(self, live_view: LiveView) -> None:
            shown.extend(live_view.unscheduled)
            super().show(live_view)

    if named:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(terminal.sim.kubeconfig(identity="run"))
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr(watch, "onlooker", lambda context, migration_id: Display())
    begin(terminal, speed=300)
    assert terminal.run("watch").exit_code == 4
    assert shown
    assert all(bool(re.fullmatch(r"[a-z]+/[a-z0-9-]+", name)) is named for name in shown)


def test_watch_compares_with_the_baseline_of_the_stack(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which has to be that of the migration; a stack without one is said."""
    kubeconfig, stack = tmp_path / "kubeconfig", tmp_path / "stack.json"
    kubeconfig.write_text(terminal.sim.kubeconfig(identity="run"))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    migration_id = begin(terminal, speed=300)
    entry = {"uid": "", "ready": 3, "desired": 3, "planned": 3}
    baseline = {"migration_id": migration_id, "workloads": {"Deployment shop cart": entry, "Deployment x gone": entry}}
    outputs: dict[str, object] = {"migrations": [{"id": migration_id}], "workload_baseline": baseline}

    def watch(*arguments: str) -> Any:
        stack.write_text(json.dumps({"deployment": {"resources": [{"outputs": outputs}]}}))
        return terminal.run("watch", *arguments, "--stack", str(stack))

    result = watch()
    assert result.exit_code == 0, result.output
    assert re.search(r", \d of 3 required pods ready, \d+ on Ocean", result.stdout), result.stdout
    assert "no baseline" not in result.output
    del outputs["workload_baseline"]
    assert f"The stack has no baseline of {migration_id}" in watch(migration_id).output
    outputs["migrations"] = []
    refused = watch(migration_id)
    assert refused.exit_code == 2
    assert f"--stack: does not contain {migration_id}" in refused.output


def test_watch_knows_the_number_of_batches_from_the_stack(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spot does not report the batch size."""
    shown: set[str] = set()

    class Display(onlookers.LineDisplay):
        def show(self, live_view: LiveView) -> None:
            shown.add(live_view.batches.describe())
            super().show(live_view)

    monkeypatch.setattr(watch, "onlooker", lambda context, migration_id: Display())
    run = {"id": begin(terminal, speed=300), "batch_size_percentage": 50}
    stack = tmp_path / "stack.json"
    stack.write_text(json.dumps({"deployment": {"resources": [{"outputs": {"migrations": [run]}}]}}))
    assert terminal.run("watch", "--stack", str(stack)).exit_code == 0
    assert {"batch 1 of 2", "batch 2 of 2"} <= shown <= {"", "batch 1 of 2", "batch 2 of 2"}


@pytest.mark.parametrize("command", ["watch", "wait"])
@pytest.mark.parametrize("scenario", ["failure-instances"])
def test_a_migration_that_failed_is_explained(terminal: Terminal, command: str) -> None:
    """The exit status says that it failed, however late one asks."""
    migration_id = begin(terminal)
    for arguments in ((), (migration_id,)):
        result = terminal.run(command, *arguments)
        assert result.exit_code == 4, result.output
        assert "Ocean could not start enough new instances" in result.stdout


@pytest.mark.parametrize("command", ["watch", "wait"])
@pytest.mark.parametrize("scenario", ["stall"])
def test_a_migration_that_stands_still_is_left_alone(terminal: Terminal, command: str) -> None:
    """Whether it is waited for no longer because it stalls, or because the time is up."""
    migration_id = begin(terminal)
    terminal.sim.control.advance(3600)
    goes_on = f"migration {migration_id} continues in Ocean. To stop it: `ocean-migration stop {migration_id} --cluster"
    stalled = terminal.run(command, "--stall-timeout", "200ms", "--timeout", "never")
    assert stalled.exit_code == 9, stalled.output
    assert re.search(rf"No progress for \d+s; {re.escape(goes_on)} {terminal.ocean_id}", stalled.stderr)
    assert migration_id in stalled.stdout
    late = terminal.run(command, "--timeout", "200ms")
    assert late.exit_code == 9, late.output
    assert f"Timed out; {goes_on} {terminal.ocean_id}" in late.stderr


def test_a_migration_that_somebody_stopped_is_told(terminal: Terminal) -> None:
    """As a failure of what was waited for."""
    migration_id = begin(terminal, speed=1)
    with OceanClient(Settings.load(None, terminal.sim.environment)) as client:
        client.stop_migration(terminal.ocean_id, migration_id)
    terminal.sim.control.advance(600)
    result = terminal.run("watch", migration_id)
    assert result.exit_code == 4, result.output
    assert "stopped" in result.stdout


def test_a_short_outage_is_shown_and_borne(terminal: Terminal) -> None:
    """What the dashboard asks beside the status may fail, too."""
    begin(terminal, speed=3000)
    terminal.sim.control.fault("GET", "*/nodes", "shape", times=50)
    terminal.sim.control.fault("GET", "*/migration/*", "shape", times=5)
    result = terminal.run("watch")
    assert result.exit_code == 0, result.output
    assert re.search(r"Z no response for \d+s, retrying: .", result.stdout)


def test_an_outage_that_lasts_ends_the_watch(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the migration."""
    poll_policy = PollPolicy(poll_interval=0.05, outage=0.1)
    monkeypatch.setattr(CliContext, "poll_policy", property(lambda context: poll_policy))
    migration_id = begin(terminal, speed=1)
    terminal.sim.control.fault("GET", "*/migration/*", "shape", times=50)
    result = terminal.run("watch")
    assert result.exit_code == 9, result.output
    assert f"migration {migration_id} continues in Ocean" in result.stderr


def test_a_migration_that_the_cluster_has_not_is_a_mistake(terminal: Terminal) -> None:
    """It is said at once."""
    result = terminal.run("watch", "owm-00000000")
    assert result.exit_code == 6
    assert result.stderr.startswith("Error: MIGRATION: no migration 'owm-00000000'")


def test_on_a_terminal_the_dashboard_is_the_result(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does without the name of the cluster when that cannot be asked; what became of it stands below."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, color_system=None, width=80, height=24)
    monkeypatch.setattr(watch, "terminal", lambda: console)
    migration_id = begin(terminal)
    terminal.sim.control.fault("GET", f"*/cluster/{terminal.ocean_id}", "shape")
    result = terminal.run("watch")
    assert result.exit_code == 0, result.output
    _, _, after = shown.getvalue().partition("\x1b[?1049l")
    assert after.startswith(f"Migration {migration_id}  {terminal.ocean_id} ")
    assert "Completed  FINISHED" in after
    assert result.stdout.startswith(f"migration {migration_id} finished")


def test_only_a_terminal_that_can_show_one_gets_a_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dumb one gets lines, as a pipe does, whatever the colours are said to be."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert onlookers.terminal() is None
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert onlookers.terminal() is None
    monkeypatch.setenv("TERM", "xterm")
    assert onlookers.terminal() is not None


def test_ctrl_c_leaves_the_migration_running(terminal: Terminal, tmp_path: Path) -> None:
    """On a terminal: the dashboard goes, its last picture stays, and how to stop it is told."""
    pty = pytest.importorskip("pty")
    migration_id = begin(terminal, speed=1)
    leader, follower = pty.openpty()
    errors = tmp_path / "errors"
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24", "NO_COLOR": "1"}
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "ocean_migration_pulumi", "watch", "--cluster", "demo"],
            stdin=follower,
            stdout=follower,
            stderr=file,
            env=environment,
        )
    os.close(follower)
    seen = b""
    interrupted = False
    try:
        while chunk := _read(leader):
            seen += chunk
            if not interrupted and b"ocean-migration stop" in seen:
                process.send_signal(signal.SIGINT)
                interrupted = True
        assert process.wait(PATIENCE) == 8
    finally:
        process.kill()
        process.wait()
        os.close(leader)
    assert interrupted
    running, _, after = seen.decode().partition("\x1b[?1049l")
    assert running.startswith("\x1b[?1049h")
    assert f"Migration {migration_id}  demo ({terminal.ocean_id})" in re.sub(r"\x1b\[[\d;]*m", "", after)
    assert not re.search(r"\x1b\[(\d+;)*3\dm", after)
    stop = f"ocean-migration stop {migration_id} --cluster {terminal.ocean_id}"
    told = errors.read_text(encoding="utf-8")
    assert told == f"Interrupted; migration {migration_id} continues in Ocean. To stop it: `{stop}`\n"


def _read(leader: int) -> bytes:
    """Read what a terminal shows; nothing once it is closed, or when nothing comes for long."""
    if not select.select([leader], [], [], PATIENCE)[0]:
        return b""
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""


def test_a_record_of_a_watch_holds_all_that_a_report_needs(terminal: Terminal, tmp_path: Path) -> None:
    """Cluster, nodes and log, too: nobody has to be asked any more."""
    record = tmp_path / "record.jsonl"
    terminal.json("start", "--asg-name", "web", "--yes")
    assert terminal.run("watch", "--record", str(record)).exit_code == 0
    terminal.sim.control.delete_cluster(terminal.ocean_id)
    report = terminal.plain("report", "--from", str(record))
    assert report.exit_code == 0, report.output
    assert "could not be read" not in report.stdout
    assert "demo" in report.stdout
