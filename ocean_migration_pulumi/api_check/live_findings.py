"""Compare a recorded migration with the documentation, call by call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any, Final
from urllib.parse import unquote

from ocean_migration_pulumi.api.client import DISCOVERY, MIGRATIONS
from ocean_migration_pulumi.api.models.migration import TERMINAL_STATES
from ocean_migration_pulumi.api.recording.redaction import Exchange, Redaction
from ocean_migration_pulumi.api.responses import MIGRATION
from ocean_migration_pulumi.api_check.responses import Response, Responses, objects, time_of
from ocean_migration_pulumi.migration.spec.diagnostic import Severity

_REDACTION: Final = Redaction()
_TIME_FIELDS: Final[Mapping[str, str]] = {
    "STOPPED": "stoppedAt",
    "FINISHED": "completedAt",
    "FINISHED_ERROR": "erroredAt",
}
_ECHOED: Final = ("shouldTerminateDrainedNodes", "shouldEvictStandAlonePods")


class LiveCode(StrEnum):
    """What a finding compares."""

    CREATE_RESPONSE = "create-response"
    """The response to the POST that starts the migration."""
    STATUS_NODES = "status-nodes"
    """The old instances of the status in one state."""
    STATE_SEQUENCE = "state-sequence"
    """The states in their order, with the seconds from the start to each."""
    ECHOED_OPTIONS = "echoed-options"
    """The options that the status repeats."""
    LISTED = "listed"
    """How many lists did not have the migration before one had it."""
    DISCOVERY = "discovery"
    """The nodes that discovery returned before, during and after the migration, with their pods."""
    STOP_RESPONSE = "stop-response"
    """The response to the PUT that stops the migration."""
    TERMINAL_STATE = "terminal-state"
    """The state in which the migration ended."""
    TERMINAL_TIME = "terminal-time"
    """The time field of the terminal state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFinding:
    """One comparison of an answer with the documentation."""

    code: LiveCode
    """What was compared."""
    severity: Severity
    """What it means for this package."""
    subject: str
    """The call, state or moment that it is about."""
    found: Any
    """What the answer has, as JSON."""
    expected: Any = None
    """What the documentation says, as JSON; None when it says nothing."""
    seconds: int | None = None
    """When it was found, in seconds after the start; None when the time does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCheck:
    """A recorded migration and its comparison with the documentation."""

    ocean_id: str
    """The cluster."""
    migration_id: str | None
    """The migration, None when no answer names it."""
    instance_ids: tuple[str, ...]
    """The nodes that were sent."""
    findings: tuple[LiveFinding, ...]
    """The comparisons, in the order of the calls."""


def check_migration(exchanges: Sequence[Exchange]) -> LiveCheck | None:
    """Compare the last migration that was started in these exchanges with the documentation.

    Args:
        exchanges: The exchanges of a run or of a record, in their order.

    Returns:
        The comparison, None when no migration was started in these exchanges.
    """
    started = [index for index, each in enumerate(exchanges) if (each.method, each.route) == ("POST", MIGRATIONS)]
    if not started:
        return None
    recorded = _RecordedMigration(exchanges[: started[-1]], exchanges[started[-1]], exchanges[started[-1] + 1 :])
    return LiveCheck(
        ocean_id=recorded.ocean_id,
        migration_id=recorded.migration_id,
        instance_ids=recorded.instance_ids,
        findings=tuple(map(_redact, recorded.findings())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _RecordedStatus:
    """One status of the migration."""

    position: int
    """Its place among the responses after the start; the clock of the service may jump, this does not."""
    seconds: int
    """Seconds after the start."""
    item: Mapping[str, Any]
    """The JSON of the answer."""
    state: str
    """The state, empty without one."""


class _RecordedMigration:
    """The exchanges of one migration, by call."""

    def __init__(self, before: Sequence[Exchange], start: Exchange, after: Sequence[Exchange]) -> None:
        self._before, self._after = Responses(before), Responses(after)
        self._positions = {id(response): index for index, response in enumerate(self._after.received)}
        self._create = next(iter(Responses([start]).received), None)
        self._started = _end_of(start)
        options = start.request.get("migration") if isinstance(start.request, dict) else None
        self._options: Mapping[str, Any] = options if isinstance(options, dict) else {}
        ids = self._options.get("instanceIds")
        self.instance_ids = tuple(map(str, ids)) if isinstance(ids, list) else ()
        self.ocean_id = _path_ids(start)[0]
        self.migration_id = self._find_id()
        self._statuses = list(self._read_statuses())
        self._ended = next((each for each in self._statuses if each.state in TERMINAL_STATES), None)
        stops = [each for each in self._after.from_route(MIGRATION, "PUT") if self._is_of_migration(each)]
        self._stop = next((each for each in stops if each.succeeded), stops[-1] if stops else None)

    def findings(self) -> Iterator[LiveFinding]:
        """Yield every comparison that the exchanges allow."""
        yield _compare_write(LiveCode.CREATE_RESPONSE, "create", self._create, ["id"])
        if self.migration_id is None:
            return
        yield from self._compare_statuses()
        yield from self._compare_lists()
        yield from self._compare_discovery()
        yield _compare_write(LiveCode.STOP_RESPONSE, "stop", self._stop, ["id", "oceanId", "state STOPPED"])
        yield from self._compare_end()

    def _compare_statuses(self) -> Iterator[LiveFinding]:
        asked = sorted(self.instance_ids)
        for state in dict.fromkeys(each.state for each in self._statuses):
            item = [each.item for each in self._statuses if each.state == state][-1]
            yield _compare(LiveCode.STATUS_NODES, state, _old_instance_ids(item), asked, Severity.ERROR)
        if not self._statuses:
            yield _compare(LiveCode.STATUS_NODES, "status", [], asked, Severity.ERROR)
            return
        config = self._statuses[-1].item.get("migrationConfig")
        echoed = {name: config.get(name) for name in _ECHOED} if isinstance(config, dict) else {}
        asked_options = {name: self._options.get(name) for name in _ECHOED}
        yield _compare(LiveCode.ECHOED_OPTIONS, "status", echoed, asked_options)
        sequence = [next(same) for _, same in groupby(self._statuses, key=lambda each: each.state)]
        left_the_end = any(each.state in TERMINAL_STATES for each in sequence[:-1])
        yield LiveFinding(
            code=LiveCode.STATE_SEQUENCE,
            severity=Severity.ERROR if left_the_end else Severity.INFO,
            subject=self.migration_id or "",
            found=[{each.state: each.seconds} for each in sequence],
        )

    def _compare_lists(self) -> Iterator[LiveFinding]:
        lists = [each for each in self._after.from_route(MIGRATIONS) if each.succeeded]
        if not lists:
            return
        late = next((index for index, each in enumerate(lists) if self._is_listed(each)), None)
        yield _compare(
            LiveCode.LISTED,
            self.migration_id or "",
            len(lists) if late is None else late,
            0,
            Severity.ERROR if late is None else Severity.WARNING,
            seconds=None if late is None else self._seconds(lists[late]),
        )

    def _compare_discovery(self) -> Iterator[LiveFinding]:
        ended = self._ended.position if self._ended is not None else len(self._positions)
        after = self._after.from_route(DISCOVERY)
        moments = {
            "before": self._before.from_route(DISCOVERY),
            "during": [each for each in after if self._position(each) < ended],
            "after": [each for each in after if self._position(each) > ended],
        }
        for moment, responses in moments.items():
            answered = [each for each in responses if each.succeeded]
            if not answered:
                continue
            # Only an answer to shouldFetchPods=true has the number of pods.
            answered.sort(key=lambda each: each.exchange.query.get("shouldFetchPods") == "true")
            pods = {str(each.get("instanceId")): each.get("runningPods") for each in answered[-1].candidates}
            found = {name: pods[name] for name in self.instance_ids if name in pods}
            complete = moment != "before" or len(found) == len(self.instance_ids)
            yield LiveFinding(
                code=LiveCode.DISCOVERY,
                severity=Severity.INFO if complete else Severity.WARNING,
                subject=moment,
                found=found,
                expected=list(self.instance_ids) if moment == "before" else None,
            )

    def _compare_end(self) -> Iterator[LiveFinding]:
        expected = "STOPPED" if self._stop is not None and self._stop.succeeded else "FINISHED"
        ended = self._ended
        if ended is None:
            state = self._statuses[-1].state if self._statuses else None
            yield _compare(LiveCode.TERMINAL_STATE, self.migration_id or "", state, expected, Severity.ERROR)
            return
        state = ended.state
        yield _compare(LiveCode.TERMINAL_STATE, self.migration_id or "", state, expected, seconds=ended.seconds)
        name = _TIME_FIELDS[state]
        item = [each.item for each in self._statuses if each.state in TERMINAL_STATES][-1]
        yield LiveFinding(
            code=LiveCode.TERMINAL_TIME,
            severity=Severity.WARNING if time_of(item, name) is None else Severity.INFO,
            subject=state,
            found={name: item.get(name)},
        )

    def _find_id(self) -> str | None:
        """Return the id of the answer or, when that was lost, of the first migration that holds the same nodes."""
        item = _first_item(self._create)
        answered = item.get("id") or item.get("Id")
        if answered:
            return str(answered)
        for response in self._after.from_route(MIGRATION):
            ids = _old_instance_ids(_first_item(response))
            if ids and ids == sorted(self.instance_ids):
                return _path_ids(response.exchange)[1]
        return None

    def _read_statuses(self) -> Iterator[_RecordedStatus]:
        for response in self._after.from_route(MIGRATION):
            item = _first_item(response)
            if response.succeeded and item and self._is_of_migration(response):
                yield _RecordedStatus(
                    position=self._position(response),
                    seconds=self._seconds(response),
                    item=item,
                    state=str(item.get("status") or item.get("state") or ""),
                )

    def _is_of_migration(self, response: Response) -> bool:
        return _path_ids(response.exchange)[1] == self.migration_id

    def _is_listed(self, response: Response) -> bool:
        return any((each.get("Id") or each.get("id")) == self.migration_id for each in response.items)

    def _position(self, response: Response) -> int:
        return self._positions[id(response)]

    def _seconds(self, response: Response) -> int:
        return max(0, round(_end_of(response.exchange) - self._started))


def _compare(
    code: LiveCode,
    subject: str,
    found: Any,
    expected: Any,
    otherwise: Severity = Severity.WARNING,
    *,
    seconds: int | None = None,
) -> LiveFinding:
    severity = Severity.INFO if found == expected else otherwise
    return LiveFinding(code=code, severity=severity, subject=subject, found=found, expected=expected, seconds=seconds)


def _compare_write(code: LiveCode, call: str, response: Response | None, fields: list[str]) -> LiveFinding:
    """Compare the response to a start or a stop, which without an id cannot be worked with."""
    expected = ["HTTP 200", *fields]
    if response is None:
        return _compare(code, call, "no response", expected)
    item = _first_item(response)
    found = [f"state {item[name]}" if name == "state" else name for name in sorted(item)]
    usable = response.succeeded and bool(item.get("id") or item.get("Id"))
    severity = Severity.WARNING if usable else Severity.ERROR
    return _compare(code, call, [response.outcome, *found], expected, severity)


def _redact(finding: LiveFinding) -> LiveFinding:
    # Records of this package hold no account; a record of another origin may.
    return replace(
        finding,
        subject=_REDACTION.text(finding.subject),
        found=_REDACTION.tree(finding.found),
        expected=_REDACTION.tree(finding.expected),
    )


def _first_item(response: Response | None) -> dict[str, Any]:
    return next(iter(response.items), {}) if response is not None else {}


def _old_instance_ids(status: Mapping[str, Any]) -> list[str]:
    return sorted({str(each.get("instanceId")) for each in objects(status.get("oldInstances"))})


def _path_ids(exchange: Exchange) -> tuple[str, str]:
    """Return the ids of cluster and migration in a path, empty where it has none."""
    names = dict(zip(exchange.route.split("/"), exchange.path.split("/"), strict=False))
    return unquote(names.get("{ocean_id}", "")), unquote(names.get("{migration_id}", ""))


def _end_of(exchange: Exchange) -> float:
    return exchange.at.timestamp() + exchange.seconds
