"""Switch off the Cluster Autoscaler: Ocean scales the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apps.v1 import DeploymentPatch

from ocean_migration_pulumi.common.text import count_noun, list_some, sanitize
from ocean_migration_pulumi.component.kubernetes_args import ClusterAutoscalerArgs, check_autoscaler_args
from ocean_migration_pulumi.component.resources.deployments import (
    UNKNOWN,
    Deployments,
    scale_to_zero,
    warn_of_owner,
    when_found,
)
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
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
    found: Deployments | Output[Deployments] | None = None,
) -> list[DeploymentPatch] | Output[list[DeploymentPatch]]:
    """Scale the Cluster Autoscaler to zero; it stays off when the patches are deleted, unless ``args`` say otherwise.

    Args:
        name: The name of the component, with which the names of the patches begin.
        args: Which Deployment it is.
        parent: The parent of the patches.
        provider: The cluster. None means the default provider of ``kubernetes``, or the parent's. It needs server-side
            apply, which is on by default.
        depends_on: What must exist first.
        found: The Deployments of the cluster, an Output while its kubeconfig is one. None when they are not known.

    Returns:
        The patches; none when no Deployment is named or found. An Output when the Deployments to find are one.

    Raises:
        InputError: Before anything is registered.
    """
    check_autoscaler_args(args)
    found = found or UNKNOWN

    def patch(
        suffix: str, of: Input[str], namespace: Input[str], deployment: Deployment | Output[Deployment | None] | None
    ) -> DeploymentPatch:
        options = pulumi.ResourceOptions(parent=parent, provider=provider, depends_on=list(depends_on))
        if args.restore_on_destroy:
            options.retain_on_delete = False
        return scale_to_zero(f"{name}-autoscaler{suffix}", name=of, namespace=namespace, found=deployment, opts=options)

    def patch_each(deployments: Deployments) -> list[DeploymentPatch]:
        sure = _find_autoscalers(deployments, parent)
        made = []
        for each in sure:
            suffix = f"-{each.namespace}-{each.name}" if len(sure) > 1 else ""
            made.append(patch(suffix, each.name, each.namespace, each))
            warn_of_owner(each, made[-1], _REMEDY)
        return made

    if args.name is None:
        return when_found(found, patch_each)
    of, namespace = args.name, NAMESPACE if args.namespace is None else args.namespace
    named = patch("", of, namespace, when_found(found, lambda deployments: deployments.named(namespace, of)))
    when_found(found, lambda deployments: _report_named(args, deployments.named(namespace, of), named))
    return [named]


def _report_named(args: ClusterAutoscalerArgs, deployment: Deployment | None, made: DeploymentPatch) -> None:
    """Warn of what the end of the stack, or another tool, does to the number of replicas."""
    warn_of_owner(deployment, made, _REMEDY)
    if args.restore_on_destroy and deployment is not None and deployment.replicas > 1:
        had = f"{sanitize(deployment.full_name)} has {count_noun(deployment.replicas, 'replica')}"
        pulumi.log.warn(f"{had}. Destroying this stack scales it to 1, the default of Kubernetes", made)


def _find_autoscalers(found: Deployments, parent: pulumi.Resource) -> list[Deployment]:
    """Return the Cluster Autoscalers of the cluster, and say what is not known of them."""
    if found.absent:
        why = describe_gap(found.absent).line
        told = f"Cluster Autoscaler is not scaled to zero, because the cluster cannot be read: {why}"
        pulumi.log.warn(f"{told}, or set its name in cluster_autoscaler", parent)
        return []
    sure, unsure = found.cluster_autoscalers, found.resembling
    if unsure:
        which = list_some([sanitize(each.full_name) for each in unsure])
        pulumi.log.warn(
            f"this may be a Cluster Autoscaler, and keeps running: {which}. If it is one, set its name "
            "in cluster_autoscaler",
            parent,
        )
    elif not sure:
        pulumi.log.info("no Cluster Autoscaler found, so none is scaled to zero", parent)
    return sure
