"""One question, many threads: who asks, who waits, and what each of them gets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import FAILURES_KEPT, SingleFlightCache, run_together
from ocean_migration_pulumi.errors import DeadlineError, EngineGoneError, InterruptedWaitError, RateLimitError
from tests.support.fake_clock import FakeClock

T = TypeVar("T")


class Question:
    """Counts how often it is asked, and answers when it may."""

    def __init__(self, *outcomes: object, held: bool = False) -> None:
        self.asked = 0
        self.under_way = threading.Event()
        self.release = threading.Event()
        self._outcomes = list(outcomes)
        if not held:
            self.release.set()

    def __call__(self) -> object:
        """Return or raise the next outcome; the last one over and over."""
        self.asked += 1
        self.under_way.set()
        assert self.release.wait(30)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def joined(pool: ThreadPoolExecutor, work: Callable[[], T]) -> Future[T]:
    """Start something in a thread and return once it is about to wait."""
    started = threading.Event()

    def run() -> T:
        started.set()
        return work()

    future = pool.submit(run)
    assert started.wait(30)
    return future


def test_answer_is_kept_for_its_age_from_its_question_on() -> None:
    """And for as long as each caller likes."""
    clock = FakeClock()
    cache = SingleFlightCache("Spot", clock.read)

    def slow() -> float:
        clock.now += 5
        return clock.now

    first = cache.get(CancelScope(), "a", slow, max_age=30)
    clock.now += 25
    assert cache.get(CancelScope(), "a", slow, max_age=30) == first
    clock.now += 1
    assert cache.get(CancelScope(), "a", slow, max_age=60) == first
    assert cache.get(CancelScope(), "b", slow, max_age=60) != first
    assert cache.get(CancelScope(), "a", slow, max_age=30) != first


def test_dropped_answer_is_asked_for_again() -> None:
    """Also one that is under way, which may not know of what has changed meanwhile."""
    cache, question = SingleFlightCache("Spot"), Question("old", "new", held=True)
    with ThreadPoolExecutor() as pool:
        early = pool.submit(lambda: cache.get(CancelScope(), "a", question, max_age=30))
        assert question.under_way.wait(30)
        cache.drop("a", "unknown")
        question.release.set()
        assert early.result(30) == "old"
    assert cache.get(CancelScope(), "a", question, max_age=30) == "new"


def test_fresh_answers_are_shared_by_those_who_came_before_the_question() -> None:
    """Eight callers need two questions: the one under way began too early."""
    cache, question = SingleFlightCache("Spot"), Question(*range(9), held=True)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(lambda: cache.get(CancelScope(), "a", question, max_age=30))
        assert question.under_way.wait(30)
        others = [
            joined(pool, lambda: cache.get(CancelScope(), "a", question, max_age=30, fresh=True)) for _ in range(7)
        ]
        question.release.set()
        assert first.result(30) == 0
        answers = [other.result(30) for other in others]
    assert question.asked == 1 + len(set(answers))
    assert 0 not in answers


def test_failure_is_shared_by_those_who_waited_for_it_and_each_gets_an_exception_of_its_own() -> None:
    """A traceback belongs to one thread."""
    error = RateLimitError("later", reset=7.0)
    cache, question = SingleFlightCache("Spot"), Question(error, held=True)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(lambda: cache.get(CancelScope(), "a", question, max_age=30))
        assert question.under_way.wait(30)
        second = joined(pool, lambda: cache.get(CancelScope(), "a", question, max_age=30))
        # The second one waits as soon as its thread has come that far; if it comes late, it asks again and gets the
        # same.
        question.release.set()
        assert first.exception(30) is error
        other = second.exception(30)
    assert other is not error
    assert isinstance(other, RateLimitError)
    assert (str(other), other.reset, other.status) == (str(error), 7.0, 429)


def test_failure_is_kept_for_previews() -> None:
    """A run has more time, and asks again."""
    clock = FakeClock()
    cache, question = SingleFlightCache("Spot", clock.read), Question(ValueError("down"))
    preview = CancelScope(short=True)
    for _ in range(2):
        with pytest.raises(ValueError, match="down"):
            cache.get(preview, "a", question, max_age=30)
    assert question.asked == 1
    clock.now += 0.1
    with pytest.raises(ValueError, match="down"):
        cache.get(preview, "a", question, max_age=30, fresh=True)
    with pytest.raises(ValueError, match="down"):
        cache.get(CancelScope(), "a", question, max_age=30)
    assert question.asked == 3
    clock.now += FAILURES_KEPT + 0.1
    with pytest.raises(ValueError, match="down"):
        cache.get(preview, "a", question, max_age=30)
    assert question.asked == 4


@pytest.mark.parametrize(
    ("first", "second", "asked"),
    [(10.0, 10.0, 1), (10.0, 1.0, 1), (1.0, 10.0, 2), (None, 10.0, 2), (10.0, None, 2)],
)
def test_deadline_says_nothing_to_those_with_more_time(first: float | None, second: float | None, asked: int) -> None:
    """A service that is silent costs a preview its seconds once; a caller that came late costs nobody an answer."""
    clock = FakeClock()
    cache, question = SingleFlightCache("Spot", clock.read), Question(DeadlineError("late"))
    for seconds in (first, second):
        with pytest.raises(DeadlineError, match="late"):
            cache.get(clock.scope(seconds=seconds, short=True), "a", question, max_age=30)
    assert question.asked == asked


@pytest.mark.parametrize("error", [InterruptedWaitError("stop"), EngineGoneError("gone"), KeyboardInterrupt()])
def test_interruption_of_one_is_not_that_of_another(error: BaseException) -> None:
    """Who waited asks."""
    cache, question = SingleFlightCache("Spot"), Question(error, "answer", held=True)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(lambda: cache.get(CancelScope(short=True), "a", question, max_age=30))
        assert question.under_way.wait(30)
        second = joined(pool, lambda: cache.get(CancelScope(short=True), "a", question, max_age=30))
        question.release.set()
        assert first.exception(30) is error
        assert second.result(30) == "answer"


def test_wait_for_another_thread_ends_with_ones_own_scope() -> None:
    """The question goes on, and its answer is kept."""
    cache, question = SingleFlightCache("Spot"), Question("answer", held=True)
    ended = CancelScope()
    ended.ended.set()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(lambda: cache.get(CancelScope(), "a", question, max_age=30))
        assert question.under_way.wait(30)
        with pytest.raises(DeadlineError, match="Spot did not respond in time"):
            cache.get(CancelScope().at_most(0.05), "a", question, max_age=30)
        with pytest.raises(InterruptedWaitError):
            cache.get(ended, "a", question, max_age=30)
        with pytest.raises(EngineGoneError):
            cache.get_all(CancelScope(alive=lambda: False), {"a": question}, max_age=30)
        question.release.set()
        assert first.result(30) == "answer"
    assert cache.get(ended, "a", question, max_age=30) == "answer"
    assert question.asked == 1


def test_all_are_asked_at_once_and_each_has_its_outcome() -> None:
    """What is late is a DeadlineError, and there for who asks next."""
    cache, slow, bad = SingleFlightCache("AWS"), Question("late", held=True), ValueError("bad")
    asks = {"good": Question(1), "bad": Question(bad), "slow": slow}
    outcomes = cache.get_all(CancelScope().at_most(0.5), asks, max_age=30)
    assert outcomes["good"] == 1
    assert isinstance(outcomes["bad"], ValueError)
    assert isinstance(outcomes["slow"], DeadlineError)
    assert str(outcomes["slow"]) == "AWS did not respond in time"
    slow.release.set()
    outcomes = cache.get_all(CancelScope(), {"slow": slow, "good": asks["good"]}, max_age=30)
    assert outcomes == {"slow": "late", "good": 1}
    assert (slow.asked, asks["good"].asked) == (1, 1)


def test_no_time_asks_nothing_and_keeps_what_is_known() -> None:
    """An older answer stays for those who take it."""
    clock = FakeClock()
    cache, question = SingleFlightCache("AWS", clock.read), Question("answer")
    cache.get(CancelScope(), "a", question, max_age=30)
    clock.now += 31
    outcomes = cache.get_all(CancelScope(deadline=0.0), {"a": question, "b": question}, max_age=30)
    assert {type(outcome) for outcome in outcomes.values()} == {DeadlineError}
    assert cache.get_all(CancelScope(deadline=0.0), {"a": question}, max_age=60) == {"a": "answer"}
    assert question.asked == 1


def test_nobody_joins_a_question_that_hangs_for_long() -> None:
    """It is asked again."""
    clock = FakeClock()
    cache, hanging = SingleFlightCache("AWS", clock.read, abandon_after=30), Question("old", held=True)
    assert isinstance(cache.get_all(CancelScope().at_most(0.1), {"a": hanging}, max_age=600)["a"], DeadlineError)
    clock.now += 30
    assert cache.get(CancelScope(), "a", Question("new"), max_age=600) == "new"
    hanging.release.set()


def test_thread_that_cannot_start_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert isinstance(run_together("AWS", CancelScope(), {"a": Question(1)})["a"], RuntimeError)


def test_together_keeps_nothing() -> None:
    """Each call asks."""
    question = Question(1)
    for _ in range(2):
        assert run_together("Kubernetes", CancelScope(), {"a": question, "b": question}) == {"a": 1, "b": 1}
    assert question.asked == 4
