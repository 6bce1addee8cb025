"""What Spot's API reference says of each answer: required parts, types, enums, kinds. Facts, in our own words."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator

STRING = {"type": "string"}
BOOLEAN = {"type": "boolean"}
OBJECT = {"type": "object"}
STRINGS = {"type": "array", "items": STRING}
STATES = (
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
)
STATE = {"enum": list(STATES)}
STAMP = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"}


def _object(properties: dict[str, Any], *, required: tuple[str, ...] = (), closed: bool = True) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": not closed,
    }


_POD = _object(
    {"id": STRING, "name": STRING, "kind": {"enum": ["STAND_ALONE_POD", "UNKNOWN"]}}, required=("id", "name", "kind")
)
_INSTANCE = _object(
    {
        "instanceId": STRING,
        "k8sNodeName": STRING,
        "asgName": {"type": ["string", "null"]},
        "state": STRING,
        "runningPods": {"type": "integer"},
        "podDetails": {"type": "array", "items": _POD},
    },
    required=("instanceId", "state", "runningPods"),
)
_CONFIG = _object(
    {"shouldTerminateDrainedNodes": BOOLEAN, "shouldEvictStandAlonePods": BOOLEAN},
    required=("shouldTerminateDrainedNodes", "shouldEvictStandAlonePods"),
)
_STATUS = _object(
    {
        "Id": STRING,
        "oceanId": STRING,
        "status": STATE,
        "newInstances": {"type": "array", "items": _INSTANCE},
        "oldInstances": {"type": "array", "items": _INSTANCE},
        "unscheduledPodIds": STRING,
        "newUnscheduledPodIds": STRING,
        "migrationConfig": _CONFIG,
        "createdAt": STAMP,
        "erroredAt": STAMP,
        "stoppedAt": STAMP,
        "completedAt": STAMP,
    },
    required=("Id", "oceanId", "status", "newInstances", "oldInstances", "migrationConfig", "createdAt"),
)
_SUMMARY = _object(
    {"Id": STRING, "state": STATE, "createdAt": STAMP, "completedAt": STAMP}, required=("Id", "state", "createdAt")
)
_DISCOVERED = _object(
    {
        "k8sNodeName": STRING,
        "asgName": {"type": ["string", "null"]},
        "instanceId": STRING,
        "launchSpecId": {"type": ["string", "null"], "pattern": "^(ols-[0-9a-f]{8}|Default)$"},
        "runningPods": {"type": "integer"},
    },
    required=("k8sNodeName", "asgName", "instanceId", "launchSpecId"),
)
_NODE = _object(
    {
        **dict.fromkeys(("instanceId", "instanceType", "availabilityZone", "launchSpecId", "launchSpecName"), STRING),
        **dict.fromkeys(("publicIp", "nodeName"), STRING),
        **{
            f"{kind}{what}": {"type": "integer"}  # whole numbers, because the Go SDK reads them as int
            for kind in ("workloadRequested", "headroomRequested", "allocatable")
            for what in ("MilliCpu", "MemoryInMiB", "Gpu")
        },
        "lifeCycle": {"enum": ["Spot", "OD", "OD (RI)", "OD (SP)"]},
        "registrationStatus": {"enum": ["Registered", "Registering", "Failed"]},
        "createdAt": STAMP,
    },
    required=("instanceId", "nodeName", "lifeCycle", "registrationStatus", "createdAt"),
)
_TEMPLATE = _object(
    {"imageId": STRING, "securityGroupIds": STRINGS}, required=("imageId", "securityGroupIds"), closed=False
)
_COMPUTE = _object(
    {"subnetIds": STRINGS, "launchSpecification": _TEMPLATE},
    required=("subnetIds", "launchSpecification"),
    closed=False,
)
_CLUSTER_PARTS: dict[str, Any] = {
    **dict.fromkeys(("id", "name", "controllerClusterId", "region"), STRING),
    **dict.fromkeys(("autoScaler", "capacity", "strategy", "scheduling", "security", "logging"), OBJECT),
    "compute": _COMPUTE,
    "createdAt": STAMP,
    "updatedAt": STAMP,
}
_CLUSTER = _object(
    _CLUSTER_PARTS, required=("id", "name", "controllerClusterId", "region", "compute", "createdAt", "updatedAt")
)
_IMPORTED_CLUSTER = _object(_CLUSTER_PARTS, required=("name", "controllerClusterId", "region", "capacity", "compute"))
_LABELS = {"type": "array", "items": _object({"key": STRING, "value": STRING}, required=("key",))}
_TAINTS = {"type": "array", "items": _object({"key": STRING, "value": STRING, "effect": STRING}, required=("key",))}
_GROUP = _object(
    {
        "id": STRING,
        "oceanId": STRING,
        "name": STRING,
        "labels": _LABELS,
        "taints": _TAINTS,
        "createdAt": STAMP,
        "updatedAt": STAMP,
    },
    required=("id", "oceanId", "createdAt", "updatedAt"),
    closed=False,
)
_IMPORTED_GROUP = _object(
    {"oceanId": STRING, "name": STRING, "imageId": STRING, "securityGroupIds": STRINGS},
    required=("name", "imageId", "securityGroupIds"),
    closed=False,
)
_ROLL = _object(
    {
        "id": STRING,
        "oceanId": STRING,
        "scope": {"enum": ["Cluster", "Vngs", "Vng", "Instances", "Instance"]},
        "status": {"enum": ["IN_PROGRESS", "COMPLETED", "PARTIALLY_COMPLETED", "FAILED", "STOPPED"]},
        "currentBatch": {"type": "integer"},
        "numOfBatches": {"type": "integer"},
        "progress": _object({"unit": STRING, "value": {"type": "integer"}}, required=("unit", "value")),
        "createdAt": STAMP,
        "updatedAt": STAMP,
    },
    required=("id", "status"),
    closed=False,
)

_MIGRATION_KIND = "spotinst:ocean:aws:k8s:cluster:migration"
_CLUSTER_KIND = "spotinst:ocean:aws:k8s"
_GROUP_KIND = "spotinst:ocean:aws:k8s:launchSpec"
_ROLL_KIND = "spotinst:ocean:aws:k8s:cluster:roll"
_AWS = "/ocean/aws/k8s"

ANSWERS: list[tuple[str, str, str | None, dict[str, Any]]] = [
    ("POST", f"{_AWS}/cluster/autoScalingGroup/import", _CLUSTER_KIND, _IMPORTED_CLUSTER),
    ("POST", f"{_AWS}/launchSpec/(autoScalingGroup|eksNodeGroup)/import", _GROUP_KIND, _IMPORTED_GROUP),
    (
        "GET",
        f"{_AWS}/cluster/[^/]+/migration/discovery",
        f"{_MIGRATION_KIND}:discovery",
        _object({"instances": {"type": "array", "items": _DISCOVERED}}, required=("instances",)),
    ),
    ("POST", f"{_AWS}/cluster/[^/]+/migration", _MIGRATION_KIND, _object({"id": STRING}, required=("id",))),
    ("GET", f"{_AWS}/cluster/[^/]+/migration", _MIGRATION_KIND, _SUMMARY),
    ("GET", f"{_AWS}/cluster/[^/]+/migration/[^/]+", _MIGRATION_KIND, _STATUS),
    (
        "PUT",
        f"{_AWS}/cluster/[^/]+/migration/[^/]+",
        _MIGRATION_KIND,
        _object({"id": STRING, "oceanId": STRING, "state": {"const": "STOPPED"}}, required=("id", "oceanId", "state")),
    ),
    ("GET", f"{_AWS}/cluster/[^/]+/nodes", "spotinst:ocean:aws:k8s:nodes", _NODE),
    (
        "GET",
        f"{_AWS}/cluster/[^/]+/log",
        "spotinst:ocean:cluster:log",
        _object(
            {"message": STRING, "severity": {"enum": ["INFO", "DEBUG", "ERROR", "WARN"]}, "createdAt": STAMP},
            required=("message", "severity", "createdAt"),
        ),
    ),
    (
        "GET",
        "/ocean/k8s/cluster/[^/]+/controllerHeartbeat",
        "spotinst:ocean:k8s:cluster:controllerHeartbeat",
        _object({"status": STRING, "lastHeartbeat": STAMP}, required=("status", "lastHeartbeat")),
    ),
    ("PUT", f"{_AWS}/cluster/[^/]+/detachInstances", None, {}),
    ("(POST|GET)", f"{_AWS}/cluster/[^/]+/roll", _ROLL_KIND, _ROLL),
    ("(GET|PUT)", f"{_AWS}/cluster/[^/]+/roll/[^/]+", _ROLL_KIND, _ROLL),
    ("(POST|GET)", f"{_AWS}/cluster", _CLUSTER_KIND, _CLUSTER),
    ("(GET|PUT)", f"{_AWS}/cluster/[^/]+", _CLUSTER_KIND, _CLUSTER),
    ("DELETE", f"{_AWS}/cluster/[^/]+", None, {}),
    ("(POST|GET)", f"{_AWS}/launchSpec", _GROUP_KIND, _GROUP),
    ("(GET|PUT)", f"{_AWS}/launchSpec/[^/]+", _GROUP_KIND, _GROUP),
    ("DELETE", f"{_AWS}/launchSpec/[^/]+", None, {}),
]
"""Method, path, kind (None: no items) and the schema of an item, for each call."""

_REQUEST = _object(
    {"id": {"type": "string", "minLength": 36}, "url": STRING, "method": STRING, "timestamp": STAMP},
    required=("id", "url", "method", "timestamp"),
)


def _status(code: int) -> dict[str, Any]:
    return _object({"code": {"const": code}, "message": STRING}, required=("code", "message"))


def _expected(method: str, path: str) -> tuple[str | None, dict[str, Any]]:
    for wanted, pattern, kind, item in ANSWERS:
        if re.fullmatch(wanted, method) and re.fullmatch(pattern, path):
            return kind, item
    raise AssertionError(f"no schema for {method} {path}")


def check_success(method: str, path: str, answer: Any) -> None:
    """Check an answer of HTTP 200."""
    kind, item = _expected(method, path)
    parts: dict[str, Any] = {"status": _status(200)}
    if kind is not None:
        parts |= {"kind": {"const": kind}, "items": {"type": "array", "items": item}, "count": {"type": "integer"}}
    schema = _object(
        {"request": _REQUEST, "response": _object(parts, required=tuple(parts))}, required=("request", "response")
    )
    Draft202012Validator(schema).validate(answer)
    if kind is not None:
        assert answer["response"]["count"] == len(answer["response"]["items"])


def check_error(status: int, answer: Any) -> None:
    """Check an answer of another HTTP status that is the service's own."""
    error = _object({"code": STRING, "message": STRING, "field": STRING}, required=("code", "message"))
    parts: dict[str, Any] = {"status": _status(status)}
    if status == 400:
        parts["errors"] = {"type": "array", "items": error, "minItems": 1}
    if status == 429:
        parts["data"] = {"const": "Rate limit exceeded"}
    schema = _object(
        {"request": _REQUEST, "response": _object(parts, required=tuple(parts))}, required=("request", "response")
    )
    Draft202012Validator(schema).validate(answer)
