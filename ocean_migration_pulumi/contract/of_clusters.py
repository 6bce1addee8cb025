"""Questions of clusters: discovery, nodes, log, heartbeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from ocean_migration_pulumi.api.client import DISCOVERY, HEARTBEAT, LOG, NODES
from ocean_migration_pulumi.api.models import LogEntry
from ocean_migration_pulumi.migration import failures
from ocean_migration_pulumi.migration.plan import counted

from . import documented
from .answered import Finding, Question, differs, listed, not_seen, settled
from .seen import Seen, excerpt, objects

_NO_DISCOVERY: Final = "discovery offers no node"
_STOPPED: Final = re.compile(r"\bmigration\b", re.IGNORECASE)


def _shape(seen: Seen) -> Finding:
    answers = [heard for heard in seen.of(DISCOVERY) if heard.succeeded]
    if not any(heard.items for heard in answers):
        return not_seen("discovery answers no item" if answers else "discovery was not answered")
    nested = [sum("instances" in item for item in heard.items if isinstance(item, dict)) for heard in answers]
    items = max(len(heard.items) for heard in answers)
    evidence = excerpt(next(heard.items[0] for heard in answers if heard.items))
    if not any(nested):
        return differs(f"flat: {items} item{'s' if items != 1 else ''} without instances", evidence)
    said = f"nested, {'one item' if items == 1 else f'{items} items'}"
    return settled(f"{said}, {len(seen.offered)} instances in all answers", evidence)


def _default(seen: Seen) -> Finding:
    if not seen.offered:
        return not_seen(_NO_DISCOVERY)
    matches = [item.get("launchSpecId") for item in seen.offered]
    spelled = {match for match in matches if isinstance(match, str) and match.casefold() == "default"}
    others = {str(match) for match in matches if match is not None and not str(match).startswith("ols-")} - spelled
    if others:
        return differs(f"neither an id, null nor Default: {listed(sorted(others))}")
    if not spelled:
        return not_seen("every node matches a Virtual Node Group, or none")
    example = next(item for item in seen.offered if str(item.get("launchSpecId")) in spelled)
    said = listed(sorted(spelled))
    return (settled if spelled == {"Default"} else differs)(said, excerpt(example, ("launchSpecId",)))


def _no_match(seen: Seen) -> Finding:
    if not seen.offered:
        return not_seen(_NO_DISCOVERY)
    kinds = Counter(
        "absent" if "launchSpecId" not in item else "null" if item["launchSpecId"] is None else repr("")
        for item in seen.offered
        if not item.get("launchSpecId")
    )
    if not kinds:
        return not_seen("every node has a match")
    said = listed(f"{kind} ({amount})" for kind, amount in kinds.most_common())
    return (settled if kinds.keys() == {"null"} else differs)(said)


def _without_asg(seen: Seen) -> Finding:
    if not seen.offered:
        return not_seen(_NO_DISCOVERY)
    without = [item for item in seen.offered if not item.get("asgName")]
    if not without:
        return not_seen("every node is of an Auto Scaling Group")
    return settled(f"{len(without)} of {len(seen.offered)} nodes", excerpt(without[0], ("asgName",)))


def _pods_on_demand(seen: Seen) -> Finding:
    found: dict[str, set[bool]] = {}
    for heard in seen.of(DISCOVERY):
        if not heard.succeeded:
            continue
        for item in objects(heard.items):
            present = {
                "runningPods" in each for each in (objects(item["instances"]) if "instances" in item else [item])
            }
            found.setdefault(str(heard.exchange.query.get("shouldFetchPods")), set()).update(present)
    asked = found.get("true", set())
    if not asked:
        return not_seen(_NO_DISCOVERY)
    words = {True: "told", False: "not told"}
    said = "; ".join(f"shouldFetchPods={flag}: {listed(words[each] for each in told)}" for flag, told in found.items())
    return (settled if asked == {True} and found.get("false", set()) <= {False} else differs)(said)


def _values(route: str, key: str, allowed: frozenset[str], none: str) -> Callable[[Seen], Finding]:
    def look(seen: Seen) -> Finding:
        count = Counter(str(item[key]) for item in seen.items(route) if item.get(key) is not None)
        if not count:
            return not_seen(none)
        said = listed(f"{value} ({amount})" for value, amount in count.most_common())
        strange = sorted(count.keys() - allowed)
        return differs(f"{said}; not documented: {listed(strange)}") if strange else settled(said)

    return look


def _heartbeat(seen: Seen) -> Finding:
    answers = [heard for heard in seen.of(HEARTBEAT) if heard.succeeded]
    items = list(seen.items(HEARTBEAT))
    if not items:
        return not_seen("no controller was ever heard: no item" if answers else "the heartbeat was not answered")
    statuses = listed(sorted({str(item.get("status")) for item in items}))
    return settled(statuses, excerpt(items[-1]))


def _log_dates(seen: Seen) -> Finding:
    answers = [heard for heard in seen.of(LOG) if str(heard.exchange.query.get("fromDate", "")).isdecimal()]
    if not answers:
        return not_seen("the log was not asked for by milliseconds")
    taken = [heard for heard in answers if heard.succeeded]
    if not taken:
        return differs(f"refused with HTTP {answers[0].exchange.status}", excerpt(answers[0].errors))
    return settled(f"accepted, {counted(sum(len(heard.items) for heard in taken), 'line')}")


def _log_identity(seen: Seen) -> Finding:
    answers = seen.of(LOG)
    if not answers:
        return not_seen("the log was not asked for")
    if not any(heard.succeeded for heard in answers):
        return differs("the Ocean id is refused", excerpt(answers[0].errors))
    lines = counted(sum(len(heard.items) for heard in answers), "line")
    return settled(f"the Ocean id is accepted, {lines}")


def _failures(seen: Seen) -> Finding:
    lines = {str(item.get("message")): item for item in seen.items(LOG) if item.get("message")}
    if not lines:
        return not_seen("the log has no line of that time")
    known: dict[str, str] = {}
    strange: list[str] = []
    for message, item in lines.items():
        entry = LogEntry(message=message, severity=str(item.get("severity") or ""))
        reason = failures.explain([entry]).reason
        if reason in failures.REASONS:
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


def _node_numbers(seen: Seen) -> Finding:
    nodes = list(seen.items(NODES))
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
