"""Mermaid diagrams of a run, which GitHub and GitLab draw; they hold no names of someone else's choosing."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Final

from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.run.facts import UNSEEN, WHOLE, state_spans, sum_spans

_MOST_BARS: Final = 200
_POINTS: Final = 100
_CLEAN: Final = re.compile(r"[^A-Za-z0-9_ ]+")
_KINDS: Final = {"ERROR": "crit, ", UNSEEN: "done, ", WHOLE: "done, "}
_SECOND: Final = timedelta(seconds=1)
# All periods of a state in one row, beside its name; without the palette a line is nearly white on white.
_LANES: Final = '%%{init: {"gantt": {"displayMode": "compact", "leftPadding": 240, "numberSectionStyles": 2}}}%%'
_LINE: Final = (
    '%%{init: {"xyChart": {"height": 260}, "themeVariables": {"xyChart": {"plotColorPalette": "#2f81f7"}}}}%%'
)


def draw_states(run_report: RunReport) -> str:
    """Return the states with their times as a Gantt diagram; empty when the begin is not known.

    Times are those of UTC as they stand there, whatever the reader's time zone. Of very many periods only the first
    begin and the last end of each state are drawn.
    """
    started, found = run_report.started, state_spans(run_report)
    if started is None or not found:
        return ""
    many = sum(map(len, found.values())) > _MOST_BARS
    lines = [
        _LANES,
        "gantt",
        "    dateFormat YYYY-MM-DD HH:mm:ss",
        f"    axisFormat {_axis(run_report.seconds or 0.0)}",
    ]
    for state, spans in found.items():
        lines.append(f"    section {_name(state)} {sum_spans(spans)}")
        for begin, end in [(spans[0][0], spans[-1][1])] if many else spans:
            lines.append(_bar(state, started + timedelta(seconds=begin), started + timedelta(seconds=end)))
    return "\n".join(lines)


def draw_nodes_done(run_report: RunReport) -> str:
    """Return the nodes done over time as a chart; empty when nobody wrote down what happened."""
    started, seconds = run_report.started, run_report.seconds
    if started is None or not seconds or not run_report.is_recorded:
        return ""
    times = [(moment.at - started).total_seconds() for moment in run_report.moments]
    unit, name = (1, "seconds") if seconds < 180 else (60, "minutes") if seconds < 10_800 else (3600, "hours")
    values = []
    for point in range(_POINTS):
        # The last point is the last moment, whatever rounding makes of its time.
        place = len(times) if point == _POINTS - 1 else bisect_right(times, seconds * point / (_POINTS - 1))
        values.append(run_report.moments[place - 1].done if place else 0)
    return "\n".join(
        (
            _LINE,
            "xychart-beta",
            f'    x-axis "{name} since the start" 0 --> {max(seconds / unit, 0.1):.1f}',
            f'    y-axis "nodes done" 0 --> {max(1, run_report.progress.total, *values)}',
            f"    line [{', '.join(map(str, values))}]",
        )
    )


def _bar(state: str, started: datetime, ended: datetime) -> str:
    """Return a bar; its name must not be empty, and the row has one already."""
    return f"    . :{_KINDS.get(state, '')}{_stamp(started)}, {_stamp(max(ended, started + _SECOND))}"


def _name(state: str) -> str:
    """Return a state as nothing but letters, digits and underscores, whatever the service calls it."""
    return " ".join(_CLEAN.sub(" ", state).split())[:40] or "unnamed state"


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _axis(seconds: float) -> str:
    if seconds < 300:
        return "%H:%M:%S"
    return "%H:%M" if seconds < 86_400 else "%m-%d %H:%M"
