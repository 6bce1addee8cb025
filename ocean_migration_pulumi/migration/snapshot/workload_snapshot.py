"""What Kubernetes knows of the workloads of some namespaces: controllers, their pods, and warnings; plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import CLAIMS, NODES, BasePod
from ocean_migration_pulumi.migration.spec.gap import Gap

REPLICA_SETS: Final = "replicasets"
STATEFUL_SETS: Final = "statefulsets"
EVENTS: Final = "events"
SCALES: Final = "*/scale"
"""The resource of RBAC rules that covers the subresource ``scale`` of every kind."""


class WorkloadId(NamedTuple):
    """The top controller of pods: the Deployment, not its ReplicaSet."""

    kind: str
    """Its kind."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadController:
    """A controller that is to keep a number of pods ready."""

    id: WorkloadId
    """Which one."""
    uid: str = ""
    """Its uid: another one means that it was deleted and created again. Empty when it is not known."""
    desired: int | None = None
    """How many pods it asks for; None when that cannot be read."""
    rolling: bool = False
    """Whether a rollout is under way."""
    tells_rollouts: bool = True
    """Whether the kind tells of rollouts; of other kinds only the subresource ``scale`` is read."""
    create_failure: str = ""
    """Why its pods cannot be created, in the API server's words; empty when they can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPod(BasePod):
    """A pod of a workload; pods of Jobs, DaemonSets and static pods, and those that have finished, are left out.

    Its ``claims`` are also those of ephemeral volumes.
    """

    workload: WorkloadId
    """Its top controller."""
    template: str = ""
    """Identifies the pod template that it was made of; empty when that is not known."""
    created_at: datetime | None = None
    """When it was created; None when that is not known."""
    restarts: int = 0
    """The restarts of the container that restarted most often."""
    last_exit_at: datetime | None = None
    """When a container ended last; None when none has."""
    last_exit: str = ""
    """Why it ended, such as ``OOMKilled``; empty when that is not known."""
    waiting: str = ""
    """Why a container waits, such as ``ImagePullBackOff``; empty when none does."""
    message: str = ""
    """What Kubernetes says of that container, or of why the pod has no node; empty for nothing."""
    startup_seconds: float = 0.0
    """Seconds that its startup probes, or its initial delays, allow it to start in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadWarning:
    """An event of type Warning, about a pod or a controller."""

    kind: str
    """The kind of the object."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    reason: str
    """The reason, such as ``FailedAttachVolume``."""
    message: str = ""
    """What Kubernetes says, on one line."""
    at: datetime | None = None
    """When it happened last; None when that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSnapshot:
    """Everything that was read of workloads at one moment."""

    at: datetime
    """When."""
    namespaces: frozenset[str] | None = None
    """The namespaces that were read; None for all."""
    workloads: Mapping[WorkloadId, WorkloadController] = field(default_factory=dict)
    """The controllers that were found."""
    pods: tuple[WorkloadPod, ...] = ()
    """Their pods."""
    instances: Mapping[str, str] = field(default_factory=dict)
    """The instance id of each node, by the name of the node."""
    warnings: tuple[WorkloadWarning, ...] = ()
    """The warnings about pods that are not ready, and about controllers."""
    shared_claims: frozenset[tuple[str, str]] = frozenset()
    """Namespace and name of claims that several nodes can use at once."""
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    """What could not be read, by resource."""

    @property
    def knows_controllers(self) -> bool:
        """Whether every controller was read, so that one that is not here does not exist."""
        return not self.gaps.keys() - {CLAIMS, EVENTS, NODES}
