"""A run as one page of HTML that needs nothing else: no script, and no font or picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ocean_migration_pulumi.common.text import count_noun
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Outcome
from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.run import facts as run_facts
from ocean_migration_pulumi.report.run.charts import course
from ocean_migration_pulumi.report.run.facts import Fact, ReportedNewNode, ReportedOldNode, ReportedStage
from ocean_migration_pulumi.report.run.html_elements import Html, code, element, joined, name, prose, quoted
from ocean_migration_pulumi.report.run.style import STYLE

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
_FIGURES: Final = frozenset({"Duration", "Nodes done", "Pods left on old nodes", "Unscheduled pods", "New nodes"})
_MANY: Final = 50  # rows that a reader is not asked to unfold
_MOST_LINES: Final = 500
_MOST_MOMENTS: Final = 1000
_BREAK: Final = Html("\n")


def render(run_report: RunReport) -> str:
    """Return the whole page."""
    title = f"Migration {name(run_report.status.id)}: {run_facts.VERDICTS[run_report.explanation.outcome].lower()}"
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'),
        element("title", title),
        element("style", Html(STYLE)),
    )
    main = element("main", *(joined(_BREAK, part) for part in _parts(run_report) if part))
    said = f"As of {run_facts.time_of(run_report.generated_at)}, told by ocean-migration report."
    body = element("body", main, _BREAK, element("footer", element("p", said)))
    return f"<!DOCTYPE html>\n{element('html', head, _BREAK, body, lang='en')}\n"


def _parts(run_report: RunReport) -> Iterable[Html]:
    yield _opening(run_report)
    yield _figures(run_report)
    yield _why(run_report)
    yield _course(run_report)
    yield _leftovers(run_report)
    yield _unscheduled(run_facts.unscheduled(run_report))
    yield _old_nodes(run_facts.old_nodes(run_report))
    yield _new_nodes(run_facts.new_nodes(run_report))
    yield _log(run_report)
    if notes := run_facts.notes(run_report):
        yield _section("What could not be known", element("ul", *(element("li", prose(note)) for note in notes)))


def _opening(run_report: RunReport) -> Html:
    outcome = run_report.explanation.outcome
    verdict = element("strong", run_facts.VERDICTS[outcome])
    return joined(
        element("h1", "Migration ", code(run_report.status.id)),
        element("p", verdict, ": ", prose(run_report.explanation.headline), class_=f"verdict {_KINDS[outcome]}"),
    )


def _figures(run_report: RunReport) -> Html:
    facts = run_facts.facts(run_report)
    figures = [element("div", *_pair(fact)) for fact in facts if fact.label in _FIGURES]
    rest = [joined(*_pair(fact)) for fact in facts if fact.label not in _FIGURES]
    return joined(element("dl", *figures, class_="figures"), _BREAK, element("dl", *rest, class_="facts"))


def _pair(fact: Fact) -> tuple[Html, Html]:
    names = [part for text in fact.names for part in (Html(" "), code(text))][1:]
    return element("dt", fact.label), element("dd", fact.text, *names)


def _why(run_report: RunReport) -> Html:
    title, reason, evidence, remedy = run_facts.why(run_report)
    pairs = [("Reason", code(reason))] if reason else []
    if evidence:
        pairs.append(("What shows it", joined(*(element("div", prose(text)) for text in evidence))))
    if remedy:
        pairs.append(("What to do", joined(prose(remedy))))
    rows = (joined(element("dt", label), element("dd", said)) for label, said in pairs)
    return _section(title, element("dl", *rows, class_="why")) if pairs else Html("")


def _course(run_report: RunReport) -> Html:
    drawn = course(run_report)
    if not run_report.is_recorded:
        return _section("What happened", joined(drawn, element("p", quoted(run_facts.NOT_RECORDED))))
    changes = run_facts.changes(run_report.moments)
    rows = [
        (
            run_facts.time_of(moment.at),
            code(moment.state),
            f"{moment.done} of {moment.total}",
            str(moment.pods),
            str(moment.unscheduled),
        )
        for moment in changes[-_MOST_MOMENTS:]
    ]
    columns = ("at", "state", "nodes done*", "pods left*", "unscheduled pods*")
    summary = f"{run_facts.of_all(len(rows), len(changes), 'change')} as a table"
    return _section("What happened", joined(drawn, _folded(summary, _table("What happened", columns, rows))))


def _leftovers(run_report: RunReport) -> Html:
    stuck = run_report.explanation.stuck
    rows = [(code(held.pod), code(held.node), prose(held.why), prose(held.remedy)) for held in stuck]
    columns = ("pod", "old node", "what holds it", "what to do")
    return _listed("Pods that are left", count_noun(len(rows), "pod"), columns, rows, texts=(2, 3), shown=_MANY)


def _unscheduled(pods: Sequence[str]) -> Html:
    if not pods:
        return Html("")
    listed = element("ul", *(element("li", code(pod)) for pod in pods), class_="pods")
    if len(pods) > _MANY:
        listed = _folded(f"All {count_noun(len(pods), 'pod')}", listed)
    return _section("Unscheduled pods", listed, str(len(pods)))


def _old_nodes(nodes: Sequence[ReportedOldNode]) -> Html:
    columns = ("node", "what became of it", "pods left*", "state", "instance", "Auto Scaling Group")
    rows = [
        (
            code(node.name),
            element("span", run_facts.REPORTED_STAGES[node.stage], class_=f"stage {_STAGES[node.stage]}"),
            run_facts.pods_of(node.pods),
            code(node.state),
            code(node.instance_id),
            code(node.group),
        )
        for node in nodes
    ]
    shown = len(rows)
    if shown > _MANY:
        shown = min(_MANY, sum(node.stage is not ReportedStage.DONE for node in nodes))
    return _listed("Old nodes", run_facts.summary_of(nodes), columns, rows, shown=shown)


def _new_nodes(nodes: Sequence[ReportedNewNode]) -> Html:
    columns = ("node", "Virtual Node Group", "pods*", "state", "instance")
    rows = [
        (
            code(node.name),
            code(node.virtual_node_group),
            run_facts.pods_of(node.pods),
            code(node.state),
            code(node.instance_id),
        )
        for node in nodes
    ]
    return _listed("New nodes", str(len(rows)), columns, rows, shown=len(rows) if len(rows) <= _MANY else 0)


def _log(run_report: RunReport) -> Html:
    lines = run_facts.excerpt(run_report.log, _MOST_LINES)
    if not lines:
        return Html("")
    rows = [(run_facts.log_time(line), name(line.severity), prose(line.message)) for line in lines]
    table = _table("Log", ("at (UTC)", "severity", "message"), rows, texts=(2,))
    return _section("Log", _folded(f"{run_facts.of_all(len(rows), len(run_report.log), 'line')} of the log", table))


def _section(title: str, content: Html, aside: str = "") -> Html:
    small = [" ", element("small", aside)] if aside else []
    return element("section", element("h2", title, *small), content)


def _listed(
    title: str,
    aside: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    texts: Sequence[int] = (),
    shown: int | None = None,
) -> Html:
    """Return a section of rows, the first ``shown`` of them open and the others folded (None: all open)."""
    if not rows:
        return Html("")
    shown = len(rows) if shown is None else shown
    first, others = rows[:shown], rows[shown:]
    parts = [_table(title, columns, first, texts=texts)] if first else []
    if others:
        summary = f"{'The other' if first else 'All'} {count_noun(len(others), 'row')}"
        parts.append(_folded(summary, _table(title, columns, others, texts=texts)))
    return _section(title, joined(*parts), aside)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, texts: Sequence[int] = ()) -> Html:
    """Return a table in a box that scrolls by itself; a column with ``*`` holds numbers."""
    kinds = [
        "number" if column.endswith("*") else "text" if place in texts else None for place, column in enumerate(columns)
    ]
    heads = (
        element("th", column.rstrip("*"), scope="col", class_=kind if kind == "number" else None)
        for column, kind in zip(columns, kinds, strict=True)
    )
    body = (
        element(
            "tr",
            element("th", cells[0], scope="row"),
            *(element("td", cell, class_=kind) for cell, kind in zip(cells[1:], kinds[1:], strict=True)),
        )
        + _BREAK
        for cells in rows
    )
    table = element("table", element("thead", element("tr", *heads)), _BREAK, element("tbody", *map(Html, body)))
    return element("div", table, class_="table", role="region", aria_label=title, tabindex=0)


def _folded(summary: str, content: Html) -> Html:
    return element("details", element("summary", summary), content)
