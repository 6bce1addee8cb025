"""A picture of a migration: stages, counters, new nodes and the trend, from statuses alone."""

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


def look(seen: MigrationStatus, minutes: float = 5.0, before: LiveView | None = None, **more: Any) -> LiveView:
    """Look at a status so many minutes after the migration was created."""
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
def test_the_stage_of_a_node_follows_from_what_is_documented(state: str, node: MigrationInstance, stage: Stage) -> None:
    """Its state, its pods and the state of the migration are all that is known of it."""
    assert stages(look(status(node, state=state))) == {"i-1": stage}


def test_a_node_drains_once_pods_were_seen_to_leave_it() -> None:
    """It still does when the next pod takes its time."""
    live_view = look(status("i-1", "i-2"))
    for pods in (4, 4):
        live_view = look(status(instance("i-1", pods=pods), "i-2"), before=live_view)
    assert stages(live_view) == {"i-1": Stage.DRAINING, "i-2": Stage.WAITING}


def test_a_state_that_is_not_documented_is_kept_as_it_came() -> None:
    """What is documented, or the name of a group of the dashboard, is said by the stage."""
    seen = status(
        instance("i-1", state="Blocked"),
        instance("i-2", state="RUNNING"),
        left_over("i-3", "debug"),
        instance("i-4", state="DRAINING"),
    )
    assert {node.instance_id: node.said for node in look(seen).nodes} == {
        "i-1": "Blocked",
        "i-2": "",
        "i-3": "",
        "i-4": "",
    }


def test_a_node_that_is_no_longer_listed_is_terminated() -> None:
    """It stays in the picture, and counts as done."""
    first = look(status("i-1", "i-2"))
    live_view = look(status("i-2"), before=look(status("i-2"), before=first))
    assert stages(live_view) == {"i-2": Stage.WAITING, "i-1": Stage.TERMINATED}
    assert (live_view.done, live_view.total, live_view.share) == (1, 2, 0.5)
    assert stages(look(status("i-1", "i-2"), before=live_view))["i-1"] is Stage.WAITING


