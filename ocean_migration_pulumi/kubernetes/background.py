"""Work in threads that are left behind when whoever asked may not wait any longer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Final, Generic, NamedTuple, TypeVar

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, WaitEndedError

T = TypeVar("T")

_LOOK_AROUND: Final = 0.05


class Asked(NamedTuple, Generic[T]):
    """An answer, and whether it is one of an outage: then whoever has more time asks again."""

    value: T
    outage: bool


class Slot(Generic[T]):
    """One answer: asked by one thread at a time, shared by all."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._asked: Asked[T] | None = None

    def get(self, scope: CancelScope, ask: Callable[[], Asked[T]], *, max_age: float, fresh: bool) -> T:
        """Return an answer at most ``max_age`` seconds old, or asked for after this call began with ``fresh``.

        Raises a WaitEndedError while another thread asks.
        """
        begun = self._clock()
        while not self._lock.acquire(timeout=_LOOK_AROUND):
            scope.check()
        try:
            oldest = begun if fresh else self._clock() - max_age
            if self._asked is not None and self._at >= oldest and (scope.short or not self._asked.outage):
                return self._asked.value
            # An answer is as old as its question: what happened in between may be missing from it.
            asked_at = self._clock()
            asked = ask()
            if not asked.outage:
                self._asked, self._at = asked, asked_at
            elif scope.short:
                # A cluster that is down costs a preview its few seconds once, not once for each resource.
                self._asked, self._at = asked, self._clock()
            return asked.value
        finally:
            self._lock.release()


def together(scope: CancelScope, work: Mapping[str, Callable[[], T]]) -> dict[str, T | Exception]:
    """Do several things at once and return what became of each, DeadlineError for what was not done in time.

    The threads are daemons that nobody waits for once the scope has ended. Raises InterruptedWaitError or
    EngineGoneError.
    """
    done: SimpleQueue[tuple[str, T | Exception]] = SimpleQueue()

    def run(name: str, task: Callable[[], T]) -> None:
        try:
            done.put((name, task()))
        except Exception as exc:  # noqa: BLE001  # told to the thread of whoever asked
            done.put((name, exc))

    outcomes: dict[str, T | Exception] = {}
    try:
        scope.check()
        for name, task in work.items():
            threading.Thread(target=run, args=(name, task), name="ocean-migration-kubernetes", daemon=True).start()
        while len(outcomes) < len(work):
            try:
                name, outcome = done.get(timeout=_LOOK_AROUND)
            except Empty:
                scope.check()
            else:
                outcomes[name] = outcome
    except DeadlineError as deadline:
        outcomes = {name: outcomes.get(name, deadline) for name in work}
    for outcome in outcomes.values():
        if isinstance(outcome, WaitEndedError) and not isinstance(outcome, DeadlineError):
            raise outcome
    return outcomes
