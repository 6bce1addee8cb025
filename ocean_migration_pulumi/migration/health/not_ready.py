"""Why a pod is not ready, in classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadPod, WorkloadWarning

CRASHES: Final = 3
"""Restarts from which a pod counts as crashing: fewer are common while the services that it needs come up."""

_LONGEST_BACK_OFF: Final = timedelta(seconds=330)
# The kubelet waits at most five minutes before it starts a container again.

_FRESH: Final = timedelta(minutes=10)
# The API server merges repeated events, and the kubelet repeats them at least every few minutes.

_IMAGE: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_CONFIGURATION: Final = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_CRASHES: Final = frozenset(
    {"CrashLoopBackOff", "RunContainerError", "StartError", "PreStartHookError", "PostStartHookError"}
)
_NO_ADDRESS: Final = (
    "failed to assign an ip address",  # Amazon VPC CNI
    "insufficientfreeaddresses",  # EC2
    "no available ip addresses",
    "no available addresses",  # Azure CNI
    "no ip addresses available",  # host-local: flannel, kubenet, GKE
    "postipamfailure",  # Cilium
    "no more ips available",
    "assigned 0 out of",  # Calico
    "could not allocate ip",  # Whereabouts
)
"""Parts of messages of network plugins that have no free address, in lower case."""

_SANDBOX: Final = "FailedCreatePodSandBox"
_ATTACH: Final = "FailedAttachVolume"
_MOUNT: Final = "FailedMount"
_MISSING: Final = ("configmap", "secret")


class NotReadyClass(StrEnum):
    """Classes of reasons; several reasons of Kubernetes that alternate are one class."""

    IMAGE = "image"
    CRASHING = "crashing"
    CONFIGURATION = "configuration"
    NO_ADDRESS = "no address"
    VOLUME = "volume"
    UNSCHEDULABLE = "unschedulable"
    NOT_CREATED = "not created"
    STARTING = "still starting"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReadyReason:
    """Why a pod is not ready."""

    kind: NotReadyClass
    """The class."""
    detail: str = ""
    """What Kubernetes says; empty for nothing."""
    hard: bool = False
    """Whether waiting does not help: something has to be repaired."""


Warnings = Mapping[tuple[str, str], tuple[WorkloadWarning, ...]]
"""Warnings about pods, by namespace and name."""


def index_warnings(warnings: Iterable[WorkloadWarning], now: datetime) -> Warnings:
    """Return the recent warnings about pods, by namespace and name, the latest last."""
    found: dict[tuple[str, str], tuple[WorkloadWarning, ...]] = {}
    recent = [each for each in warnings if each.kind == "Pod" and (each.at is None or now - each.at <= _FRESH)]
    for each in sorted(recent, key=lambda warning: warning.at.timestamp() if warning.at else 0.0):
        key = (each.namespace, each.name)
        found[key] = (*found.get(key, ()), each)
    return found


def explain_not_ready(pod: WorkloadPod, warnings: Warnings, now: datetime) -> NotReadyReason | None:
    """Return why a pod is not ready; None for a ready one, unless it keeps crashing.

    A container that keeps crashing may be ready for a moment each time, without a readiness probe.
    """
    crashing = _explain_crash(pod, now)
    if pod.ready or crashing:
        return crashing
    if pod.waiting in _IMAGE:
        return NotReadyReason(kind=NotReadyClass.IMAGE, detail=pod.message or pod.waiting, hard=True)
    if pod.waiting in _CONFIGURATION:
        hard = pod.waiting == "CreateContainerConfigError"
        return NotReadyReason(kind=NotReadyClass.CONFIGURATION, detail=pod.message or pod.waiting, hard=hard)
    if not pod.node_name:
        detail = pod.message
        return NotReadyReason(kind=NotReadyClass.UNSCHEDULABLE if detail else NotReadyClass.STARTING, detail=detail)
    return _explain_by_warnings(warnings.get((pod.namespace, pod.name), ())) or NotReadyReason(
        kind=NotReadyClass.STARTING, detail=pod.message
    )


def _explain_crash(pod: WorkloadPod, now: datetime) -> NotReadyReason | None:
    waits = pod.waiting in _CRASHES
    recent = pod.last_exit_at is not None and now - pod.last_exit_at <= _LONGEST_BACK_OFF
    if pod.restarts >= CRASHES and (waits or recent):
        parts = (pod.last_exit, f"{pod.restarts} restarts", pod.message)
        detail = ", ".join(part for part in parts if part)
        return NotReadyReason(kind=NotReadyClass.CRASHING, detail=detail, hard=True)
    if waits and not pod.ready:
        return NotReadyReason(kind=NotReadyClass.CRASHING, detail=pod.message or pod.waiting)
    return None


def _explain_by_warnings(warnings: tuple[WorkloadWarning, ...]) -> NotReadyReason | None:
    for warning in reversed(warnings):
        message = warning.message.casefold()
        if warning.reason == _SANDBOX and any(words in message for words in _NO_ADDRESS):
            return NotReadyReason(kind=NotReadyClass.NO_ADDRESS, detail=warning.message, hard=True)
        if warning.reason == _ATTACH:
            return NotReadyReason(kind=NotReadyClass.VOLUME, detail=warning.message, hard=True)
        if warning.reason == _MOUNT:
            missing = "not found" in message and any(words in message for words in _MISSING)
            kind = NotReadyClass.CONFIGURATION if missing else NotReadyClass.VOLUME
            return NotReadyReason(kind=kind, detail=warning.message)
    return None
