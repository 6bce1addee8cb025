"""What the service itself tells of the prerequisites, and of pods that wait already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import DEFAULT_VIRTUAL_NODE_GROUP, Heartbeat, MigrationStatus
from ocean_migration_pulumi.common.text import count_noun, count_with_verb, list_some, sanitize
from ocean_migration_pulumi.common.times import format_elapsed, parse_time
from ocean_migration_pulumi.migration.checks.check_result import CheckResult, CheckStatus
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS, KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_GROUP, PlannedNode

CONNECTION: Final = "connection"
GROUPS: Final = "Virtual Node Groups"
SCALING: Final = "scaling"
IDLE: Final = "idle cluster"
PENDING: Final = "pending pods"

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
    name = CONNECTION
    if is_alive(heartbeat, now):
        return CheckResult(name, CheckStatus.PASS, "the Ocean Controller reports")
    remedy = "make sure that the Ocean Controller runs in the cluster and reaches Spot"
    last = parse_time(heartbeat.last_heartbeat)
    if last is None:
        return CheckResult(name, CheckStatus.FAIL, "the Ocean Controller has never reported", remedy)
    ago = format_elapsed((now - last).total_seconds())
    seen = f"the Ocean Controller is {heartbeat.status or 'of unknown state'}, its last heartbeat was {ago} ago"
    return CheckResult(name, CheckStatus.FAIL, seen, remedy)


def check_groups(nodes: Iterable[PlannedNode], groups: Mapping[str, VirtualNodeGroup], unmatched: str) -> CheckResult:
    """Check that every planned node has a Virtual Node Group that still exists."""
    name = GROUPS
    missing, gone = [], []
    for node in nodes:
        if node.virtual_node_group_id is None:
            missing.append(node.instance_id)
        elif node.virtual_node_group_id not in {DEFAULT_VIRTUAL_NODE_GROUP, UNKNOWN_GROUP, *groups}:
            gone.append(f"{node.virtual_node_group_id} (for {node.instance_id})")
    if gone:
        return CheckResult(
            name, CheckStatus.FAIL, f"Virtual Node Groups are gone: {list_some(sorted(gone))}", "plan again"
        )
    if not missing:
        return CheckResult(name, CheckStatus.PASS, "every planned node matches a Virtual Node Group")
    seen = (
        f"{count_with_verb(len(missing), 'planned node', 'match')} no Virtual Node Group: {list_some(sorted(missing))}"
    )
    if unmatched == "allow":
        return CheckResult(name, CheckStatus.WARN, seen, "their pods may find no new node")
    remedy = 'make a Virtual Node Group for them, or set unmatched_nodes to "skip" or "allow"'
    return CheckResult(name, CheckStatus.FAIL, seen, remedy)


def check_scaling(cluster: Cluster, now: datetime) -> list[CheckResult]:
    """Check that Ocean may start nodes."""
    name = SCALING
    check_results = []
    if cluster.autoscaler_enabled is False:
        remedy = "enable it: a migration needs new nodes"
        check_results.append(CheckResult(name, CheckStatus.FAIL, f"the autoscaler of {cluster.id} is off", remedy))
    if cluster.capacity_maximum == 0:
        check_results.append(CheckResult(name, CheckStatus.FAIL, f"capacity.maximum of {cluster.id} is 0", "raise it"))
    if cluster.shutdown_enabled and (window := _open_window(cluster.shutdown_hours, now)):
        check_results.append(
            CheckResult(
                name, CheckStatus.FAIL, f"{cluster.id} is within its shutdown hours {window}", "wait, or change them"
            )
        )
    return check_results or [CheckResult(name, CheckStatus.PASS, "Ocean may start nodes")]


def check_idle(foreign: Sequence[MigrationStatus], when_busy: str) -> list[CheckResult]:
    """Check that no migration of someone else runs."""
    verdict = CheckStatus.FAIL if when_busy == "fail" else CheckStatus.WARN
    if not foreign:
        return [CheckResult(IDLE, CheckStatus.PASS, "no other migration runs")]
    return [
        CheckResult(
            IDLE,
            verdict,
            f"migration {other.id} of {count_noun(len(other.old_instances), 'node')} runs already ({other.state})",
            "wait for its end" if when_busy == "fail" else "this one waits for its end",
        )
        for other in foreign
    ]


def check_pending(kube: KubernetesSnapshot, *, first: bool) -> CheckResult:
    """Check that no pod waits for a node already: it would compete with those that a migration moves.

    Before the ``first`` start it fails; later, a migration itself may have left them.
    """
    if gap := kube.gaps.get(PODS):
        return CheckResult.of_gap(PENDING, gap)
    waiting = sorted(pod.full_name for pod in kube.pods if is_pending(pod))
    if not waiting:
        return CheckResult(PENDING, CheckStatus.PASS, "every pod has a node")
    seen = f"{count_with_verb(len(waiting), 'pod', 'wait')} for a node: {list_some(map(sanitize, waiting))}"
    return CheckResult(
        PENDING, CheckStatus.FAIL if first else CheckStatus.WARN, seen, "find out why, or take them away"
    )


def is_pending(pod: Pod) -> bool:
    """Tell whether a pod waits for a node."""
    return pod.phase == "Pending" and not pod.node_name and not pod.deleting


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
