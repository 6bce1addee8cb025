"""Everything that is asked of one cluster's API server: each thing once, bounded, and never a change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.errors import DeadlineError, InputError, KubernetesError
from ocean_migration_pulumi.kubernetes import conditions
from ocean_migration_pulumi.kubernetes.background import Asked, Slot, together
from ocean_migration_pulumi.kubernetes.connection.access import KubernetesAccess
from ocean_migration_pulumi.kubernetes.connection.connection import Connection, KubernetesResponse
from ocean_migration_pulumi.kubernetes.connection.errors import UNEXPECTED, RefusedError, UnexpectedAnswerError
from ocean_migration_pulumi.kubernetes.gaps import (
    FORBIDDEN,
    NOT_FOUND,
    NOT_IN_TIME,
    ends_all,
    gap_of,
    incomplete,
    is_outage,
    refused,
)
from ocean_migration_pulumi.kubernetes.objects import objects
from ocean_migration_pulumi.kubernetes.objects.affinities import volume_terms
from ocean_migration_pulumi.kubernetes.objects.decoding import whole_object
from ocean_migration_pulumi.kubernetes.objects.json_fields import UnexpectedFormError
from ocean_migration_pulumi.kubernetes.pagination import Listed, aws_auth_path, list_all
from ocean_migration_pulumi.migration.gate.spec import GateObservation, KubernetesCondition
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    AWS_AUTH,
    BUDGETS,
    CLAIMS,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVICTIONS,
    NODES,
    PODS,
    VOLUMES,
    EvictionTrial,
    Gap,
    KubernetesSnapshot,
    Pod,
    Term,
)

MAXIMUM_AGE: Final = 30.0
"""Seconds for which an answer is good enough to plan with; a run reads afresh before it writes."""

_ALL: Final = (AWS_AUTH, NODES, PODS, BUDGETS, DEPLOYMENTS, DAEMON_SETS, CLAIMS, VOLUMES)
_LISTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    NODES: objects.node,
    PODS: objects.pod,
    BUDGETS: objects.budget,
    DEPLOYMENTS: objects.deployment,
    DAEMON_SETS: objects.full_name,
}
_BAD_REQUEST: Final = 400
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_SEVERAL_BUDGETS: Final = "more than one PodDisruptionBudget"
_TRIAL: Final = "trial"


class KubernetesReader:
    """The cluster that an access leads to; one for each access and process, thread-safe.

    Fulfils the protocols ``KubernetesApi`` and ``GateKubernetes``. ``access`` is the way to the cluster.
    """

    def __init__(self, access: KubernetesAccess, clock: Callable[[], float] = time.monotonic) -> None:
        self.access = access
        self._clock = clock
        self._connection = Connection(access.target)
        self._lock = threading.Lock()
        self._workloads: Slot[KubernetesSnapshot] = Slot(clock)
        self._selected: dict[str, Slot[frozenset[str] | Exception]] = {}

    def __repr__(self) -> str:
        return f"KubernetesReader({self.access!r})"

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def read(self, scope: CancelScope, *, max_age: float = MAXIMUM_AGE, fresh: bool = False) -> KubernetesSnapshot:
        """Return what the cluster tells; what it does not tell is a gap.

        Raises InterruptedWaitError or EngineGoneError when the operation may not go on.
        """
        try:
            return self._workloads.get(scope, lambda: self._read(scope), max_age=max_age, fresh=fresh)
        except DeadlineError as error:
            return self._nothing(error)

    def nodes_with(
        self, scope: CancelScope, label_selector: str, *, max_age: float = MAXIMUM_AGE, fresh: bool = False
    ) -> frozenset[str]:
        """Return the instance ids of the nodes that kubectl's selector takes, as the API server judges it.

        Raises InputError for a selector that the API server refuses, KubernetesError when it cannot be asked, and
        InterruptedWaitError or EngineGoneError when the operation may not go on.
        """
        with self._lock:
            slot = self._selected.setdefault(label_selector, Slot(self._clock))
        try:
            found = slot.get(scope, lambda: self._select(scope, label_selector), max_age=max_age, fresh=fresh)
        except DeadlineError:
            raise KubernetesError(NOT_IN_TIME) from None
        if isinstance(found, Exception):
            # Several threads share the answer: each gets an exception, and a traceback, of its own.
            raise _copy(found)
        return found

    def try_eviction(self, scope: CancelScope, pod: Pod) -> EvictionTrial:
        """Ask whether a pod may be evicted now: an eviction with ``dryRun=All``, which evicts nothing.

        Raises InterruptedWaitError or EngineGoneError when the operation may not go on.
        """
        namespace, name = quote(pod.namespace, safe=""), quote(pod.name, safe="")
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            # Said twice: either alone already keeps the eviction from happening.
            "deleteOptions": {"dryRun": ["All"]},
        }
        path = f"api/v1/namespaces/{namespace}/pods/{name}/eviction"
        outcome = together(scope, {_TRIAL: lambda: self._connection.post(scope, path, {"dryRun": "All"}, body)})[_TRIAL]
        if isinstance(outcome, Exception):
            return EvictionTrial(allowed=None, message=gap_of(EVICTIONS, outcome).reason)
        return _trial(outcome)

    def instances(self, scope: CancelScope) -> frozenset[str]:
        """Return the instance ids of the cluster's nodes, asked afresh; raises as ``observe`` does."""
        return conditions.instances(self._connection, scope)

    def pending_pods(self, scope: CancelScope) -> tuple[str, ...]:
        """Return the pods that wait for a node, as namespace and name, asked afresh; raises as ``observe`` does."""
        return conditions.pending_pods(self._connection, scope)

    def observe(self, scope: CancelScope, wanted: Sequence[KubernetesCondition]) -> tuple[GateObservation, ...]:
        """Return what was seen of each condition of an object, in their order, asked afresh.

        Raises KubernetesError when the cluster cannot be asked now, PrerequisiteError when it refuses the credentials
        or a right is missing, and InterruptedWaitError or EngineGoneError when the operation may not go on.
        """
        return conditions.observe(self._connection, scope, wanted)

    def _read(self, scope: CancelScope) -> Asked[KubernetesSnapshot]:
        # Asked alone: it says whether the cluster can be reached at all, and runs the credential plugin once for all.
        first = together(scope, {AWS_AUTH: lambda: self._mapped_roles(scope)})[AWS_AUTH]
        if isinstance(first, Exception) and ends_all(first):
            return Asked(self._nothing(first), is_outage(first))
        outcomes: dict[str, Any] = {AWS_AUTH: first, **together(scope, self._lists(scope, _LISTS))}
        pods: list[Pod] = _found(outcomes[PODS])
        if any(pod.claims for pod in pods):
            storage = {CLAIMS: _claim, VOLUMES: _volume}
            outcomes |= together(scope, self._lists(scope, storage))
            places = _places(dict(_found(outcomes[CLAIMS])), dict(_found(outcomes[VOLUMES])))
            pods = [replace(pod, volume_terms=_volume_terms(pod, places)) if pod.claims else pod for pod in pods]
        kube = KubernetesSnapshot(
            nodes={node.instance_id: node for node in _found(outcomes[NODES]) if node.instance_id},
            pods=tuple(pods),
            budgets=tuple(_found(outcomes[BUDGETS])),
            deployments=tuple(_found(outcomes[DEPLOYMENTS])),
            daemon_sets=frozenset(_found(outcomes[DAEMON_SETS])),
            mapped_roles=None if isinstance(first, Exception) else first,
            gaps={name: gap for name, outcome in outcomes.items() if (gap := _gap(name, outcome))},
            source=self.access.source,
        )
        return Asked(kube, any(isinstance(each, Exception) and is_outage(each) for each in outcomes.values()))

    def _lists(
        self, scope: CancelScope, reads: Mapping[str, Callable[[Mapping[str, Any]], Any]]
    ) -> dict[str, Callable[[], Listed[Any]]]:
        def ask(resource: str, read: Callable[[Mapping[str, Any]], Any]) -> Callable[[], Listed[Any]]:
            return lambda: list_all(self._connection, scope, resource, read)

        return {resource: ask(resource, read) for resource, read in reads.items()}

    def _mapped_roles(self, scope: CancelScope) -> tuple[str, ...] | None:
        try:
            found = whole_object(self._connection.get(scope, aws_auth_path()))
            if found is None:
                raise UnexpectedAnswerError(UNEXPECTED)
            return objects.mapped_roles(found)
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            return None
        except UnexpectedFormError:
            msg = "the roles that the ConfigMap kube-system/aws-auth maps are no list of roles"
            raise KubernetesError(msg) from None

    def _select(self, scope: CancelScope, label_selector: str) -> Asked[frozenset[str] | Exception]:
        query = {"labelSelector": label_selector}
        outcome = together(scope, {NODES: lambda: list_all(self._connection, scope, NODES, objects.node, query)})[NODES]
        if isinstance(outcome, RefusedError) and outcome.status == _BAD_REQUEST:
            return Asked(
                InputError("nodes.label_selector", f"Kubernetes refuses it: {outcome.said or 'bad request'}"), False
            )
        if gap := _gap(NODES, outcome):
            # A selector of which a part is unknown must never count as one that takes fewer nodes.
            text = f"{gap.reason}; {gap.remedy}" if gap.remedy else gap.reason
            return Asked(KubernetesError(text), isinstance(outcome, Exception) and is_outage(outcome))
        return Asked(frozenset(node.instance_id for node in _found(outcome) if node.instance_id), False)

    def _nothing(self, error: Exception) -> KubernetesSnapshot:
        """Return what is known when the first question already failed."""
        return KubernetesSnapshot(
            gaps={resource: gap_of(resource, error) for resource in _ALL}, source=self.access.source
        )


