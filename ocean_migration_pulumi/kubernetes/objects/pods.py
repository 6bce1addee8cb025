"""Reads pods: what planning needs of them, and what the health of workloads does.

Both views are made of what ``decode_pod`` returns, and by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ocean_migration_pulumi.common.text import one_line
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.kubernetes.objects.affinities import read_node_terms
from ocean_migration_pulumi.kubernetes.objects.decoding import UnexpectedFormError
from ocean_migration_pulumi.kubernetes.objects.quantities import sum_requests
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import (
    DEFAULT_GRACE,
    FINISHED_PHASES,
    PROTECTIONS,
    Owner,
    Pod,
    Toleration,
)
from ocean_migration_pulumi.migration.scheduling.workloads import is_service
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadId, WorkloadPod

LONGEST_MESSAGE: Final = 300
"""Characters of Kubernetes' own words that are kept."""

_MIRROR: Final = "kubernetes.io/config.mirror"
_ANNOTATIONS: Final = frozenset(name for name, _ in PROTECTIONS)
_TEMPLATE_LABELS: Final = ("pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash")
_UNSCHEDULED: Final = frozenset({"Unschedulable", "SchedulingGated", "SchedulerError"})
_SPREAD_IF_POSSIBLE: Final = "ScheduleAnyway"
_GATES: Final = "ReadinessGatesNotReady"
# All containers are ready, and a load balancer, say, does not send requests yet.

_PERIOD: Final = 10
_THRESHOLD: Final = 3
# The API server fills in the defaults of a probe; these are for one that does not.


@dataclass(frozen=True, slots=True)
class OwnerRef:
    """A controller as its pods, or its ReplicaSets, name it."""

    api_version: str
    """Group and version, such as ``apps/v1``."""
    id: WorkloadId
    """Which one."""


def read_pod(data: Any) -> Pod:
    """Read a pod for planning; what has to be read of its volumes is filled in later.

    Args:
        data: What ``decode_pod`` returns.

    Raises:
        UnexpectedFormError: The pod does not match the Kubernetes API reference.
    """
    metadata, spec = data.metadata, data.spec
    annotations = metadata.annotations or {}
    owner = _find_controller(metadata)
    volumes = spec.volumes or ()
    affinity = spec.affinity
    node_affinity = affinity.nodeAffinity if affinity else None
    pod_affinity = affinity.podAffinity if affinity else None
    claims, ephemeral_claims = _find_claims(data)
    return Pod(
        **_read_common(data, _index_conditions(data)),
        phase=data.status.phase or "Unknown",
        deletion_deadline=metadata.deletionTimestamp or "",
        grace_seconds=_or(spec.terminationGracePeriodSeconds, DEFAULT_GRACE),
        gated=bool(spec.schedulingGates),
        system=(spec.os.name if spec.os else None) or "",
        spread_keys=tuple(
            dict.fromkeys(
                each.topologyKey
                for each in spec.topologySpreadConstraints or ()
                if each.topologyKey and each.whenUnsatisfiable != _SPREAD_IF_POSSIBLE
            )
        ),
        pod_affinity=bool(pod_affinity and pod_affinity.requiredDuringSchedulingIgnoredDuringExecution),
        host_network=bool(spec.hostNetwork),
        controller=_read_owner(owner) if owner else None,
        finalizers=tuple(item for item in metadata.finalizers or () if isinstance(item, str)),
        mirror=_is_mirror(metadata),
        labels=metadata.labels or {},
        annotations={key: annotations[key] for key in _ANNOTATIONS & annotations.keys()},
        node_selector=spec.nodeSelector or {},
        terms=read_node_terms(_or(node_affinity and node_affinity.requiredDuringSchedulingIgnoredDuringExecution, {})),
        tolerations=tuple(_read_toleration(each) for each in spec.tolerations or ()),
        # The claim of a generic ephemeral volume is deleted with the pod: it binds the next one to no zone.
        empty_dir=any(volume.emptyDir is not None or volume.ephemeral is not None for volume in volumes),
        claims=claims,
        ephemeral_claims=ephemeral_claims,
        requests=sum_requests(spec),
    )


