"""The errors of the Kubernetes API: objects of kind Status, with the messages of the real API server."""

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
    """An error response.

    Args:
        code: The HTTP status.
        message: The message.
        reason: The reason; None for the usual reason of the status, empty for none.
        details: The details, None for none.
    """

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
        """The Status as JSON."""
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


def build_success(code: int) -> dict[str, Any]:
    """Build the Status of a successful request."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}


def build_error(code: int, retry_seconds: float | None = None) -> KubernetesStatusError:
    """Build a generic error for an HTTP status; ``retry_seconds`` is when to try again."""
    if code == 410:
        return KubernetesStatusError(410, EXPIRED)
    details = None if retry_seconds is None else {"retryAfterSeconds": int(retry_seconds)}
    message = "Too many requests, please try again later." if code == 429 else http.HTTPStatus(code).phrase
    return KubernetesStatusError(code, message, details=details)


def build_unknown_path_error() -> KubernetesStatusError:
    """Build the error for an unknown path."""
    return KubernetesStatusError(404, "the server could not find the requested resource", details={})


def build_unknown_method_error() -> KubernetesStatusError:
    """Build the error for a method that a path does not support."""
    return KubernetesStatusError(405, "the server does not allow this method on the requested resource", details={})


def build_not_found_error(resource: str, group: str, name: str) -> KubernetesStatusError:
    """Build the error for an object that does not exist."""
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, **({"group": group} if group else {}), "kind": resource}
    return KubernetesStatusError(404, f'{qualified} "{name}" not found', details=details)
