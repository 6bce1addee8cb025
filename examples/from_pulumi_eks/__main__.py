"""An EKS cluster with managed node groups, on its way into Ocean."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as kubernetes

from ocean_migration_pulumi import OceanMigration

config = pulumi.Config()
pools = ["web", "api"]

role = aws.iam.Role.get("nodes", config.require("nodeRole"))
cluster = eks.Cluster(
    "shop",
    authentication_mode=eks.AuthenticationMode.API,
    instance_roles=[role],
    skip_default_node_group=True,
)
for pool in pools:
    eks.ManagedNodeGroup(pool, cluster=cluster, node_group_name=pool, node_role=role, labels={"workload": pool})

own = aws.iam.Role.get("ocean-nodes", config.require("oceanRole"))
profile = {"iam_instance_profile": aws.iam.InstanceProfile("ocean-nodes", role=own.name).arn}
cluster_name = cluster.eks_cluster.name
entry = aws.eks.AccessEntry("ocean-nodes", cluster_name=cluster_name, principal_arn=own.arn, type="EC2_LINUX")
access = kubernetes.Provider("shop", kubeconfig=cluster.kubeconfig_json)
hold_for = config.get("holdFor") or "5m"

shop = OceanMigration(
    "shop",
    {
        "import_from": {"eks_cluster": cluster_name, "node_group": "web"},
        "cluster_options": profile,
        "virtual_node_groups": [{"name": pool, "node_group": pool, "options": profile} for pool in pools],
        "controller": {"existing_secret": "spot", "replace_v1": False},
        "waves": [
            {"name": "canary", "nodes": {"eks_node_groups": pools, "limit": "1"}, "gate": {"hold_for": hold_for}},
            {"name": "half", "nodes": {"eks_node_groups": pools, "limit": "50%"}, "gate": {"hold_for": hold_for}},
            {"name": "rest", "nodes": {"eks_node_groups": pools}},
        ],
        "retire": [{"node_group": pool, "declaration": f"the ManagedNodeGroup {pool}"} for pool in pools],
    },
    pulumi.ResourceOptions(providers=[access], depends_on=[entry]),
)

pulumi.export("kubeconfig", cluster.kubeconfig_json)
pulumi.export("oceanId", shop.ocean_id)
pulumi.export("totals", shop.totals)
pulumi.export("retire", shop.retire)
