"""Answers to what the API reference leaves open or could get wrong, from recorded responses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any, Final, NamedTuple

from ocean_migration_pulumi.api.client import DISCOVERY, LOG, MIGRATIONS
from ocean_migration_pulumi.api.models.migration import TERMINAL_STATES, LogEntry
from ocean_migration_pulumi.api.recording.redaction import Exchange, Redaction
from ocean_migration_pulumi.api.responses import CLUSTER, MIGRATION
from ocean_migration_pulumi.api_check import documented
from ocean_migration_pulumi.api_check.responses import Response, Responses, time_of
from ocean_migration_pulumi.common.text import list_some
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import REASONS, find_failure_reason

ABSENT_CLUSTER: Final = "o-00000000"
ABSENT_MIGRATION: Final = "owm-00000000"
"""Ids that the service gives to nothing, to learn how it says that something does not exist."""

_LONGEST_EXCERPT: Final = 160
_MOST_EXCERPTS: Final = 3
_MOST_VALUES: Final = 30
_JSON_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list", dict: "object"}
_ID: Final = re.compile(r"(act|i|o|ols|owm)-\w+")
_REDACTION: Final = Redaction()
_WHITESPACE: Final = re.compile(r"\s+")


class Verdict(StrEnum):
    """How an account's responses answer a question."""

    SETTLED = "settled"
    """They answer it, and agree with the API reference where that says anything."""
    DIFFERS = "differs"
    """They differ from the API reference."""
    NOT_SEEN = "not seen"
    """They do not answer it."""


class Observation(NamedTuple):
    """What a response shows."""

    value: str
    """A short value."""
    evidence: Any = None
    """The JSON that shows it, None for nothing worth an excerpt."""
    is_documented: bool = True
    """Whether the API reference allows it."""


Observe = Callable[[Responses], Iterable[Observation]]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the service."""

    key: str
    """A short name that stays."""
    text: str
    """The question."""
    documentation: str
    """What the API reference says."""
    observe: Observe
    """Yields what answers it."""
    expected: str = ".*"
    """The pattern of documented values."""
    unseen: str = "not in any response"
    """Why no value was observed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQuestion:
    """A question with its answer."""

    question: Question
    """The question."""
    verdict: Verdict
    """How the responses answer it."""
    answer: str
    """The observed values, on one line."""
    evidence: tuple[str, ...] = ()
    """Shortened excerpts of responses, without accounts and tokens."""


def answer_questions(exchanges: Sequence[Exchange]) -> tuple[AnsweredQuestion, ...]:
    """Answer every question from recorded exchanges; nothing is sent."""
    responses = Responses(exchanges)
    return tuple(_answer(question, responses) for question in QUESTIONS)


def _answer(question: Question, responses: Responses) -> AnsweredQuestion:
    found: dict[str, list[Observation]] = {}
    for each in question.observe(responses):
        found.setdefault(each.value, []).append(each)
    if not found:
        return AnsweredQuestion(question=question, verdict=Verdict.NOT_SEEN, answer=question.unseen)
    expected: list[tuple[str, Any]] = []
    others: list[tuple[str, Any]] = []
    for value, same in sorted(found.items(), key=lambda each: -len(each[1])):
        fits = same[0].is_documented and re.fullmatch(question.expected, value)
        (expected if fits else others).append((value if len(same) == 1 else f"{value} ({len(same)})", same[0].evidence))
    parts = [list_some([text for text, _ in expected], _MOST_VALUES)] if expected else []
    if others:
        parts.append(f"not as documented: {list_some([text for text, _ in others], _MOST_VALUES)}")
    shown = [evidence for _, evidence in (*others, *expected) if evidence is not None]
    return AnsweredQuestion(
        question=question,
        verdict=Verdict.DIFFERS if others else Verdict.SETTLED,
        answer=_line("; ".join(parts)),
        evidence=tuple(map(_excerpt, shown[:_MOST_EXCERPTS])),
    )


def _excerpt(source: Any) -> str:
    text = _line(json.dumps(source, separators=(",", ":")))
    return text if len(text) <= _LONGEST_EXCERPT else text[: _LONGEST_EXCERPT - 1] + "…"


def _line(text: str) -> str:
    # Records of this package hold no account; a record of another origin may.
    return _WHITESPACE.sub(" ", _REDACTION.text(text)).strip()


def _fields(place: str) -> Question:
    """Return the question whether objects have the documented fields with the documented values."""
    fields = documented.FIELDS[place]

    def observe(responses: Responses) -> Iterator[Observation]:
        found = responses.objects_in(place)
        for item in found:
            for name, value in item.items():
                if name not in fields:
                    yield Observation(name, {name: value}, is_documented=False)
                elif value is not None:
                    expected, shown = fields[name], _describe(value, fields[name])
                    fits = (
                        expected is None or shown == expected or (isinstance(expected, frozenset) and shown in expected)
                    )
                    yield Observation(f"{name} {shown}", None if fits else {name: value}, fits)
        if found:
            yield from (Observation(f"no {name}") for name in fields if not any(name in item for item in found))

    return Question(
        f"fields-of-{place}",
        f"Which fields has the {place.replace('-', ' ')}?",
        f"{len(fields)} fields: {', '.join(fields)}",
        observe,
        unseen="there is none",
    )


def _describe(value: Any, expected: documented.Expected) -> str:
    """Return a value as far as it can be compared: its JSON type, or the value itself."""
    kind = _JSON_TYPES[type(value)]
    if isinstance(expected, str):
        if expected == "time":
            return "time" if kind == "string" and parse_time(value) is not None else "unreadable"
        return "number" if expected == "number" and kind == "integer" else kind
    return documented.ID if _ID.fullmatch(str(value)) else str(value)


