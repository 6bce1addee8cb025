"""The wire format of Spot's API: envelopes, errors, times and quirks."""

from __future__ import annotations

import http
import re
import time
from dataclasses import dataclass
from typing import Any

KIND_CLUSTER = "spotinst:ocean:aws:k8s"
KIND_VNG = "spotinst:ocean:aws:k8s:launchSpec"
KIND_HEARTBEAT = "spotinst:ocean:k8s:cluster:controllerHeartbeat"
KIND_LOG = "spotinst:ocean:cluster:log"
KIND_MIGRATION = "spotinst:ocean:aws:k8s:cluster:migration"
KIND_DISCOVERY = "spotinst:ocean:aws:k8s:cluster:migration:discovery"
KIND_NODES = "spotinst:ocean:aws:k8s:nodes"
KIND_ROLL = "spotinst:ocean:aws:k8s:cluster:roll"

QUIRKS: dict[str, tuple[str, ...]] = {
    "runningPods": ("integer", "string"),
    "discovery": ("nested", "flat", "several"),
    "unscheduledPodIds": ("string", "list", "null"),
    "idKey": ("Id", "id"),
    "default": ("Default", "default", "DEFAULT"),
    "dates": ("padded", "unpadded", "offset"),
    "absent": ("omitted", "null"),
    "heartbeat": ("empty", "null"),
    "concurrent_migrations": ("refuse", "allow"),
    "offer_migrating": ("no", "yes"),
    "discovery_lag": ("0s", "5s", "60s", "86400s"),
    "list_lag": ("0s", "5s", "25s", "86400s"),
    "count_daemonset_pods": ("no", "yes"),
    "delete_migrating": ("refuse", "allow"),
    "imports": ("full", "documented"),
    "import_tags": ("list", "object"),
}
"""Where Spot's documentation is ambiguous: the possible variants, of which the first one is the default.

The two lags take any number of seconds.
"""


def is_variant(name: str, value: str) -> bool:
    """Return whether a quirk has a variant."""
    variants = QUIRKS.get(name, ())
    return value in variants or (name.endswith("_lag") and bool(variants) and re.fullmatch(r"\d+s", value) is not None)


class WireError(Exception):
    """An error response.

    Args:
        message: The message.
        code: The error code; None for a response without ``errors``.
        status: The HTTP status.
        field: The field of the request that is wrong, None for none.
    """

    def __init__(self, message: str, *, code: str | None = None, status: int = 400, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.field = field


@dataclass(frozen=True, kw_only=True)
class SpotResponse:
    """A successful response."""

    kind: str | None = None
    """The kind of the items, None for a response without items."""
    items: list[Any] | None = None
    """The items."""
    migration_id: str | None = None
    """The migration, for the request log."""
    effective: bool = False
    """Whether the request log marks the request as effective."""


def build_not_found_error(code: str, kind: str, identifier: str) -> WireError:
    """Build the error for an object that does not exist: HTTP 400 with a code."""
    return WireError(f"{kind}: '{identifier}' does not exist", code=code)


def build_envelope(
    request: dict[str, str], status: int, *, reply: SpotResponse | None = None, error: WireError | None = None
) -> dict[str, Any]:
    """Build the envelope of a reply, of an error, or of a status only."""
    response: dict[str, Any] = {"status": {"code": status, "message": http.HTTPStatus(status).phrase}}
    if status == 429:
        response["data"] = "Rate limit exceeded"
    if error is not None and error.code is not None:
        response["errors"] = [{"code": error.code, "message": error.message}]
        if error.field is not None:
            response["errors"][0]["field"] = error.field
    if reply is not None and reply.kind is not None:
        items = reply.items or []
        response |= {"kind": reply.kind, "items": items, "count": len(items)}
    return {"request": request, "response": response}


def format_time(seconds: float, style: str = "padded") -> str:
    """Format a time; ``unpadded`` has a one-digit day, and ``offset`` ends with +0000 instead of Z."""
    utc = time.gmtime(seconds)
    millis = int(seconds * 1000) % 1000
    day = f"{utc.tm_mday}" if style == "unpadded" else f"{utc.tm_mday:02d}"
    zone = "+0000" if style == "offset" else "Z"
    return f"{time.strftime('%Y-%m-', utc)}{day}T{time.strftime('%H:%M:%S', utc)}.{millis:03d}{zone}"
