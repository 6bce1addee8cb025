"""What the service tells of the prerequisites."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import Heartbeat
from ocean_migration_pulumi.migration.checks import service
from ocean_migration_pulumi.migration.checks.check_result import CheckStatus, Finding
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import PODS, KubernetesSnapshot, Owner, Pod
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode
from tests.migration.builders import status
from tests.support.gaps import failed_gap

NOW = datetime(2026, 1, 3, 12, 0, tzinfo=UTC)  # a Saturday
VNGS = {"ols-1": VirtualNodeGroup(id="ols-1", name="web")}


def beat(age: timedelta, state: str | None = "ACTIVE") -> Heartbeat:
    """Return a heartbeat of an age."""
    return Heartbeat(status=state, last_heartbeat=(NOW - age).isoformat())


def node(name: str, vng: str | None) -> PlannedNode:
    """Return a planned node."""
    return PlannedNode(instance_id=name, virtual_node_group_id=vng)


@pytest.mark.parametrize(
    ("heartbeat", "finding", "fields"),
    [
        (beat(timedelta(minutes=10)), Finding.CONTROLLER_REPORTS, {}),
        (
            beat(timedelta(minutes=10, seconds=1)),
            Finding.CONTROLLER_SILENT,
            {"status": "ACTIVE", "seconds": 601.0},
        ),
        (beat(timedelta(0), "INACTIVE"), Finding.CONTROLLER_SILENT, {"status": "INACTIVE", "seconds": 0.0}),
        (beat(timedelta(0), None), Finding.CONTROLLER_SILENT, {"status": "", "seconds": 0.0}),
        (Heartbeat(), Finding.CONTROLLER_NEVER_REPORTED, {}),
        (Heartbeat(status="ACTIVE", last_heartbeat="soon"), Finding.CONTROLLER_NEVER_REPORTED, {}),
    ],
    ids=repr,
)
def test_controller_must_report_and_be_fresh(heartbeat: Heartbeat, finding: Finding, fields: dict[str, object]) -> None:
    """ACTIVE, and within ten minutes by the service's clock."""
    check_result = service.check_connection(heartbeat, NOW)
    assert (check_result.finding, check_result.fields) == (finding, fields)
    reports = finding is Finding.CONTROLLER_REPORTS
    assert check_result.status is (CheckStatus.PASS if reports else CheckStatus.FAIL)


def test_heartbeat_of_the_future_is_alive() -> None:
    """Clocks differ a little."""
    assert service.is_alive(beat(timedelta(seconds=-5)), NOW)


@pytest.mark.parametrize(
    ("unmatched", "status"), [("fail", CheckStatus.FAIL), ("skip", CheckStatus.FAIL), ("allow", CheckStatus.WARN)]
)
def test_nodes_without_a_group_are_named(unmatched: str, status: CheckStatus) -> None:
    """What they mean is the resource's decision."""
    check_result = service.check_vngs([node("i-1", None), node("i-2", "ols-1")], VNGS, unmatched)
    assert (check_result.status, check_result.finding) == (status, Finding.NODES_UNMATCHED)
    assert check_result.fields == {"nodes": ["i-1"], "allowed": unmatched == "allow"}


def test_group_that_is_gone_fails() -> None:
    """Whatever may become of unmatched nodes."""
    check_result = service.check_vngs([node("i-1", "ols-2")], VNGS, "allow")
    assert (check_result.status, check_result.finding) == (CheckStatus.FAIL, Finding.GROUPS_GONE)
    assert check_result.fields == {"groups": ["ols-2"], "nodes": ["i-1"]}


