"""The moments at which a scenario strikes: each holds a command exactly where it is, by what the simulator sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ocean_migration_pulumi.testing.simulator.control.client import Barrier
from tests.scenarios.driver import TIMEOUT, Run
from tests.scenarios.scene import Scene
from tests.scenarios.support import assert_no_orphans, eventually
from tests.support.timing import LAST_WRITE

LISTS = "*/migration"
STATUSES = "*/migration/owm-*"
DISCOVERY = "*/migration/discovery"
HEARTBEAT = "*/controllerHeartbeat"

_PREVIEW_ASKS = 5


class Held:
    """A command on its way to a moment: wait until it is there, and let it go."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.mark = scene.mark()
        self._barriers: list[Barrier] = []

    def hold(self, method: str, route: str, point: str) -> Barrier:
        """Hold requests from now on."""
        barrier = self.scene.control.barrier(method, route, point)
        self._barriers.append(barrier)
        return barrier

    def let_go(self, barrier: Barrier) -> None:
        """Let go what one barrier holds."""
        self._barriers.remove(barrier)
        barrier.release()

    def release(self) -> None:
        """Let go what is held."""
        while self._barriers:
            self._barriers.pop().release()


@dataclass(frozen=True)
class Moment:
    """A moment of a command: `prepare` is done before it starts and returns what waits until it is there."""

    name: str
    prepare: Callable[[Held], Callable[[], None]]

    @contextmanager
    def hold(self, scene: Scene) -> Iterator[tuple[Held, Callable[[], None]]]:
        """Yield what holds the next command of a scene there, and what waits until it is; let it go at the end."""
        held = Held(scene)
        try:
            yield held, self.prepare(held)
        finally:
            held.release()

    def __str__(self) -> str:
        return self.name


def polls(scene: Scene, since: int) -> int:
    """Return how often the status of a migration was asked after a request."""
    asked = scene.control.requests(method="GET", since=since)
    return sum("/migration/owm-" in entry["path"] and entry["status"] == 200 for entry in asked)


def kill_unanswered_start(scene: Scene) -> None:
    """Start an `up`, and kill all of it when its POST has taken effect and is not answered yet."""
    with UNANSWERED.hold(scene) as (held, wait):
        running = scene.driver.start("up")
        wait()
        running.kill_all()
        held.release()
    scene.driver.cancel()


def kill_at(moment: Moment, scene: Scene, victim: str, *, command: str = "up") -> None:
    """Start a command, kill it at a moment, and see the orphans end without another write; then take the lock away.

    Args:
        moment: When.
        scene: The scene.
        victim: ``plugin``, ``engine``, or ``all``.
        command: ``up`` or ``destroy``.
    """
    with moment.hold(scene) as (held, wait):
        running = scene.driver.start(command)
        wait()
        mark = scene.mark()
        if victim == "plugin":
            running.kill_plugin()
        elif victim == "engine":
            running.kill_engine()
        else:
            running.kill_all()
        killed_at = time.time()
        held.release()
        if victim == "plugin":
            run = running.wait()
            assert run.exit_code != 0, run.output
        assert_no_orphans(running)
        late = [entry for entry in scene.writes(mark) if entry["at"] > killed_at + LAST_WRITE]
        assert not late
        if victim != "plugin":
            scene.driver.cancel()


def up_again(scene: Scene) -> Run:
    """Run the one `up` that takes the work up again; its migration may go on as soon as it is waited for."""
    mark = scene.mark()
    running = scene.driver.start("up")
    running.wait_until(lambda _: polls(scene, mark) > 0)
    scene.hold(False)
    run = running.wait_for_success()
    return run


def _reach(barrier: Barrier) -> None:
    assert barrier.wait(TIMEOUT), "no request came so far"


def _at(method: str, route: str, point: str) -> Callable[[Held], Callable[[], None]]:
    def prepare(held: Held) -> Callable[[], None]:
        barrier = held.hold(method, route, point)
        return lambda: _reach(barrier)

    return prepare


def _after_the_plan(route: str) -> Callable[[Held], Callable[[], None]]:
    """Hold the preview's part until all its other questions are answered: the next request is one of the run."""

    def prepare(held: Held) -> Callable[[], None]:
        planning = held.hold("GET", DISCOVERY, "before")

        def wait() -> None:
            _reach(planning)
            eventually(lambda: _answered(held) >= _PREVIEW_ASKS - 1)
            starting = held.hold("GET", route, "before")
            held.let_go(planning)
            _reach(starting)

        return wait

    return prepare


def _answered(held: Held) -> int:
    asked = held.scene.control.requests(method="GET", since=held.mark)
    return len({entry["path"] for entry in asked if entry["status"] == 200 and "/owm-" not in entry["path"]})


def _before_it_is_seen(held: Held) -> Callable[[], None]:
    answer = held.hold("POST", LISTS, "after")

    def wait() -> None:
        _reach(answer)
        first = held.hold("GET", LISTS, "before")
        held.let_go(answer)
        _reach(first)

    return wait


def _polled_after(method: str) -> Callable[[Held], Callable[[], None]]:
    def prepare(held: Held) -> Callable[[], None]:
        def wait() -> None:
            eventually(lambda: any(entry["method"] == method for entry in held.scene.writes(held.mark)))
            mark = held.scene.mark()
            eventually(lambda: polls(held.scene, mark) > 1)

        return wait

    return prepare


BEFORE = Moment("before the POST", _after_the_plan(HEARTBEAT))
ADOPTING = Moment("before the run lists the migrations", _after_the_plan(LISTS))
SENT = Moment("POST sent, its effect comes after", _at("POST", LISTS, "before"))
UNANSWERED = Moment("POST done, not answered", _at("POST", LISTS, "after"))
ANSWERED = Moment("POST answered", _before_it_is_seen)
WAITING = Moment("waiting", _polled_after("POST"))
STOP_BEFORE = Moment("before the PUT", _at("GET", STATUSES, "before"))
STOP_SENT = Moment("PUT sent, its effect comes after", _at("PUT", STATUSES, "before"))
STOP_UNANSWERED = Moment("PUT done, not answered", _at("PUT", STATUSES, "after"))
STOPPING = Moment("waiting for the stop", _polled_after("PUT"))
