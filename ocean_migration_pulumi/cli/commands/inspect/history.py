"""``ocean-migration history``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC

import click

from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options, say
from ocean_migration_pulumi.common.times import format_elapsed, parse_time
from ocean_migration_pulumi.migration.diagnosis.history import MOST_STATUSES, PastMigration, read_history


@click.command("history", epilog=examples("ocean-migration history --cluster shop --all"))
@click.option(
    "--all", "whole", is_flag=True, help=f"Show details of all migrations, not only of the newest {MOST_STATUSES}."
)
@output_options()
@context_options
def command(context: CliContext, output: Output, whole: bool) -> None:
    """List the migrations of a cluster, newest first, with the outcome of each."""
    cluster = context.cluster_id
    found = read_history(context.client, context.scope, cluster, most=None if whole else MOST_STATUSES)
    table = Table(
        title=f"Migrations of {cluster}",
        columns=("migration", "created", "took", "nodes", "outcome", "terminate", "evict"),
        rows=tuple(map(_row, found.migrations)),
        numbers=frozenset({"took", "nodes"}),
        empty=f"No migration on {cluster}",
    )
    output.show(table, {"ocean_id": cluster, **asdict(found)})
    if output.is_table:
        for note in found.notes:
            say(note)


def _row(past: PastMigration) -> tuple[str | bool | None, ...]:
    return (
        past.id,
        _drop_fraction(past.created_at),
        None if past.seconds is None else format_elapsed(past.seconds),
        None if past.total is None else f"{past.done}/{past.total}",
        past.outcome,
        past.should_terminate_drained_nodes,
        past.should_evict_stand_alone_pods,
    )


def _drop_fraction(at: str | None) -> str | None:
    """Return a time in whole seconds: with milliseconds the table does not fit a terminal of 80 columns."""
    moment = parse_time(at)
    return at if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
