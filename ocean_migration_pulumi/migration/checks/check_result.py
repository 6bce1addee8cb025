"""What one check of a prerequisite comes to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Gap


class CheckStatus(StrEnum):
    """The outcome of one check."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One checked prerequisite: what was seen, and what to do (empty when it passes)."""

    name: str
    verdict: CheckStatus
    seen: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """Return the finding as one line."""
        return f"{self.seen}; {self.remedy}" if self.remedy else self.seen

    @classmethod
    def of_gap(cls, name: str, gap: Gap) -> CheckResult:
        """Return the finding of something that could not be read."""
        return cls(name, CheckStatus.UNKNOWN, gap.reason, gap.remedy)
