"""``ocean-migration report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

import click

from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options, migration_argument
from ocean_migration_pulumi.cli.options import OPTIONS
from ocean_migration_pulumi.cli.output import (
    HTML,
    JSON,
    MARKDOWN,
    TABLE,
    Output,
    OutputFile,
    Table,
    examples,
    output_options,
)
from ocean_migration_pulumi.cli.recording import from_option, open_migration
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.migration.views.run_report import RunReport, build_run_report


@click.command(
    "report",
    epilog=examples(
        "ocean-migration report owm-6e3819ae --cluster shop",
        "ocean-migration report owm-6e3819ae --cluster shop -o html --output report.html",
        "pulumi stack export | ocean-migration report --cluster shop --stack -",
        "ocean-migration report --from incident.jsonl",
    ),
)
@migration_argument
@from_option
@click.option(
    "--stack",
    type=click.File("rb"),
    metavar="FILE",
    help="Read timeline and workload health from the output of `pulumi stack export`; - reads stdin.",
)
@click.option("--to", type=OutputFile(), hidden=True, help="The same as --output.")
@output_options((TABLE, MARKDOWN, JSON, HTML), elsewhere=MARKDOWN)
@kubernetes_options
@context_options
def command(
    context: CliContext,
    output: Output,
    migration: str | None,
    source: Path | None,
    stack: BinaryIO | None,
    to: Path | None,
) -> None:
    """Report on a migration: its states, nodes and remaining pods, why it ended, and what to do.

    Without MIGRATION, reports on the running migration, else on the newest one. Spot keeps only the times of the start
    and the end; the timeline in between comes from a record (--from) or from the stack (--stack). Markdown is for an
    issue or a pull request. HTML is a single page.
    """
    if source is not None and stack is not None:
        raise click.UsageError("--from and --stack are mutually exclusive")
    with open_migration(context, migration, source) as chosen:
        moments, health = chosen.moments, None
        if stack is not None:
            from ocean_migration_pulumi.report.run import exported_timeline

            exported = stack.read().decode("utf-8-sig", "replace")
            moments = exported_timeline.read_exported_moments(exported, chosen.migration_id)
            health = exported_timeline.read_exported_health(exported, chosen.migration_id)
        run_report = build_run_report(
            chosen.client,
            context.scope,
            chosen.sources,
            chosen.ocean_id,
            chosen.migration_id,
            moments=moments,
            health=health,
            now=chosen.now,
            vocabulary=OPTIONS,
        )
    if to is not None:
        output = Output(MARKDOWN if output.format == TABLE else output.format, to)
    if output.is_table:
        _show(output, run_report)
    else:
        output.text(_render(run_report, output.format).removesuffix("\n"))


def _show(output: Output, run_report: RunReport) -> None:
    """Write the report as lines and tables."""
    from ocean_migration_pulumi.report.run import facts

    output.lines([run_report.explanation.headline, ""])
    listed = facts.list_facts(run_report)
    width = max(len(fact.label) for fact in listed)
    for fact in listed:
        text = one_line(" ".join([*([fact.text] if fact.text else []), *fact.names]))
        output.text(f"{fact.label:{width}}  {text}".rstrip())
    title, reason, evidence, remedy = facts.explain(run_report)
    lines = [*([f"Reason: {reason}"] if reason else []), *evidence, *([f"What to do: {remedy}"] if remedy else [])]
    if lines:
        output.lines(["", title, *(f"  {line}" for line in lines)])
    for title, table in (
        ("Workloads that are not ready", facts.tabulate_unready(run_report)),
        ("Remaining pods", facts.tabulate_stuck_pods(run_report)),
        ("Timeline", facts.tabulate_changes(facts.select_changes(run_report.moments), "/")),
        ("Old nodes", facts.tabulate_old_nodes(facts.old_nodes(run_report))),
        ("New nodes", facts.tabulate_new_nodes(facts.new_nodes(run_report))),
    ):
        if table.rows:
            rows = tuple(tuple(facts.describe_cell(value) for value in row) for row in table.rows)
            output.lines(["", title])
            output.show(Table(title="", columns=table.columns, rows=rows, numbers=table.numbers), None)
    for heading, texts in (
        ("Unscheduled pods", facts.unscheduled_pods(run_report)),
        ("Notes", facts.list_notes(run_report)),
    ):
        if texts:
            output.lines(["", heading, *(f"  {text}" for text in texts)])


def _render(run_report: RunReport, form: str) -> str:
    """Return a report in one of the formats; it ends with a line break."""
    if form == JSON:
        from ocean_migration_pulumi.report.run import json_document

        return json.dumps(json_document.report_to_json(run_report), indent=2) + "\n"
    if form == HTML:
        from ocean_migration_pulumi.report.run import html

        return html.render_html(run_report)
    from ocean_migration_pulumi.report.run import markdown_document

    return markdown_document.render_markdown(run_report)
