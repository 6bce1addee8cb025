"""The state knows less than happened: restored from an older one, or the resource was taken out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.moments import up_again
from tests.scenarios.scene import Scene, digest_of, failed, warned
from tests.scenarios.support import assert_done, assert_moved_once, effective_starts, eventually


@contextmanager
def at_rest(scene: Scene) -> Iterator[None]:
    """Let no time pass in the simulator: what has ended a moment ago stays younger than a day."""
    scene.control.clock(manual=True)
    yield
    scene.control.clock(manual=False)


def test_an_older_state_takes_in_what_it_does_not_know(driver: Driver) -> None:
    """The follow-up migration that ran after the export is found by `up`, and nothing is started."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        older = driver.state()
        scene.declare(nodes={"asg_names": ["web", "api"]})
        scene.up()
        both = [*scene.asg(), *scene.asg("api")]
        mark = scene.mark()
        with at_rest(scene):
            driver.import_state(older)
            scene.up()
        assert not scene.writes(mark)
        assert_moved_once(scene.simulator, both)
        outputs = assert_done(driver, both)
        assert [each["origin"] for each in outputs["migrations"]] == ["started", "adopted"]


@pytest.mark.slow
def test_an_older_state_of_a_failed_run_finds_its_follow_up(driver: Driver) -> None:
    """No input differs: that the next migration has ended is found by `up` all the same."""
    with Scene(driver) as scene:
        scene.declare()
        scene.control.arm_failure(scene.ocean_id, "instances")
        run = scene.up_fails()
        assert failed(run, "failed after"), run.output
        older = driver.state()
        scene.up()
        mark = scene.mark()
        with at_rest(scene):
            driver.import_state(older)
            scene.up()
        assert not scene.writes(mark)
        assert len(scene.migrations()) == 2
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(driver, scene.asg())


@pytest.mark.slow
def test_an_empty_state_restored_while_a_migration_runs_adopts_it(driver: Driver) -> None:
    """A state from before the first `up` does not lead to a second migration."""
    with Scene(driver) as scene:
        older = driver.state()
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        driver.import_state(older)
        scene.declare()
        up_again(scene)
        assert len(scene.writes()) == 1
        assert_moved_once(scene.simulator, scene.asg())
        outputs = assert_done(driver, scene.asg())
        assert [each["origin"] for each in outputs["migrations"]] == ["adopted"]


def test_a_state_deleted_while_its_migration_runs_is_adopted(driver: Driver) -> None:
    """The migration runs on; the next `up` waits for it."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        assert driver.state_delete("web").exit_code == 0
        scene.declare()
        up_again(scene)
        assert len(scene.writes()) == 1
        assert_moved_once(scene.simulator, scene.asg())
        outputs = assert_done(driver, scene.asg())
        assert [each["origin"] for each in outputs["migrations"]] == ["adopted"]


@pytest.mark.slow
def test_a_state_deleted_after_the_end_records_what_was_done(driver: Driver) -> None:
    """Within a day, the next `up` records the ended migration and its nodes, and starts nothing."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        mark = scene.mark()
        with at_rest(scene):
            assert driver.state_delete("web").exit_code == 0
            scene.up()
        assert not scene.writes(mark)
        outputs = assert_done(driver, scene.asg())
        assert [each["origin"] for each in outputs["migrations"]] == ["adopted"]
        assert outputs["status"] == "FINISHED"
        scene.up_unchanged()


@pytest.mark.slow
def test_a_state_deleted_after_a_failure_follows_up_what_remains(driver: Driver) -> None:
    """The failed migration is recorded, and only what it left is migrated, in the same `up`."""
    with Scene(driver) as scene:
        scene.declare()
        scene.control.arm_failure(scene.ocean_id, "instances")
        scene.up_fails()
        (ended,) = scene.migrations()
        assert len(ended["drained"]) == 1
        assert driver.state_delete("web").exit_code == 0
        scene.up()
        assert_moved_once(scene.simulator, scene.asg())
        outputs = assert_done(driver, scene.asg())
        assert outputs["migrations"][0]["id"] == ended["id"]


@pytest.mark.slow
def test_up_after_a_destroy_starts_what_the_destroy_had_stopped(driver: Driver) -> None:
    """The stop was this stack's own doing: it keeps nobody from starting again."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        running = driver.start("destroy")
        eventually(lambda: bool(scene.stops()))
        scene.hold(False)
        assert running.wait().exit_code == 0
        scene.declare()
        scene.up()
        assert effective_starts(scene.simulator) == [frozenset(scene.asg())]
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(driver, scene.asg())


@pytest.mark.slow
def test_an_approved_plan_covers_the_follow_up_of_a_failed_update(driver: Driver) -> None:
    """The engine keeps the inputs of before a failed update: what was reviewed is known from the outputs."""
    with Scene(driver, nodes=6) as scene:
        scene.declare()
        scene.up()
        both = {"asg_names": ["web", "api"]}
        scene.declare(nodes=both)
        digest = digest_of(scene.preview())
        scene.declare(nodes=both, approved_plan=digest)
        scene.control.arm_failure(scene.ocean_id, "instances")
        scene.up_fails()
        assert len(scene.migrations()[-1]["drained"]) == 1
        scene.up()
        assert len(scene.starts()) == 3
        planned = [*scene.asg(), *scene.asg("api")]
        assert_moved_once(scene.simulator, planned)
        assert_done(driver, planned)


@pytest.mark.parametrize("end", ["failed", "stopped"])
def test_a_state_of_0_1_is_judged_again(driver: Driver, end: str) -> None:
    """Version 0.1 took every node that discovery missed as migrated; one of them still has its pods."""
    with Scene(driver) as scene:
        if end == "failed":
            scene.control.arm_failure(scene.ocean_id, "instances")
            scene.declare()
            scene.up_fails()
        else:
            scene.hold()
            scene.declare()
            running = scene.up_waiting()
            scene.control.stop_foreign(scene.ocean_id, scene.migrations()[0]["id"])
            scene.hold(False)
            assert running.wait().exit_code != 0
        drained = set(scene.migrations()[0]["drained"])
        driver.import_state(as_of_0_1(driver.state(), scene.asg()))
        assert scene.outputs()["succeeded"] is True
        run = scene.up()
        assert set(scene.outputs()["migrated_nodes"]) >= drained
        if end == "failed":
            assert_done(driver, scene.asg())
            assert [set(start["instanceIds"]) for start in scene.starts()[1:]] == [set(scene.asg()) - drained]
        else:
            assert warned(run, "was stopped by someone else")
            assert set(scene.outputs()["remaining_nodes"]) == set(scene.asg()) - drained


def as_of_0_1(state: dict[str, Any], nodes: list[str]) -> dict[str, Any]:
    """Return a state as version 0.1 would have left it: all nodes migrated, and none of the later outputs."""
    stored = json.loads(json.dumps(state))
    for resource in stored["deployment"]["resources"]:
        if "migrated_nodes" in resource.get("outputs", {}):
            for name in ("gone_nodes", "unverified_nodes", "missing_since", "remaining_reasons", "failure"):
                resource["outputs"].pop(name, None)
            resource["outputs"] |= {"migrated_nodes": nodes, "remaining_nodes": [], "succeeded": True, "progress": 100}
            resource.pop("initErrors", None)
    return stored