def read_workload_pod(data: Any, find_top: Callable[[OwnerRef], OwnerRef]) -> WorkloadPod | None:
    """Read a pod for health; None for one that has finished, or does not belong to a service.

    Args:
        data: What ``decode_pod`` returns.
        find_top: Returns the top controller of a pod's controller.

    Raises:
        UnexpectedFormError: The pod does not match the Kubernetes API reference.
    """
    metadata, status = data.metadata, data.status
    conditions = _index_conditions(data)
    common = _read_common(data, conditions)
    owner = _find_controller(metadata)
    if owner is None or status.phase in FINISHED_PHASES:
        return None
    labels = metadata.labels or {}
    if not is_service(_read_owner(owner), labels, is_mirror=_is_mirror(metadata)):
        return None
    top = find_top(OwnerRef(owner.apiVersion or "", WorkloadId(owner.kind, common["namespace"], owner.name)))
    ready, scheduled = conditions.get("Ready"), conditions.get("PodScheduled")
    containers = [*(status.initContainerStatuses or ()), *(status.containerStatuses or ())]
    reason, message = _find_waiting(containers)
    exit_at, exit_reason = max(_find_exits(containers), default=(None, ""))
    if not common["node_name"] and scheduled is not None and scheduled.reason in _UNSCHEDULED:
        message = scheduled.message or scheduled.reason
    if not reason and ready is not None and ready.reason == _GATES:
        message = ready.message or ready.reason
    claims, ephemeral_claims = _find_claims(data)
    return WorkloadPod(
        **common,
        workload=top.id,
        template=next((labels[name] for name in _TEMPLATE_LABELS if name in labels), ""),
        created_at=parse_time(metadata.creationTimestamp),
        restarts=max((each.restartCount or 0 for each in containers), default=0),
        last_exit_at=exit_at,
        last_exit=exit_reason,
        waiting=reason,
        message=one_line(message, LONGEST_MESSAGE),
        startup_seconds=_measure_startup(data.spec),
        claims=(*claims, *ephemeral_claims),
    )


def _read_common(data: Any, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that both views have, but for claims."""
    metadata = data.metadata
    if not metadata.name or not metadata.namespace:
        raise UnexpectedFormError
    ready = conditions.get("Ready")
    return {
        "namespace": metadata.namespace,
        "name": metadata.name,
        "uid": metadata.uid or "",
        "node_name": data.spec.nodeName or "",
        "ready": ready is not None and ready.status == "True",
        "deleting": bool(metadata.deletionTimestamp),
    }


def _index_conditions(data: Any) -> dict[str, Any]:
    """Return the conditions by type, the first one of each."""
    return {each.type: each for each in reversed(data.status.conditions or ())}


def _find_controller(metadata: Any) -> Any:
    """Return the reference to the controller of a pod; None without a controller."""
    for each in metadata.ownerReferences or ():
        if each.controller:
            if not each.kind or not each.name:
                raise UnexpectedFormError
            return each
    return None


def _read_owner(reference: Any) -> Owner:
    version = reference.apiVersion
    # The core group has no name: its version stands alone.
    group = version.rpartition("/")[0] if version else None
    return Owner(kind=reference.kind, name=reference.name, group=group)


def _is_mirror(metadata: Any) -> bool:
    """Tell whether a pod only shows a static pod, which the kubelet starts by itself."""
    return _MIRROR in (metadata.annotations or ())


def _find_claims(data: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a pod's claims: those that stay without the pod, and those of its ephemeral volumes."""
    claims: list[str] = []
    ephemeral: list[str] = []
    for volume in data.spec.volumes or ():
        if volume.persistentVolumeClaim is not None:
            claims.append(_require(volume.persistentVolumeClaim.claimName))
        elif volume.ephemeral is not None:
            ephemeral.append(f"{data.metadata.name}-{_require(volume.name)}")
    return tuple(claims), tuple(ephemeral)


def _require(text: str | None) -> str:
    if not text:
        raise UnexpectedFormError
    return text


def _or(value: Any, default: Any) -> Any:
    """Return a value that may be 0 or empty; ``default`` when it is absent."""
    return default if value is None else value


def _read_toleration(item: Any) -> Toleration:
    return Toleration(
        key=item.key or "", operator=item.operator or "Equal", value=item.value or "", effect=item.effect or ""
    )


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
    for container in spec.containers or ():
        probe = container.startupProbe
        if probe is not None:
            tries = probe.failureThreshold or _THRESHOLD
            seconds = max(seconds, (probe.initialDelaySeconds or 0) + (probe.periodSeconds or _PERIOD) * tries)
        if container.readinessProbe is not None:
            seconds = max(seconds, container.readinessProbe.initialDelaySeconds or 0)
    return float(seconds)
