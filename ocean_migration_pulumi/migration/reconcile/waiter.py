"""Wait for anything: poll it until a predicate holds, within a deadline, a stall timeout and a bounded outage."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar

from ocean_migration_pulumi.api.models.migration import MigrationState, MigrationStatus, MigrationSummary
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.errors import (
    DeadlineError,
    MigrationNotFoundError,
    OceanMigrationError,
    OperationCancelled,
    StalledError,
    WaitEndedError,
)
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import OUTAGES
from ocean_migration_pulumi.migration.snapshot.protocols import Reporter
from ocean_migration_pulumi.migration.state.batches import BatchCount
from ocean_migration_pulumi.migration.state.progress import Progress, ProgressCounter

OUTAGE: Final = 600.0
"""Seconds without any answer of the service after which a wait gives up; what it waited for goes on."""

NEW: Final = 60.0
"""Seconds for which a migration that was just started may still be missing from the service's responses."""

LOST: Final = 65.0
"""Seconds for which status and list must deny a migration before it is lost: a minute, and the error of the times."""

_FEWEST_DENIALS: Final = 3
_HEARTBEAT: Final = 60.0
_JITTER: Final = 0.1
_OUTSIDE_BATCHES: Final = frozenset({MigrationState.STOPPING, MigrationState.ERROR, MigrationState.RESCHEDULE_NODES})

