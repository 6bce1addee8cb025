"""Polling a migration to its target, by a clock that takes no time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.migration import MigrationStatus, MigrationSummary
from ocean_migration_pulumi.errors import (
    DeadlineError,
    EngineGoneError,
    InterruptedWaitError,
    MigrationNotFoundError,
    NoAnswerError,
    PermissionDeniedError,
    ServiceError,
    StalledError,
)
from ocean_migration_pulumi.migration.reconcile.waiter import (
    MigrationListing,
    MigrationWaiter,
    PollPolicy,
    Waiter,
    is_timeout,
)
from ocean_migration_pulumi.migration.state.progress import Progress
from tests.migration.builders import instance, left_over, status
from tests.migration.tellers import RecordingTeller
from tests.support.fake_clock import FakeClock

NOT_FOUND = MigrationNotFoundError("no such migration", status=404)
FINISHED = status(instance("i-1"), state="FINISHED")


class Wait:
    """A wait for answers that are given one by one; the last one is given for ever."""

    def __init__(
        self,
        answers: Iterable[MigrationStatus | Exception],
        *,
        seconds: float | None = None,
        listing: MigrationListing | None = None,
        **more: Any,
    ) -> None:
        self.answers = list(answers)
        self.clock = FakeClock()
        self.reporter = RecordingTeller()
        self.taken: list[MigrationStatus] = []
        policy = PollPolicy(**{"stall_timeout": None, **more.pop("policy", {})})
        self.waiter = MigrationWaiter(
            self.read,
            scope=self.clock.scope(seconds=seconds, **more),
            reporter=self.reporter,
            policy=policy,
            observe=self.taken.append,
            listed=listing,
        )

    def read(self) -> MigrationStatus:
        """Give the next answer."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def until(self, reached: Callable[[MigrationStatus], bool] = lambda _: False) -> MigrationStatus:
        """Wait."""
        return self.waiter.until(lambda seen: seen.is_terminal or reached(seen))


def drain(pods: int, state: str = "DRAIN_NODES") -> MigrationStatus:
    """Return the status of a node that still has so many pods."""
    return status(instance("i-1", pods=pods), state=state)


@pytest.mark.parametrize("state", ["FINISHED", "FINISHED_ERROR", "STOPPED"])
def test_every_terminal_state_ends_the_wait(state: str) -> None:
    """Whether it is well or not is for others to judge; each status is handed on."""
    wait = Wait([drain(6), drain(3), drain(0, state)])
    assert wait.until().state == state
    assert [seen.old_instances[0].running_pods for seen in wait.taken] == [6, 3, 0]
    assert wait.waiter.last == drain(0, state)


def test_target_ends_the_wait() -> None:
    """The migration goes on."""
    wait = Wait([drain(6), drain(3), FINISHED])
    assert wait.until(lambda seen: seen.old_instances[0].running_pods == 3) == drain(3)


def test_polls_keep_their_distance_within_a_tenth() -> None:
    """Many waits must not ask at the same moments."""
    wait = Wait([*(drain(number) for number in range(40, 0, -1)), FINISHED], policy={"poll_interval": 15.0})
    wait.until()
    assert len(wait.clock.sleeps) == 40
    assert all(13.5 <= seconds <= 16.5 for seconds in wait.clock.sleeps)
    assert len(set(wait.clock.sleeps)) > 20
    assert wait.waiter.elapsed == pytest.approx(sum(wait.clock.sleeps))


def test_stall_is_no_progress_at_all() -> None:
    """Any change of state or pods starts the time anew."""
    moving = [drain(pods) for pods in range(60, 0, -1)]
    wait = Wait([*moving, drain(1)], policy={"stall_timeout": 100.0})
    with pytest.raises(StalledError, match=r"no progress for 1m\d\ds"):
        wait.until()
    assert wait.waiter.elapsed > 60 * 13.5 + 100


@pytest.mark.parametrize(
    "moved",
    [
        status(instance("i-1", pods=6), new_instances=(instance("i-2"),)),
        status(instance("i-1", pods=6, state="DRAINING")),
        drain(6, "VALIDATE_DRAIN"),
        drain(5),
    ],
    ids=["new instance", "instance state", "state", "pods"],
)
def test_each_kind_of_progress_counts(moved: MigrationStatus) -> None:
    """New nodes and states are progress, too."""
    still = [drain(6)] * 6
    wait = Wait([*still, *[moved] * 6, FINISHED], policy={"stall_timeout": 110.0})
    assert wait.until() == FINISHED


