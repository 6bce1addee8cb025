"""Workloads compared with their baseline: what is required of them, and what excuses them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.health.assessment import (
    Excuse,
    HealthReport,
    HealthVerdict,
    PodCounts,
    assess_health,
    has_arrived,
    share_on_ocean,
)
from ocean_migration_pulumi.migration.health.not_ready import NotReadyClass
from ocean_migration_pulumi.migration.health.settling import DETACH_SECONDS, SettleClock
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DEPLOYMENTS, PODS
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import (
    EVENTS,
    WorkloadController,
    WorkloadId,
    WorkloadWarning,
)
from tests.migration.health.support import (
    CART,
    PLACEMENT,
    START,
    assess,
    baseline,
    old,
    pod,
    pulling,
    snapshot,
    starting,
)
from tests.support.gaps import failed_gap

THREE = baseline(old("a"), old("b"), old("c"))
FORBIDDEN = failed_gap("may not list deployments (403)", "add to the role: {...}")


def only(report: HealthReport) -> Any:
    """Return the one workload of a report."""
    (found,) = report.workloads
    return found


@pytest.mark.parametrize(
    ("pods", "more", "verdict", "required"),
    [
        ([pod("d"), pod("e"), pod("f")], {}, HealthVerdict.WELL, 3),
        ([pod("d"), pod("e"), starting("f")], {}, HealthVerdict.BELOW, 3),
        ([pod("d"), pod("e")], {"desired": {CART: 3}}, HealthVerdict.BELOW, 3),
        ([pod("d"), pod("e"), pod("f"), starting("g")], {"desired": {CART: 9}}, HealthVerdict.WELL, 3),
        ([pod("d")], {"desired": {CART: 1}}, HealthVerdict.WELL, 1),
        ([], {"desired": {CART: 0}}, HealthVerdict.WELL, 0),
        ([], {}, HealthVerdict.EXCUSED, 3),
        (
            [starting("d")],
            {"controllers": [WorkloadController(id=CART, uid="u2", desired=3)]},
            HealthVerdict.EXCUSED,
            3,
        ),
        (
            [starting("d")],
            {"controllers": [WorkloadController(id=CART, desired=3, rolling=True)]},
            HealthVerdict.UNKNOWN,
            3,
        ),
        ([starting("d")], {"gaps": {PODS: FORBIDDEN}}, HealthVerdict.UNKNOWN, 1),
        ([], {"gaps": {DEPLOYMENTS: FORBIDDEN}}, HealthVerdict.UNKNOWN, 3),
        ([], {"gaps": {EVENTS: FORBIDDEN}}, HealthVerdict.EXCUSED, 3),
        ([pod("d"), pod("e"), pod("f")], {"desired": {CART: None}}, HealthVerdict.WELL, 3),
        ([pod("d"), pod("e"), starting("f")], {"desired": {CART: None}}, HealthVerdict.BELOW, 3),
        ([pod("d")], {"desired": {CART: None}}, HealthVerdict.UNKNOWN, 3),
    ],
    ids=[
        "all moved",
        "one starts",
        "one is missing",
        "scaled up: the old number",
        "scaled down: the new number",
        "scaled to zero",
        "deleted",
        "recreated",
        "a rollout",
        "pods forbidden",
        "controllers forbidden",
        "events forbidden",
        "custom kind",
        "custom kind, one starts",
        "custom kind, fewer pods",
    ],
)
def test_verdict(pods: list[Any], more: dict[str, Any], verdict: HealthVerdict, required: int) -> None:
    """The smaller of ready before and desired now is required, with every excuse."""
    found = only(assess(THREE, *pods, **more))
    assert (found.verdict, found.required) == (verdict, required)
    assert bool(found.excuse) == (verdict in {HealthVerdict.EXCUSED, HealthVerdict.UNKNOWN})


def test_workload_that_was_unhealthy_before_never_counts() -> None:
    """It is shown, with its reasons."""
    before = baseline(old("a"), pulling("b"))
    found = only(assess(before, pulling("c"), pulling("d")))
    assert found.verdict is HealthVerdict.EXCUSED
    assert {each.reason.kind for each in found.failing} == {NotReadyClass.IMAGE}


def test_rollout_at_the_start_is_unknown_throughout() -> None:
    """What was ready then was neither the old nor the new number."""
    before = baseline(old("a"), controllers=[WorkloadController(id=CART, desired=2, rolling=True)])
    assert only(assess(before, starting("b"))).verdict is HealthVerdict.UNKNOWN


def test_counts_say_where_pods_are() -> None:
    """Ready on Ocean nodes, planned and other old nodes; without a node; not ready."""
    report = assess(
        baseline(*[old(name) for name in "abcdef"]),
        pod("g"),
        old("a"),
        pod("h", node="node-later"),
        pod("i", node="", ready=False, message="0/9 nodes are available"),
        starting("j"),
        pod("k", deleting=True),
    )
    assert report.counts == PodCounts(ocean=1, planned=1, elsewhere=1, waiting=1, not_ready=1)
    assert report.landed_elsewhere == 1
    assert only(report).on_undrained == 1


def test_created_workloads_are_shown_not_judged() -> None:
    """Somebody deploys while a migration runs."""
    new = WorkloadId("Deployment", "shop", "new")
    report = assess(THREE, pod("d"), pod("e"), pod("f"), pulling("g", workload=new))
    assert report.created == 1
    assert [each.id for each in report.workloads] == [CART]


def test_pods_that_are_never_created_are_explained() -> None:
    """By the condition of the controller, or by the event of its ReplicaSet."""
    quota = [WorkloadController(id=CART, uid="u1", desired=3, create_failure="exceeded quota")]
    assert only(assess(THREE, pod("d"), controllers=quota)).not_created == "exceeded quota"
    event = WorkloadWarning(
        kind="ReplicaSet", namespace="shop", name="cart-6f7d", reason="FailedCreate", message="denied by a webhook"
    )
    found = only(assess(THREE, pod("d"), desired={CART: 3}, warnings=[event]))
    assert found.not_created == "denied by a webhook"
    assert not found.is_starting


@pytest.mark.parametrize(
    ("kind", "name", "minutes"),
    [
        ("ReplicaSet", "cart-api-6f7d", 1),  # of another Deployment
        ("StatefulSet", "cart", 1),
        ("ReplicaSet", "cart-6f7d", 30),  # long ago
    ],
)
def test_failure_of_another_controller_or_of_long_ago_explains_nothing(kind: str, name: str, minutes: int) -> None:
    """The missing pod may be about to be created."""
    event = WorkloadWarning(
        kind=kind,
        namespace="shop",
        name=name,
        reason="FailedCreate",
        message="exceeded quota",
        at=START - timedelta(minutes=minutes),
    )
    found = only(assess(THREE, pod("d"), desired={CART: 3}, warnings=[event]))
    assert (found.verdict, found.not_created, found.is_starting) == (HealthVerdict.BELOW, "", True)


def test_latest_failure_explains_missing_pods() -> None:
    """A quota was raised, and then a webhook denied the pods."""
    events = [
        WorkloadWarning(
            kind="ReplicaSet",
            namespace="shop",
            name="cart-6f7d",
            reason="FailedCreate",
            message=message,
            at=START - timedelta(minutes=minutes),
        )
        for message, minutes in (("denied the request", 1), ("exceeded quota", 9))
    ]
    assert only(assess(THREE, pod("d"), desired={CART: 3}, warnings=events)).not_created == "denied the request"


@pytest.mark.parametrize(
    ("tells", "template", "verdict"),
    [
        (False, "t2", HealthVerdict.UNKNOWN),
        (False, "t1", HealthVerdict.BELOW),
        (True, "t2", HealthVerdict.BELOW),
    ],
)
def test_kind_that_does_not_tell_of_rollouts_may_be_rolled_out(
    tells: bool, template: str, verdict: HealthVerdict
) -> None:
    """A new pod template that is not ready may be somebody's canary."""
    rollout = [WorkloadController(id=CART, uid="u1", desired=3, tells_rollouts=tells)]
    assert only(assess(THREE, pulling("d", template=template), old("b"), controllers=rollout)).verdict is verdict
    ready = [pod("d", template=template), old("b"), old("c")]
    assert only(assess(THREE, *ready, controllers=rollout)).verdict is HealthVerdict.WELL


