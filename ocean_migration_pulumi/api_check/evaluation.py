"""Answer every question from the exchanges with an account."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ocean_migration_pulumi.api.recording.redaction import Exchange, Redaction
from ocean_migration_pulumi.api_check import cluster_questions, migration_questions, response_questions
from ocean_migration_pulumi.api_check.questions import AnsweredQuestion, Finding, Question, not_seen
from ocean_migration_pulumi.api_check.responses import Responses

_REDACTION: Final = Redaction()
_SPACES: Final = re.compile(r"\s+")


def _beyond(key: str, asks: str, why: str) -> Question:
    return Question(key=key, asks=asks, promised="not documented", look=lambda responses: not_seen(why))


_BEYOND: Final = (
    _beyond("instance-ids", "How many instances may a migration have?", "only starts that are refused tell it"),
    _beyond(
        "batches", "Of what is the batch size a percentage, and how is it rounded?", "only the course of a run does"
    ),
    _beyond("timeouts", "How long may each step take?", "only runs that fail for it tell it"),
    _beyond("asg-capacity", "Is the desired capacity of an ASG lowered with its nodes?", "AWS tells it, after a run"),
    _beyond("node-marks", "How are nodes marked while they are migrated?", "Kubernetes tells it, during a run"),
)
"""What remains unknown however many GETs are sent."""

QUESTIONS: Final = (
    *migration_questions.QUESTIONS,
    *cluster_questions.QUESTIONS,
    *response_questions.QUESTIONS,
    *_BEYOND,
)
"""All questions, in the order in which they are told."""


def answer_questions(exchanges: Sequence[Exchange]) -> tuple[AnsweredQuestion, ...]:
    """Answer every question from these exchanges; nothing is sent."""
    responses = Responses(exchanges)
    return tuple(_answered(question, question.look(responses)) for question in QUESTIONS)


def _answered(question: Question, check_result: Finding) -> AnsweredQuestion:
    shown = replace(check_result, says=_line(check_result.says), evidence=tuple(map(_line, check_result.evidence)))
    return AnsweredQuestion(
        key=question.key,
        asks=question.asks,
        promised=question.promised,
        verdict=shown.verdict,
        says=shown.says,
        evidence=shown.evidence,
    )


def _line(text: str) -> str:
    # Exchanges hold no account any more; a record that somebody made otherwise may.
    return _SPACES.sub(" ", _REDACTION.text(text)).strip()
