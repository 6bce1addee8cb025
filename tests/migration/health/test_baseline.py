"""The baseline: taken of two looks, and kept in the state."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.migration.health.baseline import (
    MOST_WORKLOADS,
    HealthBaseline,
    WorkloadBaseline,
    merge_baselines,
)
from ocean_migration_pulumi.migration.snapshot.workload_snapshot import WorkloadController, WorkloadId, WorkloadPod
from tests.migration.health.support import CART, OTHER, baseline, old, pod, pulling, starting

counts = st.integers(0, 50)
baselines = st.builds(
    WorkloadBaseline,
    uid=st.sampled_from(["", "u1"]),
    ready=counts,
    desired=counts,
    planned=counts,
    ocean=counts,
    rolling=st.booleans(),
    broken=st.booleans(),
    templates=st.lists(st.sampled_from(["t1", "t2"]), unique=True).map(tuple),
)
names = st.builds(
    WorkloadId,
    st.sampled_from(["Deployment", "StatefulSet", "CloneSet"]),
    st.sampled_from(["shop", "kube-system"]),
    st.sampled_from(["cart", "db", "web.v2"]),
)
whole = st.builds(
    HealthBaseline,
    migration_id=st.sampled_from(["", "owm-1"]),
    workloads=st.dictionaries(names, baselines, max_size=6),
    omitted=counts,
)


def test_only_workloads_with_pods_on_planned_nodes_are_in_it() -> None:
    """The pods of a workload are counted wherever they are."""
    db = WorkloadId("StatefulSet", "shop", "db")
    seen = baseline(old("a"), old("b"), pod("c", node="node-later"), pod("d"), pod("db-0", workload=db))
    assert seen.workloads == {
        CART: WorkloadBaseline(uid="u1", ready=4, desired=4, planned=2, ocean=1, templates=("t1",))
    }
    assert OTHER not in seen.namespaces


@pytest.mark.parametrize(
    ("pods", "broken"),
    [
        ([old("a"), starting("b")], False),
        ([old("a", ready=False), starting("b")], True),
        ([old("a"), pulling("b")], True),
    ],
)
def test_unhealthy_before(pods: list[WorkloadPod], broken: bool) -> None:
    """A pod that starts is common; none that is ready, or one that cannot start, is not."""
    assert baseline(*pods).workloads[CART].broken is broken


def test_pods_that_cannot_be_created_are_unhealthy_before() -> None:
    """A quota keeps pods from being created long before the migration."""
    quota = WorkloadController(id=CART, desired=3, create_failure="exceeded quota")
    assert baseline(old("a"), controllers=[quota]).workloads[CART].broken


def test_better_of_two_looks_counts() -> None:
    """A pod that restarts in one of two looks does not lower what is required."""
    first, second = baseline(old("a"), old("b", ready=False)), baseline(old("a"), old("b"))
    assert merge_baselines(first, second).workloads[CART].ready == 2
    assert merge_baselines(second, first).workloads[CART].ready == 2


def test_state_stays_small() -> None:
    """The workloads with the most pods to move are kept, and the others are counted."""
    pods = [
        old(f"{number}-{each}", workload=WorkloadId("Deployment", "shop", f"app-{number:04}"))
        for number in range(MOST_WORKLOADS + 20)
        for each in range(1 + (number >= 20))
    ]
    seen = baseline(*pods)
    assert len(seen.workloads) == MOST_WORKLOADS
    assert seen.omitted == 20
    assert WorkloadId("Deployment", "shop", "app-0000") not in seen.workloads
    assert len(json.dumps(seen.to_output())) < 120_000


def test_of_two_looks_the_largest_workloads_are_kept() -> None:
    """Also when each look kept others."""

    def seen(first: int, pods: int) -> HealthBaseline:
        names = [
            WorkloadId("Deployment", "shop", f"app-{number:04}") for number in range(first, first + MOST_WORKLOADS)
        ]
        return baseline(*[old(f"{each.name}-{number}", workload=each) for each in names for number in range(pods)])

    merged = merge_baselines(seen(0, 1), seen(100, 2))
    assert len(merged.workloads) == MOST_WORKLOADS
    assert merged.omitted == 100
    assert min(merged.workloads).name == "app-0100"


@given(whole)
def test_survives_the_state(before: HealthBaseline) -> None:
    """What is written is read back, also when an engine returns each number as a float."""
    written = json.loads(json.dumps(before.to_output()), parse_int=float)
    assert HealthBaseline.from_output(written) == before


@given(whole, whole)
def test_merging_never_lowers_what_was_ready(first: HealthBaseline, second: HealthBaseline) -> None:
    """Of two looks without trouble the one with more ready pods counts, in either order."""
    merged = merge_baselines(first, second)
    assert merged.workloads.keys() == first.workloads.keys() | second.workloads.keys()
    for workload, found in merged.workloads.items():
        for look in (first, second):
            seen = look.workloads.get(workload)
            if seen is not None and not seen.broken and not seen.rolling:
                assert found.ready >= seen.ready


@pytest.mark.parametrize("value", [None, [], "x", {}, {"workloads": []}])
def test_no_baseline_is_none(value: object) -> None:
    """A state of an earlier version has none, and one that cannot be read is none."""
    assert HealthBaseline.from_output(value) is None
