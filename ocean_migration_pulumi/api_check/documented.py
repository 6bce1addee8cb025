"""The names and values that Spot's API reference has for what this package reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocean_migration_pulumi.api.client import (
    CLUSTERS,
    DISCOVERY,
    HEARTBEAT,
    LOG,
    MIGRATIONS,
    NODES,
    VIRTUAL_NODE_GROUPS,
)
from ocean_migration_pulumi.api.responses import CLUSTER, MIGRATION

KINDS: Final[Mapping[str, str]] = {
    CLUSTERS: "spotinst:ocean:aws:k8s",
    CLUSTER: "spotinst:ocean:aws:k8s",
    VIRTUAL_NODE_GROUPS: "spotinst:ocean:aws:k8s:launchSpec",
    MIGRATIONS: "spotinst:ocean:aws:k8s:cluster:migration",
    MIGRATION: "spotinst:ocean:aws:k8s:cluster:migration",
    DISCOVERY: "spotinst:ocean:aws:k8s:cluster:migration:discovery",
    NODES: "spotinst:ocean:aws:k8s:nodes",
    LOG: "spotinst:ocean:cluster:log",
    HEARTBEAT: "spotinst:ocean:k8s:cluster:controllerHeartbeat",
}
"""The ``kind`` of the answers of each route."""

STATES: Final = frozenset(
    {
        "STARTING",
        "AWAIT_REPLACEMENTS",
        "HANDLE_UNSCHEDULE",
        "DRAIN_NODES",
        "VALIDATE_DRAIN",
        "STOPPING",
        "ERROR",
        "RESCHEDULE_NODES",
        "TERMINATE_NODES",
        "AWAIT_TERMINATION",
        "FINISHED_ERROR",
        "STOPPED",
        "FINISHED",
    }
)

IN_CREATE: Final = frozenset({"id"})
IN_STOP: Final = frozenset({"id", "oceanId", "state"})
IN_LIST: Final = frozenset({"Id", "state", "createdAt", "completedAt"})
IN_STATUS: Final = frozenset(
    {
        "Id",
        "oceanId",
        "status",
        "newInstances",
        "oldInstances",
        "unscheduledPodIds",
        "newUnscheduledPodIds",
        "migrationConfig",
        "createdAt",
        "erroredAt",
        "stoppedAt",
        "completedAt",
    }
)
IN_INSTANCE: Final = frozenset({"instanceId", "k8sNodeName", "asgName", "state", "runningPods", "podDetails"})
IN_POD: Final = frozenset({"id", "name", "kind"})
IN_CONFIG: Final = frozenset({"shouldTerminateDrainedNodes", "shouldEvictStandAlonePods"})
IN_DISCOVERY: Final = frozenset({"k8sNodeName", "asgName", "instanceId", "launchSpecId", "runningPods"})
IN_NODE: Final = frozenset(
    {
        "instanceId",
        "instanceType",
        "availabilityZone",
        "launchSpecId",
        "launchSpecName",
        "lifeCycle",
        "publicIp",
        "workloadRequestedMilliCpu",
        "workloadRequestedMemoryInMiB",
        "workloadRequestedGpu",
        "headroomRequestedMilliCpu",
        "headroomRequestedMemoryInMiB",
        "headroomRequestedGpu",
        "allocatableMilliCpu",
        "allocatableMemoryInMiB",
        "allocatableGpu",
        "nodeName",
        "registrationStatus",
        "createdAt",
    }
)
IN_LOG: Final = frozenset({"message", "severity", "createdAt"})
IN_HEARTBEAT: Final = frozenset({"status", "lastHeartbeat"})

LIFE_CYCLES: Final = frozenset({"Spot", "OD", "OD (RI)", "OD (SP)"})
REGISTRATIONS: Final = frozenset({"Registered", "Registering", "Failed"})
SEVERITIES: Final = frozenset({"INFO", "DEBUG", "ERROR", "WARN"})
POD_KINDS: Final = frozenset({"STAND_ALONE_POD", "UNKNOWN"})
INSTANCE_STATES: Final = ("RUNNING", "REQUIRES_MANUAL_MIGRATION")
"""The only two that the reference names; that there are no others it does not say."""
