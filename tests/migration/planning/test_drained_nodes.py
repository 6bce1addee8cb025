"""Drained nodes that stay: which, and since when."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.planning.drained_nodes import find_drained, report_drained
from ocean_migration_pulumi.migration.scheduling.kubernetes_snapshot import KubernetesNode, KubernetesSnapshot
from ocean_migration_pulumi.migration.snapshot.snapshot import ClusterSnapshot, DrainedNodes
from ocean_migration_pulumi.migration.snapshot.sources import ClusterFacts
from ocean_migration_pulumi.migration.spec.gap import Gap, GapCode
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from tests.migration.builders import candidate, instance, left_over, status

ENDED = "2026-01-02T04:00:00.000Z"
CORDONED = "2025-12-01T00:00:00Z"
PLANNED = ("i-1", "i-2", "i-3")


def ended(*nodes: Any, **more: Any) -> MigrationStatus:
    """Return a migration that finished, unless its state says otherwise."""
    more.setdefault("state", "FINISHED")
    return status(*nodes, completed_at=ENDED, stopped_at=ENDED, **more)


def snapshot(*recent: MigrationStatus, nodes: dict[str, bool] | None = None, offered: Any = ()) -> ClusterSnapshot:
    """Return a cluster; ``nodes`` are those of Kubernetes, and whether each is cordoned; None without access."""
    kube = None
    if nodes is not None:
        kube = KubernetesSnapshot(
            nodes={
                name: KubernetesNode(
                    name=name, instance_id=name, cordoned=cordoned, cordoned_since=CORDONED if cordoned else ""
                )
                for name, cordoned in nodes.items()
            }
        )
    return ClusterSnapshot(
        recent=recent, offered={name: candidate(name) for name in offered}, facts=ClusterFacts(kube=kube)
    )


@pytest.mark.parametrize(
    ("found", "since", "excluded"),
    [
        # Without Kubernetes only a migration that finished and terminated nothing tells that nodes stay.
        (snapshot(ended(instance("i-1"))), {"i-1": ENDED}, set()),
        (snapshot(ended(instance("i-1"), should_terminate_drained_nodes=True)), {}, set()),
        (snapshot(ended(instance("i-1"), should_terminate_drained_nodes=None)), {}, set()),
        (snapshot(ended(instance("i-1"), state="STOPPED")), {}, set()),
        (snapshot(ended(instance("i-1", pods=2), left_over("i-2"))), {}, set()),
        (snapshot(status(instance("i-1"))), {}, {"i-1"}),
        (snapshot(ended(instance("i-1")), offered=["i-1"]), {}, {"i-1"}),
        # The newest migration of a node decides; the list has it first.
        (
            snapshot(ended(instance("i-1"), should_terminate_drained_nodes=True), ended(instance("i-1"))),
            {},
            set(),
        ),
        # Kubernetes shows which run, also of stopped migrations and of those that the list no longer has.
        (snapshot(ended(instance("i-1")), nodes={"i-9": False}), {}, set(PLANNED)),
        (snapshot(ended(instance("i-1"), state="STOPPED"), nodes={"i-1": True}), {"i-1": ENDED}, {"i-2", "i-3"}),
        (snapshot(nodes={"i-1": True, "i-2": False, "i-3": True}), {"i-1": CORDONED, "i-3": CORDONED}, {"i-2"}),
        # Whoever uncordons a node uses it again.
        (snapshot(ended(instance("i-1")), nodes={"i-1": False}), {}, set(PLANNED)),
        (snapshot(nodes={"i-1": True}, offered=["i-1"]), {}, set(PLANNED)),
    ],
)
def test_drained_nodes_are_found(found: ClusterSnapshot, since: dict[str, str], excluded: set[str]) -> None:
    """By the list of migrations, and by Kubernetes."""
    drained = find_drained(found, PLANNED)
    assert (dict(drained.since), drained.excluded) == (since, excluded)
    assert drained.seen is (found.facts.kube is not None)


def test_without_a_plan_all_nodes_of_ended_migrations_count() -> None:
    """For the whole cluster; a node that is cordoned for another reason is none of them."""
    found = snapshot(ended(instance("i-7")), nodes={"i-7": True, "i-8": True})
    assert dict(find_drained(found).since) == {"i-7": ENDED}


def test_unreadable_nodes_prove_nothing() -> None:
    """A list of nodes with a gap does not tell that the others are gone."""
    kube = KubernetesSnapshot(gaps={"nodes": Gap(GapCode.NO_ACCESS)})
    found = ClusterSnapshot(recent=(ended(instance("i-1")),), facts=ClusterFacts(kube=kube))
    assert find_drained(found, PLANNED) == DrainedNodes(since={"i-1": ENDED})


def test_the_state_knows_more() -> None:
    """Nodes and times that the list of a day no longer has; what Kubernetes lacks is left out all the same."""
    state = ResourceState(
        planned=dict.fromkeys(PLANNED, "node-1 web -> web (ols-1)"),
        drained={"i-1", "i-2", "i-3", "i-unplanned"},
        drained_usd_per_hour=0.4,
        migrations=[MigrationRecord(id="owm-1", instance_ids=["i-1", "i-2"], completed_at=ENDED)],
    )
    diagnostic = report_drained(DrainedNodes(since={"i-1": CORDONED}, excluded=frozenset({"i-2"}), seen=True), state)
    assert diagnostic is not None
    assert diagnostic.fields == {"nodes": ["i-1", "i-3"], "since": ENDED, "seen": True}
    state.drained = {"i-3"}
    unknown = report_drained(DrainedNodes(), state)
    assert unknown is not None
    assert unknown.fields == {"nodes": ["i-3"], "since": None, "seen": False, "priced": None, "usd_per_hour": 0.4}
    assert report_drained(DrainedNodes(excluded=frozenset(PLANNED)), state) is None


def test_prices_of_aws_come_before_that_of_the_state() -> None:
    """They are of today, and tell of how many nodes they are."""
    found = DrainedNodes(since={"i-1": ENDED, "i-2": None}, seen=True)
    diagnostic = report_drained(found, prices={"i-2": 0.0961, "i-9": 5.0})
    assert diagnostic is not None
    assert diagnostic.fields == {
        "nodes": ["i-1", "i-2"], "since": ENDED, "seen": True, "priced": 1, "usd_per_hour": 0.0961,
    }  # fmt: skip
