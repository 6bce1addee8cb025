"""Somebody stops a migration by the command while an `up` waits for it: both say the same."""

from __future__ import annotations

import subprocess
import sys

from ocean_migration_pulumi.common.times import parse_time
from tests.scenarios.driver import TIMEOUT, Driver
from tests.scenarios.scene import Scene, assert_failed, failed, warned
from tests.scenarios.support import eventually


def stop(scene: Scene, migration_id: str) -> str:
    """Run `ocean-migration stop` to its end, let the migration go on meanwhile, and return what it printed."""
    stopping = subprocess.Popen(
        [sys.executable, "-m", "ocean_migration_pulumi", "stop", migration_id, "--cluster", scene.ocean_id],
        env=scene.driver.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: bool(scene.stops()) or stopping.poll() is not None)
    scene.hold(False)
    output, messages = stopping.communicate(timeout=TIMEOUT)
    assert stopping.returncode == 0, messages
    return output


def test_up_that_waits_says_that_somebody_stopped_it_and_when(driver: Driver) -> None:
    """A partial failure with the id saved; the next `up` records it as a success with a warning, and starts nothing."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        (migration,) = scene.migrations()
        output = stop(scene, migration["id"])
        assert f"Migration {migration['id']}: STOPPED, 0 of 2 nodes done" in output
        run = running.wait()

        assert_failed(run)
        outputs = scene.outputs()
        at = outputs["stopped_at"]
        assert parse_time(at) is not None
        said = f"migration {migration['id']} was stopped by someone else at {at}, 0 of 2 nodes done; nothing is started"
        assert failed(run, said)
        (reason,) = scene.init_errors()
        assert reason.startswith(said)
        assert (outputs["migration_id"], outputs["status"]) == (migration["id"], "STOPPED")
        assert outputs["failure"]["reason"] == "MigrationStopped"
        assert outputs["remaining_nodes"] == scene.asg()
        assert scene.driver.pending_operations() == []

        mark = scene.mark()
        run = scene.up()
        assert warned(run, f"migration {migration['id']} was stopped by someone else at {at}; 2 nodes remain")
        assert not scene.init_errors()
        assert "failure" not in scene.outputs()
        assert scene.outputs()["stopped_at"] == at
        assert not scene.writes(mark)
        scene.up_unchanged()
        assert len(scene.starts()) == len(scene.stops()) == 1
