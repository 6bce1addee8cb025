"""Take the nodes of some Auto Scaling Groups into an Ocean cluster that exists: one, half of the others, the rest."""

from __future__ import annotations

import pulumi

from ocean_migration_pulumi import GateArgs, NodeSelectorArgs, OceanMigration, OceanMigrationArgs, WaveArgs

config = pulumi.Config()
asg_names = (config.get("asgNames") or "web*").split(",")
health_url = config.get("healthUrl")
soak_time = config.get("soakTime") or "10m"

# Beside this, every pod must have a node and the Ocean Controller must report.
gate = GateArgs(
    http_checks=[{"url": health_url}] if health_url else None,
    hold_for=config.get("holdFor") or "5m",
)


def nodes(limit: str | None = None) -> NodeSelectorArgs:
    return NodeSelectorArgs(asg_names=asg_names, limit=limit)


shop = OceanMigration(
    "shop",
    OceanMigrationArgs(
        ocean_id=config.require("oceanId"),
        kubeconfig=config.get_secret("kubeconfig"),
        waves=[
            WaveArgs(name="canary", nodes=nodes("1"), soak_time=soak_time, gate=gate),
            WaveArgs(name="half", nodes=nodes("50%"), soak_time=soak_time, gate=gate),
            WaveArgs(name="rest", nodes=nodes(), soak_time=soak_time),
        ],
    ),
)

pulumi.export("waves", shop.waves)
pulumi.export("totals", shop.totals)
