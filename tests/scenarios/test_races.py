"""Two who start at the same moment: one migration of the same nodes, whatever the service allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.driver import Driver
from tests.scenarios.moments import polls
from tests.scenarios.scene import Scene, failed
from tests.scenarios.support import assert_done, assert_moved_once, effective_starts, eventually


@pytest.fixture
def other(driver: Driver, tmp_path: Path) -> Iterator[Driver]:
    """Make another stack on the same engine."""
    stack = type(driver)(tmp_path / "other")
    yield stack
    stack.close()


def share(scene: Scene, other: Driver) -> None:
    """Give another stack the same program and the same settings."""
    names = ("SPOTINST_", "OCEAN_")
    other.environment |= {name: value for name, value in scene.driver.environment.items() if name.startswith(names)}
    other.write_program((scene.driver.program / "__main__.py").read_text(encoding="utf-8"))


@pytest.mark.parametrize("concurrent", ["refuse", "allow"])
def test_two_resources_with_the_same_nodes_start_one_migration(driver: Driver, concurrent: str) -> None:
    """The second one finds the migration of the first when its turn comes, and waits for it."""
    with Scene(driver) as scene:
        scene.control.quirk("concurrent_migrations", concurrent)
        scene.program(scene.resource("web"), scene.resource("again"))
        run = scene.up()
        assert run.ops == {"web": "create", "again": "create"}
        assert effective_starts(scene.simulator) == [frozenset(scene.asg())]
        assert_moved_once(scene.simulator, scene.asg())
        starter, waiter = sorted(("web", "again"), key=lambda name: "migration_id" not in scene.outputs(name))
        assert_done(driver, scene.asg(), starter)
        assert scene.outputs(waiter)["migrations"] == []
        mark = scene.mark()
        scene.up()
        assert not scene.writes(mark)


@pytest.mark.slow
def test_two_stacks_at_once_share_a_migration_where_the_service_refuses_a_second(driver: Driver, other: Driver) -> None:
    """The stack whose start is refused finds the other's migration, which is what it asked for, and waits for it."""
    with Scene(driver) as scene:
        scene.declare()
        share(scene, other)
        with scene.control.barrier("POST", "*/migration"):
            first, second = driver.start("up"), other.start("up")
            eventually(lambda: len(scene.writes()) == 2)
        for run in (first.wait(), second.wait()):
            assert run.exit_code == 0, run.output
        assert len(scene.writes()) == 2
        assert_moved_once(scene.simulator, scene.asg())
        for stack in (driver, other):
            assert_done(stack, scene.asg())


@pytest.mark.slow
def test_two_stacks_at_once_leave_one_migration_where_the_service_allows_both(driver: Driver, other: Driver) -> None:
    """The younger migration is stopped by its own stack, which fails, names the other, and converges next time."""
    with Scene(driver) as scene:
        scene.control.quirk("concurrent_migrations", "allow")
        scene.hold()
        scene.declare()
        share(scene, other)
        with scene.control.barrier("POST", "*/migration"):
            running = {driver: driver.start("up"), other: other.start("up")}
            eventually(lambda: len(scene.writes()) == 2)
        eventually(lambda: bool(scene.stops()))
        older, younger = scene.migrations()
        scene.hold(False)
        runs = {stack: command.wait() for stack, command in running.items()}
        (loser,) = (stack for stack, run in runs.items() if run.exit_code != 0)
        (winner,) = (stack for stack, run in runs.items() if run.exit_code == 0)
        assert failed(runs[loser], older["id"], younger["id"]), runs[loser].output
        assert_done(winner, scene.asg())
        mark = scene.mark()
        run = loser.up()
        assert run.exit_code == 0, run.output
        assert not scene.writes(mark)
        assert effective_starts(scene.simulator) == [frozenset(scene.asg())]
        assert_moved_once(scene.simulator, scene.asg())
        assert_done(loser, scene.asg())


@pytest.mark.slow
def test_a_stack_that_comes_later_waits_for_the_migration_of_the_first(driver: Driver, other: Driver) -> None:
    """It asks for the same nodes with the same flags: there is nothing to start."""
    with Scene(driver) as scene:
        scene.hold()
        scene.declare()
        share(scene, other)
        first = driver.start("up")
        eventually(lambda: polls(scene, 0) > 0)
        mark = scene.mark()
        second = other.start("up")
        second.wait_until(lambda run: any("Adopted" in message for _, message in run.diagnostics))
        scene.hold(False)
        for run in (first.wait(), second.wait()):
            assert run.exit_code == 0, run.output
        assert not scene.writes(mark)
        assert_moved_once(scene.simulator, scene.asg())
        for stack in (driver, other):
            assert_done(stack, scene.asg())
