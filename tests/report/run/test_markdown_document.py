"""A run as Markdown: what GitHub shows of it, and draws."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean_migration_pulumi.api.models.migration import MigrationStatus
from ocean_migration_pulumi.migration.diagnosis.diagnosis import Diagnosis, Outcome
from ocean_migration_pulumi.report.markdown import width
from ocean_migration_pulumi.report.run import facts, html, markdown_document, mermaid
from tests.report import run_reports
from tests.report.rendered import parse
from tests.report.run_reports import STARTED, course, moment, old, run_report

SECTION = re.compile(r"    section [A-Za-z0-9_ ]+ (?:\d+h\d\dm|\d+m\d\ds|\d+s)(?:, \d+ times)?")
BAR = re.compile(r"    \. :(?:crit, |done, )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d), (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")


def headings(text: str) -> list[str]:
    """Return the headings as they are written."""
    tokens = parse(text)
    return [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]


def diagrams(text: str) -> list[str]:
    """Return the diagrams that are drawn."""
    return [token.content for token in parse(text) if token.type == "fence" and token.info == "mermaid"]


def assert_states(diagram: str) -> None:
    """Assert that every line of a diagram of states is one that Mermaid's Gantt grammar takes."""
    lines = diagram.rstrip("\n").split("\n")
    assert lines[0].startswith("%%{init: {")
    assert lines[1:3] == ["gantt", "    dateFormat YYYY-MM-DD HH:mm:ss"]
    assert re.fullmatch(r"    axisFormat [%HMSmd:\- ]+", lines[3])
    assert SECTION.fullmatch(lines[4])
    for line in lines[5:]:
        bar = BAR.fullmatch(line)
        assert SECTION.fullmatch(line) or (bar and bar[1] < bar[2]), line


def test_a_failed_run_begins_with_what_went_wrong() -> None:
    """Verdict, facts, reason and remedy, course, leftovers, nodes, log."""
    text = markdown_document.render_markdown(run_reports.failed())
    assert text.startswith("## Migration <code>owm-6e3819ae</code>\n\n**Failed**: Ocean could not")
    assert headings(text) == [
        "Migration <code>owm-6e3819ae</code>",
        "Reason and remedy",
        "State changes",
        "Pods left: 2 pods",
        "Unscheduled: 2 pods",
        "Old nodes: 8 with pods left, 8 done",
        "New nodes: 5",
        "Unknown",
    ]
    assert "| Nodes done | 8 of 16 |" in text
    assert "- **Reason**: <code>instances</code>" in text
    assert "<summary>42 lines of the log</summary>" in text
    assert "2024-05-01 12:12:35 ERROR Workload migration owm-6e3819ae has stopped" in text
    assert text.endswith("As of 2024-05-01 13:00:00 UTC, by `ocean-migration report`.\n")


def test_states_and_nodes_are_drawn() -> None:
    """A row for each state, and a line of the nodes done."""
    states, done = diagrams(markdown_document.render_markdown(run_reports.failed()))
    assert_states(states)
    assert states.count("    section ") == 7
    assert "    . :crit, 2024-05-01 12:11:30, 2024-05-01 12:12:10\n" in states
    lines = done.split("\n")
    assert lines[1:4] == [
        "xychart-beta",
        '    x-axis "minutes since the start" 0 --> 12.7',
        '    y-axis "nodes done" 0 --> 16',
    ]
    values = [int(value) for value in lines[4].removeprefix("    line [").removesuffix("]").split(", ")]
    assert (len(values), values[0], values[-1]) == (100, 0, 8)
    assert values == sorted(values)


@pytest.mark.parametrize(("seconds", "unit"), [(100, "seconds"), (1000, "minutes"), (20_000, "hours")])
def test_the_axis_has_a_fitting_unit(seconds: float, unit: str) -> None:
    """So that its numbers are small."""
    drawn = mermaid.draw_nodes_done(run_report(moments=[moment(1, "STARTING")], seconds=seconds))
    assert f'"{unit} since the start"' in drawn


def test_without_a_record_begin_and_end_are_told() -> None:
    """And how to see more the next time."""
    text = markdown_document.render_markdown(run_reports.with_leftovers())
    (states,) = diagrams(text)
    assert_states(states)
    assert "section whole migration 25m05s\n" in states
    assert facts.NOT_RECORDED in text


