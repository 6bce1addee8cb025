"""The report of a run as one HTML page without scripts, fonts or pictures from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Final

from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Outcome
from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.run import facts as run_facts
from ocean_migration_pulumi.report.run.facts import Cell, Fact, Message, Name, ReportedStage, ReportTable
from ocean_migration_pulumi.report.run.html_elements import Html, code, element, joined, name, prose, quoted

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_KINDS: Final = {
    Outcome.RUNNING: "usual",
    Outcome.FINISHED: "good",
    Outcome.LEFTOVERS: "held",
    Outcome.STOPPED: "held",
    Outcome.FAILED: "bad",
    Outcome.STALLED: "held",
}
_STAGES: Final = {
    ReportedStage.MANUAL: "bad",
    ReportedStage.PODS: "held",
    ReportedStage.UNTOLD: "unseen",
    ReportedStage.DONE: "good",
}
_MANY: Final = 50  # rows that a reader is not asked to unfold
_MOST_LINES: Final = 500
_MOST_MOMENTS: Final = 1000
_BREAK: Final = Html("\n")


def render_html(run_report: RunReport) -> str:
    """Return the whole page."""
    title = f"Migration {name(run_report.status.id)}: {run_facts.VERDICTS[run_report.explanation.outcome].lower()}"
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'),
        element("title", title),
        element("style", Html(style)),
    )
    main = element("main", *(joined(_BREAK, part) for part in _parts(run_report) if part))
    said = f"As of {run_facts.format_moment(run_report.generated_at)}, by ocean-migration report."
    body = element("body", main, _BREAK, element("footer", element("p", said)))
    return f"<!DOCTYPE html>\n{element('html', head, _BREAK, body, lang='en')}\n"


def _parts(run_report: RunReport) -> Iterable[Html]:
    yield _opening(run_report)
    yield _figures(run_report)
    yield _why(run_report)
    yield _course(run_report)
    stuck = run_facts.tabulate_stuck_pods(run_report)
    yield _listed("Pods left", count_noun(len(stuck.rows), "pod"), stuck, shown=_MANY)
    unready = run_facts.tabulate_unready(run_report)
    yield _listed("Not ready", count_noun(len(unready.rows), "workload"), unready, shown=_MANY)
    yield _unscheduled(run_facts.unscheduled_pods(run_report))
    yield _old_nodes(run_report)
    yield _new_nodes(run_report)
    yield _log(run_report)
    if notes := run_facts.list_notes(run_report):
        yield _section("Unknown", element("ul", *(element("li", prose(note)) for note in notes)))


def _opening(run_report: RunReport) -> Html:
    outcome = run_report.explanation.outcome
    verdict = element("strong", run_facts.VERDICTS[outcome])
    return joined(
        element("h1", "Migration ", code(run_report.status.id)),
        element("p", verdict, ": ", prose(run_report.explanation.headline), class_=f"verdict {_KINDS[outcome]}"),
    )


def _figures(run_report: RunReport) -> Html:
    facts = run_facts.list_facts(run_report)
    figures = [element("div", *_pair(fact)) for fact in facts if fact.is_figure]
    rest = [joined(*_pair(fact)) for fact in facts if not fact.is_figure]
    return joined(element("dl", *figures, class_="figures"), _BREAK, element("dl", *rest, class_="facts"))


def _pair(fact: Fact) -> tuple[Html, Html]:
    names = [part for text in fact.names for part in (Html(" "), code(text))][1:]
    return element("dt", fact.label), element("dd", fact.text, *names)


def _why(run_report: RunReport) -> Html:
    title, reason, evidence, remedy = run_facts.explain(run_report)
    lines = [element("div", prose(text)) for text in evidence]
    if lines and not reason and not remedy:
        return _section(title, joined(*lines))
    pairs = [("Reason", code(reason))] if reason else []
    if lines:
        pairs.append(("Evidence", joined(*lines)))
    if remedy:
        pairs.append(("Remedy", joined(prose(remedy))))
    rows = (joined(element("dt", label), element("dd", said)) for label, said in pairs)
    return _section(title, element("dl", *rows, class_="why")) if pairs else Html("")


def _course(run_report: RunReport) -> Html:
    if not run_report.is_recorded:
        return _section("State changes", element("p", quoted(run_facts.NOT_RECORDED)))
    changes = run_facts.select_changes(run_report.moments)
    table = run_facts.tabulate_changes(changes[-_MOST_MOMENTS:], " of ")
    count = len(table.rows)
    aside = run_facts.count_of(count, len(changes), "change")
    return _listed("State changes", aside, table, shown=count if count <= _MANY else 0)


def _unscheduled(pods: Sequence[str]) -> Html:
    if not pods:
        return Html("")
    listed = element("ul", *(element("li", code(pod)) for pod in pods), class_="pods")
    if len(pods) > _MANY:
        listed = _folded(f"All {count_noun(len(pods), 'pod')}", listed)
    return _section("Unscheduled pods", listed, str(len(pods)))


def _old_nodes(run_report: RunReport) -> Html:
    nodes = run_facts.old_nodes(run_report)
    shown = len(nodes)
    if shown > _MANY:
        shown = min(_MANY, sum(stage is not ReportedStage.DONE for stage, _ in nodes))
    return _listed("Old nodes", run_facts.summarize_stages(nodes), run_facts.tabulate_old_nodes(nodes), shown=shown)


def _new_nodes(run_report: RunReport) -> Html:
    table = run_facts.tabulate_new_nodes(run_facts.new_nodes(run_report))
    count = len(table.rows)
    return _listed("New nodes", str(count), table, shown=count if count <= _MANY else 0)


def _log(run_report: RunReport) -> Html:
    lines = run_facts.select_log_lines(run_report.log, _MOST_LINES)
    if not lines:
        return Html("")
    rows: list[tuple[Cell, ...]] = [
        (run_facts.format_log_time(line), name(line.severity), Message(line.message)) for line in lines
    ]
    table = _table("Log", ReportTable(columns=("at (UTC)", "severity", "message"), rows=rows))
    return _section("Log", _folded(f"{run_facts.count_of(len(rows), len(run_report.log), 'line')} of the log", table))


def _section(title: str, content: Html, aside: str = "") -> Html:
    small = [" ", element("small", aside)] if aside else []
    return element("section", element("h2", title, *small), content)


def _listed(title: str, aside: str, table: ReportTable, *, shown: int) -> Html:
    """Return a section with a table, the first ``shown`` rows open and the others folded."""
    if not table.rows:
        return Html("")
    first, others = replace(table, rows=table.rows[:shown]), replace(table, rows=table.rows[shown:])
    parts = [_table(title, first)] if first.rows else []
    if others.rows:
        summary = f"{'The other' if first.rows else 'All'} {count_noun(len(others.rows), 'row')}"
        parts.append(_folded(summary, _table(title, others)))
    return _section(title, joined(*parts), aside)


def _table(title: str, table: ReportTable) -> Html:
    """Return a table in a box that scrolls by itself."""
    kinds = [
        "number" if column in table.numbers else "text" if isinstance(cell, Message) else None
        for column, cell in zip(table.columns, table.rows[0], strict=True)
    ]
    heads = (
        element("th", column, scope="col", class_=kind if kind == "number" else None)
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    body = (
        element(
            "tr",
            element("th", _cell(cells[0]), scope="row"),
            *(element("td", _cell(cell), class_=kind) for cell, kind in zip(cells[1:], kinds[1:], strict=True)),
        )
        + _BREAK
        for cells in table.rows
    )
    drawn = element("table", element("thead", element("tr", *heads)), _BREAK, element("tbody", *map(Html, body)))
    return element("div", drawn, class_="table", role="region", aria_label=title, tabindex=0)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Name):
        return code(cell)
    if isinstance(cell, Message):
        return prose(cell)
    if isinstance(cell, ReportedStage):
        return element("span", run_facts.REPORTED_STAGES[cell], class_=f"stage {_STAGES[cell]}")
    return run_facts.NONE if cell is None else str(cell)


def _folded(summary: str, content: Html) -> Html:
    return element("details", element("summary", summary), content)