def test_nodes_that_match_pass() -> None:
    """A VNG that exists, any VNG, or that of a running migration."""
    nodes = [node("i-1", "ols-1"), node("i-2", "Default"), node("i-3", UNKNOWN_VNG)]
    check_result = service.check_vngs(nodes, VNGS, "fail")
    assert (check_result.status, check_result.finding) == (CheckStatus.PASS, Finding.NODES_MATCHED)


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({"autoscaler_enabled": False}, Finding.AUTOSCALER_DISABLED),
        ({"capacity_maximum": 0}, Finding.CAPACITY_ZERO),
        ({"shutdown_enabled": True, "shutdown_hours": ("Fri:20:00-Mon:04:00",)}, Finding.SHUTDOWN_HOURS),
    ],
    ids=repr,
)
def test_ocean_must_be_able_to_start_nodes(options: dict[str, Any], finding: Finding) -> None:
    """Each thing in the way is a failure of its own."""
    (check_result,) = service.check_scaling(Cluster(id="o-1", **options), NOW)
    assert (check_result.status, check_result.finding) == (CheckStatus.FAIL, finding)
    assert check_result.fields["cluster"] == "o-1"


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
        check_result for check_result in service.check_scaling(cluster, NOW) if check_result.status is CheckStatus.FAIL
    ]
    assert bool(failed) is inside


def test_shutdown_hours_that_are_off_do_not_count() -> None:
    """They mean something only while they are enabled."""
    cluster = Cluster(id="o-1", shutdown_hours=("Fri:20:00-Mon:04:00",))
    assert [check_result.status for check_result in service.check_scaling(cluster, NOW)] == [CheckStatus.PASS]


@pytest.mark.parametrize(("when_busy", "status_of_check"), [("wait", CheckStatus.WARN), ("fail", CheckStatus.FAIL)])
def test_foreign_migration_is_in_the_way(when_busy: str, status_of_check: CheckStatus) -> None:
    """It is named with its state."""
    (check_result,) = service.check_idle([status("i-1")], when_busy)
    assert (check_result.status, check_result.finding) == (status_of_check, Finding.OTHER_MIGRATION_RUNS)
    assert check_result.fields == {
        "migration": "owm-1",
        "state": "DRAIN_NODES",
        "nodes": 1,
        "waits": when_busy == "wait",
    }
    (idle,) = service.check_idle([], when_busy)
    assert idle.status is CheckStatus.PASS


@pytest.mark.parametrize(("first", "status"), [(True, CheckStatus.FAIL), (False, CheckStatus.WARN)])
def test_pods_that_wait_are_named_and_fail_only_a_first_start(first: bool, status: CheckStatus) -> None:
    """A later start may find those that a migration left; finished, moving and placed pods do not wait.

    One of a DaemonSet waits for room on its own node, which no other node gives it.
    """
    pods = (
        Pod(namespace="shop", name="b", phase="Pending"),
        Pod(namespace="shop", name="a", phase="Pending"),
        Pod(namespace="shop", name="placed", phase="Pending", node_name="n-1"),
        Pod(namespace="shop", name="leaving", phase="Pending", deleting=True),
        Pod(namespace="shop", name="done", phase="Succeeded"),
        Pod(namespace="shop", name="queued", phase="Pending", gated=True),
        Pod(
            namespace="shop",
            name="agent",
            phase="Pending",
            controller=Owner(kind="DaemonSet", name="agent", group="apps"),
        ),
    )
    check_result = service.check_pending(KubernetesSnapshot(pods=pods), first=first)
    assert (check_result.status, check_result.finding) == (status, Finding.PENDING_PODS)
    assert check_result.fields == {"pods": ["shop/a", "shop/b"], "gated": 1}
    passed = service.check_pending(KubernetesSnapshot(pods=pods[2:]), first=first)
    assert (passed.status, passed.fields) == (CheckStatus.PASS, {"gated": 1})


def test_pending_pods_of_an_incomplete_list_count() -> None:
    """More pods would not make them fewer."""
    waiting = Pod(namespace="shop", name="a", phase="Pending")
    kube = KubernetesSnapshot(pods=(waiting,), gaps={PODS: failed_gap("500 of 1,000 pods read")})
    assert service.check_pending(kube, first=True).finding is Finding.PENDING_PODS


def test_pods_that_could_not_be_read_are_unknown() -> None:
    """No pod in sight is no proof that none waits."""
    check_result = service.check_pending(KubernetesSnapshot(gaps={PODS: failed_gap("403", "add a rule")}), first=True)
    assert (check_result.status, check_result.finding) == (CheckStatus.UNKNOWN, Finding.NOT_READ)
    assert check_result.fields == {"gap": failed_gap("403", "add a rule").to_json()}
