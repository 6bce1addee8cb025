"""Why a migration failed, read from the log."""

from __future__ import annotations

import pytest

from ocean_migration_pulumi.api.models.migration import LogEntry
from ocean_migration_pulumi.migration.diagnosis.failure_reasons import REASONS, explain_failure

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
    """Return a line of the log of a minute."""
    return LogEntry(message=message, severity=severity, created_at=f"2026-01-02T03:{minute:02d}:00.000Z")


@pytest.mark.parametrize("reason", sorted(SENTENCES))
@pytest.mark.parametrize("verb", ["stopped", "failed", "STOPPED"])
def test_each_documented_sentence_is_known(reason: str, verb: str) -> None:
    """Whether the service writes that it has stopped or has failed; each has a meaning and a remedy."""
    sentence = f"The migration has {verb} due to {SENTENCES[reason]}"
    failure = explain_failure([line("Instance i-1 was launched.", severity="INFO"), line(sentence)])
    assert failure.reason == reason
    assert failure.evidence == sentence
    assert set(failure.to_output()) == {"message", "reason", "remedy"}
    assert all(failure.to_output().values())


def test_all_reasons_are_tried() -> None:
    """Seven are documented."""
    assert set(REASONS) == set(SENTENCES)
    assert len({explain_failure([line(sentence)]).remedy for sentence in SENTENCES.values()}) == 7


def test_newest_known_line_wins_in_whatever_order_they_come() -> None:
    """Of lines of one moment the last one is the newest."""
    older, newer = line(SENTENCES["timeout"], 1), line(SENTENCES["schedule"], 2)
    assert explain_failure([older, newer]).reason == explain_failure([newer, older]).reason == "schedule"
    assert explain_failure([line(SENTENCES["timeout"]), line(SENTENCES["instances"])]).reason == "instances"


def test_without_a_known_line_the_last_errors_are_shown() -> None:
    """Three of them, oldest first, and none of another severity."""
    log = [line(f"error {minute}", minute) for minute in range(5)] + [line("fine", 9, "INFO")]
    failure = explain_failure(log)
    assert failure.reason == "unknown"
    assert '"error 2"; "error 3"; "error 4"' in failure.message
    assert failure.evidence == "error 4"


def test_empty_log_says_so() -> None:
    """Nothing is invented."""
    failure = explain_failure([LogEntry(message="odd", created_at="whenever")])
    assert "no error of that time" in failure.message
    assert failure.remedy
