"""The errors of Kubernetes' API: objects of kind Status, with the messages of the real server."""

from __future__ import annotations

import http
from typing import Any

EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter."
)

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class KubernetesStatusError(Exception):
    """An answer that is an error; ``reason`` None takes the one of the status, an empty one leaves it out."""

    def __init__(
        self, code: int, message: str, *, reason: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = _REASONS.get(code, "") if reason is None else reason
        self.details = details
        self.message = message

    @property
    def body(self) -> dict[str, Any]:
        """The Status."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
            **({} if self.details is None else {"details": self.details}),
            "code": self.code,
        }


def success(code: int) -> dict[str, Any]:
    """Return the Status of something that was done."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}


def plain(code: int, retry_seconds: float | None = None) -> KubernetesStatusError:
    """Return an error that says no more than its status; ``retry_seconds`` is when to ask again."""
    if code == 410:
        return KubernetesStatusError(410, EXPIRED)
    details = None if retry_seconds is None else {"retryAfterSeconds": int(retry_seconds)}
    message = "Too many requests, please try again later." if code == 429 else http.HTTPStatus(code).phrase
    return KubernetesStatusError(code, message, details=details)


def nowhere() -> KubernetesStatusError:
    """Return the error of a path that the server does not know."""
    return KubernetesStatusError(404, "the server could not find the requested resource", details={})


def not_allowed() -> KubernetesStatusError:
    """Return the error of a method that the server does not know for a path."""
    return KubernetesStatusError(405, "the server does not allow this method on the requested resource", details={})


def missing(resource: str, group: str, name: str) -> KubernetesStatusError:
    """Return the error of an object that does not exist."""
    known_as = f"{resource}.{group}" if group else resource
    details = {"name": name, **({"group": group} if group else {}), "kind": resource}
    return KubernetesStatusError(404, f'{known_as} "{name}" not found', details=details)
