"""``ocean-migration plan``."""

from __future__ import annotations

import sys

import click

from ocean_migration_pulumi.cli.context import (
    CliContext,
    context_options,
    kubernetes_options,
    kubernetes_timeout_option,
)
from ocean_migration_pulumi.cli.exit_codes import BLOCKED, CHANGES
from ocean_migration_pulumi.cli.options import selection_options
from ocean_migration_pulumi.cli.output import Output, examples, output_options
from ocean_migration_pulumi.cli.plan_view import make_plan
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec


@click.command(
    "plan",
    epilog=examples(
        "ocean-migration plan --cluster shop --asg-name 'web*' --batch-size-percentage 25",
        exit_statuses={
            0: "there is nothing to migrate",
            4: "the migration would be refused",
            7: "there are nodes to migrate",
        },
        when=" with --detailed-exitcode",
    ),
)
@selection_options
@click.option("--detailed-exitcode", is_flag=True, help="Tell by the exit status whether there is something to do.")
@output_options()
@kubernetes_options
@kubernetes_timeout_option
@context_options
def command(reach: CliContext, output: Output, spec: MigrationSpec, detailed_exitcode: bool) -> None:
    """Show what a migration would do, as the preview of the resource does; nothing but GETs are sent.

    The digest of the plan is that of the resource: `start --approved-plan` starts this plan and no other.
    """
    planned = make_plan(reach, spec)
    planned.show(output)
    if detailed_exitcode and planned.waiting:
        sys.exit(BLOCKED if planned.refusal else CHANGES)
