"""Compare the answers of Spot's API with its documentation."""

from __future__ import annotations

from .evaluation import answer_questions
from .probes import send_probes
from .questions import AnsweredQuestion, Verdict

__all__ = ["AnsweredQuestion", "Verdict", "answer_questions", "send_probes"]
