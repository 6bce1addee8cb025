"""Take an EKS cluster from its Auto Scaling Groups into Ocean: all that it needs, in one stack."""

from __future__ import annotations

import pulumi

from ocean_migration_pulumi import (
    ClusterAutoscalerArgs,
    ControllerArgs,
    GateArgs,
    ImportFromArgs,
    NodeSelectorArgs,
    OceanMigration,
    OceanMigrationArgs,
    RetireArgs,
    VirtualNodeGroupArgs,
    WaveArgs,
)

config = pulumi.Config()
web, api = config.get("webGroup") or "web", config.get("apiGroup") or "api"
# Nodes of Ocean get a role of their own: only then can the groups of the old nodes go one day.
profile = {"iam_instance_profile": config.require("instanceProfile")}
gate = GateArgs(hold_for=config.get("holdFor") or "5m")

shop = OceanMigration(
    "shop",
    OceanMigrationArgs(
        import_from=ImportFromArgs(eks_cluster=config.require("eksCluster"), auto_scaling_group=api),
        cluster_options=profile,
        virtual_node_groups=[
            VirtualNodeGroupArgs(name="web", auto_scaling_group=web, labels={"workload": "web"}, options=profile),
            VirtualNodeGroupArgs(name="general", spot_percentage=50, options=profile),
        ],
        controller=ControllerArgs(existing_secret=config.get("controllerSecret") or "spot"),
        cluster_autoscaler=ClusterAutoscalerArgs(name="cluster-autoscaler"),
        waves=[
            WaveArgs(name="canary", nodes=NodeSelectorArgs(asg_names=[web], limit="1"), gate=gate),
            WaveArgs(name="web", nodes=NodeSelectorArgs(asg_names=[web]), gate=gate),
            WaveArgs(name="rest", nodes=NodeSelectorArgs(asg_names=[api])),
        ],
        retire=[RetireArgs(auto_scaling_group=web), RetireArgs(auto_scaling_group=api)],
        kubeconfig=config.get_secret("kubeconfig"),
    ),
)

pulumi.export("oceanId", shop.ocean_id)
pulumi.export("virtualNodeGroups", shop.virtual_node_group_ids)
pulumi.export("totals", shop.totals)
pulumi.export("imported", shop.imported)
pulumi.export("retire", shop.retire)
