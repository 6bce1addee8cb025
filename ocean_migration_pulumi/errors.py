"""Every exception of this package; ``str()`` of each is one line that says what, which id, and what to do next.

::

    OceanMigrationError
    ├── InputError                      an input is not what it may be; nothing was started
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
        ├── ClusterBusyError            a foreign migration runs
        └── DuplicateMigrationError     another migration holds one of our nodes
    OperationCancelled                  the operation must end: no handler of the errors above may hide that
    ├── InterruptedWaitError            Ctrl-C
    └── EngineGoneError                 the Pulumi engine that asked is no longer there
"""

from __future__ import annotations


class OceanMigrationError(Exception):
    """Root of every error that this package raises on purpose."""


class OperationCancelled(Exception):
    """Whoever asked for the operation wants it no more.

    It is no OceanMigrationError: what handles errors of one step ("go on without Kubernetes") must not go on after it.
    """

    migration_id: str | None = None
    """The migration whose state the message says; None when the message says only why the wait ended."""


class InterruptedWaitError(OperationCancelled):
    """Somebody pressed Ctrl-C."""


class EngineGoneError(OperationCancelled):
    """The Pulumi engine that asked for this is gone: nothing may be written any more."""


class InputError(OceanMigrationError):
    """An input that is not allowed.

    Args:
        property_name: The input, down to its part: ``nodes.limit``, ``http_checks[0].url``.
        message: What is wrong, and what is allowed. Pulumi shows it after the name and the value of the input.
        predicate: Whether name and message are one sentence ("ocean_id must not be empty").
    """

    def __init__(self, property_name: str, message: str, *, predicate: bool = False) -> None:
        super().__init__(f"{property_name} {message}" if predicate else f"{property_name}: {message}")
        self.property_name = property_name
        self.message = message
        self.predicate = predicate

    def renamed(self, property_name: str) -> InputError:
        """Return the same error for the name that the caller knows, such as an option of the command."""
        return InputError(property_name, self.message, predicate=self.predicate)


class SettingsError(OceanMigrationError):
    """A setting that cannot be used: base URL, token, account, poll interval, record or credentials file."""


class MissingTokenError(SettingsError):
    """No source names a token."""


class MissingAccountError(SettingsError):
    """No source names an account, and a write was asked for."""


class ApiError(OceanMigrationError):
    """The service answered with an error.

    ``status`` is the HTTP status, ``code`` the service's own error code (None where the answer has none),
    ``request_id`` the id that Spot's support asks for (None where the answer has none).
    """

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


class PermissionDeniedError(ApiError):
    """The token may not do this."""


class NotFoundError(ApiError):
    """The thing asked for does not exist."""


class ClusterNotFoundError(NotFoundError):
    """The Ocean cluster does not exist (in this account)."""


class MigrationNotFoundError(NotFoundError):
    """The cluster has no such migration."""


class RateLimitError(ApiError):
    """The rate-limit window is closed; ``reset`` is the number of seconds until it opens (None: unknown)."""

    def __init__(
        self, message: str, *, status: int = 429, reset: float | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.reset = reset


class RequestRejectedError(ApiError):
    """The service refuses the request; ``field`` is the part of the body that it names (None: none)."""

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


class NoAnswerError(OceanMigrationError):
    """No usable answer arrived: the network, a proxy, or the service is down."""


class AnswerLostError(NoAnswerError):
    """The answer to a write was lost: it may have had its effect, so it must not be repeated blindly."""


class ResponseError(NoAnswerError):
    """The answer is not what the service's API reference promises."""


class KubernetesError(OceanMigrationError):
    """Kubernetes could not be asked, or refuses."""


class SourceGoneError(OceanMigrationError):
    """The Auto Scaling Group or node group to import from does not exist, or no longer."""


class WaitEndedError(OceanMigrationError):
    """A wait ended before its target was reached; what was waited for goes on."""

    migration_id: str | None = None
    """The migration whose state the message says; None when the message says only why the wait ended."""


class DeadlineError(WaitEndedError):
    """The deadline passed."""


class StalledError(WaitEndedError):
    """No progress at all for the whole ``stall_timeout``."""


class UnheardError(WaitEndedError):
    """The service could no longer be asked about what was waited for: an outage, or a right that was taken away."""


class MigrationError(OceanMigrationError):
    """A migration cannot start, or did not end well; ``diagnostics`` are the typed findings behind the message."""

    def __init__(self, message: str, diagnostics: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


class MigrationFailedError(MigrationError):
    """The migration ended in FINISHED_ERROR."""


class MigrationStoppedError(MigrationError):
    """Someone else stopped the migration."""


class PrerequisiteError(MigrationError):
    """A prerequisite is not met."""


class PlanError(MigrationError):
    """The plan cannot be made, or is not the approved one."""


class ClusterBusyError(MigrationError):
    """Another migration runs on the cluster and ``when_busy`` is ``"fail"``."""


class DuplicateMigrationError(MigrationError):
    """Another migration holds one of the nodes; ours, the younger one, was stopped."""
