"""RecordedClient: answers calls from a record, without any connection."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ocean_migration_pulumi.api import responses
from ocean_migration_pulumi.api.client import LOG, OceanClient
from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationStatus
from ocean_migration_pulumi.api.recording.recorder import is_head
from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api.responses import MIGRATION, UNDECODABLE, ApiCall, ApiResponse
from ocean_migration_pulumi.api.sender import Sender
from ocean_migration_pulumi.api.settings import Settings
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.errors import InputError, NoAnswerError, ResponseError, SettingsError

_DECISIVE = ("oceanId", "instanceId", "launchSpecId", "autoScalingGroupName", "eksClusterName", "eksNodeGroupName")
_BEGINNING = datetime.min.replace(tzinfo=UTC)


def read_record(path: Path) -> tuple[Exchange, ...]:
    """Return the exchanges of a record, in the order of their ends; damaged lines are skipped.

    Raises:
        SettingsError: The file cannot be read, or is not a record.
    """
    found: list[Exchange] = []
    try:
        with path.open("rb") as file:
            if not is_head(file.readline()):
                raise SettingsError(f"{path} is not a record of ocean-migration")
            for line in file:
                exchange = _exchange(line)
                if exchange is not None:
                    found.append(exchange)
    except OSError as exc:
        raise SettingsError(f"record {path} cannot be read: {exc.strerror}") from exc
    return tuple(found)


class RecordedClient(OceanClient):
    """OceanClient over a record: every call gets the newest successful response that the record has.

    ``account_id`` is the placeholder of the account, ``server_now()`` the time of the last exchange. Calls raise what
    those of OceanClient raise, NoAnswerError when the record has no response, and InputError for a write.
    """

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self._exchanges = tuple(exchanges)
        accounts = (exchange.query["accountId"] for exchange in self._exchanges if "accountId" in exchange.query)
        super().__init__(Settings(account_id=next(accounts, None)))
        self._sender = _RecordedSender(self.settings, self._exchanges)

    def __repr__(self) -> str:
        return f"RecordedClient({len(self._exchanges)} exchanges, account_id={self.account_id!r})"

    def get_log(
        self,
        ocean_id: str,
        *,
        since: datetime,
        until: datetime,
        severity: str = "ALL",
        limit: int = 1000,
    ) -> tuple[LogEntry, ...]:
        """Return the lines of all recorded responses between two times, newest first, as OceanClient does."""
        seen = super().get_log(ocean_id, since=since, until=until, severity=severity, limit=limit)
        times = {entry: parse_time(entry.created_at) for entry in seen}
        within = [
            entry
            for entry in seen
            if severity in {"ALL", entry.severity} and ((at := times[entry]) is None or since <= at <= until)
        ]
        return tuple(sorted(within, key=lambda entry: times[entry] or _BEGINNING, reverse=True)[:limit])

    def statuses(self, ocean_id: str, migration_id: str) -> tuple[tuple[datetime, MigrationStatus], ...]:
        """Return every recorded status of a migration with its time, in order."""
        call = ApiCall(method="GET", route=MIGRATION, ids={"ocean_id": ocean_id, "migration_id": migration_id})
        return tuple(
            (exchange.at + timedelta(seconds=exchange.seconds), status)
            for exchange in self._exchanges
            if exchange.method == "GET" and exchange.path == call.path and exchange.status == 200
            for status in _statuses(call, exchange)
        )

    def clusters(self) -> tuple[str, ...]:
        """Return the ids of the clusters in the record."""
        found = (_ids(exchange).get("ocean_id") or exchange.query.get("oceanId") for exchange in self._exchanges)
        return tuple(dict.fromkeys(ocean_id for ocean_id in found if ocean_id))

    def migrations(self) -> tuple[tuple[str, str], ...]:
        """Return the ids of cluster and migration for each migration with a recorded status."""
        found = map(_ids, (exchange for exchange in self._exchanges if exchange.route == MIGRATION))
        return tuple(dict.fromkeys((ids["ocean_id"], ids["migration_id"]) for ids in found if len(ids) > 1))


class _RecordedSender(Sender):
    """Answers reads from a record, and refuses writes."""

    def __init__(self, settings: Settings, exchanges: Sequence[Exchange]) -> None:
        super().__init__(settings)
        self._exchanges = exchanges

    def server_now(self) -> datetime:
        """Return the time of the last exchange; the local time when there is none."""
        ends = [exchange.at + timedelta(seconds=exchange.seconds) for exchange in self._exchanges]
        return max(ends, default=datetime.now(UTC))

    def send(self, call: ApiCall, scope: CancelScope) -> Any:
        """Return the JSON of the newest successful response; without one, raise the error of the newest other one."""
        scope.check()
        if call.writes:
            raise InputError("record", f"{call} cannot be answered from a record")
        fitting = [exchange for exchange in self._exchanges if _fits(call, exchange)]
        if call.route == LOG:
            return _merged(call, fitting)
        # Exchanges with the same query come last, as they are the first ones of the reversed list.
        exact = _without_account(call.query)
        fitting.sort(key=lambda exchange: _without_account(exchange.query) == exact)
        for exchange in reversed(fitting):
            if exchange.status == 200 and (data := responses.decode_body(_answer(exchange))) is not UNDECODABLE:
                return data
        said = next((exchange for exchange in reversed(fitting) if exchange.status is not None), None)
        if said is None or said.status in {200, 401, 429}:
            raise _absent(call)
        answer = _answer(said)
        raise responses.error_of_response(call, answer, responses.decode_body(answer))


def _exchange(line: bytes) -> Exchange | None:
    """Read a line; None when it is not an exchange."""
    try:
        known = json.loads(line)
        body = json.dumps(known["body"]) if "body" in known else known.get("text")
        return Exchange(
            at=datetime.fromisoformat(known["at"]).astimezone(UTC),
            seconds=float(known["seconds"]),
            method=str(known["method"]),
            route=str(known["route"]),
            path=str(known["path"]),
            query=dict(known.get("query", {})),
            request=known.get("request"),
            status=None if known.get("status") is None else int(known["status"]),
            headers=dict(known.get("headers", {})),
            body=body,
            error=known.get("error"),
            is_json="body" in known,
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _answer(exchange: Exchange) -> ApiResponse:
    body = (exchange.body or "").encode("utf-8", "replace")
    return ApiResponse(status=exchange.status or 0, headers=exchange.headers, body=body)


def _fits(call: ApiCall, exchange: Exchange) -> bool:
    """Tell whether a recorded response answers a call: the time or detail may differ, but not the thing."""
    if (exchange.method, exchange.path) != (call.method, call.path):
        return False
    if call.route == LOG:
        return _overlap(call, exchange)
    return all(call.query.get(name) == exchange.query.get(name) for name in _DECISIVE)


def _overlap(call: ApiCall, exchange: Exchange) -> bool:
    try:
        begin, end = (int(exchange.query[name]) for name in ("fromDate", "toDate"))
    except (KeyError, ValueError):
        return False
    return begin <= int(call.query["toDate"]) and int(call.query["fromDate"]) <= end


def _merged(call: ApiCall, fitting: Sequence[Exchange]) -> Any:
    """Return one response with each line of the log once, or as often as one response has it."""
    lines: Counter[str] = Counter()
    for exchange in fitting:
        if exchange.status == 200:
            found = responses.response_items(call, responses.decode_body(_answer(exchange)))
            lines |= Counter(json.dumps(item, sort_keys=True) for item in found)
    if not any(exchange.status == 200 for exchange in fitting):
        raise _absent(call)
    return {"response": {"items": [json.loads(line) for line in lines.elements()]}}


def _statuses(call: ApiCall, exchange: Exchange) -> list[MigrationStatus]:
    """Return the status of a response, or nothing when it cannot be read."""
    try:
        found = responses.response_items(call, responses.decode_body(_answer(exchange)))
        return [MigrationStatus.from_api(item) for item in found[:1]]
    except ResponseError:
        return []


def _ids(exchange: Exchange) -> dict[str, str]:
    """Return the ids that fill the route of an exchange."""
    template = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(exchange.route))
    try:
        match = re.fullmatch(template, exchange.path)
    except re.error:  # a route whose parts have no names
        return {}
    return {name: unquote(value) for name, value in match.groupdict().items()} if match else {}


def _without_account(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if name != "accountId"}


def _absent(call: ApiCall) -> NoAnswerError:
    return NoAnswerError(f"{call}: the record has no response to this request")
