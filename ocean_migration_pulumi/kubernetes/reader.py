"""KubernetesReader: reads one cluster, each list once for all resources of the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import SingleFlightCache, run_together
from ocean_migration_pulumi.errors import InputError, KubernetesError
from ocean_migration_pulumi.kubernetes import conditions
from ocean_migration_pulumi.kubernetes.connection.access import KubernetesAccess
from ocean_migration_pulumi.kubernetes.connection.connection import Connection, KubernetesResponse
from ocean_migration_pulumi.kubernetes.connection.errors import (
    UNEXPECTED,
    IncompleteListError,
    RefusedError,
    UnexpectedAnswerError,
)
from ocean_migration_pulumi.kubernetes.gaps import (
    KUBERNETES,
    NOT_FOUND,
    ends_all,
    gap_for_error,
    gap_for_status,
    gap_for_unusable,
)
from ocean_migration_pulumi.kubernetes.objects import objects
from ocean_migration_pulumi.kubernetes.objects.cluster_objects import (
    VolumeObject,
    read_attachment_limit,
    read_daemon_set,
    read_node_pool,
    read_service,
    read_volume,
    read_webhooks,
)
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError, decode_object
from ocean_migration_pulumi.kubernetes.objects.pods import read_pod
from ocean_migration_pulumi.kubernetes.pagination import Listed, ListProgress, list_all
from ocean_migration_pulumi.kubernetes.resources import AWS_AUTH_NAME, resource_path
from ocean_migration_pulumi.kubernetes.workloads import WorkloadLister
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    AWS_AUTH,
    BUDGETS,
    CLAIMS,
    CSI_NODES,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVICTIONS,
    MUTATING_WEBHOOKS,
    NODE_POOLS,
    NODES,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOKS,
    VOLUMES,
    EvictionTrial,
    KubernetesNode,
    KubernetesSnapshot,
    MappedRole,
    Pod,
)
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadSnapshot
from ocean_migration_pulumi.migration.spec.conditions import ConditionObservation, KubernetesCondition
from ocean_migration_pulumi.migration.spec.gap import Gap

MAXIMUM_AGE: Final = 30.0
"""Seconds for which a list is good enough to plan with; a run reads again before it writes."""

# Each request is bounded; a look-up of a name that hangs is not.
_ABANDON_AFTER: Final = 60.0
_LISTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    NODES: objects.read_node,
    PODS: read_pod,
    BUDGETS: objects.read_budget,
    DEPLOYMENTS: objects.read_deployment,
    DAEMON_SETS: read_daemon_set,
    SERVICES: read_service,
    VALIDATING_WEBHOOKS: read_webhooks,
    MUTATING_WEBHOOKS: read_webhooks,
    NODE_POOLS: read_node_pool,
}
_STORAGE: Final[Mapping[str, Callable[[Any], Any]]] = {
    CLAIMS: lambda data: (objects.read_full_name(data), objects.read_volume_name(data)),
    VOLUMES: read_volume,
    CSI_NODES: read_attachment_limit,
}
_ALL: Final = (AWS_AUTH, *_LISTS, *_STORAGE)
_BAD_REQUEST: Final = 400
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_BUDGET: Final = "disruption budget"
_SEVERAL_BUDGETS: Final = "more than one PodDisruptionBudget"


class KubernetesReader:
    """Reads the cluster that an access leads to; one for each access and process, thread-safe.

    Implements the protocols ``KubernetesApi`` and ``GateKubernetes``. It never writes: a trial eviction is a dry run.
    """

    def __init__(self, access: KubernetesAccess, clock: Callable[[], float] = time.monotonic) -> None:
        self.access = access
        self.progress: ListProgress | None = None
        """Told while lists of a snapshot are read; None: nobody is."""
        self._connection = Connection(access.target)
        self._cache = SingleFlightCache(KUBERNETES, clock, abandon_after=_ABANDON_AFTER)
        self._workloads = WorkloadLister(self._connection)

    def __repr__(self) -> str:
        return f"KubernetesReader({self.access!r})"

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def read_snapshot(self, scope: CancelScope, *, fresh: bool = False) -> KubernetesSnapshot:
        """Return what could be read of the cluster; whatever could not is a gap.

        Args:
            scope: Bounds the reading. At its deadline, what is not read yet is a gap.
            fresh: Read everything again.

        Raises:
            OperationCancelled: The operation was cancelled.
        """

        def read_lists(reads: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
            asks = {
                name: partial(list_all, self._connection, scope, name, read, progress=self.progress)
                for name, read in reads.items()
            }
            return self._cache.get_all(scope, asks, max_age=MAXIMUM_AGE, fresh=fresh)

        # First and alone: it shows whether the cluster can be reached at all, and runs the credential plugin once.
        asks = {AWS_AUTH: lambda: self._mapped_roles(scope)}
        first = self._cache.get_all(scope, asks, max_age=MAXIMUM_AGE, fresh=fresh)[AWS_AUTH]
        if isinstance(first, Exception) and ends_all(first):
            gaps = {resource: gap_for_error(resource, first) for resource in _ALL}
            return KubernetesSnapshot(gaps=gaps, source=self.access.source)
        outcomes = {AWS_AUTH: first, **read_lists(_LISTS)}
        pods: list[Pod] = _found(outcomes[PODS])
        if any(pod.claims or pod.ephemeral_claims for pod in pods):
            outcomes |= read_lists(_STORAGE)
            volumes = _find_volumes(dict(_found(outcomes[CLAIMS])), _found(outcomes[VOLUMES]))
            pods = [_with_volumes(pod, volumes) if pod.claims or pod.ephemeral_claims else pod for pod in pods]
        listed: list[KubernetesNode] = _found(outcomes[NODES])
        nodes = {node.instance_id: node for node in listed if node.instance_id}
        others = [node for node in listed if node.instance_id and node is not nodes[node.instance_id]]
        return KubernetesSnapshot(
            nodes=nodes,
            unidentified=frozenset(node.name for node in listed if not node.instance_id),
            other_names={
                other.instance_id: frozenset(node.name for node in others if node.instance_id == other.instance_id)
                for other in others
            },
            pods=tuple(pods),
            budgets=tuple(_found(outcomes[BUDGETS])),
            deployments=tuple(_found(outcomes[DEPLOYMENTS])),
            daemon_sets=frozenset(each.full_name for each in _found(outcomes[DAEMON_SETS])),
            cni=next((each.cni for each in _found(outcomes[DAEMON_SETS]) if each.cni is not None), None),
            attachment_limits={name: limit for name, limit in _found(outcomes.get(CSI_NODES)) if limit is not None},
            mapped_roles=None if isinstance(first, Exception) else first,
            services=dict(_found(outcomes[SERVICES])),
            webhooks=tuple(
                webhook
                for resource in (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)
                for several in _found(outcomes[resource])
                for webhook in several
            ),
            node_pools=tuple(_found(outcomes[NODE_POOLS])),
            gaps={name: gap for name, outcome in outcomes.items() if (gap := _gap(name, outcome))},
            source=self.access.source,
        )

    def nodes_with(self, scope: CancelScope, label_selector: str) -> frozenset[str]:
        """Return the instance ids of the nodes that a label selector takes, as the API server evaluates it.

        Raises:
            InputError: The API server refuses the selector.
            KubernetesError: Kubernetes cannot be asked.
            OperationCancelled: The operation was cancelled.
        """
        query = {"labelSelector": label_selector}
        ask = partial(list_all, self._connection, scope, NODES, objects.read_node, query)
        key = (NODES, label_selector)
        outcome = self._cache.get_all(scope, {key: ask}, max_age=MAXIMUM_AGE)[key]
        if isinstance(outcome, RefusedError) and outcome.status == _BAD_REQUEST:
            raise InputError("nodes.label_selector", f"Kubernetes refuses it: {outcome.said or 'bad request'}")
        if gap := _gap(NODES, outcome):
            # A selector of which a part is unknown must never count as one that takes fewer nodes.
            raise KubernetesError(describe_gap(gap).line)
        return frozenset(node.instance_id for node in _found(outcome) if node.instance_id)

    def read_workloads(
        self,
        scope: CancelScope,
        now: datetime,
        namespaces: Collection[str] | None,
        known: Collection[WorkloadId] = (),
    ) -> WorkloadSnapshot:
        """Return the workloads of some namespaces, never from the cache; see ``WorkloadLister.read_workloads``."""
        return self._workloads.read_workloads(scope, now, namespaces, known)

    def try_eviction(self, scope: CancelScope, pod: Pod) -> EvictionTrial:
        """Return whether a pod may be evicted now, by an eviction with ``dryRun=All``, which evicts nothing.

        Raises:
            OperationCancelled: The operation was cancelled.
        """
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            # The query says it, too: either alone keeps the eviction from happening.
            "deleteOptions": {"dryRun": ["All"]},
        }
        path = f"{resource_path(PODS, pod.namespace, pod.name)}/eviction"
        send = partial(self._connection.post, scope, path, {"dryRun": "All"}, body)
        outcome = run_together(KUBERNETES, scope, {path: send})[path]
        if isinstance(outcome, Exception):
            return EvictionTrial(allowed=None, gap=gap_for_error(EVICTIONS, outcome))
        return _trial(outcome)

    def instances(self, scope: CancelScope) -> frozenset[str]:
        """Return the instance ids of the cluster's nodes, never from the cache; raise what ``observe`` does."""
        return conditions.list_instance_ids(self._connection, scope)

    def pending_pods(self, scope: CancelScope) -> tuple[str, ...]:
        """Return namespace and name of pending pods, never from the cache; raise what ``observe`` does."""
        return conditions.list_pending_pods(self._connection, scope)

    def observe(self, scope: CancelScope, wanted: Sequence[KubernetesCondition]) -> tuple[ConditionObservation, ...]:
        """Return what was observed of each condition, in their order, never from the cache.

        Raises:
            KubernetesError: The cluster cannot be read now.
            PrerequisiteError: The cluster refuses the credentials, or a right is missing.
            OperationCancelled: The operation was cancelled.
        """
        return conditions.observe_conditions(self._connection, scope, wanted)

    def _mapped_roles(self, scope: CancelScope) -> tuple[MappedRole, ...] | None:
        try:
            path = resource_path(AWS_AUTH, "kube-system", AWS_AUTH_NAME)
            found = decode_object(self._connection.get(scope, path))
            if found is None:
                raise UnexpectedAnswerError(UNEXPECTED)
            return objects.read_mapped_roles(found)
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            return None
        except UnexpectedFormError:
            msg = "mapRoles of the ConfigMap kube-system/aws-auth is not a list"
            raise KubernetesError(msg) from None


