"""The result of ``api-check`` as rows, JSON and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ocean_migration_pulumi.api_check.live_findings import LiveCheck, LiveCode, LiveFinding
from ocean_migration_pulumi.api_check.questions import AnsweredQuestion, Verdict
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.spec.diagnostic import Severity
from ocean_migration_pulumi.report.markdown import code, heading, prose, row

COLUMNS: Final = ("verdict", "question", "this account says")
"""The headings of the questions."""

LIVE_COLUMNS: Final = ("severity", "subject", "finding")
"""The headings of the findings."""

_TITLES: Final = {
    Verdict.DIFFERS: "Differs from the API reference",
    Verdict.SETTLED: "Settled by this account",
    Verdict.NOT_SEEN: "Not seen",
}
_LABELS: Final = {
    LiveCode.CREATE_RESPONSE: "response to the start",
    LiveCode.STATUS_NODES: "oldInstances",
    LiveCode.STATE_SEQUENCE: "seconds from the start to each state",
    LiveCode.ECHOED_OPTIONS: "migrationConfig",
    LiveCode.LISTED: "lists without the migration",
    LiveCode.DISCOVERY: "runningPods of the nodes in discovery",
    LiveCode.STOP_RESPONSE: "response to the stop",
    LiveCode.TERMINAL_STATE: "last state",
    LiveCode.TERMINAL_TIME: "time of the end",
}


def summarize(answered: Sequence[AnsweredQuestion]) -> str:
    """Return how many questions have which verdict."""
    count = Counter(each.verdict for each in answered)
    parts = [f"{count[Verdict.SETTLED]} settled", f"{count[Verdict.DIFFERS]} different from the API reference"]
    return f"{len(answered)} questions: {', '.join(parts)}, {count[Verdict.NOT_SEEN]} not seen"


def question_rows(answered: Sequence[AnsweredQuestion]) -> tuple[tuple[str, ...], ...]:
    """Return a row for each question, differences first."""
    return tuple(
        (str(verdict), each.question.text, _answer(each))
        for verdict in _TITLES
        for each in answered
        if each.verdict is verdict
    )


def live_rows(check: LiveCheck) -> tuple[tuple[str, ...], ...]:
    """Return a row for each finding."""
    return tuple((str(each.severity), one_line(each.subject), describe_finding(each)) for each in check.findings)


def describe_finding(finding: LiveFinding) -> str:
    """Return one finding on one line."""
    text = f"{_LABELS[finding.code]}: {_text(finding.found)}"
    if finding.severity is not Severity.INFO and finding.expected is not None:
        text += f" (expected {_text(finding.expected)})"
    if finding.seconds is not None:
        text += f", {format_elapsed(finding.seconds)} after the start"
    return one_line(text)


def to_json(answered: Sequence[AnsweredQuestion], live: LiveCheck | None = None) -> dict[str, Any]:
    """Return the answers, and the findings of a migration if there was one, as JSON."""
    return {
        "summary": {str(verdict): sum(each.verdict is verdict for each in answered) for verdict in Verdict},
        "questions": [
            {
                "key": each.question.key,
                "question": each.question.text,
                "promised": each.question.documentation,
                "verdict": str(each.verdict),
                "says": each.answer,
                "evidence": list(each.evidence),
            }
            for each in answered
        ],
        "live": None if live is None else _live_to_json(live),
    }


def _live_to_json(check: LiveCheck) -> dict[str, Any]:
    return {
        "ocean_id": check.ocean_id,
        "migration_id": check.migration_id,
        "instance_ids": list(check.instance_ids),
        "findings": [
            {
                "code": str(each.code),
                "severity": str(each.severity),
                "subject": each.subject,
                "fields": {"found": each.found, "expected": each.expected, "seconds": each.seconds},
                "message": describe_finding(each),
            }
            for each in check.findings
        ],
    }


def to_markdown(answered: Sequence[AnsweredQuestion], program: str, live: LiveCheck | None = None) -> str:
    """Return the answers, and the findings of a migration if there was one, as Markdown.

    Args:
        answered: The questions with their answers.
        program: Name and version of the program that sent the requests.
        live: The findings of a migration, None without one.
    """
    lines = ["## How Spot's API responds", "", f"{prose(summarize(answered))}. Requests were sent by {code(program)}."]
    for verdict, title in _TITLES.items():
        chosen = [each for each in answered if each.verdict is verdict]
        if not chosen:
            continue
        lines += ["", f"### {title}", "", heading(("Question", "Promised", "Answer", "Excerpt"))]
        for each in chosen:
            excerpts = " ".join(code(text, most=len(text)) for text in each.evidence)
            lines.append(
                row((prose(each.question.text), prose(each.question.documentation), prose(each.answer), excerpts))
            )
    if live is not None:
        lines += ["", f"### Migration {prose(live.migration_id or 'without an id')}", "", heading(LIVE_COLUMNS)]
        lines += [row(map(prose, cells)) for cells in live_rows(live)]
    return "\n".join(lines)


def _answer(each: AnsweredQuestion) -> str:
    return (
        f"{each.answer} (documented: {each.question.documentation})" if each.verdict is Verdict.DIFFERS else each.answer
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value)) or "none"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
