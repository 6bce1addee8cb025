"""What a resource remembers between runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.state.evidence import (
    EndedMigration,
    NodeJudgement,
    NodeObservations,
    NodeOutcome,
    OutcomeReason,
    determine_outcomes,
)
from ocean_migration_pulumi.migration.state.migration_record import ADOPTED, MigrationRecord, UnansweredStart
from ocean_migration_pulumi.migration.state.progress import Progress
from ocean_migration_pulumi.migration.state.resource_state import ResourceState
from ocean_migration_pulumi.migration.state.unfinished import find_unfinished, report_last_run
from tests.migration.builders import instance, left_over, spec, status

PLAN = {name: f"node-{name} web -> web (ols-1)" for name in ("i-1", "i-2", "i-3")}

texts = st.text(max_size=5)
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def outputs(record: ResourceState, **more: Any) -> dict[str, Any]:
    """Return the outputs of a record, through JSON as in a state."""
    result: dict[str, Any] = json.loads(json.dumps(record.to_outputs(spec(**more), {"ocean_id": "o-1"}, "digest")))
    return result


def moment(state: str, done: int, total: int, pods: int, unscheduled: int) -> Progress:
    """Return the numbers of one status."""
    return Progress(state=state, done=done, total=total, pods=pods, unscheduled=unscheduled, manual=0)


def full() -> ResourceState:
    """Return a record in which everything is set."""
    record = ResourceState(
        planned=dict(PLAN),
        migrated={"i-1"},
        manual={"i-2"},
        manual_pods=[{"node": "node-i-2", "pod": "debug", "kind": "STAND_ALONE_POD"}],
        remaining={"i-3"},
        reasons={"i-3": "missing"},
        gone={"i-6"},
        unverified={"i-1"},
        missing_since={"i-3": "2026-01-02T03:04:05.000Z"},
        drained={"i-1"},
        drained_usd_per_hour=0.096,
        terminated={"i-9"},
        joined=["i-4"],
        asg_started=["i-4"],
        asg_other_nodes={"web": ["i-5"]},
        ocean_nodes=["i-5"],
        unscheduled=["pod-1"],
        unanswered=UnansweredStart(listed=["owm-0"], instance_ids=["i-3"], at="2026-01-02T03:04:05.000Z"),
        progress=66.7,
        effective_account_id="act-1",
        nodes={"all_nodes": True},
        triggers=[1, {"a": "b"}],
    )
    record.add(
        MigrationRecord(
            id="owm-1",
            origin=ADOPTED,
            status="STOPPED",
            instance_ids=["i-1", "i-2"],
            batch_size_percentage=20,
            should_terminate_drained_nodes=True,
            should_evict_stand_alone_pods=False,
            force_pod_eviction_on_pdb_failure=False,
            triggers_digest="abc",
            created_at="2026-01-02T03:04:05.000Z",
            stopped_at="2026-01-02T03:05:05.000Z",
            stopped_by="others",
            terminated_on_stop=True,
            lost=True,
        )
    )
    record.failure = {"message": "m", "reason": "r", "remedy": "x"}
    record.soaked_until = "2026-01-02T04:04:05.000Z"
    record.target_reached = True
    record.add_to_timeline("2026-01-02T03:04:05.000Z", moment("STARTING", 0, 3, 18, 0))
    return record


def test_record_survives_its_way_through_the_state() -> None:
    """Everything that is written is read back."""
    assert ResourceState.from_outputs(outputs(full())) == full()
    empty = ResourceState(nodes={"all_nodes": True})
    assert ResourceState.from_outputs(outputs(empty)) == empty


def test_numbers_of_the_wire_are_numbers_again() -> None:
    """The engine hands out floats."""
    stored = outputs(full())
    stored["migrations"][0]["batch_size_percentage"] = 20.0
    run = ResourceState.from_outputs(stored).migrations[0]
    assert run.batch_size_percentage == 20
    assert isinstance(run.batch_size_percentage, int)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(outputs(full())), junk)))
def test_any_outputs_are_read(stored: dict[str, Any]) -> None:
    """A state of another version, or one edited by hand, never breaks the next run."""
    record = ResourceState.from_outputs(stored)
    assert ResourceState.from_outputs(outputs(record)).planned == record.planned


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(MigrationRecord.__dataclass_fields__), junk)))
def test_any_entry_of_a_migration_is_read(entry: dict[str, Any]) -> None:
    """And what is left to do is found all the same."""
    record = ResourceState.from_outputs(outputs(full()) | {"migrations": [entry]})
    find_unfinished(record, spec())
    report_last_run(record)
    again = ResourceState.from_outputs(outputs(record))
    assert (again.migrations, again.lost_migrations) == (record.migrations, record.lost_migrations)


def test_what_later_versions_add_is_passed_over() -> None:
    """An entry with unknown parts still reads."""
    stored = outputs(full()) | {"colour": "red"}
    stored["migrations"][0]["colour"] = "red"
    assert ResourceState.from_outputs(stored) == full()


def test_outputs_echo_the_inputs_but_what_was_acted_upon() -> None:
    """Options stand as they came; selector and triggers are those of the last run."""
    record = ResourceState(planned=dict(PLAN), nodes={"asg_names": ["old"]}, triggers=[1])
    echo = {"ocean_id": "o-1", "soak_time": "5m", "nodes": {"all_nodes": True}, "triggers": [2], "planned_nodes": {}}
    found = record.to_outputs(spec(), echo, "d")
    assert (found["soak_time"], found["nodes"], found["triggers"]) == ("5m", {"asg_names": ["old"]}, [1])
    assert found["planned_nodes"] == PLAN
    assert "migration_id" not in found


def test_latest_run_gives_status_and_times() -> None:
    """The outputs beside the list are those of the latest."""
    record = ResourceState()
    assert record.latest is None
    for number in (1, 2):
        record.add(
            MigrationRecord(id=f"owm-{number}", status="FINISHED", created_at=f"t{number}", completed_at=f"c{number}")
        )
    found = outputs(record)
    assert [found[name] for name in ("migration_id", "status", "created_at", "completed_at")] == [
        "owm-2",
        "FINISHED",
        "t2",
        "c2",
    ]


def test_new_run_takes_away_what_was_true_of_an_earlier_one() -> None:
    """Soak, failure and target belong to one migration."""
    record = full()
    record.add(MigrationRecord(id="owm-2"))
    assert (record.soaked_until, record.failure, record.target_reached) == (None, None, False)


def test_timeline_keeps_the_latest_sixty() -> None:
    """A long life does not make a large state."""
    record = ResourceState()
    for number in range(100):
        record.add_to_timeline(f"t{number}", moment("DRAIN_NODES", number, 100, 5, 1))
    assert [entry["at"] for entry in record.timeline] == [f"t{number}" for number in range(40, 100)]
    assert record.timeline[0]["nodes_done"] == 40


def test_succeeded_only_when_nothing_is_left() -> None:
    """Nothing failed, nothing remains, nothing goes on, nothing is unknown."""
    assert ResourceState().succeeded
    assert not ResourceState(failure={"message": "m"}).succeeded
    assert not ResourceState(remaining={"i-1"}).succeeded
    assert not ResourceState(migrations=[MigrationRecord(id="owm-1", status="DRAIN_NODES")]).succeeded
    assert not ResourceState(unanswered=UnansweredStart(listed=[], instance_ids=[])).succeeded
    assert ResourceState(migrations=[MigrationRecord(id="owm-1", status="DRAIN_NODES", lost=True)]).succeeded


def end(record: ResourceState, migration: MigrationRecord, seen: MigrationStatus, offered: tuple[str, ...]) -> None:
    """Record the end of a migration, as a run does."""
    observed = NodeObservations(
        planned=record.planned,
        migrated=record.migrated,
        manual=record.manual,
        ended=[EndedMigration(status=seen)],
        ever_held=seen.instance_ids,
        offered=offered,
    )
    record.apply_outcomes(determine_outcomes(observed))
    record.settle(migration, seen)


def settled(
    *old: Any, state: str = "FINISHED", offered: tuple[str, ...] = (), run: MigrationRecord | None = None, **more: Any
) -> ResourceState:
    """Return a record after a migration of its nodes has ended."""
    record = ResourceState(planned=dict(PLAN))
    seen = status(*old, state=state)
    followed = run or MigrationRecord(id="owm-1", **more)
    followed.update(seen)
    end(record, followed, seen, offered)
    return record


def test_finished_nodes_are_migrated_unless_they_need_a_hand() -> None:
    """Whatever discovery still offers; nodes that are not planned are nobody's."""
    record = settled(
        instance("i-1"), left_over("i-2", "debug", "shell"), instance("i-3", pods=None), instance("i-9"),
        offered=("i-1", "i-2"),
    )  # fmt: skip
    assert (record.migrated, record.manual) == ({"i-1", "i-3"}, {"i-2"})
    assert record.manual_pods == [
        {"node": "node-i-2", "pod": name, "kind": "STAND_ALONE_POD"} for name in ("debug", "shell")
    ]


