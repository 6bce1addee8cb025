"""Exchanges by hand, and those of a simulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ocean_migration_pulumi.api.recording.redaction import Exchange
from ocean_migration_pulumi.api_check.questions import AnsweredQuestion, answer_questions

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def exchange(route: str, body: Any = None, *, status: int = 200, method: str = "GET", **more: Any) -> Exchange:
    """Return an exchange; ids of the route are filled in, ``body`` is JSON or a text that is none."""
    path = more.pop("path", route.replace("{ocean_id}", "o-1").replace("{migration_id}", "owm-1"))
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "59", "x-ratelimit-reset": "1"}
    return Exchange(
        at=more.pop("at", AT),
        seconds=0.1,
        method=method,
        route=route,
        path=path,
        query=more.pop("query", {}),
        status=status,
        headers=headers | more.pop("headers", {}),
        body=text,
        **more,
    )


def answer(route: str, *items: Any, **more: Any) -> Exchange:
    """Return an answer with items, in the envelope that is documented."""
    response = {
        "status": {"code": 200, "message": "OK"},
        "kind": "spotinst:ocean",
        "items": list(items),
        "count": len(items),
    }
    request = {"id": "r-1", "url": "/", "method": "GET", "timestamp": "2026-05-01T12:00:00.000Z"}
    return exchange(route, {"request": request, "response": response}, **more)


def refusal(route: str, status: int, *errors: Any, **more: Any) -> Exchange:
    """Return a refusal with errors."""
    response = {"status": {"code": status, "message": "no"}, "errors": list(errors)}
    return exchange(route, {"request": {"id": "r-1"}, "response": response}, status=status, **more)


def answered(key: str, exchanges: Sequence[Exchange]) -> AnsweredQuestion:
    """Return what exchanges say to one question."""
    [found] = [each for each in answer_questions(exchanges) if each.question.key == key]
    return found


@pytest.fixture
def said() -> Callable[..., tuple[str, str]]:
    """Return a function that gives verdict and answer to one question."""

    def judged(key: str, *exchanges: Exchange) -> tuple[str, str]:
        found = answered(key, exchanges)
        return str(found.verdict), found.answer

    return judged
