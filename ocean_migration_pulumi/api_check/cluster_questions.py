"""Questions of clusters: discovery, nodes, log, heartbeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from ocean_migration_pulumi.api.client import DISCOVERY, HEARTBEAT, LOG, NODES
from ocean_migration_pulumi.api.models.migration import LogEntry
from ocean_migration_pulumi.api_check import documented
from ocean_migration_pulumi.api_check.questions import Finding, Question, differs, listed, not_seen, settled
from ocean_migration_pulumi.api_check.responses import Responses, excerpt, objects
from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.migration.diagnosis import failure_reasons

_NO_DISCOVERY: Final = "discovery offers no node"
_STOPPED: Final = re.compile(r"\bmigration\b", re.IGNORECASE)


def _shape(responses: Responses) -> Finding:
    answers = [response for response in responses.from_route(DISCOVERY) if response.succeeded]
    if not any(response.items for response in answers):
        return not_seen("discovery answers no item" if answers else "discovery was not answered")
    nested = [sum("instances" in item for item in response.items if isinstance(item, dict)) for response in answers]
    items = max(len(response.items) for response in answers)
    evidence = excerpt(next(response.items[0] for response in answers if response.items))
    if not any(nested):
        return differs(f"flat: {items} item{'s' if items != 1 else ''} without instances", evidence)
    said = f"nested, {'one item' if items == 1 else f'{items} items'}"
    return settled(f"{said}, {len(responses.offered)} instances in all answers", evidence)


def _default(responses: Responses) -> Finding:
    if not responses.offered:
        return not_seen(_NO_DISCOVERY)
    matches = [item.get("launchSpecId") for item in responses.offered]
    spelled = {match for match in matches if isinstance(match, str) and match.casefold() == "default"}
    others = {str(match) for match in matches if match is not None and not str(match).startswith("ols-")} - spelled
    if others:
        return differs(f"neither an id, null nor Default: {listed(sorted(others))}")
    if not spelled:
        return not_seen("every node matches a Virtual Node Group, or none")
    example = next(item for item in responses.offered if str(item.get("launchSpecId")) in spelled)
    said = listed(sorted(spelled))
    return (settled if spelled == {"Default"} else differs)(said, excerpt(example, ("launchSpecId",)))


def _no_match(responses: Responses) -> Finding:
    if not responses.offered:
        return not_seen(_NO_DISCOVERY)
    kinds = Counter(
        "absent" if "launchSpecId" not in item else "null" if item["launchSpecId"] is None else repr("")
        for item in responses.offered
        if not item.get("launchSpecId")
    )
    if not kinds:
        return not_seen("every node has a match")
    said = listed(f"{kind} ({amount})" for kind, amount in kinds.most_common())
    return (settled if kinds.keys() == {"null"} else differs)(said)


def _without_asg(responses: Responses) -> Finding:
    if not responses.offered:
        return not_seen(_NO_DISCOVERY)
    without = [item for item in responses.offered if not item.get("asgName")]
    if not without:
        return not_seen("every node is of an Auto Scaling Group")
    return settled(f"{len(without)} of {len(responses.offered)} nodes", excerpt(without[0], ("asgName",)))


def _pods_on_demand(responses: Responses) -> Finding:
    found: dict[str, set[bool]] = {}
    for response in responses.from_route(DISCOVERY):
        if not response.succeeded:
            continue
        for item in objects(response.items):
            present = {
                "runningPods" in each for each in (objects(item["instances"]) if "instances" in item else [item])
            }
            found.setdefault(str(response.exchange.query.get("shouldFetchPods")), set()).update(present)
    asked = found.get("true", set())
    if not asked:
        return not_seen(_NO_DISCOVERY)
    words = {True: "told", False: "not told"}
    said = "; ".join(f"shouldFetchPods={flag}: {listed(words[each] for each in told)}" for flag, told in found.items())
    return (settled if asked == {True} and found.get("false", set()) <= {False} else differs)(said)


def _values(route: str, key: str, allowed: frozenset[str], none: str) -> Callable[[Responses], Finding]:
    def look(responses: Responses) -> Finding:
        count = Counter(str(item[key]) for item in responses.items(route) if item.get(key) is not None)
        if not count:
            return not_seen(none)
        said = listed(f"{value} ({amount})" for value, amount in count.most_common())
        strange = sorted(count.keys() - allowed)
        return differs(f"{said}; not documented: {listed(strange)}") if strange else settled(said)

    return look


def _heartbeat(responses: Responses) -> Finding:
    answers = [response for response in responses.from_route(HEARTBEAT) if response.succeeded]
    items = list(responses.items(HEARTBEAT))
    if not items:
        return not_seen("no controller was ever heard: no item" if answers else "the heartbeat was not answered")
    statuses = listed(sorted({str(item.get("status")) for item in items}))
    return settled(statuses, excerpt(items[-1]))


def _log_dates(responses: Responses) -> Finding:
    answers = [
        response
        for response in responses.from_route(LOG)
        if str(response.exchange.query.get("fromDate", "")).isdecimal()
    ]
    if not answers:
        return not_seen("the log was not asked for by milliseconds")
    taken = [response for response in answers if response.succeeded]
    if not taken:
        return differs(f"refused with HTTP {answers[0].exchange.status}", excerpt(answers[0].errors))
    return settled(f"accepted, {count_noun(sum(len(response.items) for response in taken), 'line')}")


def _log_identity(responses: Responses) -> Finding:
    answers = responses.from_route(LOG)
    if not answers:
        return not_seen("the log was not asked for")
    if not any(response.succeeded for response in answers):
        return differs("the Ocean id is refused", excerpt(answers[0].errors))
    lines = count_noun(sum(len(response.items) for response in answers), "line")
    return settled(f"the Ocean id is accepted, {lines}")


def _failures(responses: Responses) -> Finding:
    lines = {str(item.get("message")): item for item in responses.items(LOG) if item.get("message")}
    if not lines:
        return not_seen("the log has no line of that time")
    known: dict[str, str] = {}
    strange: list[str] = []
    for message, item in lines.items():
        entry = LogEntry(message=message, severity=str(item.get("severity") or ""))
        reason = failure_reasons.explain_failure([entry]).reason
        if reason in failure_reasons.REASONS:
            known.setdefault(reason, message)
        elif entry.severity.upper() == "ERROR" and _STOPPED.search(message):
            strange.append(message)
    if not known and not strange:
        return not_seen("no line tells of a migration that failed")
    said = f"known: {listed(known) or 'none'}"
    evidence = [excerpt(message) for message in (*known.values(), *strange[:3])]
    return (
        differs(f"{said}; errors of migrations in other words: {len(strange)}", *evidence)
        if strange
        else settled(said, *evidence)
    )


def _node_numbers(responses: Responses) -> Finding:
    nodes = list(responses.items(NODES))
    if not nodes:
        return not_seen("Ocean runs no node")
    wrong = {
        key: value
        for node in nodes
        for key, value in node.items()
        if key.startswith(("allocatable", "workload", "headroom")) and not _is_number(value)
    }
    return differs(f"not numbers: {listed(sorted(wrong))}", excerpt(wrong)) if wrong else settled("numbers")


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


QUESTIONS: Final = (
    Question(
        key="discovery-shape",
        asks="How does discovery list nodes?",
        promised="items with an array of instances; one item or several is not said",
        look=_shape,
    ),
    Question(
        key="default-match",
        asks="How is the match of a node without labels and taints written?",
        promised='"Default (String)", its casing is not shown',
        look=_default,
    ),
    Question(key="no-match", asks="How is a node without a match written?", promised="null", look=_no_match),
    Question(
        key="no-asg",
        asks="Are there nodes without an Auto Scaling Group?",
        promised="not documented; the console has such a group",
        look=_without_asg,
    ),
    Question(
        key="pods-on-demand",
        asks="When does discovery tell runningPods?",
        promised="only with shouldFetchPods",
        look=_pods_on_demand,
    ),
    Question(
        key="life-cycles",
        asks="Which values has lifeCycle of nodes?",
        promised=listed(sorted(documented.LIFE_CYCLES)),
        look=_values(NODES, "lifeCycle", documented.LIFE_CYCLES, "Ocean runs no node"),
    ),
    Question(
        key="registration-statuses",
        asks="Which values has registrationStatus of nodes?",
        promised=listed(sorted(documented.REGISTRATIONS)),
        look=_values(NODES, "registrationStatus", documented.REGISTRATIONS, "Ocean runs no node"),
    ),
    Question(
        key="node-numbers",
        asks="What are the amounts of nodes?",
        promised="numbers",
        look=_node_numbers,
    ),
    Question(
        key="heartbeat-statuses",
        asks="Which statuses has the controller's heartbeat?",
        promised="ACTIVE is an example; others are not documented",
        look=_heartbeat,
    ),
    Question(
        key="log-severities",
        asks="Which severities has the log?",
        promised=listed(sorted(documented.SEVERITIES)),
        look=_values(LOG, "severity", documented.SEVERITIES, "the log has no line of that time"),
    ),
    Question(
        key="log-failures",
        asks="In which words does the log tell why a migration failed?",
        promised="seven sentences of the troubleshooting page",
        look=_failures,
    ),
    Question(
        key="log-dates",
        asks="Does the log take milliseconds for fromDate and toDate?",
        promised="yyyy-mm-dd or milliseconds",
        look=_log_dates,
    ),
    Question(
        key="log-cluster",
        asks="Does the log's route take the id of the Ocean cluster?",
        promised="described as the controller's identifier, with an Ocean id as example",
        look=_log_identity,
    ),
)
"""In the order in which they are told."""
