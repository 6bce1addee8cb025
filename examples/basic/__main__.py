"""Migrate the workloads of some Auto Scaling Groups into Spot Ocean."""

from __future__ import annotations

import os

import pulumi

from ocean_migration_pulumi import NodeSelectorArgs, OceanWorkloadMigration

config = pulumi.Config()

migration = OceanWorkloadMigration(
    "workers",
    ocean_id=config.get("oceanId") or os.environ["OCEAN_ID"],
    nodes=NodeSelectorArgs(asg_names=(config.get("asgNames") or "web*").split(",")),
    new_nodes=config.get("newNodes") or "report",
    batch_size_percentage=20,
    # Nothing is terminated, evicted or forced unless it is asked for here.
)

pulumi.export("migration", migration.migration_id)
pulumi.export("migrated", migration.migrated_nodes)
pulumi.export("stillBilled", migration.drained_nodes)