def test_renamed_workload_is_one_that_was_deleted_and_one_that_was_created() -> None:
    """Neither is judged."""
    report = assess(THREE, pulling("d", workload=WorkloadId("Deployment", "shop", "cart-v2")))
    assert only(report).excuse is Excuse.DELETED
    assert report.created == 1


def test_autoscalers_change_what_is_required() -> None:
    """KEDA scales to zero and back, an HPA up and down: the smaller number counts each time."""
    for desired, ready, verdict in (
        (0, 0, HealthVerdict.WELL),
        (1, 1, HealthVerdict.WELL),
        (9, 3, HealthVerdict.WELL),
        (9, 2, HealthVerdict.BELOW),
        (2, 1, HealthVerdict.BELOW),
    ):
        report = assess(THREE, *[pod(f"n{n}") for n in range(ready)], desired={CART: desired})
        assert only(report).verdict is verdict, desired


def test_workload_without_a_ready_pod_before_is_not_judged() -> None:
    """Its baseline is 0."""
    before = baseline(old("a", ready=False), desired={CART: 1})
    report = assess(before, starting("d"), desired={CART: 1})
    assert only(report).verdict is HealthVerdict.EXCUSED
    assert share_on_ocean(report) == (0, 0)


def test_orphans_of_a_deleted_deployment_are_not_judged() -> None:
    """Its ReplicaSet and the pods stay, and nobody knows how many there should be."""
    deleted = snapshot(pulling("d"), old("b"))
    gone = replace(deleted, workloads={})
    found = only(assess_health(THREE, gone, PLACEMENT, since=START))
    assert (found.verdict, found.excuse) == (HealthVerdict.EXCUSED, Excuse.DELETED)


