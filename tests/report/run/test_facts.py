"""What a report says of a run in every form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.migration import LogEntry, MigrationInstance, MigrationStatus
from ocean_migration_pulumi.migration.views.run_report import RunHealth, RunReport
from ocean_migration_pulumi.report.run import facts
from ocean_migration_pulumi.report.run.facts import ReportedStage
from tests.report import run_reports
from tests.report.run_reports import course, log, moment, new, old, run_report


def label_matches(told: RunReport) -> dict[str, str]:
    """Return the facts by label."""
    return {fact.label: " ".join((fact.text, *fact.names)).strip() for fact in facts.list_facts(told)}


def test_facts_of_an_ended_run() -> None:
    """Times in UTC, and how long it took."""
    assert label_matches(run_reports.failed()) == {
        "Cluster": "shop o-123abcd",
        "State": "FINISHED_ERROR",
        "Started": "2024-05-01 12:00:00 UTC",
        "Ended": "2024-05-01 12:12:40 UTC",
        "Duration": "12m40s",
        "Nodes done": "8 of 16",
        "Pods left on old nodes": "40",
        "Unscheduled pods": "2",
        "New nodes": "5",
        "Drained nodes": "are terminated",
        "Standalone pods": "stay",
    }


def test_facts_of_a_run_that_goes_on() -> None:
    """So far, and what the service does not tell is left out."""
    found = label_matches(run_report(moments=course()[:2]))
    assert (found["Ended"], found["Duration"]) == ("running", "10m00s so far")
    assert "Drained nodes" not in found
    assert label_matches(run_reports.with_leftovers())["Nodes to move by hand"] == "3"


def test_recorded_health_and_the_cause_of_the_brake_are_facts() -> None:
    """With a row for each workload that is not ready; without a record there is nothing."""
    found = label_matches(run_reports.braked())
    health = "not ready: 2 of 3 workloads ready, 9 pods ready on Ocean nodes, 1 pod on other old nodes"
    assert (found["Workload health"], found["Stopped by"]) == (health, "the brake image Deployment shop/cart")
    (row,) = facts.tabulate_unready(run_reports.braked()).rows
    assert row == ("Deployment shop/cart", 1, 3, "image", "shop/cart-1", 'Back-off pulling image "shop/cart:2"')
    assert not {"Workload health", "Stopped by"} & label_matches(run_reports.failed()).keys()
    assert not facts.tabulate_unready(run_reports.failed()).rows


def test_health_of_another_migration_is_not_reported() -> None:
    """The output is that of the latest one; what cannot be read is unknown, and why is a note."""
    assert RunHealth.from_outputs(run_reports.HEALTH_OUTPUTS, {"id": "owm-1"}) is None
    cause = RunHealth.from_outputs(run_reports.HEALTH_OUTPUTS, {**run_reports.BRAKED, "id": "owm-1"})
    assert cause is not None
    assert (cause.state, cause.brake_cause, cause.not_ready) == ("unknown", "image", ())
    outputs = {"workload_health": {"migration_id": "owm-1", "state": "<b>", "reason": "no access", "not_ready": [3]}}
    unknown = RunHealth.from_outputs(outputs, {"id": "owm-1"})
    assert unknown == RunHealth(state="unknown", reason="no access")
    noted = run_report(health=unknown)
    assert label_matches(noted)["Workload health"] == "unknown"
    assert facts.list_notes(noted) == ["whether the workloads are ready is unknown: no access"]


def test_times_that_are_not_told() -> None:
    """Are said not to be."""
    found = label_matches(run_report(MigrationStatus(id="owm-1", state="FINISHED")))
    assert (found["Started"], found["Ended"], found["Duration"]) == ("unknown", "unknown", "unknown")


def test_what_needs_somebody_comes_first() -> None:
    """Then what has the most pods, and numbers in names count as numbers."""
    status = MigrationStatus(
        id="owm-1",
        state="DRAIN_NODES",
        old_instances=(old(10), old(9), old(3, pods=None), old(4, pods=2), old(5, pods=7), old(6, pods=1, state="X")),
    )
    manual = old(7, pods=1, state="REQUIRES_MANUAL_MIGRATION")
    nodes = facts.old_nodes(run_report(MigrationStatus(id="owm-1", state="X", old_instances=(old(1), manual))))
    assert [stage for stage, _ in nodes] == [ReportedStage.MANUAL, ReportedStage.DONE]
    nodes = facts.old_nodes(run_report(status))
    assert [node.node_name.split(".")[0] for _, node in nodes] == [
        f"ip-10-0-0-{number}" for number in (5, 4, 6, 3, 9, 10)
    ]  # fmt: skip
    assert facts.summarize_stages(nodes) == "3 with pods left, 1 unknown, 2 done"
    assert facts.summarize_stages([]) == "0 nodes"


def test_a_finished_run_is_done_with_every_node_that_needs_nobody() -> None:
    """Also where the service does not tell the pods."""
    status = MigrationStatus(id="owm-1", state="FINISHED", old_instances=(old(1, pods=None), old(2, pods=3)))
    assert facts.summarize_stages(facts.old_nodes(run_report(status))) == "2 done"


def test_new_nodes_stand_by_virtual_node_group() -> None:
    """One whose group is not known comes first."""
    status = MigrationStatus(id="owm-1", state="X", new_instances=(new(10), new(9), new(1)))
    groups = {new(10).instance_id: "web", new(9).instance_id: "web"}
    found = facts.new_nodes(run_report(status, virtual_node_groups=groups))
    assert [(group, node.node_name.split(".")[0]) for group, node in found] == [
        ("", "ip-10-1-0-1"),
        ("web", "ip-10-1-0-9"),
        ("web", "ip-10-1-0-10"),
    ]


def test_the_excerpt_keeps_what_went_wrong() -> None:
    """Errors of long ago before the newest lines, all in their order."""
    lines = log((1, "ERROR", "a"), (2, "INFO", "b"), (3, "warn", "c"), (4, "INFO", "d"), (5, "INFO", "e"))
    assert [line.message for line in facts.select_log_lines(lines, 3)] == ["a", "c", "e"]
    assert facts.select_log_lines(lines, 9) == list(lines)
    assert (facts.count_of(3, 5, "line"), facts.count_of(1, 1, "line")) == ("3 of 5 lines", "1 line")


def test_times_of_the_log_are_read_or_shown_as_they_came() -> None:
    """A line without any has a dash."""
    times = ("2024-5-1T12:00:00Z", "noon", None)
    shown = [facts.format_log_time(LogEntry(message="", created_at=each)) for each in times]
    assert shown == ["2024-05-01 12:00:00", "noon", "-"]


def test_looks_that_say_the_same_are_one_change() -> None:
    """But for the last, which tells how long it has been so."""
    looks = [moment(seconds, "DRAIN_NODES", done) for seconds, done in ((0, 0), (15, 0), (30, 1), (45, 1), (60, 1))]
    assert facts.select_changes(looks) == [looks[0], looks[2], looks[4]]
    assert facts.select_changes(looks[:3]) == [looks[0], looks[2]]
    assert facts.select_changes([]) == []


def test_lanes_hold_every_visit() -> None:
    """In the order of the first ones; very many states share the last lane."""
    found = facts.state_spans(run_reports.failed())
    assert list(found)[:4] == ["STARTING", "AWAIT_REPLACEMENTS", "DRAIN_NODES", "VALIDATE_DRAIN"]
    assert found["VALIDATE_DRAIN"] == [(189, 252), (378, 441)]
    assert facts.sum_spans(found["VALIDATE_DRAIN"]) == "2m06s, 2 times"
    assert facts.sum_spans(found["ERROR"]) == "40s"
    many = [moment(number, f"STATE_{number}") for number in range(30)]
    assert list(facts.state_spans(run_report(moments=many)))[-2:] == ["STATE_14", "other states"]
    assert list(facts.state_spans(run_reports.with_leftovers())) == [facts.WHOLE]


@given(st.lists(st.text()))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    """Digits of any script, and as many as anybody likes."""
    instances = tuple(MigrationInstance(instance_id=name) for name in names)
    status = MigrationStatus(id="owm-1", state="X", old_instances=instances)
    assert len(facts.old_nodes(run_report(status))) == len(names)


def test_notes_are_told_once() -> None:
    """What explaining and telling both could not read."""
    told = run_report(notes=("the log could not be read",), explanation=run_reports.failed().explanation)
    assert facts.list_notes(told) == ["AWS was not asked: there is no access to it", "the log could not be read"]
