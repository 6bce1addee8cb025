"""The text of observations: what gates and ``stop_when`` saw of a condition, and why workloads are not compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some, sanitize
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.health.assessment import Excuse, HealthReport, HealthVerdict
from ocean_migration_pulumi.migration.planning.text.checks_text import describe_finding
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap_json
from ocean_migration_pulumi.migration.planning.text.templates import Fields, clean, fill
from ocean_migration_pulumi.migration.spec.conditions import TRUE, ConditionObservation, ObservationCode
from ocean_migration_pulumi.migration.spec.vocabulary import INPUTS

LONGEST_REASON: Final = 200
"""The most characters of a reason that a message shows."""

_EXCUSES: Final[Mapping[Excuse, str]] = {
    Excuse.UNHEALTHY_BEFORE: "was unhealthy before",
    Excuse.ROLLING_BEFORE: "was being rolled out when the migration started",
    Excuse.PODS_UNREAD: "pods could not be read",
    Excuse.UNREAD: "could not be read",
    Excuse.DELETED: "was deleted",
    Excuse.RECREATED: "was recreated",
    Excuse.ROLLING: "is being rolled out",
    Excuse.DESIRED_UNKNOWN: "has fewer pods than before, and does not report how many it desires",
    Excuse.ROLLOUT_UNKNOWN: "has another pod template than before, and does not report rollouts",
}


def describe_observation(observation: ConditionObservation) -> str:
    """Return the text of an observation."""
    return fill(_TEMPLATES[observation.code], {"subject": observation.subject, **clean(observation.fields)})


def describe_excuses(report: HealthReport, verdict: HealthVerdict) -> list[str]:
    """Return the workloads with a verdict, each with the reason why it is not compared."""
    return [f"{workload} {_EXCUSES[excuse]}" for workload, excuse in report.list_excused(verdict)]


def _condition(fields: Fields) -> str:
    reason = f" ({fields['reason']})" if fields["reason"] else ""
    return f"{fields['subject']} is {'' if fields['status'] == TRUE else 'not '}{fields['condition']}{reason}"


def _failed(fields: Fields) -> str:
    message = sanitize(fields["message"], LONGEST_REASON)
    return f"{fields['subject']}: {message}" if fields["subject"] else message


def _gap(fields: Fields) -> str:
    return _failed({**fields, "message": describe_gap_json(fields["gap"]).line})


def _below(fields: Fields) -> str:
    others = f", and {count_noun(fields['others'], 'other workload')}" if fields["others"] else ""
    return f"{fields['subject']} has {fields['ready']} of {fields['required']} pods ready{others}"


def _ready(fields: Fields) -> str:
    unknown = [f"{each['workload']} {_EXCUSES[each['excuse']]}" for each in fields["unknown"]]
    more = f", unknown: {list_some(unknown)}" if unknown else ""
    return f"{count_noun(fields['count'], 'workload')} ready{more}"


_TEMPLATES: Final[Mapping[ObservationCode, str | Callable[[Fields], str]]] = {
    ObservationCode.FAILED: _failed,
    ObservationCode.GAP: _gap,
    ObservationCode.NOT_IN_TIME: "{subject} did not respond in time",
    ObservationCode.NO_KIND: "{subject} does not exist: {api_version} has no kind {kind}",
    ObservationCode.NO_OBJECT: "{subject} does not exist",
    ObservationCode.NEEDS_NAMESPACE: "{subject} needs a namespace",
    ObservationCode.HAS_NO_NAMESPACE: "{subject} has no namespace",
    ObservationCode.BEING_DELETED: "{subject} is being deleted",
    ObservationCode.OUTDATED: "{subject} has changed, but its status is not up to date",
    ObservationCode.REPLICAS: "{subject} has {ready} of {expected} replicas ready",
    ObservationCode.JOB_FAILED: "{subject} has failed",
    ObservationCode.CONDITION: _condition,
    ObservationCode.OTHER_CLUSTER: ("{subject}: none of the nodes is planned or run by Ocean: it is another cluster"),
    ObservationCode.NO_PROBE: "{subject}: cannot be requested here",
    ObservationCode.URL_ANSWERED: "{subject} responds with {status}",
    ObservationCode.URL_STATUS: "{subject} responds with {status} instead of {expected}",
    ObservationCode.URL_BODY: "{subject} responds with {status}, but the response does not contain the required text",
    ObservationCode.HEARTBEAT: lambda fields: describe_finding(fields["finding"], fields, INPUTS).seen,
    ObservationCode.NO_MIGRATION: "no migration ran before",
    ObservationCode.MIGRATION_LISTED: "migration {subject} is listed, but its status is not found",
    ObservationCode.MIGRATION_DENIED: lambda fields: (
        f"migration {fields['subject']} not found for {format_elapsed(fields['seconds'])}"
    ),
    ObservationCode.MIGRATION_GONE: "migration {subject} is not found: its unscheduled pods are not known",
    ObservationCode.SCHEDULED: "all pods scheduled",
    ObservationCode.UNSCHEDULED: lambda fields: f"{count_noun(fields['count'], 'pod')} unscheduled",
    ObservationCode.PENDING: lambda fields: (
        f"{count_with_verb(len(fields['pods']), 'pod', 'wait')} for a node ({list_some(fields['pods'])})"
    ),
    ObservationCode.WORKLOADS_UNREAD: lambda fields: (
        f"workloads cannot be read: {sanitize(describe_gap_json(fields['gap']).line, LONGEST_REASON)}"
    ),
    ObservationCode.WORKLOADS_BELOW: _below,
    ObservationCode.PODS_ARRIVED: lambda fields: (
        f"{fields['arrived']} of {count_noun(fields['expected'], 'pod')} arrived on Ocean nodes, "
        f"{fields['percentage']} % required"
    ),
    ObservationCode.WORKLOADS_READY: _ready,
}
