"""Questions of migrations: their list, their status, their instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import combinations
from typing import Any, Final

from ocean_migration_pulumi.api.client import MIGRATIONS
from ocean_migration_pulumi.api.responses import MIGRATION
from ocean_migration_pulumi.api_check import documented
from ocean_migration_pulumi.api_check.questions import Finding, Question, differs, listed, not_seen, settled
from ocean_migration_pulumi.api_check.responses import Response, Responses, excerpt, kind_of, objects, time_of
from ocean_migration_pulumi.common.times import format_elapsed

_NO_LIST: Final = "the account lists no migration"
_NO_STATUS: Final = "no status of a migration was read"
_TERMINAL: Final = frozenset({"FINISHED", "FINISHED_ERROR", "STOPPED"})


def _id_keys(responses: Responses) -> Finding:
    places = [("list", responses.listed), ("status", responses.statuses)]
    found: dict[str, set[str]] = {
        place: {key for item in items for key in ("Id", "id") if key in item} for place, items in places if items
    }
    if not found:
        return not_seen(_NO_LIST)
    said = "; ".join(f"{place}: {listed(sorted(keys)) or 'neither Id nor id'}" for place, keys in found.items())
    evidence = [excerpt(items[0], ("Id", "id", "state", "status")) for _, items in places if items]
    return (settled if all(keys == {"Id"} for keys in found.values()) else differs)(said, *evidence)


def _written_id_keys(responses: Responses) -> Finding:
    items = [*responses.items(MIGRATIONS, "POST"), *responses.items(MIGRATION, "PUT")]
    if not items:
        return not_seen("a GET cannot tell: a record of a run with a start or a stop does")
    keys = {key for item in items for key in ("Id", "id") if key in item}
    return (settled if keys == {"id"} else differs)(listed(sorted(keys)) or "neither", excerpt(items[0]))


def _phase_keys(responses: Responses) -> Finding:
    if not responses.listed:
        return not_seen(_NO_LIST)
    in_list = {key for item in responses.listed for key in ("state", "status") if key in item}
    in_status = {key for item in responses.statuses for key in ("state", "status") if key in item}
    said = f"list: {listed(sorted(in_list))}; status: {listed(sorted(in_status)) or 'none was read'}"
    return (settled if in_list == {"state"} and in_status <= {"status"} else differs)(said)


def _states(responses: Responses) -> Finding:
    count = Counter([*_texts(responses.listed, "state"), *_texts(responses.statuses, "status")])
    if not count:
        return not_seen(_NO_LIST)
    strange = sorted(count.keys() - documented.STATES)
    said = listed(f"{state} ({amount})" for state, amount in count.most_common())
    return differs(f"{said}; not documented: {listed(strange)}") if strange else settled(said)


def _instance_states(responses: Responses) -> Finding:
    parts = {part: Counter(_texts(responses.instances(part), "state")) for part in ("oldInstances", "newInstances")}
    if not any(parts.values()):
        return not_seen(_NO_STATUS)
    said = "; ".join(
        f"{part}: {listed(f'{state} ({amount})' for state, amount in count.most_common())}"
        for part, count in parts.items()
        if count
    )
    others = sorted({state for count in parts.values() for state in count} - set(documented.INSTANCE_STATES))
    return settled(said + (f"; beyond the two that are named: {listed(others)}" if others else ""))


def _pod_kinds(responses: Responses) -> Finding:
    pods = [
        pod
        for instance in responses.instances("oldInstances", "newInstances")
        for pod in objects(instance.get("podDetails"))
    ]
    if not pods:
        return not_seen("no instance of a status tells its pods")
    kinds = list(_texts(pods, "kind"))
    return (settled if set(kinds) <= documented.POD_KINDS else differs)(listed(sorted(kinds)), excerpt(pods[0]))


def _running_pods(responses: Responses) -> Finding:
    values = [item["runningPods"] for item in (*responses.instances("oldInstances", "newInstances"), *responses.offered)
              if "runningPods" in item]  # fmt: skip
    if not values:
        return not_seen("no answer tells a number of pods")
    kinds = Counter(map(kind_of, values))
    said = listed(f"{kind} ({amount})" for kind, amount in kinds.most_common())
    return (settled if kinds.keys() <= {"integer"} else differs)(said, excerpt({"runningPods": values[0]}))


def _unscheduled(field: str) -> Question:
    def look(responses: Responses) -> Finding:
        if not responses.statuses:
            return not_seen(_NO_STATUS)
        kinds = Counter(kind_of(status[field]) if field in status else "absent" for status in responses.statuses)
        said = listed(f"{kind} ({amount})" for kind, amount in kinds.most_common())
        filled = next((status for status in responses.statuses if status.get(field)), None)
        evidence = (excerpt(filled, (field,)),) if filled else ()
        if not kinds.keys() - {"absent", "null"}:
            return not_seen(f"{said}: nothing was unscheduled")
        return (settled if kinds.keys() <= {"string", "absent", "null"} else differs)(said, *evidence)

    return Question(
        key=f"type-of-{'new-' if field.startswith('new') else ''}unscheduled-pods",
        asks=f"What is {field}?",
        promised="a string, described as a list of pod ids",
        look=look,
    )


def _echoed(responses: Responses) -> Finding:
    configs = [
        status["migrationConfig"] for status in responses.statuses if isinstance(status.get("migrationConfig"), dict)
    ]
    if not configs:
        return not_seen("no status tells a migrationConfig" if responses.statuses else _NO_STATUS)
    keys = {key for config in configs for key in config}
    said = listed(sorted(keys)) or "nothing"
    return (settled if keys == documented.IN_CONFIG else differs)(said, excerpt(configs[0]))


def _retention(responses: Responses) -> Finding:
    made = sorted(filter(None, (time_of(item, "createdAt") for item in responses.listed)))
    if not made or responses.last is None:
        return not_seen(_NO_LIST)
    days = (responses.last - made[0]).total_seconds() / 86400
    return settled(f"{len(responses.listed)} listed, the oldest is {days:.0f} days old: they are kept at least so long")


def _durations(responses: Responses) -> Finding:
    spans = []
    for item in responses.listed:
        begun, ended = _span(item)
        if begun and ended:
            spans.append(((ended - begun).total_seconds(), str(item.get("state"))))
    if not spans:
        return not_seen("no migration that has ended tells when")
    longest = max(spans)
    return settled(
        f"{len(spans)} ended: {format_elapsed(min(spans)[0])} to {format_elapsed(longest[0])}, the "
        f"longest one {longest[1]}"
    )


def _overlap(responses: Responses) -> Finding:
    running = [item for item in responses.listed if str(item.get("state")) not in _TERMINAL]
    if len(running) > 1:
        return settled(f"several run at once: {len(running)}", *(excerpt(item) for item in running[:2]))
    spans = [(begun, ended, item) for item in responses.listed for begun, ended in [_span(item)] if begun and ended]
    for one, other in combinations(spans, 2):
        if one[0] < other[1] and other[0] < one[1]:
            return settled("two overlapped", excerpt(one[2]), excerpt(other[2]))
    refused = [response for response in responses.from_route(MIGRATIONS, "POST") if response.errors]
    if refused and running:
        return settled("a start was refused while one ran", excerpt(refused[0].errors[0]))
    return not_seen("no two migrations overlap in what is listed; that none may is not proved by it")


def _refusals(route: str, method: str, what: str) -> Question:
    def look(responses: Responses) -> Finding:
        refused = [
            response
            for response in responses.from_route(route, method)
            if response.exchange.status not in {200, 401, 429}
        ]
        if not refused:
            return not_seen(f"a GET cannot tell: a record of a run in which a {what} is refused does")
        said = listed(f"HTTP {response.exchange.status} {_codes(response) or 'without code'}" for response in refused)
        return settled(said, *(excerpt(response.errors) for response in refused[:2]))

    return Question(
        key=f"refused-{what}",
        asks=f"How is a {what} refused?",
        promised="HTTP 400 without a schema; the codes are not documented",
        look=look,
    )


def _codes(response: Response) -> str:
    return listed(str(error.get("code")) for error in response.errors)


def _span(item: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    return time_of(item, "createdAt"), time_of(item, "completedAt")


def _texts(items: Iterable[dict[str, Any]], key: str) -> list[str]:
    return [str(item[key]) for item in items if item.get(key) is not None]


QUESTIONS: Final = (
    Question(
        key="id-casing",
        asks="How is the id of a migration written in list and status?",
        promised="Id",
        look=_id_keys,
    ),
    Question(
        key="id-casing-of-writes",
        asks="How is the id of a migration written in the answers to start and stop?",
        promised="id",
        look=_written_id_keys,
    ),
    Question(
        key="state-field",
        asks="What is the state called?",
        promised="state in the list, status in the status",
        look=_phase_keys,
    ),
    Question(key="migration-states", asks="Which states do migrations have?", promised="the 13", look=_states),
    Question(
        key="instance-states",
        asks="Which states do instances have?",
        promised=f"named are only {listed(documented.INSTANCE_STATES)}",
        look=_instance_states,
    ),
    Question(
        key="pod-kinds",
        asks="Which kinds do the pods of a status have?",
        promised=listed(sorted(documented.POD_KINDS)),
        look=_pod_kinds,
    ),
    Question(
        key="type-of-running-pods",
        asks="What is runningPods?",
        promised="an integer, with a string as example",
        look=_running_pods,
    ),
    _unscheduled("unscheduledPodIds"),
    _unscheduled("newUnscheduledPodIds"),
    Question(
        key="echoed-options",
        asks="Which options does migrationConfig echo?",
        promised=f"{listed(sorted(documented.IN_CONFIG))}; neither batch size nor force",
        look=_echoed,
    ),
    Question(key="history", asks="How long are migrations listed?", promised="not documented for AWS", look=_retention),
    Question(key="durations", asks="How long do migrations take?", promised="not documented", look=_durations),
    Question(
        key="concurrency",
        asks="May two migrations run at once?",
        promised="not documented",
        look=_overlap,
    ),
    _refusals(MIGRATIONS, "POST", "start"),
    _refusals(MIGRATION, "PUT", "stop"),
)
"""In the order in which they are told."""
