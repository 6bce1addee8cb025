"""Why a migration failed, and what to do about it.

The status has no reason: the service writes one of seven sentences into the cluster's log. They are recognised by key
words, because their wording varies ("has stopped", "has failed").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationState, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.common.times import parse_time, sort_key
from ocean_migration_pulumi.errors import (
    DeadlineError,
    InterruptedWaitError,
    NoAnswerError,
    OceanMigrationError,
    OperationCancelled,
    RateLimitError,
    ServiceError,
)
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.state.hints import Hints
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

OUTAGES: Final = (NoAnswerError, RateLimitError, ServiceError)
"""What may be over soon: nothing is wrong with what was asked, and asking again may help."""

LOG_SLACK: Final = timedelta(minutes=10)
"""How long after a migration's end the log may still tell of it."""

_UNDATED: Final = timedelta(hours=24)
_WORDS: Final = Hints()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReason:
    """A reason as users read it: what happened (``message``), the reason's short name, and the remedy.

    ``lines`` are those of the log that told it, the oldest first; none when none did.
    """

    reason: str
    message: str
    remedy: str
    lines: tuple[LogEntry, ...] = ()

    @property
    def evidence(self) -> str:
        """The newest line of the log that told it; empty when none did."""
        return self.lines[-1].message if self.lines else ""

    def to_output(self) -> dict[str, str]:
        """Return the failure as the resource's output."""
        return {"message": self.message, "reason": self.reason, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class _Known:
    words: tuple[str, ...]
    reason: str
    message: str
    remedy: str


# The order matters: the two sentences about stopping contain the words of the plain ones.
_KNOWN: Final = (
    _Known(
        ("terminate old instances", "stop process"),
        "stop-termination",
        "Ocean could not terminate the drained nodes while it stopped the migration",
        "Give Spot's role in the AWS account the right to terminate instances, then terminate the drained nodes",
    ),
    _Known(
        ("reschedule old instances",),
        "stop-reschedule",
        "Ocean could not make the old nodes schedulable again while it stopped the migration",
        "Check that the Ocean Controller is connected and may uncordon nodes, then uncordon the old nodes",
    ),
    _Known(
        ("connectivity issues",),
        "connectivity",
        "Ocean lost the connection to the cluster",
        "Make sure that the Ocean Controller runs and reports (its pods, its token, its way out of the network)",
    ),
    _Known(
        ("spin up enough new instances",),
        "instances",
        "Ocean could not start enough new instances",
        "Make sure that a Virtual Node Group fits the remaining nodes (instance types, subnets, limits, capacity)",
    ),
    _Known(
        ("technical timeout",),
        "timeout",
        "the migration took longer than Ocean allows",
        "Migrate fewer nodes at once, grouped by labels or by similar requirements",
    ),
    _Known(
        ("schedule pods on new nodes",),
        "schedule",
        "pods could not be scheduled on the new nodes",
        "Look for unscheduled or unready pods, and create no new workloads by hand during a migration",
    ),
    _Known(
        ("terminate old instances",),
        "termination",
        "Ocean could not terminate the old nodes",
        "Give Spot's role in the AWS account the right to terminate instances",
    ),
)

REASONS: Final = tuple(known.reason for known in _KNOWN)
"""The short names of the seven reasons that the service documents."""


def explain_failure(log: Sequence[LogEntry]) -> FailureReason:
    """Find the newest line of the log that tells a known reason; without one, show the last errors.

    ``log`` must hold nothing but the migration's own time, or the reason of another one is taken.
    """
    newest_first = sorted(enumerate(log), key=lambda item: (sort_key(item[1].created_at), item[0]), reverse=True)
    for _, line in newest_first:
        lowered = line.message.lower()
        for known in _KNOWN:
            if all(word in lowered for word in known.words):
                return FailureReason(reason=known.reason, message=known.message, remedy=known.remedy, lines=(line,))
    errors = tuple(line for _, line in newest_first if line.severity.upper() == "ERROR")[2::-1]
    seen = "; ".join(f'"{line.message}"' for line in errors) or "it holds no error of that time"
    return FailureReason(
        reason="unknown",
        message=f"Ocean's log names no known reason ({seen})",
        remedy="Read the cluster's log in the Spot console, and ask Spot's support with the id of the migration",
        lines=errors,
    )


def log_span(status: MigrationStatus, now: datetime, *, created_at: str | None = None) -> tuple[datetime, datetime]:
    """Return from when to when the cluster's log may tell of a migration, in the service's time.

    ``created_at`` stands in for a creation that the status does not tell; without either it is 24 hours ago.
    """
    since = parse_time(status.created_at) or parse_time(created_at) or now - _UNDATED
    failed = status.state == MigrationState.FINISHED_ERROR
    until = parse_time(status.errored_at if failed else status.stopped_at or status.completed_at) or now
    return since, until + LOG_SLACK


def failure_summary(
    api: OceanApi,
    scope: CancelScope,
    ocean_id: str,
    status: MigrationStatus,
    now: datetime,
    *,
    created_at: str | None = None,
) -> FailureReason:
    """Read the reason of a failure from the cluster's log, between creation and failure in the service's time.

    A log that cannot be read is a reason that is not known. Raises OperationCancelled.
    """
    since, until = log_span(status, now, created_at=created_at)
    try:
        log = api.within(scope).get_log(ocean_id, since=since, until=until)
    except OceanMigrationError as error:
        return FailureReason(
            reason="unknown",
            message=f"the reason stands in Ocean's log, which could not be read ({error})",
            remedy="Read the cluster's log in the Spot console",
        )
    return explain_failure(log)


def describe_failure(error: Exception, remedy: str = "") -> str:
    """Return an error as the one line that the resource's row shows; one that nobody foresaw says what it is.

    ``remedy`` is how things stand and what to do after an outage, or after an end that came while no migration was
    waited for: their own words do not know it.
    """
    line = one_line(str(error))
    if not isinstance(error, (OceanMigrationError, OperationCancelled)):
        return f"unexpected {type(error).__name__}: {line}"
    ended = isinstance(error, (InterruptedWaitError, DeadlineError)) and "migration " not in line
    return f"{line}; {remedy}" if remedy and (ended or isinstance(error, OUTAGES)) else line


def failure_of(error: Exception, remedy: str = "") -> dict[str, str]:
    """Return an error, as ``describe`` puts it, as the output ``failure``."""
    reason = type(error).__name__.removesuffix("Error")
    return {"message": describe_failure(error, remedy), "reason": reason, "remedy": ""}


def after_outage(state: ResourceState) -> str:
    """Return how things stand, and what to do, after a run that was cut short."""
    latest = state.latest
    if latest is None:
        return f"nothing was started; {_WORDS.again}"
    if not latest.ended:
        return f"migration {latest.id} goes on in Ocean. {_WORDS.waits}"
    return f"migration {latest.id} {'is no longer listed' if latest.lost else f'is {latest.status}'}; {_WORDS.again}"
