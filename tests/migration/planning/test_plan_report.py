"""What a preview reports of its plan, as data."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from ocean_migration_pulumi.api.models.cluster import Cluster, VirtualNodeGroup
from ocean_migration_pulumi.api.models.migration import Candidate, MigrationStatus
from ocean_migration_pulumi.migration.planning.plan_report import (
    compare_with_approved,
    covers_resume,
    list_destinations,
    summarize_batches,
    summarize_plan,
)
from ocean_migration_pulumi.migration.spec.approval import plan_digest
from ocean_migration_pulumi.migration.spec.diagnostic import Code
from ocean_migration_pulumi.migration.spec.planned_nodes import UNKNOWN_VNG, PlannedNode, hash_nodes
from ocean_migration_pulumi.migration.spec.spec import MigrationSpec
from ocean_migration_pulumi.migration.state.migration_record import MigrationRecord
from tests.migration.builders import MANUAL, candidate, instance, status

NAMES = {"ols-1": "web-vng", "ols-2": "gpu-vng"}


def planned(*candidates: Candidate) -> tuple[list[PlannedNode], dict[str, Candidate]]:
    """Return candidates as a plan has them, and as discovery offers them."""
    nodes = [PlannedNode.from_candidate(node, NAMES) for node in candidates]
    return nodes, {node.instance_id: node for node in candidates}


HALF = MigrationSpec(batch_size_percentage=50)


def entries(*names: str) -> dict[str, str]:
    """Return the entries of a plan."""
    return {name: PlannedNode.from_candidate(candidate(name), NAMES).entry for name in names}


def summary(
    *offered: str, plan: tuple[str, ...], recent: tuple[MigrationStatus, ...] = (), pods: int | None = 6
) -> dict[str, Any]:
    """Return the summary of a plan, without its digest."""
    found = {name: candidate(name, pods=pods) for name in offered}
    fields = dict(summarize_plan(entries(*plan), found, recent, HALF).fields)
    assert fields.pop("digest") == plan_digest(entries(*plan), HALF)
    return fields


def test_summary_counts_nodes_pods_and_batches() -> None:
    """Whatever part of it is done already."""
    every = {"nodes": 2, "moved": 0, "migrated": 0, "waiting": 2, "active": 0}
    assert summary("a", "b", plan=("a", "b")) == {**every, "pods": 12, "batches": 2, "batch_size": 1}
    partly = summary("a", "x", plan=("a", "b", "c"), recent=(status("b", "y"),))
    few = {"nodes": 3, "moved": 0, "migrated": 0, "waiting": 1, "active": 1}
    assert partly == {**few, "pods": 6, "batches": 1, "batch_size": 1}
    done = summary(plan=("a",))
    assert (done["waiting"], done["active"], done["pods"], done["batches"]) == (0, 0, None, 0)
    assert summary("a", plan=("a",), pods=None)["pods"] is None


@pytest.mark.parametrize(
    ("recent", "migrated"),
    [
        ((status(instance("a"), instance("b"), state="FINISHED"),), 2),
        ((status(instance("a"), state="FINISHED"), status(instance("b"), state="STOPPED")), 2),
        ((status(instance("a"), instance("b", pods=None), state="FINISHED"),), 1),
        ((status(instance("a"), instance("b", state=MANUAL), state="FINISHED"),), 1),
        ((status("a", state="FINISHED_ERROR"), status(instance("a"), instance("b"), state="FINISHED")), 1),
        ((status(instance("a"), instance("b")),), 0),
        ((), 0),
    ],
    ids=["finished", "two", "no-count", "manual", "newer", "running", "old"],
)
def test_migrated_are_nodes_that_their_latest_migration_left_without_pods(
    recent: tuple[MigrationStatus, ...], migrated: int
) -> None:
    """A missing count proves nothing, and a running migration has not ended; a candidate is still to be migrated."""
    assert summary(plan=("a", "b"), recent=recent)["migrated"] == migrated
    assert summary("a", "b", plan=("a", "b"), recent=recent)["migrated"] == 0


def test_difference_names_both_digests_and_todays_nodes() -> None:
    """What was approved is known by its digest alone."""
    plan = entries("b", "a") | {"c": "n - -> x (unknown) in owm-1"}
    spec = MigrationSpec(approved_plan="feedbeef" * 2)
    fields = {"digest": plan_digest(plan, spec), "approved": "feedbeef" * 2, "nodes": ["a", "b"], "changes": []}
    assert compare_with_approved(plan, spec).fields == fields


@pytest.mark.parametrize(
    ("vng", "cluster", "share"),
    [(None, 100.0, 100.0), (30.0, 100.0, 30.0), (0.0, 100.0, 0.0), (12.5, None, 12.5), (None, None, None)],
)
@pytest.mark.parametrize("fallback", [True, False, None])
def test_destination_has_its_share_of_spot(
    vng: float | None, cluster: float | None, share: float | None, fallback: bool | None
) -> None:
    """The VNG's own share counts, else the cluster's; the fallback is the cluster's."""
    (found,) = list_destinations(
        *planned(candidate("i-1"), candidate("i-2", pods=1)),
        {"ols-1": VirtualNodeGroup(id="ols-1", name="web-vng", spot_percentage=vng)},
        Cluster(id="o-1", spot_percentage=cluster, fallback_to_od=fallback),
    )
    assert (found.code, found.subject) == (Code.DESTINATION, "ols-1")
    assert found.fields == {
        "name": "web-vng",
        "nodes": 2,
        "pods": 7,
        "known": True,
        "spot_percentage": share,
        "fallback_to_on_demand": fallback,
    }


