"""Reads what health needs of controllers and events from the API server's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.kubernetes.objects.decoding import (
    read_condition,
    read_flag,
    read_int,
    read_objects,
    read_part,
    read_text,
    read_texts,
    require_text,
)
from ocean_migration_pulumi.kubernetes.objects.pods import LONGEST_MESSAGE, OwnerRef
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadController, WorkloadId, WorkloadWarning

DEPLOYMENT: Final = "Deployment"
REPLICA_SET: Final = "ReplicaSet"
STATEFUL_SET: Final = "StatefulSet"

_ROLLING: Final = frozenset(
    {"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated", "ProgressDeadlineExceeded"}
)
# A Deployment whose rollout is complete keeps the reason NewReplicaSetAvailable, however many of its pods are evicted.

_SHARED_MODES: Final = frozenset({"ReadWriteMany", "ReadOnlyMany"})


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
        message=one_line(read_text(data, "message"), LONGEST_MESSAGE),
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
    return one_line(read_text(failure, "message") or "ReplicaFailure", LONGEST_MESSAGE)
