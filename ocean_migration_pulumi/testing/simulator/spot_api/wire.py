"""The wire format: envelopes, errors, stamps, and the form of each object."""

from __future__ import annotations

import http
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ocean_migration_pulumi.testing.simulator.world.instance_types import machine, requested
from ocean_migration_pulumi.testing.simulator.world.vng_matching import match
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimMigration, SimNode, World

KIND_CLUSTER = "spotinst:ocean:aws:k8s"
KIND_GROUP = "spotinst:ocean:aws:k8s:launchSpec"
KIND_HEARTBEAT = "spotinst:ocean:k8s:cluster:controllerHeartbeat"
KIND_LOG = "spotinst:ocean:cluster:log"
KIND_MIGRATION = "spotinst:ocean:aws:k8s:cluster:migration"
KIND_DISCOVERY = "spotinst:ocean:aws:k8s:cluster:migration:discovery"
KIND_NODES = "spotinst:ocean:aws:k8s:nodes"
KIND_ROLL = "spotinst:ocean:aws:k8s:cluster:roll"

QUIRKS: dict[str, tuple[str, ...]] = {
    "runningPods": ("integer", "string"),
    "discovery": ("nested", "flat", "several"),
    "unscheduledPodIds": ("string", "list", "null"),
    "idKey": ("Id", "id"),
    "default": ("Default", "default", "DEFAULT"),
    "dates": ("padded", "unpadded", "offset"),
    "absent": ("omitted", "null"),
    "heartbeat": ("empty", "null"),
    "concurrent_migrations": ("refuse", "allow"),
    "offer_migrating": ("no", "yes"),
    "delete_migrating": ("refuse", "allow"),
    "imports": ("full", "documented"),
    "import_tags": ("list", "object"),
}
"""What the service's documents leave open, with the possible readings; the first one is the default."""


