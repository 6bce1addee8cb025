"""Every exception of this package; ``str()`` of each is one line that says what, which id, and what to do next.

::

    OceanMigrationError
    ├── InputError                      an input is not allowed; nothing was started
    │   └── UnknownNameError            an input names a cluster or a migration that does not exist
    ├── SettingsError                   base URL, token, account, poll interval, record or credentials file
    │   ├── MissingTokenError
    │   └── MissingAccountError
    ├── ApiError                        the service answered, and the answer is no
    │   ├── AuthenticationError         401: the token is refused
    │   ├── PermissionDeniedError       403, or 400 with an empty code
    │   ├── NotFoundError
    │   │   ├── ClusterNotFoundError
    │   │   └── MigrationNotFoundError
    │   ├── RateLimitError              429, or a closed rate-limit window that outlives the deadline
    │   ├── RequestRejectedError        400: the request itself is refused
    │   └── ServiceError                5xx
    ├── NoAnswerError                   no usable answer arrived
    │   ├── AnswerLostError             of a write that may have had its effect
    │   └── ResponseError               not JSON, of another shape, or too large
    ├── KubernetesError                 Kubernetes could not be asked, or refuses
    ├── SourceGoneError                 what a configuration was to be imported from does not exist
    ├── WaitEndedError                  a wait ended before its target
    │   ├── DeadlineError
    │   ├── StalledError
    │   └── UnheardError                the service could no longer be asked
    └── MigrationError                  the migration, or what it needs
        ├── MigrationFailedError
        ├── MigrationStoppedError       stopped by someone else
        ├── PrerequisiteError
        ├── PlanError                   not the approved plan, or a plan that cannot be made
        ├── FrozenError                 a freeze window does not allow a start
        ├── ClusterBusyError            a foreign migration runs
        └── DuplicateMigrationError     another migration holds one of our nodes
    OperationCancelled                  the operation must end: no handler of the errors above may hide that
    ├── InterruptedWaitError            Ctrl-C
    │   └── RunDeadlineError            the whole run has to end: OCEAN_MIGRATION_DEADLINE
    └── EngineGoneError                 the Pulumi engine that asked is no longer there
"""

from __future__ import annotations

from typing import Final, Protocol

_UNEXPECTED: Final = "unexpected-error"


class OceanMigrationError(Exception):
    """Root of every error that this package raises on purpose."""

    docs_code: str = "error"
    """Printed behind the message: docs/troubleshooting.md has a section for each code."""


class OperationCancelled(Exception):
    """Whoever asked for the operation wants it no more.

    It is no OceanMigrationError: what handles errors of one step ("go on without Kubernetes") must not go on after it.
    """

    migration_id: str | None = None
    """The migration whose state the message says; None when the message says only why the wait ended."""


class InterruptedWaitError(OperationCancelled):
    """Somebody pressed Ctrl-C."""


class RunDeadlineError(InterruptedWaitError):
    """The whole run has to end now, so that its state can still be saved: ``OCEAN_MIGRATION_DEADLINE``."""


class EngineGoneError(OperationCancelled):
    """The Pulumi engine that asked for this is gone: nothing may be written any more."""


class InputError(OceanMigrationError):
    """An input that is not allowed.

    Args:
        property_name: The input, down to its part: ``nodes.limit``, ``http_checks[0].url``.
        message: What is wrong, and what is allowed. Pulumi shows it after the name and the value of the input.
        predicate: Whether name and message are one sentence ("ocean_id must not be empty").
        remedy: What to do, in terms of other inputs; empty when the message says it all.
    """

    docs_code: str = "invalid-input"

    def __init__(self, property_name: str, message: str, *, predicate: bool = False, remedy: str = "") -> None:
        text = f"{property_name} {message}" if predicate else f"{property_name}: {message}"
        super().__init__(f"{text}; {remedy}" if remedy else text)
        self.property_name = property_name
        self.message = message
        self.predicate = predicate

    def renamed(self, property_name: str) -> InputError:
        """Return the same error for the name that the caller knows, such as an option; the remedy names inputs."""
        return InputError(property_name, self.message, predicate=self.predicate)


class UnknownFieldError(InputError):
    """An input has a field that does not exist."""


class UnknownNameError(InputError):
    """An input names a cluster or a migration that does not exist."""

    docs_code: str = "unknown-name"


class SettingsError(OceanMigrationError):
    """A setting that cannot be used: base URL, token, account, poll interval, record or credentials file."""

    docs_code: str = "invalid-setting"


