"""Every exception of this package. ``str()`` of each is one line: what failed, why, and what to do.

::

    OceanMigrationError
    ├── InputError                      an input has an invalid value; nothing was started
    │   ├── UnknownFieldError           an input has a field that does not exist
    │   └── UnknownNameError            an input names a cluster or a migration that does not exist
    ├── SettingsError                   a setting has an invalid value
    │   ├── MissingTokenError
    │   └── MissingAccountError
    ├── ApiError                        Spot responded with an error
    │   ├── AuthenticationError         401: Spot refuses the token
    │   ├── PermissionDeniedError       403, or 400 with an empty code
    │   ├── NotFoundError
    │   │   ├── ClusterNotFoundError
    │   │   └── MigrationNotFoundError
    │   ├── RateLimitError              429, or no request is allowed before the deadline
    │   ├── RequestRejectedError        400: Spot refuses the request
    │   └── ServiceError                5xx
    ├── NoAnswerError                   no usable response arrived
    │   ├── AnswerLostError             the response to a write that may have taken effect
    │   └── ResponseError               the response is not JSON, malformed, or too large
    ├── KubernetesError                 Kubernetes did not respond, or refused a request
    ├── SourceGoneError                 the group to import from does not exist
    ├── WaitEndedError                  a wait ended early
    │   ├── DeadlineError
    │   ├── StalledError
    │   └── UnheardError                Spot no longer responds
    └── MigrationError                  a migration cannot start, or did not succeed
        ├── MigrationFailedError
        ├── MigrationStoppedError       stopped by someone else
        ├── PrerequisiteError
        ├── PlanError                   the plan is not approved, or cannot be made
        ├── FrozenError                 a freeze window is open
        ├── ClusterBusyError            another migration is running
        └── DuplicateMigrationError     another migration holds one of the nodes
    OperationCancelled                  the operation must end; no handler of the errors above hides it
    ├── InterruptedWaitError            Ctrl-C
    │   └── RunDeadlineError            OCEAN_MIGRATION_DEADLINE has been reached
    └── EngineGoneError                 the Pulumi engine no longer exists
"""

from __future__ import annotations

from typing import Final, Protocol

_UNEXPECTED: Final = "unexpected-error"


class OceanMigrationError(Exception):
    """Base class of every expected error of this package."""

    docs_code: str = "error"
    """Printed after the message. docs/troubleshooting.md has a section for each code."""


class OperationCancelled(Exception):
    """The caller no longer wants the operation.

    It is not an OceanMigrationError, so that code which tolerates errors of one step does not continue after it.
    """

    migration_id: str | None = None
    """The migration whose state the message contains; None if the message contains only why the wait ended."""


class InterruptedWaitError(OperationCancelled):
    """Ctrl-C ended the wait."""


class RunDeadlineError(InterruptedWaitError):
    """``OCEAN_MIGRATION_DEADLINE`` has been reached: the run ends so that Pulumi can still save the state."""


class EngineGoneError(OperationCancelled):
    """The Pulumi engine no longer exists: nothing may be written."""


class InputError(OceanMigrationError):
    """An input has an invalid value.

    Args:
        property_name: Path of the input: ``nodes.limit``, ``http_checks[0].url``. Empty if none was given.
        message: What is wrong, and what is allowed. Pulumi prints it after the name and value of the input.
        predicate: Whether name and message form one sentence ("ocean_id must not be empty").
        remedy: What to do, naming other inputs; empty if the message is enough.
    """

    docs_code: str = "invalid-input"

    def __init__(self, property_name: str, message: str, *, predicate: bool = False, remedy: str = "") -> None:
        text = (
            f"{property_name} {message}" if predicate else f"{property_name}: {message}" if property_name else message
        )
        super().__init__(f"{text}; {remedy}" if remedy else text)
        self.property_name = property_name
        self.message = message
        self.predicate = predicate

    def renamed(self, property_name: str) -> InputError:
        """Return the same error under the name that the caller uses, such as an option, without the remedy."""
        return InputError(property_name, self.message, predicate=self.predicate)


class UnknownFieldError(InputError):
    """An input has a field that does not exist."""


class UnknownNameError(InputError):
    """An input names a cluster or a migration that does not exist."""

    docs_code: str = "unknown-name"


class SettingsError(OceanMigrationError):
    """A setting has an invalid value: base URL, token, account, poll interval, record or credentials file."""

    docs_code: str = "invalid-setting"


class MissingTokenError(SettingsError):
    """No source has a token."""

    docs_code: str = "missing-token"


class MissingAccountError(SettingsError):
    """No source has an account, which writes require."""

    docs_code: str = "missing-account"


class ApiError(OceanMigrationError):
    """Spot responded with an error.

    ``status`` is the HTTP status, ``code`` Spot's error code (None if the response has none),
    ``request_id`` the id for Spot's support (None if the response has none).
    """

    docs_code: str = "api-error"

    def __init__(self, message: str, *, status: int, code: str | None = None, request_id: str | None = None) -> None:
        marks = ", ".join(
            part for part in (f"HTTP {status}", code, f"request {request_id}" if request_id else None) if part
        )
        super().__init__(f"{message} ({marks})")
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id


