"""Gaps for tests."""

from __future__ import annotations

from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode


def failed_gap(message: str, remedy: str = "") -> Gap:
    """Return the gap that an error with this message leaves."""
    return Gap(GapCode.FAILED, {"message": message, "remedy": remedy})
