"""The exit statuses; those that Pulumi's CLI documents have the same meaning."""

from __future__ import annotations

from typing import Final

from ocean_migration_pulumi.errors import (
    AuthenticationError,
    InputError,
    MigrationError,
    NotFoundError,
    OceanMigrationError,
    OperationCancelled,
    SettingsError,
    UnknownNameError,
    WaitEndedError,
)

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED_TOKEN: Final = 3
BLOCKED: Final = 4
NOT_FOUND: Final = 6
CHANGES: Final = 7
CANCELLED: Final = 8
TIMED_OUT: Final = 9
BROKEN_PIPE: Final = 141
"""What a shell reports of a program that SIGPIPE ended: 128 and the number of the signal."""

_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (UnknownNameError, NOT_FOUND),
    (NotFoundError, NOT_FOUND),
    (InputError, USAGE),
    (SettingsError, USAGE),
    (AuthenticationError, REFUSED_TOKEN),
    (MigrationError, BLOCKED),
    (OperationCancelled, CANCELLED),
    (WaitEndedError, TIMED_OUT),
)


def exit_code(error: OceanMigrationError | OperationCancelled) -> int:
    """Return the exit status for an error: 2, 3, 4, 6, 8, 9, or 1 for any other."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