T = TypeVar("T")
E = TypeVar("E", bound=OperationCancelled | WaitEndedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How a wait polls, and when it gives up."""

    poll_interval: float = 15.0
    """Seconds between two polls (±10 %)."""
    stall_timeout: float | None = 1800.0
    """Seconds without any progress after which the wait gives up; None means never."""
    outage: float = OUTAGE
    """Seconds without any answer after which the wait gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationListing:
    """What the list of migrations says of one migration."""

    find: Callable[[], MigrationSummary | None]
    """Returns its entry, read afresh; None when the list does not have it."""
    now: Callable[[], datetime]
    """Returns the service's time."""


@dataclass(slots=True, kw_only=True)
class Denial:
    """An unbroken row of answers, of status and list, that a migration does not exist."""

    since: float
    """When it began, by the clock of the wait."""
    at: datetime
    """When it began, in the service's time."""
    count: int = 0
    """The number of answers."""
    seconds: float = 0.0
    """How long it has lasted."""

    def add(self, clock: float, now: datetime) -> None:
        """Count another answer, at a reading of the clock and at the service's time."""
        self.count += 1
        # Both clocks count: a simulated service may be faster, a clock that was set back may stand still.
        self.seconds = max(clock - self.since, (now - self.at).total_seconds())

    @property
    def is_lost(self) -> bool:
        """Whether it has lasted for so long that the migration counts as lost."""
        return self.seconds >= LOST and self.count >= _FEWEST_DENIALS


class Waiter(Generic[T]):
    """One wait. The call site says how to refresh what it waits for; observers see every answer.

    Args:
        refresh: Reads afresh what is waited for.
        scope: Bounds the wait and ends it at once when the operation is cancelled.
        reporter: Takes the live lines.
        policy: How to poll, and when to give up.
        observe: Takes each answer, before it is judged.
        describe: Returns the live line for an answer, without the time. It is shown when it has changed, and at least
            once a minute. None, or an empty line, shows nothing.
        mark: Returns how far it is: as long as that stays equal the wait stalls. None disables stalls.
    """

    def __init__(
        self,
        refresh: Callable[[], T],
        *,
        scope: CancelScope,
        reporter: Reporter,
        policy: PollPolicy,
        observe: Callable[[T], None] = lambda answer: None,
        describe: Callable[[T], str] | None = None,
        mark: Callable[[T], object] | None = None,
    ) -> None:
        self._refresh = refresh
        self._scope = scope
        self._reporter = reporter
        self._policy = policy
        self._observe = observe
        self._describe = describe
        self._mark = mark
        self._started = self._answered_at = self._moved_at = scope.clock()
        self._held_since: float | None = self._started
        self._last_mark: object = None
        self._line = ""
        self._shown_at = float("-inf")
        self.last: T | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the wait began."""
        return self._scope.clock() - self._started

    @property
    def held(self) -> float | None:
        """Seconds for which the predicate has held without a break; None when it does not hold."""
        return None if self._held_since is None else self._scope.clock() - self._held_since

    def until(self, reached: Callable[[T], bool], *, hold_for: float = 0.0) -> T:
        """Poll until a predicate has held for some time without a break.

        The time counts from the start of the wait, or from the first good answer after the last that was not. An outage
        is borne for ``policy.outage`` seconds, and breaks no hold. A migration that was never seen may be missing for a
        minute: a response may lag behind the start. ``MigrationWaiter`` bears more.

        Args:
            reached: Tells whether an answer is what is waited for.
            hold_for: Seconds for which it must hold.

        Returns:
            The answer that ended the wait.

        Raises:
            OperationCancelled: Whoever asked for the operation wants it no more.
            DeadlineError: The scope's deadline passed.
            StalledError: There was no progress for ``policy.stall_timeout`` seconds.
            MigrationNotFoundError: The migration does not exist.
            OceanMigrationError: Any other error of ``refresh``, such as an outage that outlasted its bound.
        """
        while True:
            self._scope.check()
            asked_at = self._scope.clock()
            pause = self._policy.poll_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads the polls
            try:
                answer = self._refresh()
                believed = self._is_believed(answer)
            except OUTAGES as error:
                self._bear_outage(error)
            except MigrationNotFoundError as error:
                try:
                    self._bear_denial(error)
                except OUTAGES as outage:
                    self._bear_outage(outage)
            else:
                if believed:
                    self._note_answer(answer)
                    if not reached(answer):
                        self._held_since = None
                    elif self._held_since is None:
                        self._held_since = asked_at
                    self._show(answer)
                    if self._held_since is not None:
                        opens_at = self._held_since + hold_for
                        if asked_at >= opens_at:
                            return answer
                        pause = min(pause, max(0.0, opens_at - self._scope.clock()))
            self._check_stall()
            self._scope.sleep(pause)

    def _is_believed(self, answer: T) -> bool:
        """Tell whether an answer counts; one that does not is asked for again at the next poll."""
        return True

    def _note_answer(self, answer: T) -> None:
        self._answered_at = self._scope.clock()
        mark = None if self._mark is None else self._mark(answer)
        if mark != self._last_mark:
            self._last_mark, self._moved_at = mark, self._answered_at
        self.last = answer
        self._observe(answer)

    def _show(self, answer: T) -> None:
        if self._describe is None:
            return
        line = self._describe(answer)
        if not line:
            return
        next_poll = self._scope.clock() + self._policy.poll_interval * (1 + _JITTER)
        if line != self._line or next_poll - self._shown_at > _HEARTBEAT:
            self._line, self._shown_at = line, self._scope.clock()
            self._reporter.status(self._with_time(line))

    def _with_time(self, line: str) -> str:
        return f"{line}, {format_elapsed(self.elapsed)}"

    def _bear_outage(self, error: OceanMigrationError) -> None:
        silent = self._scope.clock() - self._answered_at
        if silent >= self._policy.outage:
            raise error
        self._line = ""
        self._reporter.status(f"no response for {format_elapsed(silent)}, retrying: {error}")

    def _bear_denial(self, error: MigrationNotFoundError) -> None:
        if self.last is not None or self.elapsed > NEW:
            raise error

    def _check_stall(self) -> None:
        limit = self._policy.stall_timeout
        still = self._scope.clock() - self._moved_at
        if self._mark is not None and limit is not None and still >= limit:
            self._scope.check()  # the deadline is what was asked for; a stall beside it says less
            msg = f"no progress for {format_elapsed(still)}"
            raise StalledError(msg)


def watch_list(
    refresh: Callable[[], T],
    is_found: Callable[[T], bool],
    *,
    now: Callable[[], datetime],
    scope: CancelScope,
    reporter: Reporter,
    policy: PollPolicy,
    line: str,
) -> T:
    """Poll until something is found, for as long as the list may not have a migration that was just started.

    Args:
        refresh: Reads afresh what depends on the list.
        is_found: Tells whether an answer has what is looked for.
        now: Returns the service's time.
        scope: The bounds of the operation.
        reporter: Takes the live line.
        policy: How to poll.
        line: The live line.

    Returns:
        The answer in which something is found, else the last one.

    Raises:
        OperationCancelled: Whoever asked for the operation wants it no more.
        OceanMigrationError: What ``refresh`` raises.
    """
    denial = Denial(since=scope.clock(), at=now())

    def is_over(answer: T) -> bool:
        denial.add(scope.clock(), now())
        return is_found(answer) or denial.seconds >= NEW

    return Waiter(refresh, scope=scope, reporter=reporter, policy=policy, describe=lambda _: line).until(is_over)


class MigrationWaiter(Waiter[MigrationStatus]):
    """A wait for one migration, whose batches are reported, and states that are not part of a batch.

    With ``listed``, one answer that the migration does not exist concludes nothing: status and list are asked on until
    either shows it, and MigrationNotFoundError is raised when both have denied it for a minute without a break. A
    terminal state counts only when the next status and the list agree: until then the migration runs. When the list
    has denied the migration of a terminal status for a minute, MigrationNotFoundError is raised, too.

    Args:
        refresh: Reads the migration's status afresh.
        scope: As of ``Waiter``.
        reporter: As of ``Waiter``.
        policy: As of ``Waiter``.
        observe: As of ``Waiter``.
        listed: What the list says of the migration; None to believe its status alone.
        detail: Returns what the live line says besides; empty for nothing.
        batch_size_percentage: The batch size; None if unknown.
    """

    def __init__(
        self,
        refresh: Callable[[], MigrationStatus],
        *,
        scope: CancelScope,
        reporter: Reporter,
        policy: PollPolicy,
        observe: Callable[[MigrationStatus], None] = lambda status: None,
        listed: MigrationListing | None = None,
        detail: Callable[[], str] = str,
        batch_size_percentage: int | None = None,
    ) -> None:
        def observe_state(status: MigrationStatus) -> None:
            self._report_state(status)
            self._report_batch(status)
            observe(status)

        super().__init__(
            refresh,
            scope=scope,
            reporter=reporter,
            policy=policy,
            observe=observe_state,
            describe=lambda status: ", ".join(
                filter(None, [Progress.from_status(status).counts, detail(), status.state])
            ),
            mark=ProgressCounter().count,
        )
        self._listed = listed
        self._denial: Denial | None = None
        self._unlisted: Denial | None = None
        self._unconfirmed: str | None = None
        self._ends: set[str] = set()
        self._state: str | None = None
        self._unknown: set[str] = set()
        self._batches = BatchCount(percentage=batch_size_percentage)

    def _is_believed(self, answer: MigrationStatus) -> bool:
        self._denial = None
        if self._listed is None:
            return True
        before, self._unconfirmed = self._unconfirmed, answer.state if answer.is_terminal else None
        if self._unconfirmed is None:
            self._unlisted = None
            return True
        if before == answer.state:
            summary = self._listed.find()
            if summary is None:
                self._unlisted = self._count_denial(self._unlisted, self._listed)
                if self._unlisted.is_lost:  # a list that lags would have it by now
                    msg = f"the list of migrations does not have {answer.id}, whose status is {answer.state}"
                    raise MigrationNotFoundError(msg, status=200)
            else:
                self._unlisted = None
                if summary.state == answer.state:
                    return True
        self._answered_at = self._scope.clock()
        if answer.state not in self._ends:
            self._ends.add(answer.state)
            self._moved_at = self._answered_at  # an end is progress, also while it is not confirmed, but only once
        self._line = ""
        self._reporter.status(f"{answer.state}: waiting for a second response that confirms it")
        return False

    def _bear_denial(self, error: MigrationNotFoundError) -> None:
        if self._listed is None:
            super()._bear_denial(error)
            return
        if self._unlisted is not None and self._unlisted.is_lost:
            raise error
        asked_at = self._scope.clock()
        if self._listed.find() is not None:
            self._denial = None
            line = "status not found, but the migration is listed"
        else:
            self._denial = self._count_denial(self._denial, self._listed)
            if self._denial.is_lost:
                raise error
            line = f"migration not found for {format_elapsed(self._denial.seconds)}"
        self._answered_at = asked_at
        self._line = ""
        self._reporter.status(f"{line}; retrying")

    def _count_denial(self, before: Denial | None, listed: MigrationListing) -> Denial:
        clock, now = self._scope.clock(), listed.now()
        denial = before or Denial(since=clock, at=now)
        denial.add(clock, now)
        return denial

    def _report_state(self, status: MigrationStatus) -> None:
        if status.state not in MigrationState.__members__ and status.state not in self._unknown:
            self._unknown.add(status.state)
            self._reporter.warning(f"Unknown state {status.state!r} of {status.id}: still waiting")
        if self._state not in {None, status.state} and status.state in _OUTSIDE_BATCHES:
            self._reporter.info(f"{status.id}: {Progress.from_status(status).line(self.elapsed)}")
        self._state = status.state

    def _report_batch(self, status: MigrationStatus) -> None:
        """Report that a batch is done, once another one has started: the last one ends with the migration."""
        before, self._batches = self._batches, self._batches.advance(status)
        if before.number is not None and self._batches.number != before.number:
            counts = Progress.from_status(status).counts
            self._reporter.info(f"{counts}: {before.describe()} done after {format_elapsed(self.elapsed)}")

    def _with_time(self, line: str) -> str:
        return f"{line} {format_elapsed(self.elapsed)}"


def has_ended(status: MigrationStatus) -> bool:
    """Tell whether a migration has ended, well or not."""
    return status.is_terminal


def restate(error: E, message: str, migration_id: str) -> E:
    """Return the error of a wait that ended early, with a message that says the state of the migration."""
    restated = type(error)(message)
    restated.migration_id = migration_id
    return restated


def is_timeout(error: Exception) -> bool:
    """Tell whether a wait ended because its time was up, not because somebody interrupted it."""
    return isinstance(error, (DeadlineError, StalledError))
