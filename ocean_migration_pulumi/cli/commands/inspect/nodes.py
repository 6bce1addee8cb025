"""``ocean-migration nodes``."""

from __future__ import annotations

import click

from ocean_migration_pulumi.cli.context import CliContext, unknown_name
from ocean_migration_pulumi.cli.context_options import context_options
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options
from ocean_migration_pulumi.migration.spec.input_readers import read_text
from ocean_migration_pulumi.results import ClusterNodes


@click.command("nodes", epilog=examples("ocean-migration nodes --cluster shop --virtual-node-group ols-12345abc"))
@click.option("--virtual-node-group", metavar="ols-...", help="Only nodes of this Virtual Node Group.")
@output_options()
@context_options
def command(context: CliContext, output: Output, virtual_node_group: str | None) -> None:
    """List the Ocean nodes of the cluster."""
    cluster = context.cluster_id
    if virtual_node_group is not None:
        virtual_node_group = read_text("--virtual-node-group", virtual_node_group)
        groups = context.client.list_virtual_node_groups(cluster)
        known = [each.id for each in groups]
        if virtual_node_group not in known:
            problem = f"no Virtual Node Group {virtual_node_group!r} on {cluster}"
            named = [each.id for each in groups if each.name == virtual_node_group]
            given = named[0] if len(named) == 1 else virtual_node_group
            raise unknown_name("--virtual-node-group", problem, given, known)
    found = ClusterNodes.from_nodes(
        cluster, context.client.list_nodes(cluster, virtual_node_group_id=virtual_node_group)
    )
    table = Table(
        title=f"Ocean nodes of {cluster}",
        columns=("instance", "node", "type", "zone", "Virtual Node Group", "lifecycle", "registration", "created"),
        rows=tuple(
            (
                node.instance_id,
                node.node_name,
                node.instance_type,
                node.availability_zone,
                node.virtual_node_group_name or node.virtual_node_group_id,
                node.life_cycle,
                node.registration_status,
                node.created_at,
            )
            for node in found.nodes
        ),
        empty=f"No Ocean nodes in {cluster}"
        if virtual_node_group is None
        else f"No Ocean nodes of {virtual_node_group}",
    )
    output.show(table, found.to_dict())
