"""What is shown: a line for each run, everything about one that failed, and the table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from tests.chaos.playing import MOST_UPS, Outcome
from tests.chaos.schedule import LieKind, Victim

_BEFORE: Final = 1.0
_AFTER: Final = 3.0
"""Seconds around a kill of which all requests are shown; writes are shown from all the time."""


def line(outcome: Outcome, number: int, total: int) -> str:
    """Return what became of a run."""
    kills = ", ".join(f"{victim} {count}" for victim, count in sorted(outcome.kills.items())) or "none"
    lies = ", ".join(sorted(lie.kind for lie in outcome.schedule.lies)) or "none"
    return (
        f"{number}/{total} seed {outcome.schedule.seed} {outcome.engine}: {'FAILED' if outcome.broken else 'ok'}, "
        f"{outcome.schedule.nodes} nodes, kills: {kills}, lies: {lies} ({outcome.false_responses} responses), "
        f"{outcome.needed} more ups, "
        f"{outcome.seconds:.1f} s"
    )


def details(outcome: Outcome) -> Iterator[str]:
    """Return what was decided, what happened, what is wrong, and the request log around the kills."""
    yield f"seed {outcome.schedule.seed} on {outcome.engine}: {outcome.schedule}"
    yield "what happened, in seconds:"
    yield from outcome.run_report
    yield "what is wrong:"
    yield from (f"  {text}" for text in outcome.broken or ["nothing"])
    yield "requests around the kills, and all writes:"
    yield from _requests(outcome)
    yield f"again: python -m tests.chaos --runs 1 --engine {outcome.engine} {outcome.schedule.arguments}"


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Return the table, a column for each engine."""
    engines = sorted({outcome.engine for outcome in outcomes})
    columns = [list(_column([each for each in outcomes if each.engine == engine])) for engine in engines]
    yield " " * 32 + "".join(f"{engine:>12}" for engine in engines)
    for rows in zip(*columns, strict=True):
        yield f"{rows[0][0]:32}" + "".join(f"{value:>12}" for _, value in rows)


def _column(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str]]:
    kills = sum((outcome.kills for outcome in outcomes), Counter[Victim]())
    yield "runs", str(len(outcomes))
    yield "failed", str(sum(bool(outcome.broken) for outcome in outcomes))
    yield "nodes", f"{sum(outcome.schedule.nodes for outcome in outcomes):,}"
    yield "kills", str(kills.total())
    for victim in Victim:
        yield f"  of the {victim}", str(kills[victim])
    yield "  that came too late", str(sum(outcome.missed for outcome in outcomes))
    lies = Counter(lie.kind for outcome in outcomes for lie in outcome.schedule.lies)
    yield "lies", str(lies.total())
    for kind in LieKind:
        yield f"  {kind}", str(lies[kind])
    yield "false responses", f"{sum(outcome.false_responses for outcome in outcomes):,}"
    yield "nodes that AWS took away", str(sum(len(outcome.schedule.losses) for outcome in outcomes))
    yield "claims that were judged", str(sum(outcome.judged for outcome in outcomes))
    yield "runs that obeyed an error", str(sum(outcome.obeyed for outcome in outcomes))
    needed = Counter(outcome.needed for outcome in outcomes)
    for ups in range(MOST_UPS + 1):
        yield f"{ups} ups after the last kill or lie", str(needed[ups])
    yield "ups in all", str(sum(outcome.ups for outcome in outcomes))
    yield "API calls", f"{sum(outcome.calls for outcome in outcomes):,}"
    yield "seconds of a run, mean", f"{sum(outcome.seconds for outcome in outcomes) / len(outcomes):.1f}"
    yield "seconds of a run, longest", f"{max(outcome.seconds for outcome in outcomes):.1f}"


def _requests(outcome: Outcome) -> Iterator[str]:
    times = outcome.kill_times
    shown = [each for each in outcome.requests if each["method"] != "GET" or _near(each["at"], times)]
    for _, same in groupby(shown, key=_kind):
        entries = list(same)
        first, again = entries[0], f"  and {len(entries) - 1} more" if len(entries) > 1 else ""
        done = f" -> {first['migration_id']}" if first["effective"] else ""
        path = first["path"].partition("/cluster/")[2] or first["path"]
        yield f"{first['at'] - outcome.began:7.2f}  {first['method']} {path} {first['status']}{done}{again}"


def _kind(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry[key]) for key in ("method", "path", "status", "effective", "migration_id"))


def _near(at: float, times: Iterable[float]) -> bool:
    return any(killed - _BEFORE <= at <= killed + _AFTER for killed in times)
