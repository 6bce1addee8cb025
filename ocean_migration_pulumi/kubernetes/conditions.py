"""What a gate asks of Kubernetes: nodes, pending pods, and the conditions of single objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from ocean_migration_pulumi.common.cancellation import CancelScope
from ocean_migration_pulumi.common.single_flight import run_together
from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.errors import KubernetesError, PrerequisiteError
from ocean_migration_pulumi.kubernetes.connection.connection import Connection
from ocean_migration_pulumi.kubernetes.connection.errors import RefusedError, UnexpectedAnswerError
from ocean_migration_pulumi.kubernetes.gaps import (
    FORBIDDEN,
    KUBERNETES,
    NOT_FOUND,
    UNAUTHORIZED,
    gap_for_error,
    gap_for_unusable,
)
from ocean_migration_pulumi.kubernetes.objects import objects
from ocean_migration_pulumi.kubernetes.objects.decoding import (
    UnexpectedFormError,
    decode_object,
    read_int,
    read_objects,
    read_part,
    read_text,
)
from ocean_migration_pulumi.kubernetes.pagination import Listed, list_all
from ocean_migration_pulumi.kubernetes.resources import resource_path
from ocean_migration_pulumi.migration.checks.service import is_pending
from ocean_migration_pulumi.migration.gate.conditions import READY, GateObservation, KubernetesCondition
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DAEMON_SETS,
    DEPLOYMENTS,
    NODES,
    PODS,
    Gap,
    describe_gap,
)
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import STATEFUL_SETS

T = TypeVar("T")

RESOURCES: Final[Mapping[str, str]] = {
    "Deployment": DEPLOYMENTS,
    "StatefulSet": STATEFUL_SETS,
    "DaemonSet": DAEMON_SETS,
    "Job": "jobs",
    "Node": NODES,
    "Pod": PODS,
}
"""The resource of each kind that has conditions."""

# Their status names the generation of the object that it describes.
_WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_TRUE: Final = "True"
_LONGEST_REASON: Final = 60


def list_instance_ids(connection: Connection, scope: CancelScope) -> frozenset[str]:
    """Return the instance ids of the cluster's nodes; raise what ``observe_conditions`` does."""
    nodes = _listed(connection, scope, NODES, objects.read_node)
    return frozenset(node.instance_id for node in nodes if node.instance_id)


def list_pending_pods(connection: Connection, scope: CancelScope) -> tuple[str, ...]:
    """Return the pods that wait for a node, as namespace and name; raise what ``observe_conditions`` does."""
    pods = _listed(connection, scope, PODS, objects.read_pod, {"fieldSelector": "status.phase=Pending"})
    return tuple(pod.full_name for pod in pods if is_pending(pod))


def observe_conditions(
    connection: Connection, scope: CancelScope, conditions: Sequence[KubernetesCondition]
) -> tuple[GateObservation, ...]:
    """Return what was observed of each condition, in their order; all objects are read at once.

    Raises:
        KubernetesError: The cluster cannot be read now.
        PrerequisiteError: The cluster refuses the credentials, or a right is missing.
        OperationCancelled: The operation was cancelled.
    """
    asks = {number: partial(_observe, connection, scope, condition) for number, condition in enumerate(conditions)}
    outcomes = run_together(KUBERNETES, scope, asks)
    observed = []
    for number, condition in enumerate(conditions):
        outcome = outcomes[number]
        if isinstance(outcome, Exception):
            raise _error(outcome, gap_for_error(RESOURCES[condition.kind], outcome, "get"))
        observed.append(outcome)
    return tuple(observed)


def _listed(
    connection: Connection,
    scope: CancelScope,
    resource: str,
    read: Callable[[Mapping[str, Any]], T],
    query: Mapping[str, str] | None = None,
) -> list[T]:
    ask = partial(list_all, connection, scope, resource, read, query)
    outcome: Listed[T] | Exception = run_together(KUBERNETES, scope, {resource: ask})[resource]
    if isinstance(outcome, Exception):
        raise _error(outcome, gap_for_error(resource, outcome))
    if outcome.unusable:
        raise KubernetesError(gap_for_unusable(resource, outcome.unusable).reason)
    return outcome.found


def _observe(connection: Connection, scope: CancelScope, condition: KubernetesCondition) -> GateObservation:
    try:
        path = resource_path(RESOURCES[condition.kind], condition.namespace, condition.name)
        data = decode_object(connection.get(scope, path))
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        return GateObservation(False, f"{condition.subject} is not there")
    try:
        if data is None:
            raise UnexpectedFormError
        return check_condition(condition, data)
    except UnexpectedFormError:
        raise UnexpectedAnswerError(f"{condition.subject} is not what the Kubernetes API reference promises") from None


def check_condition(condition: KubernetesCondition, data: Mapping[str, Any]) -> GateObservation:
    """Tell whether an object meets a condition; raise UnexpectedFormError when it is of an unexpected form."""
    metadata, spec, status = read_part(data, "metadata"), read_part(data, "spec"), read_part(data, "status")
    subject = condition.subject
    if read_text(metadata, "deletionTimestamp"):
        return GateObservation(False, f"{subject} is being deleted")
    if condition.kind in _WORKLOADS and read_int(status, "observedGeneration") < read_int(metadata, "generation"):
        return GateObservation(False, f"{subject} has changed, and its status not yet")
    if condition.kind in _WORKLOADS and condition.condition == READY:
        if condition.kind == "DaemonSet":
            wanted, ready = read_int(status, "desiredNumberScheduled"), read_int(status, "numberReady")
        else:
            wanted, ready = read_int(spec, "replicas", 1), read_int(status, "readyReplicas")
        return GateObservation(ready >= wanted, f"{subject} has {ready} of {wanted} replicas ready")
    found = {read_text(each, "type"): each for each in read_objects(status, "conditions")}
    if condition.kind == "Job" and read_text(found.get("Failed", {}), "status") == _TRUE:
        return GateObservation(condition.condition == "Failed", f"{subject} has failed")
    each = found.get(condition.condition, {})
    if read_text(each, "status") == _TRUE:
        return GateObservation(True, f"{subject} is {condition.condition}")
    reason = one_line(read_text(each, "reason"), _LONGEST_REASON)
    return GateObservation(False, f"{subject} is not {condition.condition}" + (f" ({reason})" if reason else ""))


def _error(error: Exception, gap: Gap) -> Exception:
    """Return what to raise: a KubernetesError may pass while a gate waits, a PrerequisiteError does not."""
    message = describe_gap(gap)
    if isinstance(error, RefusedError) and error.status in {UNAUTHORIZED, FORBIDDEN}:
        return PrerequisiteError(message)
    return KubernetesError(message)
