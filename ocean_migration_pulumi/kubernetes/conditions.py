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
from ocean_migration_pulumi.kubernetes.discovery import ApiResource, list_api_resources
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
    read_condition,
    read_int,
    read_part,
    read_text,
)
from ocean_migration_pulumi.kubernetes.objects.pods import read_pod
from ocean_migration_pulumi.kubernetes.pagination import Listed, list_all
from ocean_migration_pulumi.kubernetes.resources import api_path, object_path, resource_path
from ocean_migration_pulumi.migration.checks.service import is_pending
from ocean_migration_pulumi.migration.planning.text.gaps_text import describe_gap
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DAEMON_SETS, DEPLOYMENTS, NODES, PODS
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import STATEFUL_SETS
from ocean_migration_pulumi.migration.spec.conditions import (
    READY,
    TRUE,
    ConditionObservation,
    KubernetesCondition,
    ObservationCode,
)
from ocean_migration_pulumi.migration.spec.gap import Gap

T = TypeVar("T")

RESOURCES: Final[Mapping[str, str]] = {
    "Deployment": DEPLOYMENTS,
    "StatefulSet": STATEFUL_SETS,
    "DaemonSet": DAEMON_SETS,
    "Job": "jobs",
    "Node": NODES,
    "Pod": PODS,
}
"""The resource of each kind that needs no ``api_version``."""

# Their status names the generation of the object that it describes.
_WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_LONGEST_REASON: Final = 60


def list_instance_ids(connection: Connection, scope: CancelScope) -> frozenset[str]:
    """Return the instance ids of the cluster's nodes; raise what ``observe_conditions`` does."""
    nodes = _listed(connection, scope, NODES, objects.read_node)
    return frozenset(node.instance_id for node in nodes if node.instance_id)


def list_pending_pods(connection: Connection, scope: CancelScope) -> tuple[str, ...]:
    """Return the pods that wait for a node, as namespace and name; raise what ``observe_conditions`` does."""
    pods = _listed(connection, scope, PODS, read_pod, {"fieldSelector": "status.phase=Pending"})
    return tuple(pod.full_name for pod in pods if is_pending(pod))


def observe_conditions(
    connection: Connection, scope: CancelScope, conditions: Sequence[KubernetesCondition]
) -> tuple[ConditionObservation, ...]:
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
        if isinstance(outcome, PrerequisiteError):
            raise outcome
        if isinstance(outcome, Exception):
            raise _error(outcome, gap_for_error(condition.subject, outcome))
        observed.append(outcome)
    return tuple(observed)


def _listed(
    connection: Connection,
    scope: CancelScope,
    resource: str,
    read: Callable[[Any], T],
    query: Mapping[str, str] | None = None,
) -> list[T]:
    ask = partial(list_all, connection, scope, resource, read, query)
    outcome: Listed[T] | Exception = run_together(KUBERNETES, scope, {resource: ask})[resource]
    if isinstance(outcome, Exception):
        raise _error(outcome, gap_for_error(resource, outcome))
    if outcome.unusable:
        raise KubernetesError(describe_gap(gap_for_unusable(resource, outcome.unusable)).reason)
    return outcome.found


def _observe(connection: Connection, scope: CancelScope, condition: KubernetesCondition) -> ConditionObservation:
    subject = condition.subject
    resource = RESOURCES.get(condition.kind, condition.kind)
    try:
        path = resource_path(resource, condition.namespace, condition.name)
        if condition.api_version:
            found = _find_resource(connection, scope, condition)
            if found is None:
                fields = {"api_version": condition.api_version, "kind": condition.kind}
                return _missing(ObservationCode.NO_KIND, subject, fields)
            if found.namespaced is not bool(condition.namespace):
                code = ObservationCode.NEEDS_NAMESPACE if found.namespaced else ObservationCode.HAS_NO_NAMESPACE
                return _missing(code, subject)
            group = condition.api_version.rpartition("/")[0]
            resource = f"{found.name}.{group}" if group else found.name
            place = object_path(found.name, condition.namespace, condition.name)
            path = f"{api_path(condition.api_version)}/{place}"
        data = decode_object(connection.get(scope, path))
        if data is None:
            raise UnexpectedFormError
        return check_condition(condition, data)
    except RefusedError as error:
        if error.status == NOT_FOUND:
            return _missing(ObservationCode.NO_OBJECT, subject)
        raise _error(error, gap_for_error(resource, error, "get")) from None
    except UnexpectedFormError:
        raise UnexpectedAnswerError(f"{subject} does not match the Kubernetes API reference") from None


def _find_resource(connection: Connection, scope: CancelScope, condition: KubernetesCondition) -> ApiResource | None:
    found = list_api_resources(connection, scope, condition.api_version)
    return next((each for each in found if each.kind == condition.kind and "/" not in each.name), None)


def _missing(code: ObservationCode, subject: str, fields: Mapping[str, Any] | None = None) -> ConditionObservation:
    return ConditionObservation(False, code, subject, fields or {}, is_present=False)


def check_condition(condition: KubernetesCondition, data: Mapping[str, Any]) -> ConditionObservation:
    """Tell whether an object meets a condition; raise UnexpectedFormError when it is of an unexpected form."""
    metadata, spec, status = read_part(data, "metadata"), read_part(data, "spec"), read_part(data, "status")
    subject, wanted = condition.subject, condition.condition
    kind = "" if condition.api_version else condition.kind
    if read_text(metadata, "deletionTimestamp"):
        return _missing(ObservationCode.BEING_DELETED, subject)
    if _is_outdated(kind, metadata, status):
        return _missing(ObservationCode.OUTDATED, subject)
    if kind in _WORKLOADS and wanted == READY:
        if kind == "DaemonSet":
            expected, ready = read_int(status, "desiredNumberScheduled"), read_int(status, "numberReady")
        else:
            expected, ready = read_int(spec, "replicas", 1), read_int(status, "readyReplicas")
        is_met = (ready >= expected) is (condition.status == TRUE)
        return ConditionObservation(is_met, ObservationCode.REPLICAS, subject, {"ready": ready, "expected": expected})
    if kind == "Job" and read_text(read_condition(status, "Failed"), "status") == TRUE:
        is_met = (wanted == "Failed") is (condition.status == TRUE)
        return ConditionObservation(is_met, ObservationCode.JOB_FAILED, subject)
    each = read_condition(status, wanted)
    has = read_text(each, "status")
    is_met = has == condition.status
    reason = "" if is_met else one_line(read_text(each, "reason"), _LONGEST_REASON)
    fields = {"condition": wanted, "status": has, "reason": reason}
    return ConditionObservation(is_met, ObservationCode.CONDITION, subject, fields, answered=has in {TRUE, "False"})


def _is_outdated(kind: str, metadata: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Tell whether a status describes an older generation; kinds of others may not tell, or in a way of their own."""
    observed = status.get("observedGeneration")
    if kind not in _WORKLOADS and not isinstance(observed, int):
        return False
    return read_int(status, "observedGeneration") < read_int(metadata, "generation")


def _error(error: Exception, gap: Gap) -> Exception:
    """Return what to raise: a KubernetesError may pass while a gate waits, a PrerequisiteError does not."""
    message = describe_gap(gap).line
    if isinstance(error, RefusedError) and error.status in {UNAUTHORIZED, FORBIDDEN}:
        return PrerequisiteError(message)
    return KubernetesError(message)
