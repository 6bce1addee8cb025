"""The state file, which survives even a SIGKILL."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from ocean_migration_pulumi.simulator import Simulator
from tests.support.timing import PATIENCE
from tests.testing.simulator.conftest import Api
from tests.testing.simulator.process import running


def test_a_migration_survives_a_kill(tmp_path: Path) -> None:
    """What was answered before the kill is there after the restart, and the migration continues to its end."""
    state = tmp_path / "state.json"
    with running("--state", str(state), "--nodes", "5", "--seed", "3") as first:
        migration = Api(first).create()
        first.process.kill()
        first.process.wait(PATIENCE)
    port = first.url.rpartition(":")[2]
    with running("--state", str(state), "--port", port) as second:
        assert second.lines == first.lines
        second.control.clock(manual=True)
        api = Api(second)
        assert len(api.status(migration)["oldInstances"]) == 5
        assert api.run(migration)[-1] == "FINISHED"
        log = second.control.requests()
        assert [entry["migration_id"] for entry in log if entry["effective"]] == [migration]
        assert [entry["n"] for entry in log] == list(range(1, len(log) + 1))


def test_the_whole_world_is_restored(tmp_path: Path) -> None:
    """Pods, pending pods, refills, rolls, quirks, accounts, tokens, heartbeat and log."""
    state = tmp_path / "state.json"
    with Simulator(scenario="refilling-asg", seed=5, state_file=state) as sim:
        control, ocean_id = sim.control, sim.ocean_id
        control.clock(manual=True, speed=7)
        api = Api(sim)
        ids = api.offered()
        api.run(api.create(ids[:4], shouldTerminateDrainedNodes=True))
        api.send("POST", f"/ocean/aws/k8s/cluster/{ocean_id}/roll", {"roll": {"comment": "x"}})
        api.create(ids[4:])
        control.add_pod(ocean_id, None, name="pending", labels={"a": "b"})
        control.heartbeat(ocean_id, status="INACTIVE", age_seconds=100)
        control.quirk("idKey", "Id")
        control.forbid(control.add_account())
        control.rotate_token()
        before = _picture(sim)
    saved = json.loads(state.read_text())
    with Simulator(state_file=state, nodes=3, scenario="success", seed=9) as sim:
        assert _picture(sim) == before
        assert json.loads(state.read_text()) == saved


def _picture(sim: Simulator) -> Any:
    control, ocean_id = sim.control, sim.ocean_id
    api = Api(sim)
    roll = api.send("GET", f"/ocean/aws/k8s/cluster/{ocean_id}/roll").items
    log = api.log()
    control.clear_requests()
    return (
        control.overview(),
        control.nodes(ocean_id),
        control.migrations(ocean_id),
        roll,
        log,
        sim.environment["OCEAN_ID"],
    )


def test_time_continues_from_the_saved_one(tmp_path: Path) -> None:
    """Not from the real time; a given speed replaces the saved one."""
    state = tmp_path / "state.json"
    with Simulator(state_file=state, speed=50) as sim:
        sim.control.clock(manual=True)
        now = sim.control.advance(1_000_000)["now"]
    with Simulator(state_file=state) as sim:
        assert sim.control.overview()["clock"] == {"now": now, "speed": 50, "manual": True}
    with Simulator(state_file=state, speed=2) as sim:
        assert sim.control.overview()["clock"]["speed"] == 2


def test_reads_are_saved_soon(tmp_path: Path) -> None:
    """The file has a request that changes nothing a moment later."""
    state = tmp_path / "state.json"
    with Simulator(state_file=state) as sim:
        api = Api(sim)
        for _ in range(3):
            api.offered()
        deadline = time.monotonic() + PATIENCE
        while len(json.loads(state.read_text())["requests"]) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_state_file_is_private(tmp_path: Path) -> None:
    """It has the token; no temporary file is left."""
    state = tmp_path / "state.json"
    with Simulator(state_file=state):
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 99}', "\x00"])
def test_another_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    """The error names the file, which is not overwritten."""
    state = tmp_path / "precious.json"
    state.write_text(content)
    with pytest.raises(ValueError, match=r"precious\.json is not a state file"):
        Simulator(state_file=state)
    assert state.read_text() == content