def test_destinations_leave_out_what_is_not_known() -> None:
    """A node without a VNG goes nowhere, pods that were not told are no zero, a VNG may be gone."""
    found = list_destinations(
        *planned(
            candidate("i-1", vng=None),
            candidate("i-2", vng=UNKNOWN_VNG),
            candidate("i-3", pods=None),
            candidate("i-4", vng="Default", pods=0),
        ),
        {},
        Cluster(id="o-1", spot_percentage=100.0),
    )
    unknown = {"nodes": 1, "known": False, "spot_percentage": None, "fallback_to_on_demand": None}
    assert {each.subject: each.fields for each in found} == {
        "Default": {"name": "", "pods": 0, **unknown},
        "ols-1": {"name": "web-vng", "pods": None, **unknown},
    }


def test_many_destinations_end_with_a_count() -> None:
    """The largest first; the last one counts the rest and their nodes."""
    sizes = {f"ols-{number:02}": number for number in range(1, 14)}
    nodes = [candidate(f"i-{vng}-{n}", vng=vng) for vng, size in sizes.items() for n in range(size)]
    *found, more = list_destinations(*planned(*nodes), {}, Cluster(id="o-1"))
    assert [each.fields["nodes"] for each in found] == list(range(13, 3, -1))
    assert (more.code, more.fields) == (Code.DESTINATIONS_MORE, {"groups": 3, "nodes": 6})


@pytest.mark.parametrize(
    ("pods", "percentage", "expected"),
    [
        ((6, 6), 50, (2, 1, 1, [6, 6])),
        ((5, 6, 7), 34, (2, 2, 1, [11, 7])),
        ((5,), 20, (1, 1, 1, [5])),
        ((5, None), 50, (2, 1, 1, None)),
    ],
)
def test_batches_have_their_pods_where_all_are_counted(
    pods: tuple[int | None, ...], percentage: int, expected: tuple[object, ...]
) -> None:
    """In the order of the ids, whatever the order in which they come."""
    offered = {f"i-{number:03}": candidate(f"i-{number:03}", pods=amount) for number, amount in enumerate(pods)}
    fields = summarize_batches(reversed(list(offered)), offered, percentage).fields
    assert tuple(fields[name] for name in ("count", "size", "last", "pods")) == expected


def test_an_approval_of_version_0_1_covers_the_rest_of_a_recorded_migration_alone() -> None:
    """With the same nodes, options and triggers; what is not recorded is not known to be the same."""
    plan = entries("a", "b")
    spec = MigrationSpec(approved_plan=hash_nodes(plan)[:16])
    ran = MigrationRecord(
        id="owm-1", instance_ids=["a", "b"], triggers_digest=spec.triggers_digest, **asdict(spec.options)
    )
    assert covers_resume(plan, spec, ran, ["b"])
    assert not covers_resume(plan, spec, None, ["b"])
    assert not covers_resume(plan, spec, ran, ["b", "c"])
    assert not covers_resume(entries("a", "b", "c"), spec, ran, ["b"])
    for changed in ({"batch_size_percentage": 50}, {"should_terminate_drained_nodes": True}, {"triggers": ("x",)}):
        assert not covers_resume(plan, replace(spec, **changed), ran, ["b"])
    assert not covers_resume(plan, spec, replace(ran, batch_size_percentage=None), ["b"])