def _observe_outcomes(route: str, method: str, where: Callable[[Response], bool] = lambda _: True) -> Observe:
    return lambda responses: (
        Observation(each.outcome, each.errors or each.data)
        for each in responses.from_route(route, method)
        if where(each)
    )


def _refused(what: str, route: str, method: str) -> Question:
    return Question(
        f"refused-{what}",
        f"How is a {what} refused?",
        "HTTP 400 without a schema; the codes are not documented",
        _observe_outcomes(route, method, lambda each: each.exchange.status not in {200, 401, 429}),
        unseen=f"only a record of a run in which a {what} is refused shows it",
    )


def _header(key: str, text: str, documentation: str, name: str, values: str, *statuses: int) -> Question:
    """Return the question for the values of a header; without it counts a response of these statuses (none: any)."""
    return Question(
        key,
        text,
        documentation,
        lambda responses: (
            Observation(
                each.exchange.headers.get(name, "none").strip(), f"{each.exchange.method} {each.exchange.route}"
            )
            for each in responses.received
            if name in each.exchange.headers or not statuses or each.exchange.status in statuses
        ),
        values,
    )


def _observe_retention(responses: Responses) -> Iterator[Observation]:
    listed = responses.objects_in("migration-list")
    created = [time for item in listed if (time := time_of(item, "createdAt")) is not None]
    if created:
        days = (max(each.exchange.at for each in responses.received) - min(created)).days
        yield Observation(f"the oldest migration is {days} days old")


def _observe_concurrency(responses: Responses) -> Iterator[Observation]:
    # Later lists replace the entries of earlier ones.
    listed = {str(item.get("Id") or item.get("id")): item for item in responses.objects_in("migration-list")}.values()
    running = [item for item in listed if str(item.get("state")) not in TERMINAL_STATES]
    times = [(time_of(item, "createdAt"), time_of(item, "completedAt")) for item in listed]
    spans = [(created, ended) for created, ended in times if created and ended]
    overlapping = any(one[0] < other[1] and other[0] < one[1] for one, other in combinations(spans, 2))
    if len(running) > 1 or overlapping:
        yield Observation("migrations ran at the same time", running)
    for response in responses.from_route(MIGRATIONS, "POST"):
        if running and response.errors:
            yield Observation("a start was refused while a migration ran", response.errors)


def _observe_pod_counts(responses: Responses) -> Iterator[Observation]:
    for response in responses.from_route(DISCOVERY):
        for node in response.candidates:
            counted = "with" if "runningPods" in node else "without"
            asked = response.exchange.query.get("shouldFetchPods")
            yield Observation(f"shouldFetchPods={asked}: {counted} runningPods")


def _observe_log_failures(responses: Responses) -> Iterator[Observation]:
    for item in responses.objects_in("log"):
        entry = LogEntry(message=str(item.get("message") or ""), severity=str(item.get("severity") or ""))
        reason = find_failure_reason([entry]).reason
        if reason in REASONS:
            yield Observation(reason, entry.message)
        elif entry.severity.upper() == "ERROR" and re.search(r"\bmigration\b", entry.message, re.IGNORECASE):
            yield Observation("another sentence", entry.message)


QUESTIONS: Final = (
    *map(_fields, documented.FIELDS),
    Question("history", "How long are migrations listed?", "not documented", _observe_retention),
    Question("concurrency", "May two migrations run at once?", "not documented", _observe_concurrency),
    _refused("start", MIGRATIONS, "POST"),
    _refused("stop", MIGRATION, "PUT"),
    Question(
        "missing-migration",
        "How does the service say that a migration does not exist?",
        "HTTP 400; its code is not documented",
        _observe_outcomes(MIGRATION, "GET", lambda each: ABSENT_MIGRATION in each.exchange.path),
        "HTTP 400( .*)?",
    ),
    Question(
        "missing-cluster",
        "How does the service say that a cluster does not exist?",
        "HTTP 400 with CLUSTER_DOESNT_EXIST, as Spot's own programs read it",
        _observe_outcomes(CLUSTER, "GET", lambda each: ABSENT_CLUSTER in each.exchange.path),
        "HTTP 400 CLUSTER_DOESNT_EXIST",
    ),
    Question(
        "pods-on-demand",
        "When does discovery count pods?",
        "only with shouldFetchPods",
        _observe_pod_counts,
        "shouldFetchPods=(true: with|false: without) runningPods",
    ),
    Question(
        "log-query",
        "Does the log accept milliseconds and the id of the Ocean cluster?",
        "yyyy-mm-dd or milliseconds; the controller's identifier, with an Ocean id as example",
        _observe_outcomes(LOG, "GET"),
        "HTTP 200",
    ),
    Question(
        "log-failures",
        "How does the log say why a migration failed?",
        "seven sentences of the troubleshooting page",
        _observe_log_failures,
        "|".join(REASONS),
        "the log has no failed migration",
    ),
    _header(
        "rate-limits",
        "How many requests are allowed in a minute?",
        "X-RateLimit-Limit with every response; the numbers are not published",
        "x-ratelimit-limit",
        r"\d+",
    ),
    # A reset that is a date or an epoch would make every wait endless.
    _header(
        "rate-limit-reset",
        "What is X-RateLimit-Reset?",
        "seconds until a request is allowed",
        "x-ratelimit-reset",
        r"\d{1,4}",
    ),
    _header("retry-after", "Is Retry-After sent?", "not documented", "retry-after", ".*", 429),
)
"""All questions, in the order of the report."""
