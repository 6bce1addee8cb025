"""The checks of ``stop_when`` besides workloads: conditions of Kubernetes objects, and answers of URLs.

A check stops a migration only when it passed before: what was broken before the start, the migration has not broken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from ocean_migration_pulumi.api.responses import ApiResponse
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import run_together
from ocean_migration_pulumi.errors import NoAnswerError, OperationCancelled, PrerequisiteError
from ocean_migration_pulumi.migration.health.brake import FEWEST_LOOKS, BrakeCause
from ocean_migration_pulumi.migration.health.look_thread import LOOK_DEADLINE, LookThread
from ocean_migration_pulumi.migration.snapshot.protocols import ConditionReader
from ocean_migration_pulumi.migration.spec.conditions import (
    ConditionObservation,
    HttpCheck,
    KubernetesCondition,
    ObservationCode,
)
from ocean_migration_pulumi.migration.spec.gap import Gap
from ocean_migration_pulumi.migration.spec.stop_conditions import StopCheck

CONDITION: Final = "condition"
"""The cause of a condition that does not hold."""

HTTP_CHECK: Final = "HTTP check"
"""The cause of a URL that does not answer as it has to."""

Probe = Callable[[str, CancelScope], ApiResponse]
"""GETs a URL; raises NoAnswerError, SettingsError, DeadlineError or OperationCancelled."""


def observe_url(check: HttpCheck, probe: Probe, scope: CancelScope) -> ConditionObservation:
    """Look at a URL once; raise what ``probe`` raises but for NoAnswerError."""
    try:
        answer = probe(check.url, scope)
    except NoAnswerError as error:
        return ConditionObservation(
            False, ObservationCode.FAILED, check.subject, {"message": str(error)}, answered=False
        )
    fields = {"status": answer.status}
    if answer.status != check.status:
        fields["expected"] = check.status
        return ConditionObservation(False, ObservationCode.URL_STATUS, check.subject, fields)
    if check.contains is not None and check.contains.encode() not in answer.body:
        return ConditionObservation(False, ObservationCode.URL_BODY, check.subject, fields)
    return ConditionObservation(True, ObservationCode.URL_ANSWERED, check.subject, fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSeries:
    """What the looks at one check have shown."""

    check: StopCheck
    """The check."""
    passed: bool = False
    """Whether it has passed once."""
    looks: int = 0
    """How many looks have shown since then, without a break, that it fails."""
    since: datetime | None = None
    """When the first of them was; None without one."""
    at: datetime | None = None
    """When the last of them was; None without one."""
    last: ConditionObservation | None = None
    """What was seen last; None when it passed, and before the first look."""

    def advance(self, observation: ConditionObservation, at: datetime) -> CheckSeries:
        """Return the series after another look; one that says nothing breaks it."""
        if observation.met:
            return CheckSeries(check=self.check, passed=True)
        says = observation.is_present and (observation.answered or self.check.fails_without_answer)
        if not says or not self.passed:
            return CheckSeries(check=self.check, passed=self.passed, last=observation)
        return replace(self, looks=self.looks + 1, since=self.since or at, at=at, last=observation)

    def find_cause(self) -> BrakeCause | None:
        """Return why the migration has to be stopped; None when it may go on."""
        if self.since is None or self.at is None or self.looks < FEWEST_LOOKS:
            return None
        seconds = (self.at - self.since).total_seconds()
        if seconds < self.check.seconds:
            return None
        cause = HTTP_CHECK if isinstance(self.check.check, HttpCheck) else CONDITION
        return BrakeCause(cause=cause, check=self.check.name, seconds=seconds, observation=self.last)


@dataclass(slots=True, kw_only=True)
class CheckWatch:
    """The looks at the checks of one migration. It never raises but for whoever wants the operation no more."""

    series: tuple[CheckSeries, ...]
    """What the looks have shown, by check."""
    scope: CancelScope
    """Bounds the looks."""
    now: Callable[[], datetime]
    """Returns the service's time."""
    probe: Probe | None
    """GETs URLs; None when nobody can."""
    kubernetes: ConditionReader | None
    """Reads the cluster; None without access."""
    absent: Gap
    """Why there is no access."""
    find_nodes: Callable[[CancelScope], Collection[str]]
    """Returns instance ids of nodes of the cluster."""
    thread: LookThread
    """Runs the looks beside the polls."""
    _recognized: bool = False

    @property
    def passed(self) -> list[str]:
        """The names of the checks that have passed once."""
        failed = {each.check.name for each in self.series if not each.passed}
        return sorted({each.check.name for each in self.series} - failed)

    def list_failing(self) -> list[ConditionObservation]:
        """Return what was seen last of the checks that did not pass then."""
        return [each.last for each in self.series if each.last is not None]

    def observe(self) -> None:
        """Look at all checks once, at the same time."""
        scope = self.scope.at_most(LOOK_DEADLINE)
        asks = {number: partial(self._observe, each.check.check, scope) for number, each in enumerate(self.series)}
        outcomes = run_together("checks", scope, asks)
        at = self.now()
        self.series = tuple(
            each.advance(_read_outcome(each.check, outcomes[number]), at) for number, each in enumerate(self.series)
        )

    def observe_beside(self) -> None:
        """Look in a thread of its own when a look is due."""
        self.thread.start_when_due(self._observe_quietly, self.scope.clock())

    def find_cause(self) -> BrakeCause | None:
        """Return why the migration has to be stopped; None when it may go on."""
        return next((cause for each in self.series if (cause := each.find_cause())), None)

    def _observe_quietly(self) -> None:
        try:
            self.observe()
        except OperationCancelled:
            return  # nobody wants to know any more

    def _observe(self, check: HttpCheck | KubernetesCondition, scope: CancelScope) -> ConditionObservation:
        if isinstance(check, HttpCheck):
            if self.probe is None:
                return ConditionObservation(False, ObservationCode.NO_PROBE, check.subject, answered=False)
            return observe_url(check, self.probe, scope)
        if self.kubernetes is None:
            return _say_nothing(ObservationCode.GAP, check.wanted, {"gap": self.absent.to_json()})
        if not self._recognized:
            if not self.kubernetes.instances(scope) & {*self.find_nodes(scope)}:
                return _say_nothing(ObservationCode.OTHER_CLUSTER, check.wanted)
            self._recognized = True
        (found,) = self.kubernetes.observe(scope, [check])
        return found


def start_series(checks: Iterable[StopCheck], passed: Collection[str]) -> tuple[CheckSeries, ...]:
    """Return the series of checks before the first look, of which some have passed before."""
    return tuple(CheckSeries(check=check, passed=check.name in passed) for check in checks)


def _read_outcome(check: StopCheck, outcome: ConditionObservation | Exception) -> ConditionObservation:
    if isinstance(outcome, ConditionObservation):
        return outcome
    fields = {"message": str(outcome) or type(outcome).__name__}
    if isinstance(outcome, PrerequisiteError):
        return _say_nothing(ObservationCode.FAILED, check.name, fields)
    return ConditionObservation(False, ObservationCode.FAILED, check.name, fields, answered=False)


def _say_nothing(code: ObservationCode, subject: str, fields: Mapping[str, Any] | None = None) -> ConditionObservation:
    """Return that a right is missing, or an access: it says nothing of the object, whatever the check asks for."""
    return ConditionObservation(False, code, subject, fields or {}, answered=False, is_present=False)
