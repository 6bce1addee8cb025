"""The exit statuses; those that Pulumi's CLI documents have the same meaning."""

from __future__ import annotations

from typing import Final

from ocean_migration_pulumi.errors import (
    AuthenticationError,
    InputError,
    MigrationError,
    OceanMigrationError,
    OperationCancelled,
    SettingsError,
    WaitEndedError,
)

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED_TOKEN: Final = 3
BLOCKED: Final = 4
CHANGES: Final = 7
CANCELLED: Final = 8
TIMED_OUT: Final = 9

_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (InputError, USAGE),
    (SettingsError, USAGE),
    (AuthenticationError, REFUSED_TOKEN),
    (MigrationError, BLOCKED),
    (OperationCancelled, CANCELLED),
    (WaitEndedError, TIMED_OUT),
)


def exit_code(error: OceanMigrationError | OperationCancelled) -> int:
    """Return the exit status for an error: 2, 3, 4, 8, 9, or 1 for what is none of these."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
