"""A cache that asks each question once, however many threads want the answer, and calls that run at once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, InterruptedWaitError, OperationCancelled, WaitEndedError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

FAILURES_KEPT: Final = 30.0
"""Seconds for which a preview takes a failure that was found before for its own."""

_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Caller:
    scope: CancelScope
    """Bounds of the caller's wait."""
    started_at: float
    """When the call began, by the cache's clock."""
    max_age: float
    """Seconds: the largest age of an answer that the caller takes."""
    fresh: bool
    """Whether the caller takes only what was asked for after ``started_at``."""


class SingleFlightCache:
    """Answers by key; thread-safe.

    A question that several threads ask at once is asked by the first one, and the others wait for its answer. The
    deadline or interruption of a caller ends the wait of that caller only; who still waits asks again.

    A preview (a short scope) takes a failure that is up to ``FAILURES_KEPT`` seconds old for its own, so that a source
    that is down costs a stack its few seconds once and not once for each resource. A run has more time and asks again.
    """

    def __init__(
        self, source: str, clock: Callable[[], float] = time.monotonic, *, abandon_after: float = math.inf
    ) -> None:
        """Make an empty cache.

        Args:
            source: Name of who is asked, for messages and threads.
            clock: Returns seconds.
            abandon_after: Seconds after which nobody joins a question that is still under way.

        """
        self._source = source
        self._clock = clock
        self._abandon_after = abandon_after
        self._flights: dict[Hashable, _Flight] = {}
        self._lock = threading.Lock()

    def get(self, scope: CancelScope, key: Hashable, ask: Callable[[], T], *, max_age: float, fresh: bool = False) -> T:
        """Return an answer; when it has to be asked for, this thread does.

        Args:
            scope: Bounds the wait for another thread's answer.
            key: The question.
            ask: Asks; keeps within ``scope`` itself.
            max_age: Seconds: the largest age of the answer. An answer is as old as its question.
            fresh: Take only an answer that was asked for after this call began.

        Raises:
            OperationCancelled: The operation was cancelled.
            DeadlineError: The deadline passed.
            Exception: What ``ask`` raised, here or in the thread that was joined.

        """
        caller = _Caller(scope=scope, started_at=self._clock(), max_age=max_age, fresh=fresh)
        answer: T = self._await(key, caller, lambda flight: flight.run(ask))
        return answer

    def get_all(
        self, scope: CancelScope, asks: Mapping[K, Callable[[], T]], *, max_age: float, fresh: bool = False
    ) -> dict[K, T | Exception]:
        """Return the answer to each question, or the exception that stands for it.

        Questions without an answer are asked at once, each in a thread of its own. A thread whose caller has gone is
        left behind; an answer that comes too late is there for the next caller.

        Args:
            scope: Bounds the wait. At its deadline, what is not answered yet becomes a DeadlineError.
            asks: What to do by key.
            max_age: Seconds: the largest age of the answers.
            fresh: Take only answers that were asked for after this call began.

        Raises:
            InterruptedWaitError: The operation was interrupted.
            EngineGoneError: The engine is gone.

        """
        caller = _Caller(scope=scope, started_at=self._clock(), max_age=max_age, fresh=fresh)

        def start(ask: Callable[[], T]) -> Callable[[_Flight], None]:
            return lambda flight: flight.start(ask, f"ocean-migration {self._source}")

        boarded = {key: self._board(key, caller, start(ask)) for key, ask in asks.items()}
        outcomes: dict[K, T | Exception] = {}
        for key, flight in boarded.items():
            try:
                outcomes[key] = self._await(key, caller, start(asks[key]), flight)
            except OperationCancelled:
                raise
            except Exception as error:  # noqa: BLE001 - it is one of the outcomes
                outcomes[key] = error
        return outcomes

    def drop(self, *keys: Hashable) -> None:
        """Forget answers, also those that are still under way, which only their present callers get."""
        with self._lock:
            for key in keys:
                self._flights.pop(key, None)

    def _await(
        self, key: Hashable, caller: _Caller, start: Callable[[_Flight], None], flight: _Flight | None = None
    ) -> Any:
        """Return the answer of a flight, or of the next one that answers the caller."""
        while True:
            flight = flight or self._board(key, caller, start)
            while not flight.landed.wait(_POLL_SECONDS):
                self._check(caller.scope)
            if flight.answers(caller, self._clock()):
                return flight.result()
            flight = None

    def _board(self, key: Hashable, caller: _Caller, start: Callable[[_Flight], None]) -> _Flight:
        """Return the flight that has the answer, or is under way to it; else a new one."""
        with self._lock:
            now = self._clock()
            flight = self._flights.get(key)
            if flight is not None:
                under_way = not flight.landed.is_set()
                if now - flight.asked_at < self._abandon_after if under_way else flight.answers(caller, now):
                    return flight
            flight = _Flight(caller, now, self._clock)
            try:
                self._check(caller.scope)
            except DeadlineError as late:
                flight.land(None, late)
                return flight
            self._flights[key] = flight
        start(flight)
        return flight

    def _check(self, scope: CancelScope) -> None:
        try:
            scope.check()
        except DeadlineError:
            msg = f"{self._source} did not respond in time"
            raise DeadlineError(msg) from None


