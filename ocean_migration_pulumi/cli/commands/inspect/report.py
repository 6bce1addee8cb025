"""``ocean-migration report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

import click

from ocean_migration_pulumi.cli.context import CliContext, context_options, kubernetes_options, migration_argument
from ocean_migration_pulumi.cli.output import HTML, JSON, MARKDOWN, Output, output_options
from ocean_migration_pulumi.cli.recording import SOURCES, from_option, open_recording
from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.migration.views.run_report import Moment, RunReport, build_run_report

_EPILOG = """\b
Example:
  ocean-migration report owm-6e3819ae --cluster shop -o html --to report.html
  pulumi stack export | ocean-migration report --cluster shop --stack -
  ocean-migration report --from incident.jsonl
"""


@click.command("report", epilog=_EPILOG)
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
        msg = "give --from or --stack, not both"
        raise click.UsageError(msg)
    run_report = _asked(reach, migration, stack) if source is None else tell_record(source, migration, reach.scope)
    text = written(run_report, output.format)
    if to is None:
        output.text(text.removesuffix("\n"))
        return
    try:
        to.write_bytes(text.encode())
    except OSError as error:
        msg = f"cannot write {to}: {error.strerror}"
        raise click.ClickException(msg) from None


def written(run_report: RunReport, form: str) -> str:
    """Return a report in one of the formats; it ends with a line break."""
    if form == JSON:
        from ocean_migration_pulumi.report.run import json_document

        return json.dumps(json_document.document(run_report), indent=2) + "\n"
    if form == HTML:
        from ocean_migration_pulumi.report.run import html

        return html.render(run_report)
    from ocean_migration_pulumi.report.run import markdown_document

    return markdown_document.render(run_report)


def tell_record(record: Path, migration: str | None, scope: CancelScope) -> RunReport:
    """Tell a migration from a record; None is the one whose status was read last.

    Raises SettingsError for a file that is no record, and InputError for a migration that it does not hold.
    """
    with open_recording(record, migration) as recorded:
        return build_run_report(
            recorded.client,
            scope,
            SOURCES,
            recorded.ocean_id,
            recorded.status.id,
            moments=recorded.moments,
            now=recorded.now,
        )


def _asked(reach: CliContext, migration: str | None, stack: BinaryIO | None) -> RunReport:
    ocean_id = reach.cluster_id
    migration_id = reach.migration_id(migration)
    moments: tuple[Moment, ...] = ()
    if stack is not None:
        from ocean_migration_pulumi.report.run import exported_timeline

        moments = exported_timeline.moments(stack.read().decode("utf-8-sig", "replace"), migration_id)
    return build_run_report(reach.client, reach.scope, reach.sources(), ocean_id, migration_id, moments=moments)
