"""The kinds of objects that the Kubernetes API serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.testing.simulator.kubernetes_api import objects, pod_objects, view
from ocean_migration_pulumi.testing.simulator.kubernetes_api.view import Row
from ocean_migration_pulumi.testing.simulator.world.placement import get_node_labels
from ocean_migration_pulumi.testing.simulator.world.pods import get_pod_labels
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster

PREFIX = "/kubernetes/{ocean_id}"
"""The path of a cluster's Kubernetes API."""


def _return_nothing(source: Any) -> dict[str, str]:
    return {}


def _render_nothing(cluster: SimCluster, row: Row) -> dict[str, Any]:
    return {}


def _list_nothing(cluster: SimCluster) -> list[Row]:
    return []


@dataclass(frozen=True, kw_only=True)
class KubernetesResource:
    """A kind of object."""

    plural: str
    """The plural, as in paths."""
    kind: str
    """The kind, as in objects."""
    group: str = ""
    """The API group, empty for the core group."""
    namespaced: bool = True
    """Whether its objects belong to namespaces."""
    list_rows: Callable[[SimCluster], list[Row]] = _list_nothing
    """Lists the objects of a cluster."""
    list_rows_at: Callable[[SimCluster, float], list[Row]] | None = None
    """Lists them at a simulated time, where they depend on it."""
    render: Callable[[SimCluster, Row], dict[str, Any]] = _render_nothing
    """Renders an object as JSON; a kind of which there are no objects needs none."""
    get_labels: Callable[[Any], dict[str, str]] = _return_nothing
    """Returns the labels that a ``labelSelector`` selects by, from the source of a row."""
    get_fields: Callable[[Any], dict[str, str]] = _return_nothing
    """Returns the values of ``field_names``, from the source of a row."""
    field_names: frozenset[str] = frozenset()
    """The fields that a ``fieldSelector`` supports besides name and namespace."""

    def find_rows(self, cluster: SimCluster, now: float) -> list[Row]:
        """List the objects of a cluster at a simulated time."""
        return self.list_rows(cluster) if self.list_rows_at is None else self.list_rows_at(cluster, now)

    @property
    def version(self) -> str:
        """The ``apiVersion``."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def base_path(self) -> str:
        """The path of the API group."""
        return f"{PREFIX}/apis/{self.group}/v1" if self.group else f"{PREFIX}/api/v1"


def _get_pod_fields(placed: view.PlacedPod) -> dict[str, str]:
    node_name = "" if placed.node is None else placed.node.node_name
    return {"spec.nodeName": node_name, "status.phase": pod_objects.get_phase(placed)}


RESOURCES = (
    KubernetesResource(
        plural="nodes",
        kind="Node",
        namespaced=False,
        list_rows=view.list_nodes,
        render=objects.render_node,
        get_labels=get_node_labels,
    ),
    KubernetesResource(
        plural="csinodes",
        kind="CSINode",
        group="storage.k8s.io",
        namespaced=False,
        list_rows=view.list_nodes,
        render=objects.render_csi_node,
    ),
    KubernetesResource(
        plural="pods",
        kind="Pod",
        list_rows=view.list_pods,
        render=pod_objects.render_pod,
        get_labels=lambda placed: get_pod_labels(placed.pod),
        get_fields=_get_pod_fields,
        field_names=frozenset({"spec.nodeName", "status.phase"}),
    ),
    KubernetesResource(
        plural="persistentvolumeclaims",
        kind="PersistentVolumeClaim",
        list_rows=view.list_claims,
        render=pod_objects.render_claim,
    ),
    KubernetesResource(
        plural="persistentvolumes",
        kind="PersistentVolume",
        namespaced=False,
        list_rows=view.list_volumes,
        render=pod_objects.render_volume,
    ),
    KubernetesResource(
        plural="configmaps",
        kind="ConfigMap",
        list_rows=view.list_config_maps,
        render=objects.render_config_map,
    ),
    KubernetesResource(
        plural="poddisruptionbudgets",
        kind="PodDisruptionBudget",
        group="policy",
        list_rows=view.list_budgets,
        render=objects.render_budget,
    ),
    KubernetesResource(
        plural="deployments",
        kind="Deployment",
        group="apps",
        list_rows=view.list_deployments,
        render=objects.render_deployment,
        get_labels=lambda source: source[0].labels,
    ),
    KubernetesResource(
        plural="services",
        kind="Service",
        list_rows=view.list_services,
        render=objects.render_service,
        get_labels=lambda app: {"app": app},
    ),
    *(
        KubernetesResource(
            plural=f"{kind.lower()}s",
            kind=kind,
            group="admissionregistration.k8s.io",
            namespaced=False,
        )
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
    ),
    *(
        KubernetesResource(
            plural=f"{kind.lower()}s",
            kind=kind,
            group="apps",
            list_rows=list_rows,
            render=render,
            get_labels=lambda workload: {"app": workload.name},
        )
        for kind, list_rows, render in (
            ("ReplicaSet", view.list_replica_sets, objects.render_replica_set),
            ("StatefulSet", view.list_stateful_sets, objects.render_stateful_set),
            ("DaemonSet", view.list_daemon_sets, objects.render_daemon_set),
        )
    ),
    KubernetesResource(
        plural="events",
        kind="Event",
        list_rows_at=view.list_events,
        render=objects.render_event,
        get_fields=lambda event: {
            "type": "Warning",
            "reason": event.reason,
            "involvedObject.kind": "Pod",
            "involvedObject.name": event.pod.name,
        },
        field_names=frozenset({"type", "reason", "involvedObject.kind", "involvedObject.name"}),
    ),
)
