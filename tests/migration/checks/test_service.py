"""What the service tells of the prerequisites."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import Heartbeat
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS, Gap, KubernetesSnapshot, Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_GROUP, PlannedNode
from tests.migration.builders import status

NOW = datetime(2026, 1, 3, 12, 0, tzinfo=UTC)  # a Saturday
GROUPS = {"ols-1": VirtualNodeGroup(id="ols-1", name="web")}


def beat(age: timedelta, state: str | None = "ACTIVE") -> Heartbeat:
    """Return a heartbeat of an age."""
    return Heartbeat(status=state, last_heartbeat=(NOW - age).isoformat())


def node(name: str, group: str | None) -> PlannedNode:
    """Return a planned node."""
    return PlannedNode(instance_id=name, virtual_node_group_id=group)


@pytest.mark.parametrize(
    ("heartbeat", "verdict", "seen"),
    [
        (beat(timedelta(minutes=10)), CheckStatus.PASS, "reports"),
        (beat(timedelta(minutes=10, seconds=1)), CheckStatus.FAIL, "ACTIVE, its last heartbeat was 10m01s ago"),
        (beat(timedelta(0), "INACTIVE"), CheckStatus.FAIL, "is INACTIVE"),
        (beat(timedelta(0), None), CheckStatus.FAIL, "of unknown state"),
        (Heartbeat(), CheckStatus.FAIL, "has never reported"),
        (Heartbeat(status="ACTIVE", last_heartbeat="soon"), CheckStatus.FAIL, "has never reported"),
    ],
    ids=repr,
)
def test_controller_must_report_and_be_fresh(heartbeat: Heartbeat, verdict: CheckStatus, seen: str) -> None:
    """ACTIVE, and within ten minutes by the service's clock."""
    check_result = service.check_connection(heartbeat, NOW)
    assert check_result.verdict is verdict
    assert seen in check_result.seen
    assert bool(check_result.remedy) is (verdict is CheckStatus.FAIL)


def test_heartbeat_of_the_future_is_alive() -> None:
    """Clocks differ a little."""
    assert service.is_alive(beat(timedelta(seconds=-5)), NOW)


@pytest.mark.parametrize(
    ("unmatched", "verdict"), [("fail", CheckStatus.FAIL), ("skip", CheckStatus.FAIL), ("allow", CheckStatus.WARN)]
)
def test_nodes_without_a_group_are_named(unmatched: str, verdict: CheckStatus) -> None:
    """What they mean is the resource's decision."""
    check_result = service.check_groups([node("i-1", None), node("i-2", "ols-1")], GROUPS, unmatched)
    assert check_result.verdict is verdict
    assert check_result.seen == "1 planned node matches no Virtual Node Group: i-1"
    assert check_result.line == f"{check_result.seen}; {check_result.remedy}"


def test_group_that_is_gone_fails() -> None:
    """Whatever may become of unmatched nodes."""
    check_result = service.check_groups([node("i-1", "ols-2")], GROUPS, "allow")
    assert check_result.verdict is CheckStatus.FAIL
    assert "ols-2 (for i-1)" in check_result.seen


def test_nodes_that_match_pass() -> None:
    """A group that exists, any group, or that of a running migration."""
    nodes = [node("i-1", "ols-1"), node("i-2", "Default"), node("i-3", UNKNOWN_GROUP)]
    check_result = service.check_groups(nodes, GROUPS, "fail")
    assert (check_result.verdict, check_result.line) == (CheckStatus.PASS, check_result.seen)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"autoscaler_enabled": False}, "the autoscaler of o-1 is off"),
        ({"capacity_maximum": 0}, "capacity.maximum of o-1 is 0"),
        ({"shutdown_enabled": True, "shutdown_hours": ("Fri:20:00-Mon:04:00",)}, "within its shutdown hours"),
    ],
    ids=repr,
)
def test_ocean_must_be_able_to_start_nodes(options: dict[str, Any], seen: str) -> None:
    """Each thing in the way is a failure of its own."""
    (check_result,) = service.check_scaling(Cluster(id="o-1", **options), NOW)
    assert check_result.verdict is CheckStatus.FAIL
    assert seen in check_result.seen


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        ("Sat:11:00-Sat:13:00", True),
        ("Sat:12:00-Sat:12:01", True),
        ("Sat:11:00-Sat:12:00", False),
        ("Sun:20:00-Sat:13:00", True),
        ("Sun:20:00-Mon:04:00", False),
        ("sat:11:00 - sun:02:00", True),
        ("whenever", False),
        ("Sat:11:00", False),
        ("Day:11:00-Sat:13:00", False),
        ("Sat:x:00-Sat:13:00", False),
        ("Sat:11:00-Sun:13:00-Mon:01:00", False),
    ],
)
def test_shutdown_window_may_cross_the_week(window: str, inside: bool) -> None:
    """In UTC; a window that cannot be read is none."""
    cluster = Cluster(id="o-1", shutdown_enabled=True, shutdown_hours=(window,))
    failed = [
        check_result for check_result in service.check_scaling(cluster, NOW) if check_result.verdict is CheckStatus.FAIL
    ]
    assert bool(failed) is inside


def test_shutdown_hours_that_are_off_do_not_count() -> None:
    """They mean something only while they are enabled."""
    cluster = Cluster(id="o-1", shutdown_hours=("Fri:20:00-Mon:04:00",))
    assert [check_result.verdict for check_result in service.check_scaling(cluster, NOW)] == [CheckStatus.PASS]


@pytest.mark.parametrize(("when_busy", "verdict"), [("wait", CheckStatus.WARN), ("fail", CheckStatus.FAIL)])
def test_foreign_migration_is_in_the_way(when_busy: str, verdict: CheckStatus) -> None:
    """It is named with its state."""
    (check_result,) = service.check_idle([status("i-1")], when_busy)
    assert check_result.verdict is verdict
    assert "migration owm-1 of 1 node runs already (DRAIN_NODES)" in check_result.seen
    (idle,) = service.check_idle([], when_busy)
    assert idle.verdict is CheckStatus.PASS


@pytest.mark.parametrize(("first", "verdict"), [(True, CheckStatus.FAIL), (False, CheckStatus.WARN)])
def test_pods_that_wait_are_named_and_fail_only_a_first_start(first: bool, verdict: CheckStatus) -> None:
    """A later start may find those that a migration left; finished, moving and placed pods do not wait."""
    pods = (
        Pod(namespace="shop", name="b", phase="Pending"),
        Pod(namespace="shop", name="a", phase="Pending"),
        Pod(namespace="shop", name="placed", phase="Pending", node_name="n-1"),
        Pod(namespace="shop", name="leaving", phase="Pending", deleting=True),
        Pod(namespace="shop", name="done", phase="Succeeded"),
    )
    check_result = service.check_pending(KubernetesSnapshot(pods=pods), first=first)
    assert check_result.verdict is verdict
    assert check_result.seen == "2 pods wait for a node: shop/a, shop/b"
    assert service.check_pending(KubernetesSnapshot(pods=pods[2:]), first=first).verdict is CheckStatus.PASS


def test_pods_that_could_not_be_read_are_unknown() -> None:
    """No pod in sight is no proof that none waits."""
    check_result = service.check_pending(
        KubernetesSnapshot(gaps={PODS: Gap(reason="403", remedy="add a rule")}), first=True
    )
    assert (check_result.verdict, check_result.line) == (CheckStatus.UNKNOWN, "403; add a rule")
