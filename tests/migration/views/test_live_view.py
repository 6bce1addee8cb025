"""Live views: stages, counters, new nodes and the trend, computed from statuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.cluster import ClusterNode
from ocean_migration_pulumi.api.models.migration import MigrationInstance, MigrationState, MigrationStatus
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.views.live_view import LiveView, Stage
from tests.migration.builders import MANUAL, instance, left_over, status

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def view_status(seen: MigrationStatus, minutes: float = 5.0, before: LiveView | None = None, **more: Any) -> LiveView:
    """Return the view of a status so many minutes after the migration was created."""
    return LiveView.from_status(seen, at=CREATED + timedelta(minutes=minutes), before=before, **more)


def stages(live_view: LiveView) -> dict[str, Stage]:
    """Return the stage of each old node."""
    return {node.instance_id: node.stage for node in live_view.nodes}


@pytest.mark.parametrize(
    ("state", "node", "stage"),
    [
        ("DRAIN_NODES", instance("i-1", pods=0), Stage.DONE),
        ("DRAIN_NODES", instance("i-1", pods=6), Stage.WAITING),
        ("DRAIN_NODES", instance("i-1", pods=None), Stage.UNKNOWN),
        ("DRAIN_NODES", instance("i-1", pods=6, state=""), Stage.WAITING),
        ("DRAIN_NODES", instance("i-1", pods=6, state="BLOCKED"), Stage.WAITING),
        ("DRAIN_NODES", instance("i-1", pods=6, state="Draining"), Stage.DRAINING),
        ("DRAIN_NODES", instance("i-1", pods=None, state="TERMINATED"), Stage.TERMINATED),
        ("DRAIN_NODES", instance("i-1", pods=1, state=MANUAL), Stage.MANUAL),
        ("FINISHED", instance("i-1", pods=1, state=MANUAL), Stage.MANUAL),
        ("FINISHED", instance("i-1", pods=None), Stage.DONE),
        ("STOPPED", instance("i-1", pods=6), Stage.REMAINING),
        ("FINISHED_ERROR", instance("i-1", pods=6, state="DRAINING"), Stage.REMAINING),
        ("FINISHED_ERROR", instance("i-1", pods=None), Stage.UNKNOWN),
    ],
)
def test_stage_follows_from_documented_facts(state: str, node: MigrationInstance, stage: Stage) -> None:
    """The facts are the state and the pods of the node, and the state of the migration."""
    assert stages(view_status(status(node, state=state))) == {"i-1": stage}


def test_node_drains_once_it_has_fewer_pods() -> None:
    """It stays in that stage while the number does not change."""
    live_view = view_status(status("i-1", "i-2"))
    for pods in (4, 4):
        live_view = view_status(status(instance("i-1", pods=pods), "i-2"), before=live_view)
    assert stages(live_view) == {"i-1": Stage.DRAINING, "i-2": Stage.WAITING}


def test_undocumented_state_is_kept() -> None:
    """The stage shows any other state."""
    seen = status(
        instance("i-1", state="Blocked"),
        instance("i-2", state="RUNNING"),
        left_over("i-3", "debug"),
        instance("i-4", state="DRAINING"),
    )
    assert {node.instance_id: node.said for node in view_status(seen).nodes} == {
        "i-1": "Blocked",
        "i-2": "",
        "i-3": "",
        "i-4": "",
    }


def test_node_that_is_no_longer_listed_is_terminated() -> None:
    """It stays in the view, and counts as drained."""
    first = view_status(status("i-1", "i-2"))
    live_view = view_status(status("i-2"), before=view_status(status("i-2"), before=first))
    assert stages(live_view) == {"i-2": Stage.WAITING, "i-1": Stage.TERMINATED}
    assert (live_view.done, live_view.total, live_view.share) == (1, 2, 0.5)
    assert stages(view_status(status("i-1", "i-2"), before=live_view))["i-1"] is Stage.WAITING


def test_nodes_that_need_attention_come_first() -> None:
    """Manual migration, then draining by number of pods, then waiting by the numbers in their names."""
    before = view_status(status("i-a", "i-b", "i-c", "i-10", "i-9", "i-z"))
    live_view = view_status(
        status(
            instance("i-a", pods=0),
            instance("i-b", pods=2),
            instance("i-c", pods=5),
            "i-10",
            "i-9",
            left_over("i-z", "debug"),
        ),
        before=before,
    )
    assert [node.instance_id for node in live_view.nodes] == ["i-z", "i-c", "i-b", "i-9", "i-10", "i-a"]
    assert live_view.nodes[0].left_over == ("debug",)


def test_counters_are_those_of_the_console() -> None:
    """All come from the status; a pod that is listed twice counts once."""
    before = view_status(status("i-1", "i-2", "i-3"))
    live_view = view_status(
        status(
            instance("i-1", pods=0),
            instance("i-2", pods=2),
            "i-3",
            new_instances=(instance("i-n", pods=4), instance("i-m", pods=None)),
            unscheduled_pods=("p-1", "p-2"),
            new_unscheduled_pods=("p-2", "p-3"),
        ),
        before=before,
    )
    assert (live_view.word, live_view.phase) == ("Running", "draining old nodes")
    assert (len(live_view.new_nodes), live_view.new_pods, live_view.old_pods) == (2, 4, 8)
    assert live_view.unscheduled == ("p-1", "p-2", "p-3")
    assert live_view.stages == {Stage.DONE: 1, Stage.DRAINING: 1, Stage.WAITING: 1}


def test_unknown_numbers_are_none() -> None:
    """A status of an id and a state suffices for a view."""
    live_view = view_status(MigrationStatus(id="owm-1", state="NEW_STATE"))
    assert (live_view.word, live_view.phase) == ("Running", "undocumented state NEW_STATE")
    assert (live_view.old_pods, live_view.new_pods, live_view.elapsed, live_view.share) == (None, None, None, 0.0)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["STARTING", "FINISHED"], ["Running", "Completed"]),
        (
            ["STOPPING", "RESCHEDULE_NODES", "TERMINATE_NODES", "AWAIT_TERMINATION", "STOPPED"],
            ["Stopping", "Stopping", "Stopping", "Stopping", "Stopped"],
        ),
        (["TERMINATE_NODES", "FINISHED"], ["Running", "Completed"]),
        (["ERROR", "RESCHEDULE_NODES", "FINISHED_ERROR"], ["Failing", "Failing", "Failed"]),
        (["STOPPING", "ERROR"], ["Stopping", "Failing"]),
    ],
)
def test_overall_status_keeps_stopping_and_failing(states: list[str], words: list[str]) -> None:
    """Both pass states that a running migration has, too."""
    live_view: LiveView | None = None
    for state, word in zip(states, words, strict=True):
        live_view = view_status(status("i-1", state=state), before=live_view)
        assert live_view.word == word


def test_elapsed_time_ends_with_the_migration() -> None:
    """While it runs, it is the time since creation."""
    assert view_status(status("i-1"), 7).elapsed == timedelta(minutes=7)
    ended = status("i-1", state="STOPPED", stopped_at="2026-01-02T03:06:05.000Z")
    assert view_status(ended, 700).elapsed == timedelta(minutes=2)
    assert view_status(replace(ended, stopped_at=None), 3).elapsed == timedelta(minutes=3)
    assert view_status(status("i-1"), -1).elapsed == timedelta()


def test_new_nodes_have_the_facts_of_ocean_nodes() -> None:
    """The newest comes first; an unregistered node shows that state, and earlier facts are kept."""
    first = view_status(status("i-1", new_instances=(instance("i-n", node_name=""),)))
    assert (first.new_nodes[0].name, first.new_nodes[0].joined_at) == ("", None)
    known = [
        ClusterNode(
            instance_id="i-m",
            node_name="node-i-m",
            virtual_node_group_name="web",
            life_cycle="Spot",
            registration_status="Registering",
            created_at="2026-01-02T03:05:05.000Z",
        )
    ]
    seen = status("i-1", new_instances=(instance("i-n"), instance("i-m", node_name="")))
    second = view_status(seen, before=first, ocean_nodes=known)
    newest = second.new_nodes[0]
    assert (newest.name, newest.state, newest.virtual_node_group, newest.life_cycle) == (
        "node-i-m",
        "Registering",
        "web",
        "Spot",
    )
    assert newest.joined_at == CREATED + timedelta(minutes=1)
    third = view_status(seen, before=second)
    assert (third.new_nodes[0].virtual_node_group, third.new_nodes[0].state) == ("web", "RUNNING")
    fourth = view_status(replace(seen, new_instances=(*seen.new_instances, instance("i-o"))), 6, before=third)
    assert (fourth.new_nodes[0].instance_id, fourth.new_nodes[0].joined_at) == ("i-o", CREATED + timedelta(minutes=6))


def watched(*done: int, total: int = 10, state: str = "DRAIN_NODES") -> LiveView:
    """Return the last of several views, one per minute, with so many drained nodes."""
    live_view: LiveView | None = None
    for minute, number in enumerate(done):
        nodes = [instance(f"i-{place}", pods=0 if place < number else 6) for place in range(total)]
        live_view = view_status(status(*nodes, state=state), minute, before=live_view)
    assert live_view is not None
    return live_view


def test_trend_needs_two_minutes() -> None:
    """Before, the rate is unknown."""
    assert watched(0, 1).trend.per_minute is None
    assert watched(0, 1, 2).trend.per_minute == pytest.approx(1.0)


def test_remaining_time_is_estimated_from_the_trend() -> None:
    """Nodes that require manual migration do not count."""
    assert watched(0, 1, 2, 4).trend.left == timedelta(minutes=4.5)
    before = view_status(status("i-1", "i-2", "i-3"), 0)
    live_view = view_status(status(instance("i-1", pods=0), "i-2", left_over("i-3", "debug")), 4, before=before)
    assert live_view.trend.left == timedelta(minutes=4)


def test_remaining_time_is_unknown_without_progress() -> None:
    """It is also unknown if no node is left, or the migration stops."""
    assert (watched(3, 3, 3).trend.per_minute, watched(3, 3, 3).trend.left) == (0.0, None)
    assert watched(8, 9, 10).trend.left is None
    assert watched(0, 1, 2, state="STOPPING").trend.per_minute is None


def test_trend_drops_samples_older_than_ten_minutes() -> None:
    """A fast begin does not change the present rate."""
    trend = watched(0, 8, *([8] * 10), 9, total=20).trend
    assert trend.per_minute == pytest.approx(0.1)
    assert trend.span == timedelta(minutes=10)


def test_view_has_the_time_since_the_last_change() -> None:
    """Only watched changes count."""
    live_view = view_status(status("i-1"), 1)
    live_view = view_status(status("i-1"), 5, before=live_view)
    assert live_view.still == timedelta(minutes=4)
    assert view_status(status(instance("i-1", pods=5)), 6, before=live_view).still == timedelta()


INSTANCES = st.builds(
    MigrationInstance,
    instance_id=st.sampled_from([f"i-{number}" for number in range(6)]),
    node_name=st.text(max_size=5),
    state=st.sampled_from(["", "RUNNING", MANUAL, "TERMINATED", "DRAINING", "odd"]),
    running_pods=st.none() | st.integers(0, 9),
)
STATUSES = st.builds(
    MigrationStatus,
    id=st.just("owm-1"),
    state=st.sampled_from([*MigrationState, "ODD"]),
    old_instances=st.lists(INSTANCES, unique_by=lambda node: node.instance_id).map(tuple),
    new_instances=st.lists(INSTANCES, unique_by=lambda node: node.instance_id).map(tuple),
    created_at=st.sampled_from([None, "", "nonsense", "2026-01-02T03:04:05.000Z"]),
)


@given(st.lists(STATUSES, min_size=1, max_size=6))
def test_counters_add_up_for_any_statuses(statuses: list[MigrationStatus]) -> None:
    """Every node of any status is in one stage, and the progress is the same as in other messages."""
    live_view: LiveView | None = None
    for minute, seen in enumerate(statuses):
        live_view = view_status(seen, minute, before=live_view)
    assert live_view is not None
    assert {node.instance_id for node in live_view.nodes} == set().union(*(seen.instance_ids for seen in statuses))
    assert live_view.stages.total() == live_view.total == len(live_view.nodes)
    gone = live_view.total - len(statuses[-1].old_instances)
    assert live_view.done == Progress.from_status(statuses[-1]).done + gone
    assert 0 <= live_view.share <= 1
