"""Compare Spot's API with its documentation; for maintainers."""

from __future__ import annotations

from ocean_migration_pulumi.api_check.live_findings import LiveCheck, LiveCode, LiveFinding, check_migration
from ocean_migration_pulumi.api_check.live_run import LiveRun
from ocean_migration_pulumi.api_check.probes import send_probes
from ocean_migration_pulumi.api_check.questions import AnsweredQuestion, Verdict, answer_questions
from ocean_migration_pulumi.migration.spec.diagnostic import Severity

__all__ = [
    "AnsweredQuestion",
    "LiveCheck",
    "LiveCode",
    "LiveFinding",
    "LiveRun",
    "Severity",
    "Verdict",
    "answer_questions",
    "check_migration",
    "send_probes",
]
