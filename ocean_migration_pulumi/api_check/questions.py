"""One question of how the service behaves, and what an account's answers say to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ocean_migration_pulumi.api_check.responses import Responses
from ocean_migration_pulumi.common.text import list_some


class Verdict(StrEnum):
    """What the answers are worth."""

    SETTLED = "settled"
    """They tell, and agree with the API reference where that says anything."""
    DIFFERS = "differs"
    """They tell something else than the API reference promises."""
    NOT_SEEN = "not seen"
    """Nothing in them tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was responses: ``says`` in words, ``evidence`` are excerpts of answers."""

    verdict: Verdict
    says: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question; ``promised`` is what Spot's documents say to it, ``look`` finds what the answers say."""

    key: str
    asks: str
    promised: str
    look: Callable[[Responses], Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQuestion:
    """A question with its answer.

    ``key`` is its short name, which stays. ``promised`` is what Spot's documents say, ``says`` what the answers do.
    ``evidence`` are shortened excerpts, without accounts and tokens.
    """

    key: str
    asks: str
    promised: str
    verdict: Verdict
    says: str
    evidence: tuple[str, ...] = ()


def settled(says: str, *evidence: str) -> Finding:
    """Return that the answers tell."""
    return Finding(verdict=Verdict.SETTLED, says=says, evidence=evidence)


def differs(says: str, *evidence: str) -> Finding:
    """Return that the answers tell something else than is promised."""
    return Finding(verdict=Verdict.DIFFERS, says=says, evidence=evidence)


def not_seen(says: str) -> Finding:
    """Return that nothing tells, and why."""
    return Finding(verdict=Verdict.NOT_SEEN, says=says)


def listed(values: Iterable[Any], most: int = 12) -> str:
    """Return values as a sentence lists them, each once, in their order."""
    return list_some(dict.fromkeys(map(str, values)), most)
