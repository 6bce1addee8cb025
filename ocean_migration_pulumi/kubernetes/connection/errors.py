"""Why Kubernetes did not answer; each is a KubernetesError to whoever asked."""

from __future__ import annotations

from typing import Final

from ocean_migration_pulumi.errors import KubernetesError

UNEXPECTED: Final = "the answer is not what the Kubernetes API reference promises"
"""What is said of an answer that nothing can be made of."""


class UnreachableError(KubernetesError):
    """No usable answer arrived, and none is to be expected from another question.

    ``remedy`` says what to do about it, empty where the message says enough.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class RefusedError(KubernetesError):
    """The API server answered with an error.

    ``status`` is the HTTP status, ``said`` the API server's own words on one line (empty when it was not the API server
    that answered, but something before it).
    """

    def __init__(self, status: int, said: str = "") -> None:
        super().__init__(f"Kubernetes answered {status}" + (f": {said}" if said else ""))
        self.status = status
        self.said = said


class UnexpectedAnswerError(KubernetesError):
    """An answer that is not what the Kubernetes API reference promises."""