def test_the_interesting_nodes_come_first() -> None:
    """Manual work, then what drains with the most pods, then what waits, by name as people count."""
    before = look(status("i-a", "i-b", "i-c", "i-10", "i-9", "i-z"))
    live_view = look(
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


def test_the_counters_are_those_of_the_dashboard() -> None:
    """Each comes from the status; unscheduled pods that are named twice count once."""
    before = look(status("i-1", "i-2", "i-3"))
    live_view = look(
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
    assert (live_view.word, live_view.phase) == ("Running", "drains the old nodes of the batch")
    assert (len(live_view.new_nodes), live_view.new_pods, live_view.old_pods) == (2, 4, 8)
    assert live_view.unscheduled == ("p-1", "p-2", "p-3")
    assert live_view.stages == {Stage.DONE: 1, Stage.DRAINING: 1, Stage.WAITING: 1}


def test_what_nobody_tells_is_none() -> None:
    """A status of nothing but an id and a state is still a picture."""
    live_view = look(MigrationStatus(id="owm-1", state="NEW_STATE"))
    assert (live_view.word, live_view.phase) == ("Running", "is in the state NEW_STATE, which is not documented")
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
def test_the_overall_status_remembers_how_the_end_began(states: list[str], words: list[str]) -> None:
    """Nodes are terminated, and made schedulable again, on more than one way."""
    live_view: LiveView | None = None
    for state, word in zip(states, words, strict=True):
        live_view = look(status("i-1", state=state), before=live_view)
        assert live_view.word == word


def test_the_time_ends_with_the_migration() -> None:
    """Before that it is what has passed since it was created."""
    assert look(status("i-1"), 7).elapsed == timedelta(minutes=7)
    ended = status("i-1", state="STOPPED", stopped_at="2026-01-02T03:06:05.000Z")
    assert look(ended, 700).elapsed == timedelta(minutes=2)
    assert look(replace(ended, stopped_at=None), 3).elapsed == timedelta(minutes=3)
    assert look(status("i-1"), -1).elapsed == timedelta()


def test_new_nodes_are_known_by_what_ocean_tells_of_them() -> None:
    """The newest comes first; one that is not registered yet says so, and what was known is kept."""
    first = look(status("i-1", new_instances=(instance("i-n", node_name=""),)))
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
    second = look(seen, before=first, ocean_nodes=known)
    newest = second.new_nodes[0]
    assert (newest.name, newest.state, newest.virtual_node_group, newest.life_cycle) == (
        "node-i-m",
        "Registering",
        "web",
        "Spot",
    )
    assert newest.joined_at == CREATED + timedelta(minutes=1)
    third = look(seen, before=second)
    assert (third.new_nodes[0].virtual_node_group, third.new_nodes[0].state) == ("web", "RUNNING")
    fourth = look(replace(seen, new_instances=(*seen.new_instances, instance("i-o"))), 6, before=third)
    assert (fourth.new_nodes[0].instance_id, fourth.new_nodes[0].joined_at) == ("i-o", CREATED + timedelta(minutes=6))


def watched(*done: int, total: int = 10, state: str = "DRAIN_NODES") -> LiveView:
    """Watch one minute after the other how many nodes are done."""
    live_view: LiveView | None = None
    for minute, number in enumerate(done):
        nodes = [instance(f"i-{place}", pods=0 if place < number else 6) for place in range(total)]
        live_view = look(status(*nodes, state=state), minute, before=live_view)
    assert live_view is not None
    return live_view


def test_a_trend_needs_two_minutes() -> None:
    """Until then nothing is said."""
    assert watched(0, 1).trend.per_minute is None
    assert watched(0, 1, 2).trend.per_minute == pytest.approx(1.0)


def test_the_time_left_is_estimated_from_the_trend() -> None:
    """What needs manual work is not waited for."""
    assert watched(0, 1, 2, 4).trend.left == timedelta(minutes=4.5)
    before = look(status("i-1", "i-2", "i-3"), 0)
    live_view = look(status(instance("i-1", pods=0), "i-2", left_over("i-3", "debug")), 4, before=before)
    assert live_view.trend.left == timedelta(minutes=4)


def test_without_progress_no_time_left_is_said() -> None:
    """Nor when nothing is left, or it no longer runs."""
    assert (watched(3, 3, 3).trend.per_minute, watched(3, 3, 3).trend.left) == (0.0, None)
    assert watched(8, 9, 10).trend.left is None
    assert watched(0, 1, 2, state="STOPPING").trend.per_minute is None


def test_the_trend_forgets_what_is_older_than_ten_minutes() -> None:
    """A fast beginning says nothing about now."""
    trend = watched(0, 8, *([8] * 10), 9, total=20).trend
    assert trend.per_minute == pytest.approx(0.1)
    assert trend.span == timedelta(minutes=10)


def test_it_is_known_how_long_nothing_has_changed() -> None:
    """As far as it was watched."""
    live_view = look(status("i-1"), 1)
    live_view = look(status("i-1"), 5, before=live_view)
    assert live_view.still == timedelta(minutes=4)
    assert look(status(instance("i-1", pods=5)), 6, before=live_view).still == timedelta()


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
def test_whatever_is_told_the_picture_adds_up(told: list[MigrationStatus]) -> None:
    """Every node that was ever seen is in one stage, and what waits tell is the same."""
    live_view: LiveView | None = None
    for minute, seen in enumerate(told):
        live_view = look(seen, minute, before=live_view)
    assert live_view is not None
    assert {node.instance_id for node in live_view.nodes} == set().union(*(seen.instance_ids for seen in told))
    assert live_view.stages.total() == live_view.total == len(live_view.nodes)
    gone = live_view.total - len(told[-1].old_instances)
    assert live_view.done == Progress.from_status(told[-1]).done + gone
    assert 0 <= live_view.share <= 1
