"""What a comment says of one migration."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.migration.spec import diagnostic
from ocean_migration_pulumi.migration.spec.diagnostic import Kind
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.report.pull_request.preview import UNKNOWN
from tests.report.documents import blocked, comment, document, line, plan_line, planned, ready, step, stored


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("should_terminate_drained_nodes", "old instances are terminated once they are drained"),
        ("should_evict_stand_alone_pods", "pods that no controller brings back are deleted"),
        ("force_pod_eviction_on_pdb_failure", "pods go although a PodDisruptionBudget forbids it"),
        ("terminate_drained_nodes_on_stop", "a stop terminates the nodes that are drained by then"),
    ],
)
def test_what_cannot_be_undone_is_said_in_words(name: str, text: str) -> None:
    """An option that is not known yet is told as one that is on."""
    option = name.replace("_", "&#95;")
    for value, shown in [(True, f"(<code>{option}</code>)"), (UNKNOWN, f"(<code>{option}</code>, not known yet)")]:
        made, lines = _with(name, value)
        assert f"Careful: **{text}** {shown}." in comment(document([made], lines))
    made, lines = _with(name, False)
    assert "Nothing is terminated, deleted or forced." in comment(document([made], lines))


def test_blockers_stand_before_prerequisites_and_these_before_the_nodes() -> None:
    """The most urgent first."""
    made, lines = blocked()
    text = comment(document([made], lines))
    places = [text.index(each) for each in ("In the way", "[ ] ", "[x] ", "| Auto Scaling", "<details>")]
    assert places == sorted(places)


def test_prerequisites_that_are_not_met_come_first() -> None:
    """Then those in doubt, then those that nobody could look at."""
    made, lines = blocked()
    lines.append(
        line("web", diagnostic.prerequisite(Kind.FAILED, "scaling", "the autoscaler is off; enable it"), "warning")
    )
    rows = [row for row in comment(document([made], lines)).splitlines() if row.startswith("- [ ] ")]
    assert [row.split("**")[1] for row in rows] == ["not met, `up` will refuse", "in doubt", "unknown"]


def test_nodes_are_counted_by_both_groups() -> None:
    """The largest first; those that match nothing, and those that are gone, are named as such."""
    gone = PlannedNode(
        instance_id="i-9", node_name="n", asg_name="web", virtual_node_group_id="ols-1", migration_id="owm-1"
    )
    alone = PlannedNode(instance_id="i-8", virtual_node_group_id="Default")
    nodes = planned(1) | planned(3, "gpu", None, first=2) | {"i-9": gone.entry, "i-8": alone.entry}
    lines = [
        line("web", "to web (ols-1a2b3c4d): 1 node, 3 pods, spot (waits when there is no spot)"),
        line("web", "to 3 other Virtual Node Groups: 5 nodes"),
    ]
    text = comment(document([step("web", {"planned_nodes": nodes})], lines))
    rows = [row for row in text.splitlines() if row.startswith("| ") and row.count("|") == 5][1:5]
    assert rows == [
        "| <code>gpu</code> | **none** | 3 | - |",
        "| - | <code>any Virtual Node Group</code> <code>Default</code> | 1 | - |",
        "| <code>web</code> | <code>web</code> <code>ols-1a2b3c4d</code> | 1 | spot (waits when there is no spot) |",
        "| <code>web</code> | moved by <code>owm-1</code> | 1 | - |",
    ]
    assert "of 6 nodes, in full" in text
    assert "; 1 of them moved before and are no part of it." in text


def test_an_update_tells_who_joins_and_who_leaves() -> None:
    """At most ten by name."""
    before, now = {"planned_nodes": planned(12)}, {"planned_nodes": planned(2, first=12)}
    text = comment(document([step("web", now, op="update", before=before)]))
    assert "1 node joins the plan: <code>i-00000000000000013</code>." in text
    assert "11 nodes leave the plan: <code>i-00000000000000001</code>, " in text
    assert "<code>i-00000000000000010</code> and 1 more." in text


def test_an_update_tells_which_options_change() -> None:
    """With their values; a default has none."""
    before = {"batch_size_percentage": 20, "triggers": ["a"], "soak_time": "0s", "__provider": "old"}
    now = {
        "batch_size_percentage": 30,
        "triggers": ["a"],
        "soak_time": UNKNOWN,
        "on_timeout": "stop",
        "__provider": "x",
    }
    text = comment(document([step("web", now, op="update", before=before)]))
    assert (
        "Changed: <code>batch&#95;size&#95;percentage</code> from <code>20</code> to <code>30</code>; "
        "<code>on&#95;timeout</code> from its default to <code>stop</code>; "
        "<code>soak&#95;time</code> from <code>0s</code> to what is not known yet."
    ) in text


@pytest.mark.parametrize(
    ("planned_nodes", "why"),
    [
        (UNKNOWN, "not known before something else of the stack is there; `up` plans them then"),
        ("[secret]", "not shown, for they are a secret"),
        (None, "not planned yet; the warnings say why"),
    ],
)
def test_why_there_is_no_plan(planned_nodes: str | None, why: str) -> None:
    """And nothing that could be approved."""
    text = comment(document([step("web", {"planned_nodes": planned_nodes})]))
    assert f"Which nodes: {why}." in text
    assert "There is no plan yet that could be approved." in text
    assert "<details>" not in text


def test_what_becomes_of_a_running_migration() -> None:
    """It is stopped, or left alone."""
    assert "which runs, is stopped." in comment(stored("delete"))
    assert "which runs, is left alone." in comment(stored("retained"))
    over = {"migration_id": "owm-1", "status": "FINISHED"}
    text = comment(document([step("web", None, op="delete", before={}, outputs=over)]))
    assert "Nothing of it runs; what has moved stays where it is." in text


def test_the_batches_of_the_plan_stand_in_where_they_have_no_line() -> None:
    """Never both."""
    nodes = planned(4)
    lines = [line("web", plan_line(nodes, "9 pods, 2 batches of 2 nodes"))]
    made = step("web", {"planned_nodes": nodes})
    assert "- Batches: 2 of 2 nodes\n" in comment(document([made], lines))
    lines.append(line("web", diagnostic.batches("2 of 2 nodes: 5 and 4 pods")))
    text = comment(document([made], lines))
    assert text.count("Batches: ") == 1
    assert "- Batches: 2 of 2 nodes&#58; 5 and 4 pods\n" in text


def test_an_error_of_several_lines_is_shown_from_its_end() -> None:
    """The last line is what went wrong."""
    message = "\n".join(f"line {number}" for number in range(40))
    text = comment(document([], [{"message": message, "severity": "error"}]))
    assert "- line 39\n\n```text\nline 15\n" in text
    assert "line 14" not in text


def _with(name: str, value: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    inputs: dict[str, Any] = {name: value}
    return ready(**inputs)