def test_pods_that_only_kubernetes_shows_are_named_too() -> None:
    """The service need not name all pods that it leaves, or any; of other nodes none is named."""
    record = settled(left_over("i-1", "debug"), left_over("i-2"), instance("i-3"))
    left = {"i-1": ("shop/debug", "shop/web"), "i-2": ("shop/cart",), "i-3": ("shop/late",), "i-9": ("shop/other",)}
    record.name_manual_pods(status(left_over("i-1", "debug"), left_over("i-2"), state="FINISHED"), left)
    assert record.manual_pods == [
        {"node": "node-i-1", "pod": "debug", "kind": "STAND_ALONE_POD"},
        {"node": "node-i-1", "pod": "web", "kind": "UNKNOWN"},
        {"node": "node-i-2", "pod": "cart", "kind": "UNKNOWN"},
    ]


def test_pods_of_a_node_that_is_manual_no_more_are_named_no_more() -> None:
    """Somebody has moved them, as Kubernetes shows; those of other nodes stay."""
    record = settled(left_over("i-1", "debug"), left_over("i-2", "shell"))
    verified = NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.VERIFIED)
    record.apply_outcomes({"i-1": verified})
    assert (record.manual, [pod["pod"] for pod in record.manual_pods]) == ({"i-2"}, ["shell"])


