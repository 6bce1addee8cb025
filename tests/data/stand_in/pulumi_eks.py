"""What pulumi-eks makes, made by the program itself: its plugin is not here, which alone can make it.

A component of another language is registered by its plugin, with what it consists of. These have the inputs and outputs
of pulumi_eks that an example uses, and register the same resources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

import pulumi
import pulumi_aws as aws  # noqa: TID251 - stands for a package that composes it


class AuthenticationMode(StrEnum):
    """Who may use the cluster."""

    API = "API"


class Cluster(pulumi.ComponentResource):
    """An EKS cluster."""

    def __init__(
        self,
        name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        authentication_mode: AuthenticationMode,
        instance_roles: Sequence[aws.iam.Role],
        skip_default_node_group: bool,
    ) -> None:
        super().__init__("eks:index:Cluster", name, None, opts)
        made = aws.eks.Cluster(
            f"{name}-eksCluster",
            access_config={"authentication_mode": authentication_mode.value},
            role_arn="arn:aws:iam::123456789012:role/eks",
            vpc_config={"subnet_ids": ["subnet-0a1b2c3d"]},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.eks_cluster = pulumi.Output.from_input(made)
        self.kubeconfig_json = made.name.apply(lambda cluster: json.dumps({"current-context": cluster}))
        self.register_outputs({})


class ManagedNodeGroup(pulumi.ComponentResource):
    """A managed node group."""

    def __init__(
        self,
        name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        cluster: Cluster,
        node_group_name: str,
        node_role: aws.iam.Role,
        labels: Mapping[str, str],
    ) -> None:
        super().__init__("eks:index:ManagedNodeGroup", name, None, opts)
        aws.eks.NodeGroup(
            name,
            cluster_name=cluster.eks_cluster.name,
            node_group_name=node_group_name,
            node_role_arn=node_role.arn,
            labels=labels,
            scaling_config={"desired_size": 2, "max_size": 2, "min_size": 1},
            subnet_ids=["subnet-0a1b2c3d"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
