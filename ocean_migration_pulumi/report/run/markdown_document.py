"""A run as Markdown for GitHub and GitLab: the verdict first, and no longer than a comment may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ocean_migration_pulumi.api.models.migration import LogEntry
from ocean_migration_pulumi.common.text import count_noun, one_line
from ocean_migration_pulumi.migration.diagnosis.diagnosis import StuckPod
from ocean_migration_pulumi.migration.views.run_report import RunReport
from ocean_migration_pulumi.report.markdown import code, fence, heading, item, prose, row
from ocean_migration_pulumi.report.pull_request.layout import Part, Weight, fit_parts
from ocean_migration_pulumi.report.run import facts, mermaid
from ocean_migration_pulumi.report.run.facts import Fact, ReportedNewNode, ReportedOldNode, ReportedStage

LIMIT: Final = 65_000
"""How many characters a report may have, below what GitHub takes of a comment or an issue: 65,536."""

_MANY: Final = 50  # rows that a reader is not asked to unfold
_MOST_LINES: Final = 100
_MOST_MOMENTS: Final = 200
_LINE: Final = 300  # characters of a line of the log


def render(run_report: RunReport, *, limit: int = LIMIT) -> str:
    """Return the report, no longer than the limit (at least 10,000 characters); it ends with a line break."""
    nodes = facts.old_nodes(run_report)
    parts = [
        _opening(run_report),
        *_why(run_report),
        *_course(run_report),
        *_leftovers(run_report.explanation.stuck),
        *_unscheduled(facts.unscheduled(run_report)),
        *_old_nodes(nodes),
        *_new_nodes(facts.new_nodes(run_report)),
        *_log(run_report.log),
        *_notes(facts.notes(run_report)),
        Part(rows=(f"As of {facts.time_of(run_report.generated_at)}, told by `ocean-migration report`.",)),
    ]
    return fit_parts(parts, [], [], limit - 1) + "\n"


def _opening(run_report: RunReport) -> Part:
    verdict = facts.VERDICTS[run_report.explanation.outcome]
    rows = [
        f"## Migration {code(run_report.status.id)}",
        f"**{verdict}**: {prose(run_report.explanation.headline)}",
        "\n".join([heading(("", "")), *(row((fact.label, _fact(fact))) for fact in facts.facts(run_report))]),
    ]
    return Part(rows=tuple(rows), between="\n\n")


def _fact(fact: Fact) -> str:
    return " ".join([*([fact.text] if fact.text else []), *map(code, fact.names)])


def _why(run_report: RunReport) -> list[Part]:
    title, reason, evidence, remedy = facts.why(run_report)
    rows = [f"**Reason**: {code(reason)}"] if reason else []
    rows += map(prose, evidence)
    if remedy:
        # First of all, should there be no room for the rest.
        rows.insert(0, f"**What to do**: {prose(remedy)}")
    if not rows:
        return []
    head = f"### {title}\n\n"
    return [Part(rows=tuple(map(item, rows)), head=head, weight=Weight.ERROR, noun="line", most=_MANY)]


def _course(run_report: RunReport) -> list[Part]:
    rows = ["### What happened"]
    if states := mermaid.states(run_report):
        rows.append(fence(states, "mermaid"))
    if done := mermaid.nodes_done(run_report):
        rows.append(fence(done, "mermaid"))
    if not run_report.is_recorded:
        return [Part(rows=(*rows, facts.NOT_RECORDED), between="\n\n")]
    changes = facts.changes(run_report.moments)
    lines = [
        row(
            (
                facts.time_of(moment.at),
                code(moment.state),
                f"{moment.done}/{moment.total}",
                str(moment.pods),
                str(moment.unscheduled),
            )
        )
        for moment in changes
    ]
    columns = ("at", "state", "nodes done", "pods left", "unscheduled pods")
    return [
        Part(rows=tuple(rows), between="\n\n"),
        _folded(f"The {count_noun(len(lines), 'change')} as a table", columns, lines, "change", _MOST_MOMENTS),
    ]


def _leftovers(stuck: Sequence[StuckPod]) -> list[Part]:
    rows = [row((code(held.pod), _code(held.node), prose(held.why), prose(held.remedy))) for held in stuck]
    columns = ("pod", "old node", "what holds it", "what to do")
    return _table(f"Pods that are left: {count_noun(len(rows), 'pod')}", columns, rows, "pod", Weight.WARNING)


def _unscheduled(pods: Sequence[str]) -> list[Part]:
    if not pods:
        return []
    rows = tuple(item(code(pod)) for pod in pods)
    head = f"### Unscheduled: {count_noun(len(rows), 'pod')}\n\n"
    return [Part(rows=rows, head=head, weight=Weight.REMARK, noun="pod", most=_MANY)]


def _old_nodes(nodes: Sequence[ReportedOldNode]) -> list[Part]:
    columns = ("node", "what became of it", "pods left", "state", "instance", "Auto Scaling Group")
    title = f"Old nodes: {facts.summary_of(nodes)}"
    rows = [_old_node(node) for node in nodes]
    if len(nodes) <= _MANY:
        return _table(title, columns, rows, "node", Weight.TABLE)
    pending = sum(node.stage is not ReportedStage.DONE for node in nodes)
    parts = _table(title, columns, rows[:pending], "node", Weight.TABLE) or [Part(rows=(f"### {title}",))]
    if done := rows[pending:]:
        parts.append(_folded(f"{count_noun(len(done), 'node')} done", columns, done, "node"))
    return parts


def _old_node(node: ReportedOldNode) -> str:
    told = (facts.REPORTED_STAGES[node.stage], facts.pods_of(node.pods))
    return row((_code(node.name), *told, _code(node.state), code(node.instance_id), _code(node.group)))


def _new_nodes(nodes: Sequence[ReportedNewNode]) -> list[Part]:
    columns = ("node", "Virtual Node Group", "pods", "state", "instance")
    rows = [
        row(
            (
                _code(node.name),
                _code(node.virtual_node_group),
                facts.pods_of(node.pods),
                _code(node.state),
                code(node.instance_id),
            )
        )
        for node in nodes
    ]
    if len(rows) <= _MANY:
        return _table(f"New nodes: {len(rows)}", columns, rows, "node", Weight.TABLE)
    return [Part(rows=(f"### New nodes: {len(rows)}",)), _folded(f"All {len(rows)} nodes", columns, rows, "node")]


def _log(log: Sequence[LogEntry]) -> list[Part]:
    if not log:
        return []
    lines = facts.excerpt(log, _MOST_LINES)
    written = [f"{facts.log_time(line)} {line.severity or facts.NONE} {line.message[:_LINE]}" for line in lines]
    opened, *rows, closed = fence("\n".join(map(one_line, written)), "text").splitlines()
    head = f"<details><summary>{facts.of_all(len(rows), len(log), 'line')} of the log</summary>\n\n{opened}\n"
    tail = f"\n{closed}\n\n</details>"
    return [Part(rows=tuple(rows), head=head, tail=tail, weight=Weight.LIST, noun="line")]


def _notes(notes: Sequence[str]) -> list[Part]:
    if not notes:
        return []
    rows = tuple(item(prose(note)) for note in notes)
    return [Part(rows=rows, head="### What could not be known\n\n", weight=Weight.WARNING, noun="line", most=20)]


def _table(title: str, columns: Sequence[str], rows: Sequence[str], noun: str, weight: Weight) -> list[Part]:
    if not rows:
        return []
    head = f"{heading(columns)}\n"
    return [
        Part(rows=(f"### {title}",)),
        Part(rows=tuple(rows), head=head, weight=weight, noun=noun, most=2 * _MANY),
    ]


def _folded(summary: str, columns: Sequence[str], rows: Sequence[str], noun: str, most: int | None = None) -> Part:
    head = f"<details><summary>{summary}</summary>\n\n{heading(columns)}\n"
    return Part(rows=tuple(rows), head=head, tail="\n\n</details>", weight=Weight.LIST, noun=noun, most=most)


def _code(name: str) -> str:
    return code(name) if name else facts.NONE