class _Flight:
    """One question, from when it was asked until its answer has ``landed``."""

    def __init__(self, caller: _Caller, now: float, clock: Callable[[], float]) -> None:
        self.asked_at = now
        self.landed = threading.Event()
        self._caller = caller
        self._patience = caller.scope.remaining()
        self._clock = clock
        self._ended_at = now
        self._answer: Any = None
        self._failure: Exception | None = None

    def start(self, ask: Callable[[], object], name: str) -> None:
        """Ask in a thread of its own, which may be left behind."""

        def work() -> None:
            with suppress(Exception):  # the flight has it for those who wait
                self.run(ask)

        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError as error:  # no thread is left
            self.land(None, error)

    def run(self, ask: Callable[[], object]) -> None:
        """Ask in this thread; raise what went wrong."""
        # A KeyboardInterrupt lands the flight, too, with a failure that no other caller takes.
        answer: object = None
        failure: Exception | None = InterruptedWaitError("interrupted")
        try:
            answer, failure = ask(), None
        except Exception as error:
            failure = error
            raise
        finally:
            self.land(answer, failure)

    def land(self, answer: object, failure: Exception | None) -> None:
        """Note the end."""
        self._answer, self._ended_at = answer, self._clock()
        self._failure = None if failure is None else _copied(failure)
        self.landed.set()

    def result(self) -> Any:
        """Return the answer; raise the failure, for each caller an exception of its own."""
        if self._failure is not None:
            raise _copied(self._failure)
        return self._answer

    def answers(self, caller: _Caller, now: float) -> bool:
        """Tell whether what has landed is an answer for a caller."""
        if caller is self._caller:
            return True
        if self._failure is None:
            return self.asked_at >= (caller.started_at if caller.fresh else now - caller.max_age)
        if not self._concerns(caller.scope):
            return False
        keeps = caller.scope.short and not caller.fresh
        return self._ended_at >= (now - FAILURES_KEPT if keeps else caller.started_at)

    def _concerns(self, scope: CancelScope) -> bool:
        """Tell whether the same question would fail in the same way under other bounds."""
        if isinstance(self._failure, DeadlineError):
            # Silence says something only to those who have about the same time.
            left = scope.remaining()
            if left is None or self._patience is None or self._patience < left / 2:
                return False
        elif isinstance(self._failure, (WaitEndedError, OperationCancelled)):
            return False
        return scope.short or not self._caller.scope.short


def run_together(source: str, scope: CancelScope, work: Mapping[K, Callable[[], T]]) -> dict[K, T | Exception]:
    """Do several things at once, each in a thread of its own, and return what became of each.

    Nothing is kept: this is ``SingleFlightCache.get_all`` for what is wanted once.
    """
    return SingleFlightCache(source).get_all(scope, work, max_age=0.0, fresh=True)


def _copied(error: Exception) -> Exception:
    """Return an exception as it is, but without a traceback: its frames may hold secrets, and belong to one thread."""
    copied = type(error).__new__(type(error), *error.args)
    copied.__dict__.update(error.__dict__)
    return copied
