"""Compare the answers of Spot's API with its documentation."""

from __future__ import annotations

from ocean_migration_pulumi.api_check.evaluation import answer_questions
from ocean_migration_pulumi.api_check.live_findings import LiveCheck, LiveCode, LiveFinding, Severity, check_migration
from ocean_migration_pulumi.api_check.live_run import LiveRun, ensure_no_running_migration, find_candidate
from ocean_migration_pulumi.api_check.probes import send_probes
from ocean_migration_pulumi.api_check.questions import AnsweredQuestion, Verdict

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
    "ensure_no_running_migration",
    "find_candidate",
    "send_probes",
]
