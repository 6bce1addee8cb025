"""``ocean-migration plan``."""

from __future__ import annotations

import sys

import click

from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, kubernetes_options, kubernetes_timeout_option
from ocean_migration_pulumi.cli.exit_codes import BLOCKED, CHANGES
from ocean_migration_pulumi.cli.options import selection_options
from ocean_migration_pulumi.cli.output import Output, examples, output_options
from ocean_migration_pulumi.cli.plan_view import make_plan
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec


@click.command(
    "plan",
    epilog=examples(
        "ocean-migration plan --cluster shop --asg-name 'web*' --batch-size 25",
        exit_statuses={
            0: "nothing to migrate",
            4: "the migration cannot start",
            7: "nodes to migrate",
        },
        when=" with --detailed-exitcode",
    ),
)
@selection_options
@click.option("--detailed-exitcode", is_flag=True, help="Exit with a different status if there are nodes to migrate.")
@output_options()
@kubernetes_options
@kubernetes_timeout_option
@context_options
def command(context: CliContext, output: Output, spec: MigrationSpec, detailed_exitcode: bool) -> None:
    """Show what a migration would do, like the preview of the resource. Sends only GETs.

    The plan digest is the same as that of the resource. `start --approved-plan` starts only this plan.
    """
    planned = make_plan(context, spec)
    planned.show(output)
    if detailed_exitcode and planned.waiting:
        sys.exit(BLOCKED if planned.refusal else CHANGES)
