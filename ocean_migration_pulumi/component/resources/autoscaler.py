"""Switch off the Cluster Autoscaler: Ocean scales the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi import Input
from pulumi_kubernetes.apps.v1 import DeploymentPatch

from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.component.kubernetes_args import ClusterAutoscalerArgs, check_autoscaler_args
from ocean_migration_pulumi.component.resources.deployments import UNKNOWN, Deployments, scale_to_zero, warn_of_owner
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Deployment

NAMESPACE: Final = "kube-system"

_REMEDY: Final = (
    "set its number of replicas to 0 where it is declared (replicaCount in the chart of the Cluster Autoscaler)"
)


def switch_off_autoscaler(
    name: str,
    args: ClusterAutoscalerArgs,
    *,
    parent: pulumi.Resource,
    provider: pulumi.ProviderResource | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
    found: Deployments | None = None,
) -> list[DeploymentPatch]:
    """Scale the Cluster Autoscaler to zero; it stays off when the patches are deleted, unless ``args`` say otherwise.

    Args:
        name: The name of the component, with which the names of the patches begin.
        args: Which Deployment it is.
        parent: The parent of the patches.
        provider: The cluster. None means the default provider of ``kubernetes``, or the parent's. It needs server-side
            apply, which is on by default.
        depends_on: What must exist first.
        found: The Deployments of the cluster, None when they are not known.

    Returns:
        The patches; none when no Deployment is named or found.

    Raises:
        InputError: Before anything is registered.
    """
    check_autoscaler_args(args)
    found = found or UNKNOWN

    def patch(suffix: str, of: Input[str], namespace: Input[str], deployment: Deployment | None) -> DeploymentPatch:
        options = pulumi.ResourceOptions(parent=parent, provider=provider, depends_on=list(depends_on))
        if args.restore_on_destroy:
            options.retain_on_delete = False
        made = scale_to_zero(f"{name}-autoscaler{suffix}", name=of, namespace=namespace, found=deployment, opts=options)
        warn_of_owner(deployment, made, _REMEDY)
        return made

    if args.name is not None:
        namespace = NAMESPACE if args.namespace is None else args.namespace
        deployment = found.named(namespace, args.name)
        made = patch("", args.name, namespace, deployment)
        if args.restore_on_destroy and deployment is not None and deployment.replicas > 1:
            had = f"{sanitize(deployment.full_name)} has {count_noun(deployment.replicas, 'replica')}"
            pulumi.log.warn(f"{had}, and will have 1 when this stack is destroyed: Kubernetes keeps no other", made)
        return [made]
    if found.absent:
        told = f"the Cluster Autoscaler is not switched off, as nothing is known of the cluster: {found.absent}"
        pulumi.log.warn(f"{told}, or name it in cluster_autoscaler", parent)
        return []
    sure, unsure = found.cluster_autoscalers, found.resembling
    if unsure:
        which = list_some([sanitize(each.full_name) for each in unsure])
        pulumi.log.warn(f"this may be a Cluster Autoscaler, and runs on: {which}; if it is, name it", parent)
    elif not sure:
        pulumi.log.info("no Cluster Autoscaler was found: there is none to switch off", parent)
    return [
        patch(f"-{each.namespace}-{each.name}" if len(sure) > 1 else "", each.name, each.namespace, each)
        for each in sure
    ]