def test_without_a_begin_nothing_is_drawn() -> None:
    """There is no axis to draw it on."""
    assert diagrams(markdown_document.render_markdown(run_report(MigrationStatus(id="owm-1", state="FINISHED")))) == []


def test_very_many_visits_are_one_bar_for_each_state() -> None:
    """A diagram of Mermaid may hold 50,000 characters."""
    looks = [moment(number, f"STATE_{number % 3}", number % 16) for number in range(2000)]
    drawn = mermaid.draw_states(run_report(moments=looks, seconds=2000))
    assert_states(drawn)
    assert drawn.count("    . :") == 3
    assert len(drawn) < 2000


def test_a_run_of_days_has_dates_on_its_axis() -> None:
    """Hours alone would repeat."""
    drawn = mermaid.draw_states(run_report(seconds=200_000))
    assert "axisFormat %m-%d %H:%M" in drawn
    assert f"{STARTED + timedelta(seconds=200_000):%Y-%m-%d %H:%M:%S}" in drawn


@given(st.text(), st.text())
def test_no_state_breaks_a_diagram(first: str, second: str) -> None:
    """A state is what the service calls it, in a later version whatever it likes."""
    looks = [moment(5, first), moment(9, second)]
    told = run_report(MigrationStatus(id="owm-1", state=first, created_at=STARTED.isoformat()), moments=looks)
    assert_states(mermaid.draw_states(told))


def test_a_run_of_very_many_nodes_fits() -> None:
    """What needs somebody is listed, what is done is folded, and what does not fit is counted."""
    text = markdown_document.render_markdown(run_reports.large())
    assert width(text) <= markdown_document.LIMIT
    assert "### Old nodes: 3 manual, 247 with pods left, 750 done" in text
    assert text.count("<code>REQUIRES&#95;MANUAL&#95;MIGRATION</code>") == 3
    assert "<summary>750 nodes done</summary>" in text
    assert "more nodes" in text
    assert len(diagrams(text)) == 2


@pytest.mark.parametrize("limit", [10_000, 20_000, 40_000])
def test_any_limit_is_kept(limit: int) -> None:
    """By what is least important."""
    text = markdown_document.render_markdown(run_reports.large(3000), limit=limit)
    assert width(text) <= limit
    assert "Running" in text


def test_workloads_that_are_not_ready_are_a_table() -> None:
    """As the stack recorded them, with the reason why the brake stopped the migration."""
    text = markdown_document.render_markdown(run_reports.braked())
    assert "### Not ready: 1 workload\n\n| workload | ready | required | reason | pod | detail |" in text
    assert "| Stopped by | the brake <code>image</code> <code>Deployment shop/cart</code> |" in text


def test_a_short_run_has_nothing_folded_but_the_table_of_changes() -> None:
    """A reader of four nodes has to unfold nothing."""
    text = markdown_document.render_markdown(run_report(moments=course(2)))
    assert text.count("<details>") == 1
    assert "Why" not in text


def test_what_shows_where_it_stands_is_told_without_a_reason() -> None:
    """As of a run that goes on."""
    explanation = Diagnosis(outcome=Outcome.RUNNING, headline="it runs", evidence=("3 pods are left",))
    assert "### Status\n\n- 3 pods are left\n" in markdown_document.render_markdown(run_report(explanation=explanation))
    ended = replace(explanation, outcome=Outcome.FINISHED, evidence=("2 nodes run",))
    assert "### Left to do\n\n- 2 nodes run\n" in markdown_document.render_markdown(run_report(explanation=ended))
    page = html.render_html(run_report(explanation=ended))
    assert "<h2>Left to do</h2><div>2 nodes run</div>" in page
    assert "Evidence" not in page


@pytest.mark.parametrize(("pods", "shown"), [(0, "60 done\n\n<details>"), (1, "60 with pods left\n\n| node")])
def test_a_run_of_many_nodes_of_one_kind(pods: int, shown: str) -> None:
    """Has only the fold, or none."""
    instances = tuple(old(number, pods=pods) for number in range(60))
    text = markdown_document.render_markdown(
        run_report(MigrationStatus(id="owm-1", state="DRAIN_NODES", old_instances=instances))
    )
    assert f"### Old nodes: {shown}" in text
    assert text.count("<details>") == (pods == 0)
