"""Three waves over several runs: the end of a pipeline, and a backend that refuses writes."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from ocean_migration_pulumi import cli
from tests.scenarios.driver import Driver
from tests.scenarios.offline_driver import OfflineDriver
from tests.scenarios.scene import Scene, failed
from tests.scenarios.support import eventually
from tests.scenarios.test_component import declare

DEADLINE = "OCEAN_MIGRATION_DEADLINE"


def end_in(scene: Scene, seconds: float) -> float:
    """Let runs end in so many seconds; return when 15 minutes are left, as a reading of the monotonic clock."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    scene.driver.environment[DEADLINE] = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    return time.monotonic() + seconds - 900


def test_three_waves_over_several_runs(driver: Driver) -> None:
    """Each run ends in time. It stops nothing, starts nothing late, and the next one goes on: three starts in all."""
    with Scene(driver, nodes=10) as scene:
        waves = [
            {"name": name, "nodes": nodes, "gate": {"hold_for": "0s"}, "on_timeout": "stop"}
            for name, nodes in (
                ("canary", {"asg_names": ["web"], "limit": "1"}),
                ("half", {"asg_names": ["web"], "limit": "50%"}),
                ("rest", {"asg_names": ["web"]}),
            )
        ]
        declare(scene, waves=waves)
        end_in(scene, 600)
        begun = time.monotonic()
        run = scene.up_fails()
        # What the first start may take, by what this machine takes to refuse one; the second one comes later.
        slack = 10 + 3 * (time.monotonic() - begun)
        assert failed(run, "no migration starts in the last 15 minutes")
        assert scene.writes() == []

        # The first wave starts in time, and ends when it is too late for the second one.
        too_late = end_in(scene, 900 + slack)
        scene.hold()
        running = scene.up_waiting()
        time.sleep(max(0.0, too_late - time.monotonic()))
        scene.hold(held=False)
        run = running.wait()
        assert failed(run, "no migration starts in the last 15 minutes"), run.output
        assert len(scene.starts()) == 1
        assert scene.stored_status("shop-canary") == "FINISHED"
        assert driver.resource("shop-half") is None

        # The second wave runs when the run ends: it goes on, and its id is saved.
        del scene.driver.environment[DEADLINE]
        scene.hold()
        running = scene.up_waiting()
        running.interrupt()
        running.wait()
        end_in(scene, 125)
        run = scene.up_fails()
        assert failed(run, f"{DEADLINE} is reached", "continues in Ocean"), run.output
        assert scene.stops() == []
        assert scene.stored_status("shop-half") not in {None, "FINISHED"}

        del scene.driver.environment[DEADLINE]
        scene.hold(held=False)
        scene.up()
        assert len(scene.starts()) == 3
        assert driver.outputs()["totals"]["migrated"] == 5


@pytest.mark.parametrize("waits_for", ["soak", "gate"])
def test_end_of_the_run_in_a_soak_or_a_gate_fails_neither(driver: Driver, waits_for: str) -> None:
    """The first wave is migrated, and the next run goes on from there, with nothing that it starts twice."""
    with Scene(driver, nodes=10) as scene:
        canary = {"name": "canary", "nodes": {"asg_names": ["web"], "limit": "1"}}
        rest = {"name": "rest", "nodes": {"asg_names": ["web"]}}
        long = (
            {"soak_time": "10h", "gate": {"hold_for": "0s"}}
            if waits_for == "soak"
            else {"gate": {"hold_for": "1h", "timeout": "2h"}}
        )
        declare(scene, waves=[{**canary, **long}, rest])
        end_in(scene, 3600)
        running = driver.start("up")
        eventually(lambda: [each["terminal"] for each in scene.migrations()] == [True])
        running.wait_until(lambda run: any(waits_for in text for text in (*run.statuses, run.output)))
        running.interrupt()
        running.wait()
        end_in(scene, 135)
        run = scene.up_fails()
        assert failed(run, f"{DEADLINE} is reached"), run.output
        assert driver.resource("shop-rest") is None
        assert len(scene.starts()) == 1
        assert scene.stops() == []
        assert scene.outputs("shop-canary")["migrated_nodes"]

        short = {"soak_time": "0s", "gate": {"hold_for": "0s"}}
        declare(scene, waves=[{**canary, **short}, rest])
        del driver.environment[DEADLINE]
        scene.up()
        assert len(scene.starts()) == 2
        assert driver.outputs()["totals"]["migrated"] == 5


def test_backend_that_refuses_writes_costs_no_second_migration(driver: Driver) -> None:
    """As when its credentials expire in mid-wave: `up` fails, and the next one finds the migration."""
    with Scene(driver, nodes=10) as scene:
        declare(scene)
        scene.hold()
        running = scene.up_waiting()
        state = state_file(driver)
        kept = state.with_name("kept")
        state.rename(kept)
        # A directory is in the way of every write, also of a user who may write anything.
        (state / "in the way").mkdir(parents=True)
        scene.hold(held=False)
        assert running.wait().exit_code != 0
        (state / "in the way").rmdir()
        state.rmdir()
        kept.rename(state)
        driver.cancel()
        held = {node for start in scene.starts() for node in start["instanceIds"]}
        run = driver.up()
        if run.exit_code:
            # What the killed update had started has to be forgotten first.
            driver.refresh(clear_pending_creates=True)
            scene.up()
        asked = [node for start in scene.starts() for node in start["instanceIds"]]
        assert len(asked) == len(set(asked)) == 5
        assert held <= set(asked)


def run_pipeline(scene: Scene) -> int:
    """Do what each run of a pipeline does; return the exit status that decides whether the schedule goes on."""
    flags = {"target": "**:OceanWorkloadMigration::**"} if scene.driver.name == "pulumi" else {}
    scene.refresh(**flags)
    scene.preview()
    scene.up()
    export = json.dumps(scene.driver.state())
    return CliRunner().invoke(cli.main, ["pending"], input=export).exit_code


def test_schedule_goes_on_until_no_migration_runs_or_left_nodes(driver: Driver) -> None:
    """With `wait_for="started"`: `up` succeeds while the migration runs, which then fails and is continued."""
    with Scene(driver) as scene:
        scene.declare(wait_for="started")
        scene.hold()
        scene.control.arm_failure(scene.ocean_id, "instances")
        assert run_pipeline(scene) == 7
        assert run_pipeline(scene) == 7
        assert len(scene.starts()) == 1
        scene.hold(held=False)
        eventually(lambda: all(each["terminal"] for each in scene.migrations()))
        scene.hold()
        assert run_pipeline(scene) == 7
        assert len(scene.starts()) == 2
        scene.hold(held=False)
        eventually(lambda: all(each["terminal"] for each in scene.migrations()))
        mark = scene.mark()
        assert run_pipeline(scene) == 0
        assert not scene.writes(mark)
        assert scene.outputs()["migrated_nodes"] == scene.asg()


def state_file(driver: Driver) -> Path:
    """Return the file that the engine writes the state to."""
    if isinstance(driver, OfflineDriver):
        return driver.state_file
    (found,) = (driver.directory / "backend" / ".pulumi" / "stacks").rglob("*.json")
    return found
