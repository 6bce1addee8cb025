"""``ocean-migration pending``."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from ocean_migration_pulumi.cli.exit_codes import CHANGES, DONE, USAGE
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options


@click.command(
    "pending",
    epilog=examples(
        "pulumi stack export | ocean-migration pending",
        exit_statuses={
            DONE: "nothing is pending",
            USAGE: "the input is not the export of a stack",
            CHANGES: "a migration is pending: run `pulumi refresh` and `pulumi up` again",
        },
    ),
)
@click.argument("export", type=click.File("rb"), default="-")
@output_options()
def command(output: Output, export: BinaryIO) -> None:
    """List the migrations of a stack that run, or that another `pulumi up` would continue.

    Reads the output of `pulumi stack export` from EXPORT or stdin. Needs no token and no network, and knows what the
    last `pulumi up` or `pulumi refresh` has recorded. A pipeline runs it after a successful `pulumi up`: with
    wait_for="started" or "progress", a migration may still run.
    """
    from ocean_migration_pulumi.migration.planning.text.outcomes_text import describe_unfinished
    from ocean_migration_pulumi.report.stack_export import find_pending

    found = [
        {
            "name": each.name,
            "migration_id": each.migration_id,
            "status": each.status,
            "reason": describe_unfinished(each.unfinished),
        }
        for each in find_pending(export.read().decode("utf-8-sig", "replace"), "EXPORT")
    ]
    table = Table(
        title="Pending migrations",
        columns=("resource", "migration", "status", "reason"),
        rows=tuple(tuple(each.values()) for each in found),
        empty="No migration is pending",
    )
    output.show(table, {"pending": found})
    sys.exit(CHANGES if found else DONE)