class WireError(Exception):
    """An answer of the service that is an error; ``code`` None is an answer without ``errors``."""

    def __init__(self, message: str, *, code: str | None = None, status: int = 400, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.field = field


@dataclass(frozen=True, kw_only=True)
class SpotResponse:
    """A successful answer; ``kind`` None is one without items. ``migration_id`` is for the request log."""

    kind: str | None = None
    items: list[Any] | None = None
    migration_id: str | None = None
    effective: bool = False


def not_found(code: str, what: str, identifier: str) -> WireError:
    """Return the error of something that does not exist: HTTP 400 with a code, as the service does it."""
    return WireError(f"{what}: '{identifier}' does not exist", code=code)


def envelope(
    request: dict[str, str], status: int, *, answer: SpotResponse | None = None, error: WireError | None = None
) -> dict[str, Any]:
    """Wrap an answer, an error, or nothing but a status."""
    response: dict[str, Any] = {"status": {"code": status, "message": http.HTTPStatus(status).phrase}}
    if status == 429:
        response["data"] = "Rate limit exceeded"
    if error is not None and error.code is not None:
        response["errors"] = [{"code": error.code, "message": error.message}]
        if error.field is not None:
            response["errors"][0]["field"] = error.field
    if answer is not None and answer.kind is not None:
        items = answer.items or []
        response |= {"kind": answer.kind, "items": items, "count": len(items)}
    return {"request": request, "response": response}


def stamp(moment: float, style: str = "padded") -> str:
    """Return a time as the service writes it; ``unpadded`` has a one-digit day, ``offset`` no Z but +0000."""
    whole = time.gmtime(moment)
    millis = int(moment * 1000) % 1000
    day = f"{whole.tm_mday}" if style == "unpadded" else f"{whole.tm_mday:02d}"
    zone = "+0000" if style == "offset" else "Z"
    return f"{time.strftime('%Y-%m-', whole)}{day}T{time.strftime('%H:%M:%S', whole)}.{millis:03d}{zone}"


class Presenter:
    """The form of each object, under the quirks of a world."""

    def __init__(self, world: World, now: float) -> None:
        self._quirks = world.quirks
        self._now = now

    def quirk(self, name: str) -> str:
        """Return the reading that is in force."""
        return self._quirks.get(name, QUIRKS[name][0])

    def discovery(self, cluster: SimCluster, nodes: Iterable[SimNode], *, with_pods: bool) -> list[Any]:
        """Return the nodes that can be migrated."""
        default = self.quirk("default")
        instances = []
        for node in nodes:
            group = match(cluster, node)
            item: dict[str, Any] = {
                "k8sNodeName": node.node_name,
                "asgName": node.asg_name,
                "instanceId": node.instance_id,
                "launchSpecId": default if group == "Default" else group,
            }
            if with_pods:
                item["runningPods"] = self._count(len(node.workload))
            instances.append(item)
        shape = self.quirk("discovery")
        if shape == "flat":
            return instances
        if shape == "several":
            middle = len(instances) // 2
            return [{"instances": instances[:middle]}, {"instances": instances[middle:]}]
        return [{"instances": instances}]

    def summary(self, migration: SimMigration) -> dict[str, Any]:
        """Return a line of the list of migrations."""
        return {
            self.quirk("idKey"): migration.id,
            "state": migration.shown_state or migration.state,
            "createdAt": self._stamp(migration.created_at),
            **self._stamps(completedAt=migration.completed_at),
        }

    def status(self, cluster: SimCluster, migration: SimMigration) -> dict[str, Any]:
        """Return the status of a migration."""
        before, during = _unscheduled(cluster, migration)
        return {
            self.quirk("idKey"): migration.id,
            "oceanId": cluster.id,
            "status": migration.shown_state or migration.state,
            "newInstances": [
                self._instance(node, "TERMINATED" if node.terminated else "RUNNING")
                for node in map(cluster.nodes.get, migration.new_instances)
                if node is not None
            ],
            "oldInstances": self._old_instances(cluster, migration),
            "unscheduledPodIds": self._ids(before),
            "newUnscheduledPodIds": self._ids(during),
            "migrationConfig": {
                "shouldTerminateDrainedNodes": migration.terminate,
                "shouldEvictStandAlonePods": migration.evict,
            },
            "createdAt": self._stamp(migration.created_at),
            **self._stamps(
                erroredAt=migration.errored_at, stoppedAt=migration.stopped_at, completedAt=migration.completed_at
            ),
        }

    def _old_instances(self, cluster: SimCluster, migration: SimMigration) -> list[dict[str, Any]]:
        drained, manual = set(migration.drained), set(migration.manual)
        draining = set(migration.batch_ids) if migration.state == "DRAIN_NODES" else set()
        items = []
        for instance_id in migration.instance_ids:
            node = cluster.nodes.get(instance_id)
            if node is None:
                items.append({"instanceId": instance_id, "state": "TERMINATED", "runningPods": self._count(0)})
            elif node.terminated:
                items.append(self._instance(node, "TERMINATED"))
            elif instance_id in manual and node.workload:
                items.append(self._instance(node, "REQUIRES_MANUAL_MIGRATION"))
            elif instance_id in drained or instance_id in manual:
                items.append(self._instance(node, "DRAINED"))
            else:
                items.append(self._instance(node, "DRAINING" if instance_id in draining else "RUNNING"))
        return items

    def _instance(self, node: SimNode, state: str) -> dict[str, Any]:
        item: dict[str, Any] = {
            "instanceId": node.instance_id,
            "k8sNodeName": node.node_name,
            "asgName": node.asg_name,
            "state": state,
            "runningPods": self._count(0 if node.terminated else len(node.workload)),
        }
        if state == "REQUIRES_MANUAL_MIGRATION":
            item["podDetails"] = [
                {"id": pod.id, "name": pod.name, "kind": "UNKNOWN" if pod.controller else "STAND_ALONE_POD"}
                for pod in node.workload
            ]
        return item

    def node(self, cluster: SimCluster, node: SimNode) -> dict[str, Any]:
        """Return one of Ocean's own nodes."""
        group = cluster.groups.get(node.virtual_node_group_id or "", {})
        cpu, memory, gpus = requested(node.workload)
        offered = machine(node.instance_type)
        return {
            "instanceId": node.instance_id,
            "instanceType": node.instance_type,
            "availabilityZone": node.zone,
            **({"launchSpecId": node.virtual_node_group_id} if node.virtual_node_group_id else {}),
            **({"launchSpecName": group["name"]} if group.get("name") else {}),
            "lifeCycle": "Spot",
            "publicIp": "192.0.2.1",
            "workloadRequestedMilliCpu": cpu,
            "workloadRequestedMemoryInMiB": memory,
            "workloadRequestedGpu": gpus,
            "headroomRequestedMilliCpu": 0,
            "headroomRequestedMemoryInMiB": 0,
            "headroomRequestedGpu": 0,
            "allocatableMilliCpu": offered.usable_milli_cpu,
            "allocatableMemoryInMiB": offered.usable_memory_mib,
            "allocatableGpu": offered.gpus,
            "nodeName": node.node_name,
            "registrationStatus": "Registered",
            "createdAt": stamp(node.created_at),
        }

    def cluster(self, cluster: SimCluster) -> dict[str, Any]:
        """Return a cluster's configuration as it was posted, with its id and times (RFC 3339: Go parses them)."""
        return {
            **cluster.body,
            "id": cluster.id,
            "createdAt": stamp(cluster.created_at),
            "updatedAt": stamp(cluster.updated_at),
        }

    def group(self, group_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return a Virtual Node Group as it was posted, with its id and times."""
        times = {"createdAt": stamp(body["createdAt"]), "updatedAt": stamp(body["updatedAt"])}
        return {**body, "id": group_id, **times}

    def heartbeat(self, cluster: SimCluster) -> list[dict[str, Any]]:
        """Return the controller's sign of life."""
        beat = cluster.heartbeat
        if beat.status is None:
            return [] if self.quirk("heartbeat") == "empty" else [{"status": None, "lastHeartbeat": None}]
        last = self._now if beat.frozen_at is None else beat.frozen_at
        return [{"status": beat.status, "lastHeartbeat": stamp(last)}]

    def _count(self, number: int) -> int | str:
        return str(number) if self.quirk("runningPods") == "string" else number

    def _ids(self, ids: list[str]) -> str | list[str] | None:
        shape = self.quirk("unscheduledPodIds")
        if shape == "list":
            return ids
        return ",".join(ids) if ids or shape == "string" else None

    def _stamp(self, moment: float) -> str:
        return stamp(moment, self.quirk("dates"))

    def _stamps(self, **moments: float | None) -> dict[str, str | None]:
        nulls = self.quirk("absent") == "null"
        return {
            name: None if moment is None else self._stamp(moment)
            for name, moment in moments.items()
            if nulls or moment is not None
        }


def _unscheduled(cluster: SimCluster, migration: SimMigration) -> tuple[list[str], list[str]]:
    before = [pending.pod.id for pending in cluster.pending if pending.since <= migration.created_at]
    during = [pending.pod.id for pending in cluster.pending if pending.since > migration.created_at]
    return before, during
