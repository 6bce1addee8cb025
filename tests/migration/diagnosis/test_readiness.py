"""How ready the workloads of a migration are, for those who only look on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.diagnosis.readiness import (
    ReadinessObserver,
    WorkloadReadiness,
    describe_failing,
    find_landed,
)
from ocean_migration_pulumi.migration.health.baseline import HealthBaseline
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import DEPLOYMENTS
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadController, WorkloadId
from tests.migration.health.support import (
    CART,
    OCEAN,
    OTHER,
    PLANNED,
    START,
    baseline,
    old,
    pod,
    pulling,
    snapshot,
    starting,
)
from tests.support.gaps import failed_gap

WEB = WorkloadId("Deployment", "shop", "web")


def measure(*pods: Any, observer: ReadinessObserver | None = None, **more: Any) -> WorkloadReadiness:
    """Measure one look."""
    nodes = {"old": {PLANNED}, "new": {OCEAN}, "ocean": {OCEAN}}
    found = (observer or ReadinessObserver()).measure(snapshot(*pods, **more), since=START, **nodes)
    assert found is not None
    return found


def test_without_a_baseline_ready_pods_are_compared_with_what_workloads_ask_for() -> None:
    """It says so; pods that were never created count as not ready."""
    found = measure(pod("a"), old("b"), pulling("c"), desired={CART: 5})
    assert found.summary == "2 of 5 desired pods ready, 1 on Ocean (no baseline)"
    assert found.failing[0].startswith("1 pod not ready on Ocean nodes (image): shop/c (registry.example/cart: not")
    assert found.failing[1] == "Deployment shop/cart has 3 of 5 desired pods"


def test_surplus_of_one_workload_does_not_hide_what_another_lacks() -> None:
    """While a Deployment surges, say."""
    pods = [pod("a"), pod("b"), pod("c"), pulling("d", workload=WEB)]
    assert measure(*pods, desired={CART: 1, WEB: 1}).summary.startswith("1 of 2 desired pods ready")


def test_workload_is_remembered_when_its_pods_have_left_the_nodes() -> None:
    """They wait, were not created, or landed on other old nodes."""
    observer = ReadinessObserver()
    measure(old("a"), old("b", workload=WEB), observer=observer)
    waiting = pod("c", node="", ready=False, message="0/9 nodes are available")
    found = measure(waiting, observer=observer, desired={CART: 1, WEB: 1})
    assert found.summary == "0 of 2 desired pods ready, 0 on Ocean (no baseline)"
    found = measure(pod("c", node="node-later"), observer=observer, desired={CART: 1, WEB: 1})
    assert found.summary == "1 of 2 desired pods ready, 0 on Ocean (no baseline), 1 on other old nodes"


def test_workload_that_was_deleted_is_not_counted_and_one_that_tells_nothing_is_at_least_what_it_has() -> None:
    """What could not be read is not taken for deleted."""
    observer = ReadinessObserver(workloads={CART, WEB})
    assert measure(pod("a"), observer=observer).summary.startswith("1 of 1 desired pod ready")
    silent = [WorkloadController(id=CART)]
    assert measure(pod("a"), observer=observer, controllers=silent).summary.startswith("1 of at least 1 desired pod")
    unread = {DEPLOYMENTS: failed_gap("may not list deployments (403)")}
    assert measure(pod("a"), observer=observer, gaps=unread).summary.startswith("1 of at least 1 desired pod ready")


def test_with_the_baseline_ready_pods_are_compared_with_what_is_required() -> None:
    """As `pulumi up` does; what is not known is said."""
    before = baseline(old("a"), old("b"), old("c"))
    observer = ReadinessObserver(baseline=before)
    found = measure(pod("d"), starting("e"), old("c"), observer=observer, desired={CART: 9})
    assert found.summary == "2 of 3 required pods ready, 1 on Ocean"
    assert found.failing[-1] == "Deployment shop/cart has 2 of 3 required pods ready"
    rolling = [WorkloadController(id=CART, uid="u1", desired=3, rolling=True)]
    found = measure(pod("d"), observer=observer, controllers=rolling)
    assert found.summary == "0 of 0 required pods ready, 1 on Ocean, 1 workload unknown"


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["node-old", "node-ocean", "node-later", ""]))), st.integers(0, 9)
)
def test_never_flatters(pods: list[tuple[bool, str]], desired: int) -> None:
    """More ready pods than there are, or than are asked for, are never shown."""
    made = [pod(f"p{n}", node=node, ready=ready and bool(node)) for n, (ready, node) in enumerate(pods)]
    observer = ReadinessObserver(workloads={CART})
    text = measure(*made, observer=observer, desired={CART: desired}).summary
    ready = sum(each.ready for each in made)
    assert text.startswith(f"{min(ready, desired)} of {desired} desired pod")


@pytest.mark.parametrize("before", [None, HealthBaseline()])
def test_nothing_is_known_of_another_cluster(before: HealthBaseline | None) -> None:
    """Access that leads elsewhere shows none of the nodes."""
    observer = ReadinessObserver(baseline=before)
    seen = snapshot(pod("a"))
    assert observer.measure(seen, old={"i-x"}, new={"i-y"}, ocean=set(), since=START) is None


def test_pods_on_ocean_nodes_that_are_not_ready_have_reasons() -> None:
    """Pods on old nodes, and those that are being deleted, do not count."""
    seen = snapshot(pod("a"), old("b"), pulling("c"), pulling("d"), starting("e"), pod("f", deleting=True))
    image, slow = describe_failing(seen, {OCEAN})
    assert image.startswith("2 pods not ready on Ocean nodes (image): shop/c, shop/d (registry.example/cart: not found")
    assert slow.startswith("1 pod not ready on Ocean nodes (still starting): shop/e")


def test_pods_that_landed_on_other_old_nodes_were_created_while_the_migration_ran() -> None:
    """Neither those from before nor those that came after its end."""
    landed = pod("a", node="node-later")
    before = pod("b", node="node-later", created_at=START - timedelta(hours=1))
    late = pod("c", node="node-later", created_at=START + timedelta(hours=2))
    seen = snapshot(
        landed, before, late, pod("d"), old("e"), pod("f", node=""), pod("g", node="node-later", deleting=True)
    )
    known = {PLANNED, OCEAN}
    assert [each.name for each in find_landed(seen, known, START)] == ["a", "c"]
    assert [each.name for each in find_landed(seen, known, START, START + timedelta(hours=1))] == ["a"]
    assert find_landed(seen, {*known, OTHER}, START) == []
    assert find_landed(seen, known, None) == []
