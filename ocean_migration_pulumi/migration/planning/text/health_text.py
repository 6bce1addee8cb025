"""The text of diagnostics about the health of workloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.planning.text.sentences import join_sentences
from ocean_migration_pulumi.migration.planning.text.templates import Fields, Template
from ocean_migration_pulumi.migration.spec.diagnostic import Code

_MOST_SHOWN: Final = 3

_UNREADY: Final = {"enforce": "or `pulumi up` fails", "warn": "or `pulumi up` warns"}
_CONDITIONS: Final = {
    "broken_workloads": "pods that it moved cannot start",
    "below_required_for": "a workload has too few ready pods",
    "unscheduled_for": "a pod finds no node",
}


def _planned(_: str, fields: Fields) -> str:
    count, checks = fields["workloads"], fields.get("checks", ())
    causes = [f"{check['name']} fails for {format_elapsed(check['seconds'])}" for check in checks if check["watched"]]
    blind = [check["name"] for check in checks if not check["watched"]]
    more = f". Not watched without access to Kubernetes: {list_some(blind)}" if blind else ""
    if count is None:
        # The diagnostic of what is not evaluated has the remedy.
        head = f"Workload health is unknown, and does not stop the migration: {fields['reason']}"
        return f"{head}{_describe_brake_rules(causes)}{more}"
    if not count:
        return f"No workloads to watch on the planned nodes{_describe_brake_rules(causes)}{more}"
    watched = count_noun(count, "workload")
    if fields["health"] == "off":
        watched += f"; `pulumi up` does not wait until {'it is' if count == 1 else 'they are'} ready"
    else:
        ready = f"must be ready within {format_elapsed(fields['settle_seconds'])}, {_UNREADY[fields['health']]}"
        watched += f" {ready}"
    causes = [
        f"{_CONDITIONS.get(name, name)} for {format_elapsed(seconds)}"
        for name, seconds in fields["stops_after"].items()
    ] + causes
    if not causes:
        return f"Watched: {watched}. Broken workloads do not stop the migration: stop_when is not set{more}"
    return f"Watched: {watched}{_describe_brake_rules(causes)}{more}"


def _describe_brake_rules(causes: list[str]) -> str:
    if not causes:
        return ""
    return (
        f". The brake stops the migration when {' or '.join(causes)}: later batches do not start, drained nodes stay "
        "cordoned. It works only while `pulumi up` waits"
    )


def _watched(_: str, fields: Fields) -> str:
    parts = [f"Watching {count_noun(fields['workloads'], 'workload')} with {count_noun(fields['pods'], 'pod')} to move"]
    if fields["unhealthy"]:
        parts.append(f"{count_noun(fields['unhealthy'], 'workload')} already unhealthy, and not checked")
    if fields["omitted"]:
        parts.append(f"{fields['omitted']} more {'is' if fields['omitted'] == 1 else 'are'} not watched")
    if fields["stops"]:
        parts.append("the brake stops the migration before a later batch if it breaks workloads, while this run waits")
    return "; ".join(parts)


def _checks_watched(_: str, fields: Fields) -> str:
    passed, failing = fields["passed"], fields["failing"]
    parts = []
    if passed:
        fails = "it fails" if len(passed) == 1 else "one fails"
        parts.append(f"Watching {list_some(passed)}: the migration is stopped when {fails}, while this run waits")
    if failing:
        parts.append(f"Not watched before {'it passes' if len(failing) == 1 else 'they pass'}: {'; '.join(failing)}")
    return ". ".join(parts)


def _unknown(_: str, fields: Fields) -> str:
    return join_sentences([f"Unknown whether the workloads are ready: {fields['reason']}", fields["remedy"]])


def _ready(_: str, fields: Fields) -> str:
    parts = [f"{count_noun(fields['workloads'], 'workload')} ready, {count_noun(fields['pods'], 'pod')} on Ocean nodes"]
    if fields["elsewhere"]:
        parts.append(describe_elsewhere(fields["elsewhere"]))
    if fields["unknown"]:
        parts.append(f"unknown: {list_some(fields['unknown'])}")
    if fields["excused"]:
        parts.append(f"not checked: {list_some(fields['excused'])}")
    if fields["omitted"]:
        parts.append(f"{fields['omitted']} more {'was' if fields['omitted'] == 1 else 'were'} not watched")
    return "; ".join(parts)


def describe_elsewhere(pods: int) -> str:
    """Return what happens to pods that landed on old nodes outside of the migration."""
    return f"{count_with_verb(pods, 'pod', 'run')} on other old nodes (moved again if those are migrated)"


def _not_ready(_: str, fields: Fields) -> str:
    shown = [_describe_workload(each) for each in fields["workloads"][:_MOST_SHOWN]]
    others = fields["others"] + len(fields["workloads"]) - len(shown)
    count = len(fields["workloads"]) + fields["others"]
    head = f"{count_noun(count, 'workload')} {'still starting' if fields['starting'] else 'not ready'}"
    more = f"; and {count_noun(others, 'other')}" if others else ""
    them = "it" if count == 1 else "them"
    remedy = f". Fix {them}, then run the command again: it only checks again" if fields["looks_again"] else ""
    return f"{head}: {'; '.join(shown)}{more}{remedy}"


def _brake_stopped(migration_id: str, fields: Fields) -> str:
    lasted = format_elapsed(fields["seconds"])
    if fields["check"]:
        why = f"{fields['cause']} {fields['check']} failed for {lasted} ({fields['detail']})"
    else:
        pod = f", such as {fields['pod']}" if fields["pod"] else ""
        detail = f": {fields['detail']}" if fields["detail"] else ""
        why = f"it broke {list_some(fields['workloads'])} ({fields['cause']} for {lasted}{pod}{detail})"
    drained = count_with_verb(fields["drained"], "drained node", "stay")
    return (
        f"Migration {migration_id} was stopped because {why}. {drained} cordoned, "
        f"{count_with_verb(fields['remaining'], 'node', 'remain')}. Fix the cause, then change triggers to continue"
    )


def _brake_holds(migration_id: str, fields: Fields) -> str:
    return (
        f"Nothing was started: migration {migration_id} was stopped because {_describe_stop_cause(fields)}; "
        f"{count_with_verb(len(fields['nodes']), 'node', 'remain')}. Fix the cause, then change triggers or nodes "
        "to continue"
    )


def _stopped_earlier(migration_id: str, fields: Fields) -> str:
    why = f"because {_describe_stop_cause(fields)}" if fields["by_brake"] else "by someone else"
    left = count_with_verb(fields["nodes"], "node", "remain")
    return f"Migration {migration_id} was stopped {why}; {left} until triggers or nodes change"


def _describe_stop_cause(fields: Fields) -> str:
    if fields["check"]:
        return f"{fields['cause']} {fields['check']} failed"
    return f"it broke workloads ({fields['cause'] or 'unknown'})"


def _describe_workload(each: Fields) -> str:
    pod = f", {each['pod']}" if each["pod"] else ""
    detail = f": {each['detail']}" if each["detail"] else ""
    reason = f" ({each['reason']}{pod}{detail})" if each["reason"] else ""
    return f"{each['workload']} has {each['ready']} of {count_noun(each['required'], 'pod')} ready{reason}"


TEMPLATES: Final[Mapping[str, Template]] = {
    Code.HEALTH_PLANNED: _planned,
    Code.HEALTH_WATCHED: _watched,
    Code.STOP_CHECKS_WATCHED: _checks_watched,
    Code.HEALTH_UNKNOWN: _unknown,
    Code.WORKLOADS_READY: _ready,
    Code.WORKLOADS_NOT_READY: _not_ready,
    Code.BRAKE_STOPPED: _brake_stopped,
    Code.BRAKE_HOLDS: _brake_holds,
    Code.STOPPED_EARLIER: _stopped_earlier,
}
