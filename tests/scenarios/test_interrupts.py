"""Ctrl-C wherever it strikes: the command ends soon, nothing is lost, and the next one goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.scenarios.driver import Driver, Run, Running
from tests.scenarios.moments import (
    ANSWERED,
    BEFORE,
    SENT,
    STOP_UNANSWERED,
    STOPPING,
    UNANSWERED,
    WAITING,
    Moment,
    up_again,
)
from tests.scenarios.scene import Scene, failed, warned
from tests.scenarios.support import (
    assert_done,
    assert_moved_once,
    assert_no_orphans,
    assert_nothing_pending,
    effective_starts,
)
from tests.support.sampling import first_is_fast
from tests.support.timing import ends_soon


def end(running: Running, how: Callable[[], None]) -> Run:
    """Interrupt a command, and see it end soon, as failed, with its plugin."""
    with ends_soon():
        how()
        run = running.wait()
    assert run.exit_code != 0, run.output
    # An interrupted program may print a traceback of its own.
    assert not any("Traceback" in message for _, message in run.messages("web")), run.output
    assert_no_orphans(running)
    return run


def finish(scene: Scene, planned: list[str]) -> dict[str, Any]:
    """Run the one `up` that goes on, and assert that all is migrated by then, nothing twice."""
    up_again(scene)
    assert_moved_once(scene.simulator, planned)
    return assert_done(scene.driver, planned)


@pytest.mark.parametrize("moment", first_is_fast([ANSWERED, WAITING]), ids=str)
def test_an_interrupted_create_saves_the_migration(driver: Driver, moment: Moment) -> None:
    """The state holds the migration's id and why `up` failed; the next `up` waits for the same migration."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        with moment.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            run = end(running, running.interrupt)
        (migration,) = scene.migrations()
        assert failed(run, "interrupted", migration["id"], "continues in Ocean"), run.output
        assert scene.outputs()["migration_id"] == migration["id"]
        assert "interrupted" in " ".join(scene.init_errors())
        assert driver.pending_operations() == []
        outputs = finish(scene, scene.asg())
        assert [each["origin"] for each in outputs["migrations"]] == ["started"]
        assert not scene.init_errors()


@pytest.mark.slow
def test_an_interrupt_before_the_start_starts_nothing(driver: Driver) -> None:
    """A run that had written nothing leaves nothing behind."""
    with Scene(driver) as scene:
        scene.declare()
        with BEFORE.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            end(running, running.interrupt)
        assert not scene.writes()
        assert driver.resource("web") is None
        assert driver.pending_operations() == []
        finish(scene, scene.asg())


@pytest.mark.parametrize("moment", first_is_fast([SENT, UNANSWERED]), ids=str)
def test_an_interrupt_of_an_unanswered_start_says_that_one_may_have_started(driver: Driver, moment: Moment) -> None:
    """Nobody knows whether the POST has an effect: the next `up` looks for it before it starts any other."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        with moment.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            run = end(running, running.interrupt)
        assert failed(run, "it may have started"), run.output
        assert "it may have started" in " ".join(scene.init_errors())
        assert "migration_id" not in scene.outputs()
        assert scene.outputs()["unanswered_start"]["instance_ids"] == scene.asg()
        outputs = finish(scene, scene.asg())
        assert [each["origin"] for each in outputs["migrations"]] == ["started"]
        assert "unanswered_start" not in outputs
        assert len(scene.writes()) == 1


@pytest.mark.slow
def test_an_interrupted_start_that_had_no_effect_is_sent_again(driver: Driver) -> None:
    """The next `up` finds no migration of these nodes, and only then starts one."""
    with Scene(driver) as scene:
        scene.declare()
        scene.control.fault("POST", "*/migration", "reset-before")
        with SENT.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            run = end(running, running.interrupt)
        assert failed(run, "it may have started"), run.output
        assert not scene.migrations()
        finish(scene, scene.asg())
        assert len(scene.starts()) == 1


@pytest.mark.parametrize("moment", first_is_fast([UNANSWERED, WAITING]), ids=str)
def test_an_interrupted_update_goes_on_with_the_next_up(driver: Driver, moment: Moment) -> None:
    """A partial failure of an update keeps the old inputs, and still no node is migrated twice."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        scene.declare(nodes={"asg_names": ["web", "api"]})
        scene.hold()
        with moment.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            end(running, running.interrupt)
        finish(scene, [*scene.asg(), *scene.asg("api")])
        assert effective_starts(scene.simulator) == [frozenset(scene.asg()), frozenset(scene.asg("api"))]


@pytest.mark.slow
@pytest.mark.parametrize("moment", first_is_fast([STOP_UNANSWERED, STOPPING]), ids=str)
def test_an_interrupted_stop_of_an_update_goes_on_with_the_next_up(driver: Driver, moment: Moment) -> None:
    """The stop is sent once; the rest is started with the flags of now."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(should_evict_stand_alone_pods=True, wait_for="started")
        scene.up()
        scene.declare()
        with moment.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            end(running, running.interrupt)
        finish(scene, scene.asg())
        assert len(scene.stops()) == 1
        assert [start["shouldEvictStandAlonePods"] for start in scene.starts()] == [True, False]


@pytest.mark.parametrize("moment", first_is_fast([STOP_UNANSWERED, STOPPING]), ids=str)
def test_an_interrupted_destroy_goes_on_with_the_next_destroy(driver: Driver, moment: Moment) -> None:
    """The resource stays in the state until its migration has stopped; no second stop is sent."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        with moment.hold(scene) as (_, wait):
            running = scene.driver.start("destroy")
            wait()
            run = end(running, running.interrupt)
        (migration,) = scene.migrations()
        assert failed(run, "interrupted", migration["id"]), run.output
        assert driver.resource("web") is not None
        scene.hold(False)
        scene.destroy()
        assert len(scene.stops()) == 1
        assert driver.resources() == []
        assert [each["state"] for each in scene.migrations()] == ["STOPPED"]


@pytest.mark.slow
def test_a_terminated_run_ends_like_an_interrupted_one(driver: Driver) -> None:
    """A CI runner that ends its job by SIGTERM loses nothing."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        with WAITING.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            run = end(running, running.terminate)
        (migration,) = scene.migrations()
        assert failed(run, "interrupted", migration["id"]), run.output
        assert scene.outputs()["migration_id"] == migration["id"]
        finish(scene, scene.asg())


def test_after_a_second_interrupt_up_adopts_what_was_started(driver: Driver) -> None:
    """The engine gives up at once and keeps a pending creation: `up` adopts, and the documented refresh clears it."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        with UNANSWERED.hold(scene) as (_, wait):
            running = scene.driver.start("up")
            wait()
            end(running, running.interrupt_until_it_ends)
        assert driver.resource("web") is None
        assert driver.pending_operations() == [("creating", "web")]
        run = up_again(scene)
        assert warned(run, "web"), run.output
        assert_moved_once(scene.simulator, scene.asg())
        outputs = assert_done(driver, scene.asg())
        assert [each["origin"] for each in outputs["migrations"]] == ["adopted"]
        assert_nothing_pending(driver)
