"""A run as one page of HTML that needs nothing else: no script, and no font or picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ocean_migration_pulumi.migration.diagnosis.diagnosis import Outcome
from ocean_migration_pulumi.migration.spec.planned_nodes import counted
from ocean_migration_pulumi.migration.views.run_report import Story
from ocean_migration_pulumi.report.run import facts as run_facts
from ocean_migration_pulumi.report.run.charts import course
from ocean_migration_pulumi.report.run.facts import Fact, NewNode, OldNode, Stage
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
_STAGES: Final = {Stage.MANUAL: "bad", Stage.PODS: "held", Stage.UNTOLD: "unseen", Stage.DONE: "good"}
_FIGURES: Final = frozenset({"Duration", "Nodes done", "Pods left on old nodes", "Unscheduled pods", "New nodes"})
_MANY: Final = 50  # rows that a reader is not asked to unfold
_MOST_LINES: Final = 500
_MOST_MOMENTS: Final = 1000
_BREAK: Final = Html("\n")


def render(story: Story) -> str:
    """Return the whole page."""
    title = f"Migration {name(story.status.id)}: {run_facts.VERDICTS[story.explanation.outcome].lower()}"
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'),
        element("title", title),
        element("style", Html(STYLE)),
    )
    main = element("main", *(joined(_BREAK, part) for part in _parts(story) if part))
    said = f"As of {run_facts.time_of(story.generated_at)}, told by ocean-migration report."
    body = element("body", main, _BREAK, element("footer", element("p", said)))
    return f"<!DOCTYPE html>\n{element('html', head, _BREAK, body, lang='en')}\n"


def _parts(story: Story) -> Iterable[Html]:
    yield _opening(story)
    yield _figures(story)
    yield _why(story)
    yield _course(story)
    yield _leftovers(story)
    yield _unscheduled(run_facts.unscheduled(story))
    yield _old_nodes(run_facts.old_nodes(story))
    yield _new_nodes(run_facts.new_nodes(story))
    yield _log(story)
    if notes := run_facts.notes(story):
        yield _section("What could not be known", element("ul", *(element("li", prose(note)) for note in notes)))


def _opening(story: Story) -> Html:
    outcome = story.explanation.outcome
    verdict = element("strong", run_facts.VERDICTS[outcome])
    return joined(
        element("h1", "Migration ", code(story.status.id)),
        element("p", verdict, ": ", prose(story.explanation.headline), class_=f"verdict {_KINDS[outcome]}"),
    )


def _figures(story: Story) -> Html:
    facts = run_facts.facts(story)
    figures = [element("div", *_pair(fact)) for fact in facts if fact.label in _FIGURES]
    rest = [joined(*_pair(fact)) for fact in facts if fact.label not in _FIGURES]
    return joined(element("dl", *figures, class_="figures"), _BREAK, element("dl", *rest, class_="facts"))


def _pair(fact: Fact) -> tuple[Html, Html]:
    names = [part for text in fact.names for part in (Html(" "), code(text))][1:]
    return element("dt", fact.label), element("dd", fact.text, *names)


def _why(story: Story) -> Html:
    title, reason, evidence, remedy = run_facts.why(story)
    pairs = [("Reason", code(reason))] if reason else []
    if evidence:
        pairs.append(("What shows it", joined(*(element("div", prose(text)) for text in evidence))))
    if remedy:
        pairs.append(("What to do", joined(prose(remedy))))
    rows = (joined(element("dt", label), element("dd", said)) for label, said in pairs)
    return _section(title, element("dl", *rows, class_="why")) if pairs else Html("")


def _course(story: Story) -> Html:
    drawn = course(story)
    if not story.is_recorded:
        return _section("What happened", joined(drawn, element("p", quoted(run_facts.NOT_RECORDED))))
    changes = run_facts.changes(story.moments)
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


def _leftovers(story: Story) -> Html:
    holdings = story.explanation.holdings
    rows = [(code(held.pod), code(held.node), prose(held.why), prose(held.remedy)) for held in holdings]
    columns = ("pod", "old node", "what holds it", "what to do")
    return _listed("Pods that are left", counted(len(rows), "pod"), columns, rows, texts=(2, 3), shown=_MANY)


def _unscheduled(pods: Sequence[str]) -> Html:
    if not pods:
        return Html("")
    listed = element("ul", *(element("li", code(pod)) for pod in pods), class_="pods")
    if len(pods) > _MANY:
        listed = _folded(f"All {counted(len(pods), 'pod')}", listed)
    return _section("Unscheduled pods", listed, str(len(pods)))


def _old_nodes(nodes: Sequence[OldNode]) -> Html:
    columns = ("node", "what became of it", "pods left*", "state", "instance", "Auto Scaling Group")
    rows = [
        (
            code(node.name),
            element("span", run_facts.STAGES[node.stage], class_=f"stage {_STAGES[node.stage]}"),
            run_facts.pods_of(node.pods),
            code(node.state),
            code(node.instance_id),
            code(node.group),
        )
        for node in nodes
    ]
    shown = len(rows)
    if shown > _MANY:
        shown = min(_MANY, sum(node.stage is not Stage.DONE for node in nodes))
    return _listed("Old nodes", run_facts.summary_of(nodes), columns, rows, shown=shown)


def _new_nodes(nodes: Sequence[NewNode]) -> Html:
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


def _log(story: Story) -> Html:
    lines = run_facts.excerpt(story.log, _MOST_LINES)
    if not lines:
        return Html("")
    rows = [(run_facts.log_time(line), name(line.severity), prose(line.message)) for line in lines]
    table = _table("Log", ("at (UTC)", "severity", "message"), rows, texts=(2,))
    return _section("Log", _folded(f"{run_facts.of_all(len(rows), len(story.log), 'line')} of the log", table))


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
        summary = f"{'The other' if first else 'All'} {counted(len(others), 'row')}"
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
