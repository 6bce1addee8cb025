"""``ocean-migration clusters``."""

from __future__ import annotations

from typing import Final

import click

from ocean_migration_pulumi.cli.context import CliContext
from ocean_migration_pulumi.cli.context_options import context_options
from ocean_migration_pulumi.cli.output import Output, Table, examples, output_options

_KEYS: Final = ("id", "name", "region", "controller_cluster_id", "autoscaler_enabled", "capacity_maximum")


@click.command("clusters", epilog=examples("ocean-migration clusters --account act-123abcd"))
@output_options()
@context_options
def command(context: CliContext, output: Output) -> None:
    """List the Ocean clusters of the account, or only that of --cluster."""
    found = sorted(context.find_clusters(), key=lambda cluster: (cluster.name, cluster.id))
    table = Table(
        title="Ocean clusters",
        columns=("id", "name", "region", "controller id", "autoscaler", "maximum"),
        rows=tuple(
            (
                cluster.id,
                cluster.name,
                cluster.region,
                cluster.controller_cluster_id,
                {None: None, True: "on", False: "off"}[cluster.autoscaler_enabled],
                cluster.capacity_maximum,
            )
            for cluster in found
        ),
        numbers=frozenset({"maximum"}),
        empty="No Ocean clusters in the account",
    )
    data = [{key: getattr(cluster, key) for key in _KEYS} for cluster in found]
    output.show(table, {"account_id": context.client.account_id, "clusters": data})
