"""Objects in responses as Spot's API reference documents them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP, MigrationState

Expected = str | frozenset[str] | None
"""What is documented of a field: the JSON type of its values ("time": text that is a time), the values, or nothing."""

ID: Final = "id"
"""Stands for any id of the service or AWS among the values of a field."""

_STATES: Final = frozenset(MigrationState)

FIELDS: Final[Mapping[str, Mapping[str, Expected]]] = {
    "request": {"id": "string", "url": "string", "method": "string", "timestamp": "time"},
    "response": {"status": "object", "kind": "string", "items": "list", "count": "integer", "errors": "list"},
    "error": {"code": "string", "message": "string", "field": "string"},
    "start": {"id": "string"},
    "stop": {"id": "string", "oceanId": "string", "state": frozenset({"STOPPED"})},
    "migration-list": {"Id": "string", "state": _STATES, "createdAt": "time", "completedAt": "time"},
    "migration-status": {
        "Id": "string",
        "oceanId": "string",
        "status": _STATES,
        "newInstances": "list",
        "oldInstances": "list",
        "unscheduledPodIds": "string",
        "newUnscheduledPodIds": "string",
        "migrationConfig": "object",
        "createdAt": "time",
        "erroredAt": "time",
        "stoppedAt": "time",
        "completedAt": "time",
    },
    "echoed-options": {"shouldTerminateDrainedNodes": "boolean", "shouldEvictStandAlonePods": "boolean"},
    "instance": {
        "instanceId": "string",
        "k8sNodeName": "string",
        "asgName": "string",
        # The reference names RUNNING and REQUIRES_MANUAL_MIGRATION, and does not say that there are no others.
        "state": None,
        "runningPods": "integer",
        "podDetails": "list",
    },
    "pod": {"id": "string", "name": "string", "kind": frozenset({"STAND_ALONE_POD", "UNKNOWN"})},
    "discovery": {"instances": "list"},
    "candidate": {
        "k8sNodeName": "string",
        "asgName": "string",
        "instanceId": "string",
        "launchSpecId": frozenset({ID, DEFAULT_VIRTUAL_NODE_GROUP}),
        "runningPods": "integer",
    },
    "node": {
        "instanceId": "string",
        "instanceType": "string",
        "availabilityZone": "string",
        "launchSpecId": "string",
        "launchSpecName": "string",
        "lifeCycle": frozenset({"Spot", "OD", "OD (RI)", "OD (SP)"}),
        "publicIp": "string",
        "workloadRequestedMilliCpu": "number",
        "workloadRequestedMemoryInMiB": "number",
        "workloadRequestedGpu": "number",
        "headroomRequestedMilliCpu": "number",
        "headroomRequestedMemoryInMiB": "number",
        "headroomRequestedGpu": "number",
        "allocatableMilliCpu": "number",
        "allocatableMemoryInMiB": "number",
        "allocatableGpu": "number",
        "nodeName": "string",
        "registrationStatus": frozenset({"Registered", "Registering", "Failed"}),
        "createdAt": "time",
    },
    "log": {"message": "string", "severity": frozenset({"INFO", "DEBUG", "ERROR", "WARN"}), "createdAt": "time"},
    # ACTIVE is an example; other statuses are not documented.
    "heartbeat": {"status": None, "lastHeartbeat": "time"},
}
"""The fields of the objects in each place."""
