"""Requests and responses of Spot's API: the envelope, its items, and the error for each kind of refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.errors import (
    ClusterNotFoundError,
    InputError,
    MigrationNotFoundError,
    NotFoundError,
    OceanMigrationError,
    PermissionDeniedError,
    RequestRejectedError,
    ResponseError,
    ServiceError,
)

CLUSTER = "/ocean/aws/k8s/cluster/{ocean_id}"
MIGRATION = CLUSTER + "/migration/{migration_id}"

_LONGEST_TEXT = 500
_MIGRATION_NOT_FOUND = re.compile(r"migration.*(not[ _]?found|(doesnt|doesn't|does[ _]not)[ _]?exist)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """A request."""

    method: str
    """HTTP method."""
    route: str
    """Path with the names of ids in braces."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Ids by name."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Parameters."""
    body: Mapping[str, Any] | None = None
    """JSON; None sends no body."""
    reads: bool = False
    """Whether it is a POST that changes nothing."""

    @property
    def writes(self) -> bool:
        """Whether this changes something at the service."""
        return self.body is not None and not self.reads

    @property
    def creates(self) -> bool:
        """Whether sending this twice could have the effect twice."""
        return self.method == "POST" and not self.reads

    @property
    def path(self) -> str:
        """The path with its ids; raise InputError for an id that would lead to another route."""
        for name, value in self.ids.items():
            if value in {"", ".", ".."}:
                raise InputError(name, f"{value!r} is not an id")
        return self.route.format(**{name: quote(value, safe="") for name, value in self.ids.items()})

    def __str__(self) -> str:
        # Without a path that has the cluster's id, the query says which cluster is meant.
        ocean_id = self.query.get("oceanId")
        return f"{self.method} {self.path}" + (f"?oceanId={quote(ocean_id, safe='')}" if ocean_id else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """A response."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Headers; the names are in lower case."""
    body: bytes = field(repr=False)
    """Decompressed body."""


UNDECODABLE: Final = object()
"""Stands for a body that is not JSON."""


def decode_body(answer: ApiResponse) -> Any:
    """Return the JSON of a body; UNDECODABLE when it is not JSON."""
    try:
        data = json.loads(answer.body)
        if b"\\" in answer.body and (b"\\ud" in answer.body or b"\\uD" in answer.body):
            # Half of a surrogate pair is valid JSON, but nothing can write it out again.
            data = json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return UNDECODABLE
    return data


def response_items(call: ApiCall, data: Any) -> list[Any]:
    """Return the items of a successful response.

    Raises:
        ResponseError: There is no list of items. To read that as "no items" could start a migration twice.
    """
    found = _response(data).get("items")
    if not isinstance(found, list):
        raise unusable_answer(call, "no list of items", data)
    return found


def unusable_answer(call: ApiCall, reason: str, data: Any = UNDECODABLE) -> ResponseError:
    """Return the error for a response that cannot be read."""
    return ResponseError(f"{call}: unusable response: {reason}{_mark(data)}")


def request_id(data: Any) -> str | None:
    """Return the request id that Spot's support asks for; None when the response has none."""
    request = data.get("request") if isinstance(data, dict) else None
    return (_line(request.get("id")) or None) if isinstance(request, dict) else None


def has_envelope(data: Any) -> bool:
    """Tell whether the service itself responded, and not a proxy or another server."""
    return bool(_response(data))


def error_of_response(call: ApiCall, answer: ApiResponse, data: Any) -> OceanMigrationError:
    """Return the error for a response whose status is neither 200 nor 401 nor 429."""
    status, request = answer.status, request_id(data)
    errors = [error for error in _errors(data) if isinstance(error, dict)]
    code = (_line(errors[0].get("code")) or None) if errors else None
    said = "; ".join(filter(None, (_line(error.get("message")) for error in errors)))
    because = f": {said}" if said else ""
    if status >= 500:
        return ServiceError(
            f"{call}: Spot has an internal error{because}", status=status, code=code, request_id=request
        )
    if status == 403:
        message = f"{call}: the token lacks the permission for this{because}; grant it to the token's user"
        return PermissionDeniedError(message, status=status, code=code, request_id=request)
    if not has_envelope(data) or status < 400:
        return unusable_answer(call, f"HTTP {status}{_STATUS_HINTS.get(status // 100, '')}", data)
    missing = _not_found(call, status, errors)
    if missing:
        kind, what = missing
        # Spot's message only repeats the id of a cluster or a migration.
        return kind(f"{what}{because}" if kind is NotFoundError else what, status=status, code=code, request_id=request)
    if status == 400 and errors and errors[0].get("code") == "":
        message = (
            f"{call}: {said or 'no reason given'}; Spot also returns this when the token lacks a permission: check the "
            f"account ({call.query.get('accountId', 'none')}) and the permissions of the token's user"
        )
        return PermissionDeniedError(message, status=status, request_id=request)
    part = next(filter(None, (_line(error.get("field")) for error in errors)), None)
    message = f"{call}: refused: {said or 'no reason given'}{f' (field: {part})' if part else ''}"
    return RequestRejectedError(message, status=status, code=code, request_id=request, reason=said, field=part)


_STATUS_HINTS = {
    3: ", a redirect, which is not followed to protect the token; check the base URL",
    4: " not in Spot's response format: check the base URL and the proxy",
}


def _not_found(call: ApiCall, status: int, errors: list[dict[str, Any]]) -> tuple[type[NotFoundError], str] | None:
    """Return the error type and message for what does not exist: the service sends a code with HTTP 400 or 404."""
    codes = {error.get("code") for error in errors if isinstance(error.get("code"), str)}
    ocean_id = call.ids.get("ocean_id") or call.query.get("oceanId", "")
    account = call.query.get("accountId", "the token's default account")
    if "CLUSTER_DOESNT_EXIST" in codes or (status == 404 and call.route == CLUSTER):
        return ClusterNotFoundError, (
            f"Ocean cluster {ocean_id} does not exist in {account}; check the id and the account"
        )
    if "CANT_GET_OCEAN_LAUNCH_SPEC" in codes:
        return NotFoundError, f"{call}: a Virtual Node Group does not exist"
    texts = (f"{_line(error.get('code'))} {_line(error.get('message'))}" for error in errors)
    if call.route == MIGRATION and (status == 404 or any(map(_MIGRATION_NOT_FOUND.search, texts))):
        return MigrationNotFoundError, f"cluster {ocean_id} has no migration {call.ids['migration_id']}"
    if status == 404:
        return NotFoundError, f"{call}: not found"
    return None


def _response(data: Any) -> dict[str, Any]:
    response = data.get("response") if isinstance(data, dict) else None
    return response if isinstance(response, dict) else {}


def _errors(data: Any) -> list[Any]:
    errors = _response(data).get("errors")
    return errors if isinstance(errors, list) else []


def _mark(data: Any) -> str:
    identity = request_id(data)
    return f" (request {identity})" if identity else ""


def _line(value: Any) -> str:
    return one_line(value, _LONGEST_TEXT) if isinstance(value, str) else ""
