"""Errors of requests to Kubernetes; each is a KubernetesError."""

from __future__ import annotations

from typing import Any, Final

from ocean_migration_pulumi.errors import DeadlineError, KubernetesError

UNEXPECTED: Final = "the answer does not match the Kubernetes API reference"
"""Message for a response that cannot be read."""


class IncompleteListError(DeadlineError):
    """The deadline passed while a list was read: what was read until then is kept."""

    def __init__(self, found: list[Any], *, remaining: int | None) -> None:
        """Describe the list.

        Args:
            found: Objects that were read.
            remaining: How many are missing; None when the API server does not tell.
        """
        super().__init__("the deadline has passed")
        self.found = found
        self.remaining = remaining


class UnreachableError(KubernetesError):
    """No usable response arrived, and another request would not get one, either."""

    def __init__(self, message: str, remedy: str = "") -> None:
        """Describe the failure.

        Args:
            message: What failed, and why.
            remedy: What to do; empty when the message says enough.
        """
        super().__init__(message)
        self.remedy = remedy


class SilentServerError(UnreachableError):
    """The API server did not answer in time."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("Kubernetes did not respond in time")


class RefusedError(KubernetesError):
    """The API server, or a proxy before it, answered with an error."""

    def __init__(self, status: int, said: str = "") -> None:
        """Describe the response.

        Args:
            status: HTTP status.
            said: The API server's own message on one line; empty when a proxy answered.
        """
        super().__init__(f"Kubernetes responded with {status}" + (f": {said}" if said else ""))
        self.status = status
        self.said = said


class UnexpectedAnswerError(KubernetesError):
    """A response that does not match the Kubernetes API reference."""
