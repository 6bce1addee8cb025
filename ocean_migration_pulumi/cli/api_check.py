"""``ocean-migration api-check``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from ocean_migration_pulumi.api.recorded import read_record
from ocean_migration_pulumi.api.transport import program
from ocean_migration_pulumi.api_check import answer_questions, send_probes
from ocean_migration_pulumi.api_check.rendering import COLUMNS, rows, summary, to_json, to_markdown

from .common import Reach, reach_options
from .output import JSON, MARKDOWN, TABLE, Output, Table, output_options
from .recorded import from_option

_EPILOG: Final = """\b
Example:
  ocean-migration api-check --cluster shop
  ocean-migration api-check --from incident.jsonl -o markdown
"""
_PROBE_SECONDS: Final = 120.0


@click.command("api-check", epilog=_EPILOG)
@from_option
@output_options((TABLE, JSON, MARKDOWN))
@reach_options
def command(reach: Reach, output: Output, source: Path | None) -> None:
    """Compare Spot's API with its documentation.

    Sends at most 15 GETs, or none with --from. Markdown has excerpts of the answers, for a bug report.
    """
    if source is None:
        exchanges = send_probes(reach.settings, reach.scope.at_most(_PROBE_SECONDS), reach.cluster_id)
    else:
        exchanges = read_record(source)
    answered = answer_questions(exchanges)
    if output.format == MARKDOWN:
        output.text(to_markdown(answered, program()))
        return
    output.show(Table(title="Spot's API", columns=COLUMNS, rows=rows(answered)), to_json(answered))
    if output.is_table:
        click.echo(f"{summary(answered)}; `-o markdown` has excerpts for a bug report", err=True)
