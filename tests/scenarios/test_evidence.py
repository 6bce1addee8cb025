"""The service lies for a while: no green `up`, open gate or forgotten migration that the cluster contradicts.

What is true is read from the simulator's world, not from the outputs.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.driver import Driver, Running
from tests.scenarios.scene import STARTS, STATUSES, Scene, assert_failed, failed, warned
from tests.scenarios.support import assert_done, assert_moved_once, eventually

FOR_EVER = 1_000_000
"""More answers than any scenario asks for."""


def pods_left(scene: Scene) -> int:
    """Return how many pods still run on the nodes of the Auto Scaling Group `web`."""
    nodes = scene.control.nodes(scene.ocean_id)
    return sum(len(node["pods"]) for node in nodes if node["asg_name"] == "web" and not node["terminated"])


def deny(scene: Scene, *, times: int = FOR_EVER, status_alone: bool = False) -> None:
    """Let the service deny every migration, in the statuses and, unless they alone do, in the list."""
    scene.control.fault("GET", STATUSES, "forget", times=times)
    if not status_alone:
        scene.control.fault("GET", STARTS, "forget", times=times)


def destroy_with_stops(scene: Scene, stops: int) -> None:
    """Destroy a stack whose migration stands still until so many stops were sent, and assert that it is stopped."""
    running = scene.driver.start("destroy")
    eventually(lambda: len(scene.stops()) == stops)
    scene.hold(False)
    running.wait_for_success()
    (migration,) = scene.migrations()
    assert migration["state"] == "STOPPED"
    assert len(scene.stops()) == stops


def finish_green(scene: Scene, running: Running) -> None:
    """Let the migration of an `up` go on, and assert that the `up` is green, moved all nodes once, and wrote once."""
    scene.hold(False)
    running.wait_for_success()
    assert not pods_left(scene)
    assert_moved_once(scene.simulator, scene.asg())
    assert_done(scene.driver, scene.asg())
    assert len(scene.writes()) == 1


def lies_told(scene: Scene) -> int:
    """Return how many answers a fault has falsified."""
    return sum(each["fault"] == "contradict" for each in scene.control.requests())


@pytest.mark.parametrize("times", [1, 6])
def test_a_migration_that_is_denied_for_a_while_is_waited_for(driver: Driver, times: int) -> None:
    """While the list has it, whatever its status says: the `up` is green when its nodes are free, not before."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        deny(scene, times=times, status_alone=True)
        running.wait_until(lambda run: any("but the migration is listed" in line for line in run.statuses))
        assert running.alive
        assert pods_left(scene)
        finish_green(scene, running)


def test_a_migration_that_is_denied_throughout_is_lost(driver: Driver) -> None:
    """Its nodes remain, `up` fails and names it, nothing is started; when it is there again, `up` waits for it."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        (migration,) = scene.migrations()
        deny(scene)
        run = running.wait()
        assert_failed(run)
        assert failed(run, f"Migration {migration['id']} is lost", *scene.asg(), "Spot console", "change triggers")
        assert pods_left(scene)
        outputs = scene.outputs()
        assert outputs["succeeded"] is False
        assert outputs["migrated_nodes"] == []
        assert outputs["remaining_nodes"] == scene.asg()
        assert outputs["failure"]["reason"] == "lost"

        assert failed(scene.up_fails(), f"Migration {migration['id']} is lost")
        assert len(scene.writes()) == 1

        scene.control.clear_faults()
        scene.hold(False)
        scene.up()
        assert not pods_left(scene)
        assert len(scene.writes()) == 1
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(driver, scene.asg())
        scene.up_unchanged()


def test_a_refresh_concludes_nothing_from_a_denial(driver: Driver) -> None:
    """The record stays as it was, with a warning."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        before = scene.outputs()
        deny(scene)
        run = scene.refresh()
        assert warned(run, before["migration_id"], "was not found. A single response proves nothing")
        assert scene.outputs()["migrations"] == before["migrations"]
        assert scene.outputs()["remaining_nodes"] == scene.asg()
        assert scene.outputs()["succeeded"] is False


@pytest.mark.parametrize("status_alone", [True, False])
def test_destroy_stops_a_migration_that_is_denied(driver: Driver, status_alone: bool) -> None:
    """The stop is sent whatever the status says, and its effect is waited for."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        deny(scene, times=2, status_alone=status_alone)
        destroy_with_stops(scene, 1)


def test_destroy_asks_again_when_the_stop_is_denied(driver: Driver) -> None:
    """Status or list may show the migration yet: then it is stopped."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        deny(scene, times=2, status_alone=True)
        scene.control.fault("PUT", STATUSES, "forget")
        destroy_with_stops(scene, 2)


