"""Reasons of failed migrations in the log."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.api.models.migration import LogEntry
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import REASONS, find_failure_reason

# As Spot's troubleshooting page for migrations has them.
SENTENCES = {
    "connectivity": "connectivity issues. Make sure the Spotinst controller is installed and working properly.",
    "instances": (
        "inability to spin up enough new instances. Make sure all required Virtual Node Groups are configured."
    ),
    "timeout": "technical timeout.",
    "schedule": "failure to schedule pods on new nodes.",
    "termination": "failure to terminate old instances.",
    "stop-termination": "failure to terminate old instances during migration stop process.",
    "stop-reschedule": "failure to reschedule old instances during migration stop process.",
}


def line(message: str, minute: int = 0, severity: str = "ERROR") -> LogEntry:
    """Return a line of the log with a time in that minute."""
    return LogEntry(message=message, severity=severity, created_at=f"2026-01-02T03:{minute:02d}:00.000Z")


@pytest.mark.parametrize("reason", sorted(SENTENCES))
@pytest.mark.parametrize("verb", ["stopped", "failed", "STOPPED"])
def test_every_documented_sentence_has_a_reason(reason: str, verb: str) -> None:
    """The service writes that the migration has stopped or has failed."""
    sentence = f"The migration has {verb} due to {SENTENCES[reason]}"
    failure = find_failure_reason([line("Instance i-1 was launched.", severity="INFO"), line(sentence)])
    assert failure.reason == reason
    assert [entry.message for entry in failure.lines] == [sentence]
    assert set(failure.to_output()) == {"message", "reason", "remedy"}
    assert all(failure.to_output().values())


def test_all_reasons_are_tested() -> None:
    """Spot documents seven, and each has its remedy."""
    assert set(REASONS) == set(SENTENCES)
    assert len({find_failure_reason([line(sentence)]).remedy for sentence in SENTENCES.values()}) == 7


def test_newest_known_line_wins_in_any_order() -> None:
    """Of lines with the same time, the last one is the newest."""
    older, newer = line(SENTENCES["timeout"], 1), line(SENTENCES["schedule"], 2)
    assert find_failure_reason([older, newer]).reason == find_failure_reason([newer, older]).reason == "schedule"
    assert find_failure_reason([line(SENTENCES["timeout"]), line(SENTENCES["instances"])]).reason == "instances"


def test_last_errors_are_shown_without_a_known_line() -> None:
    """They are at most three, the oldest first, and of no other severity."""
    log = [line(f"error {minute}", minute) for minute in range(5)] + [line("fine", 9, "INFO")]
    failure = find_failure_reason(log)
    assert failure.reason == "unknown"
    assert '"error 2"; "error 3"; "error 4"' in failure.message
    assert failure.lines[-1].message == "error 4"


def test_log_without_errors_is_named() -> None:
    """The reason stays unknown."""
    failure = find_failure_reason([LogEntry(message="odd", created_at="whenever")])
    assert "no errors logged" in failure.message
    assert failure.remedy
