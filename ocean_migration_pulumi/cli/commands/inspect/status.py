"""``ocean-migration status``."""

from __future__ import annotations

import click

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options, migration_argument
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options
from ocean_migration_pulumi.common.times import format_elapsed, parse_time
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.results import Migration


@click.command("status", epilog=examples("ocean-migration status owm-6e3819ae --cluster shop --json | jq -r .status"))
@migration_argument
@output_options()
@context_options
def command(context: CliContext, output: Output, migration: str | None) -> None:
    """Show the status of a migration.

    Without MIGRATION, shows the running one, else the newest one.
    """
    cluster = context.cluster_id
    status = context.client.get_migration(cluster, context.migration_id(migration))
    if output.is_table:
        output.lines(_summary(context, cluster, status))
    table = Table(
        title=f"Old nodes of {status.id}",
        columns=("instance", "node", "ASG", "state", "pods"),
        rows=tuple(
            (node.instance_id, node.node_name, node.asg_name, node.state, node.running_pods)
            for node in status.old_instances
        ),
        numbers=frozenset({"pods"}),
        empty="it holds no node",
    )
    progress = Progress.from_status(status)
    data = Migration.from_status(cluster, status).to_dict() | {
        "progress": {
            "nodes_done": progress.done,
            "nodes": progress.total,
            "percentage": round(progress.percentage, 1),
            "pods_left": progress.pods,
            "unscheduled": progress.unscheduled,
            "manual": progress.manual,
        }
    }
    output.show(table, data)


def _summary(context: CliContext, cluster: str, status: MigrationStatus) -> list[str]:
    started = parse_time(status.created_at)
    ended_at = status.completed_at or status.errored_at or status.stopped_at
    ended = parse_time(ended_at) or context.client.server_now()
    line = Progress.from_status(status).line((ended - started).total_seconds()) if started else status.state
    lines = [f"migration {status.id} of {cluster}: {line}"]
    lines.append(f"created {status.created_at or '-'}" + (f", ended {ended_at}" if ended_at else ""))
    if started and ended_at:
        lines[-1] += f" after {format_elapsed((ended - started).total_seconds())}"
    names = {True: "yes", False: "no", None: "unknown"}
    lines.append(
        f"terminate drained nodes: {names[status.should_terminate_drained_nodes]}, "
        f"evict standalone pods: {names[status.should_evict_stand_alone_pods]}"
    )
    if status.new_instances:
        lines.append(f"new nodes: {len(status.new_instances)}")
    return [*lines, ""]
