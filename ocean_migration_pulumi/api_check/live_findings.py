"""Compare a recorded migration with the documentation, call by call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote

from ocean_migration_pulumi.api.client import DISCOVERY, MIGRATIONS
from ocean_migration_pulumi.api.models.migration import TERMINAL_STATES
from ocean_migration_pulumi.api.recording.redaction import Exchange, Redaction
from ocean_migration_pulumi.api.responses import MIGRATION
from ocean_migration_pulumi.api_check import documented
from ocean_migration_pulumi.api_check.responses import Response, Responses, objects, time_of

_REDACTION: Final = Redaction()
_TIME_FIELDS: Final[Mapping[str, str]] = {
    "STOPPED": "stoppedAt",
    "FINISHED": "completedAt",
    "FINISHED_ERROR": "erroredAt",
}
_ECHOED: Final = ("shouldTerminateDrainedNodes", "shouldEvictStandAlonePods")


class Severity(StrEnum):
    """What a finding means for this package."""

    INFO = "info"
    """The answer is as documented, or the documentation does not say."""
    WARNING = "warning"
    """The answer differs from the documentation, or is missing; this package can work with it."""
    ERROR = "error"
    """This package cannot work with the answer, or the migration did not end."""


class LiveCode(StrEnum):
    """What a finding is about."""

    CREATE_RESPONSE = "create-response"
    """The response to the POST that starts the migration."""
    STATUS_RESPONSE = "status-response"
    """The fields of the status in one state."""
    STATUS_NODES = "status-nodes"
    """The old instances of the status in one state."""
    UNDOCUMENTED_STATE = "undocumented-state"
    """A state that the API reference does not list."""
    STATE_SEQUENCE = "state-sequence"
    """The states in their order, with the seconds after the start at which each was first seen."""
    ECHOED_OPTIONS = "echoed-options"
    """The options that the status repeats."""
    LISTED = "listed"
    """When the list first had the migration."""
    LIST_STATE = "list-state"
    """The state in the last list, compared with that of the last status."""
    DISCOVERY = "discovery"
    """Whether discovery returned the node before, during and after the migration."""
    STOP_RESPONSE = "stop-response"
    """The response to the PUT that stops the migration."""
    STATE_AFTER_STOP = "state-after-stop"
    """The first state after the stop."""
    TERMINAL_STATE = "terminal-state"
    """The state in which the migration ended."""
    TERMINAL_TIME = "terminal-time"
    """The time that belongs to the terminal state."""
    TERMINAL_STABLE = "terminal-stable"
    """Whether later statuses repeat the terminal state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFinding:
    """One comparison of an answer with the documentation."""

    code: LiveCode
    """What was compared."""
    severity: Severity
    """What it means for this package."""
    subject: str
    """The call, state or moment that it is about."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What was found, by name; values are JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCheck:
    """A recorded migration and its comparison with the documentation."""

    ocean_id: str
    """The cluster."""
    migration_id: str | None
    """The migration, None when no answer names it."""
    instance_ids: tuple[str, ...]
    """The nodes that were sent."""
    check_results: tuple[LiveFinding, ...]
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
        check_results=tuple(_redacted(check_result) for check_result in recorded.check_results()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One status of the migration."""

    position: int
    """Its place among the responses after the start; the clock of the service may jump, this does not."""
    seconds: float
    """Seconds after the start."""
    item: Mapping[str, Any]
    """The JSON of the answer."""
    state: str
    """The state that it has, empty without one."""


