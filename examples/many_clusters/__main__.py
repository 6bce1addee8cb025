"""Take the nodes of several clusters into Ocean, side by side in one program."""

from __future__ import annotations

import pulumi

from ocean_migration_pulumi import NodeSelectorArgs, OceanWorkloadMigration

config = pulumi.Config()
clusters: dict[str, dict[str, str]] = config.require_object("clusters")

# No cluster depends on another: what fails in one keeps none of the others from their end.
migrations = {
    name: OceanWorkloadMigration(
        name,
        ocean_id=cluster["oceanId"],
        nodes=NodeSelectorArgs(asg_names=cluster.get("asgNames", "web*").split(",")),
        kubeconfig=cluster.get("kubeconfig"),
        opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="2h", update="2h")),
    )
    for name, cluster in sorted(clusters.items())
}

for name, migration in migrations.items():
    pulumi.export(name, {"status": migration.status, "migrated": migration.migrated_nodes})