def _found(outcome: Any) -> list[Any]:
    return outcome.found if isinstance(outcome, Listed | IncompleteListError) else []


def _gap(resource: str, outcome: object) -> Gap | None:
    if resource == NODE_POOLS and isinstance(outcome, RefusedError) and outcome.status == NOT_FOUND and outcome.said:
        return None  # Karpenter is not installed
    if isinstance(outcome, Exception):
        return gap_for_error(resource, outcome)
    return gap_for_unusable(resource, outcome.unusable) if isinstance(outcome, Listed) and outcome.unusable else None


_Volumes = Mapping[tuple[str, str], VolumeObject]


def _find_volumes(claims: Mapping[tuple[str, str], str], volumes: Iterable[VolumeObject]) -> _Volumes:
    """Return the volumes of claims."""
    named = {volume.name: volume for volume in volumes}
    return {claim: named[name] for claim, name in claims.items() if name in named}


def _with_volumes(pod: Pod, volumes: _Volumes) -> Pod:
    """Return a pod with where its volumes can be used, but for those that go with it, and which of them are in EBS."""
    kept = [volume for claim in pod.claims if (volume := volumes.get((pod.namespace, claim)))]
    gone = [volume for claim in pod.ephemeral_claims if (volume := volumes.get((pod.namespace, claim)))]
    return replace(
        pod,
        volume_terms=tuple(volume.terms for volume in kept if volume.terms),
        ebs_volumes=tuple(volume.name for volume in (*kept, *gone) if volume.is_ebs),
    )


def _trial(answer: KubernetesResponse) -> EvictionTrial:
    """Return what the response to an eviction means; only the API server's own words count, not those of a proxy."""
    if answer.ok:
        return EvictionTrial(allowed=True)
    if answer.said and answer.status == NOT_FOUND:
        return EvictionTrial(allowed=None, said=answer.said, vanished=True)
    several = answer.status == _SERVER_ERROR and _SEVERAL_BUDGETS.casefold() in answer.said.casefold()
    # A server with too many requests, and a webhook, answer with 429, too: that says nothing of a budget.
    if several or (answer.status == _TOO_MANY and _BUDGET in answer.said.casefold()):
        return EvictionTrial(allowed=False, said=answer.said)
    return EvictionTrial(allowed=None, gap=gap_for_status(EVICTIONS, answer.status, said=answer.said))