def test_after_a_stop_or_failure_a_node_is_migrated_when_it_is_empty() -> None:
    """The last count of pods decides; a node that needs a hand remains."""
    for state in ("STOPPED", "FINISHED_ERROR"):
        record = settled(
            instance("i-1", pods=0), instance("i-2", pods=3), instance("i-3", pods=3),
            state=state, offered=("i-1", "i-2"),
        )  # fmt: skip
        assert record.migrated == {"i-1"}
        assert record.remaining == {"i-2", "i-3"}
        assert settled(left_over("i-1", "debug"), state=state, offered=("i-1",)).manual == set()


def test_drained_nodes_stay_billed_unless_they_were_terminated() -> None:
    """By the flag of the migration when it finished, by that of the stop when it was stopped."""
    assert settled(instance("i-1")).drained == {"i-1"}
    assert settled(instance("i-1"), should_terminate_drained_nodes=True).terminated == {"i-1"}
    assert settled(instance("i-1"), state="STOPPED", should_terminate_drained_nodes=True).drained == {"i-1"}
    assert settled(instance("i-1"), state="STOPPED", terminated_on_stop=True).terminated == {"i-1"}


def test_drained_nodes_have_a_time_and_a_price() -> None:
    """As far as they are known; when one of them is terminated later, the price of the others is not."""
    record = ResourceState(planned=dict(PLAN), prices={"i-1": 0.096, "i-2": 0.1})
    assert not {"drained_since", "drained_usd_per_hour"} & outputs(record).keys()
    ended = status(instance("i-1"), instance("i-2"), state="FINISHED")
    migration = MigrationRecord(id="owm-1", status="FINISHED", instance_ids=["i-1", "i-2"], completed_at="t-1")
    record.migrations = [migration]
    end(record, migration, ended, ())
    end(record, migration, ended, ())
    found = outputs(record)
    assert (found["drained_since"], found["drained_usd_per_hour"]) == ("t-1", 0.196)
    assert ResourceState.from_outputs(found).drained_usd_per_hour == 0.196
    later = MigrationRecord(id="owm-2", status="FINISHED", should_terminate_drained_nodes=True)
    end(record, later, status(instance("i-1"), state="FINISHED", id_="owm-2"), ())
    assert (record.drained, record.drained_usd_per_hour) == ({"i-2"}, None)


