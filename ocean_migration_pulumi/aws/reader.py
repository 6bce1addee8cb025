"""Answers questions about AWS: within a deadline, each once, whatever hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final

from ocean_migration_pulumi.aws.access import AwsAccess, AwsReadError, failure
from ocean_migration_pulumi.aws.questions import PARTS
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError
from ocean_migration_pulumi.migration.scheduling.aws_facts import AwsFacts, AwsQuery
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Gap

KEPT: Final = 600.0
"""Seconds for which an answer is good enough: roles, subnets and instance types hardly change."""

GAPS_KEPT: Final = 30.0
"""Seconds after which what could not be read is asked again."""

LONGEST: Final = 30.0
"""Seconds that one reading may take at most, whatever the scope allows."""

_SOCKET_SECONDS: Final = 10.0
_POLL: Final = 0.05
_LATE: Final = Gap(reason="AWS did not answer in time")


class AwsReader:
    """Answers questions about AWS; one per process, thread-safe.

    Only reads, with the credentials that boto3 finds. It needs ``iam:GetInstanceProfile``, ``eks:ListAccessEntries``,
    ``ec2:DescribeSubnets`` and ``ec2:DescribeInstanceTypes``, each only when it is asked for something of it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._flights: dict[tuple[str, str, tuple[str, ...]], _Flight] = {}
        self._lock = threading.Lock()

    def read(self, scope: CancelScope, question: AwsQuery) -> AwsFacts:
        """Return what AWS answers within the scope, in 30 seconds at most; what it does not is a gap.

        Answers are kept for 10 minutes, gaps for 30 seconds; who asks for the same at the same time waits for one
        answer. An instance type that the region does not have is left out: no node of it can start there. A pattern
        such as ``m5.*`` stands for all types that it matches.

        Raises InterruptedWaitError or EngineGoneError when the operation may not go on.
        """
        bounded = scope.at_most(LONGEST)
        with suppress(DeadlineError):  # what is known already is told even then
            bounded.check()
        asked = {
            "roles": question.instance_profiles,
            "access_entries": (question.eks_cluster or "",),
            "zones": question.subnet_ids,
            "machines": question.instance_types,
        }
        access = AwsAccess(question.region, min(_SOCKET_SECONDS, bounded.remaining() or 0.0))
        flights = {
            part: self._flight(part, names, access, short=scope.short)
            for part, given in asked.items()
            if (names := tuple(sorted({name for name in given if name})))
        }
        found: dict[str, dict[str, Any]] = {part: {} for part in asked}
        gaps: dict[str, Gap] = {}
        for part, flight in flights.items():
            gap = flight.wait(bounded)
            if gap is not None:
                gaps[part] = gap
            if flight.landed.is_set():
                found[part] = flight.found
        entries_known = "access_entries" in flights and "access_entries" not in gaps
        return AwsFacts(
            roles=found["roles"],
            access_entries=frozenset(found["access_entries"]) if entries_known else None,
            zones=found["zones"],
            machines=found["machines"],
            gaps=gaps,
        )

    def _flight(self, part: str, names: tuple[str, ...], access: AwsAccess, *, short: bool) -> _Flight:
        """Return the answer to a part of the question that is known or under way, else ask."""
        key = (part, access.region, names)
        with self._lock:
            self._flights = {key: flight for key, flight in self._flights.items() if flight.is_good(self._clock())}
            flight = self._flights.get(key)
            if flight is not None and (short or not flight.was_hurried):
                return flight
            flight = _Flight(clock=self._clock, short=short)
            if access.seconds <= 0:
                flight.land(_LATE)
                return flight
            self._flights[key] = flight
        # A thread that hangs is left behind: nothing that AWS or a credential helper does may delay a preview.
        threading.Thread(target=flight.fly, args=(part, names, access), name=f"aws {part}", daemon=True).start()
        return flight


class _Flight:
    """One part of a question: under way until it has ``landed``, with what was ``found`` and maybe a gap."""

    def __init__(self, *, clock: Callable[[], float], short: bool) -> None:
        self.found: dict[str, Any] = {}
        self.landed = threading.Event()
        self._gap: Gap | None = None
        self._clock = clock
        self._short = short
        self._since = clock()

    @property
    def was_hurried(self) -> bool:
        """Whether it found a gap in the few seconds of a preview: a run has more time, so it asks for itself."""
        return self._short and self.landed.is_set() and self._gap is not None

    def is_good(self, now: float) -> bool:
        """Tell whether others may still share it."""
        if not self.landed.is_set():
            return now - self._since < LONGEST
        return now - self._since < (KEPT if self._gap is None else GAPS_KEPT)

    def fly(self, part: str, names: tuple[str, ...], access: AwsAccess) -> None:
        """Ask; never raises."""
        kind = PARTS[part]
        found: dict[str, Any] = {}
        try:
            with closing(access.client(kind.service)) as client:
                gap = kind.ask(client, names, found)
        except AwsReadError as error:
            gap = error.gap
        except Exception as error:  # noqa: BLE001 - whatever is wrong with AWS is a gap, and nothing else
            gap = failure(error, kind.action)
        self.found = found
        self.land(gap)

    def land(self, gap: Gap | None) -> None:
        """Note the end."""
        self._gap, self._since = gap, self._clock()
        self.landed.set()

    def wait(self, scope: CancelScope) -> Gap | None:
        """Wait for the end and return the gap; raises when the operation is interrupted."""
        try:
            while not self.landed.wait(_POLL):
                scope.check()
        except DeadlineError:
            return _LATE
        return self._gap
