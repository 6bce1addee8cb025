"""Deployments that Ocean replaces: find them in the cluster, and scale them to zero."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pulumi
from pulumi import Input, Output
from pulumi_kubernetes.apps.v1 import DeploymentPatch, DeploymentSpecPatchArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaPatchArgs

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import run_together
from ocean_migration_pulumi.common.text import sanitize
from ocean_migration_pulumi.errors import SettingsError
from ocean_migration_pulumi.migration.checks.autoscalers import is_cluster_autoscaler
from ocean_migration_pulumi.migration.checks.controllers import is_v1
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DEPLOYMENTS, Deployment
from ocean_migration_pulumi.migration.snapshot.sources import NO_ACCESS
from ocean_migration_pulumi.migration.spec.gap import Gap

T = TypeVar("T")

BUDGET: Final = 5.0
"""Seconds that a look at the cluster may take: it is part of each preview."""

REPLICAS: Final = "ocean-migration/replicas"
"""The annotation that says how many replicas a Deployment had before it was scaled to zero."""

_FORCE: Final = "pulumi.com/patchForce"
_SKIP_AWAIT: Final = "pulumi.com/skipAwait"
_ARGO_CD: Final = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
_FLUX: Final = {"Kustomization": "kustomize.toolkit.fluxcd.io", "HelmRelease": "helm.toolkit.fluxcd.io"}
_HELM_RELEASE: Final = "meta.helm.sh/release-name"
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """The Deployments of a cluster."""

    found: tuple[Deployment, ...] = ()
    """All of them."""
    absent: Gap | None = None
    """Why they are not known, empty when they are."""

    @property
    def controllers_v1(self) -> list[Deployment]:
        """Version 1 of the Ocean Controller, whatever its replicas; usually one or none."""
        return self._sorted(each for each in self.found if is_v1(each))

    @property
    def cluster_autoscalers(self) -> list[Deployment]:
        """Cluster Autoscalers, whatever their replicas, told by their image: only such are switched off unnamed."""
        return self._sorted(each for each in self.found if any(map(_of_autoscaler, each.images)))

    @property
    def resembling(self) -> list[Deployment]:
        """Deployments that run and, by a name or label, may be a Cluster Autoscaler too."""
        sure = self.cluster_autoscalers
        return self._sorted(
            each for each in self.found if each.replicas and is_cluster_autoscaler(each) and each not in sure
        )

    def named(self, namespace: object, name: object) -> Deployment | None:
        """Return the Deployment of this name; None when it was not found, or the name is not known yet."""
        return next((each for each in self.found if (each.namespace, each.name) == (namespace, name)), None)

    @staticmethod
    def _sorted(found: Iterable[Deployment]) -> list[Deployment]:
        return sorted(found, key=lambda each: (each.namespace, each.name))


UNKNOWN: Final = Deployments(absent=NO_ACCESS)
"""What is known of a cluster that nobody looked at."""


def when_found(found: Deployments | Output[Deployments], use: Callable[[Deployments], T]) -> T | Output[T]:
    """Use the Deployments at once, or once the kubeconfig is known: ``use`` may declare resources in both cases."""
    return found.apply(use) if isinstance(found, Output) else use(found)


def find_deployments(kubeconfig: str | None = None, context: str | None = None) -> Deployments:
    """Read the Deployments of the cluster, in at most 5 seconds; sends only GETs.

    Args:
        kubeconfig: The content or the path of a kubeconfig. None means ``KUBECONFIG``.
        context: One of its contexts. None means its current one.

    Returns:
        The Deployments; ``absent`` says why they could not be read.

    Raises:
        InputError: When the given kubeconfig, or its context, cannot be used.
    """
    from ocean_migration_pulumi.kubernetes import find_access
    from ocean_migration_pulumi.kubernetes.connection.connection import Connection
    from ocean_migration_pulumi.kubernetes.gaps import KUBERNETES, gap_for_error
    from ocean_migration_pulumi.kubernetes.objects import objects
    from ocean_migration_pulumi.kubernetes.pagination import list_all

    try:
        access = find_access(kubeconfig, context, os.environ)
    except SettingsError as error:
        return Deployments(absent=Gap.from_error(error))
    if access is None:
        return UNKNOWN
    scope = CancelScope(short=True).at_most(BUDGET)
    connection = Connection(access.target)
    try:
        # Only this list, and not all that a plan needs: pods may be thousands.
        ask = {DEPLOYMENTS: lambda: list_all(connection, scope, DEPLOYMENTS, objects.read_deployment)}
        outcome = run_together(KUBERNETES, scope, ask)[DEPLOYMENTS]
    finally:
        connection.close()
    if isinstance(outcome, Exception):
        return Deployments(absent=gap_for_error(DEPLOYMENTS, outcome))
    return Deployments(found=tuple(outcome.found))


def scale_to_zero(
    resource_name: str,
    *,
    name: Input[str],
    namespace: Input[str],
    found: Input[Deployment | None],
    opts: pulumi.ResourceOptions,
) -> DeploymentPatch:
    """Take over the number of replicas of a Deployment and set it to 0, by a server-side apply.

    Its field manager is one of its own, which pulumi_kubernetes names. Who owned the number before no longer does. The
    patch stays in place when the resource is deleted, unless ``opts`` say otherwise: to delete it gives the number up,
    and what nobody owns has Kubernetes' default, which is 1.

    Args:
        resource_name: The name of the patch.
        name: The name of the Deployment.
        namespace: Its namespace.
        found: The Deployment as it was found, None when nothing is known of it.
        opts: Options of the patch.
    """
    annotations = found.apply(_annotate) if isinstance(found, Output) else _annotate(found)
    kept = pulumi.ResourceOptions(
        retain_on_delete=True,
        # What the first run saw counts: later ones see the zero.
        ignore_changes=[f'metadata.annotations["{REPLICAS}"]'],
    )
    return DeploymentPatch(
        resource_name,
        metadata=ObjectMetaPatchArgs(name=name, namespace=namespace, annotations=annotations),
        spec=DeploymentSpecPatchArgs(replicas=0),
        opts=pulumi.ResourceOptions.merge(kept, opts),
    )


def _annotate(found: Any) -> dict[str, str]:
    annotations = {_FORCE: "true", _SKIP_AWAIT: "true"}
    if isinstance(found, Deployment) and found.replicas:
        annotations[REPLICAS] = str(found.replicas)
    return annotations


def owner_of(deployment: Deployment) -> str | None:
    """Return who applies a Deployment and when it does so again, by labels and annotations; None when nobody does."""
    marks = {**deployment.labels, **deployment.annotations}
    for key in _ARGO_CD:
        if key in marks:
            application = sanitize(marks[key].partition(":")[0])
            return f"the Argo CD application {application}, which scales it up again at its next sync"
    for kind, group in _FLUX.items():
        if name := marks.get(f"{group}/name"):
            full_name = sanitize("/".join(filter(None, (marks.get(f"{group}/namespace"), name))))
            return f"the {kind} {full_name} of Flux, which scales it up again when it is reconciled"
    if _HELM_RELEASE in marks or marks.get(_MANAGED_BY) == "Helm":
        release = f"the Helm release {sanitize(marks[_HELM_RELEASE])}" if _HELM_RELEASE in marks else "a Helm release"
        return f"{release}, whose next upgrade scales it up again"
    return None


def warn_of_owner(deployment: Deployment | None, resource: pulumi.Resource, remedy: str) -> None:
    """Warn when another tool applies a Deployment that runs; ``remedy`` says what to do there instead.

    One at zero may have been set so in that tool: nothing more can be told of it.
    """
    if deployment is not None and deployment.replicas and (owner := owner_of(deployment)):
        pulumi.log.warn(f"{sanitize(deployment.full_name)} is applied by {owner}: {remedy}", resource)


def _of_autoscaler(image: str) -> bool:
    return image.partition("@")[0].rpartition("/")[2].startswith("cluster-autoscaler")