def test_manual_node_that_is_migrated_later_is_manual_no_more() -> None:
    """And what remains to be moved by hand on other nodes stays named."""
    record = settled(left_over("i-1", "a"), left_over("i-2", "b"))
    again = status(instance("i-1"), state="FINISHED", id_="owm-2")
    end(record, MigrationRecord(id="owm-2", status="FINISHED"), again, ())
    assert (record.manual, record.migrated) == ({"i-2"}, {"i-1"})
    assert [pod["pod"] for pod in record.manual_pods] == ["b"]


def test_outcomes_carry_their_reason_into_the_outputs() -> None:
    """Gone and unverified nodes are lists of their own; each remaining node has its reason."""
    record = ResourceState(planned=dict(PLAN), gone={"i-old"})
    record.apply_outcomes(
        {
            "i-1": NodeJudgement(NodeOutcome.MIGRATED, OutcomeReason.UNVERIFIED),
            "i-2": NodeJudgement(NodeOutcome.GONE, OutcomeReason.MISSING),
            "i-3": NodeJudgement(NodeOutcome.REMAINS, OutcomeReason.PODS_LEFT),
        }
    )
    record.missing_since = {"i-2": "t", "i-3": "t"}
    found = outputs(record)
    assert (found["migrated_nodes"], found["unverified_nodes"]) == (["i-1"], ["i-1"])
    assert found["gone_nodes"] == ["i-2", "i-old"]
    assert (found["remaining_nodes"], found["remaining_reasons"]) == (["i-3"], {"i-3": "pods-left"})
    assert found["missing_since"] == {"i-3": "t"}
    assert not found["succeeded"]
    assert ResourceState.from_outputs(found).unverified == {"i-1"}
    record.reopen({"i-1", "i-2"})
    assert (record.migrated, record.gone, record.unverified) == (set(), {"i-old"}, set())
    assert record.remaining == {"i-1", "i-2", "i-3"}


def stored_by_0_1(*migrations: MigrationRecord) -> ResourceState:
    """Return what is read of a state of version 0.1, which took every node that discovery missed as migrated."""
    record = ResourceState(planned=dict(PLAN), migrated={*PLAN}, drained={*PLAN}, migrations=list(migrations))
    found = outputs(record)
    for name in ("gone_nodes", "unverified_nodes", "missing_since", "remaining_reasons"):
        del found[name]
    return ResourceState.from_outputs(found)