class _RecordedMigration:
    """The exchanges of one migration, by call."""

    def __init__(self, before: Sequence[Exchange], start: Exchange, after: Sequence[Exchange]) -> None:
        self._before, self._after = Responses(before), Responses(after)
        self._positions = {id(response): index for index, response in enumerate(self._after.received)}
        self._create = next(iter(Responses([start]).received), None)
        self._started = _ended(start)
        options = start.request.get("migration") if isinstance(start.request, dict) else None
        self._options: Mapping[str, Any] = options if isinstance(options, dict) else {}
        ids = self._options.get("instanceIds")
        self.instance_ids = tuple(map(str, ids)) if isinstance(ids, list) else ()
        self.ocean_id = _path_ids(start)[0]
        self.migration_id = self._find_id()
        self._statuses = list(self._read_statuses())
        self._lists = self._after.from_route(MIGRATIONS)
        stops = [each for each in self._after.from_route(MIGRATION, "PUT") if self._is_of_migration(each)]
        self._stop = next((each for each in stops if each.succeeded), stops[-1] if stops else None)

    def check_results(self) -> Iterator[LiveFinding]:
        """Yield every comparison that the exchanges allow."""
        yield from self._check_create()
        if self.migration_id is None:
            return
        yield from self._check_statuses()
        yield from self._check_list()
        yield from self._check_discovery()
        yield from self._check_stop()
        yield from self._check_end()

    def _check_create(self) -> Iterator[LiveFinding]:
        response = self._create
        if response is None:
            yield _finding(LiveCode.CREATE_RESPONSE, Severity.WARNING, "create", http_status=None)
            return
        item = _first_item(response)
        severity = _severity_of_write(response, item, documented.IN_CREATE)
        yield _finding(LiveCode.CREATE_RESPONSE, severity, "create", **_described(response, item))

    def _check_statuses(self) -> Iterator[LiveFinding]:
        for state in dict.fromkeys(look.state for look in self._statuses):
            looks = [look for look in self._statuses if look.state == state]
            if state not in documented.STATES:
                yield _finding(LiveCode.UNDOCUMENTED_STATE, Severity.WARNING, state)
            names = {name for look in looks for name in look.item}
            undocumented = sorted(names - documented.IN_STATUS)
            yield _finding(
                LiveCode.STATUS_RESPONSE,
                Severity.WARNING if undocumented else Severity.INFO,
                state,
                responses=len(looks),
                undocumented=undocumented,
                missing=sorted(documented.IN_STATUS - names),
            )
            found = _old_instance_ids(looks[-1].item)
            yield _finding(
                LiveCode.STATUS_NODES,
                Severity.INFO if found == sorted(self.instance_ids) else Severity.ERROR,
                state,
                instance_ids=found,
                asked=sorted(self.instance_ids),
            )
        if not self._statuses:
            yield _finding(LiveCode.STATUS_RESPONSE, Severity.ERROR, "status", responses=0)
            return
        yield self._check_echoed_options()
        yield self._check_sequence()

    def _check_echoed_options(self) -> LiveFinding:
        config = self._statuses[-1].item.get("migrationConfig")
        echoed = {name: config.get(name) for name in _ECHOED} if isinstance(config, dict) else {}
        asked = {name: self._options.get(name) for name in _ECHOED}
        severity = Severity.INFO if echoed == asked else Severity.WARNING
        return _finding(LiveCode.ECHOED_OPTIONS, severity, "status", asked=asked, echoed=echoed)

    def _check_sequence(self) -> LiveFinding:
        states: list[dict[str, Any]] = []
        for look in self._statuses:
            if not states or states[-1]["state"] != look.state:
                states.append({"state": look.state, "seconds": round(look.seconds)})
        ended_early = any(each["state"] in TERMINAL_STATES for each in states[:-1])
        severity = Severity.ERROR if ended_early else Severity.INFO
        return _finding(LiveCode.STATE_SEQUENCE, severity, self.migration_id or "", states=states)

    def _check_list(self) -> Iterator[LiveFinding]:
        looks = [(response, self._entry(response)) for response in self._lists if response.succeeded]
        listed = [(response, entry) for response, entry in looks if entry is not None]
        if not looks:
            return
        first = listed[0][0] if listed else None
        without = looks.index(listed[0]) if listed else len(looks)
        yield _finding(
            LiveCode.LISTED,
            Severity.ERROR if first is None else Severity.WARNING if without else Severity.INFO,
            self.migration_id or "",
            lists_without=without,
            seconds=None if first is None else round(self._seconds(first)),
        )
        last = looks[-1][1]
        if self._statuses and last is not None:
            state, expected = str(last.get("state")), self._statuses[-1].state
            severity = Severity.INFO if state == expected else Severity.WARNING
            yield _finding(LiveCode.LIST_STATE, severity, "list", state=state, status=expected)

    def _check_discovery(self) -> Iterator[LiveFinding]:
        ended = next((look.position for look in self._statuses if look.state in TERMINAL_STATES), None)
        after = self._after.from_route(DISCOVERY)
        moments = {
            "before": self._before.from_route(DISCOVERY),
            "during": [each for each in after if ended is None or self._position(each) < ended],
            "after": [each for each in after if ended is not None and self._position(each) > ended],
        }
        for moment, responses in moments.items():
            answered = [each for each in responses if each.succeeded]
            if not answered:
                continue
            # Only an answer to shouldFetchPods=true has the number of pods.
            answered.sort(key=lambda each: each.exchange.query.get("shouldFetchPods") == "true")
            candidates = {str(each.get("instanceId")): each for each in _candidates(answered[-1])}
            nodes = [candidates[name] for name in self.instance_ids if name in candidates]
            complete = len(nodes) == len(self.instance_ids)
            yield _finding(
                LiveCode.DISCOVERY,
                Severity.WARNING if moment == "before" and not complete else Severity.INFO,
                moment,
                returned=len(nodes),
                asked=len(self.instance_ids),
                running_pods=[node.get("runningPods") for node in nodes],
            )

    def _check_stop(self) -> Iterator[LiveFinding]:
        response = self._stop
        if response is None:
            yield _finding(LiveCode.STOP_RESPONSE, Severity.WARNING, "stop", http_status=None)
            return
        item = _first_item(response)
        severity = _severity_of_write(response, item, documented.IN_STOP)
        if severity is Severity.INFO and item.get("state") != "STOPPED":
            severity = Severity.WARNING
        yield _finding(LiveCode.STOP_RESPONSE, severity, "stop", **_described(response, item), state=item.get("state"))
        following = next((look for look in self._statuses if look.position > self._position(response)), None)
        if response.succeeded and following is not None:
            yield _finding(
                LiveCode.STATE_AFTER_STOP,
                Severity.INFO,
                following.state,
                seconds=max(0, round(following.seconds - self._seconds(response))),
            )

    def _check_end(self) -> Iterator[LiveFinding]:
        ended = [look for look in self._statuses if look.state in TERMINAL_STATES]
        if not ended:
            state = self._statuses[-1].state if self._statuses else None
            yield _finding(LiveCode.TERMINAL_STATE, Severity.ERROR, self.migration_id or "", state=state, ended=False)
            return
        state = ended[0].state
        expected = "STOPPED" if self._stop is not None and self._stop.succeeded else "FINISHED"
        yield _finding(
            LiveCode.TERMINAL_STATE,
            Severity.INFO if state == expected else Severity.WARNING,
            self.migration_id or "",
            state=state,
            ended=True,
            expected=expected,
            seconds=round(ended[0].seconds),
        )
        name = _TIME_FIELDS[state]
        value = ended[-1].item.get(name)
        readable = time_of(ended[-1].item, name) is not None
        yield _finding(
            LiveCode.TERMINAL_TIME, Severity.INFO if readable else Severity.WARNING, state, field=name, value=value
        )
        later = [look.state for look in self._statuses if look.position > ended[0].position]
        changed = any(each != state for each in later)
        severity = Severity.ERROR if changed else Severity.INFO if later else Severity.WARNING
        yield _finding(LiveCode.TERMINAL_STABLE, severity, state, later_states=later)

    def _find_id(self) -> str | None:
        """Return the id of the answer or, when that was lost, of the first migration that holds the same nodes."""
        item = _first_item(self._create) if self._create is not None else {}
        answered = item.get("id") or item.get("Id")
        if answered:
            return str(answered)
        for response in self._after.from_route(MIGRATION):
            ids = _old_instance_ids(_first_item(response))
            if ids and ids == sorted(self.instance_ids):
                return _path_ids(response.exchange)[1]
        return None

    def _read_statuses(self) -> Iterator[_Look]:
        for response in self._after.from_route(MIGRATION):
            item = _first_item(response)
            if response.succeeded and item and self._is_of_migration(response):
                yield _Look(
                    position=self._position(response),
                    seconds=self._seconds(response),
                    item=item,
                    state=str(item.get("status") or item.get("state") or ""),
                )

    def _is_of_migration(self, response: Response) -> bool:
        return _path_ids(response.exchange)[1] == self.migration_id

    def _entry(self, response: Response) -> dict[str, Any] | None:
        found = (each for each in objects(response.items) if (each.get("Id") or each.get("id")) == self.migration_id)
        return next(found, None)

    def _position(self, response: Response) -> int:
        return self._positions[id(response)]

    def _seconds(self, response: Response) -> float:
        return max(0.0, _ended(response.exchange) - self._started)


