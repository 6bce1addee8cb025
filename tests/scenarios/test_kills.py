"""What a kill leaves behind, wherever it strikes: never two migrations of the same nodes, and `up` goes on."""

from __future__ import annotations

import shutil

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.moments import (
    ADOPTING,
    ANSWERED,
    BEFORE,
    SENT,
    STOP_BEFORE,
    STOP_UNANSWERED,
    STOPPING,
    UNANSWERED,
    WAITING,
    Moment,
    kill_at,
    polls,
    up_again,
)
from tests.scenarios.scene import Scene, failed
from tests.scenarios.support import (
    assert_done,
    assert_moved_once,
    assert_nothing_pending,
    effective_starts,
    eventually,
)
from tests.support.sampling import first_is_fast


def assert_settled(scene: Scene, planned: list[str]) -> None:
    """Assert that all is migrated, nothing twice, and nothing is pending."""
    assert_moved_once(scene.simulator, planned)
    assert_done(scene.driver, planned)
    assert_nothing_pending(scene.driver)


@pytest.mark.parametrize("victim", first_is_fast(["plugin", "engine"]))
@pytest.mark.parametrize("moment", first_is_fast([UNANSWERED, BEFORE, SENT, ANSWERED, WAITING]), ids=str)
def test_a_killed_create_is_taken_up_by_the_next_up(driver: Driver, moment: Moment, victim: str) -> None:
    """After `cancel`, `up` creates again: it adopts what the killed run started, or starts it if it did not."""
    with Scene(driver) as scene:
        scene.declare()
        scene.hold()
        kill_at(moment, scene, victim)
        assert driver.resource("web") is None
        run = up_again(scene)
        assert not any("not listed yet" in line for line in run.statuses)
        assert effective_starts(scene.simulator) == [frozenset(scene.asg())]
        assert_settled(scene, scene.asg())


def test_a_manual_node_of_an_adopted_migration_is_no_change(driver: Driver) -> None:
    """Once the migration has ended, discovery tells the Virtual Node Group of the node, which nothing starts again."""
    with Scene(driver) as scene:
        scene.control.add_pod(scene.ocean_id, scene.asg()[0], name="alone", controller=None)
        scene.declare()
        scene.hold()
        kill_at(ANSWERED, scene, "engine")
        up_again(scene)
        assert scene.outputs()["manual_nodes"] == [scene.asg()[0]]
        scene.up_unchanged()
        assert len(scene.starts()) == 1


@pytest.mark.parametrize(
    ("moment", "victim"), first_is_fast([(UNANSWERED, "plugin"), (WAITING, "engine"), (WAITING, "all")]), ids=str
)
def test_a_killed_update_is_taken_up_by_the_next_up(driver: Driver, moment: Moment, victim: str) -> None:
    """A follow-up migration that the state does not know is found by the next `up`, and not started again."""
    with Scene(driver) as scene:
        scene.declare()
        scene.up()
        scene.declare(nodes={"asg_names": ["web", "api"]})
        scene.hold()
        kill_at(moment, scene, victim)
        up_again(scene)
        assert effective_starts(scene.simulator) == [frozenset(scene.asg()), frozenset(scene.asg("api"))]
        assert_settled(scene, [*scene.asg(), *scene.asg("api")])


@pytest.mark.parametrize(
    ("moment", "victim"), first_is_fast([(STOP_UNANSWERED, "engine"), (STOPPING, "plugin"), (STOPPING, "all")]), ids=str
)
def test_a_killed_stop_of_an_update_is_taken_up_by_the_next_up(driver: Driver, moment: Moment, victim: str) -> None:
    """A migration whose flag was taken back is stopped once; the next `up` starts the rest with the new flags."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(should_evict_stand_alone_pods=True, wait_for="started")
        scene.up()
        scene.declare()
        kill_at(moment, scene, victim)
        up_again(scene)
        assert len(scene.stops()) == 1
        assert [start["shouldEvictStandAlonePods"] for start in scene.starts()] == [True, False]
        assert effective_starts(scene.simulator) == [frozenset(scene.asg())]
        assert_settled(scene, scene.asg())


@pytest.mark.parametrize(
    ("moment", "victim"),
    first_is_fast([(STOPPING, "all"), (STOP_BEFORE, "engine"), (STOP_UNANSWERED, "plugin"), (STOPPING, "engine")]),
    ids=str,
)
def test_a_killed_destroy_is_taken_up_by_the_next_destroy(driver: Driver, moment: Moment, victim: str) -> None:
    """The next `destroy` waits for the end of the stop, and sends none where one was sent."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare(wait_for="started")
        scene.up()
        kill_at(moment, scene, victim, command="destroy")
        mark = scene.mark()
        running = scene.driver.start("destroy")
        running.wait_until(lambda _: polls(scene, mark) > 0)
        scene.hold(False)
        running.wait_for_success()
        assert len(scene.stops()) == 1
        assert driver.resources() == []
        assert driver.pending_operations() == []
        (migration,) = scene.migrations()
        assert migration["state"] == "STOPPED"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_up_that_is_interrupted_before_it_adopts_is_destroyed(driver: Driver, elsewhere: bool) -> None:
    """Its create knows the migration from the journal, or from the plan, and saves it: `destroy` stops it."""
    with Scene(driver) as scene:
        scene.declare()
        scene.hold()
        kill_at(WAITING, scene, "all")
        if elsewhere:
            for journal in driver.directory.rglob("ocean-migration"):
                shutil.rmtree(journal)
        with ADOPTING.hold(scene) as (held, wait):
            running = scene.driver.start("up")
            wait()
            running.interrupt()
            held.release()
            run = running.wait()
        (migration,) = scene.migrations()
        assert failed(run, f"migration {migration['id']} continues in Ocean"), run.output
        # The engine may pass the interrupt on only when the migration has been adopted.
        saved = scene.outputs()
        assert migration["id"] in {saved.get("migration_id"), saved.get("unanswered_start", {}).get("migration_id")}
        running = scene.driver.start("destroy")
        eventually(lambda: bool(scene.stops()))
        scene.hold(False)
        running.wait_for_success()
        assert driver.resources() == []
        assert [each["state"] for each in scene.migrations()] == ["STOPPED"]


@pytest.mark.slow
def test_a_destroy_after_a_killed_update_stops_what_that_had_started(driver: Driver) -> None:
    """The state does not know the follow-up that the killed update started; `destroy` finds it by its nodes."""
    with Scene(driver) as scene:
        scene.declare()
        scene.control.arm_failure(scene.ocean_id, "instances")
        scene.up_fails()
        scene.hold()
        kill_at(WAITING, scene, "all")
        running = scene.driver.start("destroy")
        eventually(lambda: bool(scene.stops()))
        scene.hold(False)
        running.wait_for_success()
        assert driver.resources() == []
        assert [each["state"] for each in scene.migrations()] == ["FINISHED_ERROR", "STOPPED"]
