"""What a comment says of one migration."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from ocean_migration_pulumi.migration.spec.diagnostic import Code, Diagnostic, Severity
from ocean_migration_pulumi.migration.spec.planned_nodes import PlannedNode
from ocean_migration_pulumi.report.pull_request.preview import UNKNOWN
from ocean_migration_pulumi.report.pull_request.sections import build_section
from ocean_migration_pulumi.report.pull_request.verdict import CommentTopic, find_topic
from tests.report.documents import (
    Case,
    blocked,
    case,
    comment,
    document,
    error,
    info,
    message,
    migration,
    planned,
    ready,
    record,
    step,
    stored,
    urn,
    warning,
)

BROKEN = {"broken_workloads": True}


def listed(made: Case, title: str) -> list[str]:
    """Return the rows of a list of the only migration."""
    return [row for part in build_section(made.assess()).parts if part.head == f"**{title}**\n\n" for row in part.rows]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("should_terminate_drained_nodes", "drained nodes are terminated"),
        ("should_evict_stand_alone_pods", "standalone pods are deleted and not recreated"),
        ("force_pod_eviction_on_pdb_failure", "pods are deleted although a PodDisruptionBudget protects them"),
        ("terminate_drained_nodes_on_stop", "stopping the migration terminates the nodes drained so far"),
    ],
)
def test_what_cannot_be_undone_is_said_in_words(name: str, text: str) -> None:
    """An option that is not known yet is told as one that is on."""
    option = name.replace("_", "&#95;")
    for value, shown in [(True, f"(<code>{option}</code>)"), (UNKNOWN, f"(<code>{option}</code>, not known yet)")]:
        assert f"Destructive: **{text}** {shown}." in comment(case(ready(**{name: value})))
    assert "Nothing is terminated, deleted, or forced." in comment(case(ready(**{name: False})))


@pytest.mark.parametrize(
    ("diagnostic", "topic"),
    [
        (warning(Code.PDB_BLOCKS), CommentTopic.BLOCKED),
        (warning(Code.PDB_BLOCKS, forced=True), CommentTopic.WARNINGS),
        (warning(Code.PODS_UNPLACEABLE), CommentTopic.BLOCKED),
        (error(Code.CHECK_FAILED), CommentTopic.CHECKS),
        (info(Code.CHECKS_PASSED), CommentTopic.CHECKS),
        (warning(Code.NOT_EVALUATED), CommentTopic.UNKNOWN),
        (warning(Code.PODS_PLACEMENT_UNKNOWN), CommentTopic.UNKNOWN),
        (warning(Code.ASG_MAY_REPLACE), CommentTopic.WARNINGS),
        (info(Code.BATCHES), CommentTopic.REMARKS),
        (info(Code.PLAN_SUMMARY), CommentTopic.NONE),
        (Diagnostic(code="of-the-future", severity=Severity.WARNING), CommentTopic.WARNINGS),
        (Diagnostic(code="of-the-future", severity=Severity.INFO), CommentTopic.REMARKS),
    ],
)
def test_a_diagnostic_is_in_one_list(diagnostic: Diagnostic, topic: CommentTopic) -> None:
    """By its code, and by its severity where the code is of a newer version."""
    assert find_topic(diagnostic) is topic


def test_health_stays_unknown_without_access_to_kubernetes() -> None:
    """The preview has no line about it then; with one, that line is shown alone."""
    unknown = "Workload health is unknown"
    assert sum(unknown in each for each in listed(case(ready()), "Migration")) == 1
    assert not any(unknown in each for each in listed(case(ready(health="off")), "Migration"))
    assert any(unknown in each for each in listed(case(ready(health="off", stop_when=BROKEN)), "Migration"))
    assert not any(unknown in each for each in listed(case(ready(wait_for="started")), "Migration"))
    planned_health = info(Code.HEALTH_PLANNED, "Watching 12 workloads")
    rows = listed(case(ready("web", planned_health)), "Migration")
    assert [each for each in rows if "Watching" in each or unknown in each] == ["- Watching 12 workloads"]


def test_nodes_that_stay_schedulable_are_those_of_later_waves() -> None:
    """A wave excludes the nodes of those before it; the last one has none after it."""
    outside = warning(Code.NODES_OUTSIDE_PLAN, nodes=20)
    first = ready("canary", outside)
    nodes = {"i-rest": next(iter(planned(1).values()))}
    later = migration("rest", nodes, outside, planned_elsewhere=[*planned(16)])
    canary, rest = case(first, later).parse().migrations
    assert [each.fields for each in canary.select(Code.NODES_OUTSIDE_PLAN)] == [
        {"nodes": 20, "waves": [{"name": "rest", "nodes": 1}]}
    ]
    assert [each.fields for each in rest.select(Code.NODES_OUTSIDE_PLAN)] == [{"nodes": 20}]
    assert comment(case(first, later)).count("1 of rest") == 1


def test_the_most_urgent_comes_first() -> None:
    """Blockers, checks, unknown things, warnings, nodes."""
    more = (warning(Code.ASG_MAY_REPLACE), warning(Code.NOT_EVALUATED))
    text = comment(case(blocked("web", *more)))
    titles = ("**Blocked**", "**Checks**", "**Not checked**", "**Warnings**", "**Nodes**", "**Migration**", "<details>")
    places = [text.index(each) for each in titles]
    assert places == sorted(places)


def test_checks_that_make_up_refuse_come_first() -> None:
    """Then the others by how bad they are, and the passed ones last."""
    more = (warning(Code.CHECK_FAILED, "x", subject="warned"), error(Code.CHECK_FAILED, "x", subject="enforced"))
    rows = listed(case(blocked("web", *more)), "Checks")
    assert [row.partition("</code>")[0] for row in rows] == [
        "- [ ] <code>enforced",
        "- [ ] <code>warned",
        "- [ ] <code>autoscalers",
        "- [ ] <code>pending pods",
        "- [x] 2 checks passed",
    ]
    assert [row.split("**")[1] for row in rows[:-1]] == ["failed", "failed", "warning", "unknown"]


def test_nodes_are_counted_by_both_groups() -> None:
    """The largest first; those that match nothing, and those that are gone, are named as such."""
    gone = PlannedNode(
        instance_id="i-9", node_name="n", asg_name="web", virtual_node_group_id="ols-1", migration_id="owm-1"
    )
    alone = PlannedNode(instance_id="i-8", virtual_node_group_id="Default")
    nodes = planned(1) | planned(3, "gpu", None, first=2) | {"i-9": gone.entry, "i-8": alone.entry}
    destinations = [
        info(Code.DESTINATION, subject="ols-1a2b3c4d", known=True, spot_percentage=100, fallback_to_on_demand=None),
        info(Code.DESTINATIONS_MORE, groups=3, nodes=5),
    ]
    text = comment(case(migration("web", nodes, *destinations)))
    rows = [row for row in text.splitlines() if row.startswith("| ") and row.count("|") == 5][1:5]
    assert rows == [
        "| <code>gpu</code> | **none** | 3 | - |",
        "| - | any (<code>Default</code>) | 1 | - |",
        "| <code>web</code> | <code>web</code> <code>ols-1a2b3c4d</code> | 1 | spot |",
        "| <code>web</code> | migrated by <code>owm-1</code> | 1 | - |",
    ]
    assert "Plan: 6 nodes (1 of them migrated earlier), digest " in text
    moved = comment(case(migration("web", {"i-9": gone.entry})))
    assert "Plan: 1 node (1 of them migrated earlier).\n" in moved
    assert "digest" not in moved


@pytest.mark.parametrize(
    ("fields", "capacity"),
    [
        ({"known": True, "spot_percentage": 0, "fallback_to_on_demand": True}, "on-demand"),
        ({"known": True, "spot_percentage": "<b>", "fallback_to_on_demand": True}, "-"),
        ({"known": True, "spot_percentage": 50}, "-"),
        ({"known": False, "spot_percentage": None, "fallback_to_on_demand": None}, "-"),
        ({}, "-"),
    ],
)
def test_the_capacity_of_a_group(fields: dict[str, Any], capacity: str) -> None:
    """As far as it is known."""
    text = comment(case(migration("web", planned(1), info(Code.DESTINATION, subject="ols-1a2b3c4d", **fields))))
    assert f" | 1 | {capacity} |\n" in text


def test_an_update_tells_who_joins_and_who_leaves() -> None:
    """At most ten by name."""
    before, now = {"planned_nodes": planned(12)}, {"planned_nodes": planned(2, first=12)}
    text = comment(Case(document([step("web", now, op="update", before=before)])))
    assert "Added: 1 node (<code>i-00000000000000013</code>)." in text
    assert "Removed: 11 nodes (<code>i-00000000000000001</code>, " in text
    assert "<code>i-00000000000000010</code> and 1 more)." in text


def test_an_update_tells_which_options_change() -> None:
    """With their values; a default has none."""
    before = {"batch_size_percentage": 20, "triggers": ["a"], "soak_time": "0s", "__provider": "old"}
    now = {
        "batch_size_percentage": 30,
        "triggers": ["a"],
        "soak_time": UNKNOWN,
        "virtual_node_group_ids": ["ols-1", UNKNOWN],
        "on_timeout": "stop",
        "__provider": "x",
    }
    text = comment(Case(document([step("web", now, op="update", before=before)])))
    assert (
        "Changed: <code>batch&#95;size&#95;percentage</code> from <code>20</code> to <code>30</code>, "
        "<code>on&#95;timeout</code> from its default to <code>stop</code>, "
        "<code>soak&#95;time</code> from <code>0s</code> to a value not known yet, "
        "<code>virtual&#95;node&#95;group&#95;ids</code> from its default to "
        '<code>&#91;"ols-1", "&#91;unknown&#93;"&#93;</code>.'
    ) in text
    assert UNKNOWN not in text


@pytest.mark.parametrize(
    ("before", "now", "shown"),
    [
        (
            {"nodes": {"asg_names": ["web*"], "limit": 1, "exclude": {"instance_ids": ["i-1"]}}},
            {"nodes": {"asg_names": ["web*"], "limit": "50%", "exclude": {"instance_ids": ["i-1", "i-2"]}}},
            'nodes.exclude.instance_ids from ["i-1"] to ["i-1", "i-2"], nodes.limit from 1 to 50%',
        ),
        ({}, {"nodes": {"all_nodes": True}}, "nodes.all_nodes from unset to true"),
        (
            {"freeze": {"weekly": ["Fri 16:00 - Mon 08:00"]}},
            {},
            'freeze.weekly from ["Fri 16:00 - Mon 08:00"] to unset',
        ),
        ({"nodes": UNKNOWN}, {"nodes": {"limit": 1}}, 'nodes from a value not known yet to {"limit": 1}'),
        ({"triggers": [1, "a"]}, {"triggers": [1, None, True]}, 'triggers from [1, "a"] to [1, null, true]'),
        (
            {"planned_elsewhere": [*planned(9), "i-old"]},
            {"planned_elsewhere": [*planned(9), UNKNOWN, "i-new"]},
            'planned_elsewhere (added "[unknown]", "i-new", removed "i-old")',
        ),
        (
            {"planned_elsewhere": [*planned(9)]},
            {"planned_elsewhere": [*planned(9)][::-1]},
            "planned_elsewhere (in another order)",
        ),
        (
            {"stop_when": {"broken_workloads": True}},
            {"stop_when": {"below_required_for": "20m"}},
            "stop_when.below_required_for from unset to 20m, stop_when.broken_workloads from true to unset",
        ),
        ({"stop_when": {"broken_workloads": True}}, {}, "stop_when.broken_workloads from true to unset"),
        (
            {},
            {"stop_when": {"kubernetes_conditions": [{"kind": "Node", "name": "n", "for": "5m", "no_answer": "fail"}]}},
            "stop_when.kubernetes_conditions from unset to Node n Ready=True for 5m00s (no_answer: fail)",
        ),
    ],
)
def test_a_changed_map_or_list_is_shown_as_json_without_what_stays(
    before: dict[str, Any], now: dict[str, Any], shown: str
) -> None:
    """Nobody who reads a pull request has to read Python, nor to compare two maps that are cut."""
    text = comment(Case(document([step("web", now, op="update", before={"planned_nodes": {}, **before})])))
    (line,) = (line for line in text.splitlines() if line.startswith("Changed: "))
    assert html.unescape(re.sub(r"</?code>|\u200b", "", line)) == f"Changed: {shown}."


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://shop.example/?key=canary", "from unset to <code>https&#58;//shop.example/ for 10m00s</code>"),
        ("[secret]", "from unset to a value that is not shown"),
        (UNKNOWN, "from unset to a value that is not shown"),
    ],
)
def test_an_update_never_shows_the_query_of_a_health_check(url: str, shown: str) -> None:
    """A program may not have said that it is a secret."""
    now = {"stop_when": {"http_checks": [{"url": url, "contains": "canary"}]}}
    text = comment(Case(document([step("web", now, op="update", before={"planned_nodes": {}})])))
    assert "canary" not in text
    assert f"<code>stop&#95;when.http&#95;checks</code> {shown}" in text


def test_many_health_checks_show_no_query_either() -> None:
    """A long list is shown by what is added, but not this one."""
    before, now = (
        {"stop_when": {"http_checks": [{"url": f"https://shop.example/{n}?canary"} for n in range(most)]}}
        for most in (9, 10)
    )
    text = comment(Case(document([step("web", now, op="update", before={"planned_nodes": {}, **before})])))
    assert "Changed: <code>stop&#95;when.http&#95;checks</code>" in text
    assert "canary" not in text


def test_an_update_names_a_check_that_changes_in_what_is_not_shown() -> None:
    """The query of a URL, or the text that a response must contain."""
    before, now = ({"stop_when": {"http_checks": [{"url": f"https://shop.example/?{key}"}]}} for key in "ab")
    text = comment(Case(document([step("web", now, op="update", before=before)])))
    assert "Changed: <code>stop&#95;when.http&#95;checks</code>, in a part that is not shown." in text


@pytest.mark.parametrize("given", ["https://shop.example/?canary", ["canary"], {"url": "canary"}])
def test_stop_when_of_another_form_is_not_shown(given: Any) -> None:
    """It may be a check whose URL holds a password."""
    text = comment(Case(document([step("web", {"stop_when": given}, op="update", before={"planned_nodes": {}})])))
    assert "to a value that is not shown" in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("planned_nodes", "why"),
    [
        (UNKNOWN, "depends on resources that do not exist yet; made by `pulumi up`"),
        ("[secret]", "hidden, because it is a secret"),
        (None, "not made yet; see the warnings"),
    ],
)
def test_why_there_is_no_plan(planned_nodes: str | None, why: str) -> None:
    """And nothing that could be approved."""
    text = comment(Case(document([step("web", {"planned_nodes": planned_nodes})])))
    assert f"Plan: {why}." in text
    assert "There is no plan to approve yet." in text
    assert "<details>" not in text


def test_without_a_record_the_messages_are_shown_and_details_are_asked_for() -> None:
    """Except where the provider could not plan, or nothing is to be run."""
    nodes = planned(2)
    messages = [message("web", "plan of an hour ago"), message("web", "look at this", "warning")]
    plain = Case(document([step("web", {"planned_nodes": nodes})], messages))
    assert listed(plain, "Migration") == ["- plan of an hour ago"]
    assert listed(plain, "Warnings") == ["- look at this"]
    missing = "Details are missing: set <code>OCEAN&#95;MIGRATION&#95;PREVIEW&#95;FILE</code> for `pulumi preview`"
    assert comment(plain).count(missing) == 1
    assert missing not in comment(Case(plain.text, {urn("web"): record("web", nodes)}))
    assert missing not in comment(Case(document([step("web", {"planned_nodes": UNKNOWN})])))
    assert missing not in comment(stored("delete"))
    assert missing not in comment(stored("no-change"))


def test_what_becomes_of_a_running_migration() -> None:
    """It is stopped, or left alone."""
    assert "will be stopped." in comment(stored("delete"))
    assert "keeps running." in comment(stored("retained"))
    over = {"migration_id": "owm-1", "status": "FINISHED"}
    text = comment(Case(document([step("web", None, op="delete", before={}, outputs=over)])))
    assert "No migration is running; migrated workloads stay on Ocean." in text


def test_a_suggested_group_is_ready_to_paste() -> None:
    """From the fields, whatever the text says."""
    text = comment(case(migration("web", planned(1), info(Code.VNG_SUGGESTION, "x", subject="a b", source="a = 1\nb"))))
    assert "Suggested Virtual Node Group <code>a b</code>:\n\n```python\na = 1\nb\n```\n" in text


def test_an_error_of_several_lines_is_shown_from_its_end() -> None:
    """The last line is what went wrong."""
    lines = "\n".join(f"line {number}" for number in range(40))
    text = comment(Case(document([], [{"message": lines, "severity": "error"}])))
    assert "- line 39\n\n```text\nline 15\n" in text
    assert "line 14" not in text