def test_missing_right_is_unknown_with_the_rule() -> None:
    """The reason names what to add to the role."""
    report = assess(THREE, gaps={DEPLOYMENTS: FORBIDDEN})
    assert report.unknown == (FORBIDDEN,)


@pytest.mark.parametrize(
    ("pods", "more", "arrived", "enough"),
    [
        ([pod("d"), pod("e"), pod("f")], {}, (3, 3), True),
        ([pod("d"), pod("e"), pod("f", node="node-later")], {}, (2, 3), True),
        ([pod("d"), pod("e", node="node-later"), pod("f", node="node-later")], {}, (1, 3), False),
        ([pod("d")], {"desired": {CART: 1}}, (1, 1), True),
        ([pod("d")], {"controllers": [WorkloadController(id=CART, uid="u2", desired=3)]}, (0, 0), True),
        ([pod(name) for name in "defghi"], {}, (3, 3), True),
    ],
    ids=["all", "one pod may be missing", "the canary landed on old nodes", "scale-down", "excused", "scale-up"],
)
def test_share_on_ocean(pods: list[Any], more: dict[str, Any], arrived: tuple[int, int], enough: bool) -> None:
    """What a workload gained on Ocean nodes, of its pods on the wave's nodes."""
    report = assess(THREE, *pods, **more)
    assert share_on_ocean(report) == arrived
    assert has_arrived(report, 80) is enough


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 40), st.integers(0, 40))
def test_share_on_ocean_is_a_share(planned: int, elsewhere: int, gained: int, desired: int) -> None:
    """It is never more than what was expected, and enough when every pod arrived."""
    before = baseline(*[old(f"o{n}") for n in range(planned)], *[pod(f"e{n}") for n in range(elsewhere)])
    now = [pod(f"n{n}") for n in range(elsewhere + gained)]
    report = assess(before, *now, desired={CART: desired})
    arrived, expected = share_on_ocean(report)
    assert 0 <= arrived <= expected <= planned
    if gained >= planned:
        assert has_arrived(report, 100)


@given(st.integers(1, 20), st.integers(0, 40), st.integers(0, 40))
def test_nothing_but_readiness_is_required(before: int, ready: int, desired: int) -> None:
    """With the smaller number ready a workload is well, with fewer it is not."""
    report = assess(
        baseline(*[old(f"o{n}") for n in range(before)]), *[pod(f"n{n}") for n in range(ready)], desired={CART: desired}
    )
    assert (only(report).verdict is HealthVerdict.WELL) == (ready >= min(before, desired))


def test_settling_takes_its_time() -> None:
    """Readiness that rises, startup probes and volumes extend the time."""
    clock = SettleClock(timeout=900.0)
    assert clock.remaining(assess(THREE, starting("d"), starting("e"), starting("f")), 0.0) == 900.0
    assert clock.remaining(assess(THREE, pod("d"), starting("e"), starting("f")), 800.0) == 900.0
    assert clock.remaining(assess(THREE, starting("d"), starting("e"), starting("f")), 900.0) == 800.0
    probed = assess(THREE, pod("d"), starting("e", startup_seconds=600.0), starting("f"))
    assert clock.remaining(probed, 1700.0) == 600.0
    bound = assess(THREE, pod("d"), starting("e", claims=("data",)), starting("f"))
    assert clock.remaining(bound, 1700.0) == DETACH_SECONDS
    shared = assess(THREE, pod("d"), starting("e", claims=("data",)), starting("f"), shared_claims={("shop", "data")})
    assert clock.remaining(shared, 1700.0) == 0.0
