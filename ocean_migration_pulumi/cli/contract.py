"""What ``ocean-migration doctor --contract`` does: compare Spot's API itself with what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from ocean_migration_pulumi.api.recorded import read_record
from ocean_migration_pulumi.api.transport import program
from ocean_migration_pulumi.contract import judge, probe
from ocean_migration_pulumi.contract.showing import COLUMNS, rows, summary, to_json, to_markdown

from .common import Reach
from .output import MARKDOWN, Output, Table

_SECONDS: Final = 120.0


def show_contract(reach: Reach, output: Output, record: Path | None) -> None:
    """Show what this account's answers say to every open question; ``record`` is judged in their stead (None: none).

    Sends at most 15 GETs, none at all with a record. Raises the error of the cluster itself, AuthenticationError,
    SettingsError, or a WaitEndedError.
    """
    if record is None:
        exchanges = probe(reach.settings, reach.scope.at_most(_SECONDS), reach.cluster_id)
    else:
        exchanges = read_record(record)
    answered = judge(exchanges)
    if output.format == MARKDOWN:
        output.text(to_markdown(answered, program()))
        return
    table = Table(title="How Spot's API answers", columns=COLUMNS, rows=rows(answered))
    output.show(table, to_json(answered))
    if output.is_table:
        click.echo(f"{summary(answered)}; `-o markdown` has the excerpts, for a bug report", err=True)
