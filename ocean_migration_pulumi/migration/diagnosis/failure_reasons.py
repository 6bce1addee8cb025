"""Reasons of failed migrations, and what to do about each.

A status has no reason: Spot writes one of seven sentences into the cluster's log. Key words identify the sentence,
because its wording varies ("has stopped", "has failed").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationStatus
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.common.times import sort_key
from ocean_migration_pulumi.errors import (
    DeadlineError,
    InterruptedWaitError,
    NoAnswerError,
    OceanMigrationError,
    OperationCancelled,
    RateLimitError,
    ServiceError,
)
from ocean_migration_pulumi.migration.diagnosis.log_query import read_migration_log
from ocean_migration_pulumi.migration.snapshot.protocols import OceanApi
from ocean_migration_pulumi.migration.state.hints import Hints
from ocean_migration_pulumi.migration.state.resource_state import ResourceState

OUTAGES: Final = (NoAnswerError, RateLimitError, ServiceError)
"""Errors that may pass: the same request can succeed later."""

_CONSOLE: Final = "Read the cluster's log in the Spot console"
_HINTS: Final = Hints()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReason:
    """The reason of a failure."""

    reason: str
    """One of ``REASONS``, or ``"unknown"``."""
    message: str
    """What happened."""
    remedy: str
    """What to do about it."""
    lines: tuple[LogEntry, ...] = ()
    """The lines of the log that show it, the oldest first."""

    def to_output(self) -> dict[str, str]:
        """Return the resource's output ``failure``."""
        return {"message": self.message, "reason": self.reason, "remedy": self.remedy}


# Key words of each sentence, reason, message and remedy. The first match counts: a sentence about stopping contains the
# key words of a plain one.
_KNOWN: Final = (
    (
        ("terminate old instances", "stop process"),
        "stop-termination",
        "Ocean could not terminate the drained nodes while it stopped the migration",
        "Allow Spot's IAM role to terminate instances, then terminate the drained nodes",
    ),
    (
        ("reschedule old instances",),
        "stop-reschedule",
        "Ocean could not uncordon the old nodes while it stopped the migration",
        "Check that the Ocean Controller is connected and may uncordon nodes, then uncordon the old nodes",
    ),
    (
        ("connectivity issues",),
        "connectivity",
        "Ocean lost the connection to the cluster",
        "Check the Ocean Controller (its pods, token and network access)",
    ),
    (
        ("spin up enough new instances",),
        "instances",
        "Ocean could not start enough new instances",
        "Check that a Virtual Node Group fits the remaining nodes (instance types, subnets, limits, capacity)",
    ),
    (
        ("technical timeout",),
        "timeout",
        "the migration took longer than Ocean allows",
        "Migrate fewer nodes at once, grouped by labels or by similar requirements",
    ),
    (
        ("schedule pods on new nodes",),
        "schedule",
        "pods could not be scheduled on the new nodes",
        "Check unscheduled and unready pods, and deploy no new workloads during a migration",
    ),
    (
        ("terminate old instances",),
        "termination",
        "Ocean could not terminate the old nodes",
        "Allow Spot's IAM role to terminate instances",
    ),
)

REASONS: Final = tuple(reason for _, reason, _, _ in _KNOWN)
"""The reasons that Spot documents."""


def find_failure_reason(log: Sequence[LogEntry]) -> FailureReason:
    """Return the reason that the newest known line of the log names; else ``"unknown"``, with the last errors.

    Args:
        log: Lines of the migration's period only, as another migration's line would be found, too.

    """
    newest_first = sorted(enumerate(log), key=lambda item: (sort_key(item[1].created_at), item[0]), reverse=True)
    for _, line in newest_first:
        lowered = line.message.lower()
        for keywords, reason, message, remedy in _KNOWN:
            if all(word in lowered for word in keywords):
                return FailureReason(reason=reason, message=message, remedy=remedy, lines=(line,))
    errors = tuple(line for _, line in newest_first if line.severity.upper() == "ERROR")[2::-1]
    logged = "; ".join(f'"{line.message}"' for line in errors) or "no errors logged"
    return FailureReason(
        reason="unknown",
        message=f"no known reason in Ocean's log ({logged})",
        remedy=f"{_CONSOLE}, and send the id of the migration to Spot support",
        lines=errors,
    )


def read_failure_reason(
    api: OceanApi,
    scope: CancelScope,
    ocean_id: str,
    status: MigrationStatus,
    now: datetime,
    *,
    created_at: str | None = None,
) -> FailureReason:
    """Read the reason of a failure from the cluster's log; it is unknown if the log cannot be read.

    Args:
        api: Spot's API.
        scope: Bounds the reading.
        ocean_id: Id of the cluster.
        status: Status of the failed migration.
        now: The current time, by Spot's clock.
        created_at: Creation of the migration if the status has none. None means 24 hours ago.

    Raises:
        OperationCancelled: The operation was cancelled.

    """
    try:
        log = read_migration_log(api.within(scope), ocean_id, status, now, created_at=created_at)
    except OceanMigrationError as error:
        message = f"could not read the reason from Ocean's log ({error})"
        return FailureReason(reason="unknown", message=message, remedy=_CONSOLE)
    return find_failure_reason(log)


def describe_failure(error: Exception, remedy: str = "") -> str:
    """Return an error as one line for the resource's row.

    Args:
        error: Any error; one that is not ours is named by its type.
        remedy: The state of the migration and what to do, for errors that cannot name it: an outage, or an end that
            came while nothing waited for a migration.

    """
    line = one_line(str(error))
    if not isinstance(error, (OceanMigrationError, OperationCancelled)):
        return f"unexpected {type(error).__name__}: {line}"
    ended = isinstance(error, (InterruptedWaitError, DeadlineError)) and error.migration_id is None
    return f"{line}; {remedy}" if remedy and (ended or isinstance(error, OUTAGES)) else line


def make_failure_output(error: Exception, remedy: str = "") -> dict[str, str]:
    """Return an error, as ``describe_failure`` puts it, as the resource's output ``failure``."""
    reason = type(error).__name__.removesuffix("Error")
    return {"message": describe_failure(error, remedy), "reason": reason, "remedy": ""}


def describe_interruption(state: ResourceState) -> str:
    """Return the state of the latest migration, and what to do, after a run that was cut short."""
    latest, start = state.latest, state.unanswered
    if latest is None and start is not None and start.migration_id is not None:
        return f"migration {start.migration_id} continues in Ocean. {_HINTS.waits}"
    if latest is None and start is not None:
        return f"a migration may have started. {_HINTS.looks}"
    if latest is None:
        return f"nothing was started; {_HINTS.again}"
    if not latest.ended:
        return f"migration {latest.id} continues in Ocean. {_HINTS.waits}"
    return f"migration {latest.id} {'is no longer listed' if latest.lost else f'is {latest.status}'}; {_HINTS.again}"
