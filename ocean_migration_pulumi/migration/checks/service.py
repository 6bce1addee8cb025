"""Checks of what Spot reports, and of pods that are pending already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP, Heartbeat, MigrationStatus
from ocean_migration_pulumi.common.times import parse_time
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS, KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.scheduling.workloads import runs_on_each_node
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode

CONNECTION: Final = "connection"
GROUPS: Final = "Virtual Node Groups"
SCALING: Final = "scaling"
IDLE: Final = "idle cluster"
PENDING: Final = "pending pods"

ALWAYS_ENFORCED: Final = frozenset({GROUPS, IDLE})
"""Checks whose failure refuses a start whatever ``prerequisites`` says: other inputs decide them."""

FRESH: Final = timedelta(minutes=10)
"""How old the controller's last heartbeat may be."""


def is_alive(heartbeat: Heartbeat, now: datetime) -> bool:
    """Tell whether the controller reports, and did so within the last 10 minutes."""
    last = parse_time(heartbeat.last_heartbeat)
    return heartbeat.status == "ACTIVE" and last is not None and now - last <= FRESH


def never_reported(heartbeat: Heartbeat) -> bool:
    """Tell whether no controller has ever reported: the cluster is new."""
    return parse_time(heartbeat.last_heartbeat) is None


def check_connection(heartbeat: Heartbeat, now: datetime) -> CheckResult:
    """Check that the Kubernetes cluster is connected to Ocean."""
    if is_alive(heartbeat, now):
        return CheckResult(CONNECTION, CheckStatus.PASS, Finding.CONTROLLER_REPORTS)
    last = parse_time(heartbeat.last_heartbeat)
    if last is None:
        return CheckResult(CONNECTION, CheckStatus.FAIL, Finding.CONTROLLER_NEVER_REPORTED)
    fields = {"status": heartbeat.status or "", "seconds": (now - last).total_seconds()}
    return CheckResult(CONNECTION, CheckStatus.FAIL, Finding.CONTROLLER_SILENT, fields)


def check_vngs(nodes: Iterable[PlannedNode], vngs: Mapping[str, VirtualNodeGroup], unmatched: str) -> CheckResult:
    """Check that every planned node has a Virtual Node Group that still exists."""
    missing, gone = [], []
    for node in nodes:
        if node.virtual_node_group_id is None:
            missing.append(node.instance_id)
        elif node.virtual_node_group_id not in {DEFAULT_VIRTUAL_NODE_GROUP, UNKNOWN_VNG, *vngs}:
            gone.append((node.virtual_node_group_id, node.instance_id))
    if gone:
        fields = {"groups": sorted({vng for vng, _ in gone}), "nodes": sorted(node for _, node in gone)}
        return CheckResult(GROUPS, CheckStatus.FAIL, Finding.GROUPS_GONE, fields)
    if not missing:
        return CheckResult(GROUPS, CheckStatus.PASS, Finding.NODES_MATCHED)
    allowed = unmatched == "allow"
    status = CheckStatus.WARN if allowed else CheckStatus.FAIL
    return CheckResult(GROUPS, status, Finding.NODES_UNMATCHED, {"nodes": sorted(missing), "allowed": allowed})


def check_scaling(cluster: Cluster, now: datetime) -> list[CheckResult]:
    """Check that Ocean can launch nodes."""
    fields, check_results = {"cluster": cluster.id}, []
    if cluster.autoscaler_enabled is False:
        check_results.append(CheckResult(SCALING, CheckStatus.FAIL, Finding.AUTOSCALER_DISABLED, fields))
    if cluster.capacity_maximum == 0:
        check_results.append(CheckResult(SCALING, CheckStatus.FAIL, Finding.CAPACITY_ZERO, fields))
    if cluster.shutdown_enabled and (window := _open_window(cluster.shutdown_hours, now)):
        check_results.append(
            CheckResult(SCALING, CheckStatus.FAIL, Finding.SHUTDOWN_HOURS, {**fields, "window": window})
        )
    return check_results or [CheckResult(SCALING, CheckStatus.PASS, Finding.SCALING_ENABLED)]


def check_idle(other_migrations: Sequence[MigrationStatus], when_busy: str) -> list[CheckResult]:
    """Check that no migration of someone else runs."""
    waits = when_busy != "fail"
    return [
        CheckResult(
            IDLE,
            CheckStatus.WARN if waits else CheckStatus.FAIL,
            Finding.OTHER_MIGRATION_RUNS,
            {"migration": other.id, "state": str(other.state), "nodes": len(other.old_instances), "waits": waits},
        )
        for other in other_migrations
    ] or [CheckResult(IDLE, CheckStatus.PASS, Finding.NO_OTHER_MIGRATION)]


def check_pending(kube: KubernetesSnapshot, *, first: bool) -> CheckResult:
    """Check that no pod waits for a node already: it would compete with those that a migration moves.

    Before the ``first`` start it fails; later, a migration itself may have left them.
    """
    waiting = sorted(pod.full_name for pod in kube.pods if is_pending(pod))
    if not waiting and (gap := kube.gaps.get(PODS)):
        return CheckResult.from_gap(PENDING, gap)
    fields = {"gated": sum(is_gated(pod) for pod in kube.pods)}
    if not waiting:
        return CheckResult(PENDING, CheckStatus.PASS, Finding.NO_PENDING_PODS, fields)
    status = CheckStatus.FAIL if first else CheckStatus.WARN
    return CheckResult(PENDING, status, Finding.PENDING_PODS, {"pods": waiting, **fields})


def is_pending(pod: Pod) -> bool:
    """Tell whether a pod waits for a node that may come.

    One with scheduling gates waits for something else, and one of a DaemonSet for room on a node that is full.
    """
    waits = pod.phase == "Pending" and not pod.node_name and not pod.deleting
    return waits and not pod.gated and not runs_on_each_node(pod.controller)


def is_gated(pod: Pod) -> bool:
    """Tell whether scheduling gates hold a pod, as those of Kueue do: its condition is ``SchedulingGated``."""
    return pod.gated and not pod.node_name and not pod.deleting


def _open_window(windows: Iterable[str], now: datetime) -> str | None:
    """Return the window ``Sat:20:00-Sun:04:00`` (UTC, as the service writes it) that holds ``now``; else None."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    week = 7 * 24 * 60
    minute = now.weekday() * 1440 + now.hour * 60 + now.minute
    for window in windows:
        edges = []
        for edge in window.split("-"):
            parts = edge.strip().split(":")
            if len(parts) != 3 or parts[0].lower() not in days or not (parts[1] + parts[2]).isdigit():
                break
            edges.append(days.index(parts[0].lower()) * 1440 + int(parts[1]) * 60 + int(parts[2]))
        if len(edges) == 2 and (minute - edges[0]) % week < (edges[1] - edges[0]) % week:
            return window
    return None