def waiting(*pods: str) -> MigrationStatus:
    """Return a status with these unscheduled pods."""
    return status(instance("i-1", pods=6), new_unscheduled_pods=pods)


@pytest.mark.parametrize(
    "back_and_forth",
    [
        [drain(3), drain(4)],
        [drain(3, "VALIDATE_DRAIN"), drain(3, "STARTING")],
        [drain(3), drain(3, "STOPPED")],
        [waiting("p", "q"), waiting("p")],
        [status(instance("i-1", pods=6), new_instances=(instance("i-2", pods=pods),)) for pods in (1, 2)],
    ],
    ids=["pods", "states", "ends", "unscheduled pods", "pods on a new node"],
)
def test_what_goes_back_and_forth_stalls(back_and_forth: list[MigrationStatus]) -> None:
    """A pod that is evicted and comes back, or a service that is not sure, is no progress."""
    summary = MigrationSummary(id="owm-1", state="DRAIN_NODES")
    listing = MigrationListing(find=lambda: summary, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    wait = Wait([*back_and_forth * 40, FINISHED], policy={"stall_timeout": 200.0}, listing=listing)
    with pytest.raises(StalledError):
        wait.until()
    assert wait.waiter.elapsed < 300


def test_pods_that_become_scheduled_are_progress() -> None:
    """One after the other, on nodes whose pods Ocean does not count."""
    left = [waiting(*(f"p-{number}" for number in range(count))) for count in range(20, 0, -1) for _ in range(6)]
    wait = Wait([*left, FINISHED], policy={"stall_timeout": 150.0})
    assert wait.until() == FINISHED


def test_stall_timeout_may_be_never() -> None:
    """Then only the deadline ends a wait that stands still."""
    wait = Wait([drain(6)], seconds=100_000)
    with pytest.raises(DeadlineError):
        wait.until()


def test_deadline_ends_the_wait_in_time() -> None:
    """The last sleep is cut short."""
    wait = Wait([drain(6)], seconds=100)
    with pytest.raises(DeadlineError):
        wait.until()
    assert wait.waiter.elapsed == pytest.approx(100)


def test_ctrl_c_ends_the_wait_at_once() -> None:
    """Before the next question and out of every sleep."""
    ended = threading.Event()
    ended.set()
    wait = Wait([drain(6)], ended=ended)
    with pytest.raises(InterruptedWaitError):
        wait.until()
    assert wait.clock.sleeps == []
    assert wait.taken == []


def test_dead_engine_ends_the_wait() -> None:
    """Nobody listens any more."""
    answers = iter([True, True, False])
    wait = Wait([drain(6)], alive=lambda: next(answers))
    with pytest.raises(EngineGoneError):
        wait.until()


def test_outage_is_borne_and_ends_the_wait_only_when_it_lasts() -> None:
    """Ten minutes without any answer; a single answer starts them anew."""
    outage = NoAnswerError("no route to host")
    wait = Wait([drain(6), *[outage] * 30, drain(6), *[outage] * 30, FINISHED])
    assert wait.until() == FINISHED
    assert any("no response for" in line and "no route" in line for line in wait.reporter.statuses)
    lasting = Wait([drain(6), ServiceError("down", status=503)])
    with pytest.raises(ServiceError):
        lasting.until()
    assert 600 <= lasting.waiter.elapsed < 620


def test_outage_counts_as_no_progress() -> None:
    """A stall that is shorter than the outage's bound ends the wait first."""
    wait = Wait([NoAnswerError("down")], policy={"stall_timeout": 60.0})
    with pytest.raises(StalledError):
        wait.until()


def test_right_that_was_taken_away_ends_the_wait_at_once() -> None:
    """It will not come back by waiting."""
    wait = Wait([drain(6), PermissionDeniedError("no", status=403)])
    with pytest.raises(PermissionDeniedError):
        wait.until()


def test_migration_just_started_may_not_be_listed_yet() -> None:
    """For a minute; one that was seen before and is gone is gone."""
    assert Wait([NOT_FOUND, NOT_FOUND, FINISHED]).until() == FINISHED
    never = Wait([NOT_FOUND])
    with pytest.raises(MigrationNotFoundError):
        never.until()
    assert 60 < never.waiter.elapsed < 80
    gone = Wait([drain(6), NOT_FOUND])
    with pytest.raises(MigrationNotFoundError):
        gone.until()


class Listing:
    """A list that says one thing after another of a migration; the last one for ever."""

    def __init__(self, *states: str | None) -> None:
        self.states = list(states)

    def find(self) -> MigrationSummary | None:
        """Return the next entry."""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return None if state is None else MigrationSummary(id="owm-1", state=state)


def listed(answers: Iterable[MigrationStatus | Exception], *states: str | None) -> Wait:
    """Return a wait that asks the list, too; the service's clock stands still."""
    listing, now = Listing(*states), datetime(2026, 1, 2, tzinfo=UTC)
    return Wait(answers, listing=MigrationListing(find=listing.find, now=lambda: now))


def test_denied_migration_is_lost_when_status_and_list_deny_it_for_a_minute() -> None:
    """Either of them breaks the row."""
    lost = listed([drain(6), NOT_FOUND], None)
    with pytest.raises(MigrationNotFoundError):
        lost.until()
    assert 60 <= lost.waiter.elapsed - lost.clock.sleeps[0] < 90
    assert lost.waiter.last == drain(6)
    by_list = listed([drain(6), *[NOT_FOUND] * 40, FINISHED], None, None, None, None, "DRAIN_NODES", None)
    with pytest.raises(MigrationNotFoundError):
        by_list.until()
    assert by_list.waiter.elapsed > 60 + 5 * 13
    row = [NOT_FOUND] * 4
    by_status = listed([drain(6), *row, drain(6), *row, drain(6), *row, FINISHED], *[None] * 12, "FINISHED")
    assert by_status.until() == FINISHED


@pytest.mark.parametrize("state", ["FINISHED", "FINISHED_ERROR", "STOPPED"])
def test_terminal_state_counts_when_the_next_status_and_the_list_agree(state: str) -> None:
    """Until then the migration runs, and what was said of its end is handed on to nobody."""
    end = drain(0, state)
    wait = listed([drain(6), end, drain(5), end, end, drain(4), end, end], "DRAIN_NODES", state)
    assert wait.until() == end
    assert wait.taken == [drain(6), drain(5), drain(4), end]
    assert len(wait.clock.sleeps) == 7


def test_terminal_state_that_the_list_does_not_confirm_for_a_minute_is_believed_by_nobody() -> None:
    """A list that lags has it by then; one that shows it, or a status that does, breaks the row."""
    end = drain(0, "FINISHED")
    gone = listed([drain(6), end], None)
    with pytest.raises(MigrationNotFoundError, match="does not have owm-1, whose status is FINISHED"):
        gone.until()
    assert 60 <= gone.waiter.elapsed < 120
    assert gone.taken == [drain(6)]
    late = listed([end], None, None, "DRAIN_NODES", None, None, "FINISHED")
    assert late.until() == end
    assert len(late.clock.sleeps) == 6
    broken = listed([*[end] * 5, drain(3), end], *[None] * 4, None)
    with pytest.raises(MigrationNotFoundError):
        broken.until()
    assert broken.waiter.elapsed > 120
    mixed = listed([end, *[NOT_FOUND, end] * 20], None)
    with pytest.raises(MigrationNotFoundError):
        mixed.until()
    assert mixed.waiter.elapsed < 180


def test_terminal_state_of_another_kind_confirms_none() -> None:
    """A service that says STOPPED and then FINISHED has said FINISHED once."""
    wait = listed([drain(6, "STOPPED"), FINISHED, FINISHED], "FINISHED")
    assert wait.until() == FINISHED
    assert len(wait.clock.sleeps) == 2


def test_unknown_state_is_warned_of_once_and_polled_on() -> None:
    """A state that the service has invented since is no end."""
    wait = Wait([drain(6, "PAUSED"), drain(5, "PAUSED"), drain(5), drain(4, "PAUSED"), FINISHED])
    assert wait.until() == FINISHED
    assert wait.reporter.warnings == ["Unknown state 'PAUSED' of owm-1: still waiting"]


def test_live_lines_do_not_stay() -> None:
    """A live line for each progress and at least each minute; a line that stays is for batches."""
    wait = Wait([drain(6, "STARTING"), *[drain(6)] * 10, drain(5), FINISHED])
    wait.until()
    assert wait.reporter.infos == []
    drains = [line for line in wait.reporter.statuses if ", DRAIN_NODES " in line]
    assert 4 <= len(drains) <= 6
    assert drains[-1].startswith("0/1 nodes, 5 pods left, DRAIN_NODES ")


def test_one_line_for_each_batch_stays() -> None:
    """Whatever states it has; and one for a state that belongs to no batch."""
    batches = [
        status(instance("i-1", pods=pods), instance("i-2", pods=6), state=state)
        for state, pods in (("STARTING", 6), ("AWAIT_REPLACEMENTS", 6), ("DRAIN_NODES", 3), ("VALIDATE_DRAIN", 0))
    ]
    second = [
        status(instance("i-1", pods=0), instance("i-2", pods=6), state=state)
        for state in ("STARTING", "DRAIN_NODES", "STOPPING")
    ]
    wait = Wait([*batches, *second, FINISHED])
    wait.until()
    batch, stopping = wait.reporter.infos
    assert batch.startswith("1/2 nodes, 6 pods left: batch 1 done after ")
    assert stopping.startswith("owm-1: 1/2 nodes, 6 pods left, STOPPING ")


def test_live_line_comes_at_least_each_minute() -> None:
    """However still the migration stands: a row that does not move looks dead."""
    wait = Wait([drain(6)], seconds=3600)
    said: list[float] = []
    wait.reporter.status = lambda message: said.append(wait.clock.now)  # type: ignore[method-assign]  # notes the time
    with pytest.raises(DeadlineError):
        wait.until()
    assert max(later - earlier for earlier, later in itertools.pairwise(said)) <= 60
    assert len(said) < 100


def test_an_empty_live_line_shows_nothing() -> None:
    """There is nothing left to wait for."""
    clock, reporter = FakeClock(), RecordingTeller()
    waiter = Waiter(
        lambda: True,
        scope=clock.scope(),
        reporter=reporter,
        policy=PollPolicy(),
        describe=lambda _: "",
    )
    assert waiter.until(bool) is True
    assert reporter.statuses == []


def test_live_line_tells_all_that_is_left() -> None:
    """Nodes, pods, unscheduled pods, nodes to migrate manually, state, time."""
    seen = status(
        instance("i-1"), instance("i-2", pods=31), left_over("i-3", "a"), instance("i-4", pods=None),
        unscheduled_pods=("p", "q"), new_unscheduled_pods=("q",),
    )  # fmt: skip
    progress = Progress.from_status(seen)
    assert progress.line(370) == (
        "1/4 nodes, 32 pods left, 2 pods unscheduled, 1 node to migrate manually, DRAIN_NODES 6m10s"
    )
    assert progress.percentage == 25
    assert Progress.from_status(status()).percentage == 0


def test_finished_migration_is_done_but_for_what_needs_a_hand() -> None:
    """Nodes whose pods are not told any more are done, too."""
    progress = Progress.from_status(status(instance("i-1", pods=None), left_over("i-2", "a"), state="FINISHED"))
    assert (progress.done, progress.total, progress.manual) == (1, 2, 1)


def test_time_that_was_up_is_told_from_an_interruption() -> None:
    """Only the first makes on_timeout count."""
    assert is_timeout(DeadlineError())
    assert is_timeout(StalledError())
    assert not is_timeout(InterruptedWaitError())


def held(*answers: object, hold_for: float, policy: PollPolicy | None = None) -> tuple[float, list[str]]:
    """Wait until answers have been true for some time; return the seconds that it took, and the live lines."""
    clock, reporter, given = FakeClock(), RecordingTeller(), list(answers)

    def refresh() -> object:
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    waiter = Waiter(
        refresh,
        scope=clock.scope(),
        reporter=reporter,
        policy=policy or PollPolicy(),
        describe=lambda answer: "calm" if answer else "not calm",
    )
    assert waiter.until(bool, hold_for=hold_for) is True
    return waiter.elapsed, reporter.statuses


def test_hold_is_unbroken_and_ends_in_time() -> None:
    """From the first good answer after the last bad one; the last pause is cut short."""
    assert held(True, hold_for=0.0)[0] == 0.0
    assert held(True, hold_for=100.0)[0] == pytest.approx(100.0)
    elapsed, lines = held(True, False, True, hold_for=100.0)
    assert 2 * 13.5 + 100.0 <= elapsed <= 2 * 16.5 + 100.0
    assert [line.split(",")[0] for line in lines[:3]] == ["calm", "not calm", "calm"]


def test_outage_breaks_no_hold_but_a_good_answer_ends_it() -> None:
    """A service that cannot be asked has not said that anything is wrong, nor that all is well at the end."""
    outage = NoAnswerError("down")
    assert held(outage, True, hold_for=100.0)[0] == pytest.approx(100.0)
    elapsed, lines = held(True, *[outage] * 10, True, hold_for=100.0)
    assert elapsed > 10 * 13.5
    assert sum(line.startswith("no response for ") for line in lines) == 10


def test_wait_without_a_mark_of_progress_never_stalls() -> None:
    """It has none: only the deadline, an outage or its predicate ends it."""
    assert held(*[False] * 300, True, hold_for=0.0, policy=PollPolicy(stall_timeout=60.0))[0] > 3000