def _finding(code: LiveCode, severity: Severity, subject: str, /, **fields: Any) -> LiveFinding:
    return LiveFinding(code=code, severity=severity, subject=subject, fields=fields)


def _redacted(check_result: LiveFinding) -> LiveFinding:
    # A record of this package has no account ids; one that was made otherwise may.
    return LiveFinding(
        code=check_result.code,
        severity=check_result.severity,
        subject=_REDACTION.text(check_result.subject),
        fields=_REDACTION.tree(dict(check_result.fields)),
    )


def _severity_of_write(response: Response, item: Mapping[str, Any], names: frozenset[str]) -> Severity:
    if not response.succeeded or not (item.get("id") or item.get("Id")):
        return Severity.ERROR
    return Severity.INFO if item.keys() == names else Severity.WARNING


def _described(response: Response, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "http_status": response.exchange.status,
        "error_codes": [str(error.get("code")) for error in response.errors],
        "item_fields": sorted(item),
    }


def _first_item(response: Response) -> dict[str, Any]:
    return next(iter(objects(response.items)), {})


def _old_instance_ids(status: Mapping[str, Any]) -> list[str]:
    return sorted({str(each.get("instanceId")) for each in objects(status.get("oldInstances"))})


def _candidates(response: Response) -> Iterator[dict[str, Any]]:
    for item in objects(response.items):
        yield from objects(item["instances"]) if "instances" in item else [item]


def _path_ids(exchange: Exchange) -> tuple[str, str]:
    """Return the ids of cluster and migration in a path, empty where it has none."""
    names = dict(zip(exchange.route.split("/"), exchange.path.split("/"), strict=False))
    return unquote(names.get("{ocean_id}", "")), unquote(names.get("{migration_id}", ""))


def _ended(exchange: Exchange) -> float:
    return exchange.at.timestamp() + exchange.seconds
