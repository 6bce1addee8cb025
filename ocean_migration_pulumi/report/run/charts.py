"""SVG charts of a run on one time axis: states as bars, nodes done and pods left as lines.

The drawings stretch with the page and hold no text: labels are HTML, readable on any width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.migration.views.run_report import Moment, RunReport
from ocean_migration_pulumi.report.run.facts import UNSEEN, WHOLE, select_changes, state_spans, sum_spans
from ocean_migration_pulumi.report.run.html_elements import Html, element, joined, name

_WIDTH: Final = 1000.0
_HEIGHT: Final = 100.0
_THIN: Final = 2.0  # of the width: a short visit is still to be seen
_POINTS: Final = 600
_TICKS: Final = 6
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_KINDS: Final = {
    UNSEEN: "unseen",
    WHOLE: "unseen",
    "ERROR": "bad",
    "HANDLE_UNSCHEDULE": "held",
    "STOPPING": "held",
    "RESCHEDULE_NODES": "held",
}


def draw_course(run_report: RunReport) -> Html:
    """Return the drawings, one below the other; empty when nothing is known of the time."""
    seconds = run_report.seconds
    if run_report.begun is None or not seconds:
        return Html("")
    rows = [
        _lane(number, state, spans, seconds) for number, (state, spans) in enumerate(state_spans(run_report).items())
    ]
    if run_report.is_recorded:
        points = _thinned(select_changes(run_report.moments))
        total = max(1, run_report.progress.total)
        rows.append(
            _line("done", "Nodes done", f"{points[-1].done} of {total}", _done(points, run_report), total, seconds)
        )
        most = max(moment.pods for moment in points)
        pods = [(at, moment.pods) for at, moment in zip(_times(points, run_report), points, strict=True)]
        rows.append(_line("pods", "Pods left", f"{points[-1].pods} of {most}", pods, max(1, most), seconds))
    return element("figure", *rows, _axis(seconds), class_="course")


def _lane(number: int, state: str, spans: Sequence[tuple[float, float]], seconds: float) -> Html:
    said = f"{name(state)}: {sum_spans(spans)}"
    bars = []
    for begin, end in spans:
        x, width = begin / seconds * _WIDTH, max((end - begin) / seconds * _WIDTH, _THIN)
        tip = element(
            "title",
            f"{name(state)}: {format_elapsed(end - begin)}, from {format_elapsed(begin)} to {format_elapsed(end)}",
        )
        bars.append(element("rect", tip, x=_round(min(x, _WIDTH - _THIN)), y=0, width=_round(width), height=_HEIGHT))
    when = "; ".join(f"{format_elapsed(begin)} to {format_elapsed(end)}" for begin, end in spans[:20])
    drawing = _drawing(f"lane-{number}", said, f"since the begin: {when}", joined(*bars), _KINDS.get(state, "usual"))
    return _row(state if state in {UNSEEN, WHOLE} else element("code", name(state)), drawing, sum_spans(spans))


def _line(which: str, label: str, now: str, points: Sequence[tuple[float, int]], most: int, seconds: float) -> Html:
    """Return a line of steps: a value holds until the next one is told."""
    at = [(min(time, seconds) / seconds * _WIDTH, _HEIGHT - value / most * _HEIGHT) for time, value in points]
    path = f"M{_round(at[0][0])} {_round(at[0][1])}"
    path += "".join(f"H{_round(x)}V{_round(y)}" for x, y in at[1:]) + f"H{_WIDTH:g}"
    area = f"{path}V{_HEIGHT:g}H{_round(at[0][0])}Z"
    shapes = joined(element("path", d=area, class_="area"), element("path", d=path, class_="line"))
    drawing = _drawing(which, f"{label} over time", f"{now} at the end", shapes, f"{which} steps")
    scale = joined(
        element("span", str(most), class_="high", aria_hidden="true"),
        element("span", "0", class_="low", aria_hidden="true"),
    )
    return _row(label, element("div", drawing, scale, class_="scaled"), now)


def _done(points: Sequence[Moment], run_report: RunReport) -> list[tuple[float, int]]:
    known = [(at, moment.done) for at, moment in zip(_times(points, run_report), points, strict=True)]
    return known if known[0][0] <= 0 else [(0.0, 0), *known]


def _times(points: Iterable[Moment], run_report: RunReport) -> list[float]:
    return [max(0.0, (moment.at - (run_report.begun or moment.at)).total_seconds()) for moment in points]


def _row(label: str, drawing: Html, value: str) -> Html:
    cells = (
        element("div", label, class_="label", aria_hidden="true"),
        element("div", drawing, class_="plot"),
        element("div", value, class_="value", aria_hidden="true"),
    )
    return element("div", *cells, class_="row")


def _drawing(identity: str, title: str, description: str, shapes: Html, kind: str) -> Html:
    return element(
        "svg",
        element("title", title, id=f"{identity}-title"),
        element("desc", description, id=f"{identity}-text"),
        shapes,
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        aria_labelledby=f"{identity}-title {identity}-text",
        class_=kind,
    )


def _axis(seconds: float) -> Html:
    step = next((step for step in _STEPS if seconds / step <= _TICKS), int(seconds / _TICKS) or 1)
    marks = [float(mark) for mark in range(0, int(seconds) + 1, step)]
    # The end has a mark of its own; one right before it would be written over it.
    marks = [mark for mark in marks if seconds - mark > step / 2] + [seconds]
    ticks = [
        element("span", format_elapsed(mark), style=f"left:{100 * mark / seconds:.2f}%", class_=_place(mark, seconds))
        for mark in marks
    ]
    said = element("div", *ticks, class_="ticks")
    return element(
        "div",
        element("div", "since the begin", class_="label"),
        element("div", said, class_="plot"),
        element("div", "", class_="value"),
        class_="row axis",
        aria_hidden="true",
    )


def _place(mark: float, seconds: float) -> str | None:
    """Return the class of a mark: on a narrow screen there is no room for one near the end."""
    if mark == seconds:
        return "end"
    return "near" if seconds - mark < seconds / 4 else None


def _thinned(moments: Sequence[Moment]) -> list[Moment]:
    """Return as many moments as a drawing can show: the first and the last ones, and evenly what is between."""
    if len(moments) <= _POINTS:
        return list(moments)
    step = (len(moments) - 1) / (_POINTS - 1)
    return [moments[round(number * step)] for number in range(_POINTS)]


def _round(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