class MissingTokenError(SettingsError):
    """No source names a token."""

    docs_code: str = "missing-token"


class MissingAccountError(SettingsError):
    """No source names an account, and a write was asked for."""

    docs_code: str = "missing-account"


class ApiError(OceanMigrationError):
    """The service answered with an error.

    ``status`` is the HTTP status, ``code`` the service's own error code (None where the answer has none),
    ``request_id`` the id that Spot's support asks for (None where the answer has none).
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
    """The token is refused."""

    docs_code: str = "token-refused"


class PermissionDeniedError(ApiError):
    """The token may not do this."""

    docs_code: str = "permission-denied"


class NotFoundError(ApiError):
    """The thing asked for does not exist."""

    docs_code: str = "not-found"


class ClusterNotFoundError(NotFoundError):
    """The Ocean cluster does not exist (in this account)."""

    docs_code: str = "cluster-not-found"


class MigrationNotFoundError(NotFoundError):
    """The cluster has no such migration."""

    docs_code: str = "migration-not-found"


class RateLimitError(ApiError):
    """The rate-limit window is closed; ``reset`` is the number of seconds until it opens (None: unknown)."""

    docs_code: str = "rate-limited"

    def __init__(
        self, message: str, *, status: int = 429, reset: float | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.reset = reset


class RequestRejectedError(ApiError):
    """The service refuses the request; ``field`` is the part of the body that it names (None: none)."""

    docs_code: str = "request-rejected"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        request_id: str | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code, request_id=request_id)
        self.field = field


class ServiceError(ApiError):
    """The service itself fails (5xx)."""

    docs_code: str = "service-error"


class NoAnswerError(OceanMigrationError):
    """No usable answer arrived: the network, a proxy, or the service is down."""

    docs_code: str = "no-answer"


class AnswerLostError(NoAnswerError):
    """The answer to a write was lost: it may have had its effect, so it must not be repeated blindly."""

    docs_code: str = "answer-lost"


class ResponseError(NoAnswerError):
    """The answer is not what the service's API reference promises."""

    docs_code: str = "unexpected-response"


class KubernetesError(OceanMigrationError):
    """Kubernetes could not be asked, or refuses."""

    docs_code: str = "kubernetes-error"


class SourceGoneError(OceanMigrationError):
    """The Auto Scaling Group or node group to import from does not exist, or no longer."""

    docs_code: str = "source-gone"


class WaitEndedError(OceanMigrationError):
    """A wait ended before its target was reached; what was waited for goes on."""

    docs_code: str = "wait-ended"

    migration_id: str | None = None
    """The migration whose state the message says; None when the message says only why the wait ended."""


class DeadlineError(WaitEndedError):
    """The deadline passed."""

    docs_code: str = "deadline"


class StalledError(WaitEndedError):
    """No progress at all for the whole ``stall_timeout``."""

    docs_code: str = "stalled"


class UnheardError(WaitEndedError):
    """The service could no longer be asked about what was waited for: an outage, or a right that was taken away."""

    docs_code: str = "service-unreachable"


class _HasCode(Protocol):
    """A diagnostic, as migration/ defines it."""

    @property
    def code(self) -> str:
        """What it is about."""


class MigrationError(OceanMigrationError):
    """A migration cannot start, or did not end well; ``diagnostics`` are the typed findings behind the message."""

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
    """A prerequisite is not met."""

    docs_code: str = "check-failed"


class PlanError(MigrationError):
    """The plan cannot be made, or is not the approved one."""

    docs_code: str = "plan-refused"


class FrozenError(MigrationError):
    """A freeze window does not allow a migration to start."""

    docs_code: str = "starts-frozen"


class ClusterBusyError(MigrationError):
    """Another migration runs on the cluster and ``when_busy`` is ``"fail"``."""

    docs_code: str = "cluster-busy"


class DuplicateMigrationError(MigrationError):
    """Another migration holds one of the nodes; ours, the younger one, was stopped."""

    docs_code: str = "duplicate-migration"


def add_code(line: str, error: Exception) -> str:
    """Return the line that describes an error with the code of its section in docs/troubleshooting.md.

    Args:
        line: The description of the error.
        error: Any error; one that is not ours is unexpected. A cancelled operation is no error, and has no code.
    """
    if isinstance(error, OperationCancelled):
        return line
    return f"{line} [{error.docs_code if isinstance(error, OceanMigrationError) else _UNEXPECTED}]"
