"""Reads what health needs of controllers, pods and events from the API server's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.kubernetes.objects.decoding import (
    UnexpectedFormError,
    read_condition,
    read_flag,
    read_int,
    read_objects,
    read_part,
    read_text,
    read_texts,
    require_text,
)
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import Owner
from ocean_migration_pulumi.migration.scheduling.workloads import is_service
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import (
    WorkloadController,
    WorkloadId,
    WorkloadPod,
    WorkloadWarning,
)

DEPLOYMENT: Final = "Deployment"
REPLICA_SET: Final = "ReplicaSet"
STATEFUL_SET: Final = "StatefulSet"

_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_TEMPLATE_LABELS: Final = ("pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash")
_ROLLING: Final = frozenset(
    {"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated", "ProgressDeadlineExceeded"}
)
# A Deployment whose rollout is complete keeps the reason NewReplicaSetAvailable, however many of its pods are evicted.

_UNSCHEDULED: Final = frozenset({"Unschedulable", "SchedulingGated", "SchedulerError"})
_GATES: Final = "ReadinessGatesNotReady"
# All containers are ready, and a load balancer, say, does not send requests yet.

_PERIOD: Final = 10
_THRESHOLD: Final = 3
# The API server fills in the defaults of a probe; these are for one that does not.

_LONGEST_MESSAGE: Final = 300
_SHARED_MODES: Final = frozenset({"ReadWriteMany", "ReadOnlyMany"})


@dataclass(frozen=True, slots=True)
class OwnerRef:
    """A controller as its pods, or its ReplicaSets, name it."""

    api_version: str
    """Group and version, such as ``apps/v1``."""
    id: WorkloadId
    """Which one."""


def read_workload_pod(data: Any, find_top: Callable[[OwnerRef], OwnerRef]) -> WorkloadPod | None:
    """Read a pod; None when it is none of a service, or has finished.

    Args:
        data: What ``decode_pod`` returns.
        find_top: Returns the top controller of a pod's controller.
    """
    metadata, spec, status = data.metadata, data.spec, data.status
    if metadata is None or not metadata.name or not metadata.namespace:
        raise UnexpectedFormError
    owner = next((each for each in metadata.ownerReferences or () if each.controller), None)
    if owner is None or (status is not None and status.phase in _FINISHED):
        return None
    if not owner.kind or not owner.name:
        raise UnexpectedFormError
    labels = metadata.labels or {}
    if not is_service(Owner(kind=owner.kind, name=owner.name), labels):
        return None
    top = find_top(OwnerRef(owner.apiVersion or "", WorkloadId(owner.kind, metadata.namespace, owner.name)))
    conditions = {each.type: each for each in (status.conditions if status else None) or ()}
    ready, scheduled = conditions.get("Ready"), conditions.get("PodScheduled")
    containers = [
        *((status.initContainerStatuses if status else None) or ()),
        *((status.containerStatuses if status else None) or ()),
    ]
    reason, message = _find_waiting(containers)
    exit_at, exit_reason = max(_find_exits(containers), default=(None, ""))
    node_name = (spec.nodeName if spec else None) or ""
    if not node_name and scheduled is not None and scheduled.reason in _UNSCHEDULED:
        message = scheduled.message or scheduled.reason
    if not reason and ready is not None and ready.reason == _GATES:
        message = ready.message or ready.reason
    return WorkloadPod(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid or "",
        workload=top.id,
        template=next((labels[name] for name in _TEMPLATE_LABELS if name in labels), ""),
        node_name=node_name,
        ready=ready is not None and ready.status == "True",
        deleting=bool(metadata.deletionTimestamp),
        created_at=parse_time(metadata.creationTimestamp),
        restarts=max((each.restartCount or 0 for each in containers), default=0),
        last_exit_at=exit_at,
        last_exit=exit_reason,
        waiting=reason,
        message=one_line(message, _LONGEST_MESSAGE),
        startup_seconds=_measure_startup(spec),
        claims=tuple(_find_claims(spec, metadata.name)),
    )


def read_deployment_controller(data: Mapping[str, Any]) -> WorkloadController:
    """Read a Deployment."""
    metadata, spec, status = read_part(data, "metadata"), read_part(data, "spec"), read_part(data, "status")
    return WorkloadController(
        id=_read_id(DEPLOYMENT, metadata),
        uid=read_text(metadata, "uid"),
        desired=read_int(spec, "replicas", 1),
        rolling=_is_outdated(metadata, status)
        or read_int(status, "updatedReplicas") < read_int(status, "replicas")
        or read_text(read_condition(status, "Progressing"), "reason") in _ROLLING,
        create_failure=_read_create_failure(status),
    )


def read_stateful_set_controller(data: Mapping[str, Any]) -> WorkloadController:
    """Read a StatefulSet.

    With ``OnDelete`` or a partition, pods of two revisions are no rollout under way: nobody replaces them.
    """
    metadata, spec, status = read_part(data, "metadata"), read_part(data, "spec"), read_part(data, "status")
    strategy = read_part(spec, "updateStrategy")
    stays = read_text(strategy, "type") == "OnDelete" or read_int(read_part(strategy, "rollingUpdate"), "partition")
    revisions = {read_text(status, name) for name in ("currentRevision", "updateRevision")} - {""}
    return WorkloadController(
        id=_read_id(STATEFUL_SET, metadata),
        uid=read_text(metadata, "uid"),
        desired=read_int(spec, "replicas", 1),
        rolling=_is_outdated(metadata, status) or (len(revisions) > 1 and not stays),
    )


def read_replica_set(data: Mapping[str, Any]) -> tuple[WorkloadController, OwnerRef | None]:
    """Read a ReplicaSet, and its own controller; None when it has none."""
    metadata, spec, status = read_part(data, "metadata"), read_part(data, "spec"), read_part(data, "status")
    controller = WorkloadController(
        id=_read_id(REPLICA_SET, metadata),
        uid=read_text(metadata, "uid"),
        desired=read_int(spec, "replicas", 1),
        create_failure=_read_create_failure(status),
    )
    for owner in read_objects(metadata, "ownerReferences"):
        if read_flag(owner, "controller"):
            top = WorkloadId(require_text(owner, "kind"), controller.id.namespace, require_text(owner, "name"))
            return controller, OwnerRef(read_text(owner, "apiVersion"), top)
    return controller, None


def read_scale(workload: WorkloadId, data: Mapping[str, Any]) -> WorkloadController:
    """Read the subresource ``scale`` of a workload; its uid is that of the workload."""
    metadata, spec = read_part(data, "metadata"), read_part(data, "spec")
    return WorkloadController(
        id=workload, uid=read_text(metadata, "uid"), desired=read_int(spec, "replicas"), tells_rollouts=False
    )


def read_warning(data: Mapping[str, Any]) -> WorkloadWarning:
    """Read an event."""
    about = read_part(data, "involvedObject")
    series = read_part(data, "series")
    times = (
        read_text(series, "lastObservedTime"),
        read_text(data, "lastTimestamp"),
        read_text(data, "eventTime"),
    )
    return WorkloadWarning(
        kind=read_text(about, "kind"),
        namespace=read_text(about, "namespace"),
        name=read_text(about, "name"),
        reason=read_text(data, "reason"),
        message=one_line(read_text(data, "message"), _LONGEST_MESSAGE),
        at=next((moment for text in times if (moment := parse_time(text)) is not None), None),
    )


def read_shared_claim(data: Mapping[str, Any]) -> tuple[tuple[str, str], bool]:
    """Return namespace and name of a claim, and whether several nodes can use it at once."""
    metadata = read_part(data, "metadata")
    modes = read_texts(read_part(data, "spec"), "accessModes")
    return (require_text(metadata, "namespace"), require_text(metadata, "name")), bool(_SHARED_MODES & set(modes))


def _read_id(kind: str, metadata: Mapping[str, Any]) -> WorkloadId:
    return WorkloadId(kind, require_text(metadata, "namespace"), require_text(metadata, "name"))


def _is_outdated(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    return read_int(status, "observedGeneration") < read_int(metadata, "generation")


def _read_create_failure(status: Mapping[str, Any]) -> str:
    failure = read_condition(status, "ReplicaFailure")
    if read_text(failure, "status") != "True":
        return ""
    return one_line(read_text(failure, "message") or "ReplicaFailure", _LONGEST_MESSAGE)


def _find_waiting(containers: list[Any]) -> tuple[str, str]:
    """Return reason and message of the container that waits for the most telling reason."""
    waits = [each.state.waiting for each in containers if each.state is not None and each.state.waiting is not None]
    # PodInitializing and ContainerCreating only say that another container, or a volume, is waited for.
    waits.sort(key=lambda each: each.reason in {None, "PodInitializing", "ContainerCreating"})
    return ((waits[0].reason or ""), (waits[0].message or "")) if waits else ("", "")


def _find_exits(containers: list[Any]) -> Iterator[tuple[datetime, str]]:
    """Return when containers that restart ended, and why."""
    for each in containers:
        for state in (each.state, each.lastState):
            ended = state.terminated if state is not None else None
            # An init container that has done its work ends, too; one that restarts has failed.
            if ended is not None and each.restartCount and (moment := parse_time(ended.finishedAt)) is not None:
                code = "" if ended.exitCode is None else f"exit code {ended.exitCode}"
                # Error only says that the code is not 0.
                yield moment, code if ended.reason in {None, "", "Error"} else ended.reason


def _measure_startup(spec: Any) -> float:
    seconds = 0
    for container in (spec.containers if spec is not None else None) or ():
        probe = container.startupProbe
        if probe is not None:
            tries = probe.failureThreshold or _THRESHOLD
            seconds = max(seconds, (probe.initialDelaySeconds or 0) + (probe.periodSeconds or _PERIOD) * tries)
        if container.readinessProbe is not None:
            seconds = max(seconds, container.readinessProbe.initialDelaySeconds or 0)
    return float(seconds)


def _find_claims(spec: Any, pod_name: str) -> Iterator[str]:
    for volume in (spec.volumes if spec is not None else None) or ():
        if volume.persistentVolumeClaim is not None and volume.persistentVolumeClaim.claimName:
            yield volume.persistentVolumeClaim.claimName
        elif volume.ephemeral is not None and volume.name:
            yield f"{pod_name}-{volume.name}"