def test_destroy_deletes_with_a_warning_when_stop_status_and_list_deny(driver: Driver) -> None:
    """Only then, and after a minute of the service's time."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        (migration,) = scene.migrations()
        deny(scene)
        scene.control.fault("PUT", STATUSES, "forget", times=FOR_EVER)
        asked = scene.mark()
        run = scene.destroy()
        assert warned(run, f"Migration {migration['id']} is lost")
        assert len(scene.stops(asked)) == 1
        denials = [each for each in scene.control.requests(since=asked) if each["fault"] == "forget"]
        assert denials[-1]["at"] > denials[0]["at"]
        assert driver.resource("web") is None


def gated(scene: Scene, **inputs: Any) -> str:
    """Return the source of a migration that is followed by one of `api`, as a wave is by the next."""
    return scene.resource("web", **inputs) + scene.resource(
        "api", opts="pulumi.ResourceOptions(depends_on=[web])", nodes={"asg_names": ["api"]}
    )


def test_a_denial_starts_no_second_wave(driver: Driver) -> None:
    """A migration that is lost fails its resource, so what depends on it is not migrated."""
    with Scene(driver, nodes=6) as scene:
        scene.hold()
        scene.program(gated(scene))
        running = scene.up_waiting()
        deny(scene)
        assert_failed(running.wait())
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg()]


@pytest.mark.parametrize("state", ["FINISHED", "STOPPED", "FINISHED_ERROR"])
def test_one_wrong_terminal_answer_ends_no_wait(driver: Driver, state: str) -> None:
    """A second status, one poll later, and the list must agree: until then the migration runs."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        scene.control.fault("GET", STATUSES, "contradict", state=state)
        running.wait_until(lambda run: any(f"{state}: waiting for a second" in line for line in run.statuses))
        finish_green(scene, running)


def test_a_terminal_state_that_the_list_contradicts_ends_no_wait(driver: Driver) -> None:
    """However often the status repeats it."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        running = scene.up_waiting()
        scene.control.fault("GET", STATUSES, "contradict", times=10, state="STOPPED")
        eventually(lambda: lies_told(scene) == 10)
        assert running.alive
        scene.hold(False)
        running.wait_for_success()
        assert_done(driver, scene.asg())
        assert len(scene.writes()) == 1


def test_a_wrong_terminal_answer_concludes_nothing_in_a_refresh_or_a_later_up(driver: Driver) -> None:
    """The record stays as it was, and the next `up` waits for the migration instead of starting another."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        before = scene.outputs()
        scene.control.fault("GET", STATUSES, "contradict", state="STOPPED")
        scene.refresh()
        assert scene.outputs()["migrations"] == before["migrations"]
        assert scene.outputs()["remaining_nodes"] == scene.asg()
        scene.control.fault("GET", STATUSES, "contradict", state="STOPPED")
        scene.declare()
        running = scene.up_waiting()
        assert pods_left(scene)
        scene.hold(False)
        running.wait_for_success()
        assert len(scene.writes()) == 1
        assert_done(driver, scene.asg())


def test_destroy_stops_what_one_answer_shows_as_stopped(driver: Driver) -> None:
    """The stop is sent as soon as the migration is seen to run."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        scene.control.fault("GET", STATUSES, "contradict", times=3, state="STOPPED")
        destroy_with_stops(scene, 1)


def test_a_discovery_that_lags_behind_a_failure_makes_no_up_green(driver: Driver) -> None:
    """Nodes that are missing from it remain and are in no start; when it has caught up, `up` migrates them."""
    with Scene(driver) as scene:
        scene.control.quirk("discovery_lag", "86400s")
        scene.control.arm_failure(scene.ocean_id, "instances")
        scene.declare()
        scene.up_fails()
        (ended,) = scene.migrations()
        (left,) = set(scene.asg()) - set(ended["drained"])
        run = scene.up_fails()
        assert failed(run, left, "discovery does not return it", "exclude")
        assert pods_left(scene)
        outputs = scene.outputs()
        assert outputs["remaining_nodes"] == [left]
        assert outputs["migrated_nodes"] == ended["drained"]
        assert outputs["succeeded"] is False
        assert len(scene.writes()) == 1

        scene.control.quirk("discovery_lag", "0s")
        scene.up()
        assert not pods_left(scene)
        assert [start["instanceIds"] for start in scene.starts()] == [scene.asg(), [left]]
        assert_done(driver, scene.asg())


def test_a_colleague_s_migration_hides_no_node_of_a_failed_one(driver: Driver) -> None:
    """Neither while it runs nor after it was stopped are its nodes migrated: then `up` migrates them."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        scene.control.fail_migration(scene.ocean_id, scene.migrations()[0]["id"])
        scene.hold(False)
        eventually(lambda: scene.migrations()[0]["terminal"])
        scene.hold()
        other = scene.control.start_foreign_migration(scene.ocean_id, scene.asg(), terminate=True)
        scene.refresh()
        assert scene.outputs()["migrated_nodes"] == []
        assert scene.outputs()["remaining_nodes"] == scene.asg()
        scene.declare(when_busy="fail")
        assert failed(scene.up_fails(), other)
        assert scene.outputs()["migrated_nodes"] == []
        assert pods_left(scene)
        scene.control.stop_foreign(scene.ocean_id, other)
        scene.hold(False)
        eventually(lambda: scene.migrations()[1]["terminal"])
        scene.up()
        assert not pods_left(scene)
        assert {*scene.starts()[-1]["instanceIds"]} == {*scene.asg()} - {*scene.migrations()[1]["drained"]}
        assert_done(driver, scene.asg())
