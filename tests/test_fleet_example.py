"""The example fleet: the pool and its table with OfflineStack as the engine, and all of it with a `pulumi` command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from rich.console import Console

from examples.fleet.running import Outcome, run
from examples.fleet.table import summary
from ocean_migration_pulumi.simulator import Simulator
from ocean_migration_pulumi.testing import OfflineStack

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "examples" / "waves"
CALM = {"holdFor": "0s", "soakTime": "0s"}

Fleet = dict[str, dict[str, str]]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """Run a fast simulator."""
    with Simulator(nodes=4, speed=600) as simulator:
        yield simulator


@pytest.fixture
def fleet(sim: Simulator) -> Fleet:
    """Return the config of three clusters; the second one cannot start enough instances, once."""
    ids = [sim.ocean_id, *(sim.control.add_cluster(4, name=name)["id"] for name in ("eu", "us"))]
    for ocean_id in ids:
        sim.control.heartbeat(ocean_id, age_seconds=-30 * 86_400)
    sim.control.arm_failure(ids[1], "instances")
    return {name: {"oceanId": id_, **CALM} for name, id_ in zip(("shop-ap", "shop-eu", "shop-us"), ids, strict=True)}


class Offline:
    """Deploys with OfflineStack."""

    def __init__(self, sim: Simulator, directory: Path) -> None:
        self._sim = sim
        self._directory = directory
        self.stacks: dict[str, OfflineStack] = {}
        self.started = threading.Event()
        self._running = 0
        self.most = 0
        self._lock = threading.Lock()

    def deploy(self, cluster: str, config: Mapping[str, str]) -> Mapping[str, int]:
        """Bring a stack up."""
        environment = {**self._sim.environment, "OCEAN_MIGRATION_POLL_INTERVAL": "0.05"}
        stack = OfflineStack(
            PROGRAM, self._directory / f"{cluster}.json", stack=cluster, config=config, environment=environment
        )
        with self._lock:
            self.stacks[cluster] = stack
            self._running += 1
            self.most = max(self.most, self._running)
        self.started.set()
        result = stack.up()
        with self._lock:
            self._running -= 1
        if not result.succeeded:
            raise RuntimeError(next(each.message for each in result.diagnostics if each.severity == "error"))
        totals: Mapping[str, int] = result.outputs["totals"]
        return totals

    def interrupt(self) -> None:
        """Interrupt what runs."""
        for stack in self.stacks.values():
            stack.interrupt()


def printed(outcomes: list[Outcome]) -> str:
    """Return the table as text."""
    console = Console(width=200, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - closed below
    with console.file:
        console.print(summary(outcomes))
        return console.export_text()


@pytest.mark.slow
def test_a_cluster_that_fails_stops_no_other(sim: Simulator, fleet: Fleet, tmp_path: Path) -> None:
    """Two at a time; the next run goes on with what is left."""
    engine = Offline(sim, tmp_path)
    said: list[str] = []
    outcomes = run(
        fleet, engine.deploy, engine.interrupt, parallel=2, ended=lambda outcome: said.append(outcome.cluster)
    )
    assert engine.most == 2
    assert {outcome.cluster: outcome.result for outcome in outcomes} == {
        "shop-ap": "succeeded",
        "shop-eu": "failed",
        "shop-us": "succeeded",
    }
    assert sorted(said) == list(fleet)
    table = printed(outcomes)
    assert "2 of 3" in table
    assert "could not start enough new instances" in " ".join(table.split())
    again = run(fleet, engine.deploy, engine.interrupt, parallel=3)
    assert [outcome.totals["migrated"] for outcome in again if outcome.succeeded] == [2, 2, 2]


def test_ctrl_c_interrupts_what_runs_and_starts_no_other(sim: Simulator, fleet: Fleet, tmp_path: Path) -> None:
    """The migration that runs continues in Ocean."""
    # Whatever started the tests may have Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    ocean_id = fleet["shop-ap"]["oceanId"]
    sim.control.hold(ocean_id)
    engine = Offline(sim, tmp_path)

    def press() -> None:
        while not sim.control.migrations(ocean_id):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    try:
        outcomes = run(fleet, engine.deploy, engine.interrupt, parallel=1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [outcome.result for outcome in outcomes] == ["interrupted", "not started", "not started"]
    assert list(engine.stacks) == ["shop-ap"]
    (migration,) = sim.control.migrations(ocean_id)
    assert not migration["terminal"]


def test_names_and_reasons_are_shown_as_they_are() -> None:
    """What looks like markup is none, and what is not known is empty."""
    bad = Outcome(cluster="[red]eu", result="failed", reason="[bold]no")
    table = printed([bad, Outcome(cluster="us", result="not started")])
    assert "[red]eu" in table
    assert "[bold]no" in table
    assert "0 of 2" in table


class Command:
    """The script as users run it, with a backend below a directory."""

    def __init__(self, sim: Simulator, fleet: Fleet, directory: Path) -> None:
        if shutil.which("pulumi") is None:
            pytest.skip("no `pulumi` on the PATH")
        # The configs of the stacks lie beside the program.
        shutil.copytree(PROGRAM, directory / "waves", ignore=shutil.ignore_patterns("Pulumi.*.yaml", "__pycache__"))
        for each in ("home", "backend"):
            (directory / each).mkdir()
        (directory / "clusters.json").write_text(json.dumps(fleet), encoding="utf-8")
        self.logs = directory / "logs"
        self._arguments = [
            *(sys.executable, "-m", "examples.fleet", str(directory / "clusters.json"), "--parallel", "2"),
            *("--program", str(directory / "waves"), "--logs", str(self.logs)),
        ]
        self._environment = {
            **os.environ,
            **sim.environment,
            "OCEAN_MIGRATION_POLL_INTERVAL": "0.1",
            "COLUMNS": "200",
            "PYTHONPATH": str(ROOT),
            "PULUMI_HOME": str(directory / "home"),
            "PULUMI_BACKEND_URL": (directory / "backend").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PYTHON_CMD": sys.executable,
        }

    def start(self) -> subprocess.Popen[str]:
        """Start it."""
        return subprocess.Popen(
            self._arguments,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def run(self) -> tuple[int, str]:
        """Run it to its end; return exit status and output."""
        with self.start() as process:
            output, _ = process.communicate(timeout=240)
        return process.returncode, output


@pytest.mark.slow
def test_the_script_with_the_real_engine(sim: Simulator, fleet: Fleet, tmp_path: Path) -> None:
    """One fails: exit status 1, a reason in the table, and a log of each; the next run does the rest."""
    command = Command(sim, fleet, tmp_path)
    status, output = command.run()
    assert status == 1, output
    assert "2 of 3" in output
    assert "Ocean could not start enough new instances" in output
    assert sorted(log.stem for log in command.logs.iterdir()) == list(fleet)
    status, output = command.run()
    assert status == 0, output
    assert "3 of 3" in output


@pytest.mark.slow
def test_ctrl_c_with_the_real_engine(sim: Simulator, fleet: Fleet, tmp_path: Path) -> None:
    """Each `pulumi` gets one signal, wherever it came from, and saves its state; nothing else is started."""
    command = Command(sim, fleet, tmp_path)
    ids = [config["oceanId"] for config in fleet.values()]
    for ocean_id in ids[:2]:
        sim.control.arm_failure(ocean_id, None)
        sim.control.hold(ocean_id)
    with command.start() as process:
        deadline = time.monotonic() + 120
        while not all(sim.control.migrations(ocean_id) for ocean_id in ids[:2]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert output.count("interrupted after") == 2, output
    assert "not started" in output
    assert not sim.control.migrations(ids[2])
    for ocean_id in ids[:2]:
        sim.control.hold(ocean_id, False)
    status, output = command.run()
    assert status == 0, output
