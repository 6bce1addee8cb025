"""Renders clusters, VNGs, nodes and migrations as JSON, in the variants that the quirks select."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ocean_migration_pulumi.testing.simulator.spot_api.wire import QUIRKS, format_time
from ocean_migration_pulumi.testing.simulator.world.instance_types import get_instance_type, sum_requests
from ocean_migration_pulumi.testing.simulator.world.placement import match_vng
from ocean_migration_pulumi.testing.simulator.world.pods import SYSTEM_DAEMONS
from ocean_migration_pulumi.testing.simulator.world.world import SimCluster, SimMigration, SimNode, World


class Presenter:
    """Renders the objects of a world."""

    def __init__(self, world: World, now: float) -> None:
        self._quirks = world.quirks
        self._now = now

    def get_quirk(self, name: str) -> str:
        """Return the chosen variant of a quirk."""
        return self._quirks.get(name, QUIRKS[name][0])

    def get_lag(self, name: str) -> float:
        """Return the seconds of a quirk that is a lag."""
        return float(self.get_quirk(name).removesuffix("s"))

    def render_discovery(self, cluster: SimCluster, nodes: Iterable[SimNode], *, with_pods: bool) -> list[Any]:
        """Render the candidates."""
        default = self.get_quirk("default")
        instances = []
        for node in nodes:
            vng_id = match_vng(cluster, node)
            item: dict[str, Any] = {
                "k8sNodeName": node.node_name,
                "asgName": node.asg_name,
                "instanceId": node.instance_id,
                "launchSpecId": default if vng_id == "Default" else vng_id,
            }
            if with_pods:
                item["runningPods"] = self._render_pods(node)
            instances.append(item)
        shape = self.get_quirk("discovery")
        if shape == "flat":
            return instances
        if shape == "several":
            middle = len(instances) // 2
            return [{"instances": instances[:middle]}, {"instances": instances[middle:]}]
        return [{"instances": instances}]

    def render_summary(self, migration: SimMigration, at: float) -> dict[str, Any]:
        """Render a migration for the list of migrations, as it was at a time since its start."""
        completed_at = migration.completed_at
        return {
            self.get_quirk("idKey"): migration.id,
            "state": migration.shown_state or migration.find_state(at),
            "createdAt": self._render_time(migration.created_at),
            **self._render_times(completedAt=None if completed_at is None or completed_at > at else completed_at),
        }

    def render_status(self, cluster: SimCluster, migration: SimMigration) -> dict[str, Any]:
        """Render the status of a migration."""
        before, during = _split_unscheduled_pods(cluster, migration)
        return {
            self.get_quirk("idKey"): migration.id,
            "oceanId": cluster.id,
            "status": migration.shown_state or migration.state,
            "newInstances": [
                self._render_instance(node, "TERMINATED" if node.terminated else "RUNNING")
                for node in map(cluster.nodes.get, migration.new_instances)
                if node is not None
            ],
            "oldInstances": self._render_old_instances(cluster, migration),
            "unscheduledPodIds": self._render_ids(before),
            "newUnscheduledPodIds": self._render_ids(during),
            "migrationConfig": {
                "shouldTerminateDrainedNodes": migration.terminate,
                "shouldEvictStandAlonePods": migration.evict,
            },
            "createdAt": self._render_time(migration.created_at),
            **self._render_times(
                erroredAt=migration.errored_at, stoppedAt=migration.stopped_at, completedAt=migration.completed_at
            ),
        }

    def _render_old_instances(self, cluster: SimCluster, migration: SimMigration) -> list[dict[str, Any]]:
        drained, manual = set(migration.drained), set(migration.manual)
        draining = set(migration.batch_ids) if migration.state == "DRAIN_NODES" else set()
        items = []
        for instance_id in migration.instance_ids:
            node = cluster.nodes.get(instance_id)
            if node is None:
                items.append({"instanceId": instance_id, "state": "TERMINATED", "runningPods": self._render_count(0)})
            elif node.terminated:
                items.append(self._render_instance(node, "TERMINATED"))
            elif instance_id in manual and node.workload:
                items.append(self._render_instance(node, "REQUIRES_MANUAL_MIGRATION"))
            elif instance_id in drained or instance_id in manual:
                items.append(self._render_instance(node, "DRAINED"))
            else:
                items.append(self._render_instance(node, "DRAINING" if instance_id in draining else "RUNNING"))
        return items

    def _render_instance(self, node: SimNode, state: str) -> dict[str, Any]:
        item: dict[str, Any] = {
            "instanceId": node.instance_id,
            "k8sNodeName": node.node_name,
            "asgName": node.asg_name,
            "state": state,
            "runningPods": self._render_pods(node),
        }
        if state == "REQUIRES_MANUAL_MIGRATION":
            item["podDetails"] = [
                {"id": pod.id, "name": pod.name, "kind": "UNKNOWN" if pod.controller else "STAND_ALONE_POD"}
                for pod in node.workload
            ]
        return item

    def render_node(self, cluster: SimCluster, node: SimNode) -> dict[str, Any]:
        """Render an Ocean node."""
        vng = cluster.groups.get(node.virtual_node_group_id or "", {})
        cpu, memory, gpus = sum_requests(node.workload)
        capacity = get_instance_type(node.instance_type)
        return {
            "instanceId": node.instance_id,
            "instanceType": node.instance_type,
            "availabilityZone": node.zone,
            **({"launchSpecId": node.virtual_node_group_id} if node.virtual_node_group_id else {}),
            **({"launchSpecName": vng["name"]} if vng.get("name") else {}),
            "lifeCycle": "Spot",
            "publicIp": "192.0.2.1",
            "workloadRequestedMilliCpu": cpu,
            "workloadRequestedMemoryInMiB": memory,
            "workloadRequestedGpu": gpus,
            "headroomRequestedMilliCpu": 0,
            "headroomRequestedMemoryInMiB": 0,
            "headroomRequestedGpu": 0,
            "allocatableMilliCpu": capacity.usable_milli_cpu,
            "allocatableMemoryInMiB": capacity.usable_memory_mib,
            "allocatableGpu": capacity.gpus,
            "nodeName": node.node_name,
            "registrationStatus": "Registered",
            "createdAt": format_time(node.created_at),
        }

    def render_cluster(self, cluster: SimCluster) -> dict[str, Any]:
        """Render a cluster as it was posted, with id and times; times are RFC 3339, which Go's clients require."""
        return {
            **cluster.body,
            "id": cluster.id,
            "createdAt": format_time(cluster.created_at),
            "updatedAt": format_time(cluster.updated_at),
        }

    def render_vng(self, vng_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Render a VNG as it was posted, with id and times."""
        times = {"createdAt": format_time(body["createdAt"]), "updatedAt": format_time(body["updatedAt"])}
        return {**body, "id": vng_id, **times}

    def render_heartbeat(self, cluster: SimCluster) -> list[dict[str, Any]]:
        """Render the heartbeat of the controller."""
        heartbeat = cluster.heartbeat
        if heartbeat.status is None:
            return [] if self.get_quirk("heartbeat") == "empty" else [{"status": None, "lastHeartbeat": None}]
        last = self._now if heartbeat.frozen_at is None else heartbeat.frozen_at
        return [{"status": heartbeat.status, "lastHeartbeat": format_time(last)}]

    def _render_pods(self, node: SimNode) -> int | str:
        """Render the number of pods on a node: those that a drain evicts, and of DaemonSets where Ocean counts them."""
        if node.terminated:
            return self._render_count(0)
        daemons = 0
        if self.get_quirk("count_daemonset_pods") == "yes":
            daemons = len(SYSTEM_DAEMONS) + sum(pod.controller == "DaemonSet" for pod in node.pods)
        return self._render_count(len(node.workload) + daemons)

    def _render_count(self, number: int) -> int | str:
        return str(number) if self.get_quirk("runningPods") == "string" else number

    def _render_ids(self, ids: list[str]) -> str | list[str] | None:
        shape = self.get_quirk("unscheduledPodIds")
        if shape == "list":
            return ids
        return ",".join(ids) if ids or shape == "string" else None

    def _render_time(self, seconds: float) -> str:
        return format_time(seconds, self.get_quirk("dates"))

    def _render_times(self, **times: float | None) -> dict[str, str | None]:
        nulls = self.get_quirk("absent") == "null"
        return {
            name: None if seconds is None else self._render_time(seconds)
            for name, seconds in times.items()
            if nulls or seconds is not None
        }


def _split_unscheduled_pods(cluster: SimCluster, migration: SimMigration) -> tuple[list[str], list[str]]:
    before = [pending.pod.id for pending in cluster.pending if pending.since <= migration.created_at]
    during = [pending.pod.id for pending in cluster.pending if pending.since > migration.created_at]
    return before, during
