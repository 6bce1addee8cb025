"""Reads workloads and their pods: the lists that health needs, once per look.

Lists are read in pages, not watched: a look each minute costs a cluster of 10,000 pods less than a second of a core,
memory is that of one page and the pods that remain of it, and there is no connection that can go stale unnoticed. A
watch would save the network little while pods move, and a look that is missed must be known to be missed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import run_together
from ocean_migration_pulumi.kubernetes.connection.connection import Connection
from ocean_migration_pulumi.kubernetes.connection.errors import RefusedError
from ocean_migration_pulumi.kubernetes.discovery import list_api_resources
from ocean_migration_pulumi.kubernetes.gaps import FORBIDDEN, KUBERNETES, NOT_FOUND, gap_for_error, gap_for_unusable
from ocean_migration_pulumi.kubernetes.objects import objects, workload_objects
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, decode_object
from ocean_migration_pulumi.kubernetes.objects.pods import OwnerRef, read_workload_pod
from ocean_migration_pulumi.kubernetes.pagination import Listed, list_all
from ocean_migration_pulumi.kubernetes.resources import api_path, object_path
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import CLAIMS, DEPLOYMENTS, NODES, PODS
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import (
    EVENTS,
    REPLICA_SETS,
    SCALES,
    STATEFUL_SETS,
    WorkloadController,
    WorkloadId,
    WorkloadPod,
    WorkloadSnapshot,
)
from ocean_migration_pulumi.migration.spec.gap import Gap

MOST_NAMESPACES: Final = 8
"""Namespaces up to which each is listed for itself; with more, the whole cluster is listed once."""

MOST_SCALES: Final = 50
"""Workloads of other kinds whose ``scale`` is asked for in one look; the others tell no number."""

_LISTED_KINDS: Final = frozenset(
    {workload_objects.DEPLOYMENT, workload_objects.REPLICA_SET, workload_objects.STATEFUL_SET}
)
_WARNINGS: Final = frozenset({"FailedCreate", "FailedCreatePodSandBox", "FailedAttachVolume", "FailedMount"})


class WorkloadLister:
    """Lists workloads; one for each cluster and process, thread-safe.

    Args:
        connection: The API server.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._owners: dict[WorkloadId, OwnerRef | None] = {}
        self._versions: dict[WorkloadId, str] = {}
        self._plurals: dict[tuple[str, str], str] = {}

    def read_workloads(
        self,
        scope: CancelScope,
        now: datetime,
        namespaces: Collection[str] | None,
        known: Collection[WorkloadId] = (),
    ) -> WorkloadSnapshot:
        """Return the workloads of some namespaces; whatever could not be read is a gap.

        Args:
            scope: Bounds the reading.
            now: The time, as the age of events is measured.
            namespaces: The namespaces; None for all.
            known: Workloads that are looked for, also when they have no pods.

        Raises:
            OperationCancelled: The operation was cancelled.
        """

        def lists(resource: str, read: Callable[[Any], Any], **more: Any) -> Callable[[], Listed[Any]]:
            return partial(self._list, scope, namespaces, resource, read, **more)

        outcomes = run_together(
            KUBERNETES,
            scope,
            {
                PODS: lists(PODS, partial(read_workload_pod, find_top=self._find_top)),
                DEPLOYMENTS: lists(DEPLOYMENTS, workload_objects.read_deployment_controller),
                STATEFUL_SETS: lists(STATEFUL_SETS, workload_objects.read_stateful_set_controller),
                NODES: lambda: list_all(self._connection, scope, NODES, objects.read_node),
            },
        )
        gaps = _all_gaps(outcomes)
        pods = [pod for pod in _found(outcomes[PODS]) if pod and (namespaces is None or pod.namespace in namespaces)]
        controllers = [*_found(outcomes[DEPLOYMENTS]), *_found(outcomes[STATEFUL_SETS])]
        # A ReplicaSet without a controller may be scaled: it is read in each look.
        if any(workload.kind == workload_objects.REPLICA_SET for workload in (*known, *(pod.workload for pod in pods))):
            listing = {REPLICA_SETS: lists(REPLICA_SETS, workload_objects.read_replica_set)}
            listed = run_together(KUBERNETES, scope, listing)
            gaps |= _all_gaps(listed)
            controllers += self._learn_replica_sets(_found(listed[REPLICA_SETS]))
            pods = [self._with_top(pod) for pod in pods]
        workloads = {each.id: each for each in controllers if namespaces is None or each.id.namespace in namespaces}
        others = {pod.workload for pod in pods if pod.workload.kind not in _LISTED_KINDS}
        others |= {workload for workload in known if workload.kind not in _LISTED_KINDS}
        scaled, scale_gaps = self._read_scales(scope, sorted(others))
        workloads |= scaled
        troubled = _find_troubled(pods, workloads.values())
        more, more_gaps = self._read_explanations(scope, troubled, pods)
        return WorkloadSnapshot(
            at=now,
            namespaces=None if namespaces is None else frozenset(namespaces),
            workloads=workloads,
            pods=tuple(pods),
            instances={node.name: node.instance_id for node in _found(outcomes[NODES]) if node.instance_id},
            warnings=tuple(each for each in more[EVENTS] if each.reason in _WARNINGS),
            shared_claims=frozenset(claim for claim, shared in more[CLAIMS] if shared),
            gaps={**gaps, **scale_gaps, **more_gaps},
        )

    def _list(
        self,
        scope: CancelScope,
        namespaces: Collection[str] | None,
        resource: str,
        read: Callable[[Any], Any],
        **more: Any,
    ) -> Listed[Any]:
        """List a resource in a few namespaces, each for itself, else in the whole cluster."""
        listed = sorted(namespaces) if namespaces is not None and len(namespaces) <= MOST_NAMESPACES else [""]
        return _join(
            list_all(self._connection, scope, resource, read, namespace=namespace, **more) for namespace in listed
        )

    def _find_top(self, owner: OwnerRef) -> OwnerRef:
        """Return the top controller of a pod's controller; of a ReplicaSet, itself while its own is not known."""
        with self._lock:
            top = self._owners.get(owner.id) or owner
            self._versions[top.id] = top.api_version
        return top

    def _with_top(self, pod: WorkloadPod) -> WorkloadPod:
        """Return a pod of a ReplicaSet whose controller was learned since the pod was read, as a pod of that one."""
        if pod.workload.kind != workload_objects.REPLICA_SET:
            return pod
        return replace(pod, workload=self._find_top(OwnerRef("apps/v1", pod.workload)).id)

    def _learn_replica_sets(
        self, found: Iterable[tuple[WorkloadController, OwnerRef | None]]
    ) -> list[WorkloadController]:
        """Remember the controllers of ReplicaSets, and return the ReplicaSets that have none."""
        bare = []
        with self._lock:
            for controller, owner in found:
                if owner is None:
                    bare.append(controller)
                else:
                    self._owners[controller.id] = owner
        return bare

    def _read_scales(
        self, scope: CancelScope, workloads: list[WorkloadId]
    ) -> tuple[dict[WorkloadId, WorkloadController], dict[str, Gap]]:
        """Return workloads of other kinds that exist, with the number of pods that they ask for where they tell it."""
        gaps: dict[str, Gap] = {}
        asks = {workload: partial(self._read_scale, scope, workload) for workload in workloads[:MOST_SCALES]}
        found = {workload: WorkloadController(id=workload, tells_rollouts=False) for workload in workloads}
        for workload, outcome in run_together(KUBERNETES, scope, asks).items():
            if isinstance(outcome, WorkloadController):
                found[workload] = outcome
            elif isinstance(outcome, RefusedError) and outcome.status == NOT_FOUND and outcome.said:
                del found[workload]  # a proxy that has lost the API server answers with the same status
            elif isinstance(outcome, RefusedError) and outcome.status == FORBIDDEN:
                gaps[SCALES] = gap_for_error(SCALES, outcome)
        return found, gaps

    def _read_scale(self, scope: CancelScope, workload: WorkloadId) -> WorkloadController | None:
        """Return what ``scale`` tells; None where the kind has none. RefusedError with 404: there is no such object."""
        version = self._versions.get(workload)
        if version is None:
            return None
        plural = self._find_plural(scope, version, workload.kind)
        if not plural:
            return None
        path = f"{api_path(version)}/{object_path(plural, workload.namespace, workload.name)}/scale"
        try:
            data = decode_object(self._connection.get(scope, path))
            return workload_objects.read_scale(workload, data or {})
        except UnexpectedFormError:
            return None

    def _find_plural(self, scope: CancelScope, version: str, kind: str) -> str:
        """Return the plural of a kind that has ``scale``, by the discovery of the API; empty when it has none."""
        key = (version, kind)
        if key not in self._plurals:
            try:
                found = list_api_resources(self._connection, scope, version)
            except RefusedError as error:
                if error.status != NOT_FOUND:
                    raise
                found = ()  # the whole group is gone, which says nothing of the pods that are left
            names = {each.name for each in found}
            scaled = [each.name for each in found if each.kind == kind and f"{each.name}/scale" in names]
            self._plurals[key] = scaled[0] if scaled else ""
        return self._plurals[key]

    def _read_explanations(
        self, scope: CancelScope, troubled: set[str], pods: Iterable[WorkloadPod]
    ) -> tuple[dict[str, list[Any]], dict[str, Gap]]:
        """Return warnings and claims of the namespaces in which something is not ready; nothing where all is well."""
        claimed = {pod.namespace for pod in pods if pod.claims and not pod.ready}
        asks = {
            EVENTS: partial(
                self._list,
                scope,
                troubled,
                EVENTS,
                workload_objects.read_warning,
                query={"fieldSelector": "type=Warning"},
            ),
            CLAIMS: partial(self._list, scope, claimed, CLAIMS, workload_objects.read_shared_claim),
        }
        wanted = {EVENTS: troubled, CLAIMS: claimed}
        outcomes = run_together(KUBERNETES, scope, {name: ask for name, ask in asks.items() if wanted[name]})
        return {name: _found(outcomes.get(name)) for name in asks}, _all_gaps(outcomes)


def _find_troubled(pods: Iterable[WorkloadPod], controllers: Iterable[WorkloadController]) -> set[str]:
    """Return the namespaces in which a pod is not ready, or missing."""
    there = Counter(pod.workload for pod in pods)
    troubled = {pod.namespace for pod in pods if not pod.ready}
    return troubled | {each.id.namespace for each in controllers if (each.desired or 0) > there[each.id]}


def _join(lists: Iterable[Listed[Any]]) -> Listed[Any]:
    found: list[Any] = []
    unusable = 0
    for each in lists:
        found += each.found
        unusable += each.unusable
    return Listed(found=found, unusable=unusable)


def _found(outcome: object) -> list[Any]:
    return outcome.found if isinstance(outcome, Listed) else []


def _all_gaps(outcomes: Mapping[str, object]) -> dict[str, Gap]:
    """Return the gaps that lists leave, by resource."""
    gaps = {}
    for resource, outcome in outcomes.items():
        if isinstance(outcome, Exception):
            gaps[resource] = gap_for_error(resource, outcome)
        elif isinstance(outcome, Listed) and outcome.unusable:
            gaps[resource] = gap_for_unusable(resource, outcome.unusable)
    return gaps