def _found(outcome: Any) -> list[Any]:
    return outcome.found if isinstance(outcome, Listed) else []


def _gap(resource: str, outcome: object) -> Gap | None:
    if isinstance(outcome, Exception):
        return gap_of(resource, outcome)
    return incomplete(resource, outcome.unusable) if isinstance(outcome, Listed) and outcome.unusable else None


def _claim(data: Mapping[str, Any]) -> tuple[tuple[str, str], str]:
    return objects.full_name(data), objects.volume_of_claim(data)


def _volume(data: Mapping[str, Any]) -> tuple[str, tuple[Term, ...]]:
    return objects.name_of(data), volume_terms(data)


_Places = Mapping[tuple[str, str], tuple[Term, ...]]


def _places(claims: Mapping[tuple[str, str], str], volumes: Mapping[str, tuple[Term, ...]]) -> _Places:
    """Return where the volumes of claims can be used; those that can be anywhere are left out."""
    return {claim: terms for claim, volume in claims.items() if (terms := volumes.get(volume))}


def _volume_terms(pod: Pod, places: _Places) -> tuple[tuple[Term, ...], ...]:
    return tuple(terms for claim in pod.claims if (terms := places.get((pod.namespace, claim))))


def _copy(error: Exception) -> Exception:
    if isinstance(error, InputError):
        return InputError(error.property_name, error.message)
    return KubernetesError(str(error))


def _trial(answer: KubernetesResponse) -> EvictionTrial:
    """Say what an answer to an eviction means; only the API server's own words count, not those of a proxy."""
    if answer.ok:
        return EvictionTrial(allowed=True)
    if answer.said and answer.status == NOT_FOUND:
        return EvictionTrial(allowed=True, message=answer.said)
    several = answer.status == _SERVER_ERROR and _SEVERAL_BUDGETS.casefold() in answer.said.casefold()
    if several or (answer.said and answer.status == _TOO_MANY):
        return EvictionTrial(allowed=False, message=answer.said)
    gap = refused(EVICTIONS, answer.status)
    if answer.status == FORBIDDEN:
        return EvictionTrial(allowed=None, message=f"{gap.reason}; {gap.remedy}")
    return EvictionTrial(allowed=None, message=f"{gap.reason}: {answer.said}" if answer.said else gap.reason)