@pytest.mark.parametrize(
    "weak",
    [{"status": "FINISHED_ERROR"}, {"status": "STOPPED"}, {"status": "DRAIN_NODES", "lost": True}],
)
def test_a_state_of_0_1_keeps_what_a_finished_migration_has_moved_alone(weak: dict[str, Any]) -> None:
    """Nodes of failed, stopped and lost migrations remain until they are judged again."""
    finished = MigrationRecord(id="owm-2", status="FINISHED", instance_ids=["i-2"])
    failed = MigrationRecord(id="owm-1", instance_ids=["i-1", "i-2"], **weak)
    record = stored_by_0_1(failed, finished)
    assert record.doubted
    assert (record.migrated, record.remaining, record.drained) == ({"i-2", "i-3"}, {"i-1"}, {"i-2", "i-3"})
    assert not record.succeeded
    unfinished = find_unfinished(record, spec())
    assert unfinished is not None
    assert (unfinished.code, unfinished.fields["nodes"]) == ("nodes-remain", 1)
    others = stored_by_0_1(replace(failed, stopped_by="others"))
    assert find_unfinished(others, spec()) is not None
    kept = stored_by_0_1(finished)
    assert not kept.doubted
    assert kept.migrated == {*PLAN}
    assert kept.succeeded


def test_pods_before_the_drain_are_the_most_that_were_counted() -> None:
    """Before a batch is drained: afterwards fewer are expected. A node without a count makes the sum unknown."""
    run = MigrationRecord(id="owm-1")
    run.update(status(instance("i-1", pods=6), instance("i-2", pods=None), state="STARTING"))
    assert run.pods_before is None
    for pods, state in ((5, "STARTING"), (6, "AWAIT_REPLACEMENTS"), (5, "HANDLE_UNSCHEDULE"), (9, "DRAIN_NODES")):
        run.update(status(instance("i-1", pods=pods), instance("i-2", pods=6), state=state))
    assert run.pods_before == 12
    assert MigrationRecord.from_output(json.loads(json.dumps(run.to_output()))) == run


def test_migration_is_lost_until_each_of_its_nodes_is_proven() -> None:
    """One whose nodes are not known is lost as long as any node remains."""
    lost = MigrationRecord(id="owm-1", instance_ids=["i-1", "i-2", "i-9"], lost=True)
    record = ResourceState(planned=dict(PLAN), migrations=[lost], remaining={"i-2", "i-3"})
    assert record.lost_migrations == [lost]
    record.remaining = {"i-3"}
    assert record.lost_migrations == []
    lost.instance_ids = []
    assert record.lost_migrations == [lost]
    record.remaining = set()
    assert record.lost_migrations == []


def test_run_follows_what_the_service_says_and_forgets_nothing() -> None:
    """A time that is told once stays; the nodes are taken when they were not known."""
    run = MigrationRecord(id="owm-1")
    run.update(status("i-2", "i-1", created_at="t0", stopped_at="t1"))
    run.update(status("i-3", state="STOPPED", created_at=None))
    assert (run.status, run.created_at, run.stopped_at, run.instance_ids) == ("STOPPED", "t0", "t1", ["i-1", "i-2"])
    assert run.ended
    assert not MigrationRecord(id="owm-1").ended
    assert MigrationRecord(id="owm-1", lost=True).ended


def test_pods_are_named_only_up_to_a_bound() -> None:
    """A cluster full of stand-alone pods does not make a state that no backend takes."""
    record = settled(left_over("i-1", *(f"pod-{number}" for number in range(500))))
    record.update(
        status(
            unscheduled_pods=tuple(f"p-{n}" for n in range(150)),
            new_unscheduled_pods=tuple(f"q-{n}" for n in range(150)),
        )
    )
    assert len(record.manual_pods) == 100
    assert len(record.unscheduled) == 100


def test_new_instances_add_up_over_migrations() -> None:
    """Unscheduled pods are those of the last look."""
    record = ResourceState()
    record.update(status(new_instances=(instance("i-7"),), unscheduled_pods=("p",)))
    record.update(status(new_instances=(instance("i-8"),), new_unscheduled_pods=("q",)))
    assert (record.ocean_nodes, record.unscheduled) == (["i-7", "i-8"], ["q"])
