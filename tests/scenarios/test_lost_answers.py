"""The answer to a write is lost: what it did is looked for, and no start is sent twice."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.moments import up_again
from tests.scenarios.scene import Scene, failed, warned
from tests.scenarios.support import (
    assert_done,
    assert_moved_once,
    assert_no_orphans,
    assert_nothing_pending,
    eventually,
)
from tests.support.sampling import first_is_fast

STARTS = "*/migration"
STOPS = "*/migration/owm-*"


@pytest.mark.parametrize("fault", first_is_fast(["reset-after", "truncate", "shape"]))
def test_a_start_whose_answer_is_lost_is_found_in_the_list(driver: Driver, fault: str) -> None:
    """The migration that the POST started is the one that was not listed before and holds its nodes."""
    with Scene(driver) as scene:
        scene.declare()
        scene.control.fault("POST", STARTS, fault)
        run = scene.up()
        assert warned(run, "the response to the start was lost", "looking for the migration"), run.output
        assert len(scene.writes()) == 1
        assert_moved_once(scene.simulator, scene.asg())
        outputs = assert_done(driver, scene.asg())
        assert [each["origin"] for each in outputs["migrations"]] == ["started"]


@pytest.mark.parametrize("seconds", first_is_fast([1.0, 3.0]))
def test_a_start_that_has_its_effect_late_is_found_when_it_has(driver: Driver, seconds: float) -> None:
    """The list is asked until the migration appears, although the connection was cut before it existed."""
    with Scene(driver) as scene:
        scene.declare()
        scene.control.fault("POST", STARTS, "late-effect", seconds=seconds)
        scene.up()
        assert len(scene.writes()) == 1
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(driver, scene.asg())


def test_a_lost_start_that_does_not_appear_fails_and_is_looked_for_again(driver: Driver) -> None:
    """No second POST in this `up`; the next one finds nothing, and only then starts."""
    with Scene(driver) as scene:
        scene.declare(opts='pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="4s"))')
        scene.control.fault("POST", STARTS, "reset-before")
        run = scene.up_fails()
        assert failed(run, "it may have started"), run.output
        assert len(scene.writes()) == 1
        assert scene.outputs()["unanswered_start"]["instance_ids"] == scene.asg()
        scene.up()
        assert len(scene.writes()) == 2
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(driver, scene.asg())


@pytest.mark.slow
@pytest.mark.parametrize("seconds", first_is_fast([0.0, 3.0]))
def test_a_kill_while_a_lost_start_is_looked_for_loses_nothing(driver: Driver, seconds: float) -> None:
    """The state knows nothing of the start; the next `up` adopts its migration, however late it came to be."""
    with Scene(driver) as scene:
        scene.declare()
        scene.hold()
        scene.control.fault("POST", STARTS, "late-effect", seconds=seconds)
        running = scene.driver.start("up")
        running.wait_until(lambda run: warned(run, "the response to the start was lost"))
        running.kill_all()
        assert_no_orphans(running)
        scene.driver.cancel()
        eventually(lambda: bool(scene.migrations()))
        up_again(scene)
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(driver, scene.asg())
        assert_nothing_pending(driver)


@pytest.mark.parametrize("fault", first_is_fast(["reset-after", "late-effect", "503"]))
def test_a_stop_whose_answer_is_lost_still_stops(driver: Driver, fault: str) -> None:
    """A stop may be sent again: it asks for a state, and the second one changes nothing."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        scene.control.fault("PUT", STOPS, fault, seconds=1.0)
        running = driver.start("destroy")
        eventually(lambda: scene.migrations()[0]["stop_requested_at"] is not None)
        scene.hold(False)
        running.wait_for_success()
        assert driver.resources() == []
        (migration,) = scene.migrations()
        assert migration["state"] == "STOPPED"
        assert not migration["drained"]
