"""What was found of the contract, as rows, as JSON, and as Markdown for a bug report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ocean_migration_pulumi.api_check.live_findings import LiveCheck
from ocean_migration_pulumi.api_check.live_text import live_to_json, live_to_markdown
from ocean_migration_pulumi.api_check.questions import AnsweredQuestion, Verdict
from ocean_migration_pulumi.report.markdown import code, heading, prose, row

COLUMNS: Final = ("verdict", "question", "this account says")
"""The headings of the rows."""

_TITLES: Final = {
    Verdict.DIFFERS: "Differs from what the API reference promises",
    Verdict.SETTLED: "Settled by this account",
    Verdict.NOT_SEEN: "Not seen",
}


def summary(answered: Sequence[AnsweredQuestion]) -> str:
    """Return how many questions have which verdict."""
    count = Counter(each.verdict for each in answered)
    parts = [f"{count[Verdict.SETTLED]} settled", f"{count[Verdict.DIFFERS]} different from the API reference"]
    return f"{len(answered)} questions: {', '.join(parts)}, {count[Verdict.NOT_SEEN]} not seen"


def ordered(answered: Sequence[AnsweredQuestion]) -> list[AnsweredQuestion]:
    """Return the answers, those first that differ, and those last of which nothing was responses."""
    return [each for verdict in _TITLES for each in answered if each.verdict is verdict]


def rows(answered: Sequence[AnsweredQuestion]) -> tuple[tuple[str, ...], ...]:
    """Return a row for each question."""
    return tuple((str(each.verdict), each.asks, _said(each)) for each in ordered(answered))


def _said(each: AnsweredQuestion) -> str:
    return f"{each.says} (promised: {each.promised})" if each.verdict is Verdict.DIFFERS else each.says


def to_json(answered: Sequence[AnsweredQuestion], live: LiveCheck | None = None) -> dict[str, Any]:
    """Return the answers, and the findings of a migration if there was one, as JSON."""
    return {
        "summary": {str(verdict): sum(each.verdict is verdict for each in answered) for verdict in Verdict},
        "questions": [
            {
                "key": each.key,
                "question": each.asks,
                "promised": each.promised,
                "verdict": str(each.verdict),
                "says": each.says,
                "evidence": list(each.evidence),
            }
            for each in answered
        ],
        "live": None if live is None else live_to_json(live),
    }


def to_markdown(answered: Sequence[AnsweredQuestion], program: str, live: LiveCheck | None = None) -> str:
    """Return the answers, and the findings of a migration if there was one, as Markdown.

    Args:
        answered: The questions with their answers.
        program: Name and version of the program that sent the requests.
        live: The findings of a migration, None without one.
    """
    lines = ["## How Spot's API answers", "", f"{prose(summary(answered))}. Requests were sent by {code(program)}."]
    for verdict, title in _TITLES.items():
        chosen = [each for each in answered if each.verdict is verdict]
        if not chosen:
            continue
        lines += ["", f"### {title}", "", heading(("Question", "Promised", "Answer", "Excerpt"))]
        lines += [
            row((prose(each.asks), prose(each.promised), prose(each.says), " ".join(map(_excerpt, each.evidence))))
            for each in chosen
        ]
    if live is not None:
        lines += ["", live_to_markdown(live)]
    return "\n".join(lines)


def _excerpt(text: str) -> str:
    return code(text, most=len(text))
