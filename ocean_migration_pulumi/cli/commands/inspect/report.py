"""``ocean-migration report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

import click

from ocean_migration_pulumi.cli.context import CliContext, context_options, kubernetes_options, migration_argument
from ocean_migration_pulumi.cli.output import HTML, JSON, MARKDOWN, Output, examples, output_options
from ocean_migration_pulumi.cli.recording import from_option, open_migration
from ocean_migration_pulumi.migration.views.run_report import RunReport, build_run_report


@click.command(
    "report",
    epilog=examples(
        "ocean-migration report owm-6e3819ae --cluster shop -o html --to report.html",
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
    help="Take the course from the stack that ran it, as `pulumi stack export` prints it; - is stdin.",
)
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file and not to stdout.",
)
@output_options((MARKDOWN, JSON, HTML))
@kubernetes_options
@context_options
def command(
    reach: CliContext,
    output: Output,
    migration: str | None,
    source: Path | None,
    stack: BinaryIO | None,
    to: Path | None,
) -> None:
    """Tell what happened in a migration: its states, nodes and leftovers, why it ended so, and what to do.

    Of the one that runs, or else of the newest, unless it is named. The service tells of begin and end alone; the
    course in between comes from a record, or from the stack. Markdown is for an issue or a pull request, HTML is one
    page that needs nothing else.
    """
    if source is not None and stack is not None:
        raise click.UsageError("give --from or --stack, not both")
    with open_migration(reach, migration, source) as chosen:
        moments = chosen.moments
        if stack is not None:
            from ocean_migration_pulumi.report.run import exported_timeline

            exported = stack.read().decode("utf-8-sig", "replace")
            moments = exported_timeline.read_exported_moments(exported, chosen.migration_id)
        run_report = build_run_report(
            chosen.client,
            reach.scope,
            chosen.sources,
            chosen.ocean_id,
            chosen.migration_id,
            moments=moments,
            now=chosen.now,
        )
    text = _render(run_report, output.format)
    if to is None:
        output.text(text.removesuffix("\n"))
        return
    try:
        to.write_bytes(text.encode())
    except OSError as error:
        raise click.ClickException(f"cannot write {to}: {error.strerror}") from None


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
