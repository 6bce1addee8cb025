"""``ocean-migration candidates``."""

from __future__ import annotations

import click

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP
from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options
from ocean_migration_pulumi.results import MigrationCandidate, MigrationCandidates


@click.command(
    "candidates", epilog=examples("ocean-migration candidates --cluster shop --json | jq -r '.nodes[].instance_id'")
)
@output_options()
@context_options
def command(context: CliContext, output: Output) -> None:
    """List the nodes that can be migrated, with the Virtual Node Group that each node matches."""
    cluster = context.cluster_id
    names = {vng.id: vng.name for vng in context.client.list_virtual_node_groups(cluster)}
    found = MigrationCandidates.from_discovery(cluster, context.client.discover(cluster), names)
    table = Table(
        title=f"Candidates of {cluster}",
        columns=("instance", "node", "ASG", "EKS node group", "Virtual Node Group", "pods"),
        rows=tuple(
            (
                node.instance_id,
                node.node_name,
                node.asg_name,
                node.eks_node_group,
                _target(node),
                node.running_pods,
            )
            for node in found.nodes
        ),
        numbers=frozenset({"pods"}),
        empty=f"No candidates in {cluster}",
    )
    output.show(table, found.to_dict())


def _target(node: MigrationCandidate) -> str:
    vng = node.virtual_node_group_id
    if vng is None:
        return "no match"
    if vng == DEFAULT_VIRTUAL_NODE_GROUP:
        return "any (Default)"
    return f"{node.virtual_node_group_name} ({vng})" if node.virtual_node_group_name else vng
