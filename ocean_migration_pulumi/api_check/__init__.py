"""Compare the answers of Spot's API with its documentation."""

from __future__ import annotations

from .evaluation import answer_questions
from .live_findings import LiveCheck, LiveCode, LiveFinding, Severity, check_migration
from .live_run import LiveRun, ensure_no_running_migration, find_candidate
from .probes import send_probes
from .questions import AnsweredQuestion, Verdict

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
