"""Questions of all answers: envelope, kinds, fields, errors, times, rate limits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ocean_migration_pulumi.api.client import HEARTBEAT, LOG, NODES
from ocean_migration_pulumi.api.responses import CLUSTER, MIGRATION
from ocean_migration_pulumi.api_check import documented
from ocean_migration_pulumi.api_check.questions import Finding, Question, differs, listed, not_seen, settled
from ocean_migration_pulumi.api_check.responses import Response, Responses, excerpt, kind_of, objects
from ocean_migration_pulumi.common.times import parse_time

ABSENT_CLUSTER: Final = "o-00000000"
ABSENT_MIGRATION: Final = "owm-00000000"
"""Ids that the service hands out to nobody, to learn how it says that something does not exist."""

_NOTHING: Final = "nothing was answered"
_FORMS: Final = (
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"), "2024-05-01T12:00:00.000Z"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"), "2024-05-01T12:00:00Z"),
    (re.compile(r"\d{4}-\d{1,2}-\d{1,2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"), "2024-5-1T12:00:00.000Z"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}[+-]\d{4}"), "2024-05-01T12:00:00.000+0000"),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}[+-]\d{2}:\d{2}"), "2024-05-01T12:00:00.000+00:00"),
)
_TIMES: Final = frozenset(
    {"createdAt", "completedAt", "erroredAt", "stoppedAt", "updatedAt", "lastHeartbeat", "timestamp"}
)


def _envelope(responses: Responses) -> Finding:
    answers = [response for response in responses.received if response.exchange.status == 200]
    if not answers:
        return not_seen(_NOTHING)
    lacking: Counter[str] = Counter()
    for response in answers:
        request = response.data.get("request") if isinstance(response.data, dict) else None
        request = request if isinstance(request, dict) else {}
        lacking.update(f"request.{key}" for key in ("id", "url", "method", "timestamp") if key not in request)
        lacking.update(f"response.{key}" for key in ("status", "kind", "items", "count") if key not in response.content)
        if "count" in response.content and response.content["count"] != len(response.items):
            lacking["response.count that is the number of items"] += 1
    if lacking:
        return differs("missing: " + listed(f"{name} ({amount})" for name, amount in lacking.most_common()))
    example = answers[0].data
    shown = {"request": example["request"], "response": {**example["response"], "items": []}}
    return settled(f"as documented in {len(answers)} answers", excerpt(shown))


def _kinds(responses: Responses) -> Finding:
    found = {
        (response.exchange.route, str(response.content.get("kind")))
        for response in responses.received
        if response.succeeded and response.exchange.route in documented.KINDS
    }
    if not found:
        return not_seen(_NOTHING)
    strange = sorted((route, kind) for route, kind in found if documented.KINDS[route] != kind)
    if strange:
        return differs(listed(f"{route}: {kind}" for route, kind in strange))
    return settled(listed(sorted({kind for _, kind in found})))


def _fields(
    key: str, what: str, known: frozenset[str], items: Callable[[Responses], Iterable[dict[str, Any]]]
) -> Question:
    def look(responses: Responses) -> Finding:
        found = list(items(responses))
        if not found:
            return not_seen("there is none")
        count = Counter(name for item in found for name in item)
        unknown, missing = sorted(count.keys() - known), sorted(known - count.keys())
        if "id" in unknown and "Id" in missing:  # the question of its casing tells of it
            unknown.remove("id")
            missing.remove("Id")
        said = [f"{len(found)} seen"]
        if unknown:
            said.append(f"not documented: {listed(unknown, 30)}")
        if missing:
            said.append(f"in none of them: {listed(missing, 30)}")
        return (differs if unknown else settled)("; ".join(said))

    return Question(
        key=f"fields-of-{key}",
        asks=f"Which fields has {what}?",
        promised=f"its {len(known)} documented ones",
        look=look,
    )


def _pods(responses: Responses) -> Iterator[dict[str, Any]]:
    for instance in responses.instances("oldInstances", "newInstances"):
        yield from objects(instance.get("podDetails"))


def _absent(route: str, absent: str, code: str | None) -> Callable[[Responses], Finding]:
    def look(responses: Responses) -> Finding:
        answers = [response for response in responses.from_route(route) if absent in response.exchange.path]
        if not answers:
            return not_seen("it was not asked for")
        response = answers[-1]
        codes = [str(error.get("code")) for error in response.errors]
        said = f"HTTP {response.exchange.status}, code {listed(codes) or 'none'}"
        evidence = excerpt(response.errors) if response.errors else excerpt(response.exchange.body or "")
        if response.exchange.status == 200:
            return differs(
                f"it is found, or nothing says that it is not: {len(response.items)} items", excerpt(response.data)
            )
        expected = response.exchange.status == 400 and (code is None or code in codes)
        return (settled if expected else differs)(said, evidence)

    return look


def _errors(responses: Responses) -> Finding:
    refused = [response for response in responses.received if (response.exchange.status or 0) >= 400]
    if not refused:
        return not_seen("nothing was refused")
    shapes = Counter(_shape_of(response) for response in refused)
    said = listed(f"{shape} ({amount})" for shape, amount in shapes.most_common())
    named = next((response.errors[0] for response in refused if response.errors), None)
    evidence = (excerpt(named),) if named else ()
    strange = any(set(error) - {"code", "message", "field"} for response in refused for error in response.errors)
    return (differs if strange or any(not response.content for response in refused) else settled)(said, *evidence)


def _shape_of(response: Response) -> str:
    if not response.content:
        return f"HTTP {response.exchange.status} without an envelope"
    keys = sorted({key for error in response.errors for key in error})
    return (
        f"HTTP {response.exchange.status} with errors of {listed(keys)}"
        if keys
        else (f"HTTP {response.exchange.status} without errors")
    )


def _limits(responses: Responses) -> Finding:
    if not responses.received:
        return not_seen(_NOTHING)
    found: dict[str, str] = {}
    for response in responses.received:
        headers = response.exchange.headers
        if "x-ratelimit-limit" in headers:
            found[response.call] = f"{response.call}: {headers['x-ratelimit-limit']} in 60 s"
    if not found:
        return differs("no answer has X-RateLimit-Limit")
    lacking = {response.call for response in responses.received} - found.keys()
    said = listed(found.values(), 20)
    return differs(f"{said}; without: {listed(sorted(lacking))}") if lacking else settled(said)


def _reset(responses: Responses) -> Finding:
    values = [
        response.exchange.headers["x-ratelimit-reset"]
        for response in responses.received
        if "x-ratelimit-reset" in response.exchange.headers
    ]
    if not values:
        return not_seen("no answer has X-RateLimit-Reset")
    # A reset that is a date or an epoch would make every wait endless.
    plain = all(value.strip().isdecimal() and int(value) <= 3600 for value in values)
    return (settled if plain else differs)(f"{listed(sorted(set(values)), 6)}")


def _retry_after(responses: Responses) -> Finding:
    told = [response for response in responses.received if "retry-after" in response.exchange.headers]
    if told:
        response = told[0]
        return settled(f"with HTTP {response.exchange.status}: {response.exchange.headers['retry-after']}")
    if any(response.exchange.status == 429 for response in responses.received):
        return settled("not sent, not even with HTTP 429")
    return not_seen("no answer has it, and none was refused with HTTP 429")


def _stamps(responses: Responses) -> Finding:
    forms: dict[str, str] = {}
    strange: dict[str, Any] = {}
    for response in responses.received:
        for value in _times_in(response.data):
            form = _form_of(value)
            forms.setdefault(form, str(value))
            if not isinstance(value, str) or parse_time(value) is None:
                strange[form] = value
    if not forms:
        return not_seen("no answer tells a time")
    said = "; ".join(f"like {form}" for form in forms)
    evidence = [excerpt(value) for value in forms.values()]
    return (differs if strange else settled)(said, *evidence[:5])


def _times_in(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        for key, value in data.items():
            if key in _TIMES and value is not None:
                yield value
            else:
                yield from _times_in(value)
    elif isinstance(data, list):
        for item in data:
            yield from _times_in(item)


def _form_of(value: Any) -> str:
    if isinstance(value, str):
        return next((example for form, example in _FORMS if form.fullmatch(value)), "another text")
    return f"JSON's {kind_of(value)}"


def _statuses(responses: Responses) -> Finding:
    count = Counter(f"{response.exchange.method} {response.exchange.status}" for response in responses.received)
    if not count:
        return not_seen(_NOTHING)
    said = listed(f"{name} ({amount})" for name, amount in count.most_common())
    documented_ones = {200, 400, 401, 429}
    strange = {response.exchange.status for response in responses.received} - documented_ones
    return (differs if strange else settled)(said)


QUESTIONS: Final = (
    Question(
        key="envelope",
        asks="What is around every answer?",
        promised="request (id, url, method, timestamp) and response (status, kind, items, count)",
        look=_envelope,
    ),
    Question(key="kinds", asks="Which kinds have the answers?", promised="one for each route", look=_kinds),
    Question(
        key="http-statuses",
        asks="Which HTTP statuses are there?",
        promised="200, 400; also 401 and 429",
        look=_statuses,
    ),
    _fields(
        "migration-list", "a line of the list of migrations", documented.IN_LIST, lambda responses: responses.listed
    ),
    _fields(
        "migration-status", "the status of a migration", documented.IN_STATUS, lambda responses: responses.statuses
    ),
    _fields(
        "instance",
        "an instance of a status",
        documented.IN_INSTANCE,
        lambda responses: responses.instances("oldInstances", "newInstances"),
    ),
    _fields("pod", "a pod of a status", documented.IN_POD, _pods),
    _fields("discovery", "a node of discovery", documented.IN_DISCOVERY, lambda responses: responses.offered),
    _fields("node", "a node of Ocean", documented.IN_NODE, lambda responses: responses.items(NODES)),
    _fields("log", "a line of the log", documented.IN_LOG, lambda responses: responses.items(LOG)),
    _fields("heartbeat", "the heartbeat", documented.IN_HEARTBEAT, lambda responses: responses.items(HEARTBEAT)),
    Question(
        key="missing-migration",
        asks="How does the service say that a migration does not exist?",
        promised="HTTP 400; its code is not documented",
        look=_absent(MIGRATION, ABSENT_MIGRATION, None),
    ),
    Question(
        key="missing-cluster",
        asks="How does the service say that a cluster does not exist?",
        promised="HTTP 400 with CLUSTER_DOESNT_EXIST, as Spot's own programs read it",
        look=_absent(CLUSTER, ABSENT_CLUSTER, "CLUSTER_DOESNT_EXIST"),
    ),
    Question(
        key="errors",
        asks="What has a refusal?",
        promised="response.errors with code, message and field, or none of them",
        look=_errors,
    ),
    Question(
        key="rate-limits",
        asks="How many requests are allowed?",
        promised="X-RateLimit-Limit with every answer; the numbers are not published",
        look=_limits,
    ),
    Question(
        key="rate-limit-reset",
        asks="What is X-RateLimit-Reset?",
        promised="seconds until a request is allowed",
        look=_reset,
    ),
    Question(key="retry-after", asks="Is Retry-After sent?", promised="not documented", look=_retry_after),
    Question(
        key="times",
        asks="How are times written?",
        promised="in several ways: 2021-10-1T05:51:06.000Z, 2018-10-10T10:50:29.000+0000",
        look=_stamps,
    ),
)
"""In the order in which they are told."""
