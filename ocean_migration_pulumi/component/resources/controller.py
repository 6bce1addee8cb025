"""Install the Ocean Controller by its Helm chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.core.v1 import NamespacePatch, Secret
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs, ObjectMetaPatchArgs

from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.component.kubernetes_args import (
    CHART,
    ControllerArgs,
    check_controller_args,
    find_token_account,
    plain_token_error,
    read_token,
)
from ocean_migration_pulumi.component.resources.deployments import (
    UNKNOWN,
    Deployments,
    scale_to_zero,
    warn_of_owner,
    when_found,
)
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Deployment

V1_NAME: Final = "spotinst-kubernetes-cluster-controller"
V1_NAMESPACE: Final = "kube-system"

_IN_STATE: Final = (
    "the token of the Ocean Controller is in the state of this stack, encrypted. "
    "Set existing_secret in controller to keep it out of the state"
)
_READ_ONLY: Final = (
    "values.spotinst.readonly removes the Ocean Controller's right to drain nodes, so no migration can work"
)
_V1_REMEDY: Final = "remove version 1 of the controller from what it applies"


def install_controller(
    name: str,
    args: ControllerArgs,
    *,
    cluster_identifier: Input[str],
    account: Input[str] | None = None,
    parent: pulumi.Resource,
    provider: pulumi.ProviderResource | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
    protect: bool = True,
    found: Deployments | Output[Deployments] | None = None,
) -> list[pulumi.Resource]:
    """Install version 2 of the Ocean Controller, after version 1 has been scaled to zero where it is there.

    Whether a token that is an Output is a secret shows only while the program runs: if it is not, each of these
    resources fails, and none is made.

    Args:
        name: The name of the component, with which the names of the resources begin.
        args: The controller's options.
        cluster_identifier: The Ocean cluster's ``controller_id``, by which the controller finds it.
        account: The Spot account. With ``existing_secret`` the controller takes it from the Secret, and this is only
            shown among the values of the release. None means, for ``token_in_state``, that of the stack's config.
        parent: The parent of the resources.
        provider: The cluster. None means the default provider of ``kubernetes``, or the parent's. It needs server-side
            apply, which is on by default.
        depends_on: What must exist first.
        protect: Whether the release is protected from deletion: it carries the workloads' nodes.
        found: The Deployments of the cluster, an Output while its kubeconfig is one. None when they are not known.

    Returns:
        The resources that are declared at once, in the order in which they are made. The last one, the release, is
        ready when the controller is.

    Raises:
        InputError: Before anything is registered.
        SettingsError: Before anything is registered.
    """
    check_controller_args(args, account)
    found = found or UNKNOWN
    token: Mapping[str, Input[str]] | None = None
    if args.token_in_state:
        account = find_token_account(account)
        token = {"token": read_token(args), "account": account}
    before: Input[Sequence[Input[pulumi.Resource]]] = list(depends_on)
    if args.token is not None:
        before = Output.from_input(_once_secret(args.token, list(depends_on)))

    def options(*more: pulumi.Resource, **others: Any) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(parent=parent, provider=provider, depends_on=before, **others),
            pulumi.ResourceOptions(depends_on=list(more)),
        )

    def scale_v1(deployments: Deployments) -> list[pulumi.Resource]:
        old = next(iter(deployments.controllers_v1), None)
        return _scale_v1(name, args, old, options())

    v1 = when_found(found, scale_v1)
    secret = None
    made: list[pulumi.Resource] = []
    if token is not None:
        # A patch makes the namespace where there is none, and takes over and deletes none that there is.
        namespace = NamespacePatch(
            f"{name}-controller-namespace",
            metadata=ObjectMetaPatchArgs(name=args.namespace),
            opts=options(retain_on_delete=True),
        )
        secret = Secret(
            f"{name}-controller-token",
            # Without a name of ours, a new token gets a Secret of another name: only so the controller starts anew.
            metadata=ObjectMetaArgs(namespace=args.namespace),
            string_data=token,
            opts=options(namespace),
        )
        made = [namespace, secret]
        pulumi.log.warn(_IN_STATE, secret)
    release = Release(
        f"{name}-controller",
        chart=CHART,
        version=args.version,
        repository_opts=RepositoryOptsArgs(repo=args.repository),
        name=args.release_name,
        namespace=args.namespace,
        create_namespace=True,
        values=_values(args, cluster_identifier, account, args.existing_secret if secret is None else _name_of(secret)),
        opts=pulumi.ResourceOptions.merge(options(*made, protect=protect), pulumi.ResourceOptions(depends_on=v1)),
    )
    if _is_read_only(args):
        pulumi.log.warn(_READ_ONLY, release)
    when_found(found, lambda deployments: _report_v1(args, deployments, release))
    return [*(v1 if isinstance(v1, list) else ()), *made, release]


def _scale_v1(
    name: str, args: ControllerArgs, old: Deployment | None, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    if args.replace_v1 is False or (args.replace_v1 is None and old is None):
        return []
    patch = scale_to_zero(
        f"{name}-controller-v1",
        name=V1_NAME if old is None else old.name,
        namespace=V1_NAMESPACE if old is None else old.namespace,
        found=old,
        opts=opts,
    )
    warn_of_owner(old, patch, _V1_REMEDY)
    return [patch]


def _report_v1(args: ControllerArgs, found: Deployments, release: pulumi.Resource) -> None:
    """Say whether version 1 of the controller runs beside version 2, or that it is not known."""
    if args.replace_v1 is None and found.absent:
        why = describe_gap(found.absent).line
        unsure = f"unknown whether version 1 of the controller is installed: {why}, or set replace_v1"
        pulumi.log.info(unsure, release)
    running = [each for each in found.controllers_v1 if each.replicas]
    if args.replace_v1 is False and running:
        which = sanitize(running[0].full_name)
        pulumi.log.warn(f"Version 1 of the Ocean Controller ({which}) runs beside version 2: set replace_v1", release)


async def _once_secret(token: Input[str], resources: list[pulumi.Resource]) -> list[pulumi.Resource]:
    """Return the resources once the token has shown to be a secret, which an Output tells only while the program runs.

    Raises InputError.
    """
    if not await Output.from_input(token).is_secret():
        raise plain_token_error()
    return resources


def _name_of(secret: Secret) -> Output[Any]:
    return secret.metadata.apply(lambda metadata: metadata.name)


def _values(
    args: ControllerArgs, cluster_identifier: Input[str], account: Input[str] | None, secret: Input[str] | None
) -> dict[str, Any]:
    spotinst = {"clusterIdentifier": cluster_identifier, "disableAutoUpdate": not args.auto_update}
    if account is not None:
        spotinst["account"] = account
    ours = {
        "spotinst": spotinst,
        "secret": {"create": False, "name": secret},
        "metrics-server": {"deployChart": args.metrics_server},
    }
    return _merged(ours, args.values or {})


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid over it, dictionary by dictionary."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _is_read_only(args: ControllerArgs) -> bool:
    return (args.values or {}).get("spotinst", {}).get("readonly") is True