class AuthenticationError(ApiError):
    """Spot refuses the token."""

    docs_code: str = "token-refused"


class PermissionDeniedError(ApiError):
    """The token lacks a permission."""

    docs_code: str = "permission-denied"


class NotFoundError(ApiError):
    """The requested object does not exist."""

    docs_code: str = "not-found"


class ClusterNotFoundError(NotFoundError):
    """The Ocean cluster does not exist in this account."""

    docs_code: str = "cluster-not-found"


class MigrationNotFoundError(NotFoundError):
    """The cluster has no such migration."""

    docs_code: str = "migration-not-found"


class RateLimitError(ApiError):
    """Too many requests; ``reset`` is the number of seconds until one is allowed (None if unknown)."""

    docs_code: str = "rate-limited"

    def __init__(
        self, message: str, *, status: int = 429, reset: float | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.reset = reset


class RequestRejectedError(ApiError):
    """Spot refuses the request.

    ``reason`` has the words of its error (empty if it has none), ``field`` the field that it names (None if it names
    none).
    """

    docs_code: str = "request-rejected"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        request_id: str | None = None,
        reason: str = "",
        field: str | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code, request_id=request_id)
        self.reason = reason
        self.field = field


class ServiceError(ApiError):
    """Spot has an internal error (5xx)."""

    docs_code: str = "service-error"


class NoAnswerError(OceanMigrationError):
    """No usable response arrived: the network, a proxy or Spot is down."""

    docs_code: str = "no-answer"


class AnswerLostError(NoAnswerError):
    """The response to a write was lost. The write may have taken effect, so do not simply repeat it."""

    docs_code: str = "answer-lost"


class ResponseError(NoAnswerError):
    """The response does not match Spot's API reference."""

    docs_code: str = "unexpected-response"


class KubernetesError(OceanMigrationError):
    """Kubernetes did not respond, or refused a request."""

    docs_code: str = "kubernetes-error"


class SourceGoneError(OceanMigrationError):
    """The Auto Scaling Group or node group to import from does not exist."""

    docs_code: str = "source-gone"


class WaitEndedError(OceanMigrationError):
    """A wait ended early; the migration continues."""

    docs_code: str = "wait-ended"

    migration_id: str | None = None
    """The migration whose state the message contains; None if the message contains only why the wait ended."""


class DeadlineError(WaitEndedError):
    """The deadline passed."""

    docs_code: str = "deadline"


class StalledError(WaitEndedError):
    """No progress for ``stall_timeout``."""

    docs_code: str = "stalled"


class UnheardError(WaitEndedError):
    """Spot no longer responds to the wait: an outage, or a permission that was revoked."""

    docs_code: str = "service-unreachable"


class _HasCode(Protocol):
    """A diagnostic as an error carries it; ``migration/spec/diagnostic.py`` defines the type."""

    @property
    def code(self) -> str:
        """Code of the diagnostic, such as ``nodes-left``."""


class MigrationError(OceanMigrationError):
    """A migration cannot start or did not succeed; ``diagnostics`` are the typed findings behind the message."""

    docs_code: str = "migration-error"

    def __init__(self, message: str, diagnostics: tuple[_HasCode, ...] = ()) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics
        if len(diagnostics) == 1:
            self.docs_code = str(diagnostics[0].code)


class MigrationFailedError(MigrationError):
    """The migration ended in FINISHED_ERROR."""

    docs_code: str = "migration-failed"


class MigrationStoppedError(MigrationError):
    """Someone else stopped the migration."""

    docs_code: str = "migration-stopped"


class PrerequisiteError(MigrationError):
    """A pre-flight check failed, or a condition of a gate or soak does not hold."""

    docs_code: str = "check-failed"


class PlanError(MigrationError):
    """The plan cannot be made, or is not approved."""

    docs_code: str = "plan-refused"


class FrozenError(MigrationError):
    """A freeze window is open, so no migration starts."""

    docs_code: str = "starts-frozen"


class ClusterBusyError(MigrationError):
    """Another migration is running on the cluster, and ``when_busy`` is ``"fail"``."""

    docs_code: str = "cluster-busy"


class DuplicateMigrationError(MigrationError):
    """Another, older migration holds one of the nodes, so the migration of this run was stopped."""

    docs_code: str = "duplicate-migration"


def add_code(line: str, error: Exception) -> str:
    """Append the code of an error, which names its section in docs/troubleshooting.md, to a line.

    Args:
        line: The description of the error.
        error: The error. One that is not an OceanMigrationError is unexpected. A cancelled operation has no code.
    """
    if isinstance(error, OperationCancelled):
        return line
    return f"{line} [{error.docs_code if isinstance(error, OceanMigrationError) else _UNEXPECTED}]"
