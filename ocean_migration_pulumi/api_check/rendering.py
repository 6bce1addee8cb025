"""What was found of the contract, as rows, as JSON, and as Markdown for a bug report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ocean_migration_pulumi.report.markdown import code, heading, prose, row

from .questions import AnsweredQuestion, Verdict

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


def to_json(answered: Sequence[AnsweredQuestion]) -> dict[str, Any]:
    """Return the answers as JSON."""
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
    }


def to_markdown(answered: Sequence[AnsweredQuestion], program: str) -> str:
    """Return the answers as Markdown, with excerpts; ``program`` says what asked."""
    lines = ["## How Spot's API answers", "", f"{prose(summary(answered))}. Asked by {code(program)}, with GETs only."]
    for verdict, title in _TITLES.items():
        chosen = [each for each in answered if each.verdict is verdict]
        if not chosen:
            continue
        lines += ["", f"### {title}", "", heading(("Question", "Promised", "Answer", "Excerpt"))]
        lines += [
            row((prose(each.asks), prose(each.promised), prose(each.says), " ".join(map(_excerpt, each.evidence))))
            for each in chosen
        ]
    return "\n".join(lines)


def _excerpt(text: str) -> str:
    return code(text, most=len(text))
