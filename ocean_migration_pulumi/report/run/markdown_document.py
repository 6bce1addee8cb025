"""The report of a run as Markdown for GitHub and GitLab, no longer than a comment may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ocean_migration_pulumi.api.models.migration import LogEntry
from ocean_migration_pulumi.common.text import count_noun, one_line
from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.markdown import code, fence, heading, item, prose, row
from ocean_migration_pulumi.report.pull_request.layout import Part, Weight, fit_parts
from ocean_migration_pulumi.report.run import facts, mermaid
from ocean_migration_pulumi.report.run.facts import Cell, Fact, Message, Name, ReportedStage, ReportTable

LIMIT: Final = 65_000
"""How many characters a report may have, below what GitHub takes of a comment or an issue: 65,536."""

_MANY: Final = 50  # rows that a reader is not asked to unfold
_MOST_LINES: Final = 100
_MOST_MOMENTS: Final = 200
_LINE: Final = 300  # characters of a line of the log


def render_markdown(run_report: RunReport, *, limit: int = LIMIT) -> str:
    """Return the report, no longer than the limit (at least 10,000 characters); it ends with a line break."""
    stuck = facts.tabulate_stuck_pods(run_report)
    unready = facts.tabulate_unready(run_report)
    parts = [
        _opening(run_report),
        *_why(run_report),
        *_course(run_report),
        *_table(f"Pods left: {count_noun(len(stuck.rows), 'pod')}", stuck, "pod", Weight.WARNING),
        *_table(f"Not ready: {count_noun(len(unready.rows), 'workload')}", unready, "workload", Weight.WARNING),
        *_unscheduled(facts.unscheduled_pods(run_report)),
        *_old_nodes(run_report),
        *_new_nodes(run_report),
        *_log(run_report.log),
        *_notes(facts.list_notes(run_report)),
        Part(rows=(f"As of {facts.format_moment(run_report.generated_at)}, by `ocean-migration report`.",)),
    ]
    return fit_parts(parts, [], [], limit - 1) + "\n"


def _opening(run_report: RunReport) -> Part:
    verdict = facts.VERDICTS[run_report.explanation.outcome]
    rows = [
        f"## Migration {code(run_report.status.id)}",
        f"**{verdict}**: {prose(run_report.explanation.headline)}",
        "\n".join([heading(("", "")), *(row((fact.label, _fact(fact))) for fact in facts.list_facts(run_report))]),
    ]
    return Part(rows=tuple(rows), between="\n\n")


def _fact(fact: Fact) -> str:
    return " ".join([*([fact.text] if fact.text else []), *map(code, fact.names)])


def _why(run_report: RunReport) -> list[Part]:
    title, reason, evidence, remedy = facts.explain(run_report)
    rows = [f"**Reason**: {code(reason)}"] if reason else []
    rows += map(prose, evidence)
    if remedy:
        # First of all, should there be no room for the rest.
        rows.insert(0, f"**Remedy**: {prose(remedy)}")
    if not rows:
        return []
    head = f"### {title}\n\n"
    return [Part(rows=tuple(map(item, rows)), head=head, weight=Weight.ERROR, noun="line", most=_MANY)]


def _course(run_report: RunReport) -> list[Part]:
    rows = ["### State changes"]
    if states := mermaid.draw_states(run_report):
        rows.append(fence(states, "mermaid"))
    if done := mermaid.draw_nodes_done(run_report):
        rows.append(fence(done, "mermaid"))
    if not run_report.is_recorded:
        return [Part(rows=(*rows, facts.NOT_RECORDED), between="\n\n")]
    changes = facts.tabulate_changes(facts.select_changes(run_report.moments), "/")
    summary = f"The {count_noun(len(changes.rows), 'change')} as a table"
    return [Part(rows=tuple(rows), between="\n\n"), _folded(summary, changes, "change", _MOST_MOMENTS)]


def _unscheduled(pods: Sequence[str]) -> list[Part]:
    if not pods:
        return []
    rows = tuple(item(code(pod)) for pod in pods)
    head = f"### Unscheduled: {count_noun(len(rows), 'pod')}\n\n"
    return [Part(rows=rows, head=head, weight=Weight.REMARK, noun="pod", most=_MANY)]


def _old_nodes(run_report: RunReport) -> list[Part]:
    nodes = facts.old_nodes(run_report)
    title = f"Old nodes: {facts.summarize_stages(nodes)}"
    table = facts.tabulate_old_nodes(nodes)
    if len(nodes) <= _MANY:
        return _table(title, table, "node", Weight.TABLE)
    pending = sum(stage is not ReportedStage.DONE for stage, _ in nodes)
    first, done = replace(table, rows=table.rows[:pending]), replace(table, rows=table.rows[pending:])
    parts = _table(title, first, "node", Weight.TABLE) or [Part(rows=(f"### {title}",))]
    if done.rows:
        parts.append(_folded(f"{count_noun(len(done.rows), 'node')} done", done, "node"))
    return parts


def _new_nodes(run_report: RunReport) -> list[Part]:
    table = facts.tabulate_new_nodes(facts.new_nodes(run_report))
    title = f"New nodes: {len(table.rows)}"
    if len(table.rows) <= _MANY:
        return _table(title, table, "node", Weight.TABLE)
    return [Part(rows=(f"### {title}",)), _folded(f"All {len(table.rows)} nodes", table, "node")]


def _log(log: Sequence[LogEntry]) -> list[Part]:
    if not log:
        return []
    lines = facts.select_log_lines(log, _MOST_LINES)
    written = [f"{facts.format_log_time(line)} {line.severity or facts.NONE} {line.message[:_LINE]}" for line in lines]
    opened, *rows, closed = fence("\n".join(map(one_line, written)), "text").splitlines()
    head = f"<details><summary>{facts.count_of(len(rows), len(log), 'line')} of the log</summary>\n\n{opened}\n"
    tail = f"\n{closed}\n\n</details>"
    return [Part(rows=tuple(rows), head=head, tail=tail, weight=Weight.LIST, noun="line")]


def _notes(notes: Sequence[str]) -> list[Part]:
    if not notes:
        return []
    rows = tuple(item(prose(note)) for note in notes)
    return [Part(rows=rows, head="### Unknown\n\n", weight=Weight.WARNING, noun="line", most=20)]


def _table(title: str, table: ReportTable, noun: str, weight: Weight) -> list[Part]:
    if not table.rows:
        return []
    head = f"{heading(table.columns)}\n"
    return [Part(rows=(f"### {title}",)), Part(rows=_rows(table), head=head, weight=weight, noun=noun, most=2 * _MANY)]


def _folded(summary: str, table: ReportTable, noun: str, most: int | None = None) -> Part:
    head = f"<details><summary>{summary}</summary>\n\n{heading(table.columns)}\n"
    return Part(rows=_rows(table), head=head, tail="\n\n</details>", weight=Weight.LIST, noun=noun, most=most)


def _rows(table: ReportTable) -> tuple[str, ...]:
    return tuple(row(map(_cell, cells)) for cells in table.rows)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Message):
        return prose(cell)
    if isinstance(cell, ReportedStage):
        return facts.REPORTED_STAGES[cell]
    if cell is None or cell == "":
        return facts.NONE
    return code(cell) if isinstance(cell, Name) else str(cell)
