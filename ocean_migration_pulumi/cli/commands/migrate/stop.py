"""``ocean-migration stop``."""

from __future__ import annotations

import click

from ocean_migration_pulumi.cli.console import Console
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, migration_argument
from ocean_migration_pulumi.cli.jobs import make_reconcile_context
from ocean_migration_pulumi.cli.output import Output, examples, output_options
from ocean_migration_pulumi.migration.reconcile.reconcile import DELETE_DEADLINE
from ocean_migration_pulumi.migration.reconcile.stop import stop_migration
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.phases import describe_share
from ocean_migration_pulumi.results import Migration


@click.command("stop", epilog=examples("ocean-migration stop owm-6e3819ae --cluster shop"))
@migration_argument
@click.option("--terminate-drained", is_flag=True, help="Also terminate the nodes that are already drained.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the migration has stopped.")
@output_options()
@context_options
def command(context: CliContext, output: Output, migration: str | None, terminate_drained: bool, no_wait: bool) -> None:
    """Stop a migration, whoever started it.

    Without MIGRATION, stops the running one. Ocean completes the current batch first. Evicted pods stay where they are,
    nodes that are not drained become schedulable again, and drained nodes stay cordoned. With --terminate-drained,
    Ocean terminates them. A `pulumi up` that waits for this migration fails and says that someone else stopped it.
    """
    context.require_account()
    cluster = context.cluster_id
    wanted = context.migration_id(migration, running=True)
    status = context.client.get_migration(cluster, wanted)
    console = Console()
    if status.is_terminal:
        console.info(f"Migration {wanted} has already ended")
    elif no_wait:
        context.client.stop_migration(cluster, wanted, should_terminate_drained_nodes=terminate_drained)
        status = context.client.get_migration(cluster, wanted)
    else:
        spec = MigrationSpec(ocean_id=cluster)
        reconcile_context = make_reconcile_context(context, spec, seconds=DELETE_DEADLINE, reporter=console)
        record = MigrationRecord(id=wanted, instance_ids=sorted(status.instance_ids), created_at=status.created_at)
        try:
            stop_migration(reconcile_context, record, terminate_drained_nodes=terminate_drained, why="requested")
        finally:
            console.end()
        status = context.client.get_migration(cluster, wanted)
    if output.is_table:
        output.lines([f"Migration {wanted}: {status.state}, {describe_share(status)}"])
    else:
        output.json(Migration.from_status(cluster, status).to_dict())
